"""Occurrences of schedules, from their time to the air."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import msgspec

from bridge.config import Route, Settings
from bridge.model import parse_id
from tests.flows.gateway import Gateway, gateway

ALICE, BOB = "+447700900123", "+447700900456"
MINUTE = 60_000


async def schedule(gate: Gateway, **more: Any) -> str:
    wish = {"rule": "every 1 minute", "to": [ALICE], "message": {"text": "tick"}, **more}
    answer = await gate.http.post("/v1/schedules", json=wish)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def occurrences(gate: Gateway, id: str) -> list[dict[str, Any]]:
    return list((await gate.http.get(f"/v1/schedules/{id}/occurrences")).json()["items"][::-1])


def test_one_who_opted_out_is_left_out_and_the_others_get_theirs(tmp_path: Path) -> None:
    passed = {"ahead": 0}

    async def story() -> None:
        async with gateway(tmp_path, now_ahead=passed) as gate:
            several = await schedule(gate, to=[ALICE, BOB])
            alone = await schedule(gate, to=[BOB])
            answer = await gate.http.post("/v1/opt-outs", json={"number": BOB})
            assert answer.status_code == 201, answer.text
            passed["ahead"] += MINUTE + 1000
            await gate.app.recurring.turn()
            (one,) = await occurrences(gate, several)
            assert (one["state"], one["count"]) == ("sent", 1)
            assert one["reason"].startswith("1 of 2 recipients left out: ")
            messages = (await gate.http.get("/v1/messages", params={"batch": one["batch"]})).json()["items"]
            assert [m["to"] for m in messages] == [ALICE]
            await gate.status(messages[0]["id"], "sent", "delivered")
            assert [o["state"] for o in await occurrences(gate, alone)] == ["refused"]

    asyncio.run(story())


def test_it_ends_when_so_many_were_sent(tmp_path: Path) -> None:
    passed = {"ahead": 0}

    async def story() -> None:
        async with gateway(tmp_path, now_ahead=passed) as gate:
            id = await schedule(gate, count=2)
            for _ in range(4):
                passed["ahead"] += MINUTE
                await gate.app.recurring.turn()
            found = (await gate.http.get(f"/v1/schedules/{id}")).json()
            assert (found["state"], found["sent"], found["next"]) == ("ended", 2, [])
            for one in await occurrences(gate, id):
                await gate.status(one["message"], "sent", "delivered")
            assert gate.texts() == ["tick", "tick"]

    asyncio.run(story())


def test_two_that_turn_at_once_make_it_once(tmp_path: Path) -> None:
    passed = {"ahead": 0}

    async def story() -> None:
        async with gateway(tmp_path, now_ahead=passed) as gate:
            id = await schedule(gate)
            passed["ahead"] += MINUTE
            await asyncio.gather(*(gate.app.recurring.turn() for _ in range(5)))
            assert len(await occurrences(gate, id)) == 1
            counts = await gate.app.store.read(lambda view: view.counts())
            assert sum(counts.values()) == 1

    asyncio.run(story())


def test_after_a_long_time_off_what_was_missed_is_one_row_and_not_a_flood(tmp_path: Path) -> None:
    passed = {"ahead": 0}

    async def story() -> None:
        async with gateway(tmp_path, now_ahead=passed) as gate:
            id = await schedule(gate, misfire_grace=90)
            passed["ahead"] += 30 * 24 * 60 * MINUTE
            await gate.app.recurring.turn()
            found = await occurrences(gate, id)
            assert [o["state"] for o in found][:1] == ["skipped"]
            assert "more than 100 others" in found[0]["reason"]
            assert len(found) <= 3
            assert {o["state"] for o in found[1:]} <= {"sent", "late"}

    asyncio.run(story())


def test_a_route_that_asks_for_a_key_gets_what_its_schedules_send(tmp_path: Path) -> None:
    passed = {"ahead": 0}

    def routed(settings: Settings) -> Settings:
        return msgspec.structs.replace(settings, routes=(Route(name="desk", channels=("modem1",), keys=("crm",)),))

    async def story() -> None:
        async with gateway(tmp_path, modems=2, now_ahead=passed, settings=routed) as gate:
            made = (await gate.http.post("/v1/keys", json={"name": "crm", "scope": "send"})).json()
            headers = {"Authorization": f"Bearer {made['secret']}"}
            async with httpx.AsyncClient(base_url=gate.app.url, headers=headers, timeout=20) as crm:
                wish = {"rule": "every 1 minute", "to": [ALICE], "message": {"text": "tick"}}
                answer = await crm.post("/v1/schedules", json=wish)
                assert answer.status_code == 201, answer.text
                passed["ahead"] += MINUTE
                await gate.app.recurring.turn()
                (one,) = (await crm.get(f"/v1/schedules/{answer.json()['id']}/occurrences")).json()["items"]
                message = (await crm.get(f"/v1/messages/{one['message']}")).json()
                assert message["route"] == "desk"

    asyncio.run(story())


def test_one_that_cannot_be_read_any_more_is_paused_and_said_and_the_others_go_on(tmp_path: Path) -> None:
    passed = {"ahead": 0}

    async def story() -> None:
        async with gateway(tmp_path, now_ahead=passed) as gate:
            hook = {"url": "https://hooks.example.org/sms", "events": ["schedule.*"]}
            assert (await gate.http.post("/v1/webhooks", json=hook)).status_code == 201
            broken, good = await schedule(gate), await schedule(gate)
            number = parse_id("sch", broken)

            def spoil(changes: Any) -> None:  # a zone that was taken out of the system's list
                changes._run("UPDATE schedules SET zone = 'Europe/Atlantis' WHERE id = ?", (number,))

            await gate.app.store.write(spoil)
            passed["ahead"] += MINUTE
            await gate.app.recurring.turn()
            assert [o["state"] for o in await occurrences(gate, good)] == ["sent"]
            stored = await gate.app.store.read(lambda view: view.schedule(number or 0))
            assert stored is not None
            assert (stored.paused, stored.next_at) == (True, None)
            (told,) = (await gate.http.get("/v1/events")).json()["items"]
            assert (told["type"], told["data"]["code"]) == ("schedule.skipped", "stopped")
            assert told["data"]["schedule"] == broken

    asyncio.run(story())
