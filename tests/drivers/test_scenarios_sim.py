"""SIM and registration, by the fault scenarios P01-P12, and a modem that lacks what others have."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from drivers.contract import Incoming, LinkState, NotSent
from drivers.modems.pin_guard import FilePinGuard
from tests.drivers.support import Scene, play


def test_p01_the_attempt_is_on_disk_before_the_pin_is_written(tmp_path: Path) -> None:
    file = tmp_path / "pins.json"
    on_disk: list[int] = []

    async def host(scene: Scene) -> None:
        received = scene.stage.received

        def watched(link: object, data: bytes) -> None:
            if data.startswith(b"AT+CPIN="):
                on_disk.append(len(json.loads(file.read_text())))
            received(link, data)  # type: ignore[arg-type]

        scene.stage.received = watched  # type: ignore[method-assign]
        await scene.sink.link(LinkState.UP)
        assert on_disk == [1]
        assert json.loads(file.read_text()) == []
        assert file.stat().st_mode & 0o777 == 0o600

    play("sim/P01", host, from_start=True, pin="1234", guard=FilePinGuard(file))


def test_p02_with_two_tries_left_nothing_is_entered(tmp_path: Path) -> None:
    async def host(scene: Scene) -> None:
        change = await scene.sink.link(LinkState.BLOCKED)
        assert change.code == "sim_pin_counter"
        assert b"AT+CPIN=" not in scene.stage.written
        with pytest.raises(NotSent) as caught:
            await scene.send()
        assert (caught.value.code, caught.value.channel_unusable) == ("sim_pin_counter", True)

    play("sim/P02", host, from_start=True, pin="1234", guard=FilePinGuard(tmp_path / "pins.json"))


def test_p03_a_wrong_pin_is_never_entered_again(tmp_path: Path) -> None:
    async def first(scene: Scene) -> None:
        change = await scene.sink.link(LinkState.BLOCKED)
        assert change.code == "sim_pin_refused"
        assert "1111" not in change.reason

    async def after_restart(scene: Scene) -> None:
        change = await scene.sink.link(LinkState.BLOCKED)
        assert change.code == "sim_pin_refused"
        assert b"AT+CPIN=" not in scene.stage.written

    file = tmp_path / "pins.json"
    play("sim/P03", first, from_start=True, pin="1111", guard=FilePinGuard(file))
    assert "1111" not in file.read_text()
    play("sim/P03B", after_restart, from_start=True, pin="1111", guard=FilePinGuard(file))


def test_p03_another_pin_may_be_tried(tmp_path: Path) -> None:
    guard = FilePinGuard(tmp_path / "pins.json")
    guard.begin("sim", "1111")
    assert not guard.may_try("sim", "1111")
    assert guard.may_try("sim", "2222")
    assert guard.may_try("other", "1111")


def test_a_damaged_record_of_pins_lets_none_be_entered(tmp_path: Path) -> None:
    file = tmp_path / "pins.json"
    file.write_text("{")

    async def host(scene: Scene) -> None:
        assert (await scene.sink.link(LinkState.BLOCKED)).code == "pin_guard_failed"
        assert b"AT+CPIN=" not in scene.stage.written

    play("sim/P03B", host, from_start=True, pin="1234", guard=FilePinGuard(file))


def test_p04_a_puk_is_never_answered(tmp_path: Path) -> None:
    async def host(scene: Scene) -> None:
        change = await scene.sink.link(LinkState.BLOCKED)
        assert change.code == "sim_puk_required"
        assert b"AT+CPIN=" not in scene.stage.written

    play("sim/P04", host, from_start=True, pin="1234", guard=FilePinGuard(tmp_path / "pins.json"))


def test_p05_a_flicker_is_waited_out() -> None:
    async def host(scene: Scene) -> None:
        seen = len(scene.sink.events)
        await scene.sink.link(LinkState.UP, after=seen)
        assert all(change.state is not LinkState.BLOCKED for change in scene.sink.events)  # type: ignore[union-attr]

    play("sim/P05", host)


def test_a_locked_sim_without_a_pin_says_what_to_do() -> None:
    async def host(scene: Scene) -> None:
        change = await scene.sink.link(LinkState.BLOCKED)
        assert change.code == "sim_pin_required"
        assert "PIN" in change.reason

    play("sim/P04B", host, from_start=True)


def test_p06_another_sim_is_another_sim() -> None:
    async def host(scene: Scene) -> None:
        seen = len(scene.sink.events)
        assert (await scene.sink.link(LinkState.BLOCKED, "sim_missing")).iccid == "89441000000000000000"
        change = await scene.sink.link(LinkState.UP, after=seen)
        assert change.iccid == "8944100000000000002"

    play("sim/P06", host)


def test_p06_a_sim_that_is_not_the_configured_one_is_not_used() -> None:
    async def host(scene: Scene) -> None:
        change = await scene.sink.link(LinkState.BLOCKED, "wrong_sim")
        assert "8944100000000000002" in change.reason

    play("sim/P06", host, iccid="89441000000000000000")


def test_p07_denied_is_for_a_person() -> None:
    async def host(scene: Scene) -> None:
        assert (await scene.sink.link(LinkState.BLOCKED)).code == "registration_denied"
        await scene.finished()
        assert not any("CFUN=" in line or "COPS=2" in line for line in scene.stage.extra)

    play("sim/P07", host, from_start=True)


def test_p08_registered_for_lte_is_registered() -> None:
    async def host(scene: Scene) -> None:
        await scene.sink.link(LinkState.UP)
        health = await scene.driver.health()
        assert (health.registration, health.signal_dbm) == ("home", None)

    play("sim/P08", host, from_start=True)


def test_p09_emergency_calls_only_is_not_registered() -> None:
    async def host(scene: Scene) -> None:
        change = await scene.sink.link(LinkState.STARTING, "not_registered")
        assert "antenna" in change.reason
        with pytest.raises(NotSent):
            await scene.send()

    play("sim/P09", host, from_start=True)


def test_p11_the_sms_layer_is_waited_for() -> None:
    async def host(scene: Scene) -> None:
        await scene.sink.link(LinkState.UP)
        assert asyncio.get_running_loop().time() < 10

    play("sim/P11", host, from_start=True)


def test_p12_a_missing_service_centre_is_told() -> None:
    async def host(scene: Scene) -> None:
        change = await scene.sink.link(LinkState.UP)
        assert (change.code, "smsc" in change.reason) == ("smsc_missing", True)

    play("sim/P12", host, from_start=True)


def test_a_modem_that_lacks_much_sends_and_receives() -> None:
    async def host(scene: Scene) -> None:
        await scene.sink.link(LinkState.UP)
        await asyncio.sleep(5.5)
        scene.stage.go_on()
        assert (await scene.send()).tp_mr == 5
        await scene.sink.wait(Incoming)

    play("sim/X01", host, from_start=True)
