"""Many messages in one request to a provider: each armed before, each with its own end."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bridge.outbound.bulk import BulkChannel
from drivers.simulator.providers import CAPTIVE_PORTAL, Course, Fault, FaultKind, ProviderSimulation
from tests.flows.gateway import Gateway, gateway

ALICE = "+48600700800"
ONE_BY_ONE = ("freshmail", "clickatell", "mobizon", "smsc")


async def order(gate: Gateway, messages: list[dict[str, Any]], **options: Any) -> list[str]:
    answer = await gate.http.post("/v1/batches", json={"messages": messages, **options})
    assert answer.status_code == 202, answer.text
    page = await gate.http.get(f"/v1/messages?batch={answer.json()['id']}&limit=200")
    return [m["id"] for m in reversed(page.json()["items"])]


def personalised(count: int) -> list[dict[str, Any]]:
    return [{"to": f"+48600{n:06}", "text": f"Dear {n}"} for n in range(count)]


def test_a_personalised_list_goes_in_few_requests_and_every_message_reports(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, modems=0, providers=("serwersms",)) as gate:
            ids = await order(gate, personalised(180))
            ended = [await gate.status(id, "delivered") for id in ids]
            assert len({m["attempts"][0]["reference"] for m in ended}) == 180
            assert Counter(t.number for t in gate.clouds.ledger("serwersms")) == Counter(
                f"+48600{n:06}" for n in range(180)
            )
            assert {t.text for t in gate.clouds.ledger("serwersms")} == {f"Dear {n}" for n in range(180)}
            requests = [r for r in gate.clouds.requests("serwersms") if r.operation == "submit"]
            assert len(requests) <= 20  # 8 when the claims keep pace: 1, 2, 4 ... 64, and the rest

    asyncio.run(flow())


def test_one_bad_number_in_a_list_is_named_and_the_others_go(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, modems=0, providers=("serwersms",)) as gate:
            bad = "+48600000040"
            gate.clouds.account("serwersms").barred.add(bad.lstrip("+"))
            ids = await order(gate, personalised(90))
            ended = [await gate.status(id, "delivered", "failed", "undelivered") for id in ids]
            (failed,) = [m for m in ended if m["status"] != "delivered"]
            assert failed["to"] == bad
            assert failed["code"].startswith("serwersms_")
            assert failed["reason"]

    asyncio.run(flow())


def test_a_lost_answer_puts_the_whole_request_in_doubt_and_each_is_looked_up_by_its_own_id(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, modems=0, providers=("serwersms",)) as gate:
            gate.clouds.set_faults("serwersms", Fault(kind=FaultKind.CLOSE, accepted=True, first=4))
            ids = await order(gate, personalised(40))
            ended = [await gate.status(id, "delivered") for id in ids]
            late = [m for m in ended if m["attempts"][0]["state"] == "accepted_late"]
            assert 1 <= len(late) <= 8  # what went in the fourth request
            assert not any(m["possible_duplicate"] for m in ended)
            assert len({t.number for t in gate.clouds.ledger("serwersms")}) == len(
                list(gate.clouds.ledger("serwersms"))
            )

    asyncio.run(flow())


@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_the_others_are_sent_side_by_side_each_once(tmp_path: Path, name: str) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, modems=0, providers=(name,)) as gate:
            assert isinstance(gate.app.channels[name], BulkChannel)
            ids = await order(gate, personalised(30))
            for id in ids:
                await gate.status(id, "sent", "delivered")
            taken = Counter(t.number for t in gate.clouds.ledger(name))
            assert len(taken) == 30
            assert set(taken.values()) == {1}

    asyncio.run(flow())


def test_a_log_in_page_costs_one_text_and_not_a_list(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, modems=0, providers=("serwersms",)) as gate:
            gate.clouds.set_faults("serwersms", CAPTIVE_PORTAL)
            ids = await order(gate, personalised(60), policy="at_most_once")
            await gate.event("channel_paused", channel="serwersms")
            for id in ids[:3]:
                await gate.status(id, "in_doubt")
            states = Counter([(await gate.message(id))["status"] for id in ids])
            assert states == {"in_doubt": 3, "queued": 57}

    asyncio.run(flow())


@pytest.mark.parametrize("name", ["serwersms", "clickatell", "mobizon", "smsc"])
def test_what_was_open_at_a_stop_is_asked_for_after_the_start(tmp_path: Path, name: str) -> None:
    """Reports by question only: what to ask about is in the store, not in the driver's memory."""

    async def flow() -> None:
        more: dict[str, Any] = {"catch_up_pages": 0} if name == "mobizon" else {}
        async with ProviderSimulation((name,)) as clouds:
            clouds.set_course(name, Course(final_after=0.1))
            late = more | {"poll_after": 1000.0}  # not asked about before the stop
            async with gateway(tmp_path, modems=0, providers=(name,), clouds=clouds, provider_options=late) as gate:
                id = await gate.send(ALICE)
                await gate.status(id, "sent")
            async with gateway(tmp_path, modems=0, providers=(name,), clouds=clouds, provider_options=more) as gate:
                await gate.status(id, "delivered")
            assert len(list(clouds.ledger(name))) == 1

    asyncio.run(flow())


def test_a_report_that_is_quicker_than_the_answer_is_not_lost(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, modems=0, providers=("smsc",), provider_options={"poll": False}) as gate:
            gate.clouds.account("smsc").callback = f"{gate.app.url}/v1/callbacks/smsc/a-secret-part-of-the-address"
            gate.clouds.set_course("smsc", Course(final_after=0.0))
            gate.clouds.set_faults("smsc", Fault(kind=FaultKind.DELAY, seconds=0.5))
            await gate.status(await gate.send(ALICE), "delivered")

    asyncio.run(flow())


def test_anothers_report_to_the_same_number_is_not_ours(tmp_path: Path) -> None:
    """An account may have other users: without our reference a report is nobody's."""

    async def flow() -> None:
        async with gateway(tmp_path, modems=0, providers=("smsc",), provider_options={"poll": False}) as gate:
            gate.clouds.set_faults("smsc", Fault(kind=FaultKind.DELAY, seconds=0.5))
            id = await gate.send(ALICE)
            await gate.clouds.next_request("smsc")
            while (await gate.clouds.next_request("smsc")).operation != "submit":
                pass
            foreign = f"id=77&phone={ALICE[1:]}&status=1&err=0"
            where = "/v1/callbacks/smsc/a-secret-part-of-the-address"
            assert (await gate.http.post(where, content=foreign.encode())).status_code == 200
            assert (await gate.status(id, "sent", "delivered"))["status"] == "sent"

    asyncio.run(flow())
