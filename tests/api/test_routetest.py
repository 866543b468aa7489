"""Where a message would go, as the routing policy says it."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.api.parts import RouteTest
from bridge.policy import routing
from bridge.policy.admission import Order

from .support import TO, Service, run

CHANNELS = (
    routing.ChannelFacts(id="gsm1", up=True, load=3),
    routing.ChannelFacts(id="gsm2", up=False, reason="unplugged; plug it in again"),
    routing.ChannelFacts(id="cloud1", up=True, kind=routing.ChannelKind.PROVIDER),
)


async def route(order: Order) -> RouteTest:
    facts = routing.MessageFacts(to=order.to, kind=order.kind, priority=order.priority, route=order.route)
    picked = routing.READY_MADE[order.route or "modem-first"]
    choice = routing.choose(facts, CHANNELS, picked)
    return RouteTest(route=picked.name, candidates=choice.candidates, refusals=choice.refusals)


def test_candidates_come_best_first_with_their_reasons() -> None:
    async def test(s: Service) -> None:
        answer = await s.reader.post("/v1/routes/test", json={"to": "600700800"})
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found["route"] == "modem-first"
        assert [(c["channel"], c["tier"]) for c in found["candidates"]] == [("gsm1", 0), ("cloud1", 1)]
        assert all(c["reason"] for c in found["candidates"])
        assert found["refusals"] == [{"channel": "gsm2", "tier": None, "reason": "unplugged; plug it in again"}]
        answer = await s.reader.post("/v1/routes/test", json={"to": TO, "text": "x", "route": "cloud-first"})
        assert [c["channel"] for c in answer.json()["candidates"]] == ["cloud1", "gsm1"]
        assert await s.stored() == 0

    run(test, route=route)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"to": "abc"}, 422, "number_not_possible"),
        ({}, 400, "missing_field"),
        ({"to": TO, "rout": "x"}, 400, "unknown_field"),
        ({"to": TO, "route": 7}, 400, "wrong_type"),
    ],
)
def test_an_order_that_cannot_be_asked_about(body: dict[str, Any], status: int, code: str) -> None:
    async def test(s: Service) -> None:
        answer = await s.reader.post("/v1/routes/test", json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)

    run(test, route=route)
