"""`python -m benchmarks.soak [--minutes 10]`: the service for long with a fault every five seconds.

Three simulated modems, texts all the time, and every five seconds something goes wrong on one of them. Shown at the
end: memory and file descriptors of the service, and what became of every text. Exit status 1 when something was lost,
doubled in silence, or when memory or descriptors grew."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import httpx

from benchmarks.processes import gsmbridge
from drivers.simulator import Answer, SendFault, Simulation
from drivers.simulator.simulation import SimulatedModem
from tests.flows.ledgers import join

EVERY = 5.0  # seconds between two faults
MODEMS = 3
RATE = 5.0  # texts a second
REST = 960.0  # seconds in which everything comes to rest at the end: a channel may have been paused for 15 minutes
GROWTH = 8 << 20  # octets from the middle of the run to its end that are no leak
MOVING = {"queued", "sending", "retry_wait"}

CONFIG = """
[service]
state_dir = "{folder}/state"
listen = "127.0.0.1:0"
log_level = "error"
ports = ["{folder}/dev/*"]

[sending]
evidence_window = "10s"
retry = ["1s"]
max_tries = 1000
"""
MODEM = '\n[[modem]]\nid = "modem{n}"\nport = "{port}"\npoll = "2s"\nresult_timeout = "10s"\n'


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gsmbridge-soak-") as folder:
        return asyncio.run(_run(Path(folder), given.minutes * 60, Random(given.seed)))


async def _run(folder: Path, seconds: float, random: Random) -> int:
    async with Simulation(modems=MODEMS, delay=0.2, reports=0.5, directory=folder / "dev", seed=1) as sim:
        config = folder / "config.toml"
        modems = "".join(MODEM.format(n=n, port=modem.port) for n, modem in enumerate(sim.modems))
        config.write_text(CONFIG.format(folder=folder) + modems)
        service = await asyncio.create_subprocess_exec(*gsmbridge("run", "--config", str(config)))
        transport = httpx.AsyncHTTPTransport(uds=str(folder / "state/gsmbridge.sock"))
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://gsmbridge", timeout=30) as http:
                return await _soak(sim, http, service.pid, seconds, random)
        finally:
            with suppress(ProcessLookupError):
                service.send_signal(signal.SIGTERM)
            await service.wait()


async def _soak(sim: Simulation, http: httpx.AsyncClient, pid: int, seconds: float, random: Random) -> int:
    await _ready(http)
    end = monotonic() + seconds
    promised: list[tuple[str, str, str]] = []
    seen: list[tuple[int, int]] = []

    async def client() -> None:
        while monotonic() < end:
            number = len(promised)
            policy = "at_most_once" if number % 2 else "at_least_once"
            text = f"text {number}"
            body = {"to": f"+4477009{number % 100_000:05}", "text": text, "policy": policy, "valid_for": 3600}
            answer = await http.post("/v1/messages", json=body)
            answer.raise_for_status()
            promised.append((answer.json()["id"], text, policy))
            await asyncio.sleep(random.expovariate(RATE))

    async def trouble() -> None:
        while monotonic() < end:
            seen.append((_memory(pid), _descriptors(pid)))
            modem = random.choice(sim.modems)
            name, do = random.choice(list(_FAULTS.items()))
            await do(modem, len(seen))
            left = end - monotonic()
            print(
                f"{left:5.0f} s left  {name:<12} {modem.link.name:<8} {seen[-1][0] >> 10} KiB, "
                f"{seen[-1][1]} descriptors, "
                f"{len(promised)} ordered, {sim.network.ledger.total} on the air",
                flush=True,
            )
            await asyncio.sleep(EVERY)

    await asyncio.gather(client(), trouble())
    for modem in sim.modems:
        modem.set_faults(sends=(), deaf=False, zombie_until=None)
        modem.modem.register(1)
        if not modem.plugged:
            modem.replug()
    stored = await _at_rest(http, promised)
    doubts = join(promised, [str(entry.text) for entry in sim.network.ledger], stored)
    flagged = sum(bool(m["possible_duplicate"]) for m in stored)
    half = seen[len(seen) // 2 :]
    grown, more = half[-1][0] - half[0][0], half[-1][1] - min(d for _, d in half)
    print(
        f"{len(promised)} ordered, {sim.network.ledger.total} on the air, {flagged} flagged as possible duplicates, "
        f"{doubts} in doubt for good; none lost, none doubled in silence.\n"
        f"{len(seen)} faults. Second half: memory {grown >> 10:+} KiB to {half[-1][0] >> 10} KiB, "
        f"descriptors {more:+} to {half[-1][1]}."
    )
    return 1 if grown > GROWTH or more > 10 else 0


# --- What goes wrong --------------------------------------------------------------------------------------------------


async def _unplug(modem: SimulatedModem, _turn: int) -> None:
    modem.unplug()
    await asyncio.sleep(1.0)
    modem.replug()


async def _rename(modem: SimulatedModem, turn: int) -> None:
    modem.rename(f"tty{turn}")


async def _reboot(modem: SimulatedModem, _turn: int) -> None:
    modem.reboot()


async def _answer_lost(modem: SimulatedModem, _turn: int) -> None:
    modem.set_faults(sends=(SendFault(taken=True, answer=Answer.NONE),))


async def _refused(modem: SimulatedModem, _turn: int) -> None:
    modem.set_faults(sends=(SendFault(times=3, code=42),))


async def _zombie(modem: SimulatedModem, turn: int) -> None:
    modem.set_faults(zombie_until=CURES[turn % 2])


async def _deaf(modem: SimulatedModem, _turn: int) -> None:
    modem.set_faults(deaf=True)
    await asyncio.sleep(3.0)
    modem.set_faults(deaf=False)


async def _no_network(modem: SimulatedModem, _turn: int) -> None:
    modem.modem.register(2)
    await asyncio.sleep(2.0)
    modem.modem.register(1)


CURES = ("reregister", "radio")
_FAULTS: dict[str, Callable[[SimulatedModem, int], Any]] = {
    "unplug": _unplug,
    "rename": _rename,
    "reboot": _reboot,
    "answer lost": _answer_lost,
    "refused": _refused,
    "zombie": _zombie,
    "deaf": _deaf,
    "no network": _no_network,
}


# --- What is looked at ------------------------------------------------------------------------------------------------


def _memory(pid: int) -> int:
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def _descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


async def _ready(http: httpx.AsyncClient) -> None:
    """Every modem has been seen once: one that is renamed before is not known to anybody under its new name."""
    async with asyncio.timeout(60):
        while True:
            with suppress(httpx.HTTPError):
                channels = (await http.get("/v1/channels")).json()["items"]
                if all(c["state"] == "up" for c in channels):
                    return
            await asyncio.sleep(0.05)


async def _at_rest(http: httpx.AsyncClient, promised: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
    """All messages, once none moves. Those that do not move any more are not asked again."""
    resting: dict[str, dict[str, Any]] = {}
    told = monotonic()
    async with asyncio.timeout(REST):
        while True:
            for id, _, _ in promised:
                if id not in resting:
                    message = (await http.get(f"/v1/messages/{id}")).json()
                    doubtful = message["status"] == "in_doubt" and message["policy"] != "at_most_once"
                    if message["status"] not in MOVING and not doubtful:
                        resting[id] = message
            if len(resting) == len(promised):
                return list(resting.values())
            if monotonic() >= told:
                told += 30.0
                print(f"{len(promised) - len(resting)} not at rest; {await _channels(http)}", flush=True)
            await asyncio.sleep(1.0)


async def _channels(http: httpx.AsyncClient) -> str:
    found = (await http.get("/v1/channels")).json()["items"]
    return ", ".join(f"{c['id']} {'paused ' if c['paused_until'] else ''}{c['code'] or c['state']}" for c in found)


if __name__ == "__main__":
    sys.exit(main())
