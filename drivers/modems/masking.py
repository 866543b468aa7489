"""A dialogue without what is private: numbers keep their ends, texts become x's of the same length. Pure.

PDUs stay PDUs that can be decoded, with the same lengths, headers and data coding, so that what was masked can still be
played and looked into. What looks like a PDU and is none becomes zeros."""

from __future__ import annotations

import re

from drivers.contract import Encoding, Part
from drivers.gsm import PduError, address, userdata
from drivers.gsm.pdu import decode
from drivers.gsm.tpdu import Deliver, Report, Submit

__all__ = ["mask", "mask_number", "mask_pdu", "unfinished"]

# The end of a USSD text. A quote at the end of a line may be one of its own.
_SAID_ALL = rb"\" *(?:, *\d* *(?:[\r\n]|\Z)|\r\n\r\n|[\r\n]*\Z|[\r\n]+[+^][A-Z])"
_PRIVATE = re.compile(
    rb"(?P<ussd>\+CUSD(?:: *|=)\d *, *\")(?P<said>(?s:.*?))(?=" + _SAID_ALL + rb"|[\r\n]+[+^][A-Z]|\Z)"
    rb"|(?P<head>\+(?:CMT|CMGR|CMGL|CBM):[^\r\n]*[\r\n]+)(?P<text>(?!\+|OK\b|ERROR\b)[^\r\n]+)"
    rb"|(?P<hex>(?<![0-9A-Za-z])[0-9A-Fa-f]{20,})"
    rb"|(?P<digits>(?<![0-9A-Za-z])\d{7,19}(?![0-9A-Za-z]))"
    rb"|(?P<rest>(?<=[\r\n])[0-9A-Fa-f]{8,}(?=[\r\n\x1a]))"
)
_UNFINISHED = re.compile(rb"\+CUSD: *\d *, *\"(?!(?s:.*?)(?:" + _SAID_ALL + rb"|[\r\n]+(?:[+^][A-Z]|OK\r|ERROR\r)))")
_CARD = 22  # digits of an ICCID, at most
_SHORT = 6  # digits of a short code, which is nobody's private number


def mask(said: bytes) -> bytes:
    """One side's words, cut between two lines."""
    return _PRIVATE.sub(_masked, said)


def unfinished(said: bytes) -> bool:
    """It ends within a USSD text, which may go on in the next line."""
    at = said.rfind(b"+CUSD:")
    return at >= 0 and _UNFINISHED.match(said, at) is not None


def mask_number(digits: str) -> str:
    """ "447700900123" -> "447000000123": the first and the last three digits stay."""
    return digits if len(digits) <= _SHORT else digits[:3] + "0" * (len(digits) - 6) + digits[-3:]


def mask_pdu(pdu: str) -> str:
    """The same PDU with another number and another text."""
    try:
        octets = bytes.fromhex(pdu)
        message = decode(octets)
        start = octets[0] + 1
        tpdu = bytearray(octets[: start + message.length])
        match message:
            case Submit():
                at = _mask_address(tpdu, start + 2)
                at += 2 + {0: 0, 1: 7, 2: 1, 3: 7}[octets[start] >> 3 & 0x03]
            case Deliver():
                at = _mask_address(tpdu, start + 1) + 9
            case Report():
                _mask_address(tpdu, start + 2)
                return (bytes(tpdu) + bytes(len(octets) - len(tpdu))).hex().upper()
        part = Part(encoding=message.coding.encoding, udh=message.udh, data=_mask_data(message))
        return (bytes(tpdu[:at]) + userdata.encode(part)).hex().upper()
    except (PduError, ValueError, IndexError, TypeError):
        return "0" * len(pdu)


def _masked(found: re.Match[bytes]) -> bytes:
    if found["ussd"] is not None:
        said: bytes = found["said"]
        hexadecimal = len(said) % 2 == 0 and re.fullmatch(rb"[0-9A-Fa-f]+", said)
        return bytes(found["ussd"]) + re.sub(rb"[^\r\n]", b"0" if hexadecimal else b"x", said)
    if found["head"] is not None:
        text: bytes = found["text"]
        line = text.strip(b" \0")
        hexadecimal = re.fullmatch(rb"[0-9A-Fa-f]{8,}", line)
        return mask(found["head"]) + (_mask_hex(line) if hexadecimal else b"x" * len(line))
    if found["digits"] is not None:
        return mask_number(found["digits"].decode()).encode()
    return _mask_hex(found["hex"] if found["hex"] is not None else found["rest"])


def _mask_hex(data: bytes) -> bytes:
    digits = data.decode()
    if len(digits) <= _CARD and digits.isdigit():
        return mask_number(digits).encode()
    return mask_pdu(digits).encode()


def _mask_address(tpdu: bytearray, at: int) -> int:
    """The digits of the address at `at` but the first and last three; where it ends. Names and short codes stay."""
    found, end = address.decode(bytes(tpdu), at)
    digits = tpdu[at]
    if not found.alphanumeric and digits > _SHORT:
        for digit in range(3, digits - 3):
            octet = at + 2 + digit // 2
            tpdu[octet] &= 0xF0 if digit % 2 == 0 else 0x0F
    return end


def _mask_data(message: Submit | Deliver) -> bytes:
    size = len(message.data)
    return b"\0x" * (size // 2) if message.coding.encoding is Encoding.UCS2 else b"x" * size
