"""The end of the service: nothing more is armed, what is on the air may end, and the rest is in doubt."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection

from bridge.outbound.channel import Channel

__all__ = ["DRAIN", "drain"]

log = logging.getLogger("gsmbridge.app")

DRAIN = 75.0  # seconds a running submission may take after the order to stop


async def drain(channels: Collection[Channel], *, within: float, hurry: asyncio.Event) -> None:
    """Returns when every running submission has ended, after `within` seconds, or when `hurry` is set. Whatever is
    still armed then has nobody left to hear its answer."""
    if not channels:
        return
    ended = asyncio.gather(*(channel.drain() for channel in channels))
    hurried = asyncio.ensure_future(hurry.wait())
    await asyncio.wait((ended, hurried), timeout=within, return_when=asyncio.FIRST_COMPLETED)
    hurried.cancel()
    if not ended.done():
        ended.cancel()
        busy = sorted(channel.id for channel in channels if channel.busy)
        log.warning("drain_incomplete channels=%s; what they were sending is in doubt", ",".join(busy))
    await asyncio.gather(ended, return_exceptions=True)
