"""Windows: when texts may go. `9-21`, `22-6`, `8:30-12:15`, `mon-fri 9-18`, `sat,holiday 10-14`, `2026-12-24 9-12`.

A window is half open: at its beginning a text may go, at its end no more. One across midnight belongs to the day on
which it begins. An hour that comes twice (clocks set back) counts at its first coming, one that never comes (clocks set
ahead) at the end of the jump. A public holiday is no weekday: on it holds what names `holiday`, its date, or no day at
all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache

import msgspec

from bridge.model import Instant
from bridge.policy.timing.zones import instant_at, local_at

__all__ = [
    "NO_HOLIDAYS",
    "Holidays",
    "Hours",
    "Span",
    "Window",
    "holidays_of",
    "next_open",
    "parse_holiday",
    "parse_window",
]

DAY = 1440  # minutes
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOLIDAY = "holiday"
_HOURS = re.compile(r"(\d{1,2})(?::(\d{2}))?-(\d{1,2})(?::(\d{2}))?")
_JOINED = re.compile(r" ?([-,]) ?")
_DATE = re.compile(r"(\d{4}|\*)-(\d{2})-(\d{2})")
_WORD = re.compile(r"[a-z]+")
_SHAPE = 'write it like "9-21", "22-6", "8:30-12:15", "mon-fri 9-18", "sat,holiday 10-14" or "2026-12-24 9-12"'
_LAST = date(9990, 1, 1)
_ONE = timedelta(days=1)
_MIDNIGHT = time()
_LONGEST = 200  # characters
_MOST_DAYS = 400  # looked at for a weekday; a year of nothing but holidays has none


class Holidays(msgspec.Struct, frozen=True, kw_only=True):
    """Public holidays: once (2026-04-06), or each year (month, day)."""

    dates: frozenset[date] = frozenset()
    yearly: frozenset[tuple[int, int]] = frozenset()

    def __contains__(self, day: date) -> bool:
        return day in self.dates or (day.month, day.day) in self.yearly

    def next(self, day: date) -> date | None:
        found = [d for d in self.dates if d >= day]
        found += [d for yearly in self.yearly if (d := _yearly(yearly, day)) is not None]
        return min(found, default=None)


NO_HOLIDAYS = Holidays()


class Span(msgspec.Struct, frozen=True):
    """From `opens` until before `closes` texts may go."""

    opens: Instant
    closes: Instant


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """`start`, `end`: minutes after midnight; an end at or before the start is the next day's. Without weekdays, dates,
    yearly days and holidays it holds on every day."""

    start: int
    end: int
    weekdays: frozenset[int] = frozenset()  # 0 is Monday
    dates: tuple[tuple[date, date], ...] = ()  # first and last day
    yearly: frozenset[tuple[int, int]] = frozenset()  # month, day
    on_holidays: bool = False
    text: str = ""  # as it was written

    @property
    def every_day(self) -> bool:
        return not (self.weekdays or self.dates or self.yearly or self.on_holidays)

    def next_day(self, day: date, holidays: Holidays) -> date | None:
        """The first day from `day` on on which it holds; None: never again."""
        if self.every_day:
            return day
        found = [max(day, first) for first, last in self.dates if last >= day]
        found += [d for yearly in self.yearly if (d := _yearly(yearly, day)) is not None]
        if self.on_holidays and (holiday := holidays.next(day)) is not None:
            found.append(holiday)
        if self.weekdays:
            days = (day + timedelta(days=n) for n in range(_MOST_DAYS))
            working = next((d for d in days if d.weekday() in self.weekdays and d not in holidays), None)
            found += [] if working is None else [working]
        return min(found, default=None)


class Hours(msgspec.Struct, frozen=True, kw_only=True):
    """Windows on the clocks of one zone: open while any of them is."""

    windows: tuple[Window, ...]
    zone: str
    holidays: Holidays = NO_HOLIDAYS

    def span(self, now: Instant) -> Span | None:
        """The one that is open now, else the next; None: never again."""
        best: Span | None = None
        today = local_at(now, self.zone).date()
        for window in self.windows:
            found = self._span_of(window, today - _ONE, now)
            if found is None:
                continue
            if best is None or (max(now, found.opens), -found.closes) < (max(now, best.opens), -best.closes):
                best = found
        return best

    def _span_of(self, window: Window, day: date, now: Instant) -> Span | None:
        wanted: date | None = day
        while wanted is not None and wanted < _LAST:
            wanted = window.next_day(wanted, self.holidays)
            if wanted is None:
                return None
            span = _bounds(window.start, window.end, wanted, self.zone)
            if span.closes > max(now, span.opens):
                return span
            wanted += _ONE
        return None


def next_open(hours: Sequence[Hours], now: Instant) -> Instant | None:
    """The first instant from now on at which all of them are open; None: they never are together."""
    at = now
    for _ in range(_MOST_DAYS * 4):
        moved = False
        for one in hours:
            span = one.span(at)
            if span is None:
                return None
            if span.opens > at:
                at, moved = span.opens, True
        if not moved:
            return at
    return None


def parse_window(typed: str) -> Window:
    """Raises `ValueError` with what would be right."""
    text = _JOINED.sub(r"\1", " ".join(typed.lower().split()))
    *days, hours = text.split(" ") if _HOURS.fullmatch(text.rpartition(" ")[2]) else ("", text)
    match = _HOURS.fullmatch(hours)
    if match is None or len(typed) > _LONGEST:
        raise ValueError(f"{_shown(typed)} is no window; {_SHAPE}")
    start, end = _minutes(match[1], match[2], typed), _minutes(match[3], match[4], typed)
    if start == end:
        raise ValueError(f'{_shown(typed)} never opens: it ends where it begins; the whole day is "0-24"')
    if start == DAY:
        raise ValueError(f'{_shown(typed)} begins at 24; midnight, where a day begins, is "0"')
    weekdays: set[int] = set()
    dates: list[tuple[date, date]] = []
    yearly: set[tuple[int, int]] = set()
    holiday = False
    for word in ",".join(days).split(","):
        word = word.strip()
        if not word:
            continue
        if word in (HOLIDAY, HOLIDAY + "s"):
            holiday = True
        elif word[0].isdigit() or word[0] == "*":
            first, _, last = word.partition("..")
            if first.startswith("*") and not last:
                yearly.add(_month_day(first, typed))
            else:
                dates.append(_range(first, last or first, typed))
        else:
            weekdays |= _weekdays(word, typed)
    return Window(
        start=start,
        end=end,
        weekdays=frozenset(weekdays),
        dates=tuple(dates),
        yearly=frozenset(yearly),
        on_holidays=holiday,
        text=" ".join(typed.split()),
    )


def parse_holiday(typed: str) -> date | tuple[int, int]:
    """`2026-04-06`, or `*-12-25` for each year. Raises `ValueError`."""
    return _month_day(typed, typed) if typed.startswith("*") else _date(typed, typed)


def holidays_of(days: Iterable[date | tuple[int, int]]) -> Holidays:
    listed = list(days)
    return Holidays(
        dates=frozenset(d for d in listed if isinstance(d, date)),
        yearly=frozenset(d for d in listed if not isinstance(d, date)),
    )


# --- The pieces -------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _bounds(start: int, end: int, day: date, zone: str) -> Span:
    midnight = datetime.combine(day, _MIDNIGHT)
    closes = end if end > start else end + DAY
    return Span(
        instant_at(midnight + timedelta(minutes=start), zone), instant_at(midnight + timedelta(minutes=closes), zone)
    )


def _yearly(month_day: tuple[int, int], day: date) -> date | None:
    for year in range(day.year, min(day.year + 9, 9990)):  # 29 February may be eight years away
        try:
            found = date(year, *month_day)
        except ValueError:
            continue
        if found >= day:
            return found
    return None


def _minutes(hour: str, minute: str | None, typed: str) -> int:
    total = int(hour) * 60 + int(minute or 0)
    if int(minute or 0) > 59 or total > DAY:
        raise ValueError(f"{_shown(typed)} is no window: {hour}{':' + minute if minute else ''} is no time of a day")
    return total


def _weekdays(word: str, typed: str) -> set[int]:
    names = [_weekday(name, typed) for name in word.split("-")]
    if len(names) == 1:
        return {names[0]}
    if len(names) != 2:
        raise ValueError(f"{_shown(typed)} is no window; {_SHAPE}")
    first, last = names
    return {day % 7 for day in range(first, last + 1 if last >= first else last + 8)}


def _weekday(name: str, typed: str) -> int:
    if _WORD.fullmatch(name) and len(name) >= 3:
        for number, full in enumerate(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")):
            if full.startswith(name):
                return number
    raise ValueError(f"{_shown(typed)} is no window: {name!r} is no day; days are {', '.join(WEEKDAYS)} and {HOLIDAY}")


def _date(text: str, typed: str) -> date:
    match = _DATE.fullmatch(text)
    if match is None or match[1] == "*":
        raise ValueError(
            f'{_shown(typed)}: {text!r} is no date; write it like "2026-12-24", or "*-12-24" for each year'
        )
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        raise ValueError(f"{_shown(typed)}: there is no {text}") from None


def _month_day(text: str, typed: str) -> tuple[int, int]:
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError(
            f'{_shown(typed)}: {text!r} is no date; write it like "2026-12-24", or "*-12-24" for each year'
        )
    month, day = int(match[2]), int(match[3])
    try:
        date(2000, month, day)  # a leap year
    except ValueError:
        raise ValueError(f"{_shown(typed)}: there is no {text[2:]} in any year") from None
    return month, day


def _range(first: str, last: str, typed: str) -> tuple[date, date]:
    begin, end = _date(first, typed), _date(last, typed)
    if end < begin:
        raise ValueError(f"{_shown(typed)} never opens: {last} comes before {first}")
    return begin, end


def _shown(typed: str) -> str:
    return repr(typed[:60])
