"""The composition root: the only place that names concrete parts. Builds, starts in order, stops in reverse."""

from __future__ import annotations

import asyncio
import gc
import hmac
import logging
import os
import secrets
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import cast

import msgspec
import uvloop

from bridge import __version__, api
from bridge.api.parts import Parts, RouteTest
from bridge.api.serve import HttpServer, ListenError
from bridge.clock import wall
from bridge.config import Modem, Provider, Settings
from bridge.delivering import Delivery
from bridge.inbound.receive import Receiver
from bridge.model import ChannelSnapshot, Ids, Instant, Kind, show_id
from bridge.opening import StateDirectoryError, open_database, windows
from bridge.outbound import settle
from bridge.outbound.channel import Bridge, Channel
from bridge.outbound.dispatch import Dispatch
from bridge.outbound.doubts import Doubts
from bridge.outbound.intake import Closed, Intake
from bridge.outbound.lookups import LookUps
from bridge.policy import routing
from bridge.policy.admission import MODEM_KINDS, Defaults, Order, admit
from bridge.schedule import Housekeeping
from bridge.service_manager import notify
from bridge.store import StoreError
from bridge.store.sqlite import SqliteStore
from bridge.telemetry import Figures, Telemetry, configure_logging, render_metrics
from drivers import registry
from drivers.contract import Account, Call, Reply, Takes
from drivers.modems.settings import ModemSettings

__all__ = ["App", "run", "running"]

log = logging.getLogger("gsmbridge.app")

DRAIN = 75.0  # seconds a running submission may take after the order to stop (reliability: drain)


class SettingsError(Exception):
    """A setting that only a driver can judge is wrong."""


class App:
    """The running service, for the command line, the demo and the tests."""

    def __init__(self, settings: Settings, store: SqliteStore, telemetry: Telemetry, ids: Ids) -> None:
        self.settings = settings
        self.store = store
        self.telemetry = telemetry
        self.ids = ids
        self.url = ""
        self.housekeeping: Housekeeping | None = None  # set once the service runs
        self.channels: dict[str, Channel] = {}
        self.ready = False

    async def snapshots(self) -> list[ChannelSnapshot]:
        return [await channel.snapshot() for channel in self.channels.values()]

    async def metrics(self) -> bytes:
        now = wall()
        counts, (due, later, oldest), doubts = await self.store.read(
            lambda v: (v.counts(), v.queue_depth(now), v.open_doubts())
        )
        return render_metrics(
            Figures(
                version=__version__,
                counts=counts,
                due=due,
                later=later,
                oldest_due_seconds=0.0 if oldest is None else max(0, now - oldest) / 1000,
                doubts=doubts,
                channels=await self.snapshots(),
            )
        )


@asynccontextmanager
async def running(settings: Settings, *, now: Callable[[], Instant] = wall) -> AsyncIterator[App]:
    """The whole service, from the open store to the listening API; on leaving it drains and stops."""
    rules = _rules(settings)
    async with AsyncExitStack() as stack:
        store = await open_database(settings, now)
        stack.push_async_callback(store.close)
        # Also with a clock that was set back, ids grow. They are names, not secrets.
        ids = Ids(now, Random(secrets.randbits(128)), store.last_id)  # noqa: S311
        telemetry = Telemetry(now)
        app = App(settings, store, telemetry, ids)
        _tell_recovery(app)

        receiver = Receiver(store, ids, now, telemetry)
        routes = _routes(settings)
        dispatch = Dispatch(store, app.channels, now, telemetry, routes, settings.sending.route)
        doubts = Doubts(store, app.channels, now, telemetry, rules, wake_dispatch=dispatch.wake)
        look_ups = LookUps(store, app.channels, now, telemetry, rules, wake_dispatch=dispatch.wake)

        def wake_doubts() -> None:
            doubts.wake()
            look_ups.wake()

        intake = Intake(store, _defaults(settings), ids, now, wake=dispatch.wake, telemetry=telemetry)
        shared = Bridge(
            store=store,
            ids=ids,
            now=now,
            telemetry=telemetry,
            rules=rules,
            receive=receiver.receive,
            wake_dispatch=dispatch.wake,
            wake_doubts=wake_doubts,
            others=dispatch.others,
        )
        environment = registry.Environment(state_dir=settings.service.state_dir, usb_helper=settings.service.usb_helper)
        for modem in settings.modems:
            driver = registry.create("modem", modem.id, _modem_settings(modem), environment)
            app.channels[modem.id] = Channel(modem.id, "modem", driver, shared)
        for provider in settings.providers:
            driver = registry.create(provider.driver, provider.id, _provider_options(provider), environment)
            app.channels[provider.id] = Channel(provider.id, provider.driver, driver, shared)

        delivery = Delivery(settings, store, ids, now, telemetry)
        stack.push_async_callback(delivery.close)
        server = HttpServer(
            api.build(_parts(app, intake, dispatch, delivery, now)),
            listen=settings.service.listen,
            socket=settings.service.socket,
        )
        tasks = await stack.enter_async_context(_Tasks())
        for channel in app.channels.values():
            tasks.start(channel.run(), f"channel {channel.id}")
        tasks.start(dispatch.run(), "dispatch")
        tasks.start(doubts.run(), "doubts")
        tasks.start(look_ups.run(), "look-ups")
        tasks.start(delivery.outbox.run(), "outbox")
        tasks.start(_end_with(store), "store")
        housekeeping = Housekeeping(
            store,
            receiver,
            now,
            telemetry,
            rescue=lambda: dispatch.rescue(rules.windows.usual),
            events_kept=int(settings.webhooks.keep * 1000),
        )
        app.housekeeping = housekeeping
        housekeeping.start()
        stack.callback(housekeeping.stop)

        app.url = (await server.start()).url or ""
        stack.push_async_callback(server.stop)
        dispatch.wake()
        app.ready = True
        # What start-up made stays: the collector need not look at it again, and the memory is shared no more.
        gc.collect()
        gc.freeze()
        try:
            yield app
        finally:
            app.ready = False
            intake.closed = Closed("the service is stopping; send the order again in a few seconds")
            await _drain(app)


class _Tasks:
    """The service's lasting tasks. One that fails ends the service: half a service would drop texts in silence."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._owner: asyncio.Task[object] | None = None
        self._failure: BaseException | None = None
        self._leaving = False

    async def __aenter__(self) -> _Tasks:
        self._owner = asyncio.current_task()
        return self

    def start(self, work: object, name: str) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        task.set_name(name)
        task.add_done_callback(self._ended)
        self._tasks.add(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self._leaving or task.cancelled():
            return
        self._failure = task.exception() or RuntimeError(f"{task.get_name()} ended by itself")
        if self._owner is not None:
            self._owner.cancel()

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        self._leaving = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._failure is not None:
            if self._owner is not None:
                self._owner.uncancel()
            raise self._failure


def run(settings: Settings) -> int:
    """`gsmbridge run`: until SIGTERM or SIGINT. Returns the exit status (sysexits)."""
    configure_logging(settings.service.log_level)
    try:
        uvloop.run(_serve(settings))
    except StoreError as error:
        log.critical("stopped reason=%s", error)
        return os.EX_IOERR
    except (OSError, ListenError, StateDirectoryError, SettingsError) as error:
        log.critical("stopped reason=%s", error)
        return os.EX_UNAVAILABLE
    return os.EX_OK


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(settings) as app:
        log.info("ready url=%s channels=%d state_dir=%s", app.url, len(app.channels), settings.service.state_dir)
        notify(READY=1, STATUS=f"listening on {app.url}")
        await stop.wait()
        log.info("stopping")
        notify(STOPPING=1, EXTEND_TIMEOUT_USEC=int((DRAIN + 15) * 1_000_000))
    log.info("stopped")


async def _drain(app: App) -> None:
    """No new arms; running submissions may end. Whatever is still armed at the limit is in doubt at the next start."""
    if not app.channels:
        return
    waiting = [asyncio.ensure_future(channel.drain()) for channel in app.channels.values()]
    _, late = await asyncio.wait(waiting, timeout=DRAIN)
    for task in late:
        task.cancel()
    if late:
        log.warning("drain_incomplete channels=%d; their submissions will be in doubt", len(late))


async def _end_with(store: SqliteStore) -> None:
    """After a failed commit or sync nothing may be armed or promised: the service ends, the next start checks."""
    raise await store.until_damaged()


def _tell_recovery(app: App) -> None:
    found = app.store.recovered
    if found.released or found.in_doubt:
        app.telemetry.notable("recovered", level=logging.WARNING, put_back=found.released, in_doubt=len(found.in_doubt))
    for attempt in found.in_doubt:
        app.telemetry.notable("in_doubt", level=logging.WARNING, attempt=show_id("att", attempt), code="restarted")


# --- From settings to parts -------------------------------------------------------------------------------------------


def _rules(settings: Settings) -> settle.Rules:
    sending = settings.sending
    return settle.Rules(
        delays=tuple(int(seconds * 1000) for seconds in sending.retry),
        max_tries=sending.max_tries,
        windows=windows(settings),
    )


def _routes(settings: Settings) -> dict[str, routing.Route]:
    """The ready-made ones, and the operator's, whose rules are asked in the order of the file."""
    routes = dict(routing.READY_MADE)
    for r in settings.routes:
        rule = routing.Rule(
            prefixes=r.prefixes, kinds=r.kinds, classes=r.classes, senders=r.senders, min_priority=r.min_priority
        )
        shared = r.order == "least_load"
        routes[r.name] = routing.Route(
            name=r.name,
            tiers=(r.channels,) if shared else tuple((channel,) for channel in r.channels),
            rule=None if rule == routing.Rule() else rule,
        )
    return routes


def _provider_options(provider: Provider) -> object:
    """Checked at the start and by `config check`; a mistake left here is said with its place."""
    try:
        return msgspec.convert(provider.options, registry.options_of(provider.driver), strict=False)
    except (msgspec.ValidationError, ValueError, KeyError) as error:
        raise SettingsError(f"provider {provider.id!r}: {error}") from None


def _defaults(settings: Settings) -> Defaults:
    routes = _routes(settings)
    return Defaults(
        region=settings.service.region,
        max_parts=settings.limits.max_parts,
        policy=settings.sending.policy,
        validity=settings.sending.validity,
        report=settings.sending.report,
        channels=frozenset([*(m.id for m in settings.modems), *(p.id for p in settings.providers)]),
        routes=frozenset(routes),
        rules=tuple(route for route in routes.values() if route.rule is not None),
        kinds=frozenset(Kind) if settings.providers else MODEM_KINDS,
    )


def _parts(app: App, intake: Intake, dispatch: Dispatch, delivery: Delivery, now: Callable[[], Instant]) -> Parts:
    def account(id: str) -> Account | None:
        channel = app.channels.get(id)
        return cast(Account, channel.driver) if channel is not None and channel.takes is Takes.MESSAGE else None

    secrets_of = {p.id: p.callback_secret for p in app.settings.providers}

    async def called(id: str, secret: str, call: Call) -> Reply:
        wanted = secrets_of.get(id)
        provider = account(id)
        if wanted is None or provider is None or not hmac.compare_digest(wanted.reveal().encode(), secret.encode()):
            raise KeyError(id)
        reply = provider.called(call)
        for event in reply.events:  # stored before the provider is told that we have them
            await app.channels[id].accept(event)
        return reply

    def ready() -> tuple[bool, str]:
        if intake.closed is not None:
            return False, str(intake.closed)
        return (True, "") if app.ready else (False, "the service is starting")

    def route(order: Order) -> RouteTest:
        """Raises `Rejected` for what would not be taken either."""
        message = admit(order, intake.defaults, id=0, client=0, now=now())
        name, choice = dispatch.test(message)
        return RouteTest(route=name, candidates=choice.candidates, refusals=choice.refusals)

    return Parts(
        account=account,
        called=called,
        route=route,
        store=app.store,
        intake=intake,
        ids=app.ids,
        now=now,
        random_bytes=secrets.token_bytes,
        channels=app.snapshots,
        ready=ready,
        metrics=app.metrics,
        webhooks=delivery.parts(),
        version=__version__,
        region=app.settings.service.region,
        max_recipients=app.settings.limits.max_recipients,
        max_body=app.settings.limits.max_body,
    )


def _modem_settings(modem: Modem) -> ModemSettings:
    defaults = ModemSettings()
    timing = defaults.timing
    if modem.result_timeout is not None:
        timing = msgspec.structs.replace(timing, result=modem.result_timeout)
    return ModemSettings(
        port=modem.port,
        imei=modem.imei or "",
        iccid=modem.iccid or "",
        pin=modem.pin.reveal() if modem.pin else "",
        smsc=modem.smsc or "",
        storage=modem.storage or "",
        profile=modem.profile or "",
        poll=modem.poll,
        baudrate=modem.baudrate,
        rtscts=modem.rtscts,
        repair=modem.repair,
        power_command=modem.power_command,
        recording=modem.recording,
        trace=modem.trace,
        timing=timing,
    )
