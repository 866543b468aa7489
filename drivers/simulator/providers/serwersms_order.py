"""What a sending call of SerwerSMS asks for, by SOAP or by API v2, and what each number of it gets."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Set
from datetime import datetime, tzinfo
from typing import Any

import msgspec

from drivers.gsm import alphabet, segments

__all__ = ["Judgement", "Order", "Refused", "judged", "read_order"]

MOST_PAIRS = 10_000
MOST_NUMBERS = 100_000
LONGEST_TITLE = 40  # of an MMS
FLAGS = ("details", "test", "flash", "utf", "voice", "speed", "vcard")


class Refused(Exception):
    """The whole call is refused."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Order(msgspec.Struct, frozen=True, kw_only=True):
    operation: str
    kind: str
    type: str  # "eco", "full", "mms", "voice"
    lines: list[tuple[str, str]]  # phone, text
    sender: str = ""
    details: bool = False
    test: bool = False
    flash: bool = False
    utf: bool = False
    send_at: float | None = None
    unique_ids: list[str] = []
    options: dict[str, str] = {}


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """`code` 0 = queued. `shown`: the text as the handset gets it."""

    number: str = ""
    parts: int = 1
    shown: str = ""
    code: int = 0
    message: str = ""


def read_order(given: dict[str, Any], *, zone: tzinfo) -> Order:
    """Raises Refused."""
    flags = {name: _true(given.get(name)) for name in FLAGS}
    personalised = given.get("messages") is not None
    lines = _pairs(given["messages"]) if personalised else _numbers(given)
    unique = given.get("unique_id") or []
    unique_ids = [str(one) for one in (unique if isinstance(unique, list) else [unique])]
    if unique_ids and len(unique_ids) != len(lines):
        raise Refused(1006, "unique_id: another number of items")
    if any(not re.fullmatch(r"[A-Za-z0-9]{3,50}", one) for one in unique_ids):
        raise Refused(1006, "unique_id: wrong characters")
    if len(set(unique_ids)) < len(unique_ids):
        raise Refused(1006, "unique_id: not unique")
    sender = str(given.get("sender") or "")
    kind = str(given.get("kind") or ("voice" if flags["voice"] else "wap_push" if given.get("wap_push") else "text"))
    if kind == "mms":
        title = str(given.get("title") or "")
        if not title or len(title) > LONGEST_TITLE:
            raise Refused(2000 if not title else 1006, "title")
        if not (given.get("file") or given.get("file_id")):
            raise Refused(2000, "file")
        lines = [(phone, title) for phone, _ in lines]
    if sender and kind == "voice":
        raise Refused(1006, "sender must be empty")
    send_at = None
    if given.get("date"):
        try:
            send_at = datetime.fromisoformat(str(given["date"])).replace(tzinfo=zone).timestamp()
        except ValueError:
            raise Refused(1006, "date") from None
    return Order(
        operation="sendPersonalized" if personalised else "sendSms",
        kind=kind,
        type=kind if kind in ("voice", "mms") else "full" if sender and sender != "2waySMS" else "eco",
        lines=lines,
        sender=sender,
        details=flags["details"],
        test=flags["test"],
        flash=flags["flash"],
        utf=flags["utf"],
        send_at=send_at,
        unique_ids=unique_ids,
        options={
            name: str(given[name]) for name in ("group_id", "contact_id", "wap_push", "file_id") if given.get(name)
        },
    )


def judged(order: Order, phone: str, text: str, *, barred: Set[str], foreign: bool) -> Judgement:
    number = _number(phone)
    if not number:
        return Judgement(code=2001, message="Incorrect number")
    if number[1:] in barred or not (foreign or number.startswith("+48")):
        return Judgement(number=number, code=2001, message="Unsupported number")
    if not text and order.kind not in ("voice", "mms"):
        return Judgement(number=number, code=2000, message="Text is empty")
    # Letters beyond 7 bits are kept only in SMS FULL, and only when asked for.
    wide = alphabet.first_foreign(text) is not None
    shown = text if not wide or (order.utf and order.type == "full") else _plain(text)
    return Judgement(number=number, parts=segments.plan(shown).parts if shown else 1, shown=shown)


def _pairs(messages: Any) -> list[tuple[str, str]]:
    if not isinstance(messages, list) or not messages:
        raise Refused(1006, "messages must be a list")
    if len(messages) > MOST_PAIRS:
        raise Refused(1006, "more than 10000 messages")
    if any(not isinstance(one, dict) for one in messages):
        raise Refused(1006, "messages must hold phone and text")
    return [(str(one.get("phone") or ""), str(one.get("text") or "")) for one in messages]


def _numbers(given: dict[str, Any]) -> list[tuple[str, str]]:
    phones = given.get("phone")
    phones = phones if isinstance(phones, list) else [phones] if phones else []
    if not phones:
        raise Refused(2000, "phone")
    if len(phones) > MOST_NUMBERS:
        raise Refused(1006, "more than 100000 numbers")
    return [(str(phone), str(given.get("text") or "")) for phone in phones]


def _number(phone: str) -> str:
    if re.fullmatch(r"\d{9}", phone):
        return f"+48{phone}"
    return "+" + phone.removeprefix("+") if re.fullmatch(r"\+?[1-9]\d{9,14}", phone) else ""


def _plain(text: str) -> str:
    unmarked = unicodedata.normalize("NFKD", text.replace("ł", "l").replace("Ł", "L"))
    return "".join(c if c.isascii() else "" if unicodedata.combining(c) else "?" for c in unmarked)


def _true(given: object) -> bool:
    return given in (True, 1, "1", "true", "True")
