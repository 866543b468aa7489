"""What we read: known PDUs, odd ones, and any octets at all."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import Encoding, Part, Ports, Reference
from drivers.gsm import PduError, pdu, segments, timestamps
from drivers.gsm.coding import Waiting
from tests.gsm.examples import ALICE, CENTRE, PDUS, QUICK, STAMP, gsm_texts, moments, numbers

GSM7, UCS2, BINARY = Encoding.GSM7, Encoding.UCS2, Encoding.BINARY
HEAD = "0791447700090000"


def deliver(octets: str) -> pdu.Deliver:
    message = pdu.decode(octets)
    assert isinstance(message, pdu.Deliver)
    return message


def report(octets: str) -> pdu.Report:
    message = pdu.decode(octets)
    assert isinstance(message, pdu.Report)
    return message


@pytest.mark.parametrize("name", PDUS)
def test_length_is_what_the_modem_says(name: str) -> None:
    length, octets = PDUS[name]
    assert pdu.decode(octets).length == length
    assert pdu.decode(bytes.fromhex(octets)) == pdu.decode(octets.lower()) == pdu.decode(octets)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("D1", {"text": "Reply YES", "sender": ALICE, "sender_type": 0x91, "data": b"Reply YES"}),
        ("D2", {"text": "Reply YES", "sender": "07700900123", "sender_type": 0x81}),
        ("D3", {"text": "Code 4711", "sender": "MyBank", "sender_type": 0xD0, "alphanumeric": True}),
        ("D3B", {"text": "Code 4711", "sender": "ExampleCorp", "alphanumeric": True}),
        ("D4", {"sender": "65000", "alphanumeric": False}),
        ("D5", {"text": "Да 👍"}),
        ("D6A", {"text": "part one ", "udh": bytes.fromhex("080412340201")}),
        ("D6B", {"text": "part two"}),
        ("D7A", {"text": "part one "}),
        ("D8", {"text": "", "protocol_id": 0x40}),
        ("D9", {"text": "Balance 10", "protocol_id": 0x41}),
        ("D10", {"text": "", "dcs": 0xC8}),
        ("D11", {"text": None, "data": b"\x01\x06\x04\x03", "dcs": 0x04}),
        ("D13", {"protocol_id": 0x7F, "dcs": 0xF6, "data": bytes.fromhex("0270000000")}),
        ("D14", {"dcs": 0x10}),
        ("D15", {"text": "Grüße", "data": bytes.fromhex("4772FCDF65")}),
        ("D16", {"text": "dağ ok"}),
        ("D17", {"text": ""}),
        ("D18", {"text": "A", "sent_at": None, "scts": bytes(7)}),
        ("D19", {"text": "A", "sender": "", "sender_type": 0x81}),
    ],
)
def test_known_delivers(name: str, expected: dict[str, Any]) -> None:
    message = deliver(PDUS[name][1])
    assert {field: getattr(message, field) for field in expected} == expected
    assert message.smsc == CENTRE
    assert not message.more_to_send
    if name == "D18":
        assert message.notes == ("the service centre's time stamp is broken",)
    else:
        assert (message.sent_at, message.notes) == (STAMP, ())
        assert message.sent_at is not None
        assert message.sent_at.utcoffset() == timedelta(hours=1)


def test_known_headers() -> None:
    assert deliver(PDUS["D6A"][1]).header.reference == Reference(value=0x1234, wide=True, total=2, number=1)
    assert deliver(PDUS["D7C"][1]).header.reference == Reference(value=0x2A, wide=False, total=3, number=3)
    assert deliver(PDUS["D11"][1]).header.ports == Ports(destination=2948, source=0)
    assert deliver(PDUS["D12"][1]).header.ports == Ports(destination=2948, source=9200)
    assert deliver(PDUS["D16"][1]).header.single == 1


def test_known_codings() -> None:
    waiting = deliver(PDUS["D10"][1]).coding
    assert (waiting.waiting, waiting.waiting_on, waiting.discard) == (Waiting.VOICEMAIL, True, True)
    assert deliver(PDUS["D13"][1]).coding.message_class == 2
    assert deliver(PDUS["D14"][1]).coding.message_class == 0


@pytest.mark.parametrize("names", [("D6A", "D6B"), ("D7A", "D7B", "D7C")])
def test_known_parts_are_joined(names: tuple[str, ...]) -> None:
    parts = [deliver(PDUS[name][1]) for name in names]
    text = segments.join_text([(p.coding.encoding, p.data, p.header.locking, p.header.single) for p in parts])
    assert text == "".join(part.text or "" for part in parts)
    assert text.startswith("part one part two")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("R1", {"tp_mr": 42, "recipient": ALICE, "tp_st": 0x00}),
        ("R2", {"tp_mr": 42, "recipient": "07700900123", "recipient_type": 0x81, "tp_st": 0x00}),
        ("R3", {"tp_mr": 42, "tp_st": 0x30}),
        ("R4", {"tp_mr": 42, "tp_st": 0x46, "discharged_at": STAMP + timedelta(days=1)}),
        ("R5", {"tp_st": 0x62}),
        ("R6", {"tp_mr": 255}),
        ("R7", {"tp_mr": 0}),
        ("R8", {"tp_mr": 42, "tp_st": 0, "discharged_at": None, "notes": ("the discharge time is broken",)}),
        ("R9", {"tp_mr": 42, "tp_st": 0, "protocol_id": 0, "dcs": 0, "text": "", "notes": ()}),
        ("R10", {"tp_mr": 42, "tp_st": 0, "protocol_id": None, "dcs": None, "text": None, "notes": ()}),
    ],
)
def test_known_reports(name: str, expected: dict[str, Any]) -> None:
    message = report(PDUS[name][1])
    assert {field: getattr(message, field) for field in expected} == expected
    assert (message.smsc, message.submitted_at) == (CENTRE, STAMP)
    assert not message.for_command
    if "discharged_at" not in expected:
        assert message.discharged_at == STAMP + timedelta(seconds=6)


def test_known_submits_are_read() -> None:
    """As a modem lists what is stored in it."""
    message = pdu.decode(PDUS["S2A"][1])
    assert isinstance(message, pdu.Submit)
    assert (message.to, message.validity, message.report) == (ALICE, 86400, True)
    assert message.header.reference == Reference(value=0x4D, wide=False, total=2, number=1)
    assert pdu.decode_submit(PDUS["S1"][1]).text == "Hello"
    assert pdu.decode_submit(PDUS["S3"][1]).text == "Привет"


# --- Odd ones ---------------------------------------------------------------------------------------------------------

D = HEAD + "040C914477000910320000"  # a DELIVER up to its coding, PID 00 and DCS 00
T = "62304190035140"


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        # The length says more than there is: what there is.
        (D + T + "0AC8329BFD06", {"text": "Hello", "notes": ("the user data ends before its length",)}),
        (D + T + "06C8329BFD06", {"text": "Hello", "notes": ("the user data ends before its length",)}),
        (D + T + "05", {"text": "", "notes": ("the user data ends before its length",)}),
        # More than the length says: padding.
        (D + T + "05C8329BFD06" + "00" * 20, {"text": "Hello", "length": 24, "notes": ()}),
        # Eight septets, the last of them zero: an @ is an @.
        (D + T + "08C16030180C0601", {"text": "AAAAAAA@"}),
        # UCS-2 with an odd number of octets, and with half a pair.
        (D[:-2] + "08" + T + "03004100", {"text": "A", "data": b"\x00A\x00"}),
        (D[:-2] + "08" + T + "040041D83D", {"text": "A\ufffd", "data": b"\x00A\xd8\x3d"}),
        # MWI group E is UCS-2, group F4 is 8-bit, reserved groups are 7-bit.
        (D[:-2] + "E8" + T + "0200E9", {"text": "é"}),
        (D[:-2] + "F5" + T + "01E9", {"text": "é", "data": b"\xe9"}),
        (D[:-2] + "9A" + T + "05C8329BFD06", {"text": "Hello"}),
        # Compressed text is octets that nobody here expands.
        (D[:-2] + "20" + T + "03AABBCC", {"text": None, "data": b"\xaa\xbb\xcc"}),
        # A header longer than the user data: everything is text.
        (
            HEAD + "44" + D[18:] + T + "05FF329BFD06",
            {"udh": b"", "notes": ("the user-data header is longer than the user data",)},
        ),
        (
            HEAD + "44" + D[18:] + T + "00",
            {"text": "", "notes": ("the user-data header is longer than the user data",)},
        ),
        # A damaged header is ignored as a whole, the text behind it is not.
        (
            HEAD + "44" + D[18:-2] + "04" + T + "06" + "0300030141" + "42",
            {
                "udh": b"\x00\x03\x01",
                "text": "AB",
                "notes": ("the user-data header ends within an information element",),
            },
        ),
        # Header only.
        (HEAD + "44" + D[18:] + T + "07" + "0500032A030100", {"text": "", "data": b"", "notes": ()}),
        # Flags.
        (
            HEAD + "A8" + D[18:] + T + "00",
            {"more_to_send": True, "loop_prevention": True, "reply_path": True, "report_indication": True},
        ),
        # No service centre.
        ("00" + D[16:] + T + "00", {"smsc": "", "sender": ALICE}),
    ],
)
def test_odd_delivers(octets: str, expected: dict[str, Any]) -> None:
    message = deliver(octets)
    assert {field: getattr(message, field) for field in expected} == expected


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ("", {"notes": ()}),
        ("01", {"notes": ("the report ends within its optional fields",)}),
        ("0140", {"protocol_id": 0x40, "dcs": None, "notes": ()}),
        ("0208", {"protocol_id": None, "dcs": 8}),
        ("07000005C8329BFD06", {"text": "Hello", "data": b"Hello"}),
        ("0405C8329BFD06", {"text": "Hello"}),
        ("81000000", {"protocol_id": 0x00, "length": 28}),  # a second indicator octet
        ("0700000AC8", {"text": "H", "notes": ("the user data ends before its length",)}),
        ("FFFF", {"protocol_id": None, "notes": ("the report ends within its optional fields",)}),
    ],
)
def test_optional_fields_of_a_report(tail: str, expected: dict[str, Any]) -> None:
    message = report(PDUS["R1"][1] + tail)
    assert (message.tp_mr, message.tp_st) == (42, 0)
    assert {field: getattr(message, field) for field in expected} == expected


def test_report_for_a_command_is_told_apart() -> None:
    assert report(HEAD + "26" + PDUS["R1"][1][18:]).for_command
    assert report(HEAD + "02" + PDUS["R1"][1][18:]).more_to_send


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        ("", "empty"),
        ("00", "ends after the service centre"),
        ("0791", "service centre"),
        ("000000FF00", "ends before its user data"),  # an empty slot of a Wavecom's report memory
        ("0003", "reserved"),
        ("0", "hexadecimal"),
        ("zz", "hexadecimal"),
        ("٠٠", "hexadecimal"),
        ("00" * 600, "longer than 512"),
        ("00" * 513, "longer than 512"),
        (b"\x00" * 513, "longer than 512"),
    ],
)
def test_no_pdu_is_refused(octets: str | bytes, reason: str) -> None:
    with pytest.raises(PduError, match=reason):
        pdu.decode(octets)


def test_a_deliver_is_no_submit() -> None:
    with pytest.raises(PduError, match="not an SMS-SUBMIT"):
        pdu.decode_submit(PDUS["D1"][1])


@pytest.mark.parametrize("name", [name for name in PDUS if name not in ("R9", "R10")])
def test_every_cut_is_read_or_refused(name: str) -> None:
    whole = bytes.fromhex(PDUS[name][1])
    for end in range(len(whole)):
        try:
            message = pdu.decode(whole[:end])
        except PduError:
            continue
        assert not isinstance(message, pdu.Report), "a report has no part that may be missing"
        assert message.notes, "something is missing, and nobody says so"


# --- Any octets -------------------------------------------------------------------------------------------------------
# ---------------------------------------------------------------------------------------------------------


def survives(octets: bytes) -> None:
    try:
        message = pdu.decode(octets)
    except PduError:
        return
    assert 0 < message.length <= len(octets)
    if message.text is not None:
        message.text.encode()  # can be written as UTF-8


@given(st.binary(max_size=260))
@QUICK
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    survives(octets)


@given(st.sampled_from(sorted(PDUS)), st.data())
@QUICK
def test_a_known_pdu_with_wrong_octets_is_read_or_refused(name: str, data: st.DataObject) -> None:
    octets = bytearray.fromhex(PDUS[name][1])
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(octets) - 1), st.integers(0, 255)), max_size=4)):
        octets[at] = value
    survives(bytes(octets))


@given(st.text(max_size=60))
@QUICK
def test_any_line_is_read_or_refused(line: str) -> None:
    with contextlib.suppress(PduError):
        pdu.decode(line)


@given(gsm_texts, numbers, moments, st.integers(0, 255), st.integers(0, 255))
@QUICK
def test_a_deliver_and_its_report_come_back(text: str, number: str, moment: Any, tp_mr: int, tp_st: int) -> None:
    part = segments.split(text[:80], reference=1)[0]
    read = deliver(pdu.encode_deliver(sender=number, sent_at=moment, part=part, smsc=CENTRE).pdu)
    assert (read.sender, read.sent_at, read.text, read.data) == (number, moment, text[:80], part.data)
    told = report(
        pdu.encode_report(tp_mr=tp_mr, recipient=number, submitted_at=moment, discharged_at=STAMP, tp_st=tp_st).pdu
    )
    assert (told.tp_mr, told.recipient, told.submitted_at, told.discharged_at, told.tp_st) == (
        tp_mr,
        number,
        moment,
        STAMP,
        tp_st,
    )
    assert told.scts == timestamps.encode(moment)


@given(st.text(st.characters(codec="utf-8"), max_size=70))
@QUICK
def test_a_name_or_a_number_comes_back_or_is_refused(sender: str) -> None:
    part = Part(encoding=GSM7, data=b"a")
    try:
        encoded = pdu.encode_deliver(sender=sender, sent_at=STAMP, part=part)
    except PduError:
        return
    assert deliver(encoded.pdu).sender == sender
