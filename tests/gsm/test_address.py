"""Addresses of recipients, senders and service centres."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.gsm import PduError, address
from drivers.gsm.address import Address
from tests.gsm.examples import QUICK, numbers


@pytest.mark.parametrize(
    ("number", "field"),
    [
        ("+447700900123", "0C91447700091032"),
        ("+12345", "05912143F5"),
        ("65000", "05815600F0"),
        ("07700900123", "0B817007900021F3"),
        ("*100#", "05811A00FB"),
        ("1abc", "0481C1ED"),
    ],
)
def test_numbers(number: str, field: str) -> None:
    octets = bytes.fromhex(field)
    assert address.encode(number) == octets
    assert address.decode(octets) == (Address(number=number, type=octets[1]), len(octets))


@pytest.mark.parametrize(
    "number",
    ["", "+", "+*1", "++44", "Bank", "12 34", "123456789012345678901", "+123456789012345678901", "١٢٣", "1\n", "d"],
)
def test_what_is_no_number_is_refused(number: str) -> None:
    with pytest.raises(PduError, match="20 digits"):
        address.encode(number)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("MyBank", "0BD0CDBC30EC5E03"),
        ("ExampleCorp", "14D0457CB80D6797876F391C"),
        ("a", "02D061"),
        ("@@@@", "07D0000000" + "00"),
    ],
)
def test_names(name: str, field: str) -> None:
    octets = address.encode_name(name)
    assert octets.hex().upper() == field
    assert address.decode(octets) == (Address(number=name, type=0xD0, alphanumeric=True), len(octets))


@pytest.mark.parametrize("name", ["", "ExampleCorp2", "[[[[[[", "Zażółć"])
def test_names_that_do_not_fit_are_refused(name: str) -> None:
    with pytest.raises(PduError):
        address.encode_name(name)


@pytest.mark.parametrize(
    ("field", "number", "kind", "alphanumeric"),
    [
        ("0BA17007900021F3", "07700900123", 0xA1, False),  # national
        ("0BD1CDBC30EC5E03", "MyBank", 0xD1, True),  # alphanumeric with the ISDN plan
        ("0081", "", 0x81, False),
        ("0091", "", 0x91, False),
        ("00D0", "", 0xD0, True),
        ("0681A1BCFD", "1*a#b", 0x81, False),  # the end mark comes before the length
        ("0681F1BC2D", "1", 0x81, False),  # or in the middle
        ("0481BADC", "*#ab", 0x81, False),
    ],
)
def test_received_forms(field: str, number: str, kind: int, alphanumeric: bool) -> None:
    octets = bytes.fromhex(field)
    assert address.decode(b"\xff" + octets + b"\xff", 1) == (
        Address(number=number, type=kind, alphanumeric=alphanumeric),
        1 + len(octets),
    )


@given(numbers)
@QUICK
def test_a_number_comes_back(number: str) -> None:
    decoded, end = address.decode(address.encode(number))
    assert decoded.number == number
    assert end == 2 + (len(number.removeprefix("+")) + 1) // 2


@given(st.text(st.sampled_from("abcXYZ 019@-.!"), min_size=1, max_size=11))
@QUICK
def test_a_name_comes_back(name: str) -> None:
    decoded, _ = address.decode(address.encode_name(name))
    assert decoded.number == name


@given(st.binary(max_size=30), st.integers(0, 5))
@QUICK
def test_any_octets_are_read_or_refused(octets: bytes, at: int) -> None:
    try:
        decoded, end = address.decode(octets, at)
    except PduError:
        return
    assert at + 2 <= end <= len(octets)
    assert decoded.type == octets[at + 1]


def test_every_cut_of_a_field_is_refused() -> None:
    octets = address.encode("+447700900123")
    for end in range(len(octets)):
        with pytest.raises(PduError, match="ends within an address"):
            address.decode(octets[:end])


@pytest.mark.parametrize(
    ("number", "field"), [("", "00"), ("+447700900000", "0791447700090000"), ("12345", "04812143F5")]
)
def test_service_centre(number: str, field: str) -> None:
    octets = bytes.fromhex(field)
    assert address.encode_smsc(number) == octets
    assert address.decode_smsc(octets + b"\x04") == (number, len(octets))


def test_service_centre_without_digits_is_none() -> None:
    assert address.decode_smsc(b"\x01\x91\x04") == ("", 2)


@pytest.mark.parametrize("octets", [b"", b"\x01", b"\x07\x91\x44"])
def test_service_centre_cut_off_is_refused(octets: bytes) -> None:
    with pytest.raises(PduError):
        address.decode_smsc(octets)
