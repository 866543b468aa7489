"""What the tests of the command line stand on: a real API over a real store in a thread of its own, and the command."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import Any, TypeVar, cast

import msgspec

from bridge import api
from bridge.api.parts import Parts, RouteTest
from bridge.api.serve import HttpServer
from bridge.cli import main
from bridge.clock import wall
from bridge.config import Modem
from bridge.inbound.optouts import OptOuts
from bridge.model import ChannelSnapshot, Ids, Inbound, Status, parse_id
from bridge.outbound.intake import Intake
from bridge.outbound.schedules import Schedules
from bridge.policy import routing
from bridge.policy.admission import Defaults, Order
from bridge.store import Changes
from bridge.store.sqlite import SqliteStore, open_store
from drivers import registry
from drivers.contract import Account, Event, Health, LinkChange, LinkState
from drivers.simulator.providers import ProviderSimulation
from tests.webhooks.support import delivery

T = TypeVar("T")

PHONE = "+48600700800"
PATIENCE = 60.0  # seconds; never waited for when things go well


class Result(msgspec.Struct, frozen=True):
    exit: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def command(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    """Run the command in this process. Without `stdin` it is empty."""
    out, err = io.StringIO(), io.StringIO()
    before, mask = sys.stdin, os.umask(0o022)
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin or b""), encoding="utf-8")
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main([str(a) for a in arguments])
    finally:
        sys.stdin = before
        os.umask(mask)
    return Result(int(status), out.getvalue(), err.getvalue())


class Service:
    """The API on a private socket and on TCP; no modems, so a message moves only when a test moves it."""

    def __init__(self, directory: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.directory = directory
        self.config = directory / "config.toml"
        self.url = ""
        self.store: SqliteStore
        self.ids = Ids(wall, SystemRandom())
        self.channels = [
            ChannelSnapshot(
                id="gsm1",
                driver="modem",
                since=wall(),
                accepted=3,
                health=Health(
                    state=LinkState.UP, model="E173", operator="Plus", signal_dbm=-71, imei="490154203237518"
                ),
            )
        ]
        self.accounts: dict[str, Account] = {}
        self.simulation: ProviderSimulation
        self._drivers: list[asyncio.Task[None]] = []
        self._loop = loop
        self._server: HttpServer

    def command(self, *arguments: str | Path, stdin: bytes | None = None) -> Result:
        """Over the private socket."""
        return command(*arguments, "--config", self.config, stdin=stdin)

    def write(self, work: Callable[[Changes], T]) -> T:
        async def written() -> T:
            return await self.store.write(work)

        return self._call(written())

    def move(self, id: str, *statuses: Status) -> None:
        number = parse_id("msg", id)
        assert number is not None
        for status in statuses:
            self.write(partial(_move, number, status))

    def receive(self, text: str, sender: str = PHONE) -> None:
        row = Inbound(id=self.ids.next(), channel="gsm1", sim="1", sender=sender, received_at=wall(), text=text)
        self.write(lambda changes: changes.add_inbound(row, []))

    async def start(self) -> None:
        self.config.write_text(f'[service]\nstate_dir = "{self.directory}/state"\nregion = "PL"\n')
        (self.directory / "state").mkdir(mode=0o700, exist_ok=True)
        self.store = await open_store(
            self.directory / "state" / "gsmbridge.sqlite", now=wall, doubt_deadline=lambda message, at: None
        )
        defaults = Defaults(region="PL", channels=frozenset({"gsm1"}))
        self._delivery = delivery(self.directory / "state", self.store, self.ids, wall, modems=(Modem(id="gsm1"),))
        self._outbox = asyncio.create_task(self._delivery.outbox.run())
        parts = Parts(
            store=self.store,
            intake=Intake(self.store, defaults, self.ids, wall, wake=lambda: None),
            schedules=Schedules(self.store, self.ids, wall, lambda: defaults),
            ids=self.ids,
            now=wall,
            random_bytes=os.urandom,
            channels=self._channels,
            ready=lambda: (True, ""),
            metrics=self._metrics,
            webhooks=self._delivery.parts(),
            version="0",
            region="PL",
            account=self.accounts.get,
            route=_route,
            line=lambda sim, channel: channel,
            opt_outs=OptOuts(self.store, self.ids, wall),
        )
        socket = self.directory / "state" / "gsmbridge.sock"
        self._server = HttpServer(api.build(parts), listen="127.0.0.1:0", socket=socket)
        self.url = str((await self._server.start()).url)

    def provide(self, *names: str, **changes: object) -> ProviderSimulation:
        """Simulated providers, each with an account here under its own name. `changes`: settings that are wrong."""
        return self._call(self._provide(names, changes))

    def cut(self, name: str) -> None:
        self._call(self.simulation.cut(name))

    async def _provide(self, names: tuple[str, ...], changes: dict[str, object]) -> ProviderSimulation:
        self.simulation = await ProviderSimulation(names).__aenter__()
        for name in names:
            settings = account_settings(self.simulation, name) | changes
            options = msgspec.convert(settings, registry.options_of(name))
            driver = registry.create(name, name, options, registry.Environment(state_dir=self.directory))
            self.accounts[name] = cast(Account, driver)
            up = _Up()
            self._drivers.append(asyncio.create_task(driver.run(up)))
            health = Health(state=await up.state(), reason="as its driver says")
            self.channels.append(ChannelSnapshot(id=name, driver=name, since=wall(), health=health))
        return self.simulation

    async def stop(self) -> None:
        for driver in self._drivers:
            driver.cancel()
        self._outbox.cancel()
        await asyncio.gather(*self._drivers, self._outbox, return_exceptions=True)
        await self._delivery.close()
        if self._drivers:
            await self.simulation.__aexit__(None, None, None)
        await self._server.stop(patience=1)
        await self.store.close()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def _channels(self) -> list[ChannelSnapshot]:
        return self.channels

    async def _metrics(self) -> bytes:
        return b""


def account_settings(simulation: ProviderSimulation, name: str) -> dict[str, object]:
    """What a person writes into the configuration for a simulated account."""
    account, url = simulation.account(name), simulation.url(name)
    match name:
        case "serwersms":
            login = {"username": account.login, "password": account.password}
            return {"url": f"{url}/server.php", "api_url": url, **login}
        case "freshmail":
            return {"url": url, "api_key": account.key, "api_secret": account.secret}
        case "clickatell":
            login = {"user": account.login, "password": account.password}
            return {"url": f"{url}/soap/document_literal/webservice", "api_id": int(account.api_id), **login}
        case "mobizon":
            return {"url": url, "api_key": account.key}
        case _:
            login = {"login": account.login, "password": account.password, "currency": "RUB"}
            return {"url": f"{url}/sys/soap.php", "hlr_waits": [0.0, 0.1], **login}


class _Up:
    """Hears what a driver says of its link; everything else is dropped."""

    def __init__(self) -> None:
        self._said: asyncio.Future[LinkState] = asyncio.get_running_loop().create_future()

    async def accept(self, event: Event) -> None:
        if isinstance(event, LinkChange) and event.state is not LinkState.STARTING and not self._said.done():
            self._said.set_result(event.state)

    async def state(self) -> LinkState:
        return await asyncio.wait_for(self._said, 20)


async def _route(order: Order) -> RouteTest:
    """As the service does it, over channels that stand still."""
    facts = routing.MessageFacts(to=order.to, kind=order.kind, channel=order.channel, priority=order.priority)
    route = routing.READY_MADE[order.route or "modem-first"]
    choice = routing.choose(facts, CHANNELS, route)
    return RouteTest(
        route=None if order.channel else route.name, candidates=choice.candidates, refusals=choice.refusals
    )


CHANNELS = (
    routing.ChannelFacts(id="gsm1", up=True, load=1),
    routing.ChannelFacts(id="gsm2", up=False, reason="unplugged; plug it in again"),
    routing.ChannelFacts(id="cloud1", up=True, kind=routing.ChannelKind.PROVIDER),
)


def _move(message: int, status: Status, changes: Changes) -> None:
    assert changes.move(message, status, wall()), f"the table does not allow {status}"


@contextlib.contextmanager
def running(directory: Path) -> Iterator[Service]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    service = Service(directory, loop)
    try:
        asyncio.run_coroutine_threadsafe(service.start(), loop).result(PATIENCE)
        yield service
        asyncio.run_coroutine_threadsafe(service.stop(), loop).result(PATIENCE)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
