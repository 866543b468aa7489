"""Limits of channels: when their spans begin, when they are used up, and until when."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Instant
from bridge.policy.quota import Counter, Full, Limit, Limits, Span, Used, crossed, full, room, span_of
from tests.policy.support import QUICK

WARSAW = "Europe/Warsaw"


def at(text: str) -> Instant:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("span", "reset_day", "now", "began", "ends"),
    [
        (Span.MINUTE, 1, "2025-01-13 12:00:59.999", "2025-01-13 12:00", "2025-01-13 12:01"),
        (Span.HOUR, 1, "2025-01-13 12:00", "2025-01-13 12:00", "2025-01-13 13:00"),
        (Span.DAY, 1, "2025-01-13 22:59", "2025-01-12 23:00", "2025-01-13 23:00"),
        (Span.DAY, 1, "2025-01-13 23:00", "2025-01-13 23:00", "2025-01-14 23:00"),
        (Span.DAY, 1, "2025-03-30 12:00", "2025-03-29 23:00", "2025-03-30 22:00"),  # 23 hours
        (Span.DAY, 1, "2025-10-26 12:00", "2025-10-25 22:00", "2025-10-26 23:00"),  # 25 hours
        (Span.MONTH, 1, "2025-01-13 12:00", "2024-12-31 23:00", "2025-01-31 23:00"),
        (Span.MONTH, 14, "2025-01-13 22:59", "2024-12-13 23:00", "2025-01-13 23:00"),
        (Span.MONTH, 14, "2025-01-13 23:00", "2025-01-13 23:00", "2025-02-13 23:00"),
        (Span.MONTH, 31, "2025-02-20 12:00", "2025-01-30 23:00", "2025-02-27 23:00"),  # February ends it
        (Span.MONTH, 31, "2025-02-28 12:00", "2025-02-27 23:00", "2025-03-30 22:00"),
        (Span.MONTH, 29, "2024-03-01 12:00", "2024-02-28 23:00", "2024-03-28 23:00"),
    ],
)
def test_spans_are_those_of_the_tariff(span: Span, reset_day: int, now: str, began: str, ends: str) -> None:
    limits = Limits(limits=(), reset_day=reset_day, zone=WARSAW)
    assert span_of(span, at(now), limits) == (at(began), at(ends))


@QUICK
@given(st.sampled_from(Span), st.integers(1, 31), st.integers(at("2020-01-01"), at("2040-01-01")))
def test_a_span_holds_its_instant_and_the_next_begins_where_it_ends(span: Span, day: int, now: Instant) -> None:
    limits = Limits(limits=(), reset_day=day, zone=WARSAW)
    began, ends = span_of(span, now, limits)
    assert began <= now < ends
    assert span_of(span, began, limits) == (began, ends)
    assert span_of(span, ends, limits)[0] == ends


DAY = Limit(Span.DAY, Counter.PARTS, 100)
HOUR = Limit(Span.HOUR, Counter.PARTS, 20)
PEOPLE = Limit(Span.MONTH, Counter.RECIPIENTS, 2)


@pytest.mark.parametrize(
    ("used", "parts", "expected"),
    [
        ([Used(DAY, 0, 50, 99)], 1, None),
        ([Used(DAY, 0, 50, 99)], 2, Full(50, "99 of 100 parts a day are used up")),
        ([Used(DAY, 0, 50, 100)], 1, Full(50, "100 of 100 parts a day are used up")),
        ([Used(DAY, 0, 50, 100), Used(HOUR, 0, 10, 20)], 1, Full(50, "100 of 100 parts a day are used up")),
        ([Used(DAY, 0, 50, 50), Used(HOUR, 0, 10, 20)], 1, Full(10, "20 of 20 parts a hour are used up")),
        ([Used(PEOPLE, 0, 50, 2)], 1, None),
    ],
)
def test_a_limit_is_used_up_until_the_last_span_that_is(used: list[Used], parts: int, expected: Full | None) -> None:
    assert full(used, {Counter.PARTS: parts, Counter.MESSAGES: 1}) == expected


def test_room_is_that_of_the_tightest_limit() -> None:
    assert room([Used(DAY, 0, 50, 99), Used(HOUR, 0, 10, 5)]) == 1
    assert room([Used(DAY, 0, 50, 120)]) == 0
    assert room([]) > 1_000_000


@pytest.mark.parametrize(("used", "more", "told"), [(79, 1, True), (80, 1, False), (70, 9, False), (0, 100, True)])
def test_four_fifths_are_told_once(used: int, more: int, told: bool) -> None:
    assert crossed(Used(DAY, 0, 50, used), more) is told
