"""How often a provider that does not answer is asked at all: for whatever reason, by whatever part of us.

While it answers anything goes. After `STREAK` requests in a row without a sound answer each further one is paid from a
purse that holds `PURSE`, gets one a minute, and a tenth of each answered request. With `AT_ONCE` under way at most, ten
minutes of silence cost no more than 12 + 2 + 10 requests, in whatever rhythm submissions, look-ups, polls and checks
come: the bound needs neither luck nor their good manners.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from drivers.contract import Cause, NotSent

__all__ = ["AT_ONCE", "PURSE", "REFILL", "SHARE", "STREAK", "Budget", "Restraint", "ended", "spend"]

AT_ONCE = 10  # requests of one account under way
STREAK = 3
PURSE = 2.0
REFILL = 60.0  # seconds for one more
SHARE = 0.1  # of the requests that were answered


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """`failed`: requests in a row without a sound answer. `purse`: what there was at the time `at`."""

    failed: int = 0
    purse: float = PURSE
    at: float = 0.0


def spend(budget: Budget, now: float) -> Budget | float:
    """One more request: the budget after it, or the seconds until it can be afforded."""
    if budget.failed < STREAK:
        return budget
    purse = _filled(budget, now)
    if purse < 1.0:
        return (1.0 - purse) * REFILL
    return msgspec.structs.replace(budget, purse=purse - 1.0, at=now)


def ended(budget: Budget, now: float, *, sound: bool) -> Budget:
    """A request has ended, with a sound answer or without."""
    if not sound:
        return Budget(failed=budget.failed + 1, purse=_filled(budget, now), at=now)
    return Budget(purse=min(PURSE, _filled(budget, now) + SHARE), at=now)


def _filled(budget: Budget, now: float) -> float:
    return min(PURSE, budget.purse + max(0.0, now - budget.at) / REFILL)


class Restraint:
    """The budget of one account at work, shared by all of its connections."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._budget = Budget(at=monotonic())
        self._slots = asyncio.Semaphore(AT_ONCE)

    @asynccontextmanager
    async def request(self) -> AsyncIterator[Callable[[], None]]:
        """Around one request; call what it gives when the answer was sound. Raises NotSent while it is to wait."""
        sound = False

        def answered() -> None:
            nonlocal sound
            sound = True

        async with self._slots:
            after = spend(self._budget, self._monotonic())
            if isinstance(after, float):
                raise NotSent(
                    f"it has not answered {self._budget.failed} times in a row; it is asked again in {after:.0f} s",
                    code="not_answering",
                    cause=Cause.LINK,
                    retry_after=after,
                )
            self._budget = after
            try:
                yield answered
            except asyncio.CancelledError:
                raise  # we stop: it says nothing of the provider
            except BaseException:
                self._budget = ended(self._budget, self._monotonic(), sound=False)
                raise
            self._budget = ended(self._budget, self._monotonic(), sound=sound)
