"""Cancelling what a provider has taken already: in time, too late, not offered, not answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from drivers.simulator.providers import Course, Fault, FaultKind, ProviderSimulation
from tests.flows.gateway import Gateway, gateway

ALICE = "+48600700800"
HELD = Course(sent_after=None, final_after=None)  # the provider has not sent it, and will not for long


def play(tmp_path: Path, name: str, course: Course, story: Callable[[Gateway, str], Awaitable[None]]) -> None:
    """A text that the provider has taken, and a modem that would take over."""

    async def flow() -> None:
        async with gateway(tmp_path, providers=(name,), route="cloud-first") as gate:
            gate.clouds.set_course(name, course)
            id = await gate.send(ALICE)
            await gate.status(id, "sent")
            await story(gate, id)
            assert gate.texts() == []

    asyncio.run(flow())


async def cancel(gate: Gateway, id: str) -> tuple[int, dict[str, Any]]:
    answer = await gate.http.post(f"/v1/messages/{id}/cancel")
    return answer.status_code, answer.json()


@pytest.mark.parametrize("name", ["clickatell", "mobizon"])
def test_what_is_not_sent_yet_is_taken_back_and_goes_no_other_way(tmp_path: Path, name: str) -> None:
    async def story(gate: Gateway, id: str) -> None:
        status, message = await cancel(gate, id)
        assert (status, message["status"], message["code"]) == (200, "cancelled", "taken_back")
        assert name in message["reason"]
        (kept,) = gate.clouds.service(name).messages.values()
        assert kept.cancelled
        # What the provider says of it from now on changes nothing.
        asked = len(gate.clouds.requests(name))
        await gate.send("+48600700801")
        while len(gate.clouds.requests(name)) < asked + 4:
            await gate.clouds.next_request(name)
        assert (await cancel(gate, id))[0] == 200
        assert (await gate.message(id))["status"] == "cancelled"

    play(tmp_path, name, HELD, story)


@pytest.mark.parametrize("name", ["serwersms", "clickatell", "mobizon"])
def test_what_is_on_its_way_is_too_late_and_says_so(tmp_path: Path, name: str) -> None:
    async def story(gate: Gateway, id: str) -> None:
        status, problem = await cancel(gate, id)
        assert (status, problem["code"]) == (409, "not_cancellable")
        assert problem["detail"] == f"{name} says that it is too late: the message is on its way"
        assert (await gate.message(id))["status"] == "sent"

    play(tmp_path, name, Course(sent_after=0.0, final_after=None), story)


@pytest.mark.parametrize("name", ["freshmail", "smsc"])
def test_a_provider_that_takes_nothing_back_says_who_does(tmp_path: Path, name: str) -> None:
    async def story(gate: Gateway, id: str) -> None:
        status, problem = await cancel(gate, id)
        assert status == 409
        assert f"{name} has it already" in problem["detail"]
        assert "clickatell" in problem["detail"]

    play(tmp_path, name, HELD, story)


def test_a_lost_answer_is_told_and_the_text_goes_no_other_way(tmp_path: Path) -> None:
    """The provider deletes it and the answer is lost: the report of the deletion is no failure to be mended."""

    async def story(gate: Gateway, id: str) -> None:
        gate.clouds.set_faults("clickatell", Fault(kind=FaultKind.CLOSE, on="cancel", accepted=True))
        status, problem = await cancel(gate, id)
        assert status == 409
        assert "did not say" in problem["detail"]
        message = await gate.status(id, "undelivered")
        assert message["code"] == "006"
        assert len(message["attempts"]) == 1

    play(tmp_path, "clickatell", HELD, story)


def test_a_lost_answer_is_remembered_over_a_restart(tmp_path: Path) -> None:
    """Its report comes to a service that has not asked for the deletion itself."""

    async def flow() -> None:
        later: dict[str, Any] = {"provider_options": {"poll_after": 60}}  # no report comes before the restart
        async with ProviderSimulation(("clickatell",)) as clouds:
            clouds.set_course("clickatell", HELD)
            async with gateway(
                tmp_path, providers=("clickatell",), clouds=clouds, route="cloud-first", **later
            ) as gate:
                id = await gate.send(ALICE)
                await gate.status(id, "sent")
                clouds.set_faults("clickatell", Fault(kind=FaultKind.CLOSE, on="cancel", accepted=True))
                assert (await cancel(gate, id))[0] == 409
            async with gateway(tmp_path, providers=("clickatell",), clouds=clouds, route="cloud-first") as gate:
                message = await gate.status(id, "undelivered")
                assert (message["code"], len(message["attempts"])) == ("006", 1)
                assert gate.texts() == []

    asyncio.run(flow())


def test_a_provider_that_cannot_be_reached_is_named_and_the_message_stays(tmp_path: Path) -> None:
    async def story(gate: Gateway, id: str) -> None:
        await gate.clouds.cut("clickatell")
        status, problem = await cancel(gate, id)
        assert status == 409
        assert "could not be asked" in problem["detail"]
        assert (await gate.message(id))["status"] == "sent"

    play(tmp_path, "clickatell", HELD, story)


def test_a_message_that_nobody_knows_is_asked_of_no_provider(tmp_path: Path) -> None:
    async def story(gate: Gateway, id: str) -> None:
        stranger = await gate.http.post("/v1/messages/msg_0000000000000/cancel")
        assert stranger.status_code == 404
        assert [r.operation for r in gate.clouds.requests("clickatell")].count("cancel") == 0

    play(tmp_path, "clickatell", HELD, story)
