"""What the API shows, as JSON shapes, and how each is made from what the store holds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from time import gmtime, strftime
from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import Meta

from bridge.api.problems import Gsm
from bridge.model import (
    LOCAL_CLIENT,
    ApiKey,
    Attempt,
    Batch,
    Category,
    ChannelSnapshot,
    Confidence,
    EventRow,
    Inbound,
    Instant,
    Kind,
    Left,
    Message,
    Scope,
    Status,
    show_id,
)
from bridge.policy.timing.gates import unpacked
from bridge.policy.timing.placing import held_by
from bridge.states import WAITING
from drivers.contract import Encoding, IncomingKind, LinkState

__all__ = [
    "AnswerOut",
    "AttemptOut",
    "BatchAccepted",
    "BatchOut",
    "ChannelOut",
    "HistoryOut",
    "HoldOut",
    "HoursOut",
    "InboundOut",
    "KeyCreated",
    "KeyOut",
    "MessageOut",
    "MessageRef",
    "Page",
    "attempt_out",
    "batch_accepted",
    "batch_out",
    "channel_out",
    "gsm_of",
    "history_out",
    "inbound_out",
    "key_out",
    "message_out",
    "shown_status",
    "shown_time",
]

Time = Annotated[str, Meta(description="RFC 3339, UTC, milliseconds", extra_json_schema={"format": "date-time"})]
Hex = Annotated[str, Meta(description="hexadecimal digits")]
Word = Annotated[str, Meta(description="a stable word for machines")]

SCHEDULED = "scheduled"
ShownStatus = Annotated[
    str,
    Meta(
        description="`scheduled` is a queued message whose time lies ahead",
        extra_json_schema={"enum": [SCHEDULED, *(s.value for s in Status)]},
    ),
]


T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One page of a list, newest first. `next`: cursor of the page behind it; null on the last one."""

    items: list[T]
    next: str | None = None


class HoldOut(msgspec.Struct, frozen=True, kw_only=True):
    """Who keeps a message from going, and until when. `by`: service, key, route, channel, batch or message."""

    by: str
    reason: str
    until: Time


class HoursOut(msgspec.Struct, frozen=True, kw_only=True):
    """Windows that came with a message or its key. `zone` null: the recipient's."""

    by: str
    windows: tuple[str, ...]
    zone: str | None


class MessageOut(msgspec.Struct, frozen=True, kw_only=True):
    """A message as ordered, and where it stands. `cost`: a decimal number, as a provider charged it."""

    id: str
    status: ShownStatus
    code: Word | None
    reason: str | None
    to: str
    kind: Kind
    text: str | None
    data: bytes | None
    udh: Hex | None
    encoding: Encoding
    part_count: int
    batch: str | None
    client: str | None
    ref: str | None
    sender: str | None
    message_class: int | None = msgspec.field(name="class")
    report: bool
    priority: int
    policy: str
    channel: str | None
    route: str | None
    options: dict[str, str]
    cost: str | None
    currency: str | None
    created_at: Time
    updated_at: Time
    due_at: Time
    expires_at: Time | None
    hold: HoldOut | None
    windows: list[HoursOut]
    tries: int
    possible_duplicate: bool
    wide_reference: bool
    reply_path: bool
    reject_duplicates: bool
    protocol_id: int
    dcs: int | None
    order_key: str | None
    reply_token: str | None
    category: Category


class MessageRef(msgspec.Struct, frozen=True):
    id: str
    to: str


class BatchAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a new batch: its messages in the order of the request."""

    id: str
    created_at: Time
    ref: str | None
    count: int
    messages: list[MessageRef]


class BatchOut(msgspec.Struct, frozen=True, kw_only=True):
    """`counts`: messages by status, without those that are 0; scheduled ones count as queued."""

    id: str
    created_at: Time
    ref: str | None
    count: int
    counts: dict[str, int]


class ReportOut(msgspec.Struct, frozen=True, kw_only=True):
    """The delivery report of an attempt. `tp_status`: TP-ST, 3GPP 23.040 §9.2.3.15; null from a provider. `fate`: what
    it means."""

    fate: str | None
    tp_status: int | None
    received_at: Time | None
    discharged_at: Time | None


class AttemptOut(msgspec.Struct, frozen=True, kw_only=True):
    """One try of one part on one channel. `deadline`: when the doubt is closed by policy."""

    id: str
    part: int
    channel: str
    sim: str
    state: str
    armed_at: Time
    ended_at: Time | None
    deadline: Time | None
    reference: str | None
    tp_mr: int | None
    code: Word | None
    detail: str | None
    gsm: Gsm | None
    possible_duplicate: bool
    report: ReportOut | None


class HistoryOut(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a message: `event` is the status moved to, or what happened."""

    at: Time
    event: str
    data: dict[str, str | int | bool | None]


class AnswerOut(msgspec.Struct, frozen=True, kw_only=True):
    """The message that a reply answers. `ref`: its client's reference; null where the message is another key's."""

    id: str
    ref: str | None
    confidence: Confidence


class InboundOut(msgspec.Struct, frozen=True, kw_only=True):
    """An incoming message. `missing`: numbers of the parts that have not come. `port`: of port-addressed data.
    `replaces`: the earlier message it takes the place of. `content`: what is in it. `withheld`: why nobody is told of
    it. `updated_at`: parts came late."""

    id: str
    channel: str
    sim: str
    sender: str
    kind: IncomingKind
    text: str | None
    data: bytes | None
    encoding: Encoding | None
    part_count: int
    missing: tuple[int, ...]
    message_class: int | None = msgspec.field(name="class")
    port: int | None
    sent_at: Time | None
    received_at: Time
    updated_at: Time | None
    replaces: str | None
    in_reply_to: AnswerOut | None
    conversation: str | None
    content: dict[str, str | int | bool | None]
    withheld: Word | None
    note: str | None


class ModemOut(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the modem and its SIM; "" and null: not known."""

    model: str
    firmware: str
    imei: str
    iccid: str
    imsi: str
    operator: str
    registration: str
    signal_dbm: int | None
    storage_used: int | None
    storage_size: int | None
    service_centre: str
    profile: str
    port: str
    errors_in_row: int
    leniencies: dict[str, int]


class QuotaOut(msgspec.Struct, frozen=True, kw_only=True):
    """A limit of a channel. `name`: "parts_per_day" and the like."""

    name: str
    used: int
    limit: int
    resets_at: Time


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """What was left on a SIM when its network was asked last. `low`: below the operator's mark. `problem`: why the last
    question brought nothing."""

    amount: str | None
    currency: str
    at: Time | None
    low: bool
    problem: str | None


class ArrivalsOut(msgspec.Struct, frozen=True, kw_only=True):
    """Of the SIM's or account's last texts whose delivery report is due so many were reported as delivered.
    `silent_block`: hardly any, though they are accepted."""

    due: int
    delivered: int
    silent_block: bool


class ChannelOut(msgspec.Struct, frozen=True, kw_only=True):
    """A channel. `backlog`: messages assigned, not yet armed. The counts are since the start of the service."""

    id: str
    driver: str
    state: LinkState
    code: Word | None
    reason: str | None
    since: Time
    busy: bool
    backlog: int
    accepted: int
    refused: int
    in_doubt: int
    received: int
    paused_until: Time | None
    quota: list[QuotaOut]
    balance: LeftOut | None
    arrivals: ArrivalsOut
    modem: ModemOut


class KeyOut(msgspec.Struct, frozen=True, kw_only=True):
    """A key, without its secret. `hint`: the secret's first characters behind `gsmb_`."""

    id: str
    name: str
    scope: Scope
    hint: str
    created_at: Time
    revoked_at: Time | None
    windows: list[HoursOut]


class KeyCreated(KeyOut, frozen=True, kw_only=True):
    """A new key. `secret` is shown here and never again."""

    secret: str


# --- From the model ---------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(seconds))


def shown_time(instant: Instant) -> str:
    """`1767182400123` -> "2025-12-31T12:00:00.123Z"."""
    return f"{_second(instant // 1000)}.{instant % 1000:03d}Z"


def _time(instant: Instant | None) -> str | None:
    return None if instant is None else shown_time(instant)


def _id(prefix: str, number: int | None) -> str | None:
    return None if number is None else show_id(prefix, number)


def shown_status(message: Message, now: Instant) -> str:
    if message.status is Status.QUEUED and message.due_at > now:
        return SCHEDULED
    return message.status.value


def _hold(m: Message, now: Instant) -> HoldOut | None:
    by = held_by(m.code)
    if by is None or m.status not in WAITING or m.due_at <= now:
        return None
    return HoldOut(by=by, reason=m.reason, until=shown_time(m.due_at))


def hours_out(windows: str) -> list[HoursOut]:
    return [HoursOut(by=asked.by, windows=asked.windows, zone=asked.zone) for asked in unpacked(windows)]


def message_out(m: Message, now: Instant) -> MessageOut:
    return MessageOut(
        id=show_id("msg", m.id),
        status=shown_status(m, now),
        code=m.code or None,
        reason=m.reason or None,
        to=m.to,
        kind=m.kind,
        text=m.text,
        data=m.data,
        udh=m.udh.hex() if m.udh else None,
        encoding=m.encoding,
        part_count=m.parts,
        batch=_id("bat", m.batch),
        client=None if m.client == LOCAL_CLIENT else show_id("key", m.client),
        ref=m.ref,
        sender=m.sender,
        message_class=m.message_class,
        report=m.report,
        priority=m.priority,
        policy=m.policy.value,
        channel=m.channel,
        route=m.route,
        options=m.options,
        cost=m.cost,
        currency=m.currency or None,
        created_at=shown_time(m.created_at),
        updated_at=shown_time(m.updated_at),
        due_at=shown_time(m.due_at),
        expires_at=_time(m.expires_at),
        hold=_hold(m, now) if m.code else None,
        windows=[] if m.windows is None else hours_out(m.windows),
        tries=m.tries,
        possible_duplicate=m.possible_duplicate,
        wide_reference=m.wide_reference,
        reply_path=m.reply_path,
        reject_duplicates=m.reject_duplicates,
        protocol_id=m.protocol_id,
        dcs=m.dcs,
        order_key=m.order_key,
        reply_token=m.reply_token,
        category=m.category,
    )


def batch_accepted(batch: Batch, messages: Sequence[Message]) -> BatchAccepted:
    return BatchAccepted(
        id=show_id("bat", batch.id),
        created_at=shown_time(batch.created_at),
        ref=batch.ref,
        count=batch.count,
        messages=[MessageRef(show_id("msg", m.id), m.to) for m in messages],
    )


def batch_out(batch: Batch, counts: dict[Status, int]) -> BatchOut:
    return BatchOut(
        id=show_id("bat", batch.id),
        created_at=shown_time(batch.created_at),
        ref=batch.ref,
        count=batch.count,
        counts={status.value: counts[status] for status in Status if counts.get(status)},
    )


def attempt_out(a: Attempt) -> AttemptOut:
    report = None
    if a.reported_at is not None:
        report = ReportOut(
            fate=a.fate, tp_status=a.tp_st, received_at=shown_time(a.reported_at), discharged_at=_time(a.discharged_at)
        )
    return AttemptOut(
        id=show_id("att", a.id),
        part=a.part,
        channel=a.channel,
        sim=a.sim,
        state=a.state.value,
        armed_at=shown_time(a.armed_at),
        ended_at=_time(a.ended_at),
        deadline=_time(a.deadline),
        reference=a.reference,
        tp_mr=a.tp_mr,
        code=a.code or None,
        detail=a.detail or None,
        gsm=gsm_of(a),
        possible_duplicate=a.possible_duplicate,
        report=report,
    )


def gsm_of(attempt: Attempt) -> Gsm | None:
    """What the network said to this attempt, where it said anything."""
    if attempt.cms is None and attempt.tp_st is None:
        return None
    return Gsm(cms=attempt.cms, tp_status=attempt.tp_st)


def history_out(row: EventRow) -> HistoryOut:
    return HistoryOut(at=shown_time(row.at), event=row.kind, data=row.data)


def inbound_out(i: Inbound, sees: int | None = None) -> InboundOut:
    """`sees`: the client that asks; None: it may see everything."""
    answer = None
    if i.in_reply_to is not None and i.confidence is not None:
        ref = i.reply_ref if sees in (None, i.reply_client) else None
        answer = AnswerOut(id=show_id("msg", i.in_reply_to), ref=ref, confidence=i.confidence)
    return InboundOut(
        id=show_id("inb", i.id),
        channel=i.channel,
        sim=i.sim,
        sender=i.sender,
        kind=i.kind,
        text=i.text,
        data=i.data or None,
        encoding=i.encoding,
        part_count=i.parts,
        missing=i.missing,
        message_class=i.message_class,
        port=i.port,
        sent_at=_time(i.sent_at),
        received_at=shown_time(i.received_at),
        updated_at=_time(i.updated_at),
        replaces=_id("inb", i.replaces),
        in_reply_to=answer,
        conversation=_id("cnv", i.conversation),
        content=i.content or {"type": i.kind.value},
        withheld=i.withheld or None,
        note=i.note or None,
    )


def _left_out(left: Left) -> LeftOut:
    return LeftOut(
        amount=None if left.amount is None else f"{left.amount:f}",
        currency=left.currency,
        at=_time(left.at),
        low=left.low,
        problem=left.problem or None,
    )


def channel_out(c: ChannelSnapshot) -> ChannelOut:
    h = c.health
    return ChannelOut(
        id=c.id,
        driver=c.driver,
        state=h.state,
        code=c.code or None,
        reason=h.reason or None,
        since=shown_time(c.since),
        busy=c.busy,
        backlog=c.backlog,
        accepted=c.accepted,
        refused=c.refused,
        in_doubt=c.in_doubt,
        received=c.received,
        paused_until=_time(c.paused_until),
        quota=[QuotaOut(name=q.name, used=q.used, limit=q.most, resets_at=shown_time(q.resets_at)) for q in c.quota],
        balance=None if c.left is None else _left_out(c.left),
        arrivals=ArrivalsOut(due=c.arrivals.due, delivered=c.arrivals.delivered, silent_block=c.arrivals.silent_block),
        modem=ModemOut(
            model=h.model,
            firmware=h.firmware,
            imei=h.imei,
            iccid=h.iccid,
            imsi=h.imsi,
            operator=h.operator,
            registration=h.registration,
            signal_dbm=h.signal_dbm,
            storage_used=h.storage_used,
            storage_size=h.storage_size,
            service_centre=h.service_centre,
            profile=h.profile,
            port=h.port,
            errors_in_row=h.errors_in_row,
            leniencies=h.leniencies,
        ),
    )


def key_out(k: ApiKey) -> KeyOut:
    return KeyOut(
        id=show_id("key", k.id),
        name=k.name,
        scope=k.scope,
        hint=k.hint,
        created_at=shown_time(k.created_at),
        revoked_at=_time(k.revoked_at),
        windows=[] if k.windows is None else hours_out(k.windows),
    )
