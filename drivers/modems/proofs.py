"""Which rungs of the repair ladder were proven on which modem, by `gsmbridge modem prove` with a person watching."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from drivers.modems.durable import replace_file
from drivers.modems.repair import Rung

__all__ = ["Proof", "Proofs"]


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """`works`: the modem was back and answered. `seconds`: until then. `at`: milliseconds UTC."""

    works: bool
    seconds: float
    at: int


class Proofs:
    """One JSON file, by IMEI. A file that cannot be read proves nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def of(self, imei: str) -> dict[Rung, Proof]:
        """What is known of this modem."""
        known = self._read().get(imei, {})
        found: dict[Rung, Proof] = {}
        for rung in Rung:
            if rung.value in known:
                try:
                    found[rung] = msgspec.convert(known[rung.value], Proof)
                except msgspec.ValidationError:
                    continue
        return found

    def proven(self, imei: str) -> frozenset[Rung]:
        """The rungs that worked."""
        return frozenset(rung for rung, proof in self.of(imei).items() if proof.works) if imei else frozenset()

    def keep(self, imei: str, rung: Rung, proof: Proof) -> None:
        """Durable when it returns. Raises OSError."""
        known = self._read()
        known.setdefault(imei, {})[rung.value] = msgspec.to_builtins(proof)
        replace_file(self._path, json.dumps(known, indent=1, sort_keys=True).encode("ascii"))

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            content = json.loads(self._path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return {}
        if not isinstance(content, dict):
            return {}
        return {imei: known for imei, known in content.items() if isinstance(known, dict)}
