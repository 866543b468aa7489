"""`schedule add | ls | show | next | edit | pause | resume | rm`: texts that are sent again and again."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from bridge.cli.exits import Exit, Stop
from bridge.cli.options import ConfigOption, KeyFileOption, OutputOption, UrlOption
from bridge.cli.output import Form

__all__ = ["add", "edit", "following", "ls", "pause", "remove", "resume", "show"]

IdArgument: TypeAlias = Annotated[str, typer.Argument(metavar="ID", help="A schedule, sch_...")]


def add(
    rule: Annotated[
        str,
        typer.Argument(help='When: "every weekday at 08:00", "every 2 hours", or as cron does: "0 8 * * 1-5".'),
    ],
    text: Annotated[str | None, typer.Argument(help='The text. "-" or nothing: from standard input.')] = None,
    to: Annotated[list[str] | None, typer.Option("--to", "-t", metavar="NUMBER", help="Recipient; repeatable.")] = None,
    tz: Annotated[str | None, typer.Option(metavar="ZONE", help='Time zone of the rule, e.g. "Europe/Warsaw".')] = None,
    start: Annotated[
        str | None, typer.Option(metavar="TIME", help='Nothing before: "2026-01-31 08:00", or "10m" from now.')
    ] = None,
    end: Annotated[str | None, typer.Option(metavar="TIME", help="Nothing after.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="End when so many were sent.")] = None,
    without: Annotated[
        list[str] | None, typer.Option("--except", metavar="DAY", help='Not on this day: "2026-12-25"; repeatable.')
    ] = None,
    grace: Annotated[
        str | None, typer.Option(metavar="TIME", help='A missed one is sent when so late at most. Default: "1h".')
    ] = None,
    name: Annotated[str | None, typer.Option(help="A name of yours.")] = None,
    valid_for: Annotated[
        str | None, typer.Option(metavar="TIME", help="Give each text up after this time, e.g. 2h.")
    ] = None,
    ref: Annotated[str | None, typer.Option(help="A reference of yours, the same for all its texts.")] = None,
    priority: Annotated[int, typer.Option(min=-128, max=127, help="Higher goes first.")] = 0,
    policy: Annotated[
        str | None, typer.Option(help="In doubt: at_most_once, at_least_once or urgent; see delivery.md.")
    ] = None,
    channel: Annotated[str | None, typer.Option(metavar="ID", help="By this channel and no other.")] = None,
    route: Annotated[str | None, typer.Option(metavar="NAME", help="By this route; see routing.md.")] = None,
    sender: Annotated[str | None, typer.Option(help="The sender to show, where the channel can choose it.")] = None,
    once: Annotated[
        str | None, typer.Option(metavar="KEY", help="Idempotency key: the same command with the same key adds once.")
    ] = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Send a text again and again. Shows the next times, so that you see whether the rule is the one you meant."""
    from bridge.cli.client import connect
    from bridge.cli.recipients import text_from
    from bridge.cli.times import future, seconds

    if not to:
        raise Stop(Exit.USAGE, "there is no recipient", "Give --to NUMBER, once for each.")
    message = {
        "text": text_from(text, needed=True),
        "ref": ref,
        "priority": priority or None,
        "policy": policy,
        "valid_for": int(seconds(valid_for, "--valid-for")) if valid_for else None,
        "channel": channel,
        "route": route,
        "sender": sender,
    }
    wish = {
        "rule": rule,
        "to": to,
        "message": {name: value for name, value in message.items() if value is not None},
        "tz": tz,
        "start": future(start, "--start"),
        "end": future(end, "--end"),
        "count": count,
        "except": without,
        "misfire_grace": int(seconds(grace, "--grace")) if grace else None,
        "name": name,
    }
    with connect(config, url, key_file) as service:
        body = {name: value for name, value in wish.items() if value is not None}
        _tell(service.post("/v1/schedules", body, once=once or secrets.token_hex(16)), output)


def ls(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many.")] = 50,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List the schedules, newest first."""
    from bridge.cli.client import connect
    from bridge.cli.output import count, document, table
    from bridge.cli.times import shown_in

    with connect(config, url, key_file) as service:
        found = service.pages("/v1/schedules", limit)
    if output is Form.JSON:
        document({"schedules": found})
        return
    table(
        ("ID", "STATE", "NEXT", "RULE", "TO", "SENT", "NAME"),
        (
            (
                s["id"],
                s["state"],
                shown_in(s["next"][0], s["tz"]) if s["next"] and s["state"] == "active" else "",
                s["rule"],
                s["to"][0] if len(s["to"]) == 1 else count(len(s["to"]), "number"),
                s["sent"],
                s["name"],
            )
            for s in found
        ),
        empty='There is no schedule. Make one: gsmbridge schedule add "every weekday at 08:00" --to NUMBER TEXT',
    )


def show(
    id: IdArgument,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="At most so many occurrences.")] = 20,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Show one schedule, its next times and what came of the last ones."""
    from bridge.cli.client import connect
    from bridge.cli.output import document, table
    from bridge.cli.times import shown_in

    path = _path(id)
    with connect(config, url, key_file) as service:
        found = service.get(path)
        past = service.pages(f"{path}/occurrences", limit)
    if output is Form.JSON:
        document({**found, "occurrences": past})
        return
    _tell(found, output)
    print()
    table(
        ("DUE", "STATE", "MESSAGE OR BATCH", "MESSAGES", "WHY"),
        (
            (shown_in(o["due_at"], found["tz"]), o["state"], o["message"] or o["batch"], o["count"], o["reason"])
            for o in past
        ),
        empty="It has not run yet.",
    )


def following(
    id: IdArgument,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """The next ten times of a schedule, on the clocks of its zone."""
    from bridge.cli.client import connect
    from bridge.cli.output import document
    from bridge.cli.times import shown_in

    path = _path(id)
    with connect(config, url, key_file) as service:
        found = service.get(path)
    if output is Form.JSON:
        document({"id": id, "tz": found["tz"], "next": found["next"]})
        return
    for at in found["next"]:
        print(shown_in(at, found["tz"], day=True))
    if not found["next"]:
        raise Stop(Exit.FAILED, f"{id} has ended: it never runs again")


def edit(
    id: IdArgument,
    rule: Annotated[str | None, typer.Option(help="Another rule.")] = None,
    text: Annotated[str | None, typer.Option(help="The new text.")] = None,
    to: Annotated[
        list[str] | None, typer.Option("--to", "-t", metavar="NUMBER", help="In place of its recipients; repeatable.")
    ] = None,
    tz: Annotated[str | None, typer.Option(metavar="ZONE", help="Time zone of the rule.")] = None,
    start: Annotated[str | None, typer.Option(metavar="TIME", help="Nothing before.")] = None,
    end: Annotated[str | None, typer.Option(metavar="TIME", help="Nothing after.")] = None,
    count: Annotated[
        str | None, typer.Option(metavar="N", help="End when so many were sent, counted from its making.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option("--except", metavar="DAY", help="In place of its days off; repeatable.")
    ] = None,
    grace: Annotated[
        str | None, typer.Option(metavar="TIME", help="A missed one is sent when so late at most.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="A name of yours.")] = None,
    valid_for: Annotated[str | None, typer.Option(metavar="TIME", help="Give each text up after this time.")] = None,
    ref: Annotated[str | None, typer.Option(help="A reference of yours, the same for all its texts.")] = None,
    priority: Annotated[int | None, typer.Option(min=-128, max=127, help="Higher goes first.")] = None,
    policy: Annotated[str | None, typer.Option(help="In doubt: at_most_once, at_least_once or urgent.")] = None,
    channel: Annotated[str | None, typer.Option(metavar="ID", help="By this channel and no other.")] = None,
    route: Annotated[str | None, typer.Option(metavar="NAME", help="By this route.")] = None,
    sender: Annotated[str | None, typer.Option(help="The sender to show, where the channel can choose it.")] = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Change a schedule. What is not given stays; an empty value ("") takes it away or back to the default."""
    from bridge.cli.client import connect
    from bridge.cli.times import future, seconds

    given: dict[str, Any] = {
        "rule": rule,
        "to": to,
        "tz": tz,
        "start": future(start, "--start") if start else start,
        "end": future(end, "--end") if end else end,
        "count": _count(count) if count else count,
        "except": None if without is None else [day for day in without if day] or "",
        "misfire_grace": int(seconds(grace, "--grace")) if grace else grace,
        "name": name,
    }
    message: dict[str, Any] = {
        "text": text,
        "ref": ref,
        "priority": priority,
        "policy": policy,
        "valid_for": int(seconds(valid_for, "--valid-for")) if valid_for else valid_for,
        "channel": channel,
        "route": route,
        "sender": sender,
    }
    change = {field: None if value == "" else value for field, value in given.items() if value is not None}
    content = {field: value for field, value in message.items() if value is not None}
    if not change and not content:
        raise Stop(Exit.USAGE, "there is nothing to change", "Give --rule, --text, --to, --tz, --end, --name ...")
    path = _path(id)
    with connect(config, url, key_file) as service:
        if content:  # the service replaces it whole
            whole = {**service.get(path)["message"], **content}
            change["message"] = {field: value for field, value in whole.items() if value != "" or field == "text"}
        _tell(service.patch(path, change), output)


def pause(
    id: IdArgument,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Pause a schedule: nothing runs until it is resumed."""
    _post(f"{_path(id)}/pause", config, url, key_file, output)


def resume(
    id: IdArgument,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Resume a schedule, from now on: what it missed while paused stays missed."""
    _post(f"{_path(id)}/resume", config, url, key_file, output)


def remove(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Schedules, sch_...")],
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Remove schedules. Texts that they have ordered already stay; `gsmbridge cancel` takes those back."""
    from bridge.cli.client import connect
    from bridge.cli.output import document

    paths = [_path(id) for id in ids]
    with connect(config, url, key_file) as service:
        removed = [service.delete(path) for path in paths]
    if output is Form.JSON:
        document({"schedules": removed})
        return
    for one in removed:
        print(f"{one['id']} is removed.")


def _post(path: str, config: Path | None, url: str | None, key_file: Path | None, output: Form) -> None:
    from bridge.cli.client import connect

    with connect(config, url, key_file) as service:
        _tell(service.post(path), output)


def _count(typed: str) -> int:
    if not typed.isascii() or not typed.isdecimal():
        raise Stop(Exit.USAGE, f"--count: {typed!r} is no number", 'Write a number, or "" for no limit.')
    return int(typed)


def _path(id: str) -> str:
    from bridge.model import parse_id

    if parse_id("sch", id) is None:
        raise Stop(
            Exit.USAGE,
            f"{id} is no identifier of a schedule",
            "They begin with sch_; `gsmbridge schedule ls` shows them.",
        )
    return f"/v1/schedules/{id}"


def _tell(schedule: dict[str, Any], output: Form) -> None:
    from bridge.cli.output import document, pairs
    from bridge.cli.times import shown_in

    if output is Form.JSON:
        document(schedule)
        return
    zone = schedule["tz"]
    pairs(
        {
            "id": schedule["id"],
            "name": schedule["name"],
            "state": schedule["state"],
            "rule": schedule["rule"],
            "zone": zone,
            "from": shown_in(schedule["start"], zone),
            "until": shown_in(schedule["end"], zone) if schedule["end"] else None,
            "sent": f"{schedule['sent']} of {schedule['count']}" if schedule["count"] else schedule["sent"],
            "except": schedule["except"],
            "to": schedule["to"],
            "message": schedule["message"],
            "next": ", ".join(shown_in(at, zone, day=True) for at in schedule["next"][:3]),
        }
    )
