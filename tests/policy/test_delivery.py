"""When an event is offered to an endpoint again."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.delivery import DELAYS, HOUR, Again, Answer, Decision, Delivered, GiveUp, Gone, after
from tests.policy.support import QUICK

NOW = 1_750_000_000_000


def decide(answer: Answer, tries: int, event_at: int = NOW) -> Decision:
    return after(answer, tries=tries, now=NOW, event_at=event_at, delays=DELAYS, rng=Random(7))


FAILED = Answer(ok=False, status=500)


@pytest.mark.parametrize(
    ("answer", "tries", "kind"),
    [
        (Answer(ok=True, status=204), 1, Delivered),
        (Answer(ok=True, status=200), 10, Delivered),
        (Answer(ok=False, status=410), 1, Gone),
        (FAILED, 1, Again),
        (FAILED, 9, Again),
        (FAILED, 10, GiveUp),
        (Answer(ok=False, status=302), 1, Again),
        (Answer(ok=False, problem="no answer within 15 s"), 3, Again),
    ],
)
def test_what_an_answer_means(answer: Answer, tries: int, kind: type[Decision]) -> None:
    assert isinstance(decide(answer, tries), kind)


def test_ten_tries_take_about_seventy_five_hours() -> None:
    assert len(DELAYS) == 10
    assert DELAYS[0] == 0
    assert sum(DELAYS) / HOUR == pytest.approx(75.6, abs=0.1)


@QUICK
@given(st.integers(1, 9), st.randoms(use_true_random=False))
def test_a_wait_has_a_tenth_of_jitter(tries: int, rng: Random) -> None:
    decision = after(FAILED, tries=tries, now=NOW, event_at=NOW, delays=DELAYS, rng=rng)
    assert isinstance(decision, Again)
    assert DELAYS[tries] * 0.9 - 1 <= decision.at - NOW <= DELAYS[tries] * 1.1


def test_what_the_endpoint_asks_for_pauses_all_of_it_and_is_no_shorter_than_our_own_wait() -> None:
    decision = decide(Answer(ok=False, status=429, retry_after=60_000), 1)
    assert decision == Again(at=NOW + 60_000, pause=NOW + 60_000)
    decision = decide(Answer(ok=False, status=429, retry_after=1), 5)
    assert isinstance(decision, Again)
    assert decision.at - NOW > HOUR
    assert decision.pause == NOW + 1


def test_an_endpoint_may_not_ask_for_longer_than_a_day() -> None:
    decision = decide(Answer(ok=False, status=503, retry_after=1000 * HOUR), 1)
    assert isinstance(decision, Again)
    assert decision.at == NOW + 24 * HOUR


def test_what_is_too_old_is_given_up() -> None:
    assert isinstance(decide(FAILED, 2, event_at=NOW - 97 * HOUR), GiveUp)
