"""The SQL, by name. It lies in `queries/*.sql`, so that it is read and reviewed as SQL.

    -- name: message
    -- What it is for.
    SELECT {message} FROM messages WHERE id = :id;

`{message}` stands for the columns of that struct (see `rows.py`), `{message_values}` for as many placeholders. Anything
only SQLite understands carries a comment that begins with `sqlite:`.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from importlib import resources

from bridge.store.rows import TABLES

__all__ = ["load", "split"]

_NAME = re.compile(r"^-- name: (\w+)$")
_PLACE = re.compile(r"\{(\w+)\}")
_FILLED = {name: table.columns for name, table in TABLES.items()} | {
    f"{name}_values": table.places for name, table in TABLES.items()
}


def load(name: str) -> Mapping[str, str]:
    """The statements of `queries/<name>.sql`, each without its comments."""
    text = resources.files("bridge.store").joinpath("queries", f"{name}.sql").read_text(encoding="utf-8")
    statements: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in text.splitlines():
        if found := _NAME.match(line):
            if found[1] in statements:
                raise ValueError(f"queries/{name}.sql has two statements named {found[1]}")
            current = statements[found[1]] = []
        elif current is not None and line and not line.startswith("--"):
            current.append(line)
    return {key: _fill("\n".join(lines).rstrip(";")) for key, lines in statements.items()}


def split(script: str) -> Iterator[str]:
    """The statements of a migration, one by one: sqlite3's own `executescript` would commit first."""
    pending = ""
    for line in script.splitlines(keepends=True):
        if not pending and (not line.strip() or line.startswith("--")):
            continue
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending.strip()
            pending = ""
    if pending.strip():
        raise ValueError(f"a statement without its semicolon: {pending.strip()[:60]}")


def _fill(statement: str) -> str:
    return _PLACE.sub(lambda place: _FILLED[place[1]], statement)
