"""The one place where a command line for a modem is written.

A `Command` can only be built from a verb and typed arguments, and each kind of argument has a grammar. Whatever
reaches this module from outside, a number, a PIN or a storage name, no CR, LF, Ctrl-Z, ESC, NUL, quote or byte above
0x7E gets through, and `CommandError` says which argument was refused. PDUs never pass here: they are hexadecimal data
behind a prompt."""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

__all__ = [
    "GRAMMAR",
    "MAX_LINE",
    "Argument",
    "Command",
    "CommandError",
    "build",
    "digits",
    "integer",
    "number",
    "pin",
    "send",
    "storage",
    "ussd",
    "ussd_end",
    "vendor",
    "word",
]

MAX_LINE = 78  # old Telit and Siemens firmwares cut longer lines

_VERB = r"AT(?:[A-Z&][A-Z0-9]{0,3}|[+^#!*$%&][A-Z0-9_]{1,15})?"
_ARGUMENT = r'(?:-?[0-9]{1,10}|"[A-Za-z0-9 +._/*#-]{0,63}")?'
GRAMMAR = re.compile(rf"{_VERB}(?:\?|=\?|=(?!\?){_ARGUMENT}(?:,{_ARGUMENT}){{0,9}})?")
"""What a command line may look like; the property test holds every written byte against it."""

_USSD_ROOM = MAX_LINE - len('AT+CUSD=1,"",15')
_VERB_ONLY = re.compile(rf"{_VERB}(?:\?|=\?)?")
_SHAPES = {
    "number": re.compile(r"\+?[0-9]{3,15}"),
    "storage": re.compile(r"[A-Z]{2}"),
    "pin": re.compile(r"[0-9]{4,8}"),
    "word": re.compile(r"[A-Za-z0-9 ._/-]{1,24}"),
    "digits": re.compile(r"[0-9]{1,10}"),
    "USSD text": re.compile(rf"[A-Za-z0-9 +._/*#-]{{1,{_USSD_ROOM}}}"),
}
_PDU = re.compile(r"[0-9A-F]{2,400}")
_USSD_DCS = 15  # the default alphabet, language not told (23.038 §5)


class CommandError(ValueError):
    """An argument does not fit its grammar. Nothing was written."""


class Argument(msgspec.Struct, frozen=True):
    """A checked argument as it stands on the line. Made by the functions below only."""

    text: str


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One command line and how to recognise its answer.

    `owns`: prefixes whose lines belong to the answer; any other line that arrives meanwhile is a notification.
    `bare`: the answer has lines without prefix (AT+CGMI). `informs`: an OK without an information line is suspect.
    `lists`: information lines are followed by a PDU line. `prompts`: a `>` comes before the result. `sms`: it may end
    in +CMS ERROR. `secret`: keep it out of traces.
    """

    text: str
    owns: tuple[str, ...] = ()
    bare: bool = False
    informs: bool = False
    lists: bool = False
    prompts: bool = False
    sms: bool = False
    secret: bool = False


def integer(value: int, low: int = 0, high: int = 65535) -> Argument:
    """A number between `low` and `high`."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise CommandError(f"{value!r} is not a whole number from {low} to {high}")
    return Argument(str(value))


def number(value: str) -> Argument:
    """A telephone number: an optional + and 3 to 15 digits."""
    return _quoted("number", value)


def storage(value: str) -> Argument:
    """A message storage (27.005 §2.2.2): two capital letters."""
    return _quoted("storage", value)


def pin(value: str) -> Argument:
    """A PIN: 4 to 8 digits (31.101 §9.5.1). The value is not repeated in the error."""
    if not _SHAPES["pin"].fullmatch(value):
        raise CommandError("a PIN has 4 to 8 digits and nothing else")
    return Argument(f'"{value}"')


def word(value: str) -> Argument:
    """A quoted word of letters, digits, blanks, dots, dashes, slashes and underscores."""
    return _quoted("word", value)


def digits(value: str) -> Argument:
    """Digits without quotes."""
    if not _SHAPES["digits"].fullmatch(value):
        raise CommandError(f"{value!r} is not a row of digits")
    return Argument(value)


def build(
    verb: str,
    *arguments: Argument,
    bare: bool = False,
    informs: bool = False,
    lists: bool = False,
    sms: bool = False,
    secret: bool = False,
    owns: tuple[str, ...] | None = None,
) -> Command:
    """A command from its verb ("AT+CNMI", "AT+CREG?") and arguments. The prefix of the verb is owned by default."""
    if not _VERB_ONLY.fullmatch(verb) or (arguments and verb.endswith("?")):
        raise CommandError(f"{verb!r} is not an AT command")
    text = verb + ("=" + ",".join(a.text for a in arguments) if arguments else "")
    if len(text) > MAX_LINE or not GRAMMAR.fullmatch(text):
        raise CommandError(f"the command {verb} with these arguments is not one a modem takes")
    return Command(
        text=text,
        owns=_prefix(verb) if owns is None else owns,
        bare=bare,
        informs=informs,
        lists=lists,
        sms=sms,
        secret=secret,
    )


def vendor(text: str, *, owns: tuple[str, ...] | None = None, bare: bool = False, informs: bool = False) -> Command:
    """A fixed command line out of a profile ('AT+QURCCFG="urcport","usbat"'), held against the same grammar."""
    if len(text) > MAX_LINE or not GRAMMAR.fullmatch(text):
        raise CommandError(f"{text!r} is not an AT command")
    return Command(text=text, owns=_prefix(text) if owns is None else owns, bare=bare, informs=informs)


@lru_cache(maxsize=256, typed=True)
def send(length: int) -> Command:
    """AT+CMGS in PDU mode (27.005 §4.3). `length`: octets of the TPDU, without the service-centre part."""
    text = f"AT+CMGS={integer(length, 1, 175).text}"
    return Command(text=text, owns=("+CMGS:",), informs=True, prompts=True, sms=True)


def ussd(text: str) -> Command:
    """AT+CUSD=1 (27.007 §7.15): a code or a reply, as the modem wants it written. It owns no line: the network's answer
    comes when it comes, before the OK or a minute behind it. The error does not repeat the text."""
    if not _SHAPES["USSD text"].fullmatch(text):
        raise CommandError(f"a USSD text that takes {len(text)} characters on the line is none that a modem takes")
    return Command(text=f'AT+CUSD=1,"{text}",{_USSD_DCS}')


def ussd_end() -> Command:
    """AT+CUSD=2: end the session."""
    return build("AT+CUSD", integer(2), owns=())


def pdu_bytes(pdu: str) -> bytes:
    """The PDU as it is written behind the prompt, ended by Ctrl-Z."""
    if not _PDU.fullmatch(pdu) or len(pdu) % 2:
        raise CommandError("a PDU is an even row of upper-case hexadecimal digits")
    return pdu.encode("ascii") + b"\x1a"


def _quoted(shape: str, value: str) -> Argument:
    if not _SHAPES[shape].fullmatch(value):
        raise CommandError(f"{value!r} is not a {shape}")
    return Argument(f'"{value}"')


def _prefix(text: str) -> tuple[str, ...]:
    name = re.match(r"AT([+^#!*$%&][A-Z0-9_]+)", text)
    return (name[1] + ":",) if name else ()
