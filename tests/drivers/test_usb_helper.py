"""The helper with privileges: what it may be asked, by whom, and what it then does to the devices. A fake sysfs, a real
socket."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modems.actions import ActionFailed, MachineActions
from drivers.modems.usb_helper import Refused, UsbRoot, serve

MODEM, KEYBOARD, HUB = "1-1.2", "1-1.3", "1-1"


def device(root: Path, path: str, vendor: str, product: str, kind: str = "00") -> Path:
    folder = root / "bus/usb/devices" / path
    folder.mkdir(parents=True)
    for name, content in {"idVendor": vendor, "idProduct": product, "bDeviceClass": kind, "authorized": "1"}.items():
        (folder / name).write_text(content + "\n")
    return folder


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    root = tmp_path / "sys"
    device(root, MODEM, "2c7c", "0125")
    device(root, KEYBOARD, "046d", "c31c")
    device(root, HUB, "1a86", "8091", "09")
    for name in ("bind", "unbind"):
        file = root / "bus/usb/drivers/usb" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    port = root / "bus/usb/devices/1-1:1.0/1-1-port2"
    port.mkdir(parents=True)
    (port / "disable").write_text("0")
    return root


class Slept:
    """Instead of waiting: what the files said meanwhile."""

    def __init__(self, *files: Path) -> None:
        self._files = files
        self.seen: list[tuple[float, list[str]]] = []

    def __call__(self, seconds: float) -> None:
        self.seen.append((seconds, [file.read_text().strip() for file in self._files]))


def test_authorize_takes_the_device_away_for_five_seconds(sysfs: Path) -> None:
    switch = sysfs / "bus/usb/devices" / MODEM / "authorized"
    slept = Slept(switch)
    UsbRoot(sysfs, sleep=slept).carry_out(f"authorize {MODEM}")
    assert slept.seen == [(5.0, ["0"])]
    assert switch.read_text().strip().startswith("1")


def test_power_uses_the_kernels_switch_for_twenty_seconds(sysfs: Path) -> None:
    switch = sysfs / "bus/usb/devices/1-1:1.0/1-1-port2/disable"
    slept = Slept(switch)
    UsbRoot(sysfs, sleep=slept).carry_out(f"power {MODEM}")
    assert slept.seen == [(20.0, ["1"])]
    assert switch.read_text() == "0"


def test_power_of_a_port_at_the_root_hub(sysfs: Path) -> None:
    port = sysfs / "bus/usb/devices/2-0:1.0/usb2-port4"
    port.mkdir(parents=True)
    (port / "disable").write_text("0")
    slept = Slept(port / "disable")
    UsbRoot(sysfs, sleep=slept).carry_out("power 2-4")
    assert slept.seen == [(20.0, ["1"])]


def test_power_asks_uhubctl_where_the_kernel_has_no_switch(sysfs: Path, tmp_path: Path) -> None:
    (sysfs / "bus/usb/devices/1-1:1.0/1-1-port2/disable").unlink()
    said = tmp_path / "said"
    program = tmp_path / "uhubctl"
    program.write_text(f'#!/bin/sh\necho "$@" > {said}\n')
    program.chmod(0o755)
    UsbRoot(sysfs, uhubctl=(str(program),)).carry_out(f"power {MODEM}")
    assert said.read_text().strip() == "-l 1-1 -p 2 -a cycle -d 20"


def test_without_any_switch_it_says_what_would_help(sysfs: Path) -> None:
    (sysfs / "bus/usb/devices/1-1:1.0/1-1-port2/disable").unlink()
    with pytest.raises(Refused, match="power_command"):
        UsbRoot(sysfs, uhubctl=()).carry_out(f"power {MODEM}")


def test_unbind_and_bind_name_the_device_to_the_driver(sysfs: Path) -> None:
    for verb in ("unbind", "bind"):
        UsbRoot(sysfs).carry_out(f"{verb} {MODEM}")
        assert (sysfs / "bus/usb/drivers/usb" / verb).read_text() == MODEM


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (f"authorize {KEYBOARD}", "no modem"),
        (f"authorize {HUB}", "hub"),
        (f"power {HUB}", "hub"),
        ("authorize 1-1.9", "nothing is plugged in"),
        ("authorize ../../etc", "no USB path"),
        ("authorize 1-1.2/../1-1.3", "no USB path"),
        ("authorize 1-1.2 ", "no USB path"),
        ("authorize", "no USB path"),
        ("reboot 1-1.2", "verbs"),
        ("", "verbs"),
    ],
)
def test_what_it_refuses(sysfs: Path, request_: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        UsbRoot(sysfs).carry_out(request_)
    assert (sysfs / "bus/usb/devices" / KEYBOARD / "authorized").read_text().strip() == "1"


@given(st.text(max_size=40))
def test_no_other_word_reaches_a_file(line: str) -> None:
    with pytest.raises(Refused):
        UsbRoot(Path("/nowhere")).carry_out(line)


# --- Over its socket --------------------------------------------------------------------------------------------------


class Helper:
    """It ends whenever nobody asks, and is started anew, as systemd does it."""

    def __init__(self, folder: Path, sysfs: Path, users: frozenset[int]) -> None:
        self.path = folder / "usb.sock"
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(self.path))
        self.listening.listen(4)
        self._usb, self._users = UsbRoot(sysfs, sleep=lambda _seconds: None), users
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._ended.is_set():
            serve(self.listening, self._usb, self._users, idle=0.05)

    def end(self) -> None:
        self._ended.set()
        self._thread.join()
        self.listening.close()

    def ask(self, data: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(60)
            asking.connect(str(self.path))
            asking.sendall(data)
            asking.shutdown(socket.SHUT_WR)
            return asking.makefile("rb").read()


@pytest.fixture
def helper(tmp_path: Path, sysfs: Path) -> Iterator[Helper]:
    made = Helper(tmp_path, sysfs, frozenset({os.getuid()}))
    yield made
    made.end()


def test_the_service_asks_it_and_learns_what_it_said(helper: Helper) -> None:
    async def main() -> None:
        actions = MachineActions(helper.path)
        assert actions.can_reset_usb(MODEM)
        await actions.reset_usb(MODEM)
        await actions.cut_power(MODEM)
        with pytest.raises(ActionFailed, match="no modem"):
            await actions.reset_usb(KEYBOARD)

    asyncio.run(main())


@pytest.mark.parametrize(
    "data", [b"", b"authorize 1-1.2", b"x" * 500 + b"\n", b"\xff\n", b"unbind 1-1.2\nbind 1-1.2\n"]
)
def test_a_request_is_one_short_line(helper: Helper, data: bytes) -> None:
    assert helper.ask(data).startswith(b"error ")


def test_who_may_not_ask_is_told_so_and_nothing_is_done(tmp_path: Path, sysfs: Path) -> None:
    made = Helper(tmp_path, sysfs, frozenset({os.getuid() + 1}))
    try:
        assert made.ask(f"unbind {MODEM}\n".encode()) == f"error user {os.getuid()} may not ask\n".encode()
    finally:
        made.end()
    assert (sysfs / "bus/usb/drivers/usb/unbind").read_text() == ""


def test_as_a_program_started_by_systemd(tmp_path: Path, sysfs: Path) -> None:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "helper.sock"))
    listening.listen(1)
    # What systemd does: the socket is descriptor 3, and the environment names the process itself.
    launch = (
        "import os, sys; os.dup2(int(sys.argv[1]), 3); os.set_inheritable(3, True); "
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); os.execv(sys.executable, sys.argv[2:])"
    )
    program = [sys.executable, "-m", "drivers.modems.usb_helper", "--idle", "60", "--sysfs", str(sysfs)]
    number = listening.fileno()
    process = subprocess.Popen(
        [sys.executable, "-c", launch, str(number), *program], pass_fds=(number,), stderr=subprocess.PIPE
    )
    try:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(60)
            asking.connect(str(tmp_path / "helper.sock"))
            asking.sendall(f"unbind {MODEM}\n".encode())
            answer = asking.recv(200)
        assert answer == b"ok\n"
    finally:
        process.kill()
        process.communicate()
        listening.close()


def test_a_power_command_runs_without_a_shell_and_its_failure_is_told(tmp_path: Path) -> None:
    said = tmp_path / "said"
    program = tmp_path / "relay"
    program.write_text(
        f'#!/bin/sh\necho "$1" > {said}\n[ "$1" = "3; reboot" ] || {{ echo no such relay >&2; exit 4; }}\n'
    )
    program.chmod(0o755)

    async def main() -> None:
        await MachineActions(None, [str(program), "3; reboot"]).cut_power("")
        with pytest.raises(ActionFailed, match="ended with 4: no such relay"):
            await MachineActions(None, [str(program), "9"]).cut_power("")
        with pytest.raises(ActionFailed, match="cannot be run"):
            await MachineActions(None, ["/nowhere/relay"]).cut_power("")

    asyncio.run(main())
    assert said.read_text() == "9\n"
