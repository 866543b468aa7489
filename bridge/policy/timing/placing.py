"""An order's wishes about time made into instants, or what is wrong with them: (field, code, what would be right)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bridge.model import Instant, Message
from bridge.policy.timing.gates import PASSES, Agreed, Asked, Gate, Gates, Never, Timetable, packed
from bridge.policy.timing.moments import parse_time
from bridge.policy.timing.spreading import Pacing
from bridge.policy.timing.windows import Window, parse_window
from bridge.policy.timing.zones import instant_at, local_at, zone_name

if TYPE_CHECKING:
    from bridge.policy.admission import Order

__all__ = [
    "MAX_DEFERRED",
    "Mistake",
    "Paces",
    "Wanted",
    "held_by",
    "held_code",
    "held_reason",
    "place",
    "said",
    "wanted",
    "windows_of_key",
]

Mistake = tuple[str, str, str]

MAX_DEFERRED = 366 * 86_400_000  # a year ahead; further is a typing error more often than a plan
TIME_PASSED = "time_passed"
PASSED_HOURS = "passed_hours"
_HELD = "hours_"
_MOST_WINDOWS = 20


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """When an order may be sent at the earliest, by its own words. `windows`: as they are stored."""

    due_at: Instant
    windows: str | None = None
    code: str = ""
    reason: str = ""


class Paces:
    """The places of a batch's messages in open time."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, Instant], Pacing] = {}

    def at(self, gates: Gates | None, start: Instant, offset: int) -> Instant | Never:
        if gates is None:
            return start + offset
        key = (id(gates), start)
        if key not in self._known:
            self._known[key] = Pacing(gates, start)
        return self._known[key].at(offset)


def wanted(order: Order, now: Instant, zone: str, key: str | None) -> Wanted | list[Mistake]:
    """`zone`: the configured one. `key`: windows of the API key, as they are stored."""
    if order.send_at is None and order.time is None and order.local is None and not order.windows and not order.tz:
        return Wanted(due_at=now, windows=key)
    mistakes: list[Mistake] = []
    where = zone
    if order.tz is not None:
        try:
            where = zone_name(order.tz)
        except ValueError as error:
            mistakes.append(("tz", "wrong_value", str(error)))
    asked = [*order.windows]
    due_at = now
    at = "time" if order.time is not None else "send_at"
    try:
        if order.time is not None and (order.send_at is not None or order.local is not None):
            raise ValueError('stands beside "send_at"; give one of the two')
        if order.send_at is not None:
            due_at = order.send_at
        elif order.local is not None:
            if order.tz is None:
                raise ValueError('has no zone; add "Z" or an offset such as "+01:00", or give "tz"')
            due_at = instant_at(order.local, where)
        elif order.time is not None:
            parsed = parse_time(order.time, now, where)
            if isinstance(parsed, Window):
                asked.append(Asked("message", (order.time,)))
            else:
                due_at = parsed
    except ValueError as error:
        code = "conflict" if "beside" in str(error) else "wrong_value"
        mistakes.append((at, code, str(error)))
    mistakes += _wrong_windows(asked)
    if due_at > now + MAX_DEFERRED:
        mistakes.append((at, "out_of_range", "lies more than a year ahead"))
    if mistakes:
        return mistakes
    # Windows on the clock that the order names; without one on the recipient's, later.
    bound = tuple(msgspec.structs.replace(a, zone=a.zone or (where if order.tz is not None else None)) for a in asked)
    if due_at >= now:
        return Wanted(due_at=due_at, windows=_with(key, bound))
    late = f"its time, {said(due_at, where)}, has passed; it goes at once"
    return Wanted(due_at=now, windows=_with(key, bound), code=TIME_PASSED, reason=late)


def place(
    message: Message,
    timetable: Timetable,
    *,
    offset: int = 0,
    paces: Paces | None = None,
    expires_at: Instant | None,
    valid_for: int | None,
    validity: int | None,
    on_quiet: str | None,
) -> Message | Mistake:
    """The message at its first allowed instant, with who holds it there. `message.due_at`: when it is wanted.
    `expires_at`, `valid_for` (seconds): as the order says; `validity`: the service's, which counts from the sending."""
    gates = timetable.gates(message)
    start, now = message.due_at, message.updated_at
    if gates is None and not offset:
        return _passing(message, timetable) if message.priority >= PASSES else message
    due_at = start + offset
    hold: Gate | None = None
    if gates is not None:
        found = gates.opening(due_at)
        at = (paces or Paces()).at(gates, start, offset) if offset else _opens(found, due_at)
        if isinstance(found, Never) or isinstance(at, Never):
            gate = (found if isinstance(found, Never) else at).gate  # type: ignore[union-attr]
            detail = f"{gate} are never open{' when the others are' if _several(gates) else ''} within a year"
            return "windows", "window_never_opens", f'{detail}; change them, or give "tz" for a clock of your own'
        if found.opens > due_at:
            hold = found.last
        due_at = at
    if due_at > now + MAX_DEFERRED:
        return (
            "send_at",
            "out_of_range",
            f"its turn would come at {said(due_at, timetable.timing.zone)}, in over a year",
        )
    expiry = message.expires_at
    if valid_for is not None:
        expiry = (due_at if offset else start) + valid_for * 1000
    elif expires_at is None and validity is not None:
        expiry = due_at + validity * 1000
    if expiry is not None and expiry <= due_at and on_quiet != "expire":
        field = "expires_at" if expires_at is not None else "valid_for"
        if hold is None:
            return field, "out_of_range", f"is over before its turn at {said(due_at, timetable.timing.zone)}"
        return (
            field,
            "expires_in_quiet_hours",
            f"is over before {hold} open at {said(due_at, hold.ways[0].zone)}; let it live longer, give it priority"
            f' {PASSES}, or take it with "on_quiet": "expire"',
        )
    if hold is not None:
        return msgspec.structs.replace(
            message,
            due_at=due_at,
            asked_at=start,
            expires_at=expiry,
            code=held_code(hold),
            reason=held_reason(hold, due_at),
        )
    return msgspec.structs.replace(message, due_at=due_at, expires_at=expiry)


def windows_of_key(windows: tuple[str, ...], tz: str | None, timetable: Timetable, now: Instant) -> str | list[Mistake]:
    """The windows of an API key as they are stored. They must open, together with the service's."""
    mistakes = _wrong_windows([Asked("key", windows)])
    zone = None
    if tz is not None:
        try:
            zone = zone_name(tz)
        except ValueError as error:
            mistakes.append(("tz", "wrong_value", str(error)))
    if mistakes:
        return mistakes
    stored = packed((Asked("key", windows, zone),))
    anybody = Message(id=0, client=0, to="", created_at=now, due_at=now, windows=stored)
    gates = timetable.gates(anybody)
    if stored is None or gates is None:
        return stored or []
    found = gates.opening(now)
    if isinstance(found, Never):
        return [("windows", "window_never_opens", f"{found.gate} are never open within a year, or not with the others")]
    return stored


def held_code(gate: Gate) -> str:
    """The stable word in the message's row; its end is who holds it."""
    return _HELD + gate.by


def held_by(code: str) -> str | None:
    """Who holds a message of this code; None: it is no code of a hold."""
    return code.removeprefix(_HELD) if code.startswith(_HELD) else None


def held_reason(gate: Gate, until: Instant) -> str:
    return f"{gate} open at {said(until, gate.ways[0].zone)}"


def said(at: Instant, zone: str) -> str:
    """`2026-03-12 09:00 Europe/Warsaw`."""
    return f"{local_at(at, zone):%Y-%m-%d %H:%M} {zone}"


def _passing(message: Message, timetable: Timetable) -> Message:
    """Its priority takes it through; where that makes a difference the row says so."""
    gates = timetable.all_gates(message) if message.windows is not None or timetable.any else None
    if gates is None:
        return message
    found = gates.opening(message.due_at)
    if isinstance(found, Agreed) and found.opens <= message.due_at:
        return message
    gate = found.last if isinstance(found, Agreed) else found.gate
    reason = f"priority {message.priority} passes {gate}; below {PASSES} it would wait"
    return msgspec.structs.replace(message, code=PASSED_HOURS, reason=reason)


def _opens(found: Agreed | Never, at: Instant) -> Instant | Never:
    return max(found.opens, at) if isinstance(found, Agreed) else found


def _several(gates: Gates) -> bool:
    return len(gates) > 1


def _wrong_windows(asked: list[Asked]) -> list[Mistake]:
    mistakes: list[Mistake] = []
    for one in asked:
        if len(one.windows) > _MOST_WINDOWS:
            mistakes.append(("windows", "out_of_range", f"has {len(one.windows)} windows; at most {_MOST_WINDOWS}"))
            continue
        for index, text in enumerate(one.windows):
            try:
                parse_window(text)
            except ValueError as error:
                mistakes.append((f"windows[{index}]", "wrong_value", str(error)))
    return mistakes


def _with(key: str | None, asked: tuple[Asked, ...]) -> str | None:
    if key is None:
        return packed(asked)
    return packed((*msgspec.json.decode(key, type=tuple[Asked, ...]), *asked))
