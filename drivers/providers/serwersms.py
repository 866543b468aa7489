"""SerwerSMS.pl: sending over SOAP (Messages.sendPersonalized, Messages.sendSms); reports, replies, balance and sender
names over the vendor's API v2, which is JSON.

The SOAP service is rpc/encoded and its live WSDL was never seen, so answers are read in every form the vendor's pages
allow: a struct, a map of keys and values, or a document in JSON. What an item became stands in its `status`; `queued`
in an item is a date and proves nothing.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

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
    Evidence,
    Followed,
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
from drivers.gsm import alphabet
from drivers.providers.budget import Restraint
from drivers.providers.http import RAW_LIMIT, Client, Endpoint, check_url, is_secure, judge, raw_text
from drivers.providers.identity import attempt_id, client_id
from drivers.providers.limits import Window
from drivers.providers.link import Link, offer
from drivers.providers.listing import Language, asked, facts
from drivers.providers.outcomes import AlarmMaybeSent, Row, Then, elsewhere, error, look_up, not_expressible, rows
from drivers.providers.parallel import side_by_side
from drivers.providers.polling import FIRST_WAIT, Open, OpenMessages, poll
from drivers.providers.rpc import document, encoded
from drivers.providers.soap import Array, Soap, clean
from drivers.providers.soap import Reply as SoapReply
from drivers.registry import Environment

__all__ = ["ERRORS", "REASONS", "STATUS", "Item", "Options", "Params", "SerwerSmsDriver", "create", "fate", "params"]

log = logging.getLogger("gsmbridge.provider")

MOST_MESSAGES = 10_000  # in one `submit_many`
LONGEST_TITLE = 40  # of an MMS
REPORT_BATCH = 500  # ids in one question
MOST_PAGES = 100  # of one list
KEPT_REPLIES = 10_000
NAMESPACE = "urn:serwersms"
TWO_WAY = "2waySMS"  # as a sender: a random number that can be answered


class Options(Endpoint, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """See the manual for each field."""

    username: str
    password: str
    url: str = "https://soap.serwersms.pl/server.php"
    namespace: str = NAMESPACE  # of the XML; the live service's is not known
    sender: str = ""  # when a message names none; "" = ECO, a random sender and no Unicode
    test: bool = False  # check everything, send nothing
    chunk: int = 100  # personalised texts in one request, 50 to 200
    api_v2: bool = True  # reports, replies, balance and sender names
    api_url: str = "https://api2.serwersms.pl"
    api_token: str = ""  # Bearer token for API v2 in place of username and password
    balance_type: str = "full"  # which of the account's limits is the balance
    zone: str = "Europe/Warsaw"  # of the dates in requests and answers
    poll: bool = True  # ask for reports and replies; needs api_v2
    poll_interval: float = 10.0  # seconds between two questions for reports
    poll_after: float = FIRST_WAIT  # seconds from a send to the first question about it; later ones come ever later
    reply_interval: float = 30.0  # seconds between two questions for replies; 0 = never
    reply_types: tuple[str, ...] = ("eco", "nd", "ndi")
    reply_hours: int = 48  # how far back replies are asked for
    visible_after: float = 60.0  # seconds after which an unknown message is proven absent
    limit_rest: float = 900.0  # seconds in which a kind of message whose limit is used up is not tried

    def __post_init__(self) -> None:
        super().__post_init__()
        check_url(self.url)
        check_url(self.api_url, name="api_url")
        if not (self.username and self.password):
            raise ValueError("give username and password")
        if not 50 <= self.chunk <= 200:
            raise ValueError("chunk is 50 to 200")
        if min(self.poll_interval, self.poll_after) <= 0 or self.reply_interval < 0 or not 1 <= self.reply_hours <= 144:
            raise ValueError(
                "poll_interval and poll_after are above 0, reply_interval not negative, reply_hours 1 to 144"
            )
        try:
            ZoneInfo(self.zone)
        except (KeyError, ValueError, OSError):
            raise ValueError("zone is not a time zone such as Europe/Warsaw") from None


# --- What its words mean ----------------------------------------------------------------------------------------------

_R, _U, _N = ReportFate.REJECTED, ReportFate.UNKNOWN, ReportFate.UNDELIVERED


def _no(then: Then, meaning: str, *, alarm: bool = False) -> Row:
    return Row(fate=_R, then=then, alarm=alarm, meaning=meaning)


ERRORS = rows({
    "1000": _no(Then.TRY_NEXT, "no action", alarm=True),
    "1001": _no(Then.PAUSE, "wrong user or password"),
    "1002": _no(Then.PAUSE, "this user may not use the API"),
    "1003": _no(Then.PAUSE, "our address is not allowed"),
    "1004": _no(Then.TRY_NEXT, "bad id", alarm=True),
    "1005": _no(Then.PAUSE, "no permission"),
    "1006": _no(Then.TRY_NEXT, "bad data", alarm=True),
    "1007": _no(Then.PAUSE, "the account is not fully active"),
    "1008": _no(Then.TRY_NEXT, "this user may not see numbers", alarm=True),
    "2000": _no(Then.TRY_NEXT, "a parameter is missing", alarm=True),
    "2001": _no(Then.PERMANENT, "bad number"),
    "2002": _no(Then.TRY_NEXT, "bad error code asked", alarm=True),
})  # fmt: skip

# Used up or not allowed for one kind of message; the other kinds go on. Kind -> rows.
LIMITS = rows({
    "3000": _no(Then.TRY_NEXT, "the limit of ECO messages is used up"),
    "3001": _no(Then.TRY_NEXT, "no right to ECO messages"),
    "3002": _no(Then.TRY_NEXT, "the limit of FULL messages is used up"),
    "3003": _no(Then.TRY_NEXT, "no right to FULL messages"),
    "3004": _no(Then.TRY_NEXT, "the limit of MMS is used up"),
    "3005": _no(Then.TRY_NEXT, "no right to MMS"),
    "3006": _no(Then.TRY_NEXT, "the limit of VOICE messages is used up"),
})  # fmt: skip
_OTHER_SEND_ERROR = _no(Then.TRY_NEXT, "a refusal that is not in our table", alarm=True)

STATUS = rows({
    "queued saved pending in_progress": Row(fate=ReportFate.ACCEPTED, meaning="with the provider"),
    "sent": Row(fate=ReportFate.SENT, meaning="handed to the operator"),
    "delivered": Row(fate=ReportFate.DELIVERED, meaning="delivered"),
    "undelivered": Row(fate=_N, then=Then.TRY_NEXT, meaning="not delivered"),
    "unsent": _no(Then.TRY_NEXT, "not sent"),
})  # fmt: skip

# Of "undelivered" and "unsent". Rows without a fate of their own keep the status's.
REASONS = rows({
    "message_expired": Row(fate=ReportFate.EXPIRED, then=Then.TRY_NEXT, meaning="expired"),
    "wrong_number": Row(fate=_N, then=Then.PERMANENT, meaning="wrong number"),
    "unsupported_number": Row(fate=_N, then=Then.TRY_NEXT, meaning="this number is not supported"),
    "message_rejected operator_error wrong_sender_name sending_to_foreign_networks_is_locked": Row(
        fate=_N, then=Then.TRY_NEXT, meaning="refused"
    ),
    "wrong_message": Row(fate=_N, then=Then.TRY_NEXT, alarm=True, meaning="bad message"),
    "number_is_blacklisted": _no(Then.PERMANENT, "the number is on a black list"),
    "limit_exhausted lock_send no_permission_to_send_messages": _no(Then.PAUSE, "the account may not send"),
    "missed_call": Row(fate=_N, then=Then.RETRY_LATER, meaning="the call was missed"),
    "other_error": Row(fate=_N, then=Then.TRY_NEXT, meaning="no reason given"),
})  # fmt: skip
_OWN_FATE = frozenset({
    "message_expired", "number_is_blacklisted", "limit_exhausted", "lock_send", "no_permission_to_send_messages",
    "missed_call",
})  # fmt: skip


def fate(status: str, reason: str = "") -> Row:
    """The row of a status with its reason."""
    row = look_up(STATUS, status)
    if status not in ("undelivered", "unsent") or not reason:
        return row
    why = REASONS.get(reason)
    if why is None:
        return msgspec.structs.replace(row, alarm=True, meaning="a reason that is not in our table")
    return why if reason in _OWN_FATE else msgspec.structs.replace(why, fate=row.fate)


def call_error(code: str) -> Row:
    """The row of an error of a call or of one item."""
    row = ERRORS.get(code) or LIMITS.get(code)
    if row is not None:
        return row
    return _OTHER_SEND_ERROR if re.fullmatch(r"3\d{3}", code) else look_up({}, code)


# --- Requests ---------------------------------------------------------------------------------------------------------

_SENDER = re.compile(r"[A-Za-z0-9 ]{1,11}|\+?[0-9]{3,15}")
_WORD = re.compile(r"[A-Za-z0-9_-]{1,40}")
_NAMES = ("details", "test", "flash", "utf", "voice", "speed", "vcard", "wap_push", "date", "group_id", "contact_id")


# PHP tells a list from a map by arrayType. One number is sent as a number, not as a list of one.
ENCODED = encoded(
    arrays={"messages": "anyType", "unique_id": "string"},
    single=("phone",),
    flags=("details", "test", "flash", "utf", "voice", "speed", "vcard"),
)


class Params(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the messages of one call have in common. Order and names as in the WSDL."""

    sender: str = ""
    test: bool = False
    flash: bool = False
    utf: bool = False
    voice: bool = False
    speed: bool = False
    vcard: bool = False
    wap_push: str = ""
    date: str = ""
    group_id: str = ""
    contact_id: str = ""
    file_id: str = ""  # of an MMS, which goes by API v2

    @property
    def product(self) -> str:
        """The kind of message whose limit it uses."""
        return (
            "MMS" if self.file_id else "VOICE" if self.voice else "FULL" if self.sender not in ("", TWO_WAY) else "ECO"
        )

    def fields(self) -> dict[str, object]:
        """`details` is always set: without it the answer does not say what became of which message."""
        set_ones = {n: getattr(self, n) for n in _NAMES if n not in ("details", "file_id") and getattr(self, n)}
        return {"details": True, **set_ones}


def params(s: Submission, o: Options) -> Params:
    """Raises `Refused` for what this provider cannot be told."""
    if s.kind == "mms":
        return _mms(s, o)
    if s.kind not in ("text", "voice", "wap_push"):
        raise not_expressible("kind", f"SerwerSMS has no {s.kind} messages here")
    if s.udh or s.protocol_id or s.dcs is not None or s.reply_path or s.reject_duplicates:
        raise not_expressible(
            "udh, protocol_id, dcs, reply_path, reject_duplicates", "SerwerSMS has no such parameters"
        )  # fmt: skip
    if s.message_class not in (None, 0):
        raise not_expressible("message_class", "SerwerSMS knows flash (0) only")
    if s.validity is not None and s.validity < 60:
        raise not_expressible("validity", "less than a minute is left, and SerwerSMS takes no validity")
    if s.kind != "wap_push" and not s.text:
        raise not_expressible("text", "the message needs a text")
    text = clean(s.text or "")
    voice = s.kind == "voice"
    sender = "" if voice else s.sender or o.sender
    if voice and s.sender:
        raise not_expressible("sender", "a voice message has none")
    if sender and not _SENDER.fullmatch(sender):
        raise not_expressible("sender", "at most 11 letters, digits and blanks, or a number")
    utf = not voice and (s.encoding is Encoding.UCS2 or alphabet.first_foreign(text) is not None)
    if utf and sender in ("", TWO_WAY):
        raise not_expressible("text", "ECO messages have no Unicode; name a sender (FULL)")
    options = _options(s)
    return Params(
        sender=sender,
        test=o.test,
        flash=s.message_class == 0,
        utf=utf,
        voice=voice,
        speed=options.get("speed") == "1",
        vcard=options.get("vcard") == "1",
        wap_push=options.get("url", ""),
        date="" if s.send_at is None else f"{s.send_at.astimezone(ZoneInfo(o.zone)):%Y-%m-%d %H:%M}",
        group_id=options.get("group_id", ""),
        contact_id=options.get("contact_id", ""),
    )


def _mms(s: Submission, o: Options) -> Params:
    """A title and a picture that lies with SerwerSMS. How a picture itself is to be sent is not documented."""
    if not o.api_v2:
        raise not_expressible("kind", "an MMS goes by API v2; set api_v2 = true")
    if s.options.keys() != {"file_id"} or not _WORD.fullmatch(s.options["file_id"]):
        raise not_expressible("options", "an MMS needs file_id, the number of a file that was put into the account")
    if not s.text or len(clean(s.text)) > LONGEST_TITLE:
        raise not_expressible("text", f"the title of an MMS, at most {LONGEST_TITLE} characters")
    if s.sender or s.message_class is not None or s.udh or s.protocol_id or s.dcs is not None:
        raise not_expressible("sender, message_class, udh, protocol_id, dcs", "an MMS here has none")
    date = "" if s.send_at is None else f"{s.send_at.astimezone(ZoneInfo(o.zone)):%Y-%m-%d %H:%M}"
    return Params(test=o.test, file_id=s.options["file_id"], date=date)


def _options(s: Submission) -> dict[str, str]:
    if s.kind == "wap_push" and not s.options.get("url"):
        raise not_expressible("options.url", "a WAP push needs its link")
    for name, value in s.options.items():
        if name == "url" and s.kind == "wap_push":
            clean(value)
        elif name in ("speed", "vcard"):
            if value not in ("0", "1"):
                raise not_expressible(f"options.{name}", "it is 0 or 1")
        elif name in ("group_id", "contact_id"):
            if not _WORD.fullmatch(value):
                raise not_expressible(f"options.{name}", "letters and digits")
        else:
            raise not_expressible(f"options.{name}", "SerwerSMS has no such parameter for this kind of message")
    return s.options


LIST = Language(
    provider="SerwerSMS",
    criteria={"reference": "id", "to": "phone", "status": "status", "since": "date_from", "until": "date_to"},
    own=("unique_id", "type"),
    statuses=("delivered", "undelivered", "sent", "unsent", "in_progress", "saved", "pending"),
    sort={"sent_at": "order"},
    sizes=range(1, REPORT_BATCH + 1),
    size=f"1 to {REPORT_BATCH} messages",
)


def page_question(query: MessageQuery, zone: ZoneInfo) -> dict[str, object]:
    """The fields of `messages/reports` for a person's question. Raises `NotOffered`."""
    found: dict[str, object] = {**asked(query, LIST, lambda at: f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}")}
    for name in ("id", "unique_id"):
        if name in found:
            found[name] = [found[name]]
    if query.sort:
        found["order"] = "desc" if query.sort[0].descending else "asc"
    if query.limit is not None:
        found["limit"] = query.limit
    return {**found, "page": query.page}


# --- Answers ----------------------------------------------------------------------------------------------------------


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One message in an answer; texts, "" for what is missing."""

    id: str = ""
    phone: str = ""
    status: str = ""
    queued: str = ""
    sent: str = ""
    delivered: str = ""
    parts: str = ""
    unique_id: str = ""
    error_code: str = ""
    error_message: str = ""
    cost: str = ""
    reason: str = ""
    type: str = ""


def items(found: Mapping[str, Any]) -> list[Item]:
    """The items of an answer, in their order; [] when it has none."""
    value = found.get("items")
    if isinstance(value, dict):
        inner = list(value.values())
        value = [value] if "status" in value or "id" in value else inner[0] if len(inner) == 1 else inner
        value = [value] if isinstance(value, dict) else value
    if not isinstance(value, list):
        return []
    return [_item(one) for one in value if isinstance(one, dict)]


def _item(fields: Mapping[str, Any]) -> Item:
    return Item(**{n: _text(fields[n]) for n in Item.__struct_fields__ if fields.get(n) is not None})


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else str(value)


def whole_error(found: Mapping[str, Any], raw: str) -> SubmitError | None:
    """The error of the whole call, when the answer is one."""
    problem = found.get("error")
    if isinstance(problem, dict) and problem:
        code = _text(problem.get("code", "")) or "none"
        return failure(code, raw=raw)
    return None


def failure(code: str, *, raw: str) -> SubmitError:
    row = call_error(code)
    return error(row, code=f"serwersms_{code}", detail=f"SerwerSMS {code}: {row.meaning}", raw=raw)


def read_send(
    found: Mapping[str, Any], sent: Sequence[tuple[str, str]], *, raw: str, currency: str = ""
) -> list[Receipt | SubmitError]:
    """One outcome a message. `sent`: number and unique id of each. Items are matched by unique id, else by order when
    there are as many, else by number; a message without an item is in doubt. Raises the error of the whole call."""
    if (problem := whole_error(found, raw)) is not None:
        raise problem
    listed = items(found)
    by_id = {i.unique_id: i for i in listed if i.unique_id}
    if by_id:
        matched = [by_id.get(unique) for _, unique in sent]
    elif len(listed) == len(sent) and all(_same(i.phone, n) for i, (n, _) in zip(listed, sent, strict=True)):
        matched = list(listed)
    else:
        rest = list(listed)
        matched = []
        for number, _ in sent:
            mine = next((i for i in rest if i.phone and _same(i.phone, number)), None)
            if mine is not None:
                rest.remove(mine)
            matched.append(mine)
    return [_outcome(i, raw) for i in matched]


def _same(shown: str, number: str) -> bool:
    """Whether two forms of a number are one: the last nine digits decide, and an item may leave it out."""
    a, b = re.sub(r"\D", "", shown), re.sub(r"\D", "", number)
    return not a or a[-9:] == b[-9:]


def _outcome(item: Item | None, raw: str) -> Receipt | SubmitError:
    if item is None:
        return MaybeSent("the answer does not name this message", code="no_item", cause=Cause.DOUBT, raw=raw)
    shown = msgspec.json.encode(item).decode()
    if item.error_code not in ("", "0"):
        return failure(item.error_code, raw=shown)
    row = fate(item.status, item.reason)
    if row.fate in (ReportFate.ACCEPTED, ReportFate.SENT, ReportFate.DELIVERED) and item.id:
        return Receipt(
            reference=item.id,
            raw=shown,
            parts=int(item.parts) if item.parts.isdigit() else None,
            cost=_money(item.cost),
        )
    if row.fate in (_U, ReportFate.ACCEPTED, ReportFate.SENT, ReportFate.DELIVERED):
        return AlarmMaybeSent(
            "neither an id nor an error for this message", code="no_id", cause=Cause.DOUBT, raw=shown
        )  # fmt: skip
    detail = f"SerwerSMS: {item.status}: {item.reason or row.meaning}"
    return error(row, code=f"serwersms_{item.reason or item.status}", detail=detail, raw=shown)


def report(item: Item, *, sim: str, zone: ZoneInfo) -> StatusReport:
    row = fate(item.status, item.reason)
    return StatusReport(
        sim=sim,
        pdu=msgspec.json.encode(item).decode(),
        fingerprint=_fingerprint(sim, item.id, item.status, item.reason),
        recipient=_plus(item.phone),
        reference=item.id or None,
        attempt_id=attempt_id(item.unique_id),
        fate=row.fate,
        elsewhere=elsewhere(row),
        code=f"{item.status}:{item.reason}" if item.reason else item.status,
        detail=row.meaning,
        submitted_at=_date(item.sent, zone),
        discharged_at=_date(item.delivered, zone),
        cost=_money(item.cost),
        currency="PLN" if item.cost else "",
    )


def read_page(found: Mapping[str, Any], query: MessageQuery, *, zone: ZoneInfo) -> MessagePage:
    """Raises SubmitError when it is no page."""
    if not isinstance(found.get("items"), list):
        raise MaybeSent("no page of messages in the answer", code="unreadable", cause=Cause.DOUBT)
    paging = found.get("paging")
    count = _text(paging.get("count", "")) if isinstance(paging, dict) else ""
    pages = max(1, int(count)) if re.fullmatch(r"\d{1,9}", count) else None
    items = tuple(_listed(fields, zone=zone) for fields in _entries(found))
    more = bool(query.limit and len(items) >= query.limit) if pages is None else query.page < pages
    return MessagePage(items=items, page=query.page, pages=pages, more=more)


_SHOWN = ("id", "phone", "status", "reason", "sent", "delivered", "sender", "text", "parts", "cost", "network")


def _listed(fields: Mapping[str, Any], *, zone: ZoneInfo) -> ListedMessage:
    item = _item(fields)
    told = report(item, sim="", zone=zone)
    text = fields.get("text")
    return ListedMessage(
        reference=item.id,
        to=told.recipient,
        sender=_text(fields.get("sender") or ""),
        text=text if isinstance(text, str) else None,
        fate=told.fate or _U,
        code=told.code,
        detail=told.detail,
        parts=int(item.parts) if re.fullmatch(r"\d{1,4}", item.parts) else None,
        cost=told.cost,
        currency=told.currency,
        sent_at=told.submitted_at,
        changed_at=told.discharged_at or told.submitted_at,
        operator=_text(fields.get("network") or ""),
        facts=facts(fields, _SHOWN),
    )


def _money(text: str) -> Decimal | None:
    try:
        value = Decimal(text.replace(",", "."))
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _date(text: str, zone: ZoneInfo) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=zone)
    except ValueError:
        return None


def _plus(number: str) -> str:
    digits = number.lstrip("+")
    if not digits.isdigit() or len(digits) < 9:
        return number
    return f"+48{digits}" if len(digits) == 9 else f"+{digits}"


def reply_print(sim: str, number: str, text: str, at: str) -> str:
    """One for both ways in which a reply comes: a push has no id, the list has one."""
    return _fingerprint(sim, "reply", number, text, at)


def _fingerprint(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()


def _utc_now() -> datetime:
    return datetime.now(UTC)


# --- The driver -------------------------------------------------------------------------------------------------------


class SerwerSmsDriver:
    """One account. Without `api_v2` nothing can be asked: no balance, no evidence, no reports but hints."""

    def __init__(
        self,
        channel: str,
        options: Options,
        *,
        monotonic: Callable[[], float],
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._o = options
        self._channel = channel
        self._now = now
        self._zone = ZoneInfo(options.zone)
        self.capabilities = Capabilities(
            takes=Takes.MESSAGE,
            encodings=frozenset({Encoding.GSM7, Encoding.UCS2}),
            sender=True,
            validity=False,
            own_udh=False,
            bulk=options.chunk,
        )
        self.evidence = Evidence(report=options.api_v2, look_up=options.api_v2)
        secrets = [options.password, options.api_token]
        restraint = Restraint(monotonic)
        self._client = Client(
            options,
            secrets=secrets,
            basic=(options.username, options.password),
            secure=is_secure(options.url),
            restraint=restraint,
        )
        bearer = {"Authorization": f"Bearer {options.api_token}"} if options.api_token else None
        self._api = Client(
            options, secrets=secrets, headers=bearer, secure=is_secure(options.api_url), restraint=restraint
        )
        self._soap = Soap(
            self._client, options.url, wsdl="serwersms.wsdl", namespace=options.namespace, rewrite=ENCODED
        )  # fmt: skip
        self._link = Link(channel, self._check, monotonic=monotonic, model="SerwerSMS")
        self._open = OpenMessages(monotonic, first=options.poll_after)
        self._sent = Window(1, options.visible_after, monotonic)
        self._resting = Window(1, options.limit_rest, monotonic)  # products whose limit is used up
        self._replies: OrderedDict[str, None] = OrderedDict()

    async def run(self, sink: Sink) -> None:
        o = self._o
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._link.run(sink))
                if o.api_v2 and o.poll:
                    tasks.create_task(
                        poll(sink, self._open, self._ask, link=self._link, interval=o.poll_interval, batch=REPORT_BATCH)
                    )
                if o.api_v2 and o.poll and o.reply_interval:
                    tasks.create_task(self._fetch_replies(sink))
        finally:
            await self._client.close()
            await self._api.close()

    async def submit(self, submission: Submission) -> Receipt:
        self._link.require()
        common = params(submission, self._o)
        if common.file_id:
            return await self._send_mms(submission, common)
        unique = client_id(submission.attempt_id)
        fields = {
            "phone": Array(type=f"{{{self._o.namespace}}}ArrayOfString", items=[submission.to]),
            "text": clean(submission.text or ""),
            "sender": common.sender,
            "params": {**common.fields(), "unique_id": self._ids([unique])},
        }
        outcome = (await self._send("Messages.sendSms", fields, [(submission.to, unique)], common))[0]
        if isinstance(outcome, SubmitError):
            raise outcome
        self._open.follow(outcome.reference, submission)
        return outcome

    async def submit_many(self, submissions: Sequence[Submission]) -> list[Receipt | SubmitError]:
        """Texts of their own to up to 10,000 numbers, in requests of `chunk`; one result a submission, in order. A bad
        number among them is named and the others go. What differs in more than number and text goes apart."""
        if len(submissions) > MOST_MESSAGES:
            raise ValueError(f"at most {MOST_MESSAGES} messages at once")
        results: list[Receipt | SubmitError | None] = [None] * len(submissions)
        groups: dict[Params, list[int]] = {}
        for n, s in enumerate(submissions):
            try:
                groups.setdefault(params(s, self._o), []).append(n)
            except Refused as refusal:
                results[n] = refusal
        for common, members in groups.items():
            if common.file_id:
                apart = await side_by_side(self.submit, [submissions[n] for n in members])
                for n, outcome in zip(members, apart, strict=True):
                    results[n] = outcome
                continue
            for start in range(0, len(members), self._o.chunk):
                chunk = members[start : start + self._o.chunk]
                outcomes = await self._personalised(common, [submissions[n] for n in chunk])
                for n, outcome in zip(chunk, outcomes, strict=True):
                    results[n] = outcome
                    if isinstance(outcome, Receipt):
                        self._open.follow(outcome.reference, submissions[n])
        return [r for r in results if r is not None]

    async def look_up(self, submission: Submission) -> Found | Absent | CannotTell:
        if not self._o.api_v2:
            return CannotTell(reason="api_v2 is off, so SerwerSMS cannot be asked")
        unique = client_id(submission.attempt_id)
        try:
            found = await self._v2("messages/reports", {"unique_id": [unique]})
        except SubmitError as problem:
            return CannotTell(reason=problem.detail)
        listed = items(found)
        if (
            len(listed) == 1
            and listed[0].id
            and listed[0].unique_id in ("", unique)
            and _same(listed[0].phone, submission.to)
        ):
            self._open.follow(listed[0].id, submission)
            return Found(receipt=Receipt(reference=listed[0].id, raw=msgspec.json.encode(listed[0]).decode()))
        if listed or not isinstance(found.get("items"), list | dict):
            # Several, or another one: the question was understood in some other way.
            return CannotTell(reason="the answer of SerwerSMS cannot be read")
        if (wait := self._sent.wait(unique)) > 0:
            return CannotTell(reason=f"SerwerSMS does not know it, but may need {wait:.0f} s more to show it")
        if not self._sent.known(unique):
            self._sent.note(unique)
            return CannotTell(reason="SerwerSMS does not know it yet")
        return Absent()

    def follow(self, messages: Sequence[Followed]) -> None:
        self._open.take_up(messages)

    async def health(self) -> Health:
        link = self._link
        return Health(state=link.state, reason=link.reason, model="SerwerSMS", errors_in_row=link.errors_in_row)

    # --- The account --------------------------------------------------------------------------------------------------

    async def balance(self) -> Balance:
        """Messages left of `balance_type`; all limits are in `raw`."""
        found = await self._v2("account/limits", {})
        limits = [i for i in _entries(found) if i.get("value") is not None]
        named = [i for i in limits if str(i.get("type", "")).lower() == self._o.balance_type.lower()]
        raw = msgspec.json.encode(found).decode()
        amount = _money(_text((named or limits or [{}])[0].get("value", "")))
        if amount is None:
            raise MaybeSent("no limits in the answer", code="no_balance", cause=Cause.DOUBT, raw=raw)
        return Balance(amount=amount, unit="messages", raw=raw)

    async def quote(self, submission: Submission) -> Quote:
        raise NotOffered("SerwerSMS tells no price before sending; smsc and clickatell do")

    async def senders(self) -> list[SenderName]:
        found = await self._v2("senders/index", {})
        return [
            SenderName(name=_text(i["name"]), state=_text(i.get("status", "")))
            for i in _entries(found)
            if i.get("name") is not None
        ]

    async def status(self, reference: str, to: str) -> StatusReport:
        found = await self._v2("messages/reports", {"id": [reference]})
        mine = [i for i in items(found) if i.id == reference]
        if mine:
            return self._report(mine[0])
        raw = msgspec.json.encode(found).decode()
        return StatusReport(
            sim=self._channel,
            pdu=raw,
            fingerprint=_fingerprint(self._channel, reference, "not_found"),
            recipient=to,
            reference=reference,
            fate=_U,
            code="not_found",
            detail="SerwerSMS does not know this message",
        )

    async def subscriber(self, number: str) -> Lookup:
        """The network's register; SerwerSMS may need a minute and then answers a second question."""
        found = await self._v2("phones/check", {"phone": number})
        facts = {k: _text(v) for k, v in found.items() if isinstance(v, str | int | float | bool) and k != "success"}
        states = {
            "ok": True,
            "active": True,
            "available": True,
            "absent": False,
            "inactive": False,
            "unavailable": False,
        }
        return Lookup(number=number, reachable=states.get(facts.get("status", "").lower()), facts=facts)

    async def messages(self, query: MessageQuery) -> MessagePage:
        return read_page(await self._v2("messages/reports", page_question(query, self._zone)), query, zone=self._zone)

    async def cancel(self, reference: str, to: str) -> bool:
        """Only scheduled ones can be deleted; of others SerwerSMS says that it has none of this id."""
        try:
            found = await self._v2("messages/delete", {"id": reference})
        except Refused as refusal:
            if refusal.code == "serwersms_1004":
                return False
            raise
        if found.get("success") is True:
            self._open.drop(reference)
            return True
        raise MaybeSent("neither yes nor no in the answer", code="unreadable", cause=Cause.DOUBT)

    def called(self, call: Call) -> Reply:
        """A push of a report is a hint, since its words are not documented: the report is asked for next. A reply is
        an event. Neither is signed."""
        raw = "&".join(filter(None, (call.query.decode("latin-1"), call.body.decode("latin-1"))))
        try:
            fields = dict(reversed(parse_qsl(raw, keep_blank_values=True, encoding="utf-8", max_num_fields=50)))
        except ValueError:
            raise Forged("not a form") from None
        if fields.get("smsid") and "stan" in fields:
            self._open.hasten(fields["smsid"])
            return Reply()
        if fields.get("numer") and "wiadomosc" in fields:
            number, text = _plus(fields["numer"]), _text(fields["wiadomosc"])
            return Reply(
                events=(
                    Incoming(
                        sim=self._channel,
                        pdu=raw,
                        fingerprint=reply_print(self._channel, number, text, fields.get("data", "")),
                        sender=number,
                        text=text,
                        encoding=Encoding.UCS2,
                        sent_at=_date(fields.get("data", ""), self._zone),
                    ),
                )
            )
        raise Forged("neither a report nor a reply")

    # --- Sending ------------------------------------------------------------------------------------------------------

    async def _personalised(self, common: Params, members: Sequence[Submission]) -> Sequence[Receipt | SubmitError]:
        sent = [(s.to, client_id(s.attempt_id)) for s in members]
        messages = [{"phone": s.to, "text": clean(s.text or "")} for s in members]
        fields = {
            "messages": Array(type=f"{{{self._o.namespace}}}ArrayOfMessage", items=messages),
            "sender": common.sender,
            "params": {**common.fields(), "unique_id": self._ids([unique for _, unique in sent])},
        }
        try:
            self._link.require()
            return await self._send("Messages.sendPersonalized", fields, sent, common)
        except SubmitError as problem:
            return [problem] * len(members)

    async def _send(
        self, operation: str, fields: Mapping[str, object], sent: Sequence[tuple[str, str]], common: Params
    ) -> list[Receipt | SubmitError]:
        self._within_limit(common)
        for _, unique in sent:
            self._sent.note(unique)

        def read(reply: SoapReply) -> list[Receipt | SubmitError]:
            return read_send(document(reply.payload), sent, raw=reply.raw)

        try:
            outcomes = await self._soap.call(operation, fields, read, answer="", decode=False)
        except SubmitError as problem:
            self._judge(problem, common)
            raise
        self._link.worked()
        for outcome in outcomes:
            if isinstance(outcome, SubmitError):
                self._judge(outcome, common)
        return outcomes

    async def _send_mms(self, submission: Submission, common: Params) -> Receipt:
        self._within_limit(common)
        unique = client_id(submission.attempt_id)
        self._sent.note(unique)
        order: dict[str, object] = {"phone": [submission.to], "title": clean(submission.text or ""), "details": True}
        order |= {"file_id": common.file_id, "unique_id": [unique]} | ({"date": common.date} if common.date else {})
        order |= {"test": True} if common.test else {}
        try:
            found = await self._v2("messages/send_mms", order)
            raw = msgspec.json.encode(found).decode()[:RAW_LIMIT]
            outcome = read_send(found, [(submission.to, unique)], raw=raw)[0]
            if isinstance(outcome, SubmitError):
                raise outcome
        except SubmitError as problem:
            self._judge(problem, common)
            raise
        self._link.worked()
        self._open.follow(outcome.reference, submission)
        return outcome

    def _within_limit(self, common: Params) -> None:
        if (wait := self._resting.wait(common.product)) > 0:
            raise Refused(
                f"the account's limit of {common.product} messages is used up; tried again in {wait:.0f} s",
                code="serwersms_limit",
                cause=Cause.SIM,
            )

    def _judge(self, problem: SubmitError, common: Params) -> None:
        if problem.code.removeprefix("serwersms_") in LIMITS:
            log.warning("provider_limit channel=%s product=%s code=%s", self._channel, common.product, problem.code)
            self._resting.note(common.product)
        self._link.failed(problem)

    def _ids(self, unique: Sequence[str]) -> Array:
        return Array(type=f"{{{self._o.namespace}}}ArrayOfString", items=list(unique))

    # --- API v2 -------------------------------------------------------------------------------------------------------

    async def _v2(self, action: str, fields: Mapping[str, object]) -> dict[str, Any]:
        """One question. Raises NotOffered when API v2 is off, else what its error means."""
        o = self._o
        if not o.api_v2:
            raise NotOffered("over SOAP SerwerSMS only sends; set api_v2 = true")
        login = {} if o.api_token else {"username": o.username, "password": o.password}
        answer = await self._api.request(
            "POST",
            f"{o.api_url.rstrip('/')}/{action}.json",
            content=msgspec.json.encode({**login, **fields}),
            headers={"Content-Type": "application/json"},
        )
        raw = raw_text(answer, self._api.secrets)
        if (problem := judge(answer)) is not None:
            problem.raw = raw
            raise problem
        try:
            found = msgspec.json.decode(answer.body, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeError):
            raise MaybeSent("the answer is not JSON", code="unreadable", cause=Cause.DOUBT, raw=raw) from None
        if (whole := whole_error(found, raw)) is not None:
            raise whole
        return found

    async def _ask(self, messages: Sequence[Open]) -> list[StatusReport | None]:
        by_id: dict[str, Item] = {}
        question = {"id": [m.reference for m in messages], "limit": len(messages)}
        async for found in self._pages("messages/reports", question):
            by_id |= {i.id: i for i in items(found)}
        reports: list[StatusReport | None] = []
        for m in messages:
            item = by_id.get(m.reference)
            if item is None:
                reports.append(None)
            else:
                reports.append(msgspec.structs.replace(self._report(item), attempt_id=m.attempt))
        return reports

    def _report(self, item: Item) -> StatusReport:
        shown = report(item, sim=self._channel, zone=self._zone)
        self._link.notice(fate(item.status, item.reason), shown.code)
        return shown

    async def _fetch_replies(self, sink: Sink) -> None:
        """Everything of the last hours is read again each time; what was passed on is remembered here, and by its
        fingerprint in the bridge."""
        failing = False
        while True:
            for kind in self._o.reply_types if self._link.state is LinkState.UP else ():
                try:
                    await self._fetch_kind(sink, kind)
                    failing = False
                except SubmitError as problem:
                    log.log(
                        logging.DEBUG if failing else logging.WARNING,
                        "reply_poll_failed channel=%s code=%s",
                        self._channel,
                        problem.code,
                    )
                    failing = True
            await asyncio.sleep(self._o.reply_interval)

    async def _fetch_kind(self, sink: Sink, kind: str) -> None:
        since = self._now().astimezone(self._zone) - timedelta(hours=self._o.reply_hours)
        question = {"type": kind, "date_from": f"{since:%Y-%m-%d %H:%M:%S}", "order": "asc"}
        async for found in self._pages("messages/recived", question):
            for entry in _entries(found):
                await self._pass_on(sink, entry)

    async def _pages(self, action: str, question: Mapping[str, object]) -> AsyncIterator[dict[str, Any]]:
        """Every page of a list; `paging.count` says how many there are."""
        for page in range(1, MOST_PAGES + 1):
            found = await self._v2(action, {**question, "page": page})
            yield found
            paging = found.get("paging")
            last = paging.get("count") if isinstance(paging, dict) else None
            if not _entries(found) or not isinstance(last, int) or page >= last:
                return

    async def _pass_on(self, sink: Sink, entry: Mapping[str, Any]) -> None:
        id = _text(entry.get("id", ""))
        if not id or id in self._replies or entry.get("text") is None:
            return
        number, text = _plus(_text(entry.get("phone", ""))), _text(entry["text"])
        answered = _text(entry.get("message_id") or "")
        await offer(
            sink,
            Incoming(
                sim=self._channel,
                pdu=msgspec.json.encode(entry).decode(),
                fingerprint=reply_print(self._channel, number, text, _text(entry.get("recived", ""))),
                sender=number,
                text=text,
                encoding=Encoding.UCS2,
                sent_at=_date(_text(entry.get("recived", "")), self._zone),
                answers=answered or None,
                note=f"answers {answered}" if answered else "",
            ),
        )
        self._replies[id] = None
        while len(self._replies) > KEPT_REPLIES:
            self._replies.popitem(last=False)

    async def _check(self) -> None:
        if self._o.api_v2:
            await self.balance()


def _entries(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    listed = found.get("items")
    return [e for e in listed if isinstance(e, dict)] if isinstance(listed, list) else []


def create(channel: str, options: object, environment: Environment) -> Driver:
    """`options`: an `Options`."""
    if not isinstance(options, Options):
        raise TypeError(f"SerwerSMS is made from its Options, not from {type(options).__name__}")
    return SerwerSmsDriver(channel, options, monotonic=environment.monotonic)
