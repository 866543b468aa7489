"""TP-VP, how long the service centre may try (23.040 §9.2.3.12): relative, absolute, enhanced."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import cast

from drivers.gsm import PduError, timestamps

__all__ = ["SHORTEST", "decode", "encode", "relative"]

SHORTEST = 300  # seconds; the relative format counts from 5 minutes
_MINUTE, _HOUR, _DAY, _WEEK = 60, 3600, 86400, 604800


def encode(seconds: int | None, until: datetime | None = None) -> bytes:
    """TP-VP: nothing for the network's default, one octet when relative, seven when absolute.

    `seconds` are rounded down, so a message never lives longer than asked, with one exception: the relative format has
    nothing below 5 minutes. A shorter wish is written as an absolute time when the caller gives `until` (he has the
    clock, this package has not), else as those 5 minutes. `until` alone is always absolute.
    """
    if seconds is None:
        return b"" if until is None else _absolute(until)
    if seconds <= 0:
        raise PduError("the validity is over; nothing can be sent that has already expired")
    if seconds < SHORTEST and until is not None:
        return _absolute(until)
    return bytes((relative(seconds),))


def relative(seconds: int) -> int:
    """The relative octet 0-255, rounded down to 5 minutes, then half hours, days and weeks (at most 63 weeks)."""
    if seconds < 12 * _HOUR + 30 * _MINUTE:
        return max(0, min(143, seconds // SHORTEST - 1))
    if seconds < 2 * _DAY:
        return 143 + min(24, (seconds - 12 * _HOUR) // (30 * _MINUTE))
    if seconds < 5 * _WEEK:
        return 166 + min(30, seconds // _DAY)
    return 192 + min(63, seconds // _WEEK)


def decode(octets: bytes, at: int, form: int, notes: list[str]) -> tuple[int | None, datetime | None, int]:
    """Seconds or moment of a TP-VP of TP-VPF `form` at `at`, and the position after it."""
    if form == 0:
        return None, None, at
    size = 1 if form == 2 else 7
    octets = octets[at : at + size]
    if len(octets) < size:
        raise PduError("the PDU ends within its validity period")
    if form == 2:
        return _seconds(octets[0]), None, at + size
    if form == 1:
        return _enhanced(octets), None, at + size
    until = timestamps.decode(octets)
    if until is None:
        notes.append("the absolute validity is broken")
    return None, until, at + size


def _seconds(octet: int) -> int:
    if octet <= 143:
        return (octet + 1) * SHORTEST
    if octet <= 167:
        return 12 * _HOUR + (octet - 143) * 30 * _MINUTE
    if octet <= 196:
        return (octet - 166) * _DAY
    return (octet - 192) * _WEEK


def _enhanced(octets: bytes) -> int | None:
    """23.040 §9.2.3.12.3; reserved forms and broken digits mean no validity."""
    form = octets[0] & 0x07
    at = 1
    if octets[0] & 0x80:  # an extension octet follows
        at = 2
    if form == 1:
        return _seconds(octets[at])
    if form == 2:
        return octets[at]
    if form == 3:
        hours, minutes, seconds = (f"{(octet << 4 | octet >> 4) & 0xFF:02x}" for octet in octets[at : at + 3])
        if (hours + minutes + seconds).isdecimal():
            return int(hours) * _HOUR + int(minutes) * _MINUTE + int(seconds)
    return None


def _absolute(until: datetime) -> bytes:
    """By python-gsmmodem-new's time-stamp leaf, after our own checks: it takes any zone and any year without a word."""
    return bytes(_library_stamp()(timestamps.writable(until)))


@cache
def _library_stamp() -> Callable[[datetime], bytearray]:
    """Imported when first needed: the package imports its whole engine and pyserial with it."""
    from gsmmodem.pdu import _encodeTimestamp

    return cast("Callable[[datetime], bytearray]", _encodeTimestamp)
