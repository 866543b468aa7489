"""What the doctor sees of a machine: a fake sysfs and /proc, ports that are pseudo terminals."""

from __future__ import annotations

import grp
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.doctor.machine import Machine


class Box:
    """A machine in a folder. Its serial ports are real terminals, so that a device number stands behind each."""

    def __init__(self, folder: Path) -> None:
        self.dev, self.sys, self.proc = folder / "dev", folder / "sys", folder / "proc"
        for part in (self.dev, self.proc, self.sys / "class/tty", self.sys / "bus/usb/devices"):
            part.mkdir(parents=True)
        self.machine = Machine(sys=self.sys, proc=self.proc)
        self._open: list[int] = []

    def port(self, name: str) -> str:
        ours, theirs = os.openpty()
        self._open += [ours, theirs]
        link = self.dev / name
        link.symlink_to(os.ttyname(theirs))
        return str(link)

    def usb(self, path: str, id: str, *, port: str = "", interface: int = 0) -> None:
        device = self.sys / "devices" / path
        device.mkdir(parents=True, exist_ok=True)
        vendor, _, product = id.partition(":")
        (device / "idVendor").write_text(vendor + "\n")
        (device / "idProduct").write_text(product + "\n")
        (self.sys / "bus/usb/devices" / path).symlink_to(device)
        if port:
            tty = device / f"{path}:1.{interface}" / "tty"
            tty.mkdir(parents=True)
            (tty.parent / "bInterfaceNumber").write_text(f"{interface:02x}\n")
            known = self.sys / "class/tty" / os.path.basename(os.path.realpath(port))
            known.mkdir()
            (known / "device").symlink_to(tty)

    def process(self, pid: int, name: str, *holding: str) -> None:
        folder = self.proc / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "comm").write_text(name + "\n")
        for number, port in enumerate(holding):
            (folder / "fd" / str(number)).symlink_to(os.path.realpath(port))

    def close(self) -> None:
        for descriptor in self._open:
            os.close(descriptor)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path)
    yield made
    made.close()


def test_a_port_is_told_with_its_stick_group_and_holder(box: Box) -> None:
    modem, other = box.port("ttyUSB0"), box.port("ttyUSB1")
    box.usb("1-1", "12d1:1506", port=modem)
    box.process(812, "ModemManager", modem)
    box.process(900, "bash")
    held, free = box.machine.ports((f"{box.dev}/ttyUSB*",))
    assert (held.port, held.usb, held.holders) == (modem, "12d1:1506", ("ModemManager (process 812)",))
    assert "systemctl disable --now ModemManager" in held.remedy
    assert held.group == grp.getgrgid(os.stat(modem).st_gid).gr_name
    assert held.allowed
    assert (free.port, free.usb, free.holders, free.remedy) == (other, "", (), "")
    assert box.machine.grabbers() == ("ModemManager",)


def test_a_port_that_never_answers_at_is_known(box: Box) -> None:
    silent, command = box.port("ttyUSB0"), box.port("ttyUSB2")
    box.usb("1-1", "2c7c:0125", port=silent, interface=0)
    box.usb("1-2", "2c7c:0125", port=command, interface=2)
    assert [p.silent for p in box.machine.ports((f"{box.dev}/*",))] == [True, False]


def test_two_names_of_one_port_are_one(box: Box) -> None:
    port = box.port("by-id-modem")
    (box.dev / "ttyUSB0").symlink_to(os.path.realpath(port))
    found = box.machine.ports((f"{box.dev}/by-id*", f"{box.dev}/ttyUSB*"))
    assert [p.port for p in found] == [port]


def test_a_port_that_we_may_not_open(box: Box) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may open anything")
    port = box.port("ttyUSB0")
    os.chmod(os.path.realpath(port), 0)
    assert [p.allowed for p in box.machine.ports((f"{box.dev}/*",))] == [False]


def test_sticks_in_the_wrong_mode_are_seen_without_a_port(box: Box) -> None:
    box.usb("1-1", "12d1:14dc")
    box.usb("2-1.4", "12d1:1446")
    assert box.machine.devices() == {"1-1": "12d1:14dc", "2-1.4": "12d1:1446"}


def test_a_machine_without_usb_or_serial_ports(tmp_path: Path) -> None:
    empty = Machine(sys=tmp_path / "sys", proc=tmp_path / "proc")
    assert (empty.ports((f"{tmp_path}/tty*",)), empty.devices(), empty.grabbers()) == ((), {}, ())


def test_the_state_directory(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    before = Machine().state(directory)
    assert before.mode is None
    assert before.free is not None
    assert before.free > 0
    directory.mkdir(mode=0o700)
    (directory / "gsmbridge.sqlite").touch(mode=0o600)
    (directory / "notes").touch()
    (directory / "notes").chmod(0o644)
    seen = Machine().state(directory)
    assert (seen.mode, seen.mine, seen.read_only, seen.wide) == (0o700, True, False, ("notes",))


@pytest.mark.parametrize(
    ("content", "refused", "problem"),
    [(json.dumps(["a", "b"]), 2, False), ("[]", 0, False), ("{", 0, True)],
)
def test_the_record_of_pins(tmp_path: Path, content: str, refused: int, problem: bool) -> None:
    file = tmp_path / "pin-guard.json"
    assert Machine().guard(file) is None
    file.write_text(content)
    found = Machine().guard(file)
    assert found is not None
    assert (found.refused, bool(found.problem)) == (refused, problem)
