"""A message through the API: ordered, looked at, listed, cancelled, previewed."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from bridge.model import Attempt, AttemptState, Inbound, Instant, Message, Status, parse_id
from bridge.store import Changes

from .support import NOON, ORDER, TO, Service, run


def test_an_order_is_answered_with_its_address_when_it_is_on_disk() -> None:
    async def test(s: Service) -> None:
        answer = await s.client.post("/v1/messages", json={**ORDER, "ref": "order 17"})
        assert answer.status_code == 202
        made = answer.json()
        assert answer.headers["location"] == f"/v1/messages/{made['id']}"
        assert made["created_at"] == "2030-01-01T12:00:00.000Z"
        assert made["expires_at"] == "2030-01-02T12:00:00.000Z"
        assert s.woken == 1
        number = parse_id("msg", made["id"])
        assert number is not None
        stored = await s.store.read(lambda view: view.message(number))
        assert stored is not None
        assert (stored.to, stored.text, stored.ref) == (TO, "hello", "order 17")
        shown = (await s.client.get(answer.headers["location"])).json()
        assert {name: shown[name] for name in made} == made
        assert shown["history"] == [{"at": "2030-01-01T12:00:00.000Z", "event": "queued", "data": {}}]

    run(test)


def test_every_field_arrives_in_the_store() -> None:
    order: dict[str, Any] = {
        "to": "600 700 800",
        "kind": "binary",
        "data": base64.b64encode(b"\x00\xff").decode(),
        "udh": "0003c8",
        "port": 2948,
        "source_port": 9200,
        "wide_reference": True,
        "ref": "r",
        "sender": "Shop",
        "class": 1,
        "report": False,
        "priority": -5,
        "policy": "urgent",
        "channel": "two",
        "send_at": "2030-01-01T14:00:00+01:00",
        "expires_at": "2030-01-01T14:00:00.500Z",
        "reply_path": True,
        "reject_duplicates": True,
        "protocol_id": 65,
        "dcs": 0xF5,
    }

    async def test(s: Service) -> None:
        answer = await s.client.post("/v1/messages", json={**order, "udh": "7001ff"})
        made = answer.json()
        assert answer.status_code == 202, made
        number = parse_id("msg", made["id"])
        assert number is not None
        m = await s.store.read(lambda view: view.message(number))
        assert m is not None
        assert (m.to, m.kind, m.data, m.udh) == (TO, "binary", b"\x00\xff", bytes.fromhex("05040b8423f07001ff"))
        assert (m.wide_reference, m.ref, m.sender, m.message_class) == (True, "r", "Shop", 1)
        assert (m.report, m.priority, m.policy, m.channel, m.queue) == (False, -5, "urgent", "two", "two")
        assert (m.due_at, m.expires_at) == (NOON + 3_600_000, NOON + 7_200_500)
        assert (m.reply_path, m.reject_duplicates, m.protocol_id, m.dcs) == (True, True, 65, 0xF5)
        shown = (await s.client.get(f"/v1/messages/{made['id']}")).json()
        assert shown["data"] == order["data"]
        assert shown["udh"] == "05040b8423f07001ff"
        assert {k: shown[k] for k in ("class", "dcs", "priority", "policy", "channel", "sender", "protocol_id")} == {
            k: order[k] for k in ("class", "dcs", "priority", "policy", "channel", "sender", "protocol_id")
        }

    run(test)


@pytest.mark.parametrize(
    ("order", "kind", "encoding"),
    [
        ({"text": "x"}, "text", "gsm7"),
        ({"text": "x", "encoding": "auto"}, "text", "gsm7"),
        ({"text": "x", "encoding": "ucs2"}, "text", "ucs2"),
        ({"text": "\U0001f600"}, "text", "ucs2"),
        ({"text": "", "class": 0}, "text", "gsm7"),
        ({"kind": "wap_push", "url": "http://example.com/x", "text": "look"}, "wap_push", "binary"),
        ({"text": "x", "report": None, "valid_for": None, "ref": None}, "text", "gsm7"),
    ],
)
def test_kinds_and_encodings(order: dict[str, Any], kind: str, encoding: str) -> None:
    async def test(s: Service) -> None:
        answer = await s.client.post("/v1/messages", json={"to": TO, **order})
        assert answer.status_code == 202, answer.text
        assert (answer.json()["kind"], answer.json()["encoding"]) == (kind, encoding)

    run(test)


def test_short_codes_and_national_numbers_are_taken() -> None:
    async def test(s: Service) -> None:
        for typed, normal in (("72480", "72480"), ("*100#", "*100#"), ("600-700-800", TO), ("0048600700800", TO)):
            assert (await s.order(to=typed))["to"] == normal

    run(test)


def test_a_message_is_scheduled_until_its_time_comes() -> None:
    async def test(s: Service) -> None:
        later = (await s.order(send_at="2030-01-01T12:10:00Z", ref="later"))["id"]
        now = (await s.order(ref="now"))["id"]

        async def listed(status: str) -> list[str]:
            found = (await s.client.get("/v1/messages", params={"status": status})).json()["items"]
            return [item["id"] for item in found]

        assert (await s.client.get(f"/v1/messages/{later}")).json()["status"] == "scheduled"
        assert await listed("scheduled") == [later]
        assert await listed("queued") == [now]
        assert await listed("queued,scheduled") == [now, later]
        s.clock.advance(601)
        assert (await s.client.get(f"/v1/messages/{later}")).json()["status"] == "queued"
        assert await listed("scheduled") == []
        assert await listed("queued") == [now, later]

    run(test)


def test_lists_are_filtered_newest_first() -> None:
    async def test(s: Service) -> None:
        first = (await s.order(ref="a"))["id"]
        s.clock.advance(60)
        second = (await s.order(ref="b", to="+48600700801"))["id"]
        s.clock.advance(60)
        third = (await s.order(ref="a"))["id"]
        await s.client.post(f"/v1/messages/{third}/cancel")
        for query, ids in (
            ("", [third, second, first]),
            ("ref=a", [third, first]),
            ("to=%2B48600700801", [second]),
            ("to=+48600700801", [second]),
            ("to=600700801", [second]),
            ("since=2030-01-01T12:01:00Z", [third, second]),
            ("since=2030-01-01T13:01:00%2B01:00", [third, second]),
            ("since=2030-01-01T13:01:00+01:00", [third, second]),
            ("until=2030-01-01T12:01:00Z", [first]),
            ("status=cancelled", [third]),
            ("status=cancelled&status=queued", [third, second, first]),
            ("status=cancelled,failed&ref=b", []),
            ("limit=2", [third, second]),
        ):
            found = (await s.client.get(f"/v1/messages?{query}")).json()["items"]
            assert [item["id"] for item in found] == ids, query

    run(test)


def test_pages_join_without_gap_or_repeat_while_new_messages_arrive() -> None:
    async def test(s: Service) -> None:
        ids = [(await s.order())["id"] for _ in range(7)]
        seen: list[str] = []
        cursor: str | None = None
        while True:
            params = {"limit": "3", **({"cursor": cursor} if cursor else {})}
            page = (await s.client.get("/v1/messages", params=params)).json()
            seen += [item["id"] for item in page["items"]]
            cursor = page["next"]
            await s.order()
            if cursor is None:
                break
        assert seen == ids[::-1]
        answer = await s.client.get("/v1/inbound", params={"cursor": (await _cursor(s))})
        assert answer.json()["code"] == "bad_parameter", "a cursor of another list was taken"

    run(test)


def test_pages_of_scheduled_messages_skip_what_is_due() -> None:
    async def test(s: Service) -> None:
        wanted = []
        for number in range(12):
            if number % 4 == 0:
                wanted.append((await s.order(send_at="2030-01-01T13:00:00Z"))["id"])
            else:
                await s.order()
        seen: list[str] = []
        cursor: str | None = None
        for _ in range(20):
            params = {"status": "scheduled", "limit": "1", **({"cursor": cursor} if cursor else {})}
            page = (await s.client.get("/v1/messages", params=params)).json()
            seen += [item["id"] for item in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert seen == wanted[::-1]

    run(test)


def test_cancelling_is_possible_until_a_part_is_armed() -> None:
    async def test(s: Service) -> None:
        made = await s.order()
        for _ in range(2):
            answer = await s.client.post(f"/v1/messages/{made['id']}/cancel")
            assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
        sending = await s.order()
        await _attempt(s, sending["id"], AttemptState.IN_DOUBT, Status.IN_DOUBT, cms=38)
        answer = await s.client.post(f"/v1/messages/{sending['id']}/cancel")
        assert (answer.status_code, answer.json()["code"]) == (409, "not_cancellable")
        assert answer.json()["gsm"] == {"cms": 38}

    run(test)


def test_a_message_tells_what_became_of_its_parts() -> None:
    async def test(s: Service) -> None:
        made = await s.order(text="x" * 200)
        assert made["part_count"] == 2
        await _attempt(s, made["id"], AttemptState.ACCEPTED, Status.SENDING, part=1, tp_mr=17)
        shown = (await s.client.get(f"/v1/messages/{made['id']}")).json()
        assert [p["status"] for p in shown["parts"]] == ["sent", "waiting"]
        part, attempt = shown["parts"][0], shown["attempts"][0]
        assert (part["channel"], part["tp_mr"], part["sent_at"]) == ("one", 17, "2030-01-01T12:00:00.000Z")
        assert (attempt["state"], attempt["tp_mr"], attempt["gsm"], attempt["report"]) == ("accepted", 17, None, None)
        assert shown["problem"] is None
        number = parse_id("att", attempt["id"])
        assert number is not None

        def report(changes: Changes) -> None:
            changes.reported(
                number,
                tp_st=0,
                fate="delivered",
                fingerprint="f",
                at=NOON + 5000,
                discharged_at=NOON + 4000,
                listening=False,
            )

        await s.store.write(report)
        shown = (await s.client.get(f"/v1/messages/{made['id']}")).json()
        assert shown["parts"][0]["status"] == "delivered"
        assert shown["parts"][0]["delivered_at"] == "2030-01-01T12:00:04.000Z"
        assert shown["attempts"][0]["gsm"] == {"tp_status": 0}
        assert shown["attempts"][0]["report"]["received_at"] == "2030-01-01T12:00:05.000Z"

    run(test)


@pytest.mark.parametrize(
    ("cms", "retryable"),
    [(42, True), (8, True), (1, False)],
)
def test_a_failed_message_carries_its_problem(cms: int, retryable: bool) -> None:
    async def test(s: Service) -> None:
        made = await s.order()
        await _attempt(s, made["id"], AttemptState.REFUSED_FINAL, Status.FAILED, cms=cms)
        problem = (await s.client.get(f"/v1/messages/{made['id']}")).json()["problem"]
        assert problem["gsm"] == {"cms": cms}
        assert problem["code"] == f"cms_{cms}"
        assert problem["detail"] == "the network said no"
        assert problem["retryable"] is retryable

    run(test)


def test_a_preview_measures_and_stores_nothing() -> None:
    async def test(s: Service) -> None:
        answer = await s.reader.post("/v1/messages/preview", json={"text": "a€" * 80, "to": "600700800"})
        assert answer.json() == {
            "to": TO, "encoding": "gsm7", "part_count": 2, "units": 240, "units_left": 66, "forced_by": None,
        }  # fmt: skip
        answer = await s.reader.post("/v1/messages/preview", json={"text": "zażółć"})
        assert answer.json()["encoding"] == "ucs2"
        assert answer.json()["forced_by"] == {"character": "ż", "index": 2}
        answer = await s.reader.post("/v1/messages/preview", json={"kind": "binary", "data": "AAAA"})
        assert (answer.json()["encoding"], answer.json()["units"]) == ("binary", 3)
        assert await s.stored() == 0
        assert s.woken == 0

    run(test)


def test_incoming_messages_are_listed_and_found() -> None:
    async def test(s: Service) -> None:
        made = [_incoming(s, n) for n in range(3)]
        for one in made:
            await s.store.write(lambda changes, one=one: changes.add_inbound(one, []))  # type: ignore[misc]
        page = (await s.reader.get("/v1/inbound?limit=2")).json()
        assert [item["text"] for item in page["items"]] == ["reply 2", "reply 1"]
        page = (await s.reader.get("/v1/inbound", params={"limit": 2, "cursor": page["next"]})).json()
        assert ([item["text"] for item in page["items"]], page["next"]) == (["reply 0"], None)
        found = (await s.reader.get(f"/v1/inbound/{page['items'][0]['id']}")).json()
        assert found == page["items"][0]
        assert (found["sender"], found["missing"], found["received_at"]) == (
            "+48600700000", [2], "2030-01-01T12:00:00.000Z",
        )  # fmt: skip
        page = (await s.reader.get("/v1/inbound?sender=+48600700001")).json()
        assert [item["text"] for item in page["items"]] == ["reply 1"]
        assert (await s.reader.get("/v1/inbound?channel=two")).json()["items"] == []

    run(test)


def test_channels_are_shown_as_they_are() -> None:
    async def test(s: Service) -> None:
        items = (await s.reader.get("/v1/channels")).json()["items"]
        assert [(c["id"], c["state"], c["code"], c["reason"]) for c in items] == [
            ("one", "up", None, None),
            ("two", "down", "unplugged", "unplugged; plug it in again"),
        ]
        one = (await s.reader.get("/v1/channels/one")).json()
        assert one == items[0]
        assert (one["modem"]["signal_dbm"], one["modem"]["leniencies"]) == (-71, {"no_echo": 2})

    run(test)


def test_health_tells_alive_from_ready() -> None:
    async def test(s: Service) -> None:
        assert (await s.anybody.get("/healthz")).json() == {"status": "ok", "version": "1.2.3"}
        assert (await s.anybody.get("/readyz")).status_code == 200
        s.state = (False, "the store is being checked")
        answer = await s.anybody.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
        assert answer.json()["detail"] == "the store is being checked"
        assert (await s.anybody.get("/healthz")).status_code == 200
        answer = await s.anybody.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert "gsmbridge_up 1" in answer.text

    run(test)


async def _cursor(s: Service) -> str:
    found: str = (await s.client.get("/v1/messages?limit=1")).json()["next"]
    return found


async def _attempt(
    s: Service,
    message: str,
    state: AttemptState,
    status: Status,
    *,
    part: int = 1,
    cms: int | None = None,
    tp_mr: int | None = None,
) -> None:
    """One attempt of a message, armed and ended, as the dispatcher would do it."""
    number = parse_id("msg", message)
    assert number is not None
    now: Instant = s.clock.now()
    attempt = Attempt(
        id=s.ids.next(), message=number, part=part, channel="one", sim="s", recipient=TO, armed_at=now, epoch=1
    )

    def work(changes: Changes) -> Message | None:
        changes.move(number, Status.SENDING, now)
        changes.arm(attempt)
        code = "" if cms is None else f"cms_{cms}"
        assert changes.end(attempt.id, state, now, cms=cms, tp_mr=tp_mr, code=code)
        if status is not Status.SENDING:
            assert changes.move(number, status, now, code=code, reason="the network said no")
        return changes.message(number)

    await s.store.write(work)


def _incoming(s: Service, number: int) -> Inbound:
    return Inbound(
        id=s.ids.next(),
        channel="one",
        sim="s",
        sender=f"+4860070000{number}",
        received_at=NOON,
        text=f"reply {number}",
        parts=2,
        missing=(2,),
    )
