"""When the next one is: cron and simple forms, in three zones, over every clock change."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bridge.policy.recurrence import CronError, Rule, check_cron, next_occurrence, occurrences
from bridge.policy.rhythm import read_rhythm
from bridge.policy.timing import instant_at, local_at

WARSAW, NEW_YORK, LORD_HOWE = "Europe/Warsaw", "America/New_York", "Australia/Lord_Howe"
ZONES = (WARSAW, NEW_YORK, LORD_HOWE)


def at(text: str, zone: str) -> int:
    return instant_at(datetime.fromisoformat(text), zone)


def rule(rhythm: str, zone: str = WARSAW, start: str = "2026-01-01", **more: object) -> Rule:
    found = read_rhythm(rhythm)
    values = {"zone": zone, "start": at(start, zone), "crons": found.crons, "every": found.every}
    return Rule(**values | more)  # type: ignore[arg-type]


def utc(instant: int) -> str:
    return datetime.fromtimestamp(instant / 1000, UTC).strftime("%Y-%m-%d %H:%M")


# rhythm, zone, later than (local), the next ones in UTC
TABLE = [
    ("every weekday at 08:00", WARSAW, "2026-01-02 08:00", ["2026-01-05 07:00", "2026-01-06 07:00"]),
    ("every day at 7:30,19:30", WARSAW, "2026-01-02 08:00", ["2026-01-02 18:30", "2026-01-03 06:30"]),
    ("every monday,friday at 18:00", WARSAW, "2026-01-02 18:00", ["2026-01-05 17:00", "2026-01-09 17:00"]),
    ("every sat and sun at 10:00", WARSAW, "2026-01-02 18:00", ["2026-01-03 09:00", "2026-01-04 09:00"]),
    ("monthly on day 31 at 09:00", WARSAW, "2026-01-31 09:00", ["2026-03-31 07:00", "2026-05-31 07:00"]),
    ("monthly on the last day at 09:00", WARSAW, "2026-01-31 09:00", ["2026-02-28 08:00", "2026-03-31 07:00"]),
    ("every 90 minutes", WARSAW, "2026-01-01 01:00", ["2026-01-01 00:30", "2026-01-01 02:00"]),
    # Leap day: none between 2096 and 2104.
    ("0 12 29 2 *", WARSAW, "2026-01-01", ["2028-02-29 11:00", "2032-02-29 11:00"]),
    ("0 12 29 2 *", WARSAW, "2096-03-01", ["2104-02-29 11:00", "2108-02-29 11:00"]),
    # Weekdays are numbered as cron does, from Sunday, and 7 is Sunday too.
    ("0 9 * * 0", WARSAW, "2026-01-01", ["2026-01-04 08:00", "2026-01-11 08:00"]),
    ("0 9 * * 7", WARSAW, "2026-01-01", ["2026-01-04 08:00", "2026-01-11 08:00"]),
    ("0 9 * * 1", WARSAW, "2026-01-01", ["2026-01-05 08:00", "2026-01-12 08:00"]),
    (
        "0 9 * * 5-7",
        WARSAW,
        "2026-01-01",
        ["2026-01-02 08:00", "2026-01-03 08:00", "2026-01-04 08:00", "2026-01-09 08:00"],
    ),
    ("0 9 * * fri-sun", WARSAW, "2026-01-03 12:00", ["2026-01-04 08:00", "2026-01-09 08:00"]),
    ("0 9 * * */3", WARSAW, "2026-01-01", ["2026-01-03 08:00", "2026-01-04 08:00", "2026-01-07 08:00"]),  # sun wed sat
    # Day of the month and weekday both given: either, as cron does it.
    ("0 9 13 * fri", WARSAW, "2026-01-08", ["2026-01-09 08:00", "2026-01-13 08:00", "2026-01-16 08:00"]),
    # Clocks go ahead: at the end of the jump.
    ("30 2 * * *", WARSAW, "2026-03-28 12:00", ["2026-03-29 01:00", "2026-03-30 00:30"]),
    ("30 2 * * *", NEW_YORK, "2026-03-07 12:00", ["2026-03-08 07:00", "2026-03-09 06:30"]),
    ("15 2 * * *", LORD_HOWE, "2026-10-03 12:00", ["2026-10-03 15:30", "2026-10-04 15:15"]),
    # ... and what falls together there is one.
    ("0,30 2,3 * * *", WARSAW, "2026-03-29 01:00", ["2026-03-29 01:00", "2026-03-29 01:30", "2026-03-30 00:00"]),
    # Clocks go back: once, at the first.
    ("30 2 * * *", WARSAW, "2026-10-24 12:00", ["2026-10-25 00:30", "2026-10-26 01:30"]),
    ("30 1 * * *", NEW_YORK, "2026-10-31 12:00", ["2026-11-01 05:30", "2026-11-02 06:30"]),
    ("45 1 * * *", LORD_HOWE, "2026-04-04 12:00", ["2026-04-04 14:45", "2026-04-05 15:15"]),
    # No time of day: by elapsed time, over both changes.
    ("0 * * * *", WARSAW, "2026-03-29 01:00", ["2026-03-29 01:00", "2026-03-29 02:00"]),
    ("30 * * * *", WARSAW, "2026-10-25 01:30", ["2026-10-25 00:30", "2026-10-25 01:30", "2026-10-25 02:30"]),
    ("every 30 minutes", NEW_YORK, "2026-11-01 00:30", ["2026-11-01 05:00", "2026-11-01 05:30", "2026-11-01 06:00"]),
]


@pytest.mark.parametrize(("rhythm", "zone", "after", "wanted"), TABLE)
def test_the_next_ones(rhythm: str, zone: str, after: str, wanted: list[str]) -> None:
    assert [utc(i) for i in occurrences(rule(rhythm, zone), at(after, zone), len(wanted))] == wanted


def test_start_end_and_exceptions_bound_it() -> None:
    r = rule(
        "every day at 08:00", start="2026-05-01 08:00", end=at("2026-05-04 08:00", WARSAW), exceptions=("2026-05-03",)
    )
    assert [utc(i) for i in occurrences(r, 0, 9)] == ["2026-05-01 06:00", "2026-05-02 06:00", "2026-05-04 06:00"]


def test_an_exception_takes_out_the_whole_local_day_of_an_interval() -> None:
    r = rule("every 1 minute", exceptions=("2026-05-03",))
    assert utc(next_occurrence(r, at("2026-05-02 23:59", WARSAW)) or 0) == "2026-05-03 22:00"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0 0 31 2 *", "never fires"),
        ("0 0 30 feb *", "never fires"),
        ("61 * * * *", "'61' is no minute (0-59)"),
        ("* 24 * * *", "'24' is no hour (0-23)"),
        ("* * 0 * *", "'0' is no day of the month"),
        ("* * * 13 *", "'13' is no month"),
        ("* * * * 8", "8 is above 7"),
        ("* * * * fri-mon", "write fri-sat,sun-mon"),
        ("*/0 * * * *", "'*/0' is no minute"),
        ("1,,2 * * * *", "'1,,2' is no minute"),
        ("0 8 * *", "has 4 fields"),
        ("every fish at 8:00", "'fish' is no day"),
        ("every day at 25:00", "'25:00' is no time of day"),
        ("monthly on day 32 at 9:00", "'32' is no day of a month"),
        ("every 0 minutes", "a minute is the shortest"),
        ("sometimes", "is no rhythm; write it like"),
        ("", "is no rhythm"),
        ("* * * * 1;rm", "is no weekday"),
    ],
)
def test_what_cannot_be_is_refused_with_what_would_be_right(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        read_rhythm(text)
    assert says in str(refused.value)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    with suppress(ValueError):
        found = read_rhythm(text)
        assert bool(found.crons) != (found.every is not None)


def field(low: int, high: int) -> st.SearchStrategy[str]:
    one = st.integers(low, high).map(str)
    span = st.tuples(st.integers(low, high), st.integers(low, high)).map(lambda p: f"{min(p)}-{max(p)}")
    step = st.integers(1, high - low).map(lambda n: f"*/{n}")
    return st.one_of(st.just("*"), one, span, step, st.lists(one, min_size=1, max_size=3).map(",".join))


CRONS = st.tuples(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6)).map(" ".join)
MOMENTS = st.integers(at("2020-01-01", WARSAW), at("2037-01-01", WARSAW))


@given(CRONS, st.sampled_from(ZONES), MOMENTS)
def test_each_is_later_than_the_one_before_and_none_is_skipped(cron: str, zone: str, after: int) -> None:
    try:
        r = Rule(zone=zone, start=0, crons=(check_cron(cron),))
    except CronError:
        return  # such as every seventh day of a month, but never its first
    found = occurrences(r, after, 6)
    assume(len(found) == 6)  # six of a rare day may lie further ahead than is looked
    assert all(earlier < later for earlier, later in zip([after, *found], found, strict=False))
    # Asked from any moment in between, the answer is the same.
    for earlier, later in zip([after, *found], found, strict=False):
        assert next_occurrence(r, (earlier + later - 1) // 2) == later
    assert next_occurrence(r, found[0] - 1) == found[0]


@given(st.times(), st.sampled_from(ZONES), st.dates(date(2020, 1, 1), date(2036, 1, 1)))
def test_each_local_day_has_its_one_run(clock: time, zone: str, first: date) -> None:
    r = Rule(zone=zone, start=0, crons=(f"{clock.minute} {clock.hour} * * *",))
    begin = instant_at(datetime.combine(first, time()), zone)
    days = [local_at(i, zone).date() for i in occurrences(r, begin - 1, 400)]
    assert days == [first + timedelta(days=n) for n in range(400)]


@given(CRONS, MOMENTS)
def test_in_utc_it_is_what_the_fields_say(cron: str, after: int) -> None:
    """Against a reading of the five fields that shares nothing with the product."""
    minute, hour, day, month, weekday = cron.split()
    found = next_occurrence(Rule(zone="UTC", start=0, crons=(cron,)), after)
    assert found is not None
    moment = datetime.fromtimestamp(found / 1000, ZoneInfo("UTC"))

    def has(text: str, value: int, low: int) -> bool:
        for term in text.split(","):
            head, _, step = term.partition("/")
            first, _, last = head.partition("-")
            low_, high_ = (low, 99) if first == "*" else (int(first), int(last or first))
            if low_ <= value <= high_ and (value - low_) % int(step or 1) == 0:
                return True
        return False

    assert has(minute, moment.minute, 0)
    assert has(hour, moment.hour, 0)
    assert has(month, moment.month, 1)
    on_day, on_weekday = has(day, moment.day, 1), has(weekday, moment.isoweekday() % 7, 0)
    assert (on_day or on_weekday) if day[0] != "*" and weekday[0] != "*" else (on_day and on_weekday)
