"""TP-ST, +CMS ERROR and +CME ERROR: every row."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import Cause
from drivers.gsm import PduError
from drivers.gsm.causes import CME, CMS, VENDOR
from drivers.gsm.outcome import Fate, classify, tp_status
from tests.gsm.examples import QUICK

DEST, SIM, NET, MODEM = Cause.DEST, Cause.SIM, Cause.NET, Cause.MODEM
BUSY, MEM, BUG, DOUBT = Cause.BUSY, Cause.MEM, Cause.BUG, Cause.DOUBT

# --- TP-ST ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "last", "fate"),
    [
        (0x00, 0x01, Fate.DELIVERED),
        (0x02, 0x0F, Fate.UNCLEAR),
        (0x10, 0x1F, Fate.DELIVERED),
        (0x20, 0x3F, Fate.PENDING),
        (0x40, 0x45, Fate.FAILED),
        (0x46, 0x46, Fate.EXPIRED),
        (0x47, 0x5F, Fate.FAILED),
        (0x60, 0xFF, Fate.FAILED_TEMPORARY),
    ],
)
def test_fate_of_every_status(first: int, last: int, fate: Fate) -> None:
    assert {st: tp_status(st).fate for st in range(first, last + 1)} == dict.fromkeys(range(first, last + 1), fate)


@pytest.mark.parametrize(
    ("st", "code"),
    [
        (0x00, "received"),
        (0x01, "forwarded"),
        (0x02, "replaced"),
        (0x03, "status_03"),
        (0x15, "status_15"),
        (0x20, "congestion"),
        (0x25, "handset_error"),
        (0x40, "remote_error"),
        (0x46, "expired"),
        (0x49, "unknown_message"),
        (0x62, "no_response"),
        (0x63, "rejected"),
        (0x7F, "status_7f"),
        (0x80, "status_80"),
        (0xFF, "status_ff"),
    ],
)
def test_code_is_a_stable_word(st: int, code: str) -> None:
    assert tp_status(st).code == code


def test_only_forwarded_is_unconfirmed() -> None:
    assert [st for st in range(256) if tp_status(st).unconfirmed] == [0x01]


def test_every_status_has_words() -> None:
    assert all(tp_status(st).meaning and tp_status(st).code for st in range(256))
    assert "still trying" in tp_status(0x22).meaning
    assert "stopped" in tp_status(0x62).meaning


@pytest.mark.parametrize("st", [-1, 256])
def test_no_octet_is_refused(st: int) -> None:
    with pytest.raises(PduError):
        tp_status(st)


# --- What the network said --------------------------------------------------------------------------------------------
# ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codes", "cause"),
    [
        ((1, 21, 27, 195, 196), DEST),
        ((8, 10, 28, 29, 30, 50, 69, 193), SIM),
        ((17, 22, 42, 47, 111, 192, 194, 255), NET),
        ((81, 210, 213), MODEM),
        ((95, 96, 97, 98, 99, 128, 129, 130, 143, 144, 145, 159, 160, 161, 175, 176, 198, 199), BUG),
        ((208, 209, 211), MEM),
        ((212,), BUSY),
    ],
)
def test_what_only_the_network_can_say_is_definite(codes: tuple[int, ...], cause: Cause) -> None:
    for code in codes:
        for elapsed in (0.1, 60.0):
            verdict = classify(cms=code, elapsed=elapsed)
            assert (verdict.cause, verdict.code) == (cause, f"cms_{code}"), code


@pytest.mark.parametrize("code", [38, 41, 127, 332])
def test_what_may_hide_a_success_is_in_doubt_unless_the_profile_knows_better(code: int) -> None:
    assert classify(cms=code, elapsed=0.1).cause is DOUBT
    assert classify(cms=code, elapsed=0.1).definite is NET
    assert classify(cms=code, elapsed=60, trusted=frozenset({code})).cause is NET
    assert classify(cms=code, trusted=frozenset({1000})).cause is DOUBT
    assert classify(cms=code, after_data=False).cause is NET


def test_duplicate_refused_means_sent_before() -> None:
    assert classify(cms=197).accepted
    assert not classify(cms=197, after_data=False).accepted
    assert not any(classify(cms=code).accepted for code in range(1000) if code != 197)


def test_unknown_causes() -> None:
    assert classify(cms=2).cause is DOUBT  # an unknown RP cause is read as 41
    assert classify(cms=2, after_data=False).cause is NET
    assert classify(cms=0xE0, elapsed=60).cause is NET  # an unknown TP-FCS is a refusal all the same


# --- What the modem said ----------------------------------------------------------------------------------------------
# ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cms", "cme", "cause"),
    [
        (301, None, BUSY),
        (303, 4, BUG),
        (304, None, BUG),
        (305, None, MODEM),
        (310, 10, SIM),
        (311, 11, SIM),
        (312, 5, SIM),
        (313, 13, MODEM),
        (314, 14, BUSY),
        (315, 15, SIM),
        (316, 12, SIM),
        (317, 17, SIM),
        (318, 18, SIM),
        (320, 23, MODEM),
        (321, 21, MODEM),
        (321, 22, MODEM),
        (322, 20, MEM),
        (330, None, SIM),
        (331, 30, NET),
        (340, None, MODEM),
        (None, 16, SIM),
        (None, 32, SIM),
        (None, 262, SIM),
    ],
)
def test_local_refusals_are_definite(cms: int | None, cme: int | None, cause: Cause) -> None:
    if cms is not None:
        assert classify(cms=cms, elapsed=60).cause is cause
    if cme is not None:
        verdict = classify(cme=cme, elapsed=60)
        assert (verdict.cause, verdict.code) == (cause, f"cme_{cme}")


@pytest.mark.parametrize(
    "number", [{"cms": 300}, {"cms": 500}, {"cme": 0}, {"cme": 100}, {}, {"cme": 258}, {"cms": 600}]
)
def test_what_comes_late_may_be_a_timer(number: dict[str, Any]) -> None:
    assert classify(**number, elapsed=2.9).cause is MODEM
    assert classify(**number, elapsed=3.0).cause is DOUBT
    assert classify(**number, elapsed=60, after_data=False).cause is MODEM


def test_network_timeout_is_in_doubt_by_either_name() -> None:
    assert classify(cms=332).cause is classify(cme=31).cause is DOUBT


def test_not_allowed_is_a_matter_of_time_at_the_prompt_and_of_the_sim_after_the_data() -> None:
    assert classify(cms=302, after_data=False).cause is BUSY
    assert classify(cme=3, after_data=False).cause is BUSY
    assert classify(cms=302).cause is SIM


def test_bare_error_has_its_word() -> None:
    assert classify().code == "error"


# --- What the vendors said --------------------------------------------------------------------------------------------
# ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vendor", "code", "cause"),
    [
        ("siemens", 514, MODEM),
        ("siemens", 515, BUG),
        ("siemens", 516, BUG),
        ("siemens", 517, BUG),
        ("siemens", 520, BUG),
        ("siemens", 521, DOUBT),
        ("siemens", 522, BUSY),
        ("siemens", 532, BUSY),
        ("siemens", 535, BUSY),
        ("siemens", 538, BUG),
        ("siemens", 549, BUG),
        ("cinterion", 554, BUG),
        ("quectel", 512, BUSY),
        ("quectel", 513, BUG),
        ("quectel", 514, BUG),
        ("quectel", 515, MEM),
        ("quectel", 517, MODEM),
        ("quectel", 528, MODEM),
        ("quectel", 529, SIM),
        ("quectel", 530, NET),
        ("quectel", 531, MEM),
        ("simcom", 224, DOUBT),
        ("simcom", 225, DOUBT),
        ("simcom", 226, DOUBT),
        ("simcom", 512, DOUBT),
        ("simcom", 513, BUG),
        ("simcom", 516, BUG),
        ("simcom", 520, BUSY),
        ("simcom", 521, BUSY),
        ("simcom", 522, NET),
        ("simcom", 525, BUSY),
        ("simcom", 529, SIM),
        ("simcom", 532, BUSY),
        ("sim900", 512, BUSY),
        ("sim900", 513, MEM),
        ("sim900", 528, BUG),
        ("telit", 510, SIM),
        ("telit", 512, BUSY),
        ("telit", 513, DOUBT),
        ("telit", 514, NET),
        ("telit", 515, DOUBT),
        ("ublox", 350, DEST),
        ("ublox", 354, DEST),
        ("ublox", 353, DOUBT),
        ("ublox", 360, DOUBT),
        ("ublox", 361, DOUBT),
        ("ublox", 362, NET),
        ("ublox", 364, SIM),
        ("ublox", 373, DOUBT),
        ("u-blox", 512, DOUBT),
        ("ublox", 513, DOUBT),
        ("ublox", 538, DOUBT),
        ("ublox", 539, BUSY),
        ("ublox", 543, SIM),
        ("ublox", 546, SIM),
        ("ublox", 604, NET),
        ("ublox", 605, NET),
        ("ublox", 606, BUSY),
        ("wavecom", 514, NET),
        ("wavecom", 515, BUSY),
        ("wavecom", 528, NET),
        ("wavecom", 530, BUG),
        ("motorola", 512, NET),
        ("motorola", 513, DEST),
        ("motorola", 514, BUG),
        ("motorola", 515, NET),
        ("sierra", 606, BUSY),
    ],
)
def test_vendors_contradict_one_another(vendor: str, code: int, cause: Cause) -> None:
    assert classify(cms=code, vendor=vendor, elapsed=60).cause is cause
    assert classify(cms=code, vendor=vendor.upper(), elapsed=0.2).cause is cause


@pytest.mark.parametrize(
    ("vendor", "code", "quick"),
    [("siemens", 512, BUSY), ("siemens", 513, MEM), ("wavecom", 512, NET), ("wavecom", 513, NET)],
)
def test_siemens_and_wavecom_timers_are_told_by_the_clock(vendor: str, code: int, quick: Cause) -> None:
    """A collision with an incoming text says 512 within a second, a protocol timer after 28 or 42."""
    assert classify(cms=code, vendor=vendor, elapsed=0.6).cause is quick
    assert classify(cms=code, vendor=vendor, elapsed=2).cause is DOUBT
    assert classify(cms=code, vendor=vendor, elapsed=28).cause is DOUBT
    assert classify(cms=code, vendor=vendor, elapsed=28, trusted=frozenset({code})).cause is quick


@pytest.mark.parametrize("vendor", ["", "huawei", "zte", "nobody"])
@pytest.mark.parametrize("code", [224, 350, 512, 513, 515, 538, 700])
def test_without_a_table_the_number_is_not_guessed(vendor: str, code: int) -> None:
    if code > 255:
        assert classify(cms=code, vendor=vendor, elapsed=0.5).cause is MODEM
        assert classify(cms=code, vendor=vendor, elapsed=42).cause is DOUBT
    else:
        assert classify(cms=code, vendor=vendor, elapsed=42).cause is NET


def test_please_wait_comes_as_either_kind() -> None:
    assert classify(cme=515, vendor="wavecom", elapsed=60).cause is BUSY
    assert classify(cme=515, after_data=False).cause is BUSY  # while it starts, whoever made it


def test_a_vendors_small_numbers_do_not_touch_cme() -> None:
    """u-blox 350 is an RP cause as +CMS ERROR only."""
    assert classify(cme=350, vendor="ublox").definite is MODEM


# --- For all ----------------------------------------------------------------------------------------------------------
# ------------------------------------------------------------------------------------------------------------

vendors = st.sampled_from(["", "huawei", "cinterion", "u-blox", *VENDOR])
codes = st.one_of(st.none(), st.integers(-5, 1000))


@given(codes, codes, vendors, st.floats(0, 400))
@QUICK
def test_nothing_is_in_doubt_before_the_data(cms: int | None, cme: int | None, vendor: str, elapsed: float) -> None:
    verdict = classify(cms=cms, cme=cme, vendor=vendor, elapsed=elapsed, after_data=False)
    assert verdict.cause is not DOUBT
    assert verdict.meaning
    late = classify(cms=cms, cme=cme, vendor=vendor, elapsed=elapsed)
    assert late.definite is not DOUBT
    assert (late.cause is DOUBT) == ("may have been sent" in late.meaning)


def test_what_a_person_must_cure_comes_with_the_remedy() -> None:
    """A SIM-class sentence names what to do: it has a second clause."""
    rows = [*CMS.items(), *CME.items(), *((code, row) for table in VENDOR.values() for code, row in table.items())]
    for code, row in rows:
        assert row.cause is not DOUBT
        if row.cause is SIM and code not in (30, 543):
            assert ";" in row.meaning or "," in row.meaning, (code, row.meaning)
