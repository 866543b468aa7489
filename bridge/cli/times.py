"""Times as people type them: "2026-01-31 08:00" of this machine's zone, RFC 3339, "10m", "24h", and what the service
reads."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from bridge.cli.exits import Exit, Stop

__all__ = ["future", "past", "seconds", "sending", "shown_in"]

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(s|m|h|d)?")
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UNITS = {None: 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST = 10 * 366 * 86_400  # further is a typing error


def seconds(typed: str, option: str) -> float:
    """A duration in seconds."""
    match = _DURATION.fullmatch(typed.strip())
    value = float(match[1]) * _UNITS[match[2]] if match else None
    if value is None or value > _LONGEST:
        raise Stop(Exit.USAGE, f"{option}: {typed!r} is no duration", 'Write "30s", "10m", "24h", "7d" or seconds.')
    return value


def sending(typed: str | None, zone: str | None, option: str) -> dict[str, object]:
    """The fields of an order for a time as people type it. A duration with its unit counts from now on; a date and time
    is in the zone of --tz, else this machine's; every other form the service reads."""
    fields: dict[str, object] = {} if zone is None else {"tz": zone}
    if typed is None:
        return fields
    text = typed.strip()
    if text[-1:].isalpha() and _DURATION.fullmatch(text.removeprefix("+")):
        return fields | {"send_at": _instant(text, option, +1)}
    if _ISO.match(text):
        if zone is not None:
            try:
                return fields | {"send_at": datetime.fromisoformat(text).isoformat(timespec="milliseconds")}
            except ValueError:
                return fields | {"send_at": _instant(text, option, +1)}  # which says what is wrong with it
        return fields | {"send_at": _instant(text, option, +1)}
    from bridge.clock import wall
    from bridge.policy.timing import parse_time

    try:
        parse_time(text, wall(), "UTC")  # which zone it is does not matter to whether it is a time
    except ValueError as error:
        raise Stop(Exit.USAGE, f"{option}: {error}", 'Or a duration with its unit, such as "10m".') from None
    return fields | {"time": text}


def future(typed: str | None, option: str) -> str | None:
    """An instant for the API; a duration counts from now on."""
    return _instant(typed, option, +1)


def past(typed: str | None, option: str) -> str | None:
    """An instant for the API; a duration counts back from now."""
    return _instant(typed, option, -1)


def _instant(typed: str | None, option: str, sign: int) -> str | None:
    if typed is None:
        return None
    if _DURATION.fullmatch(typed.strip().removeprefix("+")):
        at = datetime.now(UTC) + sign * timedelta(seconds=seconds(typed.strip().removeprefix("+"), option))
    else:
        try:
            at = datetime.fromisoformat(typed.strip()).astimezone(UTC)  # without a zone it is this machine's
        except (ValueError, OverflowError):
            raise Stop(
                Exit.USAGE,
                f"{option}: {typed!r} is no time",
                'Write "2026-01-31 08:00", "2026-01-31T08:00:00Z", or a duration such as "10m".',
            ) from None
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shown_in(at: str, zone: str, *, day: bool = False) -> str:
    """An instant of the API on the clocks of a zone. `day`: with the day's name."""
    from bridge.policy.timing.zones import zone as known

    local = datetime.fromisoformat(at).astimezone(known(zone))
    return local.strftime(("%a " if day else "") + "%Y-%m-%d %H:%M" + (":%S" if local.second else ""))
