"""What to do when nobody knows whether a text was sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import ANY_CHANNEL, DoubtPolicy
from bridge.policy.doubt import Close, Resend, Windows, at_deadline, deadline
from tests.policy.support import DAY, HOUR, MINUTE, NOON, QUICK, SECOND

MOST, LEAST, URGENT = DoubtPolicy.AT_MOST_ONCE, DoubtPolicy.AT_LEAST_ONCE, DoubtPolicy.URGENT


@pytest.mark.parametrize(
    ("policy", "priority", "expires_in", "waits"),
    [
        (LEAST, 0, None, 10 * MINUTE),
        (LEAST, 99, None, 10 * MINUTE),
        (LEAST, 100, None, MINUTE),
        (LEAST, 127, None, MINUTE),
        (LEAST, 0, HOUR, 10 * MINUTE),
        (LEAST, 0, 5 * MINUTE, 5 * MINUTE),
        (LEAST, 100, 30 * SECOND, 30 * SECOND),
        (URGENT, 0, None, 0),
        (URGENT, 0, HOUR, 0),
        (MOST, 0, HOUR, HOUR),
        (MOST, 127, HOUR, HOUR),
        (MOST, 0, None, DAY),
        (MOST, 0, -MINUTE, 0),
    ],
)
def test_how_long_evidence_is_awaited(policy: DoubtPolicy, priority: int, expires_in: int | None, waits: int) -> None:
    expires_at = None if expires_in is None else NOON + expires_in
    until = deadline(policy, priority=priority, now=NOON, expires_at=expires_at, windows=Windows())
    assert until == NOON + waits


def test_the_windows_are_configured() -> None:
    windows = Windows(usual=7, alarm=3)
    assert deadline(LEAST, priority=0, now=NOON, expires_at=None, windows=windows) == NOON + 7
    assert deadline(LEAST, priority=100, now=NOON, expires_at=None, windows=windows) == NOON + 3


def decided(policy: DoubtPolicy, **fields: Any) -> Resend | Close:
    facts: dict[str, Any] = {
        "now": NOON,
        "expires_at": None,
        "channel": "gsm1",
        "channel_up": True,
        "bound": False,
        "partly": False,
        "tries": 1,
        "max_tries": 10,
    }
    return at_deadline(policy, **{**facts, **fields})


@pytest.mark.parametrize(
    ("policy", "fields", "queue"),
    [
        # The same SIM first: the network may know the repeat.
        (LEAST, {}, "gsm1"),
        (LEAST, {"channel_up": False}, ANY_CHANNEL),
        (LEAST, {"channel_up": False, "bound": True}, "gsm1"),
        (LEAST, {"channel_up": False, "partly": True}, "gsm1"),
        (LEAST, {"expires_at": NOON + 1}, "gsm1"),
        (LEAST, {"tries": 9}, "gsm1"),
        (URGENT, {}, ANY_CHANNEL),
        (URGENT, {"bound": True}, "gsm1"),
    ],
)
def test_resent_when_no_evidence_came(policy: DoubtPolicy, fields: dict[str, Any], queue: str) -> None:
    assert decided(policy, **fields) == Resend(queue=queue)


@pytest.mark.parametrize("policy", [LEAST, URGENT])
@pytest.mark.parametrize("fields", [{"expires_at": NOON}, {"expires_at": NOON - DAY}, {"tries": 10}, {"tries": 11}])
def test_closed_as_unknown_when_it_may_not_be_sent_again(policy: DoubtPolicy, fields: dict[str, Any]) -> None:
    decision = decided(policy, **fields)
    assert isinstance(decision, Close)
    assert "no evidence came" in decision.reason


@QUICK
@given(
    channel_up=st.booleans(),
    bound=st.booleans(),
    partly=st.booleans(),
    tries=st.integers(0, 20),
    expires_at=st.none() | st.integers(NOON - DAY, NOON + DAY),
)
def test_at_most_once_is_never_sent_again(**fields: Any) -> None:
    assert isinstance(decided(MOST, **fields), Close)


@QUICK
@given(st.sampled_from(DoubtPolicy), st.integers(-128, 127), st.none() | st.integers(NOON, NOON + DAY))
def test_the_wait_ends_with_the_validity(policy: DoubtPolicy, priority: int, expires_at: int | None) -> None:
    until = deadline(policy, priority=priority, now=NOON, expires_at=expires_at, windows=Windows())
    assert NOON <= until <= (NOON + DAY if expires_at is None else expires_at)
