"""`modem ussd`: codes and menus of the SIM's network."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.options import ConfigOption, KeyFileOption, OutputOption, UrlOption
from bridge.cli.output import Form

if TYPE_CHECKING:
    from bridge.cli.client import Client

__all__ = ["ussd"]

_SLACK = 45.0  # seconds beyond what the network may take: a text that is being sent goes first


def ussd(
    id: Annotated[str, typer.Argument(help="The modem's id in the configuration.")],
    code: Annotated[str, typer.Argument(help='The code, such as "*100#".')],
    reply: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="What to reply to a menu; once for each step.")
    ] = None,
    within: Annotated[int, typer.Option(min=1, max=120, help="Seconds that the network may take for each step.")] = 120,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Say a USSD code to a SIM's network and show what it answers. On a terminal menus are asked for their reply; the
    session is ended when there is none. Texts go on meanwhile."""
    from bridge.cli.client import connect
    from bridge.cli.output import document

    replies = list(reply or ())
    said: list[dict[str, Any]] = []
    with connect(config, url, key_file, patience=within + _SLACK) as service:
        step: dict[str, Any] | None = {"code": code}
        try:
            while step is not None:
                answer = service.post(_path(id), {**step, "within": within})
                said.append(answer)
                step = None
                if output is Form.TABLE:
                    _show(answer["text"])
                if answer["state"] == "waits":
                    text = replies.pop(0) if replies else _ask(output)
                    step = {"reply": text} if text else None
        finally:
            if said and said[-1]["state"] == "waits":
                _end(service, id)
    if output is Form.JSON:
        document({"steps": said})
    elif said[-1]["state"] == "waits":
        print("It wants a reply; the session was ended. Give one with --reply, or at a terminal.", file=sys.stderr)


def _path(id: str) -> str:
    from urllib.parse import quote

    return f"/v1/channels/{quote(id, safe='')}/ussd"


def _show(text: str) -> None:
    from bridge.cli.output import clean

    print(clean(text, lines=True) or "(no text)", flush=True)


def _ask(output: Form) -> str:
    """ "" when nobody can be asked, or does not want to."""
    if output is Form.JSON or not sys.stdin.isatty():
        return ""
    try:
        return input("Reply (nothing ends it): ").strip()
    except EOFError:
        return ""


def _end(service: Client, id: str) -> None:
    from bridge.cli.exits import Stop

    with suppress(Stop):  # it ends by itself half a minute later
        service.delete(_path(id))
