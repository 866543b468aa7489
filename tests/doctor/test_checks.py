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
    examine,
    worst,
)
from drivers.modems.checkup import Checkup, check_up
from drivers.modems.discovery import Found
from drivers.modems.generations import only_2g
from drivers.simulator import Simulation
from tests.cli.support import command

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
        ({"database": Database(path="/d", there=True, dead=2)}, "webhooks", "warning"),
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
