"""When the wall clock is believed, and what the bridge goes by while it is not."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.clocks import BUILD, JUMP, SETTLE, Belief, Distrust, Reading, Rules, Trust, begin, believed, look

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOON = BUILD + 400 * DAY
AUTO, STRICT, ALWAYS = Rules(), Rules(trust=Trust.SYNCHRONISED), Rules(trust=Trust.ALWAYS)


def reading(wall: int, boot: int = 0, synchronised: bool | None = False, battery: bool = True) -> Reading:
    return Reading(wall=wall, boot=boot, synchronised=synchronised, battery=battery)


@pytest.mark.parametrize(
    ("at", "highest", "rules", "wanted"),
    [
        (reading(NOON), NOON - DAY, AUTO, None),
        (reading(NOON), 0, AUTO, None),
        (reading(0), NOON, AUTO, Distrust.BEFORE_BUILD),
        (reading(BUILD - 1), 0, AUTO, Distrust.BEFORE_BUILD),
        (reading(0, synchronised=True), NOON, AUTO, Distrust.BEFORE_BUILD),
        (reading(0), NOON, ALWAYS, None),
        (reading(NOON), NOON + JUMP, AUTO, None),
        (reading(NOON), NOON + JUMP + 1, AUTO, Distrust.BEHIND_STORE),
        (reading(NOON, synchronised=True), NOON + DAY, AUTO, None),  # the store's time was the wrong one
        (reading(NOON, battery=False), NOON - DAY, AUTO, Distrust.NOT_SYNCHRONISED),
        (reading(NOON, battery=False, synchronised=True), NOON - DAY, AUTO, None),
        (reading(NOON, battery=False, synchronised=None), NOON - DAY, AUTO, None),  # the kernel does not say
        (reading(NOON), NOON - DAY, STRICT, Distrust.NOT_SYNCHRONISED),
        (reading(NOON, synchronised=True), NOON - DAY, STRICT, None),
    ],
)
def test_at_the_start(at: Reading, highest: int, rules: Rules, wanted: Distrust | None) -> None:
    belief = begin(at, highest, rules)
    assert belief.distrust is wanted
    assert believed(belief, at.boot) == (at.wall if wanted is None else max(at.wall, highest, BUILD))


def after(*readings: Reading, highest: int = 0, rules: Rules = AUTO) -> Belief:
    belief = begin(readings[0], highest, rules)
    for one in readings[1:]:
        belief = look(belief, one, rules)
    return belief


def test_a_step_of_ten_minutes_is_followed_at_once() -> None:
    for step in (JUMP, -JUMP, 3000, -3000):
        belief = after(reading(NOON), reading(NOON + MINUTE + step, MINUTE))
        assert belief.trusted
        assert belief.stepped == step


def test_a_second_more_or_less_is_no_step() -> None:
    assert after(reading(NOON), reading(NOON + MINUTE - 1000, MINUTE)).stepped == 0


@pytest.mark.parametrize(
    ("step", "wanted"),
    [(DAY, Distrust.STEPPED_AHEAD), (-3 * HOUR, Distrust.STEPPED_BACK), (-NOON, Distrust.BEFORE_BUILD)],
)
def test_a_larger_step_is_not_followed_until_it_is_confirmed(step: int, wanted: Distrust) -> None:
    stepped = (reading(NOON), reading(NOON + MINUTE + step, MINUTE))
    assert after(*stepped).distrust is wanted
    assert believed(after(*stepped), 2 * MINUTE) == NOON + 2 * MINUTE
    # by the kernel
    confirmed = after(*stepped, reading(NOON + 2 * MINUTE + step, 2 * MINUTE, synchronised=True))
    assert confirmed.trusted == (wanted is not Distrust.BEFORE_BUILD)
    # or by time
    for waited, trusted in ((SETTLE - 1, False), (SETTLE, True)):
        settled = after(*stepped, reading(NOON + MINUTE + step + waited, MINUTE + waited))
        assert settled.trusted == (trusted and wanted is not Distrust.BEFORE_BUILD)
    # but not where only the kernel counts
    strict = (
        reading(NOON, synchronised=True),
        reading(NOON + MINUTE + step, MINUTE),
        reading(NOON + MINUTE + step + DAY, MINUTE + DAY),
    )
    assert not after(*strict, rules=STRICT).trusted


def test_another_step_begins_the_wait_anew() -> None:
    steps = (reading(NOON), reading(NOON + DAY, 0), reading(NOON + 2 * DAY + SETTLE - 1, SETTLE - 1))
    assert not after(*steps, reading(NOON + 2 * DAY + SETTLE, SETTLE)).trusted


def test_set_back_to_where_it_was_right_it_is_believed_at_once() -> None:
    belief = after(reading(NOON), reading(NOON + 3650 * DAY, 0), reading(NOON + MINUTE, MINUTE))
    assert belief.trusted
    assert believed(belief, MINUTE) == NOON + MINUTE


def test_asleep_is_no_step() -> None:
    belief = after(reading(NOON), reading(NOON + 8 * HOUR, 8 * HOUR))
    assert (belief.trusted, belief.stepped) == (True, 0)


def test_one_that_was_behind_from_the_start_is_not_believed_for_running_on() -> None:
    start = reading(NOON - DAY)
    assert not after(start, reading(NOON, DAY), highest=NOON).trusted
    # until somebody sets it
    set_right = (start, reading(NOON + HOUR, HOUR), reading(NOON + 2 * HOUR, 2 * HOUR))
    assert after(*set_right, highest=NOON).trusted


def test_a_board_without_a_battery_is_believed_when_its_clock_has_run_for_a_while() -> None:
    bare = [reading(NOON + t, t, battery=False) for t in (0, SETTLE - 1, SETTLE)]
    assert not after(*bare[:2]).trusted
    assert after(*bare).trusted


MOVES = st.lists(
    st.tuples(st.integers(0, DAY), st.integers(-3650 * DAY, 3650 * DAY), st.sampled_from([None, False, True])),
    max_size=12,
)


@given(MOVES, st.booleans())
def test_without_confirmation_our_own_clock_runs_as_time_does(
    moves: list[tuple[int, int, bool | None]], battery: bool
) -> None:
    """Whatever is done to the wall clock: while it is not trusted, ours goes on evenly from the last good time."""
    wall, boot = NOON, 0
    belief = begin(reading(wall, boot, battery=battery), 0, AUTO)
    ours = believed(belief, boot)
    for passed, step, synchronised in moves:
        wall, boot = wall + passed + step, boot + passed
        new = look(belief, msgspec.structs.replace(reading(wall, boot, synchronised), battery=battery), AUTO)
        if not new.trusted:
            assert believed(new, boot) == ours + passed
        else:
            assert believed(new, boot) == wall >= BUILD
        belief, ours = new, believed(new, boot)
