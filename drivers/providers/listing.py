"""What a provider's own list of messages can be asked, as a table beside its document: our words and its own.

A list that leaves out a criterion without a word would show messages that nobody asked for, so what is not in the table
is refused before the wire, all of it in one sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from drivers.contract import MessageQuery, NotOffered

__all__ = ["Language", "asked", "facts"]


class Language(msgspec.Struct, frozen=True, kw_only=True):
    """`criteria`: fields of `MessageQuery` and what the provider calls them. `own`: further ones, asked for by the
    provider's names. `statuses`: its words for states. `sort`: fields by either name, and the provider's name. `sizes`:
    of a page; empty: it cannot be chosen. `size`: what a page holds, in words."""

    provider: str
    criteria: Mapping[str, str]
    own: Sequence[str] = ()
    statuses: Sequence[str] = ()
    sort: Mapping[str, str] = msgspec.field(default_factory=dict)
    sizes: Sequence[int] = ()
    size: str


def asked(query: MessageQuery, language: Language, moment: Callable[[datetime], str] | None) -> dict[str, str]:
    """The criteria by the provider's names. `moment` writes a time as it stands there; None: the account's zone is not
    known. Raises `NotOffered` with everything that this provider cannot be asked."""
    found: dict[str, str] = {}
    wrong: list[str] = []
    for name in _CRITERIA:
        value = getattr(query, name)
        if value is None:
            continue
        if name not in language.criteria:
            wrong.append(f"{name}: its list cannot be searched by this, only by {', '.join(language.criteria)}")
        elif isinstance(value, datetime):
            if moment is None:
                wrong.append(f"{name}: the zone of this account's dates is not known; set zone")
            else:
                found[language.criteria[name]] = moment(value)
        elif name == "status" and value not in language.statuses:
            wrong.append(f"status: {value!r} is none of its words; there are {', '.join(language.statuses)}")
        else:
            found[language.criteria[name]] = value
    for name, value in query.where.items():
        if name in found:
            wrong.append(f"where: {name} is asked for twice")
        elif name not in language.own and name not in language.criteria.values():
            known = ", ".join((*language.criteria.values(), *language.own))
            wrong.append(f"where: its list knows no {name}; there are {known}")
        else:
            found[name] = value
    wrong += _shape(query, language)
    if wrong:
        raise NotOffered(f"{language.provider} cannot be asked so. " + "; ".join(wrong))
    return found


def facts(fields: Mapping[str, Any], shown: Sequence[str]) -> dict[str, str]:
    """What an item says besides: single values, as texts."""
    return {
        name: str(value).strip()
        for name, value in fields.items()
        if name not in shown and isinstance(value, str | int | float) and str(value).strip()
    }


_CRITERIA = ("reference", "to", "sender", "text", "status", "since", "until")


def _shape(query: MessageQuery, language: Language) -> list[str]:
    """What is wrong with order and size."""
    wrong = []
    fields = ", ".join(language.sort)
    for by in query.sort:
        if not fields:
            wrong.append("sort: the order of its list cannot be chosen")
            break
        if by.field not in language.sort:
            wrong.append(f"sort: its list cannot be sorted by {by.field}, only by {fields}")
    if query.limit is not None and query.limit not in language.sizes:
        wrong.append(f"limit: its pages hold {language.size}")
    return wrong
