"""Recurring orders in: planned, changed, paused, removed. Nothing is promised before the commit returned."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from bridge.model import Ids, Instant, Schedule
from bridge.outbound.intake import Accepted, Closed, Once, idempotency, replay
from bridge.policy.admission import Defaults, Rejected
from bridge.policy.scheduling import Wish, plan, resumed
from bridge.store import Changes, Store

__all__ = ["Schedules"]


class Schedules:
    """A `client` of None is the operator, whose all are."""

    def __init__(
        self,
        store: Store,
        ids: Ids,
        now: Callable[[], Instant],
        defaults: Callable[[], Defaults],
        *,
        wake: Callable[[], None] = lambda: None,
        closed: Callable[[], Closed | None] = lambda: None,
    ) -> None:
        """`closed()`: why nothing new is taken now."""
        self._store = store
        self._ids = ids
        self._now = now
        self._defaults = defaults
        self._wake = wake
        self._closed = closed

    async def add(
        self, wish: Wish, client: int, *, render: Callable[[Schedule], bytes], once: Once | None = None
    ) -> Accepted:
        """Raises `Closed`, `Rejected`, `Conflict` or `StoreError`; then nothing was kept."""
        if (why := self._closed()) is not None:
            raise why
        now = self._now()
        schedule: Schedule | None = None
        rejected: Rejected | None = None
        try:
            schedule = plan(wish, self._defaults(), id=self._ids.next(), client=client, now=now)
        except Rejected as error:
            rejected = error

        def work(changes: Changes) -> Accepted:
            if once and (earlier := replay(changes, client, once)):
                return earlier
            if schedule is None:
                assert rejected is not None
                raise rejected
            changes.add_schedule(schedule)
            answer = render(schedule)
            if once:
                changes.remember(idempotency(client, once, answer, now))
            return Accepted(answer=answer)

        accepted = await self._store.write(work)
        self._wake()
        return accepted

    async def change(self, id: int, client: int | None, changed: Callable[[Schedule], Wish]) -> Schedule | None:
        """`changed(schedule)`: what is wished for now. What was sent stays counted, and no time at which it ran comes
        again. None: there is no such schedule. Raises `Rejected`."""
        now = self._now()

        def work(changes: Changes) -> Schedule | None:
            found = _own(changes, id, client)
            if found is None:
                return None
            wish = changed(found)
            planned = plan(wish, self._defaults(), id=id, client=found.client, now=now)
            # It may have been changed twice in one millisecond, and each change must be told from the other.
            at = max(now, found.updated_at + 1)
            new = msgspec.structs.replace(planned, created_at=found.created_at, updated_at=at, sent=found.sent)
            if not new.paused:
                new = resumed(new, now, changes.last_occurrence(id))
            changes.change_schedule(new)
            return new

        schedule = await self._store.write(work)
        self._wake()
        return schedule

    async def set_paused(self, id: int, client: int | None, paused: bool) -> Schedule | None:
        """Doing it twice is no mistake. What is missed while paused is missed."""
        now = self._now()

        def work(changes: Changes) -> Schedule | None:
            found = _own(changes, id, client)
            if found is None or found.paused == paused:
                return found
            new = msgspec.structs.replace(found, updated_at=max(now, found.updated_at + 1))
            if paused:
                new = msgspec.structs.replace(new, paused=True, next_at=None)
            else:
                new = resumed(new, now, changes.last_occurrence(id))
            changes.change_schedule(new)
            return new

        schedule = await self._store.write(work)
        self._wake()
        return schedule

    async def remove(self, id: int, client: int | None) -> Schedule | None:
        """Its messages stay. None: there is no such schedule."""

        def work(changes: Changes) -> Schedule | None:
            found = _own(changes, id, client)
            if found is not None:
                changes.remove_schedule(id)
            return found

        return await self._store.write(work)


def _own(changes: Changes, id: int, client: int | None) -> Schedule | None:
    found = changes.schedule(id)
    return None if found is None or client not in (None, found.client) else found
