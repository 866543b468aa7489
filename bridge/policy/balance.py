"""What is left on a SIM, out of the network's own words. Pure.

The operator's pattern is a regular expression of a kind that cannot be slow: one group, the amount; no group within or
behind it, so that repeats never nest; few repeats; and what it is held against has the length of a USSD text."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

__all__ = ["ANY_AMOUNT", "amount", "parse_pattern"]

ANY_AMOUNT = "(-?[0-9](?:[0-9., ']*[0-9])?)"  # ours, not of the operator's kind: the first number
_LONGEST = 182  # characters, 24.090; what a network says in one go
_MOST_REPEATS = 3
_MOST_CHARACTERS = 200
_ESCAPES = frozenset("dDsSwWb")
_REPEATS = frozenset("*+{")
_SEPARATORS = re.compile(r"[ '\u00a0\u202f]")


def parse_pattern(text: str) -> re.Pattern[str]:
    """Raises `ValueError` with what would be right."""
    if not 1 <= len(text) <= _MOST_CHARACTERS:
        raise ValueError(f"a pattern has 1 to {_MOST_CHARACTERS} characters")
    groups = _groups(text)
    if groups != 1:
        raise ValueError(f"it has {groups} groups in round brackets; write one, around the amount: Balance ([0-9.,]+)")
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"it is no regular expression: {error.msg} at character {(error.pos or 0) + 1}") from None


def amount(pattern: re.Pattern[str], said: str) -> Decimal | None:
    """The amount in what the network said; None when it is not there."""
    found = pattern.search(said[:_LONGEST])
    return None if found is None or not found[1] else _number(found[1])


def _groups(text: str) -> int:
    groups = repeats = 0
    inside = False
    at = 0
    while at < len(text):
        char = text[at]
        if char == "\\":
            following = text[at + 1 : at + 2]
            if following.isalnum() and following not in _ESCAPES:
                raise ValueError(
                    f"\\{following} is not taken; of letters behind \\ there are {' '.join(sorted(_ESCAPES))}"
                )
            at += 1
        elif char == "[":
            end = text.find("]", at + 2 if text[at + 1 : at + 2] != "^" else at + 3)
            at = len(text) if end < 0 else end
        elif char == "(":
            if text[at + 1 : at + 2] == "?":
                raise ValueError("groups with (? are not taken")
            if inside:
                raise ValueError("a group within the group is not taken")
            groups, inside = groups + 1, True
        elif char == ")":
            inside = False
            if text[at + 1 : at + 2] in ("*", "+", "{", "?"):
                raise ValueError("the group cannot be repeated; repeat what is in it: ([0-9]+)")
        elif char in _REPEATS:
            repeats += 1
        at += 1
    if repeats > _MOST_REPEATS:
        raise ValueError(f"it has {repeats} repeats (* + {{}}), and more than {_MOST_REPEATS} could take too long")
    return groups


def _number(text: str) -> Decimal | None:
    """ "1 234,56" and "1,234.56" and "1234.56" are the same. One separator alone is the decimal one: "1,234" is little
    more than one, since to warn for nothing is better than not to warn."""
    bare = _SEPARATORS.sub("", text).strip(".,")
    decimal = max(bare.rfind("."), bare.rfind(","))
    if decimal >= 0:
        whole, fraction = re.sub(r"[.,]", "", bare[:decimal]), bare[decimal + 1 :]
        if bare[decimal] in bare[:decimal]:  # the same sign twice groups thousands: 1.234.567
            whole, fraction = whole + fraction, ""
        bare = f"{whole}.{fraction}" if fraction else whole
    try:
        return Decimal(bare)
    except InvalidOperation:
        return None
