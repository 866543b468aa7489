"""The composition root: the only place that names concrete parts. Builds, starts in order, stops in reverse."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import TypeAlias

import msgspec
import uvloop

from bridge import api, configured
from bridge.api.serve import HttpServer, ListenError
from bridge.checking import Checking
from bridge.clock import Clock, boot_time, kernel_synchronised, wall
from bridge.config import Settings
from bridge.delivering import Delivery
from bridge.draining import DRAIN, drain
from bridge.health.balances import Balances
from bridge.health.canary import Canary
from bridge.health.deliveries import Deliveries
from bridge.inbound.calls import Calls
from bridge.inbound.optouts import OptOuts
from bridge.inbound.programs import Programs
from bridge.inbound.publish import Publisher
from bridge.inbound.receive import Receiver
from bridge.inbound.rules import RuleBook
from bridge.logs import Log
from bridge.model import Ids, Instant, show_id
from bridge.opening import StateDirectoryError, open_database
from bridge.outbound.bulk import channel_for
from bridge.outbound.channel import Bridge, Channel
from bridge.outbound.dispatch import Dispatch
from bridge.outbound.doubts import Doubts
from bridge.outbound.follow import follow_up
from bridge.outbound.holds import Holds
from bridge.outbound.intake import Closed, Intake
from bridge.outbound.lookups import LookUps
from bridge.outbound.recurring import Recurring
from bridge.outbound.schedules import Schedules
from bridge.policy import clocks
from bridge.policy.gate import Gate
from bridge.policy.prices import tariff
from bridge.room import Room
from bridge.schedule import Housekeeping
from bridge.service import App
from bridge.service_manager import notify, watchdog_within
from bridge.store import StoreError
from bridge.store.space import room_of
from bridge.store.sqlite import SqliteStore
from bridge.surface import parts
from bridge.tasks import Tasks
from bridge.telemetry import Telemetry
from bridge.timekeeping import Timekeeping
from bridge.watchdog import Watchdog, Watched
from drivers import registry

__all__ = ["App", "run", "running"]

log = logging.getLogger("gsmbridge.app")

LONG = 900.0  # seconds: beyond what a driver needs for one submission, and a tick of housekeeping for its work


@asynccontextmanager
async def running(
    settings: Settings,
    *,
    now: Callable[[], Instant] = wall,
    boot: Callable[[], int] = boot_time,
    synchronised: Callable[[], bool | None] = kernel_synchronised,
    room: Callable[[Path], tuple[int, int]] = room_of,
    patience: float = DRAIN,
    hurry: asyncio.Event | None = None,
) -> AsyncIterator[App]:
    """The whole service, from the open store to the listening API; on leaving it drains and stops. `now`: the wall
    clock; `boot`: milliseconds since the machine started; `synchronised`: what the kernel says of the wall clock;
    `room`: free octets of the store's disk, and all; `patience`: seconds for what is on the air at the end; `hurry`:
    set when that is not to be waited for."""
    rules = configured.rules(settings)
    clock = Clock(
        clocks.Rules(trust=clocks.Trust(settings.service.clock), settle=int(settings.service.clock_settle * 1000)),
        read_wall=now,
        read_boot=boot,
        synchronised=synchronised,
    )
    now = clock.now
    async with AsyncExitStack() as stack:
        store = await open_database(settings, now, clock.know, room)
        stack.push_async_callback(store.close)
        stack.push_async_callback(_abandon, store)
        # Also with a clock that was set back, ids grow. They are names, not secrets.
        ids = Ids(now, Random(secrets.randbits(128)), store.last_id)  # noqa: S311
        telemetry = Telemetry(now)
        app = App(settings, store, telemetry, ids, clock)
        _tell_recovery(app)

        opt_outs = OptOuts(store, ids, now)
        await opt_outs.load()
        routes = configured.routes(settings)
        sticky = any(route.sticky for route in routes.values())
        defaults = configured.defaults(settings)
        holds = Holds(defaults.timetable)
        tariffs = {id: tariff(prices) for id, prices in configured.prices(settings) if prices}
        balances = app.balances = Balances(store, app.channels, configured.balances(settings), now, telemetry)
        await balances.load()
        dispatch = Dispatch(
            store,
            app.channels,
            now,
            telemetry,
            routes,
            settings.sending.route,
            holds,
            tariffs=tariffs,
            trusted=lambda: clock.trusted,
            windows=rules.windows,
        )
        doubts = Doubts(store, app.channels, now, telemetry, rules, wake_dispatch=dispatch.wake)
        look_ups = LookUps(
            store, app.channels, now, telemetry, rules, wake_dispatch=dispatch.wake, others=dispatch.others
        )

        def wake_doubts() -> None:
            doubts.wake()
            look_ups.wake()

        intake = Intake(store, defaults, ids, now, wake=dispatch.wake, telemetry=telemetry)
        recurring = Recurring(
            store,
            ids,
            now,
            telemetry,
            lambda: intake.defaults,
            complaint=lambda message: intake.gate.complaint(message) if intake.gate.active else None,
            trusted=lambda: clock.trusted and app.room.enough,
            restored_at=store.recovered.restored_at,
            wake_dispatch=dispatch.wake,
        )
        schedules = Schedules(
            store, ids, now, lambda: intake.defaults, wake=recurring.wake, closed=lambda: intake.closed
        )
        intake.gate = dispatch.gate = Gate(
            opt_outs=opt_outs.by_number, allow=settings.sending.allow_to, deny=settings.sending.deny_to
        )
        book = RuleBook(configured.inbound_rules(settings), ids, defaults=lambda: intake.defaults, line=app.line)
        programs = Programs(store, book, now, telemetry)
        window = int(settings.inbound.reply_window * 1000)
        canary = app.canary = Canary(
            store,
            configured.canary(settings),
            ids,
            now,
            telemetry,
            lambda: intake.defaults,
            new_token=lambda: secrets.token_hex(6),
            wake_dispatch=dispatch.wake,
        )
        await canary.load()
        publisher = Publisher(
            book,
            opt_outs,
            ids,
            window=window,
            region=settings.service.region,
            wake_dispatch=dispatch.wake,
            wake_programs=programs.wake,
            is_canary=canary.recognised,
            wake_canary=canary.wake,
        )
        early = settings.inbound.early_publish
        receiver = Receiver(
            store, ids, now, telemetry, publisher, early=None if early is None else int(early * 1000), sticky=sticky
        )
        housekeeping = Housekeeping(
            store,
            receiver,
            now,
            telemetry,
            minute=lambda: timekeeping.remind(),
            rescue=lambda: dispatch.rescue(rules.windows.usual),
            reply_window=window,
            events_kept=int(settings.webhooks.keep * 1000),
            deliveries=lambda: app.deliveries.look(),
        )
        app.housekeeping = housekeeping

        def wake_dispatch() -> None:
            dispatch.wake()
            housekeeping.sending()

        shared = Bridge(
            store=store,
            ids=ids,
            now=now,
            telemetry=telemetry,
            rules=rules,
            holds=holds,
            receive=receiver.receive,
            called=Calls(store, ids, now, telemetry).take,
            wake_dispatch=wake_dispatch,
            wake_doubts=wake_doubts,
            others=dispatch.others,
            sticks=dispatch.sticks,
            meters=configured.meters(settings, now),
            rng=Random(secrets.randbits(128)),  # noqa: S311 - when to probe is no secret
            linked=balances.wake,
        )
        environment = registry.Environment(
            state_dir=settings.service.state_dir,
            usb_helper=settings.service.usb_helper,
            ports=settings.service.ports,
        )
        for modem in settings.modems:
            driver = registry.create("modem", modem.id, configured.modem_settings(modem), environment)
            app.channels[modem.id] = Channel(modem.id, "modem", driver, shared)
        # Providers' limits and pauses go by the clock of the timers that end them.
        environment = msgspec.structs.replace(environment, monotonic=asyncio.get_running_loop().time)
        for provider in settings.providers:
            driver = registry.create(provider.driver, provider.id, configured.provider_options(provider), environment)
            app.channels[provider.id] = channel_for(provider.id, provider.driver, driver, shared)

        delivery = Delivery(settings, store, ids, now, telemetry)
        app.outbox = delivery.outbox
        stack.push_async_callback(delivery.close)
        server = HttpServer(
            api.build(parts(app, intake, schedules, dispatch, now, opt_outs, delivery)),
            listen=settings.service.listen,
            socket=settings.service.socket,
        )
        await follow_up(store, app.channels.values())
        deliveries = app.deliveries = Deliveries(store, app.channels, now, telemetry)
        await deliveries.load()

        async def give_back() -> None:
            for channel in app.channels.values():
                await channel.give_back()

        def wake_all() -> None:
            dispatch.wake()
            wake_doubts()
            recurring.wake()
            programs.wake()
            delivery.outbox.clock_set()
            housekeeping.again()
            for channel in app.channels.values():
                channel.clock_set()

        app.room = Room(
            store,
            intake,
            app.channels,
            now,
            telemetry,
            directory=settings.service.state_dir,
            free=lambda: store.free,
            wake=wake_all,
        )
        store.on_level(app.room.turned)
        timekeeping = Timekeeping(clock, store, telemetry, give_back=give_back, wake=wake_all)
        app.timekeeping = timekeeping
        tasks = await stack.enter_async_context(Tasks())
        for channel in app.channels.values():
            tasks.start(channel.run(), f"channel {channel.id}")
        tasks.start(dispatch.run(), "dispatch")
        tasks.start(doubts.run(), "doubts")
        tasks.start(recurring.run(), "recurring")
        tasks.start(timekeeping.run(), "clock")
        tasks.start(look_ups.run(), "look-ups")
        tasks.start(programs.run(), "programs")
        tasks.start(delivery.outbox.run(), "outbox")
        tasks.start(balances.run(), "balances")
        tasks.start(canary.run(), "canary")
        tasks.start(_end_with(store), "store")
        checking = Checking(store.examine, lambda: store.checked_at, now, unclean=store.recovered.unclean)
        tasks.start(checking.run(), "checking")
        app.recurring = recurring
        tasks.start(housekeeping.run(), "housekeeping")
        within = watchdog_within()
        if within is not None:
            loops: dict[str, Alive] = {
                "dispatch": dispatch.pulse,
                "doubts": doubts.pulse,
                "recurring": recurring.pulse,
                "clock": timekeeping.pulse,
                "outbox": delivery.outbox.pulse,
                "canary": canary.pulse,
                "couriers": delivery.outbox.couriers,
            }
            patient = {
                "look-ups": (look_ups.pulse, LONG),
                "programs": (
                    programs.pulse,
                    LONG + max((r.program_timeout for r in settings.inbound_rules), default=0),
                ),
            }
            watchdog = Watchdog(_watched(app, loops, patient), within=within, feed=lambda: notify(WATCHDOG=1))
            tasks.start(watchdog.run(), "watchdog")

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
            await drain(app.channels.values(), within=patience, hurry=hurry or asyncio.Event())


def run(settings: Settings) -> int:
    """`gsmbridge run`: until SIGTERM or SIGINT. Returns the exit status (sysexits)."""
    lines = Log(settings.service.log_level)
    try:
        uvloop.run(_serve(settings))
    except StoreError as error:
        log.critical("stopped reason=%s", error)
        return os.EX_IOERR
    except (OSError, ListenError, StateDirectoryError, configured.SettingsError) as error:
        log.critical("stopped reason=%s", error)
        return os.EX_UNAVAILABLE
    finally:
        lines.close()
    return os.EX_OK


async def _serve(settings: Settings) -> None:
    stop, hurry = asyncio.Event(), asyncio.Event()

    def asked() -> None:
        """Once: end in order. Again: and do not wait for what is on the air."""
        if stop.is_set() and not hurry.is_set():
            log.warning("stopping_at_once")
            hurry.set()
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked)
    async with running(settings, hurry=hurry) as app:
        log.info("ready url=%s channels=%d state_dir=%s", app.url, len(app.channels), settings.service.state_dir)
        notify(READY=1, STATUS=f"listening on {app.url}")
        await stop.wait()
        log.info("stopping")
        notify(STOPPING=1, EXTEND_TIMEOUT_USEC=int((DRAIN + 15) * 1_000_000))
    log.info("stopped")


Alive: TypeAlias = Callable[[], Awaitable[None]]


def _watched(app: App, loops: Mapping[str, Alive], patient: Mapping[str, tuple[Alive, float]]) -> list[Watched]:
    """What must make progress for the service to be alive. An idle channel answers at once, a busy one when its
    submission has ended. `patient`: loops that wait for others, and for how many seconds."""
    assert app.housekeeping is not None
    return [
        Watched(name="writer", alive=lambda: app.store.write(lambda changes: None)),  # commits nothing: no sync
        Watched(name="reader", alive=lambda: app.store.read(lambda view: None)),
        *(Watched(name=name, alive=alive) for name, alive in loops.items()),
        *(Watched(name=name, alive=alive, patience=seconds) for name, (alive, seconds) in patient.items()),
        *(
            Watched(name=f"channel {m.id}", alive=app.channels[m.id].pulse, patience=LONG + (m.result_timeout or 0))
            for m in app.settings.modems
        ),
        *(
            Watched(name=f"channel {p.id}", alive=app.channels[p.id].pulse, patience=LONG)
            for p in app.settings.providers
        ),
        Watched(name="housekeeping", alive=app.housekeeping.pulse, patience=LONG),
        Watched(name="balances", alive=app.balances.pulse, patience=LONG),  # a network may take two minutes
    ]


async def _abandon(store: SqliteStore) -> None:
    """What is still armed at the end is in doubt at once, and not only when somebody starts us again."""
    try:
        attempts = await store.abandon()
    except StoreError as error:
        log.warning("not_abandoned detail=%s; the next start does it", error)
        return
    for attempt in attempts:
        log.warning("in_doubt attempt=%s code=restarted", show_id("att", attempt))


async def _end_with(store: SqliteStore) -> None:
    """After a failed commit or sync nothing may be armed or promised: the service ends, the next start checks."""
    raise await store.until_damaged()


def _tell_recovery(app: App) -> None:
    found = app.store.recovered
    if found.released or found.in_doubt:
        app.telemetry.notable("recovered", level=logging.WARNING, put_back=found.released, in_doubt=len(found.in_doubt))
    if found.closed is not None:
        app.telemetry.notable("restored", level=logging.WARNING, closed=found.closed)
    for attempt in found.in_doubt:
        app.telemetry.notable("in_doubt", level=logging.WARNING, attempt=show_id("att", attempt), code="restarted")
