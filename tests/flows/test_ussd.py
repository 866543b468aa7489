"""USSD through the API, against simulated modems, while texts go."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import sys
from pathlib import Path
from typing import Any

import pytest

from drivers.simulator.clock import SteppedClock
from tests.flows.gateway import PATIENCE, Gateway, gateway

CAROL = "+447700900777"


async def said(gate: Gateway, expected: int = 200, channel: str = "modem0", **body: Any) -> dict[str, Any]:
    answer = await gate.http.post(f"/v1/channels/{channel}/ussd", json=body)
    assert answer.status_code == expected, answer.text
    return dict(answer.json())


@pytest.mark.parametrize("form", ["plain", "packed", "ucs2", "octets"])
def test_a_menu_in_every_form_while_texts_go(tmp_path: Path, form: str) -> None:
    async def flow() -> None:
        async with gateway(tmp_path) as gate:
            gate.sim.modems[0].set_faults(ussd_form=form)
            modem = gate.sim.modems[0].modem
            running, standing = modem.clock, SteppedClock()
            standing.advance(running.monotonic())
            modem.clock = standing  # the network says nothing until it moves, however slow the machine is
            asked = asyncio.create_task(said(gate, code="*111#"))
            async with asyncio.timeout(PATIENCE):
                while not modem.settings.ussd.number:  # noqa: ASYNC110 the simulation tells nobody
                    await asyncio.sleep(0.01)
            id = await gate.send(CAROL)
            await gate.status(id, "sent", "delivered")
            assert not asked.done()
            standing.advance(1.0)
            modem.clock = running
            assert await asked == {"channel": "modem0", "text": "1 Balance\n2 Top-up", "state": "waits"}
            await gate.status(await gate.send(CAROL, "in between"), "sent", "delivered")
            assert (await said(gate, reply="2"))["state"] == "waits"
            assert await said(gate, reply="4711") == {"channel": "modem0", "text": "Thanks", "state": "ended"}
            assert gate.sim.modems[0].modem.intrusions == 0

    asyncio.run(flow())


def test_what_cannot_be_said_is_refused_with_a_reason(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, providers=("mobizon",)) as gate:
            assert (await said(gate, 404, "modem9", code="*100#"))["code"] == "channel_not_found"
            assert (await said(gate, 409, "mobizon", code="*100#"))["code"] == "not_offered"
            assert (await said(gate, 422))["code"] == "conflict"
            assert (await said(gate, 422, code="*100#", reply="1"))["code"] == "conflict"
            assert (await said(gate, 422, code='*100#"'))["code"] == "ussd_not_possible"
            assert (await said(gate, 422, code=""))["code"] == "out_of_range"
            assert (await said(gate, 409, reply="1"))["code"] == "ussd_not_open"
            assert (await said(gate, 502, code="*999#"))["code"] == "ussd_failed"
            await said(gate, code="*111#")
            assert (await said(gate, 409, code="*100#"))["code"] == "ussd_open"
            ended = await gate.http.delete("/v1/channels/modem0/ussd")
            assert ended.json()["state"] == "ended"
            assert (await gate.http.delete("/v1/channels/modem0/ussd")).status_code == 200
            gate.sim.modems[0].set_faults(ussd_ignored=1)
            assert (await said(gate, 504, code="*100#", within=1))["code"] == "ussd_no_answer"
            gate.sim.modems[0].unplug()
            await gate.event("channel_down")
            assert (await said(gate, 503, code="*100#"))["code"] == "channel_down"

    asyncio.run(flow())


def test_a_modem_that_sends_nothing_in_an_open_session_loses_the_session_and_not_the_text(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, retry=(0.1,)) as gate:
            gate.sim.modems[0].set_faults(ussd_blocks=True)
            await said(gate, code="*111#")
            await gate.status(await gate.send(CAROL, "important"), "sent", "delivered")
            assert gate.texts() == ["important"]
            assert (await said(gate, 409, reply="1"))["code"] == "ussd_not_open"

    asyncio.run(flow())


async def command(gate: Gateway, tmp_path: Path, *arguments: str, keys: bytes | None = None) -> tuple[int, str, str]:
    """`gsmbridge modem ussd modem0 ...`; `keys`: what is typed at a terminal."""
    config = tmp_path / "config.toml"
    config.write_text(f'[service]\nsocket = "{gate.app.settings.service.socket}"\n')
    line = (sys.executable, "-m", "bridge.cli", "modem", "ussd", "modem0", *arguments, "--config", str(config))
    host, terminal = pty.openpty()
    stdin = asyncio.subprocess.DEVNULL if keys is None else terminal
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*line, stdin=stdin, stdout=pipe, stderr=pipe)
    os.close(terminal)
    if keys:
        os.write(host, keys)
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    os.close(host)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def test_the_command_goes_through_menus(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path) as gate:
            assert await command(gate, tmp_path, "*100#") == (0, "Balance 10\n", "")
            status, out, _ = await command(gate, tmp_path, "*111#", keys=b"2\n4711\n")
            assert (status, out.splitlines()[0]) == (0, "1 Balance")
            assert out.endswith("Thanks\n")
            status, out, _ = await command(gate, tmp_path, "*111#", "--reply", "1", "-o", "json")
            assert [(step["text"], step["state"]) for step in json.loads(out)["steps"]] == [
                ("1 Balance\n2 Top-up", "waits"),
                ("Balance 10", "ended"),
            ]
            status, out, err = await command(gate, tmp_path, "*111#")
            assert (status, out) == (0, "1 Balance\n2 Top-up\n")
            assert "--reply" in err
            status, out, err = await command(gate, tmp_path, "*999#")  # and the last session was ended
            assert (status, out) == (69, "")
            assert "does not know this code" in err

    asyncio.run(flow())
