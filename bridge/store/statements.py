"""What every family of verbs needs to run its statements: one row, all rows, one value."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from bridge.model import Instant
from bridge.store.rows import Table

__all__ = ["Statements"]

S = TypeVar("S", bound=msgspec.Struct)


class Statements:
    """`now` is asked only for what counts back from the present: old doubts, deliveries an hour ago."""

    def __init__(self, connection: sqlite3.Connection, now: Callable[[], Instant]) -> None:
        self._run = connection.execute
        self._now = now

    def _one(self, table: Table[S], statement: str, values: Mapping[str, Any]) -> S | None:
        row = self._run(statement, values).fetchone()
        return None if row is None else table.decode(row)

    def _all(self, table: Table[S], statement: str, values: Mapping[str, Any]) -> list[S]:
        return [table.decode(row) for row in self._run(statement, values)]

    def _value(self, statement: str, values: Mapping[str, Any]) -> Any:
        row = self._run(statement, values).fetchone()
        return None if row is None else row[0]
