"""The database's files: private, locked to one process, and known to the directory."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from contextlib import suppress
from pathlib import Path

from bridge.store import StoreError, StoreInUse

__all__ = ["Lock", "create", "epoch_seen", "note_epoch", "sync_directory"]

log = logging.getLogger("gsmbridge.store")

REMEDIES = {
    errno.EROFS: "dmesg says why, often a worn card: replace it, or mount -o remount,rw",
    errno.ENOSPC: "make room on that disk",
}


class Lock:
    """An exclusive lock on `<database>.lock`, which holds the owner's process id. It ends with the process, however it
    dies. The file stays: to remove it would let two processes lock two files of one name."""

    def __init__(self, database: Path) -> None:
        path = database.with_name(database.name + ".lock")
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"{path} cannot be opened: {error.strerror}; check the owner of the directory") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise StoreInUse(
                f"{database} is in use by process {holder}; stop that one, or take another state directory"
            ) from None
        with suppress(OSError):  # it is for people, and on a full disk there is no room for it
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._fd)


def create(database: Path) -> None:
    """Make the directory (0700) and an empty file (0600) if they are not there. SQLite gives its log the same mode."""
    try:
        database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        remedy = REMEDIES.get(error.errno or 0, "check path and owner")
        raise StoreError(f"{database} cannot be opened: {error.strerror}; {remedy}") from error


def _epoch_file(database: Path) -> Path:
    return database.with_name(database.name + ".epoch")


def epoch_seen(database: Path) -> int:
    """The epoch of the last opening here, 0: none. By it a database that is gone, and an older copy in its place, are
    seen. Raises `StoreError` when there was a database, and is none now."""
    file = _epoch_file(database)
    try:
        epoch = int(file.read_bytes())
    except (OSError, ValueError):
        return 0
    if not database.exists() or database.stat().st_size == 0:
        raise StoreError(
            f"{database} is gone or empty, and there was one: put a backup in its place with gsmbridge restore FILE; to"
            f" begin anew without what was ordered and sent, remove {file.name} too"
        )
    return epoch


def note_epoch(database: Path, epoch: int) -> None:
    """Whole or not at all. A full disk is no reason to stop: one that is behind does no harm."""
    file = _epoch_file(database)
    new = file.with_name(file.name + ".new")
    try:
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, f"{epoch}\n".encode())
            os.fsync(fd)
        finally:
            os.close(fd)
        new.replace(file)
    except OSError as error:
        log.warning("epoch_not_noted path=%s detail=%s", file, error.strerror)
        with suppress(OSError):
            new.unlink()


def sync_directory(database: Path) -> None:
    """Make new names in the directory durable. Without it a power cut may take a file whose content was synced."""
    fd = os.open(database.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
