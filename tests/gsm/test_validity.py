"""TP-VP: rounded down, and what cannot be said."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.gsm import PduError, timestamps, validity
from tests.gsm.examples import QUICK, STAMP, moments

MINUTE, HOUR, DAY, WEEK = 60, 3600, 86400, 604800


@pytest.mark.parametrize(
    ("seconds", "octet", "lives"),
    [
        (1, 0, 5 * MINUTE),  # nothing below 5 minutes
        (299, 0, 5 * MINUTE),
        (300, 0, 5 * MINUTE),
        (599, 0, 5 * MINUTE),
        (600, 1, 10 * MINUTE),
        (HOUR, 11, HOUR),
        (12 * HOUR, 143, 12 * HOUR),
        (12 * HOUR + 29 * MINUTE, 143, 12 * HOUR),
        (12 * HOUR + 30 * MINUTE, 144, 12 * HOUR + 30 * MINUTE),
        (24 * HOUR, 167, 24 * HOUR),
        (2 * DAY - 1, 167, 24 * HOUR),
        (2 * DAY, 168, 2 * DAY),
        (30 * DAY, 196, 30 * DAY),
        (5 * WEEK - 1, 196, 30 * DAY),
        (5 * WEEK, 197, 5 * WEEK),
        (63 * WEEK, 255, 63 * WEEK),
        (1000 * WEEK, 255, 63 * WEEK),
    ],
)
def test_relative(seconds: int, octet: int, lives: int) -> None:
    assert validity.encode(seconds) == bytes([octet])
    assert validity.decode(bytes([octet]), 0, 2, []) == (lives, None, 1)


@given(st.integers(300, 80 * WEEK))
@QUICK
def test_never_longer_than_asked_and_as_long_as_can_be_said(seconds: int) -> None:
    octet = validity.relative(seconds)
    lives, _, _ = validity.decode(bytes([octet]), 0, 2, [])
    assert lives is not None
    assert lives <= seconds
    if octet < 255:
        longer, _, _ = validity.decode(bytes([octet + 1]), 0, 2, [])
        assert longer is not None
        assert longer > seconds


def test_without_a_wish_there_is_no_field() -> None:
    assert validity.encode(None) == b""


@pytest.mark.parametrize("seconds", [0, -1])
def test_what_is_over_is_refused(seconds: int) -> None:
    with pytest.raises(PduError, match="over"):
        validity.encode(seconds)


@pytest.mark.parametrize(
    ("seconds", "size"),
    [(None, 7), (120, 7), (299, 7), (300, 1), (DAY, 1)],
)
def test_the_absolute_form_is_for_what_the_relative_cannot_say(seconds: int | None, size: int) -> None:
    assert len(validity.encode(seconds, STAMP)) == size


@given(moments)
@QUICK
def test_absolute_is_the_time_stamp(until: datetime) -> None:
    """The library's leaf, checked against ours."""
    octets = validity.encode(None, until)
    assert octets == timestamps.encode(until)
    assert validity.decode(b"\xff" + octets, 1, 3, []) == (None, until, 8)


@pytest.mark.parametrize("until", [datetime(2026, 3, 14), datetime(1999, 1, 1, tzinfo=UTC)])  # noqa: DTZ001
def test_absolute_times_that_cannot_be_written_are_refused(until: datetime) -> None:
    with pytest.raises(PduError):
        validity.encode(None, until)


def test_broken_absolute_is_noted() -> None:
    notes: list[str] = []
    assert validity.decode(bytes(7), 0, 3, notes) == (None, None, 7)
    assert notes == ["the absolute validity is broken"]


@pytest.mark.parametrize(
    ("octets", "seconds"),
    [
        ("00000000000000", None),  # none given
        ("01A70000000000", DAY),  # relative, as in the short form
        ("022D0000000000", 45),  # seconds
        ("03214365000000", 12 * HOUR + 34 * MINUTE + 56),  # hours, minutes, seconds
        ("030F4365000000", None),  # no digit
        ("07000000000000", None),  # reserved
        ("8100A700000000", DAY),  # with an extension octet
    ],
)
def test_enhanced(octets: str, seconds: int | None) -> None:
    assert validity.decode(bytes.fromhex(octets), 0, 1, []) == (seconds, None, 7)


@pytest.mark.parametrize(("form", "size"), [(1, 6), (2, 0), (3, 6)])
def test_cut_off_is_refused(form: int, size: int) -> None:
    with pytest.raises(PduError, match="validity"):
        validity.decode(bytes(size), 0, form, [])
