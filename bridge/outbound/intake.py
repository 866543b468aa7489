"""Orders in: admitted, stored, promised. Nothing is promised before the commit returned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

import msgspec

from bridge.model import AttemptState, Batch, Idempotency, Ids, Instant, Message, Status, show_id
from bridge.outbound.job import taken_back
from bridge.policy.admission import Body, Complaint, Defaults, Order, Rejected, admit, admit_all, measure
from bridge.policy.gate import Gate
from bridge.policy.revision import Change, revise
from bridge.policy.timing import Spread
from bridge.policy.timing.placing import held_by
from bridge.states import CANCELLABLE, WAITING
from bridge.store import Changes, Store
from bridge.telemetry import Telemetry

__all__ = [
    "Accepted",
    "Closed",
    "Conflict",
    "Intake",
    "NotCancellable",
    "NotChangeable",
    "Once",
    "idempotency",
    "note_hold",
    "replay",
    "with_concatenation",
]


ON_AIR = frozenset({AttemptState.ACCEPTED, AttemptState.ACCEPTED_LATE, AttemptState.IN_DOUBT, AttemptState.UNRESOLVED})


class Closed(Exception):
    """The service takes no new orders now. The message says why."""

    def __init__(self, detail: str, code: str = "draining") -> None:
        super().__init__(detail)
        self.code = code


class Conflict(Exception):
    """The idempotency key was used for another request."""


class NotCancellable(Exception):
    """A part of it is on its way, or it has ended."""

    def __init__(self, message: Message, detail: str = "") -> None:
        super().__init__(
            detail
            or (
                f"the message is {message.status}, and a part of it is or may be on the air; it can no longer be "
                "cancelled"
                if message.status in CANCELLABLE
                else f"the message is {message.status} and can no longer be cancelled"
            )
        )
        self.message = message


class NotChangeable(Exception):
    """A part of it is on its way, or it has ended."""

    def __init__(self, message: Message) -> None:
        super().__init__(
            f"the message is {message.status}, and a part of it is or may be on the air; it can no longer be changed"
            if message.status in WAITING
            else f"the message is {message.status} and can no longer be changed"
        )
        self.message = message


class Once(msgspec.Struct, frozen=True, kw_only=True):
    """The client's idempotency key and what it asked for, in canonical form."""

    key: str
    request: bytes


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    answer: bytes  # what `render` made of it, now or the first time
    replayed: bool = False


class Intake:
    def __init__(
        self,
        store: Store,
        defaults: Defaults,
        ids: Ids,
        now: Callable[[], Instant],
        *,
        wake: Callable[[], None],
        telemetry: Telemetry | None = None,
    ) -> None:
        self._store = store
        self._ids = ids
        self._now = now
        self._wake = wake
        self._telemetry = telemetry
        self.defaults = defaults
        self.gate = Gate()  # who may not be written to
        self.closed: Closed | None = None  # set while draining, or while the disk has no room

    async def accept(
        self,
        order: Order,
        client: int,
        *,
        render: Callable[[Message], bytes],
        once: Once | None = None,
        hours: str | None = None,
    ) -> Accepted:
        """Take one order. `hours`: the windows of its key, as they are stored.

        Raises `Rejected`, `Conflict`, `Closed` or `StoreError`; then nothing was kept."""
        self._open()
        message = admit(order, self.defaults, id=self._ids.next(), client=client, now=self._now(), hours=hours)
        if self.gate.active and (complaint := self.gate.complaint(message)):
            raise Rejected([complaint])

        def work(changes: Changes) -> Accepted:
            if once and (earlier := replay(changes, client, once)):
                return earlier
            changes.add([with_concatenation(changes, message)])
            note_hold(changes, message, message.created_at)
            answer = render(message)
            if once:
                changes.remember(idempotency(client, once, answer, message.created_at))
            return Accepted(answer=answer)

        accepted = await self._store.write(work)
        self._told([message], accepted)
        return accepted

    async def accept_batch(
        self,
        orders: Sequence[Order],
        client: int,
        *,
        render: Callable[[Batch, list[Message]], bytes],
        once: Once | None = None,
        ref: str | None = None,
        hours: str | None = None,
        spread: Spread | None = None,
    ) -> Accepted:
        """Take many orders, all or none. A complaint names its place as `messages[i].field`."""
        self._open()
        if not orders:
            raise Rejected([Complaint(at="messages", code="empty_batch", detail="holds no message; give at least one")])
        now = self._now()
        batch_id = self._ids.next()
        ids = [self._ids.next() for _ in orders]
        messages = admit_all(
            orders, self.defaults, ids=ids, client=client, now=now, batch=batch_id, hours=hours, spread=spread
        )
        if self.gate.active:
            self._let_through(messages)
        batch = Batch(
            id=batch_id,
            client=client,
            created_at=now,
            first=messages[0].id,
            last=messages[-1].id,
            count=len(messages),
            ref=ref,
        )

        def work(changes: Changes) -> Accepted:
            if once and (earlier := replay(changes, client, once)):
                return earlier
            changes.add([with_concatenation(changes, m) for m in messages])
            for message in messages:
                note_hold(changes, message, message.created_at)
            changes.add_batch(batch)
            answer = render(batch, messages)
            if once:
                changes.remember(idempotency(client, once, answer, now))
            return Accepted(answer=answer)

        accepted = await self._store.write(work)
        self._told(messages, accepted)
        return accepted

    async def cancel(self, message: int, client: int | None) -> Message | None:
        """Cancel before a part is armed. `client` None: the operator, who may cancel any. None: no such message.
        Raises `NotCancellable`. Cancelling twice is no mistake."""
        now = self._now()

        def work(changes: Changes) -> Message | None:
            found = changes.message(message)
            if found is None or (client is not None and found.client != client):
                return None
            if found.status is Status.CANCELLED:
                return found
            if found.status not in CANCELLABLE:
                raise NotCancellable(found)
            if (found.code or found.tries) and any(
                a.state in ON_AIR and not taken_back(a) for a in changes.attempts(message)
            ):
                raise NotCancellable(found)  # it waits, but a part of it was sent, or may have been
            if not changes.move(message, Status.CANCELLED, now, code="cancelled", reason="cancelled by the client"):
                raise NotCancellable(found)
            return changes.message(message)

        cancelled = await self._store.write(work)
        self._wake()  # one that waited for it in order may go
        return cancelled

    async def change(self, message: int, client: int | None, change: Change) -> Message | None:
        """Change a message until a part of it is armed. `client` None: the operator, who may change any. None: no such
        message. Changing it to what it is already is no mistake, and no change. Raises `NotChangeable`, `Rejected`."""
        now = self._now()

        def work(changes: Changes) -> Message | None:
            found = changes.message(message)
            if found is None or (client is not None and found.client != client):
                return None
            if found.status not in WAITING:
                raise NotChangeable(found)
            if (found.code or found.tries) and any(a.state in ON_AIR for a in changes.attempts(message)):
                raise NotChangeable(found)
            wanted = revise(found, change, self.defaults, now)
            if wanted is found:
                return found
            if found.parts == 1:
                wanted = with_concatenation(changes, wanted)
            if not changes.revise(wanted, now, _difference(found, wanted)):
                raise NotChangeable(found)
            note_hold(changes, wanted, now)
            return changes.message(message)

        changed = await self._store.write(work)
        self._wake()
        return changed

    def preview(self, order: Order) -> Body:
        """Encoding, parts and what forces UCS-2. Nothing is stored or sent. Raises `Rejected`."""
        return measure(order, self.defaults)

    def _told(self, messages: Sequence[Message], accepted: Accepted) -> None:
        self._wake()
        if accepted.replayed or self._telemetry is None or not self._telemetry.wanted:
            return
        for m in messages:
            self._telemetry.message("accepted", message=show_id("msg", m.id), to=m.to, parts=m.parts, text=m.text)

    def _let_through(self, messages: Sequence[Message]) -> None:
        found = [
            msgspec.structs.replace(complaint, at=f"messages[{index}].{complaint.at}")
            for index, message in enumerate(messages)
            if (complaint := self.gate.complaint(message)) is not None
        ]
        if found:
            raise Rejected(found)

    def _open(self) -> None:
        if self.closed:
            raise self.closed


def replay(changes: Changes, client: int, once: Once) -> Accepted | None:
    earlier = changes.idempotent(client, once.key)
    if earlier is None:
        return None
    if earlier.digest != sha256(once.request).digest():
        raise Conflict(f"the idempotency key {once.key!r} was used for another request; take a new key for a new order")
    return Accepted(answer=earlier.answer, replayed=True)


def idempotency(client: int, once: Once, answer: bytes, now: Instant) -> Idempotency:
    return Idempotency(client=client, key=once.key, digest=sha256(once.request).digest(), created_at=now, answer=answer)


def _difference(old: Message, new: Message) -> dict[str, str | int | bool | None]:
    """What its history says: the names of what changed, and its time. No text: histories outlive texts."""
    names = ("text", "encoding", "route", "channel", "priority", "windows", "expires_at")
    changed = [name for name in names if getattr(old, name) != getattr(new, name)]
    said: dict[str, str | int | bool | None] = {"fields": ", ".join(changed)} if changed else {}
    return said | ({"due_at": new.due_at} if new.due_at != old.due_at else {})


def note_hold(changes: Changes, message: Message, now: Instant) -> None:
    if message.code and (by := held_by(message.code)) is not None:
        changes.held(message.id, now, by=by, reason=message.reason, until=message.due_at)


def with_concatenation(changes: Changes, message: Message) -> Message:
    if message.parts == 1:
        return message
    return msgspec.structs.replace(message, concatenation=changes.next_concatenation(message.to))
