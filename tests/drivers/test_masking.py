"""Nothing private is left of a dialogue, and it can still be played."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import Part, Submission
from drivers.gsm import segments
from drivers.gsm.pdu import decode, encode_deliver, encode_submit
from drivers.gsm.tpdu import Deliver, Report
from drivers.modems.masking import mask, mask_number, mask_pdu
from drivers.simulator.pdus import PDUS

HAVE_NUMBER_AND_TEXT = [
    name for name in PDUS if name.startswith(("S", "D")) and name not in ("S4", "D3", "D3B", "D4", "D19", "D18")
]


@pytest.mark.parametrize("name", HAVE_NUMBER_AND_TEXT)
def test_a_masked_pdu_is_the_same_kind_of_pdu_with_another_text(name: str) -> None:
    before, after = decode(PDUS[name]), decode(mask_pdu(PDUS[name]))
    assert type(before) is type(after)
    assert len(mask_pdu(PDUS[name])) == len(PDUS[name])
    assert (after.udh, after.dcs, len(after.data)) == (before.udh, before.dcs, len(before.data))
    assert set(after.data) <= {0, ord("x")}
    number = getattr(after, "to", "") or getattr(after, "sender", "")
    assert "7700900" not in number


def test_a_report_keeps_its_reference_and_its_status() -> None:
    before, after = decode(PDUS["R1"]), decode(mask_pdu(PDUS["R1"]))
    assert isinstance(before, Report)
    assert isinstance(after, Report)
    assert (after.tp_mr, after.tp_st) == (before.tp_mr, before.tp_st)
    assert "7700900" not in after.recipient


def test_a_number_keeps_its_ends() -> None:
    assert mask_number("447700900123") == "447000000123"
    assert mask_number("65000") == "65000"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b'\r\n+CLIP: "+447700900111",145\r\n', b'\r\n+CLIP: "+447000000111",145\r\n'),
        (b"\r\n490154203237518\r\n\r\nOK\r\n", b"\r\n490000000000518\r\n\r\nOK\r\n"),
        (b'\r\n+CUSD: 0,"Balance 10",15\r\n', b'\r\n+CUSD: 0,"xxxxxxxxxx",15\r\n'),
        (b'\r\n+CUSD: 0,"C2303BEC1E97413118",15\r\n', b'\r\n+CUSD: 0,"000000000000000000",15\r\n'),
        (
            b'\r\n+CUSD: 1,"1 Balance\r\n2 Top-up",15\r\n\r\nOK\r\n',
            b'\r\n+CUSD: 1,"xxxxxxxxx\r\nxxxxxxxx",15\r\n\r\nOK\r\n',
        ),
        (b'+CUSD: 1,"Say "yes"\r\nor no"\r\n+CMTI: "SM",3\r\n', b'+CUSD: 1,"xxxxxxxxx\r\nxxxxx"\r\n+CMTI: "SM",3\r\n'),
        (b'+CUSD: 0,"Code 4711\r\n+CMTI: "SM",3\r\n', b'+CUSD: 0,"xxxxxxxxx\r\n+CMTI: "SM",3\r\n'),
        (b'AT+CUSD=1,"*105*47110815#",15\r', b'AT+CUSD=1,"xxxxxxxxxxxxxx",15\r'),
        (b'AT+CUSD=1,"AA180C3602",15\r', b'AT+CUSD=1,"0000000000",15\r'),
        (b"AT+CUSD=2\r", b"AT+CUSD=2\r"),
        (b'\r\n+CMT: "+447700900111",,\r\nsecret 123\r\n', b'\r\n+CMT: "+447000000111",,\r\nxxxxxxxxxx\r\n'),
        (b"\r\n+CSQ: 17,99\r\n\r\nOK\r\n", b"\r\n+CSQ: 17,99\r\n\r\nOK\r\n"),
        (b'+CREG: 2,1,"00C3","0000A1B2",7', b'+CREG: 2,1,"00C3","0000A1B2",7'),
        (b"AT+CMGS=19\r", b"AT+CMGS=19\r"),
    ],
)
def test_what_is_private_in_a_line(said: bytes, expected: bytes) -> None:
    assert mask(said) == expected


@given(text=st.text(min_size=8, max_size=60), digits=st.integers(10**10, 10**12))
def test_no_text_and_no_number_comes_through(text: str, digits: int) -> None:
    parts = segments.split(text, reference=7)
    for part in parts:
        pdu = encode_submit(Submission(attempt_id="a", to=f"+{digits}", part=part)).pdu
        told = mask(pdu.encode() + b"\x1a")
        found = decode(told[:-1].decode())
        assert set(found.data) <= {0, ord("x")}
        assert mask(told) == told


def test_a_text_in_a_listing_is_masked() -> None:
    part: Part = segments.split("Meet me at nine", reference=1)[0]
    pdu = encode_deliver(sender="+447700900123", part=part, sent_at=bytes(7)).pdu
    told = mask(f"\r\n+CMGL: 1,1,,27\r\n{pdu}\r\n\r\nOK\r\n".encode())
    found = decode(told.split(b"\r\n")[2].decode())
    assert isinstance(found, Deliver)
    assert found.text == "x" * 15


@given(st.binary(max_size=300))
def test_any_bytes_can_be_masked(data: bytes) -> None:
    mask(data)
