"""Strict order where it was asked for, on the air."""

from __future__ import annotations

import asyncio
from pathlib import Path

from drivers.simulator.faults import SendFault, Stage
from tests.flows.gateway import gateway

ALICE, BOB = "+447700900123", "+447700900456"


def test_ordered_texts_reach_the_network_in_their_order_over_two_modems(tmp_path: Path) -> None:
    async def story() -> None:
        async with gateway(tmp_path, modems=2, delay=0.01) as gate:
            batch = [{"to": to, "text": f"{to} {n}", "ordered": True} for n in range(25) for to in (ALICE, BOB)]
            answer = await gate.http.post("/v1/batches", json={"messages": batch})
            assert answer.status_code == 202, answer.text
            for one in answer.json()["messages"]:
                await gate.status(one["id"], "sent", "delivered")
            for to in (ALICE, BOB):
                assert [t for t in gate.texts() if t.startswith(to)] == [f"{to} {n}" for n in range(25)]

    asyncio.run(story())


def test_a_refused_one_is_tried_again_before_the_next_goes(tmp_path: Path) -> None:
    async def story() -> None:
        async with gateway(tmp_path, retry=[0.3]) as gate:
            gate.sim.modems[0].set_faults(sends=(SendFault(stage=Stage.PROMPT, code=302),))
            first = await gate.send(ALICE, "first", ordered=True)
            second = await gate.send(ALICE, "second", ordered=True)
            other = await gate.send(ALICE, "in no order")
            await gate.status(other, "sent", "delivered")
            await gate.status(second, "sent", "delivered")
            assert (await gate.message(first))["status"] in ("sent", "delivered")
            assert [t for t in gate.texts() if t != "in no order"] == ["first", "second"]

    asyncio.run(story())


def test_one_in_doubt_holds_the_next_for_the_evidence_window(tmp_path: Path) -> None:
    async def story() -> None:
        ahead = {"ahead": 0}
        async with gateway(tmp_path, now_ahead=ahead) as gate:
            gate.sim.modems[0].set_faults(sends=(SendFault(code=38),))
            first = await gate.send(ALICE, "first", ordered=True, policy="at_most_once")
            second = await gate.send(ALICE, "second", ordered=True)
            await gate.status(first, "in_doubt")
            held = await gate.message(second)
            assert (held["code"], held["status"]) == ("ordered", "scheduled") or held["status"] == "queued"
            assert gate.texts() == []
            ahead["ahead"] = 601_000  # the window is ten minutes
            await gate.app.timekeeping.look()
            await gate.status(second, "sent", "delivered")
            assert (await gate.message(first))["status"] == "in_doubt"

    asyncio.run(story())
