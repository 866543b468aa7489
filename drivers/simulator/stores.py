"""What the commands of the message service have in common: is the card ready, which record is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.simulator.commands import cms
from drivers.simulator.sim import NOT_INSERTED, PIN, PUK, Record, Storage

if TYPE_CHECKING:
    from drivers.simulator.modem import Modem

__all__ = ["need_messages", "position_of", "record_at"]


def need_messages(modem: Modem) -> None:
    """Raises what a command says before the SMS layer is ready."""
    match modem.sim.state:
        case state if state == NOT_INSERTED:
            raise cms(310)
        case state if state == PIN:
            raise cms(311)
        case state if state == PUK:
            raise cms(316)
    if modem.sms_ready_at and modem.clock.monotonic() < modem.sms_ready_at:
        raise cms(314)


def record_at(modem: Modem, storage: Storage, index: str) -> Record | None:
    return storage.slots.get(position_of(modem, storage, index))


def position_of(modem: Modem, storage: Storage, index: str) -> int:
    if not index.isdigit() or not 0 <= int(index) - modem.profile.first_index < storage.size:
        raise cms(321)
    return int(index) - modem.profile.first_index
