"""One incoming PDU: known or new, whole or a part. Returns only when it is committed; then the driver may delete it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from bridge.clock import from_datetime
from bridge.inbound.publish import Published, Publisher
from bridge.model import Ids, Inbound, Instant, Received, show_id
from bridge.policy import duplicates, reassembly
from bridge.store import Changes, Store
from bridge.telemetry import Telemetry
from drivers.contract import Encoding, Incoming

__all__ = ["Receiver"]

GIVE_UP_AT_ONCE = 100
SAME_MESSAGE = 3_600_000  # centres' times of the parts of one message lie no further apart
LATE = 7 * 86_400_000  # a part is put into a message that was passed on without it


class Receiver:
    """`early`: milliseconds after which an unfinished text is passed on as far as it came; None: only when the wait is
    over. `sticky`: some route wants to know by which channel a person knows us."""

    def __init__(
        self,
        store: Store,
        ids: Ids,
        now: Callable[[], Instant],
        telemetry: Telemetry,
        publisher: Publisher,
        *,
        early: int | None = None,
        sticky: bool = False,
    ) -> None:
        self._store = store
        self._ids = ids
        self._now = now
        self._telemetry = telemetry
        self._sticky = sticky
        self._publisher = publisher
        self._wait = reassembly.WAIT if early is None else min(early, reassembly.WAIT)

    async def receive(self, channel: str, incoming: Incoming) -> None:
        now = self._now()
        row = _row(incoming, channel, self._ids.next(), now)
        id = self._ids.next()

        def work(changes: Changes) -> Published | None:
            taken = self._take(changes, incoming, row, id, now)
            if taken is not None and self._sticky:
                changes.stick(taken.inbound.sender, channel, now)
            return taken

        published = await self._store.write(work)
        if published is not None:
            self._told(published)

    async def publish_incomplete(self) -> int:
        """Long texts whose missing parts did not come in time, as far as they came. Returns how many."""
        now = self._now()

        def work(changes: Changes) -> list[Published]:
            done: list[Published] = []
            seen: set[int] = set()
            for row in changes.incomplete(now - self._wait, GIVE_UP_AT_ONCE):
                if row.id in seen or row.reference is None:
                    continue
                parts = changes.received_parts(row.sim, row.sender, row.reference, row.wide, row.total)
                for group in reassembly.groups(parts):
                    if row.id in group.rows:
                        seen.update(group.rows)
                        done.append(self._join(changes, group, self._ids.next(), now))
            return done

        done = await self._store.write(work)
        for published in done:
            self._told(published)
        return len(done)

    def _take(self, changes: Changes, incoming: Incoming, row: Received, id: int, now: Instant) -> Published | None:
        earlier = changes.received_like(row.sim, row.fingerprint, now - duplicates.REMEMBERED)
        if duplicates.is_repeat(incoming, earlier, now):
            return None
        changes.add_received(row)
        if row.reference is None or row.total == 1:
            inbound = Inbound(
                id=id,
                channel=row.channel,
                sim=row.sim,
                sender=row.sender,
                received_at=now,
                kind=row.kind,
                text=row.text,
                data=row.data,
                encoding=row.encoding,
                sent_at=row.sent_at,
                message_class=incoming.message_class,
                port=row.port,
                source_port=row.source_port,
                replace_type=incoming.replace_type,
                replaces=_replaced(changes, incoming, row),
                note=row.note,
            )
            return self._publisher.publish(changes, inbound, [row], now, answers=incoming.answers)
        parts = changes.received_parts(row.sim, row.sender, row.reference, row.wide, row.total)
        for group in reassembly.groups(parts):
            if row.id in group.rows and not group.missing:
                return self._join(changes, group, id, now)
        return self._completed(changes, row, row.reference, now)

    def _join(self, changes: Changes, group: reassembly.Group, id: int, now: Instant) -> Published:
        return self._publisher.publish(changes, _joined(group, id, now), group.parts, now, rows=group.rows)

    def _completed(self, changes: Changes, row: Received, reference: int, now: Instant) -> Published | None:
        """A part of a message that was passed on without it."""
        earlier = changes.passed_on(row.sim, row.sender, reference, row.wide, row.total, now - LATE)
        for id in dict.fromkeys(p.inbound for p in reversed(earlier)):
            inbound = None if id is None else changes.inbound(id)
            parts = [p for p in earlier if p.inbound == id]
            if inbound is None or row.number not in inbound.missing or not all(_near(p, row) for p in parts):
                continue
            group = reassembly.groups([*parts, row])[0]
            whole = _joined(group, inbound.id, inbound.received_at)
            changed = msgspec.structs.replace(
                inbound, text=whole.text, data=whole.data, missing=group.missing, updated_at=now
            )
            return self._publisher.change(changes, changed, group.parts, row)
        return None

    def _told(self, published: Published) -> None:
        inbound = published.inbound
        self._telemetry.message(
            published.event,
            inbound=show_id("inb", inbound.id),
            channel=inbound.channel,
            sender=inbound.sender,
            text=inbound.text,
            kind=inbound.kind.value,
            parts=inbound.parts,
            in_reply_to=None if inbound.in_reply_to is None else show_id("msg", inbound.in_reply_to),
            confidence=inbound.confidence,
        )
        self._publisher.done(published)


def _near(part: Received, other: Received) -> bool:
    """Senders use a reference again."""
    if part.sent_at is None or other.sent_at is None:
        return True
    return abs(part.sent_at - other.sent_at) <= SAME_MESSAGE


def _replaced(changes: Changes, incoming: Incoming, row: Received) -> int | None:
    """23.040 §9.2.3.9: a text of a replace type takes the place of the sender's earlier one of that type."""
    if incoming.replace_type is None:
        return None
    return changes.last_replaceable(row.sim, row.sender, incoming.replace_type)


def _joined(group: reassembly.Group, id: int, now: Instant) -> Inbound:
    first = group.parts[0]
    text, data = _content(group)
    return Inbound(
        id=id,
        channel=first.channel,
        sim=first.sim,
        sender=first.sender,
        received_at=now,
        kind=first.kind,
        text=text,
        data=data,
        encoding=first.encoding,
        parts=group.total,
        missing=group.missing,
        sent_at=first.sent_at,
        message_class=first.message_class,
        port=first.port,
        source_port=first.source_port,
        note=first.note,
    )


def _content(group: reassembly.Group) -> tuple[str | None, bytes]:
    if all(p.text is None for p in group.parts):
        return None, b"".join(p.data for p in group.parts)
    pieces: list[str] = []
    run: list[Received] = []
    by_number = {p.number: p for p in group.parts}
    for number in range(1, group.total + 1):
        part = by_number.get(number)
        if part is not None:
            run.append(part)
            continue
        pieces += [_text(run), f"[missing {number}/{group.total}]"]
        run = []
    pieces.append(_text(run))
    return " ".join(p for p in pieces if p) if group.missing else "".join(pieces), b""


def _text(parts: Sequence[Received]) -> str:
    """Joined as octets where they are UTF-16, since a sender may have cut a surrogate pair in two."""
    if parts and all(p.encoding is Encoding.UCS2 and p.data for p in parts):
        return b"".join(p.data for p in parts).decode("utf-16-be", "replace")
    return "".join(p.text or "" for p in parts)


def _row(incoming: Incoming, channel: str, id: int, now: Instant) -> Received:
    reference = incoming.reference
    row = Received(
        id=id,
        channel=channel,
        sim=incoming.sim,
        fingerprint=incoming.fingerprint,
        pdu=incoming.pdu,
        received_at=now,
        slot=incoming.slot,
        session=incoming.session,
        sender=incoming.sender,
        kind=incoming.kind,
        text=incoming.text,
        data=incoming.data,
        encoding=incoming.encoding,
        sent_at=from_datetime(incoming.sent_at),
        note=incoming.note,
        message_class=incoming.message_class,
        port=incoming.ports.destination if incoming.ports else None,
        source_port=incoming.ports.source if incoming.ports else None,
        indications=incoming.indications,
    )
    if reference is None:
        return row
    return msgspec.structs.replace(
        row, reference=reference.value, wide=reference.wide, total=reference.total, number=reference.number
    )
