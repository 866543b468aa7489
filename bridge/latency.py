"""How long things take, counted by bucket. Pure.

Counting happens for every text, so it costs a search among a dozen bounds and two additions; what Prometheus wants to
see is worked out when it asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

__all__ = ["ChannelLatencies", "Histogram", "delivery_to_endpoint"]

_MINUTE, _HOUR = 60.0, 3600.0

# Seconds. The first follow the commit of a fast and of a slow disk, the last the time a text lives.
WAITING = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, _MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR)
# A modem needs two to six seconds, a provider's API a tenth of one; a network that is slow to answer takes a minute.
SUBMITTING = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 4, 5, 7.5, 10, 20, 40, 60, 120)
# A phone that is on answers within seconds; one that is off when it is switched on, or the text has expired.
ARRIVING = (1, 2.5, 5, 10, 20, 30, _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 6 * _HOUR, 24 * _HOUR)
STORING = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, _MINUTE)
POSTING = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, _MINUTE, 5 * _MINUTE, 30 * _MINUTE, _HOUR, 6 * _HOUR)


class Histogram:
    """`bounds`: seconds, growing; a value that equals one belongs below it."""

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0  # seconds

    def observe(self, seconds: float, times: int = 1) -> None:
        """A wall clock that was set back meanwhile makes a negative one, which counts as nothing."""
        if seconds < 0.0:
            seconds = 0.0
        self._counts[bisect_left(self._bounds, seconds)] += times
        self.total += seconds * times

    def cumulative(self) -> Iterator[tuple[float, int]]:
        """How many took at most so long, for each bound and for infinity, which is the count of all."""
        return zip((*self._bounds, float("inf")), accumulate(self._counts), strict=True)


class ChannelLatencies:
    """Of one channel."""

    __slots__ = ("delivery", "inbound", "submission", "wait")

    def __init__(self) -> None:
        self.wait = Histogram(WAITING)  # from when a text may be sent until it is handed to the driver, first tries
        self.submission = Histogram(SUBMITTING)  # from the driver's hand to the answer, whatever it is
        self.delivery = Histogram(ARRIVING)  # from the carrier's yes to the report that a part was delivered
        self.inbound = Histogram(STORING)  # from the modem's announcement until the text is on disk


def delivery_to_endpoint() -> Histogram:
    """From the event until its receiver has taken it."""
    return Histogram(POSTING)
