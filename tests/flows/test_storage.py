"""A modem whose storage for incoming texts is full."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from bridge.endpoints import Endpoint, EndpointKind
from bridge.events import ChannelData, EventType
from drivers.simulator.pdus import PDUS
from drivers.simulator.sim import Record
from tests.flows.gateway import Gateway, gateway


def test_it_is_told_once_with_its_places(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path) as gate:
            await listen(gate)
            modem = gate.sim.modems[0].modem
            modem.announce('^SMMEMFULL: "SM"')
            await gate.event("channel_up", code="storage_full")
            modem.announce('+CMTI: "SM",-1')
            gate.sim.network.inject(gate.sim.modems[0].number, "after that")
            await gate.event("received")
            (data,) = await told(gate)
            assert data.size is not None
            assert (data.channel, data.used) == ("modem0", data.size)

    asyncio.run(flow())


def test_it_is_not_told_again_when_the_modem_comes_back_as_full_as_it_was(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path) as gate:
            await listen(gate)
            modem = gate.sim.modems[0]
            storage = modem.modem.storage(modem.modem.settings.storages[2])
            for _ in range(storage.size):  # drafts, which are not ours to delete
                storage.add(Record(stat=2, pdu=bytes.fromhex(PDUS["S1"]), since=0.0))
            modem.modem.announce('^SMMEMFULL: "SM"')
            await gate.event("channel_up", code="storage_full")
            for _ in range(2):
                modem.unplug()
                await gate.event("channel_down")
                modem.replug()
                await gate.event("channel_up", code="storage_full")
            assert len(await told(gate)) == 1

    asyncio.run(flow())


async def listen(gate: Gateway) -> None:
    listener = Endpoint(id=1, kind=EndpointKind.WEBHOOK, created_at=0, url="https://nobody.example/")
    await gate.app.store.write(lambda changes: changes.add_endpoint(listener))


async def told(gate: Gateway) -> list[ChannelData]:
    found = await gate.app.store.read(lambda view: view.events(0, 1000))
    assert EventType.CHANNEL_UP not in {e.type for e in found if e.data.get("code") == "storage_full"}
    return [msgspec.convert(e.data, ChannelData) for e in found if e.type is EventType.CHANNEL_STORAGE_FULL]
