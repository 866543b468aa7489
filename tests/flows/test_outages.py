"""A provider that is out of service for ten minutes while a thousand texts wait: how often it is asked, and that the
texts are all there afterwards. The loop's clock runs faster than the world's."""

from __future__ import annotations

import asyncio
import selectors
import sqlite3
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from bridge.endpoints import Endpoint, EndpointKind
from drivers.contract import LinkChange, LinkState
from drivers.simulator.providers import CAPTIVE_PORTAL, Course, Fault, FaultKind, ProviderSimulation
from tests.flows.gateway import Gateway, gateway

WAITING = 1000
OUTAGE = 600.0  # seconds
MOST = 25  # requests in it
FAST = 100.0  # seconds that pass in one


class FastLoop(asyncio.SelectorEventLoop):
    """As fast as the world until `speed` is set: then its timers run as if more time passed."""

    def __init__(self) -> None:
        self._selects = _Selector()
        self._base = self._since = time.monotonic()
        super().__init__(self._selects)

    def time(self) -> float:
        return self._base + (time.monotonic() - self._since) * self._selects.speed

    def run_at(self, speed: float) -> None:
        self._base, self._since = self.time(), time.monotonic()
        self._selects.speed = speed


class _Selector(selectors.EpollSelector):
    speed = 1.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(None if timeout is None else timeout / self.speed)


def fast(flow: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=FastLoop) as runner:
        runner.run(flow)


async def pass_time(seconds: float, ahead: dict[str, int]) -> None:
    """For the loop's timers and for the bridge's clock."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, FastLoop)
    began, real = loop.time(), time.monotonic()
    before = ahead["ahead"]
    loop.run_at(FAST)
    while (gone := loop.time() - began) < seconds:
        ahead["ahead"] = before + round(1000 * (gone - (time.monotonic() - real)))
        await asyncio.sleep(1)
    loop.run_at(1.0)


async def order(gate: Gateway) -> None:
    messages = [{"to": f"+48600{n:06d}", "text": "Hello"} for n in range(WAITING)]
    answer = await gate.http.post("/v1/batches", json={"messages": messages, "report": False, "policy": "at_most_once"})
    assert answer.status_code == 202, answer.text


def counted(directory: Path, question: str) -> dict[str, int]:
    with sqlite3.connect(directory / "state" / "gsmbridge.sqlite") as store:
        return dict(store.execute(question).fetchall())


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("mobizon", Fault(kind=FaultKind.STATUS, status=429, on="any", times=0)),
        ("mobizon", Fault(kind=FaultKind.STATUS, status=503, on="any", times=0)),
        ("mobizon", Fault(kind=FaultKind.STATUS, status=401, on="any", times=0)),
        ("mobizon", Fault(kind=FaultKind.CLOSE, on="any", times=0)),
        ("mobizon", CAPTIVE_PORTAL),
        ("clickatell", Fault(kind=FaultKind.SILENCE, on="any", times=0)),
        ("serwersms", CAPTIVE_PORTAL),
        ("smsc", Fault(kind=FaultKind.CLOSE, on="any", times=0)),
    ],
    ids=["429", "503", "401", "closes", "portal", "clickatell_silent", "serwersms_portal", "smsc_closes"],
)
def test_ten_minutes_of_outage_cost_a_provider_few_requests_and_no_text(
    tmp_path: Path, name: str, fault: Fault
) -> None:
    """Also when all connections are in use, and open messages are asked about, at the moment when it falls silent."""

    async def flow() -> None:
        ahead = {"ahead": 0}
        normal = {"poll_interval": 10.0} | ({} if name == "serwersms" else {"parallel": 8})
        async with gateway(tmp_path, modems=0, providers=(name,), provider_options=normal, now_ahead=ahead) as gate:
            gate.clouds.set_course(name, Course(final_after=None))
            followed = [await gate.send(f"+4860170080{n}") for n in range(8)]
            for id in followed:
                await gate.status(id, "sent")
            gate.clouds.set_faults(name, fault)
            before = len(gate.clouds.requests(name))
            await order(gate)
            await pass_time(OUTAGE, ahead)
            assert 1 <= len(gate.clouds.requests(name)) - before <= MOST
        found = counted(tmp_path, "SELECT status, count(*) FROM messages GROUP BY status")
        assert found.pop("sent") == len(followed)
        assert sum(found.values()) == WAITING
        assert found.pop("in_doubt", 0) + found.pop("unknown", 0) <= MOST
        assert found.keys() <= {"queued", "retry_wait"}

    fast(flow())


def test_texts_do_not_knock_at_a_provider_that_cannot_be_reached(tmp_path: Path) -> None:
    async def flow() -> None:
        ahead = {"ahead": 0}
        async with AsyncExitStack() as network:
            clouds = await network.enter_async_context(ProviderSimulation(("mobizon",)))
            async with gateway(tmp_path, modems=0, providers=("mobizon",), clouds=clouds, now_ahead=ahead) as gate:
                await network.aclose()
                await order(gate)
                await pass_time(OUTAGE, ahead)
        assert counted(tmp_path, "SELECT status, count(*) FROM messages GROUP BY status") == {"queued": WAITING}
        tried = counted(tmp_path, "SELECT state, count(*) FROM attempts GROUP BY state")
        assert tried.keys() == {"refused_safe"}
        assert 1 <= tried["refused_safe"] <= MOST

    fast(flow())


async def shown_code(gate: Gateway) -> str:
    (channel,) = (await gate.http.get("/v1/channels")).json()["items"]
    return str(channel["code"])


def test_a_pause_and_its_end_are_told_to_whoever_listens(tmp_path: Path) -> None:
    async def flow() -> None:
        ahead = {"ahead": 0}
        async with gateway(tmp_path, modems=0, providers=("mobizon",), now_ahead=ahead) as gate:
            listener = Endpoint(id=1, kind=EndpointKind.WEBHOOK, created_at=0, url="https://nobody.example/")
            await gate.app.store.write(lambda changes: changes.add_endpoint(listener))
            gate.clouds.set_faults("mobizon", Fault(kind=FaultKind.STATUS, status=429, times=3))
            for n in range(4):
                await gate.send(f"+48600700{n:03}", report=False)
            await gate.event("channel_paused", channel="mobizon")
            assert await shown_code(gate) == "network_failing"
            await pass_time(400, ahead)
            await gate.event("channel_resumed", channel="mobizon")
            assert await shown_code(gate) == "up"
            id = await gate.send("+48600700800", report=False)
            await gate.event("sent", message=id)
            found = await gate.app.store.read(lambda view: view.events(0, 1000))
        told = [(e.type.value, e.data["state"], e.data.get("code")) for e in found if e.type.startswith("channel.")]
        assert told == [("channel.down", "paused", "network_failing"), ("channel.up", "up", None)]

    fast(flow())


def test_a_link_that_was_repaired_ends_a_pause_for_the_networks_sake(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, modems=0, providers=("mobizon",)) as gate:
            channel = gate.app.channels["mobizon"]
            gate.clouds.set_faults("mobizon", Fault(kind=FaultKind.STATUS, status=429, times=3))
            for n in range(4):
                await gate.send(f"+48600700{n:03}", report=False)
            await gate.event("channel_paused", channel="mobizon")
            assert channel.room == 0
            assert channel.out_since is not None
            await channel.accept(LinkChange(state=LinkState.DOWN, code="repairing"))
            await channel.accept(LinkChange(state=LinkState.UP, code="up"))
            await gate.event("channel_resumed", channel="mobizon")
            assert channel.out_since is None

    asyncio.run(flow())
