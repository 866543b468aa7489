"""Clickatell's legacy SOAP server (document/literal) as its documents describe it, from the provider's side."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import urlencode

import msgspec

from drivers.contract import Encoding
from drivers.gsm import segments
from drivers.simulator.providers import soap
from drivers.simulator.providers.account import Account
from drivers.simulator.providers.callbacks import Push
from drivers.simulator.providers.ledger import Taken
from drivers.simulator.providers.service import Message, Reply, Service
from drivers.simulator.providers.trail import Newest
from drivers.simulator.providers.wire import Answer, Node, Request, text_answer

__all__ = ["Clickatell", "Knobs", "default_account"]

PATH = "/soap/document_literal/webservice"
MOST_NUMBERS = 300
SESSION = 15 * 60.0
KEPT = 250_000  # sessions and ids of ours
UTC2 = timezone(timedelta(hours=2))  # the zone of a reply's time stamp, summer and winter

OPERATIONS = {
    "auth": "login",
    "ping": "login",
    "sendmsg": "submit",
    "si_push": "submit",
    "ind_push": "submit",
    "querymsg": "status",
    "getmsgcharge": "status",
    "delmsg": "cancel",
    "getbalance": "balance",
    "routecoverage": "cost",
}
MEANINGS = {
    "001": "Authentication failed",
    "002": "Unknown username or password",
    "003": "Session ID expired",
    "004": "Account frozen",
    "005": "Missing session ID",
    "007": "IP Lockdown violation",
    "100": "Data malformed",
    "101": "Invalid or missing parameters",
    "102": "Invalid user data header",
    "103": "Unknown API message ID",
    "104": "Unknown client message ID",
    "105": "Invalid destination address",
    "106": "Invalid source address",
    "107": "Empty message",
    "108": "Invalid or missing API ID",
    "109": "Missing message ID",
    "113": "Maximum message parts exceeded",
    "114": "Cannot route message",
    "115": "Message expired",
    "116": "Invalid Unicode data",
    "120": "Invalid delivery time",
    "121": "Destination mobile number blocked",
    "122": "Destination mobile opted out",
    "123": "Invalid sender ID",
    "128": "Number delisted",
    "130": "Maximum MT limit exceeded until <UNIX TIME STAMP>",
    "301": "No credit left",
    "302": "Max allowed credit",
    "901": "Internal error",
}
REPORTED = {"1": ("003",), "2": ("004", "005", "007", "009", "010", "012"), "4": ("005", "007", "009", "010", "012")}
STATUS_REPEATS = [60.0 * 2**n for n in range(1, 8)] + [3 * 86400.0]
REPLY_REPEATS = [60.0 * n for n in (2, 4, 8, 16, 25)]


class Knobs(msgspec.Struct, frozen=True, kw_only=True):
    """`error`: answer every number with this code. `loose`: other case and spacing in the answers. `callback_form`:
    "form", "xml" or "get"."""

    error: str = ""
    loose: bool = False
    callback_form: str = "form"


class _Error(Exception):
    pass


class Clickatell(Service):
    name: ClassVar[str] = "clickatell"
    knobs: Knobs = Knobs()

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._sessions: Newest[str, float] = Newest(keep=KEPT)
        self._by_client: Newest[str, str] = Newest(keep=KEPT)

    def operation(self, request: Request) -> str:
        call = soap.read(request) if request.path == PATH else None
        return OPERATIONS.get(call.name, "unknown") if call else "unknown"

    def answer(self, request: Request) -> Answer:
        if request.path != PATH:
            return text_answer("Not found", status=404)
        call = soap.read(request)
        if call is None:
            return soap.fault("Client", "Bad Request")
        calls: dict[str, Callable[[soap.Call], list[str]]] = {
            "auth": self._auth,
            "ping": lambda call: ["OK:"],
            "sendmsg": self._send,
            "si_push": self._push_link,
            "ind_push": self._push_mms,
            "querymsg": self._query,
            "delmsg": self._delete,
            "getbalance": lambda call: [f"Credit: {self.account.credit:.3f}"],
            "getmsgcharge": self._charge,
            "routecoverage": self._coverage,
        }
        if call.name not in calls:
            return soap.fault("Client", f"Procedure '{call.name}' not present")
        try:
            self._admit(call)
            lines = calls[call.name](call)
        except _Error as error:
            numbers = call.every("to")
            lines = [self._err(str(error), to=to if len(numbers) > 1 else "") for to in numbers or [""]]
        if self.knobs.loose:
            lines = [re.sub(r"\s*:\s*", " :  ", line).lower() for line in lines]
        nodes = tuple(Node("return", line) for line in lines)
        return soap.answered(Node(f"ns1:{call.name}Response", nodes), namespace=call.namespace)

    # --- who calls ---

    def _admit(self, call: soap.Call) -> None:
        session = call.first("session_id")
        if session and not call.first("password"):
            last = self._sessions.get(session)
            if last is None or self.clock.monotonic() - last > SESSION:
                raise _Error("003")
            self._sessions[session] = self.clock.monotonic()
            return
        if call.name == "ping":
            raise _Error("005")
        if call.first("api_id") != self.account.api_id:
            raise _Error("108" if call.first("user") else "001")
        if (call.first("user"), call.first("password")) != (self.account.login, self.account.password):
            raise _Error("001")
        if self.account.blocked:
            raise _Error("004")

    def _auth(self, call: soap.Call) -> list[str]:
        session = self.new_id()
        self._sessions[session] = self.clock.monotonic()
        return [f"OK: {session}"]

    # --- sending ---

    def _send(self, call: soap.Call) -> list[str]:
        text, udh = call.first("text"), call.first("udh")
        data = call.first("data") or (text if udh else "")
        unicode = call.first("unicode") == "1"
        if udh and not re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", udh):
            raise _Error("102")
        if data:
            if not re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", data):
                raise _Error("100")
            parts = segments.plan_binary(bytes.fromhex(data), udh=bytes.fromhex(udh)[1:]).parts
            taken = _taken("sendmsg", call, kind="binary", data=data.lower(), udh=udh.lower())
        else:
            if not text:
                raise _Error("107")
            if unicode:
                if not re.fullmatch(r"(?:[0-9A-Fa-f]{4})+", text):
                    raise _Error("116")
                text = bytes.fromhex(text).decode("utf-16-be", "replace")
            parts = segments.plan(text, encoding=Encoding.UCS2 if unicode else None).parts
            taken = _taken("sendmsg", call, text=text, flash=call.first("msg_type") == "SMS_FLASH")
        if parts > max(1, _whole(call.first("concat"))):
            raise _Error("113")
        return self._each(call, msgspec.structs.replace(taken, parts=parts))

    def _push_link(self, call: soap.Call) -> list[str]:
        if not call.first("si_url"):
            raise _Error("101")
        options = {"url": call.first("si_url"), "id": call.first("si_id"), "action": call.first("si_action")}
        return self._each(call, _taken("si_push", call, kind="wap_push", text=call.first("si_text"), options=options))

    def _push_mms(self, call: soap.Call) -> list[str]:
        if not call.first("mms_url"):
            raise _Error("101")
        options = {"url": call.first("mms_url")}
        return self._each(call, _taken("ind_push", call, kind="mms", text=call.first("mms_subject"), options=options))

    def _each(self, call: soap.Call, taken: Taken) -> list[str]:
        """One line a number, in the order of the numbers."""
        numbers = call.every("to")
        if not numbers or len(numbers) > MOST_NUMBERS:
            raise _Error("101")
        sender = call.first("from")
        if sender and sender not in self.account.senders:
            raise _Error("123")
        if taken.client_id and not re.fullmatch(r"[A-Za-z0-9]{1,32}", taken.client_id):
            raise _Error("101")
        delay = _whole(call.first("deliv_time"))
        if not 0 <= delay <= 10080:
            raise _Error("120")
        taken = msgspec.structs.replace(
            taken,
            sender=sender,
            shown_sender=sender or "27000000000",
            send_at=self.clock.wall() + 60 * delay if delay else None,
            validity=_whole(call.first("validity")) or None,
        )
        return [self._one(call, taken, to, tagged=len(numbers) > 1) for to in numbers]

    def _one(self, call: soap.Call, taken: Taken, to: str, *, tagged: bool) -> str:
        tag = to if tagged else ""
        cost = self.account.price * taken.parts
        code = self.knobs.error
        if not re.fullmatch(r"[1-9]\d{6,15}", to):
            code = code or "105"
        elif to in self.account.barred:
            code = code or "114"
        elif to in self.account.opted_out:
            code = code or "122"
        elif call.first("max_credits") and cost > Decimal(call.first("max_credits")):
            code = code or "302"
        elif not self.afford(cost):
            code = code or "301"
        if code:
            return self._err(code, to=tag)
        id = self.new_id()
        self.take(msgspec.structs.replace(taken, id=id, to=to, number=f"+{to}", cost=cost))
        if taken.client_id:
            self._by_client[taken.client_id] = id
        return f"ID: {id}" + (f" To: {to}" if tagged else "")

    # --- asking ---

    def _query(self, call: soap.Call) -> list[str]:
        message = self._found(call)
        return [f"ID: {message.taken.id} Status: {self._word(message)}"]

    def _delete(self, call: soap.Call) -> list[str]:
        message = self._found(call)
        if self.stage(message) == 0:
            message.cancelled = True
        return [f"ID: {message.taken.id} Status: {self._word(message)}"]

    def _charge(self, call: soap.Call) -> list[str]:
        message = self._found(call)
        return [f"apiMsgId: {message.taken.id} charge: {message.taken.cost} status: {self._word(message)}"]

    def _coverage(self, call: soap.Call) -> list[str]:
        if call.first("msisdn") in self.account.barred:
            return ["ERR: This prefix is not currently supported. Messages sent to this prefix will fail."]
        return [f"OK: This prefix is currently supported. Charge: {self.account.price}"]

    def _found(self, call: soap.Call) -> Message:
        id, client = call.first("apimsgid"), call.first("climsgid")
        if not id and not client:
            raise _Error("109")
        message = self.messages.get(id or self._by_client.get(client, ""))
        if message is None:
            raise _Error("103" if id else "104")
        return message

    def _word(self, message: Message) -> str:
        if message.cancelled:
            return "006"
        waits = (message.taken.send_at or 0) > self.clock.wall()
        return ("011" if waits else "008", "003", message.course.word or "004")[self.stage(message)]

    def _err(self, code: str, *, to: str) -> str:
        meaning = MEANINGS.get(code, "Unknown error").replace("<UNIX TIME STAMP>", str(int(self.clock.wall()) + 600))
        return f"ERR: {code}, {meaning}" + (f" To: {to}" if to else "")

    # --- callbacks ---

    def reported(self, message: Message) -> None:
        word, taken = self._word(message), message.taken
        wanted = _whole(taken.options.get("msg_callback", "0"))
        if message.cancelled or not any(int(bit) & wanted and word in words for bit, words in REPORTED.items()):
            return
        fields = {
            "apiMsgId": taken.id,
            "cliMsgId": taken.client_id,
            "api_id": self.account.api_id,
            "to": taken.number[1:],
            "from": taken.shown_sender,
            "timestamp": str(int(self.clock.wall())),
            "status": word,
            "charge": str(taken.cost),
        }
        self._push(fields, STATUS_REPEATS)

    def replied(self, reply: Reply, message: Message | None) -> None:
        fields = {
            "api_id": self.account.api_id,
            "moMsgId": self.new_id(),
            "from": reply.number[1:],
            "to": reply.to,
            "timestamp": datetime.fromtimestamp(reply.wall, UTC).astimezone(UTC2).strftime("%Y-%m-%d %H:%M:%S"),
            "charset": "UTF-8",
            "udh": "",
            "text": reply.text,
        }
        self._push(fields, REPLY_REPEATS)

    def _push(self, fields: dict[str, str], repeats: list[float]) -> None:
        encoded, form = urlencode(fields), self.knobs.callback_form
        document = Node("callback", tuple(Node(name, value) for name, value in fields.items())).written()
        push = Push(
            url=self.account.callback + (f"?{encoded}" if form == "get" else ""),
            method="GET" if form == "get" else "POST",
            content_type="text/xml" if form == "xml" else "application/x-www-form-urlencoded",
            body=document.encode() if form == "xml" else b"" if form == "get" else encoded.encode(),
            login=self.account.callback_login,
            password=self.account.callback_password,
            repeats=repeats,
        )
        self.push(lambda attempt: push)


def default_account() -> Account:
    return Account(
        api_id="123456",
        login="MyUserName",
        password="MyPassword",  # noqa: S106 - the one in the document's examples
        credit=Decimal("100.000"),
        price=Decimal("0.33"),
        senders={"123456789": "registered", "PLANT": "registered"},
    )


def _taken(operation: str, call: soap.Call, **fields: Any) -> Taken:
    named = ("msg_callback", "deliv_ack", "concat", "queue", "escalate", "mo", "req_feat", "msg_type", "unicode")
    options = {name: call.first(name) for name in named if call.first(name)} | fields.pop("options", {})
    client = call.first("climsgid")
    return Taken(
        order=0, provider="clickatell", operation=operation, id="", client_id=client, options=options, **fields
    )


def _whole(given: str) -> int:
    return int(given) if re.fullmatch(r"\d{1,6}", given) else 0
