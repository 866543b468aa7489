"""Mobizon's REST API v1: one text a call, states by hundreds, the list with prices, balance, sender names, webhook.

The key travels in the address, so no address is ever logged. Ids and numbers come as text or as numbers. A sender name
that cannot be used is replaced by the provider without a word. The campaign's name carries our id; the provider does
nothing against a repeated one. Dates carry no zone: without the option `zone` they are not used.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from hashlib import sha1, sha256
from typing import Any
from urllib.parse import parse_qsl, urlencode
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
    Evidence,
    Followed,
    Forged,
    Found,
    Health,
    LinkState,
    ListedMessage,
    Lookup,
    MaybeSent,
    MessagePage,
    MessageQuery,
    NotOffered,
    NotSent,
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
from drivers.providers.identity import client_id
from drivers.providers.limits import Window
from drivers.providers.link import Link, offer
from drivers.providers.listing import Language, asked, facts
from drivers.providers.outcomes import UNLISTED, Row, Then, elsewhere, error, look_up, not_expressible, rows
from drivers.providers.parallel import ParallelEndpoint, side_by_side
from drivers.providers.polling import FINAL, FIRST_WAIT, Open, OpenMessages, poll
from drivers.providers.xml import Hostile, parse
from drivers.registry import Environment

__all__ = [
    "CODE",
    "INVALID",
    "MESSAGE",
    "RECIPIENT",
    "MobizonDriver",
    "Options",
    "create",
    "list_form",
    "read_callback",
    "read_sent",
    "request",
]

log = logging.getLogger("gsmbridge.provider")

BATCH = 100  # ids in one question
PAGE_SIZES = (25, 50, 100)
PAGE_SIZE = PAGE_SIZES[-1]
CAMPAIGNS = 10  # ids in one question for prices; the older document allows no more
KEPT = 20_000  # campaigns of messages whose price is not known yet


class Options(ParallelEndpoint, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`api_key` and the server of the country in which the account was opened. See the manual for each field."""

    url: str = "https://api.mobizon.gmbh"
    api_key: str = ""
    sender: str = ""  # "" = the account's default name, or the provider's shared one
    zone: str = ""  # of all dates of this account, "Europe/Berlin"; "" = not known, and nothing can be deferred
    classes: bool = True  # pass on message classes (flash); gone from the newest document
    least_validity: int = 60  # minutes; 1 by the older document
    webhook_secret: str = ""  # "" = webhooks are refused
    webhook_address: str = ""  # when set, webhooks are taken from this address only
    poll: bool = True
    poll_interval: float = 10.0  # seconds between two questions about open messages, a hundred in each
    poll_after: float = FIRST_WAIT  # seconds from a send to the first question about it; later ones come ever later
    prices: bool = True  # ask for the price of messages that have ended
    catch_up_pages: int = 5  # pages of a hundred read at the start for what ended while we were away; 0 = none
    moderation_wait: float = 600.0  # seconds a message may wait for the provider's moderator before it is taken back
    low_balance: Decimal = Decimal(0)  # at or below, an unclear error stops the account
    visible_after: float = 60.0  # seconds until a message that was taken is surely in the list

    def __post_init__(self) -> None:
        super().__post_init__()
        check_url(self.url)
        if not re.fullmatch(r"[A-Za-z0-9]{8,128}", self.api_key):
            raise ValueError("api_key is needed: 40 or 70 letters and digits")
        if self.zone:
            try:
                ZoneInfo(self.zone)
            except (KeyError, ValueError, OSError):
                raise ValueError("zone is not the name of a time zone") from None
        if not 1 <= self.least_validity <= LONGEST_VALIDITY:
            raise ValueError(f"least_validity must be 1 to {LONGEST_VALIDITY} minutes")
        if (
            min(self.poll_interval, self.poll_after) <= 0
            or not 0 <= self.catch_up_pages <= 100
            or self.moderation_wait < 0
        ):
            raise ValueError(
                "poll_interval and poll_after must be above 0, catch_up_pages 0 to 100, moderation_wait not negative"
            )


# --- Outcomes ---------------------------------------------------------------------------------------------------------

_R, _U = ReportFate.REJECTED, ReportFate.UNKNOWN

# Codes of the envelope in the answer to a send. 1 is decided by the fields it names, 98 and 99 by their items.
CODE = rows({
    "0 100": Row(fate=ReportFate.ACCEPTED),
    "1": Row(fate=_R, then=Then.TRY_NEXT, alarm=True, meaning="a field is wrong"),
    "2": Row(fate=_R, then=Then.TRY_NEXT, alarm=True, meaning="record not found"),
    "3": Row(fate=_U, reconcile=True, meaning="unidentified error"),
    "15": Row(fate=_U, reconcile=True, meaning="operation error"),
    "999": Row(fate=_U, reconcile=True, meaning="service error"),
    "4 5 6": Row(fate=_R, then=Then.TRY_NEXT, alarm=True, meaning="wrong module, method or format"),
    "11 12": Row(fate=_R, then=Then.TRY_NEXT, alarm=True, meaning="a parameter is missing or breaks a limit"),
    "8": Row(fate=_R, then=Then.PAUSE, meaning="login failed: key, caller's address or closed session"),
    "9": Row(fate=_R, then=Then.PAUSE, meaning="the key may not do this"),
    "14": Row(fate=_R, then=Then.PAUSE, meaning="the account is blocked or deleted"),
    "13": Row(fate=_R, then=Then.PAUSE, alarm=True, meaning="this account belongs to another server; set url"),
    "10": Row(fate=_R, then=Then.RETRY_LATER, delay=5.0, retries=1, meaning="could not be saved"),
    "30": Row(fate=_R, then=Then.RETRY_LATER, delay=60.0, meaning="too many requests"),
    "98 99": Row(fate=_U, reconcile=True, meaning="done in part, or not at all"),
})  # fmt: skip

# Code 1 by the names of the fields in `data`.
INVALID = rows({
    "recipient": Row(fate=_R, then=Then.PERMANENT, meaning="bad number"),
    "from": Row(fate=_R, then=Then.TRY_NEXT, meaning="the sender name is not accepted"),
    "text": Row(fate=_R, then=Then.TRY_NEXT, meaning="the text is not accepted"),
    "params": Row(fate=_R, then=Then.TRY_NEXT, alarm=True, meaning="a parameter is not accepted"),
})  # fmt: skip

# Codes of one recipient in an answer 98 or 99.
RECIPIENT = rows({
    "0 4": Row(fate=ReportFate.ACCEPTED, meaning="taken, or there already"),
    "1 2 3": Row(fate=_R, then=Then.PERMANENT, meaning="bad number"),
    "5": Row(fate=_R, then=Then.PERMANENT, meaning="on the stop list; the person may have opted out"),
    "6 7 8": Row(fate=_R, then=Then.TRY_NEXT, meaning="country or operator is not served"),
    "99": Row(fate=_R, then=Then.RETRY_LATER, delay=60.0, meaning="not done"),
})  # fmt: skip
OTHER_RECIPIENT = Row(fate=_R, then=Then.TRY_NEXT, alarm=True, meaning="a reason that is not in our table")

MESSAGE = rows({
    "NEW ENQUEUD": Row(fate=ReportFate.ACCEPTED),
    "ACCEPTD PDLIVRD": Row(fate=ReportFate.SENT),
    "DELIVRD": Row(fate=ReportFate.DELIVERED),
    "UNDELIV": Row(fate=ReportFate.UNDELIVERED, then=Then.TRY_NEXT, meaning="not delivered"),
    "REJECTD": Row(fate=_R, then=Then.TRY_NEXT, meaning="rejected"),
    "EXPIRED": Row(fate=ReportFate.EXPIRED, then=Then.TRY_NEXT, meaning="its validity ended"),
    "DELETED": Row(fate=_R, then=Then.TRY_NEXT, meaning="deleted at the provider"),
    "UNKNOWN": Row(fate=_U, reconcile=True),
})  # fmt: skip


# --- Requests ---------------------------------------------------------------------------------------------------------

LONGEST_VALIDITY = 1440  # minutes; 4320 by the older document, and refused by the newer
Form = list[tuple[str, str]]


def request(s: Submission, o: Options, *, now: datetime) -> Form:
    """The form of `message/sendSmsMessage`. Raises `Refused` for what this provider cannot be told."""
    _check_flags(s)
    text = (s.text or "").replace("\r\n", "\n").replace("\r", "\n")
    if not text:
        raise not_expressible("text", "a text message needs a text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused(
            "the text holds half of a character (a lone surrogate)", code="bad_text", cause=Cause.DEST, everywhere=True
        ) from None
    if not re.fullmatch(r"\+[1-9]\d{6,14}", s.to):
        raise not_expressible("to", "Mobizon takes international numbers")
    form = [("recipient", s.to[1:]), ("text", text)]
    if sender := s.sender or o.sender:
        form.append(("from", sender))
    form.append(("params[name]", client_id(s.attempt_id)))
    if s.send_at is not None:
        form.append(("params[deferredToTs]", _deferred(s.send_at, o, now)))
    if s.message_class is not None:
        if not o.classes or s.message_class not in (0, 1, 2, 3):
            raise not_expressible("message_class", "0 to 3, and only with the option classes")
        form.append(("params[mclass]", str(s.message_class)))
    if s.validity is not None:
        form.append(("params[validity]", str(_validity(s.validity, o))))
    if "shorten_links" in s.options:
        form.append(("params[shortenLinks]", "1" if s.options["shorten_links"] == "1" else "0"))
    return form


def status_form(ids: Sequence[str]) -> Form:
    """At most 100 ids: the 101st would refuse them all."""
    return [(f"ids[{n}]", id) for n, id in enumerate(ids)]


def list_form(
    *,
    criteria: Mapping[str, str | Sequence[str]] | None = None,
    page: int = 0,
    page_size: int = PAGE_SIZE,
    sort: Mapping[str, str] | None = None,
    number_info: bool = False,
) -> Form:
    """The form of `message/list` and `campaign/list`. Pages count from 0 and hold 25, 50 or 100 items; `sort` maps a
    field to ASC or DESC."""
    form: Form = []
    for name, value in (criteria or {}).items():
        if isinstance(value, str):
            form.append((f"criteria[{name}]", value))
        else:
            form += [(f"criteria[{name}][{n}]", each) for n, each in enumerate(value)]
    form += [("pagination[currentPage]", str(page)), ("pagination[pageSize]", str(page_size))]
    form += [(f"sort[{field}]", direction) for field, direction in (sort or {}).items()]
    if number_info:
        form.append(("withNumberInfo", "1"))
    return form


# The criteria and sort fields of both documents, the older and the newer.
_SORTED = ("id", "campaignId", "from", "to", "text", "status", "groups", "contentProviderId")
_RANGES = ("campaignCreateTs", "campaignSentTs", "statusUpdateTs")
LIST = Language(
    provider="Mobizon",
    criteria={
        "reference": "id",
        "to": "to",
        "sender": "from",
        "text": "text",
        "status": "status",
        "since": "startSendTsFrom",
        "until": "startSendTsTo",
    },
    own=(
        *("campaignId", "campaignIds", "campaignStatus", "groups", "contentProviderId"),
        *(f"{name}{end}" for name in _RANGES for end in ("From", "To")),
    ),
    statuses=tuple(MESSAGE),
    sort={"reference": "id", "sender": "from"} | {name: name for name in _SORTED},
    sizes=PAGE_SIZES,
    size="25, 50 or 100 messages",
)


def page_form(query: MessageQuery, o: Options) -> Form:
    """The form of `message/list` for a person's question. Raises `NotOffered`."""
    zone = ZoneInfo(o.zone) if o.zone else None
    criteria = asked(query, LIST, None if zone is None else lambda at: f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}")
    if criteria.get("campaignIds", "").count(",") >= CAMPAIGNS:
        raise NotOffered(f"where: campaignIds has more than {CAMPAIGNS}; Mobizon looks at the first ones only")
    if "to" in criteria:
        criteria["to"] = criteria["to"].removeprefix("+")
    return list_form(
        criteria=criteria,
        page=query.page - 1,
        page_size=query.limit or PAGE_SIZES[0],
        sort={LIST.sort[by.field]: "DESC" if by.descending else "ASC" for by in query.sort},
        number_info=True,
    )


def _check_flags(s: Submission) -> None:
    if s.kind != "text":
        raise not_expressible("kind", f"Mobizon has no {s.kind} messages")
    if s.data is not None or s.udh or s.encoding is Encoding.BINARY or s.protocol_id or s.dcs is not None:
        raise not_expressible("data, udh, protocol_id, dcs", "Mobizon sends texts only")
    if s.reply_path or s.reject_duplicates:
        raise not_expressible("reply_path, reject_duplicates", "Mobizon has no such flags")
    if unknown := s.options.keys() - {"shorten_links"}:
        raise not_expressible(f"options.{min(unknown)}", "Mobizon has no such parameter")


def _validity(seconds: int, o: Options) -> int:
    """Minutes, rounded down: a message may end early, never late."""
    minutes = seconds // 60
    if minutes < o.least_validity:
        raise not_expressible("validity", f"{seconds} s; Mobizon takes no less than {o.least_validity} minutes")
    return min(minutes, LONGEST_VALIDITY)


def _deferred(at: datetime, o: Options, now: datetime) -> str:
    if not o.zone:
        raise not_expressible("send_at", "the zone of this account's dates is not known; set zone")
    if not timedelta(hours=1) <= at - now <= timedelta(days=14):
        raise not_expressible("send_at", "Mobizon holds a message for 1 hour to 14 days")
    return at.astimezone(ZoneInfo(o.zone)).strftime("%Y-%m-%d %H:%M:%S")


# --- Answers ----------------------------------------------------------------------------------------------------------


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    receipt: Receipt
    campaign: str = ""
    moderated: bool = False  # it waits for a moderator: neither sent nor refused


def read_sent(answer: Answer, *, raw: str = "") -> Sent:
    """The answer to a send. Raises SubmitError."""
    data = read_data(answer, raw=raw)
    if isinstance(data, dict) and (id := _text(data.get("messageId"))):
        return Sent(
            receipt=Receipt(reference=id, raw=raw),
            campaign=_text(data.get("campaignId")),
            moderated=_text(data.get("status")) == "1",
        )
    if (_json(answer.body) or {}).get("code") in (100, "100") and (task := _text(data)):
        return Sent(receipt=Receipt(reference=f"task-{task}", raw=raw))
    raise error(UNLISTED, code="no_id", detail="neither an id nor an error in the answer", raw=raw)


def read_data(answer: Answer, *, raw: str = "") -> Any:
    """`data` of an envelope that says it is done. Raises SubmitError for all other answers."""
    content = _json(answer.body)
    code = _text((content or {}).get("code"))
    if content is None or not re.fullmatch(r"\d{1,4}", code):
        if (by_status := judge(answer)) is not None:
            by_status.raw = raw
            raise by_status
        raise error(UNLISTED, code="unreadable", detail="the answer is not an envelope of Mobizon", raw=raw)
    data = content.get("data")
    if code in ("0", "100"):
        if answer.status not in (200, 201, 202):
            raise MaybeSent(f"done, with HTTP {answer.status}", code="unreadable", cause=Cause.DOUBT, raw=raw)
        return data
    row = row_of(code, data)
    if row.fate is ReportFate.ACCEPTED:  # 98 or 99, but our recipient was taken
        return data
    raise error(row, code=f"mobizon_{code}", detail=_sentence(code, row, content), raw=raw)


def row_of(code: str, data: object) -> Row:
    """The row of an envelope's code, with what `data` adds to it."""
    match code:
        case "1":
            return _invalid(data)
        case "98" | "99":
            return _recipient(data)
        case _:
            return look_up(CODE, code)


def _invalid(data: object) -> Row:
    """The most severe of the fields that are named: the number before the rest, our own mapping last."""
    names = [name.partition("[")[0].lower() for name in data] if isinstance(data, dict) else []
    known = [name for name in INVALID if name in names]
    return INVALID[known[0]] if known else CODE["1"]


def _recipient(data: object) -> Row:
    """The first item that has a code; a list of recipients or a map by number."""
    items = list(data.values()) if isinstance(data, dict) else data if isinstance(data, list) else []
    codes = [_text(item.get("code")) for item in items if isinstance(item, dict) and "code" in item]
    if len(codes) != 1:
        return CODE["98"]
    return RECIPIENT.get(codes[0], OTHER_RECIPIENT)


def _sentence(code: str, row: Row, content: Mapping[str, Any]) -> str:
    said = _text(content.get("message"))[:200]
    fields = ", ".join(sorted(content["data"]))[:200] if code == "1" and isinstance(content.get("data"), dict) else ""
    return f"Mobizon code {code}: {row.meaning}" + (f": {fields}" if fields else "") + (f" ({said})" if said else "")


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A message as `getSMSStatus`, `message/list` or the webhook shows it."""

    id: str
    status: str
    to: str = ""
    campaign: str = ""
    segments: int | None = None
    price: Decimal | None = None  # of one segment
    updated: str = ""
    started: str = ""
    facts: str = ""  # country and operator, where they were asked for
    raw: str = ""

    @property
    def cost(self) -> Decimal | None:
        return None if self.price is None else self.price * (self.segments or 1)


def read_items(data: object) -> tuple[list[Item], int]:
    """Messages of a list or a page, and how many there are in all."""
    items = [_item(fields) for fields in _entries(data)]
    total = _count(data.get("totalItemCount")) if isinstance(data, dict) else None
    return items, len(items) if total is None else total


def read_page(data: object, query: MessageQuery, *, zone: str, currency: str = "") -> MessagePage:
    """Raises SubmitError when it is no page."""
    total = _count(data.get("totalItemCount")) if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(data.get("items"), list | dict) or total is None:
        raise MaybeSent("no page of messages in the answer", code="unreadable", cause=Cause.DOUBT)
    pages = max(1, -(-total // (query.limit or PAGE_SIZES[0])))
    items = tuple(_listed(fields, zone=zone, currency=currency) for fields in _entries(data))
    return MessagePage(items=items, page=query.page, pages=pages, total=total, more=query.page < pages)


def _entries(data: object) -> list[dict[str, Any]]:
    listed = data.get("items") if isinstance(data, dict) else data
    if isinstance(listed, dict):
        listed = list(listed.values())
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


_SHOWN = (
    "id", "from", "to", "text", "status", "segNum", "startSendTs", "statusUpdateTs", "countryA2", "operatorName",
)  # fmt: skip


def _listed(fields: Mapping[str, Any], *, zone: str, currency: str) -> ListedMessage:
    item = _item(fields)
    report = report_of(item, sim="", zone=zone, currency=currency)
    text = fields.get("text")
    return ListedMessage(
        reference=item.id,
        to=report.recipient,
        sender=_text(fields.get("from")),
        text=text if isinstance(text, str) else None,
        fate=report.fate or _U,
        code=report.code,
        detail=look_up(MESSAGE, item.status).meaning,
        parts=item.segments,
        cost=report.cost,
        currency=report.currency,
        sent_at=report.submitted_at,
        changed_at=report.discharged_at,
        country=_text(fields.get("countryA2")),
        operator=_text(fields.get("operatorName")),
        # Dates of an account whose zone is not known are shown as they stand.
        facts=facts(fields, _SHOWN if zone else [name for name in _SHOWN if not name.endswith("Ts")]),
    )


def report_of(item: Item, *, sim: str, zone: str, currency: str = "", attempt: str | None = None) -> StatusReport:
    row = look_up(MESSAGE, item.status)
    return StatusReport(
        sim=sim,
        pdu=item.raw,
        fingerprint=_fingerprint(sim, item.id, item.status, item.updated),
        recipient=f"+{item.to.lstrip('+')}" if item.to else "",
        submitted_at=_moment(item.started, zone),
        discharged_at=_moment(item.updated, zone),
        reference=item.id,
        attempt_id=attempt,
        fate=row.fate,
        elsewhere=elsewhere(row),
        code=item.status,
        detail=", ".join(filter(None, (row.meaning, item.facts))),
        cost=item.cost,
        currency=currency if item.cost is not None else "",
    )


def read_callback(call: Call, o: Options) -> Item | None:
    """The message that a webhook is about; None for another kind of event. Raises `Forged`."""
    if not o.webhook_secret:
        raise Forged("webhook_secret is not set")
    if o.webhook_address and call.address != o.webhook_address:
        raise Forged("not from the provider's address")
    fields = _webhook(call)
    signed = "|".join(_text(fields.get(name)) for name in ("eventId", "attempt", "eventCreateTs"))
    right = sha1(f"{signed}|{o.webhook_secret}".encode(), usedforsecurity=False).hexdigest()
    if not hmac.compare_digest(_text(fields.get("sign")).lower().encode(), right.encode()):
        raise Forged("wrong signature")
    if fields.get("eventType") != "sms-delivery-report":
        return None
    data = fields.get("data")
    item = _item(data) if isinstance(data, dict) else None
    if item is None or not item.id or not item.status:
        raise Forged("a report without message and status")
    return item


def _webhook(call: Call) -> dict[str, Any]:
    """JSON, XML or a web form: what the account's panel is set to."""
    kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if "json" in kind or call.body.lstrip()[:1] == b"{":
        return _json(call.body) or {}
    if "xml" in kind or call.body.lstrip()[:1] == b"<":
        try:
            root = parse(call.body)
        except Hostile as hostile:
            raise Forged(f"not XML that we read: {hostile}") from None
        return {_local(e): {_local(c): c.text or "" for c in e} if len(e) else e.text or "" for e in root}
    try:
        pairs = parse_qsl(call.body.decode(), keep_blank_values=True, max_num_fields=50)
    except (UnicodeDecodeError, ValueError):
        raise Forged("not a form") from None
    fields: dict[str, Any] = {"data": {}}
    for name, value in pairs:
        if inner := re.fullmatch(r"data\[(\w+)\]", name):
            fields["data"][inner[1]] = value
        elif name != "data":
            fields[name] = value
    return fields


def _local(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _item(fields: Mapping[str, Any]) -> Item:
    facts = (_text(fields.get("countryA2")), _text(fields.get("operatorName")))
    return Item(
        id=_text(fields.get("id")) or _text(fields.get("messageId")),
        status=_text(fields.get("status")),
        to=_text(fields.get("to")),
        campaign=_text(fields.get("campaignId")),
        segments=_count(fields.get("segNum")),
        price=_money(fields.get("segUserBuy")),
        updated=_text(fields.get("statusUpdateTs")),
        started=_text(fields.get("startSendTs")),
        facts=", ".join(filter(None, facts)),
        raw=msgspec.json.encode(fields).decode()[:RAW_LIMIT],
    )


def _json(body: bytes) -> dict[str, Any] | None:
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _text(value: object) -> str:
    """Ids and numbers come as text or as numbers."""
    return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _count(value: object) -> int | None:
    text = _text(value)
    return int(text) if re.fullmatch(r"\d{1,9}", text) else None


def _money(value: object) -> Decimal | None:
    try:
        amount = Decimal(_text(value).replace(",", "."))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def _moment(text: str, zone: str) -> datetime | None:
    """The documents write `HH-MM-SS`, their examples `HH:MM:SS`."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)[ T](\d\d)[:-](\d\d)[:-](\d\d)", text)
    if not zone or found is None:
        return None
    try:
        read = datetime.fromisoformat(f"{found[1]} {found[2]}:{found[3]}:{found[4]}")
    except ValueError:
        return None
    return read.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _fingerprint(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()


# --- The driver -------------------------------------------------------------------------------------------------------

_OURS_UNKNOWN = "webhook:"  # in place of an attempt's id, for a message that only a webhook has told us of


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign that waits for a moderator."""

    campaign: str
    to: str
    attempt: str
    until: float


def create(channel: str, options: object, environment: Environment) -> MobizonDriver:
    if not isinstance(options, Options):
        raise TypeError("the options of mobizon are wanted")
    return MobizonDriver(channel, options, monotonic=environment.monotonic)


class MobizonDriver:
    """One account. A webhook's signature does not cover its content, so a negative webhook only hastens the question
    that proves it."""

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
            sender=True,
            own_udh=False,
            bulk=options.parallel,
        )
        self._monotonic = monotonic
        self._wall = wall
        self._url = check_url(options.url)
        secrets = (options.api_key, options.webhook_secret)
        self._client = Client(options, secrets=secrets, secure=is_secure(options.url), restraint=Restraint(monotonic))
        self._link = Link(channel, self._check, monotonic=monotonic, model="Mobizon")
        self._open = OpenMessages(monotonic, first=options.poll_after)
        self._sent = Window(1, options.visible_after, monotonic)  # what `look_up` must not call absent yet
        self._campaigns: OrderedDict[str, str] = OrderedDict()  # message -> campaign, while its price is not known
        self._waiting: OrderedDict[str, Waiting] = OrderedDict()  # by message
        self._currency = ""
        self._up = asyncio.Event()

    async def run(self, sink: Sink) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._link.run(sink))
                if self._o.poll:
                    interval = self._o.poll_interval
                    tasks.create_task(
                        poll(sink, self._open, self._ask, link=self._link, interval=interval, batch=BATCH)
                    )
                    tasks.create_task(self._catch_up(sink))
                tasks.create_task(self._moderation(sink))
        finally:
            await self._client.close()

    async def submit(self, submission: Submission) -> Receipt:
        self._link.require()
        form = request(submission, self._o, now=datetime.fromtimestamp(self._wall(), UTC))
        self._sent.note(client_id(submission.attempt_id))
        try:
            answer = await self._call("message/sendSmsMessage", form)
            sent = read_sent(answer, raw=self._raw(answer))
        except SubmitError as failure:
            self._link.failed(failure)
            if failure.code in ("mobizon_3", "mobizon_15", "mobizon_999"):
                await self._look_at_balance()
            raise
        self._link.worked()
        reference = sent.receipt.reference
        self._open.follow(reference, submission)
        if sent.moderated:
            self._waiting[reference] = Waiting(
                campaign=sent.campaign,
                to=submission.to,
                attempt=submission.attempt_id,
                until=self._monotonic() + self._o.moderation_wait,
            )
        self._campaigns[reference] = sent.campaign
        while len(self._campaigns) > KEPT:
            self._campaigns.popitem(last=False)
        return sent.receipt

    async def submit_many(self, submissions: Sequence[Submission]) -> list[Receipt | SubmitError]:
        return await side_by_side(self.submit, submissions)

    async def look_up(self, submission: Submission) -> Found | Absent | CannotTell:
        """By the campaign's name, which carries our id."""
        name = client_id(submission.attempt_id)
        asked, wait = self._sent.known(name), self._sent.wait(name)
        if not asked:
            self._sent.note(name)
        try:
            campaign, whole = await self._campaign_of(name, submission.to)
            if campaign:
                items, _ = await self.list_messages(criteria={"campaignIds": [campaign]}, number_info=False)
                if not items:
                    return CannotTell(reason="Mobizon has its campaign but does not show the message yet")
                self._open.follow(items[0].id, submission)
                receipt = Receipt(
                    reference=items[0].id, raw=items[0].raw, parts=items[0].segments, cost=items[0].cost
                )  # fmt: skip
                return Found(receipt=msgspec.structs.replace(receipt, currency=self._currency))
        except SubmitError as failure:
            return CannotTell(reason=failure.detail)
        if not whole:
            return CannotTell(reason="Mobizon has more campaigns to this number than were read")
        if not asked or wait > 0:
            return CannotTell(reason=f"not listed yet; it may need {self._o.visible_after:.0f} s to appear")
        return Absent()

    def follow(self, messages: Sequence[Followed]) -> None:
        self._open.take_up(messages)

    async def health(self) -> Health:
        link = self._link
        return Health(state=link.state, reason=link.reason, model="Mobizon", errors_in_row=link.errors_in_row)

    # --- The account --------------------------------------------------------------------------------------------------

    async def balance(self) -> Balance:
        answer = await self._call("user/getOwnBalance", [])
        raw = self._raw(answer)
        data = read_data(answer, raw=raw)
        amount = _money(data.get("balance")) if isinstance(data, dict) else None
        if amount is None:
            raise MaybeSent("no balance in the answer", code="no_balance", cause=Cause.DOUBT, raw=raw)
        self._currency = _text(data.get("currency"))
        return Balance(amount=amount, currency=self._currency, raw=raw)

    async def quote(self, submission: Submission) -> Quote:
        raise NotOffered("Mobizon tells the price of a message only after it was sent; smsc tells it before")

    async def senders(self) -> list[SenderName]:
        answer = await self._call("alphaname/list", list_form())
        data = read_data(answer, raw=self._raw(answer))
        items = data.get("items") if isinstance(data, dict) else data
        found = []
        for item in items if isinstance(items, list) else []:
            named = item.get("alphaname") if isinstance(item, dict) else None
            name = _text(named.get("name")) if isinstance(named, dict) else _text(named)
            states = dict.fromkeys(_text(item.get(key)) for key in ("globalStatus", "partnerStatus")) if name else {}
            if name:
                found.append(SenderName(name=name, state="/".join(filter(None, states))))
        return found

    async def status(self, reference: str, to: str) -> StatusReport:
        """From the list, with price, country and operator; from the short answer when the list does not show it.
        UNKNOWN when neither does."""
        items, _ = await self.list_messages(
            criteria={"to": to.removeprefix("+")}, sort={"id": "DESC"}, number_info=True
        )  # fmt: skip
        item = next((item for item in items if item.id == reference), None)
        if item is None:
            found = await self._statuses([reference])
            item = found.get(reference) or Item(id=reference, status="UNKNOWN", to=to)
        return report_of(item, sim=self._channel, zone=self._o.zone, currency=self._currency)

    async def cancel(self, reference: str, to: str) -> bool:
        """With its campaign, which holds this one message. One that is being sent cannot be deleted (code 15)."""
        campaign = self._campaigns.get(reference)
        if not campaign:
            criteria = {"to": to.removeprefix("+")}
            items, _ = await self.list_messages(criteria=criteria, sort={"id": "DESC"})
            campaign = next((item.campaign for item in items if item.id == reference), "")
        if not campaign:
            return False
        try:
            answer = await self._call("campaign/delete", [("id", campaign)])
            read_data(answer, raw=self._raw(answer))
        except SubmitError as failure:
            if failure.code in ("mobizon_2", "mobizon_15"):
                return False
            raise
        self._waiting.pop(reference, None)
        self._open.drop(reference)
        return True

    async def subscriber(self, number: str) -> Lookup:
        raise NotOffered("Mobizon has no number look-up; smsc and serwersms have one")

    async def messages(self, query: MessageQuery) -> MessagePage:
        answer = await self._call("message/list", page_form(query, self._o))
        data = read_data(answer, raw=self._raw(answer))
        return read_page(data, query, zone=self._o.zone, currency=self._currency)

    async def list_messages(
        self,
        *,
        criteria: Mapping[str, str | Sequence[str]] | None = None,
        page: int = 0,
        page_size: int = PAGE_SIZE,
        sort: Mapping[str, str] | None = None,
        number_info: bool = False,
    ) -> tuple[list[Item], int]:
        """One page of `message/list` and how many messages match. Raises SubmitError."""
        form = list_form(criteria=criteria, page=page, page_size=page_size, sort=sort, number_info=number_info)
        answer = await self._call("message/list", form)
        return read_items(read_data(answer, raw=self._raw(answer)))

    def called(self, call: Call) -> Reply:
        item = read_callback(call, self._o)
        if item is None:
            return Reply()
        fate = look_up(MESSAGE, item.status).fate
        if fate is not ReportFate.DELIVERED:
            if not self._open.find(item.id):
                self._open.add(item.id, f"+{item.to.lstrip('+')}", _OURS_UNKNOWN + item.id)
            self._open.hasten(item.id)
            if self._o.poll:
                return Reply()
        attempt = next((m.attempt for m in self._open.find(item.id)), None)
        if attempt is not None and attempt.startswith(_OURS_UNKNOWN):
            attempt = None
        return Reply(events=(report_of(item, sim=self._channel, zone=self._o.zone, attempt=attempt),))

    # --- Below --------------------------------------------------------------------------------------------------------

    async def _call(self, method: str, form: Form) -> Answer:
        query = urlencode({"output": "json", "api": "v1", "apiKey": self._o.api_key})
        return await self._client.request(
            "POST",
            f"{self._url}/service/{method}?{query}",
            content=urlencode(form).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded", "Cache-Control": "no-cache"},
        )

    async def _check(self) -> None:
        await self.balance()
        self._up.set()

    async def _look_at_balance(self) -> None:
        """There is no code for an empty account: after an unclear error only the balance tells."""
        try:
            balance = await self.balance()
        except SubmitError as failure:
            log.debug("balance_unknown channel=%s code=%s", self._channel, failure.code)
            return
        if balance.amount <= self._o.low_balance:
            self._link.failed(
                NotSent(
                    f"the account is empty: {balance.amount} {balance.currency}",
                    code="no_credit",
                    cause=Cause.SIM,
                    channel_unusable=True,
                )
            )

    async def _statuses(self, ids: Sequence[str]) -> dict[str, Item]:
        answer = await self._call("message/getSMSStatus", status_form(ids))
        items, _ = read_items(read_data(answer, raw=self._raw(answer)))
        return {item.id: item for item in items}

    async def _ask(self, messages: Sequence[Open]) -> list[StatusReport | None]:
        items = await self._statuses([m.reference for m in messages])
        ended = [id for id, item in items.items() if look_up(MESSAGE, item.status).fate in FINAL]
        items |= await self._priced([id for id in ended if self._campaigns.get(id)], items)
        reports: list[StatusReport | None] = []
        for message in messages:
            item = items.get(message.reference)
            if item is None:
                reports.append(None)
                continue
            if item.status != "NEW":
                self._waiting.pop(item.id, None)
            item = msgspec.structs.replace(item, to=item.to or message.to)
            attempt = None if message.attempt.startswith(_OURS_UNKNOWN) else message.attempt
            reports.append(
                report_of(item, sim=self._channel, zone=self._o.zone, currency=self._currency, attempt=attempt)
            )
        return reports

    async def _priced(self, ids: list[str], items: Mapping[str, Item]) -> dict[str, Item]:
        """The same messages with their prices. A report is worth more than its price: a failure here costs nothing."""
        priced: dict[str, Item] = {}
        for at in range(0, len(ids) if self._o.prices else 0, CAMPAIGNS):
            campaigns = {self._campaigns[id]: id for id in ids[at : at + CAMPAIGNS]}
            try:
                listed, _ = await self.list_messages(criteria={"campaignIds": list(campaigns)})
            except SubmitError as failure:
                log.debug("price_unknown channel=%s code=%s", self._channel, failure.code)
                break
            for item in listed:
                if item.id in items and item.price is not None:
                    priced[item.id] = msgspec.structs.replace(items[item.id], price=item.price, to=item.to)
        for id in ids:
            self._campaigns.pop(id, None)
        return priced

    async def _campaign_of(self, name: str, to: str) -> tuple[str, bool]:
        """The campaign of that name, and whether all that could be it were read. Two days cover every zone."""
        since = datetime.fromtimestamp(self._wall(), UTC) - timedelta(days=2)
        criteria = {"recipient": to.removeprefix("+"), "createTsFrom": since.strftime("%Y-%m-%d %H:%M:%S")}
        for page in range(5):
            answer = await self._call("campaign/list", list_form(criteria=criteria, page=page, sort={"id": "DESC"}))
            data = read_data(answer, raw=self._raw(answer))
            items = data.get("items") if isinstance(data, dict) else None
            if not isinstance(items, list):
                raise MaybeSent("no list in the answer", code="unreadable", cause=Cause.DOUBT)
            for item in items:
                if isinstance(item, dict) and item.get("name") == name:
                    return _text(item.get("id")) or _text(item.get("campaignId")), True
            total = _count(data.get("totalItemCount"))
            if len(items) < PAGE_SIZE or (total is not None and (page + 1) * PAGE_SIZE >= total):
                return "", True
        return "", False

    async def _catch_up(self, sink: Sink) -> None:
        """What ended while we were not running, newest first. Messages of others in this account are among them; the
        bridge keeps their reports as nobody's."""
        await self._up.wait()
        try:
            for page in range(self._o.catch_up_pages):
                items, total = await self.list_messages(page=page, sort={"id": "DESC"})
                for item in items:
                    if look_up(MESSAGE, item.status).fate in FINAL:
                        await offer(
                            sink, report_of(item, sim=self._channel, zone=self._o.zone, currency=self._currency)
                        )  # fmt: skip
                if (page + 1) * PAGE_SIZE >= total:
                    return
        except SubmitError as failure:
            log.warning("catch_up_failed channel=%s code=%s", self._channel, failure.code)

    async def _moderation(self, sink: Sink) -> None:
        """Take back what has waited too long for a moderator; only when the provider agrees is it not sent."""
        while True:
            await asyncio.sleep(min(max(self._o.moderation_wait / 4, 0.05), 30.0))
            late = [(id, w) for id, w in self._waiting.items() if w.until <= self._monotonic()]
            for id, waiting in late:
                if self._link.state is not LinkState.UP:
                    break
                await self._take_back(id, waiting, sink)

    async def _take_back(self, id: str, waiting: Waiting, sink: Sink) -> None:
        try:
            answer = await self._call("campaign/delete", [("id", waiting.campaign)])
            read_data(answer, raw=self._raw(answer))
        except SubmitError as failure:
            if not failure.code.startswith("mobizon_"):
                return  # no answer; asked again at the next turn
            log.info("moderation_not_taken_back channel=%s code=%s", self._channel, failure.code)
            self._waiting.pop(id, None)
            return
        self._waiting.pop(id, None)
        self._open.close(waiting.attempt)
        await offer(
            sink,
            StatusReport(
                sim=self._channel,
                pdu=self._raw(answer),
                fingerprint=_fingerprint(self._channel, id, "moderation"),
                recipient=waiting.to,
                reference=id,
                attempt_id=waiting.attempt,
                fate=_R,
                code="moderation",
                detail="it waited too long for the provider's moderator and was taken back",
            ),
        )

    def _raw(self, answer: Answer) -> str:
        return mask(answer.text, self._client.secrets)[:RAW_LIMIT]
