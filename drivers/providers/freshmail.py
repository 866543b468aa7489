"""FreshMail's SMS gate (REST API v2): SMS, MMS, delivery reports by list, answers to 2WAY messages.

The answer to a send holds no id, so our `messageId` is the only key. The vendor's document lost the addresses of MMS
and of the report list and the names of a record's fields: the addresses are options, and the reader finds records,
states and numbers by what they look like. Nothing in the document says that a repeated `messageId` stops a double.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha1, sha256
from typing import Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from drivers.contract import (
    Absent,
    Balance,
    Call,
    CannotTell,
    Capabilities,
    Cause,
    Encoding,
    Event,
    Evidence,
    Forged,
    Found,
    Health,
    Incoming,
    LinkState,
    ListedMessage,
    Lookup,
    MaybeSent,
    MessagePage,
    MessageQuery,
    NotOffered,
    Quote,
    Receipt,
    Refused,
    Reply,
    ReportFate,
    SenderName,
    Sink,
    StatusReport,
    Submission,
    SubmitError,
    Takes,
)
from drivers.providers.budget import Restraint
from drivers.providers.http import RAW_LIMIT, Answer, Client, check_url, is_secure, judge, mask
from drivers.providers.identity import attempt_id, client_id
from drivers.providers.limits import Window
from drivers.providers.link import Link, offer
from drivers.providers.listing import Language, asked, facts
from drivers.providers.outcomes import UNLISTED, Row, Then, elsewhere, error, look_up, not_expressible, rows
from drivers.providers.parallel import ParallelEndpoint, side_by_side
from drivers.providers.polling import longer
from drivers.registry import Environment

__all__ = ["CALL", "REPORT", "FreshmailDriver", "Options", "create", "parts_of", "read_records", "read_sent", "request"]

log = logging.getLogger("gsmbridge.provider")

PAGE = 1000  # records in one answer
MOST_PAGES = 100  # of one report list; a hundred thousand messages
SENDER_REST = 3600.0  # seconds for which a name that waits for approval is not offered
KEPT = 50_000  # messages whose last state is remembered, so that only news is passed on


class Options(ParallelEndpoint, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`auth`: "sign" with `api_key` and `api_secret`, or "bearer" with `token`. See the manual for each field."""

    url: str = "https://api.freshmail.com"
    auth: Literal["sign", "bearer"] = "sign"
    api_key: str = ""
    api_secret: str = ""
    token: str = ""
    sms_path: str = "/rest/sms"
    mms_path: str = "/rest/mms"  # lost in the vendor's document
    reports_path: str = "/rest/sms/reports"  # lost in the vendor's document
    ping_path: str = "/rest/ping"
    sender: str = ""  # registered signature (PRO), "2way" for messages that can be answered, "" = ECO
    single: bool = False  # have texts of more than one part refused
    foreign: bool = False  # the account may send outside Poland
    least_validity: int = 3600  # seconds; this gate cannot pass a validity on, so what has less left goes elsewhere
    zone: str = "Europe/Warsaw"  # of the dates in reports; not documented
    poll: bool = True
    poll_interval: float = 60.0  # seconds between two readings of the report list
    recent_days: int = 3  # read each time, by date of sending
    reply_days: int = 30  # read every `sweep_interval`, since answers come weeks later
    sweep_interval: float = 6 * 3600.0
    visible_after: float = 60.0  # seconds until a message that was taken is surely in the report list

    def __post_init__(self) -> None:
        super().__post_init__()
        check_url(self.url)
        if urlsplit(self.url).path.strip("/"):
            raise ValueError("url must not hold a path; the paths are options of their own")
        for name in ("sms_path", "mms_path", "reports_path", "ping_path"):
            if not re.fullmatch(r"/[\w./-]+", getattr(self, name)):
                raise ValueError(f"{name} must begin with / and hold letters, digits and . _ - / only")
        if self.auth == "sign" and not (self.api_key and self.api_secret):
            raise ValueError('api_key and api_secret are needed, or auth = "bearer" with token')
        if self.auth == "bearer" and not self.token:
            raise ValueError('auth = "bearer" needs token')
        try:
            ZoneInfo(self.zone)
        except (KeyError, ValueError, OSError):
            raise ValueError("zone is not the name of a time zone") from None
        if not 0 < self.poll_interval <= self.sweep_interval:
            raise ValueError("poll_interval must be above 0, sweep_interval at least as long")
        if not 1 <= self.recent_days <= self.reply_days <= 366:
            raise ValueError("recent_days must be at least 1, reply_days at least as many and at most 366")


# --- Outcomes ---------------------------------------------------------------------------------------------------------

_REJECTED, _U = ReportFate.REJECTED, ReportFate.UNKNOWN

CALL = rows({
    "1000 1004": Row(fate=_REJECTED, then=Then.PAUSE, meaning="key, sign or right is not accepted"),
    "1001 1002 1003": Row(fate=_REJECTED, then=Then.TRY_NEXT, alarm=True, meaning="a path or method is wrong"),
    "1101": Row(fate=_REJECTED, then=Then.PERMANENT, meaning="bad number"),
    "1102": Row(fate=_REJECTED, then=Then.PERMANENT, meaning="no text, or no subject of an MMS"),
    "1103": Row(fate=_REJECTED, then=Then.TRY_NEXT, meaning="too long"),
    "1104": Row(fate=_REJECTED, then=Then.TRY_NEXT, meaning="too long with special characters"),
    "1105": Row(fate=_REJECTED, then=Then.TRY_NEXT, meaning="the sender name does not exist"),
    "1106": Row(fate=_REJECTED, then=Then.TRY_NEXT, meaning="the sender name waits for approval"),
    "1107": Row(fate=_REJECTED, then=Then.TRY_NEXT, alarm=True, meaning="not UTF-8"),
    "1108": Row(fate=_REJECTED, then=Then.TRY_NEXT, meaning="too long for one part"),
    "1109": Row(fate=_REJECTED, then=Then.TRY_NEXT, meaning="too long for one part with special characters"),
    "1110": Row(fate=_REJECTED, then=Then.TRY_NEXT, meaning="subject too long"),
    "1150": Row(fate=_REJECTED, then=Then.PAUSE, meaning="the contract is not signed"),
})  # fmt: skip

# A "bad number" outside Poland: the gate may simply not serve it.
FOREIGN = rows({
    "1101 ERROR:INVALID_PHONE_NUMBER": Row(fate=_REJECTED, then=Then.TRY_NEXT, meaning="this number is not served"),
})  # fmt: skip

REPORT = rows({
    "NOT_FOUND": Row(fate=_U, reconcile=True, meaning="the gate does not know it, or its report is too old"),
    "QUEUE RENEWAL": Row(fate=ReportFate.ACCEPTED),
    "SENT ACCEPTED": Row(fate=ReportFate.SENT),
    "DELIVERED": Row(fate=ReportFate.DELIVERED),
    "UNDELIVERED FAILED": Row(fate=ReportFate.UNDELIVERED, then=Then.TRY_NEXT, meaning="not delivered"),
    "REJECTED": Row(fate=_REJECTED, then=Then.TRY_NEXT, meaning="not delivered"),
    "EXPIRED": Row(fate=ReportFate.EXPIRED, then=Then.TRY_NEXT, meaning="unavailable for too long"),
    "UNKNOWN": Row(fate=_U, meaning="no report from the operator"),
    "STOP": Row(fate=_REJECTED, then=Then.TRY_NEXT, meaning="stopped; the person may have opted out"),
    "ERROR ERROR:UNKNOWN_ERROR": Row(fate=_REJECTED, then=Then.TRY_NEXT, meaning="not sent"),
    "ERROR:INVALID_PHONE_NUMBER": Row(fate=_REJECTED, then=Then.PERMANENT, meaning="bad number"),
    "ERROR:WRONG_SENDER_NAME": Row(fate=_REJECTED, then=Then.TRY_NEXT, meaning="bad sender name"),
})  # fmt: skip


# --- Requests ---------------------------------------------------------------------------------------------------------

# The document's list of characters that are not special. Line feed, euro sign and Greek capitals are not among them.
PLAIN = frozenset(
    "@£$¥èéùìòÇØøÅå_^{}\\[~]| ÆæßÉ!\"#¤%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
PLAIN_LIMITS, SPECIAL_LIMITS = (160, 306, 459), (70, 134, 200)  # the third is 200, not 201
LONGEST_ID = 42
LONGEST_SUBJECT = 30
TWO_WAY = "2way"


def parts_of(text: str) -> int:
    """Parts as this gate counts them; 4 for a text that it would refuse."""
    length, limits = _measured(text)
    return 1 + sum(length > limit for limit in limits)


def request(s: Submission, o: Options) -> tuple[str, bytes]:
    """Path and body of a send. Raises `Refused` for what this gate cannot be told."""
    _check_flags(s, o)
    fields: dict[str, object] = {"gsm": _number(s.to, o)}
    match s.kind:
        case "text":
            path = o.sms_path
            fields |= _text(s, o)
        case "mms":
            path = o.mms_path
            fields |= _picture(s)
        case _:
            raise not_expressible("kind", f"FreshMail has no {s.kind} messages")
    try:
        return path, msgspec.json.encode(fields)
    except UnicodeEncodeError:
        raise Refused(
            "the text holds half of a character (a lone surrogate)", code="bad_text", cause=Cause.DEST, everywhere=True
        ) from None


def sign(path: str, body: bytes, *, api_key: str, api_secret: str) -> str:
    """`X-Rest-ApiSign`: over the very bytes that are sent, the path with its prefix and without host."""
    return sha1(api_key.encode() + path.encode() + body + api_secret.encode(), usedforsecurity=False).hexdigest()


def list_request(start: datetime, end: datetime, page: int) -> bytes:
    """Both times in the gate's zone."""
    form = "%Y-%m-%d %H:%M:%S"
    return msgspec.json.encode({"startDate": start.strftime(form), "endDate": end.strftime(form), "page": page})


LIST = Language(
    provider="FreshMail",
    criteria={"since": "startDate", "until": "endDate"},
    size=f"{PAGE} messages, and this cannot be chosen",
)


def page_request(query: MessageQuery, zone: ZoneInfo) -> bytes:
    """The body of a person's question to the report list. Raises `NotOffered`."""
    dates = asked(query, LIST, lambda at: f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}")
    return msgspec.json.encode({**dates, "page": query.page})


def _check_flags(s: Submission, o: Options) -> None:
    if s.message_class is not None:
        raise not_expressible("message_class", "FreshMail has no flash or other classes")
    if s.send_at is not None:
        raise not_expressible("send_at", "FreshMail cannot hold a message")
    if s.data is not None or s.udh or s.encoding is Encoding.BINARY or s.protocol_id or s.dcs is not None:
        raise not_expressible("data, udh, protocol_id, dcs", "FreshMail sends texts and pictures only")
    if s.reply_path or s.reject_duplicates:
        raise not_expressible("reply_path, reject_duplicates", "FreshMail has no such flags")
    if s.validity is not None and s.validity < o.least_validity:
        raise not_expressible(
            "validity", f"FreshMail has none, and the message is worth nothing after {s.validity} s (least_validity)"
        )


def _number(to: str, o: Options) -> str:
    digits = to.removeprefix("+")
    if not to.startswith("+") or not re.fullmatch(r"\d{11}", digits):
        raise not_expressible("to", "FreshMail takes numbers of 11 digits with their country code")
    if not digits.startswith("48") and not o.foreign:
        raise not_expressible("to", "FreshMail serves Polish numbers; set foreign when your account sends abroad")
    return to


def _text(s: Submission, o: Options) -> dict[str, object]:
    if unknown := s.options.keys() - {"single"}:
        raise not_expressible(f"options.{min(unknown)}", "FreshMail has no such parameter")
    text = (s.text or "").replace("\r\n", "\n").replace("\r", "\n")
    if not text:
        raise not_expressible("text", "a text message needs a text")
    single = o.single or s.options.get("single") == "1"
    length, limits = _measured(text)
    if length > (limits[0] if single else limits[-1]):
        allowed = limits[0] if single else limits[-1]
        raise not_expressible("text", f"{length} characters; FreshMail takes {allowed} of this kind")
    fields: dict[str, object] = {"text": text, "messageId": _id(s)}
    if sender := s.sender or o.sender:
        if sender != TWO_WAY and (len(sender) > 11 or set(sender) - PLAIN):
            raise not_expressible("sender", "at most 11 characters that are not special")
        fields["from"] = sender
    if single:
        fields["single"] = 1
    return fields


def _picture(s: Submission) -> dict[str, object]:
    if unknown := s.options.keys() - {"subject", "image", "url"}:
        raise not_expressible(f"options.{min(unknown)}", "FreshMail has no such parameter")
    subject, image = s.options.get("subject") or s.text or "", s.options.get("image") or s.options.get("url") or ""
    if s.text and s.text != subject:
        raise not_expressible("text", "an MMS here has a subject and a picture, no text")
    if s.sender:
        raise not_expressible("sender", "an MMS cannot name its sender here")
    if not 1 <= len(subject) <= LONGEST_SUBJECT:
        raise not_expressible("options.subject", f"an MMS needs a subject of at most {LONGEST_SUBJECT} characters")
    if not re.fullmatch(r"https?://[^\s/]+/?\S*", image):
        raise not_expressible("options.image", "an MMS needs the whole address of a picture that FreshMail can fetch")
    return {"subject": subject, "image": image, "messageId": _id(s)}


def _id(s: Submission) -> str:
    return client_id(s.attempt_id)[:LONGEST_ID]


def _measured(text: str) -> tuple[int, tuple[int, int, int]]:
    """Length as it is counted, and the limits of one, two and three parts."""
    if set(text) <= PLAIN:
        return len(text), PLAIN_LIMITS
    return len(text.encode("utf-16-le", "surrogatepass")) // 2, SPECIAL_LIMITS


# --- Answers ----------------------------------------------------------------------------------------------------------


def read_sent(answer: Answer, *, reference: str, foreign: bool = False, raw: str = "") -> Receipt:
    """An OK has no id of the provider: ours is the reference. Raises SubmitError."""
    read_ok(answer, foreign=foreign, raw=raw)
    return Receipt(reference=reference, raw=raw)


def read_ok(answer: Answer, *, foreign: bool = False, raw: str = "") -> dict[str, Any]:
    """The envelope of an answer that says OK. Raises SubmitError for all others."""
    content = _json(answer.body)
    codes = _codes(content)
    if content is not None and content.get("status") == "OK" and not codes and answer.status in (200, 201):
        return content
    if codes:
        code, row = worst(codes, foreign=foreign)
        raise error(row, code=f"freshmail_{code}", detail=f"FreshMail error {code}: {row.meaning}", raw=raw)
    if (by_status := judge(answer)) is not None:
        by_status.raw = raw
        raise by_status
    raise error(UNLISTED, code="unreadable", detail="neither OK nor an error in the answer", raw=raw)


def worst(codes: list[str], *, foreign: bool = False) -> tuple[str, Row]:
    """Several errors at once: what is permanent, then what stops the account, then any other known word."""
    table = {**CALL, **FOREIGN} if foreign else CALL
    order = (Then.PERMANENT, Then.PAUSE, Then.TRY_NEXT, Then.RETRY_LATER, Then.NOTHING)
    found = [(code, look_up(table, code)) for code in codes]
    return min(found, key=lambda pair: (pair[1] is UNLISTED, order.index(pair[1].then)))


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the report list. Times as they stand there."""

    message_id: str
    number: str
    status: str
    error: str = ""
    send_date: str
    modification_date: str = ""
    replies: tuple[tuple[str, str], ...] = ()  # text, time
    raw: str = ""

    @property
    def word(self) -> str:
        return f"{self.status}:{self.error}" if self.status == "ERROR" and self.error else self.status


def read_records(content: Mapping[str, Any]) -> tuple[list[Record], bool]:
    """The records of one page, whatever holds them, and whether it is the last page."""
    records = [_record(key, fields) for key, fields in _holding(content.get("data"), "send_date")]
    whole = content.get("allData")
    last = len(records) < PAGE if whole is None else str(whole).lower() in ("true", "1")
    return records, last or not records


def read_page(content: Mapping[str, Any], query: MessageQuery, *, zone: ZoneInfo) -> MessagePage:
    held = list(_holding(content.get("data"), "send_date"))
    _, last = read_records(content)
    items = tuple(_listed(key, fields, zone=zone) for key, fields in held)
    return MessagePage(items=items, page=query.page, more=not last)


_SHOWN = ("messageId", "gsm", "status", "error", "send_date", "modification_date")


def _listed(key: str, fields: dict[str, Any], *, zone: ZoneInfo) -> ListedMessage:
    record = _record(key, fields)
    told = report_of(record, sim="", zone=zone)
    return ListedMessage(
        reference=record.message_id,
        to=f"+48{record.number}" if len(record.number) == 9 else told.recipient,
        fate=told.fate or _U,
        code=told.code,
        detail=told.detail,
        sent_at=told.submitted_at,
        changed_at=told.discharged_at,
        facts=facts(fields, _SHOWN) | ({"replies": str(len(record.replies))} if record.replies else {}),
    )


def report_of(record: Record, *, sim: str, zone: ZoneInfo) -> StatusReport:
    row = _row(record)
    return StatusReport(
        sim=sim,
        pdu=record.raw,
        fingerprint=_fingerprint(sim, record.message_id, record.word, record.modification_date),
        recipient=f"+{record.number}" if record.number else "",
        submitted_at=_moment(record.send_date, zone),
        discharged_at=_moment(record.modification_date, zone),
        reference=record.message_id,
        attempt_id=attempt_id(record.message_id),
        fate=row.fate,
        elsewhere=elsewhere(row),
        code=record.word,
        detail=row.meaning,
    )


def _row(record: Record) -> Row:
    if record.word in FOREIGN and len(record.number) > 9 and not record.number.startswith("48"):
        return FOREIGN[record.word]
    row = look_up(REPORT, record.word)
    return look_up(REPORT, "ERROR") if row is UNLISTED and record.status == "ERROR" else row


def replies_of(record: Record, *, sim: str, zone: ZoneInfo) -> list[Incoming]:
    """Answers to a 2WAY message. The time is part of the key, so equal answers at two times stay two."""
    return [
        Incoming(
            sim=sim,
            pdu=record.raw,
            fingerprint=_fingerprint(sim, "reply", record.message_id, at, text),
            sender=f"+{record.number}" if record.number else "",
            text=text,
            sent_at=_moment(at, zone),
            answers=attempt_id(record.message_id) or record.message_id,
            note=f"answers {record.message_id}",
        )
        for text, at in record.replies
    ]


_DEEPEST = 12  # levels below the root in which records and replies are looked for; the document shows four
_NUMBER = re.compile(r"\+?\d{2,15}")
_STATES = frozenset(word for word in REPORT if ":" not in word)


def _holding(content: object, name: str, key: str = "", depth: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object that has a field `name`, with the key under which it stands."""
    if depth > _DEEPEST:
        return
    if isinstance(content, dict):
        if name in content:
            yield key, content
            return
        for inner, value in content.items():
            yield from _holding(value, name, str(inner), depth + 1)
    elif isinstance(content, list):
        for value in content:
            yield from _holding(value, name, "", depth + 1)


def _record(key: str, fields: dict[str, Any]) -> Record:
    """The names of id, number and state were lost in the document: the likely ones first, then what looks like one."""
    plain = {name.lower().replace("_", ""): str(v) for name, v in fields.items() if isinstance(v, str | int | float)}
    rest = {name: value for name, value in plain.items() if name not in ("senddate", "modificationdate", "error")}
    status = plain.get("status") or next((v for v in rest.values() if v.upper() in _STATES), "")
    number = plain.get("gsm") or next((plain[n] for n in ("phone", "number", "to", "msisdn") if plain.get(n)), "")
    number = number or next((v for n, v in rest.items() if n != "messageid" and _NUMBER.fullmatch(v)), "")
    replies = tuple(
        (str(reply["text"]), str(reply["time"]))
        for name, value in fields.items()
        if isinstance(value, dict | list)
        for _, reply in _holding(value, "time", name)
        if "text" in reply
    )
    return Record(
        message_id=plain.get("messageid") or key,
        number=number.lstrip("+"),
        status=status.upper(),
        error=plain.get("error", "").upper(),
        send_date=plain.get("senddate", ""),
        modification_date=plain.get("modificationdate", ""),
        replies=replies,
        raw=msgspec.json.encode(fields).decode()[:RAW_LIMIT],
    )


def _json(body: bytes) -> dict[str, Any] | None:
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _codes(content: Mapping[str, Any] | None) -> list[str]:
    errors = (content or {}).get("errors")
    if isinstance(errors, dict):
        errors = list(errors.values()) if "code" not in errors else [errors]
    if not isinstance(errors, list):
        return []
    return [str(one["code"]).strip() for one in errors if isinstance(one, dict) and "code" in one]


def _moment(text: str, zone: ZoneInfo) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _fingerprint(*parts: str) -> str:
    return sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


# --- The driver -------------------------------------------------------------------------------------------------------


def create(channel: str, options: object, environment: Environment) -> FreshmailDriver:
    if not isinstance(options, Options):
        raise TypeError("the options of freshmail are wanted")
    return FreshmailDriver(channel, options, monotonic=environment.monotonic)


class FreshmailDriver:
    """One account. Reports and answers are read from the list; the gate calls nobody."""

    evidence = Evidence(report=True, look_up=True)

    def __init__(
        self,
        channel: str,
        options: Options,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._o = options
        self._channel = channel
        self.capabilities = Capabilities(
            takes=Takes.MESSAGE,
            encodings=frozenset({Encoding.GSM7, Encoding.UCS2}),
            classes=False,
            validity=False,
            sender=True,
            own_udh=False,
            bulk=options.parallel,
        )
        self._monotonic = monotonic
        self._wall = wall
        self._zone = ZoneInfo(options.zone)
        self._url = check_url(options.url)
        secrets = (options.api_key, options.api_secret, options.token)
        self._client = Client(options, secrets=secrets, secure=is_secure(options.url), restraint=Restraint(monotonic))
        self._link = Link(channel, self._check, monotonic=monotonic, model="FreshMail")
        self._sent = Window(1, options.visible_after, monotonic)  # what `look_up` must not call absent yet
        self._unapproved = Window(1, SENDER_REST, monotonic)  # sender names that wait for approval
        self._told: OrderedDict[str, str] = OrderedDict()  # message or reply -> what was passed on of it last
        self._signs: OrderedDict[str, None] = OrderedDict()  # ids of ours that cannot be told from others by their form

    async def run(self, sink: Sink) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._link.run(sink))
                if self._o.poll:
                    tasks.create_task(self._poll(sink))
        finally:
            await self._client.close()

    async def submit(self, submission: Submission) -> Receipt:
        self._link.require()
        path, body = request(submission, self._o)
        sender = (submission.sender or self._o.sender) if submission.kind == "text" else ""
        if (rest := self._unapproved.wait(sender)) > 0:
            raise Refused(
                f"the sender name waits for approval; it is offered again in {rest:.0f} s",
                code="freshmail_1106",
                cause=Cause.DEST,
            )
        reference = _id(submission)
        self._sent.note(reference)
        self._remember(self._signs, reference)
        try:
            answer = await self._post(path, body)
            receipt = read_sent(
                answer, reference=reference, foreign=not submission.to.startswith("+48"), raw=self._raw(answer)
            )
        except SubmitError as failure:
            self._link.failed(failure)
            if failure.code == "freshmail_1106":
                self._unapproved.note(sender)
            raise
        self._link.worked()
        if submission.kind != "text":
            return receipt
        return msgspec.structs.replace(receipt, parts=parts_of(submission.text or ""))

    async def submit_many(self, submissions: Sequence[Submission]) -> list[Receipt | SubmitError]:
        return await side_by_side(self.submit, submissions)

    async def look_up(self, submission: Submission) -> Found | Absent | CannotTell:
        reference = _id(submission)
        asked = self._sent.known(reference)
        wait = self._sent.wait(reference)
        if not asked:
            self._sent.note(reference)
        try:
            record = await self._find(reference, days=2)
        except SubmitError as failure:
            return CannotTell(reason=failure.detail)
        if record is not None:
            if record.word == "NOT_FOUND":
                return CannotTell(reason="FreshMail lists it as not found")
            return Found(receipt=Receipt(reference=reference, raw=record.raw))
        if not asked or wait > 0:
            return CannotTell(reason=f"not in the report list yet; it may need {self._o.visible_after:.0f} s to appear")
        return Absent()

    async def health(self) -> Health:
        link = self._link
        return Health(state=link.state, reason=link.reason, model="FreshMail", errors_in_row=link.errors_in_row)

    # --- The account --------------------------------------------------------------------------------------------------

    async def balance(self) -> Balance:
        raise NotOffered("FreshMail tells no balance by its API; serwersms, clickatell, mobizon and smsc do")

    async def quote(self, submission: Submission) -> Quote:
        raise NotOffered("FreshMail tells no price by its API; smsc does")

    async def senders(self) -> list[SenderName]:
        raise NotOffered(
            "FreshMail's API only takes a sender name and lists none: the registered signatures are in its panel; "
            "serwersms and mobizon have a list"
        )

    async def status(self, reference: str, to: str) -> StatusReport:
        """UNKNOWN with code NOT_FOUND when the list of the last `reply_days` days does not have it."""
        record = await self._find(reference, days=self._o.reply_days)
        if record is None:
            record = Record(message_id=reference, number=to.removeprefix("+"), status="NOT_FOUND", send_date="")
        return report_of(record, sim=self._channel, zone=self._zone)

    async def messages(self, query: MessageQuery) -> MessagePage:
        answer = await self._post(self._o.reports_path, page_request(query, self._zone))
        return read_page(read_ok(answer, raw=self._raw(answer)), query, zone=self._zone)

    async def cancel(self, reference: str, to: str) -> bool:
        raise NotOffered("FreshMail cannot take a message back; serwersms, clickatell and mobizon can")

    async def subscriber(self, number: str) -> Lookup:
        raise NotOffered("FreshMail has no number look-up; smsc and serwersms have one")

    def called(self, call: Call) -> Reply:
        raise Forged("FreshMail calls nobody; its reports are read from its list")

    # --- Below --------------------------------------------------------------------------------------------------------

    async def _post(self, path: str, body: bytes, method: str = "POST") -> Answer:
        headers = {"Content-Type": "application/json"}
        if self._o.auth == "bearer":
            headers["Authorization"] = f"Bearer {self._o.token}"
        else:
            headers["X-Rest-ApiKey"] = self._o.api_key
            headers["X-Rest-ApiSign"] = sign(path, body, api_key=self._o.api_key, api_secret=self._o.api_secret)
        return await self._client.request(method, self._url + path, content=body, headers=headers)

    async def _check(self) -> None:
        answer = await self._post(self._o.ping_path, b"", "GET")
        read_ok(answer, raw=self._raw(answer))

    async def _find(self, message_id: str, *, days: int) -> Record | None:
        async for record in self._records(days):
            if record.message_id == message_id:
                return record
        return None

    async def _records(self, days: int) -> AsyncIterator[Record]:
        """Of the last days, by date of sending; an hour ahead too, in case the clocks differ. Raises SubmitError, also
        when the list has more pages than we read."""
        now = datetime.fromtimestamp(self._wall(), self._zone)
        start, end = now - timedelta(days=days), now + timedelta(hours=1)
        for page in range(1, MOST_PAGES + 1):
            answer = await self._post(self._o.reports_path, list_request(start, end, page))
            records, last = read_records(read_ok(answer, raw=self._raw(answer)))
            for record in records:
                yield record
            if last:
                return
        raise MaybeSent(f"the report list has more than {MOST_PAGES} pages", code="too_long", cause=Cause.DOUBT)

    async def _poll(self, sink: Sink) -> None:
        failed = 0
        swept: float | None = None
        while True:
            await asyncio.sleep(longer(self._o.poll_interval, failed))
            if self._link.state is not LinkState.UP:
                continue
            now = self._monotonic()
            sweep = swept is None or now - swept >= self._o.sweep_interval
            try:
                async for record in self._records(self._o.reply_days if sweep else self._o.recent_days):
                    await self._pass_on(record, sink)
            except SubmitError as failure:
                log.log(logging.DEBUG if failed else logging.WARNING, "report_poll_failed code=%s", failure.code)
                failed += 1
                continue
            failed = 0
            swept = now if sweep else swept

    async def _pass_on(self, record: Record, sink: Sink) -> None:
        """Only what is ours and new: an account may have other users."""
        if attempt_id(record.message_id) is None and record.message_id not in self._signs:
            return
        events: list[tuple[str, str, Event]] = []
        report = report_of(record, sim=self._channel, zone=self._zone)
        if report.fate is not _U:
            events.append((record.message_id, report.fingerprint, report))
        replies = replies_of(record, sim=self._channel, zone=self._zone)
        events += [(reply.fingerprint, reply.fingerprint, reply) for reply in replies]
        for key, print, event in events:
            if self._told.get(key) != print:
                await offer(sink, event)
                self._remember(self._told, key, print)

    def _remember(self, kept: OrderedDict[str, Any], key: str, value: str | None = None) -> None:
        kept[key] = value
        kept.move_to_end(key)
        while len(kept) > KEPT:
            kept.popitem(last=False)

    def _raw(self, answer: Answer) -> str:
        return mask(answer.text, self._client.secrets)[:RAW_LIMIT]
