"""How much room is left for the store, and what that means. Pure.

    ample ------> low ------> critical      by what is free, the ballast counted as if it were there
          <------     <------               back only with some to spare, so that nothing flickers

`low` is a warning. At `critical` no order is taken and nothing is armed, and the ballast, a file of reserved room, is
given up: what is on the air ends in a row that must find its place. It is taken back before anything goes on.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

__all__ = ["Level", "Marks", "judge", "marks"]

MOST = 200_000_000  # octets. A text and its history take about 1 kB: room for some 200,000
OPENS = 150  # per cent of the critical mark
RELIEVED = 110  # per cent of the low mark


class Level(StrEnum):
    AMPLE = "ample"
    LOW = "low"
    CRITICAL = "critical"


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """In octets. `ballast`: how much is held in reserve, always less than `critical`."""

    low: int
    critical: int
    ballast: int


def marks(size: int) -> Marks:
    """For a file system of so many octets: 200, 50 and 32 MB on any of at least 2 GB."""
    low = min(MOST, size // 10)
    return Marks(low=low, critical=low // 4, ballast=low * 4 // 25)


def judge(before: Level, *, free: int, held: int, at: Marks) -> Level:
    """`free`: octets we may still write; `held`: octets of ballast that are reserved beside them."""
    spare = free + held - at.ballast
    if spare < at.critical or (before is Level.CRITICAL and spare * 100 < at.critical * OPENS):
        return Level.CRITICAL
    if spare < at.low or (before is not Level.AMPLE and spare * 100 < at.low * RELIEVED):
        return Level.LOW
    return Level.AMPLE
