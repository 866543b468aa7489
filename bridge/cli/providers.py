"""`provider ls | balance | cost | senders | status ...`: the accounts, asked through the service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from bridge.cli.exits import Exit, Stop
from bridge.cli.options import ConfigOption, KeyFileOption, OutputOption, UrlOption
from bridge.cli.output import Form

if TYPE_CHECKING:
    from bridge.cli.client import Client

__all__ = ["balance", "check", "cost", "hlr", "ls", "messages", "senders", "status", "tested"]

IdArgument = Annotated[str, typer.Argument(help="The account's id in the configuration.")]
IdsArgument = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Default: every account.")]
_COUNTS = ("accepted", "refused", "in_doubt", "received", "backlog")
_PATIENCE = 180.0  # seconds; a subscriber's network may take a minute, and the service waits as long for a provider


def ls(
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List the provider accounts of the running service: state, and what they have done."""
    from bridge.cli.client import connect
    from bridge.cli.output import document, table

    with connect(config, url, key_file) as service:
        found = list(_accounts(service))
    if output is Form.JSON:
        document({"providers": [{name: value for name, value in c.items() if name != "modem"} for c in found]})
        return
    table(
        ("ID", "DRIVER", "STATE", "SENT", "REFUSED", "IN DOUBT", "IN", "WAITING", "WHY"),
        ([c[name] for name in ("id", "driver", "state", *_COUNTS, "reason")] for c in found),
        empty=_NONE,
    )


def balance(
    ids: IdsArgument = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Ask what is left on the accounts."""
    from bridge.cli.client import connect
    from bridge.cli.output import document, table

    with connect(config, url, key_file, patience=_PATIENCE) as service:
        found = [_balance(service, id) for id in ids or [c["id"] for c in _accounts(service)]]
    if output is Form.JSON:
        document({"balances": found})
    else:
        table(
            ("ID", "LEFT", "", "WHY NOT"),
            ((b["id"], b["amount"], _unit(b), b["problem"]["detail"] if b["problem"] else "") for b in found),
            empty=_NONE,
        )
    if ids and any(b["problem"] for b in found):
        raise typer.Exit(Exit.UNAVAILABLE)


def cost(
    id: IdArgument,
    number: Annotated[str, typer.Argument(help="The recipient.")],
    text: Annotated[str, typer.Argument(help="The text.")] = "Hello",
    sender: Annotated[str | None, typer.Option(help="The sender to show; some providers price it.")] = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Ask what a text would cost. Nothing is sent."""
    from bridge.cli.client import connect
    from bridge.cli.output import count, document

    order = {"to": number, "text": text} | ({"sender": sender} if sender else {})
    with connect(config, url, key_file, patience=_PATIENCE) as service:
        found = service.post(f"/v1/channels/{quote(id, safe='')}/quote", order)
    if output is Form.JSON:
        document(found)
        return
    parts = found["part_count"] if found["parts"] is None else found["parts"]
    differs = f"; we count {found['part_count']}" if parts != found["part_count"] else ""
    print(f"{found['cost']} {found['currency']}".strip() + f"  ({count(parts, 'part')}{differs})")


def senders(
    id: IdArgument,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List the sender names of an account and, in the provider's words, whether they may be used."""
    from bridge.cli.client import connect
    from bridge.cli.output import document, table

    with connect(config, url, key_file, patience=_PATIENCE) as service:
        found = service.get(f"/v1/channels/{quote(id, safe='')}/senders")["items"]
    if output is Form.JSON:
        document({"senders": found})
    else:
        table(("NAME", "STATE"), ((s["name"], s["state"]) for s in found), empty="The account has no sender name.")


def status(
    id: IdArgument,
    reference: Annotated[str, typer.Argument(help="The provider's id of the message; `gsmbridge show` names it.")],
    to: Annotated[str | None, typer.Option(help="The message's recipient; some providers need it.")] = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Ask the provider what became of a message, also of one that was not ordered here."""
    from bridge.cli.client import connect
    from bridge.cli.output import document, pairs

    with connect(config, url, key_file, patience=_PATIENCE) as service:
        found = service.get(f"/v1/channels/{quote(id, safe='')}/status", reference=reference, to=to)
    if output is Form.JSON:
        document(found)
    else:
        pairs(found)


def messages(
    id: IdArgument,
    to: Annotated[str | None, typer.Option(help="Only to this number.")] = None,
    sender: Annotated[str | None, typer.Option(help="Only from this sender.")] = None,
    text: Annotated[str | None, typer.Option(help="Only with this text.")] = None,
    status: Annotated[
        str | None, typer.Option("--status", "-s", help="Only in this state, by the provider's own word.")
    ] = None,
    reference: Annotated[str | None, typer.Option(help="Only the one with this id of the provider's.")] = None,
    since: Annotated[str | None, typer.Option(help='Sent at or after, e.g. "2026-01-31 08:00" or "2h" ago.')] = None,
    until: Annotated[str | None, typer.Option(help="Sent before.")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A criterion by the provider's own name; repeatable."),
    ] = None,
    sort: Annotated[
        list[str] | None, typer.Option(metavar="FIELD", help="In the order of this field; repeatable.")
    ] = None,
    desc: Annotated[bool, typer.Option("--desc", help="The greatest or newest first; with --sort.")] = False,
    page: Annotated[int, typer.Option(min=1, max=1_000_000, help="Which page.")] = 1,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, max=1_000_000, help="Messages a page, as the provider offers.")
    ] = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List what the provider itself has of an account's messages, also those that were not ordered here."""
    from bridge.cli.client import connect
    from bridge.cli.output import document
    from bridge.cli.times import past

    if desc and not sort:
        raise Stop(Exit.USAGE, "--desc goes with --sort", "Say by which field, e.g. --sort sent_at --desc.")
    question = {
        "reference": reference,
        "to": to,
        "sender": sender,
        "text": text,
        "status": status,
        "since": past(since, "--since"),
        "until": past(until, "--until"),
        "where": where or None,
        "sort": [f"{field}:desc" if desc else field for field in sort or ()] or None,
        "page": page,
        "limit": limit,
    }
    with connect(config, url, key_file, patience=_PATIENCE) as service:
        found = service.get(f"/v1/channels/{quote(id, safe='')}/sent", **question)
    if output is Form.JSON:
        document(found)
    else:
        _show_page(found)


def check(
    ids: IdsArgument = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Check that the accounts work: the provider answers and takes the credentials. Sends nothing."""
    from bridge.cli.client import connect
    from bridge.cli.output import document, table

    with connect(config, url, key_file, patience=_PATIENCE) as service:
        known = {c["id"]: c for c in _accounts(service)}
        found = [tested(service, id, known) for id in ids or known]
    if output is Form.JSON:
        document({"tests": found})
    else:
        rows = ((t["id"], "works" if t["ok"] else "FAILS", t["detail"]) for t in found)
        table(("ID", "", "WHAT"), rows, empty=_NONE)
        for remedy in dict.fromkeys(t["remedy"] for t in found if t["remedy"]):
            print(remedy)
    if not all(t["ok"] for t in found):
        raise typer.Exit(Exit.UNAVAILABLE)


def hlr(
    id: IdArgument,
    number: Annotated[str, typer.Argument(help="The subscriber.")],
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Look a number up: whether it can be reached, and what its network says. Most providers charge for it."""
    from bridge.cli.client import connect
    from bridge.cli.output import document, pairs

    with connect(config, url, key_file, patience=_PATIENCE) as service:
        found = service.ask_once(f"/v1/channels/{quote(id, safe='')}/subscriber", number=number)
    if output is Form.JSON:
        document(found)
        return
    words = {True: "yes", False: "no", None: "not known"}
    pairs({"number": found["number"], "reachable": words[found["reachable"]], **found["facts"]})


def _show_page(found: dict[str, Any]) -> None:
    """A column of which a provider says nothing is left out."""
    from bridge.cli.output import count, table

    rows = [_row(message) for message in found["items"]]
    columns = [name for name in (rows[0] if rows else ()) if any(row[name] not in (None, "") for row in rows)]
    page, pages, total = found["page"], found["pages"], found["total"]
    last = "." if pages is None else f"; the last is {pages}."
    empty = "No message matches." if page == 1 else f"There is no page {page}{last}"
    table(columns, ([row[name] for name in columns] for row in rows), empty=empty)
    if rows and (page > 1 or found["next"] is not None):
        of = "" if pages is None else f" of {pages:,}"
        all_of_them = "" if total is None else f" ({count(total, 'message')})"
        following = "the last" if found["next"] is None else f"next: --page {found['next']}"
        print(f"page {page:,}{of}{all_of_them}, {following}")


def _row(message: dict[str, Any]) -> dict[str, object]:
    from bridge.cli.output import moment

    fate, code, cost = message["fate"], message["code"], message["cost"]
    return {
        "REFERENCE": message["reference"],
        "TO": message["to"],
        "SENDER": message["sender"],
        "SENT": moment(message["sent_at"]),
        "STATUS": fate if code in ("", fate) else f"{fate} ({code})",
        "PARTS": message["parts"],
        "COST": "" if cost is None else f"{cost} {message['currency']}".strip(),
        "NETWORK": f"{message['country']} {message['operator']}".strip(),
        "TEXT": message["text"],
    }


_NONE = "No provider account is configured; see providers.md in the manual."
_REMEDIES = {
    "sim": "Look at the login and its secrets in the configuration, and at the account in the provider's own panel.",
    "link": "The provider cannot be reached from the service: look at the network, a proxy, and `url`.",
    "net": "The provider has trouble of its own; try again later.",
    "busy": "The provider asks to wait; try again later.",
}
_ODD = "The answer is not the provider's, or a new one: look at `url` in the configuration, and at the service's log."


def _accounts(service: Client) -> Iterator[dict[str, Any]]:
    return (c for c in service.get("/v1/channels")["items"] if c["driver"] != "modem")


def _balance(service: Client, id: str) -> dict[str, Any]:
    """With `problem`, why it cannot be told. Raises `Stop` when the service itself refuses."""
    from bridge.cli.client import Refusal

    found: dict[str, Any] = {"id": id, "amount": None, "currency": None, "unit": None, "problem": None}
    try:
        found |= service.get(f"/v1/channels/{quote(id, safe='')}/balance")
    except Refusal as refusal:
        if refusal.code not in ("not_offered", "provider_failed"):
            raise
        said = refusal.problem.get("provider") or {}
        detail = refusal.problem.get("detail")
        found["problem"] = {"code": refusal.code, "detail": detail, "cause": said.get("cause")}
    return found


def _unit(found: dict[str, Any]) -> str:
    return str(found["currency"] or "") if found["unit"] == "money" else str(found["unit"] or "")


def tested(service: Client, id: str, known: dict[str, dict[str, Any]]) -> dict[str, Any]:
    if id not in known:
        raise Stop(Exit.NO_INPUT, f"there is no account {id}", f"There are: {', '.join(known) or 'none'}.")
    found = _balance(service, id)
    problem = found["problem"]
    ok, detail, remedy = True, " ".join(f"{found['amount']} {_unit(found)} left".split()), ""
    if problem is not None and problem["code"] == "not_offered":
        # Then the driver's own check tells: it has asked the provider for something cheap.
        channel = known[id]
        ok = channel["state"] == "up"
        detail = "the provider answers" if ok else channel["reason"] or channel["state"]
        remedy = "" if ok else _REMEDIES["sim" if channel["state"] == "blocked" else "link"]
    elif problem is not None:
        ok, detail, remedy = False, problem["detail"], _REMEDIES.get(problem["cause"], _ODD)
    return {"id": id, "driver": known[id]["driver"], "ok": ok, "detail": detail, "remedy": remedy}
