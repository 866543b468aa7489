"""What an opening does first: a new epoch, claims undone, armed attempts in doubt."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable

from bridge.model import ANY_CHANNEL, Attempt, AttemptState, Instant, Message, Status
from bridge.store import BACKUP_AT, IN_USE, RESTORED_AT, Recovered
from bridge.store.changes import SqlChanges
from bridge.store.queries import load
from bridge.store.restored import close_open
from bridge.store.rows import ATTEMPT

__all__ = ["RESTARTED", "doubt_armed", "last_id", "recover"]

log = logging.getLogger("gsmbridge.store")

RECOVERY = load("recovery")
RESTARTED = "restarted"
DONE = (AttemptState.ACCEPTED, AttemptState.ACCEPTED_LATE)


def recover(
    connection: sqlite3.Connection,
    now: Callable[[], Instant],
    doubt_deadline: Callable[[Message, Instant], Instant | None],
    known_epoch: int = 0,
) -> tuple[int, Recovered]:
    """One transaction. Returns the new epoch and what was found. `known_epoch`: the last that was seen here; a database
    that is behind it is an older copy."""
    changes = SqlChanges(connection, now)
    at = now()
    connection.execute("BEGIN IMMEDIATE")
    try:
        before = int(changes.meta("epoch") or "0")
        epoch = max(before, known_epoch) + 1
        changes.set_meta("epoch", str(epoch))
        unclean = changes.meta(IN_USE) == "1"
        changes.set_meta(IN_USE, "1")
        released = connection.execute(RECOVERY["release"]).rowcount
        armed = doubt_armed(connection, changes, at, doubt_deadline)
        for message, queue in connection.execute(RECOVERY["half_sent"]).fetchall():
            released += _put_back(changes, message, queue, at)
        put_back = before < known_epoch or bool(changes.meta(BACKUP_AT))
        closed = close_open(connection, changes, at) if put_back else None
        restored_at = int(changes.meta(RESTORED_AT) or 0)
        changes.settle()
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    if released or armed:
        level = logging.WARNING if armed else logging.INFO
        log.log(level, "recovered epoch=%d released=%d in_doubt=%d", epoch, released, len(armed))
    if closed is not None:
        log.info("restored epoch=%d closed=%d", epoch, closed)
    return epoch, Recovered(
        released=released,
        in_doubt=() if put_back else armed,
        unclean=unclean,
        closed=closed,
        restored_at=restored_at,
    )


def doubt_armed(
    connection: sqlite3.Connection,
    changes: SqlChanges,
    at: Instant,
    doubt_deadline: Callable[[Message, Instant], Instant | None],
) -> tuple[int, ...]:
    """Nobody is left who would hear the answers to what is armed. Returns the attempts."""
    armed = [ATTEMPT.decode(row) for row in connection.execute(RECOVERY["armed"]).fetchall()]
    for attempt in armed:
        _doubt(changes, attempt, at, doubt_deadline)
    return tuple(a.id for a in armed)


def last_id(connection: sqlite3.Connection) -> int:
    """The highest identifier in the database."""
    return int(connection.execute(RECOVERY["last_id"]).fetchone()[0] or 0)


def _doubt(
    changes: SqlChanges, attempt: Attempt, at: Instant, doubt_deadline: Callable[[Message, Instant], Instant | None]
) -> None:
    message = changes.message(attempt.message)
    proposed = None if message is None else doubt_deadline(message, at)
    deadline = max((d for d in (attempt.deadline, proposed) if d is not None), default=None)
    reason = "the service was stopped while this was being sent; nobody knows whether it went out"
    changes.end(attempt.id, AttemptState.IN_DOUBT, at, code=RESTARTED, detail=reason, deadline=deadline)
    changes.move(
        attempt.message,
        Status.IN_DOUBT,
        at,
        code=RESTARTED,
        reason=reason,
        tries=None if message is None else message.tries + 1,
        data={"channel": attempt.channel, "part": attempt.part, "until": deadline},
    )


def _put_back(changes: SqlChanges, message: int, queue: str | None, at: Instant) -> int:
    """Between two parts nothing is armed. What is accepted keeps the rest on its channel."""
    attempts = changes.attempts(message)
    if any(a.state is AttemptState.IN_DOUBT for a in attempts):
        changes.move(message, Status.IN_DOUBT, at, code=RESTARTED, reason="a part of it is in doubt")
        return 0
    done = [a for a in attempts if a.state in DONE]
    back_to = done[-1].channel if done else queue or ANY_CHANNEL
    changes.move(
        message,
        Status.QUEUED,
        at,
        code=RESTARTED,
        reason="the service was stopped between two parts" if done else "the service was stopped before it was sent",
        queue=back_to,
        due_at=at,
    )
    return 1
