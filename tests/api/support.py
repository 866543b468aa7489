"""A real service for the tests: SQLite store, intake, HTTP on a free port and on a private socket. Only the modems are
plain data."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import httpx

from bridge.api import Parts, build
from bridge.api.auth import KeyRing
from bridge.api.parts import RouteTest
from bridge.api.serve import HttpServer
from bridge.inbound.optouts import OptOuts
from bridge.model import ChannelSnapshot, Ids, Instant, Message
from bridge.outbound.intake import Intake
from bridge.outbound.schedules import Schedules
from bridge.policy.admission import Defaults, Order
from bridge.store.sqlite import SqliteStore, open_store
from drivers.contract import Account, Call, Health, LinkState, Reply
from tests.webhooks.support import delivery

T = TypeVar("T")

NOON = 1_893_499_200_000  # 2030-01-01T12:00:00Z
TO = "+48600700800"
ORDER = {"to": TO, "text": "hello"}


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.at: Instant = NOON

    def now(self) -> Instant:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += round(seconds * 1000)


class Service:
    """What a test holds of the running service. `operator` speaks over the private socket, `client` holds a send key,
    `reader` a read key, `admin` an admin key, `anybody` none."""

    def __init__(self, store: SqliteStore, intake: Intake, clock: Clock, url: str, socket: Path, ids: Ids) -> None:
        self.store = store
        self.intake = intake
        self.clock = clock
        self.url = url
        self.socket = socket
        self.ids = ids
        self.ring = KeyRing(store, clock.now)
        self.secrets: dict[str, str] = {}
        self.state = (True, "takes orders")
        self.app: Any = None  # the ASGI application itself
        self.woken = 0
        self._clients: list[httpx.AsyncClient] = []
        self.anybody = self.as_key(None)
        self.operator = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(socket), verify=False), base_url="http://local", timeout=30
        )
        self._clients.append(self.operator)

    def as_key(self, secret: str | None) -> httpx.AsyncClient:
        headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        client = httpx.AsyncClient(base_url=self.url, headers=headers, timeout=30, trust_env=False, verify=False)
        self._clients.append(client)
        return client

    async def new_key(self, name: str, scope: str) -> tuple[str, str]:
        """Id and secret."""
        answer = await self.operator.post("/v1/keys", json={"name": name, "scope": scope})
        assert answer.status_code == 201, answer.text
        return answer.json()["id"], answer.json()["secret"]

    async def enter(self) -> None:
        for name in ("read", "send", "admin"):
            _, self.secrets[name] = await self.new_key(name, name)
        self.reader = self.as_key(self.secrets["read"])
        self.client = self.as_key(self.secrets["send"])
        self.admin = self.as_key(self.secrets["admin"])

    async def order(self, **fields: Any) -> dict[str, Any]:
        """An accepted message."""
        answer = await self.client.post("/v1/messages", json={**ORDER, **fields})
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def stored(self) -> int:
        """How many messages are in the store."""
        counts = await self.store.read(lambda view: view.counts())
        return sum(counts.values())

    async def leave(self) -> None:
        for client in self._clients:
            await client.aclose()


@asynccontextmanager
async def service(
    *,
    max_recipients: int = 10_000,
    max_body: int = 16 << 20,
    max_parts: int = 10,
    region: str | None = "PL",
    max_pages: int | None = None,
    account: Callable[[str], Account | None] = lambda id: None,
    called: Callable[[str, str, Call], Awaitable[Reply]] | None = None,
    route: Callable[[Order], Awaitable[RouteTest]] | None = None,
) -> AsyncIterator[Service]:
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        store = await open_store(
            Path(folder) / "gsmbridge.sqlite", now=clock.now, doubt_deadline=_no_deadline, max_pages=max_pages
        )
        ids = Ids(clock.now, Random(1))
        defaults = Defaults(region=region, max_parts=max_parts, channels=frozenset({"one", "two"}))
        held: list[Service] = []

        def wake() -> None:
            held[0].woken += 1

        async def metrics() -> bytes:
            return b"# TYPE gsmbridge_up gauge\ngsmbridge_up 1\n"

        intake = Intake(store, defaults, ids, clock.now, wake=wake)
        parts = Parts(
            store=store,
            intake=intake,
            schedules=Schedules(store, ids, clock.now, lambda: defaults),
            ids=ids,
            now=clock.now,
            random_bytes=os.urandom,
            channels=_channels,
            ready=lambda: held[0].state,
            metrics=metrics,
            webhooks=delivery(Path(folder), store, ids, clock.now).parts(),
            version="1.2.3",
            region=region,
            max_recipients=max_recipients,
            max_body=max_body,
            account=account,
            called=called,
            route=route,
            line=lambda sim, channel: channel if channel in intake.defaults.channels else None,
            opt_outs=OptOuts(store, ids, clock.now),
        )
        app = build(parts)
        server = HttpServer(app, listen="127.0.0.1:0", socket=Path(folder) / "s")
        addresses = await server.start()
        assert addresses.url is not None
        running = Service(store, intake, clock, addresses.url, Path(folder) / "s", ids)
        running.app = app
        held.append(running)
        try:
            await running.enter()
            yield running
        finally:
            await running.leave()
            await server.stop()
            await store.close()


def run(test: Callable[[Service], Awaitable[T]], **settings: Any) -> T:
    """Runs one test against a fresh service."""

    async def whole() -> T:
        async with service(**settings) as running:
            return await test(running)

    return asyncio.run(whole())


def _no_deadline(message: Message, now: Instant) -> Instant | None:
    return None


async def _channels() -> list[ChannelSnapshot]:
    up = Health(state=LinkState.UP, model="EC25", imei="867962041234567", signal_dbm=-71, leniencies={"no_echo": 2})
    down = Health(state=LinkState.DOWN, reason="unplugged; plug it in again")
    return [
        ChannelSnapshot(id="one", driver="modem", health=up, since=NOON, accepted=3),
        ChannelSnapshot(id="two", driver="modem", health=down, code="unplugged", since=NOON, paused_until=NOON + 1000),
    ]
