"""What is left on a SIM, out of the network's words; and that no pattern can keep us busy."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.balance import ANY_AMOUNT, amount, parse_pattern


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Balance 10", "10"),
        ("Saldo: 1 234,56 PLN.", "1234.56"),
        ("KES 1,234.50 left", "1234.50"),
        ("CHF 1'234.50", "1234.50"),
        ("1.234.567", "1234567"),
        ("0,05", "0.05"),
        ("-3.20 EUR", "-3.20"),
        ("1,234", "1.234"),
        ("Konto 12,30zl, valid until 01.02.2026", "12.30"),
        ("You have no credit", None),
        ("", None),
    ],
)
def test_without_a_pattern_it_is_the_first_number(said: str, expected: str | None) -> None:
    assert amount(re.compile(ANY_AMOUNT), said) == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize(
    ("pattern", "said", "expected"),
    [
        (r"saldo:? ([0-9.,]+)", "29.11 SALDO: 4,20 zl", "4.20"),
        (r"main (\d+[.,]\d\d)", "Bonus 99.00 main 7.05", "7.05"),
        (r"left: ([^ ]+) \(EUR\)", "left: 12.50 (EUR)", "12.50"),
        (r"left ([a-z]+)", "left nothing", None),
        (r"credit ([0-9.]*)", "credit ", None),
        (r"[)(+*{] ([0-9]+)", "+ 5", "5"),
        (r"\(([0-9]+)\)", "(5)", "5"),
    ],
)
def test_the_amount_is_the_patterns_group(pattern: str, said: str, expected: str | None) -> None:
    assert amount(parse_pattern(pattern), said) == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("[0-9]+", "0 groups"),
        ("(a)(b)", "2 groups"),
        ("((a))", "within the group"),
        ("(a+)+", "repeated"),
        ("(a){9}", "repeated"),
        (r"(a)\1", r"\1 is not taken"),
        ("(?i)(a)", r"\(\?"),
        ("(?:a)", r"\(\?"),
        (".*.*.*.*(a)", "4 repeats"),
        ("(a", "no regular expression"),
        ("([a", "no regular expression"),
        ("", "1 to 200"),
        ("(" + "a" * 200 + ")", "1 to 200"),
        ("(a\\", "no regular expression"),
    ],
)
def test_a_pattern_that_is_none_or_might_be_slow_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=why.replace("\\1", r"\\1")):
        parse_pattern(pattern)


@given(st.text(alphabet="ab(){}[]*+?|\\.^$1d,:=!<P", max_size=40))
def test_what_is_taken_has_one_group_and_no_nested_repeat(text: str) -> None:
    try:
        pattern = parse_pattern(text)
    except ValueError:
        return
    assert pattern.groups == 1
    assert "(?" not in re.sub(r"\\.|\[\^?.[^\]]*\]", "", text)
    amount(pattern, "a1" * 91)


@given(st.text(max_size=400))
def test_any_answer_can_be_read(said: str) -> None:
    amount(parse_pattern(r"([0-9.,' ]+)"), said)
