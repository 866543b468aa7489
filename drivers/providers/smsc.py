"""SMSC (smscentre.com, smsc.ru, smsc.kz, smsc.ua) over SOAP: send_sms, send_sms2 and their companions.

The answer to a send has an id or an error; the error numbers of the four kinds of call differ in meaning (3 is "no
money" when sending and "not found" when asking), so each has its table. The id is ours and may be used twice, so it
guards against nothing; it lets us ask.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from hashlib import md5, sha1, sha256
from urllib.parse import parse_qsl, quote

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
from drivers.providers.http import Client, check_url, is_secure
from drivers.providers.identity import client_id
from drivers.providers.limits import Flood, Window
from drivers.providers.link import Link
from drivers.providers.lists import ListsMark
from drivers.providers.outcomes import Row, Then, elsewhere, error, look_up, not_expressible, rows
from drivers.providers.parallel import ParallelEndpoint, side_by_side
from drivers.providers.polling import FIRST_WAIT, KEPT, Open, OpenMessages, poll
from drivers.providers.soap import Reply as SoapReply
from drivers.providers.soap import Soap, clean, strings
from drivers.registry import Environment

__all__ = ["ERR", "SEND", "STATUS", "STATUS_CALL", "Options", "SmscDriver", "create", "fate", "request"]

LONGEST_TEXT = 1000  # characters of `mes`
LIST_SIZE = 200  # numbers in one request
HOST = "https://smscentre.com/sys/soap.php"


class Options(ParallelEndpoint, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`login` and `password`, or `api_key`. See the manual for each field."""

    login: str = ""
    password: str = ""
    api_key: str = ""
    url: str = HOST
    namespace: str = ""  # of the XML; "" = the address
    sender: str = ""  # when a message names none
    tz: int | None = None  # hours from Moscow in which the account's own times are read; None = its setting
    cost: int = 3  # 0, 2 or 3: the answer to a send carries nothing, the cost, the cost and the balance
    currency: str = ""  # of the account; the provider does not say it
    tinyurl: bool = False  # shorten links
    maxsms: int = 0  # cut a text to so many parts; 0 = never
    user_ip: str = ""  # address whose daily limit is charged
    min_balance: Decimal = Decimal(0)  # a channel stopped for lack of money goes on above this
    block_rest: float = 900.0  # seconds of silence after the provider blocked our address
    status_detail: int = 2  # 0-2: how much a question about one message brings
    status_query: str = ""  # further parameters of such a question
    quote_by_send: bool = False  # ask the price with send_sms2 and cost=1 in place of get_sms_cost
    lists: bool = False  # many texts in one request, under one common id
    list_lines: bool = False  # nl=1 in lists: line breaks stay as they are
    poll: bool = True  # ask for the fate of messages; off where the callback is set up
    poll_interval: float = 1.0  # seconds between two such questions
    poll_after: float = FIRST_WAIT  # seconds from a send to the first question about it; later ones come ever later
    visible_after: float = 60.0  # seconds after which an unknown message is proven absent
    hlr_waits: tuple[float, ...] = (3.0, 13.0, 13.0, 13.0)  # before each question for the result of an HLR request
    callback_secret: str = ""  # of the callback's signature; "" = unsigned

    def __post_init__(self) -> None:
        super().__post_init__()
        check_url(self.url)
        if not self.api_key and not (self.login and self.password):
            raise ValueError("give login and password, or api_key")
        if self.cost not in (0, 2, 3):
            raise ValueError("cost must be 0, 2 or 3; 1 would never send")
        if self.status_detail not in (0, 1, 2):
            raise ValueError("status_detail must be 0, 1 or 2")
        if self.maxsms < 0 or min(self.poll_interval, self.poll_after) <= 0:
            raise ValueError("maxsms must not be negative, poll_interval and poll_after above 0")


# --- What its words mean ----------------------------------------------------------------------------------------------

_R, _U = ReportFate.REJECTED, ReportFate.UNKNOWN

SEND = rows({
    "1": Row(fate=_R, then=Then.TRY_NEXT, alarm=True, meaning="bad parameters"),
    "2": Row(fate=_R, then=Then.PAUSE, meaning="wrong login, password or key, or our address is not on its list"),
    "3": Row(fate=_R, then=Then.PAUSE, meaning="not enough money on the account"),
    "4": Row(fate=_R, then=Then.PAUSE, meaning="our address is blocked for a while after frequent errors"),
    "5": Row(fate=_R, then=Then.TRY_NEXT, alarm=True, meaning="bad date"),
    "6": Row(fate=_R, then=Then.TRY_NEXT, meaning="the text or the sender is not allowed here"),
    "7": Row(fate=_R, then=Then.PERMANENT, meaning="bad number"),
    "8": Row(fate=_R, then=Then.TRY_NEXT, meaning="it cannot be delivered to this number"),
    "9": Row(fate=_R, then=Then.RETRY_LATER, delay=61, meaning="the same request within a minute, or too many"),
})  # fmt: skip
SEND_AGAIN = Row(fate=_U, reconcile=True, meaning="the same request within a minute: the earlier one probably arrived")

# A question that fails says nothing of the message. 3 is not here: it is "not found".
STATUS_CALL = rows({
    "1": SEND["1"],
    "2": SEND["2"],
    "4": SEND["4"],
    "9": Row(fate=_R, then=Then.RETRY_LATER, delay=61, meaning="asked too often"),
})  # fmt: skip

STATUS = rows({
    "-3": Row(fate=_U, reconcile=True, meaning="not found"),
    "-2": Row(fate=ReportFate.ACCEPTED, alarm=True, meaning="stopped"),
    "-1": Row(fate=ReportFate.ACCEPTED, meaning="waiting to be sent"),
    "0": Row(fate=ReportFate.SENT, meaning="handed to the operator"),
    "1": Row(fate=ReportFate.DELIVERED, meaning="delivered"),
    "2": Row(fate=ReportFate.DELIVERED, meaning="read"),
    "4": Row(fate=ReportFate.DELIVERED, meaning="a link in it was followed"),
    "3": Row(fate=ReportFate.EXPIRED, then=Then.TRY_NEXT, meaning="expired"),
    "20": Row(fate=ReportFate.UNDELIVERED, then=Then.TRY_NEXT, meaning="cannot be delivered"),
    "22": Row(fate=_R, then=Then.PERMANENT, meaning="wrong number"),
    "23": Row(fate=_R, then=Then.TRY_NEXT, meaning="forbidden"),
    "24": Row(fate=_R, then=Then.PAUSE, meaning="not enough money on the account"),
    "25": Row(fate=ReportFate.UNDELIVERED, then=Then.TRY_NEXT, meaning="no route reaches this number"),
})  # fmt: skip


def _failed(then: Then, meaning: str, *, alarm: bool = False) -> Row:
    return Row(fate=ReportFate.UNDELIVERED, then=then, alarm=alarm, meaning=meaning)


ERR = rows({
    "0": _failed(Then.TRY_NEXT, "no reason given"),
    "1": _failed(Then.PERMANENT, "the number does not exist"),
    "6": _failed(Then.RETRY_LATER, "the subscriber was offline"),
    "11": _failed(Then.PERMANENT, "the subscriber has no SMS service"),
    "12": _failed(Then.RETRY_LATER, "an error in the handset"),
    "13": _failed(Then.PERMANENT, "the subscriber is blocked"),
    "21": _failed(Then.PERMANENT, "the handset or the service does not support it"),
    "200": _failed(Then.TRY_NEXT, "the account is in test mode: nothing is sent", alarm=True),
    "219": Row(
        fate=ReportFate.UNDELIVERED, then=Then.TRY_NEXT, bars_codes=True, meaning="the SIM card was changed"
    ),
    "220": _failed(Then.RETRY_LATER, "the operator's queue is full"),
    "237": _failed(Then.RETRY_LATER, "nobody answered the call"),
    "238": _failed(Then.TRY_NEXT, "no template"),
    "239": _failed(Then.PAUSE, "our address is forbidden"),
    "240": _failed(Then.RETRY_LATER, "the line was busy"),
    "241": _failed(Then.TRY_NEXT, "conversion failed, or not all parts were sent"),
    "242": _failed(Then.RETRY_LATER, "an answering machine took the call"),
    "243": _failed(Then.PAUSE, "no contract"),
    "244": _failed(Then.PAUSE, "mailing is forbidden"),
    "245": Row(fate=_U, meaning="the operator never reported"),
    "246": _failed(Then.RETRY_LATER, "time limit"),
    "247": _failed(Then.PAUSE, "message limit"),
    "248": _failed(Then.TRY_NEXT, "no route"),
    "249": _failed(Then.PERMANENT, "bad number"),
    "250": _failed(Then.TRY_NEXT, "the number is forbidden by the account's settings"),
    "251": _failed(Then.TRY_NEXT, "daily limit of this number"),
    "252": _failed(Then.TRY_NEXT, "forbidden"),
    "253": _failed(Then.TRY_NEXT, "spam filter"),
    "254": _failed(Then.TRY_NEXT, "the sender is not registered"),
    "255": _failed(Then.TRY_NEXT, "refused by the operator"),
})  # fmt: skip
_OTHER_ERR = _failed(Then.TRY_NEXT, "a reason that is not in our table", alarm=True)


def fate(status: str, err: str = "") -> Row:
    """The row of a status with its delivery error. `err` explains 20, and 3 when it came with one."""
    if status == "20" or (status == "3" and err not in ("", "0")):
        row = ERR.get(err or "0", _OTHER_ERR)
        if status == "3":
            return msgspec.structs.replace(row, fate=ReportFate.EXPIRED) if row.fate is not _U else row
        return row
    return look_up(STATUS, status)


# --- Requests ---------------------------------------------------------------------------------------------------------

_HOURS = re.compile(r"(\d{1,2})-(\d{1,2})")
_TIMES = (
    re.compile(r"0"),
    re.compile(r"\d{10}"),  # DDMMYYhhmm
    re.compile(r"\d{2}\.\d{2}\.\d{2} \d{2}:\d{2}"),
    re.compile(r"0\d{10}"),  # 0 and a Unix time
    re.compile(r"\+\d{1,5}"),  # minutes from now
)
_VOICE = re.compile(r"[mw][234]?(,[a-z]{2})?")
_CALLS = re.compile(r"\d{1,2},\d{1,4},\d")
_ADDRESS = re.compile(r"[0-9a-fA-F.:]{2,45}")
_SENDER = re.compile(r"[ -~]{1,11}|\+?[0-9]{1,15}")
_ID = re.compile(r"[A-Za-z0-9._-]{1,40}")

# Parameters of `query` that a message may bring in `options`: pattern, and bounds where it is a number.
_QUERY: Mapping[str, tuple[str, float, float]] = {
    "tz": (r"[+-]?\d{1,2}", -13, 14),
    "period": (r"\d{1,3}(\.\d{1,2})?", 0.1, 720),
    "freq": (r"\d{1,4}", 1, 1440),
    "tinyurl": (r"[01]", 0, 1),
    "maxsms": (r"\d{1,3}", 1, 255),
    "cost": (r"[023]", 0, 3),
    "err": (r"[01]", 0, 1),
    "op": (r"[01]", 0, 1),
    "nl": (r"[01]", 0, 1),
}
_KINDS = {
    "text": frozenset[str](),
    "binary": frozenset({"bin"}),
    "wap_push": frozenset({"url"}),
    "ping": frozenset[str](),
    "hlr": frozenset[str](),
    "voice": frozenset({"voice", "param"}),
    "mms": frozenset({"subject"}),
}


def request(s: Submission, o: Options) -> tuple[str, dict[str, str]]:
    """The operation and its fields, login aside. Raises `Refused` for what this provider cannot be told."""
    query = _query(s, o)
    fields = {"phones": s.to, "mes": _message(s, query), "id": _id(s)}
    sender = s.sender or o.sender
    if sender:
        if not _SENDER.fullmatch(sender):
            raise not_expressible("sender", "at most 11 letters, digits and common signs, or 15 digits")
        fields["sender"] = sender
    if time := _time(s):
        fields["time"] = time
    if not query:
        return "send_sms", fields
    fields["query"] = _joined(query)
    return "send_sms2", fields


def _message(s: Submission, query: dict[str, str]) -> str:
    """`mes`, and into `query` what goes with it."""
    if s.kind not in _KINDS:
        raise not_expressible("kind", f"SMSC has no {s.kind} messages here")
    if s.kind != "binary" and (s.udh or s.protocol_id or s.dcs is not None):
        raise not_expressible("udh, protocol_id, dcs", "only with a binary message")
    match s.kind:
        case "binary":
            return _binary(s, query)
        case "wap_push":
            query["push"] = "1"
            url = s.options.get("url", "")
            if not url or "\n" in url:
                raise not_expressible("options.url", "a WAP push needs its link")
            return _bounded(f"{clean(url)}\n{clean(s.text or '')}")
        case "ping" | "hlr":
            query[s.kind] = "1"
            return ""
        case "voice":
            query["call"] = "1"
        case "mms":
            query["mms"] = "1"
            if subject := s.options.get("subject"):
                query["subj"] = clean(subject)
        case _ if not s.text:
            raise not_expressible("text", "a text message needs a text")
    return _bounded(clean(s.text or ""))


def _binary(s: Submission, query: dict[str, str]) -> str:
    if s.data is None:
        raise not_expressible("data", "a binary message needs its octets")
    octets = bytes([len(s.udh)]) + s.udh + s.data
    form = s.options.get("bin", "2")
    if form == "2":
        body = octets.hex().upper()
    elif form == "1" and all(0x20 <= b < 0x7F or b in b"\t\n" for b in octets):
        body = octets.decode("ascii")
    elif form == "1":
        raise not_expressible("options.bin", "form 1 cannot travel in XML unless all octets are plain text; use 2")
    else:
        raise not_expressible("options.bin", "it is 1 or 2")
    query["bin"] = form
    if s.protocol_id or s.dcs is not None:
        body += f"\n~~~\npid: {s.protocol_id}, dcs: {4 if s.dcs is None else s.dcs}"
    return _bounded(body)


def _bounded(mes: str) -> str:
    if len(mes) > LONGEST_TEXT:
        raise not_expressible("text", f"{len(mes)} characters; SMSC takes {LONGEST_TEXT}")
    return mes


def _query(s: Submission, o: Options) -> dict[str, str]:
    """The parameters of `query` in a firm order, so that equal requests are equal."""
    query: dict[str, str] = {}
    if o.api_key:
        query["apikey"] = o.api_key
    if o.tz is not None:
        query["tz"] = str(o.tz)
    if o.cost:
        query["cost"] = str(o.cost)
    if o.tinyurl:
        query["tinyurl"] = "1"
    if o.maxsms:
        query["maxsms"] = str(o.maxsms)
    if o.user_ip:
        query["userip"] = o.user_ip
    if s.message_class == 0:
        query["flash"] = "1"
    elif s.message_class is not None:
        raise not_expressible("message_class", "SMSC knows flash (0) only")
    if s.reply_path or s.reject_duplicates:
        raise not_expressible("reply_path, reject_duplicates", "SMSC has no such flags")
    if s.validity is not None:
        query["valid"] = _valid(s.validity)
    for name, value in s.options.items():
        if name in _KINDS.get(s.kind, ()) or name == "time":
            if name in ("voice", "param"):
                if not (_VOICE if name == "voice" else _CALLS).fullmatch(value):
                    raise not_expressible(f"options.{name}", "not a form that SMSC knows")
                query[name] = value
            continue
        if name == "userip" and _ADDRESS.fullmatch(value):
            query[name] = value
            continue
        pattern, low, high = _QUERY.get(name, ("", 0.0, 0.0))
        if not pattern:
            raise not_expressible(f"options.{name}", "SMSC has no such parameter for this kind of message")
        if not re.fullmatch(pattern, value) or not low <= float(value) <= high:
            raise not_expressible(f"options.{name}", f"a number from {low:g} to {high:g}")
        query[name] = value
    if "freq" in query and "period" not in query:
        raise not_expressible("options.freq", "it means nothing without period")
    return query


def _valid(seconds: int) -> str:
    """Whole hours, or hh:mm rounded down; a day is the most."""
    minutes = min(seconds // 60, 24 * 60)
    if minutes < 1:
        raise not_expressible("validity", "less than a minute is left")
    hours, rest = divmod(minutes, 60)
    return f"{hours:02}:{rest:02}" if rest else str(hours)


def _time(s: Submission) -> str:
    if s.send_at is not None:
        return f"0{int(s.send_at.timestamp())}"  # the one form without a zone
    time = s.options.get("time", "")
    if hours := _HOURS.fullmatch(time):
        first, last = int(hours[1]), int(hours[2])
        if not 0 <= first < last <= 24:
            raise not_expressible("options.time", "a window over midnight is not defined at SMSC; use quiet hours")
    elif time and not any(form.fullmatch(time) for form in _TIMES):
        raise not_expressible("options.time", "not a form that SMSC knows")
    return time


def _id(s: Submission) -> str:
    return s.attempt_id if _ID.fullmatch(s.attempt_id) else client_id(s.attempt_id)


def _joined(query: Mapping[str, str]) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())


# --- Answers ----------------------------------------------------------------------------------------------------------

_SEND_FIELDS = ("id", "balance", "cost", "cnt", "error")
_STATUS_FIELDS = (
    "status", "last_date", "last_timestamp", "err", "error", "send_date", "send_timestamp", "phone", "cost",
    "sender_id", "status_name", "sms_cnt", "operator", "region",
)  # fmt: skip


def read_send(values: Mapping[str, str], *, o: Options, raw: str = "", again: bool = False) -> Receipt:
    """The answer to a send. `again`: an equal request of ours had ended in doubt within the last minutes."""
    code = values.get("error", "0")
    if code != "0":
        row = SEND_AGAIN if code == "9" and again else look_up(SEND, code)
        if code == "4":
            row = msgspec.structs.replace(row, delay=o.block_rest)
        raise error(row, code=f"smsc_{code}", detail=f"SMSC error {code}: {row.meaning}", raw=raw)
    if "id" not in values:
        raise MaybeSent("neither an id nor an error in the answer", code="no_id", cause=Cause.DOUBT, raw=raw)
    return Receipt(
        reference=values["id"],
        raw=raw,
        parts=_count(values.get("cnt")),
        cost=_money(values.get("cost")),
        currency=o.currency,
    )


def read_status(values: Mapping[str, str], *, o: Options, reference: str, to: str, sim: str, raw: str) -> StatusReport:
    """The answer to a question about one message; UNKNOWN with code "-3" when it is not found."""
    code = values.get("error", "0")
    if code not in ("0", "3"):
        row = look_up(STATUS_CALL, code)
        if code == "4":
            row = msgspec.structs.replace(row, delay=o.block_rest)
        raise error(row, code=f"smsc_{code}", detail=f"SMSC error {code} to a question: {row.meaning}", raw=raw)
    if code == "0" and "status" not in values:
        raise MaybeSent("neither a status nor an error in the answer", code="no_status", cause=Cause.DOUBT, raw=raw)
    status, err = ("-3", "") if code == "3" else (values["status"], values.get("err", ""))
    row = fate(status, err)
    facts = [row.meaning, *(values[n] for n in ("status_name", "operator", "region") if n in values)]
    return StatusReport(
        sim=sim,
        pdu=raw,
        fingerprint=_fingerprint(sim, reference, to, status, err, values.get("last_timestamp", "")),
        recipient=to,
        reference=reference,
        attempt_id=reference,
        fate=row.fate,
        elsewhere=elsewhere(row),
        bars_codes=row.bars_codes,
        code=f"{status}:{err}" if err not in ("", "0") else status,
        detail=", ".join(facts),
        discharged_at=_unix(values.get("last_timestamp")),
        submitted_at=_unix(values.get("send_timestamp")),
        cost=_money(values.get("cost")),
        currency=o.currency,
    )


def read_callback(call: Call, *, secret: str, sim: str) -> Event:
    """A report or an incoming text that SMSC posts, or appends to the address. Raises `Forged`."""
    raw = "&".join(filter(None, (call.query.decode("latin-1"), call.body.decode("latin-1"))))
    try:
        pairs = parse_qsl(raw, keep_blank_values=True, encoding="utf-8", max_num_fields=50)
    except ValueError:
        raise Forged("not a form") from None
    fields = dict(reversed(pairs))  # the first of two equal names counts
    phone = fields.get("phone", "").strip()
    number = phone if phone.startswith("+") or len(phone) < 8 else f"+{phone}"
    if "status" in fields and fields.get("id"):
        if secret:
            _check_signature(fields, secret)
        status, err = fields["status"].strip(), fields.get("err", "").strip()
        row = fate(status, err)
        hlr = [f"{n}={fields[n]}" for n in ("imsi", "mcc", "mnc", "cn", "net") if fields.get(n)]
        return StatusReport(
            sim=sim,
            pdu=raw,
            fingerprint=_fingerprint(sim, fields["id"], phone, status, err, fields.get("ts", "")),
            recipient=number,
            reference=fields["id"],
            attempt_id=fields["id"],
            fate=row.fate,
            elsewhere=elsewhere(row),
            bars_codes=row.bars_codes,
            code=f"{status}:{err}" if err not in ("", "0") else status,
            detail=", ".join([row.meaning, *hlr]),
            discharged_at=_unix(fields.get("ts")),
            cost=_money(fields.get("cost")),
        )
    if "mes" in fields and phone:
        return Incoming(
            sim=sim,
            pdu=raw,
            fingerprint=_fingerprint(sim, raw),
            sender=number,
            text=fields["mes"],
            encoding=Encoding.UCS2,
            answers=fields.get("sms_id") or None,
            note=f"to {fields['to']}" if fields.get("to") else "",
        )
    raise Forged("neither a report nor a text")


def _check_signature(fields: Mapping[str, str], secret: str) -> None:
    signed = f"{fields['id']}:{fields.get('phone', '')}:{fields['status']}:{secret}".encode()
    if given := fields.get("sha1", ""):
        right = sha1(signed, usedforsecurity=False).hexdigest()
    elif given := fields.get("md5", ""):
        right = md5(signed, usedforsecurity=False).hexdigest()
    else:
        raise Forged("no signature")
    if not hmac.compare_digest(given.lower().encode(), right.encode()):
        raise Forged("wrong signature")


def _count(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _money(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        value = Decimal(text.replace(",", ".").strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _unix(text: str | None) -> datetime | None:
    if text is None or not re.fullmatch(r"\d{1,11}", text.strip()):
        return None
    return datetime.fromtimestamp(int(text), UTC)


def _fingerprint(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()


# --- The driver -------------------------------------------------------------------------------------------------------


class SmscDriver:
    """One account. Limits that the provider sets are kept here: an equal request once a minute, 50 messages in a row to
    one number, five questions a minute about one message, five equal questions for a price, ten for the balance."""

    evidence = Evidence(report=True, look_up=True)

    def __init__(
        self, channel: str, options: Options, *, monotonic: Callable[[], float], mark: ListsMark | None = None
    ) -> None:
        self._mark = mark or ListsMark(None)
        self._o = options
        self._channel = channel
        bulk = LIST_SIZE if options.lists else options.parallel
        self.capabilities = Capabilities(takes=Takes.MESSAGE, sender=True, bulk=bulk)
        self._monotonic = monotonic
        self._client = Client(
            options,
            secrets=[options.password, options.api_key, options.callback_secret],
            secure=is_secure(options.url),
            restraint=Restraint(monotonic),
        )
        self._soap = Soap(self._client, options.url, wsdl="smsc.wsdl", namespace=options.namespace or options.url)
        self._link = Link(channel, self._check, monotonic=monotonic, model="SMSC")
        self._open = OpenMessages(monotonic, first=options.poll_after)
        self._equal = Window(1, 60.5, monotonic)
        self._doubtful = Window(1, 180.0, monotonic)  # requests that ended in doubt; a 9 then means the first arrived
        self._flood = Flood(50, 120.0, monotonic)
        self._statuses = Window(5, 60.5, monotonic)
        self._prices = Window(5, 60.5, monotonic)
        self._balances = Window(10, 60.5, monotonic)
        self._sent = Window(1, options.visible_after, monotonic)  # what `look_up` must not call absent yet
        self._out_of_money = False
        self._listed: OrderedDict[str, str] = OrderedDict()  # attempt in a list -> the list's id

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
        operation, fields = request(submission, self._o)
        receipt = await self._send(operation, fields, [submission.to])
        self._open.follow(receipt.reference, submission)
        return receipt

    async def submit_many(self, submissions: Sequence[Submission]) -> list[Receipt | SubmitError]:
        """With `lists` texts of their own to many numbers under one common id. A list is taken or refused as a whole.
        What a list cannot carry (times, flags that differ) goes into another list. Which message was in which list is
        known until a restart only."""
        if not self._o.lists:
            return await side_by_side(self.submit, submissions)
        results: list[Receipt | SubmitError | None] = [None] * len(submissions)
        for (query, time), members in _lists(submissions, self._o, results).items():
            for chunk in _chunks(members):
                id = _id(submissions[chunk[0].index])
                self._mark.sent()
                for m in chunk:
                    self._listed[submissions[m.index].attempt_id] = id
                while len(self._listed) > KEPT:
                    self._listed.popitem(last=False)
                outcome: Receipt | SubmitError
                try:
                    self._link.require()
                    fields = {
                        "phones": "",
                        "mes": "",
                        "id": id,
                        **({"time": time} if time else {}),
                        "query": f"{query}&list={quote(_lines(chunk), safe='')}".lstrip("&"),
                    }
                    outcome = await self._send("send_sms2", fields, [m.to for m in chunk])
                except SubmitError as failure:
                    outcome = failure
                for m in chunk:
                    results[m.index] = _share(outcome, len(chunk))
                    if isinstance(outcome, Receipt):
                        self._open.follow(outcome.reference, submissions[m.index])
        return [r for r in results if r is not None]

    async def look_up(self, submission: Submission) -> Found | Absent | CannotTell:
        listed = self._listed.get(submission.attempt_id)
        reference = listed or _id(submission)
        if (self._o.lists or self._mark.recent()) and listed is None and not self._sent.known(reference):
            return CannotTell(reason="it may have gone in a list, and which one is not known after a restart")
        try:
            report = await self._status(reference, submission.to)
        except SubmitError as failure:
            return CannotTell(reason=failure.detail)
        if report.code != "-3":
            self._open.follow(reference, submission)
            return Found(
                receipt=Receipt(reference=reference, raw=report.pdu, cost=report.cost, currency=report.currency)
            )
        if (wait := self._sent.wait(reference)) > 0:
            return CannotTell(reason=f"SMSC does not know it, but it may need {wait:.0f} s more to show it")
        if not self._sent.known(reference):
            self._sent.note(reference)
            return CannotTell(reason="SMSC does not know it yet")
        return Absent()

    def follow(self, messages: Sequence[Followed]) -> None:
        self._open.take_up(messages)

    async def health(self) -> Health:
        link = self._link
        return Health(state=link.state, reason=link.reason, model="SMSC", errors_in_row=link.errors_in_row)

    # --- The account --------------------------------------------------------------------------------------------------

    async def balance(self) -> Balance:
        self._keep_quiet()
        self._balances.enter("", code="smsc_rate", what="SMSC allows ten questions for the balance a minute")

        def read(reply: SoapReply) -> Balance:
            values = strings(reply.result, ("balance", "error"), inner="balanceresult")
            code = values.get("error", "0")
            amount = _money(values.get("balance"))
            if code != "0":
                row = look_up(STATUS_CALL, code)
                if code == "4":
                    row = msgspec.structs.replace(row, delay=self._o.block_rest)
                raise error(row, code=f"smsc_{code}", detail=f"SMSC error {code}: {row.meaning}", raw=reply.raw)
            if amount is None:
                raise MaybeSent("no balance in the answer", code="no_balance", cause=Cause.DOUBT, raw=reply.raw)
            return Balance(amount=amount, currency=self._o.currency, raw=reply.raw)

        return await self._soap.call("get_balance", self._login(key=True), read, answer="BalanceResponse")

    async def quote(self, submission: Submission) -> Quote:
        self._keep_quiet()
        _, fields = request(submission, self._o)
        self._prices.enter(
            _fingerprint(*fields.values()),
            code="smsc_rate",
            what="SMSC allows five equal questions for a price a minute",
        )

        inner = "sendresult" if self._o.quote_by_send else "costresult"

        def read(reply: SoapReply) -> Quote:
            values = strings(reply.result, ("cost", "cnt", "error"), inner=inner)
            code = values.get("error", "0")
            if code != "0":
                row = look_up(SEND, code)
                raise error(row, code=f"smsc_{code}", detail=f"SMSC error {code}: {row.meaning}", raw=reply.raw)
            if (cost := _money(values.get("cost"))) is None:
                raise MaybeSent("no cost in the answer", code="no_cost", cause=Cause.DOUBT, raw=reply.raw)
            return Quote(cost=cost, currency=self._o.currency, parts=_count(values.get("cnt")), raw=reply.raw)

        parameters = [p for p in fields.get("query", "").split("&") if p and not p.startswith(("cost=", "apikey="))]
        if self._o.quote_by_send:
            key = [f"apikey={quote(self._o.api_key, safe='')}"] if self._o.api_key else []
            call = {**self._login(), **fields, "query": "&".join([*key, *parameters, "cost=1"])}
            return await self._soap.call("send_sms2", call, read, answer="Send2Response")
        call = {**self._login(key=True), "phones": fields["phones"], "mes": fields["mes"]}
        if parameters:
            call["query"] = "&".join(parameters)
            return await self._soap.call("get_sms_cost2", call, read, answer="Cost2Response")
        return await self._soap.call("get_sms_cost", call, read, answer="CostResponse")

    async def senders(self) -> list[SenderName]:
        raise NotOffered(
            "SMSC's SOAP service only takes a sender name and lists none: the registered names, and which wait for "
            "approval, are in its panel; serwersms and mobizon have a list"
        )

    async def status(self, reference: str, to: str) -> StatusReport:
        return await self._status(reference, to)

    async def messages(self, query: MessageQuery) -> MessagePage:
        raise NotOffered(
            "SMSC's SOAP service lists no messages; its HTTP interface does (get.php), which this driver does not use. "
            "Ask for one by its reference (status), or look into its panel; serwersms, freshmail and mobizon "
            "have a list"
        )

    async def cancel(self, reference: str, to: str) -> bool:
        raise NotOffered("SMSC's SOAP service cannot take a message back; serwersms, clickatell and mobizon can")

    async def subscriber(self, number: str) -> Lookup:
        """An HLR request, which costs money, and the answer to it; waits up to a minute."""
        reference = f"hlr-{sha256(f'{number}{self._monotonic()}'.encode()).hexdigest()[:24]}"
        operation, fields = request(Submission(attempt_id=reference, to=number, kind="hlr"), self._o)
        receipt = await self._send(operation, fields, [number])
        report: StatusReport | None = None
        for wait in self._o.hlr_waits:
            await asyncio.sleep(wait)
            report = await self._status(receipt.reference, number)
            if report.fate not in (ReportFate.ACCEPTED, ReportFate.SENT, _U):
                break
        if report is None:
            return Lookup(number=number)
        reachable = {ReportFate.DELIVERED: True, ReportFate.UNDELIVERED: False, ReportFate.EXPIRED: False}
        return Lookup(
            number=number,
            reachable=reachable.get(report.fate or _U),
            facts={"status": report.code, "detail": report.detail, "reference": receipt.reference},
        )

    def called(self, call: Call) -> Reply:
        event = read_callback(call, secret=self._o.callback_secret, sim=self._channel)
        if isinstance(event, StatusReport):
            self._notice(event)
        return Reply(events=(event,))

    # --- Below --------------------------------------------------------------------------------------------------------

    async def _send(self, operation: str, fields: Mapping[str, str], numbers: Sequence[str]) -> Receipt:
        # What SMSC compares is not said; the id changes with every try of ours, so it is left out.
        key = _fingerprint(operation, *(f"{k}={v}" for k, v in fields.items() if k != "id"))
        again = self._doubtful.wait(key) > 0
        wait = max(self._equal.wait(key), *(self._flood.wait(n) for n in numbers))
        if wait > 0:
            raise NotSent(
                f"SMSC would refuse an equal request, or one more to this number, for another {wait:.0f} s",
                code="smsc_rate",
                cause=Cause.BUSY,
                retry_after=wait,
            )
        self._equal.note(key)
        self._sent.note(fields["id"])

        def read(reply: SoapReply) -> Receipt:
            return read_send(
                strings(reply.result, _SEND_FIELDS, inner="sendresult"), o=self._o, raw=reply.raw, again=again
            )

        answer = "Send2Response" if operation == "send_sms2" else "SendResponse"
        try:
            receipt = await self._soap.call(operation, {**self._login(), **fields}, read, answer=answer)
        except asyncio.CancelledError:
            self._doubtful.note(key)
            raise
        except SubmitError as failure:
            if isinstance(failure, MaybeSent):
                self._doubtful.note(key)
            elif failure.code in ("unreachable", "pool", "proxy", "http_407", "certificate", "defect"):
                self._equal.forget(key)  # it never reached SMSC
            self._out_of_money = self._out_of_money or failure.code == "smsc_3"
            self._link.failed(failure)
            raise
        for number in numbers:
            self._flood.note(number)
        self._link.worked()
        return receipt

    async def _status(self, reference: str, to: str) -> StatusReport:
        self._keep_quiet()
        self._statuses.enter(
            f"{reference} {to}", code="smsc_rate", what="SMSC allows five questions a minute about one message"
        )
        fields = {**self._login(key=True), "phone": to, "id": reference, "all": str(self._o.status_detail)}
        operation, answer = "get_status", "StatusResponse"
        if self._o.status_query:
            operation, answer = "get_status2", "Status2Response"
            fields["query"] = self._o.status_query

        def read(reply: SoapReply) -> StatusReport:
            values = strings(reply.result, _STATUS_FIELDS, inner="statusresult")
            return read_status(values, o=self._o, reference=reference, to=to, sim=self._channel, raw=reply.raw)

        try:
            report = await self._soap.call(operation, fields, read, answer=answer)
            self._notice(report)
            return report
        except NotSent as failure:
            if failure.channel_unusable:
                self._link.failed(failure)
            raise

    def _notice(self, report: StatusReport) -> None:
        status, _, err = report.code.partition(":")
        self._out_of_money = self._out_of_money or status == "24"
        self._link.notice(fate(status, err), report.code)

    def _keep_quiet(self) -> None:
        """While our address is blocked, every call prolongs the block."""
        if self._link.code == "smsc_4" and (wait := self._link.remaining()) > 0:
            raise NotSent(
                f"SMSC has blocked our address; asked again in {wait:.0f} s",
                code="smsc_4",
                cause=Cause.SIM,
                retry_after=wait,
            )

    async def _ask(self, messages: Sequence[Open]) -> list[StatusReport | None]:
        reports: list[StatusReport | None] = []
        for message in messages:
            report = await self._status(message.reference, message.to)
            # In a list the reference is common, and only the number tells the messages apart.
            reports.append(None if report.code == "-3" else msgspec.structs.replace(report, attempt_id=message.attempt))
        return reports

    async def _check(self) -> None:
        balance = await self.balance()
        if self._out_of_money and balance.amount <= self._o.min_balance:
            row = SEND["3"]
            raise error(row, code="smsc_3", detail=f"SMSC error 3: {row.meaning}: {balance.amount}")
        self._out_of_money = False

    def _login(self, *, key: bool = False) -> dict[str, str]:
        """With a key the two are empty: the schema wants them. Sends carry the key in `query`, the rest in a field."""
        if not self._o.api_key:
            return {"login": self._o.login, "psw": self._o.password}
        return {"login": "", "psw": "", **({"apikey": self._o.api_key} if key else {})}


# --- Lists ------------------------------------------------------------------------------------------------------------


class _Member(msgspec.Struct, frozen=True, kw_only=True):
    index: int
    to: str
    head: str  # "" or "sender,tz|"
    text: str


def _lists(
    submissions: Sequence[Submission], o: Options, results: list[Receipt | SubmitError | None]
) -> dict[tuple[str, str], list[_Member]]:
    """Members by what a whole list has in common; refusals go into `results`."""
    lists: dict[tuple[str, str], list[_Member]] = {}
    for n, s in enumerate(submissions):
        try:
            _, fields = request(s, o)
            if s.kind != "text":
                raise not_expressible("kind", "a list carries texts only")
            text = fields["mes"]
            if o.list_lines and "\n" in text and re.search(r"\n[^\n]*[:;]", text):
                raise not_expressible("text", "a line of it would be read as the next number")
            if not o.list_lines:
                if "\\n" in text:
                    raise not_expressible("text", "a backslash with n would become a line break in a list")
                text = text.replace("\n", "\\n")
            query = [p for p in fields.get("query", "").split("&") if p and not p.startswith("tz=")]
            tz = s.options.get("tz", "")
            if o.list_lines and "nl=1" not in query:
                query.append("nl=1")
            if o.tz is not None:
                query.append(f"tz={o.tz}")
            sender = fields.get("sender", "")
            if any(c in sender for c in ",|:;"):
                raise not_expressible("sender", "the signs , | : ; separate the fields of a list")
            head = f"{sender},{tz}|" if tz else f"{sender}|" if sender else ""
        except Refused as refusal:
            results[n] = refusal
            continue
        member = _Member(index=n, to=s.to, head=head, text=text)
        lists.setdefault(("&".join(query), fields.get("time", "")), []).append(member)
    return lists


def _chunks(members: Sequence[_Member]) -> list[list[_Member]]:
    """A number occurs once in a list: number and common id are all that a question can name."""
    chunks: list[tuple[list[_Member], set[str]]] = []
    for m in members:
        chunk = next((c for c in chunks[-8:] if len(c[0]) < LIST_SIZE and m.to not in c[1]), None)
        if chunk is None:
            chunk = ([], set())
            chunks.append(chunk)
        chunk[0].append(m)
        chunk[1].add(m.to)
    return [c[0] for c in chunks]


def _lines(chunk: Sequence[_Member]) -> str:
    numbers: dict[tuple[str, str], list[str]] = {}
    for m in chunk:
        numbers.setdefault((m.head, m.text), []).append(m.to)
    return "\n".join(f"{head}{','.join(to)}:{text}" for (head, text), to in numbers.items())


def _share(outcome: Receipt | SubmitError, size: int) -> Receipt | SubmitError:
    """The sums of a list say nothing of one message."""
    if isinstance(outcome, Receipt) and size > 1:
        return msgspec.structs.replace(outcome, cost=None, parts=None)
    return outcome


def create(channel: str, options: object, environment: Environment) -> Driver:
    """`options`: an `Options`."""
    if not isinstance(options, Options):
        raise TypeError(f"SMSC is made from its Options, not from {type(options).__name__}")
    mark = ListsMark(environment.state_dir / f"{channel}.lists")
    return SmscDriver(channel, options, monotonic=environment.monotonic, mark=mark)
