"""`conversation ls`, `conversation show` and `reply`: what passes between us and the people who write to us."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from bridge.cli.options import ConfigOption, KeyFileOption, OutputOption, UrlOption
from bridge.cli.output import Form

__all__ = ["ls", "reply", "show"]


def ls(
    peer: Annotated[str | None, typer.Option("--with", metavar="NUMBER", help="Only with this number or name.")] = None,
    channel: Annotated[str | None, typer.Option(metavar="ID", help="Only by this channel.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many.")] = 50,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List conversations, the one in which something came in last first."""
    from bridge.cli.client import connect
    from bridge.cli.output import document, moment, table

    with connect(config, url, key_file) as service:
        found = service.pages("/v1/conversations", limit, peer=peer, channel=channel)
    if output is Form.JSON:
        document({"conversations": found})
        return
    rows = ((c["id"], c["peer"], c["channel"], c["received"], moment(c["last_at"])) for c in found)
    table(("ID", "WITH", "CHANNEL", "RECEIVED", "LAST"), rows, empty="Nobody has written yet.")


def show(
    id: Annotated[str, typer.Argument(help="A conversation, cnv_...")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many messages.")] = 50,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Show a conversation: both sides, oldest first."""
    from bridge.cli.client import connect
    from bridge.cli.output import clean, document, moment, table

    with connect(config, url, key_file) as service:
        turns = service.pages(f"/v1/conversations/{id}", limit)[::-1]
        about = service.get(f"/v1/conversations/{id}", limit=1)
    told = {name: value for name, value in about.items() if name not in ("items", "next")}
    if output is Form.JSON:
        document({**told, "items": turns})
        return
    print(clean(f"with {told['peer']} by {told['channel']}"))
    rows = ((moment(t["at"]), "<" if t["direction"] == "in" else ">", *_said(t)) for t in turns)
    table(("WHEN", "", "ID", "STATUS", "TEXT"), rows, empty="")


def reply(
    id: Annotated[str, typer.Argument(help="The inbound message that is answered, inb_...")],
    text: Annotated[str | None, typer.Argument(help='The text. "-" or nothing: from standard input.')] = None,
    ref: Annotated[str | None, typer.Option(help="A reference of yours, to find it again.")] = None,
    once: Annotated[
        str | None, typer.Option(metavar="KEY", help="Idempotency key: the same command with the same key orders once.")
    ] = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Answer an inbound message, from the SIM or account that it came to."""
    import secrets

    from bridge.cli.client import connect
    from bridge.cli.output import clean, document
    from bridge.cli.recipients import text_from

    order: dict[str, Any] = {"text": text_from(text, needed=True)}
    if ref is not None:
        order["ref"] = ref
    with connect(config, url, key_file) as service:
        taken = service.post(f"/v1/inbound/{id}/reply", order, once=once or secrets.token_hex(16))
    if output is Form.JSON:
        document(taken)
    else:
        print(clean(f"{taken['id']}  {taken['to']}  {taken['status']}  (by {taken['channel']})"))


def _said(turn: dict[str, Any]) -> tuple[str, str, str]:
    from bridge.cli.inbox import content

    if turn["direction"] == "in":
        return turn["inbound"]["id"], "", content(turn["inbound"])
    message = turn["message"]
    return message["id"], message["status"], message["text"] or f"({message['kind']})"
