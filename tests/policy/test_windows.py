"""Windows: when they open next. Times are clock times of the zone; "+" after a time means its second coming."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Instant
from bridge.policy.timing import (
    Hours,
    Window,
    holidays_of,
    instant_at,
    local_at,
    next_open,
    parse_holiday,
    parse_window,
)
from tests.policy.support import DAY, HOUR, MINUTE, QUICK

WARSAW, NEW_YORK, LORD_HOWE = "Europe/Warsaw", "America/New_York", "Australia/Lord_Howe"
HOLIDAYS = holidays_of([parse_holiday(day) for day in ("*-12-25", "*-01-01", "2026-04-06", "2026-05-01")])


def at(local: str, zone: str) -> Instant:
    moment = datetime.fromisoformat(local.removesuffix("+"))
    first = instant_at(moment, zone)
    if not local.endswith("+"):
        return first
    later = next(n for n in range(1, 121) if local_at(first + n * MINUTE, zone) == moment)
    return first + later * MINUTE


def hours(*windows: str, zone: str = WARSAW) -> Hours:
    return Hours(windows=tuple(parse_window(w) for w in windows), zone=zone, holidays=HOLIDAYS)


# zone, windows, now, the first instant at which a text may go
OPENINGS = [
    # The table of the SMSC document: before h1 wait for h1, within at once, after h2 the next day's h1.
    (WARSAW, "9-21", "2026-03-11 08:59", "2026-03-11 09:00"),
    (WARSAW, "9-21", "2026-03-11 09:00", "2026-03-11 09:00"),
    (WARSAW, "9-21", "2026-03-11 15:00", "2026-03-11 15:00"),
    (WARSAW, "9-21", "2026-03-11 20:59:59.999", "2026-03-11 20:59:59.999"),
    (WARSAW, "9-21", "2026-03-11 21:00", "2026-03-12 09:00"),
    (WARSAW, "9-21", "2026-03-11 00:00", "2026-03-11 09:00"),
    (WARSAW, "9-21", "2026-03-11 23:59", "2026-03-12 09:00"),
    (WARSAW, "0-24", "2026-03-11 00:00", "2026-03-11 00:00"),
    (WARSAW, "0-24", "2026-03-11 23:59:59.999", "2026-03-11 23:59:59.999"),
    (WARSAW, "9-24", "2026-03-11 23:59", "2026-03-11 23:59"),
    (WARSAW, "9-24", "2026-03-11 00:00", "2026-03-11 09:00"),
    # Across midnight.
    (WARSAW, "22-6", "2026-03-11 23:30", "2026-03-11 23:30"),
    (WARSAW, "22-6", "2026-03-12 00:00", "2026-03-12 00:00"),
    (WARSAW, "22-6", "2026-03-12 05:59", "2026-03-12 05:59"),
    (WARSAW, "22-6", "2026-03-12 06:00", "2026-03-12 22:00"),
    (WARSAW, "22-6", "2026-03-12 21:59", "2026-03-12 22:00"),
    (WARSAW, "22-0", "2026-03-12 23:59", "2026-03-12 23:59"),
    (WARSAW, "22-0", "2026-03-12 00:00", "2026-03-12 22:00"),
    (WARSAW, "0-6", "2026-03-12 06:00", "2026-03-13 00:00"),
    (WARSAW, "12-11", "2026-03-12 11:30", "2026-03-12 12:00"),
    # With minutes.
    (WARSAW, "8:30-12:15", "2026-03-11 08:29:59.999", "2026-03-11 08:30"),
    (WARSAW, "8:30-12:15", "2026-03-11 12:14:59.999", "2026-03-11 12:14:59.999"),
    (WARSAW, "8:30-12:15", "2026-03-11 12:15", "2026-03-12 08:30"),
    (WARSAW, "23:59-0:01", "2026-03-11 12:15", "2026-03-11 23:59"),
    (WARSAW, "08 - 12", "2026-03-11 07:00", "2026-03-11 08:00"),
    # Weekdays; 2026-03-11 is a Wednesday.
    (WARSAW, "mon-fri 9-18", "2026-03-13 18:00", "2026-03-16 09:00"),
    (WARSAW, "mon-fri 9-18", "2026-03-14 12:00", "2026-03-16 09:00"),
    (WARSAW, "mon-fri 9-18", "2026-03-11 12:00", "2026-03-11 12:00"),
    (WARSAW, "sat,sun 10-14", "2026-03-11 12:00", "2026-03-14 10:00"),
    (WARSAW, "fri-mon 10-14", "2026-03-11 12:00", "2026-03-13 10:00"),
    (WARSAW, "Monday 10-14", "2026-03-11 12:00", "2026-03-16 10:00"),
    (WARSAW, "wed 10-12", "2026-03-11 12:00", "2026-03-18 10:00"),
    (WARSAW, "fri 22-6", "2026-03-14 05:00", "2026-03-14 05:00"),  # it began on Friday
    (WARSAW, "fri 22-6", "2026-03-13 05:00", "2026-03-13 22:00"),
    (WARSAW, "fri 22-6", "2026-03-14 06:00", "2026-03-20 22:00"),
    # Several windows.
    (WARSAW, "9-12 + 14-18", "2026-03-11 12:30", "2026-03-11 14:00"),
    (WARSAW, "9-12 + 14-18", "2026-03-11 18:00", "2026-03-12 09:00"),
    (WARSAW, "mon-fri 9-18 + sat 10-12", "2026-03-13 20:00", "2026-03-14 10:00"),
    (WARSAW, "9-12 + 11-18", "2026-03-11 12:00", "2026-03-11 12:00"),
    # Dates.
    (WARSAW, "2026-12-24 9-12", "2026-03-11 12:00", "2026-12-24 09:00"),
    (WARSAW, "2026-12-24 9-12", "2026-12-24 11:00", "2026-12-24 11:00"),
    (WARSAW, "2026-12-24 9-12", "2026-12-24 12:00", None),
    (WARSAW, "2026-12-24..2026-12-31 9-12", "2026-12-28 12:00", "2026-12-29 09:00"),
    (WARSAW, "*-12-24 9-12", "2026-12-24 12:00", "2027-12-24 09:00"),
    (WARSAW, "2020-01-01 9-12", "2026-03-11 12:00", None),
    # Leap days.
    (WARSAW, "*-02-29 9-12", "2026-03-11 12:00", "2028-02-29 09:00"),
    (WARSAW, "2028-02-29 9-12", "2026-03-11 12:00", "2028-02-29 09:00"),
    (WARSAW, "9-12", "2028-02-28 12:00", "2028-02-29 09:00"),
    (WARSAW, "9-12", "2028-02-29 12:00", "2028-03-01 09:00"),
    (WARSAW, "*-02-29 9-12", "2096-03-01 00:00", "2104-02-29 09:00"),  # 2100 is no leap year
    # Holidays: Easter Monday 2026-04-06, 1 May 2026 is a Friday, 25 December each year.
    (WARSAW, "mon-fri 9-18", "2026-04-03 20:00", "2026-04-07 09:00"),
    (WARSAW, "mon-fri 9-18", "2026-05-01 12:00", "2026-05-04 09:00"),
    (WARSAW, "mon-fri 9-18", "2026-12-25 12:00", "2026-12-28 09:00"),
    (WARSAW, "mon-fri,holiday 9-18", "2026-05-01 12:00", "2026-05-01 12:00"),
    (WARSAW, "holiday 10-14", "2026-03-11 12:00", "2026-04-06 10:00"),
    (WARSAW, "holidays 10-14", "2026-05-01 14:00", "2026-12-25 10:00"),
    (WARSAW, "9-18", "2026-05-01 12:00", "2026-05-01 12:00"),  # every day is every day
    (WARSAW, "2026-05-01 9-18", "2026-05-01 12:00", "2026-05-01 12:00"),  # its date is named
    # Warsaw: clocks go from 02:00 to 03:00 on 2026-03-29, from 03:00 back to 02:00 on 2026-10-25.
    (WARSAW, "9-21", "2026-03-28 23:00", "2026-03-29 09:00"),
    (WARSAW, "2:30-5", "2026-03-29 01:00", "2026-03-29 03:00"),
    (WARSAW, "1-2:30", "2026-03-29 01:59", "2026-03-29 01:59"),
    (WARSAW, "1-2:30", "2026-03-29 03:00", "2026-03-30 01:00"),
    (WARSAW, "2-3", "2026-03-29 00:00", "2026-03-30 02:00"),  # that night it never opens
    (WARSAW, "22-6", "2026-03-29 03:00", "2026-03-29 03:00"),
    (WARSAW, "9-21", "2026-10-24 23:00", "2026-10-25 09:00"),
    (WARSAW, "2:30-5", "2026-10-25 01:00", "2026-10-25 02:30"),
    (WARSAW, "2:30-5", "2026-10-25 02:10+", "2026-10-25 02:10+"),  # it opened at the first half past two
    (WARSAW, "1-2:30", "2026-10-25 02:10", "2026-10-25 02:10"),
    (WARSAW, "1-2:30", "2026-10-25 02:10+", "2026-10-26 01:00"),  # and it closed at the first
    (WARSAW, "2-3", "2026-10-25 02:59+", "2026-10-25 02:59+"),
    # New York: 2026-03-08 02:00 to 03:00, 2026-11-01 02:00 back to 01:00.
    (NEW_YORK, "9-21", "2026-03-07 23:00", "2026-03-08 09:00"),
    (NEW_YORK, "2:15-4", "2026-03-08 01:00", "2026-03-08 03:00"),
    (NEW_YORK, "0-2:15", "2026-03-08 03:00", "2026-03-09 00:00"),
    (NEW_YORK, "1:30-3", "2026-11-01 01:00", "2026-11-01 01:30"),
    (NEW_YORK, "1:30-3", "2026-11-01 01:00+", "2026-11-01 01:00+"),
    (NEW_YORK, "22-1:30", "2026-11-01 01:00+", "2026-11-01 22:00"),
    # Lord Howe: by half an hour, 2026-10-04 02:00 to 02:30, 2026-04-05 02:00 back to 01:30.
    (LORD_HOWE, "2:15-4", "2026-10-04 01:00", "2026-10-04 02:30"),
    (LORD_HOWE, "1-2:15", "2026-10-04 02:30", "2026-10-05 01:00"),
    (LORD_HOWE, "1:45-3", "2026-04-05 01:30", "2026-04-05 01:45"),
    (LORD_HOWE, "1:45-3", "2026-04-05 01:30+", "2026-04-05 01:30+"),
    (LORD_HOWE, "9-21", "2026-04-05 22:00", "2026-04-06 09:00"),
    # Zones without clock changes, a day that a zone left out (Samoa, 2011-12-30), fixed offsets.
    ("Asia/Kolkata", "9-21", "2026-03-11 08:59", "2026-03-11 09:00"),
    ("Asia/Kathmandu", "9-21", "2026-03-11 21:00", "2026-03-12 09:00"),
    ("Pacific/Apia", "9-21", "2011-12-29 21:00", "2011-12-31 09:00"),
    ("UTC+03:00", "9-21", "2026-03-11 21:00", "2026-03-12 09:00"),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "windows", "now", "expected"), OPENINGS)
def test_a_text_goes_at_the_first_instant_that_its_windows_allow(
    zone: str, windows: str, now: str, expected: str | None
) -> None:
    found = next_open([hours(*windows.split(" + "), zone=zone)], at(now, zone))
    assert found == (None if expected is None else at(expected, zone))


def test_all_must_agree() -> None:
    both = [hours("9-21", zone=WARSAW), hours("9-21", zone=NEW_YORK)]
    assert next_open(both, at("2026-03-11 10:00", WARSAW)) == at("2026-03-11 09:00", NEW_YORK)
    assert next_open(both, at("2026-03-11 21:00", WARSAW)) == at("2026-03-12 09:00", NEW_YORK)
    assert next_open([hours("mon 9-12"), hours("tue 9-12")], at("2026-03-11 10:00", WARSAW)) is None
    assert next_open([], 7) == 7


WRONG = [
    ("25-3", "25 is no time of a day"),
    ("9-25", "25 is no time of a day"),
    ("9:60-12", "9:60 is no time of a day"),
    ("h1-h2", "write it like"),
    ("9", "write it like"),
    ("", "write it like"),
    ("9-12-15", "write it like"),
    ("9-9", "never opens"),
    ("24-3", '"0"'),
    ("funday 9-12", "'funday' is no day"),
    ("mo 9-12", "'mo' is no day"),
    ("mon-fri-sun 9-12", "write it like"),
    ("2026-02-31 9-12", "there is no 2026-02-31"),
    ("2026-2-3 9-12", "is no date"),
    ("*-02-30 9-12", "there is no 02-30 in any year"),
    ("2027-02-29 9-12", "there is no 2027-02-29"),
    ("2026-02-03..2026-02-01 9-12", "never opens"),
    ("9-12 " * 100, "is no window"),
]


@pytest.mark.parametrize(("typed", "said"), WRONG)
def test_a_wrong_window_is_refused_with_what_would_be_right(typed: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_window(typed)


# --- Properties -------------------------------------------------------------------------------------------------------

ZONES = st.sampled_from([WARSAW, NEW_YORK, LORD_HOWE, "Asia/Kolkata", "Pacific/Apia", "Africa/Casablanca", "UTC"])
INSTANTS = st.integers(min_value=1_700_000_000_000, max_value=1_900_000_000_000)
SPELLED = st.builds(
    lambda days, start, length: f"{days}{start // 60}:{start % 60:02d}-{_clock((start + length) % 1440)}",
    st.sampled_from(["", "", "mon-fri ", "sat,sun ", "tue,holiday ", "fri ", "*-02-29 ", "2027-01-01..2029-12-31 "]),
    st.integers(0, 1439),
    st.integers(1, 1439),
)


def _clock(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02d}"


def _as_read_on_the_clock(window: Window, now: Instant, zone: str) -> bool:
    """Another way to the same answer, for times without a change of the clocks around."""
    local = local_at(now, zone)
    minute = local.hour * 60 + local.minute
    today = window.next_day(local.date(), HOLIDAYS) == local.date()
    yesterday = local.date() - timedelta(days=1)
    began_yesterday = window.next_day(yesterday, HOLIDAYS) == yesterday
    if window.end > window.start:
        return today and window.start <= minute < window.end
    return (today and minute >= window.start) or (began_yesterday and minute < window.end)


def _calm(now: Instant, zone: str) -> bool:
    """The clocks do not change within two days."""
    local = {local_at(now + n * DAY, zone) - datetime.fromtimestamp(now / 1000 + n * 86_400, UTC).replace(tzinfo=None)
             for n in (-2, -1, 0, 1, 2)}  # fmt: skip
    return len({round(d.total_seconds() / 60) for d in local}) == 1


@QUICK
@given(spelled=SPELLED, zone=ZONES, now=INSTANTS)
def test_nothing_goes_in_quiet_hours_and_nothing_later_than_allowed(spelled: str, zone: str, now: Instant) -> None:
    window = parse_window(spelled)
    found = next_open([hours(spelled, zone=zone)], now)
    if found is None:
        assert "2027" in spelled
        return
    assert found >= now
    if _calm(found, zone):
        assert _as_read_on_the_clock(window, found, zone)
    if _calm(now, zone):
        for step in range(0, min(found - now, DAY), 7 * MINUTE):
            assert not _as_read_on_the_clock(window, now + step, zone)


@QUICK
@given(spelled=st.lists(SPELLED, min_size=1, max_size=3), zone=ZONES, now=INSTANTS, later=st.integers(0, 9 * DAY))
def test_later_orders_never_go_earlier(spelled: list[str], zone: str, now: Instant, later: int) -> None:
    windows = [hours(*spelled, zone=zone)]
    first, second = next_open(windows, now), next_open(windows, now + later)
    if second is not None:
        assert first is not None
        assert first <= second
    if first is not None:
        assert next_open(windows, first) == first, "where it is open it stays put"


@QUICK
@given(one=SPELLED, other=SPELLED, zone=ZONES, now=INSTANTS)
def test_agreeing_is_open_for_each_and_no_later_than_needed(one: str, other: str, zone: str, now: Instant) -> None:
    both = [hours(one, zone=zone), hours(other, zone=WARSAW)]
    found = next_open(both, now)
    if found is None:
        return
    assert all(next_open([h], found) == found for h in both)
    for step in range(0, min(found - now, 2 * HOUR), 11 * MINUTE):
        assert any(next_open([h], now + step) != now + step for h in both)
