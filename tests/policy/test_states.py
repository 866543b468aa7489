"""The tables of legal moves are closed, and say what the diagram says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import TypeVar

import pytest

from bridge.model import AttemptState as A
from bridge.model import Status as S
from bridge.states import ATTEMPT_MOVES, CANCELLABLE, MOVES, TERMINAL, WAITING

T = TypeVar("T")

EVIDENCE = {S.SENT, S.DELIVERED, S.UNDELIVERED}
WAYS = [
    [S.QUEUED, S.SENDING, S.SENT, S.DELIVERED],
    [S.QUEUED, S.SENDING, S.SENT, S.UNDELIVERED, S.DELIVERED],
    [S.QUEUED, S.SENDING, S.SENT, S.SENT_NO_REPORT, S.DELIVERED],
    [S.QUEUED, S.SENDING, S.SENDING, S.SENT],
    [S.QUEUED, S.SENDING, S.RETRY_WAIT, S.SENDING, S.SENT],
    [S.QUEUED, S.SENDING, S.QUEUED, S.SENDING, S.FAILED],
    [S.QUEUED, S.SENDING, S.IN_DOUBT, S.SENT],
    [S.QUEUED, S.SENDING, S.IN_DOUBT, S.QUEUED, S.SENDING, S.SENT],
    [S.QUEUED, S.SENDING, S.IN_DOUBT, S.UNKNOWN, S.DELIVERED],
    [S.QUEUED, S.SENDING, S.IN_DOUBT, S.RETRY_WAIT, S.SENDING],
    [S.QUEUED, S.EXPIRED],
    [S.QUEUED, S.CANCELLED],
    [S.QUEUED, S.FAILED],
    [S.QUEUED, S.SENDING, S.RETRY_WAIT, S.EXPIRED],
    [S.QUEUED, S.SENDING, S.RETRY_WAIT, S.CANCELLED],
]


def reachable(moves: Mapping[T, Iterable[T]], start: T) -> set[T]:
    found, left = {start}, [start]
    while left:
        for new in moves[left.pop()]:
            if new not in found:
                found.add(new)
                left.append(new)
    return found


def test_every_state_has_its_row() -> None:
    assert set(MOVES) == set(S)
    assert set(ATTEMPT_MOVES) == set(A)


def test_every_state_can_be_reached() -> None:
    assert reachable(MOVES, S.QUEUED) == set(S)
    assert reachable(ATTEMPT_MOVES, A.ARMED) == set(A)


def test_every_message_can_come_to_an_end() -> None:
    for state in S:
        assert reachable(MOVES, state) & TERMINAL


@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(way))
def test_the_diagram(way: list[S]) -> None:
    for old, new in pairwise(way):
        assert new in MOVES[old]


def test_a_terminal_state_is_left_only_by_evidence() -> None:
    for state in TERMINAL:
        assert MOVES[state] <= EVIDENCE


def test_a_delivered_message_stays_delivered() -> None:
    assert reachable(MOVES, S.DELIVERED) == {S.DELIVERED}


def test_nothing_is_claimed_or_sent_again_after_the_end() -> None:
    again = {S.QUEUED, S.RETRY_WAIT, S.SENDING, S.IN_DOUBT}
    for state in TERMINAL:
        assert not MOVES[state] & again


def test_what_is_sent_goes_on_only_to_another_channel_after_a_late_failure() -> None:
    assert MOVES[S.SENT] & {S.QUEUED, S.RETRY_WAIT, S.SENDING, S.IN_DOUBT} == {S.QUEUED}


def test_nothing_is_cancelled_once_it_may_be_on_its_way_unless_its_provider_takes_it_back() -> None:
    assert {state for state in S if S.CANCELLED in MOVES[state]} == {*CANCELLABLE, S.SENT}
    assert CANCELLABLE == WAITING
    assert CANCELLABLE.isdisjoint({S.SENDING, S.IN_DOUBT, S.SENT})


def test_only_a_doubt_becomes_unknown() -> None:
    assert {state for state in S if S.UNKNOWN in MOVES[state]} == {S.IN_DOUBT}


def test_an_armed_attempt_never_goes_back() -> None:
    """No row, no bytes: an attempt is armed once, and after a start it can only be in doubt."""
    assert all(A.ARMED not in moves for moves in ATTEMPT_MOVES.values())
    assert A.IN_DOUBT in ATTEMPT_MOVES[A.ARMED]


@pytest.mark.parametrize(
    ("old", "new"),
    [(S.DELIVERED, S.UNDELIVERED), (S.SENT, S.SENDING), (S.CANCELLED, S.SENDING), (S.SENDING, S.CANCELLED)],
)
def test_what_may_never_be_listed(old: S, new: S) -> None:
    """That the store refuses every unlisted pair is in tests/contract."""
    assert new not in MOVES[old]


@pytest.mark.parametrize(("old", "new"), [(A.ACCEPTED, A.IN_DOUBT), (A.IN_DOUBT, A.ACCEPTED), (A.ARMED, A.UNRESOLVED)])
def test_what_may_never_be_listed_of_an_attempt(old: A, new: A) -> None:
    assert new not in ATTEMPT_MOVES[old]


def test_what_a_late_answer_may_change() -> None:
    for state in (A.IN_DOUBT, A.UNRESOLVED):
        assert {A.ACCEPTED_LATE, A.REFUSED_LATE} <= ATTEMPT_MOVES[state]
