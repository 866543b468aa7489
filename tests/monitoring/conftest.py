"""What a running service exports, asked once: texts went out and came in, a webhook was called, a limit was counted."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import msgspec
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from bridge.config import Settings, Timing
from drivers.contract import Repair, RepairState
from drivers.simulator.simulation import Simulation
from tests.flows.gateway import gateway
from tests.webhooks.support import LOCAL, receiver

CAROL = "+447700900777"


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("metrics")

    def with_webhooks(settings: Settings) -> Settings:
        noon = Timing(zone=f"Etc/GMT{datetime.now(UTC).hour - 12:+d}")  # now: what is counted by the day stays counted
        return msgspec.structs.replace(settings, webhooks=LOCAL, timing=noon)

    def with_credit(sim: Simulation) -> None:
        sim.network.ussd["*101#"] = "Credit 20.50"

    async def flow() -> str:
        async with (
            receiver() as hook,
            gateway(
                directory,
                options=[{"per_day": 10, "balance_ussd": "*101#", "balance_currency": "PLN"}],
                before=with_credit,
                providers=("smsc",),
                settings=with_webhooks,
            ) as gate,
        ):
            made = await gate.http.post("/v1/webhooks", json={"url": hook.url, "events": ["message.delivered"]})
            assert made.status_code == 201, made.text
            await gate.status(await gate.send(CAROL, channel="modem0"), "delivered")
            await gate.status(await gate.send(CAROL, channel="smsc"), "delivered")
            gate.sim.network.inject(gate.sim.modems[0].number, "Yes", sender=CAROL)
            await gate.event("received")
            modem = gate.app.channels["modem0"]
            await modem.accept(Repair(state=RepairState.BEGUN, rung="radio"))
            await modem.accept(Repair(state=RepairState.CURED, rung="radio", steps=1, seconds=2.0))
            await hook.count(2)
            async with asyncio.timeout(60):
                while True:  # the try is written down after the receiver has answered
                    text = (await gate.http.get("/metrics")).text
                    credit = sample(text, "gsmbridge_channel_balance", channel="modem0", currency="PLN")
                    if credit == 20.5 and sample(text, "gsmbridge_webhook_delivery_seconds_count") == 2:
                        return text

    return asyncio.run(flow())


@pytest.fixture(scope="session")
def families(exported: str) -> dict[str, Metric]:
    """By the name in the exposition, without `_total`."""
    return {family.name: family for family in text_string_to_metric_families(exported)}


def sample(text: str, name: str, **labels: str) -> float:
    """The sum of the samples with these labels."""
    return sum(
        s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
        if s.name == name and labels.items() <= s.labels.items()
    )
