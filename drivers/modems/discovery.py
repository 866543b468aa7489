"""Which ports have a modem behind them: candidates from /dev, asked with AT and for their IMEI."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Awaitable, Callable

import msgspec

from drivers.modems import replies
from drivers.modems.facts import Facts
from drivers.modems.line import Line, LineDown
from drivers.modems.link import Link, LinkError, open_link
from drivers.modems.profile import ProfileError
from drivers.modems.settings import ModemSettings, Timing
from drivers.modems.startup import Startup

__all__ = ["PATTERNS", "Found", "Opener", "candidates", "is_wanted", "probe"]

PATTERNS = ("/dev/serial/by-path/*", "/dev/serial/by-id/*", "/dev/ttyUSB*", "/dev/ttyACM*")
_QUICK = Timing(alive_tries=2, alive=2.0)  # two seconds a port, twice: many ports are none

Opener = Callable[[ModemSettings, str], Awaitable[Link]]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What one port answered. `code` and `problem` say why it cannot be used; empty for a modem."""

    port: str
    device: str = ""  # what the link points to
    imei: str = ""
    iccid: str = ""
    maker: str = ""
    model: str = ""
    firmware: str = ""
    profile: str = ""
    code: str = ""
    problem: str = ""


def candidates(patterns: tuple[str, ...] = PATTERNS) -> list[str]:
    """Ports that may have a modem, each device once, under its most stable name."""
    by_device: dict[str, str] = {}
    for pattern in patterns:
        for path in sorted(glob.glob(pattern)):
            by_device.setdefault(os.path.realpath(path), path)
    return list(by_device.values())


async def probe(
    port: str,
    *,
    opener: Opener = open_link,
    timing: Timing = _QUICK,
    monotonic: Callable[[], float] = time.monotonic,
    more: Callable[[Line, Facts], Awaitable[None]] | None = None,
) -> Found:
    """Ask one port who it is. Nothing is changed on the modem but echo and error numbers. `more`: what else to ask one
    that has answered."""
    settings = ModemSettings(port=port, timing=timing)
    device = _device(port)
    try:
        link = await opener(settings, port)
    except LinkError as error:
        return Found(port=port, device=device, code=error.code, problem=str(error))
    line = Line(link, timing=timing, monotonic=monotonic, on_event=lambda _event: None)
    try:
        facts = await Startup(settings, port, None, monotonic).identify(line)
        if more is not None:
            await more(line, facts)
    except LineDown as down:
        return Found(port=port, device=device, code=down.code, problem=str(down))
    except ProfileError as error:
        return Found(port=port, device=device, code="two_profiles", problem=str(error))
    finally:
        line.close()
    return Found(
        port=port,
        device=device,
        imei=facts.imei,
        iccid=facts.iccid,
        maker=facts.maker,
        model=facts.model,
        firmware=facts.firmware,
        profile=facts.profile.name,
    )


def is_wanted(found: Found, imei: str, iccid: str) -> bool:
    """It is this modem, or, without `imei`, the one with this SIM. The last digit of an IMEI is a check digit that some
    leave out."""
    if imei:
        return found.imei[:14] == imei[:14]
    return bool(iccid) and replies.same_iccid(found.iccid, iccid)


def _device(port: str) -> str:
    return os.path.realpath(port) if "://" not in port else ""
