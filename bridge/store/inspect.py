"""The database looked at from outside, read-only, whether or not the service has it open."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from bridge.store import CHECKED_AT, DAMAGE
from bridge.store.connect import UNREADABLE, explain, reader
from bridge.store.migrate import steps, version
from bridge.store.queries import load

__all__ = ["Look", "LookedAtEndpoint", "look"]

_QUERIES = load("inspect")


class LookedAtEndpoint(msgspec.Struct, frozen=True):
    """`oldest`: when the oldest event that waits for it happened. `dead`: events that were given up."""

    id: int
    enabled: bool
    disabled_reason: str
    waiting: int
    oldest: int | None
    dead: int


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """`problem`: a sentence, "" for a sound one."""

    problem: str = ""
    schema: int = 0
    newest: int = 0
    checked_at: int = 0
    webhooks: tuple[LookedAtEndpoint, ...] = ()


def look(path: Path) -> Look:
    newest = steps()[-1].number
    try:
        connection = reader(path)
        try:
            said = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
            if said != "ok":
                return Look(problem=f"the database is damaged: {said}", newest=newest)
            schema = version(connection)
            meta = dict(connection.execute(_QUERIES["meta"]).fetchall()) if schema else {}
            if found := meta.get(DAMAGE):
                return Look(problem=f"the database is damaged: {found}", newest=newest)
            rows = []
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'deliveries'").fetchone():
                rows = connection.execute(_QUERIES["endpoints"]).fetchall()
            webhooks = tuple(LookedAtEndpoint(id, bool(enabled), *rest) for id, enabled, *rest in rows)
            return Look(schema=schema, newest=newest, checked_at=int(meta.get(CHECKED_AT) or 0), webhooks=webhooks)
        finally:
            connection.close()
    except UnicodeDecodeError:
        return Look(problem=f"the database is damaged: {UNREADABLE}", newest=newest)
    except sqlite3.Error as error:
        return Look(problem=str(explain(error, path)), newest=newest)
