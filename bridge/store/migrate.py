"""The schema, brought up to date by numbered scripts (`migrations/0001_spine.sql`), each in one transaction."""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import msgspec

from bridge.model import Instant
from bridge.store import NewerDatabase
from bridge.store.copying import copy_whole
from bridge.store.queries import split

__all__ = ["Step", "migrate", "steps", "version"]

log = logging.getLogger("gsmbridge.store")

_FILE = re.compile(r"^(\d{4})_(\w+)\.sql$")


class Step(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    name: str
    script: str


def steps() -> list[Step]:
    """The scripts of this version, in order."""
    found = [
        Step(number=int(match[1]), name=match[2], script=entry.read_text(encoding="utf-8"))
        for entry in resources.files("bridge.store").joinpath("migrations").iterdir()
        if (match := _FILE.match(entry.name))
    ]
    return sorted(found, key=lambda step: step.number)


def version(connection: sqlite3.Connection) -> int:
    """Number of the last script applied; 0 for an empty database."""
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migrations'").fetchone()
    if known is None:
        return 0
    return int(connection.execute("SELECT coalesce(max(number), 0) FROM migrations").fetchone()[0])


def migrate(connection: sqlite3.Connection, path: Path, now: Instant, wanted: Sequence[Step]) -> None:
    """Apply what is missing. Existing data are copied first, to `<database>.before-<number>`. A script that fails
    leaves no trace. Raises `NewerDatabase`."""
    present = version(connection)
    newest = wanted[-1].number
    if present > newest:
        raise NewerDatabase(
            f"{path} has schema {present}, and this version of gsm-bridge knows up to {newest}: it was written by a"
            f" newer one; install that, or put the copy {path.name}.before-{newest + 1:04d} back"
        )
    missing = [step for step in wanted if step.number > present]
    if missing and present:
        copy_whole(connection, path.with_name(f"{path.name}.before-{missing[0].number:04d}"))
    for step in missing:
        _apply(connection, step, now)
        log.info("schema_migrated number=%d name=%s", step.number, step.name)


def _apply(connection: sqlite3.Connection, step: Step, now: Instant) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations"
            " (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL)"
        )
        for statement in split(step.script):
            connection.execute(statement)
        connection.execute("INSERT INTO migrations VALUES (?, ?, ?)", (step.number, step.name, now))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
