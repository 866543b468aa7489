"""The running service in one line for a monitoring system. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum

import msgspec

__all__ = ["Level", "Measure", "judge", "line"]


class Level(IntEnum):
    """The exit statuses of the Nagios plug-in guidelines."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """`warning` and `critical` are passed when the value is above them. `unit`: "" or "s"."""

    name: str
    value: float
    warning: float
    critical: float
    unit: str = ""

    @property
    def level(self) -> Level:
        if self.value > self.critical:
            return Level.CRITICAL
        return Level.WARNING if self.value > self.warning else Level.OK


def judge(
    channels: Mapping[str, str], measures: Sequence[Measure], *, worries: Sequence[str] = ()
) -> tuple[Level, str]:
    """`channels`: state by id; "paused" after failures. One that cannot send is a warning, all of them are critical.
    `worries`: what else is a warning, in words."""
    down = sorted(id for id, state in channels.items() if state != "up")
    level = max((m.level for m in measures), default=Level.OK)
    if down:
        level = max(level, Level.CRITICAL if len(down) == len(channels) else Level.WARNING)
    if worries:
        level = max(level, Level.WARNING)
    said = [f"{len(channels) - len(down)} of {len(channels)} channels up"]
    paused = [id for id in down if channels[id] == "paused"]
    for word, ids in (("down", [id for id in down if id not in paused]), ("paused", paused)):
        if ids:
            said.append(f"{word}: {', '.join(ids)}")
    said += worries
    said += [f"{m.name.replace('_', ' ')} {_number(m.value)}{m.unit}" for m in measures if m.level]
    return level, line(level, ", ".join(said), measures, len(channels) - len(down), len(channels))


def line(level: Level, said: str, measures: Sequence[Measure] = (), up: int = 0, channels: int = 0) -> str:
    told = f"GSMBRIDGE {level.name} - {said}"
    if not measures:
        return told
    data = [f"channels_up={up};;;0;{channels}"]
    data += [f"{m.name}={_number(m.value)}{m.unit};{_number(m.warning)};{_number(m.critical)};0" for m in measures]
    return f"{told} | {' '.join(data)}"


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
