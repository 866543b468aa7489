"""Recurring sends: the verbs of schedules and their occurrences."""

from __future__ import annotations

from bridge.model import Instant, Occurrence, Schedule
from bridge.store.queries import load
from bridge.store.rows import OCCURRENCE, SCHEDULE
from bridge.store.statements import Statements

__all__ = ["ScheduleChanges", "ScheduleView"]

SCHEDULES = load("schedules")

_HIGHEST = (1 << 63) - 1


class ScheduleView(Statements):
    def schedule(self, id: int) -> Schedule | None:
        return self._one(SCHEDULE, SCHEDULES["schedule"], {"id": id})

    def schedules(self, *, client: int | None = None, before: int | None = None, limit: int = 50) -> list[Schedule]:
        values = {"client": client, "before": _HIGHEST if before is None else before, "limit": limit}
        return self._all(SCHEDULE, SCHEDULES["schedules"], values)

    def schedules_due(self, now: Instant, limit: int) -> list[Schedule]:
        return self._all(SCHEDULE, SCHEDULES["due"], {"now": now, "limit": limit})

    def next_schedule(self) -> Instant | None:
        found: Instant | None = self._value(SCHEDULES["next"], {})
        return found

    def occurrences(self, schedule: int, *, before: Instant | None = None, limit: int = 50) -> list[Occurrence]:
        values = {"schedule": schedule, "before": _HIGHEST if before is None else before, "limit": limit}
        return self._all(OCCURRENCE, SCHEDULES["occurrences"], values)

    def last_occurrence(self, schedule: int) -> Instant | None:
        found: Instant | None = self._value(SCHEDULES["last_occurrence"], {"schedule": schedule})
        return found


class ScheduleChanges(ScheduleView):
    def add_schedule(self, schedule: Schedule) -> None:
        self._run(SCHEDULES["add"], SCHEDULE.encode(schedule))

    def change_schedule(self, schedule: Schedule) -> bool:
        if self.schedule(schedule.id) is None:
            return False
        self._run(SCHEDULES["replace"], SCHEDULE.encode(schedule))
        return True

    def remove_schedule(self, id: int) -> bool:
        self._run(SCHEDULES["remove_occurrences"], {"id": id})
        return self._run(SCHEDULES["remove"], {"id": id}).rowcount == 1

    def occur(self, schedule: Schedule, occurrence: Occurrence, next_at: Instant | None, *, sent: bool) -> bool:
        values = {
            "id": schedule.id,
            "due_at": occurrence.due_at,
            "updated_at": schedule.updated_at,
            "next_at": next_at,
            "sent": int(sent),
        }
        if self._run(SCHEDULES["pass"], values).rowcount != 1:
            return False
        return self._run(SCHEDULES["occur"], OCCURRENCE.encode(occurrence)).rowcount == 1

    def forget_occurrences(self, before: Instant, limit: int) -> int:
        return self._run(SCHEDULES["forget"], {"before": before << 20, "limit": limit}).rowcount
