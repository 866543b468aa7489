"""What a fault does on the wire, and that it does to the provider only what it says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, Protocol

import httpx
import pytest

from drivers.simulator.providers import CAPTIVE_PORTAL, Fault, FaultKind, ProviderSimulation
from drivers.simulator.providers.faults import Plan
from drivers.simulator.providers.soap import answered
from drivers.simulator.providers.wire import Node, added, json_answer, reordered, text_answer

SEND = "/service/message/sendSmsMessage?output=json&api=v1&apiKey=" + "K" * 40
BALANCE = "/service/user/getOwnBalance?output=json&api=v1&apiKey=" + "K" * 40
FORM = {"recipient": "4915100000001", "text": "Pump 3 stopped"}


class Send(Protocol):
    """`read`: for so many seconds it waits for an answer."""

    async def __call__(self, *, read: float = 60) -> httpx.Response: ...


Story = Callable[[ProviderSimulation, Send], Awaitable[None]]


def play(story: Story) -> None:
    async def run() -> None:
        async with (
            ProviderSimulation(["mobizon"]) as sim,
            httpx.AsyncClient(base_url=sim.url("mobizon"), trust_env=False) as client,
        ):

            async def send(*, read: float = 60) -> httpx.Response:
                return await client.post(SEND, data=FORM, timeout=httpx.Timeout(60, read=read))

            await story(sim, send)

    asyncio.run(run())


@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.SILENCE, httpx.ReadTimeout),
        (FaultKind.RESET, httpx.ReadError),
        (FaultKind.CLOSE, httpx.RemoteProtocolError),
    ],
)
def test_no_answer_comes_whether_it_was_taken_or_not(kind: FaultKind, error: type[Exception], accepted: bool) -> None:
    async def story(sim: ProviderSimulation, send: Send) -> None:
        sim.set_faults("mobizon", Fault(kind=kind, accepted=accepted))
        with pytest.raises(error):
            await send(read=0.3 if kind is FaultKind.SILENCE else 60)
        await sim.next_request("mobizon")  # who waits so shortly may give up before it has arrived
        assert len(sim.ledger("mobizon")) == accepted
        assert (await send()).json()["code"] == 0  # once, as said

    play(story)


@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize(
    ("fault", "status", "start"),
    [
        ({"kind": FaultKind.HTML}, 200, "<!DOCTYPE html>"),
        ({"kind": FaultKind.HTML, "status": 502}, 502, "<!DOCTYPE html>"),
        ({"kind": FaultKind.EMPTY}, 200, ""),
        ({"kind": FaultKind.EMPTY, "status": 202}, 202, ""),
        ({"kind": FaultKind.STATUS, "status": 503, "body": "later"}, 503, "later"),
        ({"kind": FaultKind.STATUS, "status": 401}, 401, ""),
    ],
)
def test_another_answer_comes_whether_it_was_taken_or_not(
    fault: dict[str, Any], status: int, start: str, accepted: bool
) -> None:
    async def story(sim: ProviderSimulation, send: Send) -> None:
        sim.set_faults("mobizon", Fault(accepted=accepted, **fault))
        answer = await send()
        assert (answer.status_code, answer.text[: len(start) or None]) == (status, start)
        assert len(sim.ledger("mobizon")) == accepted

    play(story)


def test_headers_of_a_limit_and_of_a_redirect() -> None:
    async def story(sim: ProviderSimulation, send: Send) -> None:
        sim.set_faults("mobizon", Fault(kind=FaultKind.STATUS, status=429, retry_after="30"))
        assert (await send()).headers["retry-after"] == "30"
        sim.set_faults("mobizon", Fault(kind=FaultKind.STATUS, status=302, location="https://elsewhere.example/"))
        assert (await send()).headers["location"] == "https://elsewhere.example/"

    play(story)


def test_a_cut_answer_was_taken_and_ends_in_the_middle() -> None:
    async def story(sim: ProviderSimulation, send: Send) -> None:
        sim.set_faults("mobizon", Fault(kind=FaultKind.CUT))
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
            await send()
        assert len(sim.ledger("mobizon")) == 1

    play(story)


def test_a_dripping_answer_is_whole_in_the_end_and_an_endless_one_never() -> None:
    async def story(sim: ProviderSimulation, send: Send) -> None:
        sim.set_faults("mobizon", Fault(kind=FaultKind.DRIP, seconds=0.001))
        began = time.monotonic()
        assert (await send()).json()["code"] == 0
        assert time.monotonic() - began > 0.05
        sim.set_faults("mobizon", Fault(kind=FaultKind.ENDLESS))
        got = 0
        async with (
            httpx.AsyncClient(trust_env=False) as client,
            client.stream("POST", sim.url("mobizon") + SEND, data=FORM) as answer,
        ):
            async for piece in answer.aiter_bytes():
                got += len(piece)
                if got > 6_000_000:
                    break
        assert got > 6_000_000

    play(story)


def test_a_captive_portal_answers_everything_until_it_is_taken_away() -> None:
    async def story(sim: ProviderSimulation, send: Send) -> None:
        sim.set_faults("mobizon", CAPTIVE_PORTAL)
        async with httpx.AsyncClient(base_url=sim.url("mobizon"), trust_env=False) as client:
            for path in (SEND, BALANCE, "/generate_204", "/"):
                assert (await client.post(path, data=FORM)).text.startswith("<!DOCTYPE html>")
        sim.set_faults("mobizon")
        assert (await send()).json()["code"] == 0
        assert len(sim.ledger("mobizon")) == 1

    play(story)


def test_faults_are_for_their_operation_and_their_turn() -> None:
    plan = Plan(
        [
            Fault(kind=FaultKind.RESET, on="balance"),
            Fault(kind=FaultKind.HTML, first=2, times=2),
            Fault(kind=FaultKind.EMPTY, on="any", times=0),
        ],
        random=Random(1),
    )
    picked = [plan.pick(name) for name in ("submit", "submit", "balance", "submit", "submit", "balance")]
    assert [fault and str(fault.kind) for fault in picked] == ["empty", "html", "reset", "html", "empty", "empty"]


def test_a_probable_fault_plays_the_same_game_again() -> None:
    def game() -> list[bool]:
        plan = Plan([Fault(kind=FaultKind.RESET, times=0, probability=0.3)], random=Random(7))
        return [plan.pick("submit") is not None for _ in range(200)]

    assert game() == game()
    assert 40 < sum(game()) < 80


def test_a_provider_that_is_cut_off_refuses_and_comes_back_at_the_same_place() -> None:
    async def story(sim: ProviderSimulation, send: Send) -> None:
        before = sim.url("mobizon")
        await send()
        await sim.cut("mobizon")
        with pytest.raises(httpx.ConnectError):
            await send()
        await sim.restore("mobizon")
        assert (await send()).json()["code"] == 0
        assert sim.url("mobizon") == before

    play(story)


def test_changed_answers_hold_the_same_fields() -> None:
    answer = json_answer({"a": 1, "b": {"c": 2, "d": [1, {"e": 3, "f": 4}]}})
    assert reordered(answer).body == b'{"b":{"d":[1,{"f":4,"e":3}],"c":2},"a":1}'
    more = added(answer).body
    assert more.startswith(b'{"trace":"n/a","a":1,')
    assert b'"c":2,"d":[1,{"trace"' in more

    fields = Node("ns1:R", (Node("sendresult", (Node("id", "1"), Node("error", "3"))),))
    xml = answered(fields, namespace="urn:x")
    assert b"<sendresult><error>3</error><id>1</id></sendresult>" in reordered(xml).body
    assert b"<sendresult><trace>n/a</trace><id>1</id><error>3</error><trace2>" in added(xml).body
    assert reordered(text_answer("x")).body == added(text_answer("x")).body == b"x"
