"""Calls, as lines and times."""

from __future__ import annotations

import pytest

from drivers.contract import MissedCall
from drivers.modems.ringing import CLIP_WAIT, QUIET, Ringing

SIM = "8944"


@pytest.mark.parametrize(
    ("clip", "caller"),
    [
        ('+CLIP: "+447700900777",145,"",,"",0', "+447700900777"),
        ('+CLIP: "447700900777",145', "+447700900777"),
        ('+CLIP: "07700900777",129,,,,0', "07700900777"),
        ('+CLIP: "",128', ""),
        ('+CLIP: "",,,,,1', ""),
        ('+CLIP:"112",129', "112"),
        ('+CLIP: "<script>",145', ""),
        ("+CLIP: what?", ""),
    ],
)
def test_the_caller_as_the_modem_tells_it(clip: str, caller: str) -> None:
    call = Ringing(hang_up=False)
    call.heard("RING", 0.0)
    call.heard(clip, 0.1)
    call.ended()
    assert call.missed(SIM, 0.2) == MissedCall(sim=SIM, caller=caller, rings=1)
    assert call.missed(SIM, 0.3) is None


def test_a_call_is_over_when_it_has_not_rung_for_a_while() -> None:
    call = Ringing(hang_up=False)
    call.heard("RING", 0.0)
    call.heard("+CRING: VOICE", 3.0)
    assert not call.to_hang_up(60.0)
    assert call.next_due() == 3.0 + QUIET
    assert call.missed(SIM, 3.0 + QUIET - 0.1) is None
    assert call.missed(SIM, 3.0 + QUIET) == MissedCall(sim=SIM, rings=2)
    assert call.next_due() == float("inf")


def test_it_is_hung_up_when_the_caller_is_known_or_will_not_be() -> None:
    call = Ringing(hang_up=True)
    assert not call.to_hang_up(0.0)
    call.heard("RING", 0.0)
    assert not call.to_hang_up(0.1)
    assert call.next_due() == CLIP_WAIT
    assert call.to_hang_up(CLIP_WAIT)
    call.heard('+CLIP: "+447700900777",145', 0.2)
    assert call.to_hang_up(0.2)
    call.tried(True, 0.3)
    assert call.missed(SIM, 0.3) == MissedCall(sim=SIM, caller="+447700900777", rings=1, hung_up=True)


def test_a_ring_that_was_on_its_way_is_no_second_call_and_a_later_one_is() -> None:
    call = Ringing(hang_up=True)
    call.heard("RING", 0.0)
    call.tried(True, 2.0)
    assert call.missed(SIM, 2.0) is not None
    call.heard("RING", 2.5)
    assert call.next_due() == float("inf")
    call.heard("RING", 20.0)
    assert call.next_due() == 20.0 + CLIP_WAIT


def test_the_end_of_no_call_is_nothing() -> None:
    call = Ringing(hang_up=False)
    call.ended()
    assert call.missed(SIM, 0.0) is None
    call.heard("RING", 1.0)
    assert call.missed(SIM, 1.1) is None


def test_a_modem_that_does_not_let_us_is_asked_once_and_the_call_told_when_it_is_over() -> None:
    call = Ringing(hang_up=True)
    call.heard("RING", 0.0)
    assert call.to_hang_up(CLIP_WAIT)
    call.tried(False, 2.0)
    assert not call.to_hang_up(3.0)
    assert call.next_due() == QUIET
    assert call.missed(SIM, 3.0) is None
    assert call.missed(SIM, QUIET) == MissedCall(sim=SIM, rings=1)


def test_a_call_that_ended_while_the_line_was_busy_was_not_ended_by_us() -> None:
    call = Ringing(hang_up=True)
    call.heard("RING", 0.0)
    call.ended()
    call.tried(True, 9.0)
    assert call.missed(SIM, 9.0) == MissedCall(sim=SIM, rings=1, hung_up=False)
