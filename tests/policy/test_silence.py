"""When hardly anything that a SIM sends arrives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import DueReport, Ratio
from bridge.policy.silence import WINDOW, ratio, suspected


def texts(pattern: str, *, people: int = 40) -> list[DueReport]:
    """ "+" arrived, "-" did not; oldest first."""
    return [
        DueReport(attempt=n, sim="1", recipient=str(n % people), delivered=mark == "+")
        for n, mark in enumerate(pattern)
    ]


@pytest.mark.parametrize(
    ("pattern", "people", "before", "proven", "expected"),
    [
        ("-" * 20, 40, False, True, True),
        ("-" * 19, 40, False, True, False),  # too few to say
        ("-" * 19, 40, True, True, True),  # and too few to take it back
        ("-" * 20, 40, False, False, False),  # no report ever came here
        ("-" * 40, 4, False, True, False),  # four phones that are switched off
        ("-" * 40, 5, False, True, True),
        ("+" * 40 + "-" * 40, 40, False, True, True),  # only the newest count
        ("-" * 40 + "+" * 40, 40, True, True, False),
        ("+" * 5 + "-" * 15, 40, False, True, False),  # a quarter
        ("+" * 4 + "-" * 16, 40, False, True, True),
        ("+" * 9 + "-" * 11, 40, True, True, True),  # not yet half
        ("+" * 10 + "-" * 10, 40, True, True, False),
        ("", 40, False, True, False),
    ],
)
def test_a_block_is_suspected(pattern: str, people: int, before: bool, proven: bool, expected: bool) -> None:
    assert suspected(texts(pattern, people=people), before=before, proven=proven) is expected


@given(st.text("+-", max_size=100), st.booleans(), st.booleans())
def test_more_arrivals_never_make_it_worse(pattern: str, before: bool, proven: bool) -> None:
    better = texts("+" * len(pattern))
    assert suspected(better, before=before, proven=proven) <= suspected(texts(pattern), before=before, proven=proven)
    found = ratio(texts(pattern))
    assert found == Ratio(due=min(len(pattern), WINDOW), delivered=pattern[-WINDOW:].count("+"))
