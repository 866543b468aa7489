"""Send times as programs and people write them: RFC 3339, and every form of the SMSC document."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from bridge.model import Instant
from bridge.policy.timing.windows import Window, parse_window
from bridge.policy.timing.zones import instant_at

__all__ = ["FORMS", "parse_time"]

FORMS = (
    '"0" (at once), "3101261530" (DDMMYYhhmm), "31.01.26 15:30", "9-21" (within these hours), "01769873400" (0 and the '
    'Unix time), "+90" (minutes from now) or "2026-01-31T15:30:00Z"'
)
_PACKED = re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)")
_DOTTED = re.compile(r"(\d\d)\.(\d\d)\.(\d\d)\s+(\d\d):\s?(\d\d)")
_UNIX = re.compile(r"0(\d{1,15})")
_MINUTES = re.compile(r"\+(\d{1,9})")
_HOURS = re.compile(r"[^-\s]{1,5}\s?-\s?[^-\s]{1,5}")
_ISO = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:.*")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = 253_370_764_800_000  # the end of the year 9998


def parse_time(typed: str, now: Instant, zone: str) -> Instant | Window:
    """When to send, or within which hours. `zone`: where a time without its own is read. Raises `ValueError` with what
    would be right. What has passed is not told from what has not: that is the caller's."""
    text = typed.strip()
    if text in ("", "0"):
        return now
    if match := _PACKED.fullmatch(text) or _DOTTED.fullmatch(text):
        day, month, year, hour, minute = (int(digits) for digits in match.groups())
        return _local(text, 2000 + year, month, day, hour, minute, zone)
    if match := _UNIX.fullmatch(text):
        return _within(text, int(match[1]) * 1000)
    if match := _MINUTES.fullmatch(text):
        return _within(text, now + int(match[1]) * 60_000)
    if _ISO.fullmatch(text):
        return _rfc3339(text, zone)
    if _HOURS.fullmatch(text):
        return parse_window(text)
    raise ValueError(f"{typed[:60]!r} is no time; write {FORMS}")


def _rfc3339(text: str, zone: str) -> Instant:
    try:
        found = datetime.fromisoformat(text.upper())
    except ValueError:
        raise ValueError(f'{text[:60]!r} is no time; write it like "2026-01-31T15:30:00Z"') from None
    if found.tzinfo is None:
        return instant_at(found, zone)
    try:
        span = found - _EPOCH
    except OverflowError:
        raise ValueError(f"{text[:60]!r} is beyond every calendar") from None
    return _within(text, (span.days * 86_400 + span.seconds) * 1000 + span.microseconds // 1000)


def _local(text: str, year: int, month: int, day: int, hour: int, minute: int, zone: str) -> Instant:
    try:
        local = datetime(year, month, day, hour, minute)  # noqa: DTZ001
    except ValueError:
        raise ValueError(
            f"{text!r} is no time: there is no {day:02d}.{month:02d}.{year} {hour:02d}:{minute:02d}"
        ) from None
    return instant_at(local, zone)


def _within(text: str, instant: Instant) -> Instant:
    if instant > _LAST:
        raise ValueError(f"{text[:60]!r} lies too far ahead; at most a year can be planned")
    return instant
