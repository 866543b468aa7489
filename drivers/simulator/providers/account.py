"""A customer's account at a simulated provider, and what becomes of the messages it sends."""

from __future__ import annotations

from decimal import Decimal

import msgspec

__all__ = ["Account", "Course"]


class Account(msgspec.Struct, kw_only=True):
    """Mutable: tests and the control address change it while the service runs. Each provider uses the fields it has.

    `senders`: name -> state in the provider's words. `barred`: numbers (digits) that this account cannot reach;
    `opted_out`: numbers that do not want messages. `blocked`: the provider has closed the account. `callback`: our
    address for reports and replies, empty for none.
    """

    login: str = ""
    password: str = ""
    api_id: str = ""
    key: str = ""
    secret: str = ""
    token: str = ""
    credit: Decimal = Decimal("100.0000")
    price: Decimal = Decimal("0.05")  # a part
    currency: str = ""
    senders: dict[str, str] = msgspec.field(default_factory=dict)
    barred: set[str] = msgspec.field(default_factory=set)
    opted_out: set[str] = msgspec.field(default_factory=set)
    blocked: bool = False
    callback: str = ""
    callback_secret: str = ""
    callback_login: str = ""  # HTTP Basic on our side, where the provider offers it
    callback_password: str = ""
    calls_a_minute: int | None = None  # None: what the provider's document says


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a message, in seconds after it was taken. None = never.

    `word`: the final status in the provider's own vocabulary ("UNDELIVERED", "20", "009"), empty for delivered.
    `detail`: what goes with it (SMSC `err`, SerwerSMS reason, FreshMail `error`).
    """

    sent_after: float | None = 0.0
    final_after: float | None = 2.0
    word: str = ""
    detail: str = ""
