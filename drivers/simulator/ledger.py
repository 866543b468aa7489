"""What the SMS centre really took: the only witness that can say "exactly once"."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import overload

import msgspec

from drivers.contract import Reference
from drivers.simulator import tpdu

__all__ = ["Entry", "Ledger"]

KEPT = 250_000  # entries in memory, about 100 MB; the file and `total` know of all


class Entry(msgspec.Struct, gc=False):
    """One PDU taken. Times are `time.monotonic()`, one clock for all processes of a machine."""

    order: int  # 1 for the first PDU this network took
    sender: str  # number of the SIM it came from
    iccid: str
    tp_mr: int  # as the modem answered it, or would have
    pdu: str  # upper-case hex as the host wrote it, SMSC field first
    command_at: float  # when AT+CMGS was read
    taken_at: float  # when Ctrl-Z was read
    taken_wall: float  # Unix seconds
    answered_at: float | None = None  # when the final result was written; None as long as there was none
    answer: str = ""  # "+CMGS: 7", "+CMS ERROR: 38"; "" when there was none

    @property
    def raw(self) -> bytes:
        return bytes.fromhex(self.pdu)

    @property
    def submit(self) -> tpdu.Submit:
        return tpdu.read_submit(self.raw)

    @property
    def destination(self) -> str:
        return tpdu.number_of(self.submit.destination)

    @property
    def text(self) -> str:
        """Of this part alone; binary data as Latin-1."""
        submit = self.submit
        return tpdu.text_of(first=submit.first, dcs=submit.dcs, count=submit.count, data=submit.data)

    @property
    def reference(self) -> Reference | None:
        """Which part of which message; None for a message of one part."""
        submit = self.submit
        return tpdu.reference_of(first=submit.first, data=submit.data)

    def told(self) -> dict[str, object]:
        """For people and the control socket: everything, decoded."""
        part = self.reference
        return msgspec.structs.asdict(self) | {
            "destination": self.destination,
            "text": self.text,
            "part": None if part is None else {"value": part.value, "total": part.total, "number": part.number},
        }


class Ledger:
    """Entries, oldest first. With a `path`, each is a line of JSON there before the modem answers: `Ledger.read`."""

    def __init__(self, path: Path | None = None) -> None:
        self.total = 0
        self._kept: deque[Entry] = deque(maxlen=KEPT)
        self._encode = msgspec.json.Encoder().encode
        self._file = None if path is None else os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    @staticmethod
    def read(path: Path) -> list[Entry]:
        """The entries of a file; a last line cut short by a kill is left out. `answered_at` is not known there."""
        lines = path.read_bytes().split(b"\n")[:-1]
        return [msgspec.json.decode(line, type=Entry) for line in lines]

    def append(self, entry: Entry) -> None:
        self.total += 1
        self._kept.append(entry)
        if self._file is not None:
            os.write(self._file, self._encode(entry) + b"\n")

    def since(self, total: int) -> list[Entry]:
        """Those after the first `total`, as far as they are kept."""
        skipped = max(0, total - (self.total - len(self._kept)))
        return [self._kept[at] for at in range(skipped, len(self._kept))]

    def messages(self) -> list[tuple[str, str]]:
        """(destination, text) of whole messages, parts joined in order, in the order in which they became whole."""
        found: list[tuple[str, str]] = []
        open_parts: dict[tuple[str, str, int, bool, int], dict[int, str]] = {}
        for entry in self._kept:
            part = entry.reference
            if part is None:
                found.append((entry.destination, entry.text))
                continue
            key = (entry.sender, entry.destination, part.value, part.wide, part.total)
            parts = open_parts.setdefault(key, {})
            parts.setdefault(part.number, entry.text)
            if len(parts) == part.total:
                text = "".join(parts[number] for number in sorted(open_parts.pop(key)))
                found.append((entry.destination, text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")))
        return found

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._kept)

    @overload
    def __getitem__(self, at: int) -> Entry: ...
    @overload
    def __getitem__(self, at: slice) -> list[Entry]: ...
    def __getitem__(self, at: int | slice) -> Entry | list[Entry]:
        return self._kept[at] if isinstance(at, int) else list(self._kept)[at]
