"""What becomes of a message that was refused or proven not sent."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import ANY_CHANNEL, DoubtPolicy
from bridge.policy.retry import Failure, GiveUp, LateFailure, Requeue, after, late
from drivers.contract import Cause
from tests.policy.support import DAY, DUE, HOUR, MINUTE, NOON, QUICK, SECOND, failure

AT_ONCE = Requeue(queue=ANY_CHANNEL, due_at=DUE, counts=False, wait=False)


def in_queue(delay: int, queue: str = ANY_CHANNEL) -> Requeue:
    return Requeue(queue=queue, due_at=NOON + delay)


# --- The link ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tries", [0, 9, 1000])
@pytest.mark.parametrize("others", [False, True])
def test_link_down_is_not_an_attempt(tries: int, others: bool) -> None:
    decision = after(failure(cause=Cause.LINK, tries=tries, others=others, refused=False))
    assert decision == Requeue(queue=ANY_CHANNEL, due_at=DUE, counts=False, wait=False)


@pytest.mark.parametrize("why", ["bound", "partly"])
def test_a_message_tied_to_its_channel_waits_for_its_link(why: str) -> None:
    decision = after(failure(cause=Cause.LINK, others=True, **{why: True}))
    assert decision == Requeue(queue="gsm1", due_at=DUE, counts=False, wait=False)


def test_with_the_link_down_the_queue_sees_to_the_expiry() -> None:
    decision = after(failure(cause=Cause.LINK, expires_at=NOON - 1))
    assert isinstance(decision, Requeue)
    assert not decision.counts


# --- Refused ----------------------------------------------------------------------------------------------------------


def refusal(**fields: Any) -> Failure:
    return failure(refused=True, cause=Cause.DEST, code="cms_1", detail="not assigned", **fields)


def test_a_refused_message_goes_to_one_other_channel_at_once() -> None:
    assert after(refusal(others=True)) == Requeue(queue=ANY_CHANNEL, due_at=DUE, wait=False)
    assert after(refusal(others=True, elsewhere=True)) == GiveUp(code="cms_1", reason="not assigned")


@pytest.mark.parametrize(
    "fields",
    [{"others": False}, {"everywhere": True}, {"bound": True}, {"elsewhere": True}, {"tries": 9}],
    ids=str,
)
def test_a_refusal_that_no_other_channel_can_mend_is_final(fields: dict[str, Any]) -> None:
    assert after(refusal(**{"others": True, **fields})) == GiveUp(code="cms_1", reason="not assigned")


def test_a_mistake_of_ours_is_not_sent_again_unchanged() -> None:
    decision = after(failure(refused=True, cause=Cause.BUG, code="cms_304", others=True))
    assert isinstance(decision, GiveUp)


@pytest.mark.parametrize("policy", DoubtPolicy)
def test_a_part_refused_for_good_ends_the_message(policy: DoubtPolicy) -> None:
    decision = after(refusal(partly=True, others=True, policy=policy))
    assert isinstance(decision, GiveUp)
    assert decision.code == "partly_sent"
    assert "not assigned" in decision.reason


# --- Not sent: the waits ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "tries", "delay"),
    [
        # The network: 30 s, 2 min, then every 10 min.
        (Cause.NET, 0, 30 * SECOND),
        (Cause.NET, 1, 2 * MINUTE),
        (Cause.NET, 2, 10 * MINUTE),
        (Cause.NET, 8, 10 * MINUTE),
        (Cause.SIM, 0, 30 * SECOND),
        (Cause.DEST, 0, 30 * SECOND),
        # Busy modems, modems to repair, storage to empty: shortly; if it lasts, as long as for the network.
        (Cause.BUSY, 0, 5 * SECOND),
        (Cause.BUSY, 2, 5 * SECOND),
        (Cause.BUSY, 3, 30 * SECOND),
        (Cause.BUSY, 5, 10 * MINUTE),
        (Cause.MODEM, 0, 10 * SECOND),
        (Cause.MODEM, 3, 30 * SECOND),
        (Cause.MEM, 0, 10 * SECOND),
        (Cause.MEM, 4, 2 * MINUTE),
    ],
)
def test_waits_by_cause(cause: Cause, tries: int, delay: int) -> None:
    assert after(failure(cause=cause, tries=tries)) == in_queue(delay)


@pytest.mark.parametrize(
    ("asked", "tries", "delay"),
    [(0.5, 0, 500), (5.0, 2, 5 * SECOND), (5.0, 3, 30 * SECOND), (3600.0, 0, HOUR), (3600.0, 8, HOUR)],
)
def test_the_carriers_own_wait_is_obeyed(asked: float, tries: int, delay: int) -> None:
    assert after(failure(retry_after=asked, tries=tries)) == in_queue(delay)
    assert after(failure(retry_after=asked, tries=tries, others=True)) == AT_ONCE  # others need not wait for this one


def test_a_modem_that_stays_busy_does_not_use_up_a_messages_tries_in_a_minute() -> None:
    at, tries = NOON, 0
    while isinstance(decision := after(failure(cause=Cause.BUSY, retry_after=5.0, now=at, tries=tries)), Requeue):
        at, tries = decision.due_at, tries + 1
    assert tries == 9
    assert at - NOON > 30 * MINUTE


@pytest.mark.parametrize(
    ("retries", "repeats", "tries", "ends"),
    [
        (None, 8, 8, False),
        (1, 0, 0, False),
        (1, 0, 5, False),  # the earlier tries failed for other reasons
        (1, 1, 1, True),
        (1, 2, 5, True),
        (0, 0, 0, True),
        (2, 1, 1, False),
    ],
)
def test_a_reason_may_allow_few_tries_again_on_its_channel(
    retries: int | None, repeats: int, tries: int, ends: bool
) -> None:
    facts = failure(retries=retries, repeats=repeats, tries=tries, retry_after=5.0)
    decision = after(facts)
    assert isinstance(decision, GiveUp) == ends
    assert decision.code == "cms_42" if isinstance(decision, GiveUp) else decision.counts
    assert after(msgspec.structs.replace(facts, others=True)) == AT_ONCE  # another channel may all the same


# --- Not sent: elsewhere ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cause", [Cause.NET, Cause.MODEM, Cause.MEM, Cause.SIM, Cause.BUSY])
@pytest.mark.parametrize("tries", [0, 1, 8])
def test_a_channel_that_has_not_failed_with_it_may_try_at_once(cause: Cause, tries: int) -> None:
    assert after(failure(cause=cause, others=True, tries=tries)) == AT_ONCE


def test_when_all_channels_have_failed_it_waits() -> None:
    assert after(failure(others=False, tries=1)) == in_queue(2 * MINUTE)


@pytest.mark.parametrize("why", ["bound", "partly"])
def test_a_tied_message_waits_for_its_own_channel(why: str) -> None:
    """S28: part 2 only, on the same SIM."""
    assert after(failure(others=True, **{why: True})) == in_queue(30 * SECOND, "gsm1")


def dead_sim(**fields: Any) -> Failure:
    return failure(cause=Cause.SIM, code="cme_10", channel_unusable=True, **fields)


@pytest.mark.parametrize("tries", [0, 1, 8])
def test_a_dead_sim_holds_no_message_up(tries: int) -> None:
    """S17, S30: at once elsewhere, however often it was tried."""
    assert after(dead_sim(others=True, tries=tries)) == AT_ONCE
    assert after(dead_sim(others=True, tries=tries, retry_after=60.0)) == AT_ONCE
    assert after(dead_sim(others=False, tries=0)) == in_queue(30 * SECOND)
    assert after(dead_sim(others=True, bound=True)) == in_queue(30 * SECOND, "gsm1")


@pytest.mark.parametrize("code", ["cms_28", "cms_30"])
def test_an_unknown_subscriber_may_be_the_number_and_sends_nothing_twice(code: str) -> None:
    """Of a half-sent message only the part is tried again: the SIM that sent the others is not dead."""
    decision = after(failure(cause=Cause.SIM, code=code, channel_unusable=True, others=True, partly=True))
    assert decision == in_queue(30 * SECOND, "gsm1")


WHOLE = Requeue(queue=ANY_CHANNEL, due_at=DUE, whole=True, wait=False)


@pytest.mark.parametrize(
    ("policy", "others", "bound", "expected"),
    [
        (DoubtPolicy.AT_LEAST_ONCE, True, False, WHOLE),
        (DoubtPolicy.URGENT, True, False, WHOLE),
        (DoubtPolicy.AT_LEAST_ONCE, False, False, in_queue(30 * SECOND, "gsm1")),
        (DoubtPolicy.AT_LEAST_ONCE, True, True, in_queue(30 * SECOND, "gsm1")),
        (DoubtPolicy.URGENT, False, False, in_queue(30 * SECOND, "gsm1")),
    ],
)
def test_half_sent_on_a_dead_sim_goes_whole_elsewhere(
    policy: DoubtPolicy, others: bool, bound: bool, expected: Requeue
) -> None:
    assert after(dead_sim(partly=True, policy=policy, others=others, bound=bound)) == expected


@pytest.mark.parametrize("others", [False, True])
def test_half_sent_at_most_once_is_never_sent_whole_again(others: bool) -> None:
    decision = after(dead_sim(partly=True, policy=DoubtPolicy.AT_MOST_ONCE, others=others))
    assert isinstance(decision, GiveUp)
    assert decision.code == "partly_sent"


# --- The end ----------------------------------------------------------------------------------------------------------


def test_the_last_try_ends_it() -> None:
    assert isinstance(after(failure(tries=8)), Requeue)
    decision = after(failure(tries=9))
    assert isinstance(decision, GiveUp)
    assert (decision.code, decision.expired) == ("tries_used_up", False)
    assert "10 tries" in decision.reason
    assert "congestion" in decision.reason


@pytest.mark.parametrize(
    ("fields", "expires_at"),
    [
        ({}, NOON + 30 * SECOND),
        ({"others": True}, NOON),
        ({"refused": True, "cause": Cause.DEST, "others": True}, NOON - 1),
        ({"retry_after": 3600.0}, NOON + HOUR),
    ],
)
def test_what_could_only_be_tried_after_its_expiry_is_expired(fields: dict[str, Any], expires_at: int) -> None:
    decision = after(failure(expires_at=expires_at, **fields))
    assert isinstance(decision, GiveUp)
    assert (decision.code, decision.expired) == ("expired", True)
    assert isinstance(after(failure(expires_at=expires_at + DAY, **fields)), Requeue)


failures = st.builds(
    Failure,
    refused=st.booleans(),
    cause=st.sampled_from(Cause),
    code=st.sampled_from(["cms_30", "cms_38", "no_prompt"]),
    detail=st.just("it failed"),
    now=st.just(NOON),
    due_at=st.integers(NOON - HOUR, NOON),
    channel=st.just("gsm1"),
    bound=st.booleans(),
    tries=st.integers(0, 12),
    max_tries=st.integers(1, 12),
    delays=st.lists(st.integers(0, HOUR), min_size=1, max_size=4),
    expires_at=st.none() | st.integers(NOON - HOUR, NOON + HOUR),
    policy=st.sampled_from(DoubtPolicy),
    others=st.booleans(),
    everywhere=st.booleans(),
    elsewhere=st.booleans(),
    partly=st.booleans(),
    retry_after=st.none() | st.floats(0, 7200),
    channel_unusable=st.booleans(),
    retries=st.none() | st.integers(0, 3),
    repeats=st.integers(0, 12),
)


@QUICK
@given(failures)
def test_rules_that_always_hold(f: Failure) -> None:
    decision = after(f)
    if isinstance(decision, GiveUp):
        assert f.cause is not Cause.LINK
        assert decision.code
        assert decision.reason
        return
    assert decision.due_at >= NOON if decision.wait else decision.due_at == f.due_at  # at once: it keeps its place
    assert decision.queue in {ANY_CHANNEL, "gsm1"}
    assert not decision.counts or f.cause is not Cause.LINK
    assert decision.counts or not decision.wait  # what waits has used up a try
    assert not decision.counts or f.tries + 1 < f.max_tries
    assert not decision.counts or f.expires_at is None or decision.due_at < f.expires_at
    assert not f.bound or decision.queue == "gsm1"
    assert not f.partly or decision.queue == "gsm1" or decision.whole
    assert not decision.whole or f.policy is not DoubtPolicy.AT_MOST_ONCE
    assert not (f.refused and decision.counts) or not (f.everywhere or f.elsewhere or f.partly)


NOT_HERE = LateFailure(
    now=NOON,
    elsewhere=True,
    tried=True,
    whole=True,
    bound=False,
    before=False,
    others=True,
    policy=DoubtPolicy.AT_LEAST_ONCE,
    expires_at=NOON + 1000,
)


@pytest.mark.parametrize(
    ("facts", "flagged"),
    [
        ({}, True),
        ({"expires_at": None}, True),
        ({"tried": False}, False),
        ({"tried": False, "policy": DoubtPolicy.AT_MOST_ONCE}, False),
        ({"policy": DoubtPolicy.URGENT}, True),
        ({"policy": DoubtPolicy.AT_MOST_ONCE}, None),
        ({"elsewhere": False}, None),
        ({"whole": False}, None),
        ({"bound": True}, None),
        ({"before": True}, None),
        ({"others": False}, None),
        ({"expires_at": NOON}, None),
        ({"barred": True}, None),
        ({"barred": True, "tried": False}, None),
    ],
)
def test_a_late_failure_goes_elsewhere_once_while_it_lives(facts: dict[str, Any], flagged: bool | None) -> None:
    decision = late(msgspec.structs.replace(NOT_HERE, **facts))
    assert (None if decision is None else decision.whole) == flagged
    assert decision is None or (decision.queue, decision.due_at, decision.counts) == ("*", NOON, False)
