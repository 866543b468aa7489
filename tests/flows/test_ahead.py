"""The next text is armed while one is on the air: what that may never change."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from drivers.simulator.faults import Answer, SendFault
from tests.flows.gateway import PATIENCE, Gateway, gateway

ALICE, BOB = "+447700900900", "+447700900555"
HELD = SendFault(to="555", taken=True, answer=Answer.NONE)  # the modem takes it and says nothing


async def batch(gate: Gateway, *orders: tuple[str, str]) -> list[str]:
    """Numbers and texts, ordered at once; their ids."""
    messages = [{"to": to, "text": text} for to, text in orders]
    answer = await gate.http.post("/v1/batches", json={"messages": messages, "report": False})
    assert answer.status_code == 202, answer.text
    return [m["id"] for m in answer.json()["messages"]]


async def hurry(gate: Gateway) -> None:
    """Texts until the channel knows that its modem takes no time and waits for the disk."""
    while not gate.app.channels["modem0"].waits_for_disk:
        for id in await batch(gate, *[(ALICE, "warm")] * 20):
            await gate.status(id, "sent")


async def held(gate: Gateway) -> list[str]:
    """Three texts: the first is on the air and gets no answer, the second is armed behind it."""
    await hurry(gate)
    gate.sim.modems[0].set_faults(sends=(HELD,))
    before = gate.sim.network.ledger.total
    ids = await batch(gate, (BOB, "first"), (ALICE, "second"), (ALICE, "third"))
    await gate.sim.network.submits(before + 1)
    async with asyncio.timeout(PATIENCE):
        while (await gate.message(ids[1]))["status"] != "sending":  # told when the first one has ended
            pass
    return ids


async def states(gate: Gateway, id: str) -> list[str]:
    return [a["state"] for a in (await gate.message(id))["attempts"]]


def run(story: Any, directory: Path, **options: Any) -> None:
    async def whole() -> None:
        async with gateway(directory, reports=None, **options) as gate:
            await story(gate)

    asyncio.run(whole())


def test_one_is_armed_behind_the_one_on_the_air_and_no_more(tmp_path: Path) -> None:
    async def story(gate: Gateway) -> None:
        ids = await held(gate)
        assert [(await gate.message(id))["status"] for id in ids] == ["sending", "sending", "queued"]
        assert gate.texts("second") == []
        gate.sim.modems[0].modem.emit(b"\r\n+CMGS: 7\r\n\r\nOK\r\n")
        for id in ids:
            message = await gate.status(id, "sent")
            assert [a["state"] for a in message["attempts"]] == ["accepted"]
        assert [t for t in gate.texts() if t != "warm"] == ["first", "second", "third"]

    run(story, tmp_path)


def test_one_that_was_armed_behind_a_text_in_doubt_was_not_sent_and_goes_later(tmp_path: Path) -> None:
    async def story(gate: Gateway) -> None:
        first, second, third = await held(gate)
        gate.sim.modems[0].unplug()
        await gate.status(first, "in_doubt")
        await gate.status(second, "queued")
        assert await states(gate, second) == ["refused_safe"]
        gate.sim.modems[0].replug()
        for id in (second, third):
            message = await gate.status(id, "sent")
            assert not message["possible_duplicate"]
        assert [len(gate.texts(t)) for t in ("first", "second", "third")] == [1, 1, 1]

    run(story, tmp_path)


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
        assert gate.texts("never taken") == []

    run(story, tmp_path)


def test_parts_stay_together_and_in_order(tmp_path: Path) -> None:
    async def story(gate: Gateway) -> None:
        await hurry(gate)
        texts = [f"{n}: " + "abcdefghi " * 17 * (n % 4) for n in range(24)]
        for id in await batch(gate, *[(ALICE, text) for text in texts]):
            await gate.status(id, "sent")
        assert "".join(t for t in gate.texts() if t != "warm") == "".join(texts)

    run(story, tmp_path)
