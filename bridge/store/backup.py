"""A backup while the service runs, and its way back. A backup knows that it is one: opened where a database was, it
closes what was due (see `restored.py`), also when somebody copied it there by hand."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import msgspec

from bridge.model import Instant
from bridge.store import BACKUP_AT, NewerDatabase, StoreError, connect
from bridge.store.copying import copy_whole
from bridge.store.files import Lock, sync_directory
from bridge.store.integrity import whole
from bridge.store.migrate import steps, version
from bridge.store.queries import load

__all__ = ["Copied", "NoBackup", "PutBack", "back_up", "put_back"]

COUNT = load("restored")["count"]
NO_DATABASE = "file is not a database"  # SQLite's words
SIDES = ("", "-wal", "-shm", "-journal")


class NoBackup(StoreError):
    """The file is no sound backup. The message says why; nothing was changed."""


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    octets: int
    messages: int
    schema: int


class PutBack(msgspec.Struct, frozen=True, kw_only=True):
    """`aside`: where the former database is now; None: there was none. `made_at`: when the backup was made, 0: it does
    not say."""

    messages: int
    made_at: Instant
    aside: Path | None


def back_up(database: Path, target: Path, now: Instant) -> Copied:
    """A whole, synced copy of mode 0600 under that name, or none. What runs is not disturbed: a reader sees one moment.
    Raises `StoreError`, `OSError`."""
    if not database.exists():
        raise StoreError(f"there is no database {database}; see service.state_dir in the configuration")
    try:
        source = connect.reader(database)
        try:
            copy_whole(source, target, {BACKUP_AT: str(now)})
        finally:
            source.close()
        copy = _alone(target)
        try:
            return Copied(octets=target.stat().st_size, messages=_messages(copy), schema=version(copy))
        finally:
            copy.close()
    except sqlite3.Error as error:
        raise connect.explain(error, target) from error


def put_back(database: Path, source: Path, now: Instant) -> PutBack:
    """The backup in the place of the database, which is kept aside. Nobody may have it open. Who opens it next closes
    what was due in it. Until the last step nothing is changed, and a crash between the last two is seen by the next
    opening. Raises `StoreInUse`, `NoBackup`, `NewerDatabase`, `StoreError`, `OSError`."""
    lock = Lock(database)
    try:
        with suppress(OSError):
            if source.samefile(database):
                raise NoBackup(f"{source} is the database itself; name a backup")
        ready = database.with_name(database.name + ".restoring")
        made_at, messages = _checked_copy(source, ready, now)
        aside = _aside(database, now)
        ready.replace(database)
        sync_directory(database)
    finally:
        lock.release()
    return PutBack(messages=messages, made_at=made_at, aside=aside)


def _checked_copy(source: Path, ready: Path, now: Instant) -> tuple[Instant, int]:
    """When it was made, and how many messages are in it."""
    try:
        backup = _alone(source)
        try:
            if (finding := whole(backup)) == NO_DATABASE:
                raise NoBackup(f"{source} is no database of gsm-bridge")
            if finding:
                raise NoBackup(f"{source} is damaged ({finding}); take another backup")
            if not (schema := version(backup)):
                raise NoBackup(f"{source} is no database of gsm-bridge")
            newest = steps()[-1].number
            if schema > newest:
                raise NewerDatabase(
                    f"{source} has schema {schema}, and this version of gsm-bridge knows up to {newest}: install the"
                    " newer one that wrote it"
                )
            said = backup.execute("SELECT value FROM meta WHERE name = ?", (BACKUP_AT,)).fetchone()
            made_at = int(said[0]) if said and said[0] else 0
            copy_whole(backup, ready, {BACKUP_AT: str(made_at or now)})
            return made_at, _messages(backup)
        finally:
            backup.close()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise NoBackup(f"{source} is no backup that can be read: {error}") from error


def _alone(file: Path) -> sqlite3.Connection:
    """A medium that cannot be written has no place for a log; but one that lies there must be read."""
    alone = "" if file.with_name(file.name + "-wal").exists() else "&immutable=1"
    return sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro{alone}", uri=True)


def _messages(connection: sqlite3.Connection) -> int:
    return int(connection.execute(COUNT).fetchone()[0])


def _aside(database: Path, now: Instant) -> Path | None:
    """With its log, so that it can still be opened there."""
    if not database.exists():
        return None
    when = datetime.fromtimestamp(now / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = database.with_name(f"{database.name}.replaced-{when}")
    for side in SIDES:
        with suppress(FileNotFoundError):
            database.with_name(database.name + side).rename(aside.with_name(aside.name + side))
    return aside
