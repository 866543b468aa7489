"""An idle system: how long one text takes from the client's first byte to the modem, and one from the modem to disk."""

from __future__ import annotations

import sqlite3
from random import Random
from time import monotonic, sleep

from benchmarks import workload
from benchmarks.bench import Bench, Site
from benchmarks.figures.ratios import sides, slowdown
from benchmarks.processes import Failed, Service, Simulator
from benchmarks.report import Figure, Goal, percentile

__all__ = ["measure"]

_GAP = (0.02, 0.04)  # seconds between two, so that no rhythm of ours meets one of theirs
_LOOK = 0.0001  # seconds between two looks at the store
_STORED = 10.0


def measure(bench: Bench) -> list[Figure]:
    samples = bench.amount(200, 40)
    wire: dict[int, list[list[float]]] = {0: [], bench.rows: []}
    accepted: list[list[float]] = []
    stored: dict[int, list[list[float]]] = {0: [], bench.rows: []}
    with bench.simulator() as simulator:
        for rows, site in sides(bench):
            with bench.service(site, simulator.ports) as service:
                service.await_channels()
                sleep(1.0)
                to_wire, to_answer = _outbound(service, simulator, samples)
                wire[rows].append(to_wire)
                if rows == 0:
                    accepted.append(to_answer)
                stored[rows].append(_inbound(site, simulator, samples // 2))

    def points(found: list[list[float]], percent: float) -> list[float]:
        return [1000 * percentile(values, percent) for values in found]

    full = bench.rows
    return [
        Figure(
            name="idle: submit by HTTP to the first byte of AT+CMGS, p50",
            unit="ms",
            values=points(wire[0], 50),
            goal=Goal(4, at_least=False),
            note="peers: SMSTools3 6.9, gammu-smsd 500, Kannel 790",
        ),
        Figure(name="  the same, p95", unit="ms", values=points(wire[0], 95), goal=Goal(8, at_least=False)),
        Figure(name="  submit to the answer 202, p50", unit="ms", values=points(accepted, 50)),
        *(slowdown("  submit to wire, p50", bench, points(wire[0], 50), points(wire[full], 50)) if full else []),
        *(slowdown("  submit to wire, p95", bench, points(wire[0], 95), points(wire[full], 95)) if full else []),
        Figure(
            name="idle: +CMTI to the stored inbound row, p50",
            unit="ms",
            values=points(stored[0], 50),
            goal=Goal(8, at_least=False),
            note="peers: SMSTools3 650, gammu-smsd 590, Kannel 0.8 (to the handler)",
        ),
        *(slowdown("  +CMTI to row, p50", bench, points(stored[0], 50), points(stored[full], 50)) if full else []),
    ]


def _outbound(service: Service, simulator: Simulator, samples: int) -> tuple[list[float], list[float]]:
    random = Random(1)
    began: dict[str, float] = {}
    answers: list[float] = []
    simulator.new_entries()
    before = simulator.taken()
    with service.client() as client:
        for index in range(samples):
            client.post("/v1/messages", workload.single(index))
            answers.append(monotonic() - client.sent_at)
            began[workload.number(index)] = client.sent_at
            sleep(random.uniform(*_GAP))
    simulator.await_taken(before + samples)
    reached = {entry.destination: entry.command_at for entry in simulator.new_entries()}
    if reached.keys() != began.keys():
        raise Failed("the network took other messages than were ordered")
    return [reached[number] - at for number, at in began.items()], answers


def _inbound(site: Site, simulator: Simulator, samples: int) -> list[float]:
    """From the order to the simulator, which writes +CMTI on reading it, to the moment when another process sees the
    row: never less than what is asked for, and more by the two hops."""
    random = Random(2)
    found = []
    store = sqlite3.connect(f"file:{site.state_dir / 'gsmbridge.sqlite'}?mode=ro", uri=True, isolation_level=None)
    try:
        for index in range(samples):
            rows = _rows(store)
            began = monotonic()
            simulator.control.ask("inject", to=simulator.numbers[0], text=workload.text(index), sender="+447700900999")
            while _rows(store) == rows:
                if monotonic() > began + _STORED:
                    raise Failed("an incoming text was not stored")
                sleep(_LOOK)
            found.append(monotonic() - began)
            sleep(random.uniform(*_GAP))
    finally:
        store.close()
    return found


def _rows(store: sqlite3.Connection) -> int:
    newest: int | None = store.execute("SELECT max(id) FROM inbound").fetchone()[0]
    return newest or 0
