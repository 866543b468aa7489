"""A text on its way out, and what can happen to it (fault matrix rows in brackets)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from bridge.config import Route, Settings
from drivers.simulator.faults import Answer, ReportFault, SendFault, Stage, Then
from tests.flows.gateway import gateway

ALICE = "+447700900900"
BOB = "+447700900555"


def test_a_text_is_sent_reported_and_told(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path) as gate:
            id = await gate.send(ALICE, "Hello")
            message = await gate.status(id, "delivered")
            assert gate.texts() == ["Hello"]
            assert [e["event"] for e in message["history"]] == ["queued", "armed", "sent", "report", "delivered"]
            (attempt,) = message["attempts"]
            assert attempt["state"] == "accepted"
            assert attempt["tp_mr"] == gate.sim.network.ledger[0].tp_mr
            assert attempt["channel"] == "modem0"

    asyncio.run(flow())


def test_a_long_text_goes_in_parts_from_one_sim(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, modems=2) as gate:
            text = "Zażółć gęślą jaźń 👍 " * 12
            id = await gate.send(ALICE, text)
            message = await gate.status(id, "delivered")
            ledger = list(gate.sim.network.ledger)
            assert len(ledger) == len(message["parts"]) > 3
            assert len({e.iccid for e in ledger}) == 1
            assert "".join(str(e.text) for e in ledger) == text
            assert [p["status"] for p in message["parts"]] == ["delivered"] * len(ledger)

    asyncio.run(flow())


def test_no_prompt_is_no_send_and_the_other_modem_takes_it(tmp_path: Path) -> None:
    """[14]"""

    async def flow() -> None:
        async with gateway(tmp_path, modems=2) as gate:
            gate.sim.modems[0].set_faults(sends=(SendFault(stage=Stage.PROMPT, code=302),))
            id = await gate.send(ALICE)
            message = await gate.status(id, "delivered")
            assert gate.texts() == ["Hello"]
            assert message["attempts"][-1]["state"] == "accepted"
            assert not message["possible_duplicate"]

    asyncio.run(flow())


def test_a_lost_answer_is_a_doubt_and_the_report_resolves_it(tmp_path: Path) -> None:
    """[15]: at most once never resends, and the report proves it was sent."""

    async def flow() -> None:
        options = [{"result_timeout": 0.2}]
        async with gateway(tmp_path, options=options, reports=1.0) as gate:
            gate.sim.modems[0].set_faults(sends=(SendFault(taken=True, answer=Answer.NONE),))
            id = await gate.send(ALICE, policy="at_most_once")
            await gate.status(id, "in_doubt")
            message = await gate.status(id, "delivered")
            assert gate.texts() == ["Hello"]
            assert [a["state"] for a in message["attempts"]] == ["accepted_late"]

    asyncio.run(flow())


def test_a_doubt_without_evidence_is_resent_and_flagged(tmp_path: Path) -> None:
    """By another modem: the line of the first one rests for ten seconds, since the answer may still come there."""

    async def flow() -> None:
        options: list[dict[str, Any]] = [{"result_timeout": 0.2}, {}]
        ahead = {"ahead": 0}
        async with gateway(
            tmp_path,
            modems=2,
            options=options,
            before=lambda sim: sim.modems[1].unplug(),
            up=1,
            now_ahead=ahead,
            reports=None,
        ) as gate:
            first, second = gate.sim.modems
            first.set_faults(sends=(SendFault(taken=True, answer=Answer.NONE),))
            id = await gate.send(ALICE)
            await gate.event("in_doubt", message=id)
            first.unplug()
            await gate.event("channel_down", channel="modem0")
            second.replug()
            await gate.event("channel_up", channel="modem1")
            assert gate.texts() == ["Hello"]
            ahead["ahead"] = 601_000  # the evidence window is ten minutes
            await gate.app.timekeeping.look()
            message = await gate.status(id, "sent")
            assert gate.texts() == ["Hello", "Hello"]
            assert message["possible_duplicate"]
            assert [a["state"] for a in message["attempts"]] == ["unresolved", "accepted"]
            assert message["attempts"][1]["possible_duplicate"]

    asyncio.run(flow())


def test_at_most_once_is_closed_as_unknown_at_its_deadline(tmp_path: Path) -> None:
    async def flow() -> None:
        options = [{"result_timeout": 0.2}]
        async with gateway(tmp_path, options=options, reports=None) as gate:
            gate.sim.modems[0].set_faults(sends=(SendFault(taken=True, answer=Answer.NONE),))
            id = await gate.send(ALICE, policy="at_most_once", valid_for=60)
            doubtful = await gate.status(id, "in_doubt")
            assert doubtful["attempts"][0]["deadline"] == doubtful["expires_at"]
            assert gate.texts() == ["Hello"]

    asyncio.run(flow())


def test_urgent_goes_elsewhere_at_once_and_is_flagged(tmp_path: Path) -> None:
    async def flow() -> None:
        options = [{"result_timeout": 0.2}] * 2
        async with gateway(tmp_path, modems=2, options=options, reports=None) as gate:
            for modem in gate.sim.modems:
                modem.set_faults(sends=(SendFault(taken=True, answer=Answer.NONE),))
            id = await gate.send(ALICE, policy="urgent")
            await gate.event("resend", message=id)
            message = await gate.status(id, "sent", "in_doubt")
            assert message["possible_duplicate"]

    asyncio.run(flow())


def test_a_late_answer_is_credited_to_its_own_message(tmp_path: Path) -> None:
    """[16]"""

    async def flow() -> None:
        options = [{"result_timeout": 0.3}]
        async with gateway(tmp_path, options=options, reports=None) as gate:
            gate.sim.modems[0].set_faults(sends=(SendFault(taken=True, answer=Answer.REFERENCE, delay=1.5, late=True),))
            first = await gate.send(ALICE, "first")
            await gate.status(first, "in_doubt")
            second = await gate.send(BOB, "second")
            await gate.status(second, "sent")
            message = await gate.status(first, "sent")
            assert sorted(gate.texts()) == ["first", "second"]
            by_text = {e.text: e for e in gate.sim.network.ledger}
            assert message["attempts"][0]["tp_mr"] == by_text["first"].tp_mr
            assert (await gate.message(second))["attempts"][0]["tp_mr"] == by_text["second"].tp_mr

    asyncio.run(flow())


def test_a_report_may_overtake_the_answer(tmp_path: Path) -> None:
    """[29]"""

    async def flow() -> None:
        async with gateway(tmp_path, delay=0.3) as gate:
            gate.sim.network.set_faults(report_faults=(ReportFault(before_result=True),))
            id = await gate.send(ALICE)
            await gate.status(id, "delivered")

    asyncio.run(flow())


def test_unplugged_after_ctrl_z_is_in_doubt(tmp_path: Path) -> None:
    """[21]"""

    async def flow() -> None:
        async with gateway(tmp_path, reports=None) as gate:
            gate.sim.modems[0].set_faults(sends=(SendFault(taken=True, answer=Answer.NONE, then=Then.UNPLUG),))
            id = await gate.send(ALICE)
            await gate.status(id, "in_doubt")
            assert gate.texts() == ["Hello"]

    asyncio.run(flow())


def test_what_waits_for_an_unplugged_modem_goes_by_the_other(tmp_path: Path) -> None:
    """[19]"""

    async def flow() -> None:
        async with gateway(tmp_path, modems=2, delay=0.1) as gate:
            ids = [await gate.send(ALICE, f"text {n}") for n in range(6)]
            await gate.event("sent")
            gate.sim.modems[0].unplug()
            for id in ids:
                await gate.status(id, "delivered", "sent", "in_doubt")
            assert len(set(gate.texts())) == len(gate.texts())

    asyncio.run(flow())


def test_a_modem_without_credit_is_rested_and_the_other_sends(tmp_path: Path) -> None:
    """[25]"""

    async def flow() -> None:
        async with gateway(tmp_path, modems=2) as gate:
            gate.sim.modems[0].set_faults(sends=(SendFault(code=21, times=0),))
            ids = [await gate.send(f"+4477009005{n:02}", f"text {n}") for n in range(12)]
            for id in ids:
                await gate.status(id, "delivered", "failed")
            await gate.event("channel_paused", channel="modem0") if not any(
                e.name == "channel_paused" for e in gate.seen
            ) else None
            assert len(gate.texts()) == 12

    asyncio.run(flow())


def test_cancelled_before_it_is_armed_is_never_sent(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path) as gate:
            gate.sim.modems[0].unplug()
            await gate.event("channel_down", channel="modem0")
            id = await gate.send(ALICE)
            answer = await gate.http.post(f"/v1/messages/{id}/cancel")
            assert answer.status_code == 200
            assert answer.json()["status"] == "cancelled"
            gate.sim.modems[0].replug()
            other = await gate.send(BOB, "after")
            await gate.status(other, "delivered")
            assert gate.texts() == ["after"]

    asyncio.run(flow())


def test_a_multipart_resumes_with_the_missing_part_and_the_same_reference(tmp_path: Path) -> None:
    """[7] S28"""

    async def flow() -> None:
        async with gateway(tmp_path, retry=(0.2,)) as gate:
            gate.sim.modems[0].set_faults(sends=(SendFault(first=2, code=42),))
            id = await gate.send(ALICE, "0123456789" * 20)
            await gate.status(id, "delivered")
            ledger = list(gate.sim.network.ledger)
            assert [len(str(e.text)) for e in ledger] == [153, 47]

    asyncio.run(flow())


def test_stopping_waits_for_the_running_submission(tmp_path: Path) -> None:
    """[10]"""

    async def flow() -> str:
        async with gateway(tmp_path, delay=0.5, reports=None) as gate:
            id = await gate.send(ALICE)
            await gate.event("armed", message=id)
        return id

    id = asyncio.run(flow())

    async def again() -> None:
        async with gateway(tmp_path) as gate:
            assert (await gate.message(id))["status"] == "sent"
            assert gate.texts() == []

    asyncio.run(again())


def test_half_sent_and_its_sim_gone_goes_whole_by_another_and_is_flagged(tmp_path: Path) -> None:
    """Rule 10 of the delivery semantics."""

    async def flow() -> None:
        async with gateway(tmp_path, modems=2, reports=None, evidence_window=0.1) as gate:
            first = gate.sim.modems[0]
            first.set_faults(sends=(SendFault(stage=Stage.PROMPT, first=2, code=302, then=Then.UNPLUG),))
            gate.sim.modems[1].unplug()
            await gate.event("channel_down", channel="modem1")
            id = await gate.send(ALICE, "0123456789" * 20)
            await gate.event("channel_down", channel="modem0")
            gate.sim.modems[1].replug()
            await gate.event("channel_up", channel="modem1")
            assert gate.app.housekeeping is not None
            while gate.texts().count("0123456789" * 15 + "012") < 2:
                await gate.app.housekeeping.tick()
                await asyncio.sleep(0.05)  # the retry's own delay has to pass too
            message = await gate.status(id, "sent")
            assert message["possible_duplicate"]
            assert {e.iccid for e in gate.sim.network.ledger} == {first.iccid, gate.sim.modems[1].iccid}
            assert len(gate.texts()) == 3

    asyncio.run(flow())


def test_already_had_it_is_sent_and_its_report_is_found_by_the_recipient(tmp_path: Path) -> None:
    """S35: +CMS ERROR 197 tells no TP-MR."""

    async def flow() -> None:
        async with gateway(tmp_path, reports=0.3) as gate:
            gate.sim.modems[0].set_faults(sends=(SendFault(taken=True, code=197),))
            message = await gate.status(await gate.send(ALICE), "delivered")
            assert [a["state"] for a in message["attempts"]] == ["accepted"]
            assert message["attempts"][0]["tp_mr"] is None
            assert gate.texts() == ["Hello"]

    asyncio.run(flow())


def test_a_sticky_route_keeps_a_person_on_the_sim_that_they_know(tmp_path: Path) -> None:
    def sticky(settings: Settings) -> Settings:
        route = Route(name="modem-first", channels=("modems",), order="least_load", sticky=True)
        return msgspec.structs.replace(settings, routes=(route,))

    async def flow() -> None:
        async with gateway(tmp_path, modems=2, settings=sticky) as gate:
            gate.sim.network.inject(gate.sim.modems[1].number, "Hello, it is me", sender=ALICE)
            await gate.event("received", channel="modem1")
            for text in ("one", "two"):
                message = await gate.status(await gate.send(ALICE, text), "delivered")
                assert message["attempts"][-1]["channel"] == "modem1"
            gate.sim.modems[1].unplug()
            await gate.event("channel_down", channel="modem1")
            message = await gate.status(await gate.send(ALICE, "three"), "delivered")
            assert message["attempts"][-1]["channel"] == "modem0"
            found = (await gate.http.post("/v1/routes/test", json={"to": ALICE})).json()
            assert "the recipient knows it" in found["candidates"][0]["reason"]

    asyncio.run(flow())
