"""Strict order on the way out: a claimed message whose predecessor is not out of the way waits for it."""

from __future__ import annotations

from bridge.model import Instant, Message, Status
from bridge.policy.doubt import PRIORITY_ALARM, Windows
from bridge.store import Changes

__all__ = ["keep_in_order"]

WAITS_FOR_DOUBT = "the one before it is in doubt; it goes when that is settled, and does not wait for longer than this"


def keep_in_order(changes: Changes, message: Message, queue: str, now: Instant, windows: Windows) -> bool:
    """Put a claimed message back when one that was ordered before it, with the same key, is neither accepted nor ended.
    One in doubt is waited for no longer than evidence is. True: it is put back."""
    earlier = changes.predecessor(message, now, window=windows.usual, alarm_window=windows.alarm)
    before = None if earlier is None else changes.message(earlier)
    if before is None:
        return False
    if before.status is not Status.IN_DOUBT:
        changes.park(message, queue, now)
        return True
    until = before.updated_at + (windows.alarm if before.priority >= PRIORITY_ALARM else windows.usual)
    changes.release(message.id, queue, until, code="ordered", reason=WAITS_FOR_DOUBT)
    return True
