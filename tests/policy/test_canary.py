"""The canary's states: one on its way, late ones known, alarms that do not repeat themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.canary import (
    ALARM_AGAIN,
    REMEMBERED,
    Fly,
    Miss,
    State,
    Wait,
    arrived,
    flown,
    missed,
    step,
    token_in,
    words,
)

HOUR, MINUTE = 3_600_000, 60_000
NOW = 1_760_000_000_000
TOKEN = "0123456789ab"


def at(state: State, now: int, *, started: int = 0) -> Fly | Miss | Wait:
    return step(state, now, every=HOUR, patience_from=started, within=5 * MINUTE)


NEW = State()


def sent(state: State = NEW, token: str = TOKEN, now: int = NOW) -> State:
    return flown(state, token, 1, now, every=HOUR, within=5 * MINUTE)


def lost(state: State, now: int) -> State:
    found = at(state, now)
    assert isinstance(found, Miss)
    return missed(state, found, now)


def test_the_first_flies_at_once_and_the_next_an_hour_after_it() -> None:
    assert at(State(), NOW) == Fly()
    state = sent()
    assert at(state, NOW + MINUTE) == Wait(NOW + 5 * MINUTE)
    here = arrived(state, TOKEN, NOW + 4200)
    assert here is not None
    assert (here.ok, here.seconds, here.missed_in_row) == (True, 4.2, 0)
    assert at(here, NOW + 6 * MINUTE) == Wait(NOW + HOUR)
    assert at(here, NOW + HOUR) == Fly()


def test_one_that_does_not_come_is_missed_and_its_late_arrival_changes_no_verdict() -> None:
    state = sent()
    assert at(state, NOW + 5 * MINUTE - 1) == Wait(NOW + 5 * MINUTE)
    state = lost(state, NOW + 5 * MINUTE)
    assert (state.ok, state.missed_in_row) == (False, 1)
    late = arrived(state, TOKEN, NOW + 7 * MINUTE)
    assert late is not None
    assert (late.ok, late.seconds, late.missed_in_row) == (False, 420.0, 1)
    assert at(late, NOW + 8 * MINUTE) == Wait(NOW + HOUR)


def test_the_alarm_is_raised_once_and_again_after_a_day() -> None:
    state, now, alarms = State(), NOW, []
    for hour in range(30):
        state = sent(state, f"{hour:012x}", now)
        found = at(state, now + 5 * MINUTE)
        assert isinstance(found, Miss)
        alarms.append(found.alarm)
        state = missed(state, found, now + 5 * MINUTE)
        now += HOUR
    assert [hour for hour, alarm in enumerate(alarms) if alarm] == [0, ALARM_AGAIN // HOUR]
    assert len(state.tokens) == REMEMBERED
    back = arrived(sent(state, TOKEN, now), TOKEN, now + 1000)
    assert back is not None
    assert (back.ok, back.missed_in_row) == (True, 0)
    assert arrived(back, f"{29:012x}", now) is back  # an old one is still ours
    assert arrived(back, f"{0:012x}", now) is None  # one that is forgotten is not
    found = at(sent(back, "f" * 12, now + HOUR), now + HOUR + 5 * MINUTE)
    assert isinstance(found, Miss)
    assert found.alarm  # after it had recovered


def test_after_a_start_it_gets_its_whole_time_once_more() -> None:
    state = sent()
    started = NOW + HOUR
    assert at(state, started, started=started) == Wait(started + 5 * MINUTE)
    assert isinstance(at(state, started + 5 * MINUTE, started=started), Miss)


def test_a_clock_that_was_set_back_gives_it_up_and_remembers_it() -> None:
    state = sent()
    assert at(state, NOW - HOUR) == Fly()
    again = sent(state, "f" * 12, NOW - HOUR)
    assert arrived(again, TOKEN, NOW) is again


def test_a_second_copy_changes_nothing() -> None:
    here = arrived(sent(), TOKEN, NOW + 1000)
    assert here is not None
    assert arrived(here, TOKEN, NOW + 9000) is here


@pytest.mark.parametrize(
    ("text", "token"),
    [
        (words(TOKEN), TOKEN),
        (f" {words(TOKEN)}\n", TOKEN),
        (f"Fwd: {words(TOKEN)}", None),
        ("gsm-bridge canary 123", None),
        ("", None),
        (None, None),
    ],
)
def test_it_is_known_by_its_words_alone(text: str | None, token: str | None) -> None:
    assert token_in(text) == token


@given(st.lists(st.tuples(st.sampled_from(["step", "arrive"]), st.integers(0, 2 * HOUR)), max_size=40))
def test_there_is_never_more_than_one_on_its_way_and_every_one_ends(moves: list[tuple[str, int]]) -> None:
    state, now, flown_ones, ended = State(), NOW, 0, 0
    for move, by in moves:
        now += by
        if move == "arrive" and state.flight is not None:
            on_its_way = not state.flight.over
            after = arrived(state, state.flight.token, now)
            assert after is not None
            ended += on_its_way
            state = after
            continue
        match at(state, now):
            case Fly():
                state = sent(state, f"{flown_ones:012x}", now)
                flown_ones += 1
            case Miss() as miss:
                state = missed(state, miss, now)
                ended += 1
            case Wait(until):
                assert until > now
        assert state.flight is None or flown_ones - ended == (not state.flight.over)
