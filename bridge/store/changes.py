"""Changing: `bridge.store.Changes` on the one writing connection.

Besides queue and status each message carries `close_at`: when something is decided about it though nothing happens.
What that is follows from where it stands (`_WATCH`), and one small index serves expiry and all housekeeping.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from bridge.model import (
    ApiKey,
    Attempt,
    AttemptState,
    Batch,
    EventRow,
    Idempotency,
    Inbound,
    Instant,
    Message,
    Received,
    Report,
    Status,
)
from bridge.policy.urgency import ALARM, effective, order
from bridge.states import ATTEMPT_MOVES, MOVES, WAITING
from bridge.store.affinity import AffinityChanges
from bridge.store.lanes import LaneChanges
from bridge.store.outbox import OUTBOX, OutboxChanges
from bridge.store.rows import (
    API_KEY,
    BATCH,
    IDEMPOTENCY,
    INBOUND,
    MESSAGE,
    PLAIN_MESSAGE,
    RECEIVED,
    REPORT,
    is_plain,
)
from bridge.store.schedules import ScheduleChanges
from bridge.store.talk import TALK, TalkChanges
from bridge.store.usage import UsageChanges
from bridge.store.views import ABOVE_ALL, ACCESS, ATTEMPTS, INBOX, MESSAGES, QUEUE, REPEATS_FOR, SqlView

__all__ = ["SqlChanges"]

Data = dict[str, str | int | bool | None]

AFTER_EXPIRY = 86_400_000  # a report is awaited this much longer than the text may live
WITHOUT_EXPIRY = 7 * 86_400_000
SETTLED_PER_MOVED = 5

# What happens to a message that stays where it is.
_WATCH = {
    Status.QUEUED: "expiry",
    Status.RETRY_WAIT: "expiry",
    Status.SENDING: "",  # the driver answers, or a restart finds it
    Status.IN_DOUBT: "",  # its attempt has a deadline
    Status.SENT: "report",
    Status.DELIVERED: "repeats",
    Status.UNDELIVERED: "stragglers",  # a delivery after a failure happens
    Status.SENT_NO_REPORT: "stragglers",
    Status.UNKNOWN: "stragglers",
    Status.EXPIRED: "stragglers",  # parts of it may have been sent
    Status.CANCELLED: "stragglers",
    Status.FAILED: "stragglers",
}


# The states an attempt may come from, as a list for LIKE.
_ATTEMPT_BEFORE = {
    new: f",{','.join(old for old in AttemptState if new in ATTEMPT_MOVES[old])}," for new in AttemptState
}
_to_json = msgspec.json.Encoder().encode


class SqlChanges(AffinityChanges, UsageChanges, OutboxChanges, ScheduleChanges, LaneChanges, TalkChanges, SqlView):
    def __init__(self, connection: sqlite3.Connection, now: Callable[[], Instant]) -> None:
        super().__init__(connection, now)
        self._run_many = connection.executemany
        self._shift: dict[Status, int] = {}  # messages more or fewer, by status, not yet written
        self._notes: list[tuple[int, int, Instant, str, str]] = []  # history rows not yet written

    # accept

    def add(self, messages: Sequence[Message]) -> None:
        plain = [(*PLAIN_MESSAGE.encode(m), m.expires_at) for m in messages if is_plain(m)]
        if plain:
            self._run_many(MESSAGES["add_plain"], plain)
        for message in messages:
            self._shift[message.status] = self._shift.get(message.status, 0) + 1
        if len(plain) < len(messages):
            full = [(*MESSAGE.encode(m), _close_at(m)) for m in messages if not is_plain(m)]
            self._run_many(MESSAGES["add"], full)
            self._join_lanes(messages)
        self._tell_added(messages)

    def add_batch(self, batch: Batch) -> None:
        self._run(MESSAGES["add_batch"], BATCH.encode(batch))

    def remember(self, answer: Idempotency) -> None:
        self._run(ACCESS["remember"], IDEMPOTENCY.encode(answer))

    def next_concatenation(self, to: str) -> int:
        return int(self._value(MESSAGES["next_concatenation"], {"recipient": to}))

    # queue

    def claim(self, queue: str, now: Instant, limit: int, *, at_once_only: bool = False) -> list[Message]:
        """Expired ones too: who claims them moves them to `expired`."""
        statement = QUEUE["due_at_once"] if at_once_only else QUEUE["due"]

        def due(priority: int, most: int) -> list[Message]:
            return self._all(MESSAGE, statement, {"queue": queue, "priority": priority, "now": now, "limit": most})

        claimed: list[Message] = []
        others: list[int] = []  # priorities below the alarms, highest first
        priority = ABOVE_ALL
        while (priority := self._value(QUEUE["next_priority"], {"queue": queue, "below": priority})) is not None:
            if priority < ALARM:
                others.append(priority)
            elif (claimed := claimed + due(priority, limit - len(claimed))) and len(claimed) == limit:
                break
        while others and len(claimed) < limit:
            if self._overtaken(queue, others, now):
                found = [m for one in others for m in due(one, limit - len(claimed))]
                claimed += sorted(found, key=lambda m: order(m, now))[: limit - len(claimed)]
                break
            claimed += due(others.pop(0), limit - len(claimed))
        self._run_many(QUEUE["lease"], [(queue, m.id) for m in claimed])
        return [msgspec.structs.replace(m, queue=None) for m in claimed]

    def _overtaken(self, queue: str, priorities: list[int], now: Instant) -> bool:
        """Whether one of a lower priority has waited so long that it may go before one of the first."""
        for priority in priorities[1:]:
            oldest = self._value(QUEUE["oldest"], {"queue": queue, "priority": priority})
            if oldest is not None and effective(priority, now - oldest) > priorities[0]:
                return True
        return False

    def release(
        self,
        message: int,
        queue: str,
        due_at: Instant,
        *,
        code: str = "",
        reason: str = "",
        as_of: Instant | None = None,
    ) -> bool:
        values = {
            "id": message,
            "queue": queue,
            "due_at": due_at,
            "code": code,
            "reason": reason,
            "as_of": -1 if as_of is None else as_of,
        }
        return self._run(QUEUE["release"], values).rowcount == 1

    def held(self, message: int, now: Instant, *, by: str, reason: str, until: Instant) -> None:
        self.note(message, now, "held", {"by": by, "reason": reason, "until": until})
        self._tell_held(message, until, by, reason)

    def revise(self, message: Message, now: Instant, changed: Data) -> bool:
        values = {
            "id": message.id,
            "text": message.text,
            "encoding": message.encoding._value_,
            "parts": message.parts,
            "concatenation": message.concatenation,
            "route": message.route,
            "channel": message.channel,
            "queue": message.queue,
            "priority": message.priority,
            "due_at": message.due_at,
            "expires_at": message.expires_at,
            "windows": message.windows,
            "asked_at": message.asked_at,
            "code": message.code,
            "reason": message.reason,
            "now": message.updated_at,
        }
        if self._run(MESSAGES["revise"], values).rowcount == 0:
            return False
        self.note(message.id, now, "changed", changed)
        return True

    def clock_moved(self, since: Instant, before: Instant, after: Instant) -> None:
        values = {"since": since, "before": before, "after": after, "moved": after - before}
        if after < before:
            self._run(QUEUE["clock_back"], values)
            self._run(TALK["clock_back"], values)
            for endpoint in self.endpoints():
                self._run(OUTBOX["clock_back"], {**values, "endpoint": endpoint.id})
        self._run(QUEUE["clock_lives"], values)
        self._run(QUEUE["clock_doubts"], values)

    # moves

    def move(
        self,
        message: int,
        new: Status,
        now: Instant,
        *,
        code: str = "",
        reason: str = "",
        queue: str | None = None,
        due_at: Instant | None = None,
        tries: int | None = None,
        possible_duplicate: bool | None = None,
        event: str | None = None,
        data: Data | None = None,
        as_of: Instant | None = None,
    ) -> bool:
        """`code`, when there is one, goes into the history row as well. What is to wait must have a queue to wait in:
        without one nobody would ever look for it, and it is a ValueError."""
        if queue is None and new in WAITING:
            raise ValueError(f"a message cannot be {new} in no queue")
        if not code and tries is None and possible_duplicate is None and self._usual_move(message, new, now, as_of):
            self.note(message, now, event or new._value_, data or {})
            self._tell_moved(message, new, now, code, reason, data or {})
            if message in self._laned:
                self._lane_moved(message, new, now)
            return True
        found = self._run(MESSAGES["status"], {"id": message}).fetchone()
        if found is None or new not in MOVES[old := Status(found[0])]:
            return False
        if as_of is not None and old in WAITING and found[1] != as_of:
            return False
        self._run(
            MESSAGES["move"],
            {
                "id": message,
                "status": new._value_,
                "now": now,
                "code": code,
                "reason": reason,
                "queue": queue,
                "due_at": -1 if due_at is None else due_at,
                "tries": -1 if tries is None else tries,
                "possible_duplicate": -1 if possible_duplicate is None else int(possible_duplicate),
                "watch": _WATCH[new],
                "after_expiry": AFTER_EXPIRY,
                "without_expiry": WITHOUT_EXPIRY,
                "for_repeats": REPEATS_FOR,
            },
        )
        self._moved(old, new)
        row: Data = {"code": code} if code else {}
        row.update(data or {})
        self.note(message, now, event or new._value_, row)
        self._tell_moved(message, new, now, code, reason, row)
        if message in self._laned:
            self._lane_moved(message, new, now, doubted=old is Status.IN_DOUBT)
        return True

    def _usual_move(self, message: int, new: Status, now: Instant, as_of: Instant | None) -> bool:
        """The two moves that every text makes, in one short statement each. False: it was no such move."""
        if new is Status.SENDING and as_of is not None:
            moved = self._run(MESSAGES["queued_to_sending"], (now, message, as_of)).rowcount == 1
            old = Status.QUEUED
        elif new is Status.SENT:
            values = (AFTER_EXPIRY, now + WITHOUT_EXPIRY, now, message)
            moved = self._run(MESSAGES["sending_to_sent"], values).rowcount == 1
            old = Status.SENDING
        else:
            return False
        if moved:
            self._moved(old, new)
        return moved

    def _moved(self, old: Status, new: Status) -> None:
        self._shift[old] = self._shift.get(old, 0) - 1
        self._shift[new] = self._shift.get(new, 0) + 1

    def note(self, message: int, now: Instant, kind: str, data: Data) -> None:
        """Written with those of the whole group, see `settle`."""
        self._notes.append((message, message, now, kind, _to_json(data).decode()))

    # sending

    def arm(self, attempt: Attempt) -> None:
        self._run(
            ATTEMPTS["arm"],
            (
                attempt.id,
                attempt.message,
                attempt.part,
                attempt.channel,
                attempt.sim,
                attempt.recipient,
                attempt.armed_at,
                attempt.epoch,
                attempt.deadline,
                int(attempt.possible_duplicate),
            ),
        )

    def end(
        self,
        attempt: int,
        state: AttemptState,
        now: Instant,
        *,
        reference: str | None = None,
        tp_mr: int | None = None,
        code: str = "",
        cms: int | None = None,
        detail: str = "",
        deadline: Instant | None = None,
        listening: bool = False,
    ) -> bool:
        """What is not given keeps its value: a doubt that is closed still says what it was about."""
        if state is AttemptState.ACCEPTED:  # it comes from `armed` only, where nothing is to be kept
            values = (now, reference, tp_mr, int(listening), attempt)
            return self._run(ATTEMPTS["accept"], values).rowcount == 1
        ended = self._run(
            ATTEMPTS["end"],
            {
                "id": attempt,
                "state": state._value_,
                "allowed": _ATTEMPT_BEFORE[state],
                "now": now,
                "reference": reference or "",
                "tp_mr": -1 if tp_mr is None else tp_mr,
                "code": code,
                "cms": -1 if cms is None else cms,
                "detail": detail,
                "deadline": -1 if deadline is None else deadline,
                "listening": int(listening),
            },
        )
        return ended.rowcount == 1

    def reported(
        self,
        attempt: int,
        *,
        tp_st: int | None,
        fate: str,
        fingerprint: str,
        at: Instant,
        discharged_at: Instant | None,
        listening: bool,
    ) -> None:
        values: dict[str, Any] = {
            "id": attempt,
            "tp_st": tp_st,
            "fate": fate,
            "fingerprint": fingerprint,
            "at": at,
            "discharged_at": discharged_at,
            "listening": int(listening),
        }
        self._run(ATTEMPTS["reported"], values)

    def charge(self, message: int, cost: str, currency: str) -> None:
        self._run(MESSAGES["charge"], {"id": message, "cost": cost, "currency": currency})

    def withdraw(self, message: int, *, withdrawn: bool = True) -> None:
        self._run(MESSAGES["withdraw"], {"id": message, "withdrawn": int(withdrawn)})

    def add_report(self, report: Report) -> None:
        self._run(ATTEMPTS["add_report"], REPORT.encode(report))

    def assign_report(self, report: int, attempt: int) -> None:
        self._run(ATTEMPTS["assign_report"], {"id": report, "attempt": attempt})

    # inbound

    def add_received(self, received: Received) -> None:
        self._run(INBOX["add_received"], RECEIVED.encode(received))

    def add_inbound(self, inbound: Inbound, received: Sequence[int], forward: Sequence[str] = ()) -> None:
        self._run(INBOX["add_inbound"], INBOUND.encode(inbound))
        self._run_many(INBOX["tie"], [(inbound.id, id) for id in received])
        self._tell_inbound(inbound, forward)

    def change_inbound(self, inbound: Inbound, received: Sequence[int]) -> None:
        self._run(TALK["change_inbound"], INBOUND.encode(inbound))
        self._run_many(INBOX["tie"], [(inbound.id, id) for id in received])
        self._tell_inbound(inbound)

    # keys and housekeeping

    def add_key(self, key: ApiKey) -> None:
        self._run(ACCESS["add_key"], API_KEY.encode(key))

    def revoke_key(self, id: int, now: Instant) -> bool:
        """False: no such key, or it was revoked before."""
        return self._run(ACCESS["revoke_key"], {"id": id, "now": now}).rowcount == 1

    def set_meta(self, name: str, value: str) -> None:
        self._run(ACCESS["set_meta"], {"name": name, "value": value})

    def close_reports(self, now: Instant, limit: int) -> list[int]:
        """`limit` holds for the messages moved; more than that are merely settled, so that a call each minute keeps
        pace with 40 deliveries a second."""
        unreported = [id for (id,) in self._run(QUEUE["without_report"], {"now": now, "limit": limit})]
        for id in unreported:
            self.move(id, Status.SENT_NO_REPORT, now, code="no_report", reason="no delivery report came in time")
        settled = [id for (id,) in self._run(QUEUE["settled"], {"now": now, "limit": limit * SETTLED_PER_MOVED})]
        over = [(id,) for id in unreported + settled]
        self._run_many(ATTEMPTS["stop_listening"], over)
        self._run_many(QUEUE["stop_watching"], over)
        return unreported

    def expire(self, now: Instant, limit: int) -> list[int]:
        expired = [id for (id,) in self._run(QUEUE["expired"], {"now": now, "limit": limit})]
        for id in expired:
            self.move(id, Status.EXPIRED, now, code="expired", reason="its validity ended before it could be sent")
        return expired

    def forget(self, before: Instant, limit: int) -> int:
        return self._run(ACCESS["forget"], {"before": before, "limit": limit}).rowcount

    # A work sees its own moves.

    def counts(self) -> dict[Status, int]:
        self.settle()
        return super().counts()

    def history(self, message: int) -> list[EventRow]:
        self.settle()
        return super().history(message)

    # --- For the writer: the end of each group ---

    def settle(self) -> None:
        """Write the history rows and what changed in the counters: one statement each for all works of a group."""
        if self._notes:
            notes, self._notes = self._notes, []
            self._run_many(MESSAGES["add_event"], notes)
        shifted = [(status._value_, by) for status, by in self._shift.items() if by]
        self._shift = {}
        if shifted:
            self._run_many(MESSAGES["count"], shifted)

    def drop(self) -> None:
        """The works are undone."""
        self._shift = {}
        self._notes = []
        self._forget_lanes()
        self._listeners.clear()
        self._forget_backlogs()


def _close_at(message: Message) -> Instant | None:
    return message.expires_at if _WATCH[message.status] == "expiry" else None
