"""What USSD texts look like on the line (27.007 §7.15, 23.038 §5). Pure: strings in, values out; nothing is raised but
`CommandError` for a text that cannot be written.

Modems give a text as it is, as UTF-16 in hexadecimal, as packed septets in hexadecimal, or as octets in hexadecimal,
and not always as the data coding scheme or +CSCS would have it. So it is read by what it can be."""

from __future__ import annotations

import re
from enum import IntEnum

import msgspec

from drivers.gsm import PduError, alphabet
from drivers.modems.commands import CommandError

__all__ = ["Said", "Verdict", "said", "written"]

MOST_SEPTETS = 182  # 160 octets, 24.090


class Verdict(IntEnum):
    """The first argument of +CUSD."""

    ENDED = 0  # nothing more is needed
    WAITS = 1  # the network wants a reply
    TERMINATED = 2  # by the network, often with the wanted text
    ELSEWHERE = 3  # another client has answered
    NOT_SUPPORTED = 4
    TIMED_OUT = 5


class Said(msgspec.Struct, frozen=True, kw_only=True):
    verdict: Verdict
    text: str = ""


def said(line: str) -> Said | None:
    """A +CUSD line, its text over several lines or not; None for what cannot be read."""
    found = _LINE.match(line)
    if found is None:
        return None
    text = found["text"]
    dcs = int(found["dcs"]) if found["dcs"] else None
    return Said(verdict=Verdict(int(found["verdict"])), text="" if text is None else _read(text, dcs))


def written(text: str, *, packed: bool) -> str:
    """A code or a reply as it stands between the quotes. Raises `CommandError`, which does not repeat it."""
    if not _TEXT.fullmatch(text):
        raise CommandError("a USSD text has 1 to 60 letters, digits, blanks and * # + . _ / -, and nothing else")
    if not packed:
        return text
    if len(text) > _MOST_PACKED:
        raise CommandError(f"this modem takes USSD texts of up to {_MOST_PACKED} characters")
    septets = alphabet.encode(text)
    if len(septets) % 8 == 7:
        septets += b"\r"  # 23.038 §6.1.2.3.1: seven spare bits would be read as @
    return alphabet.pack(septets).hex().upper()


_LINE = re.compile(
    r'\+CUSD:\s*(?P<verdict>[0-5])\s*(?:,\s*"(?P<text>.*?)"?\s*(?:,\s*(?P<dcs>\d{1,3})?\s*)?)?$', re.DOTALL
)
_TEXT = re.compile(r"[A-Za-z0-9 +._/*#-]{1,60}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_MOST_PACKED = 35  # characters: 62 hexadecimal digits, which fit into one line
_FEW_DIGITS = 10  # a row of so few digits is an amount or a number, not packed septets
_SURELY_OCTETS = 6  # packed septets that are all visible characters as they stand hardly ever are so many
_UNLIKELY = frozenset("Δ_ΦΓΛΩΠΨΣΘΞ¤¡¿§")  # among what a network says; a wrong way of reading is full of them


def _read(text: str, dcs: int | None) -> str:
    ucs2 = dcs is not None and _is_ucs2(dcs)
    if not _HEX.fullmatch(text) or (text.isdigit() and len(text) < _FEW_DIGITS and not (ucs2 and len(text) % 4 == 0)):
        return text.strip()
    octets = bytes.fromhex(text)
    wide = len(octets) >= 4 and not any(octets[::2])  # Latin letters in UTF-16, whatever the scheme says
    if wide or ucs2:
        if dcs == 0x11:  # UCS2 behind a language of two septets in two octets, 23.038 §5
            octets = octets[2:]
        return octets[: len(octets) & ~1].decode("utf-16-be", "replace").strip()
    if dcs is not None and dcs & 0xCC == 0x44:  # 8-bit data
        return octets.decode("latin-1").strip()
    as_they_are = octets.decode("latin-1")
    if len(octets) >= _SURELY_OCTETS and as_they_are.isascii() and _likely(as_they_are):
        return as_they_are.strip()
    unpacked = _unpacked(octets)
    if unpacked is not None and _likely(unpacked):
        return unpacked
    return as_they_are.strip() if _likely(as_they_are) else text


def _is_ucs2(dcs: int) -> bool:
    return dcs == 0x11 or 8 <= dcs <= 11 or dcs & 0xCC == 0x48


def _unpacked(octets: bytes) -> str | None:
    try:
        septets = alphabet.unpack(octets, min(MOST_SEPTETS, len(octets) * 8 // 7))
        return alphabet.decode(septets).rstrip("\r@ \n").strip()
    except PduError:
        return None


def _likely(text: str) -> bool:
    """Something that a person could read."""
    return bool(text) and all((c.isprintable() or c in "\r\n") and c not in _UNLIKELY for c in text)
