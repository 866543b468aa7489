"""What is told of incoming messages, opt-outs and calls to whoever listens."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from bridge.config import InboundRule, InboundSettings, Settings
from bridge.endpoints import Endpoint, EndpointKind
from bridge.events import SHAPES, Event
from drivers.simulator.pdus import PDUS
from tests.flows.gateway import Gateway, gateway

CAROL = "+447700900777"
DAVE = "+447700900778"
RULE = InboundRule(name="orders", prefixes=("ORDER ",), forward=("whk_0d1tk58v2e8r7",))


def listening(settings: Settings) -> Settings:
    inbound = InboundSettings(deny_from=(DAVE,), opt_out_answer="", opt_in_answer="")
    return msgspec.structs.replace(settings, inbound=inbound, inbound_rules=(RULE,))


async def told(gate: Gateway) -> list[Event]:
    """The events that are not about our own messages, each of the shape that its type has."""
    found = await gate.app.store.read(lambda view: view.events(0, 1000))
    for event in found:
        msgspec.convert(event.data, SHAPES[event.type])
    return [e for e in found if not e.type.startswith(("message.queued", "message.sent", "message.deliv", "channel."))]


def test_each_is_told_once_with_what_it_is_about(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, settings=listening, options=[{"calls": "hang_up"}]) as gate:
            listener = Endpoint(id=1, kind=EndpointKind.WEBHOOK, created_at=0, url="https://nobody.example/")
            await gate.app.store.write(lambda changes: changes.add_endpoint(listener))
            id = await gate.send(CAROL, "Which one?", ref="q1")
            await gate.status(id, "sent", "delivered")
            modem = gate.sim.modems[0]
            for text, sender in (
                ("order 7", CAROL),
                ("spam", DAVE),
                ("Code 1", "MyBank"),
                ("STOP", CAROL),
                ("START", CAROL),
            ):
                gate.sim.network.inject(modem.number, text, sender=sender)
                await gate.event("withheld" if sender == DAVE else "received")
            gate.sim.network.inject_pdu(modem.number, PDUS["D12"])
            await gate.event("received")
            modem.modem.ring(CAROL, times=1)
            await gate.event("call_missed")
            events = await told(gate)
            assert [e.type.value for e in events] == [
                "reply.received", "message.received", "optout.added", "reply.received", "optout.removed",
                "reply.received", "message.received", "call.missed",
            ]  # fmt: skip
            reply: dict[str, Any] = events[0].data
            assert reply["in_reply_to"] == {"message": id, "ref": "q1", "confidence": "only_candidate"}
            assert reply["forward"] == ["whk_0d1tk58v2e8r7"]
            assert (reply["content"], events[0].party) == ({"type": "text", "text": "order 7"}, CAROL)
            assert "forward" not in events[1].data
            added, removed = events[2], events[4]
            assert (added.data["number"], added.data["word"], added.data["channel"]) == (CAROL, "STOP", "modem0")
            assert (removed.data["number"], removed.data["word"]) == (CAROL, "START")
            assert added.data["inbound"] == (await gate.inbound())[2]["id"]
            assert events[6].data["content"]["type"] == "mms_notification"
            assert (events[7].data["caller"], events[7].party) == (CAROL, CAROL)
            assert [e.number for e in events if e.key == events[0].key] == [1, 2, 3, 4]

    asyncio.run(flow())
