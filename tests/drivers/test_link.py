"""Real ports: a pty, a socket, rfc2217, and what is said of ports that cannot be opened."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial.rfc2217

from drivers.modems.holders import holders, holders_sentence
from drivers.modems.link import Link, LinkError, open_link
from drivers.modems.settings import ModemSettings


@pytest.fixture
def pty() -> Iterator[tuple[int, int, str]]:
    master, slave = os.openpty()
    tty.setraw(slave)
    yield master, slave, os.ttyname(slave)
    for descriptor in (master, slave):
        with contextlib.suppress(OSError):
            os.close(descriptor)


class Ear:
    def __init__(self, link: Link) -> None:
        self.data = b""
        self.lost: list[str] = []
        self.news = asyncio.Event()
        link.start(self._heard, self._gone)

    def _heard(self, data: bytes) -> None:
        self.data += data
        self.news.set()

    def _gone(self, reason: str) -> None:
        self.lost.append(reason)
        self.news.set()

    async def until(self, wanted: bytes) -> None:
        async with asyncio.timeout(60):
            while wanted not in self.data:
                self.news.clear()
                await self.news.wait()

    async def until_lost(self) -> None:
        async with asyncio.timeout(60):
            while not self.lost:
                self.news.clear()
                await self.news.wait()


def test_a_pty_is_read_and_written_by_the_loop(pty: tuple[int, int, str]) -> None:
    master, _, name = pty

    async def main() -> None:
        link = await open_link(ModemSettings(), name)
        ear = Ear(link)
        link.write(b"AT\r")
        assert os.read(master, 100) == b"AT\r"
        os.write(master, b"\r\nOK\r\n")
        await ear.until(b"OK")
        assert link.unwritten == 0
        link.close()

    asyncio.run(main())


def test_a_port_is_ours_alone(pty: tuple[int, int, str]) -> None:
    async def main() -> None:
        link = await open_link(ModemSettings(), pty[2])
        with pytest.raises(LinkError) as caught:
            await open_link(ModemSettings(), pty[2])
        assert caught.value.code == "port_in_use"
        link.close()
        (await open_link(ModemSettings(), pty[2])).close()

    asyncio.run(main())


def test_a_hang_up_is_told_once_and_nothing_spins(pty: tuple[int, int, str]) -> None:
    master, slave, name = pty

    async def main() -> None:
        link = await open_link(ModemSettings(), name)
        ear = Ear(link)
        os.close(slave)
        os.close(master)
        await ear.until_lost()
        turns = 0
        loop = asyncio.get_running_loop()
        end = loop.time() + 0.05
        while loop.time() < end:  # a reader left on the descriptor would make the loop turn without pause
            await asyncio.sleep(0.01)
            turns += 1
        assert turns <= 6
        assert len(ear.lost) == 1
        link.write(b"AT\r")
        link.close()

    asyncio.run(main())


def test_what_the_port_does_not_take_is_kept_and_told(pty: tuple[int, int, str]) -> None:
    master, _, name = pty

    async def main() -> None:
        link = await open_link(ModemSettings(), name)
        Ear(link)
        total = 0
        while link.unwritten == 0 and total < 1_000_000:
            link.write(b"x" * 1024)
            total += 1024
        assert link.unwritten > 0
        os.set_blocking(master, False)
        taken = 0
        async with asyncio.timeout(60):
            while link.unwritten or taken < total:
                with contextlib.suppress(BlockingIOError):
                    taken += len(os.read(master, 65536))
                await asyncio.sleep(0)
        assert taken == total
        link.close()

    asyncio.run(main())


def test_a_socket_is_a_port() -> None:
    async def main() -> None:
        got: asyncio.Queue[bytes] = asyncio.Queue()

        async def modem(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            got.put_nowait(await reader.readuntil(b"\r"))
            writer.write(b"\r\nOK\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(modem, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        link = await open_link(ModemSettings(), f"socket://127.0.0.1:{port}")
        ear = Ear(link)
        link.write(b"AT\r")
        assert await got.get() == b"AT\r"
        await ear.until(b"OK")
        await ear.until_lost()
        link.close()
        server.close()
        await server.wait_closed()

    asyncio.run(main())


class _Terminal:
    """A terminal server after pyserial's own example; the port behind it gives back what it gets."""

    def __init__(self) -> None:
        self._serial = serial.serial_for_url("loop://", timeout=0.05)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._in, daemon=True)]
        self._threads[0].start()

    def write(self, data: bytes) -> None:
        self._connection.sendall(data)

    def _in(self) -> None:
        self._connection, _ = self._listener.accept()
        manager = serial.rfc2217.PortManager(self._serial, self)  # type: ignore[arg-type]
        self._threads.append(threading.Thread(target=self._out, args=(manager,), daemon=True))
        self._threads[-1].start()
        with contextlib.suppress(OSError):
            while data := self._connection.recv(1024):
                self._serial.write(b"".join(manager.filter(data)))

    def _out(self, manager: serial.rfc2217.PortManager) -> None:
        with contextlib.suppress(OSError):
            while not self._stop.is_set():
                data = self._serial.read(self._serial.in_waiting or 1)
                if data:
                    self.write(b"".join(manager.escape(data)))

    def close(self) -> None:
        self._stop.set()
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(60)
        self._connection.close()
        self._listener.close()
        self._serial.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning:serial.*")
def test_rfc2217_is_a_port() -> None:
    terminal = _Terminal()

    async def main() -> None:
        link = await open_link(ModemSettings(), f"rfc2217://127.0.0.1:{terminal.port}?timeout=60")
        ear = Ear(link)
        link.write(b"AT\r\xff\n")
        await ear.until(b"AT\r\xff\n")
        async with asyncio.timeout(60):
            while True:  # the echo may be here before the thread that wrote has said so
                if link.unwritten == 0:
                    break
                await asyncio.sleep(0.001)
        ours = [f"{work} {link.port}" for work in ("_read", "_write")]
        threads = [thread for thread in threading.enumerate() if thread.name in ours]
        assert len(threads) == 2
        link.close()
        for thread in threads:  # they end within their time-out
            await asyncio.to_thread(thread.join, 60)
            assert not thread.is_alive()

    try:
        asyncio.run(main())
    finally:
        terminal.close()


@pytest.mark.parametrize(
    ("port", "code"),
    [("/dev/does-not-exist", "port_missing"), ("socket://127.0.0.1:1", "port_failed"), ("bad://x", "port_failed")],
)
def test_why_a_port_cannot_be_opened(port: str, code: str) -> None:
    async def main() -> None:
        with pytest.raises(LinkError) as caught:
            await open_link(ModemSettings(), port)
        assert caught.value.code == code
        assert port in str(caught.value)

    asyncio.run(main())


def test_a_file_is_no_port(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")

    async def main() -> None:
        with pytest.raises(LinkError) as caught:
            await open_link(ModemSettings(), str(file))
        assert caught.value.code == "not_a_port"

    asyncio.run(main())


def test_the_holder_of_a_port_is_named(pty: tuple[int, int, str], tmp_path: Path) -> None:
    name = pty[2]
    process = tmp_path / "4711"
    (process / "fd").mkdir(parents=True)
    (process / "comm").write_text("ModemManager\n")
    (process / "fd" / "7").symlink_to(name)
    (tmp_path / "4712" / "fd").mkdir(parents=True)
    assert holders(name, proc=str(tmp_path)) == ["ModemManager (process 4711)"]
    assert holders("/dev/does-not-exist", proc=str(tmp_path)) == []
    assert "fuser" in holders_sentence("/dev/does-not-exist")


def test_modem_manager_is_named_with_the_remedy(pty: tuple[int, int, str], tmp_path: Path) -> None:
    name = pty[2]
    held = tmp_path / "4711" / "fd"
    held.mkdir(parents=True)
    (held / "7").symlink_to(name)
    (tmp_path / "4711" / "comm").write_text("ModemManager\n")
    sentence = holders_sentence(name, proc=str(tmp_path))
    assert sentence.startswith(
        "Held by: ModemManager (process 4711). Remedy: sudo systemctl disable --now ModemManager"
    )


def test_a_program_whose_files_cannot_be_seen_is_named_as_a_suspect(pty: tuple[int, int, str], tmp_path: Path) -> None:
    (tmp_path / "812").mkdir()
    (tmp_path / "812" / "comm").write_text("ModemManager\n")
    sentence = holders_sentence(pty[2], proc=str(tmp_path))
    assert sentence.startswith("ModemManager runs on this machine and may hold it. Remedy:")
