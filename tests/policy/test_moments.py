"""Send times: every form of the SMSC document, and RFC 3339."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.timing import Window, parse_time, zone_name, zones_of_number
from tests.policy.support import MINUTE, NOON, QUICK

WARSAW = "Europe/Warsaw"

# what is typed, the zone it is read in, the instant in UTC. Now is 2026-03-14 12:00 UTC.
TIMES = [
    ("0", WARSAW, "2026-03-14T12:00:00"),
    ("", WARSAW, "2026-03-14T12:00:00"),
    # DDMMYYhhmm
    ("1503261530", WARSAW, "2026-03-15T14:30:00"),
    ("1507261530", WARSAW, "2026-07-15T13:30:00"),
    ("1503261530", "UTC+03:00", "2026-03-15T12:30:00"),
    ("2902281200", "UTC", "2028-02-29T12:00:00"),
    ("3112262359", "UTC", "2026-12-31T23:59:00"),
    ("0101270000", "UTC", "2027-01-01T00:00:00"),
    ("0103200800", "UTC", "2020-03-01T08:00:00"),  # has passed; the caller says so
    # DD.MM.YY hh:mm
    ("15.03.26 15:30", WARSAW, "2026-03-15T14:30:00"),
    ("15.03.26 15: 30", WARSAW, "2026-03-15T14:30:00"),
    ("29.02.28 00:00", "UTC", "2028-02-29T00:00:00"),
    ("15.03.26 15:30", "America/New_York", "2026-03-15T19:30:00"),
    ("15.03.26 15:30", "Asia/Kathmandu", "2026-03-15T09:45:00"),
    # 0ts
    ("01773500000", WARSAW, "2026-03-14T14:53:20"),
    ("01773500000", "America/New_York", "2026-03-14T14:53:20"),
    ("01", WARSAW, "1970-01-01T00:00:01"),
    # +m
    ("+90", WARSAW, "2026-03-14T13:30:00"),
    ("+0", WARSAW, "2026-03-14T12:00:00"),
    ("+1440", WARSAW, "2026-03-15T12:00:00"),
    # RFC 3339
    ("2026-03-15T15:30:00Z", WARSAW, "2026-03-15T15:30:00"),
    ("2026-03-15T15:30:00+01:00", "UTC", "2026-03-15T14:30:00"),
    ("2026-03-15t15:30:00.250z", "UTC", "2026-03-15T15:30:00.250"),
    ("2026-03-15 15:30", WARSAW, "2026-03-15T14:30:00"),
    ("2026-03-15T15:30:00", "UTC-05:00", "2026-03-15T20:30:00"),
    # The clocks go ahead: what they jump over is the end of the jump.
    ("29.03.26 02:30", WARSAW, "2026-03-29T01:00:00"),
    ("2903260200", WARSAW, "2026-03-29T01:00:00"),
    ("29.03.26 03:00", WARSAW, "2026-03-29T01:00:00"),
    ("29.03.26 01:59", WARSAW, "2026-03-29T00:59:00"),
    ("2026-03-08T02:30:00", "America/New_York", "2026-03-08T07:00:00"),
    ("2026-10-04T02:15:00", "Australia/Lord_Howe", "2026-10-03T15:30:00"),
    # They go back: what they show twice is the first.
    ("25.10.26 02:30", WARSAW, "2026-10-25T00:30:00"),
    ("25.10.26 03:00", WARSAW, "2026-10-25T02:00:00"),
    ("2026-11-01T01:30:00", "America/New_York", "2026-11-01T05:30:00"),
    ("2026-04-05T01:45:00", "Australia/Lord_Howe", "2026-04-04T14:45:00"),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "zone", "expected"), TIMES)
def test_every_form_is_read(typed: str, zone: str, expected: str) -> None:
    found = parse_time(typed, NOON, zone)
    assert isinstance(found, int)
    assert found == round(datetime.fromisoformat(expected).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(("typed", "start", "end"), [("9-21", 540, 1260), ("22-6", 1320, 360), ("8:30-9", 510, 540)])
def test_hours_are_a_window(typed: str, start: int, end: int) -> None:
    found = parse_time(typed, NOON, WARSAW)
    assert isinstance(found, Window)
    assert (found.start, found.end) == (start, end)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("3102261200", "there is no 31.02.2026"),
        ("2902271200", "there is no 29.02.2027"),
        ("1513261200", "there is no 15.13.2026"),
        ("1503262460", "there is no 15.03.2026 24:60"),
        ("31.02.26 10:00", "there is no 31.02.2026"),
        ("31.02.2026 10:00", "is no time"),
        ("2026-02-31T10:00:00Z", "is no time"),
        ("2026-02-31", "is no time"),
        ("25-3", "25 is no time of a day"),
        ("h1-h2", "is no window"),
        ("tomorrow", "DDMMYYhhmm"),
        ("90", "is no time"),
        ("-90", "is no time"),
        ("+90m", "is no time"),
        ("01773500000000000", "is no time"),
        ("0999999999999", "too far ahead"),
        ("9999-12-31T23:59:59Z", "too far ahead"),
    ],
)
def test_what_is_no_time_is_refused_with_what_would_be_right(typed: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_time(typed, NOON, WARSAW)


@QUICK
@given(st.text(max_size=24))
def test_whatever_is_typed_is_read_or_refused_in_words(typed: str) -> None:
    with suppress(ValueError):
        parse_time(typed, NOON, WARSAW)


@QUICK
@given(st.integers(1, 500_000), st.sampled_from([WARSAW, "UTC", "America/New_York"]))
def test_all_forms_of_one_moment_agree(minutes: int, zone: str) -> None:
    at = NOON + minutes * MINUTE
    utc = datetime.fromtimestamp(at / 1000, UTC)
    forms = [f"+{minutes}", f"0{at // 1000}", utc.isoformat()]
    assert {parse_time(form, NOON, zone) for form in forms} == {at}
    for form in (f"{utc:%d%m%y%H%M}", f"{utc:%d.%m.%y %H:%M}"):
        assert parse_time(form, NOON, "UTC") == at


@pytest.mark.parametrize(
    ("typed", "zone"),
    [("0", "UTC+03:00"), ("-2", "UTC+01:00"), ("+3", "UTC+06:00"), ("2.5", "UTC+05:30"), ("-15", "UTC-12:00"),
     ("11", "UTC+14:00"), ("Europe/Warsaw", "Europe/Warsaw"), (" UTC ", "UTC")],
)  # fmt: skip
def test_tz_is_a_name_or_hours_from_moscow(typed: str, zone: str) -> None:
    assert zone_name(typed) == zone


@pytest.mark.parametrize(
    ("typed", "said"),
    [("Europe/Warsow", "Europe/Warsaw"), ("warsaw", "Europe/Warsaw"), ("new york", "America/New_York"),
     ("12", "-15 to 11"),
     ("-16", "-15 to 11"), ("1.3", "quarters"), ("Mars/Base", "is no time zone"), ("Europe", "is no time zone"),
     ("../../etc/passwd", "is no time zone"), ("", "is no time zone")],
)  # fmt: skip
def test_an_unknown_zone_is_refused_with_those_that_may_be_meant(typed: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        zone_name(typed)


def test_a_number_tells_its_zones() -> None:
    assert zones_of_number("+48600700800") == (WARSAW,)
    assert zones_of_number("+12125550100") == ("America/New_York",)
    assert len(zones_of_number("+18005550100")) > 3
    assert zones_of_number("12345") == ()
