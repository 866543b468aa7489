"""Limits of channels, in the whole bridge."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from bridge.clock import wall
from tests.flows.gateway import Gateway, gateway

ALICE = "+447700900900"
HOUR = 3_600_000


def within_every_span() -> dict[str, int]:
    """Time passed until noon on the 15th of next month: no hour, day or month of this machine's zone ends meanwhile."""
    next_month = datetime.now().astimezone().replace(day=1) + timedelta(days=32)
    wanted = next_month.replace(day=15, hour=12, minute=1)
    return {"ahead": round(wanted.timestamp() * 1000) - wall()}


async def quota(gate: Gateway, channel: str = "modem0") -> dict[str, int]:
    answer: httpx.Response = await gate.http.get(f"/v1/channels/{channel}")
    return {q["name"]: q["used"] for q in answer.json()["quota"]}


def test_what_is_over_the_limit_waits_with_the_reason_and_goes_in_the_next_span(tmp_path: Path) -> None:
    ahead = within_every_span()

    async def flow() -> None:
        async with gateway(tmp_path, options=[{"per_hour": 2}], now_ahead=ahead) as gate:
            for text in ("one", "two"):
                await gate.status(await gate.send(ALICE, text), "delivered")
            third = await gate.send(ALICE, "three")
            waiting: dict[str, Any] = {}
            async with asyncio.timeout(10):
                while waiting.get("code") != "quota_used":
                    waiting = await gate.message(third)
            assert waiting["status"] in ("queued", "scheduled")
            assert "2 of 2 parts a hour are used up" in waiting["reason"]
            assert await quota(gate) == {"parts_per_hour": 2}
            assert gate.texts() == ["one", "two"]
            ahead["ahead"] += HOUR
            gate.app.channels["modem0"]._work.set()
            await gate.http.get("/v1/channels")
            await gate.send("+447700900901", "four")
            await gate.status(third, "delivered")

    asyncio.run(flow())


def test_two_hundred_orders_at_once_do_not_pass_a_limit_of_ten(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, options=[{"per_day": 10}], now_ahead=within_every_span()) as gate:
            await asyncio.gather(*(gate.send(f"+4477009{n:05}", f"text {n}") for n in range(200)))
            async with asyncio.timeout(20):
                while len(gate.texts()) < 10:  # the tenth is counted when it is armed, before it is sent
                    await gate.event("sent")
            assert await quota(gate) == {"parts_per_day": 10}
            assert len(gate.texts()) == 10
            test = (await gate.http.post("/v1/routes/test", json={"to": ALICE})).json()
            assert test["refusals"][0]["reason"] == "10 of 10 parts a day are used up"

    asyncio.run(flow())


def test_another_channel_takes_what_is_over_the_limit_at_once(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, modems=2, options=[{"per_day": 1}, {}], now_ahead=within_every_span()) as gate:
            ids = [await gate.send(ALICE, f"text {n}") for n in range(6)]
            done = [await gate.status(id, "delivered") for id in ids]
            by = [m["attempts"][-1]["channel"] for m in done]
            assert by.count("modem0") == 1
            assert by.count("modem1") == 5

    asyncio.run(flow())


def test_people_beyond_the_limit_go_elsewhere_and_known_ones_do_not(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, options=[{"recipients_per_month": 1}], now_ahead=within_every_span()) as gate:
            await gate.status(await gate.send(ALICE, "one"), "delivered")
            stranger = await gate.send("+447700900901", "two")
            async with asyncio.timeout(10):
                while (await gate.message(stranger))["code"] != "quota_used":
                    pass
            await gate.status(await gate.send(ALICE, "three"), "delivered")
            assert gate.texts() == ["one", "three"]

    asyncio.run(flow())


def test_the_count_survives_a_restart(tmp_path: Path) -> None:
    ahead = within_every_span()

    async def flow() -> None:
        for expected in (1, 2):
            async with gateway(tmp_path, options=[{"per_month": 100}], now_ahead=ahead) as gate:
                await gate.status(await gate.send(ALICE), "sent", "delivered")
                assert await quota(gate) == {"parts_per_month": expected}

    asyncio.run(flow())
