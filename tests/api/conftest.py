"""One service for a whole module, in a thread of its own: for tables of requests that change nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import httpx
import pytest

from .support import Service, service


class Live:
    """`send(key, ...)` asks the service as "read", "send", "admin", or as nobody (None)."""

    def __init__(self, running: Service) -> None:
        self.url = running.url
        self.secrets = dict(running.secrets)
        self.http = httpx.Client(base_url=running.url, timeout=30, trust_env=False, verify=False)

    def send(
        self,
        key: str | None,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        sent = {} if key is None else {"Authorization": f"Bearer {self.secrets.get(key, key)}"}
        return self.http.request(method, path, content=content, headers={**sent, **(headers or {})})

    def stored(self) -> int:
        return len(self.send("admin", "GET", "/v1/messages").json()["items"])


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    ready: list[Live] = []
    began = threading.Event()
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        try:
            async with service(max_recipients=100, max_body=20_000) as running:
                ready.append(Live(running))
                began.set()
                await over.wait()
        finally:
            began.set()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    began.wait()
    try:
        assert ready, "the service did not start"
        yield ready[0]
    finally:
        for one in ready:
            one.http.close()
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()
