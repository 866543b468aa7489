"""Identifiers grow, and their text sorts like them."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Ids, parse_id, show_id
from tests.policy.support import NOON, QUICK

ids = st.integers(0, (1 << 63) - 1)


@QUICK
@given(ids, st.sampled_from(["msg", "att", "inb", "bat", "key"]))
def test_an_id_is_read_back_as_it_was_shown(id: int, prefix: str) -> None:
    shown = show_id(prefix, id)
    assert parse_id(prefix, shown) == id
    assert len(shown) == len(prefix) + 14


@QUICK
@given(ids, ids)
def test_shown_ids_sort_as_their_numbers(one: int, other: int) -> None:
    assert (show_id("msg", one) < show_id("msg", other)) == (one < other)


def test_the_shape_of_an_id() -> None:
    assert show_id("msg", 7) == "msg_0000000000007"
    assert show_id("msg", (1 << 63) - 1) == "msg_7zzzzzzzzzzzz"


@pytest.mark.parametrize(
    "shown",
    [
        "",
        "msg",
        "msg_",
        "0000000000007",
        "att_0000000000007",
        "msg_000000000007",
        "msg_00000000000007",
        "msg_000000000000u",
        "msg_000000000000L",
        "msg_000000000000A",
        "msg_00000000000 7",
        "msg_-000000000007",
        "msg_8000000000000",
        "msg_zzzzzzzzzzzzz",
        "msg_000000000000\u0667",
        "MSG_0000000000007",
        "msg__000000000007",
    ],
)
def test_what_is_no_id_is_none(shown: str) -> None:
    assert parse_id("msg", shown) is None


@QUICK
@given(st.text(max_size=20))
def test_any_text_is_an_id_or_none(shown: str) -> None:
    found = parse_id("msg", shown)
    assert found is None or show_id("msg", found) == shown


@QUICK
@given(st.lists(st.integers(-5000, 5000), max_size=60), st.integers(0, 1 << 32))
def test_ids_grow_whatever_the_clock_does(steps: list[int], seed: int) -> None:
    """Stepping back, standing still, leaping ahead."""
    at = NOON

    def now() -> int:
        return at

    maker = Ids(now, Random(seed))
    last = maker.next()
    for step in steps:
        at += step
        new = maker.next()
        assert new > last
        last = new


def test_an_id_tells_its_millisecond() -> None:
    assert Ids(lambda: NOON, Random(1)).next() >> 20 == NOON


def test_a_burst_stays_within_its_millisecond_for_half_a_million() -> None:
    starts = [Ids(lambda: NOON, Random(seed)).next() & ((1 << 20) - 1) for seed in range(100)]
    assert max(starts) < 1 << 19
    maker = Ids(lambda: NOON, Random(1))
    first = maker.next()
    assert [maker.next() for _ in range(1000)] == list(range(first + 1, first + 1001))


def test_a_restart_with_a_clock_set_back_goes_on_from_the_last() -> None:
    before = Ids(lambda: NOON, Random(1)).next()
    assert Ids(lambda: NOON - 3_600_000, Random(1), last=before).next() == before + 1
    assert Ids(lambda: 0, Random(1), last=before).next() == before + 1


def test_two_services_started_in_one_millisecond_differ() -> None:
    assert Ids(lambda: NOON, Random(1)).next() != Ids(lambda: NOON, Random(2)).next()


def test_ids_fit_a_signed_column_for_two_centuries() -> None:
    year_2240 = 8_520_000_000_000
    assert Ids(lambda: year_2240, Random(1)).next() < 1 << 63
