"""Which of two due messages goes first. Pure."""

from __future__ import annotations

from bridge.model import Instant, Message

__all__ = ["AGE", "ALARM", "effective", "order"]

ALARM = 100  # from this priority on a message is an alarm, and nothing that merely waited overtakes it
AGE = 30_000  # milliseconds of waiting that count as much as one step of priority: -128 is as urgent as 99 in two hours


def effective(priority: int, waited: int) -> int:
    """The priority of a message that has been due for so many milliseconds."""
    if priority >= ALARM:
        return priority
    return min(ALARM - 1, priority + max(0, waited) // AGE)


def order(message: Message, now: Instant) -> tuple[int, Instant, int]:
    """The most urgent first: by effective priority, then by how long it has been due, then as ordered."""
    return -effective(message.priority, now - message.due_at), message.due_at, message.id
