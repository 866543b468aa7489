"""A network that accepts a SIM's texts and delivers none of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from bridge.endpoints import Endpoint, EndpointKind
from bridge.events import ChannelData, EventType
from tests.flows.gateway import Gateway, gateway

HOUR = 3_600_000


async def send(gate: Gateway, first: int, count: int, wanted: str) -> None:
    """Each to somebody else, who was not written to before: a new simulation counts its references anew."""
    ids = [await gate.send(f"+4477009{first + n:05}") for n in range(count)]
    for id in ids:
        await gate.status(id, wanted)


async def an_hour_later(gate: Gateway, ahead: dict[str, int]) -> dict[str, Any]:
    ahead["ahead"] += HOUR + 1000
    assert gate.app.housekeeping is not None
    await gate.app.housekeeping.tick()
    return dict((await gate.http.get("/v1/channels/modem0")).json()["arrivals"])


def test_it_is_noticed_told_once_and_taken_back(tmp_path: Path) -> None:
    ahead = {"ahead": 0}

    async def healthy() -> None:
        async with gateway(tmp_path, now_ahead=ahead) as gate:
            await send(gate, 500, 20, "delivered")
            for _ in range(2):  # each is counted once, however often one looks
                assert await an_hour_later(gate, ahead) == {"due": 20, "delivered": 20, "silent_block": False}

    async def blocked() -> None:
        async with gateway(tmp_path, now_ahead=ahead, reports=None) as gate:
            listener = Endpoint(id=1, kind=EndpointKind.WEBHOOK, created_at=0, url="https://nobody.example/")
            await gate.app.store.write(lambda changes: changes.add_endpoint(listener))
            await send(gate, 600, 36, "sent")
            assert (await gate.http.get("/v1/channels/modem0")).json()["arrivals"]["silent_block"] is False
            assert await an_hour_later(gate, ahead) == {"due": 40, "delivered": 4, "silent_block": True}
            await an_hour_later(gate, ahead)
            metrics = (await gate.http.get("/metrics")).text
            assert 'gsmbridge_channel_silent_block{channel="modem0"} 1.0' in metrics
            assert 'gsmbridge_channel_reports_delivered{channel="modem0"} 4.0' in metrics
            assert [(t.state, t.code) for t in await told(gate)] == [("suspected", "silent_block")]

    async def healed() -> None:
        async with gateway(tmp_path, now_ahead=ahead) as gate:
            assert (await gate.http.get("/v1/channels/modem0")).json()["arrivals"]["silent_block"] is True
            await send(gate, 700, 20, "delivered")
            assert await an_hour_later(gate, ahead) == {"due": 40, "delivered": 20, "silent_block": False}
            assert [t.state for t in await told(gate)] == ["suspected", "over"]

    for story in (healthy, blocked, healed):
        asyncio.run(story())


async def told(gate: Gateway) -> list[ChannelData]:
    found = await gate.app.store.read(lambda view: view.events(0, 1000))
    return [msgspec.convert(e.data, ChannelData) for e in found if e.type is EventType.CHANNEL_SILENT_BLOCK]
