"""The whole bridge in one process with simulated modems: what a test of a flow starts, asks and waits for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from bridge.app import App, running
from bridge.clock import boot_time, wall
from bridge.config import Modem, Provider, Secret, Sending, Service, Settings
from bridge.store.space import room_of
from bridge.telemetry import Occurrence
from drivers.simulator import Simulation
from drivers.simulator.providers import Course, ProviderSimulation

__all__ = ["Gateway", "gateway", "settings_for"]

PATIENCE = 20.0  # seconds; never waited for when things go well


class Gateway:
    """A running bridge, its simulated network, and its events in order."""

    def __init__(
        self,
        app: App,
        sim: Simulation,
        http: httpx.AsyncClient,
        events: asyncio.Queue[Occurrence],
        clouds: ProviderSimulation,
    ) -> None:
        self.clouds = clouds
        self.app = app
        self.sim = sim
        self.http = http
        self.seen: list[Occurrence] = []
        self._events = events

    async def send(self, to: str, text: str = "Hello", **options: Any) -> str:
        """Order one text; its id."""
        answer = await self.http.post("/v1/messages", json={"to": to, "text": text, **options})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def message(self, id: str) -> dict[str, Any]:
        answer = await self.http.get(f"/v1/messages/{id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def inbound(self) -> list[dict[str, Any]]:
        answer = await self.http.get("/v1/inbound")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    async def event(self, name: str, **fields: Any) -> Occurrence:
        """The next event with this name and these fields; those before it are passed over (and kept in `seen`)."""
        async with asyncio.timeout(PATIENCE):
            while True:
                occurrence = await self._events.get()
                self.seen.append(occurrence)
                if occurrence.name == name and all(occurrence.fields.get(k) == v for k, v in fields.items()):
                    return occurrence

    async def status(self, id: str, *wanted: str) -> dict[str, Any]:
        """The message as soon as it has one of these states. Looked at after each event."""
        async with asyncio.timeout(PATIENCE):
            while True:
                message = await self.message(id)
                if message["status"] in wanted:
                    return message
                self.seen.append(await self._events.get())

    @contextmanager
    def on_air(self, channel: str) -> Iterator[None]:
        """What this modem sends stays on the air until the end of the block, however long that takes; the driver waits
        three minutes."""
        modem = self.sim.modems[int(channel.removeprefix("modem"))]
        modem.set_faults(on_air=True)
        try:
            yield
        finally:
            modem.set_faults(on_air=False)

    async def claimed(self, channel: str, count: int) -> None:
        """As soon as the channel has so many texts, the one on the air and its backlog. No event tells of a claim."""
        async with asyncio.timeout(PATIENCE):
            while self.app.channels[channel].load < count:
                await self.http.get("/v1/channels")

    def texts(self, text: str | None = None) -> list[str]:
        """What the network took, oldest first."""
        return [str(e.text) for e in self.sim.network.ledger if text is None or e.text == text]


def settings_for(directory: Path, sim: Simulation, modems: list[dict[str, Any]], sending: dict[str, Any]) -> Settings:
    state = directory / "state"
    return Settings(
        service=Service(
            state_dir=state,
            listen="127.0.0.1:0",
            region="GB",
            socket=state / "gsmbridge.sock",
            ports=tuple({f"{modem.link.parent}/*" for modem in sim.modems}),
        ),
        sending=Sending(**sending),
        modems=tuple(
            Modem(**{"id": f"modem{n}", "port": modem.port, "poll": 0.5, **options})
            for n, (modem, options) in enumerate(zip(sim.modems, modems, strict=True))
        ),
    )


@asynccontextmanager
async def gateway(
    directory: Path,
    *,
    modems: int = 1,
    options: list[dict[str, Any]] | None = None,
    up: int | None = None,
    before: Any = None,
    settings: Any = None,
    now_ahead: dict[str, int] | None = None,
    wall_ahead: dict[str, int] | None = None,
    kernel: dict[str, bool | None] | None = None,
    room: Callable[[Path], tuple[int, int]] = room_of,
    providers: tuple[str, ...] = (),
    provider_options: dict[str, Any] | None = None,
    clouds: ProviderSimulation | None = None,
    delay: float = 0.0,
    reports: float | None = 0.05,
    patience: float = 75.0,
    **sending: Any,
) -> AsyncIterator[Gateway]:
    """`options`: settings of each modem. `up`: how many modems to wait for. `before`: called with the simulation before
    the bridge starts. `now_ahead`: {"ahead": milliseconds} by which time has passed for the bridge, changed at will.
    `wall_ahead`: the same for the wall clock alone: it was set. `kernel`: {"synchronised": what the kernel says of it}.
    `room`: what the store's disk says of itself. `patience`: seconds for what is on the air at the end. `clouds`:
    providers that outlive the bridge. `sending`: settings of that table."""
    async with Simulation(modems=modems, delay=delay, reports=reports) as sim, AsyncExitStack() as stack:
        if before is not None:
            before(sim)
        configured = settings_for(directory, sim, options or [{}] * modems, sending)
        if clouds is None:
            clouds = await stack.enter_async_context(ProviderSimulation(providers))
            for name in providers:
                clouds.set_course(name, Course(final_after=0.05))
        if providers:
            accounts = tuple(account_at(clouds, name, provider_options or {}) for name in providers)
            configured = msgspec.structs.replace(configured, providers=accounts)
        if settings is not None:
            configured = settings(configured)
        ahead, wrong = now_ahead or {"ahead": 0}, wall_ahead or {"ahead": 0}
        said = kernel or {"synchronised": None}
        async with running(
            configured,
            now=lambda: wall() + ahead["ahead"] + wrong["ahead"],
            boot=lambda: boot_time() + ahead["ahead"],
            synchronised=lambda: said["synchronised"],
            room=room,
            patience=patience,
        ) as app:
            with app.telemetry.listen() as events:
                transport = httpx.AsyncHTTPTransport(uds=str(configured.service.socket))
                async with httpx.AsyncClient(transport=transport, base_url="http://gsmbridge", timeout=20) as http:
                    gate = Gateway(app, sim, http, events, clouds)
                    await _all_up(gate, modems + len(providers) if up is None else up)
                    yield gate


async def _all_up(gate: Gateway, wanted: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while sum(c.fit for c in gate.app.channels.values()) < wanted:
            gate.seen.append(await gate._events.get())


def account_at(clouds: ProviderSimulation, name: str, more: dict[str, Any]) -> Provider:
    """The configuration of the demo account at a simulated provider, polled quickly."""
    account = clouds.account(name)
    url = clouds.url(name)
    password = {"password": account.password}
    options: dict[str, Any] = {
        "serwersms": {"url": f"{url}/server.php", "api_url": url, "username": account.login, **password},
        "freshmail": {"url": url, "api_key": account.key, "api_secret": account.secret},
        "clickatell": {
            "url": f"{url}/soap/document_literal/webservice",
            "api_id": account.api_id,
            "user": account.login,
            **password,
        },
        "mobizon": {"url": url, "api_key": account.key},
        "smsc": {"url": f"{url}/sys/soap.php", "login": account.login, **password},
    }[name]
    quick = {"poll_interval": 0.05} | ({} if name == "freshmail" else {"poll_after": 0.1})
    options |= quick | more
    return Provider(id=name, driver=name, options=options, callback_secret=Secret("a-secret-part-of-the-address"))


def replaced(settings: Settings, **changes: Any) -> Settings:
    return msgspec.structs.replace(settings, **changes)
