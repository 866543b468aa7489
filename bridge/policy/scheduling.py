"""What may be ordered again and again, and what is to be done when an occurrence comes. Pure."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec

from bridge.model import Instant, OccurrenceState, Schedule
from bridge.policy import numbers
from bridge.policy.admission import Complaint, Defaults, Order, Rejected, admit
from bridge.policy.recurrence import Rule, next_occurrence, occurrences
from bridge.policy.rhythm import Rhythm, read_rhythm
from bridge.policy.timing import local_at, zone_name

__all__ = ["Step", "Wish", "coming", "order_of", "plan", "resumed", "step"]

GRACE = 3600  # seconds, where none was asked for
LONGEST_GRACE = 7 * 86_400
MOST_EXCEPTIONS = 1000
MOST_SKIPPED = 100  # occurrences missed in a row that are recorded one by one
PROMPT = 60_000  # milliseconds: later than that is late
FURTHEST: Instant = 253_000_000_000_000  # in the year 9987; what lies behind it no calendar of ours knows

# Each occurrence has its own time.
_TIMED = {"send_at": "send_at", "local": "send_at", "time": "time", "tz": "tz", "expires_at": "expires_at"}


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks for. `grace` is in seconds; None = the service's default."""

    rhythm: str
    recipients: tuple[str, ...]
    order: Order  # its recipient is empty
    zone: str | None = None
    start: Instant | None = None
    end: Instant | None = None
    count: int | None = None
    exceptions: tuple[str, ...] = ()
    grace: int | None = None
    name: str = ""
    paused: bool = False


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """An occurrence that has come. `next_at`: where the schedule stands then."""

    state: OccurrenceState
    next_at: Instant | None
    reason: str = ""


def plan(wish: Wish, defaults: Defaults, *, id: int, client: int, now: Instant) -> Schedule:
    """The schedule for this wish. Raises `Rejected` with every complaint at once."""
    complaints: list[Complaint] = []

    def complain(at: str, code: str, detail: str) -> None:
        complaints.append(Complaint(at=at, code=code, detail=detail))

    rhythm, zone = Rhythm(), ""
    try:
        rhythm = read_rhythm(wish.rhythm)
    except ValueError as error:
        complain("rule", "never_fires" if "never fires" in str(error) else "rule_not_valid", str(error))
    try:
        zone = defaults.timetable.timing.zone if wish.zone is None else zone_name(wish.zone)
    except ValueError as error:
        complain("tz", "unknown_zone", str(error))
    for index, day in enumerate(wish.exceptions):
        if not _is_day(day):
            complain(f"except[{index}]", "out_of_range", f'{day[:40]!r} is no day; write it like "2026-12-25"')
    if len(wish.exceptions) > MOST_EXCEPTIONS:
        complain("except", "out_of_range", f"has {len(wish.exceptions)} days, the limit is {MOST_EXCEPTIONS}")
    start = now if wish.start is None else wish.start
    for at, instant in (("start", wish.start), ("end", wish.end)):
        if instant is not None and not 0 <= instant < FURTHEST:
            complain(at, "out_of_range", "lies outside the years 1970 to 9986")
    if wish.end is not None and wish.end < start:
        than = "now" if wish.start is None else '"start"'
        complain("end", "conflict", f"lies before {than}; an end comes after the beginning")
    if wish.count is not None and wish.count < 1:
        complain("count", "out_of_range", f"{wish.count} is less than 1; leave it out for no limit")
    if wish.grace is not None and not 0 <= wish.grace <= LONGEST_GRACE:
        complain("misfire_grace", "out_of_range", f"{wish.grace} is outside 0..{LONGEST_GRACE} seconds")
    if len(wish.name) > 64 or not wish.name.isprintable():
        complain("name", "out_of_range", "a name has at most 64 printable characters")
    complaints += _ordered(wish, defaults, now)
    if complaints:
        raise Rejected(complaints)
    schedule = Schedule(
        id=id,
        client=client,
        created_at=now,
        updated_at=now,
        rhythm=wish.rhythm,
        crons=rhythm.crons,
        every=rhythm.every,
        zone=zone,
        start=start,
        recipients=wish.recipients,
        orders=_stored(wish.order),
        grace=(GRACE if wish.grace is None else wish.grace) * 1000,
        name=wish.name,
        ends_at=wish.end,
        most=wish.count,
        exceptions=tuple(sorted(set(wish.exceptions))),
        paused=wish.paused,
    )
    first = next_occurrence(_rule(schedule), now)
    if first is None:
        detail = "never fires from now to its end; look at the days, the end and the exceptions"
        raise Rejected([Complaint(at="rule", code="never_fires", detail=detail)])
    return schedule if wish.paused else msgspec.structs.replace(schedule, next_at=first)


def resumed(schedule: Schedule, now: Instant, last: Instant | None) -> Schedule:
    """It runs, from now on. `last`: when it ran last, by a clock that may have been ahead; not at that time again."""
    after = now if last is None else max(now, last)
    ended = schedule.most is not None and schedule.sent >= schedule.most
    next_at = None if ended else next_occurrence(_rule(schedule), after)
    return msgspec.structs.replace(schedule, paused=False, next_at=next_at)


def step(schedule: Schedule, now: Instant) -> Step:
    """What becomes of the occurrence at which the schedule stands."""
    due_at = schedule.next_at
    assert due_at is not None
    rule = _rule(schedule)
    next_at = next_occurrence(rule, due_at)
    late = now - due_at
    if late <= schedule.grace:
        last = schedule.most is not None and schedule.sent + 1 >= schedule.most
        state = OccurrenceState.LATE if late > PROMPT else OccurrenceState.SENT
        reason = f"{late // 1000} s late" if late > PROMPT else ""
        return Step(state=state, next_at=None if last else next_at, reason=reason)
    reason = f"missed: it would have been {late // 1000} s late, and the grace is {schedule.grace // 1000} s"
    horizon = now - schedule.grace
    missed = occurrences(rule, due_at, MOST_SKIPPED)
    if len(missed) == MOST_SKIPPED and missed[-1] < horizon:
        until = local_at(horizon, schedule.zone).isoformat(sep=" ", timespec="minutes")
        next_at = next_occurrence(rule, horizon - 1)
        reason += f"; so were more than {MOST_SKIPPED} others until {until}, which have no rows of their own"
    return Step(state=OccurrenceState.SKIPPED, next_at=next_at, reason=reason)


def coming(schedule: Schedule, now: Instant, most: int) -> list[Instant]:
    """When it runs next, or would if it were not paused."""
    if schedule.next_at is None and not schedule.paused:
        return []
    if schedule.most is not None:
        most = min(most, schedule.most - schedule.sent)
    first = [] if schedule.next_at is None else [schedule.next_at][:most]
    return first + occurrences(_rule(schedule), first[0] if first else now, most - len(first))


def order_of(schedule: Schedule) -> Order:
    """What each recipient gets; the recipient is empty."""
    return msgspec.json.decode(schedule.orders, type=Order)


# --- The pieces -------------------------------------------------------------------------------------------------------


def _rule(s: Schedule) -> Rule:
    return Rule(zone=s.zone, start=s.start, crons=s.crons, every=s.every, end=s.ends_at, exceptions=s.exceptions)


def _ordered(wish: Wish, defaults: Defaults, now: Instant) -> list[Complaint]:
    """What is wrong with the order itself, with its places here."""
    found = [
        Complaint(
            at=f"message.{shown}",
            code="conflict",
            detail="does not go with a schedule: each occurrence has its own time; for its validity use valid_for",
        )
        for name, shown in _TIMED.items()
        if getattr(wish.order, name) is not None
    ]
    if not wish.recipients:
        found.append(Complaint(at="to", code="empty_batch", detail="is empty; give at least one recipient"))
    if found:
        return found
    for index, to in enumerate(wish.recipients):
        number = numbers.normal(to, defaults.region)
        if isinstance(number, numbers.NoNumber):
            found.append(Complaint(at=f"to[{index}]", code=number.code, detail=number.detail))
    try:
        admit(msgspec.structs.replace(wish.order, to=wish.recipients[0]), defaults, id=0, client=0, now=now)
    except Rejected as rejected:
        found += [
            Complaint(at=f"message.{c.at}", code=c.code, detail=c.detail) for c in rejected.complaints if c.at != "to"
        ]
    return found


def _stored(order: Order) -> str:
    usual: dict[str, Any] = msgspec.to_builtins(Order(to=""))
    given: dict[str, Any] = msgspec.to_builtins(order)
    kept = {name: value for name, value in given.items() if name == "to" or value != usual[name]}
    return msgspec.json.encode(kept).decode()


def _is_day(text: str) -> bool:
    try:
        return len(text) == 10 and date.fromisoformat(text) is not None
    except ValueError:
        return False
