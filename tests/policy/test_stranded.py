"""What becomes of a message that waits for a SIM which is out of service."""

from __future__ import annotations

from itertools import product

import pytest

from bridge.model import DoubtPolicy
from bridge.policy.stranded import Elsewhere, Fail, Follow, Later, Stay, decide, follow

MOST, LEAST, URGENT = DoubtPolicy.AT_MOST_ONCE, DoubtPolicy.AT_LEAST_ONCE, DoubtPolicy.URGENT


@pytest.mark.parametrize(
    ("partly", "policy", "others", "expected"),
    [
        (False, LEAST, True, Elsewhere(whole=False)),
        (False, URGENT, True, Elsewhere(whole=False)),
        (False, MOST, True, Elsewhere(whole=False)),
        (False, MOST, False, Stay()),
        (True, LEAST, True, Elsewhere(whole=True)),
        (True, URGENT, True, Elsewhere(whole=True)),
        (True, LEAST, False, Stay()),
        (True, URGENT, False, Stay()),
    ],
)
def test_it_goes_elsewhere_when_it_can(
    partly: bool, policy: DoubtPolicy, others: bool, expected: Stay | Elsewhere
) -> None:
    assert decide(bound=False, partly=partly, policy=policy, others=others) == expected


@pytest.mark.parametrize("others", [False, True])
def test_half_sent_at_most_once_is_never_sent_whole_again(others: bool) -> None:
    decision = decide(bound=False, partly=True, policy=MOST, others=others)
    assert isinstance(decision, Fail)
    assert "nothing may be sent twice" in decision.reason


def test_a_message_bound_to_its_channel_waits_for_it() -> None:
    for partly, policy, others in product((False, True), DoubtPolicy, (False, True)):
        assert decide(bound=True, partly=partly, policy=policy, others=others) == Stay()


@pytest.mark.parametrize("policy", list(DoubtPolicy))
@pytest.mark.parametrize("coming", [False, True])
def test_parts_follow_their_sim_to_the_modem_that_has_it_now(policy: DoubtPolicy, coming: bool) -> None:
    assert follow(at="gsm2", coming=coming, policy=policy) == Follow(channel="gsm2")


@pytest.mark.parametrize("policy", list(DoubtPolicy))
def test_a_modem_that_is_just_coming_up_may_have_the_sim(policy: DoubtPolicy) -> None:
    assert follow(at=None, coming=True, policy=policy) == Later()


def test_when_no_modem_has_the_sim_the_policy_decides() -> None:
    assert isinstance(follow(at=None, coming=False, policy=MOST), Fail)
    assert follow(at=None, coming=False, policy=LEAST) == Stay()
    assert follow(at=None, coming=False, policy=URGENT) == Stay()
