"""Killed around each canary, the daemon orders each once, never sends one twice, and knows which did not come."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from time import time
from typing import Any

import pytest

from drivers.simulator import Simulation
from tests.acceptance.test_kill import PATIENCE, daemon_of, everything_at_rest, seeded

FLIGHTS = 8
CANARY = '\n[canary]\nchannel = "left"\nnumber = "+447700900102"\nwithin = "1m"\n'


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_around_each_canary_none_flies_twice(tmp_path: Path) -> None:
    random = seeded()

    async def run() -> None:
        async with Simulation(modems=2, delay=0.08, reports=0.3) as sim:
            database = tmp_path / "state" / "gsmbridge.sqlite"
            daemon = daemon_of(sim, tmp_path, CANARY)
            await daemon.start()
            await daemon.answering()
            tokens = [await over(database, "")]
            for _ in range(FLIGHTS):
                await daemon.kill()
                due = time() + 2.5
                hasten(database, due)
                await daemon.start()
                # Before it is ordered, while it is sent, while it comes in.
                await asyncio.sleep(max(0.0, due + random.uniform(-0.05, 0.35) - time()))
                await daemon.kill()
                await daemon.start()
                tokens.append(await over(database, tokens[-1]))
            await daemon.answering()
            stored = await everything_at_rest(daemon)
            async with daemon.client() as http:
                assert (await http.get("/v1/inbound")).json()["items"] == []
            assert await daemon.stop() == 0

            ordered = Counter(str(m["text"]) for m in stored)
            assert ordered == {f"gsm-bridge canary {token}": 1 for token in tokens}
            on_air = Counter(str(e.text) for e in sim.network.ledger)
            # Killed between the armed row and the modem, one never flies: it is in doubt, and stays on the ground.
            grounded = {str(m["text"]) for m in stored if m["status"] == "unknown"}
            assert ordered.keys() - grounded <= on_air.keys() <= ordered.keys()
            assert set(on_air.values()) == {1}
            assert not any(m["possible_duplicate"] for m in stored)

    asyncio.run(run())


def canary(database: Path) -> dict[str, Any]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        row = db.execute("SELECT value FROM meta WHERE name = 'canary'").fetchone()
    return {} if row is None else dict(json.loads(row[0]))


async def over(database: Path, before: str) -> str:
    """The token of the next canary, once it came or its minute is over."""
    async with asyncio.timeout(PATIENCE):
        while True:
            flight = canary(database).get("flight") or {}
            if flight.get("over") and flight["token"] != before:
                return str(flight["token"])
            await asyncio.sleep(0.05)  # another process: there is nothing to wait on


def hasten(database: Path, at: float) -> None:
    """The next one flies then, and not in an hour."""
    state = canary(database) | {"next_at": round(at * 1000)}
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("UPDATE meta SET value = ? WHERE name = 'canary'", (json.dumps(state),))
