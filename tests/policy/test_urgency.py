"""Which of two due messages goes first: waiting counts, but never against an alarm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.urgency import AGE, ALARM, effective

PRIORITIES = st.integers(-128, 127)
WAITS = st.integers(0, 10 * 86_400_000)


@pytest.mark.parametrize(
    ("priority", "waited", "wanted"),
    [
        (0, 0, 0),
        (0, AGE - 1, 0),
        (0, AGE, 1),
        (-128, 228 * AGE, 99),
        (50, 1000 * AGE, 99),
        (100, AGE, 100),
        (127, AGE, 127),
    ],
)
def test_thirty_seconds_of_waiting_are_one_step(priority: int, waited: int, wanted: int) -> None:
    assert effective(priority, waited) == wanted


@given(PRIORITIES, WAITS, WAITS)
def test_waiting_longer_is_never_less_urgent(priority: int, waited: int, more: int) -> None:
    assert effective(priority, waited) <= effective(priority, waited + more)


@given(PRIORITIES, WAITS)
def test_no_alarm_is_overtaken_by_what_merely_waited(priority: int, waited: int) -> None:
    assert (effective(priority, waited) >= ALARM) == (priority >= ALARM)


@given(PRIORITIES)
def test_nothing_waits_behind_new_ones_for_more_than_two_hours(priority: int) -> None:
    assert effective(priority, 2 * 3_600_000) >= 99
