"""A receiver of webhooks that answers as it is told, over real HTTP, and the delivery that calls it."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from bridge.config import Service, Settings, Webhooks
from bridge.delivering import Delivery
from bridge.model import Ids, Instant
from bridge.store import Store
from bridge.telemetry import Telemetry

__all__ = ["Call", "Receiver", "delivery", "receiver"]

PATIENCE = 20.0  # seconds; never waited for when things go well
LOCAL = Webhooks(allow_private=("127.0.0.1",), allow_http=("127.0.0.1",))


def delivery(
    state: Path, store: Store, ids: Ids, now: Callable[[], Instant], webhooks: Webhooks = LOCAL, **more: Any
) -> Delivery:
    settings = Settings(service=Service(state_dir=state), webhooks=webhooks, **more)
    return Delivery(settings, store, ids, now, Telemetry(now))


class Call(msgspec.Struct, frozen=True):
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


Answering = Callable[[Call, asyncio.StreamWriter], Awaitable[None]]


def says(status: int, head: str = "", body: str = "") -> Answering:
    async def answer(call: Call, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n{head}\r\n{body}".encode())

    return answer


class Receiver:
    def __init__(self) -> None:
        self.url = ""
        self.calls: list[Call] = []
        self.answer: Answering = says(200)
        self.came = asyncio.Event()
        self.connections = 0

    async def count(self, wanted: int) -> list[Call]:
        """The calls, once there are so many."""
        async with asyncio.timeout(PATIENCE):
            while len(self.calls) < wanted:
                self.came.clear()
                await self.came.wait()
        return self.calls

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.strip().split("\r\n")
                headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                call = Call(first.split(" ")[1], headers, body)
                self.calls.append(call)
                self.came.set()
                await self.answer(call, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiver(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """`tls`: over https, as "localhost"."""
    one = Receiver()
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    one.url = f"http://127.0.0.1:{port}/hook" if tls is None else f"https://localhost:{port}/hook"
    try:
        yield one
    finally:
        server.close()
