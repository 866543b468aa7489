"""Two ways out under one message id: the cloud when a modem fails, the modem when the internet does."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bridge.config import Route, Settings
from drivers.simulator.faults import SendFault, Stage
from drivers.simulator.providers import CAPTIVE_PORTAL, Course, Fault, FaultKind
from tests.flows.gateway import gateway

ALICE = "+48600700800"
EVERY_ONE = ("serwersms", "freshmail", "clickatell", "mobizon", "smsc")


@pytest.mark.parametrize("name", EVERY_ONE)
def test_each_provider_sends_and_reports(tmp_path: Path, name: str) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, modems=0, providers=(name,)) as gate:
            id = await gate.send(ALICE, "Hello from the cloud")
            message = await gate.status(id, "delivered")
            (attempt,) = message["attempts"]
            assert (attempt["channel"], attempt["state"], attempt["tp_mr"]) == (name, "accepted", None)
            (taken,) = gate.clouds.ledger(name)
            assert "Hello from the cloud" in str(taken.text)

    asyncio.run(flow())


def test_the_modem_goes_first_and_the_cloud_takes_over_when_it_dies(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, providers=("smsc",)) as gate:
            first = await gate.status(await gate.send(ALICE, "by modem"), "delivered")
            gate.sim.modems[0].unplug()
            await gate.event("channel_down", channel="modem0")
            second = await gate.status(await gate.send(ALICE, "by cloud"), "delivered")
            assert first["attempts"][-1]["channel"] == "modem0"
            assert second["attempts"][-1]["channel"] == "smsc"

    asyncio.run(flow())


def test_the_cloud_goes_first_and_the_modem_takes_over_when_the_internet_is_cut(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, providers=("mobizon",), route="cloud-first") as gate:
            first = await gate.status(await gate.send(ALICE, "by cloud"), "delivered", "sent")
            assert first["attempts"][-1]["channel"] == "mobizon"
            gate.clouds.set_faults("mobizon", Fault(kind=FaultKind.STATUS, status=401, on="any", times=0))
            second = await gate.status(await gate.send(ALICE, "by modem"), "delivered")
            assert second["attempts"][-1]["channel"] == "modem0"
            assert not second["possible_duplicate"]
            assert gate.texts() == ["by modem"]

    asyncio.run(flow())


def test_a_refusal_before_the_wire_goes_to_the_cloud_under_the_same_id(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, providers=("serwersms",)) as gate:
            gate.sim.modems[0].set_faults(sends=(SendFault(stage=Stage.PROMPT, code=302, times=0),))
            message = await gate.status(await gate.send(ALICE), "delivered")
            assert [a["channel"] for a in message["attempts"]] == ["modem0", "serwersms"]
            assert not message["possible_duplicate"]
            assert gate.texts() == []

    asyncio.run(flow())


def test_what_is_refused_goes_before_those_that_wait_for_their_first_try(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, providers=("smsc",), route="cloud-first") as gate:
            many = [f"+4860070{n:04}" for n in range(300)]
            gate.clouds.account("smsc").barred = {number[1:] for number in many}
            order = {"to": many, "text": "Hello"}
            assert (await gate.http.post("/v1/batches", json=order)).status_code == 202
            while len(gate.texts()) < len(many):
                await gate.event("sent", channel="modem0")
            tried = [request.at for request in gate.clouds.requests("smsc") if request.operation == "submit"]
            by_modem = [entry.command_at for entry in gate.sim.network.ledger]
            assert len(tried) == len(by_modem) == len(many)
            assert by_modem[50] < tried[250]

    asyncio.run(flow())


def test_an_answer_lost_on_the_way_is_looked_up_and_not_sent_again(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, modems=0, providers=("smsc",)) as gate:
            gate.clouds.set_faults("smsc", Fault(kind=FaultKind.CLOSE, accepted=True))
            message = await gate.status(await gate.send(ALICE), "sent", "delivered")
            assert len(list(gate.clouds.ledger("smsc"))) == 1
            assert [a["state"] for a in message["attempts"]] == ["accepted_late"]
            assert not message["possible_duplicate"]

    asyncio.run(flow())


def test_a_wrong_password_stops_the_account_and_says_so(tmp_path: Path) -> None:
    async def flow() -> None:
        wrong = {"password": "wrong"}
        async with gateway(tmp_path, providers=("smsc",), provider_options=wrong, up=1, route="cloud-first") as gate:
            message = await gate.status(await gate.send(ALICE), "delivered")
            assert message["attempts"][-1]["channel"] == "modem0"
            if gate.app.channels["smsc"].state != "blocked":
                await gate.event("channel_blocked", channel="smsc")
            channels = {c["id"]: c for c in (await gate.http.get("/v1/channels")).json()["items"]}
            assert channels["smsc"]["state"] == "blocked"
            assert channels["smsc"]["reason"]

    asyncio.run(flow())


def test_a_call_with_the_wrong_secret_is_unknown(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, modems=0, providers=("smsc",)) as gate:
            answer = await gate.http.post("/v1/callbacks/smsc/guessed", content=b"id=1&status=1")
            assert answer.status_code == 404

    asyncio.run(flow())


def test_reports_and_replies_come_in_by_the_providers_own_call(tmp_path: Path) -> None:
    async def flow() -> None:
        signed = {"callback_secret": "s3cret", "poll": False}
        async with gateway(tmp_path, modems=0, providers=("smsc",), provider_options=signed) as gate:
            gate.clouds.account("smsc").callback = f"{gate.app.url}/v1/callbacks/smsc/a-secret-part-of-the-address"
            message = await gate.status(await gate.send(ALICE), "delivered")
            assert message["attempts"][0]["report"]["received_at"]
            gate.clouds.reply("smsc", ALICE, "Yes, I am here")
            await gate.event("received", channel="smsc")
            (inbound,) = await gate.inbound()
            assert (inbound["text"], inbound["sender"]) == ("Yes, I am here", ALICE)

    asyncio.run(flow())


def test_a_route_by_prefix_takes_its_messages(tmp_path: Path) -> None:
    async def flow() -> None:
        def polish_by_cloud(settings: Settings) -> Settings:
            route = Route(name="poland", channels=("freshmail", "modems"), prefixes=("+48",))
            return msgspec.structs.replace(settings, routes=(route,))

        async with gateway(tmp_path, providers=("freshmail",), settings=polish_by_cloud) as gate:
            abroad = await gate.status(await gate.send("+447700900900"), "delivered")
            home = await gate.status(await gate.send(ALICE), "sent", "delivered")
            assert abroad["attempts"][0]["channel"] == "modem0"
            assert home["attempts"][0]["channel"] == "freshmail"
            test = (await gate.http.post("/v1/routes/test", json={"to": ALICE})).json()
            assert test["route"] == "poland"
            assert [c["channel"] for c in test["candidates"]] == ["freshmail", "modem0"]

    asyncio.run(flow())


def test_a_captive_portal_stops_the_channel_after_a_few_texts(tmp_path: Path) -> None:
    """A log-in page answers 200 with HTML: nobody knows what became of the text, so the rest must not follow."""

    async def flow() -> None:
        async with gateway(tmp_path, providers=("mobizon",), route="cloud-first") as gate:
            gate.clouds.set_faults("mobizon", CAPTIVE_PORTAL)
            ids = [await gate.send(f"+4860070080{n}", policy="at_most_once") for n in range(9)]
            settled = [await gate.status(id, "delivered", "in_doubt") for id in ids]
            doubtful = [m for m in settled if m["status"] == "in_doubt"]
            assert 1 <= len(doubtful) <= 4
            assert all(m["attempts"][-1]["channel"] == "modem0" for m in settled if m["status"] == "delivered")
            assert len(gate.texts()) == 9 - len(doubtful)

    asyncio.run(flow())


def test_an_outage_costs_a_provider_few_requests_and_no_text(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, modems=0, providers=("mobizon",)) as gate:
            gate.clouds.set_faults("mobizon", Fault(kind=FaultKind.STATUS, status=429, times=0))
            ids = [await gate.send(f"+486007008{n:02}") for n in range(20)]
            paused = await gate.event("channel_paused", channel="mobizon")
            assert 269 <= int(str(paused.fields["seconds"])) <= 300
            assert len([r for r in gate.clouds.requests("mobizon") if r.operation == "submit"]) == 3
            assert {(await gate.message(id))["status"] for id in ids} <= {"queued", "retry_wait"}

    asyncio.run(flow())


# SMSC's word for: cannot be delivered, no reason given.
REFUSED_BY_OPERATOR = Course(sent_after=0.01, final_after=0.05, word="20")


def late_failure(tmp_path: Path, policy: str) -> tuple[dict[str, Any], list[str]]:
    """A text that the provider took and then reports as not delivered, and what the modem sent of it."""

    async def flow() -> tuple[dict[str, Any], list[str]]:
        async with gateway(tmp_path, providers=("smsc",), route="cloud-first") as gate:
            gate.clouds.set_course("smsc", REFUSED_BY_OPERATOR)
            id = await gate.send(ALICE, policy=policy)
            return await gate.status(id, "delivered", "undelivered"), gate.texts()

    return asyncio.run(flow())


def test_what_a_provider_could_not_deliver_goes_elsewhere_once_flagged(tmp_path: Path) -> None:
    message, by_modem = late_failure(tmp_path, "at_least_once")
    assert [a["channel"] for a in message["attempts"]] == ["smsc", "modem0"]
    assert message["status"] == "delivered"
    assert message["possible_duplicate"]
    assert [h["data"]["channel"] for h in message["history"] if h["event"] == "late_failure"] == ["smsc"]
    assert by_modem == ["Hello"]


def test_at_most_once_is_not_sent_again_after_it_was_tried(tmp_path: Path) -> None:
    message, by_modem = late_failure(tmp_path, "at_most_once")
    assert (message["status"], by_modem) == ("undelivered", [])


@pytest.mark.parametrize(
    ("category", "err", "status", "by_modem"),
    [
        ("otp", "219", "undelivered", 0),
        ("otp", "0", "delivered", 1),
        ("transactional", "219", "delivered", 1),
    ],
)
def test_a_one_time_code_does_not_follow_a_number_to_a_changed_sim(
    tmp_path: Path, category: str, err: str, status: str, by_modem: int
) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, providers=("smsc",), route="cloud-first") as gate:
            gate.clouds.set_course("smsc", Course(sent_after=0.01, final_after=0.05, word="20", detail=err))
            id = await gate.send(ALICE, "Your code: 314159", category=category)
            message = await gate.status(id, "delivered", "undelivered")
            assert (message["status"], message["category"], len(gate.texts())) == (status, category, by_modem)

    asyncio.run(flow())


def test_what_could_not_be_saved_is_tried_again_once(tmp_path: Path) -> None:
    """Mobizon's code 10, on the only channel there is."""

    async def flow() -> None:
        ahead = {"ahead": 0}
        async with gateway(tmp_path, modems=0, providers=("mobizon",), now_ahead=ahead) as gate:
            service = gate.clouds.mobizon
            service.knobs = msgspec.structs.replace(service.knobs, code=10)
            id = await gate.send(ALICE)
            await gate.event("not_sent", message=id)
            ahead["ahead"] = 6_000
            await gate.send("+48600700801", "wakes the dispatcher", channel="mobizon")
            message = await gate.status(id, "failed")
            assert [a["code"] for a in message["attempts"]] == ["mobizon_10", "mobizon_10"]
            assert "tried again 1 time" in message["reason"]

    asyncio.run(flow())


def test_the_cheapest_account_by_the_operators_prices_takes_it_and_the_next_when_it_fails(tmp_path: Path) -> None:
    def priced(settings: Settings) -> Settings:
        prices = {"smsc": {"*": Decimal("0.05")}, "mobizon": {"*": Decimal("0.09")}}
        accounts = tuple(msgspec.structs.replace(p, prices=prices[p.id]) for p in settings.providers)
        return msgspec.structs.replace(settings, providers=accounts)

    async def flow() -> None:
        async with gateway(tmp_path, providers=("mobizon", "smsc"), settings=priced, route="cheapest") as gate:
            first = await gate.status(await gate.send(ALICE), "sent", "delivered")
            gate.clouds.set_faults("smsc", Fault(kind=FaultKind.STATUS, status=429, on="any", times=0))
            second = await gate.status(await gate.send(ALICE, "again"), "sent", "delivered")
            assert [a["channel"] for a in first["attempts"]] == ["smsc"]
            assert [a["channel"] for a in second["attempts"]] == ["smsc", "mobizon"]

    asyncio.run(flow())


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("freshmail", {"kind": "mms", "text": "A picture", "url": "https://example.org/a.jpg"}),
        ("serwersms", {"kind": "mms", "text": "A picture", "options": {"file_id": "17324179"}}),
        ("clickatell", {"kind": "binary", "data": "3q2+7w=="}),
        ("clickatell", {"kind": "wap_push", "text": "News", "url": "https://example.org/"}),
        ("serwersms", {"kind": "voice", "text": "Pump three has stopped"}),
        ("smsc", {"kind": "binary", "data": "3q2+7w=="}),
        ("smsc", {"kind": "voice", "text": "Pump three has stopped"}),
        ("smsc", {"kind": "ping"}),
        ("smsc", {"kind": "hlr"}),
    ],
)
def test_an_order_of_each_kind_goes_where_it_can(tmp_path: Path, name: str, order: dict[str, str]) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, modems=0, providers=(name,)) as gate:
            answer = await gate.http.post("/v1/messages", json={"to": ALICE, **order})
            assert answer.status_code == 202, answer.text
            message = await gate.status(answer.json()["id"], "sent", "delivered", "failed")
            assert message["status"] != "failed", message["reason"]
            (taken,) = gate.clouds.ledger(name)
            assert taken.number == ALICE

    asyncio.run(flow())


def test_what_a_message_cost_is_kept_with_it_and_parts_are_the_providers(tmp_path: Path) -> None:
    async def flow() -> None:
        options = {"currency": "RUB"}
        async with gateway(tmp_path, modems=0, providers=("smsc",), provider_options=options) as gate:
            message = await gate.status(await gate.send(ALICE), "sent", "delivered")
            assert (message["cost"], message["currency"]) == ("0.90", "RUB")

    asyncio.run(flow())
