"""One simulated modem that answers at once: how fast the whole way is, from the queue to the recorded outcome."""

from __future__ import annotations

from time import monotonic, sleep

import msgspec

from benchmarks import floor, workload
from benchmarks.bench import Bench, Site
from benchmarks.figures.ratios import sides, speed
from benchmarks.machine import syncs_per_second
from benchmarks.processes import Failed, Service, Simulator
from benchmarks.report import Figure, Goal
from drivers.simulator.ledger import Entry

__all__ = ["Burst", "burst", "measure"]

_BATCH = 1000


class Burst(msgspec.Struct, frozen=True, kw_only=True):
    rate: float  # messages/s from the first AT+CMGS to the last PDU taken
    settled: float  # messages/s from there to the moment when all are known to be recorded
    simulator: float  # share of a core that the simulator used meanwhile
    service: float  # microseconds of processor time that the service spent on a message, acceptance included


def measure(bench: Bench) -> list[Figure]:
    messages = bench.amount(6000, 1500)
    rates: dict[int, list[float]] = {0: [], bench.rows: []}
    floors: list[float] = []
    ratios: list[float] = []
    shares: list[float] = []
    costs: list[float] = []
    syncs: list[float] = []
    with bench.simulator() as simulator:
        for rows, site in sides(bench):
            done = one(bench, site, simulator, messages)
            rates[rows].append(done.rate)
            if rows == 0:
                bare = floor.on_one_port(simulator.ports[0], messages)
                simulator.new_entries()
                floors.append(bare.rate)
                ratios.append(done.rate / bare.rate)
                shares.append(done.simulator)
                costs.append(done.service)
                syncs.append(syncs_per_second(site.state_dir))
    return [
        Figure(
            name="one instant modem, durable",
            unit="messages/s",
            values=rates[0],
            goal=Goal(1500, at_least=True),
            note="peers: SMSTools3 256, gammu-smsd 1.4, Kannel 0.5",
        ),
        Figure(name="  bare os.read/os.write client on the same port", unit="messages/s", values=floors),
        Figure(name="  ratio to the bare client", unit="of 1", values=ratios, goal=Goal(0.25, at_least=True)),
        Figure(name="  simulator meanwhile", unit="of a core", values=shares, note="below 1: not the bottleneck"),
        Figure(name="  service's processor time", unit="us/message", values=costs),
        Figure(name="  the disk just after", unit="syncs/s", values=syncs, note="one modem: a sync for each text"),
        *speed("one instant modem", bench, rates[0], rates[bench.rows] if bench.rows else []),
    ]


def one(bench: Bench, site: Site, simulator: Simulator, messages: int) -> Burst:
    with bench.service(site, simulator.ports) as service:
        service.await_channels()
        sleep(0.3)
        return burst(service, simulator, messages)


def burst(service: Service, simulator: Simulator, messages: int, *, report: bool = False) -> Burst:
    """Order so many at once and wait until all are recorded as sent, or as delivered when a report is asked for; the
    network's ledger has the times."""
    end = "delivered" if report else "sent"
    simulator.new_entries()
    before = simulator.taken()
    used = simulator.cpu(), service.cpu(), monotonic()
    with service.client() as client:
        batches = [
            client.post("/v1/batches", workload.batch(first, min(_BATCH, messages - first), report=report))["id"]
            for first in range(0, messages, _BATCH)
        ]
        simulator.await_taken(before + messages)
        spent = simulator.cpu() - used[0], service.cpu() - used[1], monotonic() - used[2]
        until = monotonic() + 30
        while sum(client.get(f"/v1/batches/{id}")["counts"].get(end, 0) for id in batches) < messages:
            if monotonic() > until:
                raise Failed(f"not every message that the network took is recorded as {end}")
            sleep(0.05)
        ended = monotonic()
    entries = simulator.new_entries()
    check(entries, messages)
    began = min(e.command_at for e in entries)
    return Burst(
        rate=messages / (max(e.taken_at for e in entries) - began),
        settled=messages / (ended - began),
        simulator=spent[0] / spent[2],
        service=1e6 * spent[1] / messages,
    )


def check(entries: list[Entry], messages: int) -> None:
    """A fast gateway that loses or doubles is no gateway."""
    different = len({entry.destination for entry in entries})
    if len(entries) != messages or different != messages:
        raise Failed(f"{messages} ordered, {len(entries)} taken by the network, {different} of them different")
