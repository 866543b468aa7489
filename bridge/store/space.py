"""The room on the store's file system, looked at now and then, and the ballast in it: a file that reserves what the
outcomes of the texts on the air need when everything else is full."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from bridge.policy.storage import Level, Marks, judge, marks

__all__ = ["BALLAST", "Space", "held", "room_of"]

log = logging.getLogger("gsmbridge.store")

BALLAST = "gsmbridge.ballast"
EVERY = 1.0  # seconds between two looks
HOLD = 10.0  # seconds after SQLite found no room, whatever the file system says: there are quotas


def room_of(directory: Path) -> tuple[int, int]:
    """Octets that we may still use on its file system, and octets in all. Raises OSError."""
    told = os.statvfs(directory)
    return told.f_bavail * told.f_frsize, told.f_blocks * told.f_frsize


class Space:
    """Of one thread at a time. `level` and `free` may be read by any. `room`: as `room_of`."""

    def __init__(
        self,
        directory: Path,
        *,
        clock: Callable[[], float] = monotonic,
        room: Callable[[Path], tuple[int, int]] = room_of,
    ) -> None:
        self.level = Level.AMPLE
        self.free = 0  # octets
        self._ballast = directory / BALLAST
        self._clock = clock
        self._room = room
        self._next = 0.0
        self._not_before = 0.0
        self._warned = False

    def look(self) -> None:
        """If it is time. The ballast is there or given up with the level."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + EVERY
        try:
            self.free, size = self._room(self._ballast.parent)
        except OSError as error:
            log.warning("disk_not_seen detail=%s", error)
            return
        at, have = marks(size), held(self._ballast)
        before, level = self.level, judge(self.level, free=self.free, held=have, at=at)
        if now < self._not_before:
            level = Level.CRITICAL
        if level is Level.CRITICAL:
            self._give_up()
        elif have < at.ballast and not self._take(at) and before is Level.CRITICAL:
            level = before  # without ballast nothing goes on
        self.level = level

    def exhausted(self) -> None:
        """SQLite found no room: what is held in reserve is for this."""
        self._next = 0.0
        self._not_before = self._clock() + HOLD
        self.level = Level.CRITICAL
        self._give_up()

    def _take(self, at: Marks) -> bool:
        try:
            fd = os.open(self._ballast, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(fd, 0, at.ballast)
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError as error:
            self._give_up()
            if not self._warned:
                log.warning("no_ballast path=%s detail=%s", self._ballast, error.strerror)
            self._warned = True
            return False
        self._warned = False
        return True

    def _give_up(self) -> None:
        """Synced, since some file systems hand the room out again only when they have noted that it is free."""
        try:
            fd = os.open(self._ballast, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return  # there is none
        try:
            if os.fstat(fd).st_size:
                os.ftruncate(fd, 0)
                os.fsync(fd)
                log.warning("ballast_given_up path=%s", self._ballast)
        except OSError as error:
            log.error("ballast_not_given_up path=%s detail=%s", self._ballast, error.strerror)
        finally:
            os.close(fd)


def held(ballast: Path) -> int:
    """Octets that are really reserved, not only promised."""
    try:
        return ballast.stat().st_blocks * 512
    except OSError:
        return 0
