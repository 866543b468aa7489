"""The promise itself: killed at random moments, the daemon loses nothing and sends nothing twice unless it says so.

Three independent ledgers are joined: what the client was promised, what the network took, what the store says. The
checker shares no code with the product.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from drivers.simulator import Simulation

KILLS = 30
MESSAGES = 300
PATIENCE = 90.0

CONFIG = """
[service]
state_dir = "{state}"
listen = "127.0.0.1:0"
log_level = "warning"

[sending]
evidence_window = "4s"
retry = ["1s"]

[[modem]]
id = "left"
port = "{left}"
poll = "2s"

[[modem]]
id = "right"
port = "{right}"
poll = "2s"
"""


class Daemon:
    """`gsmbridge run` as a user starts it."""

    def __init__(self, config: Path, state: Path, environment: dict[str, str] | None = None) -> None:
        self._config = config
        self._environment = {**os.environ, **(environment or {})}
        self.socket = state / "gsmbridge.sock"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bridge.cli", "run", "--config", str(self._config)), env=self._environment
        )

    async def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    async def stop(self) -> int:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return await self._process.wait()

    def client(self) -> httpx.AsyncClient:
        transport = httpx.AsyncHTTPTransport(uds=str(self.socket))
        return httpx.AsyncClient(transport=transport, base_url="http://gsmbridge", timeout=10)

    async def answering(self) -> None:
        async with asyncio.timeout(PATIENCE), self.client() as http:
            while True:
                with suppress(httpx.HTTPError):
                    if (await http.get("/readyz")).status_code == 200:
                        return
                await asyncio.sleep(0.01)  # there is nothing to wait on before the socket exists


async def order(daemon: Daemon, number: int) -> tuple[str, str, str]:
    """One order with its key, repeated until it is answered: what a careful client does."""
    policy = "at_most_once" if number % 2 else "at_least_once"
    text = f"text {number}"
    body = {"to": f"+4477009{number:05}", "text": text, "policy": policy, "valid_for": 3600}
    while True:
        with suppress(httpx.HTTPError):
            async with daemon.client() as http:
                answer = await http.post("/v1/messages", json=body, headers={"Idempotency-Key": f"order-{number}"})
                if answer.status_code == 202:
                    return answer.json()["id"], text, policy
                assert answer.status_code == 503, answer.text
        await asyncio.sleep(0.02)


async def everything_at_rest(daemon: Daemon) -> list[dict[str, Any]]:
    """All messages, once none is on its way. Messages in doubt under at_most_once rest until their deadline."""
    async with asyncio.timeout(PATIENCE), daemon.client() as http:
        while True:
            messages: list[dict[str, Any]] = []
            cursor: str | None = None
            while True:
                page = (
                    await http.get("/v1/messages", params={"limit": 200, **({"cursor": cursor} if cursor else {})})
                ).json()
                messages += page["items"]
                cursor = page["next"]
                if not cursor:
                    break
            moving = {"queued", "sending", "retry_wait"}
            if not any(
                m["status"] in moving or (m["status"] == "in_doubt" and m["policy"] != "at_most_once") for m in messages
            ):
                return messages
            await asyncio.sleep(0.2)


def seeded() -> Random:
    """Said in the output, so that a run that failed can be made again."""
    seed = int(os.environ.get("KILL_SEED", "20261121"))
    print(f"KILL_SEED={seed}")
    return Random(seed)


def daemon_of(sim: Simulation, directory: Path, more: str = "") -> Daemon:
    """On the first two modems. `more`: further tables of its configuration."""
    state, config = directory / "state", directory / "gsmbridge.toml"
    config.write_text(CONFIG.format(state=state, left=sim.modems[0].port, right=sim.modems[1].port) + more)
    return Daemon(config, state)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_nothing_is_lost_and_nothing_doubled_in_silence(tmp_path: Path) -> None:
    random = seeded()

    async def run() -> None:
        async with Simulation(modems=2, delay=0.08, reports=0.3) as sim:
            daemon = daemon_of(sim, tmp_path)
            await daemon.start()

            async def client() -> list[tuple[str, str, str]]:
                promised = []
                for number in range(MESSAGES):
                    promised.append(await order(daemon, number))
                    await asyncio.sleep(random.uniform(0, 0.12))
                return promised

            async def killer() -> None:
                for _ in range(KILLS):
                    await daemon.answering()
                    await asyncio.sleep(random.uniform(0.0, 1.2))
                    await daemon.kill()
                    await daemon.start()

            promised, _ = await asyncio.gather(client(), killer())
            await daemon.answering()
            stored = await everything_at_rest(daemon)
            assert await daemon.stop() == 0
            join(promised, [str(e.text) for e in sim.network.ledger], stored)

    asyncio.run(run())


def join(promised: list[tuple[str, str, str]], taken: list[str], stored: list[dict[str, Any]]) -> None:
    by_id = {m["id"]: m for m in stored}
    on_air = Counter(taken)
    lost = [text for id, text, _ in promised if id not in by_id]
    assert not lost, f"promised and not in the store: {lost}"
    assert len({id for id, _, _ in promised}) == MESSAGES
    doubts = 0
    for id, text, policy in promised:
        message = by_id[id]
        sends = on_air[text]
        assert message["status"] in {"sent", "delivered", "in_doubt"}, json.dumps(message)
        doubts += message["status"] == "in_doubt"
        if message["status"] != "in_doubt":
            assert sends >= 1, f"{text} is said to be {message['status']} and was never sent"
        if policy == "at_most_once":
            assert sends <= 1, f"{text} was sent {sends} times although at most once was asked"
        if sends > 1:
            assert message["possible_duplicate"], f"{text} was sent {sends} times in silence"
    print(f"{MESSAGES} promised, {sum(on_air.values())} on the air, {doubts} still in doubt")
