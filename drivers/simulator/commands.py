"""AT command lines: syntax, errors, and what a command's function looks like (V.250 §5, 27.007 §4)."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from drivers.simulator.modem import Modem

__all__ = ["AtError", "Command", "Form", "Handler", "Prompt", "cme", "cms", "fields", "number_in", "parse", "unquoted"]


class Form(Enum):
    EXECUTE = ""
    READ = "?"
    TEST = "=?"
    SET = "="


class Command(msgspec.Struct, frozen=True):
    """One command of a line. `name` in upper case without AT: "+CMGS", "^ICCID", "E", "&F"; "" for a bare AT."""

    name: str
    form: Form
    argument: str = ""  # behind "=", as written


class Prompt(msgspec.Struct, frozen=True):
    """The command asks for data. `done` gets what came before Ctrl-Z and has to answer."""

    done: Callable[[bytes], None]


Handler = Callable[["Modem", Command], list[str] | Prompt | None]
"""Information lines of the answer, OK follows; a prompt; or None when the function answers itself. Raises AtError."""


class AtError(Exception):
    """A final result that is not OK. `kind` "CME" or "CMS" with a number, or "" for the plain word."""

    def __init__(self, kind: str = "", code: int = 0) -> None:
        super().__init__(f"+{kind} ERROR: {code}" if kind else "ERROR")
        self.kind = kind
        self.code = code


def cme(code: int) -> AtError:
    return AtError("CME", code)


def cms(code: int) -> AtError:
    return AtError("CMS", code)


@lru_cache(maxsize=2048)
def parse(line: bytes) -> tuple[Command, ...] | None:
    """The commands of a line without its CR; None for what does not start with AT, which modems ignore."""
    text = line.decode("latin-1").strip("\n\0 ")
    if text[:2].upper() != "AT":
        return None
    rest = text[2:].strip()
    if not rest:
        return (Command("", Form.EXECUTE),)
    commands = []
    while rest:
        extended = _EXTENDED.match(rest)
        if extended is not None:
            body, rest = _until_semicolon(rest)
            name = extended[1].upper()
            commands.append(_formed(name, body[len(extended[1]) :].strip()))
            continue
        basic = _BASIC.match(rest)
        if basic is None:
            commands.append(Command(rest, Form.EXECUTE))
            break
        name, argument = basic[1].upper(), basic[2]
        rest = rest[basic.end() :].lstrip(" ;")
        if name == "D":  # the rest of the line is the number
            commands.append(Command(name, Form.EXECUTE, argument + rest))
            break
        commands.append(_formed(name, argument) if argument[:1] in ("?", "=") else Command(name, Form.SET, argument))
    return tuple(commands)


def fields(argument: str) -> list[str]:
    """The values of a list, quotes kept, commas within quotes kept."""
    return [field.strip() for field in _FIELD.findall(argument)] if argument else []


def number_in(command: Command) -> int:
    """The one number a command is given, 0 when it is left out. Raises AtError."""
    text = command.argument.lstrip("=").strip() or "0"
    if not text.isdigit():
        raise AtError
    return int(text)


def unquoted(field: str) -> str:
    return field[1:-1] if len(field) >= 2 and field[0] == field[-1] == '"' else field


_EXTENDED = re.compile(r"([+^#!*$%][A-Za-z][A-Za-z0-9]*)")
_BASIC = re.compile(r"(S\d+|&?[A-Za-z])\s*(=\?|\?|=\s*\d*|\d*)", re.IGNORECASE)
_FIELD = re.compile(r'(?:^|,)((?:[^,"]|"[^"]*"?)*)')


def _formed(name: str, tail: str) -> Command:
    if tail.startswith("=?"):
        return Command(name, Form.TEST)
    if tail.startswith("?"):
        return Command(name, Form.READ)
    if tail.startswith("="):
        return Command(name, Form.SET, tail[1:].strip())
    return Command(name, Form.EXECUTE, tail)


def _until_semicolon(text: str) -> tuple[str, str]:
    quoted = False
    for at, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif character == ";" and not quoted:
            return text[:at], text[at + 1 :].lstrip()
    return text, ""
