"""Octets read one after the other, as WSP and WBXML want them. Whatever they are, the one error is `PduError`."""

from __future__ import annotations

from drivers.gsm import PduError

__all__ = ["CHARSETS", "Octets"]

_MOST_OCTETS = 6  # of an integer; the standard's 30 hold no size and no time
_MOST_UINTVAR = 5  # octets, WAP-230 §8.1.2: 32 bits

CHARSETS = {3: "ascii", 4: "latin-1", 106: "utf-8", 1000: "utf-16-be", 1015: "utf-16", 0: "utf-8"}  # MIBenum


class Octets:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def peek(self) -> int:
        if self._at >= len(self._data):
            raise PduError("it ends too early")
        return self._data[self._at]

    def octet(self) -> int:
        value = self.peek()
        self._at += 1
        return value

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise PduError("it ends too early")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._at)

    def uintvar(self) -> int:
        """Seven bits an octet, the top bit says that more follow."""
        value = 0
        for _ in range(_MOST_UINTVAR):
            octet = self.octet()
            value = value << 7 | octet & 0x7F
            if octet < 0x80:
                return value
        raise PduError("a number has more than 32 bits")

    def length(self) -> int:
        """Value-length, WAP-230 §8.4.2.2."""
        first = self.octet()
        if first < 31:
            return first
        if first == 31:
            return self.uintvar()
        raise PduError(f"{first:#04x} is no length")

    def number(self) -> int:
        """Integer-value, §8.4.2.3: one octet with the top bit set, or a count and that many octets."""
        first = self.octet()
        if first >= 0x80:
            return first & 0x7F
        if not 1 <= first <= _MOST_OCTETS:
            raise PduError(f"{first:#04x} begins no number of a size that is used")
        return int.from_bytes(self.take(first), "big")

    def string(self) -> bytes:
        """Up to a NUL, which is taken and left out. A quote before a first octet above 127 is left out too."""
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise PduError("a text does not end")
        text = self._data[self._at : end]
        self._at = end + 1
        return text[1:] if text[:1] == b"\x7f" else text

    def text(self, charset: int = 106) -> str:
        """Octets that are not of their character set are replaced, never an error."""
        return self.string().decode(CHARSETS.get(charset, "utf-8"), "replace")

    def encoded(self) -> str:
        """Encoded-string-value, OMA MMS encapsulation §7.2.9: a text, or a length, a character set and a text."""
        if self.peek() > 31:
            return self.text()
        inner = Octets(self.take(self.length()))
        charset = inner.number()
        return _decoded(inner.rest(), charset)

    def value(self) -> None:
        """Any header's value, passed over (WAP-230 §8.4.1.2)."""
        first = self.peek()
        if first < 32:
            self.take(self.length())
        elif first < 128:
            self.string()
        else:
            self.octet()


def _decoded(raw: bytes, charset: int) -> str:
    name = CHARSETS.get(charset, "utf-8")
    if raw[:1] == b"\x7f":
        raw = raw[1:]
    return raw.decode(name, "replace").rstrip("\0")
