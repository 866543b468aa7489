"""What came in, on its way to a webhook: an idle system, a burst, and endpoints that fail or hang."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from time import monotonic, sleep
from typing import Any

import httpx

from benchmarks import workload
from benchmarks.bench import Bench
from benchmarks.processes import Failed, Service, Simulator
from benchmarks.receiver import Came, Receiver
from benchmarks.report import Figure, Goal, percentile

__all__ = ["measure"]

_TABLE = """[webhooks]
allow_private = ["127.0.0.1"]
allow_http = ["127.0.0.1"]
retry = ["1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s"]
"""
_GAP = (0.02, 0.04)
_PATIENCE = 120.0
_SENDERS = 50


def measure(bench: Bench) -> list[Figure]:
    first: list[list[float]] = []
    burst: list[float] = []
    failing: list[float] = []
    beside: list[float] = []
    with bench.simulator(modems=4) as simulator:
        for _ in range(bench.runs):
            first.append(_idle(bench, simulator, bench.amount(200, 40)))
            burst.append(_burst(bench, simulator, bench.amount(1000, 200)))
            failing.append(_failing(bench, simulator, bench.amount(2000, 200)))
            beside.append(_hanging(bench, simulator, bench.amount(100, 20)))
    return [
        Figure(
            name="idle: an incoming text to the webhook's first byte, stored in between, p50",
            unit="ms",
            values=[1000 * percentile(values, 50) for values in first],
            goal=Goal(12, at_least=False),
            note="peers, which sync nothing: Kannel 0.8, gammu-smsd and SMSTools3 about 600",
        ),
        Figure(
            name="  the same, p99",
            unit="ms",
            values=[1000 * percentile(values, 99) for values in first],
            goal=Goal(40, at_least=False),
        ),
        Figure(
            name="1,000 incoming texts over 4 modems, all stored and delivered",
            unit="s",
            values=burst,
            note="none lost, none under two ids",
        ),
        Figure(
            name=f"{bench.amount(2000, 200):,} events to an endpoint that fails three times in ten",
            unit="s",
            values=failing,
            note="all arrived, in order for each conversation; a second between two tries",
        ),
        Figure(
            name="20 endpoints, one hangs: an event at another, p99",
            unit="s",
            values=beside,
            goal=Goal(2, at_least=False),
        ),
    ]


@contextmanager
def _service(bench: Bench, simulator: Simulator) -> Iterator[Service]:
    with bench.site() as site, bench.service(site, simulator.ports, more=_TABLE) as service:
        yield service


def _endpoint(runtime: Path, url: str) -> None:
    transport = httpx.HTTPTransport(uds=str(runtime / "gsmbridge.sock"))
    with httpx.Client(transport=transport, base_url="http://gsmbridge", timeout=20) as client:
        body: dict[str, Any] = {"url": url, "events": ["message.received", "reply.received"], "ordered": True}
        answer = client.post("/v1/webhooks", json=body)
        if answer.status_code != 201:
            raise Failed(f"no endpoint could be made: {answer.text}")


def _inject(simulator: Simulator, index: int, text: str) -> None:
    sender = f"+4477009{index % _SENDERS:05}"
    simulator.control.ask("inject", to=simulator.numbers[index % len(simulator.numbers)], text=text, sender=sender)


def _await(receiver: Receiver, wanted: int, path: str = "") -> list[Came]:
    until = monotonic() + _PATIENCE
    while True:
        good = [c for c in list(receiver.came) if c.ok and (not path or c.path == path)]
        if len({(c.path, c.event["id"]) for c in good}) >= wanted:
            return good
        if monotonic() > until:
            raise Failed(f"{len(good)} of {wanted} events arrived within {_PATIENCE:g} s")
        sleep(0.001)


def _idle(bench: Bench, simulator: Simulator, samples: int) -> list[float]:
    random = Random(3)
    found = []
    with Receiver() as receiver, _service(bench, simulator) as service:
        _endpoint(bench.runtime, receiver.url("a"))
        service.await_channels()
        sleep(1.0)
        for index in range(samples):
            began = monotonic()
            _inject(simulator, index, workload.text(index))
            found.append(_await(receiver, index + 1)[-1].at - began)
            sleep(random.uniform(*_GAP))
    return found


def _burst(bench: Bench, simulator: Simulator, texts: int) -> float:
    with Receiver() as receiver, _service(bench, simulator) as service:
        _endpoint(bench.runtime, receiver.url("a"))
        service.await_channels()
        began = monotonic()
        for index in range(texts):
            _inject(simulator, index, f"burst {index}")
        came = _await(receiver, texts)
        took = monotonic() - began
        ids = defaultdict(set)
        for one in came:
            ids[one.event["data"]["text"]].add(one.event["id"])
        if len(ids) != texts or any(len(found) != 1 for found in ids.values()):
            raise Failed("texts were lost, or told under two ids")
    return took


def _failing(bench: Bench, simulator: Simulator, texts: int) -> float:
    """Seconds until one endpoint that answers 500 to three of ten has got them all, in order for each conversation."""

    def answer(_path: str, random: Random) -> int | None:
        return 500 if random.random() < 0.3 else 204

    with Receiver(answer) as receiver, _service(bench, simulator) as service:
        _endpoint(bench.runtime, receiver.url("a"))
        service.await_channels()
        began = monotonic()
        for index in range(texts):
            _inject(simulator, index, f"failing {index}")
        _await(receiver, texts)
        took = monotonic() - began
        _check_order(receiver)
    return took


def _hanging(bench: Bench, simulator: Simulator, texts: int) -> float:
    """`texts` events to each of 20 endpoints, of which one never answers: how long they take to the others, p99."""

    def answer(path: str, _random: Random) -> int | None:
        return None if path == "hangs" else 204

    began: dict[str, float] = {}
    with Receiver(answer) as receiver, _service(bench, simulator) as service:
        for number in range(19):
            _endpoint(bench.runtime, receiver.url(f"well-{number}"))
        _endpoint(bench.runtime, receiver.url("hangs"))
        service.await_channels()
        for index in range(texts):
            began[f"event {index}"] = monotonic()
            _inject(simulator, index, f"event {index}")
            sleep(_GAP[1])
        came = _await(receiver, texts * 19)
        _check_order(receiver)
    return percentile([one.at - began[one.event["data"]["text"]] for one in came], 99)


def _check_order(receiver: Receiver) -> None:
    numbers: dict[tuple[str, str], list[int]] = defaultdict(list)
    for one in receiver.came:
        found = numbers[one.path, one.event["key"]]
        if one.event["number"] not in found:
            found.append(one.event["number"])
    if any(found != sorted(found) for found in numbers.values()):
        raise Failed("an event came before its predecessor")
