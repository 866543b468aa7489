"""Whose hours hold a message, spreading in open time, and what a change makes of a message."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Message
from bridge.policy.admission import Defaults, Order, Rejected, admit, admit_all
from bridge.policy.revision import Change, revise
from bridge.policy.timing import Asked, Spread, Timetable, Timing, parse_window
from bridge.policy.timing.gates import packed
from tests.policy.support import ALICE, DAY, HOUR, MINUTE, NOON, QUICK, order

NIGHT = NOON - 9 * HOUR  # 03:00 in London


def defaults(*windows: str, **more: Any) -> Defaults:
    timing = Timing(windows=tuple(parse_window(w) for w in windows), **more)
    return Defaults(region="PL", timetable=Timetable(timing), channels=frozenset({"gsm1"}))


def admitted(known: Defaults, now: int = NIGHT, **fields: Any) -> Message:
    return admit(order(**fields), known, id=7, client=3, now=now)


def asked(*windows: str, by: str = "message", zone: str | None = None) -> tuple[Asked, ...]:
    return (Asked(by, windows, zone),)


def test_without_windows_nothing_is_different() -> None:
    plain = admitted(defaults())
    assert plain == admit(order(), Defaults(region="PL", channels=frozenset({"gsm1"})), id=7, client=3, now=NIGHT)
    assert (plain.windows, plain.asked_at, plain.code) == (None, None, "")


def test_who_opens_last_holds_it() -> None:
    held = admitted(defaults("9-21"), windows=asked("10-12"))
    assert (held.due_at, held.code, held.asked_at) == (NOON - 2 * HOUR, "hours_message", NIGHT)
    held = admitted(defaults("11-21"), windows=asked("10-12"))
    assert (held.due_at, held.code) == (NOON - HOUR, "hours_service")


def test_a_country_with_several_zones_is_open_when_all_are() -> None:
    toll_free = admitted(defaults("9-21"), now=NOON, to="+18005550100")
    assert toll_free.code == "hours_service"
    new_york = admitted(defaults("9-21"), now=NOON, to="+12125550100")
    assert new_york.due_at == NOON + HOUR  # nine there, in summer time since 8 March
    assert toll_free.due_at > new_york.due_at


@pytest.mark.parametrize(
    ("fields", "at", "code"),
    [
        ({"windows": asked("mon 22-23")}, "windows", "window_never_opens"),
        ({"windows": asked("2020-01-01 9-12")}, "windows", "window_never_opens"),
        ({"windows": asked("holiday 9-12")}, "windows", "window_never_opens"),
        ({"windows": asked("25-3")}, "windows[0]", "wrong_value"),
        ({"windows": asked("9-21", "h1-h2")}, "windows[1]", "wrong_value"),
        ({"windows": asked(*["9-21"] * 21)}, "windows", "out_of_range"),
        ({"valid_for": 300}, "valid_for", "expires_in_quiet_hours"),
        ({"expires_at": NIGHT + HOUR}, "expires_at", "expires_in_quiet_hours"),
        ({"valid_for": 0}, "valid_for", "out_of_range"),
        ({"valid_for": 63 * 7 * 86_400 + 1}, "valid_for", "out_of_range"),
        ({"send_at": NIGHT + DAY, "expires_at": NIGHT + HOUR}, "expires_at", "out_of_range"),
        ({"time": "+600000"}, "time", "out_of_range"),
        ({"time": "+5", "send_at": NOON}, "time", "conflict"),
        ({"time": "soon"}, "time", "wrong_value"),
        ({"local": datetime(2026, 3, 15, 9)}, "send_at", "wrong_value"),  # noqa: DTZ001
        ({"tz": "Europe/Warsow"}, "tz", "wrong_value"),
    ],
)
def test_what_cannot_be_is_refused_at_its_place(fields: dict[str, Any], at: str, code: str) -> None:
    with pytest.raises(Rejected) as refused:
        admitted(defaults("9-21"), **fields)
    assert [(c.at, c.code) for c in refused.value.complaints] == [(at, code)]


def test_a_time_that_has_passed_goes_at_once_and_says_so() -> None:
    late = admitted(defaults(), time="01.01.20 10:00")
    assert (late.due_at, late.code) == (NIGHT, "time_passed")
    assert "2020-01-01 10:00 UTC" in late.reason


def test_a_priority_of_100_passes_and_99_does_not() -> None:
    assert admitted(defaults("9-21"), priority=100).due_at == NIGHT
    assert admitted(defaults("9-21"), priority=100).code == "passed_hours"
    assert admitted(defaults("9-21"), priority=99).due_at > NIGHT
    assert admitted(defaults("9-21"), now=NOON, priority=100).code == "", "it passed nothing"


@QUICK
@given(
    count=st.integers(1, 60),
    period=st.none() | st.floats(0.1, 720),
    freq=st.none() | st.integers(1, 6),
    rate=st.integers(1, 600),
)
def test_a_spread_batch_is_in_order_within_its_period_and_never_faster_than_its_rate(
    count: int, period: float | None, freq: int | None, rate: int
) -> None:
    spread = Spread(per_minute=rate) if period is None else Spread(period=period, freq=freq)
    assert spread.wrong() is None
    orders = [order() for _ in range(count)]
    found = admit_all(orders, defaults(), ids=range(count), client=1, now=NOON, batch=9, spread=spread)
    offsets = [m.due_at - NOON for m in found]
    assert offsets == sorted(offsets)
    assert offsets[0] == 0
    assert [m.expires_at == m.due_at + DAY for m in found] == [True] * count
    if period is not None:
        assert offsets[-1] < period * HOUR
    else:
        assert all(b - a >= 60_000 // rate for a, b in pairwise(offsets))


@QUICK
@given(count=st.integers(2, 40), rate=st.integers(1, 20), start=st.integers(0, 2 * DAY))
def test_spreading_never_goes_outside_the_windows_nor_faster_when_they_open(count: int, rate: int, start: int) -> None:
    known = defaults("9-10:30", "14-15")
    spread = Spread(per_minute=rate)
    orders = [order() for _ in range(count)]
    found = admit_all(orders, known, ids=range(count), client=1, now=NOON + start, batch=9, spread=spread)
    for m in found:
        local = datetime.fromtimestamp(m.due_at / 1000, UTC)
        minute = local.hour * 60 + local.minute
        assert 540 <= minute < 630 or 840 <= minute < 900
    dues = [m.due_at for m in found]
    assert all(b - a >= 60_000 // rate for a, b in pairwise(dues))


# --- Changes ----------------------------------------------------------------------------------------------------------


def changed(message: Message, known: Defaults, now: int = NIGHT, **fields: Any) -> Message:
    wish = msgspec.structs.replace(Order(to="", text=None), **fields)
    return revise(message, Change(wish=wish, given=frozenset(fields)), known, now)


def test_a_change_to_what_it_is_already_changes_nothing() -> None:
    for message in (admitted(defaults("9-21")), admitted(defaults()), admitted(defaults(), windows=asked("9-21"))):
        assert changed(message, defaults("9-21") if "service" in message.code else defaults()) is message
        assert changed(message, defaults("9-21"), text="hello", priority=0).text == "hello"


def test_a_new_time_keeps_the_length_of_its_life() -> None:
    message = admitted(defaults(), valid_for=3600)
    later = changed(message, defaults(), send_at=NIGHT + DAY)
    assert (later.due_at, later.expires_at) == (NIGHT + DAY, NIGHT + DAY + HOUR)
    assert later.updated_at > message.updated_at, "or who has claimed it would not see the change"


def test_what_was_wanted_before_the_hold_is_wanted_when_the_hours_go() -> None:
    message = admitted(defaults(), send_at=NIGHT + DAY, windows=asked("9-21"))
    assert message.due_at == NIGHT + DAY + 6 * HOUR
    free = changed(message, defaults(), windows=())
    assert (free.due_at, free.windows, free.code) == (NIGHT + DAY, None, "")
    urgent = changed(message, defaults(), priority=100)
    assert urgent.due_at == NIGHT + DAY


def test_a_longer_text_is_measured_again() -> None:
    message = admitted(defaults())
    long = changed(message, defaults(), text="a" * 161)
    assert (long.parts, long.due_at, long.to) == (2, message.due_at, ALICE)
    with pytest.raises(Rejected):
        changed(message, defaults(), text="a" * 5000)


def test_windows_of_its_key_stay() -> None:
    known = defaults()
    hours = packed(asked("9-21", by="key"))
    message = admit(order(windows=asked("10-12")), known, id=1, client=1, now=NIGHT, hours=hours)
    assert message.code == "hours_message"
    own_gone = changed(message, known, windows=())
    assert (own_gone.code, own_gone.due_at) == ("hours_key", NOON - 3 * HOUR)


@QUICK
@given(st.integers(0, DAY // MINUTE), st.integers(60, 86_400))
def test_no_change_of_time_lets_a_text_go_in_its_quiet_hours(minutes: int, valid_for: int) -> None:
    message = admitted(defaults("9-21"))
    try:
        moved = changed(message, defaults("9-21"), time=f"+{minutes}", valid_for=valid_for)
    except Rejected:
        return
    hour = datetime.fromtimestamp(moved.due_at / 1000, UTC).hour
    assert 9 <= hour < 21
    assert moved.due_at >= NIGHT + minutes * MINUTE
    assert moved.expires_at is not None
    assert moved.expires_at > moved.due_at
