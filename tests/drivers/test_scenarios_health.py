"""Modems that fail, vanish and come back, by the fault scenarios H01-H10 and P10: diagnosed first, then repaired."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from drivers.contract import LinkState, MissedCall, NotSent, Repair, RepairState
from drivers.modems.ports import LOOK_EVERY, Ports
from drivers.modems.proofs import Proof, Proofs
from drivers.modems.repair import Rung
from drivers.modems.repairing import Yard
from drivers.modems.settings import ModemSettings
from drivers.modems.usb import UsbTree
from drivers.simulator import Cure
from tests.drivers.rack import MINE, OTHER, Rack, running
from tests.drivers.support import IMEI, Inlet, Scene, Stage, play, run_stepped, submission


class Hands:
    """What can be done to the hardware here: a fake of the world outside, told when it is used."""

    def __init__(self, power: Callable[[], None] = lambda: None) -> None:
        self.done: list[tuple[float, str, str]] = []
        self._power = power

    def can_reset_usb(self, path: str) -> bool:
        return True

    def can_cut_power(self, path: str) -> bool:
        return True

    async def reset_usb(self, path: str) -> None:
        self.done.append((asyncio.get_running_loop().time(), "usb", path))

    async def cut_power(self, path: str) -> None:
        self.done.append((asyncio.get_running_loop().time(), "power", path))
        self._power()


def all_proven(folder: Path, *imeis: str) -> Proofs:
    proofs = Proofs(folder / "proofs.json")
    for imei in imeis:
        for rung in (Rung.RESET, Rung.USB, Rung.POWER):
            proofs.keep(imei, rung, Proof(works=True, seconds=1.0, at=0))
    return proofs


def rungs(sink: Inlet) -> list[str]:
    return [step.rung for step in sink.of(Repair) if step.state is RepairState.BEGUN]


def modem_of(stage: Stage) -> Any:
    assert stage.player._understudy is not None
    return stage.player._understudy.modem


def hangs(stage: Stage) -> Callable[[str], None]:
    def happens(_text: str) -> None:
        modem_of(stage).set_faults(hung_until="power")

    return happens


def test_p10_zombie_registration_is_registered_anew_then_the_radio_restarted() -> None:
    async def host(scene: Scene) -> None:
        for failures in (3, 1):
            seen = len(scene.sink.events)
            for _ in range(failures):
                error = await scene.refused()
                assert isinstance(error, NotSent)
                assert error.cms == 331
            assert (await scene.sink.link(LinkState.DOWN, after=seen)).code == "repairing"
            await scene.sink.link(LinkState.UP, after=seen)
        await asyncio.sleep(600)
        assert rungs(scene.sink) == ["reregister", "radio"]  # nothing more while nothing more has failed
        assert (await scene.send()).tp_mr == 9
        cured = await scene.sink.wait(Repair, lambda step: step.state is RepairState.CURED)
        assert (rungs(scene.sink), cured.steps) == (["reregister", "radio"], 2)

    play("sim/P10", host)


def test_h01_a_deaf_modem_is_climbed_up_to_its_power_and_goes_on(tmp_path: Path) -> None:
    made: list[Hands] = []

    def options(stage: Stage) -> dict[str, Any]:
        def power() -> None:
            modem_of(stage).cure(Cure.POWER)
            modem_of(stage).power_on(settled=True)

        made.append(Hands(power))
        return {"actions": made[0], "proofs": all_proven(tmp_path, IMEI)}

    async def host(scene: Scene) -> None:
        scene.stage.happens = hangs(scene.stage)
        await scene.sink.link(LinkState.DOWN, "deaf")
        cured = await scene.sink.wait(Repair, lambda step: step.state is RepairState.CURED)
        assert rungs(scene.sink) == ["reopen", "other_port", "usb", "power"]
        assert cured.rung == "power"
        assert [what for _, what, _ in made[0].done] == ["usb", "power"]
        assert made[0].done[1][0] - made[0].done[0][0] >= 60
        await scene.sink.link(LinkState.UP, after=len(scene.sink.events) - 2)

    play("health/H01", host, options=options)


def test_h01_what_was_not_proven_is_not_tried(tmp_path: Path) -> None:
    hands = Hands()

    async def host(scene: Scene) -> None:
        scene.stage.happens = hangs(scene.stage)
        await scene.sink.link(LinkState.DOWN, "deaf")
        await asyncio.sleep(3600)
        assert set(rungs(scene.sink)) == {"reopen", "other_port"}
        assert len(rungs(scene.sink)) <= 12
        assert hands.done == []

    play("health/H01", host, options=lambda _stage: {"actions": hands})


def test_h01_a_modem_that_is_not_to_be_repaired_is_only_opened_again() -> None:
    async def host(scene: Scene) -> None:
        scene.stage.happens = hangs(scene.stage)
        await scene.sink.link(LinkState.DOWN, "deaf")
        await asyncio.sleep(600)
        assert rungs(scene.sink) == []

    play("health/H01", host, repair=False)


def test_h02_when_its_port_goes_deaf_the_modem_is_used_by_its_other_one(tmp_path: Path) -> None:
    async def main() -> None:
        rack = Rack(tmp_path)
        first = rack.plug("ttyUSB0", MINE, "health/H02")
        second = rack.plug("ttyUSB1", MINE)
        sink = Inlet()
        async with running(ModemSettings(port=first), rack, sink):
            await sink.link(LinkState.UP)
            seen = len(sink.events)
            rack.stage(first).happens = hangs(rack.stage(first))
            rack.stage(first).begin()
            up = await sink.link(LinkState.UP, after=seen)
            assert (up.port, up.imei) == (second, MINE)
            assert rungs(sink) == ["reopen", "other_port"]

    run_stepped(main())


def test_h03_a_flood_of_noise_costs_nothing_but_its_bytes() -> None:
    async def host(scene: Scene) -> None:
        await asyncio.sleep(0.25)  # amid the noise
        assert (await scene.send()).tp_mr == 5
        await scene.finished()
        health = await scene.driver.health()
        assert "unknown_notification" not in health.leniencies
        assert health.state is LinkState.UP

    play("health/H03", host)


def test_h04_a_modem_that_restarts_again_and_again_has_a_weak_supply_and_is_left_alone(tmp_path: Path) -> None:
    hands = Hands()

    async def host(scene: Scene) -> None:
        change = await scene.sink.link(LinkState.UP, "weak_supply")
        assert "supply" in change.reason
        await scene.finished()
        assert rungs(scene.sink) == []
        assert hands.done == []

    play("health/H04", host, options=lambda _s: {"actions": hands, "proofs": all_proven(tmp_path, IMEI)})


def test_h05_the_imei_is_checked_before_any_text_when_names_have_changed(tmp_path: Path) -> None:
    async def main() -> None:
        rack = Rack(tmp_path)
        port = rack.plug("ttyUSB0", MINE, "health/H05")
        sink = Inlet()
        async with running(ModemSettings(port=port), rack, sink) as driver:
            await sink.link(LinkState.UP)
            seen = len(sink.events)

            def happens(_text: str) -> None:
                rack.unplug(port)
                rack.plug("ttyUSB0", OTHER)
                rack.plug("ttyUSB3", MINE)

            rack.stage(port).happens = happens
            rack.stage(port).begin()
            await sink.link(LinkState.DOWN, after=seen)
            with pytest.raises(NotSent):
                await driver.submit(submission("S1", "a1"))
            up = await sink.link(LinkState.UP, after=seen)
            assert (Path(up.port).name, up.imei) == ("ttyUSB3", MINE)
            assert b"AT+CMGS" not in rack.stage(port).written

    run_stepped(main())


def sockets(folder: Path, rack_folder: Path, where: dict[str, str]) -> UsbTree:
    """A sysfs that says in which socket each tty hangs."""
    root = folder / "sys"
    for name, path in where.items():
        device = root / "devices" / path
        tty = device / f"{path}:1.0" / name
        tty.mkdir(parents=True, exist_ok=True)
        (device / "idVendor").write_text("1e0e\n")
        (device / "idProduct").write_text("9011\n")
        (device / f"{path}:1.0" / "bInterfaceNumber").write_text("04\n")
        entry = root / "class/tty" / name / "device"
        entry.parent.mkdir(parents=True, exist_ok=True)
        entry.unlink(missing_ok=True)
        entry.symlink_to(tty)
        listed = root / "bus/usb/devices" / path
        listed.parent.mkdir(parents=True, exist_ok=True)
        if not listed.exists():
            listed.symlink_to(device)
    return UsbTree(root)


def ports_of(rack: Rack, usb: UsbTree, *, look_every: float = LOOK_EVERY) -> Ports:
    loop = asyncio.get_running_loop()
    return Ports(patterns=rack.patterns, opener=rack.open, monotonic=loop.time, usb=usb, look_every=look_every)


def test_h06_of_two_sticks_alike_each_is_found_in_its_own_socket(tmp_path: Path) -> None:
    async def main() -> None:
        rack = Rack(tmp_path)
        usb = sockets(tmp_path, tmp_path, {"ttyUSB0": "1-1.1", "ttyUSB1": "1-1.2"})
        ports = ports_of(rack, usb)
        one, other = rack.plug("ttyUSB0", MINE, "health/H06"), rack.plug("ttyUSB1", MINE)
        first, second = Inlet(), Inlet()
        async with (
            running(ModemSettings(port=one), rack, first, channel="one", ports=ports),
            running(ModemSettings(port=other), rack, second, channel="other", ports=ports),
        ):
            await first.link(LinkState.UP)
            await second.link(LinkState.UP)
            seen, seen_other = len(first.events), len(second.events)

            def happens(_text: str) -> None:
                rack.unplug(one)
                rack.unplug(other)
                sockets(tmp_path, tmp_path, {"ttyUSB5": "1-1.1", "ttyUSB4": "1-1.2"})
                rack.plug("ttyUSB4", MINE)
                rack.plug("ttyUSB5", MINE)

            rack.stage(one).happens = happens
            rack.stage(one).begin()
            assert Path((await first.link(LinkState.UP, after=seen)).port).name == "ttyUSB5"
            assert Path((await second.link(LinkState.UP, after=seen_other)).port).name == "ttyUSB4"

    run_stepped(main())


def vanishing(
    tmp_path: Path, script: str, count: int, then: Callable[[Path], None], *, look_every: float = LOOK_EVERY
) -> Callable[[Callable[[list[Inlet], Hands], Coroutine[Any, Any, None]]], None]:
    """`count` modems of one hub that vanish at the scenario's event."""

    def play_with(host: Callable[[list[Inlet], Hands], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            rack = Rack(tmp_path)
            names = [f"ttyUSB{n}" for n in range(count)]
            imeis = [f"35000000000{n:04}" for n in range(count)]
            usb = sockets(tmp_path, tmp_path, {name: f"1-1.{n + 1}" for n, name in enumerate(names)})
            ports, yard = ports_of(rack, usb, look_every=look_every), Yard(asyncio.get_running_loop().time)
            hands, proofs = Hands(), all_proven(tmp_path, *imeis)
            plugged = [
                rack.plug(n, i, script if n == "ttyUSB0" else "sending/S00") for n, i in zip(names, imeis, strict=True)
            ]
            sinks = [Inlet() for _ in names]
            shared = {"ports": ports, "yard": yard, "actions": hands, "proofs": proofs}
            tasks = [
                running(ModemSettings(port=port), rack, sink, channel=Path(port).name, **shared)
                for port, sink in zip(plugged, sinks, strict=True)
            ]
            for task in tasks:
                await task.__aenter__()
            for sink in sinks:
                await sink.link(LinkState.UP)

            def happens(_text: str) -> None:
                for port in plugged:
                    rack.unplug(port)
                then(tmp_path)

            rack.stage(plugged[0]).happens = happens
            rack.stage(plugged[0]).begin()
            await host(sinks, hands)
            for task in tasks:
                await task.__aexit__(None, None, None)

        run_stepped(main())

    return play_with


def test_h07_a_modem_in_its_boot_loader_gets_one_power_cut(tmp_path: Path) -> None:
    def boot_loader(folder: Path) -> None:
        (folder / "sys/devices/1-1.1/idVendor").write_text("05c6\n")
        (folder / "sys/devices/1-1.1/idProduct").write_text("9008\n")

    async def host(sinks: list[Inlet], hands: Hands) -> None:
        await asyncio.sleep(100_000)
        assert [what for _, what, _ in hands.done] == ["power"]
        (given_up,) = [s for s in sinks[0].of(Repair) if s.state is RepairState.GIVEN_UP]
        assert "boot loader" in given_up.reason

    # More than a day, so that the next day's power cut would show. Looking for ports is what takes time in it.
    vanishing(tmp_path, "health/H07", 1, boot_loader, look_every=10.0)(host)


def test_h08_when_a_hub_dies_it_is_acted_upon_once(tmp_path: Path) -> None:
    async def host(sinks: list[Inlet], hands: Hands) -> None:
        await asyncio.sleep(600)
        assert len(hands.done) == 1
        assert all("hub" in step.reason for sink in sinks for step in sink.of(Repair))

    vanishing(tmp_path, "health/H08", 3, lambda _folder: None)(host)


def test_modems_that_go_one_by_one_are_not_reset_within_the_same_minute(tmp_path: Path) -> None:
    async def host(sinks: list[Inlet], hands: Hands) -> None:
        await asyncio.sleep(600)
        assert len(hands.done) == 2
        assert all(b[0] - a[0] >= 60 for a, b in pairwise(hands.done))

    vanishing(tmp_path, "health/H08", 2, lambda _folder: None)(host)


def test_h09_a_modem_that_switched_itself_off_gets_its_power_cut_at_once(tmp_path: Path) -> None:
    hands = Hands()

    async def host(scene: Scene) -> None:
        scene.stage.happens = hangs(scene.stage)
        await scene.sink.link(LinkState.DOWN, "powered_down")
        await scene.sink.wait(Repair)
        await asyncio.sleep(5)
        assert rungs(scene.sink) == ["power"]
        assert [what for _, what, _ in hands.done] == ["power"]

    play("health/H09", host, options=lambda _s: {"actions": hands, "proofs": all_proven(tmp_path, IMEI)})


def test_h10_another_modem_takes_the_place_of_one_that_stays_away(tmp_path: Path) -> None:
    async def main() -> None:
        rack = Rack(tmp_path)
        port = rack.plug("ttyUSB0", MINE, "health/H10")
        sink = Inlet()
        loop = asyncio.get_running_loop()
        async with running(ModemSettings(port=port), rack, sink):
            await sink.link(LinkState.UP)
            seen, at = len(sink.events), loop.time()

            def happens(_text: str) -> None:
                rack.unplug(port)
                rack.plug("ttyUSB0", OTHER)

            rack.stage(port).happens = happens
            rack.stage(port).begin()
            assert (await sink.link(LinkState.UP, after=seen)).imei == OTHER
            assert loop.time() - at >= 10

    run_stepped(main())


def test_u05_a_call_is_hung_up_and_the_text_goes() -> None:
    async def host(scene: Scene) -> None:
        await asyncio.sleep(1.0)
        (call,) = [e for e in scene.sink.events if isinstance(e, MissedCall)]
        assert (call.caller, call.hung_up) == ("+447700900111", True)
        assert (await scene.send()).tp_mr == 9

    play("ussd/U05", host, hang_up=True)
