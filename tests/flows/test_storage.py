"""A modem whose storage for incoming texts is full."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from bridge.endpoints import Endpoint, EndpointKind
from bridge.events import ChannelData, EventType
from tests.flows.gateway import gateway


def test_it_is_told_once_with_its_places(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path) as gate:
            listener = Endpoint(id=1, kind=EndpointKind.WEBHOOK, created_at=0, url="https://nobody.example/")
            await gate.app.store.write(lambda changes: changes.add_endpoint(listener))
            modem = gate.sim.modems[0].modem
            modem.announce('^SMMEMFULL: "SM"')
            await gate.event("channel_up", code="storage_full")
            modem.announce('+CMTI: "SM",-1')
            gate.sim.network.inject(gate.sim.modems[0].number, "after that")
            await gate.event("received")
            found = await gate.app.store.read(lambda view: view.events(0, 1000))
            told = [e for e in found if e.type in (EventType.CHANNEL_STORAGE_FULL, EventType.CHANNEL_UP)]
            assert [e.type for e in told] == [EventType.CHANNEL_STORAGE_FULL]
            data = msgspec.convert(told[0].data, ChannelData)
            assert data.size is not None
            assert (data.channel, data.used) == ("modem0", data.size)

    asyncio.run(flow())
