"""A backup put back under a service with schedules: what was to run before that does not run, what comes after does."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bridge.clock import wall
from bridge.opening import DATABASE
from bridge.store.backup import back_up, put_back
from tests.flows.gateway import gateway
from tests.flows.test_schedules import occurrences, schedule

MINUTE = 60_000


def test_what_a_schedule_was_to_send_before_is_skipped_and_it_goes_on(tmp_path: Path) -> None:
    database, backup = tmp_path / "state" / DATABASE, tmp_path / "backup"
    clock = {"ahead": 0}

    async def flow() -> None:
        async with gateway(tmp_path, now_ahead=clock) as gate:
            id = await schedule(gate)
            back_up(database, backup, wall())
        clock["ahead"] = 2 * MINUTE
        put_back(database, backup, wall() + clock["ahead"])
        async with gateway(tmp_path, now_ahead=clock) as gate:
            async with asyncio.timeout(20):
                while not (ran := await occurrences(gate, id)):
                    gate.seen.append(await gate._events.get())
            assert {o["state"] for o in ran} == {"skipped"}
            assert "backup" in ran[0]["reason"]
            assert gate.texts() == []
            clock["ahead"] = 3 * MINUTE + 1000
            await gate.app.recurring.turn()
            await asyncio.wait_for(gate.sim.network.submits(1), 20)
            assert gate.texts() == ["tick"]

    asyncio.run(flow())
