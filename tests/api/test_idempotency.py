"""The same key and request is the same order, however often and from however many it comes."""

from __future__ import annotations

import asyncio

from bridge.outbound.intake import Closed

from .support import ORDER, TO, Service, run

JSON = {"Content-Type": "application/json"}


def test_fifty_at_once_make_one_message_and_equal_answers() -> None:
    async def test(s: Service) -> None:
        clients = [s.as_key(s.secrets["send"]) for _ in range(50)]
        answers = await asyncio.gather(
            *(c.post("/v1/messages", json=ORDER, headers={"Idempotency-Key": "k"}) for c in clients)
        )
        assert {a.status_code for a in answers} == {202}
        assert len({a.content for a in answers}) == 1
        assert len({a.headers["location"] for a in answers}) == 1
        assert sorted(a.headers.get("idempotent-replay", "false") for a in answers) == ["false"] + ["true"] * 49
        assert await s.stored() == 1

    run(test)


def test_spaces_and_order_of_fields_make_no_other_request() -> None:
    async def test(s: Service) -> None:
        key = {**JSON, "Idempotency-Key": "k"}
        first = await s.client.post("/v1/messages", content=b'{"to":"+48600700800","text":"a\\u00e9"}', headers=key)
        again = await s.client.post(
            "/v1/messages", content='{ "text" : "a\u00e9",\n "to":"+48600700800" }'.encode(), headers=key
        )
        assert again.content == first.content
        assert "idempotent-replay" not in first.headers
        assert await s.stored() == 1

    run(test)


def test_a_key_used_for_another_request_is_refused() -> None:
    async def test(s: Service) -> None:
        key = {"Idempotency-Key": "k"}
        await s.client.post("/v1/messages", json=ORDER, headers=key)
        for path, body in (
            ("/v1/messages", {**ORDER, "text": "other"}),
            ("/v1/batches", {"text": "hello", "to": [TO]}),
        ):
            answer = await s.client.post(path, json=body, headers=key)
            assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reuse")
        assert await s.stored() == 1

    run(test)


def test_keys_of_different_clients_are_different() -> None:
    async def test(s: Service) -> None:
        key = {"Idempotency-Key": "k"}
        first = await s.client.post("/v1/messages", json=ORDER, headers=key)
        other = await s.admin.post("/v1/messages", json={**ORDER, "text": "other"}, headers=key)
        assert (first.status_code, other.status_code) == (202, 202)
        assert first.json()["id"] != other.json()["id"]

    run(test)


def test_a_batch_is_replayed_whole() -> None:
    async def test(s: Service) -> None:
        body = {"text": "hello", "to": [TO, "+48600700801"]}
        answers = [
            await s.client.post("/v1/batches", json=body, headers={"Idempotency-Key": "!~" + "k" * 253})
            for _ in range(3)
        ]
        assert len({a.content for a in answers}) == 1
        assert [a.headers.get("idempotent-replay") for a in answers] == [None, "true", "true"]
        assert await s.stored() == 2

    run(test)


def test_a_replay_is_given_when_the_order_could_not_be_taken_any_more() -> None:
    async def test(s: Service) -> None:
        body = {**ORDER, "expires_at": "2030-01-01T12:05:00Z"}
        key = {"Idempotency-Key": "k"}
        first = await s.client.post("/v1/messages", json=body, headers=key)
        assert first.status_code == 202
        s.clock.advance(3600)
        again = await s.client.post("/v1/messages", json=body, headers=key)
        assert (again.status_code, again.content) == (202, first.content)
        assert (await s.client.post("/v1/messages", json=body)).status_code == 422
        assert (await s.client.post("/v1/messages", json=body, headers={"Idempotency-Key": "new"})).status_code == 422
        s.intake.closed = Closed("the service is stopping")
        assert (await s.client.post("/v1/messages", json=body, headers=key)).content == first.content

    run(test)


def test_a_refused_order_does_not_use_up_its_key() -> None:
    async def test(s: Service) -> None:
        key = {"Idempotency-Key": "k"}
        assert (await s.client.post("/v1/messages", json={**ORDER, "to": "x"}, headers=key)).status_code == 422
        assert (await s.client.post("/v1/messages", json=ORDER, headers=key)).status_code == 202

    run(test)


def test_a_draining_service_says_when_to_come_back() -> None:
    async def test(s: Service) -> None:
        s.intake.closed = Closed("the service is stopping; try again in a moment")
        for path, body in (("/v1/messages", ORDER), ("/v1/batches", {"text": "x", "to": [TO]})):
            answer = await s.client.post(path, json=body)
            assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (503, "draining", True)
            assert int(answer.headers["retry-after"]) > 0
        assert (await s.client.get("/v1/messages")).status_code == 200
        s.intake.closed = Closed("less than 200 MB are free", code="disk_full")
        answer = await s.client.post("/v1/messages", json=ORDER)
        assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")
        assert await s.stored() == 0

    run(test)
