"""Sixteen modems and nothing to do: what that costs, polls of the storage included."""

from __future__ import annotations

from time import monotonic, sleep

from benchmarks.bench import Bench
from benchmarks.report import Figure, Goal

__all__ = ["measure"]

_MODEMS = 16


def measure(bench: Bench) -> list[Figure]:
    window = bench.amount(31, 5)  # seconds; the storage is looked at every 30
    shares = []
    with bench.simulator(_MODEMS) as simulator, bench.site() as site, bench.service(site, simulator.ports) as service:
        service.await_channels()
        sleep(3.0)
        for run in range(1 if bench.quick else 2):
            bench.say(f"window {run + 1}, {window} s")
            used, began = service.cpu(), monotonic()
            sleep(window)
            shares.append(100 * (service.cpu() - used) / (monotonic() - began))
        resident, proportional = service.resident(), service.proportional()
    return [
        Figure(
            name=f"idle with {_MODEMS} modems: processor",
            unit="% of a core",
            values=shares,
            goal=Goal(1, at_least=False),
        ),
        Figure(
            name=f"idle with {_MODEMS} modems: resident memory",
            unit="MB",
            values=[resident / 1e6],
            goal=Goal(90, at_least=False),
            note=f"{proportional / 1e6:.0f} MB when shared pages are shared out (Pss)",
        ),
    ]
