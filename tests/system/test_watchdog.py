"""The service manager's watchdog is fed while every loop makes progress, and by nobody else's heartbeat."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from bridge.config import InboundRule, InboundSettings, Settings, Webhooks
from bridge.pulse import Pulse
from bridge.service_manager import notify
from bridge.watchdog import Watchdog, Watched
from tests.flows.gateway import gateway


class Loop:
    """A loop that goes round when it is woken, unless it hangs."""

    def __init__(self) -> None:
        self._wake = asyncio.Event()
        self.pulse = Pulse(self._wake.set)
        self.free = asyncio.Event()
        self.free.set()

    async def run(self) -> None:
        while True:
            self.pulse.beat()
            await self._wake.wait()
            self._wake.clear()
            await self.free.wait()


async def meals(loops: dict[str, Loop], patience: float = 0.0) -> tuple[asyncio.Queue[None], list[asyncio.Task[None]]]:
    fed: asyncio.Queue[None] = asyncio.Queue()
    watched = [Watched(name=name, alive=loop.pulse, patience=patience) for name, loop in loops.items()]
    dog = Watchdog(watched, within=0.1, feed=lambda: fed.put_nowait(None))
    return fed, [asyncio.create_task(dog.run()), *(asyncio.create_task(one.run()) for one in loops.values())]


def test_one_stuck_loop_ends_the_feeding_and_is_named_until_it_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        loops = {"well": Loop(), "ill": Loop()}
        fed, tasks = await meals(loops)
        async with asyncio.timeout(10):
            await fed.get()
            await fed.get()
            loops["ill"].free.clear()
            with suppress(TimeoutError):  # the inner one: the meals end
                while True:
                    await asyncio.wait_for(fed.get(), 0.3)
            assert "watchdog_not_fed" in caplog.text
            loops["ill"].free.set()
            await fed.get()
        for task in tasks:
            task.cancel()

    asyncio.run(story())
    assert "stuck=ill;" in caplog.text


def test_a_loop_may_owe_its_answer_for_its_patience() -> None:
    async def story() -> None:
        loops = {"busy": Loop()}
        loops["busy"].free.clear()
        fed, tasks = await meals(loops, patience=60.0)
        async with asyncio.timeout(10):
            for _ in range(3):
                await fed.get()
        for task in tasks:
            task.cancel()

    asyncio.run(story())


def test_an_answer_that_is_an_error_is_an_answer() -> None:
    async def failing() -> None:
        raise OSError("no room")

    async def story() -> None:
        fed = asyncio.Event()
        dog = asyncio.create_task(Watchdog([Watched(name="store", alive=failing)], within=0.02, feed=fed.set).run())
        async with asyncio.timeout(10):
            await fed.wait()
        dog.cancel()

    asyncio.run(story())


def test_the_daemon_feeds_while_it_is_well_and_says_when_it_stops(tmp_path: Path) -> None:
    address = tmp_path / "notify"
    config = tmp_path / "config.toml"
    config.write_text(
        f'[service]\nstate_dir = "{tmp_path / "state"}"\nlisten = "127.0.0.1:0"\n'
        f'[[modem]]\nid = "gone"\nport = "{tmp_path / "no-port"}"\n'
    )
    config.chmod(0o600)

    async def story() -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.bind(str(address))
            line.setblocking(False)
            loop = asyncio.get_running_loop()

            async def heard(word: bytes) -> None:
                while word not in await loop.sock_recv(line, 4096):
                    pass

            environment = {**os.environ, "NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "1000000"}
            environment.pop("WATCHDOG_PID", None)
            order = (sys.executable, "-m", "bridge.cli", "run", "--config", str(config))
            daemon = await asyncio.create_subprocess_exec(*order, env=environment)
            async with asyncio.timeout(60):
                await heard(b"READY=1")
                for _ in range(3):
                    await heard(b"WATCHDOG=1")
                daemon.send_signal(signal.SIGTERM)
                await heard(b"STOPPING=1")
                assert await daemon.wait() == 0

    asyncio.run(story())


def test_a_manager_that_does_not_read_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        for _ in range(5000):  # far more than the kernel keeps for it
            notify(WATCHDOG=1)
        assert line.recv(4096) == b"WATCHDOG=1"


def test_programs_and_receivers_that_take_their_time_do_not_starve_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule's program and a webhook's receiver hang, both for longer than the service manager waits for a meal."""
    carol, began = "+447700900777", tmp_path / "began"
    os.mkfifo(began)
    program = (sys.executable, "-c", f"import time; open({str(began)!r}, 'w').close(); time.sleep(600)")
    rule = InboundRule(name="slow", keywords=("OPEN",), senders=(carol,), program=program)

    def slow(settings: Settings) -> Settings:
        return msgspec.structs.replace(
            settings,
            inbound=InboundSettings(allow_programs=True),
            inbound_rules=(rule,),
            webhooks=Webhooks(allow_private=("127.0.0.1",), allow_http=("127.0.0.1",)),
        )

    async def story() -> None:
        called = asyncio.Event()

        async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            called.set()
            await reader.read()
            writer.close()

        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.bind(str(tmp_path / "notify"))
            line.setblocking(False)
            monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
            monkeypatch.setenv("WATCHDOG_USEC", "400000")
            monkeypatch.delenv("WATCHDOG_PID", raising=False)
            receiver = await asyncio.start_server(hang, "127.0.0.1", 0)
            port = receiver.sockets[0].getsockname()[1]
            async with gateway(tmp_path, settings=slow) as gate:
                answer = await gate.http.post("/v1/webhooks", json={"url": f"http://127.0.0.1:{port}/"})
                assert answer.status_code == 201, answer.text
                gate.sim.network.inject(gate.sim.modems[0].number, "open", sender=carol)
                async with asyncio.timeout(20):
                    await called.wait()
                    await asyncio.to_thread(began.read_bytes)  # until the program opens its end
                    while True:  # what it got before
                        try:
                            line.recv(4096)
                        except BlockingIOError:
                            break
                    for _ in range(4):
                        assert b"WATCHDOG=1" in await asyncio.get_running_loop().sock_recv(line, 4096)
            receiver.close()

    asyncio.run(story())
