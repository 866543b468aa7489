"""What we write: every octet of SMS-SUBMIT, and the network's two PDUs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import Encoding, Part, Submission
from drivers.gsm import PduError, pdu, segments, udh
from tests.gsm.examples import ALICE, CENTRE, PDUS, QUICK, STAMP, moments, numbers, texts

GSM7, UCS2, BINARY = Encoding.GSM7, Encoding.UCS2, Encoding.BINARY
DAY = 86400


def submission(text: str | Part = "Hello", **changes: Any) -> Submission:
    part = segments.split(text, reference=0x4D)[0] if isinstance(text, str) else text
    return Submission(**{"attempt_id": "a", "to": ALICE, "part": part, "validity": DAY, **changes})


TWO_PARTS = [
    Part(number=1, total=2, encoding=GSM7, udh=udh.concatenation(0x4D, 2, 1), data=b"part one and "),
    Part(number=2, total=2, encoding=GSM7, udh=udh.concatenation(0x4D, 2, 2), data=b"part two"),
]


@pytest.mark.parametrize(
    ("name", "text", "to"),
    [("S1", "Hello", ALICE), ("S3", "Привет", ALICE), ("S4", "INFO", "65000")],
)
def test_known_submits(name: str, text: str, to: str) -> None:
    encoded = pdu.encode_submit(submission(text, to=to))
    assert (encoded.length, encoded.pdu) == PDUS[name]


def test_known_parts() -> None:
    for name in ("S2A", "S2B"):
        known = pdu.decode_submit(PDUS[name][1])
        reference = known.header.reference
        assert reference is not None
        part = Part(number=reference.number, total=2, encoding=GSM7, udh=known.udh, data=known.data)
        encoded = pdu.encode_submit(submission(part))
        assert (encoded.length, encoded.pdu) == PDUS[name]


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({}, 0x31),
        ({"report": False}, 0x11),
        ({"validity": None}, 0x21),
        ({"reply_path": True}, 0xB1),
        ({"reject_duplicates": True}, 0x35),
        ({"part": TWO_PARTS[0]}, 0x71),
        ({"report": False, "validity": None}, 0x01),
    ],
)
def test_first_octet(changes: dict[str, Any], first: int) -> None:
    octets = bytes.fromhex(pdu.encode_submit(submission(**changes)).pdu)
    assert (octets[0], octets[1], octets[2]) == (0x00, first, 0x00)  # service centre, flags, TP-MR


def test_absolute_validity() -> None:
    until = pdu.encode_submit(submission(validity=None), absolute_until=STAMP)
    assert until.pdu == "0039000C9144770009103200006230419003514005C8329BFD06"
    assert until.length == 25
    assert pdu.decode_submit(until.pdu).valid_until == STAMP


@pytest.mark.parametrize(
    ("changes", "pid", "dcs"),
    [
        ({}, 0x00, 0x00),
        ({"message_class": 0}, 0x00, 0x10),
        ({"message_class": 2}, 0x00, 0x12),
        ({"protocol_id": 0x41}, 0x41, 0x00),
        ({"dcs": 0xF1}, 0x00, 0xF1),
        ({"dcs": 0x40, "message_class": 0}, 0x00, 0x40),  # the caller's DCS is whole
        ({"text": "ż"}, 0x00, 0x08),
        ({"text": "ż", "message_class": 0}, 0x00, 0x18),
        ({"text": "ż", "dcs": 0xE0}, 0x00, 0xE0),
        ({"part": Part(encoding=BINARY, data=b"\x01")}, 0x00, 0x04),
        ({"part": Part(encoding=BINARY, data=b"\x01"), "protocol_id": 0x7F, "dcs": 0xF6}, 0x7F, 0xF6),
    ],
)
def test_protocol_and_coding(changes: dict[str, Any], pid: int, dcs: int) -> None:
    made = submission(changes.pop("text", "Hello"), **changes)
    octets = bytes.fromhex(pdu.encode_submit(made).pdu)
    assert (octets[11], octets[12]) == (pid, dcs)


def test_service_centre_is_not_counted() -> None:
    encoded = pdu.encode_submit(submission(), smsc=CENTRE)
    assert encoded.pdu == "0791447700090000" + PDUS["S1"][1][2:]
    assert encoded.length == 19


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (Submission(attempt_id="a", to=ALICE, text="Hello"), "carries one part"),
        (submission(to="MyBank"), "20 digits"),
        (submission(to=""), "20 digits"),
        (submission(validity=0), "over"),
        (submission(protocol_id=256), "protocol identifier"),
        (submission(message_class=4), "message class"),
        (submission(dcs=256), "one octet"),
        (submission(dcs=0x08), "does not say gsm7"),
        (submission(Part(encoding=GSM7, data=b"a" * 161)), "161 septets"),
        (submission(Part(encoding=GSM7, data=b"a" * 154, udh=udh.concatenation(1, 2, 1))), "161 septets"),
        (submission(Part(encoding=GSM7, data=b"\x80")), "above 127"),
        (submission(Part(encoding=UCS2, data=b"a" * 142)), "142 octets"),
        (submission(Part(encoding=UCS2, data=b"abc")), "odd"),
        (submission(Part(encoding=BINARY, data=bytes(135), udh=udh.concatenation(1, 2, 1))), "141 octets"),
        (submission(Part(encoding=BINARY, data=b"", udh=bytes(140))), "139"),
        (submission(Part(encoding=BINARY, data=b"", udh=b"\x00\x03\x01")), "information element"),
    ],
)
def test_what_cannot_be_said_is_refused(made: Submission, reason: str) -> None:
    with pytest.raises(PduError, match=reason):
        pdu.encode_submit(made)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 152, 153])
def test_a_part_of_every_width_fits_to_the_last_septet(size: int) -> None:
    data = b"@a" * 80
    for wide in (False, True):
        header = udh.concatenation(1, 2, 1, wide)
        room = segments.capacity(GSM7, header)
        part = Part(encoding=GSM7, udh=header, data=data[: min(size, room)])
        known = pdu.decode_submit(pdu.encode_submit(submission(part)).pdu)
        assert (known.udh, known.data, known.notes) == (header, part.data, ())


@given(
    texts,
    numbers,
    st.one_of(st.none(), st.integers(1, 10**8)),
    st.one_of(st.none(), moments),
    st.one_of(st.none(), st.integers(0, 3)),
    st.integers(0, 255),
    st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()),
)
@QUICK
def test_a_submission_comes_back(
    text: str,
    to: str,
    validity: int | None,
    until: datetime | None,
    message_class: int | None,
    protocol_id: int,
    flags: tuple[bool, bool, bool, bool],
) -> None:
    report, reply_path, reject_duplicates, wide = flags
    rows = []
    for part in segments.split(text, reference=3, wide=wide):
        encoded = pdu.encode_submit(
            Submission(
                attempt_id="a",
                to=to,
                part=part,
                message_class=message_class,
                validity=validity,
                report=report,
                reply_path=reply_path,
                reject_duplicates=reject_duplicates,
                protocol_id=protocol_id,
            ),
            absolute_until=until,
        )
        known = pdu.decode_submit(encoded.pdu)
        assert encoded.length == known.length == len(encoded.pdu) // 2 - 1
        assert (known.smsc, known.tp_mr, known.to, known.protocol_id) == ("", 0, to, protocol_id)
        assert (known.report, known.reply_path, known.reject_duplicates) == flags[:3]
        assert (known.coding.encoding, known.coding.message_class) == (part.encoding, message_class)
        assert (known.udh, known.data, known.notes) == (part.udh, part.data, ())
        if until is not None and (validity is None or validity < 300):
            assert known.valid_until == until
        elif validity is None:
            assert (known.validity, known.valid_until) == (None, None)
        else:
            assert known.validity is not None
            assert known.validity <= max(validity, 300)
        rows.append((known.coding.encoding, known.data, known.header.locking, known.header.single))
    assert segments.join_text(rows) == text


# --- The network's side -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in PDUS if name.startswith("D")])
def test_known_delivers_are_written_back(name: str) -> None:
    known = pdu.decode(PDUS[name][1])
    assert isinstance(known, pdu.Deliver)
    encoded = pdu.encode_deliver(
        sender=known.sender,
        sender_type=None if known.alphanumeric else known.sender_type,
        sent_at=known.sent_at or known.scts,
        part=Part(encoding=known.coding.encoding, udh=known.udh, data=known.data),
        smsc=known.smsc,
        protocol_id=known.protocol_id,
        dcs=known.dcs,
    )
    assert (encoded.length, encoded.pdu) == PDUS[name]


@pytest.mark.parametrize("name", [name for name in PDUS if name.startswith("R") and name not in ("R9", "R10")])
def test_known_reports_are_written_back(name: str) -> None:
    known = pdu.decode(PDUS[name][1])
    assert isinstance(known, pdu.Report)
    encoded = pdu.encode_report(
        tp_mr=known.tp_mr,
        recipient=known.recipient,
        recipient_type=known.recipient_type,
        submitted_at=known.submitted_at or known.scts,
        discharged_at=known.discharged_at or known.discharge,
        tp_st=known.tp_st,
        smsc=known.smsc,
    )
    assert (encoded.length, encoded.pdu) == PDUS[name]


def test_flags_of_a_deliver() -> None:
    def first(**flags: Any) -> int:
        part = Part(encoding=GSM7, data=b"a")
        return bytes.fromhex(pdu.encode_deliver(sender=ALICE, sent_at=STAMP, part=part, **flags).pdu)[1]

    assert first() == 0x04
    assert first(more_to_send=True) == 0x00
    assert first(reply_path=True) == 0x84
    assert first(report_indication=True) == 0x24


@pytest.mark.parametrize(
    "changes", [{"tp_mr": 256}, {"tp_st": -1}, {"submitted_at": b"123456"}, {"recipient": "a name too long"}]
)
def test_impossible_reports_are_refused(changes: dict[str, Any]) -> None:
    fields: dict[str, Any] = {
        "tp_mr": 1,
        "recipient": ALICE,
        "submitted_at": STAMP,
        "discharged_at": datetime(2026, 3, 14, tzinfo=UTC),
        "tp_st": 0,
    }
    pdu.encode_report(**fields)
    with pytest.raises(PduError):
        pdu.encode_report(**{**fields, **changes})
