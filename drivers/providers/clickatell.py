"""Clickatell's legacy SOAP API, document/literal: sendmsg and its companions.

Every answer is one or more lines of text: "ID: ...", "ERR: 105, ..." and, when several numbers were given, " To: ..."
behind each. HTTP says 200 to errors too. Codes are kept as three characters; the wording behind them is never read.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from hashlib import sha256
from urllib.parse import parse_qsl

import msgspec

from drivers.contract import (
    Absent,
    Balance,
    Call,
    CannotTell,
    Capabilities,
    Cause,
    Driver,
    Encoding,
    Event,
    Evidence,
    Followed,
    Forged,
    Found,
    Health,
    Incoming,
    IncomingKind,
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
from drivers.gsm import PduError, segments
from drivers.providers.budget import Restraint
from drivers.providers.http import Client, check_url, is_secure
from drivers.providers.identity import attempt_id, client_id
from drivers.providers.limits import Window
from drivers.providers.link import Link
from drivers.providers.lists import ListsMark
from drivers.providers.outcomes import Row, Then, elsewhere, error, look_up, not_expressible, rows
from drivers.providers.parallel import ParallelEndpoint, side_by_side
from drivers.providers.polling import FIRST_WAIT, KEPT, Open, OpenMessages, poll
from drivers.providers.soap import Reply as SoapReply
from drivers.providers.soap import Soap, clean
from drivers.providers.xml import Hostile, parse
from drivers.registry import Environment

__all__ = ["ERRORS", "STATUS", "ClickatellDriver", "Line", "Options", "create", "read_lines", "request"]

CANCELLED = "006"
MOST_NUMBERS = 300  # in one request
LONGEST_DELAY = 10_080  # minutes
# Times of replies have no zone; they are UTC+2 all year.
MO_ZONE = timezone(timedelta(hours=2))


class Options(ParallelEndpoint, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """See the manual for each field."""

    api_id: int
    user: str
    password: str
    url: str = "https://api.clickatell.com/soap/document_literal/webservice"
    session: bool = False  # log in once and send the session's id in place of the three credentials
    sender: str = ""  # when a message names none
    callback: int = 7  # which reports are pushed to us, 0-7; 7 = all
    deliv_ack: bool = False  # ask for an acknowledgement of delivery besides
    max_parts: int = 3  # longer texts are refused before the wire
    max_credits: int = 0  # price ceiling of one message; 0 = none
    queue: int = 0  # 1 high to 3 low; 0 = the account's
    escalate: bool = False  # change to another gateway when delayed
    mo: bool = False  # only routes that keep the sender, so that replies arrive
    req_feat: int = 0  # sum of features that a route must have
    data_field: bool = False  # octets of binary messages in `data` in place of `text`
    lists: bool = False  # one text to many numbers in one request; after a lost answer nobody can ask about them
    poll: bool = True  # ask for the fate of messages; codes 006, 008, 011 and 014 are never pushed
    poll_interval: float = 1.0  # seconds between two such questions
    poll_after: float = FIRST_WAIT  # seconds from a send to the first question about it; later ones come ever later
    visible_after: float = 60.0  # seconds after which an unknown message is proven absent
    callback_user: str = ""  # HTTP Basic of the calls to us; "" = none
    callback_password: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_url(self.url)
        if not (self.user and self.password):
            raise ValueError("give user and password")
        if not 0 <= self.callback <= 7 or not 0 <= self.queue <= 3:
            raise ValueError("callback is 0 to 7 and queue 0 to 3")
        if not 1 <= self.max_parts <= 255 or min(self.poll_interval, self.poll_after) <= 0:
            raise ValueError("max_parts is 1 to 255, poll_interval and poll_after above 0")
        if bool(self.callback_user) != bool(self.callback_password):
            raise ValueError("callback_user and callback_password belong together")


# --- What its words mean ----------------------------------------------------------------------------------------------

_R, _U = ReportFate.REJECTED, ReportFate.UNKNOWN


def _no(then: Then, meaning: str, *, alarm: bool = False, delay: float | None = None) -> Row:
    return Row(fate=_R, then=then, alarm=alarm, delay=delay, meaning=meaning)


ERRORS = rows({
    "001": _no(Then.PAUSE, "authentication failed"),
    "002": _no(Then.PAUSE, "unknown user or wrong password"),
    "003": _no(Then.PAUSE, "the session has expired"),  # after a new one has been tried
    "004": _no(Then.PAUSE, "the account is frozen"),
    "005": _no(Then.PAUSE, "no session"),
    "007": _no(Then.PAUSE, "our address is not allowed"),
    "100": _no(Then.TRY_NEXT, "malformed data", alarm=True),
    "101": _no(Then.TRY_NEXT, "a parameter is missing or wrong", alarm=True),
    "102": _no(Then.TRY_NEXT, "bad user-data header", alarm=True),
    "105": _no(Then.PERMANENT, "bad number"),
    "106": _no(Then.TRY_NEXT, "the sender is not registered here"),
    "107": _no(Then.PERMANENT, "the text is empty"),
    "108": _no(Then.PAUSE, "api_id is missing or wrong"),
    "113": _no(Then.TRY_NEXT, "too many parts"),
    "114": _no(Then.TRY_NEXT, "no route"),
    "115": Row(fate=ReportFate.EXPIRED, then=Then.TRY_NEXT, meaning="expired"),
    "116": _no(Then.TRY_NEXT, "bad Unicode data", alarm=True),
    "120": _no(Then.TRY_NEXT, "bad delivery time", alarm=True),
    "121": _no(Then.TRY_NEXT, "the number is blocked"),
    "122": _no(Then.PERMANENT, "the person has opted out"),
    "123": _no(Then.TRY_NEXT, "bad sender"),
    "128": _no(Then.PERMANENT, "the number is delisted"),
    "130": _no(Then.PAUSE, "the account's limit is used up", delay=3600),
    "201": _no(Then.TRY_NEXT, "unknown batch", alarm=True),
    "202": _no(Then.TRY_NEXT, "a batch without a template", alarm=True),
    "301": _no(Then.PAUSE, "no credit"),
    "302": _no(Then.TRY_NEXT, "over the price ceiling of this message"),
    "901": Row(fate=_U, reconcile=True, meaning="an internal error"),
})  # fmt: skip

# Of questions about a message: 104 proves that it is not there.
QUESTIONS = rows({
    "103": Row(fate=_U, reconcile=True, alarm=True, meaning="unknown message id"),
    "104": Row(fate=_U, reconcile=True, meaning="unknown client id"),
    "109": Row(fate=_U, reconcile=True, alarm=True, meaning="no message id"),
})  # fmt: skip

STATUS = rows({
    "001": Row(fate=_U, reconcile=True, meaning="unknown, or the report is delayed"),
    "002 008 011": Row(fate=ReportFate.ACCEPTED, meaning="with the provider"),
    "003": Row(fate=ReportFate.SENT, meaning="handed to the operator"),
    "004": Row(fate=ReportFate.DELIVERED, meaning="received by the handset"),
    "005": _no(Then.TRY_NEXT, "an error in the message"),
    "006": _no(Then.TRY_NEXT, "cancelled"),
    "007": Row(fate=ReportFate.UNDELIVERED, then=Then.TRY_NEXT, meaning="error while delivering"),
    "009": Row(fate=ReportFate.UNDELIVERED, then=Then.TRY_NEXT, meaning="error while routing"),
    "010": Row(fate=ReportFate.EXPIRED, then=Then.TRY_NEXT, meaning="expired"),
    "012": _no(Then.PAUSE, "no credit"),
    "014": _no(Then.PAUSE, "the account's limit is used up"),
})  # fmt: skip


# --- Requests ---------------------------------------------------------------------------------------------------------

_SENDER = re.compile(r"[A-Za-z0-9 ._-]{1,11}|\+?[0-9]{1,16}")
_NUMBER = re.compile(r"\+([1-9][0-9]{2,14})")
_NUMBERS: Mapping[str, tuple[int, int]] = {
    "callback": (0, 7),
    "concat": (1, 255),
    "deliv_time": (0, LONGEST_DELAY),
    "max_credits": (1, 1_000_000),
    "queue": (1, 3),
    "escalate": (0, 1),
    "mo": (0, 1),
    "req_feat": (1, 65_535),
    "deliv_ack": (0, 1),
}
_PUSH = ("url", "si_id", "si_created", "si_expires", "si_action")


def request(s: Submission, o: Options, *, now: datetime) -> tuple[str, dict[str, object]]:
    """The operation and its fields, credentials and our id aside. Raises `Refused` for what cannot be said here."""
    number = _NUMBER.fullmatch(s.to)
    if number is None:
        raise not_expressible("to", "Clickatell wants an international number; it knows no short codes")
    if s.protocol_id or s.dcs is not None or s.reply_path or s.reject_duplicates:
        raise not_expressible("protocol_id, dcs, reply_path, reject_duplicates", "Clickatell has no such parameters")
    fields: dict[str, object] = {"to": [number[1]], **_numbers(s, o)}
    operation = "sendmsg"
    match s.kind:
        case "text":
            fields |= _text(s, o)
        case "binary":
            fields |= _binary(s, o)
        case "wap_push":
            operation = "si_push"
            fields |= _push(s)
        case _:
            raise not_expressible("kind", f"Clickatell has no {s.kind} messages here")
    if s.message_class == 0 and s.kind == "text":
        fields["msg_type"] = "SMS_FLASH"
    elif s.message_class is not None:
        raise not_expressible("message_class", "Clickatell knows flash texts (0) only")
    if sender := s.sender or o.sender:
        if not _SENDER.fullmatch(sender):
            raise not_expressible("sender", "at most 11 letters, digits and blanks, or 16 digits")
        fields["from"] = sender.removeprefix("+")
    if s.report and o.callback and "msg_callback" not in fields:
        fields["msg_callback"] = o.callback
    if s.validity is not None:
        if s.validity < 60:
            raise not_expressible("validity", "less than a minute is left")
        fields["validity"] = s.validity // 60
    if s.send_at is not None:
        minutes = max(0, round((s.send_at - now).total_seconds() / 60))
        if minutes > LONGEST_DELAY:
            raise not_expressible("send_at", "more than seven days ahead")
        fields["deliv_time"] = minutes
    return operation, fields


def _text(s: Submission, o: Options) -> dict[str, object]:
    text = clean(s.text or "")
    if not text:
        raise not_expressible("text", "a text message needs a text")
    if s.udh:
        raise not_expressible("udh", "only with a binary message")
    encoding = Encoding.UCS2 if s.encoding is Encoding.UCS2 else None
    try:
        plan = segments.plan(text, encoding=encoding)
    except PduError as failure:
        raise not_expressible("text", str(failure)) from None
    fields: dict[str, object] = {"text": text}
    if plan.encoding is Encoding.UCS2:
        fields = {"text": text.encode("utf-16-be").hex(), "unicode": 1}
    if plan.parts > o.max_parts:
        raise not_expressible("text", f"{plan.parts} parts; this channel sends at most {o.max_parts}")
    if plan.parts > 1 and "concat" not in s.options:
        fields["concat"] = plan.parts  # without it a long text is refused (113)
    return fields


def _binary(s: Submission, o: Options) -> dict[str, object]:
    if s.data is None:
        raise not_expressible("data", "a binary message needs its octets")
    if s.udh:
        # With its length, as in the document's example. The header is what makes `text` hex digits.
        header = (bytes([len(s.udh)]) + s.udh).hex().upper()
        fields: dict[str, object] = {"udh": header, "data" if o.data_field else "text": s.data.hex().upper()}
    else:
        fields = {"data": s.data.hex().upper()}
    if len(s.data) + len(s.udh) + 1 > 140:
        raise not_expressible("data", "header and octets do not fit one message of 140")
    return fields


def _push(s: Submission) -> dict[str, object]:
    url = s.options.get("url", "")
    if not url:
        raise not_expressible("options.url", "a WAP push needs its link")
    fields: dict[str, object] = {
        "si_id": s.options.get("si_id", client_id(s.attempt_id)),
        "si_url": clean(url),
        "si_text": clean(s.text or ""),
    }
    for name in ("si_created", "si_expires", "si_action"):
        if name in s.options:
            fields[name] = clean(s.options[name])
    return fields


def _numbers(s: Submission, o: Options) -> dict[str, object]:
    fields: dict[str, object] = {}
    if o.max_credits:
        fields["max_credits"] = o.max_credits
    if o.req_feat:
        fields["req_feat"] = o.req_feat
    if o.queue:
        fields["queue"] = o.queue
    for name in ("escalate", "mo", "deliv_ack"):
        if getattr(o, name):
            fields[name] = 1
    for name, value in s.options.items():
        if s.kind == "wap_push" and name in _PUSH:
            continue
        if name not in _NUMBERS:
            raise not_expressible(f"options.{name}", "Clickatell has no such parameter for this kind of message")
        low, high = _NUMBERS[name]
        if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
            raise not_expressible(f"options.{name}", f"a number from {low} to {high}")
        fields["msg_callback" if name == "callback" else name] = int(value)
    return fields


# --- Answers ----------------------------------------------------------------------------------------------------------


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an answer: `id` or `error`, and what else stood in it."""

    id: str = ""
    error: str = ""  # three characters
    detail: str = ""
    to: str = ""
    status: str = ""
    charge: Decimal | None = None
    rest: str = ""


_ERR = re.compile(r"\s*ERR\s*:\s*(\d{3})\s*,?\s*(.*?)\s*(?:\bTo\s*:\s*\+?(\d+))?\s*", re.IGNORECASE | re.DOTALL)
_KEY = re.compile(r"\b(ID|apiMsgId|To|Status|Charge|Credit|OK)\s*:\s*(\S+)", re.IGNORECASE)
_UNTIL = re.compile(r"\b(1\d{9})\b")


def read_lines(returned: Sequence[str | None]) -> list[Line]:
    """The texts of the `return` elements. Raises ValueError when there is none, or one without a text."""
    texts = [text for text in returned if text]
    if not texts or len(texts) != len(returned):
        raise ValueError("no lines")
    return [_line(t) for t in texts]


def _line(text: str) -> Line:
    if found := _ERR.fullmatch(text):
        return Line(error=found[1], detail=found[2][:200], to=found[3] or "", rest=text)
    keys = {name.lower(): value for name, value in reversed(_KEY.findall(text))}
    charge = keys.get("charge") or keys.get("credit")
    return Line(
        id=keys.get("id") or keys.get("apimsgid") or "",
        to=keys.get("to", "").lstrip("+"),
        status=keys.get("status", ""),
        charge=_decimal(charge),
        rest=text,
    )


def read_send(lines: Sequence[Line], numbers: Sequence[str], *, raw: str, wall: float) -> list[Receipt | SubmitError]:
    """One outcome a number. Lines are matched by "To:"; without it by order, when there are as many as numbers. A
    number without a line is in doubt."""
    by_number: dict[str, Line] = {}
    for line in lines:
        if line.to:
            by_number.setdefault(line.to, line)
    if not by_number and len(lines) == len(numbers):
        by_number = dict(zip(numbers, lines, strict=True))
    return [_outcome(by_number.get(n), raw, wall) for n in numbers]


def _outcome(line: Line | None, raw: str, wall: float) -> Receipt | SubmitError:
    if line is None:
        return MaybeSent("the answer does not name this number", code="no_line", cause=Cause.DOUBT, raw=raw)
    if line.error:
        return failure_of(line, raw=raw, wall=wall)
    if line.id:
        return Receipt(reference=line.id, raw=line.rest)
    return MaybeSent("neither an id nor an error in the answer", code="no_id", cause=Cause.DOUBT, raw=raw)


def failure_of(line: Line, *, raw: str, wall: float = 0.0) -> SubmitError:
    """`wall`: Unix time now, for the limit that ends at a time named in the text."""
    row = look_up(ERRORS, line.error)
    if line.error == "130" and (until := _UNTIL.search(line.detail)):
        row = msgspec.structs.replace(row, delay=min(max(float(until[1]) - wall, 60.0), 86_400.0))
    return error(row, code=f"clickatell_{line.error}", detail=f"Clickatell {line.error}: {row.meaning}", raw=raw)


def _decimal(text: str | None) -> Decimal | None:
    return Decimal(text) if text is not None and re.fullmatch(r"-?\d{1,12}(\.\d{1,9})?", text) else None


def report(line: Line, *, reference: str, to: str, sim: str) -> StatusReport:
    row = look_up(STATUS, line.status)
    return StatusReport(
        sim=sim,
        pdu=line.rest,
        fingerprint=_fingerprint(sim, reference, line.status, str(line.charge)),
        recipient=to,
        reference=line.id or reference,
        fate=row.fate,
        elsewhere=elsewhere(row),
        code=line.status,
        detail=row.meaning,
        cost=line.charge,
        currency="credits",
    )


# --- Calls to us ------------------------------------------------------------------------------------------------------


def read_callback(call: Call, *, o: Options, sim: str) -> Event:
    """A status callback or a reply, as form, XML, SOAP or JSON. Neither is signed. Raises `Forged`."""
    _check_login(call, o)
    fields, raw = _fields(call)
    api = fields.get("api_id", "")
    if api and api != str(o.api_id):
        raise Forged("for another api_id")
    id = fields.get("apimsgid") or fields.get("momsgid", "")
    if "status" in fields and id:
        status = fields["status"].strip().zfill(3)
        row = look_up(STATUS, status)
        ours = fields.get("climsgid", "")
        return StatusReport(
            sim=sim,
            pdu=raw,
            fingerprint=_fingerprint(sim, id, status, fields.get("timestamp", "")),
            recipient=_plus(fields.get("to", "")),
            reference=id,
            attempt_id=attempt_id(ours),
            fate=row.fate,
            elsewhere=elsewhere(row),
            code=status,
            detail=row.meaning,
            discharged_at=_unix(fields.get("timestamp", "")),
            cost=_decimal(fields.get("charge")),
            currency="credits",
        )
    if fields.get("momsgid") and "from" in fields:
        return _incoming(fields, raw, sim)
    raise Forged("neither a report nor a reply")


def _incoming(fields: Mapping[str, str], raw: str, sim: str) -> Incoming:
    """Names are lower case; the text came as octets, one a character, in `charset`."""
    octets = fields.get("text", "").encode("latin-1", "replace")
    charset = fields.get("charset", "") or "UTF-8"
    udh = re.sub(r"[^0-9A-Fa-f]", "", fields.get("udh", ""))
    text: str | None
    try:
        text, note = octets.decode(charset), ""
    except (LookupError, UnicodeError):
        text, note = octets.decode("utf-8", "replace"), f"not readable as {charset[:20]}"
    if fields.get("to"):
        note = f"{note}; to {fields['to']}".lstrip("; ")
    if udh:
        note = f"{note}; udh {udh[:280]}".lstrip("; ")
    return Incoming(
        sim=sim,
        pdu=raw,
        fingerprint=_fingerprint(sim, fields["momsgid"]),
        kind=IncomingKind.TEXT,
        sender=_plus(fields["from"]),
        text=text,
        encoding=Encoding.UCS2 if charset.upper().startswith("UTF-16") else Encoding.GSM7,
        sent_at=_mo_time(fields.get("timestamp", "")),
        note=note,
    )


def _fields(call: Call) -> tuple[dict[str, str], str]:
    """Names in lower case; values of forms as octets, one a character, other values the same way."""
    body = call.body.strip()
    kind = call.headers.get("content-type", "")
    if body.startswith(b"<") or "xml" in kind:
        return _from_xml(body), body.decode("utf-8", "replace")
    if body.startswith(b"{") or "json" in kind:
        try:
            found = msgspec.json.decode(body, type=dict[str, object])
        except msgspec.DecodeError:
            raise Forged("not JSON") from None
        inner = found.get("data", found)
        pairs: Iterable[tuple[str, object]] = inner.items() if isinstance(inner, dict) else ()
        return {k.lower(): _octets(str(v)) for k, v in pairs if v is not None}, body.decode("utf-8", "replace")
    raw = "&".join(filter(None, (call.query.decode("latin-1"), body.decode("latin-1"))))
    try:
        form = dict(reversed(parse_qsl(raw, keep_blank_values=True, encoding="latin-1", max_num_fields=50)))
    except ValueError:
        raise Forged("not a form") from None
    if form.get("data", "").lstrip().startswith("<"):
        return _from_xml(form["data"].strip().encode("latin-1")), raw
    return {k.lower(): v for k, v in form.items()}, raw


def _from_xml(body: bytes) -> dict[str, str]:
    try:
        root = parse(body)
    except Hostile as refusal:
        raise Forged(str(refusal)) from None
    leaves = [e for e in root.iter() if isinstance(e.tag, str) and not len(e)]
    return {e.tag.rpartition("}")[2].lower(): _octets(e.text or "") for e in leaves}


def _octets(text: str) -> str:
    return text.encode().decode("latin-1")


def _check_login(call: Call, o: Options) -> None:
    if not o.callback_user:
        return
    kind, _, value = call.headers.get("authorization", "").partition(" ")
    try:
        given = b64decode(value, validate=True) if kind.lower() == "basic" else b""
    except (NotBase64, ValueError):
        given = b""
    if not hmac.compare_digest(given, f"{o.callback_user}:{o.callback_password}".encode()):
        raise Forged("wrong user or password")


def _plus(number: str) -> str:
    digits = number.strip().lstrip("+")
    return f"+{digits}" if digits.isdigit() and len(digits) > 7 else number.strip()


def _unix(text: str) -> datetime | None:
    return datetime.fromtimestamp(int(text), UTC) if re.fullmatch(r"\d{1,11}", text) else None


def _mo_time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d %H:%M:%S").replace(tzinfo=MO_ZONE)
    except ValueError:
        return None


def _fingerprint(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()


def _utc_now() -> datetime:
    return datetime.now(UTC)


# --- The driver -------------------------------------------------------------------------------------------------------


class ClickatellDriver:
    """One account. Credits are no money: costs and the balance are counted in "credits"."""

    evidence = Evidence(report=True, look_up=True)

    def __init__(
        self,
        channel: str,
        options: Options,
        *,
        monotonic: Callable[[], float],
        now: Callable[[], datetime] = _utc_now,
        mark: ListsMark | None = None,
    ) -> None:
        self._mark = mark or ListsMark(None)
        self._o = options
        self._channel = channel
        bulk = MOST_NUMBERS if options.lists else options.parallel
        self.capabilities = Capabilities(takes=Takes.MESSAGE, sender=True, bulk=bulk)
        self._now = now
        self._client = Client(
            options,
            secrets=[options.password, options.callback_password],
            secure=is_secure(options.url),
            restraint=Restraint(monotonic),
        )
        self._soap = Soap(self._client, options.url, wsdl="clickatell_document_literal.wsdl")
        self._link = Link(channel, self._check, monotonic=monotonic, model="Clickatell")
        self._open = OpenMessages(monotonic, first=options.poll_after)
        self._sent = Window(1, options.visible_after, monotonic)
        self._session = ""
        self._out_of_credit = False
        self._in_bulk: OrderedDict[str, None] = OrderedDict()  # attempts that were sent without an id of ours

    async def run(self, sink: Sink) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._link.run(sink))
                if self._o.poll:
                    tasks.create_task(
                        poll(sink, self._open, self._ask, link=self._link, interval=self._o.poll_interval)
                    )
        finally:
            await self._client.close()

    async def submit(self, submission: Submission) -> Receipt:
        self._link.require()
        operation, fields = request(submission, self._o, now=self._now())
        id = client_id(submission.attempt_id)
        self._sent.note(id)
        outcome = (await self._send(operation, {**fields, "climsgid": id}))[0]
        if isinstance(outcome, SubmitError):
            raise outcome
        self._open.follow(outcome.reference, submission)
        return outcome

    async def submit_many(self, submissions: Sequence[Submission]) -> list[Receipt | SubmitError]:
        """With `lists` one text to many numbers, 300 a request; what differs in anything but the number goes into
        another request. Such a request carries no id of ours: only reports tell what became of its messages."""
        if not self._o.lists:
            return await side_by_side(self.submit, submissions)
        results: list[Receipt | SubmitError | None] = [None] * len(submissions)
        batches: dict[tuple[str, str], tuple[dict[str, object], list[tuple[int, str]]]] = {}
        for n, s in enumerate(submissions):
            try:
                operation, fields = request(s, self._o, now=self._now())
            except Refused as refusal:
                results[n] = refusal
                continue
            number = s.to.removeprefix("+")
            del fields["to"]
            key = (operation, repr(sorted(fields.items())))
            batches.setdefault(key, (fields, []))[1].append((n, number))
        for (operation, _), (fields, members) in batches.items():
            for chunk in _chunks(members):
                numbers = [number for _, number in chunk]
                self._mark.sent()
                for n, _ in chunk:
                    self._in_bulk[submissions[n].attempt_id] = None
                while len(self._in_bulk) > KEPT:
                    self._in_bulk.popitem(last=False)
                outcomes: Sequence[Receipt | SubmitError]
                try:
                    self._link.require()
                    outcomes = await self._send(operation, {**fields, "to": numbers})
                except SubmitError as failure:
                    outcomes = [failure] * len(chunk)
                for (n, _), outcome in zip(chunk, outcomes, strict=True):
                    results[n] = outcome
                    if isinstance(outcome, Receipt):
                        self._open.follow(outcome.reference, submissions[n])
        return [r for r in results if r is not None]

    async def look_up(self, submission: Submission) -> Found | Absent | CannotTell:
        id = client_id(submission.attempt_id)
        if submission.attempt_id in self._in_bulk or (
            (self._o.lists or self._mark.recent()) and not self._sent.known(id)
        ):
            return CannotTell(reason="it may have been sent together with others, without an id of its own")
        try:
            lines = await self._lines("querymsg", {"climsgid": id})
        except SubmitError as failure:
            return CannotTell(reason=failure.detail)
        line = lines[0]
        if line.id:
            self._open.follow(line.id, submission)
            return Found(receipt=Receipt(reference=line.id, raw=line.rest))
        if line.error != "104":
            return CannotTell(reason=f"Clickatell answers {line.error or 'nothing that we read'}")
        if (wait := self._sent.wait(id)) > 0:
            return CannotTell(reason=f"Clickatell does not know it, but may need {wait:.0f} s more to show it")
        if not self._sent.known(id):
            self._sent.note(id)
            return CannotTell(reason="Clickatell does not know it yet")
        return Absent()

    async def cancel(self, reference: str, to: str) -> bool:
        """Possible while it is queued; the answer is the state in which it is then."""
        line = self._good(await self._lines("delmsg", {"apimsgid": reference}))
        if line.status == CANCELLED:
            self._open.drop(reference)
        return line.status == CANCELLED

    def follow(self, messages: Sequence[Followed]) -> None:
        self._open.take_up(messages)

    async def health(self) -> Health:
        link = self._link
        return Health(state=link.state, reason=link.reason, model="Clickatell", errors_in_row=link.errors_in_row)

    # --- The account --------------------------------------------------------------------------------------------------

    async def balance(self) -> Balance:
        line = self._good(await self._lines("getbalance", {}))
        if line.charge is None:
            raise MaybeSent("no credit in the answer", code="no_balance", cause=Cause.DOUBT, raw=line.rest)
        return Balance(amount=line.charge, currency="credits", raw=line.rest)

    async def quote(self, submission: Submission) -> Quote:
        """By prefix only, times the parts that we count."""
        _, fields = request(submission, self._o, now=self._now())
        number = submission.to.removeprefix("+")
        line = self._good(await self._lines("routecoverage", {"msisdn": number}))
        if line.charge is None:
            raise MaybeSent("no charge in the answer", code="no_cost", cause=Cause.DOUBT, raw=line.rest)
        parts = int(str(fields.get("concat", 1)))
        return Quote(cost=line.charge * parts, currency="credits", parts=parts, raw=line.rest)

    async def senders(self) -> list[SenderName]:
        raise NotOffered(
            "Clickatell's SOAP API only takes a sender name and lists none: the registered sender ids are in its "
            "panel; serwersms and mobizon have a list"
        )

    async def status(self, reference: str, to: str) -> StatusReport:
        line = self._good(await self._lines("getmsgcharge", {"apimsgid": reference}))
        self._notice(line.status)
        return report(line, reference=reference, to=to, sim=self._channel)

    async def messages(self, query: MessageQuery) -> MessagePage:
        raise NotOffered(
            "Clickatell's SOAP API lists no messages. Ask for one by its reference (status), or look into its panel; "
            "serwersms, freshmail and mobizon have a list"
        )

    async def subscriber(self, number: str) -> Lookup:
        raise NotOffered("Clickatell has no subscriber lookup; smsc and serwersms have one")

    def called(self, call: Call) -> Reply:
        event = read_callback(call, o=self._o, sim=self._channel)
        if isinstance(event, StatusReport):
            self._notice(event.code)
        return Reply(events=(event,))

    # --- Below --------------------------------------------------------------------------------------------------------

    async def _send(self, operation: str, fields: Mapping[str, object]) -> list[Receipt | SubmitError]:
        numbers = fields["to"]
        assert isinstance(numbers, list)
        wall = self._now().timestamp()
        try:
            lines, raw = await self._exchange(operation, fields)
        except SubmitError as failure:
            self._link.failed(failure)
            raise
        outcomes = read_send(lines, numbers, raw=raw, wall=wall)
        self._link.worked()
        for outcome in outcomes:
            if isinstance(outcome, SubmitError):
                self._out_of_credit = self._out_of_credit or outcome.code == "clickatell_301"
                self._link.failed(outcome)
        return outcomes

    async def _lines(self, operation: str, fields: Mapping[str, object]) -> list[Line]:
        lines, raw = await self._exchange(operation, fields)
        if not lines:
            raise MaybeSent("an empty answer", code="no_line", cause=Cause.DOUBT, raw=raw)
        return lines

    async def _exchange(self, operation: str, fields: Mapping[str, object]) -> tuple[list[Line], str]:
        """An expired session is renewed once: such an answer says that nothing was done."""
        lines, raw = await self._call(operation, {**await self._login(), **fields})
        if self._o.session and lines and all(line.error in ("003", "005") for line in lines):
            self._session = ""
            lines, raw = await self._call(operation, {**await self._login(), **fields})
        return lines, raw

    async def _call(self, operation: str, fields: Mapping[str, object]) -> tuple[list[Line], str]:
        def read(reply: SoapReply) -> tuple[list[Line], str]:
            texts = [e.text for e in reply.payload if e.tag.rpartition("}")[2] == "return"]
            return read_lines(texts), reply.raw

        return await self._soap.call(operation, fields, read, answer=f"{operation}Response", decode=False)

    async def _login(self) -> dict[str, object]:
        o = self._o
        credentials: dict[str, object] = {"api_id": o.api_id, "user": o.user, "password": o.password}
        if not o.session:
            return credentials
        if not self._session:
            lines, raw = await self._call("auth", credentials)
            found = _KEY.search(lines[0].rest) if lines and not lines[0].error else None
            if found is None:
                if lines and lines[0].error:
                    raise failure_of(lines[0], raw=raw)
                row = ERRORS["001"]
                raise error(row, code="clickatell_001", detail="Clickatell gave no session", raw=raw)
            self._session = found[2]
        return {"session_id": self._session}

    def _good(self, lines: Sequence[Line]) -> Line:
        """The one line of an answer to a question. Raises what its error means."""
        line = lines[0]
        if not line.error:
            return line
        row = QUESTIONS.get(line.error) or look_up(ERRORS, line.error)
        detail = f"Clickatell {line.error}: {row.meaning}"
        raise error(row, code=f"clickatell_{line.error}", detail=detail, raw=line.rest)

    async def _ask(self, messages: Sequence[Open]) -> list[StatusReport | None]:
        reports: list[StatusReport | None] = []
        for message in messages:
            found = await self.status(message.reference, message.to)
            reports.append(msgspec.structs.replace(found, attempt_id=message.attempt))
        return reports

    def _notice(self, status: str) -> None:
        self._out_of_credit = self._out_of_credit or status == "012"
        self._link.notice(look_up(STATUS, status), f"status_{status}")

    async def _check(self) -> None:
        balance = await self.balance()
        if self._out_of_credit and balance.amount <= 0:
            row = ERRORS["301"]
            raise error(row, code="clickatell_301", detail=f"Clickatell 301: {row.meaning}")
        self._out_of_credit = False


def _chunks(members: Sequence[tuple[int, str]]) -> list[list[tuple[int, str]]]:
    """At most 300, and no number twice: the answer tells them apart by number only."""
    chunks: list[tuple[list[tuple[int, str]], set[str]]] = []
    for member in members:
        chunk = next((c for c in chunks[-8:] if len(c[0]) < MOST_NUMBERS and member[1] not in c[1]), None)
        if chunk is None:
            chunk = ([], set())
            chunks.append(chunk)
        chunk[0].append(member)
        chunk[1].add(member[1])
    return [c[0] for c in chunks]


def create(channel: str, options: object, environment: Environment) -> Driver:
    """`options`: an `Options`."""
    if not isinstance(options, Options):
        raise TypeError(f"Clickatell is made from its Options, not from {type(options).__name__}")
    mark = ListsMark(environment.state_dir / f"{channel}.lists")
    return ClickatellDriver(channel, options, monotonic=environment.monotonic, mark=mark)
