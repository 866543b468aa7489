"""User-data headers, and WAP push service indications."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import Ports, Reference
from drivers.gsm import PduError, udh
from drivers.gsm.udh import Element
from tests.gsm.examples import QUICK


@pytest.mark.parametrize(
    ("octets", "reference", "ports", "locking", "single"),
    [
        ("", None, None, 0, 0),
        ("00032A0301", Reference(value=42, wide=False, total=3, number=1), None, 0, 0),
        ("080412340201", Reference(value=0x1234, wide=True, total=2, number=1), None, 0, 0),
        ("05040B8423F0", None, Ports(destination=2948, source=9200, wide=True), 0, 0),
        ("0402F0E1", None, Ports(destination=0xF0, source=0xE1, wide=False), 0, 0),
        ("240101", None, None, 0, 1),
        ("250103240102", None, None, 3, 2),
        ("24010E2501FF", None, None, 0, 0),  # reserved languages
        # A part of a WAP push: concatenation and ports together, in either order.
        (
            "05040B8423F000032A0202",
            Reference(value=42, wide=False, total=2, number=2),
            Ports(destination=2948, source=9200),
            0,
            0,
        ),
        # Unknown elements before and after.
        ("7003AABBCC00032A0301A000", Reference(value=42, wide=False, total=3, number=1), None, 0, 0),
        # Both widths: the last one counts.
        ("00032A0301080412340502", Reference(value=0x1234, wide=True, total=5, number=2), None, 0, 0),
        # Nonsense is no concatenation: part 0, part beyond total, total 0; and does not replace sense.
        ("00032A0300", None, None, 0, 0),
        ("00032A0304", None, None, 0, 0),
        ("00032A0000", None, None, 0, 0),
        ("00032A0301080412340506", Reference(value=42, wide=False, total=3, number=1), None, 0, 0),
        ("08041234050100032A0304", Reference(value=0x1234, wide=True, total=5, number=1), None, 0, 0),
        # Lengths that do not fit the identifier.
        ("00022A03", None, None, 0, 0),
        ("05020B84", None, None, 0, 0),
        ("2400", None, None, 0, 0),
    ],
)
def test_meaning(octets: str, reference: Reference | None, ports: Ports | None, locking: int, single: int) -> None:
    header = udh.parse(bytes.fromhex(octets))
    assert (header.reference, header.ports, header.locking, header.single) == (reference, ports, locking, single)
    assert b"".join(udh.element(element.id, element.data) for element in header.elements).hex().upper() == octets


def test_unknown_elements_are_kept() -> None:
    header = udh.parse(bytes.fromhex("7003AABBCC01028005"))
    assert header.elements == (Element(id=0x70, data=b"\xaa\xbb\xcc"), Element(id=0x01, data=b"\x80\x05"))
    assert header.has(0x01)
    assert not header.has(0x00)


@pytest.mark.parametrize("octets", ["00", "0003", "00032A03", "00032A030108", "70FF"])
def test_cut_off_header_is_refused(octets: str) -> None:
    with pytest.raises(PduError, match="information element"):
        udh.parse(bytes.fromhex(octets))


@given(st.binary(max_size=160))
@QUICK
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    try:
        header = udh.parse(octets)
    except PduError:
        return
    assert b"".join(udh.element(element.id, element.data) for element in header.elements) == octets


@given(st.booleans(), st.integers(0, 0xFFFF), st.integers(1, 255), st.data())
@QUICK
def test_concatenation_comes_back(wide: bool, reference: int, total: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(1, total))
    value = reference if wide else reference & 0xFF
    header = udh.parse(udh.concatenation(value, total, number, wide))
    assert header.reference == Reference(value=value, wide=wide, total=total, number=number)


@pytest.mark.parametrize(
    ("reference", "total", "number", "wide"),
    [(256, 2, 1, False), (65536, 2, 1, True), (-1, 2, 1, True), (1, 256, 1, True), (1, 2, 3, True), (1, 2, 0, True)],
)
def test_impossible_concatenation_is_refused(reference: int, total: int, number: int, wide: bool) -> None:
    with pytest.raises(PduError):
        udh.concatenation(reference, total, number, wide)


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.booleans())
@QUICK
def test_ports_come_back(destination: int, source: int, wide: bool) -> None:
    if not wide:
        destination, source = destination & 0xFF, source & 0xFF
    header = udh.parse(udh.ports(destination, source, wide))
    assert header.ports == Ports(destination=destination, source=source, wide=wide)


@pytest.mark.parametrize(("destination", "source", "wide"), [(256, 0, False), (0, 65536, True), (-1, 0, True)])
def test_impossible_ports_are_refused(destination: int, source: int, wide: bool) -> None:
    with pytest.raises(PduError, match="ports"):
        udh.ports(destination, source, wide)


@pytest.mark.parametrize(("id", "data"), [(256, b""), (-1, b""), (1, bytes(256))])
def test_impossible_elements_are_refused(id: int, data: bytes) -> None:
    with pytest.raises(PduError):
        udh.element(id, data)


# --- WAP push ---------------------------------------------------------------------------------------------------------

PUSH = "0605040B8423F0"[2:]  # ports 2948 and 9200, without the length octet


def test_example_of_the_service_indication_standard() -> None:
    """The mail example of WAP-167, with its token string checked octet by octet."""
    header, data = udh.wap_push_si(
        "http://www.xyz.com/email/123/abc.wml",
        "You have 4 new emails",
        created=datetime(1999, 6, 25, 15, 23, 15, tzinfo=UTC),
        expires=datetime(1999, 6, 30, tzinfo=UTC),
        transaction=0x25,
    )
    assert header.hex().upper() == PUSH
    assert data.hex().upper() == (
        "2506" + "04" + "03AE81EA"  # transaction, push, content type application/vnd.wap.sic; charset=utf-8
        "02056A00"  # WBXML 1.2, SI 1.0, UTF-8, no string table
        "45C6"  # <si><indication
        "0D" + "03" + b"xyz".hex().upper() + "00" + "85"  # href="http://www. xyz .com/
        "03" + b"email/123/abc.wml".hex().upper() + "00"
        "0AC307" + "19990625152315"  # created=
        "10C304" + "19990630"  # si-expires=, its zeros left out
        "01" + "03" + b"You have 4 new emails".hex().upper() + "00"
        "0101"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("url", "tokens"),
    [
        ("http://a.org/b", "0C" "036100" "88" "036200"),
        ("https://www.a.net/", "0F" "036100" "87"),
        ("https://a.edu/", "0E" "036100" "86"),
        ("tel:1", "0B" "0374656C3A3100"),
        ("http://www.a.com", "0D" "03612E636F6D00"),  # no slash, no token
        ("http://x/.com/.com/", "0C" "03782F00" "85" "85"),
    ],
)  # fmt: skip
def test_addresses_are_shortened(url: str, tokens: str) -> None:
    _, data = udh.wap_push_si(url, "t")
    assert data.hex().upper() == "01060403AE81EA" + "02056A0045C6" + tokens + "01037400" + "0101"


@pytest.mark.parametrize(
    ("action", "token"),
    [
        ("", ""),
        ("signal-none", "05"),
        ("signal-low", "06"),
        ("signal-medium", "07"),
        ("signal-high", "08"),
        ("delete", "09"),
    ],
)
def test_actions(action: str, token: str) -> None:
    _, data = udh.wap_push_si("x", "é", action=action, si_id="7")
    assert data.hex().upper() == "01060403AE81EA02056A0045C6" + token + "0B037800" + "11033700" + "0103C3A900" + "0101"


def test_times_are_written_in_utc() -> None:
    warsaw = datetime(2026, 3, 14, 1, 0, tzinfo=timezone(timedelta(hours=1)))
    _, data = udh.wap_push_si("x", "t", expires=warsaw)
    assert "10C30420260314" in data.hex().upper()


@pytest.mark.parametrize(
    ("url", "text", "options", "reason"),
    [
        ("", "t", {}, "needs an address"),
        ("x\0", "t", {}, r"U\+0000"),
        ("x", "t\0", {}, r"U\+0000"),
        ("x", "t\ud800", {}, r"U\+D800 at 1"),
        ("x", "t", {"action": "shout"}, "signal-none"),
        ("x", "t", {"transaction": 256}, "one octet"),
        ("x", "t", {"created": datetime(2026, 3, 14)}, "time zone"),  # noqa: DTZ001 - naive on purpose
    ],
)
def test_what_cannot_be_said_is_refused(url: str, text: str, options: dict[str, object], reason: str) -> None:
    with pytest.raises(PduError, match=reason):
        udh.wap_push_si(url, text, **options)  # type: ignore[arg-type]
