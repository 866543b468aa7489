"""Scenarios: what a host and a modem say to each other, one line each, in a notation for people and for `player`.

    # S01 Normal
    profile: simcom
    H| AT+CMGS=19
    M>
    H^ {S1}
    @3.4
    M| +CMGS: 42
    M| OK
    must: accepted, MR 42.

| line | meaning |
| --- | --- |
| `H| text` | the host writes text and CR |
| `H= bytes` | the host writes exactly these bytes |
| `H^ {X}` | the host writes PDU X and Ctrl-Z |
| `M| text` | the modem writes CR LF text CR LF |
| `M>` | the modem writes CR LF > SP |
| `M= bytes` | the modem writes exactly these bytes |
| `@ s` | s seconds pass |
| `! text` | something happens beside the line |

In bytes, `<CR> <LF> <SP> <ESC> <SUB> <NUL>` and two hexadecimal digits, `<FF>`, are one byte; `{X}` is a PDU of `pdus`.
A scenario begins at its title, `# name title` or `**name title**`; empty lines and lines of back-ticks are skipped.
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from drivers.simulator.pdus import PDUS

__all__ = ["Mark", "Scenario", "ScenarioError", "Step", "parse_all"]


class ScenarioError(ValueError):
    """A scenario that cannot be read; names the line."""


class Mark(StrEnum):
    HOST_LINE = "H|"
    HOST_BYTES = "H="
    HOST_PDU = "H^"
    MODEM_LINE = "M|"
    MODEM_PROMPT = "M>"
    MODEM_BYTES = "M="
    TIME = "@"
    EVENT = "!"


class Step(msgspec.Struct, frozen=True):
    """One line. `data`: the bytes it stands for; b"" for time and events."""

    mark: Mark
    text: str = ""

    @property
    def by_host(self) -> bool:
        return self.mark in (Mark.HOST_LINE, Mark.HOST_BYTES, Mark.HOST_PDU)

    @property
    def by_modem(self) -> bool:
        return self.mark in (Mark.MODEM_LINE, Mark.MODEM_PROMPT, Mark.MODEM_BYTES)

    @property
    def seconds(self) -> float:
        return float(self.text) if self.mark is Mark.TIME else 0.0

    @property
    def data(self) -> bytes:
        match self.mark:
            case Mark.HOST_LINE:
                return _octets(self.text) + b"\r"
            case Mark.HOST_PDU:
                return _octets(self.text) + b"\x1a"
            case Mark.HOST_BYTES | Mark.MODEM_BYTES:
                return _octets(self.text)
            case Mark.MODEM_LINE:
                return b"\r\n" + _octets(self.text) + b"\r\n"
            case Mark.MODEM_PROMPT:
                return b"\r\n> "
            case Mark.TIME | Mark.EVENT:
                return b""

    def __str__(self) -> str:
        return f"{self.mark}{self.text}" if self.mark is Mark.TIME else f"{self.mark} {self.text}".rstrip()


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """`must`: what the host has to do, a sentence. `profile`: a name of `profiles.PROFILES`."""

    name: str
    title: str = ""
    profile: str = "simcom"
    steps: tuple[Step, ...] = ()
    must: str = ""

    @staticmethod
    def parse(text: str) -> Scenario:
        """The one scenario in `text`. Raises ScenarioError."""
        found = parse_all(text)
        if len(found) != 1:
            raise ScenarioError(f"expected one scenario, there are {len(found)}")
        return found[0]

    def render(self) -> str:
        """Text that `parse` reads back."""
        lines = [f"# {self.name} {self.title}".rstrip(), f"profile: {self.profile}", *map(str, self.steps)]
        return "\n".join(lines + ([f"must: {self.must}"] if self.must else [])) + "\n"


def parse_all(text: str) -> list[Scenario]:
    """Scenarios in their order. Raises ScenarioError."""
    found: list[Scenario] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("```"):
            continue
        title = _TITLE.match(line)
        if title is not None:
            found.append(Scenario(name=title["name"], title=(title["title"] or "").strip()))
            continue
        if not found:
            raise ScenarioError(f"line {number}: a scenario begins with '# name title', not {line!r}")
        found[-1] = _extended(found[-1], line, number)
    names = [scenario.name for scenario in found]
    if len(set(names)) != len(names):
        raise ScenarioError(f"two scenarios have the same name: {sorted({n for n in names if names.count(n) > 1})}")
    return found


def _extended(scenario: Scenario, line: str, number: int) -> Scenario:
    field = _FIELD.match(line)
    if field is not None:
        return msgspec.structs.replace(scenario, **{field[1].lower(): field[2].strip()})
    mark = next((mark for mark in Mark if line.startswith(mark)), None)
    if mark is None:
        raise ScenarioError(f"line {number}: {line!r} begins with none of {', '.join(Mark)}, profile: and must:")
    step = Step(mark, line[len(mark) :].strip())
    try:
        _ = step.data, step.seconds
    except (ScenarioError, ValueError) as error:
        raise ScenarioError(f"line {number}: {error}") from None
    return msgspec.structs.replace(scenario, steps=(*scenario.steps, step))


_TITLE = re.compile(r"(?:#|\*\*)\s*(?P<name>[A-Z]\w*)\b(?P<title>[^*]*)(?:\*\*.*)?$")
_FIELD = re.compile(r"(profile|must)(?: \([^)]*\))?:(.*)", re.IGNORECASE)
_TOKEN = re.compile(r"<(CR|LF|SP|ESC|SUB|NUL|[0-9A-F]{2})>|\{(\w+)\}")
_NAMED = {"CR": b"\r", "LF": b"\n", "SP": b" ", "ESC": b"\x1b", "SUB": b"\x1a", "NUL": b"\0"}


def _octets(text: str) -> bytes:
    data, at = bytearray(), 0
    for token in _TOKEN.finditer(text):
        data += text[at : token.start()].encode("latin-1")
        at = token.end()
        if token[2] is None:
            data += _NAMED.get(token[1]) or bytes.fromhex(token[1])
        elif token[2] in PDUS:
            data += PDUS[token[2]].encode("ascii")
        else:
            raise ScenarioError(f"no PDU is named {{{token[2]}}}")
    return bytes(data + text[at:].encode("latin-1"))
