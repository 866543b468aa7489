"""What every part of the walk needs: the list of mistakes, settings read by their declaration, secrets by reference.
Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from bridge.config.declared import LISTS, Setting
from bridge.config.readers import meant, says
from bridge.config.settings import Modem, Problem, Provider, SecretKind, SecretProblem

__all__ = ["Judge", "Problems", "ReadSecret", "no_twins", "referred", "tables", "unknown", "values"]

ReadSecret: TypeAlias = Callable[[SecretKind, str], str] | None  # None: secrets are left out
# What only a driver knows is wrong: name of the setting ("" for several together) and what would be right.
Judge: TypeAlias = Callable[[Modem | Provider], Iterable[tuple[str, str]]]


class Problems:
    """`lines`: where each setting stands."""

    def __init__(self, lines: Mapping[str, int]) -> None:
        self.problems: list[Problem] = []
        self._lines = lines

    def add(self, at: str, detail: str) -> None:
        line = self._lines.get(at) or self._lines.get(at.rpartition(".")[0], 0)
        self.problems.append(Problem(at=at, detail=detail, line=line))

    def in_order(self) -> list[Problem]:
        return sorted(self.problems, key=lambda p: p.line)


def values(
    table: Mapping[str, object],
    at: str,
    known: Mapping[str, Setting],
    found: Problems,
    refused: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for key, value in table.items():
        setting = known.get(key)
        if setting is None:
            found.add(f"{at}.{key}", (refused or {}).get(key) or unknown("setting", key, known))
            continue
        try:
            read[key] = setting.read(value)
        except ValueError as error:
            found.add(f"{at}.{key}", str(error))
    return read


def tables(document: Mapping[str, object], name: str, found: Problems) -> list[dict[str, object]]:
    """The tables written in double brackets."""
    value = document.get(name, [])
    if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
        found.add(name, f"is no list of {name}s; begin each with [[{name}]], in double brackets")
        return []
    return value


def referred(at: str, name: str, taken: dict[str, Any], read_secret: ReadSecret, found: Problems) -> str | None:
    """Takes `name_file` and `name_credential` out of `taken` and follows the one that is there. None: there is none,
    or it cannot be read, which is told."""
    ways = {f"{name}_{kind}": kind for kind in SecretKind}
    given = {key: taken.pop(key) for key in ways if key in taken}
    if len(given) > 1:
        found.add(f"{at}.{name}_credential", f"stands beside {name}_file; keep one of the two")
        return None
    for key, where in given.items():
        if read_secret is None:
            return None
        try:
            return read_secret(ways[key], str(where))
        except SecretProblem as error:
            found.add(f"{at}.{key}", str(error))
    return None


def no_twins(key: str, named: Iterable[tuple[str, Mapping[str, object]]], found: Problems) -> None:
    """`named`: each table with its place; no two may say the same for `key`."""
    seen: dict[str, str] = {}
    for at, table in named:
        value = table.get(key)
        if not isinstance(value, str):
            continue
        if value in seen:
            found.add(f"{at}.{key}", f"{says(value)} is already that of {seen[value]}")
        else:
            seen[value] = at


def unknown(what: str, name: str, known: Iterable[str], *, brackets: bool = False) -> str:
    names = list(known)
    listed = ", ".join(f"[[{n}]]" if n in LISTS else f"[{n}]" for n in names) if brackets else ", ".join(names)
    return f"there is no such {what}{meant(name, names) or f'; there are: {listed}'}"
