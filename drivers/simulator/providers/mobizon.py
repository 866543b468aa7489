"""Mobizon's REST API v1 as its documents describe it, from the provider's side."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec

from drivers.gsm import segments
from drivers.simulator.providers.account import Account, Course
from drivers.simulator.providers.callbacks import Push
from drivers.simulator.providers.ledger import Taken
from drivers.simulator.providers.service import Message, Service
from drivers.simulator.providers.wire import Answer, Request, json_answer, text_answer

__all__ = ["Knobs", "Mobizon", "bracketed", "default_account"]

OPERATIONS = {
    "message/sendsmsmessage": "submit",
    "message/getsmsstatus": "status",
    "message/list": "list",
    "campaign/list": "list",
    "campaign/getinfo": "status",
    "campaign/delete": "cancel",
    "user/getownbalance": "balance",
    "alphaname/list": "senders",
}
MOST_CAMPAIGNS = 10  # those behind them are left out without a word; 100 in the newer document
MOST_IDS = 100
PAGE_SIZES = (25, 50, 100)
SORTED = ("id", "campaignId", "from", "to", "text", "status", "groups", "contentProviderId")  # of messages
RANGES = ("campaignCreateTs", "campaignSentTs", "startSendTs", "statusUpdateTs")
CRITERIA = (*SORTED, "campaignIds", "campaignStatus", *(f"{name}{end}" for name in RANGES for end in ("From", "To")))
COUNTRIES = {"48": "PL", "49": "DE", "77": "KZ", "44": "GB"}
MOST_TRIES = 10


class Knobs(msgspec.Struct, frozen=True, kw_only=True):
    """`error_status`: HTTP status of an answer whose code is not 0; the document names none. `moderated`: new campaigns
    wait for a moderator. `right_domain`: this account belongs to another server, code 13."""

    error_status: int = 200
    moderated: bool = False
    right_domain: str = ""
    validity: tuple[int, int] = (60, 1440)  # 1..4320 in the older document
    zone: str = "Europe/Berlin"
    webhook_form: str = "json"  # or "raw", a web form
    code: int = 0  # answer every send with this code instead
    code_data: dict[str, str] = {}


class Mobizon(Service):
    name: ClassVar[str] = "mobizon"
    knobs: Knobs = Knobs()

    def operation(self, request: Request) -> str:
        return OPERATIONS.get(_method(request), "unknown")

    def answer(self, request: Request) -> Answer:
        query = dict(bracketed_pairs(request.query))
        if query.get("output", "json") != "json":
            return self._envelope(6, message="Format is not offered here")
        if not request.path.lower().startswith("/service/"):
            return text_answer("Not found", status=404)
        if query.get("apiKey") != self.account.key or not self.account.key:
            return self._envelope(8, message="Login failed")
        if self.knobs.right_domain:
            return self._envelope(13, self.knobs.right_domain, message="Wrong API server")
        if self.account.blocked:
            return self._envelope(14, message="Account is blocked")
        method = _method(request)
        if self.account.calls_a_minute is not None and self.too_many(method, self.account.calls_a_minute):
            return self._envelope(30, message="Too many requests")
        fields = bracketed(bracketed_pairs(request.query) + request.form())
        calls: dict[str, Callable[[dict[str, Any]], Answer]] = {
            "message/sendsmsmessage": self._send,
            "message/getsmsstatus": self._status,
            "message/list": self._list,
            "campaign/list": self._campaigns,
            "campaign/getinfo": self._campaign,
            "campaign/delete": self._delete,
            "user/getownbalance": self._balance,
            "alphaname/list": self._senders,
        }
        call = calls.get(method)
        if call is None:
            modules = {name.partition("/")[0] for name in calls}
            return self._envelope(5 if method.partition("/")[0] in modules else 4, message="No such method")
        return call(fields)

    def moderate(self, campaign: str, *, approve: bool) -> None:
        """The moderator lets a waiting campaign go, and it arrives at once; or rejects it."""
        for message in self.messages.values():
            if message.taken.options["campaign"] == campaign and not message.cancelled:
                age = self.clock.wall() - message.taken.taken_wall
                message.course = Course(sent_after=age, final_after=age, word="" if approve else "REJECTD")
                self.later(0.0, self.reported, message)

    # --- calls ---

    def _send(self, fields: dict[str, Any]) -> Answer:
        if self.knobs.code:
            return self._envelope(self.knobs.code, self.knobs.code_data or "", message="")
        missing = [name for name in ("recipient", "text") if not fields.get(name)]
        if missing:
            return self._envelope(1, dict.fromkeys(missing, "Required"), message="Validation error")
        params = fields.get("params") if isinstance(fields.get("params"), dict) else {}
        assert isinstance(params, dict)
        wrong, send_at, validity = self._wrong(fields, params)
        if wrong:
            return self._envelope(1, wrong, message="Validation error")
        text = str(fields["text"])
        parts = segments.plan(text).parts
        cost = self.account.price * parts
        if not self.afford(cost):
            return self._envelope(15, message="Operation error")
        asked = str(fields.get("from") or "")
        usable = self.account.senders.get(asked) == "active"
        campaign = str(7_000_001 + self.ledger.total)
        number = "+" + str(fields["recipient"]).lstrip("+")
        message = self.take(
            Taken(
                order=0,
                provider=self.name,
                operation="sendSmsMessage",
                id=str(9_000_001 + self.ledger.total),
                client_id=str(params.get("name") or ""),
                to=str(fields["recipient"]),
                number=number,
                sender=asked,
                shown_sender=asked if usable else "Shared",  # replaced without a word
                text=text,
                flash=params.get("mclass") == "0",
                parts=parts,
                cost=cost,
                send_at=send_at,
                validity=validity,
                options={"campaign": campaign, **{key: str(value) for key, value in params.items()}},
            )
        )
        if self.knobs.moderated:
            message.course = Course(sent_after=None, final_after=None)
        status = 1 if self.knobs.moderated else 2
        return self._envelope(0, {"campaignId": campaign, "messageId": message.taken.id, "status": status})

    def _wrong(self, fields: dict[str, Any], params: dict[str, Any]) -> tuple[dict[str, Any], float | None, int]:
        """Fields that the provider does not take, when to send, validity in minutes."""
        wrong: dict[str, Any] = {}
        inner: dict[str, str] = {}
        digits = str(fields["recipient"]).removeprefix("+")
        if not re.fullmatch(r"[1-9]\d{9,14}", digits) or digits in self.account.barred:
            wrong["recipient"] = "Invalid phone number"
        validity = _whole(params.get("validity"), 1440)
        low, high = self.knobs.validity
        if not low <= validity <= high:
            inner["validity"] = f"Must be {low}..{high}"
        if not 0 <= _whole(params.get("mclass"), 1) <= 3:
            inner["mclass"] = "Must be 0..3"
        if len(str(params.get("name") or "")) > 255:
            inner["name"] = "Too long"
        send_at = None
        if params.get("deferredToTs"):
            send_at = self._moment(str(params["deferredToTs"]))
            ahead = None if send_at is None else send_at - self.clock.wall()
            if ahead is None or not 3600 - 60 <= ahead <= 14 * 86400 + 60:
                inner["deferredToTs"] = "One hour to fourteen days ahead"
        if inner:
            wrong["params"] = inner
        return wrong, send_at, validity

    def _status(self, fields: dict[str, Any]) -> Answer:
        ids = _listed(fields.get("ids"))
        if not ids:
            return self._envelope(2, message="No message id")
        if len(ids) > MOST_IDS:
            return self._envelope(12, message="More than 100 ids")
        found = [self.messages[id] for id in ids if id in self.messages]
        names = ("id", "status", "segNum", "startSendTs", "statusUpdateTs")
        return self._envelope(0, [{name: self._item(message)[name] for name in names} for message in found])

    def _list(self, fields: dict[str, Any]) -> Answer:
        criteria = fields.get("criteria") or {}
        wrong = {name: "Unknown" for name in criteria if name not in CRITERIA}
        wrong |= {name: "Cannot be sorted by" for name in fields.get("sort") or {} if name not in SORTED}
        if wrong:
            return self._envelope(1, wrong, message="Validation error")
        items = [self._item(m) for m in self.messages.values() if self._matches(m, criteria)]
        if not _whole(fields.get("withNumberInfo"), 0):
            for item in items:
                del item["countryA2"], item["operatorName"]
        return self._page(items, fields)

    def _campaigns(self, fields: dict[str, Any]) -> Answer:
        criteria = fields.get("criteria") or {}
        after = self._moment(str(criteria.get("createTsFrom") or ""))
        items = [
            self._campaign_item(message)
            for message in self.messages.values()
            if str(criteria.get("recipient") or "").lstrip("+") in message.taken.number
            and (after is None or message.taken.taken_wall >= after)
        ]
        return self._page(items, fields)

    def _campaign(self, fields: dict[str, Any]) -> Answer:
        message = self._by_campaign(str(fields.get("id") or ""))
        if message is None:
            return self._envelope(2, message="Record not found")
        return self._envelope(0, self._campaign_item(message))

    def _delete(self, fields: dict[str, Any]) -> Answer:
        message = self._by_campaign(str(fields.get("id") or ""))
        if message is None:
            return self._envelope(2, message="Record not found")
        if self.stage(message) > 0:
            return self._envelope(15, message="Campaign is sent already")
        message.cancelled = True
        self.account.credit += message.taken.cost
        return self._envelope(0, True)

    def _balance(self, fields: dict[str, Any]) -> Answer:
        return self._envelope(0, {"balance": f"{self.account.credit:.4f}", "currency": self.account.currency})

    def _senders(self, fields: dict[str, Any]) -> Answer:
        items = [
            {"alphanameId": str(n), "alphaname": {"name": name}, "globalStatus": state, "partnerStatus": state}
            for n, (name, state) in enumerate(self.account.senders.items(), 1)
        ]
        return self._page(items, fields)

    # --- pieces of answers ---

    def _word(self, message: Message) -> str:
        if message.cancelled:
            return "DELETED"
        return ("NEW", "ACCEPTD", message.course.word or "DELIVRD")[self.stage(message)]

    def _item(self, message: Message) -> dict[str, Any]:
        taken = message.taken
        started = self.stage(message) > 0
        return {
            "id": taken.id,
            "campaignId": taken.options["campaign"],
            "segNum": str(taken.parts),
            "segUserBuy": f"{self.account.price:.4f}",
            "from": taken.shown_sender,
            "to": taken.number[1:],
            "text": taken.text,
            "status": self._word(message),
            "groups": "",
            "uuid": hashlib.md5(taken.id.encode(), usedforsecurity=False).hexdigest(),
            "countryA2": COUNTRIES.get(taken.number[1:3], ""),
            "operatorName": "Example Mobile",
            "startSendTs": self._stamp(taken.taken_wall) if started else None,
            "statusUpdateTs": self._stamp(self.changed_at(message)) if started else None,
        }

    def _campaign_item(self, message: Message) -> dict[str, Any]:
        taken = message.taken
        return {
            "id": taken.options["campaign"],
            "name": taken.client_id,
            "from": taken.sender,
            "text": taken.text,
            "createTs": self._stamp(taken.taken_wall),
        }

    def _matches(self, message: Message, criteria: dict[str, Any]) -> bool:
        item = self._item(message)
        campaigns = _listed(criteria.get("campaignIds"))
        if campaigns and item["campaignId"] not in campaigns[:MOST_CAMPAIGNS]:
            return False
        for name in ("id", "campaignId", "from", "text", "status", "groups"):
            if criteria.get(name) and str(criteria[name]) != item[name]:
                return False
        if criteria.get("to") and str(criteria["to"]).lstrip("+") not in item["to"]:
            return False
        for name in RANGES:
            at = self.changed_at(message) if name == "statusUpdateTs" else message.taken.taken_wall
            low, high = (self._moment(str(criteria.get(f"{name}{end}") or "")) for end in ("From", "To"))
            if (low is not None and at < low) or (high is not None and at > high + 0.999999):
                return False
        return True

    def _page(self, items: list[dict[str, Any]], fields: dict[str, Any]) -> Answer:
        """One page, counted from 0, in the order asked for. What code another size has is not documented."""
        for name, direction in reversed((fields.get("sort") or {}).items()):
            items.sort(key=lambda item: _order(item.get(name)), reverse=str(direction).upper() == "DESC")
        pagination = fields.get("pagination") or {}
        size, page = _whole(pagination.get("pageSize"), PAGE_SIZES[0]), _whole(pagination.get("currentPage"), 0)
        if size not in PAGE_SIZES or page < 0:
            return self._envelope(12, message="A page holds 25, 50 or 100, and the first one is 0")
        at = page * size
        return self._envelope(0, {"items": items[at : at + size], "totalItemCount": str(len(items))})

    def _by_campaign(self, id: str) -> Message | None:
        found = (m for m in self.messages.values() if m.taken.options["campaign"] == id and not m.cancelled)
        return next(found, None)

    def _envelope(self, code: int, data: object = "", *, message: str = "") -> Answer:
        status = 200 if code in (0, 100) else self.knobs.error_status
        return json_answer({"code": code, "data": data, "message": message}, status=status)

    def _stamp(self, wall: float) -> str:
        return datetime.fromtimestamp(wall, UTC).astimezone(ZoneInfo(self.knobs.zone)).strftime("%Y-%m-%d %H:%M:%S")

    def _moment(self, text: str) -> float | None:
        try:
            return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(self.knobs.zone)).timestamp()
        except ValueError:
            return None

    # --- webhook ---

    def reported(self, message: Message) -> None:
        if self.stage(message) < 2 or message.cancelled:
            return
        event, created = self.new_id(8), self._stamp(self.clock.wall())
        taken = message.taken
        data = {
            "campaignId": taken.options["campaign"],
            "messageId": taken.id,
            "segNum": taken.parts,
            "statusUpdateTs": self._stamp(self.changed_at(message)),
            "status": self._word(message),
            "to": taken.number[1:],
        }

        def make(attempt: int) -> Push:
            signed = f"{event}|{attempt}|{created}|{self.account.callback_secret}"
            content: dict[str, Any] = {
                "eventId": event,
                "eventType": "sms-delivery-report",
                "eventCreateTs": created,
                "webhookId": "1",
                "attempt": attempt,
                "data": data,
                "sign": hashlib.sha1(signed.encode()).hexdigest(),  # noqa: S324 - the provider's choice
            }
            raw = self.knobs.webhook_form == "raw"
            flat = {k: v for k, v in content.items() if k != "data"} | {f"data[{k}]": v for k, v in data.items()}
            return Push(
                url=self.account.callback,
                content_type="application/x-www-form-urlencoded" if raw else "application/json",
                body=urlencode(flat).encode() if raw else msgspec.json.encode(content),
                repeats=[60.0 * n for n in range(1, MOST_TRIES)],
            )

        self.push(make)


def default_account() -> Account:
    return Account(
        key="K" * 40,
        currency="EUR",
        senders={"YourAlpha": "active", "PLANT": "active", "Waiting": "moderation"},
        callback_secret="secret123",  # noqa: S106 - the one of the test vector
    )


def bracketed(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Form fields with their names in brackets as PHP reads them: `params[validity]`, `ids[]`, `ids[0]`."""
    whole: dict[str, Any] = {}
    for name, value in pairs:
        head, *inner = re.findall(r"[^\[\]]+|(?<=\[)(?=\])", name) or [name]
        target = whole
        for at, key in enumerate([head, *inner]):
            key = key or str(len(target))
            if at == len(inner):
                target[key] = value
            else:
                below = target.setdefault(key, {})
                target = below if isinstance(below, dict) else target
    return whole


def bracketed_pairs(query: str) -> list[tuple[str, str]]:
    return Request(method="", path="", raw_path="", query="", headers={}, body=query.encode()).form()


def _method(request: Request) -> str:
    return "/".join(request.path.lower().strip("/").split("/")[1:])


def _listed(given: Any) -> list[str]:
    if isinstance(given, dict):
        return [str(value) for value in given.values() if value]
    return [part.strip() for part in str(given or "").split(",") if part.strip()]


def _whole(given: Any, default: int) -> int:
    try:
        return int(given) if given not in (None, "") else default
    except ValueError:
        return -1


def _order(value: Any) -> tuple[int, int, str]:
    text = str(value)
    return (0, int(text), "") if text.isdigit() else (1, 0, text)
