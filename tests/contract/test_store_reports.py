"""Doubts, delivery reports and what closes them by time."""

from __future__ import annotations

from bridge.model import Attempt, AttemptState, Message, Status
from bridge.store import Changes

from .support import DAY, HOUR, SIM, START, Place, attempt, message, new_id, put, report


def accepted(c: Changes, tp_mr: int, *, order: Message | None = None, sim: str = SIM, to: str = "+48600700800",
             status: Status = Status.SENT, expires_at: int | None = None) -> Attempt:  # fmt: skip
    order = order or put(c, Status.SENDING, to=to, expires_at=expires_at)
    tried = attempt(order, sim=sim)
    c.arm(tried)
    c.end(tried.id, AttemptState.ACCEPTED, START, reference=str(tp_mr), tp_mr=tp_mr, listening=True)
    if status is Status.SENT:
        c.move(order.id, Status.SENT, START)
    found = c.attempt(tried.id)
    assert found is not None
    return found


def in_doubt(c: Changes, deadline: int | None = None, *, sim: str = SIM) -> Attempt:
    order = put(c, Status.SENDING)
    tried = attempt(order, sim=sim)
    c.arm(tried)
    c.end(tried.id, AttemptState.IN_DOUBT, START, deadline=deadline)
    c.move(order.id, Status.IN_DOUBT, START)
    found = c.attempt(tried.id)
    assert found is not None
    return found


def test_listening_is_by_sim_and_reference_newest_first(place: Place) -> None:
    def story(c: Changes) -> None:
        first, second = accepted(c, 17), accepted(c, 17)
        accepted(c, 18)
        accepted(c, 17, sim="other")
        armed = attempt(put(c, Status.SENDING))
        c.arm(armed)
        assert c.listening(SIM, 17) == [second, first]
        assert c.listening(SIM, 99) == []

    place.do(story)


def test_listening_to_is_by_recipient_newest_first(place: Place) -> None:
    def story(c: Changes) -> None:
        first, second = accepted(c, 1), accepted(c, 2)
        accepted(c, 3, to="+48999999999")
        accepted(c, 4, sim="other")
        assert c.listening_to(SIM, "00700800") == [second, first]

    place.do(story)


def test_due_reports_are_the_newest_of_a_span_whose_report_was_asked_for(place: Place) -> None:
    def story(c: Changes) -> None:
        tried = [accepted(c, n) for n in range(4)]
        accepted(c, 9, order=put(c, Status.SENDING, report=False))
        in_doubt(c)
        c.reported(
            tried[2].id, tp_st=0, fate="delivered", fingerprint="f", at=START, discharged_at=START, listening=True
        )
        found = c.due_reports(tried[0].id, tried[3].id + 100, 9)
        assert [(r.attempt, r.delivered) for r in found] == [(t.id, t is tried[2]) for t in tried[1:]]
        assert {(r.sim, r.recipient) for r in found} == {(SIM, "00700800")}
        assert [r.attempt for r in c.due_reports(0, tried[3].id, 2)] == [tried[1].id, tried[2].id]
        assert c.due_reports(tried[3].id, tried[3].id + 100, 9) == []

    place.do(story)


def test_an_attempt_is_listened_for_until_an_hour_after_delivery(place: Place) -> None:
    def story(c: Changes) -> Attempt:
        tried = accepted(c, 5)
        c.reported(tried.id, tp_st=0, fate="delivered", fingerprint="f", at=START, discharged_at=START, listening=True)
        c.move(tried.message, Status.DELIVERED, START)
        pending = accepted(c, 5)
        c.reported(
            pending.id, tp_st=0x30, fate="pending", fingerprint="g", at=START, discharged_at=None, listening=True
        )
        return pending

    pending = place.do(story)
    place.clock.at = START + HOUR - 1
    assert len(place.do(lambda c: c.listening(SIM, 5))) == 2
    place.clock.at = START + HOUR
    assert [a.id for a in place.do(lambda c: c.listening(SIM, 5))] == [pending.id]  # by itself
    assert place.do(lambda c: c.close_reports(START + HOUR, 9)) == []
    place.clock.at = START
    assert [a.id for a in place.do(lambda c: c.listening(SIM, 5))] == [pending.id]  # and for good


def test_waiting_for_a_report_ends_a_day_after_expiry(place: Place) -> None:
    tried = place.do(lambda c: accepted(c, 5, expires_at=START + HOUR))
    assert place.do(lambda c: c.close_reports(START + HOUR + DAY - 1, 9)) == []
    assert place.do(lambda c: c.close_reports(START + HOUR + DAY, 9)) == [tried.message]
    assert place.do(lambda c: c.close_reports(START + HOUR + DAY, 9)) == []
    closed = place.do(lambda c: c.message(tried.message))
    assert closed is not None
    assert (closed.status, closed.code) == (Status.SENT_NO_REPORT, "no_report")
    assert place.do(lambda c: c.listening(SIM, 5)) == []


def test_waiting_for_a_report_ends_after_a_week_without_expiry(place: Place) -> None:
    tried = place.do(lambda c: accepted(c, 5))
    assert place.do(lambda c: c.close_reports(START + 7 * DAY - 1, 9)) == []
    assert place.do(lambda c: c.close_reports(START + 7 * DAY, 9)) == [tried.message]


def test_close_reports_leaves_alone_what_waits_for_none(place: Place) -> None:
    def story(c: Changes) -> None:
        for status in Status:
            put(c, status, report=False, expires_at=START)

    place.do(story)
    before = place.do(lambda c: c.counts())
    assert place.do(lambda c: c.close_reports(START + 30 * DAY, 99)) == []
    assert place.do(lambda c: c.counts()) == before


def test_close_reports_keeps_to_its_limit_and_comes_to_an_end(place: Place) -> None:
    place.do(lambda c: [accepted(c, n) for n in range(5)])
    sizes = [len(place.do(lambda c: c.close_reports(START + 8 * DAY, 2))) for _ in range(4)]
    assert sizes == [2, 2, 1, 0]


def test_what_was_settled_makes_room_for_the_next(place: Place) -> None:
    def deliver(c: Changes) -> None:
        for n in range(12):
            tried = accepted(c, n)
            c.move(tried.message, Status.DELIVERED, START)

    place.do(deliver)
    for _ in range(3):
        place.do(lambda c: c.close_reports(START + HOUR, 1))
    assert place.do(lambda c: [c.listening(SIM, n) for n in range(12)]) == [[]] * 12


def test_attempts_left_behind_by_a_closed_message_are_not_listened_for_for_ever(place: Place) -> None:
    def story(c: Changes) -> int:
        tried = accepted(c, 5, status=Status.SENDING)  # one part accepted, then no channel would take the rest
        c.move(tried.message, Status.FAILED, START)
        return tried.message

    failed = place.do(story)
    assert len(place.do(lambda c: c.listening(SIM, 5))) == 1
    assert place.do(lambda c: c.close_reports(START + 7 * DAY, 9)) == []
    assert place.do(lambda c: c.listening(SIM, 5)) == []
    found = place.do(lambda c: c.message(failed))
    assert found is not None
    assert found.status is Status.FAILED


def test_doubts_have_deadlines(place: Place) -> None:
    assert place.do(lambda c: (c.next_deadline(), c.open_doubts())) == (None, 0)

    def story(c: Changes) -> None:
        late, early, never = in_doubt(c, START + 9), in_doubt(c, START + 3), in_doubt(c)
        armed = attempt(put(c, Status.SENDING), deadline=START + 1)
        c.arm(armed)  # armed is not yet in doubt
        assert c.next_deadline() == START + 3
        assert c.open_doubts() == 3
        assert c.doubts_due(START + 2, 9) == []
        assert c.doubts_due(START + 9, 9) == [early, late]
        assert c.doubts_due(START + 9, 1) == [early]
        c.end(early.id, AttemptState.UNRESOLVED, START + 3)
        assert c.next_deadline() == START + 9
        assert c.open_doubts() == 2
        assert never.deadline is None
        c.end(armed.id, AttemptState.REFUSED_SAFE, START + 3)

    place.do(story)


def test_doubts_of_a_sim_are_the_open_ones_and_those_closed_lately(place: Place) -> None:
    def story(c: Changes) -> tuple[int, int]:
        old, closed, still = in_doubt(c), in_doubt(c), in_doubt(c)
        in_doubt(c, sim="other")
        resolved = in_doubt(c)
        c.end(resolved.id, AttemptState.ACCEPTED_LATE, START)
        c.end(old.id, AttemptState.UNRESOLVED, START - 3 * DAY - 1)
        c.end(closed.id, AttemptState.UNRESOLVED, START - 3 * DAY)
        return closed.id, still.id

    closed, still = place.do(story)
    assert [a.id for a in place.do(lambda c: c.doubts_of(SIM))] == [still, closed]


def test_a_provider_reference_finds_its_attempt(place: Place) -> None:
    def story(c: Changes) -> None:
        tried = attempt(put(c, Status.SENDING), channel="cloud")
        c.arm(tried)
        c.end(tried.id, AttemptState.ACCEPTED, START, reference="abc-1", listening=True)
        assert c.by_reference("cloud", "abc-1") == c.attempt(tried.id)
        assert c.by_reference("other", "abc-1") is None
        assert c.by_reference("cloud", "abc-2") is None

    place.do(story)


def test_orphans_are_reports_without_an_attempt(place: Place) -> None:
    tried = place.do(lambda c: accepted(c, 5))
    first, second = report(received_at=START + 1), report(received_at=START, tp_mr=6, submitted_at=START - 5)
    mine = report(attempt=tried.id, fate="undelivered", code="20:219", elsewhere=True, bars_codes=True)
    elsewhere = report(sim="other")

    def story(c: Changes) -> None:
        for each in (first, second, mine, elsewhere):
            c.add_report(each)
        assert c.orphans(SIM, None, 0) == [second, first]
        assert c.orphans(SIM, 5, 0) == [first]
        assert c.orphans(SIM, None, START + 1) == [first]
        assert c.reports(tried.id) == [mine]
        c.assign_report(first.id, tried.id)
        assert c.orphans(SIM, 5, 0) == []
        assert [r.id for r in c.reports(tried.id)] == [first.id, mine.id]
        assert c.reports(new_id()) == []

    place.do(story)


def test_batches_are_counted_by_status(place: Place) -> None:
    from bridge.model import Batch
    from bridge.store import MessageFilter

    id = new_id()
    mine = [message(batch=id) for _ in range(3)]
    stranger = message()
    mine.append(message(batch=id))
    batch = Batch(id=id, client=1, created_at=START, first=mine[0].id, last=mine[-1].id, count=4, ref="spring")

    def story(c: Changes) -> None:
        c.add([*mine, stranger])
        c.add_batch(batch)
        c.move(mine[0].id, Status.CANCELLED, START)
        assert c.batch(id) == batch
        assert c.batch(new_id()) is None
        assert c.batch_counts(batch) == {Status.QUEUED: 3, Status.CANCELLED: 1}
        assert [m.id for m in c.messages(MessageFilter(batch=id))] == [m.id for m in reversed(mine)]

    place.do(story)
