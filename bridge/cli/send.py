"""`send`: order texts, and if asked wait for what becomes of them."""

from __future__ import annotations

import re
import secrets
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.exits import Exit, Stop
from bridge.cli.options import ConfigOption, KeyFileOption, OutputOption, UrlOption
from bridge.cli.output import Form

if TYPE_CHECKING:
    from bridge.cli.client import Client
    from bridge.cli.recipients import Recipient
    from bridge.cli.waiting import Tally

__all__ = ["Until", "send"]

_NUMBER = re.compile(r"\+?[0-9][0-9 ()./-]{2,}")
_CHUNK = 10_000  # messages in one request, the service's default limit


class Until(StrEnum):
    SENT = "sent"
    DELIVERED = "delivered"


def send(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NUMBER] TEXT",
            help='The text. "-" or nothing: from standard input. One recipient may stand before it.',
        ),
    ] = None,
    to: Annotated[list[str] | None, typer.Option("--to", "-t", metavar="NUMBER", help="Recipient; repeatable.")] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Recipients from a CSV file: to[,text].")
    ] = None,
    wait: Annotated[Until | None, typer.Option("--wait", "-w", help="Stay until sent or delivered.")] = None,
    timeout: Annotated[str, typer.Option(metavar="TIME", help="How long --wait waits at most.")] = "10m",
    ref: Annotated[str | None, typer.Option(help="A reference of yours, to find it again.")] = None,
    message_class: Annotated[
        int | None,
        typer.Option("--class", min=0, max=3, help="Message class; 0 is flash, shown at once and not stored."),
    ] = None,
    priority: Annotated[
        int, typer.Option(min=-128, max=127, help="Higher goes first; from 100 on doubt is settled in a minute.")
    ] = 0,
    policy: Annotated[
        str | None, typer.Option(help="In doubt: at_most_once, at_least_once or urgent; see delivery.md.")
    ] = None,
    valid_for: Annotated[str | None, typer.Option(metavar="TIME", help='Give up after this time, e.g. "2h".')] = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help='Not before: "2026-01-31 08:00", "10m" from now, "9-21"; see timing.md.'),
    ] = None,
    tz: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Zone of --at and --window: Europe/Warsaw, or hours from Moscow.")
    ] = None,
    window: Annotated[
        list[str] | None, typer.Option(metavar="HOURS", help='Only within, e.g. "mon-fri 9-18"; repeatable.')
    ] = None,
    on_quiet: Annotated[
        str | None, typer.Option(help="When it would expire outside its hours: refuse (default) or expire.")
    ] = None,
    period: Annotated[
        float | None, typer.Option(metavar="HOURS", help="Spread many recipients over so many hours, 0.1 to 720.")
    ] = None,
    freq: Annotated[
        int | None, typer.Option(metavar="MINUTES", help="In groups so many minutes apart; with --period.")
    ] = None,
    per_minute: Annotated[int | None, typer.Option(metavar="N", help="Or so many texts a minute.")] = None,
    channel: Annotated[str | None, typer.Option(metavar="ID", help="By this channel and no other.")] = None,
    route: Annotated[str | None, typer.Option(metavar="NAME", help="By this route; see routing.md.")] = None,
    sender: Annotated[str | None, typer.Option(help="The sender to show, where the channel can choose it.")] = None,
    kind: Annotated[
        str | None, typer.Option(help="Where a provider can: voice, mms, ping or hlr. Default: text.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="gsm7 or ucs2. Default: gsm7 where the text allows it.")] = None,
    report: Annotated[
        bool | None, typer.Option("--report/--no-report", help="Ask for a delivery report. Default: as configured.")
    ] = None,
    ordered: Annotated[
        bool, typer.Option("--ordered", help="Not before your earlier ordered ones to the same recipient.")
    ] = False,
    order_key: Annotated[
        str | None, typer.Option("--order-key", metavar="KEY", help="Not before your earlier ones with the same key.")
    ] = None,
    token: Annotated[
        str | None, typer.Option(metavar="WORD", help="An answer that says this word answers this text.")
    ] = None,
    transactional: Annotated[
        bool, typer.Option("--transactional", help="Goes also to who has opted out: alarms, receipts.")
    ] = False,
    otp: Annotated[
        bool, typer.Option("--otp", help="A one-time code: goes also to who has opted out, never to a changed SIM.")
    ] = False,
    once: Annotated[
        str | None, typer.Option(metavar="KEY", help="Idempotency key: the same command with the same key orders once.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Send nothing; say encoding, parts and what forces UCS-2.")
    ] = False,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Send a text to one or many. Returns when the order is safely stored, with --wait when it is sent or delivered."""
    from bridge.cli.client import connect
    from bridge.cli.recipients import Recipient, from_csv, text_from
    from bridge.cli.times import seconds, sending

    to, text = _addressed(words or [], to or [], csv)
    if csv is not None and str(csv) == "-" and text == "-":
        raise Stop(Exit.USAGE, "standard input cannot be both the text and the CSV file")
    recipients = [Recipient(to=number, source=f"--to {number}") for number in to]
    if csv is not None:
        recipients += from_csv(csv)
    needed = any(r.text is None for r in recipients) or not recipients
    if not recipients and not dry_run:
        raise Stop(Exit.USAGE, "there is no recipient", "Give --to NUMBER, or --csv FILE.")
    body = text_from(text, needed=needed)
    options = {
        "ref": ref,
        "class": message_class,
        "priority": priority or None,
        "policy": policy,
        "valid_for": int(seconds(valid_for, "--valid-for")) if valid_for else None,
        **sending(at, tz, "--at"),
        "windows": window or None,
        "on_quiet": on_quiet,
        "channel": channel,
        "route": route,
        "sender": sender,
        "kind": kind,
        "encoding": encoding,
        "report": report,
        "ordered": ordered or None,
        "order_key": order_key,
        "reply_token": token,
        "category": "otp" if otp else "transactional" if transactional else None,
    }
    shared = {name: value for name, value in options.items() if value is not None}
    spread = {"period": period, "freq": freq, "per_minute": per_minute}
    pace = {name: value for name, value in spread.items() if value is not None}
    if pace and len(recipients) > _CHUNK:
        raise Stop(
            Exit.USAGE,
            f"--period, --freq and --per-minute spread at most {_CHUNK:,} recipients at once",
            "Split the list, and give the pieces times of their own with --at.",
        )
    patience = seconds(timeout, "--timeout")
    with connect(config, url, key_file) as service:
        if dry_run:
            _preview(service, recipients, body, encoding, output)
        elif len(recipients) == 1 and csv is None and not pace:
            order = {"to": recipients[0].to, "text": body, **shared}
            _one(service, order, once or secrets.token_hex(16), wait, patience, output)
        else:
            _many(service, recipients, body, shared | pace, once or secrets.token_hex(16), wait, patience, output)


def _addressed(words: list[str], to: list[str], csv: Path | None) -> tuple[list[str], str | None]:
    """Recipients and text. One recipient may stand before the text without its option."""
    if len(words) == 2 and not to and csv is None and _NUMBER.fullmatch(words[0]):
        return [words[0]], words[1]
    if len(words) > 1:
        raise Stop(
            Exit.USAGE,
            f"one text is sent, and here are {len(words)} words that belong to no option, the second {words[1]!r}",
            'Put the text in quotes: gsmbridge send --to NUMBER "the text".',
        )
    return to, words[0] if words else None


def _preview(
    service: Client, recipients: list[Recipient], body: str | None, encoding: str | None, output: Form
) -> None:
    """One line for each different text; a number is checked where there is one."""
    from bridge.cli.output import document, table

    found: dict[tuple[str | None, str | None], dict[str, Any]] = {}
    wanted: list[tuple[str | None, str | None]]
    wanted = [(one.to, body if one.text is None else one.text) for one in recipients] or [(None, body)]
    for to, text in wanted:
        if (to, text) in found:
            continue
        given = {"to": to, "text": text, "encoding": encoding}
        found[to, text] = service.post(
            "/v1/messages/preview", {name: value for name, value in given.items() if value is not None}
        )
    previews = list(found.values())
    if output is Form.JSON:
        document({"previews": previews})
        return
    table(
        ("TO", "ENCODING", "PARTS", "LEFT", "UCS-2 BECAUSE OF", "TEXT"),
        (
            (
                to,
                p["encoding"],
                p["part_count"],
                p["units_left"],
                f"{p['forced_by']['character']!r} at {p['forced_by']['index']}" if p["forced_by"] else "",
                text,
            )
            for (to, text), p in found.items()
        ),
        empty="",
    )


def _one(service: Client, order: dict[str, Any], once: str, wait: Until | None, patience: float, output: Form) -> None:
    from bridge.cli.output import clean, count, document, moment
    from bridge.cli.waiting import tally, wait_for_message

    message: dict[str, Any] = service.post("/v1/messages", order, once=once)
    if wait is not None:
        message = wait_for_message(service, message["id"], wait.value, patience)
    if output is Form.JSON:
        document(message)
    else:
        why = f": {message['reason']}" if message["reason"] else ""
        if message["status"] == "scheduled" and not why:
            why = f" for {moment(message['due_at'])}"
        parts = f"{count(message['part_count'], 'part')}, {message['encoding']}"
        print(clean(f"{message['id']}  {message['to']}  {message['status']}{why}  ({parts})"))
    if wait is not None:
        _verdict(tally({message["status"]: 1}, wait.value), wait, f"gsmbridge show {message['id']}")


def _many(
    service: Client,
    recipients: list[Recipient],
    body: str | None,
    shared: dict[str, Any],
    once: str,
    wait: Until | None,
    patience: float,
    output: Form,
) -> None:
    from bridge.cli.client import Refusal
    from bridge.cli.output import count, document
    from bridge.cli.progress import progress
    from bridge.cli.waiting import wait_for_batches

    batches: list[dict[str, Any]] = []
    with progress("accepted", len(recipients)) as bar:
        for start in range(0, len(recipients), _CHUNK):
            chunk = recipients[start : start + _CHUNK]
            try:
                batches.append(service.post("/v1/batches", _batch(chunk, body, shared), once=f"{once}-{start}"))
            except Stop as stop:
                if isinstance(stop, Refusal):
                    stop.detail = stop.told(partial(_place, recipients=chunk))
                if start:
                    # Never half done in silence: what stands is said, and how to go on without doubling it.
                    stop.remedy = (
                        f"The first {start:,} recipients ARE accepted ({', '.join(b['id'] for b in batches)}). "
                        f"Mend the rest, leave the beginning as it is, and repeat the command with --once {once}: "
                        "nothing is ordered twice."
                    )
                raise
            bar(start + len(chunk))
    ids = [b["id"] for b in batches]
    result = None
    if wait is not None:
        with progress(wait.value, len(recipients)) as bar:
            result = wait_for_batches(service, ids, wait.value, patience, lambda t: bar(t.good + t.lost))
    if output is Form.JSON:
        messages = [m for b in batches for m in b["messages"]]
        counts = None if result is None else {"reached": result.good, "failed": result.lost, "open": result.open}
        document({"batches": ids, "count": len(messages), "messages": messages, "wait": counts})
    else:
        total = sum(b["count"] for b in batches)
        print(f"{' '.join(ids)}  {count(total, 'message')} accepted" + (_spoken(result, wait) if result else ""))
    if wait is not None and result is not None:
        _verdict(result, wait, " or ".join(f"gsmbridge ls --batch {id}" for id in ids))


def _batch(chunk: list[Recipient], body: str | None, shared: dict[str, Any]) -> dict[str, Any]:
    if all(one.text is None for one in chunk):
        return {"to": [one.to for one in chunk], "text": body, **shared}
    return {
        "messages": [{"to": one.to, "text": body if one.text is None else one.text} for one in chunk],
        **shared,
    }


def _place(at: str, recipients: list[Recipient]) -> str:
    """`messages[1].text` as the person knows it: the line of the file, the option."""
    match = re.match(r"(?:to|messages)\[([0-9]+)\](?:\.(.+))?$", at)
    if match is None or int(match[1]) >= len(recipients):
        return at
    source = recipients[int(match[1])].source
    return f"{source}: {match[2]}" if match[2] and match[2] != "to" else source


def _spoken(result: Tally, wait: Until | None) -> str:
    words = [f"{result.good:,} {wait}"]
    if result.lost:
        words.append(f"{result.lost:,} failed")
    if result.open:
        words.append(f"{result.open:,} still under way")
    return ": " + ", ".join(words)


def _verdict(result: Tally, wait: Until, look: str) -> None:
    """Ends the command when not all got there."""
    if result.open:
        raise Stop(Exit.TEMPFAIL, f"not yet {wait}; the service goes on with it", f"Look with `{look}`.")
    if result.lost:
        raise Stop(Exit.FAILED, f"not {wait}, and it will not be", f"Look with `{look}`.")
