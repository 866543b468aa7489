"""TPDUs as the SMS centre handles them: it reads a few octets of what it takes and passes user data on as it came.

This is on purpose not the codec of `drivers.gsm.pdu`: the network must not share a mistake with the driver it tests.
PDUs here are bytes with the SMSC field in front, as modems write them (27.005 §3.1). Clauses are those of 23.040.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import msgspec

from drivers.contract import Encoding, Part, Reference
from drivers.gsm import alphabet

__all__ = [
    "Submit",
    "TpduError",
    "address",
    "deliver",
    "encoding_of",
    "message_class",
    "national",
    "number_of",
    "read_submit",
    "reference_of",
    "report",
    "sender_of",
    "smsc_field",
    "stamp_text",
    "text_of",
    "time_stamp",
    "tpdu_length",
    "user_data",
]

_DIGITS = "0123456789*#abc"
_NIBBLES = {digit: f"{value:x}" for value, digit in enumerate(_DIGITS)}

MTI_DELIVER, MTI_SUBMIT, MTI_REPORT = 0, 1, 2  # §9.2.3.1
UDHI = 0x40  # §9.2.3.23
SRR = 0x20  # §9.2.3.5
_MORE = 0x04  # TP-MMS set: no more messages wait, §9.2.3.2
_VALIDITY_OCTETS = (0, 7, 1, 7)  # by TP-VPF: none, enhanced, relative, absolute, §9.2.3.3


class TpduError(ValueError):
    """Not a TPDU a network would take."""


class Submit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """SMS-SUBMIT, §9.2.2.2."""

    first: int
    reference: int
    destination: bytes  # the address field: count of digits, type, semi-octets
    protocol_id: int
    dcs: int
    count: int  # TP-UDL: septets or octets
    data: bytes  # TP-UD with its header

    @property
    def wants_report(self) -> bool:
        return bool(self.first & SRR)


def read_submit(pdu: bytes) -> Submit:
    """Raises TpduError for anything but a whole SMS-SUBMIT."""
    try:
        at = 1 + pdu[0]
        first = pdu[at]
        if first & 3 != MTI_SUBMIT:
            raise TpduError("not a SUBMIT")
        end = at + 4 + (pdu[at + 2] + 1) // 2
        destination = pdu[at + 2 : end]
        rest = end + 2 + _VALIDITY_OCTETS[first >> 3 & 3]
        count, data = pdu[rest], pdu[rest + 1 :]
        dcs = pdu[end + 1]
        octets = (count * 7 + 7) // 8 if encoding_of(dcs) is Encoding.GSM7 else count
        if len(data) != octets or octets > 140:
            raise TpduError(f"{len(data)} octets of user data where the length says {octets}")
        return Submit(
            first=first,
            reference=pdu[at + 1],
            destination=destination,
            protocol_id=pdu[end],
            dcs=dcs,
            count=count,
            data=data,
        )
    except IndexError:
        raise TpduError("it ends too early") from None


def tpdu_length(pdu: bytes) -> int:
    """Octets behind the SMSC field: what +CMGS, +CMGL, +CMT and +CDS count."""
    return len(pdu) - 1 - pdu[0]


# --- Building what comes from the network -----------------------------------------------------------------------------


def deliver(
    *,
    smsc: str,
    originator: bytes,
    stamp: bytes,
    count: int,
    data: bytes,
    header: bool = False,
    protocol_id: int = 0,
    dcs: int = 0,
) -> bytes:
    """SMS-DELIVER, §9.2.2.1."""
    first = MTI_DELIVER | _MORE | (UDHI if header else 0)
    return smsc_field(smsc) + bytes((first,)) + originator + bytes((protocol_id, dcs)) + stamp + bytes((count,)) + data


def report(*, smsc: str, reference: int, recipient: bytes, taken: bytes, discharged: bytes, status: int) -> bytes:
    """SMS-STATUS-REPORT, §9.2.2.3, without its optional part."""
    first = MTI_REPORT | _MORE
    return smsc_field(smsc) + bytes((first, reference)) + recipient + taken + discharged + bytes((status,))


def user_data(part: Part) -> tuple[int, bytes]:
    """TP-UDL and TP-UD of a part, §9.2.3.16 and .24."""
    header = bytes((len(part.udh),)) + part.udh if part.udh else b""
    if part.encoding is not Encoding.GSM7:
        return len(header) + len(part.data), header + part.data
    fill = -8 * len(header) % 7
    return (8 * len(header) + fill) // 7 + len(part.data), header + alphabet.pack(part.data, fill)


def time_stamp(wall: float, quarters: int = 0) -> bytes:
    """TP-SCTS, §9.2.3.11: seven octets of swapped digits in local time, the last the zone in quarters of an hour."""
    at = datetime.fromtimestamp(wall, tz=timezone(timedelta(minutes=15 * quarters)))
    zone = int(_swapped(f"{abs(quarters):02d}"), 16) | (0x08 if quarters < 0 else 0)
    return bytes.fromhex(_swapped(at.strftime("%y%m%d%H%M%S"))) + bytes((zone,))


def address(number: str) -> bytes:
    """An address field, §9.1.2.5: "+..." type 91, digits type 81, anything else a name of type D0."""
    digits = number.removeprefix("+")
    if digits and all(digit in _NIBBLES for digit in digits):
        return bytes((len(digits), 0x91 if number.startswith("+") else 0x81)) + _semi_octets(digits)
    septets = alphabet.encode(number)
    if len(septets) > 11:
        raise TpduError(f"a sender's name has at most 11 characters, {number!r} has more")
    return bytes(((len(septets) * 7 + 3) // 4, 0xD0)) + alphabet.pack(septets)


def smsc_field(number: str) -> bytes:
    """The field in front of a TPDU: octets that follow, type, semi-octets (24.011 §8.2.5.2)."""
    digits = number.removeprefix("+")
    if not digits:
        return b"\0"
    octets = _semi_octets(digits)
    return bytes((1 + len(octets), 0x91 if number.startswith("+") else 0x81)) + octets


def national(number: str, country: str) -> str:
    """The form a subscriber of `country` ("+44") dials: +447700900123 is 07700900123."""
    return "0" + number[len(country) :] if country and number.startswith(country) else number


# --- Reading ----------------------------------------------------------------------------------------------------------


def number_of(field: bytes) -> str:
    """The number or name in an address field."""
    if len(field) < 2:
        return ""
    if field[1] & 0x70 == 0x50:  # alphanumeric
        return alphabet.decode(alphabet.unpack(field[2:], field[0] * 4 // 7))
    digits = _swapped(field[2:].hex())[: field[0]]
    return ("+" if field[1] & 0x70 == 0x10 else "") + "".join(_DIGITS[int(d, 16)] for d in digits if d != "f")


def sender_of(pdu: bytes) -> str:
    """The originator of a DELIVER."""
    at = 2 + pdu[0]
    return number_of(pdu[at : at + 2 + (pdu[at] + 1) // 2])


def encoding_of(dcs: int) -> Encoding:
    """23.038 §4, as far as it decides how user data is counted."""
    if dcs < 0x80:
        return (Encoding.GSM7, Encoding.BINARY, Encoding.UCS2, Encoding.GSM7)[dcs >> 2 & 3]
    if dcs >= 0xF0:
        return Encoding.BINARY if dcs & 4 else Encoding.GSM7
    return Encoding.UCS2 if dcs & 0xF0 == 0xE0 else Encoding.GSM7


def message_class(dcs: int) -> int | None:
    """23.038 §4: 0 is flash, 2 belongs to the SIM."""
    return dcs & 3 if (dcs < 0x80 and dcs & 0x10) or dcs >= 0xF0 else None


def text_of(*, first: int, dcs: int, count: int, data: bytes) -> str:
    """The text in user data, for people; octets as Latin-1."""
    skip = 1 + data[0] if first & UDHI and data else 0
    match encoding_of(dcs):
        case Encoding.GSM7:
            fill = -8 * skip % 7
            return alphabet.decode(alphabet.unpack(data[skip:], count - (8 * skip + fill) // 7, fill))
        case Encoding.UCS2:
            return data[skip:].decode("utf-16-be", "surrogatepass" if len(data[skip:]) % 2 == 0 else "replace")
        case Encoding.BINARY:
            return data[skip:].decode("latin-1")


def reference_of(*, first: int, data: bytes) -> Reference | None:
    """Concatenation element of a header, §9.2.3.24.1 and .8."""
    if not first & UDHI or not data:
        return None
    for kind, value in _elements(data[1 : 1 + data[0]]):
        if kind == 0x00 and len(value) == 3:
            return Reference(value=value[0], wide=False, total=value[1], number=value[2])
        if kind == 0x08 and len(value) == 4:
            return Reference(value=value[0] << 8 | value[1], wide=True, total=value[2], number=value[3])
    return None


def stamp_text(stamp: bytes) -> str:
    """A time stamp as text mode writes it: 26/03/14,09:30:15+04."""
    d = _swapped(stamp[:6].hex())
    zone = _swapped(f"{stamp[6] & 0xF7:02x}")
    return f"{d[0:2]}/{d[2:4]}/{d[4:6]},{d[6:8]}:{d[8:10]}:{d[10:12]}{'-' if stamp[6] & 8 else '+'}{zone}"


def _elements(header: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 1 < len(header):
        yield header[at], header[at + 2 : at + 2 + header[at + 1]]
        at += 2 + header[at + 1]


def _semi_octets(digits: str) -> bytes:
    nibbles = "".join(_NIBBLES[digit] for digit in digits) + "f" * (len(digits) % 2)
    return bytes.fromhex(_swapped(nibbles))


def _swapped(nibbles: str) -> str:
    return "".join(nibbles[at + 1] + nibbles[at] for at in range(0, len(nibbles) - 1, 2))
