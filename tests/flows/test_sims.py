"""Modems and SIMs that change places: nothing goes out by the wrong SIM, the right one completes what it began."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from drivers.simulator import SendFault, Stage, Then
from drivers.simulator.simulation import identity
from tests.flows.gateway import Gateway, gateway

ALICE = "+447700900900"
LONG = "0123456789" * 20
FIRST, SECOND = LONG[:153], LONG[153:]
STOPS_AFTER_THE_FIRST_PART = (SendFault(stage=Stage.PROMPT, first=2, code=302, then=Then.UNPLUG),)


async def half_sent(gate: Gateway, **options: object) -> str:
    """A long text of which modem0 has sent the first part; the modem is unplugged then."""
    gate.sim.modems[0].set_faults(sends=STOPS_AFTER_THE_FIRST_PART)
    id = await gate.send(ALICE, LONG, channel="modem0", **options)
    await gate.event("channel_down", channel="modem0")
    assert gate.texts() == [FIRST]
    return id


def test_the_rest_of_a_text_follows_its_sim_into_another_modem(tmp_path: Path) -> None:
    """Fault 27: two cards are exchanged."""

    async def flow() -> None:
        async with gateway(tmp_path, modems=2, reports=None) as gate:
            id = await half_sent(gate)
            one, other = gate.sim.modems
            first, second = one.sim, other.sim
            other.unplug()
            one.insert(second)
            other.insert(first)
            one.set_faults(sends=())
            one.replug()
            other.replug()
            message = await gate.status(id, "sent", "failed")
            assert gate.texts() == [FIRST, SECOND]
            assert {e.iccid for e in gate.sim.network.ledger} == {first.iccid}
            assert not message["possible_duplicate"]
            assert [a["channel"] for a in message["attempts"] if a["state"] == "accepted"] == ["modem0", "modem1"]

    asyncio.run(flow())


@pytest.mark.parametrize("policy", ["at_most_once", "at_least_once"])
def test_when_the_sim_is_gone_the_policy_decides(tmp_path: Path, policy: str) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, reports=None) as gate:
            id = await half_sent(gate, policy=policy)
            modem = gate.sim.modems[0]
            modem.set_faults(sends=())
            modem.insert(identity(7))
            modem.replug()
            message = await gate.status(id, "sent", "failed")
            if policy == "at_most_once":
                assert (message["status"], message["code"]) == ("failed", "partly_sent")
                assert gate.texts() == [FIRST]
            else:
                assert (message["status"], message["possible_duplicate"]) == ("sent", True)
                assert gate.texts() == [FIRST, FIRST, SECOND]
                assert len({e.iccid for e in list(gate.sim.network.ledger)[1:]}) == 1

    asyncio.run(flow())


def test_two_modems_that_change_ports_keep_their_channels(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, modems=2, reports=None) as gate:
            one, other = gate.sim.modems
            name, other_name = one.link.name, other.link.name
            one.unplug()
            other.unplug()
            await gate.event("channel_down", channel="modem0")
            one.replug(other_name)
            other.replug(name)
            for channel, modem in (("modem0", one), ("modem1", other)):
                while gate.app.channels[channel].state != "up":
                    await gate.event("channel_up")
                id = await gate.send(ALICE, f"by {channel}", channel=channel)
                await gate.status(id, "sent")
                entry = list(gate.sim.network.ledger)[-1]
                assert (entry.text, entry.iccid) == (f"by {channel}", modem.iccid)

    asyncio.run(flow())


def test_a_sim_exchanged_without_a_word_is_noticed_by_its_subscriber(tmp_path: Path) -> None:
    """No notification, no replug: the modem just has another card."""

    async def flow() -> None:
        async with gateway(tmp_path, reports=None) as gate:
            modem = gate.sim.modems[0]
            before = gate.app.channels["modem0"].sim
            new = identity(9)
            modem.modem.sim = new
            modem.modem.network.join(new, modem.modem)
            modem.modem.announce("+CPIN: READY")
            while gate.app.channels["modem0"].sim == before:
                await gate.event("channel_up", channel="modem0")
            assert gate.app.channels["modem0"].sim == new.iccid

    asyncio.run(flow())
