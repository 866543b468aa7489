"""The listeners: addresses that are taken, stale sockets, and clients that are slow, large or lie."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from bridge.api import protocol
from bridge.api.serve import HttpServer, ListenError

from .support import Service, run


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """The simplest application: tells whether it takes the caller for the operator."""
    body = b"operator" if scope["state"].get("operator") else b"anybody"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


def with_folder(test: Callable[[Path], Awaitable[None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(test(Path(folder)))  # type: ignore[arg-type]


async def talk(url: str, *pieces: bytes) -> bytes:
    """What comes back for these bytes until the other side closes or falls silent."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()


def test_both_listeners_serve_and_only_the_private_one_knows_the_operator() -> None:
    async def test(folder: Path) -> None:
        server = HttpServer(hello, listen="127.0.0.1:0", socket=folder / "s")
        addresses = await server.start()
        assert addresses.url is not None
        assert not addresses.url.endswith(":0")
        async with httpx.AsyncClient(timeout=20, trust_env=False) as client:
            answer = await client.get(addresses.url)
            assert answer.text == "anybody"
            assert "server" not in answer.headers
            assert "date" in answer.headers
        async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(folder / "s")), timeout=20) as client:
            assert (await client.get("http://local/")).text == "operator"
        await server.stop()
        assert not (folder / "s").exists()

    with_folder(test)


def test_an_address_in_use_is_named_with_its_setting() -> None:
    async def test(folder: Path) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            address = f"127.0.0.1:{other.getsockname()[1]}"
            server = HttpServer(hello, listen=address, socket=folder / "s")
            with pytest.raises(ListenError) as error:
                await server.start()
        assert address in str(error.value)
        assert "service.listen" in str(error.value)
        assert "in use" in str(error.value)
        assert not (folder / "s").exists()

    with_folder(test)


@pytest.mark.parametrize(
    "listen", ["nohost.invalid:80", "127.0.0.1:x", "127.0.0.1:99999", "192.0.2.1:8025", "8025", ":8025"]
)
def test_an_address_that_cannot_be_is_named_with_its_setting(listen: str) -> None:
    async def test(folder: Path) -> None:
        with pytest.raises(ListenError, match=r"service\.listen") as error:
            await HttpServer(hello, listen=listen).start()
        assert listen in str(error.value)

    with_folder(test)


def test_a_stale_socket_is_replaced_and_a_living_one_is_not() -> None:
    async def test(folder: Path) -> None:
        path = folder / "s"
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(str(path))
        stale.close()
        server = HttpServer(hello, listen=None, socket=path)
        assert (await server.start()).url is None
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(ListenError, match="another gsmbridge answers"):
            await HttpServer(hello, listen=None, socket=path).start()
        assert path.exists(), "the refused one took the socket away"
        await server.stop()

    with_folder(test)


def test_a_file_in_the_sockets_place_is_left_alone() -> None:
    async def test(folder: Path) -> None:
        (folder / "s").write_text("precious")
        with pytest.raises(ListenError, match="something else has this name"):
            await HttpServer(hello, listen=None, socket=folder / "s").start()
        assert (folder / "s").read_text() == "precious"
        long = folder / ("x" * 120)
        with pytest.raises(ListenError, match=r"service\.state_dir"):
            await HttpServer(hello, listen=None, socket=long).start()

    with_folder(test)


def test_stopping_leaves_a_successors_socket() -> None:
    async def test(folder: Path) -> None:
        path = folder / "s"
        server = HttpServer(hello, listen=None, socket=path)
        await server.start()
        path.unlink()
        successor = HttpServer(hello, listen=None, socket=path)
        await successor.start()
        await server.stop()
        assert path.exists()
        await successor.stop()

    with_folder(test)


def test_stopping_lets_a_running_request_end() -> None:
    began, go_on = asyncio.Event(), asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        began.set()
        await go_on.wait()
        await hello(scope, receive, send)

    async def test(folder: Path) -> None:
        server = HttpServer(slow, listen="127.0.0.1:0")
        addresses = await server.start()
        assert addresses.url is not None
        async with httpx.AsyncClient(timeout=20, trust_env=False) as client:
            asking = asyncio.create_task(client.get(addresses.url))
            await began.wait()
            stopping = asyncio.create_task(server.stop())
            await asyncio.sleep(0)
            go_on.set()
            assert (await asking).text == "anybody"
            await stopping

    with_folder(test)


def test_stopping_waits_no_longer_than_it_may() -> None:
    async def test(folder: Path) -> None:
        began = asyncio.Event()

        async def stuck(scope: Any, receive: Any, send: Any) -> None:
            began.set()
            await asyncio.Event().wait()

        server = HttpServer(stuck, listen="127.0.0.1:0")
        addresses = await server.start()
        assert addresses.url is not None
        asking = asyncio.create_task(talk(addresses.url, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
        await began.wait()
        async with asyncio.timeout(10):
            await server.stop(patience=1)
        assert (await asking).startswith(b"HTTP/1.1 500")

    with_folder(test)


# --- Clients that are slow, large or lie ------------------------------------------------------------------------------


def _head(service: Service, more: str) -> bytes:
    key = service.secrets["send"]
    return (
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {key}\r\n{more}\r\n\r\n"
    ).encode()


def test_a_body_over_the_limit_is_refused_by_its_length_before_it_comes() -> None:
    async def test(s: Service) -> None:
        answer = await talk(s.url, _head(s, "Content-Length: 2000"))
        assert answer.startswith(b"HTTP/1.1 413")

    run(test, max_body=1000)


def test_a_body_without_length_is_refused_as_soon_as_it_is_over_the_limit() -> None:
    async def test(s: Service) -> None:
        chunk = b"258\r\n" + b" " * 600 + b"\r\n"  # it never ends
        answer = await talk(s.url, _head(s, "Transfer-Encoding: chunked"), chunk, chunk)
        assert answer.startswith(b"HTTP/1.1 413")

    run(test, max_body=1000)


def test_a_body_of_just_the_limit_is_taken() -> None:
    async def test(s: Service) -> None:
        body = b'{"to":"+48600700800","text":"x"}'
        body += b" " * (1000 - len(body))
        assert (await talk(s.url, _head(s, "Content-Length: 1000"), body)).startswith(b"HTTP/1.1 202")
        chunks = b"".join(b"64\r\n" + body[i : i + 100] + b"\r\n" for i in range(0, 1000, 100)) + b"0\r\n\r\n"
        assert (await talk(s.url, _head(s, "Transfer-Encoding: chunked"), chunks)).startswith(b"HTTP/1.1 202")
        assert await s.stored() == 2

    run(test, max_body=1000)


@pytest.mark.parametrize("length", ["0x10", "-5", "abc", "99999999999999999999999999", "5\r\nContent-Length: 900"])
def test_a_false_content_length_gets_no_further(length: str) -> None:
    async def test(s: Service) -> None:
        answer = await talk(s.url, _head(s, f"Content-Length: {length}"), b'{"to":"+48600700800","text":"x"}')
        assert answer.split(b" ")[1] in (b"400", b"413")
        assert await s.stored() == 0

    run(test, max_body=1000)


def test_a_body_that_breaks_off_orders_nothing() -> None:
    async def test(s: Service) -> None:
        host, _, port = s.url.removeprefix("http://").partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(_head(s, "Content-Length: 1000") + b'{"to":"+48600700800","text":"x"}')
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert (await s.client.get("/v1/messages")).json()["items"] == []

    run(test)


def test_a_head_without_end_is_cut_off() -> None:
    async def test(s: Service) -> None:
        lines = [b"X-%d: %s\r\n" % (n, b"y" * 1000) for n in range(protocol.LARGEST_HEAD // 1000 + 10)]
        answer = await talk(s.url, b"GET /healthz HTTP/1.1\r\nHost: x\r\n", *lines)
        assert answer.startswith(b"HTTP/1.1 431")

    run(test)


def test_a_slow_head_is_cut_off() -> None:
    class Hasty(protocol.BoundedProtocol):
        head_patience = 0.2

    async def test(folder: Path) -> None:
        server = HttpServer(hello, listen="127.0.0.1:0", protocol=Hasty)
        addresses = await server.start()
        assert addresses.listen is not None
        host, _, port = addresses.listen.partition(":")
        for first in (b"", b"GET / HTTP/1.1\r\nHo", b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HT"):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(first)
            async with asyncio.timeout(5):
                answer = await reader.read()
            assert answer.count(b"HTTP/1.1 200") == first.count(b"\r\n\r\n")
            writer.close()
        # One that takes its time between whole requests stays.
        async with httpx.AsyncClient(timeout=20, trust_env=False) as client:
            for _ in range(2):
                assert (await client.get(f"http://{addresses.listen}/")).status_code == 200
        await server.stop()

    with_folder(test)


def test_idle_connections_keep_nobody_waiting() -> None:
    async def test(s: Service) -> None:
        host, _, port = s.url.removeprefix("http://").partition(":")
        idle = [await asyncio.open_connection(host, int(port)) for _ in range(200)]
        assert (await s.client.get("/v1/messages")).status_code == 200
        for _, writer in idle:
            writer.close()

    run(test)


def test_what_is_no_http_is_refused() -> None:
    async def test(s: Service) -> None:
        for data in (b"\x00\xff" * 40 + b"\r\n\r\n", b"GET\r\n\r\n", os.urandom(64) + b"\r\n\r\n"):
            assert (await talk(s.url, data)).startswith(b"HTTP/1.1 400")

    run(test)
