"""What a modem writes: how answers are framed, what is pushed between, in which pieces it goes out."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from drivers.simulator.faults import Faults
from drivers.simulator.menus import Screen
from drivers.simulator.profiles import Profile

__all__ = ["Settings", "UssdState", "Writer"]

OUTPUT = 262_144  # octets kept of what paced writing has not written yet
_NUMERIC = {"OK": "0", "CONNECT": "1", "RING": "2", "NO CARRIER": "3", "ERROR": "4"}  # V.250 §5.7.1


class UssdState(msgspec.Struct):
    """`number` counts what the host said; `screen`: what the network wants an answer to."""

    number: int = 0
    screen: Screen | None = None


class Settings(msgspec.Struct, kw_only=True):
    """What a reset sets back (all of it is volatile)."""

    echo: bool
    verbose: bool = True
    quiet: bool = False
    errors: int = 0  # +CMEE
    text_mode: bool  # +CMGF
    charset: str = "GSM"  # +CSCS
    service: int = 0  # +CSMS
    indications: list[int]  # +CNMI
    storages: list[str]  # +CPMS
    registration: dict[str, int] = msgspec.field(default_factory=dict)  # +CREG, +CGREG, +CEREG
    operator_format: int = 0
    ussd: UssdState = msgspec.field(default_factory=UssdState)
    values: dict[str, str] = msgspec.field(default_factory=dict)  # of commands that only remember

    @staticmethod
    def fresh(profile: Profile) -> Settings:
        first = profile.default_storage
        return Settings(
            echo=profile.starts_with_echo,
            text_mode=profile.starts_in_text_mode,
            indications=[int(value) for value in profile.cnmi_start.split(",")],
            storages=[first, first, first],
        )


class Writer:
    """`later(delay, call)` is how it comes back for the next piece. Octets written before `attach` are lost."""

    def __init__(self, profile: Profile, later: Callable[..., None]) -> None:
        self._profile = profile
        self._later = later
        self._write: Callable[[bytes], None] = _nowhere
        self._out = bytearray()
        self._injected: dict[int, int] = {}

    def attach(self, write: Callable[[bytes], None]) -> None:
        self._write = write

    def clear(self) -> None:
        """Drop what has not gone out."""
        self._out.clear()

    def recount(self) -> None:
        """Injections begin anew."""
        self._injected.clear()

    def framed(self, lines: list[str], final: str, settings: Settings, faults: Faults) -> bytes:
        """Information lines and a final result; "" for none."""
        newline = self._profile.newline if faults.newline is None else faults.newline
        lead = newline if faults.leading_newline and settings.verbose else ""
        text = lead + newline.join(lines) + newline if lines else ""
        if final and not settings.quiet:
            text += lead + final + newline if settings.verbose else _NUMERIC.get(final, "4") + "\r"
        return text.encode("latin-1", "replace")

    def with_injections(self, name: str, data: bytes, faults: Faults) -> bytes:
        """The answer to command `name`, with the lines that faults push into it."""
        for number, injection in enumerate(faults.inject):
            used = self._injected.get(number, 0)
            if injection.command in ("", name) and (injection.times == 0 or used < injection.times):
                self._injected[number] = used + 1
                line = f"\r\n{injection.text}\r\n".encode("latin-1", "replace")
                data = data[: injection.at] + line + data[injection.at :]
        return data

    def put(self, data: bytes, faults: Faults) -> None:
        """Write, or queue for paced writing."""
        if not faults.chunk and not self._out:
            self._write(data)
            return
        idle = not self._out
        self._out += data[: OUTPUT - len(self._out)]
        if idle:
            self._later(0.0, self._drip, faults.chunk, faults.gap)

    def _drip(self, chunk: int, gap: float) -> None:
        piece = bytes(self._out[: chunk or len(self._out)])
        del self._out[: len(piece)]
        self._write(piece)
        if self._out:
            self._later(gap, self._drip, chunk, gap)


def _nowhere(_: bytes) -> None:
    """A modem whose port nobody has opened."""
