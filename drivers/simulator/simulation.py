"""Several modems on one network, each behind a pty: what the demo, the tests and the figures run against."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from types import TracebackType

import msgspec

from drivers.simulator.clock import Clock, LoopClock
from drivers.simulator.faults import Cure, Faults, NetworkFaults
from drivers.simulator.ledger import Ledger
from drivers.simulator.modem import Modem
from drivers.simulator.network import Network
from drivers.simulator.profiles import PROFILES, Profile
from drivers.simulator.ptys import Port
from drivers.simulator.sim import Sim
from drivers.simulator.watch import Watch

__all__ = ["MOST_MODEMS", "SimulatedModem", "Simulation"]

MOST_MODEMS = 256
_FIRST_NUMBER = 447700900101  # numbers that Ofcom keeps free for fiction
_FIRST_IMSI = 234100000000001


class SimulatedModem:
    """A modem, its SIM and its port. `number`, `imei`, `iccid` and `imsi` are its identities."""

    def __init__(self, modem: Modem, link: Path) -> None:
        self.modem = modem
        self.link = link
        self._pty: Port | None = None
        modem.plugged_out = self._pulled

    @property
    def port(self) -> str:
        """The stable name to open."""
        return str(self.link)

    @property
    def device(self) -> str:
        """The pty behind it; "" while unplugged."""
        return "" if self._pty is None else self._pty.device

    @property
    def plugged(self) -> bool:
        return self._pty is not None and self._pty.plugged

    @property
    def in_use(self) -> bool:
        """A program has the port open; what the modem writes while none has is lost."""
        return self._pty is not None and self._pty.in_use

    @property
    def sim(self) -> Sim:
        return self.modem.sim

    @property
    def number(self) -> str:
        return self.modem.sim.number

    @property
    def iccid(self) -> str:
        return self.modem.sim.iccid

    @property
    def imsi(self) -> str:
        return self.modem.sim.imsi

    @property
    def imei(self) -> str:
        return self.modem.imei

    @property
    def faults(self) -> Faults:
        return self.modem.faults

    def set_faults(self, **knobs: object) -> Faults:
        """Change some knobs by name (`Faults`). Raises FaultError."""
        return self.modem.set_faults(**knobs)

    def reboot(self) -> None:
        """Deaf, then the lines of a start; the port stays."""
        self.modem.reboot()

    def unplug(self) -> None:
        """The port hangs up and its link goes. The SIM keeps its content."""
        if self._pty is not None:
            self._pty.unplug()
        self.modem.power_off()

    def replug(self, name: str | None = None) -> None:
        """A new pty, under another name if one is given, and a modem after a reset."""
        assert self._pty is not None, "the simulation has not started"
        self._pty.unplug()
        if name is not None:
            self.link = self._pty.link = self.link.with_name(name)
        self._pty.plug()
        self.modem.cure(Cure.POWER)
        self.modem.power_on()

    def rename(self, name: str) -> None:
        """The port goes and comes back under another name at once, as after a reset on the bus."""
        self.unplug()
        self.replug(name)

    def reset_usb(self) -> None:
        """The kernel forgets the device and configures it anew: the port goes and comes, the firmware runs on."""
        assert self._pty is not None, "the simulation has not started"
        self._pty.unplug()
        self.modem.cure(Cure.USB)
        self._pty.plug()

    def cut_power(self) -> None:
        """Off and on."""
        self.unplug()
        self.replug()

    def insert(self, sim: Sim) -> None:
        """Another card, put in while the modem has no power; what comes in for it comes here."""
        plugged = self.plugged
        self.unplug()
        self.modem.sim = sim
        self.modem.network.join(sim, self.modem)
        if plugged:
            self.replug()

    def stop_reading(self) -> None:
        """Writes to the port block."""
        if self._pty is not None:
            self._pty.stop_reading()

    def read_on(self) -> None:
        if self._pty is not None:
            self._pty.read_on()

    def start(self, loop: asyncio.AbstractEventLoop, watch: Watch) -> None:
        self._pty = Port(loop=loop, link=self.link, received=self.modem.receive, watch=watch)
        self.modem.attach(self._pty.write)
        self._pty.plug()
        self.modem.power_on(settled=True)

    def _pulled(self) -> None:
        after = self.modem.faults.replug_after
        self.unplug()
        if after is not None:
            self.modem.later(after, self.replug)


class Simulation:
    """`async with Simulation(modems=2) as sim: ...`; what it holds may be adjusted before it is entered.

    `delay`: seconds from Ctrl-Z to +CMGS. `reports`: seconds from there to the status report, None for no reports.
    `profile`: a name of `PROFILES`, or one for each modem. `directory`: of the links; default a temporary one.
    Raises ValueError for an unknown profile or a number of modems that cannot be.
    """

    def __init__(
        self,
        modems: int = 1,
        *,
        profile: str | Profile | Sequence[str | Profile] = "generic",
        delay: float = 0.0,
        reports: float | None = 2.0,
        directory: Path | None = None,
        ledger: Path | None = None,
        faults: Faults | None = None,
        network: NetworkFaults | None = None,
        pin: str | None = None,
        seed: int = 0,
        clock: Clock | None = None,
    ) -> None:
        if not 0 <= modems <= MOST_MODEMS:
            raise ValueError(f"{modems} modems: at most {MOST_MODEMS} can be simulated")
        chosen = [profile] * modems if isinstance(profile, str | Profile) else profile
        profiles = [_profile(each) for each in chosen]
        if len(profiles) != modems:
            raise ValueError(f"{len(profiles)} profiles for {modems} modems")
        self._directory = directory
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        knobs = faults or Faults()
        if delay and "+CMGS" not in knobs.latency:
            knobs = msgspec.structs.replace(knobs, latency={**knobs.latency, "+CMGS": delay})
        random = Random(seed)  # noqa: S311 - a repeatable run, no secret
        self._clock = clock or LoopClock()
        self.network = Network(
            clock=self._clock,
            random=random,
            faults=network or NetworkFaults(reports=reports),
            ledger=Ledger(ledger),
        )
        self.modems = [
            SimulatedModem(
                Modem(
                    profile=profiles[index],
                    sim=identity(index, pin=pin),
                    network=self.network,
                    clock=self._clock,
                    random=random,
                    imei=_with_check_digit(f"3500000000{index:04d}"),
                    faults=knobs,
                ),
                Path(directory or "") / f"modem{index}",
            )
            for index in range(modems)
        ]
        self._watch: Watch | None = None

    async def __aenter__(self) -> Simulation:
        loop = asyncio.get_running_loop()
        self._watch = Watch(loop)
        if self._directory is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="gsmbridge-")
            for modem in self.modems:
                modem.link = Path(self._temporary.name) / modem.link.name
        else:
            os.makedirs(self._directory, exist_ok=True)
        for modem in self.modems:
            modem.start(loop, self._watch)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for modem in self.modems:
            modem.unplug()
        if self._watch is not None:
            self._watch.close()
        self.network.ledger.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def modem_of(self, number: str) -> SimulatedModem:
        """Raises KeyError."""
        for modem in self.modems:
            if modem.number == number:
                return modem
        raise KeyError(number)


def identity(index: int, *, pin: str | None = None) -> Sim:
    """The SIM of modem `index`."""
    return Sim(
        number=f"+{_FIRST_NUMBER + index}",
        iccid=_with_check_digit(f"894410000000000{index:04d}"),
        imsi=str(_FIRST_IMSI + index),
        pin=pin,
    )


def _profile(profile: str | Profile) -> Profile:
    if isinstance(profile, Profile):
        return profile
    try:
        return PROFILES[profile]
    except KeyError:
        raise ValueError(f"no profile {profile!r}; there are {', '.join(PROFILES)}") from None


def _with_check_digit(digits: str) -> str:
    """Luhn, as IMEI (23.003 §6.2) and ICCID (ITU-T E.118) end."""
    total = 0
    for at, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if at % 2 == 0 else 1)
        total += doubled // 10 + doubled % 10
    return f"{digits}{-total % 10}"
