"""What happens to a modem without being asked for: noise on its line, and calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drivers.simulator.modem import Modem

__all__ = ["ring", "start_noise"]

_CALL, _NOISE = "call", "noise"  # keys in the settings: a reset ends both


def start_noise(modem: Modem) -> None:
    """Send the lines of `Faults.noise` over and over, until there are none."""
    if modem.faults.noise and _NOISE not in modem.settings.values:
        modem.settings.values[_NOISE] = "on"
        modem.later(modem.faults.noise_every, _noise, modem)


def ring(modem: Modem, caller: str, *, times: int, every: float) -> None:
    """A voice call, until it is hung up or the caller tires."""
    modem.settings.values[_CALL] = caller
    for at in range(times):
        modem.later(at * every, _ring, modem, caller)
    modem.later(times * every, _tire, modem)


def _noise(modem: Modem) -> None:
    for line in modem.faults.noise:
        modem.announce(line)
    del modem.settings.values[_NOISE]
    start_noise(modem)


def _ring(modem: Modem, caller: str) -> None:
    if _CALL in modem.settings.values:
        modem.announce("RING")
        if modem.settings.values.get("+CLIP") == "1":
            modem.announce(f'+CLIP: "{caller}",145,"",,"",0')


def _tire(modem: Modem) -> None:
    if modem.settings.values.pop(_CALL, None):
        modem.announce("NO CARRIER")
