"""Somebody calls a SIM."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.flows.gateway import gateway

CAROL = "+447700900777"


@pytest.mark.parametrize(("calls", "rings"), [("ignore", 3), ("hang_up", 1)])
def test_a_call_is_told_with_its_caller_and_ended_where_that_is_wanted(tmp_path: Path, calls: str, rings: int) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, options=[{"calls": calls}]) as gate:
            # One that is to be hung up rings once, however long we take for it.
            gate.sim.modems[0].modem.ring(CAROL, times=3, every=0.2 if calls == "ignore" else 60.0)
            await gate.event("call_missed", channel="modem0")
            (call,) = (await gate.http.get("/v1/calls")).json()["items"]
            assert (call["caller"], call["channel"], call["rings"]) == (CAROL, "modem0", rings)
            assert call["hung_up"] is (calls == "hang_up")
            assert (await gate.http.get("/v1/calls?caller=123")).json()["items"] == []

    asyncio.run(flow())


def test_a_text_that_is_being_sent_is_sent_though_the_phone_rings(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, options=[{"calls": "hang_up"}], delay=0.3) as gate:
            id = await gate.send(CAROL, "while it rings")
            await gate.event("armed")
            gate.sim.modems[0].modem.ring(CAROL, times=3, every=0.2)
            await gate.event("call_missed")
            message = await gate.status(id, "sent", "delivered")
            assert not message["possible_duplicate"]
            assert gate.texts() == ["while it rings"]
            assert gate.sim.modems[0].modem.intrusions == 0

    asyncio.run(flow())
