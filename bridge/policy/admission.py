"""What may be ordered: an `Order` becomes a `Message`, or complaints that say what, where and what would be right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from bridge.model import ANY_CHANNEL, Category, DoubtPolicy, Instant, Kind, Message, route_queue
from bridge.policy import numbers
from bridge.policy.routing import MessageFacts, Route
from bridge.policy.timing import Asked, Spread, Timetable, Timing
from bridge.policy.timing.placing import MAX_DEFERRED, Paces, Wanted, place, wanted
from drivers.contract import Encoding
from drivers.gsm import PduError, coding, segments, udh

__all__ = [
    "MAX_DEFERRED",
    "MAX_VALIDITY",
    "MIN_VALIDITY",
    "Body",
    "Complaint",
    "Defaults",
    "Order",
    "Rejected",
    "admit",
    "admit_all",
    "measure",
]

MAX_VALIDITY = 63 * 7 * 86_400  # seconds; the longest TP-VP, 23.040 §9.2.3.12.1
MIN_VALIDITY = 60


class Complaint(msgspec.Struct, frozen=True, kw_only=True):
    """`at`: the field ("to", "messages[3].text"). `code`: stable word. `detail`: what would be right, a sentence."""

    at: str
    code: str
    detail: str


class Rejected(Exception):
    """The order cannot be taken; nothing of it was kept."""

    def __init__(self, complaints: list[Complaint]) -> None:
        super().__init__("; ".join(f"{c.at}: {c.detail}" for c in complaints))
        self.complaints = complaints


_TOKEN = re.compile(r"[^\W_]{1,16}")  # as `policy.replies` finds words
MODEM_KINDS = frozenset({Kind.TEXT, Kind.BINARY, Kind.WAP_PUSH})
WITHOUT_TEXT = frozenset({Kind.MMS, Kind.PING, Kind.HLR})  # an MMS may be a picture only
WITH_URL = frozenset({Kind.WAP_PUSH, Kind.MMS})


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks for, for one recipient. None = the service's default."""

    to: str
    kind: Kind = Kind.TEXT
    text: str | None = None  # the text; for a WAP push the words shown with the link
    data: bytes | None = None  # kind binary
    udh: bytes = b""  # kind binary: the caller's header, without its length octet
    url: str | None = None  # kind wap_push
    port: int | None = None  # application port the text or data is addressed to
    source_port: int = 0
    encoding: Encoding | None = None  # None: GSM-7 where it fits, else UCS-2
    wide_reference: bool = False  # 16-bit concatenation
    ref: str | None = None
    key: str = ""  # name of the API key that orders it; routes may ask
    sender: str | None = None
    message_class: int | None = None
    report: bool | None = None
    priority: int = 0
    policy: DoubtPolicy | None = None
    channel: str | None = None
    route: str | None = None
    options: dict[str, str] = msgspec.field(default_factory=dict)  # what only some providers know: "subject" ...
    send_at: Instant | None = None
    local: datetime | None = None  # the same without a zone, read in `tz`
    time: str | None = None  # any form of policy.timing.moments
    tz: str | None = None  # a zone's name, or hours from Moscow
    windows: tuple[Asked, ...] = ()
    on_quiet: str | None = None  # "expire": take it though it would expire in quiet hours
    valid_for: int | None = None  # seconds
    expires_at: Instant | None = None
    reply_path: bool = False
    reject_duplicates: bool = False
    protocol_id: int = 0
    dcs: int | None = None
    ordered: bool = False  # after the earlier ones to the same recipient
    order_key: str | None = None  # after the earlier ones with the same key
    reply_token: str | None = None  # a word by which an answer names this message
    category: Category = Category.GENERAL


class Defaults(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration says about orders."""

    region: str | None = None  # ISO country for numbers without "+"
    max_parts: int = 10
    policy: DoubtPolicy = DoubtPolicy.AT_LEAST_ONCE
    validity: int | None = 86_400  # seconds
    report: bool = True
    channels: frozenset[str] = frozenset()
    routes: frozenset[str] = frozenset()
    rules: tuple[Route, ...] = ()  # routes that choose their messages, in the order in which they are asked
    kinds: frozenset[Kind] = MODEM_KINDS  # what some channel can carry
    timetable: Timetable = msgspec.field(default_factory=lambda: Timetable(Timing()))


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """The content of an order, measured: the same for every recipient of one text."""

    text: str | None
    data: bytes | None
    udh: bytes
    encoding: Encoding
    plan: segments.Plan


def measure(order: Order, defaults: Defaults) -> Body:
    """Encode and count the content. Raises `Rejected`."""
    at = _content_field(order)
    complaints = _addressing(order)
    body: Body | None = None
    try:
        body = _content(msgspec.structs.replace(order, udh=b"", port=None, source_port=0) if complaints else order)
    except PduError as error:
        complaints.append(Complaint(at=at, code="content_not_possible", detail=str(error)))
    if body is not None and body.plan.parts > defaults.max_parts:
        forced = f"; {body.plan.forced_by!r} forces UCS-2" if body.plan.forced_by else ""
        complaints.append(
            Complaint(
                at=at,
                code="text_too_long",
                detail=f"needs {body.plan.parts} parts in {body.encoding.value}, the limit is {defaults.max_parts}"
                f"{forced}; shorten it or raise limits.max_parts",
            )
        )
    if body is not None and order.dcs is not None and 0 <= order.dcs <= 255:
        complaints += _coding(order, order.dcs, body.encoding)
    if complaints or body is None:
        raise Rejected(complaints)
    return body


def admit(
    order: Order,
    defaults: Defaults,
    *,
    id: int,
    client: int,
    now: Instant,
    batch: int | None = None,
    hours: str | None = None,
) -> Message:
    """The message for this order. `hours`: the windows of its key, as they are stored. Raises `Rejected` with every
    complaint at once."""
    draft = _draft(order, defaults, client, now, batch, hours)
    return _addressed(draft, order, defaults, id)


def admit_all(
    orders: Sequence[Order],
    defaults: Defaults,
    *,
    ids: Iterable[int],
    client: int,
    now: Instant,
    batch: int | None,
    hours: str | None = None,
    spread: Spread | None = None,
) -> list[Message]:
    """The messages of a batch, all or none. What an order shares with the one before it, all but the recipient, is
    looked at once, so one text to many costs 1 us a number. `ids`: one for each order. Raises `Rejected` with every
    complaint; their places are `messages[3].text`."""
    if spread is not None and (wrong := spread.wrong()) is not None:
        raise Rejected([_complaint(wrong)])
    offset, paces = 0, Paces()
    messages: list[Message] = []
    complaints: list[Complaint] = []
    shared: Order | None = None
    draft: Message | list[Complaint] = []
    for index, (order, id) in enumerate(zip(orders, ids, strict=True)):
        nobody = msgspec.structs.replace(order, to="")
        if nobody != shared:
            shared, draft = nobody, _draft(order, defaults, client, now, batch, hours)
        if spread is not None:
            offset = spread.offset(index, len(orders))
        try:
            messages.append(_addressed(draft, order, defaults, id, offset, paces))
        except Rejected as rejected:
            complaints += [
                Complaint(at=f"messages[{index}].{c.at}", code=c.code, detail=c.detail) for c in rejected.complaints
            ]
    if complaints:
        raise Rejected(complaints)
    return messages


# --- The pieces -------------------------------------------------------------------------------------------------------


def _draft(
    order: Order, defaults: Defaults, client: int, now: Instant, batch: int | None, hours: str | None
) -> Message | list[Complaint]:
    """All of the message but its id and recipient, or what is wrong with the order."""
    complaints: list[Complaint] = []
    body: Body | None = None
    try:
        body = measure(order, defaults)
    except Rejected as rejected:
        complaints += rejected.complaints
    complaints += _options(order, defaults)
    when = wanted(order, now, defaults.timetable.timing.zone, hours)
    if isinstance(when, list):
        complaints += [_complaint(mistake) for mistake in when]
        when = Wanted(due_at=now)
    expires_at = _expiry(order, defaults, when.due_at)
    if isinstance(expires_at, Complaint):
        return [*complaints, expires_at]
    if complaints or body is None:
        return complaints
    return Message(
        id=0,
        client=client,
        to="",
        created_at=now,
        updated_at=now,
        due_at=when.due_at,
        kind=order.kind,
        text=body.text,
        data=body.data,
        udh=body.udh,
        encoding=body.encoding,
        parts=body.plan.parts,
        wide_reference=order.wide_reference,
        batch=batch,
        ref=order.ref,
        sender=order.sender,
        message_class=order.message_class,
        report=defaults.report if order.report is None else order.report,
        priority=order.priority,
        policy=order.policy or defaults.policy,
        channel=order.channel,
        queue=order.channel or ANY_CHANNEL,
        expires_at=expires_at,
        reply_path=order.reply_path,
        reject_duplicates=order.reject_duplicates,
        protocol_id=order.protocol_id,
        dcs=order.dcs,
        order_key=order.order_key,
        route=order.route,
        options=order.options if order.url is None else {**order.options, "url": order.url},
        windows=when.windows,
        code=when.code,
        reason=when.reason,
        reply_token=order.reply_token,
        category=order.category,
    )


def _addressed(
    draft: Message | list[Complaint],
    order: Order,
    defaults: Defaults,
    id: int,
    offset: int = 0,
    paces: Paces | None = None,
) -> Message:
    """`offset`: milliseconds of open time by which it goes after the first of its batch."""
    number = numbers.normal(order.to, defaults.region)
    if isinstance(number, str) and isinstance(draft, Message):
        message = msgspec.structs.replace(draft, id=id, to=number)
        if order.ordered and order.order_key is None:
            message = msgspec.structs.replace(message, order_key=number)
        if defaults.rules or message.route is not None:
            message = _routed(message, defaults.rules, order.key)
        if not (offset or message.windows or defaults.timetable.any):
            return message
        placed = place(
            message,
            defaults.timetable,
            offset=offset,
            paces=paces,
            expires_at=order.expires_at,
            valid_for=order.valid_for,
            validity=defaults.validity,
            on_quiet=order.on_quiet,
        )
        if isinstance(placed, Message):
            return placed
        raise Rejected([_complaint(placed)])
    complaints = [] if isinstance(number, str) else [Complaint(at="to", code=number.code, detail=number.detail)]
    raise Rejected(complaints if isinstance(draft, Message) else complaints + draft)


def _complaint(mistake: tuple[str, str, str]) -> Complaint:
    at, code, detail = mistake
    return Complaint(at=at, code=code, detail=detail)


def _content_field(order: Order) -> str:
    return {Kind.BINARY: "data", Kind.WAP_PUSH: "url"}.get(order.kind, "text")


def _content(order: Order) -> Body:
    if order.kind is Kind.WAP_PUSH:
        if not order.url:
            raise PduError('a WAP push needs "url", the address that it opens')
        header, data = udh.wap_push_si(order.url, order.text or "")
        plan = segments.plan_binary(data, udh=header, wide=order.wide_reference)
        return Body(text=order.text, data=data, udh=header, encoding=Encoding.BINARY, plan=plan)
    header = order.udh
    if order.port is not None:
        header = udh.ports(order.port, order.source_port) + header
    if order.kind is Kind.BINARY:
        if order.data is None:
            raise PduError('a binary message needs "data", the octets in base64')
        plan = segments.plan_binary(order.data, udh=header, wide=order.wide_reference)
        return Body(text=None, data=order.data, udh=header, encoding=Encoding.BINARY, plan=plan)
    if order.kind in WITHOUT_TEXT and order.text is None:
        return Body(text=None, data=None, udh=b"", encoding=Encoding.GSM7, plan=segments.plan(""))
    if order.text is None:
        raise PduError('a message needs "text"; an empty text is written ""')
    if "\0" in order.text:
        raise PduError(
            f"the text holds NUL at position {order.text.index(chr(0))}, which no phone can show; take it out"
        )
    if order.encoding is Encoding.BINARY:
        raise PduError('a text is sent as gsm7 or ucs2; for octets use kind "binary"')
    plan = segments.plan(order.text, udh=header, encoding=order.encoding, wide=order.wide_reference)
    return Body(text=order.text, data=None, udh=header, encoding=plan.encoding, plan=plan)


def _routed(message: Message, rules: Sequence[Route], key: str) -> Message:
    """The first route whose rule fits, unless the client named a route or a channel."""
    if message.route is None and message.channel is None:
        facts = MessageFacts(
            to=message.to,
            kind=message.kind,
            message_class=message.message_class,
            sender=message.sender,
            priority=message.priority,
            key=key,
            due_at=message.due_at,
        )
        name = next((r.name for r in rules if r.rule is not None and r.rule.fits(facts)), None)
        message = message if name is None else msgspec.structs.replace(message, route=name)
    return message if message.channel is not None else msgspec.structs.replace(message, queue=route_queue(message))


def _options(order: Order, defaults: Defaults) -> list[Complaint]:
    found: list[Complaint] = []

    def complain(at: str, code: str, detail: str) -> None:
        found.append(Complaint(at=at, code=code, detail=detail))

    if order.kind is not Kind.BINARY and order.data is not None:
        complain("data", "field_not_for_kind", f'only a message of kind "binary" has data, this one is "{order.kind}"')
    if order.kind is Kind.BINARY and order.text is not None:
        complain("text", "field_not_for_kind", 'a message of kind "binary" has data, not text')
    if order.kind not in WITH_URL and order.url is not None:
        complain("url", "field_not_for_kind", 'only a message of kind "wap_push" or "mms" has a url')
    if order.kind not in defaults.kinds:
        detail = f'no channel here carries "{order.kind}"; a provider account can (see [[provider]] in the manual)'
        complain("kind", "kind_not_offered", detail)
    if order.route is not None and order.route not in defaults.routes:
        known = ", ".join(sorted(defaults.routes))
        complain("route", "unknown_route", f"there is no route {order.route!r}; there are: {known}")
    if order.route is not None and order.channel is not None:
        complain("route", "conflict", 'give "route" or "channel", not both')
    if order.kind is Kind.WAP_PUSH and (order.udh or order.port is not None):
        at = "udh" if order.udh else "port"
        complain(at, "field_not_for_kind", 'a message of kind "wap_push" brings its own header and port')
    if order.kind in (Kind.BINARY, Kind.WAP_PUSH) and order.encoding not in (None, Encoding.BINARY):
        complain("encoding", "field_not_for_kind", f'a message of kind "{order.kind}" is octets; leave encoding out')
    if not -128 <= order.priority <= 127:
        complain("priority", "out_of_range", f"{order.priority} is outside -128..127")
    if order.message_class is not None and not 0 <= order.message_class <= 3:
        complain(
            "class", "out_of_range", f"{order.message_class} is no message class; 0 is flash, 1 to 3 are the others"
        )
    for name, value in (("protocol_id", order.protocol_id), ("dcs", order.dcs)):
        if value is not None and not 0 <= value <= 255:
            complain(name, "out_of_range", f"{value} is outside 0..255")
    if order.ref is not None and not 1 <= len(order.ref) <= 128:
        complain("ref", "out_of_range", "a reference has 1 to 128 characters")
    if order.reply_token is not None and not _TOKEN.fullmatch(order.reply_token):
        detail = f"{order.reply_token[:20]!r} is no token; give one word of 1 to 16 letters and digits, such as 7 or A7"
        complain("reply_token", "out_of_range", detail)
    if order.channel is not None and order.channel not in defaults.channels:
        known = ", ".join(sorted(defaults.channels)) or "none is configured"
        complain("channel", "unknown_channel", f"there is no channel {order.channel!r}; there are: {known}")
    if order.sender is not None and (problem := numbers.sender_problem(order.sender)):
        complain("sender", "sender_not_legal", problem)
    return found


def _addressing(order: Order) -> list[Complaint]:
    """What is wrong with the header that goes before the content."""
    found = [
        Complaint(at=at, code="out_of_range", detail=f"{port} is outside 0..65535")
        for at, port in (("port", order.port), ("source_port", order.source_port))
        if port is not None and not 0 <= port <= 65535
    ]
    if order.source_port and order.port is None:
        found.append(Complaint(at="source_port", code="conflict", detail='goes with "port", which is not given'))
    try:
        udh.parse(order.udh)
    except PduError as error:
        found.append(Complaint(at="udh", code="content_not_possible", detail=str(error)))
    return found


def _coding(order: Order, dcs: int, encoding: Encoding) -> list[Complaint]:
    """A data coding scheme that contradicts the content would arrive as rubbish."""
    said = coding.read(dcs)
    found = []
    if said.encoding is not encoding:
        detail = f'{dcs} says {said.encoding.value}, the content is {encoding.value}; leave it out, or set "encoding"'
        found.append(Complaint(at="dcs", code="conflict", detail=detail))
    if order.message_class is not None and order.message_class != said.message_class:
        other = "no class" if said.message_class is None else f"class {said.message_class}"
        found.append(Complaint(at="class", code="conflict", detail=f'"dcs" {dcs} says {other}; give one of the two'))
    return found


def _expiry(order: Order, defaults: Defaults, due_at: Instant) -> Instant | Complaint | None:
    if order.valid_for is not None and order.expires_at is not None:
        return Complaint(at="expires_at", code="conflict", detail='give "valid_for" or "expires_at", not both')
    if order.expires_at is not None:
        expires_at, at = order.expires_at, "expires_at"
    elif order.valid_for is not None:
        expires_at, at = due_at + order.valid_for * 1000, "valid_for"
    else:
        return None if defaults.validity is None else due_at + defaults.validity * 1000
    left = expires_at - due_at
    if left < MIN_VALIDITY * 1000:
        detail = f"leaves {max(0, left // 1000)} s to send; at least {MIN_VALIDITY} are needed"
        return Complaint(at=at, code="out_of_range", detail=detail)
    if left > MAX_VALIDITY * 1000:
        return Complaint(at=at, code="out_of_range", detail="is longer than 63 weeks, the most that GSM knows")
    return expires_at
