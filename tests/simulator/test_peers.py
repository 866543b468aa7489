"""Two programs that have talked to modems for twenty years talk to ours: gammu-smsd and smsd of SMS Server Tools 3.

Both get a text to send and hand over one that comes in; each is told to call a script then, which writes to a pipe.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.simulator import Simulation

OUT, IN, SENDER = "Hello from a peer", "Reply YES", "447700900777"

GAMMU = """\
[gammu]
device = {port}
connection = at115200
[smsd]
service = files
logfile = {dir}/log
checksecurity = 0
checkbattery = 0
checksignal = 0
checknetwork = 0
statusfrequency = 0
loopsleep = 1
receivefrequency = 1
commtimeout = 1
outboxpath = {dir}/outgoing/
sentsmspath = {dir}/sent/
errorsmspath = {dir}/failed/
inboxpath = {dir}/incoming/
inboxformat = standard
runonreceive = {dir}/handler
"""

SMSTOOLS = """\
devices = GSM1
loglevel = 7
logfile = {dir}/log
infofile = {dir}/info
pidfile = {dir}/pid
outgoing = {dir}/outgoing
checked = {dir}/checked
incoming = {dir}/incoming
failed = {dir}/failed
sent = {dir}/sent
delaytime = 1
errorsleeptime = 1
eventhandler = {dir}/handler
[GSM1]
device = {port}
incoming = yes
baudrate = 115200
check_memory_method = 1
"""


def gammu(directory: Path, port: str) -> list[str]:
    (directory / "outgoing" / "OUT+447700900123.txtd").write_text(OUT)
    (directory / "config").write_text(GAMMU.format(dir=directory, port=port))
    return ["gammu-smsd", "-c", str(directory / "config")]


def smstools(directory: Path, port: str) -> list[str]:
    (directory / "outgoing" / "text").write_text(f"To: 447700900123\n\n{OUT}")
    (directory / "config").write_text(SMSTOOLS.format(dir=directory, port=port))
    return ["smsd", f"-c{directory / 'config'}", "-s"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "prepare", "profile"), [("gammu-smsd", gammu, "huawei"), ("smsd", smstools, "generic")]
)
def test_a_peer_sends_and_receives(
    tmp_path: Path, program: str, prepare: Callable[[Path, str], list[str]], profile: str
) -> None:
    if shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None:
        pytest.skip(f"{program} is not installed (apt-get install gammu-smsd smstools)")
    for name in ("outgoing", "checked", "incoming", "failed", "sent"):
        (tmp_path / name).mkdir()
    handler, pipe = tmp_path / "handler", tmp_path / "pipe"
    os.mkfifo(pipe)
    handler.write_text(f'#!/bin/sh\necho "$1" > {pipe}\n')
    handler.chmod(0o700)
    try:
        asyncio.run(asyncio.wait_for(talk(tmp_path, prepare, profile), 40))
    except TimeoutError:
        log = tmp_path / "log"
        pytest.fail("\n".join(log.read_text(errors="replace").splitlines()[-40:]) if log.exists() else "no log")


async def talk(directory: Path, prepare: Callable[[Path, str], list[str]], profile: str) -> None:
    loop = asyncio.get_running_loop()
    async with Simulation(profile=profile, reports=None) as sim:
        modem = sim.modems[0]
        called = asyncio.Event()
        pipe = os.open(directory / "pipe", os.O_RDWR | os.O_NONBLOCK)
        arguments = prepare(directory, modem.port)
        process = await asyncio.create_subprocess_exec(
            *arguments,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PATH": f"{os.environ.get('PATH', '')}:/usr/sbin"},
        )
        try:
            await sim.network.submits(1)
            assert [(entry.destination, entry.text.strip()) for entry in sim.network.ledger] == [("+447700900123", OUT)]
            sim.network.inject(modem.number, IN, sender=f"+{SENDER}")
            loop.add_reader(pipe, emptied, pipe, called)
            while IN not in "".join(read(path) for path in (directory / "incoming").iterdir()):
                called.clear()
                await called.wait()
            assert any(SENDER in path.name + read(path) for path in (directory / "incoming").iterdir())
        finally:
            loop.remove_reader(pipe)
            os.close(pipe)
            process.kill()
            await process.wait()


def emptied(pipe: int, called: asyncio.Event) -> None:
    os.read(pipe, 1000)
    called.set()


def read(path: Path) -> str:
    return path.read_bytes().decode("latin-1").replace("\0", "")
