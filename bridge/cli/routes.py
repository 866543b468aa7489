"""`route test`: where a text would go."""

from __future__ import annotations

from typing import Annotated

import typer

from bridge.cli.exits import Exit
from bridge.cli.options import ConfigOption, KeyFileOption, OutputOption, UrlOption
from bridge.cli.output import Form

__all__ = ["explain"]


def explain(
    number: Annotated[str, typer.Argument(help="The recipient.")],
    text: Annotated[str | None, typer.Option(help="The text. Default: any.")] = None,
    kind: Annotated[str | None, typer.Option(help="text, binary, wap_push, mms, voice, ping or hlr.")] = None,
    sender: Annotated[str | None, typer.Option(help="The sender to show.")] = None,
    message_class: Annotated[int | None, typer.Option("--class", min=0, max=3, help="Message class.")] = None,
    priority: Annotated[int | None, typer.Option(min=-128, max=127, help="Priority.")] = None,
    route: Annotated[str | None, typer.Option(metavar="NAME", help="As if the order named this route.")] = None,
    channel: Annotated[str | None, typer.Option(metavar="ID", help="As if the order named this channel.")] = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Show where a message would go now and why, best first, and where not and why not. Nothing is sent."""
    from bridge.cli.client import connect
    from bridge.cli.output import document, table

    given = {
        "to": number,
        "text": text,
        "kind": kind,
        "sender": sender,
        "class": message_class,
        "priority": priority,
        "route": route,
        "channel": channel,
    }
    with connect(config, url, key_file) as service:
        found = service.post("/v1/routes/test", {name: value for name, value in given.items() if value is not None})
    if output is Form.JSON:
        document(found)
    else:
        if found["route"]:
            print(f"route {found['route']}")
        ways = [(str(place), c["channel"], c["reason"]) for place, c in enumerate(found["candidates"], 1)]
        ways += [("no", c["channel"], c["reason"]) for c in found["refusals"]]
        table(("", "CHANNEL", "WHY"), ways, empty="There is no channel at all.")
    if not found["candidates"]:
        raise typer.Exit(Exit.FAILED)
