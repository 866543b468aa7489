"""Sixteen instant modems at once, on whatever cores there are."""

from __future__ import annotations

from time import sleep

from benchmarks import floor
from benchmarks.bench import Bench
from benchmarks.figures.instant import burst
from benchmarks.machine import syncs_per_second
from benchmarks.report import Figure, Goal

__all__ = ["measure"]

_MODEMS = 16


def measure(bench: Bench) -> list[Figure]:
    messages = bench.amount(24_000, 5000)
    rates: list[float] = []
    ceilings: list[float] = []
    simulator_shares: list[float] = []
    costs: list[float] = []
    syncs: list[float] = []
    with bench.simulator(_MODEMS) as simulator:
        for run in range(bench.runs):
            bench.say(f"run {run + 1} of {bench.runs}")
            with bench.site() as site, bench.service(site, simulator.ports) as service:
                service.await_channels()
                sleep(0.3)
                done = burst(service, simulator, messages)
            rates.append(done.rate)
            simulator_shares.append(done.simulator)
            costs.append(done.service)
            syncs.append(syncs_per_second(bench.work))
            ceilings.append(floor.on_all_ports(simulator.ports, messages // _MODEMS).rate)
            simulator.new_entries()
    reported = [_reported(bench, messages // 2) for _ in range(bench.runs)]
    return [
        Figure(
            name=f"{_MODEMS} instant modems, durable, in all",
            unit="messages/s",
            values=rates,
            goal=Goal(6000, at_least=True),
            note="peer: SMSTools3 404",
        ),
        Figure(
            name="  simulator's ceiling",
            unit="messages/s",
            values=ceilings,
            note=f"a bare client on all {_MODEMS} ports at once",
        ),
        Figure(name="  simulator meanwhile", unit="of a core", values=simulator_shares),
        Figure(name="  service's processor time", unit="us/message", values=costs),
        Figure(name="  the disk just after", unit="syncs/s", values=syncs),
        Figure(
            name="  the same with delivery reports",
            unit="messages/s",
            values=reported,
            note="each comes 1 s after its text; up to the last one recorded",
        ),
    ]


def _reported(bench: Bench, messages: int) -> float:
    with (
        bench.simulator(_MODEMS, reports=1.0) as simulator,
        bench.site() as site,
        bench.service(site, simulator.ports) as service,
    ):
        service.await_channels()
        sleep(0.3)
        return burst(service, simulator, messages, report=True).settled
