"""A mistake inside becomes a problem outside, and its words, which may be a text or a number, stay out of the log."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bridge.api.front import Front
from bridge.api.problems import CATALOGUE, known
from bridge.outbound.intake import Closed, Conflict
from bridge.policy.admission import Complaint, Rejected
from bridge.store import StoreDamaged, StoreFull

from .support import Service, run


async def ask(
    app: Callable[..., Awaitable[None]], path: str, *, operator: bool = True, peer: str | None = None
) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(event: dict[str, Any]) -> None:
        events.append(event)

    client = None if peer is None else (peer, 1234)
    state = {"operator": True} if operator else {}
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": path,
        "headers": [],
        "query_string": b"",
        "client": client,
    }
    await app({**scope, "state": state}, receive, send)
    return events


@pytest.mark.parametrize("path", ["/v1/messages", "/healthz"])
def test_a_mistake_of_ours_is_told_without_its_words(caplog: pytest.LogCaptureFixture, path: str) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("cannot send 'my secret' to +48600700800")

    async def test(s: Service) -> list[dict[str, Any]]:
        return await ask(Front(broken, s.ring, {}), path)

    with caplog.at_level(logging.INFO):
        events = run(test)
    assert events[0]["status"] == 500
    problem = json.loads(events[1]["body"])
    assert problem["code"] == "internal_error"
    assert "request_failed error=ValueError" in caplog.text
    assert "test_front.py" in caplog.text  # where it happened
    assert "secret" not in caplog.text + str(problem)
    assert "600700800" not in caplog.text + str(problem)


def test_a_started_answer_is_not_begun_anew() -> None:
    async def half(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise KeyError("half")

    async def test(s: Service) -> None:
        with pytest.raises(KeyError):
            await ask(Front(half, s.ring, {}), "/healthz")

    run(test)


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (Rejected([Complaint(at="to", code="number_not_valid", detail="no")]), "number_not_valid", 422),
        (Conflict("used"), "idempotency_key_reuse", 422),
        (Closed("stopping"), "draining", 503),
        (Closed("no room", code="disk_full"), "disk_full", 507),
        (StoreFull("full"), "disk_full", 507),
        (StoreDamaged("damaged"), "store_unavailable", 503),
    ],
)
def test_the_services_own_errors_have_their_problem(error: Exception, code: str, status: int) -> None:
    refusal = known(error)
    assert refusal is not None
    assert (refusal.code, CATALOGUE[refusal.code].status) == (code, status)


def test_what_is_asked_and_sent_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def test(s: Service) -> None:
        await s.order(text="my secret")
        await s.client.post("/v1/messages", json={"to": "+48000000000", "text": "my secret"})
        await s.client.get("/v1/messages?to=%2B48600700800")
        await s.as_key("gsmb_wrongkey").get("/v1/messages")

    with caplog.at_level(logging.INFO):
        run(test)
    lines = "\n".join(r.getMessage() for r in caplog.records if not r.name.startswith(("httpx", "httpcore")))
    for canary in ("secret", "600700800", "48000000000", "wrongkey"):
        assert canary not in lines
    assert "key_created" in lines  # it does look at the log


def test_only_http_is_served() -> None:
    async def test(s: Service) -> None:
        with pytest.raises(RuntimeError, match="websocket"):
            await Front(None, s.ring, {})({"type": "websocket"}, None, None)

    run(test)


@pytest.mark.parametrize(
    ("peer", "operator", "status"),
    [
        ("127.0.0.1", False, 200),
        ("::1", False, 200),
        ("192.0.2.7", False, 401),
        ("2001:db8::7", False, 401),
        ("no address", False, 401),
        (None, False, 401),
        (None, True, 200),
    ],
)
def test_metrics_leave_the_machine_only_with_a_key(peer: str | None, operator: bool, status: int) -> None:
    async def test(s: Service) -> None:
        for path in ("/metrics", "/openapi.json"):
            events = await ask(s.app, path, operator=operator, peer=peer)
            assert events[0]["status"] == status, path
        for path in ("/healthz", "/readyz"):
            assert (await ask(s.app, path, operator=operator, peer=peer))[0]["status"] == 200

    run(test)
