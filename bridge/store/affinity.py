"""Which channel a person knows us by: the last one that sent to them or received from them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from bridge.model import Instant
from bridge.store.queries import load

__all__ = ["AffinityChanges", "AffinityView"]

AFFINITY = load("affinity")


class AffinityView:
    _run: Callable[..., sqlite3.Cursor]

    def known_by(self, recipient: str) -> str | None:
        row = self._run(AFFINITY["known_by"], {"recipient": recipient}).fetchone()
        return None if row is None else str(row[0])


class AffinityChanges(AffinityView):
    def stick(self, recipient: str, channel: str, now: Instant) -> None:
        self._run(AFFINITY["stick"], {"recipient": recipient, "channel": channel, "now": now})
