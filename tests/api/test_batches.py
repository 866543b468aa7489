"""Many messages in one request: all or none."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from .support import ORDER, TO, Service, run


def _numbers(count: int) -> list[str]:
    return [f"+486007{n:05d}" for n in range(count)]


def test_one_text_to_many() -> None:
    async def test(s: Service) -> None:
        to = _numbers(300)
        answer = await s.client.post("/v1/batches", json={"text": "hello", "to": to, "ref": "news", "priority": 3})
        made = answer.json()
        assert answer.status_code == 202
        assert answer.headers["location"] == f"/v1/batches/{made['id']}"
        assert (made["count"], made["ref"]) == (300, "news")
        assert [m["to"] for m in made["messages"]] == to
        batch = (await s.client.get(answer.headers["location"])).json()
        assert (batch["count"], batch["counts"], batch["ref"]) == (300, {"queued": 300}, "news")
        shown = (await s.client.get(f"/v1/messages/{made['messages'][7]['id']}")).json()
        assert (shown["to"], shown["text"], shown["batch"]) == (to[7], "hello", made["id"])
        assert (shown["priority"], shown["ref"]) == (3, "news")
        page = (await s.client.get(f"/v1/messages?batch={made['id']}&limit=200")).json()
        assert len(page["items"]) == 200
        assert s.woken == 1

    run(test)


def test_personal_messages_take_the_batchs_options_as_defaults() -> None:
    async def test(s: Service) -> None:
        body: dict[str, Any] = {
            "text": "to all",
            "priority": 3,
            "ref": "r",
            "report": False,
            "messages": [
                {"to": TO},
                {"to": TO, "text": "to you", "priority": 0, "ref": "own", "report": True},
                {"to": TO, "priority": None},
            ],
        }
        made = (await s.client.post("/v1/batches", json=body)).json()
        shown = [(await s.client.get(f"/v1/messages/{m['id']}")).json() for m in made["messages"]]
        assert [(m["text"], m["priority"], m["ref"], m["report"]) for m in shown] == [
            ("to all", 3, "r", False),
            ("to you", 0, "own", True),
            ("to all", 3, "r", False),
        ]
        assert made["ref"] == "r"

    run(test)


def test_ten_thousand_are_taken_and_one_more_is_not() -> None:
    async def test(s: Service) -> None:
        to = _numbers(10_001)
        answer = await s.client.post("/v1/batches", json={"text": "x", "to": to})
        assert (answer.status_code, answer.json()["code"]) == (413, "too_many_recipients")
        assert "10001" in answer.json()["detail"]
        assert await s.stored() == 0
        answer = await s.client.post("/v1/batches", json={"text": "x", "to": to[:-1]})
        assert (answer.status_code, answer.json()["count"]) == (202, 10_000)
        assert await s.stored() == 10_000

    run(test)


@pytest.mark.parametrize("form", ["to", "messages"])
def test_one_wrong_number_keeps_all_out(form: str) -> None:
    async def test(s: Service) -> None:
        to = [*_numbers(50), "anna"]
        body = {"text": "x", "to": to} if form == "to" else {"messages": [{"to": one, "text": "x"} for one in to]}
        answer = await s.client.post("/v1/batches", json=body)
        assert answer.status_code == 422
        assert [e["at"] for e in answer.json()["errors"]] == ["to[50]" if form == "to" else "messages[50].to"]
        assert await s.stored() == 0
        assert s.woken == 0

    run(test)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"text": "x", "to": ["anna"] * 1000}, "number_not_possible"),
        ({"messages": [{"to": 5}] * 1000}, "wrong_type"),
        ({"messages": [{"to": TO, "text": "\0"}] * 1000}, "content_not_possible"),
        ({"text": "x", "to": [TO], **{f"f{n}": 1 for n in range(1000)}}, "unknown_field"),
    ],
)
def test_a_hundred_complaints_are_listed_and_the_rest_counted(body: dict[str, Any], code: str) -> None:
    async def test(s: Service) -> None:
        problem = (await s.client.post("/v1/batches", json=body)).json()
        assert problem["code"] == code
        assert (len(problem["errors"]), problem["errors_left"]) == (100, 900)
        assert "999 more" in problem["detail"]

    run(test)


def test_a_full_disk_takes_all_or_nothing() -> None:
    async def test(s: Service) -> None:
        to = _numbers(2_000)
        taken = 0
        while (answer := await s.client.post("/v1/batches", json={"text": "x" * 150, "to": to})).status_code == 202:
            taken += 1
        assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (507, "disk_full", True)
        assert taken > 0
        assert await s.stored() == 2_000 * taken
        # What is there can still be read.
        assert (await s.client.get("/v1/messages")).status_code == 200

    run(test, max_pages=1500)


def test_orders_that_arrive_together_are_all_kept() -> None:
    async def test(s: Service) -> None:
        answers = await asyncio.gather(*(s.client.post("/v1/messages", json=ORDER) for _ in range(80)))
        assert {a.status_code for a in answers} == {202}
        assert len({a.json()["id"] for a in answers}) == 80
        assert await s.stored() == 80

    run(test)
