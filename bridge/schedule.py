"""What is done by the clock and not by an event: housekeeping. Due times of messages are columns, never jobs."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bridge.inbound.receive import Receiver
from bridge.model import Instant, show_id
from bridge.store import Changes, Store, StoreError
from bridge.telemetry import Telemetry

__all__ = ["Housekeeping"]

log = logging.getLogger("gsmbridge.schedule")

EVERY = 60  # seconds
AT_ONCE = 500  # rows in one transaction, so that housekeeping never delays an order for long
KEYS_KEPT = 72 * 3_600_000  # idempotency keys, milliseconds


class Housekeeping:
    def __init__(
        self,
        store: Store,
        receiver: Receiver,
        now: Callable[[], Instant],
        telemetry: Telemetry,
        *,
        rescue: Callable[[], Awaitable[int]],
        events_kept: int,
    ) -> None:
        """`rescue`: what waits for a channel that is out of service for long. `events_kept`: milliseconds."""
        self._store = store
        self._receiver = receiver
        self._rescue = rescue
        self._events_kept = events_kept
        self._now = now
        self._telemetry = telemetry
        self._scheduler = AsyncIOScheduler(timezone=UTC)

    def start(self) -> None:
        # One run at a time, and a missed one is made up for once: the tick does whatever is due.
        self._scheduler.add_job(
            self.tick, "interval", seconds=EVERY, coalesce=True, max_instances=1, misfire_grace_time=None
        )
        self._scheduler.start()

    def stop(self) -> None:
        self._scheduler.shutdown(wait=False)

    async def tick(self) -> None:
        """Everything that is due now. If the store is in trouble the next tick tries again."""
        try:
            await self._told("expired", lambda c: c.expire(self._now(), AT_ONCE))
            await self._told("sent_no_report", lambda c: c.close_reports(self._now(), AT_ONCE))
            while await self._store.write(lambda c: c.forget(self._now() - KEYS_KEPT, AT_ONCE)) == AT_ONCE:
                pass
            while (
                await self._store.write(lambda c: c.forget_events(self._now() - self._events_kept, AT_ONCE)) >= AT_ONCE
            ):
                pass
            await self._receiver.publish_incomplete()
            await self._rescue()
        except StoreError as error:
            log.error("housekeeping_failed detail=%s", error)

    async def _told(self, name: str, work: Callable[[Changes], list[int]]) -> None:
        while True:
            moved = await self._store.write(work)
            for id in moved:
                self._telemetry.message(name, message=show_id("msg", id))
            if len(moved) < AT_ONCE:
                return
