"""`modem ls | info | scan`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from bridge.cli.exits import Exit
from bridge.cli.options import ConfigOption, KeyFileOption, OutputOption, UrlOption
from bridge.cli.output import Form

__all__ = ["info", "ls", "scan"]

_TIMES = ("since", "paused_until")


def ls(
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List the modems of the running service: state, signal, what they have done."""
    from bridge.cli.client import connect
    from bridge.cli.output import document, table

    with connect(config, url, key_file) as service:
        found = [c for c in service.get("/v1/channels")["items"] if c["driver"] == "modem"]
    if output is Form.JSON:
        document({"channels": found})
        return
    table(
        ("ID", "STATE", "MODEL", "OPERATOR", "SIGNAL", "SENT", "IN", "WAITING", "WHY"),
        (
            (
                c["id"],
                c["state"],
                c["modem"]["model"],
                c["modem"]["operator"],
                _dbm(c["modem"]["signal_dbm"]),
                c["accepted"],
                c["received"],
                c["backlog"],
                c["reason"],
            )
            for c in found
        ),
        empty="No modem is configured.",
    )


def info(
    id: Annotated[str, typer.Argument(help="The modem's id in the configuration.")],
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Everything the running service knows of one modem."""
    from urllib.parse import quote

    from bridge.cli.client import connect
    from bridge.cli.output import document, moment, pairs

    with connect(config, url, key_file) as service:
        found: dict[str, Any] = service.get(f"/v1/channels/{quote(id, safe='')}")
    if output is Form.JSON:
        document(found)
        return
    modem = found.pop("modem")
    for part in (found, modem):
        pairs({name.replace("_", " "): moment(value) if name in _TIMES else value for name, value in part.items()})


def scan(
    ports: Annotated[
        list[str] | None, typer.Argument(metavar="[PORT]...", help="Default: every serial port there is.")
    ] = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Ask the serial ports of this machine what they are. Ports in use are named and left alone; nothing is changed."""
    import asyncio

    from bridge.cli.output import document, table
    from drivers.modems import discovery

    names = ports or discovery.candidates()

    async def ask() -> list[discovery.Found]:
        # One after the other: the ports of one modem disturb each other.
        return [await discovery.probe(port) for port in names]

    found = asyncio.run(ask())
    if output is Form.JSON:
        import msgspec

        document({"ports": msgspec.to_builtins(found)})
    else:
        table(
            ("PORT", "MODEL", "IMEI", "ICCID", "PROFILE", "PROBLEM"),
            ((f.port, f"{f.maker} {f.model}".strip(), f.imei, f.iccid, f.profile, _one_line(f.problem)) for f in found),
            empty="There is no serial port here. Plug the modem in; `dmesg | tail` says what the system makes of it.",
        )
    if ports and any(f.code for f in found):
        raise typer.Exit(Exit.UNAVAILABLE)


def _dbm(signal: int | None) -> str:
    return "" if signal is None else f"{signal} dBm"


def _one_line(text: str) -> str:
    return " ".join(text.split())
