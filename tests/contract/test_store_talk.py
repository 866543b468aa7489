"""Who was written to lately, and what is kept of conversations, opt-outs, answers, programs and calls."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import msgspec
import pytest

from bridge.model import AttemptState, Conversation, Inbound, OptOut, ProgramRun, SentTo
from bridge.store import Changes
from bridge.store.talk import RUN
from tests.contract.support import DAY, HOUR, SECOND, SIM, START, Place, attempt, message

ALICE = "+48600700800"
KEY = ALICE[-8:]
WINDOW = 72 * HOUR


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def sent(changes: Changes, at: int, to: str = ALICE, sim: str = SIM, number: int = 0) -> SentTo:
    """A message that went out `at`."""
    one = message(id=(at << 20) + 2 * number, to=to, created_at=at)
    tried = attempt(one, id=(at << 20) + 2 * number + 1, recipient=to[-8:], sim=sim, armed_at=at)
    changes.add([one])
    changes.arm(tried)
    return SentTo(sim=sim, message=one.id, attempt=tried.id)


def crowd(changes: Changes, at: int, count: int) -> None:
    for number in range(count):
        sent(changes, at + number // 100, f"+4811{number:08d}", number=1000 + number)


def test_what_was_sent_is_found_before_and_after_it_is_sorted(place: Place) -> None:
    early = place.do(partial(sent, at=START))
    place.do(lambda c: crowd(c, START + SECOND, RUN))
    late = place.do(partial(sent, at=START + 60 * SECOND, sim="other"))
    since = START - HOUR
    assert place.do(lambda c: c.sent_lately(KEY, since, 10)) == [late, early]
    place.clock.at = START + 120 * SECOND
    assert place.do(lambda c: c.keep_sent(place.clock.at, WINDOW)) is True
    assert place.do(lambda c: c.keep_sent(place.clock.at, WINDOW)) is False
    assert place.do(lambda c: c.sent_lately(KEY, since, 10)) == [late, early]
    assert place.do(lambda c: c.sent_lately(KEY, since, 1)) == [late]
    assert place.do(lambda c: c.sent_lately(KEY, START + 30 * SECOND, 10)) == [late]
    assert place.do(lambda c: c.sent_lately("00000007", since, 10))[0].sim == SIM


def test_what_was_written_a_moment_ago_is_not_sorted_yet(place: Place) -> None:
    """Its neighbour with a smaller id may not be there yet."""
    place.do(lambda c: crowd(c, START, RUN))
    assert place.do(lambda c: c.keep_sent(START + 1000, WINDOW)) is False
    assert place.do(lambda c: c.keep_sent(START + 60_000, WINDOW)) is True


def test_a_refused_attempt_was_not_sent(place: Place) -> None:
    def work(changes: Changes) -> bool:
        return changes.end(sent(changes, START).attempt, AttemptState.REFUSED_SAFE, START + 1)

    assert place.do(work)
    assert place.do(lambda c: c.sent_lately(KEY, 0, 10)) == []


def test_a_message_of_many_parts_is_one_candidate(place: Place) -> None:
    def work(changes: Changes) -> None:
        one = message(id=START << 20)
        changes.add([one])
        for part in (1, 2, 3):
            changes.arm(attempt(one, id=(START << 20) + part, part=part))

    place.do(work)
    assert place.do(lambda c: c.sent_lately(KEY, 0, 10)) == [
        SentTo(sim=SIM, message=START << 20, attempt=(START << 20) + 3)
    ]


def test_old_runs_go_and_what_is_newer_stays_sorted(place: Place) -> None:
    place.do(partial(sent, at=START))
    place.do(lambda c: crowd(c, START + 1, RUN))
    place.do(lambda c: crowd(c, START + DAY, RUN))
    place.clock.at = START + DAY + HOUR
    for _ in range(2):
        assert place.do(lambda c: c.keep_sent(place.clock.at, WINDOW)) is True
    assert place.do(lambda c: c.forget_sent(START + HOUR, 10)) == 1
    assert place.do(lambda c: c.forget_sent(START + HOUR, 10)) == 0
    assert place.do(lambda c: c.keep_sent(place.clock.at, WINDOW)) is False  # nothing is sorted again
    assert place.do(lambda c: c.sent_lately("00000007", 0, 10)) != []


def test_a_conversation_gets_what_is_sent_after_it_began(place: Place) -> None:
    conversation = Conversation(
        id=7, channel="m1", sim=SIM, peer=ALICE, recipient=KEY, started_at=START, last=5, last_at=START, received=1
    )
    place.do(lambda c: c.add_conversation(conversation))
    one = place.do(partial(sent, at=START + 1))
    place.do(lambda c: crowd(c, START + 2, RUN))
    assert place.do(lambda c: c.said(7, None, 10)) == []
    place.do(lambda c: c.keep_sent(START + HOUR, WINDOW))
    assert place.do(lambda c: c.said(7, None, 10)) == [one.message]
    assert place.do(lambda c: c.said(7, one.message, 10)) == []
    place.do(lambda c: c.forget_sent(START + DAY, 10))
    assert place.do(lambda c: c.said(7, None, 10)) == [one.message]
    place.do(lambda c: c.went_on(7, "m2", 9, START + 5))
    (found,) = place.do(lambda c: c.conversations(peer=ALICE))
    assert (found.channel, found.last, found.received) == ("m2", 9, 2)
    assert place.do(lambda c: c.conversation_of(SIM, ALICE)) == found


def test_an_opt_out_is_kept_once(place: Place) -> None:
    first = OptOut(id=1, number=ALICE, sender="Shop", created_at=START, word="STOP", inbound=3)
    assert place.do(lambda c: c.add_opt_out(first)) is True
    assert place.do(lambda c: c.add_opt_out(msgspec.structs.replace(first, id=2))) is False
    assert place.do(lambda c: c.add_opt_out(msgspec.structs.replace(first, id=3, sender=""))) is True
    assert [o.id for o in place.do(lambda c: c.opt_outs(number=ALICE))] == [3, 1]
    assert place.do(lambda c: c.remove_opt_out(1)) is True
    assert place.do(lambda c: c.remove_opt_out(1)) is False
    assert place.do(lambda c: c.opt_out(1)) is None


def test_answers_are_counted_by_number_and_rule_and_forgotten(place: Place) -> None:
    def work(changes: Changes) -> None:
        changes.add_auto_reply(1, ALICE, "info", START)
        changes.add_auto_reply(2, ALICE, "hours", START + HOUR)
        changes.add_auto_reply(3, "+48600700801", "info", START)

    place.do(work)
    assert place.do(lambda c: c.auto_replies(ALICE, START - 1)) == 2
    assert place.do(lambda c: c.auto_replies(ALICE, START - 1, "info")) == 1
    assert place.do(lambda c: c.auto_replies(ALICE, START)) == 1
    assert place.do(lambda c: c.forget_auto_replies(START + 1)) == 2


def test_a_program_is_due_until_it_has_ended(place: Place) -> None:
    run = ProgramRun(id=1, inbound=5, rule="door", due_at=START)
    place.do(lambda c: c.add_program_run(run))
    assert place.do(lambda c: c.program_runs(START - 1, 9)) == []
    assert place.do(lambda c: c.program_runs(START, 9)) == [run]
    assert place.do(lambda c: c.next_program_run()) == START
    ended = msgspec.structs.replace(run, tries=1, ended_at=START + 1, outcome="exit 0")
    place.do(lambda c: c.change_program_run(ended))
    assert place.do(lambda c: c.program_runs(START + DAY, 9)) == []
    assert place.do(lambda c: c.next_program_run()) is None
    assert place.do(lambda c: c.program_runs_of(5)) == [ended]


def test_what_is_withheld_is_listed_for_who_asks(place: Place) -> None:
    def inbound(id: int, withheld: str) -> Inbound:
        content: dict[str, str | int | bool | None] = {"type": "silent", "count": None, "active": True}
        return Inbound(
            id=id, channel="m1", sim=SIM, sender=ALICE, received_at=START, withheld=withheld, content=content
        )

    place.do(lambda c: c.add_inbound(inbound(1, ""), []))
    place.do(lambda c: c.add_inbound(inbound(2, "silent"), []))
    assert [i.id for i in place.do(lambda c: c.inbounds())] == [1]
    found = place.do(lambda c: c.inbounds(withheld=True))
    assert [i.id for i in found] == [2, 1]
    assert found[0].content == {"type": "silent", "count": None, "active": True}
