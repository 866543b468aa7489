"""The store on SQLite: one file in the state directory, nothing to install.

WAL with `synchronous=FULL`: what was awaited survives a power cut. The file is locked to one process. One thread writes
(`writer.py`), a few read.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar, cast

from bridge.model import Instant, Message
from bridge.policy.storage import Level
from bridge.store import (
    CHECKED_AT,
    CLOCK_HIGHEST,
    DAMAGE,
    IN_USE,
    Changes,
    Recovered,
    StoreDamaged,
    StoreError,
    View,
    connect,
)
from bridge.store.changes import SqlChanges
from bridge.store.files import Lock, create, epoch_seen, note_epoch, sync_directory
from bridge.store.integrity import examined, quick, whole
from bridge.store.migrate import migrate, steps, version
from bridge.store.outbox import MOST_WAITING
from bridge.store.recover import doubt_armed, last_id, recover
from bridge.store.space import Space
from bridge.store.views import SqlView
from bridge.store.writer import Writer

__all__ = ["SqliteStore", "open_store"]

log = logging.getLogger("gsmbridge.store")

T = TypeVar("T")

CHECKED_AT_ONCE = 64 << 20  # bytes of database that are checked before the start; more is checked beside the work


async def open_store(
    path: Path,
    *,
    now: Callable[[], Instant],
    doubt_deadline: Callable[[Message, Instant], Instant | None],
    readers: int = 2,
    max_pages: int | None = None,
    checked_at_once: int = CHECKED_AT_ONCE,
    know: Callable[[Instant], None] = lambda highest: None,
    space: Space | None = None,
    most_waiting: int = MOST_WAITING,
) -> SqliteStore:
    """Open the database, or make it. Brings the schema up to date, raises the epoch, puts claimed messages back and
    takes armed attempts for in doubt; `store.recovered` says what was found.

    `doubt_deadline(message, now)`: when such a doubt is closed. `max_pages`: upper bound of the file, in KiB pages.

    SQLite's quick check runs at every start: before it for a file up to `checked_at_once` bytes (64 MB hold
    250,000 messages and take 0.2 s from memory), beside the work for a larger one, since a service must be ready soon.
    If that finds damage, the store refuses all further work. Damage that a whole check found earlier (`examine`) is
    looked for before the start.

    A database that is gone while one was known here is an error, never a new empty one. In one that is older than the
    last that was open here, and in a backup, what was due is closed (see `restored.py`).

    `space`: the room on the disk, to be looked after. `most_waiting`: events for one endpoint.

    `know(highest)` is told the latest time at which the clock was known to be right, before `now` decides anything.

    Raises `StoreInUse`, `StoreDamaged`, `NewerDatabase`, `StoreFull`, `StoreError`.
    """
    opened = await asyncio.get_running_loop().run_in_executor(
        None, _open, path, now, doubt_deadline, max_pages, checked_at_once, know, space
    )
    return SqliteStore(path, opened, now, doubt_deadline, readers, most_waiting, space)


class Opened:
    """What an opening hands over."""

    def __init__(self, lock: Lock, connection: sqlite3.Connection) -> None:
        self.lock = lock
        self.connection = connection
        self.checked = True
        self.epoch = 0
        self.recovered = Recovered()
        self.last_id = 0
        self.checked_at: Instant = 0


class SqliteStore:
    """See `bridge.store.Store`. `last_id`: the highest identifier that was in the database when it was opened."""

    def __init__(
        self,
        path: Path,
        opened: Opened,
        now: Callable[[], Instant],
        doubt_deadline: Callable[[Message, Instant], Instant | None],
        readers: int,
        most_waiting: int,
        space: Space | None,
    ) -> None:
        self.path = path
        self.epoch = opened.epoch
        self.recovered = opened.recovered
        self.last_id = opened.last_id
        self.checked_at = opened.checked_at  # when a whole check last found nothing; 0: never
        self._now = now
        self._doubt_deadline = doubt_deadline
        self._closed = False
        self._lock = opened.lock
        self._connection = opened.connection
        changes = SqlChanges(opened.connection, now)
        changes.most_waiting = most_waiting
        self._writer = Writer(opened.connection, changes, path, space)
        self._space = space
        self._idle: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        self._readers = [connect.reader(path) for _ in range(readers)]
        for connection in self._readers:
            self._idle.put(connection)
        self._pool = ThreadPoolExecutor(readers, thread_name_prefix="store-reader")
        self._checker = None if opened.checked else connect.reader(path)
        self._checking = None if self._checker is None else asyncio.create_task(self._check(self._checker))

    @property
    def damaged(self) -> StoreDamaged | None:
        """Why nothing is written any more. The service should stop: the next start checks."""
        return self._writer.failure

    def on_events(self, told: Callable[[frozenset[int]], None]) -> None:
        """`told` is called in the loop after each commit, with the endpoints for which there is something new."""
        self._writer.on_events = told

    def on_level(self, told: Callable[[Level], None]) -> None:
        """`told` is called in the loop when the disk has more or less room than before; now, too."""
        self._writer.on_level = told
        told(self._writer.level)

    @property
    def free(self) -> int:
        """Octets that may still be written, as last seen; 0 when nobody looks."""
        return 0 if self._space is None else self._space.free

    async def until_damaged(self) -> StoreDamaged:
        """Returns when `damaged` is set, which is never if all goes well."""
        return await self._writer.until_refused()

    @property
    def commit_took(self) -> float:
        return self._writer.commit_took

    def write(self, work: Callable[[Changes], T]) -> asyncio.Future[T]:
        return self._writer.submit(work)

    async def read(self, work: Callable[[View], T]) -> T:
        if self._closed:
            raise StoreError("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, work)

    async def examine(self) -> bool:
        """Check the whole database, indexes too, beside the work. False: it gave way or could not be done, try again
        later. When it finds damage the store refuses all further work, and so does the next opening."""
        try:
            finding = await examined(self.path)
            if finding is None:
                return False
            if not finding:
                now = self._now()
                await self.write(lambda c: c.set_meta(CHECKED_AT, str(now)))
                self.checked_at = now
                return True
        except (StoreError, sqlite3.Error, OSError) as error:  # no room, no descriptor: not the database's fault
            log.warning("database_not_checked detail=%s", error)
            return False
        with suppress(StoreError):
            await self.write(lambda c: c.set_meta(DAMAGE, finding))
        self._writer.refuse(connect.damaged(self.path, finding))
        return True

    async def abandon(self) -> tuple[int, ...]:
        """At the end, when nobody listens any more: what is still armed is in doubt, as the next opening would find it.
        Returns the attempts."""
        return await self.write(
            lambda c: doubt_armed(self._connection, cast(SqlChanges, c), self._now(), self._doubt_deadline)
        )

    async def close(self) -> None:
        """What was asked for is still done. May be called again."""
        if self._closed:
            return
        self._closed = True
        if self.damaged is None:
            with suppress(StoreError):
                await self.write(lambda c: c.set_meta(IN_USE, "0"))
        await self._writer.stop()
        if self._checker is not None:
            self._checker.interrupt()
        if self._checking is not None:
            await self._checking
        await asyncio.get_running_loop().run_in_executor(None, self._shut)

    # --- In other threads ---

    def _read(self, work: Callable[[View], T]) -> T:
        connection = self._idle.get()
        try:
            connection.execute("BEGIN")  # one moment for all that the work reads
            try:
                return work(SqlView(connection, self._now))
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            meaning = connect.explain(error, self.path)
            if isinstance(meaning, StoreDamaged):
                self._writer.refuse(meaning)
            raise meaning from error
        finally:
            self._idle.put(connection)

    def _shut(self) -> None:
        self._pool.shutdown()
        # The last one to close empties the log into the database. After a failure nobody may: a reader cannot.
        order = [self._connection, *self._readers] if self.damaged else [*self._readers, self._connection]
        for connection in order:
            connection.close()
        self._lock.release()

    async def _check(self, connection: sqlite3.Connection) -> None:
        finding = await asyncio.get_running_loop().run_in_executor(None, quick, connection)
        self._checker = None
        connection.close()
        if finding:
            self._writer.refuse(connect.damaged(self.path, finding))


def _open(
    path: Path,
    now: Callable[[], Instant],
    doubt_deadline: Callable[[Message, Instant], Instant | None],
    max_pages: int | None,
    checked_at_once: int,
    know: Callable[[Instant], None],
    space: Space | None,
) -> Opened:
    known = epoch_seen(path)
    create(path)
    lock = Lock(path)
    connection: sqlite3.Connection | None = None
    try:
        if space is not None:
            space.look()  # first: on a full disk the opening needs what the ballast holds
        connection = connect.writer(path, max_pages=max_pages)
        opened = Opened(lock, connection)
        opened.checked = path.stat().st_size <= checked_at_once
        if opened.checked and (finding := quick(connection)):
            raise connect.damaged(path, finding)
        suspect = bool(version(connection)) and bool(SqlView(connection, now).meta(DAMAGE))
        if suspect and (found := whole(connection)):
            raise connect.damaged(path, found)
        migrate(connection, path, now(), steps())
        know(int(SqlView(connection, now).meta(CLOCK_HIGHEST) or 0))
        opened.epoch, opened.recovered = recover(connection, now, doubt_deadline, known)
        opened.last_id = last_id(connection)
        opened.checked_at = int(SqlView(connection, now).meta(CHECKED_AT) or 0)
        if suspect:
            SqlChanges(connection, now).set_meta(DAMAGE, "")
        note_epoch(path, opened.epoch)
        sync_directory(path)
    except BaseException as error:
        if connection is not None:
            connection.close()
        lock.release()
        if isinstance(error, sqlite3.Error):
            raise connect.explain(error, path) from error
        if isinstance(error, UnicodeDecodeError):
            raise connect.damaged(path, connect.UNREADABLE) from error
        raise
    return opened
