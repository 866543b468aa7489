"""`reschedule`: change messages that wait."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from bridge.cli.exits import Exit, Stop
from bridge.cli.options import ConfigOption, KeyFileOption, OutputOption, UrlOption
from bridge.cli.output import Form

__all__ = ["reschedule"]


def reschedule(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Messages, msg_...")],
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help='Not before: "2026-01-31 08:00", "10m" from now, "0" at once.')
    ] = None,
    tz: Annotated[str | None, typer.Option(metavar="ZONE", help="Zone of --at and --window.")] = None,
    window: Annotated[
        list[str] | None, typer.Option(metavar="HOURS", help="Only within, in place of its own hours; repeatable.")
    ] = None,
    no_window: Annotated[bool, typer.Option("--no-window", help="Take its own hours away.")] = False,
    valid_for: Annotated[
        str | None, typer.Option(metavar="TIME", help='Give up so long after its time, e.g. "2h".')
    ] = None,
    text: Annotated[str | None, typer.Option(help="The new text.")] = None,
    route: Annotated[str | None, typer.Option(metavar="NAME", help="By this route.")] = None,
    channel: Annotated[str | None, typer.Option(metavar="ID", help="By this channel and no other.")] = None,
    priority: Annotated[int | None, typer.Option(min=-128, max=127, help="Higher goes first.")] = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Change messages that wait: their time, hours, text, way. One of which a part is on its way stays as it is."""
    from bridge.cli.client import Refusal, connect
    from bridge.cli.messages import shown_status
    from bridge.cli.output import document, moment, table
    from bridge.cli.times import seconds, sending

    if window and no_window:
        raise Stop(Exit.USAGE, "--window and --no-window contradict each other", "Give one of the two.")
    wanted = {
        **sending(at, tz, "--at"),
        "windows": [] if no_window else window or None,
        "valid_for": int(seconds(valid_for, "--valid-for")) if valid_for else None,
        "text": text,
        "route": route,
        "channel": channel,
        "priority": priority,
    }
    change = {name: value for name, value in wanted.items() if value is not None}
    if not change:
        raise Stop(Exit.USAGE, "there is nothing to change", "Give --at, --window, --valid-for, --text, --route ...")
    done: list[dict[str, Any]] = []
    worst: Refusal | None = None
    with connect(config, url, key_file) as service:
        for id in ids:
            try:
                done.append({"id": id, "changed": True, "message": service.patch(f"/v1/messages/{id}", change)})
            except Refusal as refusal:
                if refusal.status not in (404, 409, 422):
                    raise
                worst = refusal
                done.append({"id": id, "changed": False, "code": refusal.code, "detail": refusal.detail})
    if output is Form.JSON:
        document({"messages": done})
    else:
        table(
            ("ID", "RESULT", "DUE", "WHY"),
            (
                (d["id"], shown_status(d["message"]), moment(d["message"]["due_at"]), d["message"]["reason"])
                if d["changed"]
                else (d["id"], "not changed", "", d["detail"])
                for d in done
            ),
            empty="",
        )
    if worst is not None:
        raise typer.Exit(worst.exit)
