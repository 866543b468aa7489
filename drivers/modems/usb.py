"""What the kernel knows of the USB devices behind serial ports, read from sysfs: the same facts udev makes its
properties from (ID_VENDOR_ID, ID_USB_INTERFACE_NUM, ID_PATH), so they are there with and without udev.

A *USB path* such as "1-1.2" names a socket: bus 1, port 1 of its root hub, port 2 of the hub there. It stays when the
stick comes back as another ttyUSB, and it is what repair steps act on."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

__all__ = ["PREFERRED", "SILENT", "UsbPort", "UsbTree", "hub_of", "mode_problem"]

# Which interface carries AT commands, by "vendor:product", first choice first; and those that never do (positions,
# diagnosis): they are not even asked. From the vendors' manuals and ModemManager's and oFono's port tables.
PREFERRED: dict[str, tuple[int, ...]] = {
    "1e0e:9001": (2, 3),  # SIM7x00
    "1e0e:9011": (4, 5),  # A7670
    "2c7c:0121": (2, 3),
    "2c7c:0125": (2, 3),  # EC25
    "2c7c:0191": (2, 3),
    "2c7c:0195": (2, 3),
    "2c7c:0296": (2, 3),  # BG96
    "2c7c:0306": (2, 3),  # EG06
    "1bc7:1201": (4, 5),
    "1bc7:1101": (1, 2),
    "1bc7:1003": (0, 2),
    "19d2:0031": (3,),
    "19d2:0117": (2, 1),
    "19d2:0016": (2, 1),
    "19d2:2003": (3, 1),
    "19d2:0124": (4,),
    "1e2d:005b": (0, 2),
    "1e2d:005d": (0, 2),
    "1e2d:0061": (2,),
    "1199:68c0": (3,),
    "1199:9071": (3,),
    "1199:9079": (3,),
    "1199:9091": (3,),
}
SILENT: dict[str, frozenset[int]] = {
    "1e0e:9001": frozenset({0, 1}),
    "2c7c:0121": frozenset({0, 1}),
    "2c7c:0125": frozenset({0, 1}),
    "2c7c:0191": frozenset({0, 1}),
    "2c7c:0195": frozenset({0, 1}),
    "2c7c:0296": frozenset({0, 1}),
    "2c7c:0306": frozenset({0, 1}),
    "1199:68c0": frozenset({0, 2}),
    "1199:9071": frozenset({0, 2}),
    "1199:9079": frozenset({0, 2}),
    "1199:9091": frozenset({0, 2}),
}
_AS_DISK = frozenset({"12d1:1446", "12d1:14fe", "12d1:1505", "12d1:1f01", "19d2:2000"})
_AS_NETWORK = frozenset({"12d1:14db", "12d1:14dc", "12d1:157d"})
_BOOT_LOADER = "05c6:9008"
_TOP = 12  # folders between a tty and its USB device: real ones have three


class UsbPort(msgspec.Struct, frozen=True, kw_only=True):
    """The USB interface behind a serial port."""

    path: str  # "1-1.2"
    interface: int  # -1 when it is not told
    vendor: str  # "2c7c"
    product: str  # "0125"
    serial: str = ""
    maker: str = ""
    model: str = ""

    @property
    def id(self) -> str:
        return f"{self.vendor}:{self.product}"

    @property
    def silent(self) -> bool:
        """It is known never to answer AT."""
        return self.interface in SILENT.get(self.id, ())

    @property
    def rank(self) -> int:
        """How good a choice as command port among those of its device; the lowest is the best."""
        preferred = PREFERRED.get(self.id, ())
        return preferred.index(self.interface) if self.interface in preferred else len(preferred) + self.interface


class UsbTree:
    """`root`: where sysfs is mounted."""

    def __init__(self, root: Path = Path("/sys")) -> None:
        self._root = root

    def behind(self, port: str) -> UsbPort | None:
        """The USB interface of a serial port; None for a port that hangs on something else, or is gone."""
        if "://" in port:
            return None
        name = os.path.basename(os.path.realpath(port))
        try:
            folder = (self._root / "class" / "tty" / name / "device").resolve(strict=True)
        except OSError:
            return None
        interface = -1
        for _ in range(_TOP):
            number = _read(folder / "bInterfaceNumber")
            if number:
                interface = int(number, 16)
            vendor = _read(folder / "idVendor")
            if vendor:
                return UsbPort(
                    path=folder.name,
                    interface=interface,
                    vendor=vendor,
                    product=_read(folder / "idProduct"),
                    serial=_read(folder / "serial"),
                    maker=_read(folder / "manufacturer"),
                    model=_read(folder / "product"),
                )
            folder = folder.parent
        return None

    def id_at(self, path: str) -> str:
        """ "vendor:product" of what is plugged in at a USB path; "" when nothing is."""
        folder = self._root / "bus" / "usb" / "devices" / path
        vendor = _read(folder / "idVendor")
        return f"{vendor}:{_read(folder / 'idProduct')}" if vendor else ""

    def devices(self) -> dict[str, str]:
        """USB path -> "vendor:product" of everything plugged in."""
        try:
            names = os.listdir(self._root / "bus" / "usb" / "devices")
        except OSError:
            return {}
        found = {name: self.id_at(name) for name in sorted(names) if ":" not in name}
        return {path: id for path, id in found.items() if id}


def hub_of(path: str) -> str:
    """The hub that a USB path hangs on: "1-1.2" -> "1-1", "1-1" -> "1"."""
    return path.rpartition(".")[0] or path.partition("-")[0]


def mode_problem(id: str) -> tuple[str, str]:
    """(code, sentence with the remedy) for a modem that shows itself as something else; ("", "") for all others."""
    if id in _AS_DISK:
        return "disk_mode", "This stick shows itself as a CD-ROM. Install usb-modeswitch and plug it in again."
    if id in _AS_NETWORK:
        return (
            "network_mode",
            "This stick is in HiLink mode: a network card without a command port. Switch it to stick mode first.",
        )
    if id == _BOOT_LOADER:
        return (
            "boot_loader",
            "This modem has fallen into its boot loader. Cut its power once; if it comes back so, it is broken.",
        )
    return "", ""


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
