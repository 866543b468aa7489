"""`optout ls`, `optout add` and `optout remove`: who wants no more texts; `calls`: who called."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from bridge.cli.options import ConfigOption, KeyFileOption, OutputOption, UrlOption
from bridge.cli.output import Form

__all__ = ["add", "calls", "ls", "remove"]


def ls(
    number: Annotated[str | None, typer.Option(help="Only of this number.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many.")] = 50,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List who wants no more texts, newest first."""
    from bridge.cli.client import connect
    from bridge.cli.output import document

    with connect(config, url, key_file) as service:
        found = service.pages("/v1/opt-outs", limit, number=number)
    if output is Form.JSON:
        document({"opt_outs": found})
    else:
        _table(found, empty="Nobody has opted out.")


def add(
    number: Annotated[str, typer.Argument(help="Whose number, e.g. +48600700800.")],
    sender: Annotated[str | None, typer.Option(help="Only texts with this sender ID. Default: all.")] = None,
    channel: Annotated[
        str | None, typer.Option(metavar="ID", help="Only texts that may go by this channel. Default: all.")
    ] = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Put a number on the list: only transactional texts go to it from now on."""
    from bridge.cli.client import connect
    from bridge.cli.output import document

    given = {"number": number, "sender": sender, "channel": channel}
    with connect(config, url, key_file) as service:
        made = service.post("/v1/opt-outs", {name: value for name, value in given.items() if value is not None})
    if output is Form.JSON:
        document(made)
    else:
        _table([made], empty="")


def remove(
    id: Annotated[str, typer.Argument(help="An opt-out, opt_...; `gsmbridge optout ls` shows them.")],
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Take a number off the list."""
    from bridge.cli.client import connect
    from bridge.cli.output import clean, document

    with connect(config, url, key_file) as service:
        gone = service.post(f"/v1/opt-outs/{id}/remove")
    if output is Form.JSON:
        document(gone)
    else:
        print(clean(f"{gone['number']} gets texts again"))


def calls(
    caller: Annotated[str | None, typer.Option("--from", help="Only from this number.")] = None,
    channel: Annotated[str | None, typer.Option(metavar="ID", help="Only to this channel.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many.")] = 50,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List missed calls, newest first."""
    from bridge.cli.client import connect
    from bridge.cli.output import document, moment, table

    with connect(config, url, key_file) as service:
        found = service.pages("/v1/calls", limit, caller=caller, channel=channel)
    if output is Form.JSON:
        document({"calls": found})
        return
    rows = (
        (c["id"], c["caller"] or "(withheld)", c["channel"], moment(c["at"]), c["rings"], c["hung_up"]) for c in found
    )
    table(("ID", "FROM", "CHANNEL", "WHEN", "RINGS", "HUNG UP"), rows, empty="Nobody has called.")


def _table(found: list[dict[str, Any]], *, empty: str) -> None:
    from bridge.cli.output import moment, table

    rows = (
        (o["id"], o["number"], o["sender"] or "(all)", o["channel"] or "(all)", o["word"], moment(o["created_at"]))
        for o in found
    )
    table(("ID", "NUMBER", "SENDER", "CHANNEL", "WORD", "SINCE"), rows, empty=empty)
