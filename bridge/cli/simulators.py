"""`simulate`: modems and providers that exist only here, until somebody stops them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.exits import Exit, Stop
from bridge.cli.options import OutputOption
from bridge.cli.output import Form

__all__ = ["simulate"]


def simulate(
    modems: Annotated[int, typer.Option(min=0, max=64, help="How many modems; 0 with --providers only.")] = 1,
    dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where their ports are linked as modem0, modem1 ...")
    ] = None,
    profile: Annotated[str, typer.Option(help="The kind of modem: generic, huawei, simcom, quectel ...")] = "generic",
    delay: Annotated[float, typer.Option(min=0, help="Seconds from a text to its +CMGS.")] = 0.0,
    reports: Annotated[
        float, typer.Option(help="Seconds from there to the delivery report; a negative number for no reports.")
    ] = 1.0,
    ledger: Annotated[Path | None, typer.Option(metavar="FILE", help="Append each PDU that the network took.")] = None,
    faults: Annotated[Path | None, typer.Option(metavar="FILE", help="Knobs of misbehaviour, JSON or TOML.")] = None,
    control: Annotated[Path | None, typer.Option(metavar="SOCKET", help="Unix socket to steer it by.")] = None,
    providers: Annotated[
        bool, typer.Option("--providers", help="The five providers too, on ports of 127.0.0.1.")
    ] = False,
    provider_ledger: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write what each provider took into a file there.")
    ] = None,
    callback: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=URL", help="Address that a provider calls with reports and replies; repeatable."),
    ] = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Simulated modems on ptys, joined by a simulated network. Any AT software can use them. Runs until Ctrl-C."""
    if not modems and not providers:
        raise Stop(Exit.USAGE, "--modems 0 leaves nothing to simulate", "Add --providers.")
    if not providers and (provider_ledger or callback):
        raise Stop(Exit.USAGE, "--provider-ledger and --callback need --providers")
    from drivers.simulator import serve
    from drivers.simulator.faults import load
    from drivers.simulator.simulation import Simulation

    as_json = output is Form.JSON

    async def serve_modems() -> None:
        knobs, network = load(faults, reports=reports if reports >= 0 else None)
        simulation = Simulation(
            modems, profile=profile, delay=delay, directory=dir, ledger=ledger, faults=knobs, network=network
        )
        await serve.serve(simulation, control=control, ledger=ledger, as_json=as_json)

    async def serve_accounts(stopped: asyncio.Event | None) -> None:
        from drivers.simulator.providers import serve_providers

        calls = _callbacks(callback or [])
        await serve_providers(ledger=provider_ledger, callbacks=calls, as_json=as_json, stopped=stopped)

    async def serve_both() -> None:
        stopped = asyncio.Event()  # the modems hear the signal, and whichever ends takes the other along
        tasks = [asyncio.create_task(serve_modems()), asyncio.create_task(serve_accounts(stopped))]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        stopped.set()
        if tasks[1].done():
            tasks[0].cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended

    import uvloop

    wanted = serve_both() if modems and providers else serve_modems() if modems else serve_accounts(None)
    try:
        uvloop.run(wanted)
    except ValueError as error:
        raise Stop(Exit.USAGE, str(error)) from None


def _callbacks(given: list[str]) -> dict[str, str]:
    from drivers.simulator.providers import NAMES

    found = {}
    for one in given:
        name, _, url = one.partition("=")
        if name not in NAMES or not url.startswith(("http://", "https://")):
            raise ValueError(f"--callback {one}: write NAME=URL, the name one of {', '.join(NAMES)}")
        found[name] = url
    return found
