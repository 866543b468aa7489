"""How texts are cut, planned and joined."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import Encoding, Part
from drivers.gsm import PduError, alphabet, segments, udh
from tests.gsm.examples import QUICK, emoji_texts, gsm_texts, texts

GSM7, UCS2, BINARY = Encoding.GSM7, Encoding.UCS2, Encoding.BINARY
PORTS = udh.ports(2948, 9200)


def joined(parts: list[Part]) -> str:
    rows = []
    for part in parts:
        header = udh.parse(part.udh)
        rows.append((part.encoding, part.data, header.locking, header.single))
    return segments.join_text(rows)


@pytest.mark.parametrize(
    ("text", "wide", "encoding", "parts", "units", "left"),
    [
        ("", False, GSM7, 1, 0, 160),
        ("a" * 160, False, GSM7, 1, 160, 0),
        ("a" * 161, False, GSM7, 2, 161, 145),
        ("a" * 306, False, GSM7, 2, 306, 0),
        ("a" * 307, False, GSM7, 3, 307, 152),
        ("a" * 304, True, GSM7, 2, 304, 0),
        ("a" * 305, True, GSM7, 3, 305, 151),
        ("[" * 80, False, GSM7, 1, 160, 0),
        ("[" * 81, False, GSM7, 2, 162, 143),  # 76 pairs fill 152 of 153, five pairs follow
        ("a" * 159 + "€", False, GSM7, 2, 161, 145),
        ("a" * 152 + "€" + "a" * 10, False, GSM7, 2, 164, 141),  # the pair moves to the second part whole
        ("ł" * 70, False, UCS2, 1, 70, 0),
        ("ł" * 71, False, UCS2, 2, 71, 63),
        ("ł" * 134, False, UCS2, 2, 134, 0),
        ("ł" * 135, False, UCS2, 3, 135, 66),
        ("ł" * 132, True, UCS2, 2, 132, 0),
        ("ł" * 133, True, UCS2, 3, 133, 65),
        ("👍" * 35, False, UCS2, 1, 70, 0),
        ("👍" * 36, False, UCS2, 2, 72, 61),  # 33 pairs fill 66 of 67
        ("ł" * 66 + "👍" + "ł" * 10, False, UCS2, 2, 78, 55),
        ("ł" * 66 + "\U00010000", False, UCS2, 1, 68, 2),
        ("ł" * 66 + "\U00010000" + "ł" * 10, False, UCS2, 2, 78, 55),
        ("ł" * 66 + "\U0010ffff" + "ł" * 10, False, UCS2, 2, 78, 55),
        ("ł" * 66 + "\ue000" + "ł" * 10, False, UCS2, 2, 77, 57),  # beside the surrogates: no pair
        ("a" * 153 * 255, False, GSM7, 255, 39015, 0),
        ("ł" * 67 * 255, False, UCS2, 255, 17085, 0),
    ],
)
def test_lengths(text: str, wide: bool, encoding: Encoding, parts: int, units: int, left: int) -> None:
    plan = segments.plan(text, wide=wide)
    assert (plan.encoding, plan.parts, plan.units, plan.left) == (encoding, parts, units, left)
    cut = segments.split(text, reference=7, wide=wide)
    assert len(cut) == parts
    assert joined(cut) == text


@pytest.mark.parametrize(
    ("size", "wide", "parts", "left"),
    [(140, False, 1, 0), (141, False, 2, 127), (268, False, 2, 0), (266, True, 2, 0), (267, True, 3, 132)],
)
def test_lengths_of_data(size: int, wide: bool, parts: int, left: int) -> None:
    data = bytes(at & 0xFF for at in range(size))
    plan = segments.plan_binary(data, wide=wide)
    assert (plan.encoding, plan.parts, plan.units, plan.left) == (BINARY, parts, size, left)
    cut = segments.split_binary(data, reference=7, wide=wide)
    assert len(cut) == parts
    assert b"".join(part.data for part in cut) == data


@pytest.mark.parametrize(
    ("text", "at", "character"),
    [("zażółć", 2, "ż"), ("ok 👍", 3, "👍"), ("a`", 1, "`"), ("plain", -1, ""), ("", -1, "")],
)
def test_the_character_that_forces_ucs2_is_named(text: str, at: int, character: str) -> None:
    plan = segments.plan(text)
    assert (plan.forced_at, plan.forced_by) == (at, character)


def test_the_caller_may_insist_on_an_encoding() -> None:
    plan = segments.plan("hello", encoding=UCS2)
    assert (plan.encoding, plan.units, plan.forced_by) == (UCS2, 5, "")
    assert segments.split("hello", reference=1, encoding=UCS2)[0].data == "hello".encode("utf-16-be")
    with pytest.raises(PduError, match=r"U\+017C at 2"):
        segments.plan("zażółć", encoding=GSM7)
    with pytest.raises(PduError, match="8-bit"):
        segments.plan("hello", encoding=BINARY)


def test_a_single_part_has_no_concatenation() -> None:
    (part,) = segments.split("hello", reference=300)  # the reference is not needed, so it is not looked at
    assert part == Part(number=1, total=1, encoding=GSM7, udh=b"", data=b"hello")


@pytest.mark.parametrize(("wide", "reference"), [(False, 0xAB), (True, 0x1234)])
def test_parts_are_numbered(wide: bool, reference: int) -> None:
    cut = segments.split("x" * 400, reference=reference, wide=wide)
    assert [(part.number, part.total) for part in cut] == [(1, 3), (2, 3), (3, 3)]
    for part in cut:
        found = udh.parse(part.udh).reference
        assert found is not None
        assert (found.value, found.wide, found.total, found.number) == (reference, wide, 3, part.number)


@pytest.mark.parametrize(("wide", "reference"), [(False, 256), (False, -1), (True, 65536)])
def test_a_reference_that_does_not_fit_is_refused(wide: bool, reference: int) -> None:
    with pytest.raises(PduError, match="reference"):
        segments.split("x" * 400, reference=reference, wide=wide)


@pytest.mark.parametrize(
    ("encoding", "header", "room"),
    [
        (GSM7, b"", 160),
        (GSM7, udh.concatenation(1, 2, 1), 153),
        (GSM7, udh.concatenation(1, 2, 1, wide=True), 152),
        (GSM7, PORTS, 152),
        (GSM7, udh.concatenation(1, 2, 1) + PORTS, 146),
        (UCS2, PORTS, 66),
        (UCS2, udh.concatenation(1, 2, 1) + PORTS, 64),
        (BINARY, PORTS, 133),
        (BINARY, udh.concatenation(1, 2, 1) + PORTS, 128),
        (BINARY, bytes(139), 0),
    ],
)
def test_room_beside_a_header(encoding: Encoding, header: bytes, room: int) -> None:
    assert segments.capacity(encoding, header) == room


def test_the_callers_header_is_in_every_part_and_takes_its_room() -> None:
    assert segments.plan_binary(bytes(133), udh=PORTS).parts == 1
    cut = segments.split_binary(bytes(134), reference=9, udh=PORTS)
    assert [len(part.data) for part in cut] == [128, 6]
    assert all(udh.parse(part.udh).ports is not None and part.udh.endswith(PORTS) for part in cut)
    assert segments.plan("a" * 152, udh=PORTS).left == 0


@pytest.mark.parametrize(
    ("header", "size", "reason"),
    [
        (b"\x05", 1, "information element"),
        (udh.concatenation(1, 2, 1), 200, "already has a concatenation"),
        (udh.concatenation(1, 2, 1, wide=True), 200, "already has a concatenation"),
        (udh.element(0x70, bytes(138)), 1, "139"),
        (udh.element(0x70, bytes(137)), 10, "no room"),
        (udh.element(0x70, bytes(131)), 10, "no room"),
    ],
)
def test_headers_that_do_not_do_are_refused(header: bytes, size: int, reason: str) -> None:
    with pytest.raises(PduError, match=reason):
        segments.split_binary(bytes(size), reference=1, udh=header)


def test_a_part_prepared_by_the_caller_goes_as_it_is() -> None:
    """An application that does its own concatenation."""
    own = udh.concatenation(1, 2, 1)
    assert segments.split("a" * 153, reference=1, udh=own) == [Part(encoding=GSM7, udh=own, data=b"a" * 153)]


@pytest.mark.parametrize(("character", "room"), [("a", 153), ("ł", 67)])
def test_more_than_255_parts_are_refused(character: str, room: int) -> None:
    with pytest.raises(PduError, match="more than 255 parts"):
        segments.plan(character * (room * 255 + 1))
    with pytest.raises(PduError, match="more than 255 parts"):
        segments.split_binary(bytes(134 * 255 + 1), reference=1)


@pytest.mark.parametrize("text", ["a\ud83d", "\udc4d", "ż" * 80 + "\ud83d"])
def test_half_a_surrogate_pair_is_refused(text: str) -> None:
    with pytest.raises(PduError, match="half a surrogate pair"):
        segments.plan(text)
    with pytest.raises(PduError, match="half a surrogate pair"):
        segments.split(text, reference=1)


# --- Properties -------------------------------------------------------------------------------------------------------
# ---------------------------------------------------------------------------------------------------------


@given(texts, st.booleans())
@QUICK
def test_the_parts_of_a_text_are_the_text(text: str, wide: bool) -> None:
    cut = segments.split(text, reference=200, wide=wide)
    assert joined(cut) == text
    plan = segments.plan(text, wide=wide)
    width = 2 if plan.encoding is UCS2 else 1
    assert (plan.parts, plan.units) == (len(cut), sum(len(part.data) for part in cut) // width)
    assert plan.left == segments.capacity(plan.encoding, cut[-1].udh) - len(cut[-1].data) // width
    for part in cut:
        assert len(part.data) // width <= segments.capacity(part.encoding, part.udh)


@given(gsm_texts)
@QUICK
def test_no_part_ends_within_an_escape_pair(text: str) -> None:
    for part in segments.split(text, reference=1):
        assert not part.data.endswith(b"\x1b")
        assert alphabet.encode(alphabet.decode(part.data)) == part.data


@given(emoji_texts)
@QUICK
def test_no_part_ends_within_a_surrogate_pair(text: str) -> None:
    for part in segments.split(text, reference=1, encoding=UCS2):
        part.data.decode("utf-16-be")  # strict: raises on half a pair


@given(st.text(st.characters(), max_size=300))
@QUICK
def test_any_string_is_planned_or_refused(text: str) -> None:
    try:
        parts = segments.plan(text).parts
    except PduError:
        assert any("\ud800" <= character <= "\udfff" for character in text)
    else:
        assert parts >= 1


# --- Joining what others have cut -------------------------------------------------------------------------------------
# -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([], ""),
        ([(UCS2, b"\xd8\x3d", 0, 0), (UCS2, b"\xdc\x4d", 0, 0)], "👍"),  # a surrogate pair cut in two
        ([(UCS2, b"\x00a\xd8", 0, 0), (UCS2, b"\x3d\xdc\x4d", 0, 0)], "a👍"),  # a code unit cut in two
        ([(UCS2, b"\x00a\x00", 0, 0), (UCS2, b"\x00b", 0, 0)], "ab"),  # an octet too many
        ([(UCS2, b"\x00a", 0, 0), (UCS2, b"\xd8\x3d", 0, 0)], "a\ufffd"),  # half a pair for good
        ([(GSM7, b"a\x1b", 0, 0), (GSM7, b"\x65b", 0, 0)], "a€b"),  # an escape pair cut in two
        ([(GSM7, b"da\x1bg", 0, 1), (GSM7, b" \x1bg", 0, 1)], "dağ ğ"),
        ([(GSM7, b"\x07", 1, 0), (GSM7, b"\x07", 0, 0)], "ıì"),  # each part by its own tables
        ([(GSM7, b"a", 0, 0), (UCS2, b"\x01\x7c", 0, 0), (GSM7, b"b", 0, 0)], "ażb"),
        ([(BINARY, b"Gr\xfc", 0, 0), (BINARY, b"\xdfe", 0, 0)], "Grüße"),
    ],
)
def test_joining(parts: list[tuple[Encoding, bytes, int, int]], text: str) -> None:
    assert segments.join_text(parts) == text


@given(st.text(st.characters(codec="utf-8"), max_size=60), st.data())
@QUICK
def test_utf16_cut_anywhere_is_joined(text: str, data: st.DataObject) -> None:
    octets = text.encode("utf-16-be")
    at = data.draw(st.integers(0, len(octets)))
    assert segments.join_text([(UCS2, octets[:at], 0, 0), (UCS2, octets[at:], 0, 0)]) == text


@given(
    st.lists(
        st.tuples(st.sampled_from(Encoding), st.binary(max_size=40), st.integers(0, 20), st.integers(0, 20)), max_size=6
    )
)
@QUICK
def test_joining_never_raises(parts: list[tuple[Encoding, bytes, int, int]]) -> None:
    segments.join_text(parts).encode()  # and gives text that can be written as UTF-8
