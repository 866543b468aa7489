"""The notation of scenarios, and the player."""

from __future__ import annotations

import asyncio
import os
import select
from pathlib import Path

import pytest

from drivers.gsm import pdu as codec
from drivers.simulator.clock import SteppedClock
from drivers.simulator.pdus import PDUS
from drivers.simulator.player import (
    Action,
    Done,
    Extra,
    Happens,
    NeedHost,
    Player,
    ScenarioFailed,
    Understudy,
    Wait,
    Write,
)
from drivers.simulator.scenario import Mark, Scenario, ScenarioError, Step, parse_all
from drivers.simulator.stage import Stage

SEND = """\
# S12 No result, then late
profile: simcom
H| AT+CMGS=19
M>
H^ {S1}
@181
H| AT
M| OK
@20
M| +CMGS: 50
M| OK
must: at 180 s in doubt; the late line turns it into accepted MR 50.
"""

MANY = """\
**F05 Garbage at power-up**
```
M= <NUL><FF><FE><80>^BOOT:12345678,0,0,0,75<CR><LF>
H| AT
M| OK
```
Must: reader survives non-ASCII bytes.

**S07 No prompt**
H= <ESC>
@0.2
H= <CR>
M= ><SP>{D17}<SUB>
! unplug
"""


def test_a_scenario_reads_back_what_it_renders() -> None:
    scenario = Scenario.parse(SEND)
    assert (scenario.name, scenario.title, scenario.profile) == ("S12", "No result, then late", "simcom")
    assert scenario.must.startswith("at 180 s in doubt")
    assert scenario.steps[0] == Step(Mark.HOST_LINE, "AT+CMGS=19")
    assert scenario.render() == SEND
    assert parse_all("\n".join(each.render() for each in parse_all(MANY))) == parse_all(MANY)


def test_the_bytes_of_each_kind_of_line() -> None:
    garbage, prompt = parse_all(MANY)
    assert [step.data for step in garbage.steps] == [
        b"\x00\xff\xfe\x80^BOOT:12345678,0,0,0,75\r\n",
        b"AT\r",
        b"\r\nOK\r\n",
    ]
    assert [step.data for step in prompt.steps] == [
        b"\x1b",
        b"",
        b"\r",
        b"> " + PDUS["D17"].encode() + b"\x1a",
        b"",
    ]
    assert prompt.steps[1].seconds == 0.2
    assert Scenario.parse(SEND).steps[1].data == b"\r\n> "
    assert Scenario.parse(SEND).steps[2].data == PDUS["S1"].encode() + b"\x1a"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("H| AT", "line 1"),
        ("# A a\nX| AT", "line 2"),
        ("# A a\nH^ {S99}", "S99"),
        ("# A a\n@soon", "line 2"),
        ("# A a\n# A b", "same name"),
        ("", "there are 0"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, named: str) -> None:
    with pytest.raises(ScenarioError, match=named):
        Scenario.parse(text)


def test_the_named_pdus_are_whole() -> None:
    assert len(PDUS) == 38
    for name, pdu in PDUS.items():
        if name[0] == "S":
            assert codec.decode_submit(pdu).to in ("+447700900123", "65000")
        elif name[0] == "R":
            assert isinstance(codec.decode(pdu), codec.Report)
        else:
            assert isinstance(codec.decode(pdu), codec.Deliver)


class Run:
    """A player on a stepped clock."""

    def __init__(self, text: str, *, understudy: Understudy | None = None, begun: bool = True) -> None:
        self.clock = SteppedClock()
        self.player = Player(Scenario.parse(text), clock=self.clock.monotonic, understudy=understudy, begun=begun)

    def go(self, data: bytes = b"", *, one_by_one: bool = False) -> list[Action]:
        """What happens until it is the host's turn or time has to pass."""
        actions: list[Action] = []
        for piece in [data[at : at + 1] for at in range(len(data))] if one_by_one else [data]:
            self.player.receive(piece)
            while True:
                action = self.player.next()
                if isinstance(action, Wait | NeedHost | Done):
                    break
                actions.append(action)
        return [*actions, action]


@pytest.mark.parametrize("one_by_one", [False, True], ids=["whole", "byte by byte"])
def test_a_scenario_is_played_in_its_order_and_time(one_by_one: bool) -> None:
    run = Run(SEND)
    assert run.go() == [NeedHost(b"AT+CMGS=19\r")]
    assert run.go(b"AT+CMGS=19\r", one_by_one=one_by_one) == [Write(b"\r\n> "), NeedHost(PDUS["S1"].encode() + b"\x1a")]
    assert run.go(PDUS["S1"].encode() + b"\x1a", one_by_one=one_by_one) == [Wait(181.0)]
    run.clock.advance(180)
    assert run.go() == [Wait(1.0)]
    run.clock.advance(1)
    assert run.go() == [NeedHost(b"AT\r")]
    assert run.go(b"AT\r", one_by_one=one_by_one) == [Write(b"\r\nOK\r\n"), Wait(20.0)]
    run.clock.advance(20)
    assert run.go() == [Write(b"\r\n+CMGS: 50\r\n"), Write(b"\r\nOK\r\n"), Done()]


def test_a_wait_ends_when_the_host_writes_what_is_due_after_it() -> None:
    run = Run(SEND)
    run.go(b"AT+CMGS=19\r")
    run.go(PDUS["S1"].encode() + b"\x1a")
    run.clock.advance(5)
    assert run.go(b"AT\r") == [Write(b"\r\nOK\r\n"), Wait(20.0)]


def test_an_event_is_handed_to_the_caller() -> None:
    run = Run("# A a\nH| AT\n! unplug\nM| OK")
    assert run.go(b"AT\r") == [Happens("unplug"), Write(b"\r\nOK\r\n"), Done()]


def test_without_an_understudy_every_other_byte_fails() -> None:
    with pytest.raises(ScenarioFailed, match="AT\\+CSQ"):
        Run(SEND).go(b"AT+CSQ\r")


def test_an_understudy_answers_what_the_scenario_does_not_tell() -> None:
    run = Run(SEND, understudy=Understudy("simcom"))
    assert run.go(b"AT+CSQ\r") == [Write(b"\r\n+CSQ: 17,99\r\n\r\nOK\r\n"), NeedHost(b"AT+CMGS=19\r")]
    assert run.player.extra == [Extra(0, b"AT+CSQ")]
    run.go(b"AT+CMGS=19\r")


@pytest.mark.parametrize("intrusion", [b"AT+CSQ\r", b"AT+CMGS=20\r", PDUS["S3"].encode() + b"\x1a"])
def test_nothing_else_may_be_written_while_a_send_is_open(intrusion: bytes) -> None:
    run = Run(SEND, understudy=Understudy("simcom"))
    run.go(b"AT+CMGS=19\r")
    run.go(PDUS["S1"].encode() + b"\x1a")
    with pytest.raises(ScenarioFailed):
        run.go(intrusion)


def test_no_send_is_left_to_the_understudy() -> None:
    run = Run("# A a\nM| RING", understudy=Understudy("simcom"), begun=False)
    assert run.go(b"AT\r")[0] == Write(b"\r\nOK\r\n")
    with pytest.raises(ScenarioFailed):
        run.go(b"AT+CMGS=19\r")


def test_before_its_beginning_everything_goes_to_the_understudy() -> None:
    run = Run("# A a\nH| AT+CSQ\nM| +CSQ: 3,99\nM| OK", understudy=Understudy("generic"), begun=False)
    assert run.go(b"AT+CSQ\r")[0] == Write(b"\r\n+CSQ: 17,99\r\n\r\nOK\r\n")
    run.player.begin()
    assert run.go(b"AT+CSQ\r") == [Write(b"\r\n+CSQ: 3,99\r\n"), Write(b"\r\nOK\r\n"), Done()]


@pytest.mark.parametrize("chunk", [0, 1])
def test_what_was_written_before_an_event_is_out_when_it_happens(tmp_path: Path, chunk: int) -> None:
    seen: list[bytes] = []

    async def play() -> None:
        def happens(stage: Stage, what: str) -> None:
            said = b""
            while not said.endswith(b"OK\r\n") and select.select([host], [], [], 10)[0]:
                said += os.read(host, 1000)
            seen.append(said)

        scenario = Scenario.parse(f"# A a\nH| AT\nM| {'x' * 2000}\n@0.01\nM| OK\n! unplug")
        async with Stage(scenario, directory=tmp_path, chunk=chunk, happens=happens) as stage:
            host = os.open(stage.port, os.O_RDWR | os.O_NOCTTY)
            stage.begin()
            os.write(host, b"AT\r")
            await stage.finished()
            os.close(host)

    asyncio.run(asyncio.wait_for(play(), 60))
    assert seen == [b"\r\n" + b"x" * 2000 + b"\r\n\r\nOK\r\n"]


@pytest.mark.parametrize("chunk", [0, 1])
def test_a_scenario_on_a_pty(tmp_path: Path, chunk: int) -> None:
    text = "# A a\nH| AT+CMGS=19\nM>\nH^ {S1}\n@3.4\nM| +CMGS: 42\nM| OK\n! antenna falls off"
    happened: list[str] = []

    def happens(stage: Stage, what: str) -> None:
        happened.append(what)

    async def play() -> None:
        async with Stage(Scenario.parse(text), directory=tmp_path, chunk=chunk, happens=happens) as stage:
            loop = asyncio.get_running_loop()
            host = os.open(stage.port, os.O_RDWR | os.O_NOCTTY)
            os.write(host, b"AT\r")
            assert await loop.run_in_executor(None, read_until, host, b"OK\r\n") == b"\r\nOK\r\n"
            stage.begin()
            os.write(host, b"AT+CMGS=19\r")
            await loop.run_in_executor(None, read_until, host, b"> ")
            os.write(host, PDUS["S1"].encode() + b"\x1a")
            said = await loop.run_in_executor(None, read_until, host, b"OK\r\n")
            assert said == b"\r\n+CMGS: 42\r\n\r\nOK\r\n"
            await stage.finished()
            assert stage.extra == [Extra(-1, b"AT")]
            os.close(host)

    asyncio.run(asyncio.wait_for(play(), 60))
    assert happened == ["antenna falls off"]


def test_a_host_that_strays_fails_the_stage(tmp_path: Path) -> None:
    async def play() -> None:
        async with Stage(Scenario.parse("# A a\nH| AT\nM| OK"), directory=tmp_path) as stage:
            host = os.open(stage.port, os.O_RDWR | os.O_NOCTTY)
            stage.begin()
            os.write(host, b"AT+CMGS=19\r")
            try:
                await stage.finished()
            finally:
                os.close(host)

    with pytest.raises(ScenarioFailed, match="AT\\+CMGS=19"):
        asyncio.run(asyncio.wait_for(play(), 60))


def read_until(host: int, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        data += os.read(host, 1000)
    return data
