"""Strict order where it was asked for: of a lane's messages one goes after the other.

Nobody pays who did not ask: which messages are in a lane is kept in memory, so a move of any other costs one look into
a set. A message that is claimed too early is parked, with those behind it, and the next is let go when one leaves.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from bridge.model import PARKED, Instant, Message, Status
from bridge.policy.urgency import ALARM
from bridge.store.queries import load
from bridge.store.statements import Statements

__all__ = ["ORDERED", "LaneChanges"]

LANES = load("lanes")

ORDERED = "ordered"  # the code of those that wait for the one before them
PARKED_AT_ONCE = 500  # in one transaction, so that other works do not wait for long
_WHY = "waits for the one that was ordered before it, as was asked"

# Moves by which a message is out of the way of those behind it.
_LEFT = frozenset(Status) - {Status.QUEUED, Status.SENDING, Status.RETRY_WAIT, Status.IN_DOUBT}


class _Everybody(set[int]):
    """Perhaps in a lane: what is so is read when it is needed."""

    def __contains__(self, id: object) -> bool:
        return True


class LaneChanges(Statements):
    def __init__(self, connection: sqlite3.Connection, now: Callable[[], Instant]) -> None:
        super().__init__(connection, now)
        self._laned: set[int] = _Everybody()

    def predecessor(self, message: Message, now: Instant, *, window: int, alarm_window: int) -> int | None:
        values = {
            "lane": _lane(message),
            "message": message.id,
            "now": now,
            "alarm": ALARM,
            "since": now - window,
            "alarm_since": now - alarm_window,
        }
        found: int | None = self._value(LANES["predecessor"], values)
        return found

    def park(self, message: Message, queue: str, now: Instant) -> int:
        assert queue != PARKED
        lane = _lane(message)
        wanted = {"lane": lane, "message": message.id, "queue": queue, "now": now, "limit": PARKED_AT_ONCE}
        ids = [message.id, *(id for (id,) in self._run(LANES["behind"], wanted).fetchall())]
        self._run_each(LANES["park"], [(ORDERED, _WHY, id) for id in ids])
        self._run_each(LANES["note_parked"], [(queue, lane, id) for id in ids])
        return len(ids)

    # What happens by itself.

    def _join_lanes(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if message.order_key is not None:
                self._run(LANES["join"], (_lane(message), message.id))
                self._laned.add(message.id)

    def _lane_moved(self, message: int, new: Status, now: Instant, *, doubted: bool = False) -> None:
        """One in doubt lets the next come and see how long it has to wait. `doubted`: it was in doubt."""
        if new not in _LEFT and new is not Status.IN_DOUBT:
            return
        if isinstance(self._laned, _Everybody):
            self._laned = {id for (id,) in self._run(LANES["laned"])}
        lane = self._value(LANES["lane_of"], {"message": message})
        if lane is None:
            return
        if new in _LEFT:
            self._run(LANES["leave"], {"message": message})
            self._laned.discard(message)
            if doubted:
                self._run(LANES["hurry"], {"lane": lane, "now": now, "code": ORDERED})
        while (first := self._run(LANES["first_parked"], {"lane": lane}).fetchone()) is not None:
            id, queue = first
            self._run(LANES["note_unparked"], {"lane": lane, "message": id})
            if self._run(LANES["unpark"], {"message": id, "queue": queue}).rowcount == 1:
                return

    def _forget_lanes(self) -> None:
        """The works are undone, and what they took out of the set is in it again."""
        self._laned = _Everybody()

    def _run_each(self, statement: str, values: Sequence[tuple[object, ...]]) -> None:
        for one in values:
            self._run(statement, one)


def _lane(message: Message) -> str:
    return f"{message.client}:{message.order_key}"
