"""Service-centre time stamps: seven octets of swapped semi-octets, the last the zone (23.040 §9.2.3.11)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import cast

from drivers.gsm import PduError

__all__ = ["decode", "encode", "writable"]


def encode(moment: datetime) -> bytes:
    """Seven octets of an aware `moment`, its microseconds cut; the zone as in `writable`."""
    moment = writable(moment)
    quarters = cast("timedelta", moment.utcoffset()) // _QUARTER
    digits = f"{moment:%y%m%d%H%M%S}{abs(quarters):02d}"
    stamp = bytearray.fromhex(digits).translate(_SWAP)
    if quarters < 0:
        stamp[6] |= 0x08  # the sign is bit 3 of the semi-octet sent first, the low half
    return bytes(stamp)


def writable(moment: datetime) -> datetime:
    """The same moment in a zone that a stamp can say: UTC when its own is no multiple of 15 minutes or beyond 14 h.

    `PduError` when it is naive or outside the years 2000 to 2099, of which a stamp has two digits.
    """
    offset = moment.utcoffset()
    if offset is None:
        raise PduError("a time stamp needs a time zone")
    quarters, rest = divmod(offset, _QUARTER)
    try:
        if rest or abs(quarters) > _FARTHEST:
            moment = moment.astimezone(UTC)
    except OverflowError:
        pass  # year 1 or 9999: refused below
    if not 2000 <= moment.year <= 2099:
        raise PduError(f"a time stamp has two digits for the year, 2000 to 2099; {moment.year} does not fit")
    return moment


def decode(octets: bytes) -> datetime | None:
    """The aware moment, or None when a field is out of its range, as many centres send (zeros, zone FF, month 13)."""
    if len(octets) != 7:
        return None
    digits = octets[:6].translate(_SWAP).hex()
    zone = octets[6]
    quarters = (zone & 0x07) * 10 + (zone >> 4)
    if not digits.isdecimal() or zone >> 4 > 9 or quarters > _FARTHEST:
        return None
    try:
        return datetime(
            2000 + int(digits[0:2]),
            int(digits[2:4]),
            int(digits[4:6]),
            int(digits[6:8]),
            int(digits[8:10]),
            int(digits[10:12]),
            tzinfo=_zone(-quarters if zone & 0x08 else quarters),
        )
    except ValueError:
        return None


_QUARTER = timedelta(minutes=15)
_FARTHEST = 56  # quarters of an hour; no zone on earth is farther than 14 h from UTC
_SWAP = bytes((octet << 4 | octet >> 4) & 0xFF for octet in range(256))


@cache
def _zone(quarters: int) -> timezone:
    return timezone(quarters * _QUARTER)
