"""What `/metrics` shows, in Prometheus' text format.

Names follow its conventions: base units, `_total` for what only grows. Labels come from the configuration, and from
endpoints that somebody has made, so that there are never many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import isinf
from typing import TypeVar

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from bridge.latency import ChannelLatencies, Histogram
from bridge.model import ChannelSnapshot, Instant, Status
from bridge.policy.storage import Level
from drivers.contract import LinkState, RepairState

__all__ = ["ChannelFigures", "Figures", "WebhookFigures", "render_metrics"]


class ChannelFigures(msgspec.Struct, frozen=True, kw_only=True):
    snapshot: ChannelSnapshot
    latencies: ChannelLatencies
    repairs: Mapping[tuple[str, RepairState], int]  # steps since the start, by rung and result


class WebhookFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Of one endpoint, a mail address among them. `latency` None: nothing was sent there since the start."""

    id: str
    enabled: bool
    waiting: int
    dead: int
    oldest_seconds: float
    latency: Histogram | None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What `/metrics` shows, gathered when asked."""

    version: str
    counts: dict[Status, int]
    due: int
    later: int
    oldest_due_seconds: float
    doubts: int
    oldest_doubt_seconds: float
    clock_trusted: bool
    clock_steps: int
    disk_free: int  # bytes
    disk_level: Level
    log_lines_dropped: int
    checked_at: Instant
    canary_ok: bool | None  # None: there is none, or nothing is known of it yet
    canary_seconds: float | None
    channels: list[ChannelFigures]
    webhooks: list[WebhookFigures]


class _Collector(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        yield from _of_service(self._figures)
        yield from _of_channels(self._figures.channels)
        yield from _of_webhooks(self._figures.webhooks)


def _of_service(f: Figures) -> Iterator[Metric]:
    yield _gauge("gsmbridge_build_info", "The running version.", {(f.version,): 1}, "version")
    messages = {(status.value,): f.counts.get(status, 0) for status in Status}
    yield _gauge("gsmbridge_messages", "Messages in the store by status.", messages, "status")
    yield GaugeMetricFamily("gsmbridge_queue_due", "Messages that wait and whose time has come.", f.due)
    yield GaugeMetricFamily("gsmbridge_queue_later", "Messages whose time lies ahead.", f.later)
    yield GaugeMetricFamily(
        "gsmbridge_queue_oldest_due_seconds", "How long the oldest due message has waited.", f.oldest_due_seconds
    )
    yield GaugeMetricFamily("gsmbridge_doubts_open", "Attempts of which nobody knows whether they were sent.", f.doubts)
    yield GaugeMetricFamily(
        "gsmbridge_doubts_oldest_seconds", "How long the oldest open doubt has been one.", f.oldest_doubt_seconds
    )
    yield GaugeMetricFamily(
        "gsmbridge_clock_trusted", "1 while the wall clock is believed; else deferred texts are held.", f.clock_trusted
    )
    yield CounterMetricFamily("gsmbridge_clock_steps", "Times the wall clock was set, since the start.", f.clock_steps)
    about = "Room on the disk that holds the messages, as last seen."
    yield GaugeMetricFamily("gsmbridge_disk_free_bytes", about, f.disk_free)
    levels = {(level.value,): int(level is f.disk_level) for level in Level}
    yield _gauge("gsmbridge_disk_level", "1 for how it is with that room.", levels, "level")
    about = "When the whole database was last checked and found sound; 0: never."
    yield GaugeMetricFamily("gsmbridge_database_checked_timestamp_seconds", about, f.checked_at / 1000)
    about = "Log lines that nobody read in time."
    yield CounterMetricFamily("gsmbridge_log_lines_dropped", about, f.log_lines_dropped)
    yield _known("gsmbridge_canary_ok", "1 when the last canary came in time.", f.canary_ok)
    yield _known("gsmbridge_canary_seconds", "How long the last canary took, order to arrival.", f.canary_seconds)


def _of_channels(channels: Sequence[ChannelFigures]) -> Iterator[Metric]:
    snapshots = [c.snapshot for c in channels]
    up = {(c.id,): int(c.health.state is LinkState.UP) for c in snapshots}
    yield _gauge("gsmbridge_channel_up", "1 while the channel's link is up.", up, "channel")
    circuit = {(c.id, state): int(_circuit(c) == state) for c in snapshots for state in _CIRCUIT}
    yield _gauge(
        "gsmbridge_channel_circuit",
        "1 for the state of the channel's circuit breaker: closed, it sends; open, it is paused after failures; "
        "half_open, one text goes to see.",
        circuit,
        "channel",
        "state",
    )
    backlog = {(c.id,): c.backlog for c in snapshots}
    yield _gauge("gsmbridge_channel_backlog", "Messages assigned, not yet armed.", backlog, "channel")
    signal = {(c.id,): c.health.signal_dbm for c in snapshots if c.health.signal_dbm is not None}
    yield _gauge("gsmbridge_channel_signal_dbm", "Signal strength.", signal, "channel")
    stores = [
        (c.id, c.health.storage_used, c.health.storage_size)
        for c in snapshots
        if c.health.storage_used is not None and c.health.storage_size is not None
    ]
    used, size = {(id,): used for id, used, _ in stores}, {(id,): size for id, _, size in stores}
    yield _gauge("gsmbridge_channel_storage_used", "Texts in the modem's storage.", used, "channel")
    yield _gauge("gsmbridge_channel_storage_size", "Places in the modem's storage.", size, "channel")
    spent = {(c.id, q.name): q.used for c in snapshots for q in c.quota}
    most = {(c.id, q.name): q.most for c in snapshots for q in c.quota}
    yield _gauge(
        "gsmbridge_channel_quota_used", "What the present span of a limit has used.", spent, "channel", "limit"
    )
    yield _gauge("gsmbridge_channel_quota_limit", "What a span of that limit allows.", most, "channel", "limit")
    due, delivered = {(c.id,): c.arrivals.due for c in snapshots}, {(c.id,): c.arrivals.delivered for c in snapshots}
    about = "Of the channel's last texts those whose delivery report is due."
    yield _gauge("gsmbridge_channel_reports_due", about, due, "channel")
    yield _gauge("gsmbridge_channel_reports_delivered", "Those of them reported as delivered.", delivered, "channel")
    blocked = {(c.id,): int(c.arrivals.silent_block) for c in snapshots}
    about = "1 while what is accepted seems not to arrive."
    yield _gauge("gsmbridge_channel_silent_block", about, blocked, "channel")
    left = [(c.id, c.left.currency, c.left.amount, c.left.at) for c in snapshots if c.left is not None]
    amounts = {(id, currency): float(amount) for id, currency, amount, at in left if amount is not None}
    about = "What was left on the SIM, when last asked."
    yield _gauge("gsmbridge_channel_balance", about, amounts, "channel", "currency")
    asked = {(id,): at / 1000 for id, _, amount, at in left if amount is not None and at is not None}
    about = "When the SIM's network said so."
    yield _gauge("gsmbridge_channel_balance_timestamp_seconds", about, asked, "channel")
    submissions = {
        (c.id, outcome): count
        for c in snapshots
        for outcome, count in (("accepted", c.accepted), ("refused", c.refused), ("in_doubt", c.in_doubt))
    }
    about = "Submissions since the start by outcome."
    yield _counter("gsmbridge_channel_submissions", about, submissions, "channel", "outcome")
    received = {(c.id,): c.received for c in snapshots}
    yield _counter("gsmbridge_channel_received", "Incoming PDUs since the start.", received, "channel")
    repairs = {
        (c.snapshot.id, rung, result.value): n for c in channels for (rung, result), n in sorted(c.repairs.items())
    }
    about = "Steps of repair since the start by rung and result: begun, failed, cured, given_up."
    yield _counter("gsmbridge_channel_repair_steps", about, repairs, "channel", "rung", "result")
    for name, about, of in _CHANNEL_HISTOGRAMS:
        yield _histogram(name, about, {(c.snapshot.id,): of(c.latencies) for c in channels}, "channel")


def _of_webhooks(webhooks: Sequence[WebhookFigures]) -> Iterator[Metric]:
    def gauge(name: str, about: str, of: Callable[[WebhookFigures], float]) -> Metric:
        return _gauge(f"gsmbridge_webhook_{name}", about, {(w.id,): of(w) for w in webhooks}, "webhook")

    yield gauge("enabled", "1 while events are sent to the endpoint.", lambda w: w.enabled)
    yield gauge("backlog", "Events that wait for the endpoint.", lambda w: w.waiting)
    yield gauge(
        "oldest_seconds", "How old the oldest event that waits for the endpoint is.", lambda w: w.oldest_seconds
    )
    yield gauge("dead_letters", "Events that were given up.", lambda w: w.dead)
    delivered = {(w.id,): w.latency for w in webhooks if w.latency is not None}
    about = "From an event until the endpoint has taken it."
    yield _histogram("gsmbridge_webhook_delivery_seconds", about, delivered, "webhook")


_CIRCUIT = ("closed", "open", "half_open")
_CHANNEL_HISTOGRAMS: tuple[tuple[str, str, Callable[[ChannelLatencies], Histogram]], ...] = (
    (
        "gsmbridge_channel_wait_seconds",
        "From when a text may be sent, at its acceptance or later, until its first part goes out for the first time.",
        lambda of: of.wait,
    ),
    (
        "gsmbridge_channel_submission_seconds",
        "From when a part goes out until it is known what became of it.",
        lambda of: of.submission,
    ),
    (
        "gsmbridge_channel_delivery_seconds",
        "From the acceptance of a part by the carrier until the report of its delivery.",
        lambda of: of.delivery,
    ),
    (
        "gsmbridge_channel_inbound_seconds",
        "From a modem's announcement of an incoming PDU until it is stored.",
        lambda of: of.inbound,
    ),
)


def _circuit(channel: ChannelSnapshot) -> str:
    if channel.paused_until is not None:
        return "open"
    return "half_open" if channel.probing else "closed"


_Labels = TypeVar("_Labels", bound=tuple[str, ...])  # their values, in the order of their names


def _gauge(name: str, about: str, values: Mapping[_Labels, float], *labels: str) -> Metric:
    family = GaugeMetricFamily(name, about, labels=labels)
    for of, value in values.items():
        family.add_metric(of, value)
    return family


def _known(name: str, about: str, value: float | None) -> Metric:
    return _gauge(name, about, {} if value is None else {(): value})


def _counter(name: str, about: str, values: Mapping[_Labels, float], *labels: str) -> Metric:
    """`name` without its `_total`."""
    family = CounterMetricFamily(name, about, labels=labels)
    for of, value in values.items():
        family.add_metric(of, value)
    return family


def _histogram(name: str, about: str, found: Mapping[_Labels, Histogram], *labels: str) -> Metric:
    family = HistogramMetricFamily(name, about, labels=labels)
    for of, histogram in found.items():
        buckets = [("+Inf" if isinf(b) else repr(float(b)), count) for b, count in histogram.cumulative()]
        family.add_metric(of, buckets, histogram.total)
    return family


def render_metrics(figures: Figures) -> bytes:
    """Prometheus text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(figures))
    return generate_latest(registry)
