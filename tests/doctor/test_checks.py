"""Each fact that is wrong is found, with a remedy; nothing is found where nothing is wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bridge.config import Modem, Settings
from bridge.doctor import (
    Account,
    Clock,
    Database,
    Facts,
    Guard,
    Port,
    ServiceState,
    Severity,
    State,
    Trouble,
    Webhook,
    examine,
    worst,
)
from bridge.endpoints import DeliveryState, Try
from bridge.events import EndpointData, EventType
from bridge.store import Changes
from drivers.modems.checkup import Checkup, check_up, check_up_modem
from drivers.modems.discovery import Found
from drivers.modems.generations import only_2g
from drivers.modems.ports import Ports
from drivers.simulator import Simulation
from tests.cli.support import Result, command
from tests.flows.gateway import gateway

OPEN = Found(port="/dev/ttyUSB0", model="E173")
ROOM = 10 << 30


LEFT = {"amount": "4.20", "currency": "PLN", "at": None, "low": False, "problem": None}


def channel(**changes: Any) -> dict[str, Any]:
    modem = {
        "model": "E173",
        "operator": "Plus",
        "registration": "home",
        "signal_dbm": -71,
        "storage_used": 0,
        "storage_size": 20,
        "service_centre": "+48602951111",
        "port": "/dev/ttyUSB0",
    }
    plain: dict[str, Any] = {
        "id": "gsm1",
        "driver": "modem",
        "state": "up",
        "code": None,
        "reason": None,
        "paused_until": None,
    }
    plain |= {"balance": None, "arrivals": {"due": 40, "delivered": 38, "silent_block": False}}
    told = {name: value for name, value in changes.items() if name not in modem}
    return plain | told | {"modem": modem | {name: value for name, value in changes.items() if name in modem}}


def healthy(**changes: Any) -> Facts:
    facts: dict[str, Any] = {
        "version": "1",
        "user": "me",
        "source": "/etc/gsmbridge/config.toml",
        "settings": Settings(modems=(Modem(id="gsm1", port="/dev/ttyUSB0"),)),
        "state": State(path="/s", mode=0o700, free=ROOM, size=ROOM),
        "database": Database(path="/s/db", there=True, schema=3, newest=3),
        "clock": Clock(now=20, build=10, synchronised=True),
        "ports": (Port(port="/dev/ttyUSB0", device="/dev/ttyUSB0", group="dialout"),),
        "service": ServiceState.RUNNING,
        "channels": (channel(),),
    }
    return Facts(**(facts | changes))


def test_a_sound_installation_gets_nothing_but_ok() -> None:
    findings = examine(healthy())
    assert worst(findings) is Severity.OK
    assert {"configuration", "state", "disk", "database", "clock", "service", "ports", "modem"} <= {
        f.check for f in findings
    }


@pytest.mark.parametrize(
    ("changes", "check", "severity"),
    [
        ({"source": None}, "configuration", "warning"),
        ({"troubles": (Trouble(at="modem[0].port", detail="is missing"),)}, "configuration", "error"),
        ({"troubles": (Trouble(at="a", detail="x cannot be read: Permission denied"),)}, "configuration", "note"),
        ({"settings": Settings()}, "configuration", "warning"),
        ({"state": State(path="/s", mode=0o755, free=ROOM)}, "state", "error"),
        ({"state": State(path="/s", mode=0o700, free=ROOM, wide=("db",))}, "state", "warning"),
        ({"state": State(path="/s", mode=0o700, free=ROOM, read_only=True)}, "state", "error"),
        ({"state": State(path="/s", mode=0o700, free=1 << 20)}, "disk", "error"),
        ({"state": State(path="/s", mode=0o700, free=100 << 20)}, "disk", "warning"),
        ({"state": State(path="/s", mode=0o700, free=ROOM, files=9, files_free=3)}, "disk", "error"),
        ({"database": Database(path="/d", there=True, problem="damaged")}, "database", "error"),
        ({"database": Database(path="/d", there=True, schema=4, newest=3)}, "database", "error"),
        ({"webhooks": (Webhook(id="whk_1", dead=2),)}, "webhooks", "warning"),
        ({"webhooks": (Webhook(id="whk_1", enabled=False, disabled="410 Gone"),)}, "webhooks", "warning"),
        (
            {"webhooks": (Webhook(id="whk_1", waiting=3, oldest=1),), "clock": Clock(now=700_000, build=0)},
            "webhooks",
            "warning",
        ),
        ({"clock": Clock(now=5, build=10)}, "clock", "error"),
        ({"clock": Clock(now=20, build=10, synchronised=False, battery=False)}, "clock", "warning"),
        ({"service": ServiceState.STOPPED, "channels": ()}, "service", "warning"),
        ({"ready": False}, "service", "error"),
        ({"service": ServiceState.SILENT}, "service", "error"),
        ({"service_version": "2"}, "version", "warning"),
        ({"devices": {"1-1": "12d1:14dc"}}, "network_mode", "error"),
        ({"devices": {"1-1": "12d1:1446"}}, "disk_mode", "error"),
        ({"ports": ()}, "ports", "error"),
        ({"ports": (Port(port="/dev/ttyUSB0", service_allowed=False),)}, "permissions", "error"),
        ({"ports": (Port(port="/dev/ttyUSB0", allowed=False),), "channels": ()}, "permissions", "warning"),
        (
            {"ports": (Port(port="/dev/ttyUSB0", holders=("minicom (process 8)",)),), "channels": ()},
            "holders",
            "error",
        ),
        ({"ports": (Port(port="/dev/ttyUSB9", holders=("ModemManager (process 8)",)),)}, "holders", "warning"),
        ({"grabbers": ("ModemManager",)}, "holders", "warning"),
        ({"guard": Guard(path="/g", refused=1)}, "pin_guard", "warning"),
        ({"guard": Guard(path="/g", problem="damaged")}, "pin_guard", "error"),
        ({"channels": (channel(registration="denied"),)}, "registration", "error"),
        ({"channels": (channel(service_centre=""),)}, "service_centre", "error"),
        ({"channels": (channel(storage_used=20),)}, "storage", "error"),
        ({"channels": (channel(storage_used=17),)}, "storage", "warning"),
        ({"channels": (channel(signal_dbm=-110),)}, "signal", "warning"),
        ({"channels": (channel(model="SIM800L"),)}, "only_2g", "note"),
        ({"channels": (channel(state="down", code="unplugged", reason="Plug it in."),)}, "unplugged", "error"),
        ({"channels": (channel(paused_until="2026"),)}, "paused", "warning"),
        ({"channels": (channel(arrivals={"due": 40, "delivered": 3, "silent_block": True}),)}, "silent_block", "error"),
        ({"channels": (channel(balance=LEFT | {"low": True}),)}, "balance", "warning"),
        ({"channels": (channel(),), "canary_ok": False}, "canary", "error"),
        (
            {"channels": (channel(balance=LEFT | {"problem": "The network does not know this code."}),)},
            "balance",
            "warning",
        ),
        ({"asked": (Checkup(found=OPEN, pin="SIM PUK"),)}, "pin", "error"),
        ({"asked": (Checkup(found=OPEN, pin="READY", pin_tries=1),)}, "pin_tries", "error"),
        ({"asked": (Checkup(found=Found(port="p", code="port_in_use", problem="x")),)}, "port_in_use", "error"),
        ({"accounts": (Account(id="c", ok=False, detail="wrong login"),)}, "provider", "error"),
        ({"accounts": (Account(id="c", ok=True, detail="0 PLN left", balance=0.0),)}, "provider", "error"),
    ],
)
def test_what_is_wrong_is_found(changes: dict[str, Any], check: str, severity: str) -> None:
    found = [f for f in examine(healthy(**changes)) if f.check == check and f.severity == severity]
    assert found, f"nothing said of {check}"
    if severity == "error" and check not in ("provider",):
        assert found[0].remedy


@pytest.mark.parametrize(
    "one",
    [
        Webhook(id="whk_1", enabled=False, waiting=3, oldest=1),  # somebody switched it off
        Webhook(id="whk_1", waiting=3, oldest=690_000),
    ],
)
def test_a_webhook_that_is_well_or_off_by_hand_is_no_trouble(one: Webhook) -> None:
    facts = healthy(webhooks=(one,), clock=Clock(now=700_000, build=0, synchronised=True))
    assert worst(examine(facts)) is Severity.OK


def test_a_remedy_for_dead_letters_can_be_copied() -> None:
    (found,) = [f for f in examine(healthy(webhooks=(Webhook(id="whk_1", dead=2),))) if f.check == "webhooks"]
    assert "gsmbridge webhook replay whk_1 --all" in found.remedy
    assert "gsmbridge webhook deliveries whk_1" in found.remedy


@pytest.mark.parametrize("model", ["SIMCOM_SIM800L", "SIM900R", "M95", "MC35i", "TC35i", "GE910-QUAD", "SARA-G350"])
def test_models_of_2g_are_known(model: str) -> None:
    assert only_2g(model)


@pytest.mark.parametrize("model", ["SIM7600E", "A7670E", "EC25", "E173", "MC7304", "LE910C4", "SARA-R410M", "ME909s"])
def test_others_are_not_taken_for_them(model: str) -> None:
    assert not only_2g(model)


def test_a_modem_is_asked_without_entering_its_pin(tmp_path: Path) -> None:
    async def ask() -> Checkup:
        async with Simulation(modems=1, directory=tmp_path, pin="1234") as sim:
            return await check_up(sim.modems[0].port, "gsm1")

    found = asyncio.run(ask())
    assert found.pin == "SIM PIN"
    assert not found.found.code


@pytest.mark.parametrize(("stat", "registration"), [(1, "home"), (3, "denied"), (5, "roaming"), (2, "searching")])
def test_registration_is_asked_for_both_networks(tmp_path: Path, stat: int, registration: str) -> None:
    """+CREG and +CEREG; the better one counts."""

    async def ask() -> Checkup:
        async with Simulation(modems=1, directory=tmp_path) as sim:
            sim.modems[0].modem.register(stat)
            return await check_up(sim.modems[0].port)

    assert asyncio.run(ask()).registration == registration


IDENTITY = ("port", "imei", "iccid")


def found_in(tmp_path: Path, which: int, **wanted: str) -> tuple[Checkup, list[str]]:
    """With two modems: the `which`-th wanted, by its IMEI or SIM unless `wanted` says otherwise. Also their ports."""

    async def ask() -> tuple[Checkup, list[str]]:
        async with Simulation(modems=2, directory=tmp_path) as sim:
            modem = sim.modems[which]
            known = {"imei": modem.imei, "iccid": modem.iccid, "port": sim.modems[0].port}
            port, imei, iccid = (known[n] if wanted.get(n) == "known" else wanted.get(n, "") for n in IDENTITY)
            ports = Ports(patterns=(f"{tmp_path}/*",))
            found = await check_up_modem("gsm1", ports, port=port, imei=imei, iccid=iccid)
            return found, [m.port for m in sim.modems]

    return asyncio.run(ask())


@pytest.mark.parametrize(
    "wanted",
    [
        {"imei": "known"},
        {"iccid": "known"},
        {"imei": "known", "port": "known"},  # another modem is at its port
        {"imei": "known", "port": "/dev/none"},
    ],
)
def test_a_modem_is_found_by_its_identity_without_a_service(tmp_path: Path, wanted: dict[str, str]) -> None:
    found, ports = found_in(tmp_path, 1, **wanted)
    assert (found.found.port, found.found.code, found.channel) == (ports[1], "", "gsm1")
    assert found.registration == "home"


@pytest.mark.parametrize(
    ("wanted", "code", "said"),
    [
        ({"imei": "490154203237518"}, "port_missing", "The modem 490154203237518 is on no port."),
        ({"imei": "490154203237518", "port": "known"}, "wrong_modem", "is on no other port."),
        ({"iccid": "8944", "port": "known"}, "wrong_sim", "The modem with SIM 8944 is on no other port."),
        ({"imei": "490154203237518", "port": "/dev/none"}, "port_missing", "is on no other port."),
    ],
)
def test_a_modem_that_is_nowhere_is_told(tmp_path: Path, wanted: dict[str, str], code: str, said: str) -> None:
    found, _ = found_in(tmp_path, 0, **wanted)
    assert found.found.code == code
    assert said in found.found.problem


def test_without_service_or_database_it_still_says_its_part(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[service]\nstate_dir = "{tmp_path}/state"\n[[modem]]\nid = "gsm1"\nport = "{tmp_path}/none"\n')
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o755)
    (state / "gsmbridge.sqlite").write_bytes(b"this is no database" * 100)
    result = command("doctor", "--config", config, "-o", "json")
    assert result.exit == 69
    errors = {f["check"] for f in result.json["findings"] if f["severity"] == "error"}
    assert {"state", "database", "port_missing"} <= errors


def status(tmp_path: Path, settings: str) -> tuple[int, str]:
    config = tmp_path / "config.toml"
    config.write_text(f'[service]\nstate_dir = "{tmp_path}/state"\nports = ["{tmp_path}/none*"]\n{settings}')
    result = command("doctor", "--config", config, "--json")
    return result.exit, result.json["worst"]


def test_the_exit_status_tells_the_severity(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    assert status(tmp_path, "") == (1, "warning")  # no channel, no service
    assert status(tmp_path, '[[modem]]\nid = "gsm1"\nport = "/dev/none"\n') == (69, "error")


def test_a_running_service_in_good_order_is_status_0(tmp_path: Path) -> None:
    async def ask() -> Result:
        async with gateway(tmp_path) as gate:
            config = tmp_path / "config.toml"
            config.write_text(
                f'[service]\nstate_dir = "{tmp_path}/state"\nports = ["{tmp_path}/none*"]\n'
                f'[[modem]]\nid = "modem0"\nport = "{gate.sim.modems[0].port}"\n'
            )
            return await asyncio.to_thread(command, "doctor", "--config", config, "-o", "json")

    result = asyncio.run(ask())
    bad = [f for f in result.json["findings"] if f["severity"] in ("warning", "error") and f["check"] != "clock"]
    # ModemManager or a disk that is full on the machine of the test are findings too, and no mistake.
    assert [f for f in bad if f["check"] not in ("disk", "holders")] == []
    assert result.exit == {"ok": 0, "note": 0, "warning": 1, "error": 69}[result.json["worst"]]


def test_dead_letters_are_read_from_the_database(tmp_path: Path) -> None:
    """By endpoint, and also while no service runs."""

    async def fill() -> str:
        async with gateway(tmp_path) as gate:
            made = await gate.http.post(
                "/v1/webhooks", json={"url": "https://nowhere.example/", "events": ["message.*"]}
            )

            def give_up(changes: Changes) -> None:
                (endpoint,) = changes.endpoints()
                data = EndpointData(webhook="x", code="x", reason="x")
                event = changes.emit_to(endpoint, EventType.WEBHOOK_TEST, 0, key="x", data=data)
                delivery = changes.delivery(endpoint.id, event)
                assert delivery is not None
                one = Try(id=1, endpoint=endpoint.id, event=event, at=0, milliseconds=1)
                changes.tried(delivery, DeliveryState.DEAD, 0, one)

            await gate.app.store.write(give_up)
            return str(made.json()["id"])

    id = asyncio.run(fill())
    config = tmp_path / "config.toml"
    config.write_text(f'[service]\nstate_dir = "{tmp_path}/state"\n')
    findings = command("doctor", "--config", config, "--json").json["findings"]
    (found,) = [f for f in findings if f["check"] == "webhooks"]
    assert f"gsmbridge webhook replay {id} --all" in found["remedy"]
