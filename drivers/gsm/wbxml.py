"""As much of WBXML (WAP-192) as service indications and loadings need: one element with its attributes and its text.

Other elements are read and left out. Whatever the octets are, the one error is `PduError`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from drivers.gsm import PduError
from drivers.gsm.octets import CHARSETS, Octets

__all__ = ["SI", "SL", "Dialect", "Element", "read"]

_SWITCH, _END, _LITERAL, _PI = 0x00, 0x01, 0x04, 0x43
_DEEPEST = 16


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """`element`: the tag that is wanted. `starts`: attribute tokens, each a name and how its value begins."""

    element: int
    starts: Mapping[int, tuple[str, str]]


class Element(msgspec.Struct, kw_only=True):
    """Values are texts, or octets where they are dates."""

    attributes: dict[str, str | bytes]
    text: str = ""


_HREFS = ("", "http://", "http://www.", "https://", "https://www.")
_VALUES = {0x85: ".com/", 0x86: ".edu/", 0x87: ".net/", 0x88: ".org/"}
_SIGNALS = ("signal-none", "signal-low", "signal-medium", "signal-high", "delete")

SI = Dialect(  # WAP-167 §9
    element=0x06,
    starts={
        **{0x05 + i: ("action", word) for i, word in enumerate(_SIGNALS)},
        **{0x0B + i: ("href", start) for i, start in enumerate(_HREFS)},
        0x0A: ("created", ""),
        0x10: ("si-expires", ""),
        0x11: ("si-id", ""),
        0x12: ("class", ""),
    },
)
SL = Dialect(  # WAP-168 §9
    element=0x05,
    starts={
        **{0x05 + i: ("action", word) for i, word in enumerate(("execute-low", "execute-high", "cache"))},
        **{0x08 + i: ("href", start) for i, start in enumerate(_HREFS)},
    },
)


def read(data: bytes, dialect: Dialect) -> Element:
    """The first element of the wanted tag. `PduError` when there is none."""
    octets = Octets(data)
    octets.octet()  # version
    if octets.uintvar() == 0:
        octets.uintvar()  # the public identifier is in the string table
    reader = _Reader(octets, charset=octets.uintvar(), table=b"", dialect=dialect)
    reader.table = octets.take(octets.uintvar())
    reader.content(0)
    if reader.found is None:
        raise PduError("it holds no indication")
    return reader.found


class _Reader:
    def __init__(self, octets: Octets, *, charset: int, table: bytes, dialect: Dialect) -> None:
        self.octets = octets
        self.charset = charset
        self.table = table
        self.dialect = dialect
        self.found: Element | None = None

    def content(self, depth: int) -> str:
        """The texts up to the END of the element that we are in, or to the end of all."""
        if depth > _DEEPEST:
            raise PduError("its elements lie too deep")
        pieces: list[str] = []
        while self.octets:
            token = self.octets.octet()
            if token == _END:
                break
            if token == _SWITCH:
                self.octets.octet()
            elif (value := self._string(token)) is not None:
                pieces.append(value if isinstance(value, str) else "")
            elif token == _PI:
                self._attributes()
            elif token & 0x3F >= 0x05:
                self._element(token, depth)
            else:
                raise PduError(f"{token:#04x} is nothing that this content has")
        return "".join(pieces)

    def _element(self, token: int, depth: int) -> None:
        element = Element(attributes=self._attributes() if token & 0x80 else {})
        if token & 0x3F == self.dialect.element and self.found is None:
            self.found = element
        if token & 0x40:
            element.text = self.content(depth + 1)

    def _attributes(self) -> dict[str, str | bytes]:
        found: dict[str, str | bytes] = {}
        name = ""
        while (token := self.octets.octet()) != _END:
            if token == _SWITCH:
                self.octets.octet()
            elif (value := self._string(token)) is not None:
                before = found.get(name, "")
                if isinstance(value, str) and isinstance(before, str):
                    found[name] = before + value
                elif not before:
                    found[name] = value
            elif token >= 0x80:
                found[name] = f"{_plain(found.get(name))}{_VALUES.get(token, '')}"
            elif token == _LITERAL:
                self.octets.uintvar()
                name = ""
            else:
                name, start = self.dialect.starts.get(token, ("", ""))
                found[name] = start
        found.pop("", None)
        return found

    def _string(self, token: int) -> str | bytes | None:
        """What a token says that stands for characters; None: it does not."""
        match token:
            case 0x03:
                return self.octets.text(self.charset)
            case 0x83:
                return self._from_table(self.octets.uintvar())
            case 0xC3:
                return self.octets.take(self.octets.uintvar())
            case 0x02:
                number = self.octets.uintvar()
                return chr(number) if number < 0xD800 or 0xE000 <= number < 0x110000 else "\ufffd"
            case _:
                return None

    def _from_table(self, offset: int) -> str:
        end = self.table.find(b"\0", offset)
        if end < 0:
            raise PduError("a text lies outside the table of texts")
        return self.table[offset:end].decode(CHARSETS.get(self.charset, "utf-8"), "replace")


def _plain(value: str | bytes | None) -> str:
    return value if isinstance(value, str) else ""
