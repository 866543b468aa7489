"""The user-data header: information elements, read and built (23.040 §9.2.3.24), and WAP push service indications.

A header here is its elements without the length octet (UDHL), as in `contract.Part.udh`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec

from drivers.contract import Ports, Reference
from drivers.gsm import PduError, wap

__all__ = ["EMPTY", "Element", "Header", "concatenation", "element", "parse", "ports", "wap_push_si"]


class Element(msgspec.Struct, frozen=True, kw_only=True):
    """One information element, known or not."""

    id: int
    data: bytes


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """`elements`: all of them in order. The rest is what the known ones say; of a repeated one the last counts.

    `locking`, `single`: national language identifiers, 0 for the default tables.
    """

    elements: tuple[Element, ...] = ()
    reference: Reference | None = None
    ports: Ports | None = None
    locking: int = 0
    single: int = 0

    def has(self, id: int) -> bool:
        """Whether an element of this identifier is present."""
        return any(element.id == id for element in self.elements)


EMPTY = Header()


def parse(udh: bytes) -> Header:
    """The header's meaning. `PduError` when an element runs past the end: 23.040 then wants the whole header ignored.

    An element that makes no sense in itself (a part 0, a wrong length, an unknown language) is kept and has no effect.
    """
    if not udh:
        return EMPTY
    elements = tuple(_elements(udh))
    reference: Reference | None = None
    to_ports: Ports | None = None
    locking = single = 0
    for item in elements:
        data = item.data
        match item.id, len(data):
            case 0x00, 3:
                reference = _reference(data[0], data[1], data[2], wide=False) or reference
            case 0x08, 4:
                reference = _reference(data[0] << 8 | data[1], data[2], data[3], wide=True) or reference
            case 0x04, 2:
                to_ports = Ports(destination=data[0], source=data[1], wide=False)
            case 0x05, 4:
                to_ports = Ports(destination=data[0] << 8 | data[1], source=data[2] << 8 | data[3], wide=True)
            case 0x24, 1:
                single = _language(data[0])
            case 0x25, 1:
                locking = _language(data[0])
            case _:
                pass
    return Header(elements=elements, reference=reference, ports=to_ports, locking=locking, single=single)


def element(id: int, data: bytes) -> bytes:
    """One information element as octets."""
    if not 0 <= id <= 0xFF or len(data) > 0xFF:
        raise PduError("an information element has an identifier of one octet and at most 255 octets of data")
    return bytes((id, len(data))) + data


def concatenation(reference: int, total: int, number: int, wide: bool = False) -> bytes:
    """The element of part `number` of `total`, with an 8-bit reference or a `wide` 16-bit one."""
    if not 0 <= reference <= (0xFFFF if wide else 0xFF):
        raise PduError(f"a concatenation reference of {16 if wide else 8} bits cannot be {reference}")
    if not 1 <= number <= total <= 255:
        raise PduError(f"there is no part {number} of {total}: parts are numbered from 1, and at most 255")
    if wide:
        return bytes((0x08, 4, reference >> 8, reference & 0xFF, total, number))
    return bytes((0x00, 3, reference, total, number))


def ports(destination: int, source: int, wide: bool = True) -> bytes:
    """The element of application port addressing, 16-bit (`wide`) or 8-bit."""
    top = 0xFFFF if wide else 0xFF
    if not (0 <= destination <= top and 0 <= source <= top):
        raise PduError(f"application ports of {16 if wide else 8} bits are 0 to {top}")
    if wide:
        return bytes((0x05, 4, destination >> 8, destination & 0xFF, source >> 8, source & 0xFF))
    return bytes((0x04, 2, destination, source))


def wap_push_si(
    url: str,
    text: str,
    *,
    created: datetime | None = None,
    expires: datetime | None = None,
    action: str = "",
    si_id: str = "",
    transaction: int = 1,
) -> tuple[bytes, bytes]:
    """Header and octets of a WAP push service indication (see `drivers.gsm.wap`)."""
    data = wap.push_si(url, text, created=created, expires=expires, action=action, si_id=si_id, transaction=transaction)
    return ports(wap.PUSH_PORT, wap.SOURCE_PORT), data


def _elements(udh: bytes) -> Iterator[Element]:
    at, size = 0, len(udh)
    while at < size:
        end = at + 2 + udh[at + 1] if at + 1 < size else size + 1
        if end > size:
            raise PduError("the user-data header ends within an information element")
        yield Element(id=udh[at], data=udh[at + 2 : end])
        at = end


def _reference(value: int, total: int, number: int, *, wide: bool) -> Reference | None:
    if not 1 <= number <= total:  # 23.040 §9.2.3.24.1: the element is then ignored
        return None
    return Reference(value=value, wide=wide, total=total, number=number)


def _language(identifier: int) -> int:
    return identifier if identifier <= 13 else 0  # 23.038 §6.2.1.2.4: 14 and above are reserved
