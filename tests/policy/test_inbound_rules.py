"""Opt-outs, keywords, and when no automatic answer goes: as tables."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Category, Message, OptOut
from bridge.policy.gate import Gate, passes
from bridge.policy.inbound_rules import OLD, Facts, Rule, Rules, Wish, fitting, no_answer, wish

CAROL = "+48600700800"
RULES = Rules(out_words=("STOP", "REZYGNUJĘ"), in_words=("START",), own_numbers=("+48500",), answers_per_day=3)
NOW = 1_760_000_000_000


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("STOP", Wish(True, "STOP")),
        (" stop! ", Wish(True, "STOP")),
        ("ＳＴＯＰ", Wish(True, "STOP")),  # as some keyboards write it
        ("rezygnuję.", Wish(True, "REZYGNUJĘ")),
        ("start", Wish(False, "START")),
        ("stop by tomorrow", None),
        ("don't stop", None),
        ("STOPALL", None),
        ("", None),
        (None, None),
    ],
)
def test_a_wish_is_the_whole_text(text: str | None, wanted: Wish | None) -> None:
    assert wish(text, RULES) == wanted


@pytest.mark.parametrize(
    ("rule", "facts", "fits"),
    [
        ({"keywords": ("INFO",)}, {"text": "info"}, True),
        ({"keywords": ("INFO",)}, {"text": "Info, please"}, True),
        ({"keywords": ("INFO",)}, {"text": "information"}, False),
        ({"keywords": ("INFO",)}, {"text": "more info"}, False),
        ({"keywords": ("INFO",)}, {"text": None}, False),
        ({"prefixes": ("ORDER ",)}, {"text": "order 7"}, True),
        ({"prefixes": ("ORDER ",)}, {"text": "reorder 7"}, False),
        ({"channels": ("gsm1",)}, {"channel": "gsm2"}, False),
        ({"senders": ("+48",)}, {}, True),
        ({"senders": ("+49", "MyBank")}, {}, False),
        ({"senders": ("mybank",)}, {"sender": "MyBank"}, True),
        ({"needs_token": True}, {}, False),
        ({"needs_token": True}, {"named": True}, True),
        ({}, {"text": None}, True),
    ],
)
def test_a_rule_fits_when_all_its_conditions_do(rule: Any, facts: Any, fits: bool) -> None:
    values: dict[str, Any] = {"channel": "gsm1", "sender": CAROL, "text": "hello"}
    assert (fitting(Facts(**values | facts), [Rule(name="r", **rule)]) is not None) is fits


def test_the_first_rule_that_fits_is_used() -> None:
    rules = [Rule(name="a", keywords=("A",)), Rule(name="b"), Rule(name="c")]
    found = fitting(Facts(channel="gsm1", sender=CAROL, text="hello"), rules)
    assert found is not None
    assert found.name == "b"


@pytest.mark.parametrize(
    ("sender", "changes", "answered"),
    [
        (CAROL, {}, True),
        ("MyBank", {}, False),
        ("", {}, False),
        ("65000", {}, False),
        ("+48500600700", {}, False),
        (CAROL, {"sent_at": NOW - OLD + 1}, True),
        (CAROL, {"sent_at": NOW - OLD - 1}, False),
        (CAROL, {"given": 3}, False),
        (CAROL, {"by_rule": 2, "cap": 2}, False),
        (CAROL, {"by_rule": 1, "cap": 2}, True),
    ],
)
def test_who_gets_no_automatic_answer(sender: str, changes: dict[str, Any], answered: bool) -> None:
    facts: dict[str, Any] = {"sent_at": None, "now": NOW, "given": 0, "by_rule": 0, "cap": None}
    assert (no_answer(sender, rules=RULES, **facts | changes) == "") is answered


def order(**fields: Any) -> Message:
    values: dict[str, Any] = {"id": 1, "client": 1, "to": CAROL, "created_at": 0, "due_at": 0, "text": "x"}
    return Message(**values | fields)


@pytest.mark.parametrize(
    ("opt_out", "fields", "refused"),
    [
        ({}, {}, True),
        ({}, {"to": "+48600700801"}, False),
        ({}, {"category": Category.TRANSACTIONAL}, False),
        ({"sender": "Shop"}, {"sender": "Shop"}, True),
        ({"sender": "Shop"}, {"sender": "Bank"}, False),
        ({"sender": "Shop"}, {}, False),
        ({"channel": "gsm1"}, {}, True),  # it may go by this one
        ({"channel": "gsm1"}, {"channel": "gsm1"}, True),
        ({"channel": "gsm1"}, {"channel": "gsm2"}, False),
        ({"channel": "gsm1"}, {"sender": "Shop"}, True),
    ],
)
def test_an_opt_out_ends_the_texts_it_is_for(opt_out: Any, fields: Any, refused: bool) -> None:
    gate = Gate(opt_outs={CAROL: (OptOut(id=1, number=CAROL, created_at=0, **opt_out),)})
    complaint = gate.complaint(order(**fields))
    assert (complaint is not None) is refused
    if complaint is not None:
        assert complaint.code == "opted_out"


@given(st.lists(st.sampled_from(["+48", "+4860", "+49", "7", "MyBank"])), st.sampled_from([CAROL, "7245", "mybank"]))
def test_deny_goes_before_allow(patterns: list[str], number: str) -> None:
    assert not passes(number, [number], [*patterns, number])
    assert passes(number, [*patterns, number], [])
    assert passes(number, [], [])


def test_a_gate_with_nothing_on_it_is_not_asked() -> None:
    assert not Gate().active
    assert Gate(deny=("+4870",)).active
