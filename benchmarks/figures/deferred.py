"""Deferred messages: enqueued, looked up, waited for without turning, and brought to the wire when their time comes.

How many are claimed is seen from outside: a claimed row is in no queue any more. A channel claims as much as it will
send within a second, so all of them are claimed when the modems have nearly done them.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
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
_MINUTE = 60.0  # seconds of idleness
_LOOK = 0.05  # seconds; what is done within is one wake-up
_PROBE = 0.05  # seconds between two orders while thousands are due
_WAITING = "SELECT 1 FROM messages WHERE queue = '*' AND priority = 0 AND due_at = ? LIMIT 1"


def measure(bench: Bench) -> list[Figure]:
    rows = bench.amount(1_000_000, 100_000)
    samples = bench.amount(200, 40)
    watched = bench.amount(int(_MINUTE), 10)
    rates, looks, beside, alone, turns, lates = [], [], [], [], [], []
    at_once: dict[int, list[_Burst]] = {1: [], 4: []}
    for _ in range(bench.runs):
        with bench.site() as site:
            with bench.simulator() as simulator, bench.service(site, simulator.ports) as service:
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
                beside.append(_watch(service, watched).wake_ups)
                lates.append([1000 * late for late in _one_by_one(service, simulator, samples)])
                service.stop()  # in order: after a kill the whole database is checked, which is no idleness
            with bench.service(site, []) as service:
                found = _watch(service, watched)
                alone.append(found.wake_ups)
                turns.append(found.processor_time)
                service.kill()
            for modems, bursts in at_once.items():
                with bench.simulator(modems) as simulator, bench.service(site, simulator.ports) as service:
                    service.await_channels()
                    bursts.append(_at_once(service, simulator, bench.amount(10_000, 2000)))
                    service.kill()
    return [
        Figure(
            name=f"deferred: {rows:,} enqueued in batches of {_BATCH:,}",
            unit="messages/s",
            values=rates,
            goal=Goal(40_000, at_least=True),
        ),
        Figure(name="  next due time of them", unit="ms", values=looks, goal=Goal(1, at_least=False)),
        Figure(
            name="  wake-ups of the loop with nothing due",
            unit="/min",
            values=alone,
            goal=Goal(1, at_least=False),
        ),
        Figure(name="  the same beside one modem, which is asked how it is", unit="/min", values=beside),
        Figure(name="  processor time with nothing due", unit="ms/min", values=turns),
        Figure(
            name="  due time to the first byte of AT+CMGS, idle, p99",
            unit="ms",
            values=[percentile(found, 99) for found in lates],
            goal=Goal(50, at_least=False),
        ),
        *(figure for modems, bursts in at_once.items() for figure in _told(modems, bursts)),
    ]


def _told(modems: int, bursts: list[_Burst]) -> list[Figure]:
    count = bursts[0].count
    who = "one instant modem" if modems == 1 else f"{modems} instant modems"
    return [
        Figure(
            name=f"deferred: {count:,} due in one second, {who}: first on the wire",
            unit="ms",
            values=[1000 * b.first for b in bursts],
            goal=Goal(100, at_least=False),
        ),
        Figure(name="  all claimed", unit="s", values=[b.claimed for b in bursts], goal=Goal(10, at_least=False)),
        Figure(name="  all on the wire", unit="s", values=[b.last for b in bursts]),
        Figure(name="  service's processor time", unit="ms/message", values=[b.processor_time for b in bursts]),
        Figure(
            name="  answer 202 meanwhile, p99",
            unit="ms",
            values=[1000 * percentile(b.waits, 99) for b in bursts],
            goal=Goal(100, at_least=False),
        ),
    ]


class _Idle(msgspec.Struct, frozen=True, kw_only=True):
    wake_ups: float  # a minute
    processor_time: float  # milliseconds a minute


class _Burst(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from the common due time, and waits for answers meanwhile."""

    count: int
    first: float
    claimed: float
    last: float
    processor_time: float  # milliseconds a message
    waits: list[float]


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


def _watch(service: Service, seconds: int) -> _Idle:
    """While nothing is due. Begins with a wake-up, so that a whole minute holds one of what comes each minute."""
    sleep(2.0)
    until = monotonic() + _MINUTE
    before = service.sleeps()
    while seconds >= _MINUTE and service.sleeps() == before and monotonic() < until:
        sleep(_LOOK)
    sleep(2 * _LOOK)
    cpu, before, ends, wake_ups = service.cpu(), service.sleeps(), monotonic() + seconds, 0
    while monotonic() < ends:
        sleep(_LOOK)
        now = service.sleeps()
        wake_ups += now != before
        before = now
    return _Idle(wake_ups=wake_ups * _MINUTE / seconds, processor_time=1000 * (service.cpu() - cpu) * 60 / seconds)


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


def _at_once(service: Service, simulator: Simulator, count: int) -> _Burst:
    simulator.new_entries()
    before = simulator.taken()
    offset = time() - monotonic()
    at = int(time() + _AHEAD + count / 10_000)
    waits: list[float] = []
    claimed = 0.0
    shown = datetime.fromtimestamp(at, UTC).isoformat()
    store = sqlite3.connect(f"file:{service.state_dir / 'gsmbridge.sqlite'}?mode=ro", uri=True)
    with service.client() as client, closing(store):
        for first in range(1_000_000, 1_000_000 + count, 1000):
            client.post("/v1/batches", workload.batch(first, min(1000, 1_000_000 + count - first), send_at=shown))
        if time() >= at:
            raise Failed("the orders took longer than their due time was ahead")
        cpu = service.cpu()
        sleep(at - time())
        index = 2_000_000
        while simulator.taken() - before < count:
            began = monotonic()
            client.post("/v1/messages", _deferred(index, at + 10_000_000))
            waits.append(monotonic() - began)
            index += 1
            if not claimed and store.execute(_WAITING, (at * 1000,)).fetchone() is None:
                claimed = time() - at
            sleep(_PROBE)
        cpu = service.cpu() - cpu
    reached = sorted(entry.command_at for entry in simulator.new_entries())[:count]
    return _Burst(
        count=count,
        first=reached[0] - (at - offset),
        claimed=claimed or time() - at,
        last=reached[-1] - (at - offset),
        processor_time=1000 * cpu / count,
        waits=waits,
    )


def _deferred(index: int, at: float) -> bytes:
    shown = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return msgspec.json.encode(
        {"to": workload.number(index), "text": workload.text(index), "report": False, "send_at": shown}
    )
