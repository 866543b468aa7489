"""Addresses: numbers in swapped semi-octets, names in packed septets (23.040 §9.1.2.5; SMSC: 24.011 §8.2.5)."""

from __future__ import annotations

import re

import msgspec

from drivers.gsm import PduError, alphabet

__all__ = ["INTERNATIONAL", "UNKNOWN", "Address", "decode", "decode_smsc", "encode", "encode_name", "encode_smsc"]

INTERNATIONAL = 0x91  # type of address: international number, ISDN plan
UNKNOWN = 0x81  # type of address: unknown kind of number, ISDN plan
ALPHANUMERIC = 0xD0


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """`number`: "+" and digits when international, else digits with `*#abc`, or a name when `alphanumeric`.

    `type`: the type-of-address octet as it came, for an exact reply.
    """

    number: str
    type: int = UNKNOWN
    alphanumeric: bool = False


def encode(number: str, *, type: int | None = None) -> bytes:
    """The TP address field of "+" and digits (type 91), or of digits with `*#abc` (type 81). At most 20 digits.

    `type` overrides the type-of-address octet, for the network's side. A name is refused: see `encode_name`.
    """
    if _NUMBER.fullmatch(number) is None:
        raise PduError("an address is '+' and 1 to 20 digits, or 1 to 20 of the digits 0-9, *, #, a, b, c")
    digits = number.removeprefix("+")
    kind = (INTERNATIONAL if digits is not number else UNKNOWN) if type is None else type
    return bytes((len(digits), kind)) + _semi_octets(digits)


def encode_name(name: str) -> bytes:
    """The TP address field of a name of 1 to 11 characters of the 7-bit alphabet (type D0)."""
    septets = alphabet.encode(name)
    if not 1 <= len(septets) <= 11:
        raise PduError("an alphanumeric address has 1 to 11 characters of the GSM 7-bit alphabet")
    # The length counts the semi-octets in use (23.040 §9.1.2.5): 7 bits a character, 4 a semi-octet.
    return bytes(((7 * len(septets) + 3) // 4, ALPHANUMERIC)) + alphabet.pack(septets)


def encode_smsc(number: str) -> bytes:
    """The service-centre field in front of the TPDU; the single octet 00 for "", the modem's own setting."""
    if not number:
        return b"\0"
    field = encode(number)
    return bytes((len(field) - 1,)) + field[1:]  # here the length counts octets, the type with them


def decode(octets: bytes, at: int = 0) -> tuple[Address, int]:
    """The TP address field at `at`, and the position after it. `PduError` when the octets end within it."""
    end = at + 2
    if end > len(octets):
        raise PduError("the PDU ends within an address")
    length, kind = octets[at], octets[at + 1]
    end += (length + 1) // 2
    if end > len(octets):
        raise PduError("the PDU ends within an address")
    value = octets[at + 2 : end]
    if kind & 0x70 == 0x50:  # type of number 101; plan 0 (D0) by the standard, 1 (D1) in the field
        name = alphabet.decode(alphabet.unpack(value, length * 4 // 7))
        return Address(number=name, type=kind, alphanumeric=True), end
    return Address(number=_number(value, length, kind), type=kind), end


def decode_smsc(octets: bytes) -> tuple[str, int]:
    """The service centre's number ("" for none) and where the TPDU begins."""
    if not octets:
        raise PduError("the PDU is empty")
    end = 1 + octets[0]
    if end > len(octets):
        raise PduError("the PDU ends within the service centre's address")
    if end <= 2:
        return "", end
    return _number(octets[2:end], 2 * (end - 2), octets[1]), end


_NUMBER = re.compile(r"\+[0-9]{1,20}|[0-9*#abc]{1,20}", re.ASCII)
_SWAP = bytes((octet << 4 | octet >> 4) & 0xFF for octet in range(256))
_TO_HEX = str.maketrans("*#abc", "abcde")  # 23.040 §9.1.2.3: semi-octets 1010 to 1110
_FROM_HEX = str.maketrans("abcde", "*#abc")


def _semi_octets(digits: str) -> bytes:
    if not digits.isdecimal():
        digits = digits.translate(_TO_HEX)
    return bytes.fromhex(digits + "f" if len(digits) % 2 else digits).translate(_SWAP)


def _number(value: bytes, length: int, kind: int) -> str:
    digits = value.translate(_SWAP).hex()[:length]
    if not digits.isdecimal():
        digits = digits.partition("f")[0].translate(_FROM_HEX)  # 1111 is the end mark, whatever the length says
    return "+" + digits if kind & 0x70 == 0x10 and digits else digits
