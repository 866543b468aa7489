"""SQLite's checks of the database. The quick one looks at every page and row, the whole one at the indexes too."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from bridge.store import connect

__all__ = ["examined", "quick", "whole"]

EVERY = 1.0  # seconds between two looks at the log


def quick(connection: sqlite3.Connection) -> str:
    """What was found; empty when all is well or the check was interrupted."""
    return _ask(connection, "PRAGMA quick_check(1)") or ""


def whole(connection: sqlite3.Connection) -> str | None:
    """The same. None: interrupted."""
    return _ask(connection, "PRAGMA integrity_check(1)")


async def examined(path: Path, *, log_limit: int = connect.LOG_LIMIT, every: float = EVERY) -> str | None:
    """The whole check beside the work, on a connection of its own. While it reads, the log cannot be emptied and grows
    by what is written; beyond `log_limit` octets the check gives way. None: it did, and is to be tried again."""
    log = path.with_name(path.name + "-wal")
    connection = connect.reader(path)
    checking = asyncio.get_running_loop().run_in_executor(None, whole, connection)
    try:
        while not (await asyncio.wait([checking], timeout=every))[0]:
            if log.stat().st_size > log_limit:
                connection.interrupt()
        return checking.result()
    finally:
        connection.interrupt()
        await asyncio.wait([checking])
        connection.close()


def _ask(connection: sqlite3.Connection, question: str) -> str | None:
    try:
        answer: str = connection.execute(question).fetchone()[0]
    except sqlite3.OperationalError as error:
        return None if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT else str(error)
    except sqlite3.DatabaseError as error:
        return str(error)
    except UnicodeDecodeError:
        return connect.UNREADABLE
    return "" if answer == "ok" else answer.replace("\n", " ")
