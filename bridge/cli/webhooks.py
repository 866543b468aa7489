"""`webhook`: who hears of events, and what became of each delivery."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bridge.cli.exits import Exit, Stop
from bridge.cli.options import ConfigOption, KeyFileOption, OutputOption, UrlOption
from bridge.cli.output import Form

__all__ = ["add", "dead", "deliveries", "disable", "enable", "ls", "remove", "replay", "rotate", "show", "try_out"]

Id = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Its id: whk_...")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many.")]
SecretFile = Annotated[Path | None, typer.Option(help="File with a secret of your own (whsec_...); one is made else.")]


def add(
    target: Annotated[str | None, typer.Argument(metavar="[URL]", help="https://... that is to be called.")] = None,
    mail: Annotated[list[str] | None, typer.Option(help="Send mail to this address instead. May be repeated.")] = None,
    event: Annotated[
        list[str] | None, typer.Option(help="Only this type of event, or family (message.*). May be repeated.")
    ] = None,
    channel: Annotated[list[str] | None, typer.Option(help="Only what concerns this channel. May be repeated.")] = None,
    number: Annotated[
        list[str] | None,
        typer.Option(help="Only what concerns this number, sender or beginning (+48*). May be repeated."),
    ] = None,
    headers_file: Annotated[
        Path | None, typer.Option(help='File with headers of your own, one a line: "Authorization: Bearer ...".')
    ] = None,
    secret_file: SecretFile = None,
    ordered: Annotated[
        bool, typer.Option("--ordered", help="Events of one message or conversation wait for the earlier ones.")
    ] = False,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Make an endpoint. Its secret is shown once."""
    order: dict[str, Any] = {
        "mail": mail or [],
        "events": event or [],
        "channels": channel or [],
        "numbers": number or [],
        "headers": _headers(headers_file),
        "ordered": ordered,
        "description": description,
    }
    if target is not None:
        order["url"] = target
    if secret_file is not None:
        order["secret"] = _read(secret_file).strip()
    _with_secret(_asked(config, url, key_file, "POST", "/v1/webhooks", order), output)


def ls(
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List the endpoints."""
    from bridge.cli.output import document, table

    found = _asked(config, url, key_file, "GET", "/v1/webhooks")
    if output is Form.JSON:
        document(found)
        return
    rows = (
        (
            w["id"],
            "on" if w["enabled"] else f"off: {w['disabled_reason']}",
            w["waiting"],
            w["dead"],
            ", ".join(w["events"]) or "all events",
            w["url"] or w["mail"],
        )
        for w in found["items"]
    )
    empty = "No endpoints. Make one: gsmbridge webhook add https://..."
    table(("ID", "STATE", "WAITING", "DEAD", "EVENTS", "WHERE"), rows, empty=empty)


def show(
    id: Id,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Show one endpoint."""
    _shown(_asked(config, url, key_file, "GET", f"/v1/webhooks/{id}"), output)


def remove(
    id: Id,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Remove an endpoint, with all that waits for it."""
    from bridge.cli.output import document

    gone = _asked(config, url, key_file, "DELETE", f"/v1/webhooks/{id}")
    if output is Form.JSON:
        document(gone)
        return
    print(f"Removed {gone['id']}" + (f", with {gone['waiting']} events that waited." if gone["waiting"] else "."))


def try_out(
    id: Id,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Send a test event and tell what the endpoint said."""
    from bridge.cli.output import clean, document

    told = _asked(config, url, key_file, "POST", f"/v1/webhooks/{id}/test")
    tried = told["try"]
    if output is Form.JSON:
        document(told)
    elif tried["ok"]:
        print(f"Delivered in {tried['milliseconds']} ms: status {tried['status']}.")
    if not tried["ok"]:
        said = f"\n  {clean(tried['answer'])}" if tried["answer"] else ""
        raise Stop(Exit.UNAVAILABLE, f"not delivered after {tried['milliseconds']} ms: {tried['problem']}{said}")


def rotate(
    id: Id,
    secret_file: SecretFile = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Give an endpoint a new secret. For 24 hours the old one signs too."""
    order = {} if secret_file is None else {"secret": _read(secret_file).strip()}
    _with_secret(_asked(config, url, key_file, "POST", f"/v1/webhooks/{id}/rotate", order), output)


def enable(
    id: Id,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Switch an endpoint on; what waits is tried at once."""
    _shown(_asked(config, url, key_file, "PATCH", f"/v1/webhooks/{id}", {"enabled": True}), output)


def disable(
    id: Id,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Switch an endpoint off. What waits stays; what happens meanwhile is not kept for it."""
    _shown(_asked(config, url, key_file, "PATCH", f"/v1/webhooks/{id}", {"enabled": False}), output)


def deliveries(
    id: Id,
    limit: Limit = 20,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List the tries, newest first."""
    from bridge.cli.output import document, moment, table

    found = _pages(config, url, key_file, f"/v1/webhooks/{id}/deliveries", limit)
    if output is Form.JSON:
        document({"deliveries": found})
        return
    rows = (
        (moment(t["at"]), t["event"], t["status"], f"{t['milliseconds']} ms", t["problem"] or t["answer"])
        for t in found
    )
    table(("AT", "EVENT", "STATUS", "TOOK", "SAID"), rows, empty="Nothing was delivered yet.")


def dead(
    id: Id,
    limit: Limit = 20,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List the dead letters, newest first."""
    from bridge.cli.output import document, moment, table

    found = _pages(config, url, key_file, f"/v1/webhooks/{id}/dead", limit)
    if output is Form.JSON:
        document({"dead": found})
        return
    rows = ((moment(d["event"]["timestamp"]), d["event"]["id"], d["event"]["type"], d["event"]["key"]) for d in found)
    table(("AT", "EVENT", "TYPE", "KEY"), rows, empty="No dead letters.")


def replay(
    id: Id,
    event: Annotated[str | None, typer.Argument(metavar="[EVENT]", help="This one: evt_...")] = None,
    all: Annotated[bool, typer.Option("--all", help="All dead letters.")] = False,
    first: Annotated[str | None, typer.Option(help="Dead letters from this event on.")] = None,
    last: Annotated[str | None, typer.Option(help="Dead letters up to this event.")] = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Send an event again, or dead letters, under their old ids."""
    from bridge.cli.output import document

    if (event is not None) + all + (first is not None or last is not None) != 1:
        raise Stop(Exit.USAGE, "what is to be sent again?", "Give one event, or --first and --last, or --all")
    order = {"event": event, "first": first, "last": last}
    told = _asked(
        config, url, key_file, "POST", f"/v1/webhooks/{id}/replay", {k: v for k, v in order.items() if v is not None}
    )
    count = told["count"]
    if output is Form.JSON:
        document(told)
        return
    print("No dead letters there." if not count else f"{count} event{'s' if count > 1 else ''} will be sent again.")


def _asked(
    config: Path | None, url: str | None, key_file: Path | None, method: str, path: str, body: Any = None
) -> dict[str, Any]:
    from bridge.cli.client import connect

    with connect(config, url, key_file) as service:
        return dict(service.ask(method, path, body))


def _pages(config: Path | None, url: str | None, key_file: Path | None, path: str, limit: int) -> list[dict[str, Any]]:
    from bridge.cli.client import connect

    with connect(config, url, key_file) as service:
        return service.pages(path, limit)


def _shown(webhook: dict[str, Any], output: Form) -> None:
    from bridge.cli.output import document, moment, pairs

    if output is Form.JSON:
        document(webhook)
        return
    times = {name: moment(webhook[name]) for name in ("created_at", "old_secret_until")}
    pairs({**webhook, **times})


def _with_secret(webhook: dict[str, Any], output: Form) -> None:
    import sys

    _shown(webhook, output)
    if output is not Form.JSON and webhook.get("secret"):
        print("The secret is shown here and never again.", file=sys.stderr)


def _headers(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    found: dict[str, str] = {}
    for number, line in enumerate(_read(path).splitlines(), 1):
        name, colon, value = line.partition(":")
        if line.strip() and not (colon and name.strip()):
            raise Stop(Exit.DATA, f'{path} line {number} is no header; write it like "Authorization: Bearer ..."')
        if line.strip():
            found[name.strip()] = value.strip()
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(Exit.NO_INPUT, f"{path} cannot be read: {error}") from None
