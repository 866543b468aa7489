"""The store where the configuration says it is: opened by the service, and by the command line while none runs.

Whoever opens it first after a crash decides when the doubts found are closed, so both must decide alike.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from bridge.config import Settings
from bridge.model import Instant, Message
from bridge.policy import doubt
from bridge.store.space import Space, room_of
from bridge.store.sqlite import SqliteStore, open_store

__all__ = ["StateDirectoryError", "open_database", "private", "windows"]

DATABASE = "gsmbridge.sqlite"


class StateDirectoryError(Exception):
    """The state directory cannot be made, or others may read it. The message says what to do."""


async def open_database(
    settings: Settings,
    now: Callable[[], Instant],
    know: Callable[[Instant], None] = lambda highest: None,
    room: Callable[[Path], tuple[int, int]] = room_of,
) -> SqliteStore:
    """`know`: as of `open_store`; `room`: as `room_of`. Raises `StateDirectoryError` and what `open_store` raises."""
    directory = settings.service.state_dir
    private(directory)
    waits = windows(settings)

    def deadline(message: Message, at: Instant) -> Instant:
        return doubt.deadline(
            message.policy, priority=message.priority, now=at, expires_at=message.expires_at, windows=waits
        )

    return await open_store(
        directory / DATABASE,
        now=now,
        doubt_deadline=deadline,
        know=know,
        most_waiting=settings.webhooks.backlog,
        space=Space(directory, room=room),
    )


def windows(settings: Settings) -> doubt.Windows:
    """How long evidence is awaited, as configured."""
    return doubt.Windows(
        usual=int(settings.sending.evidence_window * 1000),
        alarm=int(settings.sending.evidence_window_priority * 1000),
    )


def private(directory: Path) -> None:
    """Make it, if need be, for our eyes only. Raises `StateDirectoryError`."""
    os.umask(0o077)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        wide = directory.stat().st_mode & 0o077
    except OSError as error:
        raise StateDirectoryError(
            f"the state directory {directory} cannot be used: {error.strerror}; run this as the service's user, or set "
            "service.state_dir in the configuration"
        ) from None
    if wide:
        raise StateDirectoryError(f"the state directory {directory} is open to others; run: chmod 700 {directory}")
