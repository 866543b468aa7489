"""Backup, loss, restore while texts are in flight: nothing is sent again, and nothing is forgotten in silence."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from drivers.simulator import Simulation
from tests.acceptance.test_kill import CONFIG, Daemon, everything_at_rest, order

ROUNDS = 3
MESSAGES = 24


async def gsmbridge(*arguments: str | Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge.cli", *map(str, arguments)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    assert process.returncode == 0, error.decode()
    return out.decode()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_restore_never_sends_a_queue_again(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    print(f"seed {seed}")

    async def story() -> None:
        async with Simulation(modems=2, delay=0.1, reports=0.2) as sim:
            state, config, backup = tmp_path / "state", tmp_path / "gsmbridge.toml", tmp_path / "backup.sqlite"
            config.write_text(CONFIG.format(state=state, left=sim.modems[0].port, right=sim.modems[1].port))
            daemon = Daemon(config, state)
            await daemon.start()
            await daemon.answering()
            promised = [await order(daemon, n) for n in range(MESSAGES)]
            await asyncio.sleep(random.uniform(0, 0.8))  # some are sent, some on the air, some wait
            await gsmbridge("backup", backup, "--config", config)
            await sim.network.submits(MESSAGES)
            await daemon.kill()
            for file in state.glob("gsmbridge.sqlite*"):
                if random.random() < 0.5 or file.suffix == ".sqlite":
                    file.unlink()
            said = await gsmbridge("restore", backup, "--config", config)
            await daemon.start()
            await daemon.answering()
            stored = {m["id"]: m for m in await everything_at_rest(daemon)}
            taken = Counter(str(e.text) for e in sim.network.ledger)
            assert taken == Counter(text for _, text, _ in promised), "something was sent again"
            closed = [m for m in stored.values() if m["code"] == "restored"]
            assert f"({len(closed)} message" in said if closed else "may have been sent" not in said
            for id, text, _ in promised:
                assert stored[id]["status"] in {"sent", "delivered", "unknown"}, (text, stored[id]["status"])
            await order(daemon, 99)
            await sim.network.submits(MESSAGES + 1)
            assert await daemon.stop() == 0

    os.umask(0o077)
    asyncio.run(story())
