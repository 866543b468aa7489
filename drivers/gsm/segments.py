"""How a text is cut into parts: encoding, number of parts, what is left, what forces UCS-2 (23.040 §9.2.3.24.1).

A part never ends within an escape pair or a surrogate pair. Other senders are not as careful, so `join_text` joins the
raw septets or octets of all parts first and reads them afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import msgspec

from drivers.contract import Encoding, Part
from drivers.gsm import PduError, alphabet
from drivers.gsm import udh as headers

__all__ = ["MOST_PARTS", "Plan", "capacity", "join_text", "plan", "plan_binary", "split", "split_binary", "utf16"]

MOST_PARTS = 255  # the part number is one octet


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`units`: septets, UTF-16 code units or octets that the content takes, headers not counted.

    `left`: units still free in the last part. `forced_by`: the character that forces UCS-2, at index `forced_at`; ""
    and -1 when nothing forces it.
    """

    encoding: Encoding
    parts: int
    units: int
    left: int
    forced_by: str = ""
    forced_at: int = -1


def plan(text: str, *, udh: bytes = b"", encoding: Encoding | None = None, wide: bool = False) -> Plan:
    """What `split` would do with the same arguments, without a reference."""
    encoding, units = _encode(text, encoding)
    forced_at, forced_by = -1, ""
    if encoding is Encoding.UCS2 and (foreign := alphabet.first_foreign(text)) is not None:
        forced_at, forced_by = foreign
    return _plan(encoding, units, udh, wide, forced_by, forced_at)


def plan_binary(data: bytes, *, udh: bytes = b"", wide: bool = False) -> Plan:
    """What `split_binary` would do."""
    return _plan(Encoding.BINARY, data, udh, wide, "", -1)


def split(
    text: str, *, reference: int, wide: bool = False, udh: bytes = b"", encoding: Encoding | None = None
) -> list[Part]:
    """The parts of `text`, 7-bit when all its characters allow it, else UCS-2; `encoding` insists on one.

    `udh`: the caller's own information elements, repeated in every part. A single part carries no concatenation
    element.
    """
    encoding, units = _encode(text, encoding)
    return _parts(encoding, units, reference, wide, udh)


def split_binary(data: bytes, *, reference: int, wide: bool = False, udh: bytes = b"") -> list[Part]:
    """The parts of 8-bit data."""
    return _parts(Encoding.BINARY, data, reference, wide, udh)


def join_text(parts: Sequence[tuple[Encoding, bytes, int, int]]) -> str:
    """The text of a message's parts in their order, each as (encoding, septets or octets, locking, single).

    Joined before they are read, since senders cut surrogate and escape pairs at the edge of a part.
    """
    pieces = []
    for (encoding, locking, single), run in groupby(parts, key=lambda part: (part[0], part[2], part[3])):
        data = [part[1] for part in run]
        if encoding is Encoding.GSM7:
            pieces.append(alphabet.decode(b"".join(data), locking=locking, single=single))
        elif encoding is Encoding.UCS2:
            pieces.append(utf16(_aligned(data)))
        else:
            pieces.append(b"".join(data).decode("latin-1"))
    return "".join(pieces)


def utf16(octets: bytes) -> str:
    """UCS-2 as it is used, UTF-16BE; half a pair becomes U+FFFD, an odd octet at the end is dropped."""
    return octets[: len(octets) & ~1].decode("utf-16-be", "replace")


def capacity(encoding: Encoding, udh: bytes) -> int:
    """Septets, code units or octets that one part can carry beside a header of these elements (23.040 §9.2.3.24)."""
    header = len(udh) + 1 if udh else 0
    if encoding is Encoding.GSM7:
        return 160 - (8 * header + 6) // 7  # the text begins on a septet boundary
    if encoding is Encoding.UCS2:
        return (140 - header) // 2
    return 140 - header


def _encode(text: str, encoding: Encoding | None) -> tuple[Encoding, bytes]:
    if encoding is Encoding.BINARY:
        raise PduError("a text is sent as 7-bit or UCS-2; 8-bit data has its own call")
    if encoding is not Encoding.UCS2:
        try:
            return Encoding.GSM7, alphabet.encode(text)
        except PduError:
            if encoding is Encoding.GSM7:
                raise
    try:
        return Encoding.UCS2, text.encode("utf-16-be")
    except UnicodeEncodeError as error:
        at = error.start
        raise PduError(f"character U+{ord(text[at]):04X} at {at} is half a surrogate pair, not a character") from None


def _cuts(encoding: Encoding, units: bytes, udh: bytes, wide: bool) -> tuple[list[int], int, int]:
    """Where each part ends (in bytes of `units`), bytes a unit, and units one part can carry."""
    if udh and (mine := headers.parse(udh)) and len(udh) > 139:
        raise PduError("the user-data header leaves no room: it has at most 139 octets")
    width = 2 if encoding is Encoding.UCS2 else 1
    room = capacity(encoding, udh)
    size = len(units)
    if size <= room * width:
        return [size], width, room
    if udh and (mine.has(0x00) or mine.has(0x08)):
        raise PduError(
            "the content takes more than one part, and the caller's header already has a concatenation element"
        )
    room = capacity(encoding, headers.concatenation(0, 1, 1, wide) + udh)
    if room < 2:
        raise PduError("the user-data header leaves no room for the content")
    step = room * width
    ends: list[int] = []
    at = 0
    while at < size:
        if len(ends) == MOST_PARTS:
            raise PduError(f"the content takes more than {MOST_PARTS} parts; a message can have no more")
        end = at + step
        if end < size:
            if encoding is Encoding.GSM7:
                end -= units[end - 1] == alphabet.ESCAPE
            elif encoding is Encoding.UCS2 and 0xD8 <= units[end - 2] <= 0xDB:
                end -= 2
        else:
            end = size
        ends.append(end)
        at = end
    return ends, width, room


def _plan(encoding: Encoding, units: bytes, udh: bytes, wide: bool, forced_by: str, forced_at: int) -> Plan:
    ends, width, room = _cuts(encoding, units, udh, wide)
    last = ends[-1] - (ends[-2] if len(ends) > 1 else 0)
    return Plan(
        encoding=encoding,
        parts=len(ends),
        units=len(units) // width,
        left=room - last // width,
        forced_by=forced_by,
        forced_at=forced_at,
    )


def _parts(encoding: Encoding, units: bytes, reference: int, wide: bool, udh: bytes) -> list[Part]:
    ends, _, _ = _cuts(encoding, units, udh, wide)
    total = len(ends)
    if total == 1:
        return [Part(encoding=encoding, udh=udh, data=units)]
    starts = [0, *ends[:-1]]
    return [
        Part(
            number=number,
            total=total,
            encoding=encoding,
            udh=headers.concatenation(reference, total, number, wide) + udh,
            data=units[start:end],
        )
        for number, (start, end) in enumerate(zip(starts, ends, strict=True), 1)
    ]


def _aligned(parts: list[bytes]) -> bytes:
    """UTF-16 octets of all parts. Odd ones were cut within a unit if the sum is even, else have an octet too many."""
    joined = b"".join(parts)
    if len(joined) % 2 == 0:
        return joined
    return b"".join(part[: len(part) & ~1] for part in parts)
