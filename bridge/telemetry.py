"""What the service tells: log lines, metrics, and events for whoever listens in this process.

An event is a name and fields. Numbers are masked and texts absent in logs; listeners (the demo, later the event stream)
get the fields as they are.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bridge.model import ChannelSnapshot, Instant, Status
from bridge.policy.storage import Level
from drivers.contract import LinkState

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Figures", "Occurrence", "Telemetry", "masked", "render_metrics"]

Field: TypeAlias = str | int | float | bool | None

LISTENER_LIMIT = 10_000  # events a slow listener may lag behind; then it loses the oldest


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    at: Instant
    name: str
    fields: dict[str, Field]


class Telemetry:
    """Tells events. Costs next to nothing while nobody listens and the log is at info."""

    def __init__(self, now: Callable[[], Instant]) -> None:
        self._now = now
        self._listeners: list[asyncio.Queue[Occurrence]] = []
        self._log = logging.getLogger("gsmbridge")
        self._verbose = self._log.isEnabledFor(logging.DEBUG)

    @property
    def wanted(self) -> bool:
        """Somebody wants to know of single messages."""
        return bool(self._listeners) or self._verbose

    def message(self, name: str, **fields: Field) -> None:
        """Something happened to one message: logged at debug, since there may be thousands a second."""
        if self._listeners:
            self._publish(name, fields)
        if self._verbose:
            self._log.debug("%s %s", name, _line(fields))

    def notable(self, name: str, *, level: int = logging.INFO, **fields: Field) -> None:
        """Something an operator should see."""
        if self._listeners:
            self._publish(name, fields)
        self._log.log(level, "%s %s", name, _line(fields))

    @contextmanager
    def listen(self) -> Iterator[asyncio.Queue[Occurrence]]:
        """Every event from now on, in order."""
        queue: asyncio.Queue[Occurrence] = asyncio.Queue(LISTENER_LIMIT)
        self._listeners.append(queue)
        try:
            yield queue
        finally:
            self._listeners.remove(queue)

    def _publish(self, name: str, fields: dict[str, Field]) -> None:
        occurrence = Occurrence(at=self._now(), name=name, fields=fields)
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(occurrence)


def masked(number: str) -> str:
    """`+48600700800` -> `+486…800`. Short codes and names stay: they are nobody's private number."""
    return number if len(number) < 8 else f"{number[:4]}…{number[-3:]}"


_PRIVATE_NUMBERS = frozenset({"to", "sender", "recipient"})
_NEVER_LOGGED = frozenset({"text"})


def _line(fields: dict[str, Field]) -> str:
    return " ".join(
        f"{name}={masked(str(value)) if name in _PRIVATE_NUMBERS else _quoted(value)}"
        for name, value in fields.items()
        if value is not None and name not in _NEVER_LOGGED
    )


def _quoted(value: Field) -> str:
    text = str(value)
    # repr also takes the control characters out, so nothing from the air can forge a log line.
    return repr(text) if not text or any(c <= " " or c == '"' or not c.isprintable() for c in text) else text


# --- Metrics ----------------------------------------------------------------------------------------------------------


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What `/metrics` shows, gathered when asked."""

    version: str
    counts: dict[Status, int]
    due: int
    later: int
    oldest_due_seconds: float
    doubts: int
    clock_trusted: bool = True
    clock_steps: int = 0
    disk_free: int = 0
    disk_level: Level = Level.AMPLE
    log_lines_dropped: int = 0
    checked_at: Instant = 0
    channels: list[ChannelSnapshot]


class _Collector(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        f = self._figures
        build = GaugeMetricFamily("gsmbridge_build_info", "The running version.", labels=["version"])
        build.add_metric([f.version], 1)
        yield build
        messages = GaugeMetricFamily("gsmbridge_messages", "Messages in the store by status.", labels=["status"])
        for status in Status:
            messages.add_metric([status.value], f.counts.get(status, 0))
        yield messages
        yield GaugeMetricFamily("gsmbridge_queue_due", "Messages that wait and whose time has come.", f.due)
        yield GaugeMetricFamily("gsmbridge_queue_later", "Messages whose time lies ahead.", f.later)
        yield GaugeMetricFamily(
            "gsmbridge_queue_oldest_due_seconds", "How long the oldest due message has waited.", f.oldest_due_seconds
        )
        yield GaugeMetricFamily(
            "gsmbridge_doubts_open", "Attempts of which nobody knows whether they were sent.", f.doubts
        )
        yield GaugeMetricFamily(
            "gsmbridge_clock_trusted",
            "1 while the wall clock is believed; else deferred texts are held.",
            f.clock_trusted,
        )
        yield CounterMetricFamily(
            "gsmbridge_clock_steps", "Times the wall clock was set, since the start.", f.clock_steps
        )
        yield GaugeMetricFamily(
            "gsmbridge_disk_free_bytes", "Room on the disk that holds the messages, as last seen.", f.disk_free
        )
        level = GaugeMetricFamily("gsmbridge_disk_level", "1 for how it is with that room.", labels=["level"])
        for one in Level:
            level.add_metric([one.value], one is f.disk_level)
        yield level
        yield GaugeMetricFamily(
            "gsmbridge_database_checked_timestamp_seconds",
            "When the whole database was last checked and found sound; 0: never.",
            f.checked_at / 1000,
        )
        yield CounterMetricFamily(
            "gsmbridge_log_lines_dropped", "Log lines that nobody read in time.", f.log_lines_dropped
        )
        up = GaugeMetricFamily("gsmbridge_channel_up", "1 while the channel can send and receive.", labels=["channel"])
        backlog = GaugeMetricFamily(
            "gsmbridge_channel_backlog", "Messages assigned, not yet armed.", labels=["channel"]
        )
        signal = GaugeMetricFamily("gsmbridge_channel_signal_dbm", "Signal strength.", labels=["channel"])
        used = GaugeMetricFamily("gsmbridge_channel_storage_used", "Texts in the modem's storage.", labels=["channel"])
        size = GaugeMetricFamily("gsmbridge_channel_storage_size", "Places in the modem's storage.", labels=["channel"])
        submissions = CounterMetricFamily(
            "gsmbridge_channel_submissions", "Submissions since the start by outcome.", labels=["channel", "outcome"]
        )
        received = CounterMetricFamily(
            "gsmbridge_channel_received", "Incoming PDUs since the start.", labels=["channel"]
        )
        for c in f.channels:
            up.add_metric([c.id], 1 if c.health.state is LinkState.UP else 0)
            backlog.add_metric([c.id], c.backlog)
            if c.health.signal_dbm is not None:
                signal.add_metric([c.id], c.health.signal_dbm)
            if c.health.storage_used is not None and c.health.storage_size is not None:
                used.add_metric([c.id], c.health.storage_used)
                size.add_metric([c.id], c.health.storage_size)
            submissions.add_metric([c.id, "accepted"], c.accepted)
            submissions.add_metric([c.id, "refused"], c.refused)
            submissions.add_metric([c.id, "in_doubt"], c.in_doubt)
            received.add_metric([c.id], c.received)
        yield from (up, backlog, signal, used, size, submissions, received)


def render_metrics(figures: Figures) -> bytes:
    """Prometheus text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(figures))
    return generate_latest(registry)
