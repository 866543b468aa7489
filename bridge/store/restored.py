"""A backup, or an older copy, stands where the database was: what waited in it may have been sent since.

So nothing of it is sent again by itself. What was due, armed or in doubt ends as `unknown` by way of `in_doubt`, with a
reason, and a report that comes after all corrects it. What is due later than now waits on.
"""

from __future__ import annotations

import sqlite3

from bridge.model import AttemptState, Instant, Status
from bridge.states import WAITING
from bridge.store import BACKUP_AT, CLOCK_HIGHEST, RESTORED_AT
from bridge.store.changes import SqlChanges
from bridge.store.queries import load

__all__ = ["RESTORED", "close_open"]

QUERIES = load("restored")
RESTORED = "restored"
REASON = "a backup was put back; this may have been sent since the backup was made, so it is not sent again by itself"


def close_open(connection: sqlite3.Connection, changes: SqlChanges, at: Instant) -> int:
    """Returns how many messages were closed. `at`: now; a clock that lies in the past does not count."""
    until = max(at, int(changes.meta(BACKUP_AT) or 0), int(changes.meta(CLOCK_HIGHEST) or 0))
    found = connection.execute(QUERIES["open"], {"until": until}).fetchall()
    for message, status in found:
        for attempt in changes.attempts(message):
            if attempt.state is AttemptState.IN_DOUBT:
                changes.end(attempt.id, AttemptState.UNRESOLVED, at, code=RESTORED, detail=REASON)
        if Status(status) in WAITING:
            changes.move(message, Status.SENDING, at, event=RESTORED)
            changes.move(message, Status.IN_DOUBT, at, code=RESTORED, reason=REASON)
        changes.move(message, Status.UNKNOWN, at, code=RESTORED, reason=REASON)
    changes.set_meta(BACKUP_AT, "")
    changes.set_meta(RESTORED_AT, str(until))
    return len(found)
