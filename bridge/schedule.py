"""What is done by the clock and not by an event: housekeeping. Due times of messages are columns, never jobs."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bridge.inbound.receive import Receiver
from bridge.model import Instant, show_id
from bridge.pulse import Pulse
from bridge.store import Changes, Store, StoreError
from bridge.telemetry import Telemetry

__all__ = ["Housekeeping"]

log = logging.getLogger("gsmbridge.schedule")

EVERY = 60  # seconds
SORT_EVERY = 15  # seconds; what is sent in between is read through when a reply comes
ANSWERS_KEPT = 48 * 3_600_000  # of automatic answers, for their caps
AT_ONCE = 500  # rows in one transaction, so that housekeeping never delays an order for long
KEYS_KEPT = 72 * 3_600_000  # idempotency keys, milliseconds
OCCURRENCES_KEPT = 400 * 86_400_000


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
        reply_window: int = 72 * 3_600_000,
        deliveries: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`rescue`: what waits for a channel that is out of service for long. `deliveries`: looks whether what is sent
        arrives. `reply_window`, `events_kept`: milliseconds."""
        self._store = store
        self._receiver = receiver
        self._rescue = rescue
        self._deliveries = deliveries
        self._window = reply_window
        self._events_kept = events_kept
        self._now = now
        self._telemetry = telemetry
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self.pulse = Pulse()  # once a tick

    def start(self) -> None:
        # One run at a time, and a missed one is made up for once: the tick does whatever is due.
        self._scheduler.add_job(
            self.tick, "interval", seconds=EVERY, coalesce=True, max_instances=1, misfire_grace_time=None
        )
        self._scheduler.add_job(
            self.sort_sent, "interval", seconds=SORT_EVERY, coalesce=True, max_instances=1, misfire_grace_time=None
        )
        self._scheduler.start()

    def again(self) -> None:
        """The wall clock was set, and the ticks with it: the next one is now."""
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=datetime.now(UTC))

    def stop(self) -> None:
        self._scheduler.shutdown(wait=False)

    async def tick(self) -> None:
        """Everything that is due now. If the store is in trouble the next tick tries again."""
        try:
            await self._told("expired", lambda c: c.expire(self._now(), AT_ONCE))
            await self._told("sent_no_report", lambda c: c.close_reports(self._now(), AT_ONCE))
            while await self._store.write(lambda c: c.forget(self._now() - KEYS_KEPT, AT_ONCE)) == AT_ONCE:
                pass
            while await self._store.write(self._forget_occurrences) == AT_ONCE:
                pass
            while await self._store.write(lambda c: c.forget_sent(self._now() - self._window, 1)):
                pass
            await self._store.write(lambda c: c.forget_auto_replies(self._now() - ANSWERS_KEPT))
            while (
                await self._store.write(lambda c: c.forget_events(self._now() - self._events_kept, AT_ONCE)) >= AT_ONCE
            ):
                pass
            await self._receiver.publish_incomplete()
            await self._rescue()
            if self._deliveries is not None:
                await self._deliveries()
        except StoreError as error:
            log.error("housekeeping_failed detail=%s", error)
        finally:
            self.pulse.beat()

    def _forget_occurrences(self, changes: Changes) -> int:
        return changes.forget_occurrences(self._now() - OCCURRENCES_KEPT, AT_ONCE)

    async def sort_sent(self) -> None:
        """Who was written to lately, ready for replies. A few thousand in one transaction."""
        try:
            while await self._store.write(lambda c: c.keep_sent(self._now(), self._window)):
                pass
        except StoreError as error:
            log.error("sort_sent_failed detail=%s", error)

    async def _told(self, name: str, work: Callable[[Changes], list[int]]) -> None:
        while True:
            moved = await self._store.write(work)
            for id in moved:
                self._telemetry.message(name, message=show_id("msg", id))
            if len(moved) < AT_ONCE:
                return
