"""What the bridge remembers: orders, attempts, what came in. Pure values.

Instants are integer milliseconds since 1970 UTC, everywhere behind the rim; the API writes them as RFC 3339. An integer
cannot be naive, sorts in any database, and costs nothing to compare.

Identifiers are 63-bit integers that grow with time (43 bits of milliseconds, 20 bits of sequence), so the newest row
always lands at the end of its table. Outside they are shown with a prefix: `msg_0c1vk5h7e8g00`.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from random import Random

import msgspec

from drivers.contract import Encoding, Health, IncomingKind, Indication

__all__ = [
    "ANY_CHANNEL",
    "PARKED",
    "ApiKey",
    "Attempt",
    "AttemptState",
    "Batch",
    "CallRow",
    "Category",
    "ChannelSnapshot",
    "Confidence",
    "Conversation",
    "DoubtPolicy",
    "EventRow",
    "Idempotency",
    "Ids",
    "Inbound",
    "Kind",
    "Message",
    "Occurrence",
    "OccurrenceState",
    "OptOut",
    "ProgramRun",
    "Quota",
    "Received",
    "Report",
    "Schedule",
    "Scope",
    "SentTo",
    "Status",
    "parse_id",
    "route_queue",
    "show_id",
]

Instant = int  # milliseconds since 1970-01-01T00:00:00Z

ANY_CHANNEL = "*"  # the queue of the usual route; "*name" is another route's, a channel's own queue bears its name
PARKED = "-"  # the queue of those that wait for the one before them, see Message.order_key; nobody claims from it
LOCAL_CLIENT = 0  # the operator at the machine itself, over the service's private socket


class Status(StrEnum):
    """Where a message stands. The legal moves are in `bridge.states`."""

    QUEUED = "queued"  # shown as "scheduled" while its time lies ahead
    SENDING = "sending"  # a part is armed or on the air
    RETRY_WAIT = "retry_wait"  # proof that nothing was sent; tried again at due_at
    IN_DOUBT = "in_doubt"  # a part may have been sent
    SENT = "sent"  # every part accepted; reports may follow
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    SENT_NO_REPORT = "sent_no_report"
    UNKNOWN = "unknown"  # the doubt was never resolved
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"


class AttemptState(StrEnum):
    ARMED = "armed"  # permission to put it on the wire is on disk
    ACCEPTED = "accepted"
    REFUSED_SAFE = "refused_safe"  # proof that nothing was sent
    REFUSED_FINAL = "refused_final"  # a definite no
    IN_DOUBT = "in_doubt"
    ACCEPTED_LATE = "accepted_late"  # the doubt was resolved: sent
    REFUSED_LATE = "refused_late"  # the doubt was resolved: not sent
    UNRESOLVED = "unresolved"  # the doubt was closed by policy


class DoubtPolicy(StrEnum):
    """What to do when nobody knows whether a text was sent."""

    AT_MOST_ONCE = "at_most_once"  # never resend; closed as unknown at the deadline
    AT_LEAST_ONCE = "at_least_once"  # resend, flagged, when the evidence window has passed
    URGENT = "urgent"  # resend at once elsewhere, flagged


class Kind(StrEnum):
    TEXT = "text"
    BINARY = "binary"
    WAP_PUSH = "wap_push"
    # Only where a provider can:
    MMS = "mms"
    VOICE = "voice"
    PING = "ping"
    HLR = "hlr"


class Category(StrEnum):
    """Why a text is sent. Who has opted out gets all but general ones."""

    GENERAL = "general"
    TRANSACTIONAL = "transactional"
    OTP = "otp"  # a one-time code: transactional, and for the person who has the number's SIM now and before


class Confidence(StrEnum):
    """Why a reply is held to answer a message, surest first."""

    TOKEN = "token"  # it says the message's token  # noqa: S105
    PROVIDER = "provider"  # the provider says which message it answers
    ONLY_CANDIDATE = "only_candidate"  # nothing else was sent to this number lately
    NEWEST = "newest"  # the newest of several


class Scope(StrEnum):
    """What an API key may do. Each contains the ones before it."""

    READ = "read"
    SEND = "send"
    ADMIN = "admin"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One text to one recipient, as ordered."""

    id: int
    client: int  # id of the API key that ordered it
    to: str  # E.164 with "+", or a short code
    created_at: Instant
    due_at: Instant
    kind: Kind = Kind.TEXT
    text: str | None = None  # kind text
    data: bytes | None = None  # kinds binary and wap_push
    udh: bytes = b""  # the caller's own, or the push's, without length octet
    encoding: Encoding = Encoding.GSM7  # decided at accept
    parts: int = 1
    batch: int | None = None
    ref: str | None = None  # the client's own reference
    sender: str | None = None
    message_class: int | None = None
    report: bool = True
    priority: int = 0  # -128..127, higher goes first
    policy: DoubtPolicy = DoubtPolicy.AT_LEAST_ONCE
    channel: str | None = None  # asked for by the client; None = any
    queue: str | None = ANY_CHANNEL  # where it waits; None = in no queue (claimed, sending or ended)
    expires_at: Instant | None = None
    concatenation: int = 0  # reference of its parts
    wide_reference: bool = False  # 16 bits of it are used, else 8
    reply_path: bool = False
    reject_duplicates: bool = False
    protocol_id: int = 0
    dcs: int | None = None
    status: Status = Status.QUEUED
    code: str = ""  # stable word for why it is where it is
    reason: str = ""  # the same as a sentence
    tries: int = 0  # submissions that used up a try
    possible_duplicate: bool = False
    updated_at: Instant = 0
    route: str | None = None  # asked for; None = the service's usual one
    options: dict[str, str] = msgspec.field(default_factory=dict)  # what only some providers know: "subject" ...
    cost: str | None = None  # decimal, as charged
    currency: str = ""
    windows: str | None = None  # hours that came with it or its key, see bridge.policy.timing.gates; None: none
    order_key: str | None = None  # goes after the client's earlier ones with the same key; None: in no order
    asked_at: Instant | None = None  # when it was wanted, where hours moved it to `due_at` from the start
    reply_token: str | None = None  # a word by which an answer names this message
    category: Category = Category.GENERAL
    withdrawn: bool = False  # its provider was asked to take it back: it goes no other way any more


def route_queue(message: Message) -> str:
    """The queue of its route: any channel of the route may take it from there."""
    return ANY_CHANNEL + (message.route or "")


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try of one part on one channel."""

    id: int
    message: int
    part: int  # 0: the whole message, on a channel that takes messages
    channel: str
    sim: str  # ICCID or what stands for it
    recipient: str  # key for matching reports, see policy.correlation
    armed_at: Instant
    epoch: int  # start of the service that armed it: the fence
    state: AttemptState = AttemptState.ARMED
    deadline: Instant | None = None  # when the doubt is closed by policy
    ended_at: Instant | None = None
    reference: str | None = None  # TP-MR or the provider's id, as text
    tp_mr: int | None = None
    possible_duplicate: bool = False
    code: str = ""
    cms: int | None = None
    detail: str = ""
    listening: bool = False  # a report may still come
    tp_st: int | None = None
    report_fingerprint: str | None = None
    reported_at: Instant | None = None
    discharged_at: Instant | None = None
    fate: str | None = None  # what the latest report says, see drivers.gsm.outcome.Fate


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    client: int
    created_at: Instant
    first: int  # its messages' ids lie between these two
    last: int
    count: int
    ref: str | None = None


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """One move of a message, for its history."""

    id: int
    message: int
    at: Instant
    kind: str  # the status moved to, or "armed", "report", "late_result", "resend"
    data: dict[str, str | int | bool | None] = msgspec.field(default_factory=dict)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery report as stored. Without an attempt it is an orphan."""

    id: int
    channel: str
    sim: str
    pdu: str
    fingerprint: str
    received_at: Instant
    tp_mr: int | None = None
    recipient: str = ""
    tp_st: int | None = None
    submitted_at: Instant | None = None
    discharged_at: Instant | None = None
    reference: str | None = None
    attempt: int | None = None
    fate: str | None = None  # a provider's word, normalised
    code: str = ""  # and as it came
    detail: str = ""
    elsewhere: bool = False  # another carrier may succeed
    bars_codes: bool = False  # but not with a one-time code


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """One incoming PDU as stored, before and after it became part of an inbound message."""

    id: int
    channel: str
    sim: str
    fingerprint: str
    pdu: str
    received_at: Instant
    slot: str | None = None
    session: str = ""
    sender: str = ""
    kind: IncomingKind = IncomingKind.TEXT
    text: str | None = None
    data: bytes = b""
    encoding: Encoding | None = None
    reference: int | None = None  # of a concatenation; None = it stands alone
    wide: bool = False
    total: int = 1
    number: int = 1
    sent_at: Instant | None = None
    inbound: int | None = None  # the message it became part of
    note: str = ""
    message_class: int | None = None
    port: int | None = None
    source_port: int | None = None
    indications: tuple[Indication, ...] = ()


class Inbound(msgspec.Struct, frozen=True, kw_only=True):
    """An incoming message, whole or marked incomplete."""

    id: int
    channel: str
    sim: str
    sender: str
    received_at: Instant
    kind: IncomingKind = IncomingKind.TEXT
    text: str | None = None
    data: bytes = b""
    encoding: Encoding | None = None
    parts: int = 1
    missing: tuple[int, ...] = ()
    sent_at: Instant | None = None
    message_class: int | None = None
    port: int | None = None  # destination port of port-addressed data
    replace_type: int | None = None  # 1-7: a later text of this type from this sender takes its place
    replaces: int | None = None  # the message whose place it takes
    in_reply_to: int | None = None
    note: str = ""
    source_port: int | None = None
    content: dict[str, str | int | bool | None] | None = None  # what is in it, decoded; see inbound.content
    confidence: Confidence | None = None  # of in_reply_to
    reply_ref: str | None = None  # the answered message's reference, and its client
    reply_client: int | None = None
    conversation: int | None = None
    withheld: str = ""  # why nobody is told of it: "silent", "denied" ...
    updated_at: Instant | None = None  # when missing parts came in after all


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """What passes between a SIM, or an account, and somebody who has written to it."""

    id: int
    channel: str  # it came by last
    sim: str
    peer: str  # E.164 where it is known, else as it came
    recipient: str  # the key of `policy.correlation`
    started_at: Instant
    last: int  # newest incoming message
    last_at: Instant
    received: int


class SentTo(msgspec.Struct, frozen=True, kw_only=True):
    """A message of which an attempt to this number was made lately."""

    sim: str
    message: int
    attempt: int


class OptOut(msgspec.Struct, frozen=True, kw_only=True):
    """A person who wants no more texts. `sender`: only of those with this sender ID. `channel`: only of those that may
    go by it. "" = of all."""

    id: int
    number: str
    sender: str = ""
    channel: str = ""
    created_at: Instant
    word: str = ""  # by which it was asked for; "" = by the operator
    inbound: int | None = None


class ProgramRun(msgspec.Struct, frozen=True, kw_only=True):
    """A program to be run for an incoming message, as a rule says."""

    id: int
    inbound: int
    rule: str
    due_at: Instant
    tries: int = 0
    ended_at: Instant | None = None
    outcome: str = ""


class CallRow(msgspec.Struct, frozen=True, kw_only=True):
    """A call that nobody answered. `caller` "": withheld."""

    id: int
    channel: str
    sim: str
    caller: str
    at: Instant
    rings: int = 1
    hung_up: bool = False


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """An order that is placed again and again: a text, its recipients, and when (see bridge.policy.recurrence)."""

    id: int
    client: int
    created_at: Instant
    updated_at: Instant
    rhythm: str  # as it was written
    crons: tuple[str, ...] = ()  # what it means: cron expressions,
    every: int | None = None  # or an interval in milliseconds
    zone: str
    start: Instant
    recipients: tuple[str, ...]
    orders: str  # JSON: what each of them gets, the fields of bridge.policy.admission.Order that are not usual
    grace: int = 3_600_000  # milliseconds: this late it is still sent
    name: str = ""
    ends_at: Instant | None = None
    most: int | None = None  # ends when so many were sent
    exceptions: tuple[str, ...] = ()  # days in the zone, ISO
    paused: bool = False
    sent: int = 0  # occurrences sent
    next_at: Instant | None = None  # None: paused, or there is none any more


class OccurrenceState(StrEnum):
    SENT = "sent"  # its messages were ordered in time
    LATE = "late"  # ordered late, within the grace
    SKIPPED = "skipped"  # missed by more than the grace
    REFUSED = "refused"  # the order could not be taken


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    """One time at which a schedule ran, or should have."""

    id: int
    schedule: int
    due_at: Instant
    made_at: Instant
    state: OccurrenceState
    message: int | None = None  # its message where it is one,
    batch: int | None = None  # its batch where there are several
    count: int = 0  # of messages
    reason: str = ""


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    name: str
    scope: Scope
    digest: bytes  # SHA-256 of the secret; the secret itself is shown once and kept nowhere
    hint: str  # its first characters, to recognise it
    created_at: Instant
    revoked_at: Instant | None = None
    windows: str | None = None  # hours of all that is ordered with it; as in a message


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """A limit of a channel in its present span. `name`: "parts_per_day" ..."""

    name: str
    used: int
    most: int
    resets_at: Instant


class DueReport(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted attempt whose delivery report was asked for and should have come by now."""

    attempt: int
    sim: str
    recipient: str  # its key
    delivered: bool


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """Of so many texts whose report was due so many were reported as delivered."""

    due: int = 0
    delivered: int = 0


class Arrivals(Ratio, frozen=True, kw_only=True):
    """The same for a channel's SIM. `silent_block`: it accepts and hardly anything arrives."""

    silent_block: bool = False


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What is left on a SIM, as its network said last. `amount` None: not known yet. `problem`: why the last question
    brought nothing."""

    amount: Decimal | None = None
    currency: str = ""
    at: Instant | None = None
    low: bool = False
    problem: str = ""


class ChannelSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A channel as people see it: what the driver knows of itself, and what the bridge does with it."""

    id: str
    driver: str
    health: Health
    code: str = ""  # stable word behind health.reason
    since: Instant  # when the state was entered
    busy: bool = False  # a submission is under way
    backlog: int = 0  # messages assigned and not yet armed
    accepted: int = 0  # submissions since the start, by outcome
    refused: int = 0
    in_doubt: int = 0
    received: int = 0
    paused_until: Instant | None = None
    probing: bool = False  # it was paused, and nothing has gone through since
    quota: tuple[Quota, ...] = ()
    left: Left | None = None  # None: nobody wants to know
    arrivals: Arrivals = Arrivals()


class Idempotency(msgspec.Struct, frozen=True, kw_only=True):
    """An answer to be given again."""

    client: int
    key: str
    digest: bytes  # SHA-256 of the canonical request
    created_at: Instant
    answer: bytes  # the first answer's body


# --- Identifiers ------------------------------------------------------------------------------------------------------

_SEQUENCE_BITS = 20
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's, so that nobody reads a 1 for an l
_VALUES = {c: i for i, c in enumerate(_ALPHABET)}
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]


class Ids:
    """Makes identifiers that always grow. The first of each millisecond starts at a random sequence number."""

    def __init__(self, now: Callable[[], Instant], random: Random, last: int = 0) -> None:
        self._now = now
        self._random = random
        self._last = last

    def next(self) -> int:
        start = self._now() << _SEQUENCE_BITS
        if start > self._last:
            # Only the lower half, so that a burst within this millisecond has room.
            self._last = start | self._random.getrandbits(_SEQUENCE_BITS - 1)
        else:
            self._last += 1
        return self._last


def first_id(at: Instant) -> int:
    """No identifier made at that time or later is below it."""
    return max(0, at) << _SEQUENCE_BITS


def show_id(prefix: str, number: int) -> str:
    """`show_id("msg", 7)` -> "msg_0000000000007": 13 base-32 digits, so text order is time order."""
    pairs = _PAIRS
    return (
        f"{prefix}_{_ALPHABET[number >> 60]}{pairs[number >> 50 & 1023]}{pairs[number >> 40 & 1023]}"
        f"{pairs[number >> 30 & 1023]}{pairs[number >> 20 & 1023]}{pairs[number >> 10 & 1023]}{pairs[number & 1023]}"
    )


def parse_id(prefix: str, shown: str) -> int | None:
    """The number behind a shown identifier, or None when it is not one of this kind."""
    head, _, digits = shown.partition("_")
    if head != prefix or len(digits) != 13:
        return None
    number = 0
    for digit in digits:
        value = _VALUES.get(digit)
        if value is None:
            return None
        number = number << 5 | value
    return number if number < 1 << 63 else None
