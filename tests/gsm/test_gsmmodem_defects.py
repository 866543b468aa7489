"""What python-gsmmodem-new 0.13.0 does wrong: one reproducer a defect, beside what we do.

Each test holds as long as the defect is there. When a new release mends one, its test fails: then look whether our own
code for it is still needed.
"""

from __future__ import annotations

import contextlib
from datetime import timedelta
from importlib.metadata import version
from typing import Any

import pytest

from drivers.contract import Encoding, Part, Submission
from drivers.gsm import PduError, address, alphabet, pdu, segments, timestamps, udh
from tests.gsm import library
from tests.gsm.examples import ALICE, PDUS, STAMP

theirs = library.pdu


def ours(text: str, to: str = ALICE, **changes: Any) -> bytes:
    part = segments.split(text, reference=1)[0]
    return bytes.fromhex(pdu.encode_submit(Submission(attempt_id="a", to=to, part=part, **changes)).pdu)


def read(octets: str) -> pdu.Deliver:
    message = pdu.decode(octets)
    assert isinstance(message, pdu.Deliver)
    return message


def test_this_is_about_0_13_0() -> None:
    assert version("python-gsmmodem-new") == "0.13.0"


# --- Alphabet ---------------------------------------------------------------------------------------------------------
# -----------------------------------------------------------------------------------------------------------


def test_emoji_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="byte must be in range"):
        theirs.encodeSmsSubmitPdu(ALICE, "👍")
    assert ours("👍").endswith("👍".encode("utf-16-be"))


def test_emoji_come_as_two_halves() -> None:
    assert theirs.decodeSmsPdu(PDUS["D5"][1])["text"] == "Да \ud83d\udc4d"
    assert read(PDUS["D5"][1]).text == "Да 👍"


def test_the_back_tick_is_sent_as_a_section_sign() -> None:
    assert bytes(theirs.encodeGsm7("`")) == b"\x5f"
    assert alphabet.first_foreign("`") == (0, "`")


def test_the_section_sign_forces_ucs2_and_comes_as_a_back_tick() -> None:
    with pytest.raises(ValueError, match="§"):
        theirs.encodeGsm7("§")
    assert theirs.decodeGsm7(bytearray(b"\x5f")) == "`"
    assert alphabet.encode("§") == b"\x5f"


def test_y_with_diaeresis_stands_where_the_page_break_belongs() -> None:
    with pytest.raises(TypeError, match="ord"):  # meant as the page break, and not even that works
        theirs.encodeGsm7("ÿ")
    with pytest.raises(ValueError, match="Cannot encode"):
        theirs.encodeGsm7("\f")
    assert alphabet.encode("\f") == b"\x1b\x0a"
    assert alphabet.first_foreign("ÿ") == (0, "ÿ")


def test_a_trailing_at_sign_on_an_octet_edge_is_lost() -> None:
    assert bytes(theirs.unpackSeptets(theirs.packSeptets(theirs.encodeGsm7("AAAAAAA@")))) == b"AAAAAAA"
    assert alphabet.unpack(alphabet.pack(alphabet.encode("AAAAAAA@")), 8) == b"AAAAAAA\0"


def test_an_unknown_escape_is_dropped_and_a_last_one_breaks_it() -> None:
    assert theirs.decodeGsm7(bytearray(b"a\x1bAb")) == "ab"
    with pytest.raises(StopIteration):
        theirs.decodeGsm7(bytearray(b"a\x1b"))
    assert alphabet.decode(b"a\x1bAb") == "aAb"
    assert alphabet.decode(b"a\x1b") == "a "


def test_national_tables_are_ignored() -> None:
    assert theirs.decodeSmsPdu(PDUS["D16"][1])["text"] != "dağ ok"
    assert read(PDUS["D16"][1]).text == "dağ ok"


# --- Headers and parts ------------------------------------------------------------------------------------------------
# ----------------------------------------------------------------------------------------------------


def test_the_first_character_is_lost_behind_a_16_bit_reference() -> None:
    assert theirs.decodeSmsPdu(PDUS["D6A"][1])["text"] == "art one "
    assert read(PDUS["D6A"][1]).text == "part one "


def test_a_16_bit_reference_cannot_be_asked_for() -> None:
    """The width follows from the value, so that 7 is never 16 bits wide, and a SUBMIT cannot have more than 8."""
    element = theirs.Concatenation()
    element.reference, element.parts, element.number = 7, 2, 1
    assert element.encode()[0] == 0x00
    with pytest.raises(ValueError, match="byte must be in range"):
        theirs.encodeSmsSubmitPdu(ALICE, "a" * 161, reference=0x1234)
    assert udh.concatenation(7, 2, 1, wide=True) == bytes.fromhex("080400070201")


def test_a_surrogate_pair_is_counted_as_one() -> None:
    """67 characters beyond U+FFFF are 134 code units, two parts' worth."""
    assert [len(part) for part in theirs.divideTextUcs2("👍" * 67)] == [67]
    assert segments.plan("👍" * 67).parts == 3


# --- Reading ----------------------------------------------------------------------------------------------------------
# ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "size"), [("D7A", 8), ("D7A", 18), ("D7A", 24), ("D7A", 33), ("R1", 8), ("R1", 32)])
def test_a_cut_pdu_raises_stop_iteration(name: str, size: int) -> None:
    cut = bytes.fromhex(PDUS[name][1])[:size]
    with pytest.raises(StopIteration):
        theirs.decodeSmsPdu(bytearray(cut))
    with contextlib.suppress(PduError):
        pdu.decode(cut)


@pytest.mark.parametrize(("dcs", "data", "text"), [(0x48, "0200E9", "é"), (0xE8, "0200E9", "é"), (0xF5, "01E9", "é")])
def test_coding_groups_above_3f_are_read_as_7_bit(dcs: int, data: str, text: str) -> None:
    octets = f"00040C9144770009103200{dcs:02X}62304190035140{data}"
    assert theirs._decodeDataCoding(dcs) == 0
    assert theirs.decodeSmsPdu(octets)["text"] != text
    assert read(octets).text == text


def test_a_zero_time_stamp_hides_the_message() -> None:
    with pytest.raises(ValueError, match="does not match format"):
        theirs.decodeSmsPdu(PDUS["D18"][1])
    assert read(PDUS["D18"][1]).text == "A"


def test_an_impossible_zone_falsifies_the_time() -> None:
    assert theirs.decodeSmsPdu(PDUS["R8"][1])["discharge"].second == 2  # of 21
    message = pdu.decode(PDUS["R8"][1])
    assert isinstance(message, pdu.Report)
    assert (message.discharged_at, message.tp_st) == (None, 0)


def test_years_from_69_on_are_of_the_last_century() -> None:
    stamp = timestamps.encode(STAMP.replace(year=2069))
    assert theirs._decodeTimestamp(iter(stamp)).year == 1969
    assert timestamps.decode(stamp) == STAMP.replace(year=2069)


def test_an_empty_sender_hides_the_message() -> None:
    with pytest.raises((ValueError, StopIteration)):
        theirs.decodeSmsPdu(PDUS["D19"][1])
    assert read(PDUS["D19"][1]).sender == ""


# --- Addresses --------------------------------------------------------------------------------------------------------
# ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("digits", ["*100#", "1*2"])
def test_star_and_hash_are_no_digits(digits: str) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        theirs.encodeSemiOctets(digits)
    assert theirs._encodeAddressField(digits)[1] == 0xD0  # sent as a name
    assert address.encode(digits)[1] == 0x81


def test_received_star_and_hash_are_letters() -> None:
    field = address.encode("*1#a")
    assert theirs._decodeAddressField(iter(field))[0] == "a1bc"
    assert address.decode(field)[0].number == "*1#a"


def test_a_short_code_is_sent_as_a_national_number() -> None:
    assert theirs._encodeAddressField("65000")[1] == 0xA1
    assert address.encode("65000")[1] == 0x81


# --- Validity ---------------------------------------------------------------------------------------------------------
# -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [1, 240, 299])
def test_validity_below_five_minutes_raises(seconds: int) -> None:
    with pytest.raises(ValueError, match="byte must be in range"):
        theirs.encodeSmsSubmitPdu(ALICE, "Hello", validity=timedelta(seconds=seconds))
    assert ours("Hello", validity=seconds)[13] == 0


def test_validity_beyond_63_weeks_raises() -> None:
    with pytest.raises(ValueError, match="too long"):
        theirs.encodeSmsSubmitPdu(ALICE, "Hello", validity=timedelta(days=442))
    assert ours("Hello", validity=442 * 86400)[13] == 255


def test_any_year_is_cut_to_two_digits() -> None:
    """The one weakness of the leaf that `validity` uses, which it therefore checks before."""
    assert theirs._encodeTimestamp(STAMP.replace(year=1985))[0] == 0x58
    part = Part(encoding=Encoding.GSM7, data=b"a")
    with pytest.raises(PduError, match="2000 to 2099"):
        pdu.encode_submit(Submission(attempt_id="a", to=ALICE, part=part), absolute_until=STAMP.replace(year=1985))
