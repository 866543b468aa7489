"""What came in reaches its endpoint, through kill -9 at random moments: each text stored once, each delivered under one
id, none before its predecessor. Three ledgers are joined: the network's, the store's and the receiver's."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from pathlib import Path
from random import Random
from typing import Any

import pytest

from drivers.simulator import Simulation
from tests.acceptance.test_kill import CONFIG, PATIENCE, Daemon, everything_at_rest, order
from tests.webhooks.support import Call, receiver, says

KILLS = 40  # of the 100 that are asked: 40 take 53 s on two shared cores
TEXTS = 300
PEOPLE = [f"+4477009009{n:02}" for n in range(7)]

HOOKS = """
[webhooks]
allow_private = ["127.0.0.1"]
allow_http = ["127.0.0.1"]
retry = ["1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s"]
"""


async def inbound(daemon: Daemon) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    async with daemon.client() as http:
        while True:
            query: dict[str, str | int] = {"limit": 200} | ({"cursor": cursor} if cursor else {})
            page = (await http.get("/v1/inbound", params=query)).json()
            found += page["items"]
            cursor = page["next"]
            if not cursor:
                return found


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_each_incoming_text_is_stored_once_and_delivered_in_order(tmp_path: Path) -> None:
    seed = int(os.environ.get("KILL_SEED", "20261126"))
    print(f"KILL_SEED={seed}")
    random = Random(seed)

    async def run() -> None:
        async with Simulation(modems=2) as sim, receiver() as hook:
            state = tmp_path / "state"
            config = tmp_path / "gsmbridge.toml"
            ports = {"left": sim.modems[0].port, "right": sim.modems[1].port}
            config.write_text(CONFIG.format(state=state, **ports) + HOOKS)
            daemon = Daemon(config, state)
            await daemon.start()
            await daemon.answering()
            async with daemon.client() as http:
                body = {"url": hook.url, "events": ["message.received", "reply.received"], "ordered": True}
                assert (await http.post("/v1/webhooks", json=body)).status_code == 201

            async def answer(call: Call, writer: asyncio.StreamWriter) -> None:
                await says(500 if random.random() < 0.3 else 204)(call, writer)

            hook.answer = answer

            async def people() -> None:
                for number in range(TEXTS):
                    modem = sim.modems[number % 2]
                    sim.network.inject(modem.number, f"text {number}", sender=PEOPLE[number % len(PEOPLE)])
                    if number % 3 == 0:  # traffic the other way at the same time
                        promised.append((await order(daemon, 1000 + number))[0])  # to nobody's SIM here
                    await asyncio.sleep(random.uniform(0, 0.2))

            promised: list[str] = []

            async def killer() -> None:
                for _ in range(KILLS):
                    await daemon.answering()
                    await asyncio.sleep(random.uniform(0.0, 0.4))
                    await daemon.kill()
                    await daemon.start()

            await asyncio.gather(people(), killer())
            await daemon.answering()
            async with asyncio.timeout(PATIENCE):
                while len(await inbound(daemon)) < TEXTS or await waiting(daemon):  # noqa: ASYNC110 seen over HTTP only
                    await asyncio.sleep(0.1)
            stored = await inbound(daemon)
            assert set(promised) <= {m["id"] for m in await everything_at_rest(daemon)}
            async with asyncio.timeout(PATIENCE):
                while any(m.modem.storage(name).slots for m in sim.modems for name in ("SM", "ME")):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)  # what is stored is deleted in its own time
            assert await daemon.stop() == 0
            join(stored, hook.calls)

    asyncio.run(run())


async def waiting(daemon: Daemon) -> int:
    async with daemon.client() as http:
        return sum(e["waiting"] for e in (await http.get("/v1/webhooks")).json()["items"])


def join(stored: list[dict[str, Any]], calls: list[Call]) -> None:
    assert sorted(m["text"] for m in stored) == sorted(f"text {n}" for n in range(TEXTS))
    ids: dict[str, set[str]] = defaultdict(set)
    numbers: dict[str, list[int]] = defaultdict(list)
    for call in calls:
        event = call.json
        ids[event["data"]["text"]].add(call.headers["webhook-id"])
        # A repeat of the last one is the same event again; a later one only after it.
        if event["number"] not in numbers[event["key"]]:
            numbers[event["key"]].append(event["number"])
    assert set(ids) == {m["text"] for m in stored}, "not each was delivered"
    assert all(len(found) == 1 for found in ids.values()), "one text went out under two ids"
    for key, found in numbers.items():
        assert found == sorted(found), f"{key}: {found}"
