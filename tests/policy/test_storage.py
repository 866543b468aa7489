"""How much room is left: a table, and what holds for every file system."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.storage import Level, judge, marks

AMPLE, LOW, CRITICAL = Level
MB = 1_000_000
BIG = marks(64_000 * MB)

levels = st.sampled_from(list(Level))
sizes = st.integers(0, 1 << 44)


def test_the_marks_of_an_ordinary_disk_and_of_a_small_one() -> None:
    assert (BIG.low, BIG.critical, BIG.ballast) == (200 * MB, 50 * MB, 32 * MB)
    assert marks(2_000 * MB) == BIG
    small = marks(100 * MB)
    assert (small.low, small.critical, small.ballast) == (10 * MB, 2_500_000, 1_600_000)


@pytest.mark.parametrize(
    ("before", "free", "held", "after"),
    [
        (AMPLE, 200, 32, AMPLE),
        (AMPLE, 199, 32, LOW),
        (AMPLE, 49, 32, CRITICAL),
        (LOW, 219, 32, LOW),  # not at once
        (LOW, 220, 32, AMPLE),
        (LOW, 50, 32, LOW),
        (LOW, 49, 32, CRITICAL),
        (CRITICAL, 81, 0, CRITICAL),  # what the ballast gave is no room for orders
        (CRITICAL, 106, 0, CRITICAL),
        (CRITICAL, 107, 0, LOW),  # 75 with the ballast taken back
        (CRITICAL, 252, 0, AMPLE),
        (AMPLE, 231, 0, LOW),  # a first start: the ballast is still to be taken
        (AMPLE, 232, 0, AMPLE),
        (AMPLE, 0, 0, CRITICAL),
    ],
)
def test_levels(before: Level, free: int, held: int, after: Level) -> None:
    assert judge(before, free=free * MB, held=held * MB, at=BIG) is after


@given(levels, st.integers(0, 400 * MB), st.integers(0, 400 * MB), sizes)
def test_more_room_is_never_judged_worse(before: Level, free: int, more: int, size: int) -> None:
    order = [CRITICAL, LOW, AMPLE]
    at = marks(size)
    worse = judge(before, free=free, held=0, at=at)
    assert order.index(judge(before, free=free + more, held=0, at=at)) >= order.index(worse)


@given(levels, st.integers(0, 400 * MB), sizes)
def test_what_was_judged_stays_while_nothing_changes_also_when_the_ballast_moves(
    before: Level, free: int, size: int
) -> None:
    at = marks(size)
    judged = judge(before, free=free + at.ballast, held=0, at=at)
    assert judge(judged, free=free + at.ballast, held=0, at=at) is judged
    assert judge(judged, free=free, held=at.ballast, at=at) is judged


@given(sizes)
def test_the_ballast_is_less_than_what_is_critical(size: int) -> None:
    at = marks(size)
    assert 0 <= at.ballast <= at.critical <= at.low <= size
    assert at.critical == 0 or at.ballast < at.critical or at.low < 25
