"""`run` and `simulate`: what keeps running until it is stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.exits import Exit, Stop
from bridge.cli.options import ConfigOption, OutputOption
from bridge.cli.output import Form

__all__ = ["run", "simulate"]


def run(config: ConfigOption = None) -> None:
    """Run the service in the foreground until SIGTERM or Ctrl-C. It logs to stderr."""
    from bridge.cli.checked import load_checked
    from bridge.cli.client import config_stop
    from bridge.config import ConfigError, default_paths

    try:
        settings = load_checked(config)
    except ConfigError as error:
        raise config_stop(error) from None
    if settings.source is None:
        places = " and ".join(str(p) for p in default_paths())
        raise Stop(
            Exit.CONFIG,
            f"there is no configuration; looked at {places}",
            f"Begin with: gsmbridge config example > {default_paths()[0]}",
        )
    from bridge import app  # after the configuration proved good: the service's libraries take half a second

    raise typer.Exit(app.run(settings))


def simulate(
    modems: Annotated[int, typer.Option(min=1, max=64, help="How many modems.")] = 1,
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
    output: OutputOption = Form.TABLE,
) -> None:
    """Simulated modems on ptys, joined by a simulated network. Any AT software can use them. Runs until Ctrl-C."""
    from drivers.simulator import serve

    try:
        serve.run(
            modems=modems,
            directory=dir,
            profile=profile,
            delay=delay,
            reports=reports if reports >= 0 else None,
            ledger=ledger,
            faults=faults,
            control=control,
            as_json=output is Form.JSON,
        )
    except ValueError as error:
        raise Stop(Exit.USAGE, str(error)) from None
