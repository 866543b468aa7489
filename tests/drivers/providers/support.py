"""A peer for provider drivers: a real server on loopback that answers what a test tells it and keeps what it was sent,
a sink that can be awaited, a clock that stands still, and time-outs that come when told."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from drivers.contract import Driver, Event, LinkChange, LinkState, Receipt, Submission, SubmitError
from drivers.providers.http import Endpoint
from drivers.registry import Environment

__all__ = [
    "PATIENT",
    "Clock",
    "Collector",
    "Peer",
    "Request",
    "ShiftedLoop",
    "answer",
    "caught",
    "drip",
    "environment",
    "receipt",
    "run",
    "running",
    "silence",
    "soap",
    "text",
    "timed_out",
]

T = TypeVar("T")
E = TypeVar("E", bound=Event)

# No machine is so slow that it looks like a silent provider.
PATIENT = Endpoint(connect_timeout=600.0, read_timeout=600.0, write_timeout=600.0, total_timeout=600.0)


class Request(msgspec.Struct, frozen=True, kw_only=True):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Behaviour = Callable[[asyncio.StreamWriter], Coroutine[Any, Any, None]]
Back = bytes | None | Behaviour  # the octets to send back; None = end the connection; or whatever else is to be done
Script = Callable[[Request], Back]


class Peer:
    """`script`: one answer a request, or a function. An answer without Content-Length ends with the connection."""

    def __init__(self, script: list[Back] | Script = (lambda _: answer())) -> None:
        self.requests: list[Request] = []
        self._script = script
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.reached = asyncio.Event()  # by a request
        self.at_exit: list[Callable[[], Awaitable[None]]] = []  # clients of drivers that are not run

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def script(self, script: list[Back] | Script) -> None:
        self._script = script

    async def __aenter__(self) -> Peer:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *of: object) -> None:
        assert self._server is not None
        for close in self.at_exit:
            await close()
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await _read(reader)) is not None:
                self.requests.append(request)
                self.reached.set()
                octets = self._script.pop(0) if isinstance(self._script, list) else self._script(request)
                if octets is None:
                    return
                if not isinstance(octets, bytes):
                    await octets(writer)
                    return
                writer.write(octets)
                await writer.drain()
                if b"content-length" not in octets.lower():
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def silence(writer: asyncio.StreamWriter) -> None:
    """No answer as long as the test runs."""
    await asyncio.Event().wait()


async def drip(writer: asyncio.StreamWriter) -> None:
    """An answer that never ends, slowly."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def _read(reader: asyncio.StreamReader) -> Request | None:
    head = await reader.readline()
    if not head:
        return None
    method, path, _ = head.decode().split(" ", 2)
    headers: dict[str, str] = {}
    while line := (await reader.readline()).strip():
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method=method, path=path, headers=headers, body=body)


def answer(
    body: bytes | str = b"", *, status: int = 200, kind: str = "text/xml", headers: dict[str, str] | None = None
) -> bytes:
    octets = body.encode() if isinstance(body, str) else body
    lines = {"Content-Type": kind, "Content-Length": str(len(octets)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + octets


def soap(content: str, *, status: int = 200) -> bytes:
    return answer(
        '<?xml version="1.0" encoding="UTF-8"?><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/">'
        f"<e:Body>{content}</e:Body></e:Envelope>",
        status=status,
    )


class Clock:
    """Monotonic seconds that move when told."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


class ShiftedLoop(asyncio.SelectorEventLoop):
    """Its timers follow the world's time, which a test may set forward (see `timed_out`)."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


async def timed_out(asking: Awaitable[T], *, after: float) -> T:
    """What it comes to when `after` seconds pass, and they do at once: nothing short is needed for a test to be quick,
    and so a machine that stalls for some seconds changes nothing. Call it when the request has arrived."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ShiftedLoop)
    task = asyncio.ensure_future(asking)
    while not task.done():  # more than once: the request may have arrived before its sender began to wait
        loop.ahead += after
        await asyncio.sleep(0.001)
    return task.result()


class Collector:
    """A sink. `refuse`: how many events it fails to store first."""

    def __init__(self, *, refuse: int = 0) -> None:
        self.events: list[Event] = []
        self.refused: deque[Event] = deque()
        self._refuse = refuse
        self._news = asyncio.Condition()

    async def accept(self, event: Event) -> None:
        if self._refuse:
            self._refuse -= 1
            self.refused.append(event)
            raise OSError("disk full")
        async with self._news:
            self.events.append(event)
            self._news.notify_all()

    def of(self, kind: type[E]) -> list[E]:
        return [e for e in self.events if isinstance(e, kind)]

    async def first(self, kind: type[E], test: Callable[[E], bool] = lambda _: True) -> E:
        async with asyncio.timeout(60), self._news:
            await self._news.wait_for(lambda: any(test(e) for e in self.of(kind)))
        return next(e for e in self.of(kind) if test(e))


@contextlib.asynccontextmanager
async def running(driver: Driver, sink: Collector | None = None, *, up: bool = True) -> AsyncIterator[Collector]:
    """The driver at work; inside, its link is up."""
    collector = sink or Collector()
    task = asyncio.create_task(driver.run(collector))
    try:
        if up:
            await collector.first(LinkChange, lambda c: c.state is LinkState.UP)
        yield collector
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def caught(call: Awaitable[object]) -> SubmitError:
    try:
        result = await call
    except SubmitError as error:
        return error
    raise AssertionError(f"no error but {result!r}")


def environment(folder: Path, clock: Clock | None = None) -> Environment:
    return Environment(state_dir=folder, monotonic=clock) if clock else Environment(state_dir=folder)


def text(n: int = 1, **changes: Any) -> Submission:
    """A submission, the `n`th."""
    given: dict[str, Any] = {"attempt_id": f"att_{n:013}", "to": f"+4860070{n:04}", "text": f"text {n}", **changes}
    return Submission(**given)


def run(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=ShiftedLoop) as runner:
        return runner.run(main)


def receipt(outcome: Receipt | SubmitError) -> Receipt:
    assert isinstance(outcome, Receipt), outcome
    return outcome
