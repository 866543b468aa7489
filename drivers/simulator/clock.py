"""Time as the simulator sees it. Nothing here looks at a clock by itself: it is handed one."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["Clock", "LoopClock", "SteppedClock", "Timer"]


class Timer(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""

    def wall(self) -> float:
        """Unix seconds."""

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> Timer:
        """Call once after `delay` seconds, never before this call has returned."""


class LoopClock:
    """The real time, with timers of the event loop that runs when the first is set."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self.monotonic = time.monotonic  # the loop's own clock has a resolution of 1 ms under uvloop
        self.wall = time.time

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> Timer:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop.call_later(delay, callback, *args) if delay > 0 else self._loop.call_soon(callback, *args)


class SteppedClock:
    """Time that moves only when told: `advance(seconds)` runs what falls due, in order."""

    def __init__(self, *, wall: float = 1_773_478_215.0) -> None:  # 2026-03-14 08:50:15 UTC
        self._now = 0.0
        self._wall = wall
        self._order = itertools.count()
        self._due: list[tuple[float, int, _Stepped]] = []

    def monotonic(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._wall + self._now

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> Timer:
        timer = _Stepped(callback, args)
        heapq.heappush(self._due, (self._now + max(0.0, delay), next(self._order), timer))
        return timer

    def advance(self, seconds: float = 0.0) -> None:
        end = self._now + seconds
        while self._due and self._due[0][0] <= end + 1e-9:
            self._now, _, timer = heapq.heappop(self._due)
            timer.run()
        self._now = end

    @property
    def next_due(self) -> float | None:
        """Seconds until the next timer falls due; None when none is set."""
        while self._due and self._due[0][2].cancelled:
            heapq.heappop(self._due)
        return self._due[0][0] - self._now if self._due else None


class _Stepped:
    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self._callback = callback
        self._args = args
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    def run(self) -> None:
        if not self.cancelled:
            self._callback(*self._args)
