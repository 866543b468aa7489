"""Which attempt a delivery report belongs to.

A report carries TP-MR, recipient, the centre's time and TP-ST, nothing else (23.040 §9.2.2.3). TP-MR wraps after 256
messages, the recipient comes back in another form than it was sent, and the centre's clock may be hours off: each alone
is worthless, together they are safe.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bridge.model import Attempt, Instant

__all__ = ["ReportFacts", "among_doubts", "best", "recipient_key"]

SUFFIX = 8  # digits that survive every rewriting of a number seen so far
QUARTER = 15 * 60_000  # centres' clocks are off by whole quarter hours (time zones)
NEAR = 3 * 60_000
ZONES = 28 * 3_600_000  # no further off: the widest time zone, counted twice when its sign is wrong
BEFORE, AFTER = 60_000, 5 * 60_000  # a doubt's report: the centre took it this near to our arming


class ReportFacts(msgspec.Struct, frozen=True, kw_only=True):
    recipient: str  # as the report spells it
    received_at: Instant
    submitted_at: Instant | None  # SCTS
    tp_mr: int | None = None


def recipient_key(number: str) -> str:
    """What is compared: the last eight digits, or all of a short code; "" for a name."""
    if len(number) > SUFFIX and number[0] == "+" and number[1:].isdecimal():  # nearly always
        return number[-SUFFIX:]
    if any(c.isalpha() and c not in "abc" for c in number):  # a, b, c are digits on the air, in routing prefixes
        return ""
    digits = "".join(c for c in number if c in "0123456789*#")
    return digits[-SUFFIX:] if len(digits) >= SUFFIX else digits


def best(report: ReportFacts, candidates: Sequence[Attempt]) -> Attempt | None:
    """The attempt among those with the report's SIM and TP-MR. `candidates`: newest first."""
    key = recipient_key(report.recipient)
    possible = [a for a in candidates if a.armed_at <= report.received_at]
    fitting = [a for a in possible if a.recipient == key]
    if not key:  # alphanumeric or missing: TP-MR and time only, if unique
        near = [a for a in possible if report.submitted_at is None or not _distance(a, report.submitted_at)[0]]
        unique = near or possible  # a clock that nothing explains does not lose the only candidate
        return unique[0] if len(unique) == 1 else None
    if len(fitting) <= 1 or report.submitted_at is None:
        return fitting[0] if fitting else None
    return min(fitting, key=lambda a: _distance(a, report.submitted_at or 0))  # the first of equals is the newest


def among_doubts(report: ReportFacts, doubts: Sequence[Attempt]) -> Attempt | None:
    """The one attempt in doubt that this report proves sent; None when there is none, or more than one."""
    key = recipient_key(report.recipient)
    fitting = [a for a in doubts if key and a.recipient == key and a.tp_mr is None and _taken_near(a, report)]
    return fitting[0] if len(fitting) == 1 else None


def _distance(attempt: Attempt, submitted_at: Instant) -> tuple[bool, int]:
    """How far the centre's time is from ours: whether no time zone explains it, then in milliseconds."""
    apart = abs(submitted_at - (attempt.ended_at or attempt.armed_at))
    off = apart % QUARTER
    return min(off, QUARTER - off) > NEAR or apart > ZONES + NEAR, apart


def _taken_near(attempt: Attempt, report: ReportFacts) -> bool:
    if attempt.armed_at > report.received_at:
        return False
    if report.submitted_at is None:
        return True
    apart = report.submitted_at - attempt.armed_at
    if -BEFORE <= apart <= AFTER:
        return True
    off = apart % QUARTER
    return abs(apart) <= ZONES + AFTER and (off <= AFTER or off >= QUARTER - BEFORE)
