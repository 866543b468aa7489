"""Orders as they come in JSON, made into the `Order`s of admission. The OpenAPI text and the refusals use the
descriptions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from bridge.model import Category, DoubtPolicy, Instant, Kind
from bridge.policy.admission import Order
from bridge.policy.timing import Asked, Spread
from drivers.contract import Encoding

__all__ = [
    "BatchIn",
    "Options",
    "OrderIn",
    "PreviewIn",
    "ReplyIn",
    "Time",
    "batch_orders",
    "instant",
    "order",
    "spread_of",
]

Time = Annotated[datetime, Meta(tz=True)]
_Port = Annotated[int, Meta(ge=0, le=65535)]
_Octet = Annotated[int, Meta(ge=0, le=255)]
_OptionName = Annotated[str, Meta(min_length=1, max_length=40, pattern="^[a-z0-9_]+$")]
_OptionValue = Annotated[str, Meta(max_length=2000, pattern="^[^\\x00]*$")]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENCODINGS = {None: None, "auto": None, "gsm7": Encoding.GSM7, "ucs2": Encoding.UCS2}

To = Annotated[str, Meta(description='the recipient: a number such as "+48600700800", or a short code')]


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be said about a message, beside its recipient. null and absent mean the service's default."""

    kind: Annotated[
        Kind | None,
        Meta(
            description='"text" (default), "binary", "wap_push"; where a provider can: "mms", "voice", "ping" or "hlr"'
        ),
    ] = None
    text: Annotated[str | None, Meta(description="the text; for a WAP push the words shown with the link")] = None
    data: Annotated[bytes | None, Meta(description="base64: the octets of a binary message")] = None
    udh: Annotated[
        Annotated[str, Meta(pattern="^([0-9A-Fa-f]{2}){0,139}$")] | None,
        Meta(description="hex: your own user-data header, without its length octet"),
    ] = None
    url: Annotated[str | None, Meta(description="a string: the address that a WAP push opens")] = None
    port: Annotated[_Port | None, Meta(description="0..65535: the application port addressed")] = None
    source_port: Annotated[_Port | None, Meta(description="0..65535: the port an answer goes to")] = None
    encoding: Annotated[
        Literal["auto", "gsm7", "ucs2"] | None,
        Meta(description='"auto" (default: GSM 7-bit where it fits, else UCS-2), "gsm7" or "ucs2"'),
    ] = None
    wide_reference: Annotated[bool | None, Meta(description="true for 16-bit concatenation references")] = None
    ref: Annotated[
        Annotated[str, Meta(min_length=1, max_length=128, pattern="^[^\\x00-\\x1f\\x7f]*$")] | None,
        Meta(description="a string: your own reference, 1 to 128 characters without control characters"),
    ] = None
    sender: Annotated[str | None, Meta(description="a string: the sender to show, where the channel can choose it")] = (
        None
    )
    message_class: Annotated[
        Annotated[int, Meta(ge=0, le=3)] | None,
        Meta(description="0 (flash: shown at once, not stored), 1, 2 (kept on the SIM) or 3"),
    ] = msgspec.field(name="class", default=None)
    report: Annotated[bool | None, Meta(description="true or false: ask for a delivery report")] = None
    priority: Annotated[
        Annotated[int, Meta(ge=-128, le=127)] | None, Meta(description="-128..127: higher goes first, default 0")
    ] = None
    policy: Annotated[
        DoubtPolicy | None,
        Meta(description='in doubt: "at_most_once", "at_least_once" or "urgent"'),
    ] = None
    channel: Annotated[str | None, Meta(description="a string: the only channel that may send it")] = None
    route: Annotated[
        str | None, Meta(description='a string: the route to take, such as "cloud-first"; not together with channel')
    ] = None
    options: Annotated[
        Annotated[dict[_OptionName, _OptionValue], Meta(max_length=32)] | None,
        Meta(description="an object of strings: what only some providers know"),
    ] = None
    send_at: Annotated[
        datetime | None,
        Meta(
            description='a time with its zone, such as "2030-01-31T12:00:00Z", or without one and "tz": not sent before'
        ),
    ] = None
    time: Annotated[
        Annotated[str, Meta(max_length=64)] | None,
        Meta(
            description='a string, in place of send_at: "0", DDMMYYhhmm, "DD.MM.YY hh:mm", hours such as "9-21", '
            '"0" and a Unix time, or "+" and minutes'
        ),
    ] = None
    tz: Annotated[
        Annotated[str, Meta(max_length=64)] | int | float | None,
        Meta(
            description='the zone of send_at, time and windows: a name such as "Europe/Warsaw", or hours from Moscow, '
            "-15 to 11"
        ),
    ] = None
    windows: Annotated[
        Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(max_length=20)] | None,
        Meta(description='an array of hours in which it may go, such as ["mon-fri 9-18"]'),
    ] = None
    on_quiet: Annotated[
        Literal["refuse", "expire"] | None,
        Meta(description='when it would expire outside its hours: "refuse" (default), or "expire" there'),
    ] = None
    valid_for: Annotated[
        Annotated[int, Meta(ge=0, le=2**31)] | None,
        Meta(description="seconds, 60 to 38102400 (63 weeks): given up when not sent by then"),
    ] = None
    expires_at: Annotated[
        Time | None, Meta(description='a time with its zone, such as "2030-01-31T12:00:00Z": given up when it comes')
    ] = None
    reply_path: Annotated[bool | None, Meta(description="true or false: request the reply path (TP-RP)")] = None
    reject_duplicates: Annotated[
        bool | None, Meta(description="true or false: ask the SMSC to refuse duplicates (TP-RD)")
    ] = None
    protocol_id: Annotated[_Octet | None, Meta(description="0..255: protocol identifier (TP-PID)")] = None
    dcs: Annotated[_Octet | None, Meta(description="0..255: data coding scheme (TP-DCS) instead of ours")] = None
    ordered: Annotated[
        bool | None, Meta(description="true: not before your earlier ordered ones to the same recipient")
    ] = None
    order_key: Annotated[
        Annotated[str, Meta(min_length=1, max_length=64, pattern="^[^\\x00-\\x1f\\x7f]*$")] | None,
        Meta(description="a string of 1 to 64 characters: not before your earlier ones with the same key"),
    ] = None
    reply_token: Annotated[
        Annotated[str, Meta(min_length=1, max_length=16)] | None,
        Meta(description="one word of letters and digits: an answer that says it answers this message"),
    ] = None
    category: Annotated[
        Category | None,
        Meta(
            description='"general" (default), or one that goes to people who opted out as well: "transactional", '
            '"otp" (a one-time code)'
        ),
    ] = None


class OrderIn(Options, frozen=True, kw_only=True):
    """One message to one recipient."""

    to: To


class PreviewIn(Options, frozen=True, kw_only=True):
    """A message that is not sent. The recipient may be left out."""

    to: Annotated[str | None, Meta(description="a number; checked when given")] = None


class BatchIn(Options, frozen=True, kw_only=True):
    """Either `to`: one message to many; or `messages`: each with its own fields. The other fields hold for all, or are
    the defaults of the messages; `ref` also names the batch."""

    to: Annotated[list[To] | None, Meta(description="an array of recipients of the same message")] = None
    messages: Annotated[list[OrderIn] | None, Meta(description="an array of messages, each with its recipient")] = None
    period: Annotated[
        float | None, Meta(description="hours, 0.1 to 720, over which the messages are spread evenly")
    ] = None
    freq: Annotated[int | None, Meta(description="minutes, 1 to 1440, between groups; goes with period")] = None
    per_minute: Annotated[int | None, Meta(description="1 to 60000: so many messages a minute")] = None


class ReplyIn(Options, frozen=True, kw_only=True):
    """An answer to an incoming message. Its recipient and its way are known."""


def order(given: Options, to: str, key: str = "", by: str = "message") -> Order:
    """What is asked for, for one recipient. `key`: the name of the key that asks. `by`: whose the windows are."""
    local = given.send_at is not None and given.send_at.tzinfo is None
    return Order(
        to=to,
        key=key,
        kind=given.kind or Kind.TEXT,
        text=given.text,
        data=given.data,
        udh=bytes.fromhex(given.udh) if given.udh else b"",
        url=given.url,
        port=given.port,
        source_port=given.source_port or 0,
        encoding=_ENCODINGS[given.encoding],
        wide_reference=given.wide_reference or False,
        ref=given.ref,
        sender=given.sender,
        message_class=given.message_class,
        report=given.report,
        priority=given.priority or 0,
        policy=given.policy,
        channel=given.channel,
        route=given.route,
        options=given.options or {},
        send_at=None if local or given.send_at is None else instant(given.send_at),
        local=given.send_at if local else None,
        time=given.time,
        tz=None if given.tz is None else str(given.tz),
        windows=(Asked(by, tuple(given.windows)),) if given.windows else (),
        on_quiet=given.on_quiet,
        valid_for=given.valid_for,
        expires_at=None if given.expires_at is None else instant(given.expires_at),
        reply_path=given.reply_path or False,
        reject_duplicates=given.reject_duplicates or False,
        protocol_id=given.protocol_id or 0,
        dcs=given.dcs,
        ordered=given.ordered or False,
        order_key=given.order_key,
        reply_token=given.reply_token,
        category=given.category or Category.GENERAL,
    )


def batch_orders(batch: BatchIn, key: str = "") -> list[Order]:
    """One order a recipient. Exactly one of `to` and `messages` is set."""
    if batch.to is not None:
        template = order(batch, "", key, "batch")
        return [msgspec.structs.replace(template, to=to) for to in batch.to]
    given = {name: value for name in _OPTIONS if (value := getattr(batch, name)) is not None}
    messages = batch.messages or []
    if not given:
        return [order(message, message.to, key) for message in messages]
    shared = order(batch, "", key, "batch").windows  # binds beside the message's own
    zone = None if batch.tz is None else str(batch.tz)
    given.pop("windows", None)
    orders = [order(_with_defaults(message, given), message.to, key) for message in messages]
    if not shared:
        return orders
    bound = tuple(Asked(a.by, a.windows, zone) for a in shared)
    return [msgspec.structs.replace(one, windows=(*bound, *one.windows)) for one in orders]


def spread_of(batch: BatchIn) -> Spread | None:
    """None: all at once."""
    if batch.period is None and batch.freq is None and batch.per_minute is None:
        return None
    return Spread(period=batch.period, freq=batch.freq, per_minute=batch.per_minute)


def instant(time: datetime) -> Instant:
    """Milliseconds since 1970, exact and for every aware time."""
    span = time - _EPOCH
    return (span.days * 86_400 + span.seconds) * 1000 + span.microseconds // 1000


_OPTIONS = Options.__struct_fields__


def _with_defaults(message: OrderIn, defaults: dict[str, object]) -> OrderIn:
    missing = {name: value for name, value in defaults.items() if getattr(message, name) is None}
    if message.send_at is not None or message.time is not None:  # its own time, in either form
        missing.pop("send_at", None)
        missing.pop("time", None)
    return msgspec.structs.replace(message, **missing) if missing else message
