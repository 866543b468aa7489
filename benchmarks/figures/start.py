"""After a crash with a long queue: how soon orders are taken again."""

from __future__ import annotations

from time import monotonic

from benchmarks import workload
from benchmarks.bench import Bench
from benchmarks.report import Figure, Goal

__all__ = ["measure"]


def measure(bench: Bench) -> list[Figure]:
    queued = bench.amount(100_000, 20_000)
    after: dict[str, list[float]] = {"a clean stop": [], "kill -9": []}
    unplugged = [str(bench.runtime / f"unplugged{n}") for n in range(16)]
    for run in range(bench.runs):
        bench.say(f"run {run + 1} of {bench.runs}")
        with bench.site(due=queued) as site:
            for times in after.values():
                with bench.service(site, unplugged) as service, service.client() as client:
                    client.post("/v1/messages", workload.single(0))
                    times.append(monotonic() - service.started_at)
                    service.kill()
    return [
        Figure(
            name=f"start to the first accepted order, {queued:,} queued, after {how}",
            unit="s",
            values=times,
            goal=Goal(2, at_least=False),
            note="16 modems, all unplugged; from the fork to the 202; files in the page cache",
        )
        for how, times in after.items()
    ]
