"""TP-DCS: all 256 values against the groups of 23.038 §4."""

from __future__ import annotations

import pytest

from drivers.contract import Encoding
from drivers.gsm import PduError, coding
from drivers.gsm.coding import Coding, Waiting

GSM7, UCS2, BINARY = Encoding.GSM7, Encoding.UCS2, Encoding.BINARY


@pytest.mark.parametrize(
    ("dcs", "meaning"),
    [
        (0x00, Coding(encoding=GSM7)),
        (0x04, Coding(encoding=BINARY)),
        (0x08, Coding(encoding=UCS2)),
        (0x0C, Coding(encoding=GSM7, reserved=True)),
        (0x03, Coding(encoding=GSM7)),  # no class: its bits have no meaning
        (0x10, Coding(encoding=GSM7, message_class=0)),
        (0x15, Coding(encoding=BINARY, message_class=1)),
        (0x1A, Coding(encoding=UCS2, message_class=2)),
        (0x20, Coding(encoding=BINARY, compressed=True)),
        (0x38, Coding(encoding=BINARY, compressed=True, message_class=0)),
        (0x48, Coding(encoding=UCS2, auto_delete=True)),
        (0x51, Coding(encoding=GSM7, message_class=1, auto_delete=True)),
        (0x60, Coding(encoding=BINARY, compressed=True, auto_delete=True)),
        (0x80, Coding(encoding=GSM7, reserved=True)),
        (0xBF, Coding(encoding=GSM7, reserved=True)),
        (0xC0, Coding(encoding=GSM7, waiting=Waiting.VOICEMAIL, discard=True)),
        (0xC8, Coding(encoding=GSM7, waiting=Waiting.VOICEMAIL, waiting_on=True, discard=True)),
        (0xD9, Coding(encoding=GSM7, waiting=Waiting.FAX, waiting_on=True)),
        (0xD2, Coding(encoding=GSM7, waiting=Waiting.EMAIL)),
        (0xEB, Coding(encoding=UCS2, waiting=Waiting.OTHER, waiting_on=True)),
        (0xE0, Coding(encoding=UCS2, waiting=Waiting.VOICEMAIL)),
        (0xF0, Coding(encoding=GSM7, message_class=0)),
        (0xF4, Coding(encoding=BINARY, message_class=0)),
        (0xF6, Coding(encoding=BINARY, message_class=2)),
        (0xFB, Coding(encoding=GSM7, message_class=3)),  # bit 3 is reserved and has no meaning
    ],
)
def test_meaning(dcs: int, meaning: Coding) -> None:
    assert coding.read(dcs) == meaning


def test_every_octet_has_the_alphabet_of_its_group() -> None:
    def expected(dcs: int) -> Encoding:
        if dcs >= 0xF0:
            return BINARY if dcs & 4 else GSM7
        if dcs >= 0xE0:
            return UCS2
        if dcs >= 0x80:
            return GSM7
        return BINARY if dcs & 0x20 else (GSM7, BINARY, UCS2, GSM7)[dcs >> 2 & 3]

    assert [coding.read(dcs).encoding for dcs in range(256)] == [expected(dcs) for dcs in range(256)]


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("message_class", [None, 0, 1, 2, 3])
def test_what_we_write_is_read_back(encoding: Encoding, message_class: int | None) -> None:
    dcs = coding.dcs_for(encoding, message_class)
    assert coding.read(dcs) == Coding(encoding=encoding, message_class=message_class)


def test_flash_is_class_0() -> None:
    assert coding.dcs_for(GSM7, 0) == 0x10
    assert coding.dcs_for(UCS2, 0) == 0x18


@pytest.mark.parametrize("dcs", [-1, 256])
def test_no_octet_is_refused(dcs: int) -> None:
    with pytest.raises(PduError):
        coding.read(dcs)


@pytest.mark.parametrize("message_class", [-1, 4])
def test_no_class_is_refused(message_class: int) -> None:
    with pytest.raises(PduError, match="message class"):
        coding.dcs_for(GSM7, message_class)
