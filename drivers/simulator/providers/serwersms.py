"""SerwerSMS.pl as its documents describe it, from the provider's side: SOAP for sending, API v2 (JSON) for all."""

from __future__ import annotations

import re
from base64 import b64decode
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec

from drivers.simulator.providers import serwersms_soap, soap
from drivers.simulator.providers.account import Account
from drivers.simulator.providers.callbacks import Push
from drivers.simulator.providers.ledger import Taken
from drivers.simulator.providers.service import Message, Reply, Service
from drivers.simulator.providers.serwersms_order import Order, Refused, judged, read_order
from drivers.simulator.providers.wire import Answer, Request, json_answer

__all__ = ["Knobs", "Serwersms", "default_account"]

ZONE = ZoneInfo("Europe/Warsaw")
SOAP_PATH = "/server.php"
MOST_IDS = 500

OPERATIONS = {
    "messages/send_sms": "submit",
    "messages/send_personalized": "submit",
    "messages/send_voice": "submit",
    "messages/send_mms": "submit",
    "messages/reports": "status",
    "messages/view": "status",
    "messages/delete": "cancel",
    "messages/recived": "list",
    "messages/received": "list",
    "account/limits": "balance",
    "senders/index": "senders",
    "phones/check": "subscriber",
    "phones/test": "subscriber",
}
TYPES = {
    1000: "InvalidAction",
    1001: "InvalidUser",
    1002: "InvalidRole",
    1003: "InvalidIP",
    1004: "InvalidID",
    1005: "InvalidRole",
    1006: "InvalidData",
    1007: "InvalidRole",
    1008: "InvalidRole",
    2000: "ValidationRequiredError",
    2001: "ValidationPhoneError",
    2002: "ValidationCodeError",
}
OVER_LIMIT = {"eco": 3000, "full": 3002, "mms": 3004, "voice": 3006}
REPEATS = (60.0, 300.0, 900.0)  # the documents do not say when


class Knobs(msgspec.Struct, frozen=True, kw_only=True):
    """`answer_form`: what SOAP answers with, "struct", "map" or "json". `typed`: whether items say their type.
    `strict_arrays`: a list without arrayType is taken for a map, hence refused. `error`: answer each call with this
    code."""

    answer_form: str = "struct"
    typed: bool = True
    strict_arrays: bool = True
    error: int = 0
    limits: dict[str, int] = msgspec.field(
        default_factory=lambda: {"eco": 100_000, "full": 100_000, "mms": 1_000, "voice": 1_000}
    )
    page_size: int = 100
    state: str = "1"  # `stan` of a report push; its values are not documented
    foreign: bool = True  # numbers outside Poland


class Serwersms(Service):
    name: ClassVar[str] = "serwersms"
    knobs: Knobs = Knobs()

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.used: Counter[str] = Counter()

    def operation(self, request: Request) -> str:
        if request.path == SOAP_PATH:
            return "submit" if request.method == "POST" else "unknown"
        return OPERATIONS.get(_action(request), "unknown")

    def answer(self, request: Request) -> Answer:
        if request.path == SOAP_PATH:
            return self._soap(request)
        action = _action(request)
        if action.startswith("error/"):
            code = int(action[6:]) if action[6:].isdigit() else 0
            return json_answer({"code": code, "type": TYPES.get(code, "SendError"), "message": TYPES.get(code, "")})
        try:
            given = msgspec.json.decode(request.body or b"{}", type=dict[str, Any])
            if not self._known(request, given):
                raise Refused(1001, "User not found")
            if self.account.blocked:
                raise Refused(1007, "Account is not active")
            return json_answer(self._done(action, given))
        except Refused as error:
            return json_answer(_error(error))
        except (msgspec.MsgspecError, ValueError, TypeError):  # among them a page that is no number
            return json_answer(_error(Refused(1006, "Invalid data")))

    # --- SOAP ---

    def _soap(self, request: Request) -> Answer:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        expected = f"{self.account.login}:{self.account.password}"
        if scheme.lower() != "basic" or b64decode(given).decode(errors="replace") != expected:
            return Answer(
                status=401, headers={"www-authenticate": 'Basic realm="SOAP"'}, body=b"Authorization Required"
            )
        call = soap.read(request)
        if call is None:
            return soap.fault("Client", "Bad Request")
        if call.name not in ("Messages.sendPersonalized", "Messages.sendSms"):
            return soap.fault("Client", f"Operation '{call.name}' is not defined")
        try:
            if self.account.blocked:
                raise Refused(1007, "Account is not active")
            content = self._ordered(serwersms_soap.arguments(call, strict=self.knobs.strict_arrays))
        except Refused as error:
            content = _error(error)
        return serwersms_soap.answered(call, content, form=self.knobs.answer_form, typed=self.knobs.typed)

    # --- sending, by either way ---

    def _ordered(self, given: dict[str, Any]) -> dict[str, Any]:
        """Answer of a send. Raises Refused for a call that is refused as a whole."""
        if self.knobs.error:
            raise Refused(self.knobs.error, TYPES.get(self.knobs.error, "Refused"))
        order = read_order(given, zone=ZONE)
        if order.sender and self.account.senders.get(order.sender) != "authorized" and order.sender != "2waySMS":
            raise Refused(3007, "Sender name is not authorized")
        if self.used[order.type] + len(order.lines) > self.knobs.limits[order.type]:
            raise Refused(OVER_LIMIT[order.type], "Limit exhausted")
        items = [self._one(order, at) for at in range(len(order.lines))]
        queued = sum(item["status"] == "queued" for item in items)
        answer: dict[str, Any] = {"success": True, "queued": queued, "unsent": len(items) - queued}
        return answer | ({"items": items} if order.details else {})

    def _one(self, order: Order, at: int) -> dict[str, Any]:
        phone, text = order.lines[at]
        judgement = judged(order, phone, text, barred=self.account.barred, foreign=self.knobs.foreign)
        id = self.new_id(10)
        item: dict[str, Any] = {"id": id, "phone": judgement.number or phone}
        stamped = self._stamp(self.clock.wall())
        if judgement.code:
            item |= {"status": "unsent", "queued": stamped}
            return item | {"error_code": judgement.code, "error_message": judgement.message}
        if not order.test:
            self.used[order.type] += 1
            self.take(
                Taken(
                    order=0,
                    provider=self.name,
                    operation=order.operation,
                    id=id,
                    client_id=order.unique_ids[at] if order.unique_ids else "",
                    to=phone,
                    number=judgement.number,
                    sender=order.sender,
                    shown_sender=order.sender if order.sender not in ("", "2waySMS") else self._random_sender(),
                    kind=order.kind,
                    text=text,
                    flash=order.flash,
                    parts=judgement.parts,
                    cost=self.account.price * judgement.parts,
                    send_at=order.send_at,
                    options=order.options | {"type": order.type, "shown": judgement.shown},
                )
            )
        return item | {"status": "queued", "queued": stamped, "parts": judgement.parts, "text": text}

    def _random_sender(self) -> str:
        return f"{self.random.randrange(500_000_000, 900_000_000)}"

    # --- API v2 ---

    def _known(self, request: Request, given: dict[str, Any]) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return bool(token) and token == self.account.token
        return (given.get("username"), given.get("password")) == (self.account.login, self.account.password)

    def _done(self, action: str, given: dict[str, Any]) -> dict[str, Any]:
        calls: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "messages/send_sms": self._ordered,
            "messages/send_personalized": self._ordered,
            "messages/send_voice": lambda given: self._ordered(given | {"voice": True, "kind": "voice"}),
            "messages/send_mms": lambda given: self._ordered(given | {"kind": "mms"}),
            "messages/reports": self._reports,
            "messages/view": self._view,
            "messages/delete": self._delete,
            "messages/recived": self._received,
            "messages/received": self._received,
            "account/limits": self._limits,
            "senders/index": self._senders,
            "phones/check": self._check,
            "phones/test": self._test,
        }
        if action not in calls:
            raise Refused(1000, "Action does not exist")
        return calls[action](given)

    def _reports(self, given: dict[str, Any]) -> dict[str, Any]:
        ids, unique = _listed(given.get("id")), _listed(given.get("unique_id"))
        if len(ids) + len(unique) > MOST_IDS:
            raise Refused(1006, "Too many ids")
        low, high = self._moment(given.get("date_from")), self._moment(given.get("date_to"))
        found = [
            self._item(message)
            for message in self.messages.values()
            if (not ids or message.taken.id in ids)
            and (not unique or message.taken.client_id in unique)
            and (low is None or message.taken.taken_wall >= low)
            and (high is None or message.taken.taken_wall <= high)
        ]
        for name in ("status", "type"):
            if given.get(name):
                found = [item for item in found if item[name] == str(given[name])]
        if given.get("phone"):  # with its country code or without
            found = [item for item in found if item["phone"].endswith(str(given["phone"]))]
        if str(given.get("order") or "").lower() == "desc":
            found.reverse()
        return self._page(found, given)

    def _view(self, given: dict[str, Any]) -> dict[str, Any]:
        return self._item(self._found(given))

    def _delete(self, given: dict[str, Any]) -> dict[str, Any]:
        message = self._found(given)
        if (message.taken.send_at or 0.0) <= self.clock.wall():
            raise Refused(1004, "The message is not scheduled")
        self.account.credit += message.taken.cost
        del self.messages[message.taken.id]
        message.cancelled = True
        return {"success": True}

    def _found(self, given: dict[str, Any]) -> Message:
        ids, unique = _listed(given.get("id")), _listed(given.get("unique_id"))
        for message in self.messages.values():
            if message.taken.id in ids or (message.taken.client_id and message.taken.client_id in unique):
                return message
        raise Refused(1004, "Invalid ID")

    def _item(self, message: Message) -> dict[str, Any]:
        taken, stage = message.taken, self.stage(message)
        waits = (taken.send_at or 0.0) > self.clock.wall()
        word = ("saved" if waits else "queued", "sent", message.course.word or "delivered")[stage]
        changed = self._stamp(self.changed_at(message))
        return {
            "id": taken.id,
            "phone": taken.number,
            "status": word,
            "queued": self._stamp(taken.taken_wall),
            "sent": changed if stage else None,
            "delivered": changed if word == "delivered" else None,
            "sender": taken.shown_sender,
            "type": taken.options["type"],
            "text": taken.text,
            "parts": taken.parts,
            "cost": str(taken.cost),
            "network": "Example Mobile",
            "reason": message.course.detail if stage == 2 else "",
        }

    def _received(self, given: dict[str, Any]) -> dict[str, Any]:
        low, high = self._moment(given.get("date_from")), self._moment(given.get("date_to"))
        found = [
            self._reply(reply)
            for reply in self.replies
            if (low is None or reply.wall >= low) and (high is None or reply.wall <= high)
        ]
        return self._page([item for item in found if given.get("type") in (None, "", item["type"])], given)

    def _reply(self, reply: Reply) -> dict[str, Any]:
        """Only answers to an ECO message name it; others came to a number of the account's own."""
        answered = next((m.taken for m in self.messages.values() if reply in m.replies), None)
        eco = answered is not None and answered.options["type"] == "eco"
        return {
            "id": reply.id,
            "type": "eco" if eco else "ndi",
            "phone": reply.number,
            "recived": self._stamp(reply.wall),
            "message_id": answered.id if answered is not None and eco else None,
            "blacklist": False,
            "text": reply.text,
        }

    def _limits(self, given: dict[str, Any]) -> dict[str, Any]:
        lengths = {"eco": "160/1", "full": "1377/9", "mms": "40", "voice": "160"}
        return {
            "items": [
                {"type": kind, "chars_limit": lengths[kind], "value": most - self.used[kind]}
                for kind, most in self.knobs.limits.items()
            ]
        }

    def _senders(self, given: dict[str, Any]) -> dict[str, Any]:
        items = [{"name": name, "agreement": "", "status": state} for name, state in self.account.senders.items()]
        return {"items": items}

    def _check(self, given: dict[str, Any]) -> dict[str, Any]:
        phone = str(given.get("phone") or "")
        absent = re.sub(r"\D", "", phone) in self.account.barred
        status = "absent" if absent else "ok"
        return {"phone": phone, "status": status, "network": "Example Mobile", "ported": False}

    def _test(self, given: dict[str, Any]) -> dict[str, Any]:
        phone = str(given.get("phone") or "")
        return {"phone": phone, "correct": bool(re.fullmatch(r"\+?\d{9,15}", phone))}

    def _page(self, items: list[dict[str, Any]], given: dict[str, Any]) -> dict[str, Any]:
        size = min(int(given.get("limit") or self.knobs.page_size), self.knobs.page_size)
        page = int(given.get("page") or 1)
        if size < 1 or page < 1:
            raise Refused(1006, "Invalid page")
        count = max(1, -(-len(items) // size))
        return {"paging": {"page": page, "count": count}, "items": items[(page - 1) * size : page * size]}

    def _stamp(self, wall: float) -> str:
        return datetime.fromtimestamp(wall, UTC).astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")

    def _moment(self, given: object) -> float | None:
        if not given:
            return None
        try:
            return datetime.fromisoformat(str(given)).replace(tzinfo=ZONE).timestamp()
        except ValueError:
            raise Refused(1006, "Invalid date") from None

    # --- pushes ---

    def reported(self, message: Message) -> None:
        if self.stage(message) < 2 or message.cancelled:
            return
        self._push({"smsid": message.taken.id, "stan": self.knobs.state, "data": self._stamp(self.clock.wall())})

    def replied(self, reply: Reply, message: Message | None) -> None:
        self._push({"numer": reply.number, "wiadomosc": reply.text, "data": self._stamp(reply.wall)})

    def _push(self, fields: dict[str, str]) -> None:
        push = Push(
            url=self.account.callback,
            body=urlencode(fields).encode(),
            repeats=REPEATS,
            accepted=lambda status, body: status == 200 and body.strip() == b"OK",
        )
        self.push(lambda attempt: push)


def default_account() -> Account:
    return Account(
        login="demo",
        password="demo",  # noqa: S106 - the one in the document's example
        token="serwersms-bearer-token",  # noqa: S106
        price=Decimal("0.07"),
        currency="PLN",
        senders={"sobek": "authorized", "PLANT": "authorized", "Nowa": "pending_authorization"},
    )


def _action(request: Request) -> str:
    return request.path.strip("/").removesuffix(".json")


def _error(error: Refused) -> dict[str, Any]:
    return {"error": {"code": error.code, "type": TYPES.get(error.code, "SendError"), "message": error.message}}


def _listed(given: Any) -> list[str]:
    return [str(one) for one in given] if isinstance(given, list) else [str(given)] if given else []
