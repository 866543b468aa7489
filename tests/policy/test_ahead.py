"""When the next text is armed while one is on the air."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.ahead import worth_arming
from tests.policy.support import QUICK

SECONDS = st.floats(min_value=0, max_value=3600)


@pytest.mark.parametrize(
    ("disk_and_modem", "commit", "submission", "worth"),
    [
        ("a good disk, a modem", 0.002, 0.3, False),
        ("a good disk, a slow modem", 0.002, 4.0, False),
        ("an SD card, a modem", 0.03, 0.3, True),
        ("an SD card, a slow modem", 0.03, 4.0, False),
        ("an SD card that clears its blocks", 0.4, 4.0, True),
        ("a modem that takes no time", 0.0005, 0.0007, True),
        ("nothing was measured yet", 0.0, 1.0, False),
        ("neither takes any time", 0.0, 0.0, False),
    ],
)
def test_it_is_worth_a_second_doubt_where_the_modem_would_wait(
    disk_and_modem: str, commit: float, submission: float, worth: bool
) -> None:
    assert worth_arming(commit=commit, submission=submission) is worth


@QUICK
@given(commit=SECONDS, submission=SECONDS, more=SECONDS)
def test_a_slower_disk_or_a_quicker_modem_never_speaks_against_it(
    commit: float, submission: float, more: float
) -> None:
    if worth_arming(commit=commit, submission=submission + more):
        assert worth_arming(commit=commit + more, submission=submission)
