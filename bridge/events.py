"""What the bridge tells those who listen: the types of events and the shape of each one's data. Pure.

An event is written in the transaction of the change that it tells of (`Changes.emit`), and only when somebody listens.
It belongs to a key, a message or a conversation, and bears its number within the key: 1, 2, 3 ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bridge.clock import rfc3339
from bridge.model import Confidence, Inbound, Instant, Status, show_id
from drivers.contract import Encoding, IncomingKind

__all__ = [
    "FAMILIES",
    "MOVED",
    "SHAPES",
    "AnswerTo",
    "CallData",
    "CanaryData",
    "ChannelData",
    "ClockData",
    "DiskData",
    "EndpointData",
    "Event",
    "EventType",
    "InboundData",
    "MessageData",
    "OptOutData",
    "ScheduleData",
    "SimData",
    "conversation",
    "inbound_data",
]


class EventType(StrEnum):
    """What happened. A new one needs a shape in `SHAPES` and a line in the manual."""

    MESSAGE_QUEUED = "message.queued"  # taken, or to be sent again after a doubt
    MESSAGE_HELD = "message.held"  # it waits for a later time: a retry, quiet hours, a cap
    MESSAGE_SENT = "message.sent"
    MESSAGE_DELIVERED = "message.delivered"
    MESSAGE_UNDELIVERED = "message.undelivered"
    MESSAGE_FAILED = "message.failed"
    MESSAGE_EXPIRED = "message.expired"
    MESSAGE_CANCELLED = "message.cancelled"
    MESSAGE_IN_DOUBT = "message.in_doubt"
    MESSAGE_UNKNOWN = "message.unknown"  # the doubt was never resolved
    MESSAGE_SENT_NO_REPORT = "message.sent_no_report"  # certainly sent, and nobody said what became of it
    MESSAGE_RECEIVED = "message.received"
    REPLY_RECEIVED = "reply.received"
    CHANNEL_UP = "channel.up"
    CHANNEL_DOWN = "channel.down"
    CHANNEL_REPAIRED = "channel.repaired"
    CHANNEL_STORAGE_FULL = "channel.storage_full"
    CHANNEL_SILENT_BLOCK = "channel.silent_block"  # accepted, and hardly anything arrives; or that is over
    SIM_PIN_REQUIRED = "sim.pin_required"
    SIM_QUOTA_80 = "sim.quota_80"
    SIM_BALANCE_LOW = "sim.balance_low"
    CALL_MISSED = "call.missed"
    CANARY_MISSED = "canary.missed"
    CANARY_RECOVERED = "canary.recovered"
    OPTOUT_ADDED = "optout.added"
    OPTOUT_REMOVED = "optout.removed"
    WEBHOOK_DISABLED = "webhook.disabled"
    WEBHOOK_BACKLOG_FULL = "webhook.backlog_full"
    WEBHOOK_TEST = "webhook.test"  # only when the test button is pressed; no filter keeps it back
    CLOCK_UNTRUSTED = "clock.untrusted"
    DISK_ROOM = "disk.room"
    SCHEDULE_SKIPPED = "schedule.skipped"


FAMILIES = tuple(dict.fromkeys(f"{type.partition('.')[0]}.*" for type in EventType))  # "message.*" ...

# A message's move is an event by itself. To `sending` is none: it tells nobody anything.
MOVED: Mapping[Status, EventType] = {
    Status.QUEUED: EventType.MESSAGE_QUEUED,
    Status.RETRY_WAIT: EventType.MESSAGE_HELD,
    Status.IN_DOUBT: EventType.MESSAGE_IN_DOUBT,
    Status.SENT: EventType.MESSAGE_SENT,
    Status.DELIVERED: EventType.MESSAGE_DELIVERED,
    Status.UNDELIVERED: EventType.MESSAGE_UNDELIVERED,
    Status.SENT_NO_REPORT: EventType.MESSAGE_SENT_NO_REPORT,
    Status.UNKNOWN: EventType.MESSAGE_UNKNOWN,
    Status.EXPIRED: EventType.MESSAGE_EXPIRED,
    Status.CANCELLED: EventType.MESSAGE_CANCELLED,
    Status.FAILED: EventType.MESSAGE_FAILED,
}


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """As stored. `number`: 1, 2, 3 ... within its key."""

    id: int
    type: EventType
    key: str
    number: int
    at: Instant
    data: dict[str, Any]  # of the type's shape
    message: int | None = None
    inbound: int | None = None
    channel: str = ""
    party: str = ""  # the other side's number


# --- The data of each type --------------------------------------------------------------------------------------------

Time = Annotated[str, Meta(description="RFC 3339, UTC, milliseconds", extra_json_schema={"format": "date-time"})]


class MessageData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An outgoing message moved. `code`, `reason`: a stable word and a sentence for why. `channel`: where that
    happened. `until`: held, or in doubt, until then. `possible_duplicate`: the recipient may get it twice. The text is
    not here: ask for the message."""

    message: str
    to: str
    status: Status | None = None
    ref: str | None = None
    batch: str | None = None
    code: str = ""
    reason: str = ""
    channel: str = ""
    until: Time | None = None
    possible_duplicate: bool = False


class AnswerTo(msgspec.Struct, frozen=True, kw_only=True):
    """The message that a reply answers, with the reference that its client gave it, and how sure that is."""

    message: str
    ref: str | None
    confidence: Confidence


class InboundData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A text came in. `data`: base64, of one that is not text. `content`: what is in it, see inbound.md. `missing`:
    numbers of the parts that have not come. `sent_at`: by the SMS centre's clock. `updated_at`: missing parts came
    after all. `forward`: the endpoints that the operator's rules name for it."""

    inbound: str
    channel: str
    sim: str
    sender: str
    received_at: Time
    kind: IncomingKind = IncomingKind.TEXT
    text: str | None = None
    data: bytes = b""
    encoding: Encoding | None = None
    part_count: int = 1
    missing: tuple[int, ...] = ()
    sent_at: Time | None = None
    message_class: int | None = msgspec.field(default=None, name="class")
    port: int | None = None
    replaces: str | None = None
    note: str = ""
    content: dict[str, str | int | bool | None] | None = None
    in_reply_to: AnswerTo | None = None
    conversation: str | None = None
    updated_at: Time | None = None
    forward: tuple[str, ...] = ()


class ChannelData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A modem or account came up, went down, was repaired, its storage is full, or what it sends does not arrive."""

    channel: str
    state: str = ""
    code: str = ""
    reason: str = ""
    iccid: str = ""
    used: int | None = None  # storage
    size: int | None = None


class SimData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A SIM needs a person. `used` of `limit`: of its quota. `balance`: a decimal number."""

    channel: str
    sim: str = ""
    code: str = ""
    reason: str = ""
    used: int | None = None
    limit: int | None = None
    balance: str = ""
    currency: str = ""


class CallData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody called a SIM. `caller` is missing when the number was withheld."""

    channel: str
    sim: str
    at: Time
    caller: str = ""


class CanaryData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A canary did not come in time, or one has come after others were missed. `seconds`: how long it took."""

    channel: str
    number: str
    missed_in_row: int
    message: str = ""
    seconds: float | None = None
    reason: str = ""


class OptOutData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person wants no more texts, or wants them again. `sender`, `channel`: only of those with this sender ID, only
    of those that may go by this channel; missing: of all. `word`: what was written; missing: by the operator."""

    number: str
    sender: str = ""
    channel: str = ""
    word: str = ""
    inbound: str | None = None


class EndpointData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """About an endpoint itself."""

    webhook: str
    code: str = ""
    reason: str = ""


class ClockData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The clock cannot be trusted. Timed sending waits."""

    code: str = ""
    reason: str = ""


class DiskData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The disk of the store has more or less room than before. `state`: ample, low (a warning) or critical (no orders
    are taken, nothing is sent). `free`: octets."""

    state: str
    free: int
    reason: str = ""


class ScheduleData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A recurring send left one of its times out. `at`: that time."""

    schedule: str
    at: Time
    code: str = ""
    reason: str = ""


def _shape(type: EventType) -> type[msgspec.Struct]:
    match type.partition(".")[0], type:
        case _, EventType.MESSAGE_RECEIVED | EventType.REPLY_RECEIVED:
            return InboundData
        case "message", _:
            return MessageData
        case "channel", _:
            return ChannelData
        case "sim", _:
            return SimData
        case "call", _:
            return CallData
        case "canary", _:
            return CanaryData
        case "optout", _:
            return OptOutData
        case "clock", _:
            return ClockData
        case "disk", _:
            return DiskData
        case "schedule", _:
            return ScheduleData
    return EndpointData


SHAPES: Mapping[EventType, type[msgspec.Struct]] = {type: _shape(type) for type in EventType}


def conversation(sim: str, number: str) -> str:
    """The key of what passes between a SIM, or account, and a number."""
    return f"{sim}/{number}"


def inbound_data(inbound: Inbound, forward: Sequence[str] = ()) -> InboundData:
    answer = None
    if inbound.in_reply_to is not None and inbound.confidence is not None:
        message = show_id("msg", inbound.in_reply_to)
        answer = AnswerTo(message=message, ref=inbound.reply_ref, confidence=inbound.confidence)
    return InboundData(
        inbound=show_id("inb", inbound.id),
        channel=inbound.channel,
        sim=inbound.sim,
        sender=inbound.sender,
        received_at=rfc3339(inbound.received_at),
        kind=inbound.kind,
        text=inbound.text,
        data=inbound.data,
        encoding=inbound.encoding,
        part_count=inbound.parts,
        missing=inbound.missing,
        sent_at=None if inbound.sent_at is None else rfc3339(inbound.sent_at),
        message_class=inbound.message_class,
        port=inbound.port,
        replaces=None if inbound.replaces is None else show_id("inb", inbound.replaces),
        note=inbound.note,
        content=inbound.content,
        in_reply_to=answer,
        conversation=None if inbound.conversation is None else show_id("cnv", inbound.conversation),
        updated_at=None if inbound.updated_at is None else rfc3339(inbound.updated_at),
        forward=tuple(forward),
    )
