"""SMSC's SOAP service as its document describes it, from the provider's side, with the HTTP call for replies."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

import msgspec

from drivers.gsm import segments
from drivers.simulator.providers import soap
from drivers.simulator.providers.account import Account, Course
from drivers.simulator.providers.callbacks import Push
from drivers.simulator.providers.ledger import Taken
from drivers.simulator.providers.service import Message, Reply, Service
from drivers.simulator.providers.smsc_request import Line, Wish, lines_of, read_wish
from drivers.simulator.providers.trail import Newest
from drivers.simulator.providers.wire import Answer, Node, Request, json_answer, text_answer

__all__ = ["Knobs", "Smsc", "default_account"]

MOSCOW = ZoneInfo("Europe/Moscow")
PATH = "/sys/soap.php"

# Body element -> (operation for faults, answer element, inner element).
ELEMENTS = {
    "send": ("submit", "SendResponse", "sendresult"),
    "send2": ("submit", "Send2Response", "sendresult"),
    "cost": ("cost", "CostResponse", "costresult"),
    "cost2": ("cost", "Cost2Response", "costresult"),
    "status": ("status", "StatusResponse", "statusresult"),
    "status2": ("status", "Status2Response", "statusresult"),
    "balance": ("balance", "BalanceResponse", "balanceresult"),
}
STATUS_NAMES = {
    "-3": "Not found",
    "-2": "Stopped",
    "-1": "Waiting",
    "0": "Handed to the operator",
    "1": "Delivered",
    "2": "Read",
    "3": "Expired",
    "4": "Link followed",
    "20": "Cannot be delivered",
    "22": "Wrong number",
    "23": "Forbidden",
    "24": "Not enough money",
    "25": "Number not reachable",
}
ECHOES_ID = ("3", "6", "7", "8")
FLOOD, FLOOD_GAP = 50, 120.0
KEPT = 100_000  # sends and numbers remembered for error 9; more than two minutes of any test
REPEATS = (60.0, 300.0, 900.0)  # the document says "repeated" and not when


class Knobs(msgspec.Struct, frozen=True, kw_only=True):
    """`virtual`: the account's test switch; everything ends with err 200. `absent_as_status`: a message that is not
    there is status -3 instead of error 3. `callback_method`: GET or POST."""

    virtual: bool = False
    absent_as_status: bool = False
    callback_method: str = "POST"
    equal_within: float = 60.0  # seconds in which the same send is refused with error 9
    equal_by_id: bool = False  # True: sends that differ in nothing but their id are not equal; not documented


class Smsc(Service):
    name: ClassVar[str] = "smsc"
    knobs: Knobs = Knobs()

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._sends: Newest[str, float] = Newest(keep=KEPT)
        self._floods: Newest[str, tuple[int, float]] = Newest(keep=KEPT)

    def operation(self, request: Request) -> str:
        if request.path == "/sys/get.php":
            return "list"
        call = soap.read(request) if request.path == PATH and request.method == "POST" else None
        return ELEMENTS.get(call.name, ("unknown", "", ""))[0] if call else "unknown"

    def answer(self, request: Request) -> Answer:
        if request.path == "/sys/get.php":
            return self._get(request)
        if request.path != PATH:
            return text_answer("Not found", status=404)
        call = soap.read(request)
        if call is None:
            return soap.fault("Client", "Bad Request")
        if call.name not in ELEMENTS:
            return soap.fault("Client", f"Procedure '{call.name}' not present")
        operation, outer, inner = ELEMENTS[call.name]
        answer: dict[str, Callable[[soap.Call], dict[str, str]]] = {
            "submit": self._send,
            "cost": self._cost,
            "status": self._status,
            "balance": self._balance,
        }
        fields = self._refused(call) or answer[operation](call)
        nodes = tuple(Node(name, value) for name, value in fields.items())
        return soap.answered(Node(f"ns1:{outer}", (Node(inner, nodes),)), namespace=call.namespace)

    def _refused(self, call: soap.Call) -> dict[str, str] | None:
        query = dict(parse_qsl(call.first("query")))
        key = call.first("apikey") or query.get("apikey", "")
        by_key = bool(self.account.key) and key == self.account.key
        by_login = (call.first("login"), call.first("psw")) == (self.account.login, self.account.password)
        if self.account.blocked:
            return {"error": "4"}
        return None if by_key or by_login else {"error": "2"}

    # --- calls ---

    def _send(self, call: soap.Call) -> dict[str, str]:
        wish = read_wish(call, now=self.clock.wall(), zone=MOSCOW)
        id = wish.id or str(self.ledger.total + 1)
        error = wish.error or self._error(call, wish)
        if error:
            return ({"id": id} if error in ECHOES_ID else {}) | {"error": error}
        parts = [(line, self._parts(wish, line)) for line in lines_of(wish)]
        good = [(line, count) for line, count in parts if line.digits and line.digits not in self.account.barred]
        cost = sum((self.account.price * count for _, count in good), Decimal(0))
        count = sum(count for _, count in good)
        if not good:
            return {"id": id, "error": "7" if not any(line.digits for line, _ in parts) else "8"}
        if wish.cost == "1":
            return {"cost": f"{cost:.2f}", "cnt": str(count)}
        if not self.afford(cost):
            return {"id": id, "error": "3"}
        if any(self._flooded(line.digits) for line, _ in good):
            return {"error": "9"}
        for place, (line, each) in enumerate(good):
            self._take(wish, line, id, each, place, len(good))
        fields = {"id": id}
        if wish.cost == "3":
            fields["balance"] = f"{self.account.credit:.2f}"
        if wish.cost in ("2", "3"):
            fields["cost"] = f"{cost:.2f}"
        return fields | {"cnt": str(count)}

    def _error(self, call: soap.Call, wish: Wish) -> str:
        """Of the call as a whole; empty when it may go."""
        kept = [child for child in call.element if child.tag != "id" or self.knobs.equal_by_id]
        whole = "\x00".join(f"{child.tag}={child.text}" for child in kept)
        digest = hashlib.sha256(whole.encode()).hexdigest()
        now = self.clock.monotonic()
        before = self._sends.get(digest)
        self._sends[digest] = now
        if wish.cost != "1" and before is not None and now - before < self.knobs.equal_within:
            return "9"
        senders = {wish.sender, *(line.sender for line in lines_of(wish))} - {""}
        return "6" if any(sender not in self.account.senders for sender in senders) else ""

    def _parts(self, wish: Wish, line: Line) -> int:
        if wish.kind == "binary":
            return segments.plan_binary(bytes.fromhex(wish.data)).parts
        parts = segments.plan(line.text).parts if wish.kind in ("text", "wap_push") else 1
        return min(parts, wish.most_parts or parts)

    def _take(self, wish: Wish, line: Line, id: str, parts: int, place: int, of: int) -> None:
        spread = wish.period * 3600 * place / of
        start = line.send_at if line.send_at is not None else wish.send_at
        course = Course(sent_after=0.0, final_after=1.0, word="20", detail="200") if self.knobs.virtual else None
        message = self.take(
            Taken(
                order=0,
                provider=self.name,
                operation="send2" if wish.options else "send",
                id=f"{id}:{line.digits}",
                client_id=id,
                to=line.given,
                number="+" + line.digits,
                sender=line.sender or wish.sender,
                shown_sender=line.sender or wish.sender or "SMSC",
                kind=wish.kind,
                text=line.text,
                data=wish.data,
                udh=wish.udh,
                flash=wish.flash,
                parts=parts,
                cost=self.account.price * parts,
                send_at=(start or self.clock.wall()) + spread if start or spread else None,
                validity=wish.validity,
                options=wish.options,
            )
        )
        if course is not None:
            message.course = course

    def _flooded(self, digits: str) -> bool:
        """More than 50 messages to one number with less than two minutes between one and the next."""
        count, last = self._floods.get(digits, (0, 0.0))
        now = self.clock.monotonic()
        count = count + 1 if count and now - last < FLOOD_GAP else 1
        self._floods[digits] = (count, now)
        return count > FLOOD

    def _cost(self, call: soap.Call) -> dict[str, str]:
        if self.too_many("cost:" + call.first("phones") + call.first("mes") + call.first("query"), 5):
            return {"error": "9"}
        wish = read_wish(call, now=self.clock.wall(), zone=MOSCOW)
        if wish.error:
            return {"error": wish.error}
        count = sum(self._parts(wish, line) for line in lines_of(wish) if line.digits)
        return {"cost": f"{self.account.price * count:.2f}", "cnt": str(count)} if count else {"error": "7"}

    def _status(self, call: soap.Call) -> dict[str, str]:
        phone, id = re.sub(r"\D", "", call.first("phone")), call.first("id")
        if not phone or not id:
            return {"error": "1"}
        if self.too_many(f"status:{id}:{phone}", 5):
            return {"error": "9"}
        message = self.messages.get(f"{id}:{phone}")
        if message is None:
            return {"status": "-3"} if self.knobs.absent_as_status else {"error": "3"}
        word, err = self._word(message)
        changed = self.changed_at(message)
        fields = {"status": word, "last_date": stamp(changed), "last_timestamp": str(int(changed)), "err": err}
        taken = message.taken
        if call.first("all") in ("1", "2"):
            fields |= {
                "send_date": stamp(taken.taken_wall),
                "send_timestamp": str(int(taken.taken_wall)),
                "phone": phone,
                "cost": f"{taken.cost:.2f}",
                "sender_id": taken.shown_sender,
                "status_name": STATUS_NAMES.get(word, ""),
                "message": taken.text,
                "sms_cnt": str(taken.parts),
            }
        if call.first("all") == "2":
            fields |= {"operator": "Example Mobile", "region": "Example region"}
        return fields

    def _balance(self, call: soap.Call) -> dict[str, str]:
        if self.too_many("balance", 10):
            return {"error": "9"}
        return {"balance": f"{self.account.credit:.2f}", "error": "0"}

    def _get(self, request: Request) -> Answer:
        """Replies over HTTP; the SOAP service has no call for them."""
        given = request.arguments()
        if (given.get("login"), given.get("psw")) != (self.account.login, self.account.password) and (
            not self.account.key or given.get("apikey") != self.account.key
        ):
            return json_answer({"error": "authorise error", "error_code": 2})
        if given.get("get_answers") != "1":
            return json_answer({"error": "parameters error", "error_code": 1})
        hours = min(int(given.get("hour") or 1), 168)
        most = min(int(given.get("cnt") or 100), 10_000)
        after = int(given.get("after_id") or 0)
        now = self.clock.wall()
        found = [r for r in self.replies if int(r.id) > after and now - r.wall <= hours * 3600]
        return json_answer(
            [
                {
                    "id": reply.id,
                    "received": stamp(reply.wall),
                    "phone": reply.number[1:],
                    "message": reply.text,
                    "to_phone": reply.to,
                }
                for reply in found[:most]
            ]
        )

    def _word(self, message: Message) -> tuple[str, str]:
        """Status and err."""
        if self.stage(message) < 2:
            return ("-1", "0")[self.stage(message)], "0"
        return message.course.word or "1", message.course.detail or "0"

    # --- callbacks ---

    def reported(self, message: Message) -> None:
        if self.stage(message) < 2:
            return
        word, err = self._word(message)
        phone, id = message.taken.number[1:], message.taken.client_id
        signed = f"{id}:{phone}:{word}:{self.account.callback_secret}".encode()
        now = self.clock.wall()
        fields = {
            "id": id,
            "phone": phone,
            "status": word,
            "err": err,
            "time": stamp(now),
            "ts": str(int(now)),
            "cost": f"{message.taken.cost:.2f}",
            "md5": hashlib.md5(signed).hexdigest(),  # noqa: S324 - the provider's choice
            "sha1": hashlib.sha1(signed).hexdigest(),  # noqa: S324
        }
        if message.taken.kind == "hlr":
            fields |= {"imsi": "250010000000001", "mcc": "250", "mnc": "01", "cn": "Example", "net": "Example Mobile"}
        self._push(fields)

    def replied(self, reply: Reply, message: Message | None) -> None:
        fields = {"phone": reply.number[1:], "mes": reply.text, "to": reply.to, "time": stamp(reply.wall)}
        self._push(fields | {"sms_id": message.taken.client_id if message else ""})

    def _push(self, fields: dict[str, str]) -> None:
        encoded = urlencode(fields)
        by_query = self.knobs.callback_method == "GET"
        push = Push(
            url=self.account.callback + (f"?{encoded}" if by_query else ""),
            method=self.knobs.callback_method,
            body=b"" if by_query else encoded.encode(),
            repeats=REPEATS,
            accepted=lambda status, body: status == 200,
        )
        self.push(lambda attempt: push)


def default_account() -> Account:
    return Account(
        login="alex",
        password="123",  # noqa: S106 - the one in the document's examples
        key="smsc-api-key",
        price=Decimal("0.90"),
        currency="RUB",
        senders={"ivan": "registered"},
        callback_secret="s3cret",  # noqa: S106
    )


def stamp(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).astimezone(MOSCOW).strftime("%d.%m.%Y %H:%M:%S")
