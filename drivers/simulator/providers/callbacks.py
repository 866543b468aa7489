"""The provider calls us: one small HTTP client, tried again at the provider's own intervals."""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

import msgspec

from drivers.simulator.clock import Clock
from drivers.simulator.providers.trail import Trail

__all__ = ["Attempt", "Callbacks", "Push"]

LONGEST_ANSWER = 64 * 1024
KEPT = 10_000  # attempts


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell. `repeats`: seconds to wait before each further try. `accepted`: which answer is enough."""

    url: str
    method: str = "POST"
    content_type: str = "application/x-www-form-urlencoded"
    body: bytes = b""
    login: str = ""
    password: str = ""
    repeats: Sequence[float] = ()
    within: float = 15.0  # seconds for one try; only a guard against one that hangs
    accepted: Callable[[int, bytes], bool] = lambda status, body: 200 <= status < 300


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try and its answer; `status` 0 when there was none."""

    url: str
    body: bytes
    number: int  # 1 for the first try
    status: int = 0
    answer: bytes = b""
    accepted: bool = False


class Callbacks:
    """Pushes under way and the attempts made so far."""

    def __init__(self, clock: Clock) -> None:
        self.attempts: Trail[Attempt] = Trail(keep=KEPT)
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, make: Callable[[int], Push], number: int = 1) -> None:
        """Push now. `make` gives the push of the n-th try, so that a body may count its tries."""
        task = asyncio.get_running_loop().create_task(self._try(make, number))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def idle(self) -> None:
        """When no try is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _try(self, make: Callable[[int], Push], number: int) -> None:
        push = make(number)
        status, answer = 0, b""
        with contextlib.suppress(OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
            async with asyncio.timeout(push.within):
                status, answer = await _call(push)
        accepted = status > 0 and push.accepted(status, answer)
        self.attempts.append(
            Attempt(url=push.url, body=push.body, number=number, status=status, answer=answer, accepted=accepted)
        )
        if not accepted and number <= len(push.repeats):
            self._clock.call_later(push.repeats[number - 1], self.send, make, number + 1)


async def _call(push: Push) -> tuple[int, bytes]:
    """Status and body. Redirects are not followed."""
    url = urlsplit(push.url)
    secure = url.scheme == "https"
    host = url.hostname or ""
    reader, writer = await asyncio.open_connection(host, url.port or (443 if secure else 80), ssl=secure or None)
    try:
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        headers: Mapping[str, str] = {
            "Host": url.netloc.rpartition("@")[2],
            "Content-Type": push.content_type,
            "Content-Length": str(len(push.body)),
            "Connection": "close",
        } | ({"Authorization": "Basic " + _basic(push)} if push.login else {})
        head = f"{push.method} {target} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        writer.write(head.encode() + b"\r\n" + push.body)
        await writer.drain()
        top, _, body = (await _all(reader)).partition(b"\r\n\r\n")
        return int(top.split(b" ", 2)[1]), body
    except IndexError:
        raise ValueError("not an HTTP answer") from None
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _all(reader: asyncio.StreamReader) -> bytes:
    """To the end of the connection, which we asked for."""
    got = bytearray()
    while len(got) < LONGEST_ANSWER and (chunk := await reader.read(LONGEST_ANSWER)):
        got += chunk
    return bytes(got)


def _basic(push: Push) -> str:
    return b64encode(f"{push.login}:{push.password}".encode()).decode()
