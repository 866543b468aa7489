"""Deferred messages: enqueued, looked up, waited for without turning, and brought to the wire when their time comes."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from random import Random
from time import monotonic, perf_counter, sleep, time

import msgspec

from benchmarks import load, workload
from benchmarks.bench import Bench
from benchmarks.processes import Failed, Service, Simulator
from benchmarks.report import Figure, Goal, percentile
from bridge.store.queries import load as queries

__all__ = ["measure"]

_BATCH = 10_000
_AHEAD = 3.0  # seconds from the order to the common due time, and then some for each thousand
_WATCHED = 70.0  # seconds of idleness, more than the longest wait of the dispatcher
_PROBE = 0.05  # seconds between two orders while thousands are due


def measure(bench: Bench) -> list[Figure]:
    rows = bench.amount(1_000_000, 100_000)
    together = bench.amount(10_000, 2000)
    samples = bench.amount(200, 40)
    rates, looks, turns, firsts, claims, waits, lates = [], [], [], [], [], [], []
    for _ in range(bench.runs):
        with bench.simulator() as simulator, bench.site() as site, bench.service(site, simulator.ports) as service:
            service.await_channels()
            filled = load.run(
                load.Job(
                    host=service.host,
                    port=service.port,
                    key=service.key,
                    requests=rows // _BATCH,
                    connections=4,
                    size=_BATCH,
                    send_at=workload.DEFERRED,
                )
            )
            rates.append(filled.rate)
            looks.append(1000 * _next_due(str(site.state_dir / "gsmbridge.sqlite")))
            turns.append(_processor_time(service, bench.amount(int(_WATCHED), 10)))
            lates.append([1000 * late for late in _one_by_one(service, simulator, samples)])
            first, all_claimed, slow = _at_once(service, simulator, together)
            firsts.append(1000 * first)
            claims.append(all_claimed)
            waits.append(1000 * percentile(slow, 99))
            service.kill()  # what waits is not to be sent
    return [
        Figure(
            name=f"deferred: {rows:,} enqueued in batches of {_BATCH:,}",
            unit="messages/s",
            values=rates,
            goal=Goal(40_000, at_least=True),
        ),
        Figure(name="  next due time of them", unit="ms", values=looks, goal=Goal(1, at_least=False)),
        Figure(name="  processor time with nothing due", unit="ms/min", values=turns),
        Figure(
            name="  due time to the first byte of AT+CMGS, idle, p99",
            unit="ms",
            values=[percentile(found, 99) for found in lates],
            goal=Goal(50, at_least=False),
        ),
        Figure(
            name=f"deferred: {together:,} due in one second, first on the wire",
            unit="ms",
            values=firsts,
            goal=Goal(100, at_least=False),
        ),
        Figure(name="  all of them taken by one instant modem", unit="s", values=claims, goal=Goal(10, at_least=False)),
        Figure(name="  answer 202 meanwhile, p99", unit="ms", values=waits, goal=Goal(100, at_least=False)),
    ]


def _next_due(path: str) -> float:
    """Seconds of one look at the earliest due time."""
    statement = queries("queue")["next_due"]
    store = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        wanted = {"queue": "*", "after": int(time() * 1000)}
        store.execute(statement, wanted).fetchone()
        began = perf_counter()
        for _ in range(100):
            store.execute(statement, wanted).fetchone()
        return (perf_counter() - began) / 100
    finally:
        store.close()


def _processor_time(service: Service, seconds: int) -> float:
    """Milliseconds a minute while nothing is due."""
    sleep(2.0)
    before = service.cpu()
    sleep(seconds)
    return 1000 * (service.cpu() - before) * 60 / seconds


def _one_by_one(service: Service, simulator: Simulator, samples: int) -> list[float]:
    """Seconds from each one's due time to the modem."""
    random = Random(1)
    due: dict[str, float] = {}
    simulator.new_entries()
    before = simulator.taken()
    offset = time() - monotonic()
    with service.client() as client:
        for index in range(samples):
            at = time() + 0.15 + random.random() * 0.01
            at = int(at * 1000) / 1000
            client.post("/v1/messages", _deferred(index, at))
            due[workload.number(index)] = at - offset
            sleep(0.03)
    simulator.await_taken(before + samples)
    found = {entry.destination: entry.command_at for entry in simulator.new_entries()}
    late = [found[number] - at for number, at in due.items()]
    if min(late) < -0.001:
        raise Failed("a text was sent before its time")
    return late


def _at_once(service: Service, simulator: Simulator, count: int) -> tuple[float, float, list[float]]:
    """Seconds from the common due time to the first and the last on the wire, and waits for answers meanwhile."""
    simulator.new_entries()
    before = simulator.taken()
    offset = time() - monotonic()
    at = int(time() + _AHEAD + count / 10_000)
    waits: list[float] = []
    shown = datetime.fromtimestamp(at, UTC).isoformat()
    with service.client() as client:
        for first in range(1_000_000, 1_000_000 + count, 1000):
            client.post("/v1/batches", workload.batch(first, min(1000, 1_000_000 + count - first), send_at=shown))
        if time() >= at:
            raise Failed("the orders took longer than their due time was ahead")
        sleep(at - time())
        index = 2_000_000
        while simulator.taken() - before < count:
            began = monotonic()
            client.post("/v1/messages", _deferred(index, at + 10_000_000))
            waits.append(monotonic() - began)
            index += 1
            sleep(_PROBE)
    reached = sorted(entry.command_at for entry in simulator.new_entries())[:count]
    return reached[0] - (at - offset), reached[-1] - (at - offset), waits


def _deferred(index: int, at: float) -> bytes:
    shown = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return msgspec.json.encode(
        {"to": workload.number(index), "text": workload.text(index), "report": False, "send_at": shown}
    )
