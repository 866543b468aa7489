"""The repair ladder as a table: whose fault is it, and what is tried next."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modems.repair import (
    ALWAYS,
    BY_COMMAND,
    LIMITS,
    Climb,
    Diagnosis,
    Leave,
    Rung,
    Signs,
    Taken,
    Wait,
    decide,
    diagnose,
    remedy,
)

EVERYTHING = frozenset(Rung)


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        (Signs(code="sim_pin_counter", answers=True), Diagnosis.SIM),
        (Signs(code="registration_denied", answers=True), Diagnosis.SIM),
        (Signs(code="wrong_sim", answers=True), Diagnosis.SIM),
        (Signs(code="port_shared", answers=True), Diagnosis.SHARED),
        (Signs(code="port_in_use"), Diagnosis.SHARED),
        (Signs(code="port_forbidden"), Diagnosis.FORBIDDEN),
        (Signs(code="not_registered", answers=True, registered=False), Diagnosis.COVERAGE),
        (Signs(code="network_failing", answers=True, registered=True), Diagnosis.ZOMBIE),
        (Signs(code="network_failing", answers=True, registered=False), Diagnosis.COVERAGE),
        (Signs(code="sends_unanswered", answers=True, registered=True), Diagnosis.ZOMBIE),
        (Signs(code="modem_errors", answers=True), Diagnosis.FIRMWARE),
        (Signs(code="deaf"), Diagnosis.DEAF),
        (Signs(code="no_answer", powered_down=True), Diagnosis.OFF),
        (Signs(code="unplugged"), Diagnosis.GONE),
        (Signs(code="unplugged", hub_losses=2), Diagnosis.HUB),
        (Signs(code="unplugged", usb_id="05c6:9008"), Diagnosis.BOOT_LOADER),
        (Signs(code="unplugged", restarts=3), Diagnosis.WEAK_SUPPLY),
        (Signs(code="", answers=True), Diagnosis.HEALTHY),
    ],
    ids=lambda value: value.value if isinstance(value, Diagnosis) else value.code,
)
def test_whose_fault_it_is(signs: Signs, expected: Diagnosis) -> None:
    assert diagnose(signs) is expected


@pytest.mark.parametrize(
    "diagnosis", [Diagnosis.SIM, Diagnosis.SHARED, Diagnosis.FORBIDDEN, Diagnosis.WEAK_SUPPLY, Diagnosis.HEALTHY]
)
def test_what_no_reset_cures_is_left_alone(diagnosis: Diagnosis) -> None:
    step = decide(diagnosis, Signs(code=""), [], EVERYTHING, since=0, now=10_000)
    assert step == Leave(remedy(diagnosis))


def climbed(diagnosis: Diagnosis, signs: Signs, able: frozenset[Rung], seconds: float) -> list[Taken]:
    """Everything that is climbed within so many seconds of a trouble that nothing cures."""
    taken: list[Taken] = []
    now = 0.0
    while now <= seconds:
        match decide(diagnosis, signs, taken, able, since=0, now=now):
            case Climb(rung):
                taken.append(Taken(rung, now))
            case Wait(until):
                assert until > now
                now = until
            case Leave():
                break
    return taken


def test_a_deaf_modem_is_reopened_then_moved_then_reset_by_usb_and_by_power() -> None:
    taken = climbed(Diagnosis.DEAF, Signs(code="deaf"), EVERYTHING, 600)
    assert [step.rung for step in taken] == [Rung.REOPEN, Rung.OTHER_PORT, Rung.USB, Rung.POWER]
    assert [b.at - a.at for a, b in pairwise(taken)] == [10, 10, 60]


def test_a_deaf_modem_without_proven_rungs_is_only_opened_again() -> None:
    rungs = {step.rung for step in climbed(Diagnosis.DEAF, Signs(code="deaf"), frozenset(), 3600)}
    assert rungs == {Rung.REOPEN, Rung.OTHER_PORT}


def test_zombie_registration_is_registered_anew_then_the_radio_is_restarted() -> None:
    signs = Signs(code="network_failing", answers=True, registered=True)
    taken = climbed(Diagnosis.ZOMBIE, signs, frozenset(), 300)
    assert [step.rung for step in taken] == [Rung.REREGISTER, Rung.RADIO]


def test_coverage_has_two_minutes_to_come_back_by_itself() -> None:
    signs = Signs(code="not_registered", answers=True, registered=False, without_network=30)
    assert decide(Diagnosis.COVERAGE, signs, [], frozenset(), since=0, now=30) == Wait(120)


def test_after_the_whole_ladder_it_waits_a_quarter_then_an_hour_then_six() -> None:
    signs = Signs(code="unplugged", away=1e9)
    taken = climbed(Diagnosis.GONE, signs, EVERYTHING, 30_000)
    assert [round(b.at - a.at) for a, b in pairwise(taken)] == [900, 3600, 21600]


def test_a_boot_loader_gets_one_power_cut() -> None:
    signs = Signs(code="unplugged", usb_id="05c6:9008")
    assert [step.rung for step in climbed(Diagnosis.BOOT_LOADER, signs, EVERYTHING, 90_000)] == [Rung.POWER]


def test_power_is_cut_four_times_a_day_at_most_however_many_troubles_there_are() -> None:
    earlier = [Taken(Rung.POWER, at) for at in (0.0, 3600.0, 7200.0, 10800.0)]
    step = decide(Diagnosis.OFF, Signs(code="no_answer"), earlier, EVERYTHING, since=50_000, now=50_000)
    assert step == Wait(86_400)


@given(
    diagnosis=st.sampled_from(list(Diagnosis)),
    able=st.frozensets(st.sampled_from(list(Rung))),
    answers=st.booleans(),
    at=st.lists(st.tuples(st.sampled_from(list(Rung)), st.floats(0, 90_000)), max_size=30),
    since=st.floats(0, 90_000),
)
def test_no_step_breaks_its_limits(
    diagnosis: Diagnosis, able: frozenset[Rung], answers: bool, at: list[tuple[Rung, float]], since: float
) -> None:
    taken = sorted((Taken(rung, when) for rung, when in at), key=lambda step: step.at)
    now = max([since, *(step.at for step in taken)])
    signs = Signs(code="", answers=answers, away=1e9, without_network=1e9)
    match decide(diagnosis, signs, taken, able, since=since, now=now):
        case Climb(rung):
            limit = LIMITS[rung]
            assert rung in able | ALWAYS
            assert answers or rung not in BY_COMMAND
            assert sum(s.rung is rung and s.at > now - limit.within for s in taken) < limit.most
        case Wait(until):
            assert until > now
        case Leave(reason):
            assert reason or diagnosis is Diagnosis.HEALTHY
