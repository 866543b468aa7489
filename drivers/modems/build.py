"""A modem driver from its settings: where its records live, which clock it uses, what it shares with other modems."""

from __future__ import annotations

import logging

import msgspec

from drivers.contract import Driver
from drivers.modems.actions import MachineActions
from drivers.modems.discovery import PATTERNS
from drivers.modems.driver import ModemDriver
from drivers.modems.flight_recorder import FlightRecorder
from drivers.modems.line import Trace
from drivers.modems.pin_guard import FilePinGuard
from drivers.modems.ports import Ports
from drivers.modems.proofs import Proofs
from drivers.modems.repairing import Yard
from drivers.modems.settings import ModemSettings
from drivers.registry import Environment

__all__ = ["PROOFS", "RECORDINGS", "create"]

log = logging.getLogger("gsmbridge.modem.trace")

PROOFS = "repair-proofs.json"  # in the state directory
RECORDINGS = "recordings"


class _Shared(msgspec.Struct, frozen=True):
    """One for all modems of a service."""

    ports: Ports
    yard: Yard
    proofs: Proofs


def create(channel: str, options: object, environment: Environment) -> Driver:
    """`options`: a ModemSettings."""
    if not isinstance(options, ModemSettings):
        raise TypeError(f"a modem is made from ModemSettings, not from {type(options).__name__}")
    shared = _shared(environment)
    recorder = None
    if options.recording:
        folder = environment.state_dir / RECORDINGS
        recorder = FlightRecorder(folder, channel, seconds=options.recording, monotonic=environment.monotonic)
    return ModemDriver(
        options,
        channel=channel,
        guard=FilePinGuard(environment.state_dir / "pin-guard.json"),
        monotonic=environment.monotonic,
        ports=shared.ports,
        yard=shared.yard,
        proofs=shared.proofs,
        actions=MachineActions(environment.usb_helper, options.power_command),
        recorder=recorder,
        trace=_to_log(channel) if options.trace else None,
    )


def _to_log(channel: str) -> Trace:
    def trace(direction: str, data: bytes) -> None:
        log.debug("line channel=%s %s %s", channel, direction, data)

    return trace


def _shared(environment: Environment) -> _Shared:
    found = environment.shared.get("modems")
    if not isinstance(found, _Shared):
        monotonic = environment.monotonic
        found = environment.shared["modems"] = _Shared(
            Ports(patterns=environment.ports or PATTERNS, monotonic=monotonic),
            Yard(monotonic),
            Proofs(environment.state_dir / PROOFS),
        )
    return found
