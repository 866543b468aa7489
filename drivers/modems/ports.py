"""The serial ports of this machine as all modem drivers share them: who is behind which, and when some come or go.

Ports are asked one after the other, however many drivers look for their modem: two that ask at once would find each
other's port in use. What was learned is kept for a minute while the device node stays the same.

Where pyudev is installed, the kernel tells of a plug at once; without it the folders are looked at twice a second, but
only while some driver waits. Neither is needed to work: the back-off ends by itself."""

from __future__ import annotations

import asyncio
import glob
import logging
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from drivers.modems import discovery
from drivers.modems.discovery import Found, is_wanted
from drivers.modems.link import Link, open_link
from drivers.modems.settings import ModemSettings
from drivers.modems.usb import UsbPort, UsbTree

__all__ = ["LOOK_EVERY", "Ports"]

log = logging.getLogger("gsmbridge.modem.ports")

KNOWN_FOR = 60.0  # seconds; behind a serial adapter a modem can be exchanged without the port going
SILENT_FOR = 20.0  # seconds until a port that did not answer is asked again: modems boot for so long
PASSING = frozenset({"port_in_use", "port_missing", "unplugged"})
LOOK_EVERY = 0.5  # seconds between two looks at the folders
LOOK_SELDOM = 5.0  # the same where udev tells

Opener = Callable[[ModemSettings, str], Awaitable[Link]]
Signature = frozenset[tuple[object, ...]]


class Ports:
    def __init__(
        self,
        *,
        patterns: tuple[str, ...] = discovery.PATTERNS,
        opener: Opener = open_link,
        monotonic: Callable[[], float] = time.monotonic,
        usb: UsbTree | None = None,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self.usb = usb or UsbTree()
        self._patterns = patterns
        self._opener = opener
        self._monotonic = monotonic
        self._look_every = look_every
        self._asking = asyncio.Lock()
        self._known: dict[tuple[object, ...], tuple[float, Found]] = {}
        self._held: dict[str, str] = {}  # device -> the channel that has it open
        self._owners: dict[str, str] = {}  # IMEI -> the channel whose modem that is
        self._monitor: _Monitor | None = None
        self._monitor_tried = False

    # --- who is where -------------------------------------------------------------------------------------------------

    def behind(self, port: str) -> UsbPort | None:
        return self.usb.behind(port) if port else None

    def own(self, imei: str, channel: str) -> None:
        """This modem is that channel's, by the configuration or because it was seen there."""
        self._owners = {known: owner for known, owner in self._owners.items() if owner != channel}
        if imei:
            self._owners[imei[:14]] = channel

    def has_owner(self, port: str, channel: str) -> bool:
        """The modem there is another channel's."""
        found = self._learned(port)
        return found is not None and self._owners.get(found.imei[:14], channel) != channel

    def has_other(self, port: str, imei: str) -> bool:
        """Another modem than this one answered there a moment ago."""
        found = self._learned(port)
        return found is not None and bool(found.imei) and found.imei[:14] != imei[:14]

    def learn(self, port: str, imei: str) -> None:
        """This modem answered there."""
        self._known[_identity(port)] = (self._monotonic() + KNOWN_FOR, Found(port=port, imei=imei))

    def hold(self, port: str, channel: str) -> None:
        """A driver has it open: nobody else asks it."""
        self._held[os.path.realpath(port)] = channel

    def release(self, channel: str) -> None:
        """It has none open any more. By its name: when a port goes, its link no longer says what it was."""
        self._held = {device: holder for device, holder in self._held.items() if holder != channel}

    def _is_held(self, port: str) -> bool:
        return os.path.realpath(port) in self._held

    async def find(self, *, imei: str, iccid: str = "", skip: str = "", near: str = "") -> str | None:
        """The port behind which this modem (or, without `imei`, this SIM) is now. `skip`: just tried. `near`: the USB
        path where it was, asked first."""
        async with self._asking:
            others: set[str] = set()  # USB devices that proved to be another modem
            for port, usb in self._in_order(near):
                if port == skip or (usb is not None and (usb.silent or usb.path in others)):
                    continue
                found = self._learned(port)
                if found is None and self._is_held(port):
                    continue
                found = found or await self._ask(port)
                if found.code:
                    continue
                if is_wanted(found, imei, iccid):
                    return port
                if usb is not None and found.imei:
                    others.add(usb.path)
        return None

    def _in_order(self, near: str) -> list[tuple[str, UsbPort | None]]:
        ports = [(port, self.usb.behind(port)) for port in discovery.candidates(self._patterns)]

        def order(item: tuple[str, UsbPort | None]) -> tuple[bool, str, int]:
            usb = item[1]
            return (True, "", 0) if usb is None else (usb.path != near, usb.path, usb.rank)

        return sorted(ports, key=order)

    def _learned(self, port: str) -> Found | None:
        """What is known without asking."""
        known = self._known.get(_identity(port))
        return known[1] if known is not None and self._monotonic() < known[0] else None

    async def _ask(self, port: str) -> Found:
        key = _identity(port)
        found = await discovery.probe(port, opener=self._opener, monotonic=self._monotonic)
        # Nothing is remembered of a device that went meanwhile, or that somebody else had open.
        if found.code not in PASSING and _identity(port) == key:
            now = self._monotonic()
            self._known = {k: v for k, v in self._known.items() if v[0] > now}
            self._known[key] = (now + (SILENT_FOR if found.code else KNOWN_FOR), found)
        return found

    # --- when something changes ---------------------------------------------------------------------------------------

    def look(self, *more: str) -> Signature:
        """What is there now, to be compared by `changed`. `more`: ports beside those of the patterns."""
        found = {path for pattern in self._patterns for path in glob.glob(pattern)}
        found.update(port for port in more if port and "://" not in port)
        return frozenset((path, *_identity(path)) for path in found)

    async def changed(self, before: Signature, seconds: float, *more: str) -> bool:
        """Wait until something is plugged in or out, at most so long. False when the time is up."""
        end = self._monotonic() + seconds
        monitor = self._listen()
        while True:
            if self.look(*more) != before:
                return True
            left = end - self._monotonic()
            if left <= 0:
                return False
            if monitor is None:
                await asyncio.sleep(min(left, self._look_every))
            else:
                await monitor.wait(min(left, LOOK_SELDOM))

    def _listen(self) -> _Monitor | None:
        if not self._monitor_tried:
            self._monitor_tried = True
            if self._patterns == discovery.PATTERNS:  # other folders are not udev's
                self._monitor = _Monitor.open()
        return self._monitor

    def close(self) -> None:
        if self._monitor is not None:
            self._monitor.close()
            self._monitor = None


class _Monitor:
    """udev's word that a serial port came or went."""

    def __init__(self, monitor: Any) -> None:
        self._monitor = monitor
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(monitor.fileno(), self._readable)

    @classmethod
    def open(cls) -> _Monitor | None:
        """None where udev or pyudev is not to be had."""
        if not Path("/run/udev/control").exists():
            return None
        try:
            import pyudev

            monitor = pyudev.Monitor.from_netlink(pyudev.Context())
            monitor.filter_by("tty")
            monitor.start()
        except (ImportError, OSError) as error:
            log.debug("no_udev detail=%s", error)
            return None
        return cls(monitor)

    async def wait(self, seconds: float) -> None:
        self._news.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    def close(self) -> None:
        self._loop.remove_reader(self._monitor.fileno())

    def _readable(self) -> None:
        while self._monitor.poll(timeout=0) is not None:
            pass
        self._news.set()


def _identity(port: str) -> tuple[object, ...]:
    """Another one when the device behind the name has gone and come."""
    if "://" in port:
        return (port,)
    device = os.path.realpath(port)
    try:
        status = os.stat(device)
    except OSError:
        return (device,)
    return (device, status.st_ino, status.st_rdev, status.st_ctime_ns)
