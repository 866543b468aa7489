"""What `modem scan` found, as configuration ready to paste. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from drivers.modems.discovery import Found
from drivers.modems.usb import UsbPort

__all__ = ["Seen", "chosen", "proposal"]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A port that was asked, and the USB device behind it."""

    found: Found
    usb: UsbPort | None = None


def chosen(seen: Sequence[Seen]) -> list[Seen]:
    """The one port to use of each modem: of those that answer, the one its maker means for commands. Two modems that
    tell the same IMEI, as cheap copies do, are two by where they are plugged in."""
    best: dict[tuple[str, str], Seen] = {}
    for one in seen:
        if one.found.code:
            continue
        where = one.usb.path if one.usb is not None else one.found.device or one.found.port
        key = (one.found.imei, where) if one.found.imei else ("", where)
        before = best.get(key)
        if before is None or _rank(one) < _rank(before):
            best[key] = one
    return list(best.values())


def proposal(seen: Sequence[Seen]) -> str:
    """TOML; "" when no modem answered."""
    modems = chosen(seen)
    imeis = [one.found.imei for one in modems]
    pieces = []
    for number, one in enumerate(modems, 1):
        found = one.found
        model = f"{found.maker} {found.model}".strip()
        lines = ["[[modem]]", f'id = "gsm{number}"'.ljust(28) + f"  # {model}" if model else f'id = "gsm{number}"']
        lines.append(f'port = "{found.port}"')
        if found.imei and imeis.count(found.imei) == 1:
            lines.append(f'imei = "{found.imei}"')
        elif found.imei:
            lines.append(f"# Another modem tells the same IMEI, {found.imei}: these two are known by their sockets.")
        if found.iccid:
            lines.append(f'# iccid = "{found.iccid}"     # take the # away, and no other card is ever used')
        pieces.append("\n".join(lines) + "\n")
    return "\n".join(pieces)


def _rank(one: Seen) -> tuple[int, str]:
    return (one.usb.rank if one.usb is not None else 0, one.found.port)
