"""A modem without a pty: bytes in, bytes out, time that moves when told."""

from __future__ import annotations

from random import Random

from drivers.simulator.clock import SteppedClock
from drivers.simulator.faults import Faults, NetworkFaults
from drivers.simulator.modem import Modem
from drivers.simulator.network import Network
from drivers.simulator.profiles import PROFILES
from drivers.simulator.simulation import identity

SUBMIT = "0031000C914477000910320000A705C8329BFD06"  # to +447700900123, "Hello", report wanted; 19 octets
PROMPT = b"\r\n> "


class Rig:
    """Modems of one profile on one network; modem 0 is the one spoken to. Echo is off, PDU mode on, unless `fresh`."""

    def __init__(
        self,
        profile: str = "generic",
        *,
        modems: int = 1,
        faults: Faults | None = None,
        network: NetworkFaults | None = None,
        pin: str | None = None,
        fresh: bool = False,
    ) -> None:
        self.clock = SteppedClock()
        self.network = Network(clock=self.clock, random=Random(1), faults=network or NetworkFaults())
        self.sims = [identity(index, pin=pin) for index in range(modems)]
        self.outs = [bytearray() for _ in range(modems)]
        self.modems = []
        for index in range(modems):
            modem = Modem(
                profile=PROFILES[profile],
                sim=self.sims[index],
                network=self.network,
                clock=self.clock,
                random=Random(index),
                imei=f"35000000000000{index}",
                faults=faults,
            )
            modem.attach(self.outs[index].extend)
            modem.power_on()
            if not fresh:
                modem.settings.echo = modem.settings.text_mode = False
            self.modems.append(modem)
        if not fresh:
            self.clock.advance(10)

    @property
    def modem(self) -> Modem:
        return self.modems[0]

    @property
    def number(self) -> str:
        return self.sims[0].number

    def say(self, data: bytes, *, after: float = 0.0, one_by_one: bool = False) -> bytes:
        """Write, let time pass, and return what the modem has written since the last look."""
        for piece in [data[at : at + 1] for at in range(len(data))] if one_by_one else [data]:
            self.modem.receive(piece)
        self.clock.advance(after)
        return self.look()

    def look(self, index: int = 0) -> bytes:
        said = bytes(self.outs[index])
        self.outs[index].clear()
        return said

    def pass_time(self, seconds: float) -> bytes:
        self.clock.advance(seconds)
        return self.look()

    def send(self, pdu: str = SUBMIT, *, after: float = 0.0) -> bytes:
        """AT+CMGS and the PDU; what the modem wrote behind the prompt."""
        length = len(pdu) // 2 - 1 - int(pdu[:2], 16)
        assert self.say(f"AT+CMGS={length}\r".encode()) == PROMPT
        return self.say(pdu.encode() + b"\x1a", after=after)


def submit_to(number: str, pdu: str = SUBMIT) -> str:
    """`SUBMIT` with another destination of twelve digits."""
    digits = number.removeprefix("+")
    swapped = "".join(digits[at + 1] + digits[at] for at in range(0, 12, 2))
    return pdu[:10] + swapped + pdu[22:]
