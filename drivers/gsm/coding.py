"""TP-DCS, the data coding scheme: which alphabet, class and indication an octet means (23.038 §4)."""

from __future__ import annotations

from enum import StrEnum
from functools import cache

import msgspec

from drivers.contract import Encoding
from drivers.gsm import PduError

__all__ = ["Coding", "Waiting", "dcs_for", "read"]


class Waiting(StrEnum):
    """What a message waiting indication is about."""

    VOICEMAIL = "voicemail"
    FAX = "fax"
    EMAIL = "email"
    OTHER = "other"


class Coding(msgspec.Struct, frozen=True, kw_only=True):
    """`encoding` is how the user data is read: BINARY also when `compressed` (23.042), which nobody expands.

    `waiting`: set in the message waiting groups; `waiting_on` switches the indication, `discard` says that there is no
    text to keep. `auto_delete`: the sender asks to delete after reading. `reserved`: read as plain 7-bit text.
    """

    encoding: Encoding
    message_class: int | None = None
    compressed: bool = False
    auto_delete: bool = False
    waiting: Waiting | None = None
    waiting_on: bool = False
    discard: bool = False
    reserved: bool = False


@cache
def read(dcs: int) -> Coding:
    """The meaning of any octet 0-255."""
    if not 0 <= dcs <= 0xFF:
        raise PduError(f"a data coding scheme is one octet, 0 to 255, not {dcs}")
    group = dcs >> 4
    if group < 0x8:  # 00xx general, 01xx the same marked for automatic deletion
        return _general(dcs)
    if group < 0xC:
        return Coding(encoding=Encoding.GSM7, reserved=True)  # reserved codings are read as 00
    if group == 0xF:
        encoding = Encoding.BINARY if dcs & 0x04 else Encoding.GSM7
        return Coding(encoding=encoding, message_class=dcs & 0x03)
    return Coding(
        encoding=Encoding.UCS2 if group == 0xE else Encoding.GSM7,
        waiting=tuple(Waiting)[dcs & 0x03],
        waiting_on=bool(dcs & 0x08),
        discard=group == 0xC,
    )


def dcs_for(encoding: Encoding, message_class: int | None = None) -> int:
    """The octet of the general group for what we send."""
    if message_class is None:
        return _ALPHABET[encoding] << 2
    if not 0 <= message_class <= 3:
        raise PduError(f"a message class is 0 (flash), 1, 2 or 3, not {message_class}")
    return 0x10 | _ALPHABET[encoding] << 2 | message_class


_ALPHABET = {Encoding.GSM7: 0, Encoding.BINARY: 1, Encoding.UCS2: 2}
_ENCODING = (Encoding.GSM7, Encoding.BINARY, Encoding.UCS2, Encoding.GSM7)


def _general(dcs: int) -> Coding:
    compressed = bool(dcs & 0x20)
    alphabet = dcs >> 2 & 0x03
    return Coding(
        encoding=Encoding.BINARY if compressed else _ENCODING[alphabet],
        message_class=dcs & 0x03 if dcs & 0x10 else None,
        compressed=compressed,
        auto_delete=bool(dcs & 0x40),
        reserved=alphabet == 3,
    )
