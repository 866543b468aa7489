"""Small things that are done often."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from time import perf_counter

import phonenumbers

from benchmarks import workload
from benchmarks.bench import Bench
from benchmarks.processes import gsmbridge
from benchmarks.report import Figure
from bridge.policy import numbers
from drivers.contract import Submission
from drivers.gsm import pdu, segments

__all__ = ["measure"]

_TEXT = "The pump in hall 3 has stopped, pressure 0.2 bar. Please confirm with OK or call 4711.".ljust(160, ".")
_MOMENT = datetime(2026, 3, 14, 8, 50, 15, tzinfo=UTC)
_REPORT = pdu.encode_report(
    tp_mr=7, recipient="+48600700800", submitted_at=_MOMENT, discharged_at=_MOMENT, tp_st=0, smsc="+48602951111"
).pdu


def measure(bench: Bench) -> list[Figure]:
    count = bench.amount(20_000, 2000)
    return [
        Figure(name="gsmbridge --help", unit="ms", values=[1000 * _process("--help") for _ in range(bench.runs * 3)]),
        Figure(name="PDU of 160 characters: encode", unit="us", values=_times(bench, _encode, count)),
        Figure(name="status report: decode", unit="us", values=_times(bench, lambda _: pdu.decode(_REPORT), count)),
        Figure(
            name="number in E.164 form: check",
            unit="us",
            values=_times(bench, lambda n: numbers.normal(workload.number(n), None), count),
        ),
        Figure(
            name="  the same by phonenumbers alone",
            unit="us",
            values=_times(bench, _by_phonenumbers, count // 10),
        ),
    ]


def _process(*arguments: str) -> float:
    began = perf_counter()
    subprocess.run(gsmbridge(*arguments), stdout=subprocess.DEVNULL, check=True)
    return perf_counter() - began


def _times(bench: Bench, work: Callable[[int], object], count: int) -> list[float]:
    """Microseconds a call, one value a run."""
    work(0)
    values = []
    for _ in range(bench.runs):
        began = perf_counter()
        for index in range(count):
            work(index)
        values.append(1e6 * (perf_counter() - began) / count)
    return values


def _encode(index: int) -> object:
    [part] = segments.split(_TEXT, reference=0)
    return pdu.encode_submit(Submission(attempt_id="", to=workload.number(index), part=part, validity=86_400))


def _by_phonenumbers(index: int) -> object:
    return phonenumbers.is_valid_number(phonenumbers.parse(workload.number(index), None))
