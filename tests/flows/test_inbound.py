"""A text on its way in."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.flows.gateway import gateway

CAROL = "+447700900777"


def test_an_incoming_text_is_stored_and_the_sim_is_emptied(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path) as gate:
            modem = gate.sim.modems[0]
            gate.sim.network.inject(modem.number, "Reply YES 👍", sender=CAROL)
            await gate.event("received", channel="modem0")
            (inbound,) = await gate.inbound()
            assert inbound["text"] == "Reply YES 👍"
            assert inbound["sender"] == CAROL

    asyncio.run(flow())


def test_two_equal_alarms_are_two_texts(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path) as gate:
            for _ in range(2):
                gate.sim.network.inject(gate.sim.modems[0].number, "ALARM", sender=CAROL)
            await gate.event("received")
            await gate.event("received")
            assert [i["text"] for i in await gate.inbound()] == ["ALARM", "ALARM"]

    asyncio.run(flow())


def test_a_long_text_is_put_together(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path) as gate:
            text = "Ala ma kota, a kot ma 👍. " * 10
            gate.sim.network.inject(gate.sim.modems[0].number, text, sender=CAROL)
            await gate.event("received")
            (inbound,) = await gate.inbound()
            assert inbound["text"] == text

    asyncio.run(flow())


def test_what_came_while_we_were_away_is_read_at_start(tmp_path: Path) -> None:
    async def flow() -> None:
        def before(sim: object) -> None:
            network, modems = sim.network, sim.modems  # type: ignore[attr-defined]
            network.inject(modems[0].number, "early", sender=CAROL)

        async with gateway(tmp_path, before=before) as gate:
            if not await gate.inbound():
                await gate.event("received")
            assert [i["text"] for i in await gate.inbound()] == ["early"]

    asyncio.run(flow())


def test_two_modems_write_to_each_other(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, modems=2) as gate:
            id = await gate.send(gate.sim.modems[1].number, "from one to the other", channel="modem0")
            await gate.event("received", channel="modem1")
            await gate.status(id, "delivered")
            (inbound,) = await gate.inbound()
            assert inbound["sender"] == gate.sim.modems[0].number

    asyncio.run(flow())
