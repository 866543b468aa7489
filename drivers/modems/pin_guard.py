"""A PIN is entered once. The attempt is on disk before it is made."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from drivers.modems.durable import replace_file

__all__ = ["FilePinGuard", "PinGuard"]


class PinGuard(Protocol):
    """Remembers, for a SIM and a PIN, that an attempt was begun and how it ended."""

    def may_try(self, sim: str, pin: str) -> bool:
        """False when this PIN was begun on this SIM and did not succeed."""

    def begin(self, sim: str, pin: str) -> None:
        """Durable when it returns. Called before the PIN is written to the modem."""

    def succeeded(self, sim: str, pin: str) -> None:
        """The SIM accepted it: the record is cleared."""


class FilePinGuard:
    """One JSON file, readable by its owner only. PINs are kept as salted hashes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def may_try(self, sim: str, pin: str) -> bool:
        return self._mark(sim, pin) not in self._read()

    def begin(self, sim: str, pin: str) -> None:
        self._write(self._read() | {self._mark(sim, pin)})

    def succeeded(self, sim: str, pin: str) -> None:
        self._write(self._read() - {self._mark(sim, pin)})

    @staticmethod
    def _mark(sim: str, pin: str) -> str:
        return sha256(f"gsmbridge pin\n{sim}\n{pin}".encode()).hexdigest()

    def _read(self) -> set[str]:
        """Raises OSError or ValueError when the file cannot be read: then no PIN is entered."""
        try:
            content = json.loads(self._path.read_text(encoding="ascii"))
        except FileNotFoundError:
            return set()
        if not isinstance(content, list) or not all(isinstance(item, str) for item in content):
            raise ValueError(f"{self._path} is damaged")
        return set(content)

    def _write(self, marks: set[str]) -> None:
        replace_file(self._path, json.dumps(sorted(marks)).encode("ascii"))
