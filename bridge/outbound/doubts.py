"""Doubts that no evidence resolved are closed at their deadline, by the message's policy. One timer, no polling."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from bridge.model import Attempt, Instant, show_id
from bridge.outbound import settle
from bridge.outbound.channel import Channel
from bridge.policy.doubt import Close, Resend
from bridge.pulse import Pulse
from bridge.store import Changes, Store, StoreFull
from bridge.telemetry import Telemetry

__all__ = ["Doubts"]

log = logging.getLogger("gsmbridge.doubts")

AT_ONCE = 100  # closed in one transaction
FULL_DISK_WAIT = 1.0


class Doubts:
    def __init__(
        self,
        store: Store,
        channels: Mapping[str, Channel],
        now: Callable[[], Instant],
        telemetry: Telemetry,
        rules: settle.Rules,
        *,
        wake_dispatch: Callable[[], None],
    ) -> None:
        self._store = store
        self._channels = channels
        self._now = now
        self._telemetry = telemetry
        self._rules = rules
        self._wake_dispatch = wake_dispatch
        self._wake = asyncio.Event()
        self._wake.set()
        self.pulse = Pulse(self.wake)

    def wake(self) -> None:
        """There is a new doubt."""
        self._wake.set()

    async def run(self) -> None:
        while True:
            self.pulse.beat()
            self._wake.clear()  # before the look: a doubt that comes during it is seen by the next one
            try:
                due, closed = await self._store.write(self._close)
            except StoreFull as error:
                log.error("disk_full detail=%s", error)
                await asyncio.sleep(FULL_DISK_WAIT)
                continue
            for attempt, decision in closed:
                self._tell(attempt, decision)
            if closed:  # to be sent again, or no more in the way of others
                self._wake_dispatch()
            await self._pause(due)

    def _close(self, changes: Changes) -> tuple[Instant | None, list[tuple[Attempt, Resend | Close | None]]]:
        now = self._now()
        closed = []
        for attempt in changes.doubts_due(now, AT_ONCE):
            channel = self._channels.get(attempt.channel)
            up = channel is not None and channel.fit
            closed.append((attempt, settle.close_doubt(changes, attempt, now, channel_up=up, rules=self._rules)))
        return changes.next_deadline(), closed

    async def _pause(self, due: Instant | None) -> None:
        timer: asyncio.TimerHandle | None = None
        if due is not None:
            wait = max(0.0, (due - self._now()) / 1000)
            timer = asyncio.get_running_loop().call_later(wait, self._wake.set)
        await self._wake.wait()
        if timer is not None:
            timer.cancel()

    def _tell(self, attempt: Attempt, decision: Resend | Close | None) -> None:
        match decision:
            case Resend():
                name = "resend"
            case Close():
                name = "unknown"
            case None:
                return
        # Every risk of a duplicate and every text of unknown fate is told, never silent.
        self._telemetry.notable(
            name, level=logging.WARNING, message=show_id("msg", attempt.message), channel=attempt.channel
        )
