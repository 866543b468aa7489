"""What every failure of the transport says about "was it sent?", and that nothing secret is seen anywhere."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drivers.contract import Cause, MaybeSent, NotSent, Refused, SubmitError
from drivers.providers.http import (
    BODY_LIMIT,
    HTTP_STATUS,
    RETRY_AFTER_LIMIT,
    Answer,
    Client,
    Endpoint,
    check_url,
    judge,
    mask,
    raw_text,
)
from drivers.providers.outcomes import Alarm
from drivers.providers.smsc import Options
from tests.drivers.providers.support import (
    PATIENT,
    Back,
    Behaviour,
    Peer,
    answer,
    caught,
    drip,
    run,
    silence,
    timed_out,
)

PEM = Path(__file__).parent / "self_signed.pem"


async def failure(peer: Peer, *, endpoint: Endpoint = PATIENT) -> SubmitError:
    client = Client(endpoint, secure=False)
    try:
        return await caught(client.request("POST", f"{peer.url}/x", content=b"a=1"))
    finally:
        await client.close()


@contextlib.asynccontextmanager
async def closed_port() -> AsyncIterator[str]:
    server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    yield f"http://127.0.0.1:{port}"


def test_a_refused_connection_sent_nothing() -> None:
    async def main() -> None:
        async with closed_port() as url:
            client = Client(PATIENT, secure=False)
            error = await caught(client.request("POST", url, content=b"x"))
            await client.close()
        assert isinstance(error, NotSent)
        assert (error.code, error.cause, error.channel_unusable) == ("unreachable", Cause.LINK, False)

    run(main())


def test_a_name_that_does_not_resolve_sent_nothing() -> None:
    async def main() -> None:
        client = Client(PATIENT, secure=False)
        error = await caught(client.request("POST", "http://127.0.0.1.invalid./", content=b"x"))
        await client.close()
        assert isinstance(error, NotSent)

    run(main())


async def cut_in_the_body(writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id":')


CUT_CHUNK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\nhalf"
BOMB = gzip.compress(b"\0" * (BODY_LIMIT + 1))


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(None, id="closed without an answer"),
        pytest.param(b"HTTP/1.1 200", id="cut in the first line"),
        pytest.param(cut_in_the_body, id="cut in the body"),
        pytest.param(CUT_CHUNK, id="cut in a chunk"),
        pytest.param(b"not HTTP at all\r\n\r\n", id="not HTTP"),
        pytest.param(answer(b"x" * (BODY_LIMIT + 1)), id="too long"),
        pytest.param(answer(BOMB, headers={"Content-Encoding": "gzip"}), id="gzip bomb"),
        pytest.param(answer(gzip.compress(b"x" * 99)[:-9], headers={"Content-Encoding": "gzip"}), id="cut gzip"),
        pytest.param(answer(b"plain", headers={"Content-Encoding": "gzip"}), id="gzip that is none"),
    ],
)
def test_a_broken_answer_is_in_doubt(octets: Back) -> None:
    async def main() -> None:
        async with Peer([octets]) as peer:
            error = await failure(peer)
            assert isinstance(error, MaybeSent)
            assert len(peer.requests) == 1  # and never repeated

    run(main())


@pytest.mark.parametrize(
    ("behaviour", "limit", "kind"),
    [(silence, "read_timeout", "ReadTimeout"), (drip, "total_timeout", "TimeoutError")],
)
def test_no_answer_in_time_is_in_doubt(behaviour: Behaviour, limit: str, kind: str) -> None:
    async def main() -> None:
        async with Peer([behaviour]) as peer:
            asking = asyncio.ensure_future(failure(peer, endpoint=msgspec.structs.replace(PATIENT, **{limit: 30.0})))
            await peer.reached.wait()
            error = await timed_out(asking, after=30.0)
            assert isinstance(error, MaybeSent)
            assert error.code == "no_answer"
            assert error.detail.endswith(f"({kind})")

    run(main())


def test_a_redirect_is_not_followed() -> None:
    async def main() -> None:
        async with Peer() as other, Peer([answer(status=302, headers={"Location": f"{other.url}/steal"})]) as peer:
            client = Client(PATIENT, secure=False)
            got = await client.request("POST", peer.url, content=b"secret")
            await client.close()
            assert got.status == 302
            assert other.requests == []
            assert isinstance(judge(got), Refused)

    run(main())


def test_connections_are_kept_and_basic_travels() -> None:
    async def main() -> None:
        async with Peer() as peer:
            client = Client(PATIENT, secure=False, basic=("użytkownik", "p:w"), headers={"X-One": "1"})
            for _ in range(3):
                assert (await client.request("POST", peer.url, content=b"x")).status == 200
            await client.close()
            assert peer.requests[0].headers["authorization"] == "Basic dcW8eXRrb3duaWs6cDp3"
            assert peer.requests[0].headers["x-one"] == "1"
            assert peer.requests[0].headers["accept-encoding"] == "identity"

    run(main())


def test_an_answer_that_is_compressed_all_the_same_is_read() -> None:
    async def main() -> None:
        async with Peer([answer(gzip.compress(b"good"), headers={"Content-Encoding": "gzip"})]) as peer:
            client = Client(PATIENT, secure=False)
            assert (await client.request("POST", peer.url)).body == b"good"
            await client.close()

    run(main())


# --- TLS and proxies --------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def tls_server() -> AsyncIterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer(b"secure"))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


def test_a_certificate_that_nobody_signed_stops_the_channel() -> None:
    async def main() -> None:
        async with tls_server() as port:
            client = Client(PATIENT)
            error = await caught(client.request("POST", f"https://127.0.0.1:{port}", content=b"x"))
            await client.close()
        assert isinstance(error, NotSent)
        assert (error.code, error.channel_unusable) == ("certificate", True)

    run(main())


def test_our_own_authority_is_accepted_and_a_wrong_name_is_not() -> None:
    async def main() -> None:
        async with tls_server() as port:
            client = Client(msgspec.structs.replace(PATIENT, ca_file=str(PEM)))
            assert (await client.request("POST", f"https://localhost:{port}")).body == b"secure"
            error = await caught(client.request("POST", f"https://127.0.0.2:{port}", content=b"x"))
            await client.close()
        assert isinstance(error, NotSent)

    run(main())


def test_a_peer_that_speaks_no_tls_sent_nothing() -> None:
    async def main() -> None:
        async with Peer() as peer:
            client = Client(Endpoint(read_timeout=0.5, connect_timeout=0.5))
            error = await caught(client.request("POST", peer.url.replace("http:", "https:"), content=b"x"))
            await client.close()
            assert isinstance(error, NotSent)
            assert not error.channel_unusable

    run(main())


@pytest.mark.parametrize(("status", "code", "unusable"), [(407, "http_407", True), (502, "proxy", False)])
def test_a_proxy_that_does_not_let_us_through_sent_nothing(status: int, code: str, unusable: bool) -> None:
    async def main() -> None:
        async with Peer([answer(status=status)]) as proxy:
            client = Client(msgspec.structs.replace(PATIENT, proxy=proxy.url))
            error = await caught(client.request("POST", "https://provider.example/x", content=b"secret"))
            await client.close()
            assert isinstance(error, NotSent)
            assert (error.code, error.channel_unusable) == (code, unusable)
            assert proxy.requests[0].method == "CONNECT"
            assert proxy.requests[0].body == b""

    run(main())


def test_a_proxy_that_hangs_up_on_us_sent_nothing() -> None:
    async def main() -> None:
        established = b"HTTP/1.1 200 Connection established\r\n\r\n"
        async with Peer([None, established]) as proxy:
            client = Client(msgspec.structs.replace(PATIENT, proxy=proxy.url))
            for _ in range(2):  # before the tunnel is there, and before TLS is
                error = await caught(client.request("POST", "https://provider.example/x", content=b"secret"))
                assert isinstance(error, NotSent)
                assert error.code == "unreachable"
            await client.close()
            assert [r.method for r in proxy.requests] == ["CONNECT", "CONNECT"]

    run(main())


def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with Peer() as proxy, Peer() as peer:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("ALL_PROXY", proxy.url)
            client = Client(PATIENT, secure=False)
            await client.request("POST", peer.url)
            await client.close()
            assert (len(proxy.requests), len(peer.requests)) == (0, 1)

    run(main())


# --- Status codes -----------------------------------------------------------------------------------------------------


def _paused(e: SubmitError) -> bool:
    return isinstance(e, NotSent) and e.channel_unusable


def _refused(e: SubmitError) -> bool:
    return isinstance(e, Refused) and not e.everywhere and isinstance(e, Alarm)


def _doubt(e: SubmitError) -> bool:
    return isinstance(e, MaybeSent)


def _later(e: SubmitError) -> bool:
    return isinstance(e, NotSent) and not e.channel_unusable


STATUSES: dict[Callable[[SubmitError], bool], list[int]] = {
    _paused: [401, 403, 407],
    _refused: [301, 302, 303, 307, 308, 404, 405, 415],
    _doubt: [202, 204, 400, 408, 409, 422, 500, 501, 502, 503, 504, 599],
    _later: [429],
}


@pytest.mark.parametrize(("status", "test"), [(s, t) for t, many in STATUSES.items() for s in many])
def test_status_without_a_body_we_know(status: int, test: Callable[[SubmitError], bool]) -> None:
    error = judge(Answer(status=status, headers={}, body=b""))
    assert error is not None
    assert test(error), error
    assert error.code == f"http_{status}"


def test_every_row_of_the_status_table_is_tested() -> None:
    assert {int(word) for word in HTTP_STATUS} - {300} <= {s for many in STATUSES.values() for s in many}


def test_what_has_to_be_read_is_no_error() -> None:
    assert judge(Answer(status=200, headers={}, body=b"")) is None
    assert judge(Answer(status=202, headers={}, body=b"x")) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "17"}, 17.0),
        ({"retry-after": "999999"}, RETRY_AFTER_LIMIT),
        ({"retry-after": "99999999999999999999"}, RETRY_AFTER_LIMIT),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "date": "Wed, 21 Oct 2026 07:29:00 GMT"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_obeyed_with_a_bound(headers: dict[str, str], seconds: float | None) -> None:
    error = judge(Answer(status=429, headers=headers, body=b""))
    assert isinstance(error, NotSent)
    assert error.retry_after == seconds


# --- Addresses and secrets --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["https://api.example/x", "http://localhost:8080/a", "http://127.0.0.9", "http://[::1]:1/"]
)
def test_good_addresses(url: str) -> None:
    assert check_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example/",
        "http://10.0.0.1/",
        "http://localhost.evil.example/",
        "http://127.0.0.1.evil.example/",
        "ftp://api.example/",
        "api.example",
        "",
        "https://",
        "https://user:hunter2@api.example/",
        "https://api.example/?key=hunter2",
        "https://api.example/#x",
        "https://api.example:99999/",
        "https://[::1/",
    ],
)
def test_bad_addresses_are_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ValueError, match=r"^url ") as found:
        check_url(url)
    assert "hunter2" not in str(found.value)


@pytest.mark.parametrize("changed", [{"connect_timeout": 0}, {"read_timeout": -1}, {"total_timeout": 601}])
def test_times_are_bounded(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="600 seconds"):
        Endpoint(**changed)


def test_options_show_no_secret() -> None:
    options = Options(login="alex", password="hunter2-pw", api_key="hunter2-key")
    assert "hunter2" not in repr(options)
    assert "hunter2" not in str(options)
    assert options.__rich_repr__() == []


def test_secrets_are_masked_in_every_form() -> None:
    secret = "p&w <ö>/1"
    for shown in (
        "p&w <ö>/1",
        "p&amp;w &lt;ö&gt;/1",
        "p%26w%20%3C%C3%B6%3E%2F1",
        "p%26w+%3C%C3%B6%3E%2F1",
        "cCZ3IDzDtj4vMQ==",
    ):
        assert mask(f"before {shown} after", [secret, ""]) == "before *** after"
    assert raw_text(Answer(status=200, headers={}, body=b"hunter2" * 3), ["hunter2"]) == "*********"


def test_a_token_with_a_line_end_is_refused_when_the_client_is_made() -> None:
    with pytest.raises(ValueError, match="control character"):
        Client(PATIENT, headers={"Authorization": "Bearer x\r\nX-Evil: 1"})


def test_nothing_secret_is_logged_at_any_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def main() -> None:
        async with Peer([answer(b"hunter2"), None]) as peer:
            client = Client(PATIENT, secure=False, basic=("u", "hunter2"), secrets=["hunter2"])
            for name in ("httpx", "httpcore", "httpcore.http11", "httpcore.connection"):
                logging.getLogger(name).setLevel(logging.DEBUG)  # what somebody may do to see more
            await client.request("POST", f"{peer.url}/?key=hunter2", content=b"hunter2")
            error = await caught(client.request("POST", f"{peer.url}/?key=hunter2", content=b"hunter2"))
            await client.close()
            assert error.__cause__ is None
            assert error.__suppress_context__

    run(main())
    shown = "\n".join(record.getMessage() for record in caplog.records)
    assert "hunter2" not in shown
    assert "aHVudGVyMg" not in shown
    assert not [r for r in caplog.records if r.name.startswith(("httpx", "httpcore")) and r.levelno < logging.WARNING]
