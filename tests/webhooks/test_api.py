"""Endpoints over the API: bad input is refused by name, and secrets are shown once."""

from __future__ import annotations

import base64
import logging
from pathlib import Path
from typing import Any

import pytest

from bridge.model import Scope
from tests.api.support import Service, run

from .test_delivery import endpoint as make
from .test_delivery import flow

SECRET = "whsec_" + base64.b64encode(b"CANARY-OF-THE-SECRET-7f3a").decode()
HEADER = "Bearer CANARY-OF-THE-HEADER-91c2"
URL = "http://127.0.0.1/hook"

BAD: list[tuple[dict[str, Any], str, str, str]] = [
    ({}, "url", "conflict", "one of the two"),
    ({"url": URL, "mail": ["a@example.org"]}, "url", "conflict", "one of the two"),
    ({"url": "no url"}, "url", "url_not_allowed", "is no URL"),
    ({"url": "ftp://example.org/"}, "url", "url_not_allowed", "https://hooks.example.org"),
    ({"url": "http://example.org/"}, "url", "url_not_allowed", "allow_http"),
    ({"url": "https://169.254.169.254/latest"}, "url", "url_not_allowed", "allow_private"),
    ({"url": "https://user:pass@8.8.8.8/"}, "url", "url_not_allowed", "header"),
    ({"url": URL, "secret": "hunter2"}, "secret", "wrong_value", "whsec_"),
    ({"url": URL, "secret": "whsec_c2hvcnQ="}, "secret", "wrong_value", "24 to 64"),
    ({"url": URL, "events": ["message.lost"]}, "events[0]", "wrong_value", "webhooks.md"),
    ({"url": URL, "channels": ["gsm9"]}, "channels[0]", "wrong_value", "is no channel"),
    ({"url": URL, "numbers": ["+48*1"]}, "numbers[0]", "wrong_value", "+48*"),
    ({"url": URL, "headers": {"Webhook-Id": "x"}}, "headers.Webhook-Id", "wrong_value", "by the service itself"),
    ({"url": URL, "headers": {"Host": "x"}}, "headers.Host", "wrong_value", "by the service itself"),
    ({"url": URL, "headers": {"X": "a\r\nY: b"}}, "headers.X", "wrong_value", "visible ASCII"),
    ({"url": URL, "headers": {"X Y": "b"}}, "headers.X Y", "wrong_value", "no name of a header"),
    ({"mail": ["nobody"]}, "mail[0]", "wrong_value", "ops@example.org"),
    ({"mail": ["a@example.org"]}, "mail", "no_mail_server", "[mail]"),
]


@pytest.mark.parametrize(("body", "at", "code", "said"), BAD)
def test_a_mistake_is_named_with_what_would_be_right(body: dict[str, Any], at: str, code: str, said: str) -> None:
    async def test(s: Service) -> None:
        answer = await s.admin.post("/v1/webhooks", json=body)
        assert answer.status_code in (400, 422), answer.text
        [complaint] = [e for e in answer.json()["errors"] if e["at"] == at and e["code"] == code]
        assert said in complaint["detail"]
        assert "hunter2" not in answer.text
        assert (await s.admin.get("/v1/webhooks")).json()["items"] == []

    run(test)


@pytest.mark.parametrize("scope", [Scope.READ, Scope.SEND])
def test_only_admins_see_and_make_endpoints(scope: Scope) -> None:
    async def test(s: Service) -> None:
        client = s.as_key(s.secrets[scope.value])
        for method, path in (("GET", "/v1/webhooks"), ("POST", "/v1/webhooks"), ("GET", "/v1/events")):
            assert (await client.request(method, path)).status_code == 403

    run(test)


def test_an_endpoint_stays_what_it_is_and_keeps_what_is_not_changed() -> None:
    async def test(s: Service) -> None:
        made = (await s.admin.post("/v1/webhooks", json={"url": URL, "events": ["message.*"]})).json()
        path = f"/v1/webhooks/{made['id']}"
        assert (await s.admin.patch(path, json={"mail": ["a@example.org"]})).json()["code"] == "conflict"
        assert (await s.admin.patch(path, json={"url": "http://x.example/"})).json()["code"] == "url_not_allowed"
        changed = (await s.admin.patch(path, json={"numbers": ["+48*"], "enabled": False})).json()
        assert changed == {k: v for k, v in made.items() if k != "secret"} | {
            "numbers": ["+48*"],
            "enabled": False,
            "disabled_reason": "switched off",
        }
        assert (await s.admin.post(path + "/test")).json()["code"] == "webhook_disabled"
        assert (await s.admin.patch(path, json={"enabled": True})).json()["disabled_reason"] is None
        assert (await s.admin.delete(path)).status_code == 200
        assert (await s.admin.get(path)).json()["code"] == "webhook_not_found"

    run(test)


def test_secrets_are_shown_once_and_are_in_no_listing_log_or_database(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def story(gate: Any, hook: Any) -> None:
        made = await make(gate, hook.url, secret=SECRET, headers={"Authorization": HEADER})
        assert made["secret"] == SECRET
        assert made["headers"] == ["Authorization"]
        await gate.http.post(f"/v1/webhooks/{made['id']}/test")
        assert hook.calls[0].headers["authorization"] == HEADER
        for path in ("/v1/webhooks", f"/v1/webhooks/{made['id']}", f"/v1/webhooks/{made['id']}/deliveries"):
            text = (await gate.http.get(path)).text
            assert "CANARY" not in text
            assert SECRET not in text

    flow(tmp_path, story)
    assert "CANARY" not in caplog.text
    assert SECRET not in caplog.text
    for file in (tmp_path / "state").iterdir():
        if file.is_file():
            assert b"CANARY" not in file.read_bytes(), file
            assert SECRET.encode() not in file.read_bytes(), file
    assert (tmp_path / "state" / "seal.key").stat().st_mode & 0o777 == 0o600


def test_without_the_key_of_the_seal_tries_say_what_to_do(tmp_path: Path) -> None:
    async def story(gate: Any, hook: Any) -> None:
        made = await make(gate, hook.url)
        ids.append(made["id"])

    async def later(gate: Any, hook: Any) -> None:
        told = (await gate.http.post(f"/v1/webhooks/{ids[0]}/test")).json()
        assert "rotate the secret" in told["try"]["problem"]
        assert hook.calls == []

    ids: list[str] = []
    flow(tmp_path, story)
    (tmp_path / "state" / "seal.key").unlink()
    flow(tmp_path, later)
