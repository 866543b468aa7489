"""How fast orders are taken, each on disk before it is answered, while a modem of ordinary slowness is at work."""

from __future__ import annotations

from benchmarks import load
from benchmarks.bench import Bench
from benchmarks.figures.ratios import sides, speed
from benchmarks.processes import Service
from benchmarks.report import Figure, Goal, percentile

__all__ = ["measure"]

_CONNECTIONS = 64
_BATCH = 1000
_BATCH_CONNECTIONS = 4


def measure(bench: Bench) -> list[Figure]:
    singles = bench.amount(16_000, 4000)
    batches = bench.amount(120, 20)
    one: dict[int, list[float]] = {0: [], bench.rows: []}
    many: dict[int, list[float]] = {0: [], bench.rows: []}
    waits: list[float] = []
    costs: list[float] = []
    batch_costs: list[float] = []
    with bench.simulator(delay=0.3) as simulator:
        for rows, site in sides(bench):
            with bench.service(site, simulator.ports) as service:
                service.await_channels()
                used = service.cpu()
                single = load.run(_job(service, singles, _CONNECTIONS))
                between = service.cpu()
                batch = load.run(_job(service, batches, _BATCH_CONNECTIONS, size=_BATCH, first=singles))
                one[rows].append(single.rate)
                many[rows].append(batch.rate)
                if rows == 0:
                    waits.append(1000 * percentile(single.latencies, 95))
                    costs.append(1e6 * (between - used) / single.messages)
                    batch_costs.append(1e6 * (service.cpu() - between) / batch.messages)
                service.kill()  # what waits is not to be sent; draining is no figure
    full = bench.rows
    return [
        Figure(
            name=f"accept: durable single messages, {_CONNECTIONS} connections",
            unit="messages/s",
            values=one[0],
            goal=Goal(4000, at_least=True),
        ),
        Figure(name="  wait for the answer, p95", unit="ms", values=waits),
        Figure(name="  service's processor time", unit="us/message", values=costs),
        *(speed("  single messages", bench, one[0], one[full]) if full else []),
        Figure(
            name=f"accept: durable messages in batches of {_BATCH:,}",
            unit="messages/s",
            values=many[0],
            goal=Goal(40_000, at_least=True),
            note=f"{_BATCH_CONNECTIONS} connections",
        ),
        Figure(name="  service's processor time", unit="us/message", values=batch_costs),
        *(speed("  batches", bench, many[0], many[full]) if full else []),
    ]


def _job(service: Service, requests: int, connections: int, *, size: int = 0, first: int = 0) -> load.Job:
    return load.Job(
        host=service.host,
        port=service.port,
        key=service.key,
        requests=requests,
        connections=connections,
        size=size,
        first=first,
    )
