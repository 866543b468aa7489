"""When a channel rests: patterns of its latest results, not single codes."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.fitness import KEPT, Pause, Result, jittered, judge
from drivers.contract import Cause
from tests.policy.support import HOUR, MINUTE, QUICK


def ok(to: str = "+48600700800") -> Result:
    return Result(destination=to, cause=None)


def refused(to: int, code: str = "cms_21", cause: Cause = Cause.DEST) -> Result:
    return Result(destination=f"+4860070080{to}", cause=cause, code=code)


def silent(to: int = 0) -> Result:
    return Result(destination=f"+4860070080{to}", cause=Cause.DOUBT, code="no_result")


def failing(to: int = 0) -> Result:
    return Result(destination=f"+4860070080{to}", cause=Cause.NET, code="cms_42")


def rest(*results: Result, pauses: int = 0) -> str | None:
    """The code of the pause, as the channel asks: with a deque."""
    pause = judge(deque(results, maxlen=KEPT), pauses)
    return None if pause is None else pause.code


# --- The SIM ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["cms_8", "cms_10", "cms_21", "cms_29", "cms_30", "cms_38", "cms_47", "cms_50"])
@pytest.mark.parametrize("cause", [Cause.DEST, Cause.DOUBT, Cause.NET, Cause.MODEM])
def test_no_credit_is_three_different_destinations_refused_in_a_row(code: str, cause: Cause) -> None:
    """S17: whatever the single code is taken for."""
    three = [refused(to, code, cause) for to in (1, 2, 3)]
    assert rest(*three[:2]) is None
    assert rest(*three) == "sim_out_of_service"


@pytest.mark.parametrize("cause", [Cause.DEST, Cause.DOUBT, Cause.NET])
def test_one_bad_number_takes_nothing_out_of_service(cause: Cause) -> None:
    """S16: however often it is tried."""
    assert rest(*(refused(1, "cms_38", cause) for _ in range(KEPT))) is None


def test_a_success_between_them_clears_the_sim() -> None:
    assert rest(refused(1), refused(2), ok(), refused(3)) is None
    assert rest(ok(), refused(1), refused(2), refused(3)) == "sim_out_of_service"


def test_other_troubles_between_them_do_not() -> None:
    assert rest(refused(1), failing(5), refused(2), silent(6), refused(3)) == "sim_out_of_service"


def test_plain_wrong_numbers_say_nothing_about_the_sim() -> None:
    assert rest(*[refused(to, "cms_1") for to in range(KEPT)]) is None


def test_only_the_latest_ten_count() -> None:
    old = [refused(1), refused(2), *[refused(9, "cms_1")] * (KEPT - 1)]
    assert judge([*old, refused(3)], 0) is None
    assert judge([*old[1:-2], refused(3), refused(4)], 0) is not None


def test_the_verdict_comes_with_the_result_that_bears_it() -> None:
    assert rest(refused(1), refused(2), refused(3), refused(4, "cms_1")) is None
    assert rest(refused(1), refused(2), refused(3), ok()) is None
    assert rest() is None


def test_a_sim_that_the_driver_calls_unusable_rests_at_once() -> None:
    """S30, a PIN asked for, and the like."""
    assert rest(Result(destination="1", cause=Cause.SIM, code="cme_10", unusable=True)) == "sim_out_of_service"


@pytest.mark.parametrize("code", ["cms_28", "cms_30"])
def test_an_unknown_subscriber_may_be_the_number(code: str) -> None:
    one, two, three = (
        Result(destination=to, cause=Cause.SIM, code=code, unusable=True) for to in ("+481", "+482", "+483")
    )
    assert rest(one, one, one) is None
    assert rest(one, two) is None
    assert rest(one, two, three) == "sim_out_of_service"


# --- Silence and the network ------------------------------------------------------------------------------------------


def test_three_sends_without_an_answer_take_the_sim_out() -> None:
    """S34: no resend storm into a spam filter, whoever the texts are for."""
    assert rest(silent(1), silent(1)) is None
    assert rest(silent(1), silent(1), silent(1)) == "no_answers"
    assert rest(silent(1), silent(2), ok(), silent(3)) is None
    assert rest(silent(1), failing(), silent(2), silent(3)) is None


def test_a_failing_network_is_given_five_minutes() -> None:
    assert rest(failing(1), failing(1)) is None
    pause = judge([failing(1), failing(1), failing(1)], 0)
    assert pause is not None
    assert (pause.code, pause.milliseconds) == ("network_failing", 5 * MINUTE)


@pytest.mark.parametrize("cause", [Cause.MODEM, Cause.BUSY, Cause.MEM, Cause.BUG])
def test_what_the_driver_repairs_itself_is_no_reason_to_rest(cause: Cause) -> None:
    assert rest(*[Result(destination=str(at), cause=cause, code="x") for at in range(KEPT)]) is None


# --- Probes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("result", [refused(1), silent(), failing()])
def test_after_a_pause_one_more_failure_is_enough(result: Result) -> None:
    assert rest(result) is None
    assert rest(result, pauses=1) is not None


def test_a_probe_that_gets_through_ends_it() -> None:
    assert rest(ok(), pauses=3) is None


def test_a_probe_to_a_wrong_number_proves_nothing() -> None:
    assert rest(refused(1, "cms_1"), pauses=3) is None


@pytest.mark.parametrize(("pauses", "minutes"), [(0, 15), (1, 60), (2, 360), (3, 360), (50, 360)])
def test_probes_come_after_15_minutes_an_hour_and_every_six_hours(pauses: int, minutes: int) -> None:
    for results in ([refused(to) for to in (1, 2, 3)], [silent()] * 3):
        pause = judge(results, pauses)
        assert pause is not None
        assert pause.milliseconds == minutes * MINUTE


def test_a_pause_says_what_to_look_at() -> None:
    pause = judge([refused(to) for to in (1, 2, 3)], 0)
    assert isinstance(pause, Pause)
    assert (
        pause.reason == "3 different destinations refused in a row, last with cms_21: look at credit, barring and "
        "spam limits"
    )


results = st.builds(
    Result,
    destination=st.sampled_from(["+481", "+482", "+483", "+484"]),
    cause=st.none() | st.sampled_from([c for c in Cause if c is not Cause.LINK]),
    code=st.sampled_from(["cms_1", "cms_21", "cms_30", "cms_38", "no_result"]),
    unusable=st.booleans(),
)


@QUICK
@given(st.lists(results, max_size=20), st.integers(0, 5))
def test_rules_that_always_hold(history: list[Result], pauses: int) -> None:
    pause = judge(history, pauses)
    assert judge(deque(history), pauses) == pause
    if not history or history[-1].cause is None:
        assert pause is None
    if pause is not None:
        assert 5 * MINUTE <= pause.milliseconds <= 6 * HOUR
        assert pause.reason
        assert judge([ok(), *history], pauses) == pause


def test_after_a_pause_one_failure_is_enough_until_something_is_accepted() -> None:
    one = [Result(destination="+48", cause=Cause.NET, code="x")]
    assert judge(one, 0) is None
    assert judge(one, 0, probing=True) is not None


@given(st.integers(1, 10**9), st.randoms(use_true_random=False))
def test_a_pause_is_up_to_a_tenth_shorter(milliseconds: int, rng: Any) -> None:
    pause = Pause(milliseconds=milliseconds, code="c", reason="r")
    assert milliseconds * 0.9 - 1 <= jittered(pause, rng).milliseconds <= milliseconds
