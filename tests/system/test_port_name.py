"""The program that udev runs for each new port: says which modem it is, or nothing."""

from __future__ import annotations

import asyncio
import fcntl
import importlib.util
import os
import pty
import sys
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

import pytest

from drivers.simulator import Simulation

PROGRAM = Path(__file__).parents[2] / "udev/gsmbridge_port.py"

# The program for a modem that lives in this process: where the machine stalls, that one answers late.
PATIENT = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("gsmbridge_port", sys.argv[1])
program = importlib.util.module_from_spec(spec)
spec.loader.exec_module(program)
program.ANSWER = 60.0
sys.exit(program.main(sys.argv[2:]))
"""


def loaded() -> Any:
    spec = importlib.util.spec_from_file_location("gsmbridge_port", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def run(*arguments: str, patient: bool = False) -> tuple[int, list[str]]:
    order = [sys.executable, "-I", *(["-c", PATIENT] if patient else []), str(PROGRAM), *arguments]
    process = await asyncio.create_subprocess_exec(
        *order, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode().splitlines()


async def ask(hold: bool = False) -> tuple[str, tuple[int, list[str]]]:
    """The IMEI of a simulated modem, and what the program says of its port. `hold`: as our service holds it."""
    async with Simulation(modems=1) as sim:
        modem = sim.modems[0]
        with open(modem.port, "rb+", buffering=0) as port:  # noqa: ASYNC230 - a line, not a disk
            if hold:
                fcntl.flock(port, fcntl.LOCK_EX)
            return modem.imei, await run(os.ttyname(port.fileno()), patient=not hold)


def test_a_command_port_says_which_modem_it_is() -> None:
    imei, said = asyncio.run(ask())
    assert said == (0, ["GSMBRIDGE_AT=1", f"GSMBRIDGE_IMEI={imei}"])


def test_a_port_that_is_held_is_left_alone() -> None:
    assert asyncio.run(ask(hold=True))[1] == (0, [])


def test_a_port_that_never_answers_costs_its_patience_and_says_nothing() -> None:
    ours, theirs = pty.openpty()
    try:
        module = loaded()
        module.ANSWER = module.PAUSE = 0.01
        assert module.identify(os.ttyname(theirs), patience=0.05) == []
    finally:
        os.close(ours)
        os.close(theirs)


def test_an_ok_that_comes_late_is_not_taken_for_the_answer_to_the_next_question() -> None:
    """A modem that was asked twice before it spoke says OK once more."""
    ours, theirs = pty.openpty()

    def modem() -> None:
        for command, answers in (
            (b"AT\r", [b"\r\nOK\r\n"]),
            (b"AT+CGSN\r", [b"\r\nOK\r\n", b"\r\n490154203237518\r\n\r\nOK\r\n"]),
        ):
            said = b""
            while not said.endswith(command):
                said += os.read(ours, 64)
            for answer in answers:
                os.write(ours, answer)
                sleep(0.1)  # in pieces, as they come from a real one

    thread = Thread(target=modem)
    thread.start()
    try:
        module = loaded()
        module.ANSWER = 60.0
        assert module.identify(os.ttyname(theirs)) == ["GSMBRIDGE_AT=1", "GSMBRIDGE_IMEI=490154203237518"]
    finally:
        thread.join()
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("noise", [b"$GPGGA,1,2\r\n", b"x" * 5000])
def test_a_port_that_only_talks_is_given_up_at_once(noise: bytes) -> None:
    ours, theirs = pty.openpty()
    try:
        module = loaded()
        module._keep_lines_up = lambda _port: os.write(ours, noise)
        assert module.identify(os.ttyname(theirs), patience=60) == []
    finally:
        os.close(ours)
        os.close(theirs)


def test_what_is_no_port_is_no_error() -> None:
    assert asyncio.run(run("/dev/null")) == (0, [])
    assert asyncio.run(run("/dev/no-such-port")) == (0, [])
    assert asyncio.run(run("ttyUSB0"))[0] == 2


def test_only_digits_of_an_answer_are_passed_on() -> None:
    module = loaded()
    assert module.IMEI.search(b"AT+CGSN\n490154203237518\n\nOK\n")[1] == b"490154203237518"
    assert module.IMEI.search(b'+CGSN: "490154203237518"\nOK')[1] == b"490154203237518"
    assert module.IMEI.search(b"490154203237518\x07;evil\nOK") is None
