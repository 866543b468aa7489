"""A PIN is entered once. The attempt is on disk before it is made."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Protocol

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
        """A new file beside the old one, synced, renamed over it, and the folder synced."""
        temporary = self._path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, json.dumps(sorted(marks)).encode("ascii"))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
