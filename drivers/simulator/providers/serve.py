"""`gsmbridge simulate --providers`: the fakes as a process of their own, until it is stopped."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from drivers.simulator.providers.faults import Fault
from drivers.simulator.providers.simulation import NAMES, ProviderSimulation

__all__ = ["serve_providers"]


async def serve_providers(
    names: Iterable[str] = NAMES,
    *,
    host: str = "127.0.0.1",
    ports: Mapping[str, int] | None = None,
    ledger: Path | None = None,
    faults: Mapping[str, Iterable[Fault]] | None = None,
    callbacks: Mapping[str, str] | None = None,
    seed: int = 0,
    as_json: bool = False,
    say: Callable[[str], None] = print,
    stopped: asyncio.Event | None = None,
) -> None:
    """Open the providers, say where they are and how to log in, and stay until `stopped` is set; without one, until
    SIGINT or SIGTERM. `ledger`: a folder. `callbacks`: our address for each provider that should call us.

    Raises ValueError for a name that does not exist, OSError for a port or path that cannot be used.
    """
    if stopped is None:
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with ProviderSimulation(names, host=host, ports=ports, ledger=ledger, seed=seed) as simulation:
        for name, rules in (faults or {}).items():
            simulation.set_faults(name, *rules)
        for name, url in (callbacks or {}).items():
            simulation.account(name).callback = url
        for line in _introduction(simulation) if as_json else _table(simulation):
            say(line)
        sys.stdout.flush()  # the reader may be a program that waits for it
        await stopped.wait()


LOGIN = ("api_id", "login", "password", "key", "secret", "token", "callback_secret")


def _introduction(simulation: ProviderSimulation) -> list[str]:
    """One line of JSON. The credentials are those of a game and open nothing."""
    told = {
        name: {"url": simulation.url(name)}
        | {field: value for field in LOGIN if (value := getattr(simulation.account(name), field))}
        for name in simulation.names
    }
    return [msgspec.json.encode({"providers": told}).decode()]


def _table(simulation: ProviderSimulation) -> list[str]:
    rows = []
    for name in simulation.names:
        account = simulation.account(name)
        login = ", ".join(f"{field} {value}" for field in LOGIN if (value := getattr(account, field)))
        rows.append(f"{name:<10}  {simulation.url(name):<24}  {login}")
    return [f"{'PROVIDER':<10}  {'ADDRESS':<24}  ACCOUNT", *rows, "Ready. Ctrl-C ends it."]
