"""Moves are checked against the table, and every one leaves a row in the history."""

from __future__ import annotations

import pytest

from bridge.model import AttemptState, Status
from bridge.states import ATTEMPT_MOVES, MOVES, WAITING
from bridge.store import Changes

from .support import START, Place, attempt, changed, message, new_id, put


@pytest.mark.parametrize("code", ["why", ""])  # without one the usual moves take a shorter way
@pytest.mark.parametrize("old", list(Status))
def test_a_move_is_made_if_and_only_if_the_table_lists_it(place: Place, old: Status, code: str) -> None:
    def story(c: Changes) -> None:
        for new in Status:
            before = put(c, old)
            rows = len(c.history(before.id))
            legal = new in MOVES[old]
            assert c.move(before.id, new, START + 1, code=code, queue="m1" if new in WAITING else None) is legal
            after = c.message(before.id)
            assert after is not None
            if legal:
                assert (after.status, after.code, after.updated_at) == (new, code, START + 1)
                assert len(c.history(before.id)) == rows + 1
            else:
                assert after == before
                assert len(c.history(before.id)) == rows

    place.do(story)


def test_a_move_changes_what_is_given_and_keeps_the_rest(place: Place) -> None:
    def story(c: Changes) -> None:
        order = put(c, Status.SENDING, due_at=START - 5, priority=3)
        c.move(order.id, Status.IN_DOUBT, START + 1, code="silence", reason="no answer", tries=4)
        expected = changed(
            order, status=Status.IN_DOUBT, code="silence", reason="no answer", tries=4, updated_at=START + 1
        )
        assert c.message(order.id) == expected
        c.move(order.id, Status.QUEUED, START + 2, queue="m1", due_at=START + 9, possible_duplicate=True)
        assert c.message(order.id) == changed(
            expected,
            status=Status.QUEUED,
            code="",
            reason="",
            queue="m1",
            due_at=START + 9,
            possible_duplicate=True,
            updated_at=START + 2,
        )

    place.do(story)


def test_withdrawn_is_kept_until_it_is_taken_back_and_changes_nothing_else(place: Place) -> None:
    def story(c: Changes) -> None:
        order = put(c, Status.SENT)
        c.withdraw(order.id)
        assert c.message(order.id) == changed(order, withdrawn=True)
        c.withdraw(order.id, withdrawn=False)
        assert c.message(order.id) == order

    place.do(story)


@pytest.mark.parametrize("new", sorted(WAITING))
def test_nothing_waits_in_no_queue(place: Place, new: Status) -> None:
    """Nobody would ever look for it there."""
    order = place.do(lambda c: put(c, Status.SENDING, channel="m1"))
    with pytest.raises(ValueError, match="in no queue"):
        place.do(lambda c: c.move(order.id, new, START))


def test_there_is_no_move_without_a_message(place: Place) -> None:
    assert place.do(lambda c: c.move(new_id(), Status.SENDING, START)) is False


def test_history_begins_with_the_acceptance_and_tells_every_move_in_order(place: Place) -> None:
    order = message()

    def story(c: Changes) -> None:
        c.add([order])
        c.move(order.id, Status.SENDING, START + 1, data={"channel": "m1", "part": 1})
        c.note(order.id, START + 2, "part_sent", {"tp_mr": 255, "last": False, "reference": None})
        c.move(order.id, Status.IN_DOUBT, START + 2, code="silence")
        c.move(order.id, Status.QUEUED, START + 3, event="resend", queue="*", code="x", data={"code": "kept"})

    place.do(story)
    assert [(e.message, e.at - START, e.kind, e.data) for e in place.do(lambda c: c.history(order.id))] == [
        (order.id, 0, "queued", {}),
        (order.id, 1, "sending", {"channel": "m1", "part": 1}),
        (order.id, 2, "part_sent", {"tp_mr": 255, "last": False, "reference": None}),
        (order.id, 2, "in_doubt", {"code": "silence"}),
        (order.id, 3, "resend", {"code": "kept"}),
    ]
    ids = [e.id for e in place.do(lambda c: c.history(order.id))]
    assert ids == sorted(set(ids))
    assert place.do(lambda c: c.history(new_id())) == []


def test_counts_follow_every_move(place: Place) -> None:
    def story(c: Changes) -> None:
        for status in Status:
            put(c, status)
        put(c, Status.SENT)
        c.add([message(), message()])
        assert c.counts()[Status.QUEUED] == 3  # a work sees its own moves

    place.do(story)
    # The opening put the one that was sending back into the queue.
    expected = dict.fromkeys(Status, 1) | {Status.SENT: 2, Status.QUEUED: 4}
    del expected[Status.SENDING]
    assert place.do(lambda c: c.counts()) == expected
    assert place.play(lambda s: s.read(lambda v: v.counts())) == expected


@pytest.mark.parametrize("old", list(AttemptState))
def test_an_attempt_ends_only_as_the_table_lists_it(place: Place, old: AttemptState) -> None:
    way = {
        AttemptState.ARMED: [],
        AttemptState.UNRESOLVED: [AttemptState.IN_DOUBT, AttemptState.UNRESOLVED],
        AttemptState.ACCEPTED_LATE: [AttemptState.IN_DOUBT, AttemptState.ACCEPTED_LATE],
        AttemptState.REFUSED_LATE: [AttemptState.IN_DOUBT, AttemptState.REFUSED_LATE],
    }.get(old, [old])

    def story(c: Changes) -> None:
        for new in AttemptState:
            tried = attempt(put(c, Status.SENDING))
            c.arm(tried)
            for step in way:
                assert c.end(tried.id, step, START)
            before = c.attempt(tried.id)
            assert before is not None
            assert c.end(tried.id, new, START + 1) is (new in ATTEMPT_MOVES[old])
            after = c.attempt(tried.id)
            assert after is not None
            assert after == (changed(before, state=new, ended_at=START + 1) if new in ATTEMPT_MOVES[old] else before)

    place.do(story)


def test_the_end_of_an_attempt_keeps_what_is_not_given(place: Place) -> None:
    def story(c: Changes) -> None:
        order = put(c, Status.SENDING)
        tried = attempt(order, deadline=START + 5, possible_duplicate=True, part=2, epoch=9)
        c.arm(tried)
        assert c.attempt(tried.id) == tried
        c.end(tried.id, AttemptState.IN_DOUBT, START + 1, code="silence", detail="no answer", deadline=START + 9)
        doubt = changed(
            tried, state=AttemptState.IN_DOUBT, ended_at=START + 1, code="silence", detail="no answer",
            deadline=START + 9,
        )  # fmt: skip
        assert c.attempt(tried.id) == doubt
        c.end(tried.id, AttemptState.ACCEPTED_LATE, START + 2, reference="0", tp_mr=0, listening=True)
        sent = changed(
            doubt, state=AttemptState.ACCEPTED_LATE, ended_at=START + 2, reference="0", tp_mr=0, listening=True
        )
        assert c.attempt(tried.id) == sent
        c.reported(
            tried.id, tp_st=0, fate="delivered", fingerprint="ab", at=START + 3, discharged_at=None, listening=False
        )
        assert c.attempt(tried.id) == changed(
            sent, tp_st=0, fate="delivered", report_fingerprint="ab", reported_at=START + 3, listening=False
        )

    place.do(story)


def test_attempts_of_a_message_come_oldest_first(place: Place) -> None:
    def story(c: Changes) -> None:
        order, other = put(c, Status.SENDING), put(c, Status.SENDING)
        tried = [attempt(order, part=n) for n in (3, 1, 2)]
        for each in [*tried, attempt(other)]:
            c.arm(each)
        assert c.attempts(order.id) == tried
        assert c.attempts(new_id()) == []
        assert c.attempt(new_id()) is None

    place.do(story)


def test_an_attempt_needs_its_message(place: Place) -> None:
    with pytest.raises(Exception, match=r"FOREIGN KEY|foreign key"):
        place.do(lambda c: c.arm(attempt(message())))
