"""Recurring sends: when the next one is. Pure.

A rule is one or more cron expressions read in a zone, or an interval. A time of day that the clocks jump over runs at
the end of the jump, one that they show twice runs once, at the first. A rule without a time of day (its hour is `*`)
and an interval go by elapsed time: no clock change makes them run more or less often.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

import msgspec
from apscheduler.triggers.cron import CronTrigger

from bridge.model import Instant
from bridge.policy.timing import instant_at, local_at

__all__ = ["CronError", "Rule", "check_cron", "next_occurrence", "occurrences"]

FIELDS = ("minute", "hour", "day", "month", "day_of_week")
SPOKEN = (
    "minute (0-59)",
    "hour (0-23)",
    "day of the month (1-31 or L)",
    "month (1-12)",
    "weekday (0-7, 0 and 7: Sunday)",
)
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
YEARS = 8  # every cron expression that fires at all does so within: between two leap days lie eight years at most
LAST_YEAR = 9990

_TERM = re.compile(r"(\*|[a-z]+|\d+)(?:-([a-z]+|\d+))?(?:/(\d+))?")
_LISTED = re.compile(r"[A-Za-z0-9*,/-]{1,200}")
_MINUTE = timedelta(minutes=1)
_ONE_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  what a zone's clocks show


class CronError(ValueError):
    """No cron expression. The message says which field, and what would be right."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """`crons`: five fields each, numbered as cron does. `every`: milliseconds, counted from `start`. Exactly one of the
    two is set. `exceptions`: days in the zone, ISO, on which nothing runs."""

    zone: str
    start: Instant
    crons: tuple[str, ...] = ()
    every: int | None = None
    end: Instant | None = None
    exceptions: tuple[str, ...] = ()


def next_occurrence(rule: Rule, after: Instant) -> Instant | None:
    """The first instant later than `after` at which it runs; None: never again."""
    after = max(after, rule.start - 1)
    if rule.every is not None:
        found = _next_interval(rule, rule.every, after)
    else:
        every = (_next_cron(rule, cron, after) for cron in rule.crons)
        found = min((one for one in every if one is not None), default=None)
    return None if found is None or (rule.end is not None and found > rule.end) else found


def occurrences(rule: Rule, after: Instant, most: int) -> list[Instant]:
    """The next ones, at most so many."""
    found: list[Instant] = []
    while len(found) < most and (one := next_occurrence(rule, after)) is not None:
        found.append(one)
        after = one
    return found


def check_cron(text: str) -> str:
    """A cron expression in one spelling. Raises `CronError`, also for one that never fires."""
    fields = text.lower().split()
    if len(fields) != len(FIELDS):
        raise CronError(
            f"{text[:60]!r} has {len(fields)} fields, a cron expression has 5: minute, hour, day of the month, month "
            'and weekday, such as "0 8 * * 1-5"'
        )
    for field, name, spoken in zip(fields, FIELDS, SPOKEN, strict=True):
        if not _LISTED.fullmatch(field):
            raise CronError(f"{field[:40]!r} is no {spoken}")
        try:
            CronTrigger(timezone=UTC, **{name: _weekdays(field) if name == "day_of_week" else _days(name, field)})
        except ValueError as error:
            why = str(error).rpartition("': ")[2]
            raise CronError(f"{field[:40]!r} is no {spoken}: {why[:1].lower()}{why[1:]}") from None
    found = " ".join(fields)
    if _next_wall(found, datetime(2024, 1, 1)) is None:  # noqa: DTZ001
        raise CronError(f"{text[:60]!r} never fires: no such day exists; the day and the month must fit each other")
    return found


# --- Cron -------------------------------------------------------------------------------------------------------------


def _next_cron(rule: Rule, cron: str, after: Instant) -> Instant | None:
    search = _next_elapsed if cron.split()[1] == "*" else _next_by_the_clock
    while True:
        found = search(cron, rule.zone, after)
        if found is None:
            return None
        instant, day = found
        if day.isoformat() not in rule.exceptions:
            return instant
        after = max(instant, instant_at(datetime.combine(day + _ONE_DAY, time()), rule.zone) - 1)


def _next_by_the_clock(cron: str, zone: str, after: Instant) -> tuple[Instant, date] | None:
    """A local time that comes twice is taken once, one that never comes at the end of the jump."""
    wall = local_at(after, zone)
    while (found := _next_wall(cron, wall)) is not None:
        instant = instant_at(found, zone)
        if instant > after:
            return instant, found.date()
        wall = found + _MINUTE
    return None


def _next_elapsed(cron: str, zone: str, after: Instant) -> tuple[Instant, date] | None:
    """What the zone's clocks show at each moment decides; between two clock changes that is plain arithmetic."""
    while True:
        wall = local_at(after, zone)
        offset = _offset(after, zone)
        found = _next_wall(cron, wall + timedelta(milliseconds=1))
        if found is None:
            return None
        instant = _as_if_utc(found) - offset
        if _offset(instant, zone) == offset:
            return instant, found.date()
        # The clocks change before: go on from there, with the clocks as they are then.
        low, high = after, instant
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _offset(middle, zone) == offset else (low, middle)
        at_change = local_at(high, zone)
        if _next_wall(cron, at_change) == at_change:
            return high, at_change.date()
        after = high


def _next_wall(cron: str, wall: datetime) -> datetime | None:
    """The next time at or after `wall` in a calendar without clock changes."""
    if wall.year > LAST_YEAR:
        return None
    triggers = _triggers(cron, wall.year)
    aware = wall.replace(tzinfo=UTC)
    found = [one for trigger in triggers if (one := trigger.get_next_fire_time(None, aware)) is not None]
    return min(found).replace(tzinfo=None) if found else None


@lru_cache(maxsize=1024)
def _triggers(cron: str, year: int) -> tuple[CronTrigger, ...]:
    """Where day of the month and weekday are both restricted, cron means either; the library's trigger means both."""
    minute, hour, day, month, weekday = cron.split()
    either = day[0] != "*" and weekday[0] != "*"
    pairs = ((day, "*"), ("*", weekday)) if either else ((day, weekday),)
    return tuple(
        CronTrigger(
            year=f"{year}-{year + YEARS}",
            month=month,
            day=_days("day", d),
            day_of_week=_weekdays(w),
            hour=hour,
            minute=minute,
            second=0,
            timezone=UTC,
        )
        for d, w in pairs
    )


def _days(name: str, field: str) -> str:
    """`L` is the last day of the month."""
    if name != "day":
        return field
    return ",".join("last" if term == "l" else term for term in field.split(","))


def _weekdays(field: str) -> str:
    """Cron counts from Sunday, the library from Monday: numbers and ranges become names."""
    days: list[str] = []
    for term in field.split(","):
        match = _TERM.fullmatch(term)
        if match is None:
            raise ValueError(f"{term!r} is no day or range of days")
        first, last, step = match.groups()
        if first == "*":
            if last is not None:
                raise ValueError(f"{term!r} is no day or range of days")
            low, high = 0, 6
        else:
            low = _weekday(first)
            high = _weekday(last) if last is not None else (6 if step else low)
            high = 7 if high == 0 and low > 0 else high  # fri-sun
        if low > high:
            raise ValueError(f"{term!r} runs backwards; write {WEEKDAYS[low]}-sat,sun-{WEEKDAYS[high % 7]}")
        if step is not None and int(step) == 0:
            raise ValueError("a step is 1 or more")
        days += [WEEKDAYS[n % 7] for n in range(low, high + 1, int(step or 1))]
    return ",".join(dict.fromkeys(days)) if field != "*" else "*"


def _weekday(word: str) -> int:
    if word.isdigit():
        if int(word) > 7:
            raise ValueError(f"{word} is above 7")
        return int(word)
    if word[:3] in WEEKDAYS and len(word) == 3:
        return WEEKDAYS.index(word)
    raise ValueError(f"{word!r} is no weekday; they are {', '.join(WEEKDAYS)}")


# --- Intervals --------------------------------------------------------------------------------------------------------


def _next_interval(rule: Rule, every: int, after: Instant) -> Instant | None:
    while True:
        found = rule.start + max(0, (after - rule.start) // every + 1) * every
        wall = local_at(found, rule.zone) if found < _as_if_utc(datetime(LAST_YEAR, 1, 1)) else None  # noqa: DTZ001
        if wall is None:
            return None
        if wall.date().isoformat() not in rule.exceptions:
            return found
        after = max(found, instant_at(datetime.combine(wall.date() + _ONE_DAY, time()), rule.zone) - 1)


def _offset(instant: Instant, zone: str) -> int:
    """Milliseconds by which the zone's clocks are ahead of UTC."""
    return _as_if_utc(local_at(instant, zone)) - instant


def _as_if_utc(wall: datetime) -> Instant:
    span = wall - _EPOCH
    return (span.days * 86_400 + span.seconds) * 1000 + span.microseconds // 1000
