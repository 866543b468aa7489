"""Occurrences of schedules become messages: each once, in one transaction with the step to the next. One timer on the
earliest, no polling."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from zoneinfo import ZoneInfoNotFoundError

import msgspec

from bridge.clock import rfc3339
from bridge.events import EventType, ScheduleData
from bridge.model import ApiKey, Batch, Ids, Instant, Message, Occurrence, OccurrenceState, Schedule, show_id
from bridge.outbound.intake import note_hold, with_concatenation
from bridge.policy.admission import Complaint, Defaults, Order, Rejected, admit, admit_all
from bridge.policy.scheduling import Step, order_of, step
from bridge.pulse import Pulse
from bridge.store import Changes, Store, StoreFull, View
from bridge.telemetry import Telemetry

__all__ = ["Recurring"]

log = logging.getLogger("gsmbridge.recurring")

AT_ONCE = 50  # schedules looked at in one go
FULL_DISK_WAIT = 1.0

# What a schedule that was taken may come to later: its zone is gone from the system, its order is of an older version.
UNREADABLE = (ZoneInfoNotFoundError, msgspec.ValidationError, msgspec.DecodeError, ValueError)


PUT_BACK = "a backup was put back; it may have been sent since the backup was made"


class Recurring:
    """`restored_at`: when a backup was last put back; what was to run before does not.
    `complaint(message)`: why its recipient may not be written to. `trusted()`: whether the wall clock is to be
    believed; while not, nothing runs. Whoever finds that it is again wakes us."""

    def __init__(
        self,
        store: Store,
        ids: Ids,
        now: Callable[[], Instant],
        telemetry: Telemetry,
        defaults: Callable[[], Defaults],
        *,
        complaint: Callable[[Message], Complaint | None],
        trusted: Callable[[], bool],
        wake_dispatch: Callable[[], None],
        restored_at: Instant = 0,
    ) -> None:
        self._store = store
        self._ids = ids
        self._now = now
        self._telemetry = telemetry
        self._defaults = defaults
        self._complaint = complaint
        self._trusted = trusted
        self._restored_at = restored_at
        self._wake_dispatch = wake_dispatch
        self._wake = asyncio.Event()
        self.pulse = Pulse(self.wake)

    def wake(self) -> None:
        """A schedule was added or changed, or the clock was set."""
        self._wake.set()

    async def run(self) -> None:
        while True:
            self.pulse.beat()
            self._wake.clear()
            try:
                due = await self.turn()
            except StoreFull as error:
                log.error("disk_full detail=%s", error)
                await asyncio.sleep(FULL_DISK_WAIT)
                continue
            await self._pause(due)

    async def turn(self) -> Instant | None:
        """Everything that is due. Returns when the next one is."""
        while self._trusted():
            now = self._now()
            due = await self._store.read(lambda view, now=now: view.schedules_due(now, AT_ONCE))  # type: ignore[misc]
            if not due:
                return await self._store.read(lambda view: view.next_schedule())
            for schedule in due:
                await self._occur(schedule, now)
        return None

    async def _occur(self, schedule: Schedule, now: Instant) -> None:
        try:
            coming = step(schedule, now)
            if schedule.next_at is not None and schedule.next_at <= self._restored_at:
                coming = msgspec.structs.replace(coming, state=OccurrenceState.SKIPPED, reason=PUT_BACK)
            order = order_of(schedule)
        except UNREADABLE as error:
            await self._stop(schedule, str(error))
            return
        messages: list[Message] = []
        batch: Batch | None = None
        if coming.state is not OccurrenceState.SKIPPED:
            key = await self._store.read(lambda view: _key(view, schedule.client))
            try:
                every, batch = self._messages(schedule, order, now, key)
                messages, coming = self._allowed(every, coming)
            except Rejected as rejected:
                reason = f"the order could not be taken: {rejected}"
                coming = msgspec.structs.replace(coming, state=OccurrenceState.REFUSED, reason=reason)
        if batch is not None:
            batch = msgspec.structs.replace(batch, count=len(messages)) if messages else None
        occurrence = self._occurrence(schedule, coming, messages, batch, now)

        def work(changes: Changes) -> bool:
            if not changes.occur(schedule, occurrence, coming.next_at, sent=bool(messages)):
                return False
            if messages:
                changes.add([with_concatenation(changes, m) for m in messages])
                for m in messages:
                    note_hold(changes, m, now)
            if batch is not None:
                changes.add_batch(batch)
            if occurrence.state is not OccurrenceState.SENT:
                changes.emit(
                    EventType.SCHEDULE_SKIPPED,
                    now,
                    key=show_id("sch", schedule.id),
                    data=ScheduleData(
                        schedule=show_id("sch", schedule.id),
                        at=rfc3339(occurrence.due_at),
                        code=occurrence.state.value,
                        reason=occurrence.reason,
                    ),
                )
            return True

        if await self._store.write(work):
            self._tell(schedule, occurrence, messages)

    def _allowed(self, messages: list[Message], coming: Step) -> tuple[list[Message], Step]:
        """Without those that may not be written to: one who opted out does not take the text from the others."""
        refused = {m.id: why for m in messages if (why := self._complaint(m)) is not None}
        if not refused:
            return messages, coming
        kept = [m for m in messages if m.id not in refused]
        first = next(iter(refused.values()))
        reason = f"{len(refused)} of {len(messages)} recipients left out: {first.detail}"
        state = coming.state if kept else OccurrenceState.REFUSED
        return kept, msgspec.structs.replace(
            coming, state=state, reason="; ".join(filter(None, (coming.reason, reason)))
        )

    def _messages(
        self, schedule: Schedule, order: Order, now: Instant, key: ApiKey | None
    ) -> tuple[list[Message], Batch | None]:
        """`key`: the one that made it; its windows bind, and routes may ask for its name. Raises `Rejected`: what could
        be ordered once may be refused later, when a channel or route is gone."""
        defaults, client = self._defaults(), schedule.client
        name, hours = ("", None) if key is None else (key.name, key.windows)
        orders = [msgspec.structs.replace(order, to=to, key=name) for to in schedule.recipients]
        if len(orders) == 1:
            return [admit(orders[0], defaults, id=self._ids.next(), client=client, now=now, hours=hours)], None
        batch_id = self._ids.next()
        ids = [self._ids.next() for _ in orders]
        messages = admit_all(orders, defaults, ids=ids, client=client, now=now, batch=batch_id, hours=hours)
        return messages, Batch(
            id=batch_id,
            client=client,
            created_at=now,
            first=messages[0].id,
            last=messages[-1].id,
            count=len(messages),
            ref=order.ref,
        )

    def _occurrence(
        self, schedule: Schedule, coming: Step, messages: list[Message], batch: Batch | None, now: Instant
    ) -> Occurrence:
        assert schedule.next_at is not None
        return Occurrence(
            id=self._ids.next(),
            schedule=schedule.id,
            due_at=schedule.next_at,
            made_at=now,
            state=coming.state,
            message=messages[0].id if messages and batch is None else None,
            batch=None if batch is None else batch.id,
            count=len(messages),
            reason=coming.reason,
        )

    async def _stop(self, schedule: Schedule, reason: str) -> None:
        """It cannot be carried out any more: paused, and said, so that the others go on."""
        paused = msgspec.structs.replace(schedule, paused=True, next_at=None, updated_at=schedule.updated_at + 1)
        id, due_at = show_id("sch", schedule.id), schedule.next_at
        assert due_at is not None

        def work(changes: Changes) -> bool:
            found = changes.schedule(schedule.id)
            if found is None or found.updated_at != schedule.updated_at:
                return False  # changed meanwhile, perhaps into one that can be
            changes.change_schedule(paused)
            data = ScheduleData(schedule=id, at=rfc3339(due_at), code="stopped", reason=reason)
            changes.emit(EventType.SCHEDULE_SKIPPED, self._now(), key=id, data=data)
            return True

        if not await self._store.write(work):
            return
        self._telemetry.notable("schedule_stopped", level=logging.ERROR, schedule=id, reason=reason)

    def _tell(self, schedule: Schedule, occurrence: Occurrence, messages: list[Message]) -> None:
        usual = occurrence.state is OccurrenceState.SENT
        self._telemetry.notable(
            f"occurrence_{occurrence.state}",
            level=logging.INFO if usual else logging.WARNING,
            schedule=show_id("sch", schedule.id),
            occurrence=show_id("occ", occurrence.id),
            messages=occurrence.count,
            reason=occurrence.reason or None,
        )
        if messages:
            self._wake_dispatch()
            if self._telemetry.wanted:
                for m in messages:
                    self._telemetry.message(
                        "accepted", message=show_id("msg", m.id), to=m.to, parts=m.parts, text=m.text
                    )

    async def _pause(self, due: Instant | None) -> None:
        timer: asyncio.TimerHandle | None = None
        if due is not None:
            wait = max(0.0, (due - self._now()) / 1000)
            timer = asyncio.get_running_loop().call_later(wait, self._wake.set)
        await self._wake.wait()
        if timer is not None:
            timer.cancel()


def _key(view: View, client: int) -> ApiKey | None:
    """None: the operator at the machine."""
    known = view.keys()
    return next((key for key in known if key.id == client), None)
