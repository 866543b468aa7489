"""The walk through the document: settings, or every mistake with its place. Pure."""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from bridge.config.declared import REFUSED, TABLES, Setting
from bridge.config.readers import LONGEST_SOCKET_PATH, meant, says
from bridge.config.settings import (
    DEFAULT_STATE_DIR,
    SOCKET_NAME,
    ConfigError,
    Limits,
    Modem,
    Problem,
    Secret,
    SecretKind,
    SecretProblem,
    Sending,
    Service,
    Settings,
)

__all__ = ["parse"]


def parse(
    text: str,
    *,
    read_secret: Callable[[SecretKind, str], str] | None,
    state_dir: Path = DEFAULT_STATE_DIR,
    source: Path | None = None,
) -> Settings:
    """The settings of a TOML text. `read_secret(kind, name)` gives a secret's value or raises `SecretProblem`; None
    leaves secrets out. `state_dir`: where the state lives when the text does not say. Raises `ConfigError`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_syntax_problem(str(error))], source) from None
    found = _Problems(_lines_of(text))
    for name in document:
        if name not in TABLES:
            found.add(name, _unknown("table", name, TABLES, brackets=True))
    service = _table(document, "service", found)
    service.setdefault("state_dir", state_dir)
    service.setdefault("socket", service["state_dir"] / SOCKET_NAME)
    settings = Settings(
        service=Service(**service),
        limits=Limits(**_table(document, "limits", found)),
        sending=Sending(**_table(document, "sending", found)),
        modems=_modems(document.get("modem"), read_secret, found),
        source=source,
    )
    _check_together(settings, document, found)
    if found.problems:
        raise ConfigError(found.in_order(), source)
    return settings


class _Problems:
    def __init__(self, lines: Mapping[str, int]) -> None:
        self.problems: list[Problem] = []
        self._lines = lines

    def add(self, at: str, detail: str) -> None:
        line = self._lines.get(at) or self._lines.get(at.rpartition(".")[0], 0)
        self.problems.append(Problem(at=at, detail=detail, line=line))

    def in_order(self) -> list[Problem]:
        return sorted(self.problems, key=lambda p: p.line)


def _table(document: Mapping[str, object], name: str, found: _Problems) -> dict[str, Any]:
    value = document.get(name, {})
    if not isinstance(value, dict):
        found.add(name, f"{says(value)} is no table; write [{name}] on a line of its own and the settings below it")
        return {}
    return _values(value, name, TABLES[name], found)


def _values(
    table: Mapping[str, object],
    at: str,
    known: Mapping[str, Setting],
    found: _Problems,
    refused: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in table.items():
        setting = known.get(key)
        if setting is None:
            found.add(f"{at}.{key}", (refused or {}).get(key) or _unknown("setting", key, known))
            continue
        try:
            values[key] = setting.read(value)
        except ValueError as error:
            found.add(f"{at}.{key}", str(error))
    return values


def _modems(value: object, read_secret: Callable[[SecretKind, str], str] | None, found: _Problems) -> tuple[Modem, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
        found.add("modem", "is no list of modems; begin each with [[modem]], in double brackets")
        return ()
    modems = []
    for index, table in enumerate(value):
        at = f"modem[{index}]"
        values = _values(table, at, TABLES["modem"], found, REFUSED)
        if "id" not in table:
            found.add(f"{at}.id", 'is missing; each modem needs a name, such as id = "gsm1"')
        if not table.keys() & {"port", "imei", "iccid"}:
            found.add(f"{at}.port", "is missing; `gsmbridge modem scan` lists the ports that answer as modems")
        pin = _pin(values, at, read_secret, found)
        if "id" in values:
            modems.append(Modem(pin=pin, **values))
    for key in ("id", "port", "imei", "iccid"):
        _no_twins(key, value, found)
    return tuple(modems)


def _pin(
    values: dict[str, Any], at: str, read_secret: Callable[[SecretKind, str], str] | None, found: _Problems
) -> Secret | None:
    """Takes the references out of `values` and follows one of them."""
    file: Path | None = values.pop("pin_file", None)
    credential: str | None = values.pop("pin_credential", None)
    if file is not None and credential is not None:
        found.add(f"{at}.pin_credential", "stands beside pin_file; keep one of the two")
        return None
    if read_secret is None or (file is None and credential is None):
        return None
    key = "pin_file" if file is not None else "pin_credential"
    try:
        if file is not None:
            value = read_secret(SecretKind.FILE, str(file))
        else:
            value = read_secret(SecretKind.CREDENTIAL, str(credential))
    except SecretProblem as error:
        found.add(f"{at}.{key}", str(error))
        return None
    if not re.fullmatch(r"[0-9]{4,8}", value.strip()):  # 31.102: 4 to 8 digits
        found.add(f"{at}.{key}", "does not hold a PIN; a PIN has 4 to 8 digits and stands alone")
        return None
    return Secret(value.strip())


def _no_twins(key: str, tables: list[dict[str, object]], found: _Problems) -> None:
    seen: dict[str, int] = {}
    for index, table in enumerate(tables):
        value = table.get(key)
        if not isinstance(value, str):
            continue
        if value in seen:
            found.add(f"modem[{index}].{key}", f"{says(value)} is already that of modem[{seen[value]}]")
        else:
            seen[value] = index


def _check_together(settings: Settings, document: Mapping[str, object], found: _Problems) -> None:
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


def _unknown(what: str, name: str, known: Iterable[str], *, brackets: bool = False) -> str:
    names = list(known)
    listed = ", ".join(f"[[{n}]]" if n == "modem" else f"[{n}]" for n in names) if brackets else ", ".join(names)
    return f"there is no such {what}{meant(name, names) or f'; there are: {listed}'}"
