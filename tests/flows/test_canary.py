"""The canary between two simulated modems: there and back, missed, told, recovered, over a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from bridge.config import Canary, Settings
from bridge.endpoints import Endpoint, EndpointKind
from bridge.events import CanaryData, EventType
from tests.flows.gateway import Gateway, gateway, replaced

MINUTE, HOUR = 60_000, 3_600_000
B = "+447700900102"  # the SIM in modem1
BOSS = "+447700900777"


def wanted(settings: Settings) -> Settings:
    return replaced(settings, canary=Canary(channel="modem0", number=B, alarm_to=(BOSS,)))


async def later(gate: Gateway, ahead: dict[str, int], by: int) -> None:
    ahead["ahead"] += by
    gate.app.canary.wake()


async def told(gate: Gateway) -> list[tuple[EventType, CanaryData]]:
    found = await gate.app.store.read(lambda view: view.events(0, 1000))
    return [(e.type, msgspec.convert(e.data, CanaryData)) for e in found if e.type.startswith("canary.")]


async def listen(gate: Gateway) -> None:
    listener = Endpoint(id=1, kind=EndpointKind.WEBHOOK, created_at=0, url="https://nobody.example/")
    await gate.app.store.write(lambda changes: changes.add_endpoint(listener))


async def first_arrived(gate: Gateway) -> None:
    """It may have come before the second modem was told to be up."""
    if not any(e.name == "canary_arrived" for e in gate.seen):
        await gate.event("canary_arrived", channel="modem0")


def canaries(gate: Gateway) -> list[str]:
    return [text for text in gate.texts() if text.startswith("gsm-bridge canary ")]


async def metrics(gate: Gateway) -> dict[str, float]:
    lines = (await gate.http.get("/metrics")).text.splitlines()
    return {line.split()[0]: float(line.split()[1]) for line in lines if line.startswith("gsmbridge_canary_")}


def test_it_goes_and_comes_and_nobody_is_told_of_it(tmp_path: Path) -> None:
    async def flow() -> None:
        ahead = {"ahead": 0}
        async with gateway(tmp_path, modems=2, settings=wanted, now_ahead=ahead) as gate:
            await listen(gate)
            await first_arrived(gate)
            assert await gate.inbound() == []
            withheld = (await gate.http.get("/v1/inbound", params={"withheld": "true"})).json()["items"]
            assert [(i["withheld"], i["channel"]) for i in withheld] == [("canary", "modem1")]
            found = await metrics(gate)
            assert found["gsmbridge_canary_ok"] == 1
            assert 0 < found["gsmbridge_canary_seconds"] < 20
            (message,) = (await gate.http.get("/v1/messages")).json()["items"]
            assert (message["ref"], message["channel"], message["policy"]) == ("canary", "modem0", "at_most_once")
            await later(gate, ahead, HOUR - MINUTE)
            await gate.status(await gate.send(BOSS), "sent", "delivered")
            assert len(canaries(gate)) == 1
            await later(gate, ahead, MINUTE)
            await gate.event("canary_arrived")
            assert len(canaries(gate)) == 2
            assert await told(gate) == []
            gate.sim.network.inject(B, "gsm-bridge canary 0123456789ab")  # somebody else's words are a text
            await gate.event("received")
            assert len(await gate.inbound()) == 1

    asyncio.run(flow())


def test_one_that_stays_away_raises_one_alarm_by_another_channel_until_one_comes_again(tmp_path: Path) -> None:
    async def flow() -> None:
        ahead = {"ahead": 0}
        async with gateway(tmp_path, modems=2, settings=wanted, now_ahead=ahead) as gate:
            await listen(gate)
            await first_arrived(gate)
            gate.sim.modems[1].modem.register(2)  # what is for it waits in the network
            for hour in range(2):
                await later(gate, ahead, HOUR)
                await gate.event("sent", channel="modem0")
                await later(gate, ahead, 5 * MINUTE)
                await gate.event("canary_missed", channel="modem0", in_row=hour + 1)
            gate.sim.modems[1].modem.register(1)
            await gate.event("sent", channel="modem1")
            alarms = [e for e in gate.sim.network.ledger if "do not arrive" in str(e.text)]
            assert [(e.destination, e.sender) for e in alarms] == [(BOSS, B)]
            assert (await metrics(gate))["gsmbridge_canary_ok"] == 0
            await later(gate, ahead, HOUR)
            await gate.event("canary_arrived")
            types = [type for type, _ in await told(gate)]
            assert types == [EventType.CANARY_MISSED, EventType.CANARY_MISSED, EventType.CANARY_RECOVERED]
            assert (await told(gate))[-1][1].missed_in_row == 2
            assert (await metrics(gate))["gsmbridge_canary_ok"] == 1
            assert await gate.inbound() == []  # the late ones are told to nobody either
            listed = (await gate.http.get("/v1/messages", params={"ref": "canary-alarm"})).json()["items"]
            assert len(listed) == 1

    asyncio.run(flow())


def test_one_that_is_on_its_way_is_not_sent_again_after_a_restart(tmp_path: Path) -> None:
    async def flow() -> None:
        ahead = {"ahead": 0}
        held: dict[str, Any] = {}

        def deaf(sim: Any) -> None:
            sim.modems[1].modem.register(2)

        async with gateway(tmp_path, modems=2, settings=wanted, now_ahead=ahead, up=1, before=deaf) as gate:
            await gate.event("sent", channel="modem0")
            (held["text"],) = canaries(gate)
        ahead["ahead"] += 10 * MINUTE
        async with gateway(tmp_path, modems=2, settings=wanted, now_ahead=ahead) as gate:
            await gate.status(await gate.send(BOSS), "sent", "delivered")
            assert canaries(gate) == []
            gate.sim.network.inject(B, held["text"], sender="+447700900101")
            await gate.event("canary_arrived")
            assert (await metrics(gate))["gsmbridge_canary_ok"] == 1

    asyncio.run(flow())
