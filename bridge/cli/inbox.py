"""`inbox`: what came in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.options import ConfigOption, KeyFileOption, OutputOption, UrlOption
from bridge.cli.output import Form

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.cli.client import Client

__all__ = ["inbox"]

_REMEMBERED = 1000  # identifiers


def inbox(
    sender: Annotated[str | None, typer.Option("--from", help="Only from this sender.")] = None,
    channel: Annotated[str | None, typer.Option(help="Only by this channel.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what nobody is told of: silent texts, indications, denied senders.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay, and print what comes until Ctrl-C.")] = False,
    interval: Annotated[float, typer.Option(min=0.1, max=60, help="Seconds between two looks with --follow.")] = 1.0,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List inbound messages, newest first. With --follow oldest first, as JSON one a line."""
    from bridge.cli.client import connect
    from bridge.cli.output import document, line, moment, table

    with connect(config, url, key_file) as service:
        found = service.pages(
            "/v1/inbound", limit, sender=sender, channel=channel, withheld=True if everything else None
        )
        if not follow:
            if output is Form.JSON:
                document({"inbound": found})
                return
            rows = (
                (i["id"], i["sender"], i["channel"], moment(i["received_at"]), answered(i), content(i)) for i in found
            )
            table(("ID", "FROM", "CHANNEL", "RECEIVED", "ANSWERS", "TEXT"), rows, empty="Nothing came in.")
            return
        for message in _following(service, sender, channel, found, interval):
            if output is Form.JSON:
                line(message)
            else:
                print(spoken(message), flush=True)


def spoken(message: dict[str, Any]) -> str:
    """One inbound message on one line."""
    from bridge.cli.output import clean, moment

    where = f"{moment(message['received_at'])}  {message['sender'] or '(no sender)'} -> {message['channel']}"
    return clean(f"{where}  {content(message)}")


def answered(message: dict[str, Any]) -> str:
    """The reference of the message that it answers, else its id, and how sure that is."""
    answer = message.get("in_reply_to")
    return f"{answer['ref'] or answer['id']} ({answer['confidence']})" if answer else ""


def content(message: dict[str, Any]) -> str:
    text = message.get("text")
    if text is None:
        return _told(message.get("content") or {}, message.get("kind", "binary"))
    return f"{text}  [parts missing: {message['missing']}]" if message.get("missing") else str(text)


def _told(content: dict[str, Any], kind: str) -> str:
    """What is in a message that is no text."""
    match content.get("type"):
        case "mms_notification":
            size = f", {content['size']:,} octets" if content.get("size") else ""
            return f"(MMS from {content['sender'] or 'somebody'}: {content['subject'] or 'no subject'}{size})"
        case "service_indication":
            return f"({content['text']} {content['url']})"
        case "service_loading":
            return f"({content['url']})"
        case "message_waiting":
            number = "" if content["count"] is None else f" {content['count']}"
            return f"({content['waiting']}{number} waiting)" if content["active"] else f"(no {content['waiting']})"
        case "binary":
            return f"(binary, {len(content['hex']) // 2} octets)"
        case _:
            return f"({kind})"


def _following(
    service: Client, sender: str | None, channel: str | None, found: list[dict[str, Any]], interval: float
) -> Iterator[dict[str, Any]]:
    """What there is, oldest first, then what comes. Identifiers grow with time, but one may be committed after a
    younger one: so those of the last while are remembered, not only the last."""
    import time

    floor = max((i["id"] for i in found), default="")
    seen: set[str] = set()
    yield from reversed(found)
    while True:
        time.sleep(interval)
        for message in reversed(_unseen(service, sender, channel, floor, seen)):
            seen.add(message["id"])
            yield message
        if len(seen) > 2 * _REMEMBERED:
            old = sorted(seen)[:-_REMEMBERED]
            floor = old[-1]
            seen.difference_update(old)


def _unseen(
    service: Client, sender: str | None, channel: str | None, floor: str, seen: set[str]
) -> list[dict[str, Any]]:
    """What is above `floor` and not in `seen`, newest first, over as many pages as that takes."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = service.get("/v1/inbound", sender=sender, channel=channel, limit=50, cursor=cursor)
        new = [i for i in page["items"] if i["id"] > floor and i["id"] not in seen]
        found += new
        cursor = page["next"]
        if cursor is None or not new:
            return found
