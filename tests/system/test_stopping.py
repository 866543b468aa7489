"""The end of the service: SIGTERM, SIGINT, impatience, and what is on the air meanwhile. The tests are the service
manager."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from drivers.simulator import Simulation
from drivers.simulator.faults import Answer, Faults, SendFault
from tests.flows.gateway import gateway

ALICE, BOB = "+447700900999", "+447700900888"
PATIENCE = 60.0
# The network takes the first text and the modem says nothing of it, so no stall of the machine lets it end too soon.
MUTE = Faults(sends=(SendFault(taken=True, answer=Answer.NONE),))

CONFIG = """
[service]
state_dir = "{state}"
listen = "127.0.0.1:0"
[[modem]]
id = "gsm1"
port = "{port}"
poll = "1s"
"""

# The daemon with a fault that can be asked for: SIGUSR1 blocks its event loop, as a deadlock would.
BLOCKED = """
import signal, sys, time
signal.signal(signal.SIGUSR1, lambda *_: time.sleep(600))
from bridge.cli import main
sys.exit(main())
"""

# The daemon with a disk that fails when asked: from SIGUSR1 on the log of its database cannot be written.
FAILING = """
import signal, sys
from pathlib import Path
from tests.contract.test_sqlite_files import break_writing
signal.signal(signal.SIGUSR1, lambda *_: break_writing(Path(sys.argv[3]).parent / "state" / "gsmbridge.sqlite-wal"))
from bridge.cli import main
sys.exit(main())
"""


class Manager:
    """What systemd is to the daemon."""

    def __init__(self, directory: Path, port: str) -> None:
        self.state = directory / "state"
        self._config = directory / "config.toml"
        self._config.write_text(CONFIG.format(state=self.state, port=port))
        self._config.chmod(0o600)
        self._notify = directory / "notify"
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._line.bind(str(self._notify))
        self._line.setblocking(False)
        self.process: asyncio.subprocess.Process

    async def start(self, *, watchdog: float | None = None, program: str | None = None) -> None:
        environment = {**os.environ, "NOTIFY_SOCKET": str(self._notify)}
        environment.pop("WATCHDOG_PID", None)
        if watchdog is not None:
            environment["WATCHDOG_USEC"] = str(int(watchdog * 1_000_000))
        how = ["-m", "bridge.cli"] if program is None else ["-c", program]
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, *how, "run", "--config", str(self._config)),
            env=environment,
            stderr=asyncio.subprocess.PIPE,
        )
        await self.heard(b"READY=1")

    async def heard(self, word: bytes) -> None:
        async with asyncio.timeout(PATIENCE):
            while word not in await asyncio.get_running_loop().sock_recv(self._line, 4096):
                pass

    async def ended(self) -> tuple[int, str]:
        """Exit status and log."""
        async with asyncio.timeout(PATIENCE):
            _, log = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, log.decode()

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        """Whoever holds it keeps its connection, however long nothing is asked."""
        limits = httpx.Limits(keepalive_expiry=None)
        transport = httpx.AsyncHTTPTransport(uds=str(self.state / "gsmbridge.sock"), limits=limits)
        async with httpx.AsyncClient(transport=transport, base_url="http://gsmbridge", timeout=10) as http:
            yield http

    def stored(self) -> dict[str, tuple[str, str]]:
        """Status and code by text, as they are on the disk."""
        with sqlite3.connect(f"file:{self.state}/gsmbridge.sqlite?mode=ro", uri=True) as db:
            rows = db.execute("SELECT text, status, code FROM messages").fetchall()
        db.close()
        return {text: (status, code) for text, status, code in rows}

    async def close(self) -> None:
        self._line.close()
        if self.process.returncode is None:
            self.process.kill()
            await self.process.communicate()


@asynccontextmanager
async def managed(directory: Path, **network: Any) -> AsyncIterator[tuple[Manager, Simulation]]:
    async with Simulation(modems=1, reports=None, **network) as sim:
        manager = Manager(directory, sim.modems[0].port)
        try:
            yield manager, sim
        finally:
            await manager.close()


async def order(http: httpx.AsyncClient, text: str) -> int:
    return (await http.post("/v1/messages", json={"to": ALICE, "text": text})).status_code


async def assigned(http: httpx.AsyncClient) -> None:
    """The channel has another text at hand, behind the one that is on the air."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if (await http.get("/v1/channels")).json()["items"][0]["backlog"]:
                return
            await asyncio.sleep(0.02)  # another process: there is nothing to wait on


async def stopped_with_a_text_on_the_air(manager: Manager, sim: Simulation) -> None:
    """The modem has the text and has not answered when the service is asked to end."""
    await manager.start()
    async with manager.client() as http:
        assert await order(http, "on the air") == 202
        await sim.network.submits(1)
    manager.process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_on_the_air_is_waited_for_and_nothing_else_goes(tmp_path: Path, number: signal.Signals) -> None:
    async def story() -> None:
        async with managed(tmp_path, faults=MUTE) as (manager, sim):
            await manager.start()
            async with manager.client() as http:
                assert await order(http, "on the air") == 202
                assert await order(http, "waits") == 202
                await sim.network.submits(1)
                manager.process.send_signal(number)
                await manager.heard(b"STOPPING=1")
                answer = await http.post("/v1/messages", json={"to": BOB, "text": "too late"})
                assert (answer.status_code, answer.json()["code"]) == (503, "draining")
                (on_the_air,) = sim.network.ledger
                sim.modems[0].modem.answer("+CMGS", [f"+CMGS: {on_the_air.tp_mr}"], "OK")
            status, _ = await manager.ended()
            assert status == 0
            assert manager.stored() == {"on the air": ("sent", ""), "waits": ("queued", "")}
            assert [e.text for e in sim.network.ledger] == ["on the air"]

    asyncio.run(story())


def test_a_second_signal_waits_no_longer_and_says_what_is_in_doubt(tmp_path: Path) -> None:
    async def story() -> None:
        async with managed(tmp_path, delay=50.0) as (manager, sim):
            await stopped_with_a_text_on_the_air(manager, sim)
            await manager.heard(b"STOPPING=1")
            manager.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(20):
                status, log = await manager.ended()
            assert status == 0
            assert "stopping_at_once" in log
            assert "drain_incomplete channels=gsm1;" in log
            assert manager.stored() == {"on the air": ("in_doubt", "restarted")}

    asyncio.run(story())


def test_the_time_limit_of_the_drain_leaves_a_doubt_and_no_second_text(tmp_path: Path) -> None:
    async def story() -> None:
        async with gateway(tmp_path, delay=30.0, patience=0.3) as gate:
            id = await gate.send(ALICE, policy="at_most_once")
            await gate.event("armed", message=id)
            await gate.sim.network.submits(1)
        with sqlite3.connect(tmp_path / "state" / "gsmbridge.sqlite") as db:
            assert db.execute("SELECT status FROM messages").fetchall() == [("in_doubt",)]
            assert db.execute("SELECT state FROM attempts").fetchall() == [("in_doubt",)]
        db.close()
        async with gateway(tmp_path) as gate:
            assert (await gate.message(id))["status"] == "in_doubt"
            assert gate.texts() == []

    asyncio.run(story())


def test_a_kill_at_the_managers_time_limit_leaves_a_doubt(tmp_path: Path) -> None:
    async def story() -> None:
        async with managed(tmp_path, delay=50.0) as (manager, sim):
            await stopped_with_a_text_on_the_air(manager, sim)
            await manager.heard(b"EXTEND_TIMEOUT_USEC=")
            manager.process.kill()
            await manager.ended()
            assert manager.stored()["on the air"][0] == "sending"
            await manager.start()
            assert manager.stored() == {"on the air": ("in_doubt", "restarted")}

    asyncio.run(story())


def test_a_disk_that_fails_ends_the_service_promises_nothing_and_loses_nothing(tmp_path: Path) -> None:
    """Faults 46 and 47."""

    async def story() -> None:
        async with managed(tmp_path, faults=MUTE) as (manager, sim):
            await manager.start(program=FAILING)
            async with manager.client() as http:
                assert await order(http, "on the air") == 202
                assert await order(http, "waits") == 202
                await sim.network.submits(1)
                await assigned(http)  # so that nothing is being written when the disk fails
                manager.process.send_signal(signal.SIGUSR1)
                with suppress(httpx.HTTPError):  # gone before it answers
                    answer = await http.post("/v1/messages", json={"to": ALICE, "text": "not promised"})
                    assert answer.status_code == 503, answer.text
            status, log = await manager.ended()
            assert status == os.EX_IOERR
            assert "check the disk" in log
            assert "Traceback" not in log
            await manager.start()
            await sim.network.submits(2)
            assert [e.text for e in sim.network.ledger] == ["on the air", "waits"]
            stored = manager.stored()
            assert stored["on the air"][0] == "in_doubt"
            assert "not promised" not in stored

    asyncio.run(story())


def test_a_blocked_event_loop_is_not_fed_and_what_it_held_is_safe(tmp_path: Path) -> None:
    """Fault 58."""

    async def story() -> None:
        async with managed(tmp_path, faults=MUTE) as (manager, sim):
            await manager.start(watchdog=1.0, program=BLOCKED)
            async with manager.client() as http:
                assert await order(http, "on the air") == 202
                assert await order(http, "waits") == 202
                await sim.network.submits(1)
            await manager.heard(b"WATCHDOG=1")
            manager.process.send_signal(signal.SIGUSR1)
            with suppress(TimeoutError):
                while True:
                    async with asyncio.timeout(1.0):  # what the manager waits
                        await manager.heard(b"WATCHDOG=1")
            manager.process.send_signal(signal.SIGABRT)  # as systemd does
            assert (await manager.ended())[0] == -signal.SIGABRT
            await manager.start()
            await sim.network.submits(2)
            assert [e.text for e in sim.network.ledger] == ["on the air", "waits"]
            assert manager.stored()["on the air"][0] == "in_doubt"

    asyncio.run(story())


def test_out_of_descriptors_refuses_connections_and_goes_on(tmp_path: Path) -> None:
    """Fault 59; what the kernel kills for want of memory is killed as in tests/acceptance/test_kill.py."""

    async def story() -> None:
        async with managed(tmp_path) as (manager, sim):
            await manager.start(watchdog=4.0)
            pid = manager.process.pid
            async with manager.client() as http:
                assert await order(http, "before") == 202
                await sim.network.submits(1)
                used = len(os.listdir(f"/proc/{pid}/fd"))
                resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 8, used + 8))
                crowd = []
                for _ in range(40):
                    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                    line.connect(str(manager.state / "gsmbridge.sock"))
                    crowd.append(line)
                assert await order(http, "meanwhile") == 202  # on the connection it has
                await sim.network.submits(2)
                await manager.heard(b"WATCHDOG=1")
                await manager.heard(b"WATCHDOG=1")
                for line in crowd:
                    line.close()
            async with asyncio.timeout(PATIENCE):
                while True:
                    with suppress(httpx.HTTPError):
                        async with manager.client() as http:
                            assert await order(http, "after") == 202
                            break
            await sim.network.submits(3)
            manager.process.send_signal(signal.SIGTERM)
            assert (await manager.ended())[0] == 0

    asyncio.run(story())
