#!/usr/bin/python3 -I
"""The only part with privileges: resets the USB device of a modem for the service, which has none.

Started by systemd when somebody connects to its socket (`LISTEN_FDS`), or with `--socket PATH` by hand. One line in,
one line out, then the connection ends:

    unbind 1-1.2       the kernel's driver lets go of the device
    bind 1-1.2         and takes it again
    authorize 1-1.2    the kernel forgets the device for five seconds and configures it anew
    power 1-1.2        its hub port is switched off for twenty seconds, and on again

Answers are `ok` or `error` with a sentence. Who may ask is read from the kernel (SO_PEERCRED): root, and the users
named with --user. What may be touched is a USB path of the strict form below behind which a device of a modem maker
is plugged in, never a hub, and one action at a time. Standard library only, and nothing is ever run but uhubctl."""

from __future__ import annotations

import argparse
import os
import pwd
import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["Refused", "UsbRoot", "main", "serve"]

PATH = re.compile(r"[0-9]{1,3}-[0-9]{1,2}(?:\.[0-9]{1,2}){0,6}")
MAKERS = frozenset(
    {
        *("12d1", "19d2", "1e0e", "2c7c", "05c6", "1bc7"),  # Huawei, ZTE, SIMCom, Quectel, Qualcomm, Telit
        *("1546", "1e2d", "0681", "1199", "114f", "0421"),  # u-blox, Cinterion, Siemens, Sierra, Wavecom, Nokia
        *("0403", "067b", "10c4", "1a86"),  # serial adapters before a module: FTDI, Prolific, Silicon Labs, QinHeng
    }
)
HUB_CLASS = "09"
LONGEST = 64  # octets of a request
UNAUTHORIZED_FOR = 5.0
OFF_FOR = 20.0  # less, and a self-powered hub feeds the modem through its data lines
UHUBCTL = ("/usr/sbin/uhubctl", "/usr/bin/uhubctl")
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: unix(7)


class Refused(Exception):
    """The request was not carried out; the text says why."""


class UsbRoot:
    """The devices. `sysfs`: where it is mounted. `makers`: vendor ids that may be touched."""

    def __init__(
        self,
        sysfs: Path = Path("/sys"),
        *,
        makers: frozenset[str] = MAKERS,
        sleep: Callable[[float], None] = time.sleep,
        uhubctl: Sequence[str] = UHUBCTL,
    ) -> None:
        self._sysfs = sysfs
        self._makers = makers
        self._sleep = sleep
        self._uhubctl = uhubctl

    def carry_out(self, line: str) -> None:
        """One request. Raises `Refused`."""
        verb, _, path = line.partition(" ")
        action = {"unbind": self._unbind, "bind": self._bind, "authorize": self._authorize, "power": self._power}.get(
            verb
        )
        if action is None:
            raise Refused("the verbs are unbind, bind, authorize and power")
        if not PATH.fullmatch(path):
            raise Refused("this is no USB path; they look like 1-1.2")
        self._check(path, absent_allowed=verb == "power")
        try:
            action(path)
        except OSError as error:
            raise Refused(f"{verb} {path} failed: {error.strerror or error}") from error

    def _check(self, path: str, *, absent_allowed: bool) -> None:
        device = self._device(path)
        vendor = _read(device / "idVendor")
        if not vendor:
            if absent_allowed:  # a modem that has vanished is what power is for
                return
            raise Refused(f"nothing is plugged in at {path}")
        if vendor not in self._makers:
            raise Refused(f"{path} is {vendor}:{_read(device / 'idProduct')}, no modem; add --maker {vendor} if it is")
        if _read(device / "bDeviceClass") == HUB_CLASS:
            raise Refused(f"{path} is a hub")

    def _unbind(self, path: str) -> None:
        _write(self._sysfs / "bus/usb/drivers/usb/unbind", path)

    def _bind(self, path: str) -> None:
        _write(self._sysfs / "bus/usb/drivers/usb/bind", path)

    def _authorize(self, path: str) -> None:
        switch = self._device(path) / "authorized"
        _write(switch, "0")
        try:
            self._sleep(UNAUTHORIZED_FOR)
        finally:
            _write(switch, "1")

    def _power(self, path: str) -> None:
        """By the kernel's own switch where it has one (6.0 and newer), else by uhubctl."""
        hub, port = _hub_port(path)
        bus = hub.removeprefix("usb")
        interface = f"{bus}-0:1.0" if bus != hub else f"{hub}:1.0"  # a root hub's own name for it
        switch = self._sysfs / "bus/usb/devices" / interface / f"{hub}-port{port}" / "disable"
        if switch.exists():
            _write(switch, "1")
            try:
                self._sleep(OFF_FOR)
            finally:
                _write(switch, "0")
            return
        program = next((name for name in self._uhubctl if os.access(name, os.X_OK)), None)
        if program is None:
            raise Refused("this kernel cannot switch hub ports; install uhubctl, or configure a power_command")
        done = subprocess.run(  # noqa: S603 - a fixed program, and arguments of a strict form
            [program, "-l", bus, "-p", port, "-a", "cycle", "-d", str(int(OFF_FOR))],
            capture_output=True,
            timeout=90,
            check=False,
            env={"PATH": "/usr/sbin:/usr/bin"},
        )
        if done.returncode != 0:
            raise Refused(f"uhubctl could not switch port {port} of hub {bus}: this hub has no switches")

    def _device(self, path: str) -> Path:
        return self._sysfs / "bus/usb/devices" / path


def serve(
    listening: socket.socket, usb: UsbRoot, users: frozenset[int], *, idle: float | None = None, once: bool = False
) -> None:
    """Answer until nobody has asked for `idle` seconds (systemd starts us again), or after one request (`once`)."""
    listening.settimeout(idle)
    while True:
        try:
            connection, _ = listening.accept()
        except TimeoutError:
            return
        with connection:
            connection.settimeout(5.0)
            try:
                answer = _answer(connection, usb, users)
                connection.sendall(answer.encode("utf-8", "replace") + b"\n")
            except OSError:  # the asker has gone
                pass
        if once:
            return


def _answer(connection: socket.socket, usb: UsbRoot, users: frozenset[int]) -> str:
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(packed)
    data = b""
    while b"\n" not in data and len(data) <= LONGEST:
        piece = connection.recv(4096)
        if not piece:
            break
        data += piece
    if uid not in users:
        return f"error user {uid} may not ask"
    line, end, rest = data.partition(b"\n")
    if not end or rest or len(line) > LONGEST or not line.isascii():
        return "error a request is one line"
    try:
        usb.carry_out(line.decode("ascii"))
    except Refused as error:
        print(f"refused request={line.decode('ascii')!r} reason={error}", file=sys.stderr)
        return f"error {error}"
    print(f"done request={line.decode('ascii')!r} uid={uid}", file=sys.stderr)
    return "ok"


def main(arguments: Sequence[str] | None = None) -> int:
    """The program. Returns an exit status."""
    parser = argparse.ArgumentParser(prog="gsmbridge-usb-helper", description="Resets USB modems for the service.")
    parser.add_argument("--user", action="append", default=[], help="who may ask beside root; repeatable")
    parser.add_argument("--maker", action="append", default=[], help="a further USB vendor id, such as 1234")
    parser.add_argument("--socket", type=Path, help="listen here; without it the socket of systemd is used")
    parser.add_argument("--idle", type=float, default=60.0, help="seconds without a request until it ends")
    parser.add_argument("--sysfs", type=Path, default=Path("/sys"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    try:
        users = frozenset({0, *(pwd.getpwnam(name).pw_uid for name in given.user)})
    except KeyError as error:
        parser.error(f"there is no user {error}")
    for maker in given.maker:
        if not re.fullmatch(r"[0-9a-f]{4}", maker):
            parser.error(f"--maker {maker}: four hexadecimal digits in lower case, as lsusb shows them")
    usb = UsbRoot(given.sysfs, makers=MAKERS | frozenset(given.maker))
    if given.socket is not None:
        listening = socket.socket(socket.AF_UNIX)
        given.socket.unlink(missing_ok=True)
        before = os.umask(0o117)
        try:
            listening.bind(str(given.socket))
        finally:
            os.umask(before)
        listening.listen(4)
        serve(listening, usb, users)
        return 0
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        parser.error("no socket: systemd gives one, or use --socket PATH")
    serve(socket.socket(fileno=3), usb, users, idle=given.idle)
    return 0


def _hub_port(path: str) -> tuple[str, str]:
    """ "1-1.2" -> ("1-1", "2"); a port of the root hub: "1-1" -> ("usb1", "1")."""
    hub, dot, port = path.rpartition(".")
    if dot:
        return hub, port
    bus, _, port = path.partition("-")
    return f"usb{bus}", port


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _write(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY)  # never creates: a path that is not there is an error
    try:
        os.write(descriptor, text.encode("ascii"))
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main())
