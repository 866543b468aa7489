"""The seam between the bridge and whatever carries a text: a modem with its SIM, or an account at a provider.

One driver instance is one *channel*. Rules for its author:

 1. A driver MUST NOT import `bridge`. It knows nothing of queues, policies or stores.
 2. `submit` MUST end in a `Receipt` or in one of three errors, which answer one question, *may I send again?*
    `NotSent`: nothing left us. `Refused`: a definite no. `MaybeSent`: nobody knows.
 3. Once a byte that can cause a send may have left, a driver MUST NOT raise `NotSent`; when unsure, `MaybeSent`.
 4. A driver MUST NOT send anything twice by itself. Retries belong to the bridge.
 5. What the carrier says later about a `MaybeSent` MUST be offered as a `LateResult`, never credited to another one.
 6. An incoming text or report MUST NOT be deleted, acknowledged or answered before `Sink.accept` has returned.
 7. If `Sink.accept` raises, the driver MUST offer the same event again later.
 8. `run` MUST keep the link alive until cancelled: reconnect, back off, and tell every change of state as `LinkChange`.
 9. `submit` MUST raise `NotSent` at once while the link is not up; a link that is down is not an attempt.
10. One `submit` at a time: the bridge never calls it again before the last call ended. The same for `submit_many`.
11. Whatever the peer sends, a driver SHOULD survive it, keep the raw form, and count it.
12. Numbers and texts MUST NOT be logged above debug level, secrets never.
13. A submission that names a SIM MUST NOT go out by another one: `NotSent` with cause `LINK`.

The bridge owes the driver: every attempt is on disk before `submit` or `submit_many` is called; `accept` returns only
when the event is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Protocol, runtime_checkable

import msgspec

__all__ = [
    "Absent",
    "Account",
    "Balance",
    "BulkDriver",
    "Call",
    "CannotTell",
    "Capabilities",
    "Cause",
    "Driver",
    "Encoding",
    "Event",
    "Evidence",
    "Followed",
    "Follower",
    "Forged",
    "Found",
    "Health",
    "Incoming",
    "IncomingKind",
    "Indication",
    "LateResult",
    "LinkChange",
    "LinkState",
    "ListedMessage",
    "Lookup",
    "MaybeSent",
    "MessagePage",
    "MessageQuery",
    "MissedCall",
    "NotOffered",
    "NotSent",
    "Part",
    "Ports",
    "Quote",
    "Receipt",
    "Reference",
    "Refused",
    "Repair",
    "RepairState",
    "Reply",
    "ReportFate",
    "SenderName",
    "Sink",
    "SortBy",
    "StatusReport",
    "Submission",
    "SubmitError",
    "Takes",
    "Ussd",
    "UssdAnswer",
    "UssdFailed",
]


# --- What is submitted ------------------------------------------------------------------------------------------------


class Encoding(StrEnum):
    """How user data is coded on the air (3GPP 23.038 §4)."""

    GSM7 = "gsm7"
    UCS2 = "ucs2"  # in practice UTF-16BE
    BINARY = "binary"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one SMS-SUBMIT carries of a message.

    `data`: for GSM7 one septet value (0-127) a byte, unpacked, escapes included; for UCS2 the UTF-16BE octets; for
    BINARY the octets. `udh`: the user-data header's information elements without the length octet; empty for none.
    """

    number: int = 1
    total: int = 1
    encoding: Encoding
    udh: bytes = b""
    data: bytes


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """What one acknowledgement answers: one part for a modem, one whole message for a provider."""

    attempt_id: str  # ours, unique; a provider gets it as the client's reference
    sim: str = ""  # the SIM it was armed for; a modem with another one takes it not. "" = any
    to: str  # "+48600700800", or a short code of digits
    sender: str | None = None  # sender ID asked for; a modem cannot set it and ignores it
    text: str | None = None  # the whole text, for drivers that take messages
    part: Part | None = None  # for drivers that take parts
    message_class: int | None = None  # 0 = flash, 1-3; None = no class
    validity: int | None = None  # seconds left to live; None = the network's default
    report: bool = True  # ask for a delivery report
    reply_path: bool = False
    reject_duplicates: bool = False
    protocol_id: int = 0  # TP-PID, 23.040 §9.2.3.9
    dcs: int | None = None  # TP-DCS given by the caller; None = from encoding and class
    # For drivers that take messages:
    kind: str = "text"  # "text", "binary", "wap_push", "mms", "voice", "ping", "hlr"
    encoding: Encoding | None = None  # as counted at accept
    parts: int = 1  # as counted at accept
    data: bytes | None = None  # octets of a binary message
    udh: bytes = b""  # its header, without length octet
    send_at: datetime | None = None  # only when the carrier is to hold it; aware
    options: dict[str, str] = msgspec.field(default_factory=dict)  # what only some carriers know: "subject", "url" ...


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The carrier took the submission."""

    reference: str  # TP-MR as decimal text, or the provider's id
    tp_mr: int | None = None
    raw: str = ""  # the answer as it came
    parts: int | None = None  # as the carrier counts them; it may differ from ours, and that is shown
    cost: Decimal | None = None
    currency: str = ""


# --- May I send again? ------------------------------------------------------------------------------------------------


class Cause(StrEnum):
    """Whose fault it is. It decides what is done next, the number behind it only explains."""

    DEST = "dest"  # this destination or this message
    SIM = "sim"  # account or card: no credit, barred, PIN
    NET = "net"  # network or coverage, will pass
    MODEM = "modem"  # modem or firmware state
    BUSY = "busy"  # not ready yet
    MEM = "mem"  # storage full
    BUG = "bug"  # our PDU or parameter is wrong
    LINK = "link"  # the link to the carrier is down
    DOUBT = "doubt"  # may have been sent


class SubmitError(Exception):
    """Base of the three ways a submission can end without a receipt.

    `code`: stable word for machines ("cms_38", "no_prompt"). `cms`/`cme`: the modem's number where there is one.
    """

    def __init__(
        self,
        detail: str,
        *,
        code: str,
        cause: Cause,
        cms: int | None = None,
        cme: int | None = None,
        raw: str = "",
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.cause = cause
        self.cms = cms
        self.cme = cme
        self.raw = raw


class NotSent(SubmitError):
    """Nothing left us. `retry_after`: seconds the carrier asks for. `channel_unusable`: the whole channel is out.
    `retries`: how often it may be tried again on this channel for this reason; None: as often as for any other."""

    def __init__(
        self,
        detail: str,
        *,
        code: str,
        cause: Cause,
        cms: int | None = None,
        cme: int | None = None,
        raw: str = "",
        retry_after: float | None = None,
        channel_unusable: bool = False,
        retries: int | None = None,
    ) -> None:
        super().__init__(detail, code=code, cause=cause, cms=cms, cme=cme, raw=raw)
        self.retry_after = retry_after
        self.channel_unusable = channel_unusable
        self.retries = retries


class Refused(SubmitError):
    """A definite no to this message. `everywhere`: no other channel would take it either."""

    def __init__(
        self,
        detail: str,
        *,
        code: str,
        cause: Cause,
        cms: int | None = None,
        cme: int | None = None,
        raw: str = "",
        everywhere: bool = False,
    ) -> None:
        super().__init__(detail, code=code, cause=cause, cms=cms, cme=cme, raw=raw)
        self.everywhere = everywhere


class MaybeSent(SubmitError):
    """In doubt. Evidence may still come: a `LateResult`, a `StatusReport`, or an answer to `look_up`."""


# --- What comes back --------------------------------------------------------------------------------------------------


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """Concatenation information element of a part (23.040 §9.2.3.24.1 and .8)."""

    value: int
    wide: bool  # 16-bit reference
    total: int
    number: int


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """Application port addressing (23.040 §9.2.3.24.3 and .4)."""

    destination: int
    source: int
    wide: bool = True


class IncomingKind(StrEnum):
    TEXT = "text"
    BINARY = "binary"  # 8-bit data or port addressed
    WAP_PUSH = "wap_push"  # WAP push, MMS notifications among them
    SILENT = "silent"  # type 0 short message
    MWI = "mwi"  # message waiting indication without a text
    SIM_DATA = "sim_data"  # meant for the card
    UNDECODABLE = "undecodable"  # kept raw


class Indication(msgspec.Struct, frozen=True, kw_only=True):
    """Messages wait elsewhere (23.040 §9.2.3.24.2, 23.038 §4): "voicemail", "fax", "email", "other", "video".
    `count` None: not told."""

    waiting: str
    active: bool
    count: int | None = None


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """One incoming text, or one part of it."""

    sim: str  # ICCID where known, else "imei:..." or the channel's name; a provider's account
    pdu: str  # raw, upper-case hex; a provider's raw body
    fingerprint: str  # SHA-256 of sim and PDU without read/unread state
    slot: str | None = None  # "SM:3" storage and index; None when it came directly (+CMT)
    twins: tuple[str, ...] = ()  # other slots that held the same PDU in the same listing
    session: str = ""  # changes with each opening of the link
    kind: IncomingKind = IncomingKind.TEXT
    sender: str = ""  # "+4477...", national digits, or a name
    sender_type: int = 0  # type-of-address octet
    text: str | None = None
    data: bytes = b""  # octets of binary content; for 8-bit text the bytes behind `text`
    encoding: Encoding | None = None
    message_class: int | None = None
    protocol_id: int = 0
    dcs: int = 0
    reference: Reference | None = None
    ports: Ports | None = None
    replace_type: int | None = None  # 1-7, PID 41-47
    service_centre: str = ""
    sent_at: datetime | None = None  # service-centre time stamp, aware; None when broken
    note: str = ""  # why it could not be decoded, or what was odd
    indications: tuple[Indication, ...] = ()
    waited: float | None = None  # seconds since the modem announced it; None: nobody did, it was found
    answers: str | None = None  # a provider's word for the message that it answers: its reference, or our attempt_id


class ReportFate(StrEnum):
    """What a provider says became of a message. An unknown word is UNKNOWN, never an error."""

    ACCEPTED = "accepted"  # with the provider
    SENT = "sent"  # with an operator
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"  # tried, for good
    EXPIRED = "expired"
    REJECTED = "rejected"  # never tried
    UNKNOWN = "unknown"


class StatusReport(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery report as it came. For a modem TP-MR, recipient and times; for a provider its reference."""

    sim: str
    pdu: str
    fingerprint: str
    tp_mr: int | None = None
    recipient: str = ""
    tp_st: int | None = None  # 23.040 §9.2.3.15
    submitted_at: datetime | None = None  # SCTS: when the centre took the message
    discharged_at: datetime | None = None
    reference: str | None = None  # provider id
    attempt_id: str | None = None  # when the report carries our own reference
    fate: ReportFate | None = None  # a provider's word, normalised; a modem's is in tp_st
    code: str = ""  # the provider's own word or number
    detail: str = ""
    elsewhere: bool = False  # it did not arrive by this carrier, and another one may succeed
    bars_codes: bool = False  # but the number may be another person's by now: a one-time code must not go there
    cost: Decimal | None = None
    currency: str = ""


class LinkState(StrEnum):
    DOWN = "down"  # no link; trying
    STARTING = "starting"  # bring-up runs
    UP = "up"  # ready to send and receive
    BLOCKED = "blocked"  # link is there, sending is not possible until a person acts (PIN, barred SIM)


class LinkChange(msgspec.Struct, frozen=True, kw_only=True):
    state: LinkState
    reason: str = ""  # a sentence with the remedy
    code: str = ""  # stable word: "unplugged", "sim_pin_required", "not_a_modem" ...
    imei: str = ""
    iccid: str = ""
    imsi: str = ""
    model: str = ""
    profile: str = ""
    port: str = ""
    reports: bool = True  # False: this modem gives no delivery reports


class LateResult(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a submission that had ended in `MaybeSent`. Exactly one of the two is set."""

    attempt_id: str
    receipt: Receipt | None = None
    error: SubmitError | None = None


class RepairState(StrEnum):
    BEGUN = "begun"  # a rung is being climbed
    FAILED = "failed"  # it could not be carried out
    CURED = "cured"  # the trouble is over
    GIVEN_UP = "given_up"  # nothing that the driver may do helps


class Repair(msgspec.Struct, frozen=True, kw_only=True):
    """A step by which the driver tries to bring its link back by itself. The bridge need not do anything about it."""

    state: RepairState
    rung: str = ""  # "reopen", "radio", "reset", "usb", "power" ...; when cured, the last one
    reason: str = ""  # a sentence
    steps: int = 0  # when cured: how many it took
    seconds: float = 0.0  # when cured: how long it took


class MissedCall(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody called the SIM. Nobody answers; `hung_up`: the call was ended by us."""

    sim: str
    caller: str = ""  # "+4477..." or as told; "" = withheld, or not told
    rings: int = 1
    hung_up: bool = False


Event = Incoming | StatusReport | LinkChange | LateResult | Repair | MissedCall


class Sink(Protocol):
    async def accept(self, event: Event) -> None:
        """Return only when the event is durable. Raising means: offer it again."""


# --- What a driver is -------------------------------------------------------------------------------------------------


class Takes(Enum):
    PART = "part"
    MESSAGE = "message"


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    takes: Takes = Takes.PART
    encodings: frozenset[Encoding] = frozenset(Encoding)
    classes: bool = True  # message classes, flash
    validity: bool = True
    reports: bool = True
    sender: bool = False  # the sender ID can be chosen
    own_udh: bool = True  # the caller's own user-data header
    bulk: int = 1  # above 1: the driver is a `BulkDriver` and takes up to so many messages at once


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """How a doubt can be resolved on this channel, strongest first in the bridge's eyes."""

    late_result: bool = False  # the answer may still come on the same line
    report: bool = False  # a delivery report proves the send
    look_up: bool = False  # `look_up` can tell


class Found(msgspec.Struct, frozen=True, kw_only=True):
    receipt: Receipt


class Absent(msgspec.Struct, frozen=True):
    """Proof that the carrier does not have it."""


class CannotTell(msgspec.Struct, frozen=True, kw_only=True):
    reason: str = ""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot for people. None = not known."""

    state: LinkState
    reason: str = ""
    model: str = ""
    firmware: str = ""
    imei: str = ""
    iccid: str = ""
    imsi: str = ""
    operator: str = ""
    registration: str = ""  # "home", "roaming", "denied", "searching" ...
    signal_dbm: int | None = None
    storage_used: int | None = None
    storage_size: int | None = None
    service_centre: str = ""
    profile: str = ""
    port: str = ""
    errors_in_row: int = 0
    leniencies: dict[str, int] = msgspec.field(default_factory=dict)  # odd things we forgave, counted


class Driver(Protocol):
    """One channel."""

    capabilities: Capabilities
    evidence: Evidence

    async def run(self, sink: Sink) -> None:
        """Keep the link alive until cancelled."""

    async def submit(self, submission: Submission) -> Receipt:
        """Hand one submission to the carrier. Raises `NotSent`, `Refused` or `MaybeSent`."""

    async def look_up(self, submission: Submission) -> Found | Absent | CannotTell:
        """Ask the carrier whether it has the submission."""

    async def health(self) -> Health:
        """What is known now, without disturbing traffic."""


class BulkDriver(Driver, Protocol):
    """One whose `capabilities.bulk` is above 1."""

    async def submit_many(self, submissions: Sequence[Submission]) -> Sequence[Receipt | SubmitError]:
        """Hand over up to `capabilities.bulk` submissions. One result a submission, in order: its receipt, or the error
        that `submit` would have raised. One that fails does not stop the others. An answer that never came is a
        `MaybeSent` for everything that went with that request."""


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    """A message that the carrier has taken and whose fate is not known yet."""

    reference: str  # of its receipt
    attempt_id: str
    to: str


@runtime_checkable
class Follower(Protocol):
    """A driver that asks for the fate of messages one by one, and keeps in memory which are open."""

    def follow(self, messages: Sequence[Followed]) -> None:
        """Called once at the start, before `run`: what was open when the service stopped, oldest first."""


# --- USSD: what a SIM and its network say to each other in words (22.090) ---------------------------------------------


class UssdAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`waits`: the network wants a reply, and the session is open until it gets one or is ended."""

    text: str
    waits: bool = False

    def __repr__(self) -> str:
        """No text: balances and codes do not belong into logs."""
        return f"UssdAnswer({len(self.text)} characters, waits={self.waits})"


class UssdFailed(Exception):
    """No answer. The message is a sentence and never holds what was said. `code`: "link_down", "bad_text",
    "session_open", "no_session", "no_answer", "refused" (by the modem), "ended" (by the network), "not_supported",
    "network_timeout", "elsewhere" (another program on the modem has the session)."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@runtime_checkable
class Ussd(Protocol):
    """A driver whose carrier knows USSD. One session at a time; texts go on while the network thinks."""

    async def ussd(self, text: str, within: float, *, reply: bool = False) -> UssdAnswer:
        """Begin a session with the code `text`, or `reply` in the open one. `within`: seconds the network may take;
        when they are over, or the caller goes, the session is ended. Raises `UssdFailed`."""

    async def end_ussd(self) -> bool:
        """End the open session; False when there is none. Raises `UssdFailed`."""


# --- What a provider's account can be asked besides -------------------------------------------------------------------


class NotOffered(Exception):
    """This carrier has no such operation, or cannot be asked so. The message says which do, or what would be right."""


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    amount: Decimal
    currency: str = ""
    unit: str = "money"  # or "messages"
    raw: str = ""


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    cost: Decimal
    currency: str = ""
    parts: int | None = None
    raw: str = ""


class SenderName(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    state: str = ""  # as the provider says: "authorized", "pending" ...


class Lookup(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a subscriber, in the provider's own words."""

    number: str
    reachable: bool | None = None
    facts: dict[str, str] = msgspec.field(default_factory=dict)


class SortBy(msgspec.Struct, frozen=True, kw_only=True):
    field: str  # of `ListedMessage`, or by the provider's own name
    descending: bool = False


class MessageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages of an account are wanted. None: whatever it is. `page` counts from 1, `limit` None is the
    provider's usual size."""

    reference: str | None = None
    to: str | None = None  # "+48600700800"
    sender: str | None = None
    text: str | None = None
    status: str | None = None  # the provider's own word
    since: datetime | None = None  # sent at or after; aware
    until: datetime | None = None
    where: dict[str, str] = msgspec.field(default_factory=dict)  # criteria by the provider's own names
    sort: tuple[SortBy, ...] = ()
    page: int = 1
    limit: int | None = None


class ListedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message in a provider's own list, whoever ordered it. `code`: the provider's word for its state, `fate`: ours.
    None or "": the list does not say. `facts`: what else it says."""

    reference: str
    to: str = ""
    sender: str = ""
    text: str | None = None
    fate: ReportFate = ReportFate.UNKNOWN
    code: str = ""
    detail: str = ""
    parts: int | None = None
    cost: Decimal | None = None
    currency: str = ""
    sent_at: datetime | None = None  # aware
    changed_at: datetime | None = None  # last change of its state
    country: str = ""  # of the recipient, ISO 3166
    operator: str = ""
    facts: dict[str, str] = msgspec.field(default_factory=dict)

    def __repr__(self) -> str:
        """No number and no text: they do not belong into logs."""
        return f"ListedMessage({self.reference}, {self.code})"


class MessagePage(msgspec.Struct, frozen=True, kw_only=True):
    """`pages` and `total` None: the provider does not say. `more`: there is a page behind it."""

    items: tuple[ListedMessage, ...]
    page: int
    pages: int | None = None
    total: int | None = None
    more: bool = False


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A provider calls us: the request as it came."""

    method: str
    path: str  # behind the secret part
    query: bytes
    headers: dict[str, str]  # names in lower case
    body: bytes
    address: str  # of the caller


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The events in a call, and how that provider wants to be answered once they are stored."""

    events: tuple[Event, ...] = ()
    status: int = 200
    body: bytes = b"OK"
    content_type: str = "text/plain; charset=utf-8"


class Forged(Exception):
    """The call is not from the provider: its signature, address or form is wrong. Nothing of it is used."""


class Account(Protocol):
    """Asked by people and by routing; every operation may raise `NotOffered` or a `SubmitError`."""

    async def balance(self) -> Balance: ...
    async def quote(self, submission: Submission) -> Quote: ...
    async def senders(self) -> list[SenderName]: ...
    async def status(self, reference: str, to: str) -> StatusReport: ...
    async def cancel(self, reference: str, to: str) -> bool:
        """Take back what the carrier has and has not sent. True: it will never be sent. False: it is too late."""

    async def subscriber(self, number: str) -> Lookup: ...
    async def messages(self, query: MessageQuery) -> MessagePage:
        """One page of the provider's own list. Raises `NotOffered` for what its list cannot be asked."""

    def called(self, call: Call) -> Reply:
        """Raises `Forged`."""
