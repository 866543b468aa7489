"""Providers over real HTTP on loopback: drivers one text after the other, a personalised list through the service, and
what SOAP costs at the start."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from time import monotonic, process_time, sleep
from typing import Any

import msgspec
import uvloop

from benchmarks import workload
from benchmarks.bench import Bench
from benchmarks.clouds import channel, clouds
from benchmarks.processes import Failed
from benchmarks.report import Figure, Goal
from drivers import registry
from drivers.contract import Event, LinkChange, LinkState, Submission

__all__ = ["measure"]

REST, SOAP = ("freshmail", "mobizon"), ("serwersms", "clickatell", "smsc")
_LIST = 10_000
_START = """
import sys, time
began = time.process_time()
from drivers import registry
for name in sys.argv[2:]:
    registry.options_of(name)
if sys.argv[1] == "load":
    began = time.process_time()
    from drivers.providers.soap import load
    load("smsc.wsdl")
pages = int(open("/proc/self/statm").read().split()[1])
print(1000 * (time.process_time() - began), pages / 256, "zeep" in sys.modules)
"""


def measure(bench: Bench) -> list[Figure]:
    figures: list[Figure] = []
    count = bench.amount(1000, 200)
    with clouds() as accounts:
        for name in (*REST, *SOAP):
            done = [uvloop.run(_one_by_one(name, accounts[name], count, run)) for run in range(bench.runs)]
            least = 400 if name in REST else 200
            rates, costs = [rate for rate, _ in done], [cost for _, cost in done]
            figures += [
                Figure(name=f"{name}, one by one", unit="messages/s", values=rates, goal=Goal(least, at_least=True)),
                Figure(name="  the driver's processor time", unit="us/message", values=costs),
            ]
        size = bench.amount(_LIST, 1000)
        lists = [_list(bench, accounts["serwersms"], size) for _ in range(bench.runs)]
    figures += [
        Figure(
            name=f"{size:,} personalised texts through serwersms",
            unit="s",
            values=[seconds for seconds, _ in lists],
            goal=Goal(10 if size == _LIST else 1, at_least=False),
            note="from the order to the last one recorded as sent",
        ),
        Figure(name="  the service's processor time", unit="us/message", values=[cost for _, cost in lists]),
    ]
    rest, soap, load = _child("start", *REST), _child("start", *SOAP), _child("load", *SOAP)
    if rest[2] == "True" or soap[2] == "True":
        raise Failed("zeep is loaded before a text goes through it")
    return [
        *figures,
        Figure(name="start with REST providers: imports", unit="ms", values=[float(rest[0])]),
        Figure(name="start with SOAP providers: imports", unit="ms", values=[float(soap[0])]),
        Figure(name="  zeep and a WSDL, at the first use", unit="ms", values=[float(load[0])]),
        Figure(name="  memory with them", unit="MB", values=[float(load[1])], note=f"without: {float(soap[1]):.0f} MB"),
    ]


class _Up:
    """A sink that waits for the link."""

    def __init__(self) -> None:
        self.up = asyncio.Event()

    async def accept(self, event: Event) -> None:
        if isinstance(event, LinkChange) and event.state is LinkState.UP:
            self.up.set()


async def _one_by_one(name: str, account: dict[str, Any], count: int, run: int) -> tuple[float, float]:
    """Messages a second, and microseconds of our processor time for each."""
    options = msgspec.convert(account | {"poll": False}, registry.options_of(name), strict=False)
    driver = registry.create(name, name, options, registry.Environment(state_dir=Path(".")))
    sink = _Up()
    task = asyncio.create_task(driver.run(sink))
    await sink.up.wait()

    def text(n: int) -> Submission:
        return Submission(attempt_id=f"att_{run}{n:012}", to=workload.number(n), text=f"{run} {workload.text(n)}")

    await driver.submit(text(count))
    began, used = monotonic(), process_time()
    for n in range(count):
        await driver.submit(text(n))
    spent, used = monotonic() - began, process_time() - used
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return count / spent, 1e6 * used / count


def _list(bench: Bench, account: dict[str, Any], count: int) -> tuple[float, float]:
    messages = [
        {"to": workload.number(n), "text": f"Dear customer {n}, your parcel comes today."} for n in range(count)
    ]
    order = msgspec.json.encode({"messages": messages, "report": False})
    with bench.site() as site:
        table = channel("cloud", "serwersms", account, site.state_dir)
        with bench.service(site, [], more=table) as service:
            service.await_channels()
            with service.client() as client:
                began, used = monotonic(), service.cpu()
                batch = client.post("/v1/batches", order)["id"]
                while (sent := client.get(f"/v1/batches/{batch}")["counts"].get("sent", 0)) < count:
                    if monotonic() - began > 120:
                        raise Failed(f"{sent} of {count} were sent within two minutes")
                    sleep(0.05)
                return monotonic() - began, 1e6 * (service.cpu() - used) / count


def _child(*arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _START, *arguments], capture_output=True, check=True, text=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    return done.stdout.split()
