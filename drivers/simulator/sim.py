"""A SIM card: identity, PIN, message records, last TP-MR. It keeps its content when the modem loses power."""

from __future__ import annotations

import msgspec

from drivers.simulator.menus import Codes

__all__ = ["Record", "Sim", "Storage"]

NOT_INSERTED, READY, PIN, PUK = "NOT INSERTED", "READY", "SIM PIN", "SIM PUK"


class Record(msgspec.Struct, kw_only=True):
    """One slot of a storage. `stat`: 0 unread, 1 read, 2 unsent, 3 sent (27.005 §3.1)."""

    stat: int
    pdu: bytes  # with the SMSC field
    since: float  # when it was written, on the clock's monotonic scale


class Storage:
    """Slots with holes, filled from the lowest free one."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.slots: dict[int, Record] = {}  # by position, 0-based

    def add(self, record: Record) -> int | None:
        """The position, or None when full."""
        if len(self.slots) >= self.size:
            return None
        position = next(position for position in range(self.size) if position not in self.slots)
        self.slots[position] = record
        return position

    @property
    def full(self) -> bool:
        return len(self.slots) >= self.size


class Sim:
    """`credit`: messages left to send; None = no limit. `pin` None: not asked for. `ussd`: its own codes, instead of
    the network's."""

    def __init__(
        self,
        *,
        number: str,
        iccid: str,
        imsi: str,
        smsc: str = "+447700900000",
        pin: str | None = None,
        puk: str = "12345678",
        size: int = 20,
        credit: int | None = None,
        ussd: Codes | None = None,
    ) -> None:
        self.number = number
        self.iccid = iccid
        self.imsi = imsi
        self.smsc = smsc
        self.pin = pin
        self.puk = puk
        self.pin_tries = 3
        self.puk_tries = 10
        self.inserted = True
        self.unlocked = pin is None
        self.records = Storage(size)
        self.last_reference = 255  # EF_SMSS, 31.102 §4.2.9: the next SUBMIT carries 0
        self.credit = credit
        self.ussd = ussd

    @property
    def state(self) -> str:
        """What +CPIN? says."""
        if not self.inserted:
            return NOT_INSERTED
        if self.pin_tries == 0:
            return PUK
        return READY if self.unlocked else PIN

    def power_up(self) -> None:
        """A reset asks for the PIN again, if there is one."""
        self.unlocked = self.pin is None

    def enter(self, pin: str) -> bool:
        """One try. True when it was right."""
        if pin == self.pin:
            self.pin_tries, self.unlocked = 3, True
            return True
        self.pin_tries -= 1
        return False

    def unblock(self, puk: str, pin: str) -> bool:
        """One try of the ten."""
        if puk == self.puk and self.puk_tries:
            self.pin, self.pin_tries, self.puk_tries, self.unlocked = pin, 3, 10, True
            return True
        self.puk_tries = max(0, self.puk_tries - 1)
        return False

    def next_reference(self) -> int:
        """TP-MR of the next SUBMIT: the modem chooses it, whatever the host wrote (23.040 §9.2.3.6)."""
        self.last_reference = (self.last_reference + 1) & 0xFF
        return self.last_reference
