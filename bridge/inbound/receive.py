"""One incoming PDU: known or new, whole or a part. Returns only when it is committed; then the driver may delete it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from bridge.clock import from_datetime
from bridge.model import Ids, Inbound, Instant, Received, show_id
from bridge.policy import duplicates, reassembly
from bridge.store import Changes, Store
from bridge.telemetry import Telemetry
from drivers.contract import Encoding, Incoming, IncomingKind

__all__ = ["Receiver"]

# Not meant for people: kept as rows, not published as messages (modems' storage is freed all the same).
UNPUBLISHED = frozenset({IncomingKind.SILENT, IncomingKind.MWI, IncomingKind.SIM_DATA})
GIVE_UP_AT_ONCE = 100


class Receiver:
    def __init__(
        self, store: Store, ids: Ids, now: Callable[[], Instant], telemetry: Telemetry, *, sticky: bool = False
    ) -> None:
        """`sticky`: some route wants to know by which channel a person knows us."""
        self._store = store
        self._ids = ids
        self._now = now
        self._telemetry = telemetry
        self._sticky = sticky

    async def receive(self, channel: str, incoming: Incoming) -> None:
        now = self._now()
        row = _row(incoming, channel, self._ids.next(), now)
        id = self._ids.next()

        def work(changes: Changes) -> Inbound | None:
            taken = _take(changes, incoming, row, id, now)
            if taken is not None and self._sticky:
                changes.stick(taken.sender, channel, now)
            return taken

        published = await self._store.write(work)
        if published is not None:
            self._telemetry.message(
                "received",
                inbound=show_id("inb", published.id),
                channel=channel,
                sender=published.sender,
                text=published.text,
                kind=published.kind.value,
                parts=published.parts,
            )

    async def publish_incomplete(self) -> int:
        """Long texts whose missing parts did not come in time, as far as they came. Returns how many."""
        now = self._now()

        def work(changes: Changes) -> int:
            count = 0
            seen: set[int] = set()
            for row in changes.incomplete(now - reassembly.WAIT, GIVE_UP_AT_ONCE):
                if row.id in seen or row.reference is None:
                    continue
                parts = changes.received_parts(row.sim, row.sender, row.reference, row.wide, row.total)
                for group in reassembly.groups(parts):
                    if row.id in group.rows:
                        seen.update(group.rows)
                        changes.add_inbound(_joined(group, self._ids.next(), now), group.rows)
                        count += 1
            return count

        return await self._store.write(work)


def _take(changes: Changes, incoming: Incoming, row: Received, id: int, now: Instant) -> Inbound | None:
    earlier = changes.received_like(row.sim, row.fingerprint, now - duplicates.REMEMBERED)
    if duplicates.is_repeat(incoming, earlier, now):
        return None
    changes.add_received(row)
    if incoming.kind in UNPUBLISHED:
        return None
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
            port=incoming.ports.destination if incoming.ports else None,
            replace_type=incoming.replace_type,
            replaces=_replaced(changes, incoming, row),
            note=row.note,
        )
        changes.add_inbound(inbound, [row.id])
        return inbound
    parts = changes.received_parts(row.sim, row.sender, row.reference, row.wide, row.total)
    for group in reassembly.groups(parts):
        if row.id in group.rows and not group.missing:
            inbound = _joined(group, id, now)
            changes.add_inbound(inbound, group.rows)
            return inbound
    return None


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
    )
    if reference is None:
        return row
    return msgspec.structs.replace(
        row, reference=reference.value, wide=reference.wide, total=reference.total, number=reference.number
    )
