"""A validity that ends between a refusal here and the sending elsewhere: the text expires, and is never sent."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from drivers.simulator.faults import SendFault, Stage
from tests.flows.gateway import gateway

ALICE, BOB = "+447700900900", "+447700900901"
SECOND = 1000


@pytest.mark.parametrize("in_time", [True, False])
def test_a_text_that_waits_for_its_second_way_expires_there(tmp_path: Path, in_time: bool) -> None:
    clock = {"ahead": 0}

    async def flow() -> None:
        async with gateway(tmp_path, modems=2, now_ahead=clock) as gate:
            hook = {"url": "https://hooks.example.org/sms", "events": ["message.*"]}
            made = await gate.http.post("/v1/webhooks", json=hook)
            assert made.status_code == 201, made.text
            gate.sim.modems[0].set_faults(sends=(SendFault(stage=Stage.PROMPT, code=302, times=0),))
            with gate.on_air("modem1"):
                busy = await gate.send(BOB, "keeps the second one busy", channel="modem1")
                await gate.event("armed", channel="modem1")
                id = await gate.send(ALICE, "code 1234", valid_for=60)
                await gate.event("not_sent", channel="modem0")
                await gate.claimed("modem1", 2)
                clock["ahead"] += (30 if in_time else 61) * SECOND
            await gate.status(busy, "sent", "delivered")
            message = await gate.status(id, *(("sent", "delivered") if in_time else ("expired",)))
            told = (await gate.http.get("/v1/events", params={"limit": 50})).json()["items"]
            mine = [event["type"] for event in told if event["data"].get("message") == id]
            if in_time:
                assert [a["channel"] for a in message["attempts"]] == ["modem0", "modem1"]
                assert "message.sent" in mine
            else:
                assert message["code"] == "expired"
                assert [a["channel"] for a in message["attempts"]] == ["modem0"]
                assert "code 1234" not in gate.texts()
                assert mine.count("message.expired") == 1
                assert not {"message.failed", "message.sent"} & set(mine)

    asyncio.run(flow())
