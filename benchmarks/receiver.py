"""A receiver of webhooks in a thread of its own: when each event's first byte came, and answers as told."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from random import Random
from time import monotonic
from types import TracebackType
from typing import Any

import msgspec

__all__ = ["Came", "Receiver"]


class Came(msgspec.Struct, frozen=True):
    path: str
    at: float  # of its first byte, on the machine's monotonic clock
    ok: bool  # answered with 204
    event: dict[str, Any]


class Receiver:
    """`path` -> what to answer: a status, or None to hang. Addresses are `url(path)`."""

    def __init__(self, answer: Callable[[str, Random], int | None] = lambda path, random: 204) -> None:
        self.came: list[Came] = []
        self.port = 0
        self._answer = answer
        self._random = Random(1)
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="receiver", daemon=True)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"

    def __enter__(self) -> Receiver:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        assert self._loop is not None
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.run(self._until_stopped())

    async def _until_stopped(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while first := await reader.read(1):
                at = monotonic()
                head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                line, *lines = head.strip().split("\r\n")
                headers = {n.lower(): v.strip() for n, _, v in (one.partition(":") for one in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                path = line.split(" ")[1].lstrip("/")
                status = self._answer(path, self._random)
                self.came.append(Came(path, at, status == 204, json.loads(body)))
                if status is None:
                    await asyncio.sleep(60)
                    return
                writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()
