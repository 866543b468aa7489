"""A figure on an empty store beside the same on one with many deferred rows."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bench import Bench, Site
from benchmarks.report import Figure, Goal

__all__ = ["sides", "slowdown", "speed"]

_KEPT = 0.85  # no figure may fall by more than 15 %


def sides(bench: Bench) -> Iterator[tuple[int, Site]]:
    """For each run the empty store and the full one, in turn: whatever else the machine does hits both."""
    for run in range(bench.runs):
        for rows in (0, bench.rows) if bench.rows else (0,):
            bench.say(f"run {run + 1} of {bench.runs}, {rows:,} deferred rows")
            with bench.site(rows) as site:
                yield rows, site


def speed(name: str, bench: Bench, empty: list[float], full: list[float]) -> list[Figure]:
    """What is the better the higher."""
    return _ratio(name, bench, full, [b / a for a, b in zip(empty, full, strict=False)], "")


def slowdown(name: str, bench: Bench, empty: list[float], full: list[float]) -> list[Figure]:
    """What is the better the lower: as a share of speed kept, so that one goal holds for all."""
    return _ratio(name, bench, full, [a / b for a, b in zip(empty, full, strict=False)], "time without / time with")


def _ratio(name: str, bench: Bench, full: list[float], ratios: list[float], note: str) -> list[Figure]:
    if not full:
        return []
    title = f"{name}: kept with {bench.rows:,} deferred rows"
    return [Figure(name=title, unit="of 1", values=ratios, goal=Goal(_KEPT, at_least=True), note=note)]
