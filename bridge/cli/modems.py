"""`modem ls | info | scan`; the other commands of the group have modules of their own."""

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
    from bridge.cli.output import document, nearest, table

    with connect(config, url, key_file) as service:
        found = [c for c in service.get("/v1/channels")["items"] if c["driver"] == "modem"]
    if output is Form.JSON:
        document({"channels": found})
        return
    table(
        ("ID", "STATE", "MODEL", "OPERATOR", "SIGNAL", "SENT", "IN", "WAITING", "QUOTA", "LEFT", "WHY"),
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
                nearest(c["quota"]),
                _left(c["balance"]),
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
    quota = found.pop("quota")
    found["balance"] = _balance(found.pop("balance"))
    found["delivered"] = arrivals(found.pop("arrivals"))
    found |= {q["name"]: f"{q['used']} of {q['limit']}, anew {moment(q['resets_at'])}" for q in quota}
    for part in (found, modem):
        pairs({name.replace("_", " "): moment(value) if name in _TIMES else value for name, value in part.items()})


def scan(
    ports: Annotated[
        list[str] | None, typer.Argument(metavar="[PORT]...", help="Default: every serial port there is.")
    ] = None,
    toml: Annotated[bool, typer.Option("--toml", help="Print nothing but configuration for what was found.")] = False,
    output: OutputOption = Form.TABLE,
) -> None:
    """Ask the serial ports of this machine what they are, and propose configuration. Ports in use are named and left
    alone; nothing is changed."""
    import asyncio

    from bridge.cli.output import document, table
    from bridge.cli.progress import progress
    from drivers.modems import discovery
    from drivers.modems.proposal import Seen, proposal
    from drivers.modems.usb import UsbTree, mode_problem

    usb = UsbTree()
    names = ports or [name for name in discovery.candidates() if (at := usb.behind(name)) is None or not at.silent]

    async def ask() -> list[Seen]:
        asked: list[Seen] = []
        with progress("Asking ports", len(names)) as done:
            for port in names:  # one after the other: the ports of one modem disturb each other
                asked.append(Seen(found=await discovery.probe(port), usb=usb.behind(port)))
                done(len(asked))
        return asked

    seen = asyncio.run(ask())
    odd = [(path, id, *mode_problem(id)) for path, id in usb.devices().items() if mode_problem(id)[0]]
    found = [one.found for one in seen]
    wanted = proposal(seen)
    if output is Form.JSON:
        import msgspec

        devices = [{"usb": path, "id": id, "code": code, "problem": text} for path, id, code, text in odd]
        document({"ports": msgspec.to_builtins(found), "devices": devices, "configuration": wanted})
    elif toml:
        print(wanted, end="")
    else:
        rows = [
            (f.port, f"{f.maker} {f.model}".strip(), f.imei, f.iccid, f.profile, _one_line(f.problem)) for f in found
        ]
        rows += [(f"usb {path}", id, "", "", "", text) for path, id, _, text in odd]
        table(
            ("PORT", "MODEL", "IMEI", "ICCID", "PROFILE", "PROBLEM"),
            rows,
            empty="There is no serial port here. Plug the modem in; `dmesg | tail` says what the system makes of it.",
        )
        if wanted:
            print(f"\nFor the configuration (`gsmbridge modem scan --toml` prints only this):\n\n{wanted}", end="")
    if ports and any(f.code for f in found):
        raise typer.Exit(Exit.UNAVAILABLE)


def arrivals(counts: dict[str, Any]) -> str:
    """ "38 of the last 40"; with a word of warning where a silent block is suspected."""
    if not counts["due"]:
        return ""
    told = f"{counts['delivered']} of the last {counts['due']}"
    return f"{told}: the network may block this SIM in silence" if counts["silent_block"] else told


def _left(balance: dict[str, Any] | None) -> str:
    """ "4.20 PLN", "4.20 PLN low"; "?" when it is asked for and not known."""
    if balance is None:
        return ""
    amount = "?" if balance["amount"] is None else f"{balance['amount']} {balance['currency']}".strip()
    return f"{amount} low" if balance["low"] else amount


def _balance(balance: dict[str, Any] | None) -> str:
    from bridge.cli.output import moment

    if balance is None:
        return ""
    as_of = f"as of {moment(balance['at'])}" if balance["at"] else ""
    return "; ".join(piece for piece in (_left(balance), as_of, balance["problem"]) if piece)


def _dbm(signal: int | None) -> str:
    return "" if signal is None else f"{signal} dBm"


def _one_line(text: str) -> str:
    return " ".join(text.split())
