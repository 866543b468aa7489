"""What the bridge is told: events with their second chance, changes of the link once, oddities counted."""

from __future__ import annotations

import asyncio
import logging

from drivers.contract import Event, LinkChange, LinkState, Sink

__all__ = ["Teller"]

log = logging.getLogger("gsmbridge.modem")


class Teller:
    """One per driver, for its whole life."""

    def __init__(self, channel: str, retry: float) -> None:
        self.channel = channel
        self.now = LinkChange(state=LinkState.DOWN, code="not_started", reason="The modem is not started yet.")
        self.odds: dict[str, int] = {}
        self.sink: Sink | None = None
        self._retry = retry
        self._announced: LinkChange | None = None
        self._trouble: set[str] = set()  # codes warned of since the link was last up

    def count(self, what: str) -> None:
        """Something odd was forgiven."""
        self.odds[what] = self.odds.get(what, 0) + 1

    async def offer(self, event: Event) -> bool:
        """Whether the bridge has it now. When not, the caller offers it again later (contract rule 7)."""
        assert self.sink is not None
        try:
            await self.sink.accept(event)
        except Exception as error:  # its reasons are its own
            self.count("not_accepted")
            first = self.odds["not_accepted"] == 1
            log.log(
                logging.WARNING if first else logging.DEBUG,
                "not_accepted channel=%s event=%s error=%s",
                self.channel,
                type(event).__name__,
                type(error).__name__,
            )
            return False
        self.odds.pop("not_accepted", None)
        return True

    async def change(self, change: LinkChange) -> None:
        """Tell a change of state; returns when the bridge has it. What was told already is not repeated."""
        self.now = change
        before = self._announced
        if change == before or self._is_known(change, before):
            return
        log.log(
            self._level(change),
            "link_change channel=%s state=%s code=%s port=%s reason=%s",
            self.channel,
            change.state.value,
            change.code,
            change.port,
            change.reason,
        )
        while True:
            if await self.offer(change):
                break
            await asyncio.sleep(self._retry)
        self._announced = change

    def _is_known(self, change: LinkChange, before: LinkChange | None) -> bool:
        """Trouble that was told, and attempts to get out of it: what the bridge does stays the same."""
        if before is None or before.state is not LinkState.DOWN:
            return False
        return change.state is LinkState.STARTING or (change.state is LinkState.DOWN and change.code in self._trouble)

    def _level(self, change: LinkChange) -> int:
        """The first trouble of a kind is a warning, its repetitions are not; being up again is worth a line."""
        if change.state is LinkState.UP:
            self._trouble.clear()
        elif change.state is not LinkState.STARTING:
            known = change.code in self._trouble
            self._trouble.add(change.code)
            return logging.DEBUG if known else logging.WARNING
        return logging.DEBUG if self._trouble else logging.INFO
