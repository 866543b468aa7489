"""Connections, and what SQLite's errors mean to the business."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

from bridge.store import StoreDamaged, StoreError, StoreFull

__all__ = ["damaged", "explain", "reader", "writer"]

STATEMENTS = 256  # more than there are: each is prepared once
UNREADABLE = "what it says of itself is no text"  # Python cannot decode SQLite's complaint then
BUSY_SECONDS = 5.0  # for an operator's sqlite3 shell that holds a lock
PAGE = 1024  # bytes. One text touches a dozen pages, each goes into the log whole: 15 kB, where 4096 makes 47 kB
CHECKPOINT_PAGES = 4096  # 4 MB of log
LOG_LIMIT = 64 << 20  # the log file is cut back to this after it had to grow


def writer(path: Path, *, max_pages: int | None = None) -> sqlite3.Connection:
    """The one connection that writes, commits and checkpoints. With only one of them the WAL-reset defect of SQLite
    before 3.51.3 cannot happen."""
    connection = _connect(path, "rw")
    connection.execute(f"PRAGMA page_size = {PAGE}")  # of a new file; an old one keeps its own
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {LOG_LIMIT}")
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA cache_size = -16384")
    if max_pages is not None:
        connection.execute(f"PRAGMA max_page_count = {int(max_pages)}")
    return connection


def reader(path: Path) -> sqlite3.Connection:
    connection = _connect(path, "ro")
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA cache_size = -2048")
    return connection


def explain(error: sqlite3.Error, path: Path) -> StoreError:
    """What the caller is told. `StoreDamaged` means that nothing may be written any more until the next start."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    kind = code & 0xFF
    # The log's index is a file on the same disk; SQLite reports its failure to grow as an input/output error.
    if kind == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE:
        return StoreFull(f"the disk that holds {path} is full; nothing of this was kept: make room and try again")
    if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError(f"another program holds a lock on {path}; close it and try again")
    if kind in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return damaged(path, str(error))
    if kind in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
        return StoreDamaged(
            f"{path} could not be written or read ({error}); check the disk (dmesg, mount), then start again"
        )
    return StoreError(f"the database refused: {error}")


def damaged(path: Path, finding: str) -> StoreDamaged:
    return StoreDamaged(
        f"{path} is damaged ({finding}); keep a copy, then put a backup in its place (gsmbridge restore FILE), or"
        f" save what can be read with: sqlite3 {path.name} .recover | sqlite3 recovered.sqlite"
    )


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode={mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,  # transactions are begun by hand
        check_same_thread=False,
        cached_statements=STATEMENTS,
    )
    # A file changed under a memory map is a crash instead of an error.
    connection.execute("PRAGMA mmap_size = 0")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection
