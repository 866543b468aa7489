"""A database copied whole, while others work with it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from bridge.store import connect
from bridge.store.files import sync_directory
from bridge.store.integrity import quick
from bridge.store.queries import load

__all__ = ["copy_whole"]

SET_META = load("access")["set_meta"]


def copy_whole(source: sqlite3.Connection, target: Path, meta: Mapping[str, str] | None = None) -> None:
    """Under the final name only when it is whole, checked and synced: half a copy is worse than none when it is needed.
    Mode 0600. `meta`: what the copy says of itself. Raises `StoreError`, `sqlite3.Error`, `OSError`."""
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        copy = sqlite3.connect(partial, isolation_level=None)
        try:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, no log beside it
            for name, value in (meta or {}).items():
                copy.execute(SET_META, {"name": name, "value": value})
            if finding := quick(copy):
                raise connect.damaged(target, finding)
        finally:
            copy.close()
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(target)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    sync_directory(target)
