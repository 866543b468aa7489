"""What the tests of the REST drivers share: a sink, a clock that can be moved, a driver that is up, plain answers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from drivers.contract import Driver, Event, LinkChange, LinkState, MaybeSent, NotSent, Receipt, Refused, Submission
from drivers.providers.http import Answer
from drivers.providers.outcomes import Row, Then

E = TypeVar("E")
NUMBER = "+48500600700"


class Collector:
    """A sink that keeps what it is given. `refuse`: so many events are turned away first."""

    def __init__(self, *, refuse: int = 0) -> None:
        self.events: list[Event] = []
        self.refuse = refuse
        self._grown = asyncio.Event()

    async def accept(self, event: Event) -> None:
        if self.refuse and not isinstance(event, LinkChange):
            self.refuse -= 1
            raise OSError("the disk is full")
        self.events.append(event)
        self._grown.set()

    async def wait(self, wanted: Callable[[Event], bool]) -> Event:
        """The first event that is wanted, of those that were and those that come."""
        async with asyncio.timeout(60):
            while True:
                for event in self.events:
                    if wanted(event):
                        return event
                self._grown.clear()
                await self._grown.wait()

    async def first(self, kind: type[E], wanted: Callable[[E], bool] = lambda event: True) -> E:
        found = await self.wait(lambda event: isinstance(event, kind) and wanted(event))
        assert isinstance(found, kind)
        return found

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]


class Shifted:
    """The monotonic clock, which a test may set forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@asynccontextmanager
async def running(driver: Driver, *, state: LinkState = LinkState.UP) -> AsyncIterator[Collector]:
    """The driver with its link in `state`; whatever ends it early is raised."""
    sink = Collector()
    task = asyncio.create_task(driver.run(sink))
    try:
        waiting = asyncio.create_task(sink.first(LinkChange, lambda change: change.state is state))
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            waiting.cancel()
            await task
        await waiting
        yield sink
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def answer(content: object, status: int = 200) -> Answer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Answer(status=status, headers={}, body=body)


def submission(
    text: str | None = "Pump 3 stopped", *, attempt: str = "att_0c1vk5h7e8g00", to: str = NUMBER
) -> Submission:
    return Submission(attempt_id=attempt, to=to, text=text)


def expected(row: Row) -> tuple[type[Exception], bool, bool]:
    """Error, everywhere, channel unusable: what a row must come out as."""
    if row.reconcile:
        return MaybeSent, False, False
    match row.then:
        case Then.PERMANENT:
            return Refused, True, False
        case Then.PAUSE:
            return NotSent, False, True
        case Then.RETRY_LATER:
            return NotSent, False, False
        case _:
            return Refused, False, False


def described(error: Exception) -> tuple[type[Exception], bool, bool]:
    kind = next(kind for kind in (MaybeSent, Refused, NotSent) if isinstance(error, kind))
    return kind, getattr(error, "everywhere", False), getattr(error, "channel_unusable", False)


async def outcome(driver: Driver, sent: Submission) -> Receipt | NotSent | Refused | MaybeSent:
    try:
        return await driver.submit(sent)
    except (NotSent, Refused, MaybeSent) as error:
        return error
