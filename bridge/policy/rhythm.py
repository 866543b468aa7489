"""Rhythms as people write them: "every weekday at 08:00", or a cron expression. Pure."""

from __future__ import annotations

import re

import msgspec

from bridge.policy.recurrence import WEEKDAYS, check_cron

__all__ = ["Rhythm", "read_rhythm"]

EXAMPLES = (
    'write it like "every weekday at 08:00", "every monday,friday at 18:00", "every day at 7:30,19:30", '
    '"every 15 minutes", "monthly on day 1 at 09:00", or as cron does: "0 8 * * 1-5"'
)
SHORTEST = 60_000  # milliseconds between two runs
LONGEST = 366 * 86_400_000
_UNITS = {"minute": 60_000, "hour": 3_600_000}
_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_DAYS = {"day": "*", "weekday": "1-5", "workday": "1-5", "weekend": "0,6"}
_EVERY_N = re.compile(r"every (?:(\d{1,6}) )?(minute|hour)s?")
_ON_DAYS = re.compile(r"(?:every (.+)|daily) at (.+)")
_MONTHLY = re.compile(r"(?:monthly|every month) on (?:the )?(?:days? )?(.+?)(?: day)? at (.+)")
_TIME = re.compile(r"(\d{1,2}):(\d{2})")
_SEPARATOR = re.compile(r"\s*,\s*(?:and\s+)?|\s+and\s+")
_ORDINAL = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?")


class Rhythm(msgspec.Struct, frozen=True, kw_only=True):
    """Cron expressions, or an interval in milliseconds."""

    crons: tuple[str, ...] = ()
    every: int | None = None


def read_rhythm(text: str) -> Rhythm:
    """Raises `ValueError` with what would be right."""
    said = " ".join(text.lower().split())
    if len(said) > 300:
        raise ValueError(f"has more than 300 characters; {EXAMPLES}")
    if said in _NICKNAMES:
        return Rhythm(crons=(_NICKNAMES[said],))
    if match := _EVERY_N.fullmatch(said):
        every = int(match[1] or 1) * _UNITS[match[2]]
        if not SHORTEST <= every <= LONGEST:
            raise ValueError(f"{text!r} is out of range: a minute is the shortest interval, a year the longest")
        return Rhythm(every=every)
    if said in ("hourly", "every hour"):
        return Rhythm(every=_UNITS["hour"])
    if match := _MONTHLY.fullmatch(said):
        days = ",".join(_day_of_month(word) for word in _SEPARATOR.split(match[1]))
        return _at(match[2], f"{days} * *")
    if match := _ON_DAYS.fullmatch(said):
        days = ",".join(_weekday(word) for word in _SEPARATOR.split(match[1] or "day"))
        return _at(match[2], f"* * {'*' if '*' in days.split(',') else days}")
    if said[:1] in set("0123456789*"):
        return Rhythm(crons=(check_cron(said),))
    raise ValueError(f"{text[:60]!r} is no rhythm; {EXAMPLES}")


def _at(times: str, days: str) -> Rhythm:
    crons = []
    for word in _SEPARATOR.split(times):
        match = _TIME.fullmatch(word)
        if match is None or int(match[1]) > 23 or int(match[2]) > 59:
            raise ValueError(
                f'{word[:40]!r} is no time of day; write it like "08:00" or "8:00,18:30", from 0:00 to 23:59'
            )
        crons.append(f"{int(match[2])} {int(match[1])} {days}")
    return Rhythm(crons=tuple(dict.fromkeys(map(check_cron, crons))))


def _weekday(word: str) -> str:
    if word in _DAYS:
        return _DAYS[word]
    name = word.rstrip("s") if word not in WEEKDAYS else word
    for number, short in enumerate(WEEKDAYS):
        if name == short or (name.endswith("day") and len(name) > 5 and _FULL[number].startswith(name)):
            return str(number)
    raise ValueError(f"{word[:40]!r} is no day; there are day, weekday, weekend and monday to sunday")


def _day_of_month(word: str) -> str:
    if word == "last":
        return "L"
    match = _ORDINAL.fullmatch(word)
    if match is None or not 1 <= int(match[1]) <= 31:
        raise ValueError(f"{word[:40]!r} is no day of a month; give 1 to 31, or last")
    return str(int(match[1]))


_FULL = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
