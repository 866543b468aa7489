"""What the operator and the client see when something is wrong with a modem, a disk or a database."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bridge.app import running
from bridge.config import Modem, Settings
from bridge.store import NewerDatabase, StoreInUse
from drivers.simulator import Simulation
from tests.flows.gateway import PATIENCE, gateway, settings_for

ALICE = "+447700900900"


def test_a_locked_sim_blocks_the_channel_and_says_what_to_do(tmp_path: Path) -> None:
    async def flow() -> None:
        def lock(sim: Simulation) -> None:
            sim.modems[0].sim.pin = "1234"
            sim.modems[0].reboot()

        async with gateway(tmp_path, modems=2, before=lock, up=1) as gate:
            channel = gate.app.channels["modem0"]
            if channel.state != "blocked":
                await gate.event("channel_blocked", channel="modem0")
            channels = {c["id"]: c for c in (await gate.http.get("/v1/channels")).json()["items"]}
            assert channels["modem0"]["state"] == "blocked"
            assert "PIN" in channels["modem0"]["reason"]
            id = await gate.send(ALICE)
            message = await gate.status(id, "delivered")
            assert message["attempts"][0]["channel"] == "modem1"

    asyncio.run(flow())


def test_a_port_that_is_no_modem_is_named_and_the_rest_works(tmp_path: Path) -> None:
    async def flow() -> None:
        def dull(settings: Settings) -> Settings:
            odd = Modem(id="odd", port="/dev/null", poll=1.0)
            return msgspec.structs.replace(settings, modems=(*settings.modems, odd))

        async with gateway(tmp_path, settings=dull) as gate:
            id = await gate.send(ALICE)
            await gate.status(id, "delivered")
            odd: dict[str, Any] = {}
            async with asyncio.timeout(PATIENCE):
                while "/dev/null" not in (odd.get("reason") or ""):  # it has not been tried yet
                    odd = (await gate.http.get("/v1/channels/odd")).json()
            assert odd["state"] == "down"

    asyncio.run(flow())


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path):
            pass
        database = tmp_path / "state" / "gsmbridge.sqlite"
        connection = sqlite3.connect(database)
        connection.execute("UPDATE migrations SET number = number + 1000")
        connection.commit()
        connection.close()
        with pytest.raises(NewerDatabase, match="newer"):
            async with gateway(tmp_path):
                pass

    asyncio.run(flow())


def test_two_services_never_share_a_database(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path) as gate:
            settings = settings_for(tmp_path, gate.sim, [{}], {})
            with pytest.raises(StoreInUse):
                async with running(settings):
                    pass

    asyncio.run(flow())


def test_what_expires_while_no_modem_is_up_is_never_sent(tmp_path: Path) -> None:
    clock: dict[str, Any] = {"ahead": 0}

    async def flow() -> None:
        async with gateway(tmp_path, now_ahead=clock) as gate:
            gate.sim.modems[0].unplug()
            await gate.event("channel_down", channel="modem0")
            id = await gate.send(ALICE, valid_for=60)
            clock["ahead"] = 61_000
            gate.sim.modems[0].replug()
            message = await gate.status(id, "expired")
            assert message["code"] == "expired"
            assert gate.texts() == []

    asyncio.run(flow())
