"""What a SIM or an account may send in a minute, an hour, a day or a month of its tariff. Pure.

Days and months are those of the operator's clock; a tariff month begins at its reset day, or on the last day of a month
that has none such.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from enum import StrEnum

import msgspec

from bridge.model import Instant
from bridge.policy.timing import instant_at, local_at

__all__ = ["Counter", "Full", "Limit", "Limits", "Span", "Used", "crossed", "full", "room", "span_of"]

WARN_AT = 0.8  # of a limit: then whoever listens is told


class Span(StrEnum):
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


class Counter(StrEnum):
    """What is counted."""

    PARTS = "parts"  # each is billed
    MESSAGES = "messages"
    RECIPIENTS = "recipients"  # different ones


class Limit(msgspec.Struct, frozen=True):
    span: Span
    counter: Counter
    most: int

    @property
    def name(self) -> str:
        return f"{self.counter.value}_per_{self.span.value}"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """`reset_day`: 1 to 31, when the tariff's month begins. `zone`: the operator's clock."""

    limits: tuple[Limit, ...]
    reset_day: int = 1
    zone: str = "UTC"


class Used(msgspec.Struct, frozen=True):
    """A limit's present span: when it began and ends, and what is used up."""

    limit: Limit
    began: Instant
    ends: Instant
    used: int


class Full(msgspec.Struct, frozen=True):
    until: Instant
    reason: str


def span_of(span: Span, now: Instant, limits: Limits) -> tuple[Instant, Instant]:
    """When the span around `now` began and ends. Minutes and hours are those of UTC."""
    if span is Span.MINUTE or span is Span.HOUR:
        length = 60_000 if span is Span.MINUTE else 3_600_000
        began = now - now % length
        return began, began + length
    today = local_at(now, limits.zone).date()
    if span is Span.DAY:
        return _midnight(today, limits.zone), _midnight(today + timedelta(days=1), limits.zone)
    began_on = _reset(today.year, today.month, limits.reset_day)
    if began_on > today:
        before = today.replace(day=1) - timedelta(days=1)
        began_on = _reset(before.year, before.month, limits.reset_day)
    after = began_on.replace(day=28) + timedelta(days=4)
    return _midnight(began_on, limits.zone), _midnight(_reset(after.year, after.month, limits.reset_day), limits.zone)


def full(used: Sequence[Used], wanted: Mapping[Counter, int]) -> Full | None:
    """Whether so much more is too much, and until when: the last of the spans that are used up. `wanted`: by counter;
    0 for a recipient who was counted before."""
    over = [u for u in used if (more := wanted.get(u.limit.counter, 0)) and u.used + more > u.limit.most]
    if not over:
        return None
    last = max(over, key=lambda u: u.ends)
    limit = last.limit
    return Full(last.ends, f"{last.used} of {limit.most} {limit.counter.value} a {limit.span.value} are used up")


def room(used: Sequence[Used]) -> int:
    """How many messages may still go at least, if each is one part to a new person."""
    return min((max(0, u.limit.most - u.used) for u in used), default=1 << 30)


def crossed(used: Used, more: int) -> bool:
    """With so much more, four fifths of the limit are used for the first time in this span."""
    mark = used.limit.most * WARN_AT
    return used.used < mark <= used.used + more


def _midnight(day: date, zone: str) -> Instant:
    return instant_at(datetime.combine(day, time()), zone)


def _reset(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, monthrange(year, month)[1]))
