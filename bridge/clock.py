"""Time at the rim: the wall clock as instants, and instants as people and machines write them."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bridge.model import Instant

__all__ = ["from_datetime", "machine_zone", "rfc3339", "wall"]


def wall() -> Instant:
    return time.time_ns() // 1_000_000


def machine_zone() -> str:
    """The name of this machine's time zone: $TZ, else what /etc/localtime is a link to, else "UTC"."""
    named = os.environ.get("TZ", "").removeprefix(":")
    if not named:
        _, _, named = os.path.realpath("/etc/localtime").partition("/zoneinfo/")
    try:
        return ZoneInfo(named).key if named else "UTC"
    except (OSError, ValueError, ZoneInfoNotFoundError):
        return "UTC"


def from_datetime(moment: datetime | None) -> Instant | None:
    """An aware datetime as an instant."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return int(moment.timestamp() * 1000)


def rfc3339(instant: Instant) -> str:
    """`2026-03-14T08:30:15.120Z`."""
    return datetime.fromtimestamp(instant / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant % 1000:03d}Z"
