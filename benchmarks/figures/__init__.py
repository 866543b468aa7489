"""One module a group of figures; each has `measure(bench) -> list[Figure]`."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.bench import Bench
from benchmarks.figures import (
    accept,
    busy,
    deferred,
    failover,
    idle,
    instant,
    latency,
    many,
    providers,
    replies,
    small,
    start,
    webhooks,
)
from benchmarks.report import Figure

__all__ = ["FIGURES"]

FIGURES: dict[str, Callable[[Bench], list[Figure]]] = {
    "instant": instant.measure,
    "many": many.measure,
    "busy": busy.measure,
    "latency": latency.measure,
    "accept": accept.measure,
    "deferred": deferred.measure,
    "idle": idle.measure,
    "start": start.measure,
    "small": small.measure,
    "replies": replies.measure,
    "providers": providers.measure,
    "failover": failover.measure,
    "webhooks": webhooks.measure,
}
