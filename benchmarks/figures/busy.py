"""Modems of ordinary slowness: what share of the time they are at work, the line's real limit."""

from __future__ import annotations

from collections import defaultdict
from time import sleep

import msgspec

from benchmarks import workload
from benchmarks.bench import Bench
from benchmarks.figures.instant import check
from benchmarks.processes import Failed
from benchmarks.report import Figure, Goal
from drivers.simulator.ledger import Entry

__all__ = ["measure"]

_DELAY = 0.3  # seconds from Ctrl-Z to +CMGS


class _Shares(msgspec.Struct, frozen=True):
    mean: float  # of each modem's time from its first AT+CMGS to its last +CMGS
    worst: float  # of the least busy modem
    together: float  # from the first of any to the last of any: the end, when some modems have no text left, included


def measure(bench: Bench) -> list[Figure]:
    each = bench.amount(30, 4)
    figures = []
    for modems in (1, 4, 16):
        shares = []
        with bench.simulator(modems, delay=_DELAY) as simulator:
            for run in range(bench.runs):
                bench.say(f"{modems} modems, run {run + 1} of {bench.runs}")
                with bench.site() as site, bench.service(site, simulator.ports) as service:
                    service.await_channels()
                    sleep(0.3)
                    before = simulator.taken()
                    with service.client() as client:
                        client.post("/v1/batches", workload.batch(0, modems * each))
                    simulator.await_taken(before + modems * each)
                    sleep(_DELAY + 0.2)  # the last ones are still on their way to +CMGS
                    entries = simulator.control.ledger(before)
                check(entries, modems * each)
                shares.append(_shares(entries, modems))
        name = f"{modems} modem{'s' * (modems > 1)} of {_DELAY * 1000:.0f} ms"
        figures.append(
            Figure(
                name=f"{name}: busy from the first to the last message",
                unit="%",
                values=[100 * s.mean for s in shares],
                goal=Goal(99, at_least=True),
                note="peers, 16 modems: SMSTools3 97, gammu-smsd 32, Kannel 15" if modems == 16 else "",
            )
        )
        if modems > 1:
            figures += [
                Figure(name="  the least busy of them", unit="%", values=[100 * s.worst for s in shares]),
                Figure(
                    name="  all together",
                    unit="%",
                    values=[100 * s.together for s in shares],
                    note=f"{each} texts a modem: the end counts, when one still sends and others have no text left",
                ),
            ]
    return figures


def _shares(entries: list[Entry], modems: int) -> _Shares:
    by_modem: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for entry in entries:
        if entry.answered_at is None:
            raise Failed("the network's ledger lacks the time of an answer")
        by_modem[entry.sender].append((entry.command_at, entry.answered_at))
    busy = sum(end - begin for times in by_modem.values() for begin, end in times)
    first = min(begin for times in by_modem.values() for begin, _ in times)
    last = max(end for times in by_modem.values() for _, end in times)
    alone = [sum(end - begin for begin, end in times) / (times[-1][1] - times[0][0]) for times in by_modem.values()]
    return _Shares(sum(alone) / len(alone), min(alone), busy / (modems * (last - first)))
