"""Query parameters: each list names its own, and anything else is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from bridge.api import cursor
from bridge.api.orders import Time, instant
from bridge.api.problems import Refusal
from bridge.model import Instant, parse_id
from bridge.policy import numbers
from bridge.policy.admission import Complaint

__all__ = ["CURSOR", "DEFAULT_LIMIT", "LIMIT", "MAX_LIMIT", "Parameter", "Query"]

T = TypeVar("T")

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
_MOST_PARAMETERS = 50


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A query parameter. `schema`: its JSON schema, for the OpenAPI text."""

    name: str
    description: str
    schema: dict[str, Any]


LIMIT = Parameter(
    name="limit",
    description=f"items a page, 1 to {MAX_LIMIT}; a page may hold fewer and still have a next one",
    schema={"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
)
CURSOR = Parameter(name="cursor", description="`next` of the page before, unchanged", schema={"type": "string"})


class Query:
    """The parameters of one request. The readers collect complaints; `done` raises them all."""

    def __init__(self, query_string: bytes, allowed: Sequence[Parameter]) -> None:
        self._complaints: list[Complaint] = []
        self._values: dict[str, list[str]] = {}
        names = [p.name for p in allowed]
        try:
            pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
        except ValueError:
            raise Refusal("bad_parameter", f"there are more than {_MOST_PARAMETERS} parameters") from None
        for name, value in pairs:
            if name not in names:
                known = ", ".join(names) or "none"
                self.complain(name[:100], f"is no parameter of this address; there are: {known}")
            self._values.setdefault(name, []).append(value)

    def complain(self, name: str, detail: str) -> None:
        self._complaints.append(Complaint(at=name, code="bad_parameter", detail=detail))

    def complained(self, name: str) -> bool:
        return any(c.at == name for c in self._complaints)

    def done(self) -> None:
        if self._complaints:
            raise Refusal.of(self._complaints)

    def words(self, name: str) -> list[str]:
        """Values given several times or separated by commas."""
        return [word for value in self._values.get(name, []) for word in value.split(",")]

    def text(self, name: str) -> str | None:
        values = self._values.get(name)
        if values is None:
            return None
        if len(values) > 1:
            self.complain(name, "is given more than once")
        elif not values[0]:
            self.complain(name, "is empty")
        elif "\0" in values[0]:
            self.complain(name, "holds NUL")
        else:
            return values[0]
        return None

    def number(self, name: str, region: str | None) -> str | None:
        """A telephone number. A "+" that was not written %2B arrives as a space."""
        given = self.text(name)
        if given is None:
            return None
        found = numbers.normal("+" + given[1:] if given.startswith(" ") else given, region)
        if isinstance(found, numbers.NoNumber):
            self.complain(name, found.detail)
            return None
        return found

    def id(self, name: str, prefix: str) -> int | None:
        return self._read(name, lambda given: parse_id(prefix, given), f"is no id of this kind ({prefix}_...)")

    def time(self, name: str) -> Instant | None:
        return self._read(name, _time, 'is no time with its zone, such as "2030-01-31T12:00:00Z"')

    def flag(self, name: str) -> bool:
        found = self._read(name, {"true": True, "false": False}.get, "is neither true nor false")
        return bool(found)

    def limit(self) -> int:
        return self.whole("limit", MAX_LIMIT) or DEFAULT_LIMIT

    def whole(self, name: str, most: int) -> int | None:
        return self._read(name, lambda given: _whole(given, most), f"is no number from 1 to {most:,}")

    def named(self, name: str) -> dict[str, str]:
        """Values of the form NAME=VALUE, given several times."""
        found: dict[str, str] = {}
        for given in self._values.get(name, []):
            key, is_named, value = given.partition("=")
            if not (key and is_named and value) or "\0" in given:
                self.complain(name, "is not of the form NAME=VALUE")
            elif key in found:
                self.complain(name, f"has {key[:100]} more than once")
            else:
                found[key] = value
        return found

    def cursor(self, list_name: str) -> int | None:
        return self._read("cursor", lambda given: cursor.read(list_name, given), "is no cursor that this list gave")

    def _read(self, name: str, reader: Callable[[str], T | None], wrong: str) -> T | None:
        given = self.text(name)
        if given is None:
            return None
        found = reader(given)
        if found is None:
            self.complain(name, wrong)
        return found


def _whole(given: str, most: int) -> int | None:
    if not (given.isascii() and given.isdigit() and len(given) < 10):
        return None
    return int(given) if 1 <= int(given) <= most else None


def _time(given: str) -> Instant | None:
    try:
        return instant(msgspec.convert(given.replace(" ", "+"), Time))  # the zone's "+", not written %2B
    except msgspec.ValidationError:
        return None
