"""Ports: any serial software may open, close and lose them."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import termios
import tty
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest
import serial
import uvloop

from drivers.simulator import Answer, Ledger, SendFault, Simulation, Then
from drivers.simulator.control import Control, ControlError
from drivers.simulator.faults import FaultError
from tests.simulator.rig import SUBMIT

OK = b"\r\nOK\r\n"


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), 60))


async def until(holds: Callable[[], bool]) -> None:
    """For what the kernel tells the loop in its own time."""
    for _ in range(2000):
        if holds():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came")


class Host:
    """A program at the port, in a thread for each call."""

    def __init__(self, port: str) -> None:
        self.line = serial.Serial(port, 115200, timeout=60, exclusive=True)

    async def say(self, data: bytes, until: bytes = OK) -> bytes:
        def work() -> bytes:
            self.line.write(data)
            return bytes(self.line.read_until(until))

        return await asyncio.get_running_loop().run_in_executor(None, work)

    def close(self) -> None:
        self.line.close()


class Raw:
    """A program that uses nothing but the file."""

    def __init__(self, port: str) -> None:
        self.line = os.open(port, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.line, termios.TCSANOW)  # nothing is flushed here

    async def say(self, data: bytes, until: bytes = OK) -> bytes:
        def work() -> bytes:
            os.write(self.line, data)
            said = b""
            while not said.endswith(until):
                said += os.read(self.line, 1000)
            return said

        return await asyncio.get_running_loop().run_in_executor(None, work)

    def close(self) -> None:
        os.close(self.line)


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_pyserial_talks_to_every_modem(runner: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    async def work() -> None:
        async with Simulation(16) as sim:
            assert len({m.number for m in sim.modems} | {m.imei for m in sim.modems}) == 32
            for modem in sim.modems:
                host = Host(modem.port)
                assert await host.say(b"ATE0\r") == b"ATE0\r" + OK
                assert modem.imei.encode() in await host.say(b"AT+CGSN\r")
                assert modem.iccid.encode() in await host.say(b"AT+CCID\r")
                host.close()

    runner(asyncio.wait_for(work(), 60))


def test_identities_end_in_a_check_digit() -> None:
    sim = Simulation(3)
    for digits in [m.imei for m in sim.modems] + [m.iccid for m in sim.modems]:
        doubled = [int(d) * (1 + at % 2) for at, d in enumerate(reversed(digits))]
        assert sum(n // 10 + n % 10 for n in doubled) % 10 == 0


def test_the_next_submit_is_an_event() -> None:
    async def work() -> None:
        async with Simulation(delay=0.05, reports=0.01) as sim:
            host = Host(sim.modems[0].port)
            await host.say(b"ATE0;+CNMI=2,1,0,1,0\r")
            waiting = asyncio.ensure_future(sim.network.next_submit())
            await host.say(b"AT+CMGS=19\r", b"> ")
            said = await host.say(SUBMIT.encode() + b"\x1a")
            entry = await waiting
            assert entry.text == "Hello"
            assert said == b"\r\n+CMGS: 0\r\n" + OK
            assert entry.command_at < entry.taken_at < (entry.answered_at or 0.0)
            assert b"+CDS: 25" in await host.say(b"", until=b"\r\n") + await host.say(b"", until=b"25\r\n")
            await sim.network.submits(1)
            host.close()

    run(work)


def test_a_port_is_closed_and_opened_again_and_stale_lines_are_gone() -> None:
    async def work() -> None:
        async with Simulation() as sim:
            modem = sim.modems[0]
            for _ in range(5):
                modem.modem.announce("^RSSI:14")
                host = Raw(modem.port)
                await host.say(b"ATE0\r")
                assert modem.in_use
                modem.modem.announce("^RSSI:15")
                host.close()
                await until(lambda: not modem.in_use)
                modem.modem.announce("^RSSI:16")
                host = Raw(modem.port)
                assert await host.say(b"AT\r") == OK
                host.close()
                await until(lambda: not modem.in_use)

    run(work)


def test_the_last_words_of_a_program_are_heard_and_their_answer_is_lost() -> None:
    async def work() -> None:
        async with Simulation() as sim:
            modem = sim.modems[0]
            host = Raw(modem.port)
            await host.say(b"ATE0\r")
            await host.say(b"AT+CMGS=19\r", b"> ")
            os.write(host.line, SUBMIT.encode() + b"\x1a")
            host.close()
            await sim.network.submits(1)
            await until(lambda: not modem.in_use)
            host = Raw(modem.port)
            assert await host.say(b"AT+CSQ\r") == b"\r\n+CSQ: 17,99\r\n" + OK
            host.close()

    run(work)


def test_two_programs_at_one_port_and_one_leaves() -> None:
    async def work() -> None:
        async with Simulation() as sim:
            modem = sim.modems[0]
            first = Raw(modem.port)
            await first.say(b"ATE0\r")
            second = Raw(modem.port)
            assert await second.say(b"AT\r") == OK
            first.close()
            assert await second.say(b"AT\r") == OK
            second.close()

    run(work)


def test_exclusive_use_ends_with_its_user() -> None:
    async def work() -> None:
        async with Simulation() as sim:
            port = sim.modems[0].port
            first = os.open(port, os.O_RDWR | os.O_NOCTTY)
            fcntl.ioctl(first, termios.TIOCEXCL)
            assert exclusive(first)
            second = os.open(sim.modems[0].device, os.O_RDWR | os.O_NOCTTY) if os.geteuid() == 0 else -1
            os.close(first)
            if second >= 0:
                await until(lambda: not exclusive(second))
                os.close(second)
            host = Host(port)
            assert (await host.say(b"AT\r")).endswith(OK)
            host.close()

    run(work)


def there(path: str) -> bool:
    return os.path.lexists(path)


def fill(descriptor: int) -> None:
    while True:
        os.write(descriptor, b"A" * 4096)


def exclusive(descriptor: int) -> bool:
    state = bytearray(4)
    fcntl.ioctl(descriptor, 0x80045440, state)  # TIOCGEXCL
    return any(state)


def test_unplugged_reads_end_the_link_goes_and_the_sim_stays() -> None:
    async def work() -> None:
        async with Simulation(2) as sim:
            modem = sim.modems[0]
            device = modem.device
            host = os.open(modem.port, os.O_RDWR | os.O_NOCTTY)
            sim.network.inject(modem.number, "Hello")
            modem.unplug()
            with contextlib.suppress(OSError):
                assert os.read(host, 100) == b""
            with pytest.raises(OSError, match="Input/output error"):
                os.write(host, b"AT\r")
            assert [there(modem.port), there(sim.modems[1].port)] == [False, True]
            sim.network.inject(modem.number, "while away")
            assert sim.network.waiting(modem.number) == 1
            modem.replug(name="modem7")
            assert modem.port.endswith("modem7")
            assert modem.device != device, "the old descriptor is still open"
            os.close(host)
            line = Host(modem.port)
            assert (await line.say(b"AT+CMGL=4\r")).count(b"+CMGL: ") == 2
            line.close()

    run(work)


def test_a_fault_unplugs_in_mid_send_and_the_modem_comes_back() -> None:
    async def work() -> None:
        async with Simulation() as sim:
            modem = sim.modems[0]
            rule = SendFault(taken=True, answer=Answer.NONE, then=Then.UNPLUG)
            modem.set_faults(sends=(rule,), replug_after=0.01)
            host = Host(modem.port)
            await host.say(b"AT+CMGS=19\r", b"> ")
            with pytest.raises(serial.SerialException):
                await host.say(SUBMIT.encode() + b"\x1a")
            host.close()
            await until(lambda: modem.plugged)
            again = Host(modem.port)
            assert (await again.say(b"AT\r")).endswith(OK)
            again.close()
            assert len(sim.network.ledger) == 1

    run(work)


def test_a_modem_that_stops_reading_blocks_the_host() -> None:
    async def work() -> None:
        async with Simulation() as sim:
            sim.modems[0].stop_reading()
            host = os.open(sim.modems[0].port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            with pytest.raises(BlockingIOError):
                fill(host)
            os.close(host)

    run(work)


def test_a_host_that_does_not_read_loses_nothing_up_to_the_bound() -> None:
    async def work() -> None:
        async with Simulation() as sim:
            modem = sim.modems[0]
            host = os.open(modem.port, os.O_RDWR | os.O_NOCTTY)
            os.write(host, b"AT\r")
            await until(lambda: modem.modem.commands_seen == 1)  # the loop has noticed that the port was opened
            for number in range(2000):
                modem.modem.announce(f"+X: {number:05d} {'x' * 60}")
            said, last = b"", b"+X: 01999 " + b"x" * 60 + b"\r\n"
            while not said.endswith(last):
                said += await asyncio.get_running_loop().run_in_executor(None, os.read, host, 65_536)
            assert said.count(b"+X: ") == 2000
            os.close(host)

    run(work)


@pytest.mark.parametrize(
    "arguments", [{"modems": -1}, {"modems": 1000}, {"profile": "nokia"}, {"profile": ["zte"] * 2}]
)
def test_a_simulation_that_cannot_be_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"modem|profile"):
        Simulation(**arguments)


def test_knobs_are_checked_by_name() -> None:
    with pytest.raises(FaultError, match="no such knob: deef"):
        Simulation().modems[0].set_faults(deef=True)


def test_the_command_serves_and_is_steered_from_another_process(tmp_path: Path) -> None:
    """The ledger's file outlives a kill; the control socket does what it says."""
    ledger, control = tmp_path / "ledger.jsonl", tmp_path / "control"
    code = (
        "from pathlib import Path; from drivers.simulator import serve;"
        f"serve.run(modems=2, directory=Path({str(tmp_path)!r}), ledger=Path({str(ledger)!r}),"
        f"control=Path({str(control)!r}), reports=None, as_json=True)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        told = msgspec.json.decode(process.stdout.readline())
        first, second = told["modems"]
        assert first["port"] == str(tmp_path / "modem0")
        assert control.stat().st_mode & 0o077 == 0
        with Control(control) as steer, serial.Serial(first["port"], timeout=60) as line:
            assert [modem["plugged"] for modem in steer.ask("state")["modems"]] == [True, True]
            line.write(b"ATE0\r")
            line.read_until(OK)
            assert len(steer.ask("inject", to=first["number"], text="x" * 200)["pdus"]) == 2
            steer.ask("inject_pdu", to=first["number"], pdu="00FF")
            line.write(b"AT+CMGL=4\r")
            assert line.read_until(OK).count(b"+CMGL: ") == 3
            steer.ask("faults", modem=first["number"], set={"sends": [{"code": 21}]})
            for final in (b"\r\n+CMS ERROR: 21\r\n", b"\r\n+CMGS: 0\r\n" + OK):
                line.write(b"AT+CMGS=19\r")
                line.read_until(b"> ")
                line.write(SUBMIT.encode() + b"\x1a")
                assert line.read_until(final) == final
            assert steer.ask("wait", total=1) == {"total": 1}
            assert [entry.text for entry in steer.ledger()] == ["Hello"]
            assert steer.ask("network", set={"refuse": 42})["faults"]["refuse"] == 42
            steer.ask("unplug", modem=second["number"])
            assert not os.path.lexists(second["port"])
            assert steer.ask("replug", modem=second["number"], name="modem9")["port"].endswith("modem9")
            steer.ask("ring", modem=first["number"], sender="+447700900111", total=1)
            assert line.read_until(b"RING\r\n").endswith(b"\r\nRING\r\n")
            steer.ask("reboot", modem=second["number"])
            for do, arguments in [
                ("nonsense", {}),
                ("inject", {"to": "+1", "text": "x"}),
                ("inject", {"to": first["number"], "text": "x", "sender": "much too long a name"}),
                ("faults", {"set": {"deef": True}}),
                ("state", {"colour": "blue"}),
            ]:
                with pytest.raises(ControlError):
                    steer.ask(do, **arguments)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert not control.exists()
        assert not os.path.lexists(first["port"])
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    assert [entry.text for entry in Ledger.read(ledger)] == ["Hello"]
