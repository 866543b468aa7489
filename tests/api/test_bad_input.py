"""Every refusal says what, where and what would be right, and leaves nothing behind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.api.problems import CATALOGUE

from .conftest import Live

TO = "+48600700800"
OK = {"to": TO, "text": "hello"}
ONE, MANY, PREVIEW = "/v1/messages", "/v1/batches", "/v1/messages/preview"


def without(name: str) -> dict[str, str]:
    return {k: v for k, v in OK.items() if k != name}


# path, body, status, code, place of the (first) complaint
BODIES: list[tuple[str, Any, int, str, str | None]] = [
    # Not JSON, or not the JSON we know.
    (ONE, b"", 400, "json_malformed", "line 1, column 1"),
    (ONE, b"{", 400, "json_malformed", "line 1, column 2"),
    (ONE, b'{"to": "+48600700800",\n "text": }', 400, "json_malformed", "line 2, column 10"),
    (ONE, b'{"to": "a"} x', 400, "json_malformed", "line 1, column 14"),
    (ONE, b'{"to": "\xff"}', 400, "json_malformed", "line 1, column 9"),
    (ONE, b'{"to": "\\ud800"}', 400, "json_malformed", "line 1, column 17"),
    (ONE, b"[" * 9000, 400, "json_malformed", "line 1, column 1"),
    (ONE, b"<message/>", 400, "json_malformed", "line 1, column 1"),
    (ONE, b"null", 400, "wrong_type", "body"),
    (ONE, [], 400, "wrong_type", "body"),
    (ONE, "text", 400, "wrong_type", "body"),
    (ONE, {**OK, "txt": "x"}, 400, "unknown_field", "txt"),
    (ONE, {**OK, "": "x"}, 400, "unknown_field", ""),
    (ONE, {**OK, "message_class": 0}, 400, "unknown_field", "message_class"),
    (ONE, {**OK, "messages": []}, 400, "unknown_field", "messages"),
    (ONE, {}, 400, "missing_field", "to"),
    (ONE, without("to"), 400, "missing_field", "to"),
    (ONE, {**OK, "to": None}, 400, "wrong_type", "to"),
    (ONE, {**OK, "to": 48600700800}, 400, "wrong_type", "to"),
    (ONE, {**OK, "to": [TO]}, 400, "wrong_type", "to"),
    (ONE, {**OK, "text": 5}, 400, "wrong_type", "text"),
    (ONE, {**OK, "text": {"en": "x"}}, 400, "wrong_type", "text"),
    (ONE, {**OK, "report": "yes"}, 400, "wrong_type", "report"),
    (ONE, {**OK, "report": 1}, 400, "wrong_type", "report"),
    (ONE, {**OK, "priority": 1.5}, 400, "wrong_type", "priority"),
    (ONE, {**OK, "priority": "high"}, 400, "wrong_type", "priority"),
    (ONE, {**OK, "kind": "fax"}, 400, "wrong_value", "kind"),
    (ONE, {**OK, "encoding": "utf8"}, 400, "wrong_value", "encoding"),
    (ONE, {**OK, "policy": "never"}, 400, "wrong_value", "policy"),
    (ONE, {**OK, "udh": "0"}, 400, "wrong_value", "udh"),
    (ONE, {**OK, "udh": "zz"}, 400, "wrong_value", "udh"),
    (ONE, {"to": TO, "kind": "binary", "data": "%%%"}, 400, "wrong_value", "data"),
    (ONE, {**OK, "send_at": "tomorrow"}, 400, "wrong_value", "send_at"),
    (ONE, {**OK, "send_at": "2030-01-01T13:00:00"}, 400, "wrong_value", "send_at"),
    (ONE, {**OK, "send_at": 1893499200}, 400, "wrong_type", "send_at"),
    (ONE, {**OK, "ref": "a\nb"}, 400, "wrong_value", "ref"),
    # Out of range.
    (ONE, {**OK, "priority": 128}, 422, "out_of_range", "priority"),
    (ONE, {**OK, "priority": 10**40}, 422, "out_of_range", "priority"),
    (ONE, {**OK, "class": 4}, 422, "out_of_range", "class"),
    (ONE, {**OK, "class": -1}, 422, "out_of_range", "class"),
    (ONE, {**OK, "port": 65536}, 422, "out_of_range", "port"),
    (ONE, {**OK, "source_port": -1}, 422, "out_of_range", "source_port"),
    (ONE, {**OK, "protocol_id": 256}, 422, "out_of_range", "protocol_id"),
    (ONE, {**OK, "dcs": 256}, 422, "out_of_range", "dcs"),
    (ONE, {**OK, "valid_for": 5}, 422, "out_of_range", "valid_for"),
    (ONE, {**OK, "valid_for": 64 * 7 * 86_400}, 422, "out_of_range", "valid_for"),
    (ONE, {**OK, "valid_for": -(10**18)}, 422, "out_of_range", "valid_for"),
    (ONE, {**OK, "expires_at": "2029-01-01T00:00:00Z"}, 422, "out_of_range", "expires_at"),
    (ONE, {**OK, "expires_at": "0001-01-01T00:00:00+14:00"}, 422, "out_of_range", "expires_at"),
    (ONE, {**OK, "send_at": "9999-12-31T23:59:59Z"}, 422, "out_of_range", "send_at"),
    (ONE, {**OK, "ref": ""}, 422, "out_of_range", "ref"),
    (ONE, {**OK, "ref": "x" * 129}, 422, "out_of_range", "ref"),
    # Numbers.
    (ONE, {**OK, "to": ""}, 422, "number_missing", "to"),
    (ONE, {**OK, "to": "   "}, 422, "number_missing", "to"),
    (ONE, {**OK, "to": "anna"}, 422, "number_not_possible", "to"),
    (ONE, {**OK, "to": "+486007008001234567890"}, 422, "number_not_possible", "to"),
    (ONE, {**OK, "to": "+1"}, 422, "number_not_possible", "to"),
    (ONE, {**OK, "to": "+48000000000"}, 422, "number_not_valid", "to"),
    (ONE, {**OK, "to": "+9991234567"}, 422, "number_not_possible", "to"),
    (ONE, {**OK, "to": "a\0b"}, 422, "number_not_possible", "to"),
    # Content.
    (ONE, without("text"), 422, "content_not_possible", "text"),
    (ONE, {**OK, "text": "a\0b"}, 422, "content_not_possible", "text"),
    (ONE, {**OK, "text": "x" * 1531}, 422, "text_too_long", "text"),
    (ONE, {**OK, "text": "ż" * 671}, 422, "text_too_long", "text"),
    (ONE, {**OK, "text": "ż", "encoding": "gsm7"}, 422, "content_not_possible", "text"),
    (ONE, {**OK, "data": "AAAA"}, 422, "field_not_for_kind", "data"),
    (ONE, {**OK, "url": "http://x"}, 422, "field_not_for_kind", "url"),
    (ONE, {"to": TO, "kind": "binary"}, 422, "content_not_possible", "data"),
    (ONE, {"to": TO, "kind": "binary", "data": "AAAA", "text": "x"}, 422, "field_not_for_kind", "text"),
    (ONE, {"to": TO, "kind": "wap_push"}, 422, "content_not_possible", "url"),
    (ONE, {**OK, "valid_for": 600, "expires_at": "2030-01-01T13:00:00Z"}, 422, "conflict", "expires_at"),
    (ONE, {**OK, "channel": "three"}, 422, "unknown_channel", "channel"),
    (ONE, {**OK, "route": "three"}, 422, "unknown_route", "route"),
    (ONE, {**OK, "kind": "mms"}, 422, "kind_not_offered", "kind"),
    (ONE, {**OK, "options": {"subject": 7}}, 400, "wrong_type", "options"),
    (ONE, {**OK, "options": {"Sub ject": "x"}}, 400, "wrong_value", "options"),
    (ONE, {**OK, "sender": "much too long a name"}, 422, "sender_not_legal", "sender"),
    # Batches.
    (MANY, {"text": "x"}, 400, "missing_field", "to"),
    (MANY, {"text": "x", "to": TO}, 400, "wrong_type", "to"),
    (MANY, {"text": "x", "to": [TO, 7]}, 400, "wrong_type", "to[1]"),
    (MANY, {"text": "x", "to": []}, 422, "empty_batch", "to"),
    (MANY, {"messages": []}, 422, "empty_batch", "messages"),
    (MANY, {"messages": [OK, {"text": "x"}]}, 400, "missing_field", "messages[1].to"),
    (MANY, {"messages": [OK, {**OK, "klass": 0}]}, 400, "unknown_field", "messages[1].klass"),
    (MANY, {"messages": [[OK]]}, 400, "wrong_type", "messages[0]"),
    (MANY, {"messages": [OK], "to": [TO]}, 422, "conflict", "messages"),
    (MANY, {"text": "x", "to": [TO, "+48000000000"]}, 422, "number_not_valid", "to[1]"),
    (MANY, {"text": "x\0", "to": [TO, TO]}, 422, "content_not_possible", "text"),
    (MANY, {"text": "x", "to": [TO], "ref": "x" * 129}, 422, "out_of_range", "ref"),
    (MANY, {"messages": [OK, {**OK, "to": "x"}]}, 422, "number_not_possible", "messages[1].to"),
    (MANY, {"messages": [OK, {**OK, "text": "\0"}]}, 422, "content_not_possible", "messages[1].text"),
    (MANY, {"text": "x", "to": [TO] * 101}, 413, "too_many_recipients", None),
    (MANY, {"text": 5, "to": [TO] * 101}, 413, "too_many_recipients", None),
    (MANY, {"messages": [OK] * 101}, 413, "too_many_recipients", None),
    (MANY, {"text": "x" * 20_000, "to": [TO]}, 413, "body_too_large", None),
    # Preview takes the same fields.
    (PREVIEW, {"text": "x", "colour": 1}, 400, "unknown_field", "colour"),
    (PREVIEW, {"text": "x", "to": "anna"}, 422, "number_not_possible", "to"),
    (PREVIEW, {"text": "x" * 1531}, 422, "text_too_long", "text"),
    (PREVIEW, {}, 422, "content_not_possible", "text"),
]


@pytest.mark.parametrize(("path", "body", "status", "code", "at"), BODIES)
def test_a_bad_body_is_refused_with_its_place(
    live: Live, path: str, body: Any, status: int, code: str, at: str | None
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = live.send("send", "POST", path, content=content, headers={"Content-Type": "application/json"})
    problem = _problem(answer)
    assert (answer.status_code, problem["code"]) == (status, code), problem
    if at is not None:
        first = problem["errors"][0]
        assert first["at"] == at
        assert first["detail"]
    assert live.stored() == 0


# method, path with query, headers, status, code
REQUESTS: list[tuple[str, str, dict[str, str], int, str]] = [
    ("POST", ONE, {}, 415, "media_type"),
    ("POST", ONE, {"Content-Type": "application/x-www-form-urlencoded"}, 415, "media_type"),
    ("POST", MANY, {"Content-Type": "text/plain"}, 415, "media_type"),
    ("POST", "/v1/keys", {"Content-Type": "application/xml"}, 415, "media_type"),
    ("GET", "/v1", {}, 404, "not_found"),
    ("GET", "/v1/nothing", {}, 404, "not_found"),
    ("GET", "/index.html", {}, 404, "not_found"),
    ("GET", "/v1/messages/preview/x", {}, 404, "not_found"),
    ("DELETE", ONE, {}, 405, "method_not_allowed"),
    ("PUT", MANY, {}, 405, "method_not_allowed"),
    ("POST", "/healthz", {}, 405, "method_not_allowed"),
    ("GET", f"{ONE}/msg_0000000000001", {}, 404, "message_not_found"),
    ("GET", f"{ONE}/bat_0000000000001", {}, 404, "message_not_found"),
    ("GET", f"{ONE}/msg_zzzzzzzzzzzzz", {}, 404, "message_not_found"),
    ("GET", f"{ONE}/..%2f..", {}, 404, "not_found"),
    ("GET", f"{ONE}/%00", {}, 404, "message_not_found"),
    ("POST", f"{ONE}/msg_0000000000001/cancel", {}, 404, "message_not_found"),
    ("GET", f"{MANY}/bat_0000000000001", {}, 404, "batch_not_found"),
    ("GET", "/v1/inbound/inb_0000000000001", {}, 404, "inbound_not_found"),
    ("GET", "/v1/channels/three", {}, 404, "channel_not_found"),
    ("POST", "/v1/keys/key_0000000000001/revoke", {}, 404, "key_not_found"),
    ("GET", f"{ONE}?limit=0", {}, 400, "bad_parameter"),
    ("GET", f"{ONE}?limit=201", {}, 400, "bad_parameter"),
    ("GET", f"{ONE}?limit=ten", {}, 400, "bad_parameter"),
    ("GET", f"{ONE}?limit=1&limit=2", {}, 400, "bad_parameter"),
    ("GET", f"{ONE}?limit=", {}, 400, "bad_parameter"),
    ("GET", f"{ONE}?cursor=abc", {}, 400, "bad_parameter"),
    ("GET", f"{ONE}?cursor=%C5%BC", {}, 400, "bad_parameter"),
    ("GET", f"{ONE}?status=lost", {}, 400, "bad_parameter"),
    ("GET", f"{ONE}?statsu=sent", {}, 400, "bad_parameter"),
    ("GET", f"{ONE}?since=yesterday", {}, 400, "bad_parameter"),
    ("GET", f"{ONE}?until=2030-01-01T00:00:00", {}, 400, "bad_parameter"),
    ("GET", f"{ONE}?to=anna", {}, 400, "bad_parameter"),
    ("GET", f"{ONE}?ref=%00", {}, 400, "bad_parameter"),
    ("GET", f"{ONE}?batch=msg_0000000000001", {}, 400, "bad_parameter"),
    ("GET", f"{ONE}?{'&'.join('to=1' for _ in range(60))}", {}, 400, "bad_parameter"),
    ("GET", "/v1/inbound?limit=-1", {}, 400, "bad_parameter"),
    ("GET", "/v1/inbound?from=1", {}, 400, "bad_parameter"),
    ("GET", ONE, {"Host": "no host"}, 400, "bad_request"),
]


@pytest.mark.parametrize(("method", "path", "headers", "status", "code"), REQUESTS)
def test_a_bad_request_is_refused(
    live: Live, method: str, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    content = b'{"a":1}' if method == "POST" else None
    answer = live.send("admin", method, path, content=content, headers=headers)
    assert (answer.status_code, _problem(answer)["code"]) == (status, code)
    if code == "method_not_allowed":
        assert answer.headers["allow"] in ("GET, POST", "POST", "GET")
    if code == "bad_parameter" and "&" not in path:
        name = path.partition("?")[2].partition("=")[0]
        assert _problem(answer)["errors"][0]["at"] == name


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "tab\there"])
def test_an_idempotency_key_is_1_to_255_visible_characters(live: Live, key: str) -> None:
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    answer = live.send("send", "POST", ONE, content=json.dumps(OK).encode(), headers=headers)
    assert (answer.status_code, _problem(answer)["code"]) == (400, "bad_idempotency_key")
    assert live.stored() == 0


def test_all_complaints_come_at_once(live: Live) -> None:
    body = {"to": 1, "text": 2, "klass": 3, "priority": 999}
    answer = live.send(
        "send", "POST", ONE, content=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    found = {(e["at"], e["code"]) for e in answer.json()["errors"]}
    assert found == {
        ("klass", "unknown_field"),
        ("to", "wrong_type"),
        ("text", "wrong_type"),
        ("priority", "out_of_range"),
    }
    assert "class" in answer.json()["errors"][0]["detail"]  # the name that was meant
    assert "wide_reference" in answer.json()["errors"][0]["detail"]  # and all that there are


def test_an_order_with_several_faults_names_them_all(live: Live) -> None:
    body = {"to": "+48000000000", "text": "a\0", "sender": "?" * 20, "channel": "none", "valid_for": 1}
    answer = live.send(
        "send", "POST", ONE, content=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    assert [e["at"] for e in answer.json()["errors"]] == ["to", "text", "channel", "sender", "valid_for"]


def test_what_is_wrong_with_a_shared_text_is_said_once(live: Live) -> None:
    body = {"text": "x" * 2000, "to": [TO, "anna", TO, "+48000000000"], "channel": "none"}
    answer = live.send(
        "send", "POST", MANY, content=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    assert [(e["at"], e["code"]) for e in answer.json()["errors"]] == [
        ("text", "text_too_long"),
        ("channel", "unknown_channel"),
        ("to[1]", "number_not_possible"),
        ("to[3]", "number_not_valid"),
    ]


def _problem(answer: Any) -> dict[str, Any]:
    """The problem details, which have one form whatever went wrong."""
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    problem: dict[str, Any] = answer.json()
    sort = CATALOGUE[problem["code"]]
    assert problem["type"] == f"urn:gsm-bridge:problem:{problem['code']}"
    assert (problem["status"], problem["title"], problem["retryable"]) == (sort.status, sort.title, sort.retryable)
    assert problem["status"] == answer.status_code
    assert problem["detail"]
    assert "Traceback" not in answer.text
    return problem
