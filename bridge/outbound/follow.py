"""After a restart: the drivers that ask for the fate of messages one by one are told which are still open."""

from __future__ import annotations

from collections.abc import Iterable

from bridge.outbound.channel import Channel
from bridge.store import Store
from drivers.contract import Follower

__all__ = ["follow_up"]

MOST = 20_000  # of one channel, the newest; what is older has a callback, or ends as "no report"


async def follow_up(store: Store, channels: Iterable[Channel]) -> None:
    """Before the channels run."""
    for channel in channels:
        driver, id = channel.driver, channel.id
        if isinstance(driver, Follower):
            driver.follow(await store.read(lambda v, id=id: v.unreported(id, MOST)))  # type: ignore[misc]
