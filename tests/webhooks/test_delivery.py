"""The whole bridge in process: what happens reaches the endpoint, signed, once under one id, in order."""

from __future__ import annotations

import asyncio
from collections import Counter
from os import urandom
from pathlib import Path
from typing import Any

import msgspec
import pytest
from standardwebhooks import Webhook

from bridge.api.webhooks import EventOut
from bridge.clock import wall
from bridge.config import Settings, Webhooks
from bridge.endpoints import Endpoint, EndpointKind
from bridge.events import SHAPES, Event, EventType
from bridge.webhooks.guard import Rules
from bridge.webhooks.post import Poster
from bridge.webhooks.sealing import Seal
from bridge.webhooks.signing import new_secret
from bridge.webhooks.trust import trust
from tests.flows.gateway import Gateway, gateway

from .support import LOCAL, Call, Receiver, receiver, says

PHONE = "+447700900123"


def local(*retry: float) -> Any:
    webhooks = Webhooks(allow_private=("127.0.0.1",), allow_http=("127.0.0.1",), retry=retry or (0.05,) * 9)

    def configured(settings: Settings) -> Settings:
        return msgspec.structs.replace(settings, webhooks=webhooks)

    return configured


async def endpoint(gate: Gateway, url: str, **fields: Any) -> dict[str, Any]:
    answer = await gate.http.post("/v1/webhooks", json={"url": url, **fields})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def shown(gate: Gateway, id: str) -> dict[str, Any]:
    return dict((await gate.http.get(f"/v1/webhooks/{id}")).json())


async def settled(gate: Gateway, id: str) -> dict[str, Any]:
    """The endpoint, once nothing waits for it."""
    async with asyncio.timeout(20):
        while (one := await shown(gate, id))["waiting"]:  # noqa: ASYNC110 seen over HTTP only
            await asyncio.sleep(0.02)
    return one


def flow(tmp_path: Path, story: Any, *retry: float, **options: Any) -> None:
    async def run() -> None:
        async with receiver() as hook, gateway(tmp_path, settings=local(*retry), **options) as gate:
            await story(gate, hook)

    asyncio.run(run())


def verified(call: Call, secret: str) -> dict[str, Any]:
    return dict(Webhook(secret).verify(call.body, call.headers))


def test_a_text_is_told_from_order_to_delivery_signed_and_numbered(tmp_path: Path) -> None:
    async def story(gate: Gateway, hook: Receiver) -> None:
        made = await endpoint(gate, hook.url, ordered=True, events=["message.*"])
        id = await gate.send(PHONE, ref="order-7")
        calls = await hook.count(3)
        told = [verified(call, made["secret"]) for call in calls]
        assert [t["type"] for t in told] == ["message.queued", "message.sent", "message.delivered"]
        assert [(t["key"], t["number"]) for t in told] == [(id, 1), (id, 2), (id, 3)]
        assert {t["data"]["ref"] for t in told} == {"order-7"}
        assert [c.headers["webhook-id"] for c in calls] == [t["id"] for t in told]
        for one in told:
            msgspec.convert(one["data"], SHAPES[EventType(one["type"])])

    flow(tmp_path, story)


def test_an_incoming_text_reaches_the_endpoint(tmp_path: Path) -> None:
    async def story(gate: Gateway, hook: Receiver) -> None:
        made = await endpoint(gate, hook.url, events=["message.received"])
        gate.sim.network.inject(gate.sim.modems[0].number, "Hej 👍", sender=PHONE)
        [call] = await hook.count(1)
        told = verified(call, made["secret"])
        assert (told["type"], told["data"]["text"], told["data"]["sender"]) == ("message.received", "Hej 👍", PHONE)

    flow(tmp_path, story)


def test_all_tries_bear_one_id_and_the_streak_is_told_once(tmp_path: Path) -> None:
    async def story(gate: Gateway, hook: Receiver) -> None:
        made = await endpoint(gate, hook.url, events=["message.queued"])
        hook.answer = says(500, body="x" * 5000)
        await gate.send(PHONE)
        await hook.count(3)
        hook.answer = says(204)
        one = await settled(gate, made["id"])
        assert (one["dead"], len({c.headers["webhook-id"] for c in hook.calls})) == (0, 1)
        assert len({c.body for c in hook.calls}) == 1
        tries = (await gate.http.get(f"/v1/webhooks/{made['id']}/deliveries")).json()["items"]
        assert [t["status"] for t in tries] == [204, *[500] * (len(hook.calls) - 1)]
        assert len(tries[-1]["answer"]) == 1024
        await gate.event("webhook_recovered")
        assert Counter(o.name for o in gate.seen)["webhook_failing"] == 1

    flow(tmp_path, story)


def test_ten_tries_and_then_a_dead_letter_that_can_be_sent_again(tmp_path: Path) -> None:
    async def story(gate: Gateway, hook: Receiver) -> None:
        made = await endpoint(gate, hook.url, events=["message.queued"])
        hook.answer = says(302, head="location: http://127.0.0.1:1/\r\n")
        for _ in range(3):
            await gate.send(PHONE)
        one = await settled(gate, made["id"])
        assert (one["dead"], len(hook.calls)) == (3, 30)
        dead = (await gate.http.get(f"/v1/webhooks/{made['id']}/dead")).json()["items"]
        assert [d["tries"] for d in dead] == [10] * 3
        msgspec.convert(dead[0]["event"], EventOut)
        hook.answer, hook.calls = says(200), []
        oldest, middle = dead[2]["event"]["id"], dead[1]["event"]["id"]
        again = await gate.http.post(f"/v1/webhooks/{made['id']}/replay", json={"last": middle})
        assert again.json() == {"count": 2}
        assert {c.headers["webhook-id"] for c in await hook.count(2)} == {oldest, middle}
        assert (await settled(gate, made["id"]))["dead"] == 1
        once_more = await gate.http.post(f"/v1/webhooks/{made['id']}/replay", json={"event": oldest})
        assert once_more.json() == {"count": 1}
        assert (await hook.count(3))[2].headers["webhook-id"] == oldest

    flow(tmp_path, story)


def test_gone_switches_the_endpoint_off_tells_the_others_and_keeps_what_waits(tmp_path: Path) -> None:
    async def story(gate: Gateway, hook: Receiver) -> None:
        async with receiver() as other:
            first = await endpoint(gate, hook.url, events=["message.queued"])
            await endpoint(gate, other.url, events=["webhook.disabled"])
            hook.answer = says(410)
            await gate.send(PHONE)
            [told] = await other.count(1)
            assert told.json["data"]["webhook"] == first["id"]
            one = await shown(gate, first["id"])
            assert (one["enabled"], one["waiting"], one["disabled_reason"]) == (False, 1, "it answered 410 Gone")
            hook.answer = says(200)
            await gate.http.patch(f"/v1/webhooks/{first['id']}", json={"enabled": True})
            assert (await settled(gate, first["id"]))["dead"] == 0
            assert len({c.headers["webhook-id"] for c in hook.calls}) == 1

    flow(tmp_path, story)


def test_retry_after_is_obeyed_for_the_whole_endpoint(tmp_path: Path) -> None:
    async def story(gate: Gateway, hook: Receiver) -> None:
        loop = asyncio.get_running_loop()
        at: list[float] = []

        async def busy_at_first(call: Call, writer: asyncio.StreamWriter) -> None:
            at.append(loop.time())
            answer = says(200) if len(at) > 1 else says(503, head="retry-after: 1\r\n")
            await answer(call, writer)

        made = await endpoint(gate, hook.url, events=["message.queued"])
        hook.answer = busy_at_first
        await gate.send(PHONE)
        await gate.event("webhook_failing")
        await gate.send(PHONE)
        await settled(gate, made["id"])
        assert len(at) == 3
        assert min(at[1:]) - at[0] > 0.95

    flow(tmp_path, story)


def test_an_endpoint_that_hangs_delays_no_other(tmp_path: Path) -> None:
    async def story(gate: Gateway, hook: Receiver) -> None:
        async def hang(call: Call, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(60)

        async with receiver() as stuck:
            stuck.answer = hang
            hanging = await endpoint(gate, stuck.url, events=["message.queued"])
            await endpoint(gate, hook.url, events=["message.queued"])
            for _ in range(20):
                await gate.send(PHONE)
            await stuck.count(1)
            await hook.count(20)
            # None of the tries there has ended yet, so nobody can have waited for one.
            assert (await gate.http.get(f"/v1/webhooks/{hanging['id']}/deliveries")).json()["items"] == []
            assert len(stuck.calls) <= 8

    flow(tmp_path, story)


def test_order_is_kept_per_key_while_posts_fail(tmp_path: Path) -> None:
    async def story(gate: Gateway, hook: Receiver) -> None:
        made = await endpoint(gate, hook.url, ordered=True)
        taken: list[dict[str, Any]] = []

        async def every_third(call: Call, writer: asyncio.StreamWriter) -> None:
            fails = len(hook.calls) % 3 == 0
            if not fails:
                taken.append(call.json)
            await says(500 if fails else 200)(call, writer)

        hook.answer = every_third
        for _ in range(10):
            await gate.send(PHONE)
        async with asyncio.timeout(20):
            while sum(t["type"] == "message.delivered" for t in taken) < 10:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await settled(gate, made["id"])
        for key in {t["key"] for t in taken}:
            assert [t["number"] for t in taken if t["key"] == key] == [1, 2, 3]

    flow(tmp_path, story)


def test_both_secrets_sign_during_the_rotation(tmp_path: Path) -> None:
    async def story(gate: Gateway, hook: Receiver) -> None:
        made = await endpoint(gate, hook.url, events=["message.queued"])
        rotated = (await gate.http.post(f"/v1/webhooks/{made['id']}/rotate", json={})).json()
        await gate.send(PHONE)
        [call] = await hook.count(1)
        assert rotated["secret"] != made["secret"]
        assert verified(call, made["secret"]) == verified(call, rotated["secret"])

    flow(tmp_path, story)


def test_the_test_button_tells_what_the_endpoint_said(tmp_path: Path) -> None:
    async def story(gate: Gateway, hook: Receiver) -> None:
        made = await endpoint(gate, hook.url, events=["channel.down"], headers={"X-Own": "visible to you"})
        hook.answer = says(200, body="thank you")
        told = (await gate.http.post(f"/v1/webhooks/{made['id']}/test")).json()
        assert (told["state"], told["try"]["status"], told["try"]["answer"]) == ("delivered", 200, "thank you")
        assert hook.calls[0].headers["x-own"] == "visible to you"
        assert verified(hook.calls[0], made["secret"])["type"] == "webhook.test"
        hook.answer = says(401, body="who are you?")
        told = (await gate.http.post(f"/v1/webhooks/{made['id']}/test")).json()
        assert (told["state"], told["try"]["ok"], told["try"]["answer"]) == ("waiting", False, "who are you?")

    flow(tmp_path, story)


def test_an_endless_answer_is_cut_and_counts(tmp_path: Path) -> None:
    async def story(gate: Gateway, hook: Receiver) -> None:
        async def endless(call: Call, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            while True:
                writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
                await writer.drain()

        hook.answer = endless
        made = await endpoint(gate, hook.url)
        told = (await gate.http.post(f"/v1/webhooks/{made['id']}/test")).json()
        assert (told["state"], len(told["try"]["answer"])) == ("delivered", 1024)

    flow(tmp_path, story)


def test_a_channel_tells_when_it_goes_down_and_comes_back(tmp_path: Path) -> None:
    async def story(gate: Gateway, hook: Receiver) -> None:
        await endpoint(gate, hook.url, events=["channel.*"], ordered=True)
        gate.sim.modems[0].unplug()
        calls = await hook.count(1)
        gate.sim.modems[0].replug()
        while calls[-1].json["type"] == "channel.down":  # again where the port was looked for before it was back
            calls = await hook.count(len(calls) + 1)
        *before, after = [c.json for c in calls]
        assert [c["type"] for c in (*before, after)] == ["channel.down"] * len(before) + ["channel.up"]
        assert [c["number"] for c in (*before, after)] == [*range(1, len(calls) + 1)]

    flow(tmp_path, story)


@pytest.mark.timeout(40)
def test_an_answer_after_the_time_out_is_none(tmp_path: Path) -> None:
    """That another try bears the same id is shown above for every kind of failure."""

    async def story() -> None:
        over = asyncio.Event()

        async def late(call: Call, writer: asyncio.StreamWriter) -> None:
            await over.wait()
            await says(200)(call, writer)

        seal = Seal(tmp_path)
        one = Endpoint(id=1, kind=EndpointKind.WEBHOOK, created_at=0, secret=seal.seal(new_secret(urandom)))
        event = Event(id=1, type=EventType.WEBHOOK_TEST, key="x", number=1, at=0, data={})
        async with receiver() as hook:
            rules = Rules.of(LOCAL.allow_private, LOCAL.allow_http)
            poster = Poster(rules, trust(None), seal, wall, patience=0.3)
            hook.answer = late
            tries = 0
            while not hook.calls:  # on a machine that stalls the time may be up before the call is there
                tries += 1
                found = await poster.deliver(msgspec.structs.replace(one, url=hook.url), event)
                assert (found.ok, found.problem) == (False, "no whole answer within 0.3 s")
            over.set()
            await poster.close()
        assert len(hook.calls) <= tries

    asyncio.run(story())


@pytest.mark.parametrize("ahead", [45_000, -300_000])
def test_a_clock_that_is_set_neither_delays_a_try_nor_loses_it(tmp_path: Path, ahead: int) -> None:
    """The next try is 30 s away, or half a second, and the clock is set by more than that."""
    wrong = {"ahead": 0}

    async def story(gate: Gateway, hook: Receiver) -> None:
        made = await endpoint(gate, hook.url, events=["message.queued"])
        hook.answer = says(500)
        await gate.send(PHONE)
        await gate.event("webhook_failing")
        hook.answer = says(200)
        for _ in range(3):
            await shown(gate, made["id"])  # meanwhile it has set its timer
        wrong["ahead"] = ahead
        async with asyncio.timeout(10):
            await gate.app.timekeeping.look()
            await hook.count(2)
        await settled(gate, made["id"])

    wait = 30.0 if ahead > 0 else 0.5
    flow(tmp_path, story, *[wait] * 9, wall_ahead=wrong, kernel={"synchronised": True})


def test_with_an_endpoint_its_courier_goes_too(tmp_path: Path) -> None:
    async def story(gate: Gateway, hook: Receiver) -> None:
        def couriers() -> set[str]:
            return {task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("courier-")}

        made = await endpoint(gate, hook.url)
        await gate.http.post(f"/v1/webhooks/{made['id']}/test")
        assert len(couriers()) == 1
        await gate.http.delete(f"/v1/webhooks/{made['id']}")
        async with asyncio.timeout(10):
            while couriers():  # noqa: ASYNC110 seen from outside
                await asyncio.sleep(0.02)

    flow(tmp_path, story)
