"""From a provider's refusal to the modem's wire, and what a dead first choice costs those who do not use it."""

from __future__ import annotations

import re
from random import Random
from time import monotonic, sleep
from typing import Any

import msgspec

from benchmarks import workload
from benchmarks.bench import Bench
from benchmarks.clouds import channel, clouds, control
from benchmarks.processes import Failed, Service, Simulator
from benchmarks.report import Figure, Goal, percentile

__all__ = ["measure"]

_FIRST = "smsc"  # a SOAP provider: the slowest kind, so that refused texts meet many that wait for their first try
_PHONES = re.compile(r"<phones>\+?(\d+)</phones>")
_ROUNDS = 10  # with and without the dead one in turn, so that what else the machine does falls on both
_GAP = (0.008, 0.012)
_BESIDE = 5  # texts of the other route for each that is measured
_OTHERS = 5_000_000  # their numbers
_SILENT = {"kind": "silence", "on": "any", "times": 0}
_WAIT = 60.0


def measure(bench: Bench) -> list[Figure]:
    count, samples = bench.amount(1000, 200), bench.amount(1000, 200)
    waits: list[list[float]] = []
    with_dead, without = [], []
    with clouds() as accounts:
        for run in range(bench.runs):
            waits.append(_after_refusals(bench, accounts[_FIRST], count, run))
            dead, alone = _beside_a_dead_one(bench, accounts["mobizon"], samples)
            with_dead.append(1000 * percentile(dead, 99))
            without.append(1000 * percentile(alone, 99))
    return [
        Figure(
            name=f"failover: a provider refuses, to the first byte of AT+CMGS, {count:,} at once, p50",
            unit="ms",
            values=[1000 * percentile(found, 50) for found in waits],
        ),
        Figure(
            name="  the same, p99",
            unit="ms",
            values=[1000 * percentile(found, 99) for found in waits],
            goal=Goal(2000, at_least=False),
        ),
        Figure(name="a dead first choice: submit to wire on a route without it, p99", unit="ms", values=with_dead),
        Figure(name="  the same while nothing is dead, p99", unit="ms", values=without),
        Figure(
            name="  with / without",
            unit="",
            values=[dead / alone for dead, alone in zip(with_dead, without, strict=True)],
            goal=Goal(1.10, at_least=False),
        ),
    ]


def _after_refusals(bench: Bench, account: dict[str, Any], count: int, run: int) -> list[float]:
    """Seconds from the request that the provider refuses to the modem. All are ordered in one batch, and the account
    can reach none of them."""
    first = run * count
    numbers = [workload.number(n) for n in range(first, first + count)]
    control(account, "PATCH", "account", {"barred": [number[1:] for number in numbers]})
    seen = len(control(account, "GET", "seen"))
    with bench.simulator() as simulator, bench.site() as site:
        more = '[sending]\nroute = "cloud-first"\n' + channel("cloud", _FIRST, account, site.state_dir)
        with bench.service(site, simulator.ports, more=more) as service, service.client() as client:
            service.await_channels()
            client.post("/v1/batches", workload.batch(first, count))
            simulator.await_taken(count)
            reached = {entry.destination: entry.command_at for entry in simulator.new_entries()}
    refused = {}
    for request in control(account, "GET", "seen")[seen:]:
        if request["operation"] == "submit" and (found := _PHONES.search(request["body"])):
            refused["+" + found[1]] = request["at"]
    if refused.keys() != reached.keys() or len(refused) != count:
        raise Failed(f"{count} were ordered, {len(refused)} refused, {len(reached)} taken by the modem")
    return [reached[number] - at for number, at in refused.items()]


def _beside_a_dead_one(bench: Bench, account: dict[str, Any], samples: int) -> tuple[list[float], list[float]]:
    """Seconds from submit to wire by one modem while as many other texts are ordered: for a route whose provider has
    fallen silent, and for another day."""
    with bench.simulator(2) as simulator, bench.site() as site:
        routes = [("measured", ["gsm0"]), ("dead", ["cloud", "gsm1"])]
        more = channel("cloud", "mobizon", account, site.state_dir)
        for name, channels in routes:
            more += f'[[route]]\nname = "{name}"\nchannels = {msgspec.json.encode(channels).decode()}\n'
        with bench.service(site, simulator.ports, more=more) as service:
            service.await_channels()
            control(account, "PUT", "faults", [_SILENT])
            found: tuple[list[float], list[float]] = ([], [])
            for turn in range(2 * _ROUNDS):
                without = (turn + turn // 2) % 2 == 0
                others = {"send_at": workload.DEFERRED} if without else {"route": "dead"}
                found[without].extend(_beside(service, simulator, others, samples // _ROUNDS, turn))
            control(account, "PUT", "faults", [])
            service.kill()  # what the silent one was given is in doubt
    return found


def _beside(service: Service, simulator: Simulator, others: dict[str, str], samples: int, turn: int) -> list[float]:
    random = Random(turn)
    first = turn * samples
    began: dict[str, float] = {}
    with service.client() as client:
        for index in range(first, first + samples):
            for other in range(_BESIDE):
                client.post("/v1/messages", _order(_OTHERS + index * _BESIDE + other, **others))
            client.post("/v1/messages", _order(index, route="measured"))
            began[workload.number(index)] = client.sent_at
            sleep(random.uniform(*_GAP))
    reached: dict[str, float] = {}
    until = monotonic() + _WAIT
    while not began.keys() <= reached.keys():
        if monotonic() > until:
            raise Failed(f"{len(began.keys() - reached.keys())} of {samples} did not reach the modem")
        reached |= {entry.destination: entry.command_at for entry in simulator.new_entries()}
        sleep(0.05)
    return [reached[number] - at for number, at in began.items()]


def _order(index: int, **how: str) -> bytes:
    return msgspec.json.encode({"to": workload.number(index), "text": workload.text(index), "report": False, **how})
