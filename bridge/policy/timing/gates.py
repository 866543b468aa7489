"""Whose windows bind a message. Each party is a gate; all gates must be open, and the one that opens last holds it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from bridge.model import Instant, Message
from bridge.policy.timing.windows import NO_HOLIDAYS, Holidays, Hours, Span, Window, parse_window
from bridge.policy.timing.zones import zones_of_number

__all__ = ["PASSES", "Agreed", "Asked", "Gate", "Gates", "Never", "Timetable", "Timing", "packed", "unpacked"]

PASSES = 100  # alarms and codes: this priority and above wait for no window
HORIZON = 366 * 86_400_000  # what does not agree within a year is said never to
_STEPS = 2000  # openings looked at on the way there
_KEPT = 4096  # combinations remembered


class Asked(msgspec.Struct, frozen=True):
    """Windows that came with an order or its key. `zone` None: the recipient's."""

    by: str  # "key", "batch" or "message"
    windows: tuple[str, ...]
    zone: str | None = None


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration says about hours. `ways`: the channels of each route that may be used at all."""

    zone: str = "UTC"
    by_recipient: bool = True  # windows are read on the recipient's clock where it is known
    windows: tuple[Window, ...] = ()
    holidays: Holidays = NO_HOLIDAYS
    routes: Mapping[str, tuple[Window, ...]] = msgspec.field(default_factory=dict)
    channels: Mapping[str, tuple[Window, ...]] = msgspec.field(default_factory=dict)
    ways: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    usual: str = ""  # the route of messages that name none


class Gate(msgspec.Struct, frozen=True):
    """Open while any of `ways` is."""

    by: str  # "service", "key", "route", "channel", "batch" or "message"
    ways: tuple[Hours, ...]

    def span(self, now: Instant) -> Span | None:
        spans = [span for way in self.ways if (span := way.span(now)) is not None]
        return min(spans, key=lambda s: (max(now, s.opens), -s.closes), default=None)

    def __str__(self) -> str:
        way = self.ways[0]
        windows = " or ".join(f'"{window.text}"' for window in way.windows)
        return f"the windows of the {self.by} ({windows}, {way.zone})"


class Agreed(msgspec.Struct, frozen=True):
    """`opens` until before `closes` all gates are open. `last`: the one that opens last."""

    opens: Instant
    closes: Instant
    last: Gate


class Never(msgspec.Struct, frozen=True):
    """Within a year the gates are never open together. `gate`: where the search ended."""

    gate: Gate


class Gates:
    """Gates that bind messages alike, and what was last found about them."""

    def __init__(self, gates: tuple[Gate, ...]) -> None:
        self._gates = gates
        self._seen_from: Instant = 0
        self._seen: Agreed | None = None

    def __len__(self) -> int:
        return len(self._gates)

    def opening(self, now: Instant) -> Agreed | Never:
        """The span that is open now, else the next one. `opens` <= now: open now."""
        seen = self._seen
        if seen is not None and self._seen_from <= now < seen.closes:
            return seen
        found = _agree(self._gates, now)
        if isinstance(found, Agreed):
            self._seen, self._seen_from = found, now
        return found


class Timetable:
    """The configured hours, ready to be asked. Remembers what it worked out, so that asking for each message is
    cheap."""

    def __init__(self, timing: Timing) -> None:
        self.timing = timing
        self.any = bool(timing.windows or timing.routes or timing.channels)
        self._known: dict[tuple[object, ...], Gates | None] = {}

    def gates(self, message: Message, at: str = "") -> Gates | None:
        """The gates of a message, on the channel `at` if that is settled. None: nothing binds it."""
        if not self.any and message.windows is None:
            return None
        if message.priority >= PASSES:
            return None
        return self.all_gates(message, at)

    def all_gates(self, message: Message, at: str = "") -> Gates | None:
        """Also those that its priority passes."""
        timing = self.timing
        zones = zones_of_number(message.to) if timing.by_recipient else ()
        key = (zones, message.route, message.channel, message.windows, at)
        if key in self._known:
            return self._known[key]
        gates = self._gates(zones or (timing.zone,), message, at)
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[key] = found = Gates(gates) if gates else None
        return found

    def shut(self, now: Instant) -> frozenset[str]:
        """The channels outside their hours."""
        timing = self.timing
        if not timing.channels:
            return frozenset()
        return frozenset(id for id in timing.channels if self._own(id).opening(now).opens > now)  # type: ignore[union-attr]

    def _gates(self, zones: tuple[str, ...], message: Message, at: str) -> tuple[Gate, ...]:
        timing = self.timing
        route = message.route or timing.usual
        gates = [self._gate("service", timing.windows, zone) for zone in zones if timing.windows]
        if message.windows is not None:
            for asked in unpacked(message.windows):
                windows = tuple(parse_window(text) for text in asked.windows)
                gates += [self._gate(asked.by, windows, zone) for zone in ((asked.zone,) if asked.zone else zones)]
        if message.channel is None and (own := timing.routes.get(route)):
            gates += [self._gate("route", own, zone) for zone in zones]
        ways = (at or message.channel,) if at or message.channel else timing.ways.get(route, ())
        if ways and all(way in timing.channels for way in ways):
            hours = (self._hours(timing.channels[way], timing.zone) for way in ways if way is not None)
            gates.append(Gate("channel", tuple(dict.fromkeys(hours))))
        return tuple(dict.fromkeys(gates))

    def _own(self, channel: str) -> Gates:
        key = ("channel", channel)
        found = self._known.get(key)
        if found is None:
            hours = self._hours(self.timing.channels[channel], self.timing.zone)
            self._known[key] = found = Gates((Gate("channel", (hours,)),))
        return found

    def _gate(self, by: str, windows: tuple[Window, ...], zone: str) -> Gate:
        return Gate(by, (self._hours(windows, zone),))

    def _hours(self, windows: tuple[Window, ...], zone: str) -> Hours:
        return Hours(windows=windows, zone=zone, holidays=self.timing.holidays)


def packed(asked: tuple[Asked, ...]) -> str | None:
    """As it stands in a message's row; None: no windows came with it."""
    return msgspec.json.encode(asked).decode() if asked else None


@lru_cache(maxsize=1024)
def unpacked(windows: str) -> tuple[Asked, ...]:
    return msgspec.json.decode(windows, type=tuple[Asked, ...])


def _agree(gates: tuple[Gate, ...], now: Instant) -> Agreed | Never:
    at, last = now, gates[0]
    for _ in range(_STEPS):
        opens, closes, moved = 0, 1 << 62, False
        for gate in gates:
            span = gate.span(at)
            if span is None or span.opens > now + HORIZON:
                return Never(gate)
            if span.opens > at:
                at, last, moved = span.opens, gate, True
            opens, closes = max(opens, span.opens), min(closes, span.closes)
        if not moved:
            return Agreed(opens, closes, last)
    return Never(last)
