"""Killed around each occurrence of a schedule, the daemon makes each one once, and sends it once or says that it may
have been sent twice."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from time import time

import pytest

from drivers.simulator import Simulation
from tests.acceptance.test_kill import daemon_of, everything_at_rest, seeded

OCCURRENCES = 24
NUMBERS = ["+447700900123", "+447700900456"]
EVERY = 3.0  # seconds; the shortest that may be asked for is a minute


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_killed_around_each_occurrence_each_is_made_once(tmp_path: Path) -> None:
    random = seeded()

    async def run() -> None:
        async with Simulation(modems=2, delay=0.08, reports=0.3) as sim:
            daemon = daemon_of(sim, tmp_path)
            await daemon.start()
            await daemon.answering()
            wish = {
                "rule": "every 1 minute",
                "to": NUMBERS,
                "message": {"text": "recurring", "valid_for": 3600},
                "count": OCCURRENCES,
            }
            async with daemon.client() as http:
                schedule = (await http.post("/v1/schedules", json=wish)).json()["id"]
            assert await daemon.stop() == 0
            first = time() + 6
            quicken(tmp_path / "state" / "gsmbridge.sqlite", first)
            await daemon.start()
            for n in range(OCCURRENCES):
                # Before, at and after the moment at which it is due.
                await asyncio.sleep(max(0.0, first + n * EVERY + random.uniform(-0.1, 0.25) - time()))
                await daemon.kill()
                await daemon.start()
            await daemon.answering()
            async with daemon.client() as http:
                async with asyncio.timeout(60):
                    while True:
                        found = (await http.get(f"/v1/schedules/{schedule}")).json()
                        if found["state"] == "ended":
                            break
                        await asyncio.sleep(0.2)  # another process: there is nothing to wait on
                path = f"/v1/schedules/{schedule}/occurrences"
                occurrences = (await http.get(path, params={"limit": 200})).json()["items"]
            stored = await everything_at_rest(daemon)
            assert await daemon.stop() == 0

            due = [o["due_at"] for o in occurrences]
            assert len(due) == len(set(due)) == OCCURRENCES == found["sent"]
            assert {o["state"] for o in occurrences} <= {"sent", "late"}
            assert Counter(m["batch"] for m in stored) == {o["batch"]: 2 for o in occurrences}
            on_air = Counter("+" + e.destination.lstrip("+") for e in sim.network.ledger)
            flagged = Counter(m["to"] for m in stored if m["possible_duplicate"])
            for to in NUMBERS:
                assert OCCURRENCES <= on_air[to] <= OCCURRENCES + flagged[to], (on_air, flagged)
            assert {m["status"] for m in stored} <= {"sent", "delivered"}

    asyncio.run(run())


def quicken(database: Path, first: float) -> None:
    with closing(sqlite3.connect(database)) as db, db:
        start = round(first * 1000)
        db.execute("UPDATE schedules SET every = ?, start = ?, next_at = ?", (round(EVERY * 1000), start, start))
