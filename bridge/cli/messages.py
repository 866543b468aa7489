"""`ls`, `show` and `cancel`: what became of the texts."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from bridge.cli.exits import Exit, Stop
from bridge.cli.options import ConfigOption, KeyFileOption, OutputOption, UrlOption
from bridge.cli.output import Form

__all__ = ["cancel", "ls", "show"]


def ls(
    status: Annotated[
        list[str] | None, typer.Option("--status", "-s", help="Only these, e.g. queued, sent, in_doubt; repeatable.")
    ] = None,
    to: Annotated[str | None, typer.Option(help="Only to this number.")] = None,
    ref: Annotated[str | None, typer.Option(help="Only with this reference of yours.")] = None,
    batch: Annotated[str | None, typer.Option(help="Only of this batch.")] = None,
    since: Annotated[str | None, typer.Option(help='Ordered at or after, e.g. "2026-01-31 08:00" or "2h" ago.')] = None,
    until: Annotated[str | None, typer.Option(help="Ordered before.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many.")] = 50,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List outbound messages, newest first."""
    from bridge.cli.client import connect
    from bridge.cli.output import document, moment, table
    from bridge.cli.times import past

    filters = {
        "status": status or None,
        "to": to,
        "ref": ref,
        "batch": batch,
        "since": past(since, "--since"),
        "until": past(until, "--until"),
    }
    with connect(config, url, key_file) as service:
        found = service.pages("/v1/messages", limit, **filters)
    if output is Form.JSON:
        document({"messages": found})
        return
    table(
        ("ID", "TO", "STATUS", "PARTS", "ORDERED", "REF", "TEXT"),
        (
            (
                m["id"],
                m["to"],
                shown_status(m),
                m["part_count"],
                moment(m["created_at"]),
                m.get("ref"),
                _content(m),
            )
            for m in found
        ),
        empty="No message matches.",
    )


def show(
    id: Annotated[str, typer.Argument(help="A message (msg_...), a batch (bat_...) or an inbound message (inb_...).")],
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Show one message with its attempts and history, one batch, or one inbound message."""
    from bridge.cli import story
    from bridge.cli.client import connect
    from bridge.cli.output import document

    kinds = {"msg": ("messages", story.message), "bat": ("batches", story.batch), "inb": ("inbound", story.inbound)}
    kind = kinds.get(id.partition("_")[0])
    if kind is None:
        raise Stop(
            Exit.USAGE, f"{id} is no identifier", "They begin with msg_, bat_ or inb_; `gsmbridge ls` shows them."
        )
    with connect(config, url, key_file) as service:
        found = service.get(f"/v1/{kind[0]}/{id}")
    if output is Form.JSON:
        document(found)
    else:
        kind[1](found)


def cancel(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Messages, msg_...")],
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Cancel messages that wait. One that a provider has is taken back if it has not sent it yet and can delete it."""
    from bridge.cli.client import Refusal, connect
    from bridge.cli.output import document, table

    done: list[dict[str, Any]] = []
    worst: Refusal | None = None
    with connect(config, url, key_file) as service:
        for id in ids:
            try:
                answer = service.post(f"/v1/messages/{id}/cancel")
                done.append({"id": id, "cancelled": True, "status": answer["status"], "detail": ""})
            except Refusal as refusal:
                if refusal.status not in (404, 409, 422):
                    raise
                worst = refusal
                done.append({"id": id, "cancelled": False, "code": refusal.code, "detail": refusal.detail})
    if output is Form.JSON:
        document({"messages": done})
    else:
        rows = ((d["id"], "cancelled" if d["cancelled"] else "not cancelled", d["detail"]) for d in done)
        table(("ID", "RESULT", "WHY"), rows, empty="")
    if worst is not None:
        raise typer.Exit(worst.exit)


def shown_status(message: dict[str, Any]) -> str:
    """The status with a mark where the text may arrive twice."""
    return f"{message['status']} (?)" if message.get("possible_duplicate") else str(message["status"])


def _content(message: dict[str, Any]) -> str:
    text: str | None = message["text"]
    if text is None:
        return f"({message['kind']})"
    return text if len(text) <= 60 else text[:59] + "…"
