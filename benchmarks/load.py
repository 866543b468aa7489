"""Many connections at once, each with its next request as soon as the last is answered. A process of its own, so that
making and reading requests costs the service nothing but its share of the cores: a `Job` as JSON on stdin, an `Outcome`
on stdout. The next requests are ready as bytes before the clock runs.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from time import monotonic, process_time
from typing import cast

import httptools
import msgspec
import uvloop

from benchmarks import workload
from benchmarks.client import Unexpected

__all__ = ["Job", "Outcome", "run"]

_LONGEST = 120.0  # seconds of a whole job


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """`size` 0: single messages; else batches of so many."""

    host: str
    port: int
    key: str
    requests: int
    connections: int
    size: int = 0
    first: int = 0  # the first message's number: runs on one store must not repeat each other
    send_at: str | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    messages: int
    seconds: float  # from the first request's first byte to the last answer's last
    latencies: list[float]  # seconds, one a request
    cpu: float  # seconds of the client itself

    @property
    def rate(self) -> float:
        return self.messages / self.seconds


def run(job: Job) -> Outcome:
    """Do it in a new process. Raises `Unexpected` when a request is not accepted."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=msgspec.json.encode(job),
        capture_output=True,
        check=False,
        cwd=Path(__file__).parents[1],
    )
    if done.returncode:
        raise Unexpected(f"the load client failed: {done.stderr.decode()[-2000:]}")
    return msgspec.json.decode(done.stdout, type=Outcome)


class _Connection(asyncio.Protocol):
    def __init__(self, load: _Load) -> None:
        self._load = load
        self._parser = httptools.HttpResponseParser(self)
        self._began = 0.0
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def begin(self) -> None:
        request = self._load.next()
        if request is not None:
            self._began = monotonic()
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body = body

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() != 202:
            self._load.fail(f"answer {self._parser.get_status_code()}: {self._body[:500].decode()}")
            return
        self._load.answered(monotonic() - self._began)
        self.begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.fail("the service closed the connection")


class _Load:
    def __init__(self, job: Job) -> None:
        if job.size:
            path, starts = "/v1/batches", range(job.first, job.first + job.requests * job.size, job.size)
            bodies = [workload.batch(n, job.size, send_at=job.send_at) for n in starts]
        else:
            path = "/v1/messages"
            bodies = [workload.single(n) for n in range(job.first, job.first + job.requests)]
        self._requests = [workload.request(path, job.key, body) for body in bodies]
        self._wanted = len(bodies)
        self._requests.reverse()
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.latencies: list[float] = []

    def next(self) -> bytes | None:
        return self._requests.pop() if self._requests else None

    def answered(self, seconds: float) -> None:
        self.latencies.append(seconds)
        if len(self.latencies) == self._wanted and not self._done.done():
            self._done.set_result(None)

    def fail(self, reason: str) -> None:
        if not self._done.done():
            self._done.set_exception(Unexpected(reason))

    async def run(self, job: Job) -> Outcome:
        loop = asyncio.get_running_loop()
        made = [
            await loop.create_connection(lambda: _Connection(self), job.host, job.port) for _ in range(job.connections)
        ]
        used, began = process_time(), monotonic()
        for _, connection in made:
            connection.begin()
        async with asyncio.timeout(_LONGEST):
            await self._done
        seconds, used = monotonic() - began, process_time() - used
        for transport, _ in made:
            transport.abort()
        return Outcome(messages=job.requests * max(1, job.size), seconds=seconds, latencies=self.latencies, cpu=used)


async def _main() -> None:
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    sys.stdout.buffer.write(msgspec.json.encode(await _Load(job).run(job)))


if __name__ == "__main__":
    uvloop.run(_main())
