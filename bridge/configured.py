"""What the settings mean, in the terms of those parts of the service that they are for."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

import msgspec

from bridge.clock import machine_zone
from bridge.config import Modem, Provider, Settings
from bridge.config.hours import hours, timing
from bridge.config.limits import limits
from bridge.health import canary as canaries
from bridge.health.balances import Wanted
from bridge.health.canary import ALARM_ROUTE
from bridge.model import Instant, Kind
from bridge.opening import windows
from bridge.outbound import settle
from bridge.outbound.meter import Meter
from bridge.policy import inbound_rules as inbound_policy
from bridge.policy import routing
from bridge.policy.admission import MODEM_KINDS, Defaults
from bridge.policy.balance import ANY_AMOUNT, parse_pattern
from bridge.policy.timing import Timetable
from drivers import registry
from drivers.modems.settings import ModemSettings

__all__ = [
    "SettingsError",
    "balances",
    "canary",
    "defaults",
    "inbound_rules",
    "meters",
    "modem_settings",
    "prices",
    "provider_options",
    "routes",
    "rules",
]


class SettingsError(Exception):
    """A setting that only a driver can judge is wrong."""


def rules(settings: Settings) -> settle.Rules:
    sending = settings.sending
    return settle.Rules(
        delays=tuple(int(seconds * 1000) for seconds in sending.retry),
        max_tries=sending.max_tries,
        windows=windows(settings),
    )


def routes(settings: Settings) -> dict[str, routing.Route]:
    """The ready-made ones, and the operator's, whose rules are asked in the order of the file."""
    found = dict(routing.READY_MADE)
    ids = [*(m.id for m in settings.modems), *(p.id for p in settings.providers)]
    others = tuple((id,) for id in ids if id != settings.canary.channel)
    if settings.canary.alarm_to and others:
        found[ALARM_ROUTE] = routing.Route(name=ALARM_ROUTE, tiers=others)
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
        found[r.name] = routing.Route(
            name=r.name,
            tiers=tuple((channel,) for channel in r.channels) if r.order == "listed" else (r.channels,),
            rule=None if rule == routing.Rule() else rule,
            by_price=r.order == "cheapest",
            max_cost=r.max_cost,
            sticky=r.sticky,
        )
    return found


def prices(settings: Settings) -> list[tuple[str, dict[str, Decimal]]]:
    return [(m.id, m.prices) for m in settings.modems] + [(p.id, p.prices) for p in settings.providers]


def meters(settings: Settings, now: Callable[[], Instant]) -> dict[str, Meter]:
    """For the channels that have limits."""
    zone = settings.timing.zone or machine_zone()
    channels: tuple[Modem | Provider, ...] = (*settings.modems, *settings.providers)
    return {c.id: Meter(c.id, found, now) for c in channels if (found := limits(c, zone)) is not None}


def balances(settings: Settings) -> dict[str, Wanted]:
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


def canary(settings: Settings) -> canaries.Wanted | None:
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


def inbound_rules(settings: Settings) -> inbound_policy.Rules:
    inbound = settings.inbound
    return inbound_policy.Rules(
        out_words=inbound.opt_out_words,
        in_words=inbound.opt_in_words,
        out_answer=inbound.opt_out_answer,
        in_answer=inbound.opt_in_answer,
        allow_from=inbound.allow_from,
        deny_from=inbound.deny_from,
        own_numbers=inbound.own_numbers,
        answers_per_day=inbound.answers_per_day,
        rules=tuple(
            msgspec.convert(rule, inbound_policy.Rule, from_attributes=True) for rule in settings.inbound_rules
        ),
    )


def provider_options(provider: Provider) -> object:
    """Checked at the start and by `config check`; a mistake left here is said with its place."""
    try:
        return msgspec.convert(provider.options, registry.options_of(provider.driver), strict=False)
    except (msgspec.ValidationError, ValueError, KeyError) as error:
        raise SettingsError(f"provider {provider.id!r}: {error}") from None


def defaults(settings: Settings) -> Defaults:
    ways = routes(settings)
    return Defaults(
        region=settings.service.region,
        max_parts=settings.limits.max_parts,
        policy=settings.sending.policy,
        validity=settings.sending.validity,
        report=settings.sending.report,
        channels=frozenset([*(m.id for m in settings.modems), *(p.id for p in settings.providers)]),
        routes=frozenset(ways),
        rules=tuple(route for route in ways.values() if route.rule is not None),
        kinds=frozenset(Kind) if settings.providers else MODEM_KINDS,
        timetable=_timetable(settings, ways),
    )


def _timetable(settings: Settings, routes: dict[str, routing.Route]) -> Timetable:
    ways = {name: tuple(way for tier in route.tiers for way in tier) for name, route in routes.items()}
    return Timetable(timing(settings, ways, machine_zone()))


def modem_settings(modem: Modem) -> ModemSettings:
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
