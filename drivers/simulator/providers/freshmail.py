"""FreshMail's SMS gate as its document describes it (REST API v2), from the provider's side.

The document lost the addresses of MMS and of the report list, the shape of a record's fields and the HTTP status of an
error; those are knobs.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import msgspec

from drivers.simulator.providers.account import Account
from drivers.simulator.providers.ledger import Taken
from drivers.simulator.providers.service import Message, Service
from drivers.simulator.providers.wire import Answer, Request, json_answer

__all__ = ["Freshmail", "Knobs", "default_account"]

ZONE = ZoneInfo("Europe/Warsaw")
PAGE = 1000

# The document's list of characters that are not special, letter for letter; there is no line break and no euro sign.
PLAIN = frozenset(
    "@£$¥èéùìòÇØøÅå_^{}\\[~]| ÆæßÉ!\"#¤%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
PLAIN_LIMITS = (160, 306, 459)
SPECIAL_LIMITS = (70, 134, 200)

MEANINGS = {
    1000: "Unauthorized",
    1001: "Wrong method",
    1002: "Wrong protocol",
    1003: "Wrong request type",
    1004: "Access denied",
    1101: "Error in GSM number",
    1102: "SMS content missing",
    1103: "SMS content too long",
    1104: "SMS content too long (special characters)",
    1105: "SMS inscription (from) doesn't exist",
    1106: "Unconfirmed sender name (awaiting verification)",
    1107: "Error in coding of command",
    1108: "SMS content too long with single",
    1109: "SMS content too long with single (special characters)",
    1110: "Subject of MMS message too long, limit 30 characters",
    1150: "SMS not sent, awaiting final contract",
}


class Knobs(msgspec.Struct, frozen=True, kw_only=True):
    """`report_form`: "list" of records, or "map" of records by messageId. `error_status`, `login_status`: HTTP status
    of an error and of a bad key."""

    sms_path: str = "/rest/sms"
    mms_path: str = "/rest/mms"
    reports_path: str = "/rest/sms/reports"
    report_form: str = "list"
    error_status: int = 422
    login_status: int = 401
    contract_signed: bool = True
    page_size: int = PAGE


class Freshmail(Service):
    name: ClassVar[str] = "freshmail"
    knobs: Knobs = Knobs()

    def operation(self, request: Request) -> str:
        names = {self.knobs.sms_path: "submit", self.knobs.mms_path: "submit", self.knobs.reports_path: "list"}
        return names.get(request.path, "ping" if request.path == "/rest/ping" else "unknown")

    def answer(self, request: Request) -> Answer:
        if not self._known(request):
            return self._error(1000)
        if self.account.blocked:
            return self._error(1004)
        if self.account.calls_a_minute is not None and self.too_many("any", self.account.calls_a_minute):
            return Answer(status=429, headers={"retry-after": "60"})
        match request.method, request.path:
            case "GET", "/rest/ping":
                return json_answer({"status": "OK", "data": "pong"})
            case "POST", path if path in (self.knobs.sms_path, self.knobs.mms_path, self.knobs.reports_path):
                return self._posted(path, request)
            case _, path if self.operation(request) == "unknown":
                return self._error(1001, status=404)
            case _:
                return self._error(1003)

    def _known(self, request: Request) -> bool:
        """Bearer, or the sign over key, path and the very bytes of the body."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return bool(self.account.token) and hmac.compare_digest(token.encode(), self.account.token.encode())
        key = request.headers.get("x-rest-apikey", "")
        signed = key.encode() + request.raw_path.encode() + request.body + self.account.secret.encode()
        right = hashlib.sha1(signed).hexdigest()  # noqa: S324 - the provider's choice
        given = request.headers.get("x-rest-apisign", "")
        return key == self.account.key and hmac.compare_digest(given.encode(), right.encode())

    def _posted(self, path: str, request: Request) -> Answer:
        try:
            fields = msgspec.json.decode(request.body.decode())
        except UnicodeDecodeError:
            return self._error(1107)
        except msgspec.DecodeError:
            return self._error(1002)
        if not isinstance(fields, dict):
            return self._error(1002)
        if path == self.knobs.reports_path:
            return self._reports(fields)
        return self._sms(fields) if path == self.knobs.sms_path else self._mms(fields)

    def _sms(self, fields: dict[str, Any]) -> Answer:
        number = number_of(fields.get("gsm"))
        text = str(fields.get("text") or "")
        sender = str(fields.get("from") or "")
        special = bool(set(text) - PLAIN)
        limits = SPECIAL_LIMITS if special else PLAIN_LIMITS
        length = len(text.encode("utf-16-le")) // 2 if special else len(text)
        if not self.knobs.contract_signed:
            return self._error(1150)
        if number is None or number[1:] in self.account.barred:
            return self._error(1101)
        if not text:
            return self._error(1102)
        if sender and sender != "2way":
            if sender not in self.account.senders:
                return self._error(1105)
            if self.account.senders[sender] != "approved":
                return self._error(1106)
        if fields.get("single") and length > limits[0]:
            return self._error(1109 if special else 1108)
        if length > limits[-1]:
            return self._error(1104 if special else 1103)
        parts = 1 + sum(length > limit for limit in limits[:-1])
        return self._take(
            Taken(
                order=0,
                provider=self.name,
                operation="sms",
                id=self.new_id(16),
                client_id=str(fields.get("messageId") or ""),
                to=str(fields.get("gsm")),
                number=number,
                sender=sender,
                shown_sender=sender if sender not in ("", "2way") else self._random_sender(),
                text=text,
                parts=parts,
                cost=self.account.price * parts,
                options={"single": "1"} if fields.get("single") else {},
            )
        )

    def _mms(self, fields: dict[str, Any]) -> Answer:
        number = number_of(fields.get("gsm"))
        subject = str(fields.get("subject") or "")
        image = str(fields.get("image") or "")
        if not self.knobs.contract_signed:
            return self._error(1150)
        if number is None or number[1:] in self.account.barred:
            return self._error(1101)
        if not subject or not image:
            return self._error(1102)
        if len(subject) > 30:
            return self._error(1110)
        return self._take(
            Taken(
                order=0,
                provider=self.name,
                operation="mms",
                id=self.new_id(16),
                client_id=str(fields.get("messageId") or ""),
                to=str(fields.get("gsm")),
                number=number,
                shown_sender=self._random_sender(),
                kind="mms",
                text=subject,
                cost=self.account.price,
                options={"image": image},
            )
        )

    def _take(self, taken: Taken) -> Answer:
        if len(taken.client_id) > 42:
            return self._error(1002)
        self.take(taken)
        return json_answer({"status": "OK"})  # there is no id of the provider

    def _random_sender(self) -> str:
        return f"{self.random.randrange(500_000_000, 900_000_000)}"

    def _reports(self, fields: dict[str, Any]) -> Answer:
        start, end = moment(fields.get("startDate"), last=False), moment(fields.get("endDate"), last=True)
        try:
            page = int(fields.get("page") or 1)
        except (TypeError, ValueError):
            return self._error(1002)
        found = [
            message
            for message in self.messages.values()
            if (start is None or message.taken.taken_wall >= start) and (end is None or message.taken.taken_wall <= end)
        ]
        size = self.knobs.page_size
        records = [self._record(message) for message in found[(page - 1) * size : page * size]]
        content: dict[str, Any] = {
            "status": "OK",
            "data": {record["messageId"]: record for record in records} if self.knobs.report_form == "map" else records,
            "resultCounts": len(records),
            "allData": page * size >= len(found),
        }
        return json_answer(content)

    def _record(self, message: Message) -> dict[str, Any]:
        stage = self.stage(message)
        record: dict[str, Any] = {
            "messageId": message.taken.client_id,
            "gsm": message.taken.number[1:],
            "status": ("QUEUE", "SENT", message.course.word or "DELIVERED")[stage],
            "send_date": stamp(message.taken.taken_wall),
            "modification_date": stamp(self.changed_at(message)),
        }
        if stage == 2 and message.course.detail:
            record["error"] = message.course.detail
        if message.replies and message.taken.sender == "2way":
            replies = [{"text": reply.text, "time": stamp(reply.wall)} for reply in message.replies]
            record["2way"] = {"replies": replies}
        return record

    def _error(self, code: int, *, status: int = 0) -> Answer:
        content = {"status": "ERROR", "errors": [{"message": MEANINGS[code], "code": code}]}
        status = status or (self.knobs.login_status if code in (1000, 1004) else self.knobs.error_status)
        return json_answer(content, status=status)


def default_account() -> Account:
    return Account(
        key="0123456789abcdef0123456789abcdef",
        secret="00112233445566778899aabbccddeeff00112233",  # noqa: S106 - of a game
        token="freshmail-bearer-token",  # noqa: S106
        currency="PLN",
        senders={"Recepcja": "approved", "Nowa": "pending"},
    )


def number_of(given: object) -> str | None:
    """ "+48..." of nine digits (national) or eleven; None for what the gate does not take."""
    digits = str(given or "")
    plus = digits.startswith("+")
    digits = digits.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        return None
    if len(digits) == 9 and not plus:
        return f"+48{digits}"
    return f"+{digits}" if len(digits) == 11 and digits.startswith("48") else None


def stamp(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")


def moment(given: object, *, last: bool) -> float | None:
    """Unix seconds of a date or a date with time; a date alone stands for its first or last second."""
    if not given:
        return None
    text = str(given)
    if len(text) == 10:
        text += " 23:59:59" if last else " 00:00:00"
    try:
        read = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=ZONE)
    except ValueError:
        return None
    return read.timestamp() + (0.999999 if last else 0.0)
