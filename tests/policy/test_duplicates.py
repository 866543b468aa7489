"""Is an incoming PDU one that we have already? Slot, session and time tell equal ones apart."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.policy.duplicates import is_repeat
from tests.policy.support import DAY, MINUTE, NOON, SECOND, offer, stored

REPEAT, SECOND_TEXT = True, False


@pytest.mark.parametrize(
    ("rule", "earlier", "now", "later", "expected"),
    [
        # One session: the driver offers what a slot holds only once.
        ("two_equal_alarms_in_one_listing", {"twins": ("SM:2",)}, {"slot": "SM:2", "twins": ("SM:1",)}, 0, SECOND_TEXT),
        ("two_equal_alarms_a_second_apart", {}, {"slot": "SM:2"}, SECOND, SECOND_TEXT),
        ("the_same_slot_filled_again_at_once", {}, {}, 2 * SECOND, SECOND_TEXT),
        ("the_centre_repeats_after_a_while", {}, {"slot": "SM:2"}, MINUTE, REPEAT),
        ("the_centre_repeats_into_the_same_slot", {}, {}, MINUTE, REPEAT),
        ("twins_stay_two_however_slow_the_listing", {}, {"slot": "SM:2", "twins": ("SM:1",)}, MINUTE, SECOND_TEXT),
        # After a restart or an unplug.
        ("killed_between_commit_and_delete", {}, {"session": "s2"}, MINUTE, REPEAT),
        ("killed_and_started_within_a_second", {}, {"session": "s2"}, SECOND, REPEAT),
        ("not_deleted_for_a_week", {}, {"session": "s2"}, 6 * DAY, REPEAT),
        ("repeated_into_another_slot_after_a_restart", {}, {"session": "s2", "slot": "SM:2"}, MINUTE, REPEAT),
        (
            "the_second_of_two_not_stored_before_the_kill",
            {"twins": ("SM:2",)},
            {"session": "s2", "slot": "SM:2", "twins": ("SM:1",)},
            MINUTE,
            SECOND_TEXT,
        ),
        # Handed over directly.
        ("I22_direct_and_stored", {"slot": None}, {"slot": "SM:6"}, SECOND, REPEAT),
        ("stored_and_then_direct", {"slot": "SM:6"}, {"slot": None}, SECOND, REPEAT),
        ("I23_acknowledged_too_late_and_sent_again", {"slot": None}, {"slot": None}, 20 * SECOND, REPEAT),
        ("I23_both_read_when_the_host_had_time", {"slot": None}, {"slot": None}, 0, REPEAT),
        ("direct_again_after_a_restart", {"slot": None}, {"slot": None, "session": "s2"}, MINUTE, REPEAT),
    ],
)
def test_equal_pdus(rule: str, earlier: dict[str, Any], now: dict[str, Any], later: int, expected: bool) -> None:
    assert is_repeat(offer(**now), [stored(offer(**earlier))], NOON + later) == expected, rule


def test_what_was_never_received_is_no_repeat() -> None:
    assert not is_repeat(offer(), [], NOON)


def test_both_of_two_alarms_are_known_after_a_kill() -> None:
    """Both were committed, none was deleted: none becomes a third text."""
    first, second = offer(slot="SM:1", twins=("SM:2",)), offer(slot="SM:2", twins=("SM:1",))
    earlier = [stored(first), stored(second)]
    for slot, twin in (("SM:1", "SM:2"), ("SM:2", "SM:1")):
        assert is_repeat(offer(session="s2", slot=slot, twins=(twin,)), earlier, NOON + MINUTE)


def test_the_repeat_of_either_of_two_alarms_is_known() -> None:
    earlier = [stored(offer(slot="SM:1")), stored(offer(slot="SM:2"), NOON + SECOND)]
    assert is_repeat(offer(slot="SM:5"), earlier, NOON + MINUTE)
