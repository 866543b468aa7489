"""Every PDU we write and read, against python-gsmmodem-new where it is sound."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import Encoding, Part, Submission
from drivers.gsm import address, alphabet, pdu, segments, timestamps, udh, validity
from tests.gsm import library
from tests.gsm.examples import ALICE, PDUS, QUICK, STAMP, moments

GSM7, UCS2 = Encoding.GSM7, Encoding.UCS2

# What the library writes and reads as we do: the alphabet without §, @ and form feed, characters up to U+FFFF,
# international numbers. The rest is in test_gsmmodem_defects.py.
sound_texts = st.text(st.sampled_from("abcXYZ 019äöüñÑ£$¥èéùìòÇØøÅåΔΦΓ\n\r!?.,-^{}[]~|\\€"), max_size=160)
single_texts = sound_texts.filter(lambda text: len(alphabet.encode(text)) <= 160)
long_texts = st.text(st.sampled_from("abcdefgh XYZ0123456789.,{}€~"), min_size=161, max_size=700)
bmp_texts = st.text(
    st.characters(codec="utf-16-be", max_codepoint=0xD7FF, min_codepoint=0x100), min_size=1, max_size=300
)
international = st.from_regex(r"\+[0-9]{1,20}", fullmatch=True)


# It reads years from 69 on as 1969.
near_moments = moments.filter(lambda moment: moment.year < 2069)


def submits(
    text: str, to: str, reference: int, seconds: int, *, report: bool, duplicates: bool, flash: bool
) -> list[str]:
    """Ours, with the library's TP-MR, which it takes for the concatenation reference too."""
    rows = []
    for part in segments.split(text, reference=reference):
        encoded = pdu.encode_submit(
            Submission(
                attempt_id="a",
                to=to,
                part=part,
                validity=seconds,
                report=report,
                reject_duplicates=duplicates,
                message_class=0 if flash else None,
            )
        ).pdu
        rows.append(f"{encoded[:4]}{reference:02X}{encoded[6:]}")
    return rows


@given(
    st.one_of(single_texts, long_texts, bmp_texts),
    international,
    st.integers(0, 255),
    st.integers(300, 12 * 3600),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
@QUICK
def test_submits_are_the_same(
    text: str, to: str, reference: int, seconds: int, report: bool, duplicates: bool, flash: bool
) -> None:
    theirs = library.pdu.encodeSmsSubmitPdu(
        to,
        text,
        reference=reference,
        validity=timedelta(seconds=seconds),
        requestStatusReport=report,
        rejectDuplicates=duplicates,
        sendFlash=flash,
    )
    ours = submits(text, to, reference, seconds, report=report, duplicates=duplicates, flash=flash)
    assert ours == [str(one) for one in theirs]
    assert [len(one) // 2 - 1 for one in ours] == [one.tpduLength for one in theirs]


@pytest.mark.parametrize(
    "name", ["D1", "D2", "D3", "D3B", "D4", "D7A", "D7B", "D7C", "D9", "D14", "D15", "D17", "S1", "S2A", "S3"]
)
def test_known_texts_are_read_alike(name: str) -> None:
    theirs = library.pdu.decodeSmsPdu(PDUS[name][1])
    ours = pdu.decode(PDUS[name][1])
    assert not isinstance(ours, pdu.Report)
    number = ours.sender if isinstance(ours, pdu.Deliver) else ours.to
    assert (theirs["number"], theirs["text"], theirs["tpdu_length"]) == (number, ours.text, ours.length)
    if isinstance(ours, pdu.Deliver):
        assert (theirs["time"], theirs["protocol_id"], theirs["smsc"]) == (ours.sent_at, ours.protocol_id, ours.smsc)


@pytest.mark.parametrize("name", ["R1", "R2", "R3", "R4", "R5", "R6", "R7", "R9"])
def test_known_reports_are_read_alike(name: str) -> None:
    theirs = library.pdu.decodeSmsPdu(PDUS[name][1])
    ours = pdu.decode(PDUS[name][1])
    assert isinstance(ours, pdu.Report)
    assert (theirs["reference"], theirs["number"], theirs["status"]) == (ours.tp_mr, ours.recipient, ours.tp_st)
    assert (theirs["time"], theirs["discharge"]) == (ours.submitted_at, ours.discharged_at)


@given(single_texts, international, near_moments)
@QUICK
def test_delivers_are_read_alike(text: str, number: str, moment: datetime) -> None:
    encoded = pdu.encode_deliver(sender=number, sent_at=moment, part=segments.split(text, reference=1)[0])
    theirs = library.pdu.decodeSmsPdu(encoded.pdu)
    assert (theirs["number"], theirs["text"], theirs["time"]) == (number, text, moment)
    assert theirs["time"].utcoffset() == moment.utcoffset()


# --- The leaves that are sound ----------------------------------------------------------------------------------------
# ------------------------------------------------------------------------------------------


@given(st.binary(min_size=1, max_size=160).map(lambda data: bytes(octet & 0x7F for octet in data)))
@QUICK
def test_septets_are_packed_alike(septets: bytes) -> None:
    assert alphabet.pack(septets) == bytes(library.pdu.packSeptets(bytearray(septets)))
    # Its padBits is a position in the cycle: 7 minus the fill bits.
    assert alphabet.pack(septets, 1) == bytes(library.pdu.packSeptets(bytearray(septets), padBits=6))


@given(moments)
@QUICK
def test_time_stamps_are_written_alike(moment: datetime) -> None:
    """The leaf that `validity` uses for absolute times."""
    assert timestamps.encode(moment) == bytes(library.pdu._encodeTimestamp(moment))
    assert validity.encode(None, moment) == bytes(library.pdu._encodeTimestamp(moment))


@given(near_moments)
@QUICK
def test_time_stamps_are_read_alike(moment: datetime) -> None:
    stamp = timestamps.encode(moment)
    assert library.pdu._decodeTimestamp(iter(stamp)) == timestamps.decode(stamp) == moment


@given(st.from_regex(r"[0-9]{1,20}", fullmatch=True))
@QUICK
def test_semi_octets_are_alike(digits: str) -> None:
    assert address.encode(digits)[2:] == bytes(library.pdu.encodeSemiOctets(digits))
    assert library.pdu.decodeSemiOctets(bytearray(address.encode(digits)[2:])) == digits


@given(st.integers(0, 255), st.integers(1, 255), st.data())
@QUICK
def test_information_elements_are_alike(reference: int, total: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(1, total))
    ours = udh.concatenation(reference, total, number)
    theirs = library.pdu.InformationElement.decode(iter(ours))
    assert (theirs.reference, theirs.parts, theirs.number) == (reference, total, number)
    assert bytes(theirs.encode()) == ours
    wide = library.pdu.InformationElement.decode(iter(udh.concatenation(0x100 + reference, total, number, wide=True)))
    assert (wide.reference, wide.parts, wide.number) == (0x100 + reference, total, number)
    ports = library.pdu.InformationElement.decode(iter(udh.ports(2948, 9200)))
    assert (ports.destination, ports.source) == (2948, 9200)


def test_relative_validity_is_read_alike() -> None:
    for octet in range(256):
        theirs = library.pdu._decodeRelativeValidityPeriod(octet).total_seconds()
        assert validity.decode(bytes([octet]), 0, 2, []) == (theirs, None, 1)


def test_absolute_validity_is_the_same_on_the_wire() -> None:
    (theirs,) = library.pdu.encodeSmsSubmitPdu(ALICE, "Hello", validity=STAMP)
    part = Part(encoding=GSM7, data=b"Hello")
    assert pdu.encode_submit(Submission(attempt_id="a", to=ALICE, part=part), absolute_until=STAMP).pdu == str(theirs)
