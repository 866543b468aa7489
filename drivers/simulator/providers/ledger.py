"""What a simulated provider really took: the witness against which the bridge's own account is joined."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import msgspec

from drivers.simulator.providers.trail import Trail

__all__ = ["Ledger", "Taken"]

KEPT = 250_000  # entries in memory; the file and `total` know of all


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one number, as the provider understood it. Times: `clock.monotonic()` and Unix seconds."""

    order: int  # 1 for the first one this provider took
    provider: str
    operation: str  # the call it came by: "sms", "sendmsg", "send2" ...
    id: str  # the provider's
    client_id: str = ""  # ours, as it was sent
    to: str = ""  # as it was sent
    number: str = ""  # "+48500600700" as the provider reads it
    sender: str = ""  # as asked for
    shown_sender: str = ""  # what the handset sees
    kind: str = "text"
    text: str = ""
    data: str = ""  # hex of binary content
    udh: str = ""  # hex
    flash: bool = False
    parts: int = 1
    cost: Decimal = Decimal(0)
    send_at: float | None = None  # Unix seconds when it was asked to wait
    validity: int | None = None  # minutes
    options: dict[str, str] = msgspec.field(default_factory=dict)
    taken_at: float = 0.0
    taken_wall: float = 0.0


class Ledger(Trail[Taken]):
    """Entries, oldest first. With a `path`, each is a line of JSON there before the provider answers: `Ledger.read`."""

    def __init__(self, path: Path | None = None) -> None:
        super().__init__(keep=KEPT)
        self._encode = msgspec.json.Encoder().encode
        self._file = None if path is None else os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    @staticmethod
    def read(path: Path) -> list[Taken]:
        """The entries of a file; a last line cut short by a kill is left out."""
        return [msgspec.json.decode(line, type=Taken) for line in path.read_bytes().split(b"\n")[:-1]]

    def append(self, item: Taken) -> None:
        if self._file is not None:
            os.write(self._file, self._encode(item) + b"\n")
        super().append(item)

    def by_client_id(self) -> dict[str, list[Taken]]:
        """Entries by our own reference; a list longer than one is a double."""
        found: dict[str, list[Taken]] = {}
        for entry in self:
            found.setdefault(entry.client_id, []).append(entry)
        return found

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
