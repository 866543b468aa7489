"""Which attempt a delivery report belongs to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Attempt
from bridge.policy.correlation import ReportFacts, among_doubts, best, recipient_key
from tests.policy.support import ALICE, BOB, DAY, HOUR, MINUTE, NOON, QUICK, SECOND, attempt, doubt

SENT = NOON + 3 * SECOND  # when an attempt armed at noon was accepted


def report(
    recipient: str = ALICE, *, submitted_at: int | None = SENT, received_at: int = NOON + MINUTE, tp_mr: int | None = 42
) -> ReportFacts:
    return ReportFacts(recipient=recipient, submitted_at=submitted_at, received_at=received_at, tp_mr=tp_mr)


# --- Recipients -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "key"),
    [
        ("+447700900123", "00900123"),
        ("07700900123", "00900123"),
        ("00447700900123", "00900123"),
        ("447700900123", "00900123"),
        ("c4547700900123", "00900123"),  # routing digits in front
        ("+48600700800", "00700800"),
        ("5600", "5600"),
        ("*100#", "*100#"),
        ("1234567", "1234567"),
        ("12345678", "12345678"),
        ("", ""),
        ("MyBank", ""),
        ("Bank24", ""),
        ("Żabka 7", ""),
    ],
)
def test_eight_digits_are_compared_or_the_whole_short_code(number: str, key: str) -> None:
    assert recipient_key(number) == key


@pytest.mark.parametrize("recipient", ["+447700900123", "07700900123", "447700900123", "0099447700900123"])
@pytest.mark.parametrize("sent_to", ["+447700900123", "07700900123"])
def test_national_and_international_forms_are_one_recipient(recipient: str, sent_to: str) -> None:
    """R06"""
    mine = attempt(1, sent_to)
    assert best(report(recipient), [mine]) == mine


@pytest.mark.parametrize("recipient", ["56000", "560", "+485600", "15600"])
def test_short_codes_must_be_equal(recipient: str) -> None:
    mine = attempt(1, "5600")
    assert best(report("5600"), [mine]) == mine
    assert best(report(recipient), [mine]) is None


# --- Several with the same reference ----------------------------------------------------------------------------------


def test_one_reference_two_recipients() -> None:
    """R09: yesterday's message to Alice, today's to Bob."""
    alice, bob = attempt(1, ALICE, armed_at=NOON - DAY), attempt(2, BOB, armed_at=NOON)
    assert best(report(ALICE, submitted_at=NOON - DAY), [bob, alice]) == alice
    assert best(report(BOB, submitted_at=NOON), [bob, alice]) == bob


def test_a_report_a_day_late_finds_its_attempt_behind_a_newer_one() -> None:
    """R08"""
    alice, bob = attempt(1, ALICE, armed_at=NOON - DAY), attempt(2, BOB, armed_at=NOON - HOUR)
    late = report(ALICE, submitted_at=NOON - DAY + 3 * SECOND, received_at=NOON)
    assert best(late, [bob, alice]) == alice


def test_references_wrap() -> None:
    """R10: 255, then 0; the store hands over those with the report's reference only."""
    last, first = attempt(1, tp_mr=255), attempt(2, tp_mr=0, armed_at=NOON + 10 * SECOND)
    assert best(report(tp_mr=255), [last]) == last
    assert best(report(tp_mr=0), [first]) == first


def test_no_attempt_to_that_recipient_is_no_match() -> None:
    """R13"""
    assert best(report(BOB), [attempt(1, ALICE)]) is None
    assert best(report(BOB), []) is None


def test_a_reference_that_never_changes_leaves_recipient_and_time() -> None:
    """S33: this modem says +CMGS: 0 each time."""
    mine = [attempt(at, ALICE, 0, armed_at=NOON + at * 10 * MINUTE) for at in range(5)]
    for each in mine:
        facts = report(submitted_at=each.armed_at + 4 * SECOND, received_at=NOON + DAY, tp_mr=0)
        assert best(facts, mine[::-1]) == each


def test_a_report_cannot_be_older_than_its_attempt() -> None:
    early, late = attempt(1), attempt(2, armed_at=NOON + HOUR)
    assert best(report(received_at=NOON + MINUTE), [late, early]) == early
    assert best(report(received_at=NOON + MINUTE), [late]) is None


def test_of_several_the_newest_when_the_time_says_nothing() -> None:
    newer, older = attempt(2, armed_at=NOON - HOUR), attempt(1, armed_at=NOON - DAY)
    assert best(report(submitted_at=None), [newer, older]) == newer


def test_equally_near_the_newest() -> None:
    newer, older = attempt(2, armed_at=NOON + 2 * SECOND), attempt(1, armed_at=NOON)
    assert best(report(submitted_at=NOON + 4 * SECOND), [newer, older]) == newer


# --- Clocks -----------------------------------------------------------------------------------------------------------

EARLIER = attempt(1, armed_at=NOON - 7 * MINUTE)  # seven minutes: no quarter of an hour explains it
LATER = attempt(2, armed_at=NOON)


@pytest.mark.parametrize("off", [0, 15 * MINUTE, HOUR, -HOUR, 2 * HOUR, -5 * HOUR - 45 * MINUTE, 14 * HOUR, -28 * HOUR])
@pytest.mark.parametrize("drift", [0, 2 * MINUTE, -2 * MINUTE])
def test_a_centre_in_another_time_zone(off: int, drift: int) -> None:
    """Its clock is off by quarters of an hour, give or take three minutes."""
    for mine in (EARLIER, LATER):
        assert mine.ended_at is not None
        facts = report(submitted_at=mine.ended_at + off + drift, received_at=NOON + DAY)
        assert best(facts, [LATER, EARLIER]) == mine


def test_an_exact_time_beats_a_time_zone() -> None:
    hour_ago, now = attempt(1, armed_at=NOON - HOUR), attempt(2, armed_at=NOON)
    assert best(report(submitted_at=NOON + 5 * SECOND), [now, hour_ago]) == now
    assert best(report(submitted_at=NOON - HOUR + 5 * SECOND), [now, hour_ago]) == hour_ago


def test_a_clock_that_nothing_explains_gives_the_nearest() -> None:
    far, near = attempt(1, armed_at=NOON - 30 * DAY + 5 * MINUTE), attempt(2, armed_at=NOON)
    # 20 minutes from the near one; from the far one a whole number of quarters, but a month is no time zone.
    assert best(report(submitted_at=NOON + 20 * MINUTE, received_at=NOON + HOUR), [near, far]) == near


def test_a_wrong_clock_does_not_lose_the_only_candidate() -> None:
    assert best(report(submitted_at=0), [attempt(1)]) == attempt(1)


# --- Recipients that say nothing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipient", ["", "MyBank", "Bank24"])
def test_without_a_number_reference_and_time_must_be_unique(recipient: str) -> None:
    newer, older = attempt(2, BOB, armed_at=NOON), attempt(1, ALICE, armed_at=NOON - 7 * MINUTE)
    assert best(report(recipient), [newer]) == newer
    assert best(report(recipient, submitted_at=0), [newer]) == newer
    assert best(report(recipient, submitted_at=NOON - 7 * MINUTE), [newer, older]) == older
    assert best(report(recipient, submitted_at=None), [newer, older]) is None
    twin = attempt(3, ALICE, armed_at=NOON + SECOND)
    assert best(report(recipient), [twin, newer]) is None


# --- Doubts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipient", [ALICE, "07700900123"])
def test_a_report_proves_the_one_doubt_to_its_recipient(recipient: str) -> None:
    """S13, S14"""
    mine = doubt(1)
    assert among_doubts(report(recipient), [mine, doubt(2, BOB)]) == mine


def test_two_doubts_to_one_recipient_prove_nothing() -> None:
    assert among_doubts(report(), [doubt(2, armed_at=NOON + MINUTE), doubt(1)]) is None


@pytest.mark.parametrize(
    ("fields", "facts"),
    [
        ({"to": BOB}, {}),
        ({"tp_mr": 41}, {}),  # its reference is known, and is another
        ({}, {"recipient": ""}),
        ({}, {"recipient": "MyBank"}),
        ({"armed_at": NOON + 2 * MINUTE}, {}),  # armed after the report came
    ],
)
def test_what_a_report_does_not_prove(fields: dict[str, Any], facts: dict[str, Any]) -> None:
    assert among_doubts(report(**facts), [doubt(1, **fields)]) is None


@pytest.mark.parametrize(
    ("apart", "proves"),
    [
        (-61 * SECOND, False),
        (-60 * SECOND, True),
        (0, True),
        (5 * MINUTE, True),
        (5 * MINUTE + SECOND, False),
        (10 * MINUTE, False),
        (HOUR, True),
        (-HOUR + 4 * MINUTE, True),
        (-HOUR - 50 * SECOND, True),
        (HOUR + 7 * MINUTE, False),
        (28 * HOUR, True),
        (28 * HOUR + 15 * MINUTE, False),
        (-3 * DAY, False),
    ],
)
def test_a_doubt_must_be_near_in_time_but_for_the_time_zone(apart: int, proves: bool) -> None:
    facts = report(submitted_at=NOON + apart, received_at=NOON + DAY)
    assert (among_doubts(facts, [doubt(1)]) is not None) == proves


def test_without_a_time_the_only_doubt_is_proven() -> None:
    assert among_doubts(report(submitted_at=None), [doubt(1)]) == doubt(1)


# --- Always -----------------------------------------------------------------------------------------------------------

attempts = st.builds(
    attempt,
    id=st.integers(1, 9),
    to=st.sampled_from([ALICE, BOB, "5600"]),
    armed_at=st.integers(NOON - DAY, NOON + DAY),
    tp_mr=st.sampled_from([None, 42]),
)


@QUICK
@given(
    st.lists(attempts, max_size=6),
    st.sampled_from([ALICE, "07700900456", "5600", "", "MyBank"]),
    st.none() | st.integers(NOON - 2 * DAY, NOON + 2 * DAY),
)
def test_a_match_is_never_another_recipients_nor_younger_than_the_report(
    candidates: list[Attempt], recipient: str, submitted_at: int | None
) -> None:
    facts = report(recipient, submitted_at=submitted_at)
    key = recipient_key(recipient)
    for found in (best(facts, candidates), among_doubts(facts, candidates)):
        if found is not None:
            assert found in candidates
            assert found.recipient == key or not key
            assert found.armed_at <= facts.received_at
