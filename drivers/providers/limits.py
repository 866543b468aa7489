"""A provider's limits kept on our side: waiting is cheaper than being refused, and some providers block who knocks."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable

from drivers.contract import Cause, NotSent

__all__ = ["Flood", "Window"]

KEYS = 50_000  # remembered at once; more than one account sends within a window


class Window:
    """At most `count` events of one kind within `seconds`."""

    def __init__(self, count: int, seconds: float, monotonic: Callable[[], float]) -> None:
        self._count = count
        self._seconds = seconds
        self._monotonic = monotonic
        self._events: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, key: str) -> float:
        """Seconds until the next one is allowed; 0 = now."""
        events = self._events.get(key)
        if events is None or len(events) < self._count:
            return 0.0
        return max(0.0, events[0] + self._seconds - self._monotonic())

    def note(self, key: str) -> None:
        events = self._events.setdefault(key, deque(maxlen=self._count))
        events.append(self._monotonic())
        self._events.move_to_end(key)
        while len(self._events) > KEYS:
            self._events.popitem(last=False)

    def known(self, key: str) -> bool:
        return key in self._events

    def forget(self, key: str) -> None:
        self._events.pop(key, None)

    def enter(self, key: str, *, code: str, what: str) -> None:
        """Note one, or raise NotSent with the time to wait."""
        if (wait := self.wait(key)) > 0:
            raise NotSent(
                f"{what}; possible again in {wait:.0f} s", code=code, cause=Cause.BUSY, retry_after=wait
            )  # fmt: skip
        self.note(key)


class Flood:
    """At most `count` events of one kind in a row with less than `gap` seconds between them."""

    def __init__(self, count: int, gap: float, monotonic: Callable[[], float]) -> None:
        self._count = count
        self._gap = gap
        self._monotonic = monotonic
        self._rows: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, key: str) -> float:
        length, last = self._rows.get(key, (0, 0.0))
        if length < self._count:
            return 0.0
        return max(0.0, last + self._gap - self._monotonic())

    def note(self, key: str) -> None:
        now = self._monotonic()
        length, last = self._rows.get(key, (0, 0.0))
        self._rows[key] = (length + 1 if length and now - last < self._gap else 1, now)
        self._rows.move_to_end(key)
        while len(self._rows) > KEYS:
            self._rows.popitem(last=False)
