"""A service with nothing to do does nothing, also with a store full of texts for later."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from bridge.clock import rfc3339, wall
from tests.flows.gateway import gateway

PHONE = "+447700900123"
WATCHED = 4.0  # seconds
OWN = 2  # the end of the watch, and one to spare


def slept() -> int:
    """How often the thread of the loop has gone to sleep, proc(5)."""
    status = Path(f"/proc/self/task/{threading.get_native_id()}/status").read_text()
    return int(status.split("voluntary_ctxt_switches:")[1].split()[0])


def test_between_due_times_nobody_wakes(tmp_path: Path) -> None:
    async def story() -> None:
        async with gateway(tmp_path, modems=0) as gate:
            for hours in range(1, 4):
                await gate.send(PHONE, "later", send_at=rfc3339(wall() + hours * 3_600_000))
            await asyncio.sleep(1.0)  # what the start and the orders have left to do
            before = slept()
            await asyncio.sleep(WATCHED)
            assert slept() - before <= OWN

    asyncio.run(story())
