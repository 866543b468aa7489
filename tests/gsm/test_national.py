"""National language shift tables against what can be known of them without the tables: Unicode, and texts."""

from __future__ import annotations

import unicodedata
from hashlib import sha256

import pytest

from drivers.gsm import alphabet
from drivers.gsm.national import LOCKING, SINGLE

SCRIPTS = {
    4: "BENGALI",
    5: "GUJARATI",
    6: "DEVANAGARI",
    7: "KANNADA",
    8: "MALAYALAM",
    9: "ORIYA",
    10: "GURMUKHI",
    11: "TAMIL",
    12: "TELUGU",
    13: "ARABIC",
}


def test_all_of_annex_a_is_there() -> None:
    assert set(LOCKING) == {1, *range(3, 14)}  # Spanish has no locking table
    assert set(SINGLE) == set(range(1, 14))


@pytest.mark.parametrize("language", sorted(LOCKING))
def test_locking_table_has_128_places_and_the_common_ones(language: int) -> None:
    table = LOCKING[language]
    assert len(table) == 128
    assert (table[0x0A], table[0x0D], table[0x1B], table[0x20]) == ("\n", "\r", "\x1b", " ")
    assert table[0x30:0x3A] == "0123456789"
    assert table[0x61:0x7B] == "abcdefghijklmnopqrstuvwxyz"
    letters = [character for character in table if character != " "]
    assert len(letters) == len(set(letters)), "a character has two places"


@pytest.mark.parametrize("language", sorted(SINGLE))
def test_single_table_has_the_common_places(language: int) -> None:
    table = SINGLE[language]
    assert all(0 <= septet <= 0x7F and len(character) == 1 for septet, character in table.items())
    assert 0x1B not in table
    assert 0x0D not in table
    for septet, character in alphabet.EXTENSION.items():
        assert table[septet] == character


@pytest.mark.parametrize("language", sorted(SCRIPTS))
def test_letters_belong_to_the_script(language: int) -> None:
    shared = ("DEVANAGARI DANDA", "DEVANAGARI DOUBLE DANDA")  # used by all scripts of India
    for character in (*LOCKING[language], *SINGLE[language].values()):
        if character.isascii() or character in "£¥¿¤¡€":
            continue
        name = unicodedata.name(character)
        assert name.startswith((SCRIPTS[language], "EXTENDED ARABIC-INDIC")) or name in shared, name


@pytest.mark.parametrize("language", sorted(set(SCRIPTS) - {13}))
def test_one_septet_means_the_same_letter_in_all_scripts_of_india(language: int) -> None:
    """Same place as the Hindi letter, or nothing where the script lacks it; what is lacking is not in Unicode either,
    but for letters that Unicode got after the table was made."""
    newer = {"TELUGU LETTER LLLA", "TELUGU SIGN NUKTA", "MALAYALAM LETTER NNNA", "MALAYALAM SIGN CIRCULAR VIRAMA"}
    newer |= {"KANNADA SIGN CANDRABINDU", "MALAYALAM SIGN CANDRABINDU", "TAMIL SIGN CANDRABINDU"}
    block = ord(next(c for c in LOCKING[language] if ord(c) > 0x900)) & ~0x7F
    for septet in range(0x60):
        hindi, own = LOCKING[6][septet], LOCKING[language][septet]
        if ord(hindi) < 0x900:
            assert own == hindi
        elif own != " ":
            assert ord(own) - block == ord(hindi) - 0x900
        else:
            lacking = unicodedata.name(chr(block + ord(hindi) - 0x900), "")
            assert lacking == "" or lacking in newer, lacking


def test_digits_of_each_script_are_in_order() -> None:
    for language in SCRIPTS:
        digits = [c for _, c in sorted(SINGLE[language].items()) if c.isdecimal() and not c.isascii()]
        assert [unicodedata.decimal(c) for c in digits] == list(range(10)), language


@pytest.mark.parametrize(
    ("septets", "locking", "single", "text"),
    [
        (b"da\x1bg ok", 0, 1, "dağ ok"),
        (b"\x1bI\x1bS\x1bi", 0, 1, "İŞı"),
        (b"\x0c \x07 \x60\x1c", 1, 0, "ğ ı çŞ"),
        (b"ma\x1b\x69 \x1b\x0b", 0, 3, "maí Ô"),
        (b"\x5b\x5c\x15\x1b\x65", 3, 3, "ÃÕ∞€"),
        (b"\x1b\x61\x1b\x75", 0, 2, "áú"),
        # Hindi "namaste" (hello): NA MA SA VIRAMA TA E
        (b"\x2f\x42\x4c\x5f\x27\x59", 6, 6, "नमस्ते"),
        # Tamil "nanri" (thanks): NA NNNA VIRAMA RRA I
        (b"\x2f\x3c\x5f\x45\x51", 11, 11, "நன்றி"),
        # Urdu "salam": SEEN LAM ALEF MEEM
        (b"\x3d\x4d\x00\x4e", 13, 13, "سلام"),
        # Bengali "bangla" with the digit 5 of the single shift table
        (b"\x40\x50\x01\x46\x50 \x1b\x1f", 4, 4, "বাংলা ৫"),
        # A place the single table leaves open is read from the locking table in force.
        (b"\x1b\x2f", 6, 0, "\\"),
        (b"\x1b\x60", 6, 6, "ॐ"),
        # Identifiers without a table mean the default.
        (b"\x1be\x5f", 2, 14, "€§"),
        (b"\x1be\x5f", 255, 255, "€§"),
    ],
)
def test_texts(septets: bytes, locking: int, single: int, text: str) -> None:
    assert alphabet.decode(septets, locking=locking, single=single) == text


def test_tables_are_as_they_were_checked() -> None:
    """Compared by hand with two independent readings of 23.038 Annex A; a change must be as careful."""
    whole = repr((sorted(LOCKING.items()), [(key, sorted(table.items())) for key, table in sorted(SINGLE.items())]))
    assert sha256(whole.encode()).hexdigest() == "905e262b5eddb5c8c1c091528e400eea62de13e8f3811e58f222a0554340e3c4"
