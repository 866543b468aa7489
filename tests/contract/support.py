"""A place for a store to live, a clock that stands still, and rows to put in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from bridge.model import Attempt, Inbound, Instant, Message, Received, Report, Status
from bridge.store import Changes
from bridge.store.sqlite import SqliteStore, open_store

T = TypeVar("T")

START: Instant = 1_760_000_000_000
SECOND = 1000
HOUR = 3_600_000
DAY = 24 * HOUR
SIM = "8948000000000000017"


class Clock:
    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> Instant:
        return self.at


class Place:
    """Where a store lives: opened, closed and opened again. `open` is what a new kind of store has to bring."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "state" / "gsmbridge.sqlite"
        self.clock = Clock()

    @asynccontextmanager
    async def open(self, **options: Any) -> AsyncIterator[SqliteStore]:
        store = await open_store(self.path, now=self.clock, doubt_deadline=window, **options)
        try:
            yield store
        finally:
            await store.close()

    def play(self, story: Callable[[SqliteStore], Awaitable[T]]) -> T:
        """Open, run the story, close."""

        async def run() -> T:
            async with self.open() as store:
                return await story(store)

        return asyncio.run(run())

    def do(self, work: Callable[[Changes], T]) -> T:
        """Open, run one work, close: what the next call sees was on disk."""
        return self.play(lambda store: store.write(work))


def window(message: Message, now: Instant) -> Instant:
    return now + 600 * SECOND


_ids = count(1)


def new_id() -> int:
    return START << 20 | next(_ids)


def message(**fields: Any) -> Message:
    values: dict[str, Any] = {
        "id": new_id(),
        "client": 7,
        "to": "+48600700800",
        "created_at": START,
        "due_at": START,
        "text": "Your parcel comes today",
    }
    return Message(**values | fields)


def attempt(of: Message, **fields: Any) -> Attempt:
    values: dict[str, Any] = {
        "id": new_id(),
        "message": of.id,
        "part": 1,
        "channel": "m1",
        "sim": SIM,
        "recipient": of.to[-8:],
        "armed_at": START,
        "epoch": 1,
    }
    return Attempt(**values | fields)


def report(**fields: Any) -> Report:
    values: dict[str, Any] = {
        "id": new_id(),
        "channel": "m1",
        "sim": SIM,
        "pdu": "0006",
        "fingerprint": f"{new_id():064x}",
        "received_at": START,
        "tp_mr": 5,
        "recipient": "+48600700800",
        "tp_st": 0,
    }
    return Report(**values | fields)


def received(**fields: Any) -> Received:
    values: dict[str, Any] = {
        "id": new_id(),
        "channel": "m1",
        "sim": SIM,
        "fingerprint": f"{new_id():064x}",
        "pdu": "0004",
        "received_at": START,
        "sender": "+48500100200",
        "text": "yes",
    }
    return Received(**values | fields)


def inbound(**fields: Any) -> Inbound:
    values: dict[str, Any] = {
        "id": new_id(),
        "channel": "m1",
        "sim": SIM,
        "sender": "+48500100200",
        "received_at": START,
        "text": "yes",
    }
    return Inbound(**values | fields)


def changed(value: T, **fields: Any) -> T:
    return msgspec.structs.replace(value, **fields)  # type: ignore[type-var]


def put(changes: Changes, status: Status, **fields: Any) -> Message:
    """A message brought to this status by legal moves, on channel m1 with one armed attempt on the way."""
    order = message(**fields)
    changes.add([order])
    way = {
        Status.QUEUED: [],
        Status.RETRY_WAIT: [Status.SENDING, Status.RETRY_WAIT],
        Status.SENDING: [Status.SENDING],
        Status.IN_DOUBT: [Status.SENDING, Status.IN_DOUBT],
        Status.SENT: [Status.SENDING, Status.SENT],
        Status.DELIVERED: [Status.SENDING, Status.SENT, Status.DELIVERED],
        Status.UNDELIVERED: [Status.SENDING, Status.SENT, Status.UNDELIVERED],
        Status.SENT_NO_REPORT: [Status.SENDING, Status.SENT, Status.SENT_NO_REPORT],
        Status.UNKNOWN: [Status.SENDING, Status.IN_DOUBT, Status.UNKNOWN],
        Status.EXPIRED: [Status.EXPIRED],
        Status.CANCELLED: [Status.CANCELLED],
        Status.FAILED: [Status.FAILED],
    }[status]
    for step in way:
        waits = step is Status.RETRY_WAIT
        assert changes.move(order.id, step, START, queue="*" if waits else None)
    found = changes.message(order.id)
    assert found is not None
    return found
