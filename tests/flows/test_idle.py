"""A service with nothing to do does nothing, also with a store full of texts for later."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from bridge.clock import rfc3339, wall
from tests.flows.gateway import gateway

PHONE = "+447700900123"
WATCHED = 4.0  # seconds
SETTLED = 30.0  # seconds within which the start and the orders have nothing left to do
OWN = 2  # the end of the watch, and one to spare


def slept() -> int:
    """How often the thread of the loop has gone to sleep, proc(5)."""
    status = Path(f"/proc/self/task/{threading.get_native_id()}/status").read_text()
    return int(status.split("voluntary_ctxt_switches:")[1].split()[0])


async def settled() -> None:
    """A second has passed without a wake but its own."""
    async with asyncio.timeout(SETTLED):
        woken = 2
        while woken > 1:
            before = slept()
            await asyncio.sleep(1.0)
            woken = slept() - before


def test_between_due_times_nobody_wakes(tmp_path: Path) -> None:
    async def story() -> None:
        async with gateway(tmp_path, modems=0) as gate:
            for hours in range(1, 4):
                await gate.send(PHONE, "later", send_at=rfc3339(wall() + hours * 3_600_000))
            await settled()
            before = slept()
            await asyncio.sleep(WATCHED)
            assert slept() - before <= OWN

    asyncio.run(story())
