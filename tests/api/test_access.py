"""Who may do what: every route of the OpenAPI text is walked, and nobody sees another client's messages."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import httpx
import pytest

from .support import ORDER, TO, Service, run

# Whoever watches the machine needs no key.
OPEN = {("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics"), ("GET", "/openapi.json")}
# What a read key may do. A new route is send or admin, or it is added here on purpose.
READABLE = {
    ("GET", "/v1/messages"),
    ("GET", "/v1/messages/{id}"),
    ("POST", "/v1/messages/preview"),
    ("GET", "/v1/batches/{id}"),
    ("GET", "/v1/inbound"),
    ("GET", "/v1/inbound/{id}"),
    ("GET", "/v1/conversations"),
    ("GET", "/v1/conversations/{id}"),
    ("GET", "/v1/opt-outs"),
    ("GET", "/v1/calls"),
    ("GET", "/v1/channels"),
    ("GET", "/v1/schedules"),
    ("GET", "/v1/schedules/{id}"),
    ("GET", "/v1/schedules/{id}/occurrences"),
    ("GET", "/v1/channels/{id}"),
    ("GET", "/v1/channels/{id}/balance"),
    ("GET", "/v1/channels/{id}/senders"),
    ("POST", "/v1/channels/{id}/quote"),
    ("POST", "/v1/routes/test"),
}
# A provider's key is the secret in the address: a wrong one leads nowhere, whoever asks.
CALLBACKS = {("GET", "/v1/callbacks/{id}/{secret}"), ("POST", "/v1/callbacks/{id}/{secret}")}
ADMIN = {
    ("GET", "/v1/events"),
    ("GET", "/v1/webhooks"),
    ("POST", "/v1/webhooks"),
    ("GET", "/v1/webhooks/{id}"),
    ("PATCH", "/v1/webhooks/{id}"),
    ("DELETE", "/v1/webhooks/{id}"),
    ("POST", "/v1/webhooks/{id}/rotate"),
    ("POST", "/v1/webhooks/{id}/test"),
    ("GET", "/v1/webhooks/{id}/deliveries"),
    ("GET", "/v1/webhooks/{id}/dead"),
    ("POST", "/v1/webhooks/{id}/replay"),
    ("GET", "/v1/keys"),
    ("POST", "/v1/keys"),
    ("POST", "/v1/keys/{id}/revoke"),
    ("GET", "/v1/channels/{id}/status"),
    ("GET", "/v1/channels/{id}/sent"),
    ("POST", "/v1/channels/{id}/ussd"),
    ("DELETE", "/v1/channels/{id}/ussd"),
    ("POST", "/v1/opt-outs/{id}/remove"),
    ("POST", "/v1/channels/{id}/ussd"),
    ("DELETE", "/v1/channels/{id}/ussd"),
}
SOME_ID = "msg_0000000000001"


async def walk(s: Service, client: httpx.AsyncClient) -> dict[tuple[str, str], int]:
    """Status by route of every route that the OpenAPI text knows."""
    text = (await s.anybody.get("/openapi.json")).json()
    found: dict[tuple[str, str], int] = {}
    for path, methods in text["paths"].items():
        for method in methods:
            body: dict[str, Any] = {"json": {}} if method == "post" else {}
            answer = await client.request(method, path.replace("{id}", SOME_ID), **body)
            found[method.upper(), path] = answer.status_code
    return found


def expected_without_key(route: tuple[str, str]) -> int:
    return 200 if route in OPEN else 404 if route in CALLBACKS else 401


def test_no_route_without_a_key_except_health() -> None:
    async def test(s: Service) -> None:
        walked = await walk(s, s.anybody)
        assert len(walked) >= 17
        for route, status in walked.items():
            assert status == expected_without_key(route), route

    run(test)


def test_no_route_with_an_unknown_or_revoked_key() -> None:
    async def test(s: Service) -> None:
        id, secret = await s.new_key("gone", "admin")
        answer = await s.operator.post(f"/v1/keys/{id}/revoke")
        assert answer.json()["revoked_at"] is not None
        for key in (secret, "gsmb_aaaaaaaa_" + "A" * 43, "x", secret[:-1], secret.upper()):
            for route, status in (await walk(s, s.as_key(key))).items():
                assert status == expected_without_key(route), (key, route)

    run(test)


def test_a_read_key_changes_nothing() -> None:
    async def test(s: Service) -> None:
        for route, status in (await walk(s, s.reader)).items():
            if route in OPEN | READABLE | CALLBACKS:
                assert status in (200, 400, 404, 422), route
            else:
                assert status == 403, route

    run(test)


def test_a_send_key_manages_no_keys() -> None:
    async def test(s: Service) -> None:
        for route, status in (await walk(s, s.client)).items():
            assert (status == 403) == (route in ADMIN), route

    run(test)


def test_a_refused_key_is_told_how_to_ask() -> None:
    async def test(s: Service) -> None:
        answer = await s.anybody.get("/v1/messages")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["code"] == "key_missing"
        secret = s.secrets["read"]
        for header in ("Basic abc", secret, "Bearer", "Bearer x", f"Bearer {secret} {secret}", "Bearer " + "x" * 300):
            answer = await s.anybody.get("/v1/messages", headers={"Authorization": header})
            assert answer.status_code == 401, header
        twice = [("Authorization", f"Bearer {secret}"), ("Authorization", f"Bearer {secret}")]
        assert (await s.anybody.get("/v1/messages", headers=twice)).status_code == 401
        answer = await s.anybody.get("/v1/messages", headers={"Authorization": f"bearer {secret}"})
        assert answer.status_code == 200
        answer = await s.reader.post("/v1/messages", json=ORDER)
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
        assert await s.stored() == 0

    run(test)


@pytest.mark.parametrize(
    "path",
    ["//v1/messages", "/v1//messages", "/v1/messages/", "/./v1/messages", "/x/../v1/messages", "/%761/messages",
     "/v1%2fmessages", "/V1/messages"],
)  # fmt: skip
def test_no_spelling_of_a_path_goes_round_the_key(path: str) -> None:
    async def test(s: Service) -> None:
        host, _, port = s.url.removeprefix("http://").partition(":")
        for method in ("GET", "POST"):
            reader, writer = await asyncio.open_connection(host, int(port))
            body = json.dumps(ORDER).encode()
            writer.write(
                f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            status = int((await reader.read()).split(b" ", 2)[1])
            assert status in (401, 404), (method, path)
            writer.close()
        assert await s.stored() == 0

    run(test)


def test_a_revocation_works_within_a_second_on_an_open_connection() -> None:
    async def test(s: Service) -> None:
        id, secret = await s.new_key("soon gone", "send")
        client = s.as_key(secret)
        assert (await client.post("/v1/messages", json=ORDER)).status_code == 202
        # By another way than the API: the service is not told, it has to look.
        number = (await s.store.read(lambda view: {k.name: k.id for k in view.keys()}))["soon gone"]  # noqa: SIM118
        await s.store.write(lambda changes: changes.revoke_key(number, s.clock.now()))
        s.clock.advance(1)
        answer = await client.post("/v1/messages", json=ORDER)
        assert (answer.status_code, answer.json()["code"]) == (401, "key_revoked")

        other_id, other = await s.new_key("gone at once", "send")
        client = s.as_key(other)
        assert (await client.post("/v1/messages", json=ORDER)).status_code == 202
        assert (await s.admin.post(f"/v1/keys/{other_id}/revoke")).status_code == 200
        assert (await client.post("/v1/messages", json=ORDER)).status_code == 401
        assert id != other_id

    run(test)


def test_a_clock_that_steps_back_keeps_no_key_alive() -> None:
    async def test(s: Service) -> None:
        _, secret = await s.new_key("k", "read")
        client = s.as_key(secret)
        assert (await client.get("/v1/messages")).status_code == 200
        number = (await s.store.read(lambda view: {k.name: k.id for k in view.keys()}))["k"]  # noqa: SIM118
        await s.store.write(lambda changes: changes.revoke_key(number, s.clock.now()))
        s.clock.advance(-3600)
        assert (await client.get("/v1/messages")).status_code == 401

    run(test)


def test_a_secret_is_shown_once_and_kept_nowhere() -> None:
    async def test(s: Service) -> None:
        answer = await s.operator.post("/v1/keys", json={"name": "shop", "scope": "send"})
        made = answer.json()
        secret = made.pop("secret")
        prefix, hint, rest = secret.split("_", 2)
        assert (prefix, len(hint), len(rest)) == ("gsmb", 8, 43)
        assert made["hint"] == hint
        listed = await s.admin.get("/v1/keys")
        assert made in listed.json()["items"]
        assert rest not in listed.text
        key = await s.store.read(lambda view: view.key_by_digest(hashlib.sha256(secret.encode()).digest()))
        assert key is not None
        assert key.name == "shop"
        files = b"".join(p.read_bytes() for p in s.store.path.parent.glob("gsmbridge.sqlite*"))
        assert hint.encode() in files  # it looks in the right place
        assert rest.encode() not in files

    run(test)


def test_another_clients_messages_do_not_exist() -> None:
    async def test(s: Service) -> None:
        mine = (await s.order(ref="mine"))["id"]
        batch = (await s.client.post("/v1/batches", json={"text": "x", "to": [TO], "ref": "mine"})).json()["id"]
        _, secret = await s.new_key("other", "send")
        other = s.as_key(secret)
        for method, path in (
            ("GET", f"/v1/messages/{mine}"),
            ("POST", f"/v1/messages/{mine}/cancel"),
            ("GET", f"/v1/batches/{batch}"),
        ):
            answer = await other.request(method, path)
            assert answer.status_code == 404, path
            nothing = await other.request(method, path[:18] + "0" * 8 + path[26:])
            assert answer.json() == nothing.json(), "an answer tells that the thing exists"
        for query in ("", "?ref=mine", f"?batch={batch}", "?to=%2B48600700800", "?status=queued"):
            assert (await other.get(f"/v1/messages{query}")).json()["items"] == []
        assert (await s.client.get(f"/v1/messages/{mine}")).json()["status"] == "queued"
        for everybody in (s.admin, s.operator):
            assert (await everybody.get(f"/v1/messages/{mine}")).status_code == 200
            assert len((await everybody.get("/v1/messages")).json()["items"]) == 2

    run(test)


def test_the_operator_on_the_private_socket_needs_no_key() -> None:
    async def test(s: Service) -> None:
        answer = await s.operator.post("/v1/messages", json=ORDER)
        assert answer.status_code == 202
        assert answer.json()["client"] is None
        assert s.socket.stat().st_mode & 0o777 == 0o600
        assert (await s.client.get(f"/v1/messages/{answer.json()['id']}")).status_code == 404

    run(test)


def test_no_answer_invites_a_cache_or_a_foreign_page() -> None:
    async def test(s: Service) -> None:
        for answer in (
            await s.client.post("/v1/messages", json=ORDER),
            await s.client.get("/v1/messages"),
            await s.anybody.get("/v1/messages", headers={"Origin": "http://evil"}),
            await s.client.options("/v1/messages", headers={"Origin": "http://evil"}),
        ):
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "server" not in answer.headers
            assert not [name for name in answer.headers if name.startswith("access-control")]

    run(test)
