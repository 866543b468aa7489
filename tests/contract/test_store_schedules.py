"""An occurrence is made once and counted once."""

from __future__ import annotations

from bridge.model import Occurrence, OccurrenceState, Schedule
from bridge.store import Changes

from .support import START, Place, changed, new_id

MINUTE = 60_000


def test_a_time_that_comes_round_again_is_passed_over_and_not_counted(place: Place) -> None:
    schedule = Schedule(
        id=new_id(),
        client=0,
        created_at=START,
        updated_at=START,
        rhythm="every 1 minute",
        every=MINUTE,
        zone="UTC",
        start=START,
        recipients=("+48600700800",),
        orders="{}",
        next_at=START + MINUTE,
    )

    def occurrence() -> Occurrence:
        due_at = START + MINUTE
        return Occurrence(
            id=new_id(), schedule=schedule.id, due_at=due_at, made_at=due_at, state=OccurrenceState.SENT, count=1
        )

    def story(c: Changes) -> None:
        c.add_schedule(schedule)
        assert c.occur(schedule, occurrence(), START + 2 * MINUTE, sent=True)
        present = c.schedule(schedule.id)
        assert present is not None
        assert (present.sent, present.next_at) == (1, START + 2 * MINUTE)
        c.change_schedule(changed(present, next_at=START + MINUTE))  # by whatever mistake
        assert not c.occur(present, occurrence(), START + 2 * MINUTE, sent=True)
        after = c.schedule(schedule.id)
        assert after is not None
        assert (after.sent, after.next_at) == (1, START + 2 * MINUTE)
        assert len(c.occurrences(schedule.id)) == 1

    place.do(story)
