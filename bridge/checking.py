"""Has the whole database checked, beside the work: each week, and soon after an end that was none of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bridge.model import Instant

__all__ = ["WEEK", "Checking"]

log = logging.getLogger("gsmbridge.store")

WEEK = 7 * 86_400_000  # milliseconds
SOON = 60.0  # seconds after the start, which has enough to do
LOOK = 3600.0  # seconds: between two looks whether it is time, and before one that gave way is tried again


class Checking:
    """`examine()`: false when it had to give way to the work. `checked_at()`: when it last found all well. `soon`:
    seconds after an unclean end, `look`: between two looks."""

    def __init__(
        self,
        examine: Callable[[], Awaitable[bool]],
        checked_at: Callable[[], Instant],
        now: Callable[[], Instant],
        *,
        unclean: bool,
        soon: float = SOON,
        look: float = LOOK,
    ) -> None:
        self._examine = examine
        self._checked_at = checked_at
        self._now = now
        self._unclean = unclean
        self._soon = soon
        self._look = look

    async def run(self) -> None:
        await asyncio.sleep(self._soon)
        while True:
            if self._unclean or abs(self._now() - self._checked_at()) >= WEEK:  # also when the clock was set back
                started = asyncio.get_running_loop().time()
                if await self._examine():
                    self._unclean = False
                    log.info("database_checked seconds=%.1f", asyncio.get_running_loop().time() - started)
                else:
                    log.info("database_check_postponed")
            await asyncio.sleep(self._look)
