"""Schedules through the API: made, looked at, changed, paused, removed; what cannot be is refused by its place."""

from __future__ import annotations

from typing import Any

import pytest

from .support import TO, Service, run

WEEKDAYS = {"rule": "every weekday at 08:00", "tz": "Europe/Warsaw", "to": [TO], "message": {"text": "Good morning"}}


def test_a_schedule_is_answered_with_its_next_ten_times() -> None:
    async def test(s: Service) -> None:
        answer = await s.client.post("/v1/schedules", json={**WEEKDAYS, "name": "greeting"})
        assert answer.status_code == 201, answer.text
        made = answer.json()
        assert answer.headers["location"] == f"/v1/schedules/{made['id']}"
        assert (made["state"], made["sent"], made["misfire_grace"]) == ("active", 0, 3600)
        assert made["message"] == {"text": "Good morning"}
        assert made["next"][:3] == [  # 2030-01-01 is a Tuesday
            "2030-01-02T07:00:00.000Z",
            "2030-01-03T07:00:00.000Z",
            "2030-01-04T07:00:00.000Z",
        ]
        assert len(made["next"]) == 10
        assert (await s.client.get(answer.headers["location"])).json() == made
        assert (await s.client.get("/v1/schedules")).json() == {"items": [made], "next": None}
        assert (await s.client.get(f"{answer.headers['location']}/occurrences")).json() == {"items": [], "next": None}

    run(test)


def test_the_same_idempotency_key_makes_one_schedule() -> None:
    async def test(s: Service) -> None:
        headers = {"Idempotency-Key": "greeting-1"}
        first = await s.client.post("/v1/schedules", json=WEEKDAYS, headers=headers)
        again = await s.client.post("/v1/schedules", json=WEEKDAYS, headers=headers)
        other = await s.client.post("/v1/schedules", json={**WEEKDAYS, "name": "x"}, headers=headers)
        assert again.json() == first.json()
        assert again.headers["idempotent-replay"] == "true"
        assert other.json()["code"] == "idempotency_key_reuse"
        assert len((await s.client.get("/v1/schedules")).json()["items"]) == 1

    run(test)


@pytest.mark.parametrize(
    ("wrong", "at", "code", "says"),
    [
        ({"rule": "0 0 31 2 *"}, "rule", "never_fires", "no such day exists"),
        ({"rule": "0 0 31 2"}, "rule", "rule_not_valid", "has 4 fields"),
        ({"rule": "every fish at 8:00"}, "rule", "rule_not_valid", "'fish' is no day"),
        ({"tz": "Europe/Warsow"}, "tz", "unknown_zone", "Europe/Warsaw"),
        ({"end": "2029-12-31T00:00:00Z"}, "end", "conflict", "lies before now"),
        (
            {"start": "2030-03-01T00:00:00Z", "end": "2030-02-01T00:00:00Z"},
            "end",
            "conflict",
            'lies before "start"',
        ),
        ({"end": "2030-01-01T18:00:00Z"}, "rule", "never_fires", "from now to its end"),
        ({"except": ["2030-02-31"]}, "except[0]", "out_of_range", "is no day"),
        ({"count": 0}, "count", "out_of_range", "1 or more"),
        ({"misfire_grace": -1}, "misfire_grace", "out_of_range", "0..604800"),
        ({"to": []}, "to", "empty_batch", "at least one"),
        ({"to": [TO, "abc"]}, "to[1]", "number_not_possible", ""),
        ({"message": {}}, "message.text", "content_not_possible", ""),
        ({"message": {"text": "x", "channel": "none"}}, "message.channel", "unknown_channel", ""),
        ({"message": {"text": "x", "send_at": "2030-02-01T00:00:00Z"}}, "message.send_at", "conflict", "its own time"),
        ({"massage": {}}, "massage", "unknown_field", "'message'"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(wrong: dict[str, Any], at: str, code: str, says: str) -> None:
    async def test(s: Service) -> None:
        answer = await s.client.post("/v1/schedules", json={**WEEKDAYS, **wrong})
        assert answer.status_code in (400, 422), answer.text
        found = [e for e in answer.json()["errors"] if e["at"] == at]
        assert [(e["at"], e["code"]) for e in found] == [(at, code)], answer.text
        assert says in found[0]["detail"]
        assert (await s.client.get("/v1/schedules")).json()["items"] == []

    run(test)


def test_a_key_sees_its_own_and_for_others_they_do_not_exist() -> None:
    async def test(s: Service) -> None:
        id = (await s.client.post("/v1/schedules", json=WEEKDAYS)).json()["id"]
        _, secret = await s.new_key("other", "send")
        other = s.as_key(secret)
        assert (await other.get("/v1/schedules")).json()["items"] == []
        path = f"/v1/schedules/{id}"
        for method, where in (
            ("GET", path),
            ("PATCH", path),
            ("DELETE", path),
            ("POST", f"{path}/pause"),
            ("POST", f"{path}/resume"),
            ("GET", f"{path}/occurrences"),
        ):
            answer = await other.request(method, where, json={} if method in ("PATCH", "POST") else None)
            assert (answer.status_code, answer.json()["code"]) == (404, "schedule_not_found"), (method, where)
        assert (await s.operator.get(path)).json()["state"] == "active"
        assert (await s.reader.post("/v1/schedules", json=WEEKDAYS)).status_code == 403
        assert (await s.operator.delete(path)).status_code == 200
        assert (await s.client.get(path)).status_code == 404

    run(test)


def test_what_is_absent_in_a_change_stays_and_null_is_the_default() -> None:
    async def test(s: Service) -> None:
        made = (await s.client.post("/v1/schedules", json={**WEEKDAYS, "count": 3, "name": "a"})).json()
        path = f"/v1/schedules/{made['id']}"
        changed = (await s.client.patch(path, json={"rule": "every sunday at 10:00", "count": None})).json()
        assert (changed["rule"], changed["count"], changed["name"]) == ("every sunday at 10:00", None, "a")
        assert changed["next"][0] == "2030-01-06T09:00:00.000Z"
        assert changed["message"] == made["message"]
        refused = await s.client.patch(path, json={"tz": "Mars/Olympus"})
        assert refused.json()["code"] == "unknown_zone"
        assert (await s.client.get(path)).json() == changed

    run(test)


def test_while_paused_it_stands_still_and_resumed_it_goes_on_from_now() -> None:
    async def test(s: Service) -> None:
        id = (await s.client.post("/v1/schedules", json=WEEKDAYS)).json()["id"]
        paused = (await s.client.post(f"/v1/schedules/{id}/pause")).json()
        assert paused["state"] == "paused"
        assert paused["next"][0] == "2030-01-02T07:00:00.000Z"  # what it would be
        assert await s.store.read(lambda view: view.next_schedule()) is None
        s.clock.advance(2 * 86_400)
        resumed = (await s.client.post(f"/v1/schedules/{id}/resume")).json()
        assert (resumed["state"], resumed["next"][0]) == ("active", "2030-01-04T07:00:00.000Z")
        assert (await s.client.post(f"/v1/schedules/{id}/resume")).json() == resumed

    run(test)


def test_a_list_comes_in_pages() -> None:
    async def test(s: Service) -> None:
        ids = [(await s.client.post("/v1/schedules", json=WEEKDAYS)).json()["id"] for _ in range(5)]
        first = (await s.client.get("/v1/schedules", params={"limit": 3})).json()
        rest = (await s.client.get("/v1/schedules", params={"limit": 3, "cursor": first["next"]})).json()
        assert [one["id"] for one in first["items"] + rest["items"]] == ids[::-1]
        assert rest["next"] is None

    run(test)


def test_a_binary_order_is_shown_as_it_was_given() -> None:
    async def test(s: Service) -> None:
        message = {"kind": "binary", "data": "AP8=", "udh": "7001ff", "class": 1}
        made = await s.client.post("/v1/schedules", json={**WEEKDAYS, "message": message})
        assert made.json()["message"] == message

    run(test)


@pytest.mark.parametrize(
    "message",
    [
        {"text": "x", "windows": ["mon-fri 9-18", "sat 10-12"], "on_quiet": "expire", "valid_for": 3600},
        {"text": "x", "class": 0, "priority": -3, "policy": "urgent", "ordered": True, "reply_token": "A7"},
        {"kind": "binary", "data": "AAEC", "udh": "05040b8423f0", "report": False},
        {"text": "x", "encoding": "ucs2", "category": "transactional", "order_key": "k", "sender": "ACME", "ref": "r"},
    ],
)
def test_the_message_that_is_shown_is_the_one_that_can_be_given(message: dict[str, Any]) -> None:
    async def test(s: Service) -> None:
        made = (await s.client.post("/v1/schedules", json={**WEEKDAYS, "message": message})).json()
        assert made["message"] == message
        path = f"/v1/schedules/{made['id']}"
        again = await s.client.patch(path, json={"message": made["message"]})
        assert again.status_code == 200, again.text
        assert again.json()["message"] == message

    run(test)
