"""What a client may change of a message that waits: its time and hours, its text, its way, its priority. Pure."""

from __future__ import annotations

import msgspec

from bridge.model import Instant, Kind, Message, Status, route_queue
from bridge.policy.admission import MAX_VALIDITY, MIN_VALIDITY, Complaint, Defaults, Order, Rejected, admit, measure
from bridge.policy.timing.gates import packed, unpacked
from bridge.policy.timing.placing import held_by, place, wanted

__all__ = ["Change", "revise"]

_TIMES = ("send_at", "local", "time", "tz")


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """`wish`: what is to become of it, the fields of an order. `given`: the names of those that count."""

    wish: Order
    given: frozenset[str]


def revise(message: Message, change: Change, defaults: Defaults, now: Instant) -> Message:
    """The message as it is to be; the same when nothing changes. Raises `Rejected`."""
    wish, given = change.wish, change.given
    complaints: list[Complaint] = []
    fields: dict[str, object] = {}
    if given & {"text", "encoding"}:
        if message.kind is not Kind.TEXT:
            complain = Complaint(at="text", code="field_not_for_kind", detail="only the text of a text can be changed")
            raise Rejected([complain])
        try:
            body = measure(
                Order(
                    to=message.to,
                    text=wish.text if "text" in given else message.text,
                    encoding=wish.encoding,
                    udh=message.udh,
                    wide_reference=message.wide_reference,
                    message_class=message.message_class,
                    dcs=message.dcs,
                ),
                defaults,
            )
            fields |= {"text": body.text, "encoding": body.encoding, "parts": body.plan.parts}
        except Rejected as rejected:
            complaints += rejected.complaints
    # The options are judged as those of a new order, with the old text where that is in order.
    probe = msgspec.structs.replace(wish, to=message.to, text=wish.text if "text" in given else "", kind=Kind.TEXT)
    probe = msgspec.structs.replace(probe, windows=(), valid_for=None, expires_at=None, **dict.fromkeys(_TIMES))
    try:
        admit(probe, defaults, id=0, client=0, now=now)
    except Rejected as rejected:
        complaints += [c for c in rejected.complaints if c not in complaints]
    if "route" in given or "channel" in given:
        fields |= {"route": wish.route, "channel": wish.channel}
    if "priority" in given:
        fields["priority"] = wish.priority
    draft = msgspec.structs.replace(message, **fields)
    draft = msgspec.structs.replace(draft, queue=draft.channel or route_queue(draft))
    draft, found = _timed(message, draft, change, defaults, now)
    complaints += [Complaint(at=at, code=code, detail=detail) for at, code, detail in found]
    if complaints:
        raise Rejected(complaints)
    if msgspec.structs.replace(draft, updated_at=message.updated_at, queue=message.queue) == message and (
        message.queue is None or draft.queue == message.queue
    ):
        return message
    return draft


def _timed(
    message: Message, draft: Message, change: Change, defaults: Defaults, now: Instant
) -> tuple[Message, list[tuple[str, str, str]]]:
    """The draft at its first allowed instant, or what is wrong with its times."""
    wish, given = change.wish, change.given
    kept = () if message.windows is None else unpacked(message.windows)
    if "windows" in given:
        kept = tuple(asked for asked in kept if asked.by != "message")
    zone = defaults.timetable.timing.zone
    when = wanted(wish, now, zone, packed(kept))
    if isinstance(when, list):
        return draft, when
    retimed = bool(given & {"send_at", "local", "time"})
    hours = draft.windows != when.windows or draft.priority != message.priority or draft.route != message.route
    hours = hours or draft.channel != message.channel
    waits = message.status is Status.RETRY_WAIT
    old = _asked(message, now)
    start = when.due_at if retimed else message.due_at if waits else old
    expires_at = draft.expires_at
    if "expires_at" in given:
        expires_at = wish.expires_at
    elif "valid_for" in given and wish.valid_for is not None:
        expires_at = max(start, now) + wish.valid_for * 1000
    elif retimed and expires_at is not None:
        expires_at += start - old  # it lives as long as it would have, from its new time on
    mistakes = _validity(wish, given, expires_at, start)
    if mistakes:
        return draft, mistakes
    draft = msgspec.structs.replace(
        draft, windows=when.windows, expires_at=expires_at, updated_at=max(now, message.updated_at + 1)
    )
    if not (retimed or hours or given & {"valid_for", "expires_at"}) or (waits and not retimed):
        return draft, []  # nothing that its place depends on
    code, reason = (when.code, when.reason) if retimed else ("", "")
    draft = msgspec.structs.replace(draft, due_at=start, asked_at=None, code=code, reason=reason)
    placed = place(
        draft,
        defaults.timetable,
        expires_at=expires_at,
        valid_for=None,
        validity=None,
        on_quiet=wish.on_quiet,
    )
    return (placed, []) if isinstance(placed, Message) else (draft, [placed])


def _asked(message: Message, now: Instant) -> Instant:
    """When it was wanted, before any hours moved it."""
    if message.asked_at is not None:
        return message.asked_at
    return min(message.due_at, now) if held_by(message.code) else message.due_at


def _validity(
    wish: Order, given: frozenset[str], expires_at: Instant | None, start: Instant
) -> list[tuple[str, str, str]]:
    if "valid_for" in given and "expires_at" in given:
        return [("expires_at", "conflict", 'give "valid_for" or "expires_at", not both')]
    if not given & {"valid_for", "expires_at"} or expires_at is None:
        return []
    at = "expires_at" if "expires_at" in given else "valid_for"
    left = expires_at - start
    if left < MIN_VALIDITY * 1000:
        detail = f"leaves {max(0, left // 1000)} s to send; at least {MIN_VALIDITY} are needed"
        return [(at, "out_of_range", detail)]
    if left > MAX_VALIDITY * 1000:
        return [(at, "out_of_range", "is longer than 63 weeks, the most that GSM knows")]
    return []
