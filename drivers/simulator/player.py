"""Plays a scenario from the modem's side, without I/O: bytes in, actions out.

The host may say more than the scenario tells, a query of signal strength say. An *understudy*, an ordinary simulated
modem, answers that, except while a send is open: between AT+CMGS and its result nothing else may be written, and no
send is ever left to the understudy.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec

from drivers.simulator.clock import SteppedClock
from drivers.simulator.faults import NetworkFaults
from drivers.simulator.modem import Modem
from drivers.simulator.network import Network
from drivers.simulator.profiles import PROFILES
from drivers.simulator.scenario import Mark, Scenario, Step
from drivers.simulator.simulation import identity

__all__ = ["Action", "Done", "Extra", "Happens", "NeedHost", "Player", "ScenarioFailed", "Understudy", "Wait", "Write"]

INPUT = 65_536  # octets kept of what the host wrote ahead of the scenario
EXTRAS = 10_000  # unscripted commands remembered
_SENDS = (b"AT+CMGS=", b"AT+CMSS=", b"AT+CMGW=")


class Write(msgspec.Struct, frozen=True):
    data: bytes


class Wait(msgspec.Struct, frozen=True):
    """Ask again after so many seconds, or when the host has written."""

    seconds: float


class Happens(msgspec.Struct, frozen=True):
    """Something beside the line, to be done by the caller."""

    text: str


class NeedHost(msgspec.Struct, frozen=True):
    """It is the host's turn."""

    expected: bytes


class Done(msgspec.Struct, frozen=True):
    """The scenario is over; the understudy goes on answering."""


Action = Write | Wait | Happens | NeedHost | Done


class Extra(msgspec.Struct, frozen=True):
    """A command the scenario does not tell. `step`: the number of steps done by then; -1 before `begin`."""

    step: int
    line: bytes


class ScenarioFailed(AssertionError):
    """The host did not keep to the scenario."""


class Understudy:
    """An ordinary modem of a profile: registered, PDU mode, echo off, empty store."""

    def __init__(self, profile: str = "simcom") -> None:
        self._clock = SteppedClock()
        random = Random(0)  # noqa: S311 - a repeatable run, no secret
        network = Network(clock=self._clock, random=random, faults=NetworkFaults(reports=None))
        self.modem = Modem(
            profile=PROFILES[profile],
            sim=identity(0),
            network=network,
            clock=self._clock,
            random=random,
            imei="490154203237518",
        )
        self._said = bytearray()
        self.modem.attach(self._said.extend)
        self.modem.power_on()
        self._clock.advance(60)  # until the SMS layer is ready
        self.modem.settings.echo = self.modem.settings.text_mode = False

    def answer(self, data: bytes) -> bytes:
        self.modem.receive(data)
        self._clock.advance(0.1)
        said = bytes(self._said)
        self._said.clear()
        return said


class Player:
    """One run. `scale`: an `@10` takes 10 * scale seconds of `clock`. `understudy` None: any unscripted byte fails.

    A wait ends early when the host writes what it shall write next: its own patience decides, not the scenario's. With
    `begun` false everything goes to the understudy until `begin`, so that a driver can start in peace.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        clock: Callable[[], float],
        scale: float = 1.0,
        understudy: Understudy | None = None,
        begun: bool = True,
        same_pdu: Callable[[str, str], bool] = str.__eq__,
    ) -> None:
        self.scenario = scenario
        self.extra: list[Extra] = []
        self.begun = begun
        self._clock = clock
        self._scale = scale
        self._understudy = understudy
        self._same_pdu = same_pdu
        self._in = bytearray()
        self._at = 0
        self._until: float | None = None
        self._sending = False

    @property
    def step(self) -> Step | None:
        """What is due now; None at the end."""
        return self.scenario.steps[self._at] if self._at < len(self.scenario.steps) else None

    @property
    def done(self) -> bool:
        return self.begun and self.step is None

    def begin(self) -> None:
        self.begun = True

    def receive(self, data: bytes) -> None:
        """Octets from the host, cut anywhere. Raises ScenarioFailed when there are more than any host writes."""
        if len(self._in) + len(data) > INPUT:
            raise ScenarioFailed(f"{self._place()}: the host floods the line")
        self._in += data

    def next(self) -> Action:
        """What the modem does now. Raises ScenarioFailed."""
        if not self.begun:
            return self._aside() or Wait(3600.0)
        step = self.step
        if step is None:
            return self._aside() or Done()
        if step.by_modem:
            self._advance(step)
            return Write(step.data)
        if step.mark is Mark.EVENT:
            self._advance(step)
            return Happens(step.text)
        if step.mark is Mark.TIME:
            return self._waiting(step)
        return self._hosts_turn(step)

    def _waiting(self, step: Step) -> Action:
        if self._until is None:
            self._until = self._clock() + step.seconds * self._scale
        following = self._at + 1
        if following < len(self.scenario.steps):
            expected = self.scenario.steps[following]
            if expected.by_host and self._starts_with(expected):
                self._until = None
                self._at = following
                return self._hosts_turn(expected)
        aside = self._aside()
        if aside is not None:
            return aside
        left = self._until - self._clock()
        if left > 0:
            return Wait(left)
        self._until = None
        self._advance(step)
        return self.next()

    def _hosts_turn(self, step: Step) -> Action:
        if self._starts_with(step):
            del self._in[: self._length(step)]
            self._advance(step)
            return self.next()
        return self._aside(step) or NeedHost(step.data)

    def _advance(self, step: Step) -> None:
        self._at += 1
        if step.by_host:
            self._sending = step.mark is Mark.HOST_PDU or step.data.upper().startswith(_SENDS)
        elif step.by_modem and any(word in step.data for word in (b"OK\r", b"ERROR", b"RDY")):
            self._sending = False

    def _starts_with(self, step: Step) -> bool:
        if step.mark is Mark.HOST_PDU:
            end = self._in.find(b"\x1a")
            return end >= 0 and self._same_pdu(
                step.data[:-1].decode("latin-1"), self._in[:end].decode("latin-1").strip().upper()
            )
        if step.data in (b"\r", b"\x1b"):
            return self._in.startswith(step.data)
        return self._in.lstrip(b"\r\n").startswith(step.data)

    def _length(self, step: Step) -> int:
        if step.mark is Mark.HOST_PDU:
            return self._in.index(b"\x1a") + 1
        skipped = 0 if step.data in (b"\r", b"\x1b") else len(self._in) - len(self._in.lstrip(b"\r\n"))
        return skipped + len(step.data)

    def _aside(self, expected: Step | None = None) -> Write | None:
        """One unscripted line of the host, if it is complete."""
        while True:
            if expected is not None and expected.data.startswith(bytes(self._in)):
                return None  # the beginning of what is due
            end = next((at for at, octet in enumerate(self._in) if octet in b"\r\x1b\x1a"), None)
            if end is None:
                return None
            line = bytes(self._in[: end + 1])
            del self._in[: end + 1]
            words = line.strip(b"\r\n\0 ")
            if not words or line == b"\x1b":  # waking the line, freeing a prompt: modems say nothing to it
                continue
            if self._understudy is None or self._sending or words.upper().startswith(_SENDS) or line[-1] == 0x1A:
                raise ScenarioFailed(f"{self._place()}: the host wrote {line!r}, {self._due()}")
            if len(self.extra) < EXTRAS:
                self.extra.append(Extra(self._at if self.begun else -1, words))
            return Write(self._understudy.answer(line))

    def _place(self) -> str:
        return f"{self.scenario.name} step {self._at + 1}"

    def _due(self) -> str:
        step = self.step
        if not self.begun:
            return "and the scenario has not begun"
        return "and the scenario is over" if step is None else f"due is {str(step)!r}"
