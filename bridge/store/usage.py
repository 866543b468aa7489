"""What a channel has sent in the present spans of its limits. A row a limit, counted in the transaction that arms."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from bridge.model import Instant
from bridge.store.queries import load

__all__ = ["UsageChanges", "UsageView"]

USAGE = load("usage")


class UsageView:
    _run: Callable[..., sqlite3.Cursor]

    def used(self, channel: str) -> dict[str, tuple[Instant, int]]:
        return {name: (began, used) for name, began, used in self._run(USAGE["used"], {"channel": channel})}

    def counted(self, channel: str, name: str, began: Instant, recipient: str) -> bool:
        wanted = {"channel": channel, "name": name, "began": began, "recipient": recipient}
        return self._run(USAGE["counted"], wanted).fetchone() is not None


class UsageChanges(UsageView):
    def use(self, channel: str, name: str, began: Instant, more: int) -> None:
        self._run(USAGE["use"], {"channel": channel, "name": name, "began": began, "more": more})

    def count_recipient(self, channel: str, name: str, began: Instant, recipient: str) -> None:
        wanted = {"channel": channel, "name": name, "began": began, "recipient": recipient}
        self._run(USAGE["forget_recipients"], {"channel": channel, "name": name, "began": began})
        self._run(USAGE["count_recipient"], wanted)
