"""Twenty unplugs and twenty renames with traffic flowing: nothing is lost, nothing is doubled in silence."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.flows.gateway import Gateway, gateway
from tests.flows.ledgers import join

UNPLUGS, RENAMES, PATIENCE = 20, 20, 60.0
MOVING = {"queued", "sending", "retry_wait"}


async def at_rest(gate: Gateway, promised: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
    """All messages, once none is on its way any more."""
    async with asyncio.timeout(PATIENCE):
        while True:
            stored = [await gate.message(id) for id, _, _ in promised]
            if not any(
                m["status"] in MOVING or (m["status"] == "in_doubt" and m["policy"] != "at_most_once") for m in stored
            ):
                return stored
            await asyncio.sleep(0.3)  # every message is asked; events would ask more often


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_twenty_unplugs_and_twenty_renames_lose_and_double_nothing(tmp_path: Path) -> None:
    seed = int(os.environ.get("UNPLUG_SEED", "20261126"))
    print(f"UNPLUG_SEED={seed}")
    random = Random(seed)

    async def flow() -> None:
        promised: list[tuple[str, str, str]] = []
        async with gateway(
            tmp_path, modems=2, delay=0.05, reports=0.2, evidence_window=2.0, retry=(0.5,), max_tries=100
        ) as gate:
            done = asyncio.Event()

            async def client() -> None:
                while not done.is_set():
                    number = len(promised)
                    policy = "at_most_once" if number % 2 else "at_least_once"
                    text = f"text {number}"
                    id = await gate.send(f"+4477009{number:05}", text, policy=policy, valid_for=3600)
                    promised.append((id, text, policy))
                    await asyncio.sleep(random.uniform(0, 0.15))

            async def up(channel: str) -> None:
                async with asyncio.timeout(20):
                    while True:  # the client passes over the events
                        if gate.app.channels[channel].state == "up":
                            return
                        await asyncio.sleep(0.02)

            async def hands() -> None:
                deeds = ["unplug"] * UNPLUGS + ["rename"] * RENAMES
                random.shuffle(deeds)
                for turn, deed in enumerate(deeds):
                    which = turn % 2
                    modem = gate.sim.modems[which]
                    await up(f"modem{which}")
                    await asyncio.sleep(random.uniform(0, 0.2))  # anywhere within a send
                    if deed == "rename":
                        modem.rename(f"tty{turn}")
                    else:
                        modem.unplug()
                        await asyncio.sleep(random.uniform(0, 0.3))
                        modem.replug()
                await up("modem0")
                await up("modem1")
                done.set()

            started = time.monotonic()
            await asyncio.gather(client(), hands())
            stored = await at_rest(gate, promised)
            doubts = join(promised, gate.texts(), stored)
            print(
                f"{len(promised)} promised, {len(gate.texts())} on the air, {doubts} in doubt for good, "
                f"{time.monotonic() - started:.0f} s"
            )
            assert len(promised) > 100

    asyncio.run(flow())
