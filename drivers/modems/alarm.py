"""One timer for many deadlines, so that a command costs none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Alarm"]

EARLY = 0.0005  # seconds; a loop's clock has a resolution of a millisecond (uvloop)


class Alarm:
    """Calls `ring` when a deadline on the monotonic clock has passed. Setting it later than before starts no timer."""

    def __init__(self, monotonic: Callable[[], float], ring: Callable[[], None]) -> None:
        self._monotonic = monotonic
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    @property
    def is_set(self) -> bool:
        return self._deadline is not None

    def set(self, deadline: float) -> None:
        """Ring then, and not before; an earlier deadline is forgotten."""
        self._deadline = deadline
        if self._timer is None or self._timer_at > deadline:
            self.stop()
            self._timer_at = deadline
            self._timer = self._loop.call_later(max(0.0, deadline - self._monotonic()), self._fired)

    def off(self) -> None:
        """Ring for nothing. The timer may go on running."""
        self._deadline = None

    def stop(self) -> None:
        """Leave no timer behind."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fired(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        if self._monotonic() < self._deadline - EARLY:
            self.set(self._deadline)
        else:
            self._deadline = None
            self._ring()
