"""Time zones: by name, by hours from Moscow as the SMSC document counts them, and by the recipient's number.

A zone goes about as its name: "Europe/Warsaw", or "UTC+05:30" for a fixed offset.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from difflib import get_close_matches
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from bridge.model import Instant

__all__ = ["instant_at", "local_at", "zone", "zone_name", "zones_of_number"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIXED = re.compile(r"UTC([+-])(\d{2}):(\d{2})")
_HOURS = re.compile(r"[+-]?\d{1,2}(?:\.\d{1,2})?")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")
_MOSCOW = 180  # minutes ahead of UTC, all year, since 2014
_WEST, _EAST = -12 * 60, 14 * 60  # the world's clocks, minutes from UTC
_SECOND = timedelta(seconds=1)


def zone_name(typed: str) -> str:
    """`tz` as it is given: a name of the IANA data base, or hours from Moscow ("0", "-2", "2.5"). Raises `ValueError`
    with what would be right."""
    text = typed.strip()
    if _HOURS.fullmatch(text):
        minutes = _MOSCOW + round(float(text) * 60)
        if float(text) * 4 % 1 or not _WEST <= minutes <= _EAST:
            raise ValueError(
                f"{text} hours from Moscow are no zone; give -15 to 11 in quarters of an hour, or a name such as"
                ' "Europe/Warsaw"'
            )
        return _fixed(minutes)
    try:
        zone(text)
    except (ZoneInfoNotFoundError, ValueError):
        near = _near(text)
        hint = f"did you mean {near}?" if near else 'write it like "Europe/Warsaw"'
        raise ValueError(f"{typed[:60]!r} is no time zone; {hint}") from None
    return text


@lru_cache(maxsize=512)
def zone(name: str) -> tzinfo:
    """Raises `ZoneInfoNotFoundError` or `ValueError` for what `zone_name` would not return."""
    if fixed := _FIXED.fullmatch(name):
        minutes = int(fixed[2]) * 60 + int(fixed[3])
        return timezone(timedelta(minutes=-minutes if fixed[1] == "-" else minutes))
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a zone")
    try:
        return ZoneInfo(name)
    except OSError:  # a name that is a directory: "Europe"
        raise ZoneInfoNotFoundError(name) from None


def instant_at(local: datetime, where: str) -> Instant:
    """The instant of a local time. One that the clocks jump over is the end of the jump; of one that they show twice it
    is the first."""
    aware = local.replace(tzinfo=zone(where), fold=0)
    utc = aware.astimezone(UTC)
    if utc.astimezone(aware.tzinfo).replace(tzinfo=None) != local.replace(fold=0):
        utc = _end_of_jump(aware.replace(fold=1).astimezone(UTC), utc, zone(where))
    span = utc - _EPOCH
    return (span.days * 86_400 + span.seconds) * 1000 + span.microseconds // 1000


def local_at(now: Instant, where: str) -> datetime:
    """The clocks of a zone, without the zone."""
    return (_EPOCH + timedelta(milliseconds=now)).astimezone(zone(where)).replace(tzinfo=None)


@lru_cache(maxsize=4096)
def _zones_of_prefix(digits: str) -> tuple[str, ...]:
    from phonenumbers.tzdata import TIMEZONE_DATA  # 8 ms, and only who has windows needs it

    for length in range(len(digits), 0, -1):
        found = TIMEZONE_DATA.get(digits[:length])
        if found is not None:
            return tuple(name for name in found if name != "Etc/Unknown" and _exists(name))
    return ()


def zones_of_number(number: str) -> tuple[str, ...]:
    """Every zone that a number in E.164 may be in; () when it is not known, as for short codes."""
    return _zones_of_prefix(number[1:9]) if number.startswith("+") else ()


def _exists(name: str) -> bool:
    try:
        zone(name)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True


def _fixed(minutes: int) -> str:
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours:02d}:{rest:02d}"


def _near(text: str) -> str:
    """The names that may be meant: by their spelling, and by the town alone."""
    names = {name.lower(): name for name in sorted(available_timezones())}
    towns = {name.rpartition("/")[2]: name for name in names if "/" in name and not name.startswith(("posix", "right"))}
    wanted = text.lower().replace(" ", "_")
    found = [names[n] for n in get_close_matches(wanted, names, n=2, cutoff=0.75)]
    found += [names[towns[t]] for t in get_close_matches(wanted.rpartition("/")[2], towns, n=2, cutoff=0.8)]
    return " or ".join(dict.fromkeys(found))


def _end_of_jump(before: datetime, after: datetime, where: tzinfo) -> datetime:
    """The instant between two at which the zone's offset changes."""
    low, high = before.astimezone(UTC), after.astimezone(UTC)
    offset = low.astimezone(where).utcoffset()
    while high - low > _SECOND:
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        if middle <= low:
            break
        if middle.astimezone(where).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)
