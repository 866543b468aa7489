"""`gsmbridge simulate`: simulated modems as a process of their own, until it is stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from drivers.simulator.control import serve_control, told
from drivers.simulator.faults import load
from drivers.simulator.simulation import Simulation

__all__ = ["run", "serve"]


def run(
    *,
    modems: int = 1,
    directory: Path | None = None,
    profile: str = "generic",
    delay: float = 0.0,
    reports: float | None = 2.0,
    ledger: Path | None = None,
    faults: Path | None = None,
    control: Path | None = None,
    pin: str | None = None,
    seed: int = 0,
    as_json: bool = False,
    say: Callable[[str], None] = print,
) -> None:
    """Simulate until SIGINT or SIGTERM. Raises ValueError for what cannot be (knobs too), OSError for paths."""
    knobs, network = load(faults, reports=reports)
    simulation = Simulation(
        modems,
        profile=profile,
        delay=delay,
        directory=directory,
        ledger=ledger,
        faults=knobs,
        network=network,
        pin=pin,
        seed=seed,
    )
    running = serve(simulation, control=control, ledger=ledger, as_json=as_json, say=say)
    try:
        import uvloop
    except ImportError:
        asyncio.run(running)
    else:
        uvloop.run(running)


async def serve(
    simulation: Simulation,
    *,
    control: Path | None = None,
    ledger: Path | None = None,
    as_json: bool = False,
    say: Callable[[str], None] = print,
) -> None:
    """Open the modems, say what they are called, and stay until a signal."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with simulation:
        server = None if control is None else await serve_control(simulation, control)
        for line in _introduction(simulation, control, ledger) if as_json else _table(simulation):
            say(line)
        sys.stdout.flush()  # the reader may be a program that waits for it
        await stopped.wait()
        if server is not None and control is not None:
            server.close()
            os.unlink(control)


def _introduction(simulation: Simulation, control: Path | None, ledger: Path | None) -> list[str]:
    content = {
        "modems": [told(modem) for modem in simulation.modems],
        "control": control and str(control),
        "ledger": ledger and str(ledger),
    }
    return [msgspec.json.encode(content).decode()]


def _table(simulation: Simulation) -> list[str]:
    modems = simulation.modems
    width = max(len(modem.port) for modem in modems)
    lines = [f"{'PORT':<{width}}  {'NUMBER':<13}  {'IMEI':<15}  ICCID"]
    lines += [f"{modem.port:<{width}}  {modem.number:<13}  {modem.imei:<15}  {modem.iccid}" for modem in modems]
    return [*lines, "Ready. Ctrl-C ends it."]
