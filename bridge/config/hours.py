"""Configured windows made into the policy's, and those of them that never open. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.config.settings import GROUPS, Settings
from bridge.policy.timing import Hours, Timing, Window, holidays_of, next_open, parse_holiday, parse_window

__all__ = ["hours", "never_open", "timing"]


def timing(settings: Settings, ways: dict[str, tuple[str, ...]] | None = None, zone: str = "UTC") -> Timing:
    """`ways`: the channels and groups of each route. `zone`: the machine's, where none is configured."""
    told = settings.timing
    modems, providers = ([c.id for c in kind] for kind in (settings.modems, settings.providers))
    members = dict(zip(GROUPS, (modems, providers), strict=True))
    return Timing(
        zone=told.zone or zone,
        by_recipient=told.by_recipient,
        windows=_windows(told.windows),
        holidays=holidays_of(parse_holiday(day) for day in told.holidays),
        routes={r.name: _windows(r.windows) for r in settings.routes if r.windows},
        channels={id: windows for id, windows in _channels(settings) if windows},
        ways={
            name: tuple(dict.fromkeys(id for entry in entries for id in members.get(entry, [entry])))
            for name, entries in (ways or {}).items()
        },
        usual=settings.sending.route,
    )


def hours(settings: Settings, windows: tuple[str, ...], zone: str) -> Hours:
    """Windows of a rule, on the service's own clock."""
    told = timing(settings, zone=zone)
    return Hours(windows=_windows(windows), zone=told.zone, holidays=told.holidays)


def never_open(settings: Settings) -> Iterator[tuple[str, str]]:
    """Windows that never open, or never together with the service's: place and what would be right. Dates that have
    passed are not among them: what has opened once was no mistake."""
    told = timing(settings)

    def hours(windows: tuple[Window, ...]) -> list[Hours]:
        return [Hours(windows=windows, zone=told.zone, holidays=told.holidays)] if windows else []

    service = hours(told.windows)
    if next_open(service, 0) is None:
        yield "timing.windows", "never open; those for holidays need timing.holidays"
        return
    places = [(f"route[{n}].windows", told.routes.get(r.name, ())) for n, r in enumerate(settings.routes)]
    places += [(f"modem[{n}].windows", told.channels.get(m.id, ())) for n, m in enumerate(settings.modems)]
    places += [(f"provider[{n}].windows", told.channels.get(p.id, ())) for n, p in enumerate(settings.providers)]
    for at, windows in places:
        own = hours(windows)
        if next_open(own, 0) is None:
            yield at, "never open; those for holidays need timing.holidays"
        elif next_open(own + service, 0) is None:
            yield at, "are never open together with timing.windows; all must agree before a text goes"


def _channels(settings: Settings) -> Iterator[tuple[str, tuple[Window, ...]]]:
    for modem in settings.modems:
        yield modem.id, _windows(modem.windows)
    for provider in settings.providers:
        yield provider.id, _windows(provider.windows)


def _windows(texts: tuple[str, ...]) -> tuple[Window, ...]:
    return tuple(parse_window(text) for text in texts)
