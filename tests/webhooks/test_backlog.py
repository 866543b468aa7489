"""How much may wait for an endpoint, and how long what happened is kept."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import msgspec

from bridge.config import Settings, Webhooks
from tests.flows.gateway import Gateway, gateway

from .support import Receiver, receiver, says
from .test_delivery import PHONE, endpoint, settled, shown

MOST = 5
DAY = 86_400_000


def few(settings: Settings) -> Settings:
    webhooks = Webhooks(allow_private=("127.0.0.1",), allow_http=("127.0.0.1",), retry=(60.0,) * 9, backlog=MOST)
    return msgspec.structs.replace(settings, webhooks=webhooks)


async def waiting_and_dead(gate: Gateway, id: str, wanted: tuple[int, int]) -> None:
    async with asyncio.timeout(20):
        while (one := await shown(gate, id)) and (one["waiting"], one["dead"]) != wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def metric(text: str, name: str, id: str) -> float:
    found = re.search(rf'^{name}{{webhook="{id}"}} (\S+)$', text, re.MULTILINE)
    assert found is not None, text
    return float(found[1])


def test_beyond_the_backlog_events_are_dead_letters_at_once_said_once_and_not_lost(tmp_path: Path) -> None:
    async def run() -> None:
        async with receiver() as hook, receiver() as other, gateway(tmp_path, modems=0, settings=few) as gate:
            hook.answer = says(500)
            made = await endpoint(gate, hook.url, events=["message.queued"], ordered=True)
            await endpoint(gate, other.url, events=["webhook.*"])
            sent = [await gate.send(PHONE, str(n)) for n in range(MOST + 3)]
            await waiting_and_dead(gate, made["id"], (MOST, 3))
            [told] = await other.count(1)
            assert (told.json["type"], told.json["data"]["webhook"]) == ("webhook.backlog_full", made["id"])
            tested = (await gate.http.post(f"/v1/webhooks/{made['id']}/test")).json()
            assert tested["try"]["status"] == 500, "the test button works all the same"
            metrics = (await gate.http.get("/metrics")).text
            assert metric(metrics, "gsmbridge_webhook_backlog", made["id"]) == MOST + 1
            assert metric(metrics, "gsmbridge_webhook_dead_letters", made["id"]) == 3
            hook.answer, before = says(200), len(hook.calls)
            await gate.http.post(f"/v1/webhooks/{made['id']}/replay", json={})
            await settled(gate, made["id"])
            told_now = [c.json for c in hook.calls[before:] if c.json["type"] == "message.queued"]
            assert sorted(t["data"]["message"] for t in told_now) == sorted(sent)
            assert len(other.calls) == 1
            # There is room again, and the next time that there is none is said again.
            hook.answer = says(500)
            for n in range(MOST + 1):
                await gate.send(PHONE, str(n))
            await waiting_and_dead(gate, made["id"], (MOST, 1))
            assert len(await other.count(2)) == 2

    asyncio.run(run())


def test_deliveries_events_and_dead_letters_are_kept_so_long_and_no_longer(tmp_path: Path) -> None:
    clock = {"ahead": 0}

    def kept(settings: Settings) -> Settings:
        return msgspec.structs.replace(
            settings, webhooks=msgspec.structs.replace(few(settings).webhooks, keep=30 * 86_400.0)
        )

    async def everything(gate: Gateway, id: str) -> list[int]:
        async def count(path: str) -> int:
            answer = await gate.http.get(path)
            assert answer.status_code == 200, answer.text
            return len(answer.json()["items"])

        return [await count(p) for p in (f"/v1/webhooks/{id}/deliveries", f"/v1/webhooks/{id}/dead", "/v1/events")]

    async def run() -> None:
        async with receiver() as hook, gateway(tmp_path, modems=0, settings=kept, now_ahead=clock) as gate:
            made = await endpoint(gate, hook.url, events=["message.queued"])
            await gate.send(PHONE, "answered")
            await hook.count(1)
            await settled(gate, made["id"])
            await story(gate, hook, made["id"])

    async def story(gate: Gateway, hook: Receiver, id: str) -> None:
        hook.answer = says(410)  # switches it off: what waits stays
        await gate.send(PHONE, "not answered")
        await hook.count(2)
        async with asyncio.timeout(20):
            while (await shown(gate, id))["enabled"]:  # noqa: ASYNC110 seen over HTTP only
                await asyncio.sleep(0.02)
        assert await everything(gate, id) == [2, 0, 2]
        assert gate.app.housekeeping is not None
        clock["ahead"] = 29 * DAY
        await gate.app.housekeeping.tick()
        assert await everything(gate, id) == [2, 0, 2]
        assert (await shown(gate, id))["waiting"] == 1
        clock["ahead"] = 31 * DAY
        await gate.app.housekeeping.tick()
        assert await everything(gate, id) == [0, 0, 0]
        assert (await shown(gate, id))["waiting"] == 0

    asyncio.run(run())
