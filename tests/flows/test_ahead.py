"""The next text is armed while one is on the air: what that may never change."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import sleep
from typing import Any

from drivers.simulator.faults import SendFault
from tests.flows.gateway import PATIENCE, Gateway, gateway

ALICE = "+447700900900"


async def batch(gate: Gateway, *orders: tuple[str, str], **options: Any) -> list[str]:
    """Numbers and texts, ordered at once; their ids."""
    messages = [{"to": to, "text": text} for to, text in orders]
    answer = await gate.http.post("/v1/batches", json={"messages": messages, "report": False, **options})
    assert answer.status_code == 202, answer.text
    return [m["id"] for m in answer.json()["messages"]]


async def slow_disk(gate: Gateway) -> None:
    """Each commit waits for a work that takes 20 ms, as an SD card does for its sync."""
    while True:
        await gate.app.store.write(lambda changes: sleep(0.02))


async def hurry(gate: Gateway) -> None:
    """Texts until the channel knows how quick its modem is, beside that disk."""
    hurried = False
    while not hurried:
        for id in await batch(gate, *[(ALICE, "warm")] * 20):
            await gate.status(id, "sent")
        hurried = gate.app.channels["modem0"].waits_for_disk


def taken(gate: Gateway) -> list[str]:
    """What the network took since then."""
    texts = gate.texts()
    return texts[len(texts) - texts[::-1].index("warm") :]


async def held(gate: Gateway, **options: Any) -> list[str]:
    """Three texts: the first is on the air until `landed`, the second is armed behind it."""
    while True:
        await hurry(gate)
        gate.sim.modems[0].set_faults(on_air=True)
        before = gate.sim.network.ledger.total
        ids = await batch(gate, (ALICE, "first"), (ALICE, "second"), (ALICE, "third"), **options)
        await gate.sim.network.submits(before + 1)
        await gate.app.store.write(lambda changes: None)  # behind what the channel has begun to write
        if (await gate.message(ids[1]))["status"] == "sending":
            return ids
        landed(gate)  # the machine stood still, so that the channel takes its modem for a slow one
        for id in ids:
            await gate.status(id, "sent")


def landed(gate: Gateway) -> None:
    gate.sim.modems[0].set_faults(on_air=False)


async def states(gate: Gateway, id: str) -> list[str]:
    return [a["state"] for a in (await gate.message(id))["attempts"]]


def run(story: Any, directory: Path, **options: Any) -> None:
    async def whole() -> None:
        async with gateway(directory, reports=None, **options) as gate:
            card = asyncio.create_task(slow_disk(gate))
            try:
                await story(gate)
            finally:
                card.cancel()

    asyncio.run(whole())


def test_one_is_armed_behind_the_one_on_the_air_and_no_more(tmp_path: Path) -> None:
    async def story(gate: Gateway) -> None:
        ids = await held(gate)
        assert [(await gate.message(id))["status"] for id in ids] == ["sending", "sending", "queued"]
        assert taken(gate) == ["first"]
        landed(gate)
        for id in ids:
            message = await gate.status(id, "sent")
            assert [a["state"] for a in message["attempts"]] == ["accepted"]
        assert taken(gate) == ["first", "second", "third"]

    run(story, tmp_path)


def test_one_that_was_armed_behind_a_text_in_doubt_was_not_sent_and_goes_later(tmp_path: Path) -> None:
    async def story(gate: Gateway) -> None:
        first, second, third = await held(gate)
        gate.sim.modems[0].unplug()
        await gate.status(first, "in_doubt")
        await gate.status(second, "queued")
        assert await states(gate, second) == ["refused_safe"]
        landed(gate)
        gate.sim.modems[0].replug()
        for id in (second, third):
            message = await gate.status(id, "sent")
            assert not message["possible_duplicate"]
        assert sorted(taken(gate)) == ["first", "second", "third"]

    run(story, tmp_path)


def test_one_that_expires_while_it_is_armed_is_not_sent(tmp_path: Path) -> None:
    clock = {"ahead": 0}

    async def story(gate: Gateway) -> None:
        first, second, third = await held(gate, valid_for=60)
        clock["ahead"] = 61_000
        landed(gate)
        await gate.status(first, "sent")
        async with asyncio.timeout(PATIENCE):
            for id in (second, third):
                while (await gate.message(id))["status"] != "expired":  # told to nobody where it is found at arming
                    pass
        assert await states(gate, second) == ["refused_safe"]
        assert await states(gate, third) == []
        assert taken(gate) == ["first"]

    run(story, tmp_path, now_ahead=clock)


def test_one_that_was_armed_long_ago_is_armed_again(tmp_path: Path) -> None:
    """Its hours may be over, or it may have been meant for another time since."""
    clock = {"ahead": 0}

    async def story(gate: Gateway) -> None:
        first, second, third = await held(gate)
        clock["ahead"] = 11_000
        landed(gate)
        for id in (first, second, third):
            await gate.status(id, "sent")
        assert await states(gate, second) == ["refused_safe", "accepted"]
        assert not (await gate.message(second))["possible_duplicate"]
        assert sorted(taken(gate)) == ["first", "second", "third"]

    run(story, tmp_path, now_ahead=clock)


def test_one_that_was_armed_behind_the_last_straw_is_held_back(tmp_path: Path) -> None:
    """The third failure of the network in a row pauses the channel, while a fourth text is armed."""

    async def story(gate: Gateway) -> None:
        await hurry(gate)
        gate.sim.modems[0].set_faults(sends=(SendFault(times=0, code=42),))
        numbers = [f"+4477009009{n:02d}" for n in range(5)]
        ids = await batch(gate, *[(to, "never taken") for to in numbers])
        await gate.event("channel_paused", channel="modem0")
        await gate.status(ids[3], "queued")
        [attempt] = (await gate.message(ids[3]))["attempts"]
        assert (attempt["state"], attempt["code"]) == ("refused_safe", "held_back")
        assert await states(gate, ids[4]) == []
        assert taken(gate) == []

    run(story, tmp_path)


def test_parts_stay_together_and_in_order(tmp_path: Path) -> None:
    async def story(gate: Gateway) -> None:
        await hurry(gate)
        texts = [f"{n}: " + "abcdefghi " * 17 * (n % 4) for n in range(24)]
        for id in await batch(gate, *[(ALICE, text) for text in texts]):
            await gate.status(id, "sent")
        assert "".join(taken(gate)) == "".join(texts)

    run(story, tmp_path)
