"""Feeds the service manager's watchdog, and only while every loop of the service makes progress.

A process that runs is not yet a service that sends. So each loop is asked for a sign of life, and when one owes it for
longer than its patience nothing is fed any more: systemd ends the process and starts it anew, and the next start takes
what was armed for in doubt, as after any other death. Whatever blocks the event loop blocks this task too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

import msgspec

__all__ = ["Watchdog", "Watched"]

log = logging.getLogger("gsmbridge.watchdog")


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    alive: Callable[[], Awaitable[object]]  # returns soon while the loop makes progress; an error is an answer too
    patience: float = 0.0  # seconds it may owe the answer beyond the time between two meals


class Watchdog:
    """`within`: seconds in which the service manager wants to hear of us. It hears twice as often."""

    def __init__(self, watched: Sequence[Watched], *, within: float, feed: Callable[[], None]) -> None:
        self._watched = watched
        self._every = within / 2
        self._feed = feed
        self._asked: dict[str, tuple[asyncio.Future[None], float]] = {}  # open questions, and since when
        self._told: frozenset[str] = frozenset()

    async def run(self) -> None:
        try:
            while True:
                self._ask()
                await asyncio.sleep(self._every)
                stuck = self._stuck()
                if stuck - self._told:
                    log.critical(
                        "watchdog_not_fed stuck=%s; the service manager will restart us", ",".join(sorted(stuck))
                    )
                elif self._told - stuck:
                    log.warning("watchdog_recovered loops=%s", ",".join(sorted(self._told - stuck)))
                self._told = stuck
                if not stuck:
                    self._feed()
        finally:
            for future, _ in self._asked.values():
                future.cancel()

    def _ask(self) -> None:
        now = asyncio.get_running_loop().time()
        for one in self._watched:
            if one.name not in self._asked:
                self._asked[one.name] = (asyncio.ensure_future(_answer(one)), now)

    def _stuck(self) -> frozenset[str]:
        self._asked = {name: asked for name, asked in self._asked.items() if not asked[0].done()}
        now = asyncio.get_running_loop().time()
        patience = {one.name: one.patience for one in self._watched}
        return frozenset(name for name, (_, since) in self._asked.items() if now - since >= patience[name])


async def _answer(one: Watched) -> None:
    try:
        await one.alive()
    except Exception as error:
        log.debug("watchdog_answer loop=%s error=%r", one.name, error)  # it answered; the error is told where it counts
