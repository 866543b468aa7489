"""What the API is built from. The composition root supplies it; nothing is looked up elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from bridge.model import ChannelSnapshot, Ids, Instant
from bridge.outbound.intake import Intake
from bridge.store import Store

__all__ = ["Parts"]


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """`random_bytes(n)`: n unpredictable bytes, for new keys. `ready()`: whether orders are taken, and a sentence.
    `metrics()`: the Prometheus text. `region`: ISO country of numbers without "+". `max_body` is in octets."""

    store: Store
    intake: Intake
    ids: Ids
    now: Callable[[], Instant]
    random_bytes: Callable[[int], bytes]
    channels: Callable[[], Awaitable[list[ChannelSnapshot]]]
    ready: Callable[[], tuple[bool, str]]
    metrics: Callable[[], Awaitable[bytes]]
    version: str
    region: str | None = None
    max_recipients: int = 10_000
    max_body: int = 16 << 20
