"""A reply finds the message it answers, and the way back is the SIM that the person knows."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bridge.config import InboundSettings, Settings
from drivers.gsm import segments
from drivers.gsm.pdu import encode_deliver
from tests.flows.gateway import Gateway, gateway

CAROL = "+447700900777"
DAVE = "+447700900778"


async def answer(gate: Gateway, text: str, *, sender: str = CAROL, modem: int = 0) -> dict[str, Any]:
    """What became of a text from a phone."""
    known = {i["id"] for i in await gate.inbound()}
    gate.sim.network.inject(gate.sim.modems[modem].number, text, sender=sender)
    await gate.event("received")
    return next(i for i in await gate.inbound() if i["id"] not in known)


async def sent(gate: Gateway, text: str, **options: Any) -> str:
    id = await gate.send(CAROL, text, **options)
    await gate.status(id, "sent", "delivered")
    return id


def test_the_only_message_sent_lately_is_the_one_that_is_answered(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path) as gate:
            id = await sent(gate, "Will you come?", ref="visit 7")
            reply = await answer(gate, "Yes")
            assert reply["in_reply_to"] == {"id": id, "ref": "visit 7", "confidence": "only_candidate"}
            stranger = await answer(gate, "Hello", sender=DAVE)
            assert stranger["in_reply_to"] is None

    asyncio.run(flow())


def test_of_several_the_newest_is_answered_unless_the_text_says_the_token_of_another(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path) as gate:
            first = await sent(gate, "Pump 3 is hot. Reply ACK 7", reply_token="7")
            second = await sent(gate, "Pump 4 is hot. Reply ACK 8", reply_token="8")
            third = await sent(gate, "Lunch?")
            newest = (await answer(gate, "ok"))["in_reply_to"]
            assert (newest["id"], newest["confidence"]) == (third, "newest")
            for said, wanted in (("ack 7", first), ("ACK 8!", second)):
                found = (await answer(gate, said))["in_reply_to"]
                assert (found["id"], found["confidence"]) == (wanted, "token")

    asyncio.run(flow())


def test_a_token_is_understood_on_another_sim_and_a_plain_answer_is_not(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, modems=2) as gate:
            id = await sent(gate, "Reply with A1", channel="modem0", reply_token="A1")
            assert (await answer(gate, "yes", modem=1))["in_reply_to"] is None
            found = (await answer(gate, "a1", modem=1))["in_reply_to"]
            assert (found["id"], found["confidence"]) == (id, "token")

    asyncio.run(flow())


def test_a_number_in_national_form_is_known_by_what_was_sent_to_it(tmp_path: Path) -> None:
    """Without a region nothing else tells its country: the answer goes to it, and STOP holds for it."""

    def nowhere(settings: Settings) -> Settings:
        return msgspec.structs.replace(settings, service=msgspec.structs.replace(settings.service, region=None))

    async def flow() -> None:
        async with gateway(tmp_path, settings=nowhere) as gate:
            id = await sent(gate, "Will you come?")
            gate.sim.network.inject_pdu(gate.sim.modems[0].number, national("Yes"))
            await gate.event("received")
            reply = (await gate.inbound())[0]
            assert (reply["sender"], reply["in_reply_to"]["id"]) == ("07700900777", id)
            taken = await gate.http.post(f"/v1/inbound/{reply['id']}/reply", json={"text": "Good"})
            assert (taken.status_code, taken.json().get("to")) == (202, CAROL), taken.text
            gate.sim.network.inject_pdu(gate.sim.modems[0].number, national("STOP"))
            await gate.event("received")
            refused = await gate.http.post("/v1/messages", json={"to": CAROL, "text": "Sale!"})
            assert refused.json()["code"] == "opted_out"

    asyncio.run(flow())


def national(text: str) -> str:
    (part,) = segments.split(text, reference=1)
    stamp = bytes.fromhex("62304190035140")
    return encode_deliver(sender="07700900777", sender_type=0xA1, sent_at=stamp, part=part).pdu


def test_behind_the_reply_window_nothing_is_answered(tmp_path: Path) -> None:
    async def flow() -> None:
        ahead = {"ahead": 0}
        async with gateway(tmp_path, now_ahead=ahead) as gate:
            await sent(gate, "Will you come?")
            ahead["ahead"] = 73 * 3_600_000
            assert (await answer(gate, "Yes"))["in_reply_to"] is None

    asyncio.run(flow())


def test_a_conversation_shows_both_sides_in_order_and_is_answered_from_the_same_sim(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, modems=2) as gate:
            asked = await sent(gate, "Will you come?", channel="modem1")
            reply = await answer(gate, "When?", modem=1)
            taken = await gate.http.post(f"/v1/inbound/{reply['id']}/reply", json={"text": "At five"})
            assert taken.status_code == 202, taken.text
            assert (taken.json()["to"], taken.json()["channel"]) == (CAROL, "modem1")
            assert taken.json()["category"] == "transactional"
            back = taken.json()["id"]
            await gate.status(back, "sent", "delivered")
            (conversation,) = (await gate.http.get("/v1/conversations")).json()["items"]
            assert (conversation["peer"], conversation["channel"], conversation["received"]) == (CAROL, "modem1", 1)
            assert conversation["id"] == reply["conversation"]
            thread = (await gate.http.get(f"/v1/conversations/{conversation['id']}")).json()["items"]
            said = [(t["direction"], (t["inbound"] or t["message"])["id"]) for t in thread]
            assert said == [("out", back), ("in", reply["id"]), ("out", asked)]
            page = (await gate.http.get(f"/v1/conversations/{conversation['id']}?limit=2")).json()
            rest = (await gate.http.get(f"/v1/conversations/{conversation['id']}?cursor={page['next']}")).json()
            assert [t["direction"] for t in page["items"] + rest["items"]] == ["out", "in", "out"]

    asyncio.run(flow())


@pytest.mark.parametrize(
    ("sender", "body", "status", "code"),
    [
        ("MyBank", {"text": "no"}, 409, "not_answerable"),
        (CAROL, {"text": "no", "channel": "modem0"}, 422, "conflict"),
        (CAROL, {"txt": "no"}, 400, "unknown_field"),
    ],
)
def test_what_cannot_be_answered_says_why(
    tmp_path: Path, sender: str, body: dict[str, str], status: int, code: str
) -> None:
    async def flow() -> None:
        async with gateway(tmp_path) as gate:
            inbound = await answer(gate, "hello", sender=sender)
            refused = await gate.http.post(f"/v1/inbound/{inbound['id']}/reply", json=body)
            assert (refused.status_code, refused.json()["code"]) == (status, code)
            unknown = await gate.http.post("/v1/inbound/inb_0000000000000/reply", json={"text": "x"})
            assert unknown.status_code == 404

    asyncio.run(flow())


def test_a_reply_with_an_idempotency_key_is_sent_once(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path) as gate:
            inbound = await answer(gate, "hello")
            path, once = f"/v1/inbound/{inbound['id']}/reply", {"Idempotency-Key": "a"}
            both = [await gate.http.post(path, json={"text": "Hi"}, headers=once) for _ in range(2)]
            assert both[0].json()["id"] == both[1].json()["id"]
            assert both[1].headers["Idempotent-Replay"] == "true"

    asyncio.run(flow())


ANSWERED = {"smsc": "provider", "serwersms": "provider", "freshmail": "provider", "clickatell": "only_candidate"}


@pytest.mark.parametrize("name", ANSWERED)
def test_replies_of_each_provider_find_their_message(tmp_path: Path, name: str) -> None:
    """FreshMail's and SerwerSMS's by poll, Clickatell's and SMSC's by their own call."""
    every: dict[str, dict[str, Any]] = {
        "smsc": {"callback_secret": "s3cret", "poll": False},
        "serwersms": {"reply_interval": 0.2},
        "freshmail": {"sender": "2way", "sweep_interval": 0.5},
        "clickatell": {},
    }
    options = every[name]

    async def flow() -> None:
        async with gateway(tmp_path, modems=0, providers=(name,), provider_options=options) as gate:
            if name in ("smsc", "clickatell"):
                call = f"{gate.app.url}/v1/callbacks/{name}/a-secret-part-of-the-address"
                gate.clouds.account(name).callback = call
            id = await gate.send("+48600700800", "Will you come?", ref="visit 9")
            await gate.status(id, "sent", "delivered")
            gate.clouds.reply(name, "+48600700800", "Yes, gladly")
            await gate.event("received", channel=name)
            (inbound,) = await gate.inbound()
            assert inbound["text"] == "Yes, gladly"
            assert inbound["in_reply_to"] == {"id": id, "ref": "visit 9", "confidence": ANSWERED[name]}

    asyncio.run(flow())


def inbound_settings(**changes: Any) -> Any:
    def apply(settings: Settings) -> Settings:
        return msgspec.structs.replace(settings, inbound=InboundSettings(**changes))

    return apply


def test_a_denied_sender_is_stored_and_told_to_nobody(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, settings=inbound_settings(deny_from=(CAROL[:8],))) as gate:
            gate.sim.network.inject(gate.sim.modems[0].number, "spam", sender=CAROL)
            await gate.event("withheld")
            assert await gate.inbound() == []
            (found,) = (await gate.http.get("/v1/inbound?withheld=true")).json()["items"]
            assert (found["text"], found["withheld"]) == ("spam", "denied")
            wrong = await gate.http.get("/v1/inbound?withheld=maybe")
            assert (wrong.status_code, wrong.json()["code"]) == (400, "bad_parameter")

    asyncio.run(flow())
