"""How a loop shows that it still goes round: it beats once a round, and whoever asks waits for the next beat."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Pulse"]


class Pulse:
    """`wake`: makes the loop go round when it waits for work. While nobody asks, a beat costs one comparison."""

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        self._wake = wake
        self._asked: list[asyncio.Future[None]] = []

    def beat(self) -> None:
        if not self._asked:
            return
        asked, self._asked = self._asked, []
        for future in asked:
            if not future.done():
                future.set_result(None)

    async def __call__(self) -> None:
        """Returns at the next beat, which is soon while all goes well and never in a loop that hangs."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked.append(future)
        self._wake()
        await future
