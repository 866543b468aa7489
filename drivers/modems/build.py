"""A modem driver from its settings: where its PIN guard lives, and which clock it uses."""

from __future__ import annotations

from drivers.contract import Driver
from drivers.modems.driver import ModemDriver
from drivers.modems.pin_guard import FilePinGuard
from drivers.modems.settings import ModemSettings
from drivers.registry import Environment

__all__ = ["create"]


def create(channel: str, options: object, environment: Environment) -> Driver:
    """`options`: a ModemSettings."""
    if not isinstance(options, ModemSettings):
        raise TypeError(f"a modem is made from ModemSettings, not from {type(options).__name__}")
    guard = FilePinGuard(environment.state_dir / "pin-guard.json")
    return ModemDriver(options, channel=channel, guard=guard, monotonic=environment.monotonic)
