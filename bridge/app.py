"""The composition root: the only place that names concrete parts. Builds, starts in order, stops in reverse."""

from __future__ import annotations

import asyncio
import gc
import hmac
import logging
import os
import re
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from random import Random
from typing import TypeAlias, cast

import msgspec
import uvloop

from bridge import __version__, api
from bridge.api.parts import Parts, RouteTest
from bridge.api.serve import HttpServer, ListenError
from bridge.checking import Checking
from bridge.clock import Clock, boot_time, kernel_synchronised, machine_zone, wall
from bridge.config import Modem, Provider, Settings
from bridge.config.hours import hours, timing
from bridge.config.limits import limits
from bridge.delivering import Delivery
from bridge.draining import DRAIN, drain
from bridge.endpoints import Endpoint
from bridge.health import canary as canaries
from bridge.health.balances import Balances, Wanted
from bridge.health.canary import ALARM_ROUTE, Canary
from bridge.health.deliveries import Deliveries
from bridge.inbound.calls import Calls
from bridge.inbound.optouts import OptOuts
from bridge.inbound.programs import Programs
from bridge.inbound.publish import Publisher
from bridge.inbound.receive import Receiver
from bridge.inbound.rules import RuleBook
from bridge.logs import Log, lines_dropped
from bridge.metrics import ChannelFigures, Figures, WebhookFigures, render_metrics
from bridge.model import ChannelSnapshot, Ids, Instant, Kind, show_id
from bridge.opening import StateDirectoryError, open_database, windows
from bridge.outbound import settle
from bridge.outbound.bulk import channel_for
from bridge.outbound.channel import Bridge, Channel
from bridge.outbound.dispatch import Dispatch
from bridge.outbound.doubts import Doubts
from bridge.outbound.follow import follow_up
from bridge.outbound.holds import Holds
from bridge.outbound.intake import Closed, Intake
from bridge.outbound.lookups import LookUps
from bridge.outbound.meter import Meter
from bridge.outbound.recurring import Recurring
from bridge.outbound.schedules import Schedules
from bridge.outbound.takeback import TakeBack
from bridge.policy import clocks, inbound_rules, routing
from bridge.policy.admission import MODEM_KINDS, Defaults, Order, admit
from bridge.policy.balance import ANY_AMOUNT, parse_pattern
from bridge.policy.gate import Gate
from bridge.policy.prices import tariff
from bridge.policy.timing import Timetable
from bridge.room import Room
from bridge.schedule import Housekeeping
from bridge.service_manager import notify, watchdog_within
from bridge.store import StoreError, View
from bridge.store.sqlite import SqliteStore
from bridge.telemetry import Telemetry
from bridge.timekeeping import Timekeeping, reason
from bridge.watchdog import Watchdog, Watched
from bridge.webhooks.outbox import Outbox
from drivers import registry
from drivers.contract import Account, Call, Reply, Takes, Ussd
from drivers.modems.settings import ModemSettings

__all__ = ["App", "run", "running"]

log = logging.getLogger("gsmbridge.app")

LONG = 900.0  # seconds: beyond what a driver needs for one submission, and a tick of housekeeping for its work


class SettingsError(Exception):
    """A setting that only a driver can judge is wrong."""


class App:
    """The running service, for the command line, the demo and the tests."""

    def __init__(self, settings: Settings, store: SqliteStore, telemetry: Telemetry, ids: Ids, clock: Clock) -> None:
        self.settings = settings
        self.store = store
        self.telemetry = telemetry
        self.ids = ids
        self.clock = clock
        self.timekeeping: Timekeeping  # set once the service runs, as the next
        self.recurring: Recurring
        self.outbox: Outbox
        self.balances: Balances
        self.deliveries: Deliveries
        self.room: Room
        self.canary: Canary
        self.url = ""
        self.housekeeping: Housekeeping | None = None  # set once the service runs
        self.channels: dict[str, Channel] = {}
        self.ready = False

    def line(self, sim: str, channel: str) -> str | None:
        """The channel that has this SIM now: where `channel` had it, or where it was put since."""
        now = next((c.id for c in self.channels.values() if c.sim == sim), channel)
        return now if now in self.channels else None

    async def snapshots(self) -> list[ChannelSnapshot]:
        return [
            msgspec.structs.replace(
                await channel.snapshot(), left=self.balances.of(channel.id), arrivals=self.deliveries.of(channel.id)
            )
            for channel in self.channels.values()
        ]

    async def metrics(self) -> bytes:
        now = self.clock.now()

        def age(at: Instant | None) -> float:
            """Seconds; of nothing, none."""
            return 0.0 if at is None else max(0, now - at) / 1000

        def look(view: View) -> Figures:
            due, later, oldest = view.queue_depth(now)
            return Figures(
                version=__version__,
                counts=view.counts(),
                due=due,
                later=later,
                oldest_due_seconds=age(oldest),
                doubts=view.open_doubts(),
                oldest_doubt_seconds=age(view.oldest_doubt()),
                clock_trusted=self.clock.trusted,
                clock_steps=self.timekeeping.steps,
                disk_free=self.store.free,
                disk_level=self.room.level,
                log_lines_dropped=lines_dropped(),
                canary_ok=self.canary.state.ok,
                canary_seconds=self.canary.state.seconds,
                checked_at=self.store.checked_at,
                channels=channels,
                webhooks=[webhook(view, endpoint) for endpoint in view.endpoints()],
            )

        def webhook(view: View, endpoint: Endpoint) -> WebhookFigures:
            waiting, dead = view.backlog(endpoint.id)
            return WebhookFigures(
                id=show_id("whk", endpoint.id),
                enabled=endpoint.enabled,
                waiting=waiting,
                dead=dead,
                oldest_seconds=age(view.oldest_waiting(endpoint.id)),
                latency=self.outbox.latencies.get(endpoint.id),
            )

        channels = [
            ChannelFigures(snapshot=snapshot, latencies=channel.latencies, repairs=channel.repairs)
            for channel, snapshot in zip(self.channels.values(), await self.snapshots(), strict=True)
        ]
        return render_metrics(await self.store.read(look))


@asynccontextmanager
async def running(
    settings: Settings,
    *,
    now: Callable[[], Instant] = wall,
    boot: Callable[[], int] = boot_time,
    synchronised: Callable[[], bool | None] = kernel_synchronised,
    patience: float = DRAIN,
    hurry: asyncio.Event | None = None,
) -> AsyncIterator[App]:
    """The whole service, from the open store to the listening API; on leaving it drains and stops. `now`: the wall
    clock; `boot`: milliseconds since the machine started; `synchronised`: what the kernel says of the wall clock;
    `patience`: seconds for what is on the air at the end; `hurry`: set when that is not to be waited for."""
    rules = _rules(settings)
    clock = Clock(
        clocks.Rules(trust=clocks.Trust(settings.service.clock), settle=int(settings.service.clock_settle * 1000)),
        read_wall=now,
        read_boot=boot,
        synchronised=synchronised,
    )
    now = clock.now
    async with AsyncExitStack() as stack:
        store = await open_database(settings, now, clock.know)
        stack.push_async_callback(store.close)
        stack.push_async_callback(_abandon, store)
        # Also with a clock that was set back, ids grow. They are names, not secrets.
        ids = Ids(now, Random(secrets.randbits(128)), store.last_id)  # noqa: S311
        telemetry = Telemetry(now)
        app = App(settings, store, telemetry, ids, clock)
        _tell_recovery(app)

        opt_outs = OptOuts(store, ids, now)
        await opt_outs.load()
        routes = _routes(settings)
        sticky = any(route.sticky for route in routes.values())
        defaults = _defaults(settings)
        holds = Holds(defaults.timetable)
        tariffs = {id: tariff(prices) for id, prices in _prices(settings) if prices}
        balances = app.balances = Balances(store, app.channels, _balances(settings), now, telemetry)
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
        schedules = Schedules(store, ids, now, lambda: intake.defaults, wake=recurring.wake)
        intake.gate = dispatch.gate = Gate(
            opt_outs=opt_outs.by_number, allow=settings.sending.allow_to, deny=settings.sending.deny_to
        )
        book = RuleBook(_inbound_rules(settings), ids, defaults=lambda: intake.defaults, line=app.line)
        programs = Programs(store, book, now, telemetry)
        window = int(settings.inbound.reply_window * 1000)
        canary = app.canary = Canary(
            store,
            _canary(settings),
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
            meters=_meters(settings, now),
            rng=Random(secrets.randbits(128)),  # noqa: S311 - when to probe is no secret
            linked=balances.wake,
        )
        environment = registry.Environment(
            state_dir=settings.service.state_dir,
            usb_helper=settings.service.usb_helper,
            ports=settings.service.ports,
        )
        for modem in settings.modems:
            driver = registry.create("modem", modem.id, _modem_settings(modem), environment)
            app.channels[modem.id] = Channel(modem.id, "modem", driver, shared)
        # Providers' limits and pauses go by the clock of the timers that end them.
        environment = msgspec.structs.replace(environment, monotonic=asyncio.get_running_loop().time)
        for provider in settings.providers:
            driver = registry.create(provider.driver, provider.id, _provider_options(provider), environment)
            app.channels[provider.id] = channel_for(provider.id, provider.driver, driver, shared)

        delivery = Delivery(settings, store, ids, now, telemetry)
        app.outbox = delivery.outbox
        stack.push_async_callback(delivery.close)
        server = HttpServer(
            api.build(_parts(app, intake, schedules, dispatch, now, opt_outs, delivery)),
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
        tasks = await stack.enter_async_context(_Tasks())
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
    lines = Log(settings.service.log_level)
    try:
        uvloop.run(_serve(settings))
    except StoreError as error:
        log.critical("stopped reason=%s", error)
        return os.EX_IOERR
    except (OSError, ListenError, StateDirectoryError, SettingsError) as error:
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
    ids = [*(m.id for m in settings.modems), *(p.id for p in settings.providers)]
    others = tuple((id,) for id in ids if id != settings.canary.channel)
    if settings.canary.alarm_to and others:
        routes[ALARM_ROUTE] = routing.Route(name=ALARM_ROUTE, tiers=others)
    for r in settings.routes:
        rule = routing.Rule(
            prefixes=r.prefixes,
            kinds=r.kinds,
            classes=r.classes,
            senders=r.senders,
            min_priority=r.min_priority,
            keys=r.keys,
            countries=r.countries,
            times=hours(settings, r.times, machine_zone()) if r.times else None,
        )
        routes[r.name] = routing.Route(
            name=r.name,
            tiers=tuple((channel,) for channel in r.channels) if r.order == "listed" else (r.channels,),
            rule=None if rule == routing.Rule() else rule,
            by_price=r.order == "cheapest",
            max_cost=r.max_cost,
            sticky=r.sticky,
        )
    return routes


def _prices(settings: Settings) -> list[tuple[str, dict[str, Decimal]]]:
    return [(m.id, m.prices) for m in settings.modems] + [(p.id, p.prices) for p in settings.providers]


def _meters(settings: Settings, now: Callable[[], Instant]) -> dict[str, Meter]:
    """For the channels that have limits."""
    zone = settings.timing.zone or machine_zone()
    channels: tuple[Modem | Provider, ...] = (*settings.modems, *settings.providers)
    return {c.id: Meter(c.id, found, now) for c in channels if (found := limits(c, zone)) is not None}


def _balances(settings: Settings) -> dict[str, Wanted]:
    return {
        m.id: Wanted(
            code=m.balance_ussd,
            pattern=parse_pattern(m.balance_pattern) if m.balance_pattern else re.compile(ANY_AMOUNT),
            every=int(m.balance_every * 1000),
            low=m.balance_low,
            currency=m.balance_currency or "",
        )
        for m in settings.modems
        if m.balance_ussd
    }


def _canary(settings: Settings) -> canaries.Wanted | None:
    wanted = settings.canary
    if wanted.channel is None or wanted.number is None:
        return None
    return canaries.Wanted(
        channel=wanted.channel,
        number=wanted.number,
        every=int(wanted.every * 1000),
        within=int(wanted.within * 1000),
        alarm_to=wanted.alarm_to,
    )


def _inbound_rules(settings: Settings) -> inbound_rules.Rules:
    inbound = settings.inbound
    return inbound_rules.Rules(
        out_words=inbound.opt_out_words,
        in_words=inbound.opt_in_words,
        out_answer=inbound.opt_out_answer,
        in_answer=inbound.opt_in_answer,
        allow_from=inbound.allow_from,
        deny_from=inbound.deny_from,
        own_numbers=inbound.own_numbers,
        answers_per_day=inbound.answers_per_day,
        rules=tuple(msgspec.convert(rule, inbound_rules.Rule, from_attributes=True) for rule in settings.inbound_rules),
    )


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
        timetable=_timetable(settings, routes),
    )


def _timetable(settings: Settings, routes: dict[str, routing.Route]) -> Timetable:
    ways = {name: tuple(way for tier in route.tiers for way in tier) for name, route in routes.items()}
    return Timetable(timing(settings, ways, machine_zone()))


def _parts(
    app: App,
    intake: Intake,
    schedules: Schedules,
    dispatch: Dispatch,
    now: Callable[[], Instant],
    opt_outs: OptOuts,
    delivery: Delivery,
) -> Parts:
    def account(id: str) -> Account | None:
        channel = app.channels.get(id)
        return cast(Account, channel.driver) if channel is not None and channel.takes is Takes.MESSAGE else None

    def ussd(id: str) -> Ussd | None:
        channel = app.channels.get(id)
        return channel.driver if channel is not None and isinstance(channel.driver, Ussd) else None

    take_back = TakeBack(app.store, now, app.telemetry, account=account, withdrawn=dispatch.withdrawn)
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
        if not app.ready:
            return False, "the service is starting"
        return True, "; ".join(filter(None, (reason(app.clock.belief), app.room.detail)))

    async def route(order: Order) -> RouteTest:
        """Raises `Rejected` for what would not be taken either."""
        message = admit(order, intake.defaults, id=0, client=0, now=now())
        known_by = await app.store.read(lambda v: v.known_by(message.to)) if dispatch.sticks(message) else None
        name, choice = dispatch.test(message, known_by)
        return RouteTest(route=name, candidates=choice.candidates, refusals=choice.refusals)

    return Parts(
        account=account,
        ussd=ussd,
        take_back=take_back.ask,
        called=called,
        route=route,
        line=app.line,
        opt_outs=opt_outs,
        reply_window=int(app.settings.inbound.reply_window * 1000),
        store=app.store,
        intake=intake,
        schedules=schedules,
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
        hang_up=modem.calls == "hang_up",
        trace=modem.trace,
        timing=timing,
    )
