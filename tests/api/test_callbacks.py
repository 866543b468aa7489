"""Providers call us: what reaches the account, what comes back, and that nothing else gets in this way."""

from __future__ import annotations

import asyncio

import pytest

from bridge.store import StoreFull
from drivers.contract import Call, Forged, Reply

from .support import Service, run

SECRET = "0123456789abcdef0123"
ADDRESS = f"/v1/callbacks/cloud1/{SECRET}"


class Desk:
    """Takes the calls of one account; `answer` decides how they end."""

    def __init__(self, answer: Reply | Exception | None = None) -> None:
        self.calls: list[Call] = []
        self._answer = answer or Reply()

    async def called(self, id: str, secret: str, call: Call) -> Reply:
        if (id, secret) != ("cloud1", SECRET):
            raise KeyError(id)
        self.calls.append(call)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def test_the_call_reaches_the_account_as_it_came() -> None:
    desk = Desk(Reply(status=202, body=b"<ok/>", content_type="text/xml; charset=windows-1251"))

    async def test(s: Service) -> None:
        raw = b"id=5&text=%E6\x00\xff"
        answer = await s.anybody.post(
            f"{ADDRESS}?a=1&b=%20", content=raw, headers={"X-Sign": "abc", "Content-Type": "application/x-www-form"}
        )
        assert (answer.status_code, answer.content) == (202, b"<ok/>")
        assert answer.headers["content-type"] == "text/xml; charset=windows-1251"
        (call,) = desk.calls
        assert (call.method, call.path, call.query, call.body) == ("POST", "", b"a=1&b=%20", raw)
        assert (call.headers["x-sign"], call.address) == ("abc", "127.0.0.1")

    run(test, called=desk.called)


def test_get_and_paths_behind_the_secret_are_taken() -> None:
    desk = Desk()

    async def test(s: Service) -> None:
        for path in ("", "/mo", "/report/sent.php"):
            for method in ("GET", "POST"):
                answer = await s.anybody.request(method, ADDRESS + path)
                assert (answer.status_code, answer.text) == (200, "OK"), path
                assert (desk.calls[-1].method, desk.calls[-1].path) == (method, path)

    run(test, called=desk.called)


@pytest.mark.parametrize(
    "path",
    [
        f"/v1/callbacks/cloud2/{SECRET}",
        f"/v1/callbacks/cloud1/{SECRET[:-1]}",
        f"/v1/callbacks/cloud1/{SECRET}0",
        "/v1/callbacks/cloud1/x/" + SECRET,
        "/v1/callbacks/cloud1/",
        "/v1/callbacks/cloud1",
        "/v1/callbacks/",
    ],
)
def test_a_wrong_address_is_nowhere(path: str) -> None:
    desk = Desk()

    async def test(s: Service) -> None:
        answer = await s.anybody.post(path, content=b"x")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert desk.calls == []

    run(test, called=desk.called)


def test_without_accounts_there_is_nothing() -> None:
    async def test(s: Service) -> None:
        assert (await s.anybody.post(ADDRESS)).status_code == 404

    run(test)


def test_a_forged_call_is_refused_without_a_reason() -> None:
    desk = Desk(Forged("the signature of md5(secret:...) does not fit"))

    async def test(s: Service) -> None:
        answer = await s.anybody.post(ADDRESS, content=b"x")
        assert (answer.status_code, answer.json()["code"]) == (401, "forged")
        assert "signature" not in answer.text

    run(test, called=desk.called)


def test_a_call_that_could_not_be_stored_is_not_confirmed() -> None:
    desk = Desk(StoreFull("the disk is full"))

    async def test(s: Service) -> None:
        answer = await s.anybody.post(ADDRESS, content=b"x")
        assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")

    run(test, called=desk.called)


def test_a_call_has_at_most_a_megabyte() -> None:
    desk = Desk()

    async def test(s: Service) -> None:
        assert (await s.anybody.post(ADDRESS, content=b"x" * (1 << 20))).status_code == 200
        answer = await s.anybody.post(ADDRESS, content=b"x" * ((1 << 20) + 1))
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
        assert len(desk.calls) == 1

    run(test, called=desk.called)


def test_other_methods_are_not_known() -> None:
    async def test(s: Service) -> None:
        answer = await s.anybody.put(ADDRESS, content=b"x")
        assert answer.status_code == 405

    run(test, called=Desk().called)


@pytest.mark.parametrize(
    "path", ["/v1/callbacks/../messages", "/v1/callbacks/%2e%2e/messages", "/v1/callbacks//messages"]
)
def test_no_way_leads_round_the_key(path: str) -> None:
    async def test(s: Service) -> None:
        host, _, port = s.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        head = (await reader.read()).split(b"\r\n", 1)[0]
        writer.close()
        assert head.split()[1] in (b"401", b"404"), head

    run(test, called=Desk().called)
