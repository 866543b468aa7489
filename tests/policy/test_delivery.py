"""When a delivery is tried again, and when it is given up."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.delivery import (
    DELAYS,
    HOUR,
    JITTER,
    LONGEST_WAIT,
    OLDEST,
    SECOND,
    Again,
    Answer,
    Decision,
    Delivered,
    GiveUp,
    Gone,
    after,
)

NOW = 1_760_000_000_000
FAILED = Answer(ok=False, status=500)


def decided(answer: Answer, tries: int = 1, age: int = 0, delays: tuple[int, ...] = DELAYS) -> Decision:
    return after(answer, tries=tries, now=NOW, event_at=NOW - age, delays=delays, rng=Random(1))


def test_ten_tries_over_75_hours() -> None:
    assert len(DELAYS) == 10
    assert 75 * HOUR < sum(DELAYS) < 76 * HOUR
    assert sum(DELAYS) * (1 + JITTER) < OLDEST


@pytest.mark.parametrize("status", [300, 302, 400, 404, 429, 500, 503, None])
def test_whatever_is_no_answer_is_tried_again(status: int | None) -> None:
    assert isinstance(decided(Answer(ok=False, status=status)), Again)


def test_an_answer_ends_it_and_gone_ends_the_endpoint() -> None:
    assert decided(Answer(ok=True, status=204)) == Delivered()
    assert decided(Answer(ok=False, status=410)) == Gone()


def test_the_tenth_failure_and_a_failure_after_four_days_are_dead_letters() -> None:
    assert isinstance(decided(FAILED, tries=9), Again)
    assert decided(FAILED, tries=10) == GiveUp()
    assert decided(FAILED, tries=2, age=OLDEST + 1) == GiveUp()


@given(tries=st.integers(1, 9), seed=st.integers())
def test_the_wait_is_the_schedules_with_a_tenth_of_jitter(tries: int, seed: int) -> None:
    decision = after(FAILED, tries=tries, now=NOW, event_at=NOW, delays=DELAYS, rng=Random(seed))
    assert isinstance(decision, Again)
    assert decision.pause is None
    assert DELAYS[tries] * (1 - JITTER) - 1 <= decision.at - NOW <= DELAYS[tries] * (1 + JITTER)


@given(tries=st.integers(1, 9), asked=st.integers(0, 10**12))
def test_retry_after_is_obeyed_up_to_a_day_and_never_shortens_the_wait(tries: int, asked: int) -> None:
    decision = decided(Answer(ok=False, status=503, retry_after=asked), tries=tries)
    plain = decided(FAILED, tries=tries)
    assert isinstance(decision, Again)
    assert isinstance(plain, Again)
    assert decision.pause == NOW + min(asked, LONGEST_WAIT)
    assert decision.at == max(plain.at, decision.pause)


def test_other_delays_mean_other_numbers_of_tries() -> None:
    assert isinstance(decided(FAILED, tries=1, delays=(0, SECOND)), Again)
    assert decided(FAILED, tries=2, delays=(0, SECOND)) == GiveUp()
