"""What is done with an incoming message: opt-outs, keyword rules, and when an automatic answer must not go. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import msgspec

from bridge.model import Instant
from bridge.policy.gate import listed

__all__ = ["OLD", "Facts", "Rule", "Rules", "Wish", "fitting", "keyword_of", "no_answer", "normal_text", "wish"]

OLD = 24 * 3_600_000  # what the SIM had in store for longer is stored and told, and starts nothing
DAY = 24 * 3_600_000
_SHORTEST = 7  # digits of a number that may be a person's; shorter ones are services
_AROUND = " \t\r\n.,;:!?\"'()[]*-"


class Wish(msgspec.Struct, frozen=True):
    """`out`: no more texts; else: texts again. `word`: as the configuration has it."""

    out: bool
    word: str


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """`keywords`: the first word is one of these. `prefixes`: the text begins so. `channels`, `senders`: it came so.
    What is empty lets everything through. `needs_token`: it answers a message by its token, for the first time."""

    name: str
    keywords: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    needs_token: bool = False
    forward: tuple[str, ...] = ()
    reply: str = ""
    daily_cap: int = 3  # answers by this rule to one number within 24 hours
    program: tuple[str, ...] = ()
    program_timeout: float = 30.0  # seconds


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    out_words: tuple[str, ...] = ()
    in_words: tuple[str, ...] = ()
    out_answer: str = ""
    in_answer: str = ""
    allow_from: tuple[str, ...] = ()
    deny_from: tuple[str, ...] = ()
    own_numbers: tuple[str, ...] = ()
    answers_per_day: int = 10  # automatic answers of every kind to one number
    rules: tuple[Rule, ...] = ()


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """`named`: it answers a message by its token, and nothing has answered that before."""

    channel: str
    sender: str
    text: str | None
    named: bool = False


def wish(text: str | None, rules: Rules) -> Wish | None:
    """Only when the whole text is the word: "stop by tomorrow" is no opt-out."""
    if not text:
        return None
    said = normal_text(text)
    for out, words in ((True, rules.out_words), (False, rules.in_words)):
        if (word := next((w for w in words if normal_text(w) == said), None)) is not None:
            return Wish(out, word)
    return None


def fitting(facts: Facts, rules: Sequence[Rule]) -> Rule | None:
    """The first that fits, in the order of the file."""
    return next((rule for rule in rules if _fits(facts, rule)), None)


def no_answer(
    sender: str, *, sent_at: Instant | None, now: Instant, given: int, by_rule: int, rules: Rules, cap: int | None
) -> str:
    """Why no automatic answer may go; "" when it may. `given`, `by_rule`: answers of 24 hours to this number."""
    digits = sender.lstrip("+")
    if not digits.isdecimal():
        return "the sender is a name"
    if len(digits) < _SHORTEST:
        return "the sender is a short code"
    if listed(sender, rules.own_numbers):
        return "the sender is one of our own numbers"
    if sent_at is not None and now - sent_at > OLD:
        return "the message is older than a day"
    if given >= rules.answers_per_day or (cap is not None and by_rule >= cap):
        return "the number has had all the answers of a day"
    return ""


def normal_text(text: str) -> str:
    """Case, width, accents as typed, punctuation around it and the number of spaces make no difference."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().strip(_AROUND).split())


def keyword_of(text: str) -> str:
    said = normal_text(text)
    return said.split(" ", 1)[0].strip(_AROUND) if said else ""


def _fits(facts: Facts, rule: Rule) -> bool:
    if facts.text is None and (rule.keywords or rule.prefixes):
        return False
    text = facts.text or ""
    return (
        (not rule.keywords or keyword_of(text) in {normal_text(k) for k in rule.keywords})
        and (not rule.prefixes or text.casefold().startswith(tuple(p.casefold() for p in rule.prefixes)))
        and (not rule.channels or facts.channel in rule.channels)
        and (not rule.senders or listed(facts.sender, rule.senders))
        and (not rule.needs_token or facts.named)
    )
