"""A batch over time: `period` and `freq` of the SMSC document, or a plain rate. While the windows are shut the
spreading stands still, so that no burst waits at the door when they open."""

from __future__ import annotations

from math import ceil

import msgspec

from bridge.model import Instant
from bridge.policy.timing.gates import Agreed, Gates, Never

__all__ = ["Pacing", "Spread"]

PERIODS = (0.1, 720.0)  # hours
FREQUENCIES = (1, 1440)  # minutes
RATES = (1, 60_000)  # messages a minute


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """`period`: hours over which the batch is stretched. `freq`: minutes between groups; without a period it means
    nothing. `per_minute`: so many messages a minute."""

    period: float | None = None
    freq: int | None = None
    per_minute: int | None = None

    def wrong(self) -> tuple[str, str, str] | None:
        """Field, code and what would be right."""
        if self.period is not None and self.per_minute is not None:
            return "per_minute", "conflict", 'give "period" or "per_minute", not both'
        for name, value, (low, high), what in (
            ("period", self.period, PERIODS, "hours"),
            ("freq", self.freq, FREQUENCIES, "minutes"),
            ("per_minute", self.per_minute, RATES, "messages a minute"),
        ):
            if value is not None and not low <= value <= high:
                return name, "out_of_range", f"{value:g} is out of range; give {low:g} to {high:g} {what}"
        if self.period is not None and self.freq is not None and self.freq > self.period * 60:
            return "freq", "out_of_range", f"{self.freq} minutes are longer than the period of {self.period:g} hours"
        return None

    @property
    def flat(self) -> bool:
        """All at once."""
        return self.period is None and self.per_minute is None

    def offset(self, index: int, count: int) -> int:
        """Milliseconds after the first message at which this one is due."""
        if self.per_minute is not None:
            return index * 60_000 // self.per_minute
        if self.period is None:
            return 0
        if self.freq is None:
            return int(index * self.period * 3_600_000) // count
        groups = max(1, int(self.period * 60 / self.freq))
        return index // ceil(count / groups) * self.freq * 60_000


class Pacing:
    """Offsets into open time. Ask with offsets that do not fall: each is looked for from the one before."""

    def __init__(self, gates: Gates, start: Instant) -> None:
        self._gates = gates
        self._passed = 0  # milliseconds of open time before `_at`
        self._at = start

    def at(self, offset: int) -> Instant | Never:
        """The instant after `offset` milliseconds of open time."""
        while True:
            found = self._gates.opening(self._at)
            if not isinstance(found, Agreed):
                return found
            opens = max(self._at, found.opens)
            left = found.closes - opens
            if offset - self._passed < left:
                return opens + offset - self._passed
            self._passed += left
            self._at = found.closes
