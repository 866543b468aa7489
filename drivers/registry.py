"""Configuration name -> driver, imported when first used: without SOAP providers no SOAP library is loaded."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

import msgspec

from drivers.contract import Driver

__all__ = ["DRIVERS", "PROVIDERS", "Environment", "create", "options_of"]

PROVIDERS = ("serwersms", "freshmail", "clickatell", "mobizon", "smsc")
DRIVERS = {"modem": "drivers.modems.build", **{name: f"drivers.providers.{name}" for name in PROVIDERS}}


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """What a driver may use of the machine."""

    state_dir: Path
    monotonic: Callable[[], float] = time.monotonic
    usb_helper: Path | None = None  # socket of the part that may reset USB devices
    ports: tuple[str, ...] = ()  # patterns of the serial ports there may be; empty = the usual ones
    shared: dict[str, object] = msgspec.field(default_factory=dict)  # what the drivers of one kind have in common


class _Module(Protocol):
    Options: type[msgspec.Struct]  # of a provider's module

    def create(self, channel: str, options: object, environment: Environment) -> Driver: ...


def create(name: str, channel: str, options: object, environment: Environment) -> Driver:
    """The driver `name` for one channel. `options`: the settings struct of that driver. Raises KeyError for a name that
    is not in `DRIVERS`."""
    module = cast(_Module, import_module(DRIVERS[name]))
    return module.create(channel, options, environment)


def options_of(name: str) -> type[msgspec.Struct]:
    """The settings struct of a provider's driver: its fields are the settings that there are, and making one checks
    them. Raises KeyError for a name that is not in `PROVIDERS`."""
    if name not in PROVIDERS:
        raise KeyError(name)
    return cast(_Module, import_module(DRIVERS[name])).Options
