"""The walk through the document: settings, or every mistake with its place. Pure."""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from bridge.config.channels import inbound_rules, modems, no_twin_channels, providers, routes
from bridge.config.declared import TABLES
from bridge.config.hours import never_open
from bridge.config.readers import LONGEST_SOCKET_PATH, meant, says
from bridge.config.settings import (
    DEFAULT_STATE_DIR,
    SOCKET_NAME,
    Canary,
    ConfigError,
    InboundSettings,
    Limits,
    Mail,
    Problem,
    Secret,
    Sending,
    Service,
    Settings,
    Timing,
    Webhooks,
)
from bridge.config.walk import Judge, Problems, ReadSecret, referred, unknown, values

__all__ = ["parse"]


def parse(
    text: str,
    *,
    read_secret: ReadSecret,
    judge: Judge | None = None,
    state_dir: Path = DEFAULT_STATE_DIR,
    source: Path | None = None,
) -> Settings:
    """The settings of a TOML text. `read_secret(kind, name)` gives a secret's value or raises `SecretProblem`; None
    leaves secrets out. `judge`: what the drivers say of their settings. `state_dir`: where the state lives when the
    text does not say. Raises `ConfigError`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_syntax_problem(str(error))], source) from None
    found = Problems(_lines_of(text))
    for name in document:
        if name not in TABLES:
            found.add(name, unknown("table", name, TABLES, brackets=True))
    service = _table(document, "service", found)
    service.setdefault("state_dir", state_dir)
    service.setdefault("socket", service["state_dir"] / SOCKET_NAME)
    settings = Settings(
        service=Service(**service),
        limits=Limits(**_table(document, "limits", found)),
        sending=Sending(**_table(document, "sending", found)),
        timing=Timing(**_table(document, "timing", found)),
        inbound=InboundSettings(**_table(document, "inbound", found)),
        webhooks=Webhooks(**_table(document, "webhooks", found)),
        mail=_mail(document, read_secret, found),
        canary=Canary(**_table(document, "canary", found)),
        modems=modems(document, read_secret, judge, found),
        providers=providers(document, read_secret, judge, found),
        source=source,
    )
    no_twin_channels(document, found)
    ids = frozenset(m.id for m in settings.modems) | frozenset(p.id for p in settings.providers)
    settings = msgspec.structs.replace(settings, routes=routes(document, ids, found))
    settings = msgspec.structs.replace(settings, inbound_rules=inbound_rules(document, ids, found))
    _check_together(settings, document, found)
    if found.problems:
        raise ConfigError(found.in_order(), source)
    return settings


def _mail(document: Mapping[str, object], read_secret: ReadSecret, found: Problems) -> Mail:
    taken = _table(document, "mail", found)
    password = referred("mail", "password", taken, read_secret, found)
    mail = Mail(password=None if password is None else Secret(password.strip()), **taken)
    if mail.host is None and (mail.user or mail.sender):
        found.add("mail.host", "is missing; name the mail server, or take [mail] out")
    if mail.host is not None and mail.sender is None:
        found.add("mail.sender", 'is missing; mail needs an address it comes from, such as "gsmbridge@example.org"')
    if mail.user is not None and mail.tls == "none":
        found.add("mail.user", 'would send the password in clear; use tls = "starttls" or "tls"')
    return mail


def _table(document: Mapping[str, object], name: str, found: Problems) -> dict[str, Any]:
    value = document.get(name, {})
    if not isinstance(value, dict):
        found.add(name, f"{says(value)} is no table; write [{name}] on a line of its own and the settings below it")
        return {}
    return values(value, name, TABLES[name], found)


def _check_together(settings: Settings, document: Mapping[str, object], found: Problems) -> None:
    service = settings.service
    host = service.host
    if not service.allow_remote and host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        found.add(
            "service.listen",
            f"{host} can be reached from other machines; listen on 127.0.0.1, or set service.allow_remote = true if "
            "that is meant (requests always need a key)",
        )
    table = document.get("service")
    derived = not isinstance(table, dict) or "socket" not in table
    if derived and len(str(service.socket).encode()) > LONGEST_SOCKET_PATH:
        found.add(
            "service.state_dir",
            f"is so long that the socket in it would pass {LONGEST_SOCKET_PATH} octets; choose a shorter one, or set "
            "service.socket",
        )
    for at, detail in _canary_problems(settings):
        found.add(f"canary.{at}", detail)
    for at, detail in never_open(settings):
        found.add(at, detail)


def _canary_problems(settings: Settings) -> Iterator[tuple[str, str]]:
    canary = settings.canary
    ids = [*(m.id for m in settings.modems), *(p.id for p in settings.providers)]
    if canary.channel is None:
        if canary.number or canary.alarm_to:
            yield "channel", "is missing; name the channel that sends the canary, or take [canary] out"
        return
    if canary.channel not in ids:
        remedy = meant(canary.channel, ids) or f"; there are: {', '.join(sorted(ids)) or 'none'}"
        yield "channel", f"{says(canary.channel)} is no channel{remedy}"
    if canary.number is None:
        yield "number", "is missing; give the number of a SIM in another modem here"
    if canary.within >= canary.every:
        yield "within", "is no shorter than canary.every; one is on its way at a time"
    if canary.alarm_to and not set(ids) - {canary.channel}:
        yield "alarm_to", f"cannot be told by another channel than {canary.channel}; there is none"


# --- Words and places -------------------------------------------------------------------------------------------------

_HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_-]+)\s*\]\]?")
_KEY = re.compile(r'\s*"?([A-Za-z0-9_-]+)"?\s*=')
_AT_LINE = re.compile(r" \(at line ([0-9]+), column [0-9]+\)$")


def _lines_of(text: str) -> dict[str, int]:
    """Where each setting stands. A reader of lines, not of TOML: odd layouts cost a line number and nothing else."""
    lines: dict[str, int] = {}
    counts: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = header[2]
            if header[1] == "[[":
                index = counts.get(table, 0)
                counts[table] = index + 1
                table = f"{table}[{index}]"
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault(f"{table}.{key[1]}" if table else key[1], number)
    return lines


def _syntax_problem(message: str) -> Problem:
    match = _AT_LINE.search(message)
    line = int(match[1]) if match else 0
    return Problem(at="", detail=f"this is no TOML: {_AT_LINE.sub('', message)}", line=line)
