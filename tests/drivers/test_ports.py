"""Finding modems on a machine with many ports: a fake sysfs and /dev, modems in memory."""

from __future__ import annotations

import asyncio
from pathlib import Path

from drivers.modems.link import Link, LinkError
from drivers.modems.ports import Ports
from drivers.modems.settings import ModemSettings
from drivers.modems.usb import UsbTree, hub_of, mode_problem
from tests.drivers.support import Stage, run_stepped, scenario

MINE, OTHER = "350000000000006", "490154203237518"


class Machine:
    """USB modems with several ports each, as sysfs and /dev show them."""

    def __init__(self, folder: Path) -> None:
        self.dev, self.sys = folder / "dev", folder / "sys"
        self.dev.mkdir()
        self.opened: list[str] = []
        self._stages: dict[str, Stage] = {}
        self.ports = Ports(
            patterns=(str(self.dev / "ttyUSB*"),),
            opener=self.open,
            monotonic=asyncio.get_running_loop().time,
            usb=UsbTree(self.sys),
        )

    def plug(self, path: str, id: str, *, imei: str, first: int, interfaces: int, answering: tuple[int, ...]) -> None:
        vendor, _, product = id.partition(":")
        device = self.sys / "devices/usb1" / path
        (self.sys / "bus/usb/devices").mkdir(parents=True, exist_ok=True)
        for interface in range(interfaces):
            name = f"ttyUSB{first + interface}"
            tty = device / f"{path}:1.{interface}" / name
            tty.mkdir(parents=True)
            (tty.parent / "bInterfaceNumber").write_text(f"{interface:02x}\n")
            (self.sys / "class/tty" / name).mkdir(parents=True)
            (self.sys / "class/tty" / name / "device").symlink_to(tty)
            (self.dev / name).touch()
            if interface in answering:
                stage = self._stages[str(self.dev / name)] = Stage(scenario("sending/S00"), begun=True)
                stage.port = str(self.dev / name)
                assert stage.player._understudy is not None
                stage.player._understudy.modem.imei = imei
        (device / "idVendor").write_text(vendor + "\n")
        (device / "idProduct").write_text(product + "\n")
        (self.sys / "bus/usb/devices" / path).symlink_to(device)

    async def open(self, settings: ModemSettings, port: str) -> Link:
        self.opened.append(Path(port).name)
        if port not in self._stages:
            raise LinkError("port_failed", f"{port} does not answer.")
        return await self._stages[port].open(settings, port)


def test_the_facts_of_udev_are_read_from_sysfs(tmp_path: Path) -> None:
    async def main() -> None:
        machine = Machine(tmp_path)
        machine.plug("1-1.2", "2c7c:0125", imei=MINE, first=4, interfaces=4, answering=(2,))
        found = machine.ports.behind(str(machine.dev / "ttyUSB6"))
        assert found is not None
        assert (found.path, found.interface, found.id, found.silent, found.rank) == ("1-1.2", 2, "2c7c:0125", False, 0)
        assert machine.ports.usb.id_at("1-1.2") == "2c7c:0125"
        assert machine.ports.usb.devices() == {"1-1.2": "2c7c:0125"}
        assert machine.ports.behind("socket://host:1") is None

    run_stepped(main())


def test_the_likely_command_port_is_asked_first_and_silent_ones_never(tmp_path: Path) -> None:
    async def main() -> None:
        machine = Machine(tmp_path)
        machine.plug("1-1.2", "2c7c:0125", imei=MINE, first=0, interfaces=4, answering=(2, 3))
        assert await machine.ports.find(imei=MINE) == str(machine.dev / "ttyUSB2")
        assert machine.opened == ["ttyUSB2"]

    run_stepped(main())


def test_a_modem_that_answered_as_another_one_is_not_asked_on_its_other_ports(tmp_path: Path) -> None:
    async def main() -> None:
        machine = Machine(tmp_path)
        machine.plug("1-1.1", "12d1:1506", imei=OTHER, first=0, interfaces=3, answering=(0, 1, 2))
        machine.plug("1-1.2", "12d1:1506", imei=MINE, first=3, interfaces=3, answering=(2,))
        assert await machine.ports.find(imei=MINE) == str(machine.dev / "ttyUSB5")
        assert machine.opened == ["ttyUSB0", "ttyUSB3", "ttyUSB4", "ttyUSB5"]

    run_stepped(main())


def test_h06_of_two_sticks_alike_the_socket_where_it_was_is_asked_first(tmp_path: Path) -> None:
    async def main() -> None:
        machine = Machine(tmp_path)
        machine.plug("1-1.1", "1e0e:9001", imei=MINE, first=0, interfaces=4, answering=(2,))
        machine.plug("1-1.2", "1e0e:9001", imei=MINE, first=4, interfaces=4, answering=(2,))
        assert await machine.ports.find(imei=MINE, near="1-1.2") == str(machine.dev / "ttyUSB6")

    run_stepped(main())


def test_a_port_that_another_driver_has_open_is_left_alone(tmp_path: Path) -> None:
    async def main() -> None:
        machine = Machine(tmp_path)
        machine.plug("1-1.1", "1e0e:9001", imei=MINE, first=0, interfaces=4, answering=(2, 3))
        machine.ports.hold(str(machine.dev / "ttyUSB2"), "gsm1")
        assert await machine.ports.find(imei=MINE) == str(machine.dev / "ttyUSB3")
        (machine.dev / "ttyUSB2").unlink()  # what it was can be asked no more
        machine.ports.release("gsm1")
        (machine.dev / "ttyUSB2").touch()
        assert await machine.ports.find(imei=MINE) == str(machine.dev / "ttyUSB2")

    run_stepped(main())


def test_what_was_learned_is_not_asked_again_at_once_by_the_next_driver(tmp_path: Path) -> None:
    async def main() -> None:
        machine = Machine(tmp_path)
        machine.plug("1-1.1", "12d1:1506", imei=OTHER, first=0, interfaces=1, answering=(0,))
        machine.plug("1-1.2", "12d1:1506", imei=MINE, first=1, interfaces=1, answering=(0,))
        first, second = await asyncio.gather(machine.ports.find(imei=MINE), machine.ports.find(imei=OTHER))
        assert (first, second) == (str(machine.dev / "ttyUSB1"), str(machine.dev / "ttyUSB0"))
        assert sorted(machine.opened) == ["ttyUSB0", "ttyUSB1"]

    run_stepped(main())


def test_a_plug_is_noticed_long_before_the_time_is_up(tmp_path: Path) -> None:
    async def main() -> None:
        machine = Machine(tmp_path)
        loop = asyncio.get_running_loop()
        before = machine.ports.look()
        loop.call_later(3.0, (machine.dev / "ttyUSB7").touch)
        assert await machine.ports.changed(before, 30.0)
        assert loop.time() < 4.0
        assert not await machine.ports.changed(machine.ports.look(), 5.0)

    run_stepped(main())


def test_a_link_that_points_to_another_device_is_a_change(tmp_path: Path) -> None:
    async def main() -> None:
        machine = Machine(tmp_path)
        one, other, link = (tmp_path / name for name in ("pts1", "pts2", "modem0"))
        one.touch()
        other.touch()
        link.symlink_to(one)
        before = machine.ports.look(str(link))
        link.unlink()
        link.symlink_to(other)
        assert machine.ports.look(str(link)) != before

    run_stepped(main())


def test_the_hub_of_a_socket() -> None:
    assert [hub_of(path) for path in ("1-1.2.3", "1-1.2", "1-1", "")] == ["1-1.2", "1-1", "1", ""]


def test_sticks_that_show_themselves_as_something_else_are_explained() -> None:
    assert mode_problem("12d1:14dc")[0] == "network_mode"
    assert mode_problem("19d2:2000")[0] == "disk_mode"
    assert mode_problem("05c6:9008")[0] == "boot_loader"
    assert mode_problem("2c7c:0125") == ("", "")
