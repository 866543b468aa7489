"""TP-UDL and TP-UD: the user data with its header, written and read (23.040 §9.2.3.16, §9.2.3.24)."""

from __future__ import annotations

from drivers.contract import Encoding, Part
from drivers.gsm import PduError, alphabet, coding, segments
from drivers.gsm import udh as headers

__all__ = ["Content", "encode"]


def encode(part: Part) -> bytes:
    """TP-UDL, header and user data. Of 7-bit text the length counts septets, with the header (23.040 §9.2.3.16)."""
    data = part.data
    head = b""
    if part.udh:
        headers.parse(part.udh)
        if len(part.udh) > 139:
            raise PduError("a user-data header has at most 139 octets")
        head = bytes((len(part.udh),)) + part.udh
    if part.encoding is Encoding.GSM7:
        if not data.isascii():
            raise PduError("7-bit data has a value above 127")
        header_septets = (8 * len(head) + 6) // 7
        length = header_septets + len(data)
        data = alphabet.pack(data, 7 * header_septets - 8 * len(head))
        most = 160
    else:
        if part.encoding is Encoding.UCS2 and len(data) % 2:
            raise PduError("UCS-2 data has an odd number of octets")
        length, most = len(head) + len(data), 140
    if length > most:
        unit = "septets" if most == 160 else "octets"
        raise PduError(f"the user data takes {length} {unit} with its header; one part carries {most}")
    return bytes((length,)) + head + data


class Content:
    """TP-UDL and TP-UD, from the length octet at `at`."""

    def __init__(self, octets: bytes, at: int, dcs: int, has_header: bool, notes: list[str]) -> None:
        if at >= len(octets):
            raise PduError("the PDU ends before its user data length")
        self.coding = coding.read(dcs)
        length = octets[at]
        seven = self.coding.encoding is Encoding.GSM7
        size = (7 * length + 7) // 8 if seven else length
        raw = octets[at + 1 : at + 1 + size]
        self.end = at + 1 + len(raw)
        if len(raw) < size:
            notes.append("the user data ends before its length")
        self.udh, self.header, body = _split_header(raw, notes) if has_header else (b"", headers.EMPTY, raw)
        if seven:
            gone = len(raw) - len(body)  # octets of the header; the text begins on the next septet boundary
            header_septets = (8 * gone + 6) // 7
            self.data = alphabet.unpack(body, max(0, length - header_septets), 7 * header_septets - 8 * gone)
        else:
            self.data = body
        self.text = self._read()

    def _read(self) -> str | None:
        if self.coding.encoding is Encoding.GSM7:
            return alphabet.decode(self.data, locking=self.header.locking, single=self.header.single)
        if self.coding.encoding is Encoding.UCS2:
            return segments.utf16(self.data)
        if self.coding.compressed or self.header.ports is not None:
            return None
        return self.data.decode("latin-1")


def _split_header(raw: bytes, notes: list[str]) -> tuple[bytes, headers.Header, bytes]:
    """Header octets, their meaning and the rest; a header that cannot be is no header, or one that says nothing."""
    if not raw or 1 + raw[0] > len(raw):
        notes.append("the user-data header is longer than the user data")
        return b"", headers.EMPTY, raw
    udh, body = raw[1 : 1 + raw[0]], raw[1 + raw[0] :]
    try:
        return udh, headers.parse(udh), body
    except PduError as error:
        notes.append(str(error))
        return udh, headers.EMPTY, body  # 23.040 §9.2.3.24: a damaged header is ignored as a whole
