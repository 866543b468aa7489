"""The 7-bit alphabet and septet packing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.gsm import PduError, alphabet
from tests.gsm.examples import BASIC, EXTENSION, QUICK, any_texts, gsm_texts

# 23.038 §6.2.1, as code points so that no look-alike character slips in; -1 is the escape.
TABLE = (
    *(0x40, 0xA3, 0x24, 0xA5, 0xE8, 0xE9, 0xF9, 0xEC, 0xF2, 0xC7, 0x0A, 0xD8, 0xF8, 0x0D, 0xC5, 0xE5),
    *(0x394, 0x5F, 0x3A6, 0x393, 0x39B, 0x3A9, 0x3A0, 0x3A8, 0x3A3, 0x398, 0x39E, -1, 0xC6, 0xE6, 0xDF, 0xC9),
    *(0x20, 0x21, 0x22, 0x23, 0xA4, *range(0x25, 0x40)),
    *(0xA1, *range(0x41, 0x5B), 0xC4, 0xD6, 0xD1, 0xDC, 0xA7),
    *(0xBF, *range(0x61, 0x7B), 0xE4, 0xF6, 0xF1, 0xFC, 0xE0),
)


def test_table_is_the_standards() -> None:
    assert len(TABLE) == 128
    for septet, code in enumerate(TABLE):
        if code >= 0:
            assert alphabet.encode(chr(code)) == bytes([septet])
            assert alphabet.decode(bytes([septet])) == chr(code)


@pytest.mark.parametrize(
    ("character", "septets"),
    [
        ("\f", b"\x1b\x0a"),
        ("^", b"\x1b\x14"),
        ("{", b"\x1b\x28"),
        ("}", b"\x1b\x29"),
        ("\\", b"\x1b\x2f"),
        ("[", b"\x1b\x3c"),
        ("~", b"\x1b\x3d"),
        ("]", b"\x1b\x3e"),
        ("|", b"\x1b\x40"),
        ("€", b"\x1b\x65"),
    ],
)
def test_extension_character_is_an_escape_pair(character: str, septets: bytes) -> None:
    assert alphabet.encode(character) == septets
    assert alphabet.decode(septets) == character
    assert alphabet.encode(f"@a{character}@") == b"\x00a" + septets + b"\x00"


@pytest.mark.parametrize(
    ("septets", "text"),
    [
        (b"\x1b\x41", "A"),  # not in the table: the basic character
        (b"\x1b\x0d", "\r"),  # CR2, a control
        (b"\x1b\x1b", " "),
        (b"a\x1b", "a "),  # the escape is the last septet
        (b"\x1b\x1b\x1b", "  "),
        (b"\xe1\x9b\x65", "a€"),  # bit 7 has no meaning
        (b"", ""),
    ],
)
def test_odd_septets_are_read_as_the_standard_says(septets: bytes, text: str) -> None:
    assert alphabet.decode(septets) == text


@pytest.mark.parametrize(
    ("text", "at", "character"),
    [
        ("a`b", 1, "`"),  # no back-tick: 0x5F is the section sign
        ("café ç", 5, "ç"),  # only the capital has a place
        ("ż", 0, "ż"),
        ("a\0b", 1, "\0"),
        ("ab\0ż", 2, "\0"),
        ("ż\0", 0, "ż"),
        ("a\x1b", 1, "\x1b"),
        ("x👍", 1, "👍"),
        ("{\ud800", 1, "\ud800"),
    ],
)
def test_first_foreign_character_is_named(text: str, at: int, character: str) -> None:
    assert alphabet.first_foreign(text) == (at, character)
    with pytest.raises(PduError, match=rf"U\+{ord(character):04X} at {at} "):
        alphabet.encode(text)


@given(gsm_texts)
@QUICK
def test_text_comes_back(text: str) -> None:
    septets = alphabet.encode(text)
    assert alphabet.decode(septets) == text
    assert alphabet.first_foreign(text) is None
    assert len(septets) == sum(2 if character in EXTENSION else 1 for character in text)


@given(any_texts)
@QUICK
def test_a_text_is_encoded_whole_or_refused(text: str) -> None:
    foreign = next(((at, c) for at, c in enumerate(text) if c not in BASIC + EXTENSION), None)
    assert alphabet.first_foreign(text) == foreign
    if foreign is None:
        assert alphabet.decode(alphabet.encode(text)) == text
    else:
        with pytest.raises(PduError):
            alphabet.encode(text)


@given(st.binary(max_size=400), st.integers(-3, 300), st.integers(-3, 300))
@QUICK
def test_decode_never_raises(septets: bytes, locking: int, single: int) -> None:
    assert isinstance(alphabet.decode(septets, locking=locking, single=single), str)


# --- Packing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("", ""),
        ("hello", "E8329BFD06"),
        ("hellohello", "E8329BFD4697D9EC37"),
        ("Reply YES", "D2329C9D07658B53"),
        ("AAAAAAA@", "C16030180C0601"),  # eight septets, the last one zero: kept
    ],
)
def test_packing_examples(text: str, octets: str) -> None:
    septets = alphabet.encode(text)
    assert alphabet.pack(septets) == bytes.fromhex(octets)
    assert alphabet.unpack(bytes.fromhex(octets), len(septets)) == septets


def naive_pack(septets: bytes, fill_bits: int) -> bytes:
    """The definition: bits from the lowest, one after the other."""
    bits = [0] * fill_bits + [septet >> bit & 1 for septet in septets for bit in range(7)]
    bits += [0] * (-len(bits) % 8)
    return bytes(sum(bit << at for at, bit in enumerate(bits[start : start + 8])) for start in range(0, len(bits), 8))


@given(st.binary(max_size=340).map(lambda data: bytes(octet & 0x7F for octet in data)), st.integers(0, 6))
@QUICK
def test_packing_is_the_definition_and_comes_back(septets: bytes, fill_bits: int) -> None:
    packed = alphabet.pack(septets, fill_bits)
    assert packed == naive_pack(septets, fill_bits)
    assert alphabet.unpack(packed, len(septets), fill_bits) == septets


@pytest.mark.parametrize("count", [1, 7, 8, 9, 159, 160, 161, 168, 319, 320, 321])
def test_packing_at_the_edges(count: int) -> None:
    septets = bytes(at * 37 & 0x7F for at in range(count))
    assert alphabet.pack(septets) == naive_pack(septets, 0)
    assert alphabet.unpack(alphabet.pack(septets), count) == septets


@given(st.binary(max_size=200), st.integers(-5, 400), st.integers(0, 6))
@QUICK
def test_unpack_gives_what_is_there(octets: bytes, count: int, fill_bits: int) -> None:
    septets = alphabet.unpack(octets, count, fill_bits)
    there = max(0, (8 * len(octets) - fill_bits) // 7)
    assert len(septets) == max(0, min(count, there))
    assert septets.isascii()
