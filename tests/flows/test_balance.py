"""The balance of a SIM: asked when the modem is up, kept over a restart, told once when it is low."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from bridge.endpoints import Endpoint, EndpointKind
from bridge.events import EventType, SimData
from drivers.simulator.sim import Sim
from tests.flows.gateway import Gateway, gateway

OPTIONS = {
    "balance_ussd": "*101#",
    "balance_pattern": "credit ([0-9.]+)",
    "balance_low": Decimal("5.00"),
    "balance_currency": "PLN",
    "balance_every": 86_400.0,
}
OTHER = Sim(number="+447700900666", iccid="89441000000000099990", imsi="234100000000666")
DAY = 86_400_000
HOUR = 3_600_000


@asynccontextmanager
async def asked(tmp_path: Path, ahead: dict[str, int], said: str, **options: Any) -> AsyncIterator[Gateway]:
    def before(sim: Any) -> None:
        sim.network.ussd["*101#"] = said

    async with gateway(tmp_path, options=[{**OPTIONS, **options}], before=before, now_ahead=ahead) as gate:
        yield gate


async def left(gate: Gateway, expected: int = 200) -> dict[str, Any]:
    answer = await gate.http.get("/v1/channels/modem0/balance")
    assert answer.status_code == expected, answer.text
    return dict(answer.json())


async def later(gate: Gateway, ahead: dict[str, int], by: int, said: str) -> None:
    gate.sim.network.ussd["*101#"] = said
    ahead["ahead"] += by
    gate.app.balances.wake()


async def lows(gate: Gateway) -> list[SimData]:
    found = await gate.app.store.read(lambda view: view.events(0, 1000))
    return [msgspec.convert(e.data, SimData) for e in found if e.type is EventType.SIM_BALANCE_LOW]


def test_it_is_asked_shown_and_told_once_when_low(tmp_path: Path) -> None:
    async def flow() -> None:
        ahead = {"ahead": 0}
        async with asked(tmp_path, ahead, "Bonus 9, credit 20.50") as gate:
            listener = Endpoint(id=1, kind=EndpointKind.WEBHOOK, created_at=0, url="https://nobody.example/")
            await gate.app.store.write(lambda changes: changes.add_endpoint(listener))
            await gate.event("balance", channel="modem0", amount="20.50")
            found = await left(gate)
            assert (found["amount"], found["currency"], found["unit"]) == ("20.50", "PLN", "money")
            assert found["at"] is not None
            channel = (await gate.http.get("/v1/channels/modem0")).json()
            assert (channel["balance"]["amount"], channel["balance"]["low"]) == ("20.50", False)
            metrics = (await gate.http.get("/metrics")).text
            assert 'gsmbridge_channel_balance{channel="modem0",currency="PLN"} 20.5' in metrics
            for amount in ("4.99", "4.50", "5.00", "1"):
                await later(gate, ahead, DAY, f"credit {amount}")
                await gate.event("balance_low" if amount in ("4.99", "1") else "balance", amount=amount)
            assert [low.balance for low in await lows(gate)] == ["4.99", "1"]

    asyncio.run(flow())


def test_what_was_known_outlives_a_restart_and_is_not_asked_again_too_early(tmp_path: Path) -> None:
    async def flow() -> None:
        ahead = {"ahead": 0}
        async with asked(tmp_path, ahead, "credit 3") as gate:
            await gate.event("balance_low", amount="3")
        ahead["ahead"] += HOUR
        async with asked(tmp_path, ahead, "credit 99") as gate:
            assert (await left(gate))["amount"] == "3"
            await later(gate, ahead, HOUR, "credit 99")
            await gate.status(await gate.send("+447700900777"), "sent", "delivered")
            assert (await left(gate))["amount"] == "3"
            await later(gate, ahead, DAY, "credit 99")
            await gate.event("balance", amount="99")
            gate.sim.modems[0].insert(OTHER)  # another SIM has another balance
            gate.sim.network.ussd["*101#"] = "credit 7"
            await gate.event("balance", amount="7")

    asyncio.run(flow())


def test_an_answer_of_no_use_is_said_and_asked_again_after_an_hour(tmp_path: Path) -> None:
    async def flow() -> None:
        ahead = {"ahead": 0}
        async with asked(tmp_path, ahead, "No service") as gate:
            await gate.event("balance_unknown", channel="modem0")
            problem = await left(gate, 503)
            assert problem["code"] == "balance_unknown"
            assert "balance_pattern" in problem["detail"]
            assert "No service" not in problem["detail"]
            await later(gate, ahead, HOUR, "credit 8.00")
            await gate.event("balance", amount="8.00")
            assert (await left(gate))["amount"] == "8.00"
            del gate.sim.network.ussd["*101#"]
            ahead["ahead"] += DAY
            gate.app.balances.wake()
            await gate.event("balance_unknown")
            assert (await left(gate))["amount"] == "8.00"  # what was known is still shown, with the reason
            assert (await gate.http.get("/v1/channels/modem0")).json()["balance"]["problem"]

    asyncio.run(flow())


def test_nobody_asks_where_nothing_is_set(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path) as gate:
            assert (await left(gate, 409))["code"] == "not_offered"
            assert (await gate.http.get("/v1/channels/modem0")).json()["balance"] is None

    asyncio.run(flow())
