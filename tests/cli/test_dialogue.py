"""`modem record | replay | recording | prove | scan` as a user runs them, against simulated modems."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.cli.exits import Exit
from drivers.modems.flight_recorder import FlightRecorder
from drivers.modems.masking import mask_number
from drivers.simulator import Simulation
from drivers.simulator.control import serve_control
from drivers.simulator.scenario import Scenario
from tests.cli.support import command

CONFIG = """
[service]
state_dir = "{folder}/state"
ports = ["{folder}/dev/*"]

[[modem]]
id = "gsm1"
port = "{folder}/dev/modem0"
power_command = ["{folder}/relay"]
"""

RELAY = """#!{python}
from pathlib import Path
from drivers.simulator.control import Control
with Control(Path("{folder}/control")) as control:
    control.ask("cut_power", modem="+447700900101")
"""


class Bench:
    """A simulated modem in a thread of its own, a configuration for it, and a relay that cuts its power."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self.config.write_text(CONFIG.format(folder=folder))
        (folder / "state").mkdir(mode=0o700)
        relay = folder / "relay"
        relay.write_text(RELAY.format(python=sys.executable, folder=folder))
        relay.chmod(0o755)
        self.sim: Simulation
        self._up, self._down = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        assert self._up.wait(10)

    async def _run(self) -> None:
        async with Simulation(modems=1, profile="simcom", directory=self.folder / "dev", reports=None) as self.sim:
            server = await serve_control(self.sim, self.folder / "control")
            self._up.set()
            await asyncio.to_thread(self._down.wait)
            server.close()

    @property
    def port(self) -> str:
        return self.sim.modems[0].port

    def stop(self) -> None:
        self._down.set()
        self._thread.join()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.stop()


def test_what_is_recorded_is_masked_and_can_be_played(bench: Bench) -> None:
    file = bench.folder / "mine.at"
    done = command("modem", "record", "--port", bench.port, "--send", "+447700900123", "--seconds", "1", "--out", file)
    assert done.exit == 0, done.err
    text = file.read_text()
    scenario = Scenario.parse(text)
    assert scenario.profile == "simcom"
    assert any(step.text.startswith("AT+CMGS=") for step in scenario.steps)
    assert bench.sim.modems[0].iccid not in text
    assert mask_number(bench.sim.modems[0].imei) in text
    assert "7700900123" not in text

    played = subprocess.Popen(
        [sys.executable, "-m", "bridge.cli", "modem", "replay", str(file), "--dir", str(bench.folder), "--scale", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert played.stdout is not None
        port = played.stdout.readline().split(" ")[0]
        again = command("modem", "record", "--port", port, "--send", "+447700900123", "--seconds", "1")
        assert again.exit == 0, again.err
        assert "sent, reference" in again.err
        assert played.wait(timeout=20) == 0
    finally:
        played.kill()
        played.communicate()


def test_a_host_that_does_not_keep_to_the_transcript_fails_it(tmp_path: Path) -> None:
    file = tmp_path / "short.at"
    file.write_text("# X1 Short\nH| AT+CMGS=19\nM>\nH| AT\nM| OK\nmust: talk.\n")
    played = subprocess.Popen(
        [sys.executable, "-m", "bridge.cli", "modem", "replay", str(file), "--dir", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert played.stdout is not None
    port = os.open(played.stdout.readline().split(" ")[0], os.O_RDWR | os.O_NOCTTY)
    os.write(port, b"AT+CMGS=20\r")
    _, said = played.communicate(timeout=20)
    os.close(port)
    assert played.returncode == Exit.FAILED
    assert "AT+CMGS=20" in said


def test_a_transcript_that_cannot_be_read_names_the_line(tmp_path: Path) -> None:
    file = tmp_path / "bad.at"
    file.write_text("# X1 Bad\nQ| what\n")
    done = command("modem", "replay", file)
    assert done.exit == Exit.DATA
    assert "line 2" in done.err


def test_proving_tries_each_rung_and_remembers_by_imei(bench: Bench) -> None:
    done = command("modem", "prove", "gsm1", "--config", bench.config, "--yes")
    assert done.exit == 0, done.err + done.out
    assert "reset: works" in done.out
    assert "usb: not possible here" in done.out
    assert "power: works" in done.out
    (proofs,) = json.loads((bench.folder / "state/repair-proofs.json").read_text()).values()
    assert {rung: proof["works"] for rung, proof in proofs.items()} == {"reset": True, "power": True}


def test_a_relay_that_fails_is_no_proof(bench: Bench) -> None:
    (bench.folder / "relay").write_text("#!/bin/sh\necho no such relay >&2; exit 3\n")
    done = command("modem", "prove", "gsm1", "--config", bench.config, "--yes", "--rung", "power", "-o", "json")
    assert done.exit == Exit.FAILED
    assert "no such relay" in done.json["rungs"][0]["why"]
    (proofs,) = json.loads((bench.folder / "state/repair-proofs.json").read_text()).values()
    assert not proofs["power"]["works"]


@pytest.mark.parametrize(
    ("arguments", "exit"),
    [
        (("prove", "gsm1", "--rung", "prayer"), Exit.USAGE),
        (("prove", "nobody"), Exit.NO_INPUT),
        (("record",), Exit.USAGE),
        (("record", "gsm1", "--name", "x 1"), Exit.USAGE),
        (("recording", "nobody"), Exit.NO_INPUT),
        (("replay", "/nowhere.at"), Exit.NO_INPUT),
    ],
)
def test_mistakes_are_named(tmp_path: Path, arguments: tuple[str, ...], exit: Exit) -> None:
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(folder=tmp_path))
    options = () if arguments[0] == "replay" else ("--config", config)
    done = command("modem", *arguments, *options)
    assert done.exit == exit
    assert done.err.startswith("gsmbridge: ")


def test_the_flight_recorders_words_are_shown(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(folder=tmp_path))
    nothing = command("modem", "recording", "gsm1", "--config", config)
    assert (nothing.exit, "no recording" in nothing.out) == (0, True)

    async def fly() -> None:
        recorder = FlightRecorder(tmp_path / "state/recordings", "gsm1", seconds=600)
        recorder.trace(">", b"AT+CSQ\r")
        recorder.trace("<", b"\r\n+CSQ: 17,99\r\n\r\nOK\r\n")
        recorder.keep("doubt")
        task = asyncio.create_task(recorder.run())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(fly())
    shown = command("modem", "recording", "gsm1", "--config", config)
    assert [line.split(" ", 1)[1] for line in shown.out.splitlines()] == ["> AT+CSQ", "< +CSQ: 17,99", "< OK"]
    last = command("modem", "recording", "gsm1", "--config", config, "-n", "1", "-o", "json")
    assert len(last.json["recordings"][0]["lines"]) == 1
    kept = command("modem", "recording", "gsm1", "--kept", "--config", config)
    assert kept.out.startswith("--- ")
    assert " doubt" in kept.out.splitlines()[0]


def test_a_scan_proposes_configuration_that_can_be_pasted(bench: Bench) -> None:
    import tomllib

    shown = command("modem", "scan", bench.port, "--toml")
    assert shown.exit == 0
    (modem,) = tomllib.loads(shown.out)["modem"]
    assert modem == {"id": "gsm1", "port": bench.port, "imei": bench.sim.modems[0].imei}
    config = bench.folder / "pasted.toml"
    config.write_text(shown.out)
    assert command("config", "check", config).exit == 0
