"""What is done by the clock and not by an event: the minute. Whoever wants to be looked after now and then is looked
after here, so that an idle service wakes once a minute and not each part of it at a time of its own. Due times are
columns, and wait in nobody's timer but the one of the loop that serves them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from bridge.inbound.receive import Receiver
from bridge.model import Instant, show_id
from bridge.pulse import Pulse
from bridge.store import Changes, Store, StoreError
from bridge.telemetry import Telemetry

__all__ = ["Housekeeping"]

log = logging.getLogger("gsmbridge.schedule")

EVERY = 60.0  # seconds
SORT_EVERY = 15.0  # seconds, while texts are sent; what is sent in between is read through when a reply comes
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
        minute: Callable[[], None] = lambda: None,
        rescue: Callable[[], Awaitable[int]],
        events_kept: int,
        reply_window: int = 72 * 3_600_000,
        deliveries: Callable[[], Awaitable[None]],
    ) -> None:
        """`minute`: others who want to know that one has passed. `rescue`: what waits for a channel that is out of
        service for long. `deliveries`: looks whether what is sent arrives. `reply_window`, `events_kept`:
        milliseconds."""
        self._store = store
        self._receiver = receiver
        self._minute = minute
        self._rescue = rescue
        self._deliveries = deliveries
        self._window = reply_window
        self._events_kept = events_kept
        self._now = now
        self._telemetry = telemetry
        self._again = asyncio.Event()
        self._sort: asyncio.TimerHandle | None = None
        self._sorting: asyncio.Task[None] | None = None
        self.pulse = Pulse()  # once a tick

    async def run(self) -> None:
        """Until cancelled. By time that only runs ahead: a wall clock that is set makes no minute longer."""
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(EVERY):
                        await self._again.wait()
                self._again.clear()
                self._minute()
                await self.tick()
        finally:
            if self._sort is not None:
                self._sort.cancel()

    def again(self) -> None:
        """The wall clock was set: what is due by it now is done now."""
        self._again.set()

    def sending(self) -> None:
        """Texts are sent, or may be: called whenever a channel has room, so it costs one comparison."""
        if self._sort is None:
            self._sort = asyncio.get_running_loop().call_later(SORT_EVERY, self._sort_now)

    async def tick(self) -> None:
        """Everything that is due now, asked for together: when nothing is, the loop is woken once for all of it. If the
        store is in trouble the next tick tries again."""
        ended = await asyncio.gather(
            self._told("expired", lambda c: c.expire(self._now(), AT_ONCE)),
            self._told("sent_no_report", lambda c: c.close_reports(self._now(), AT_ONCE)),
            self._all(AT_ONCE, lambda c: c.forget(self._now() - KEYS_KEPT, AT_ONCE)),
            self._all(AT_ONCE, lambda c: c.forget_occurrences(self._now() - OCCURRENCES_KEPT, AT_ONCE)),
            self._all(1, lambda c: c.forget_sent(self._now() - self._window, 1)),
            self._store.write(lambda c: c.forget_auto_replies(self._now() - ANSWERS_KEPT)),
            self._all(AT_ONCE, lambda c: c.forget_events(self._now() - self._events_kept, AT_ONCE)),
            self._receiver.publish_incomplete(),
            self._rescue(),
            self._deliveries(),
            return_exceptions=True,
        )
        self.pulse.beat()
        for error in ended:
            if isinstance(error, StoreError):
                log.error("housekeeping_failed detail=%s", error)
            elif isinstance(error, BaseException):  # a defect of ours here must not stop the sending
                log.error("housekeeping_failed", exc_info=error)

    async def sort_sent(self) -> None:
        """Who was written to lately, ready for replies. A few thousand in one transaction."""
        try:
            await self._all(1, lambda c: c.keep_sent(self._now(), self._window))
        except StoreError as error:
            log.error("sort_sent_failed detail=%s", error)

    def _sort_now(self) -> None:
        self._sort = None
        self._sorting = asyncio.ensure_future(self.sort_sent())

    async def _all(self, at_once: int, work: Callable[[Changes], int]) -> None:
        """Until there is less than can be done in one transaction."""
        while await self._store.write(work) >= at_once:
            pass

    async def _told(self, name: str, work: Callable[[Changes], list[int]]) -> None:
        while True:
            moved = await self._store.write(work)
            for id in moved:
                self._telemetry.message(name, message=show_id("msg", id))
            if len(moved) < AT_ONCE:
                return
