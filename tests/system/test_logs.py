"""Whoever reads the log may stop, and nothing else does."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bridge.logs import Log, lines_dropped
from drivers.simulator import Simulation
from tests.acceptance.test_kill import Daemon

PATIENCE = 60.0  # seconds; never waited for when things go well

CONFIG = """
[service]
state_dir = "{state}"
listen = "127.0.0.1:0"
log_level = "debug"
[[modem]]
id = "gsm1"
port = "{port}"
poll = "1s"
trace = true
"""


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A small one."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    yield reader, writer
    for fd in (reader, writer):
        with suppress(OSError):
            os.close(fd)


def fill(writer: int) -> None:
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"." * 512)
    os.set_blocking(writer, True)


def test_a_reader_that_stops_loses_lines_and_is_told_how_many(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    fill(writer)
    log = Log("info", fd=writer, kept=10)
    told = logging.getLogger("gsmbridge.test")
    for n in range(50):
        told.info("line %d", n)
    dropped = lines_dropped()
    assert dropped in (39, 40)  # one may be in the thread's hands
    os.set_blocking(reader, True)
    seen = b""
    while f"log_lines_dropped count={dropped};".encode() not in seen:
        seen += os.read(reader, 4096)
    assert b"INFO gsmbridge.test line 0\n" in seen
    told.info("again")
    log.close(patience=PATIENCE)
    os.close(writer)
    while more := os.read(reader, 4096):
        seen += more
    assert seen.endswith(b"INFO gsmbridge.test again\n")
    assert seen.count(b"log_lines_dropped") == 1


def test_the_end_waits_for_the_last_lines_but_not_for_ever(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    fill(writer)
    log = Log("info", fd=writer)
    logging.getLogger("gsmbridge.test").info("the last word")
    log.close(patience=0.1)
    left = b""
    while b"the last word\n" not in left:  # its thread still holds it
        left += os.read(reader, 4096)


def test_errors_and_foreign_warnings_come_through_one_line_each(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    log = Log("info", fd=writer)
    logging.getLogger("asyncio").warning("slow %s", "callback")
    try:
        raise ValueError("odd")
    except ValueError:
        logging.getLogger("gsmbridge").exception("failed id=%d", 7)
    log.close(patience=PATIENCE)
    seen = os.read(reader, 4096)
    assert seen.startswith(b"WARNING asyncio slow callback\nERROR gsmbridge failed id=7\nTraceback")
    assert seen.endswith(b"ValueError: odd\n")


def test_nobody_who_reads_is_no_reason_to_stop(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.close(reader)
    log = Log("info", fd=writer)
    logging.getLogger("gsmbridge.test").info("to nobody")
    log.close()


@pytest.mark.parametrize("trouble", ["a full pipe", "a full disk", "nobody there"])
def test_texts_go_out_while_the_daemons_log_goes_nowhere(tmp_path: Path, pipe: tuple[int, int], trouble: str) -> None:
    """Fault 60."""
    reader, writer = pipe
    if trouble == "a full pipe":
        fill(writer)
    elif trouble == "a full disk":
        full = os.open("/dev/full", os.O_WRONLY)  # each write ends in ENOSPC
        os.dup2(full, writer)
        os.close(full)
    else:
        os.close(reader)

    async def story() -> None:
        async with Simulation(modems=1, reports=0.1) as sim:
            config, state = tmp_path / "config.toml", tmp_path / "state"
            config.write_text(CONFIG.format(state=state, port=sim.modems[0].port))
            config.chmod(0o600)
            order = (sys.executable, "-m", "bridge.cli", "run", "--config", str(config))
            process = await asyncio.create_subprocess_exec(*order, stderr=writer)
            try:
                daemon = Daemon(config, state)
                await daemon.answering()
                async with asyncio.timeout(PATIENCE), daemon.client() as http:
                    for n in range(20):
                        answer = await http.post("/v1/messages", json={"to": f"+4477009009{n:02}", "text": f"text {n}"})
                        assert answer.status_code == 202
                    await sim.network.submits(20)
                    while True:
                        metrics = (await http.get("/metrics")).text
                        assert "gsmbridge_log_lines_dropped_total" in metrics
                        if trouble == "a full pipe" or "gsmbridge_log_lines_dropped_total 0.0" not in metrics:
                            break
                        await asyncio.sleep(0.02)  # a line is lost when the thread of the log has tried to write it
                    process.send_signal(signal.SIGTERM)
                    assert await process.wait() == 0
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()

    asyncio.run(story())
