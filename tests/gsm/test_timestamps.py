"""Service-centre time stamps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.gsm import PduError, timestamps
from tests.gsm.examples import QUICK, STAMP, moments


def hours(offset: float) -> timezone:
    return timezone(timedelta(hours=offset))


@pytest.mark.parametrize(
    ("moment", "octets"),
    [
        (STAMP, "62304190035140"),
        (datetime(2026, 3, 14, 9, 30, 15, tzinfo=UTC), "62304190035100"),
        (datetime(2026, 3, 14, 9, 30, 15, tzinfo=hours(-8)), "6230419003512B"),
        (datetime(2026, 3, 14, 9, 30, 15, tzinfo=hours(5.75)), "62304190035132"),
        (datetime(2026, 3, 14, 9, 30, 15, tzinfo=hours(14)), "62304190035165"),
        (datetime(2000, 1, 1, tzinfo=hours(-12)), "0010100000008C"),
        (datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC), "99211332959500"),
    ],
)
def test_stamps(moment: datetime, octets: str) -> None:
    assert timestamps.encode(moment).hex().upper() == octets
    decoded = timestamps.decode(bytes.fromhex(octets))
    assert decoded == moment
    assert decoded is not None
    assert decoded.utcoffset() == moment.utcoffset()


@pytest.mark.parametrize(
    "octets",
    [
        "00000000000000",  # all zero: no month 0
        "623041900351FF",  # zone FF
        "62304190035177",  # 77 quarters: beyond 14 h
        "623041900351A0",  # zone digit above 9
        "62314190035140",  # month 13
        "62302390035140",  # day 32
        "62304142035140",  # hour 24
        "62304190065140",  # minute 60
        "62304190030640",  # second 60
        "6230419003F140",  # no digit
        "62201390035140",  # 31 February
        "FFFFFFFFFFFFFF",
        "623041900351",  # too short
        "",
    ],
)
def test_broken_stamps_are_none(octets: str) -> None:
    assert timestamps.decode(bytes.fromhex(octets)) is None


def test_a_zone_that_a_stamp_cannot_say_is_written_as_utc() -> None:
    odd = datetime(2026, 3, 14, 9, 30, 15, tzinfo=timezone(timedelta(minutes=7)))
    assert timestamps.decode(timestamps.encode(odd)) == odd
    assert timestamps.encode(odd)[6] == 0
    far = datetime(2026, 3, 14, 9, 30, 15, tzinfo=hours(20))
    assert timestamps.decode(timestamps.encode(far)) == far


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 3, 14, 9, 30),  # noqa: DTZ001 - naive on purpose
        datetime(1999, 12, 31, tzinfo=UTC),
        datetime(2100, 1, 1, tzinfo=UTC),
        datetime.min.replace(tzinfo=timezone(timedelta(minutes=1))),
        datetime.max.replace(tzinfo=timezone(timedelta(minutes=-1))),
    ],
)
def test_moments_that_cannot_be_written_are_refused(moment: datetime) -> None:
    with pytest.raises(PduError):
        timestamps.encode(moment)


@given(moments)
@QUICK
def test_a_moment_comes_back_with_its_zone(moment: datetime) -> None:
    decoded = timestamps.decode(timestamps.encode(moment))
    assert decoded is not None
    assert (decoded, decoded.utcoffset()) == (moment, moment.utcoffset())


@given(st.binary(max_size=9))
@QUICK
def test_any_octets_are_read_or_none(octets: bytes) -> None:
    decoded = timestamps.decode(octets)
    assert decoded is None or (decoded.tzinfo is not None and len(octets) == 7)
