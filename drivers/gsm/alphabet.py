"""GSM 7-bit alphabet, its extension and national language tables, septet packing (23.038 §6.1, §6.2, Annex A).

A *septet* is a value 0-127; `bytes` of septets hold one a byte, unpacked. The escape 0x1B and the septet after it are
one character of the extension (single shift) table.

Speed: text goes through the interpreter's own character map, and packing is three mask-and-shift steps over one big
integer (eight bytes of 7 bits each become seven full ones), so the cost of a 160-character message is a few
microseconds.
"""

from __future__ import annotations

from codecs import charmap_build, charmap_decode, charmap_encode
from functools import cache

from drivers.gsm import PduError
from drivers.gsm.national import LOCKING, SINGLE

__all__ = ["BASIC", "ESCAPE", "EXTENSION", "decode", "encode", "first_foreign", "pack", "unpack"]

ESCAPE = 0x1B

# 23.038 §6.2.1; position 0x1B is the escape to the extension table, not a character.
BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)

# 23.038 §6.2.1.1. 0x0A is the page break; 0x0D (CR2) and 0x1B (SS2) are controls without a character.
EXTENSION = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}


def encode(text: str) -> bytes:
    """Septets of `text`, one a byte, extension characters as escape pairs.

    Raises `PduError` naming the first character that the alphabet and its extension table do not have.
    """
    try:
        raw: bytes = charmap_encode(text, "strict", _ENCODING)[0]
    except UnicodeEncodeError as error:
        raise _foreign(text, error.start) from None
    if raw.isascii() and 0 not in raw:
        return raw
    if 0 in raw:
        raise _foreign(text, text.index("\0"))
    for mark, septets in _EXPAND:
        raw = raw.replace(mark, septets)
    return raw


def decode(septets: bytes, *, locking: int = 0, single: int = 0) -> str:
    """Text of `septets`. Never raises, whatever the septets; bit 7 of each is ignored.

    `locking`, `single`: national language identifiers (23.038 §6.2.1.2.4); 0 and unknown ones mean the default tables.
    A septet that the single shift table does not define stands for itself (23.038 §6.2.1.1 note), an escape without a
    sense (1B 1B, or at the very end) for a space.
    """
    table = _table(locking)
    if ESCAPE not in septets and 0x9B not in septets:
        return charmap_decode(septets, "strict", table)[0]
    extension = SINGLE.get(single, EXTENSION)
    text: list[str] = []
    escaped = False
    for septet in septets:
        septet &= 0x7F
        if escaped:
            escaped = False
            text.append(" " if septet == ESCAPE else extension.get(septet) or table[septet])
        elif septet == ESCAPE:
            escaped = True
        else:
            text.append(table[septet])
    if escaped:
        text.append(" ")
    return "".join(text)


def first_foreign(text: str) -> tuple[int, str] | None:
    """Index and character that forces UCS-2; None when the whole text fits the 7-bit alphabet."""
    try:
        raw = charmap_encode(text, "strict", _ENCODING)[0]
    except UnicodeEncodeError as error:
        nul = text.find("\0", 0, error.start)
        at = error.start if nul < 0 else nul
        return at, text[at]
    at = raw.find(0)
    return None if at < 0 else (at, "\0")


def pack(septets: bytes, fill_bits: int = 0) -> bytes:
    """Septets to octets (23.038 §6.1.2.1), after `fill_bits` zero bits (0-6) that follow a user-data header."""
    count = len(septets)
    if count <= _LANES:
        packed = _squeeze(septets)
    else:
        packed = b"".join(_squeeze(septets[at : at + _LANES]) for at in range(0, count, _LANES))
    if fill_bits:
        size = (7 * count + fill_bits + 7) // 8
        return (int.from_bytes(packed, "little") << fill_bits).to_bytes(size, "little")
    return packed


def unpack(octets: bytes, count: int, fill_bits: int = 0) -> bytes:
    """`count` septets of `octets` after `fill_bits`; fewer when the octets do not hold as many."""
    count = max(0, min(count, (8 * len(octets) - fill_bits) // 7))
    if fill_bits:
        octets = (int.from_bytes(octets, "little") >> fill_bits).to_bytes(len(octets), "little")
    if count <= _LANES:
        return _spread(octets, count)
    step = _LANES // 8 * 7
    spread = b"".join(_spread(octets[at : at + step], _LANES) for at in range(0, len(octets), step))
    return spread[:count]


# --- Below: how ------------------------------------------------------------------------------------------------------

# The map's position 0 must be NUL for the interpreter to choose its fast form, so `@` (septet 0) and the extension
# characters stand at 128 and above and are put right afterwards, which only texts that have them pay for.
_ENCODING = charmap_build("\0" + BASIC[1:ESCAPE] + "\ufffe" + BASIC[ESCAPE + 1 :] + "@" + "".join(EXTENSION.values()))
_EXPAND = (
    (b"\x80", b"\0"),
    *((bytes((0x81 + at,)), bytes((ESCAPE, septet))) for at, septet in enumerate(EXTENSION)),
)


def _foreign(text: str, at: int) -> PduError:
    nul = text.find("\0", 0, at)
    at = at if nul < 0 else nul
    return PduError(f"character U+{ord(text[at]):04X} at {at} is not in the GSM 7-bit alphabet; it needs UCS-2")


@cache
def _table(locking: int) -> str:
    """256 characters, so that bit 7 is ignored by the interpreter's own map."""
    return LOCKING.get(locking, BASIC) * 2


_LANES = 160  # septets a single message can have; longer input goes in blocks of it (a multiple of 8)
_7, _14, _28 = (
    int.from_bytes(lane * (_LANES // len(lane)), "little")
    for lane in (
        b"\x7f\0",
        b"\xff\x3f\0\0",
        b"\xff\xff\xff\x0f\0\0\0\0",
    )
)
_7_HIGH, _14_HIGH, _28_HIGH = _7 << 8, _14 << 16, _28 << 32


def _squeeze(septets: bytes) -> bytes:
    """At most `_LANES` septets without fill. Lanes of 2, 4 and 8 bytes take up 14, 28 and 56 bits; then the gaps go."""
    bits = int.from_bytes(septets, "little")
    bits = (bits & _7) | ((bits & _7_HIGH) >> 1)
    bits = (bits & _14) | ((bits & _14_HIGH) >> 2)
    bits = (bits & _28) | ((bits & _28_HIGH) >> 4)
    count = len(septets)
    lanes = bytearray(bits.to_bytes(count + 7 & ~7, "little"))
    del lanes[7::8]
    return bytes(lanes[: (7 * count + 7) // 8])


def _spread(octets: bytes, count: int) -> bytes:
    """The way back of `_squeeze`."""
    lanes = bytearray(count + 7 & ~7)
    octets = octets[: len(lanes) // 8 * 7].ljust(len(lanes) // 8 * 7, b"\0")
    for at in range(7):
        lanes[at::8] = octets[at::7]
    bits = int.from_bytes(lanes, "little")
    bits = (bits & _28) | ((bits << 4) & _28_HIGH)
    bits = (bits & _14) | ((bits << 2) & _14_HIGH)
    bits = (bits & _7) | ((bits << 1) & _7_HIGH)
    return bits.to_bytes(len(lanes), "little")[:count]
