"""WAP push of a service indication: WSP push headers around SI 1.0 in WBXML 1.2 (WAP-230, WAP-167, WAP-192)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from drivers.gsm import PduError

__all__ = ["ACTIONS", "PUSH_PORT", "SOURCE_PORT", "push_si"]

PUSH_PORT = 2948  # WAP connectionless push
SOURCE_PORT = 9200  # WAP connectionless session service

# WAP-167 §9.3: attribute start tokens of code page 0.
ACTIONS = {"signal-none": 0x05, "signal-low": 0x06, "signal-medium": 0x07, "signal-high": 0x08, "delete": 0x09}


def push_si(
    url: str,
    text: str,
    *,
    created: datetime | None = None,
    expires: datetime | None = None,
    action: str = "",
    si_id: str = "",
    transaction: int = 1,
) -> bytes:
    """The octets after the user-data header: push `transaction`, content type, and the indication.

    `url` is the link, `text` what the handset shows. `created`, `expires`: aware times. `action`: one of `ACTIONS`, or
    "" for the standard's default, signal-medium. `PduError` for an unknown action, NUL, a naive time or a lone
    surrogate.
    """
    if not 0 <= transaction <= 0xFF:
        raise PduError("a push transaction is one octet, 0 to 255")
    body = bytearray(b"\x02\x05\x6a\x00")  # WBXML 1.2, public identifier SI 1.0, UTF-8, no string table
    body += b"\x45\xc6"  # <si> with content, <indication> with attributes and content
    if action:
        if action not in ACTIONS:
            raise PduError(f"a service indication's action is one of {', '.join(ACTIONS)}")
        body.append(ACTIONS[action])
    body += _href(url)
    if si_id:
        body += b"\x11" + _inline(si_id)
    if created is not None:
        body += b"\x0a" + _date(created)
    if expires is not None:
        body += b"\x10" + _date(expires)
    body += b"\x01" + _inline(text) + b"\x01\x01"  # end of attributes, text, </indication></si>
    return bytes((transaction,)) + _PUSH + bytes(body)


# Push PDU type 06; four octets of headers: content type of three octets, application/vnd.wap.sic, charset UTF-8.
_PUSH = b"\x06\x04\x03\xae\x81\xea"
_STARTS = (("https://www.", 0x0F), ("https://", 0x0E), ("http://www.", 0x0D), ("http://", 0x0C), ("", 0x0B))
_VALUES = {".com/": 0x85, ".edu/": 0x86, ".net/": 0x87, ".org/": 0x88}
_SPLIT = re.compile(r"(\.com/|\.edu/|\.net/|\.org/)")


def _href(url: str) -> bytes:
    if not url:
        raise PduError("a service indication needs an address to point to")
    start, token = next((start, token) for start, token in _STARTS if url.startswith(start))
    href = bytearray((token,))
    for piece in _SPLIT.split(url[len(start) :]):
        if piece in _VALUES:
            href.append(_VALUES[piece])
        elif piece:
            href += _inline(piece)
    return bytes(href)


def _inline(text: str) -> bytes:
    if "\0" in text:
        raise PduError("a service indication cannot hold the character U+0000")
    try:
        return b"\x03" + text.encode() + b"\0"
    except UnicodeEncodeError as error:
        raise PduError(f"character U+{ord(text[error.start]):04X} at {error.start} is half a surrogate pair") from None


def _date(moment: datetime) -> bytes:
    """%DATETIME: UTC as BCD from the century down to the second, zero octets at the end left out (WAP-167 §9.2)."""
    if moment.tzinfo is None:
        raise PduError("a service indication's time needs a time zone")
    octets = bytes.fromhex(moment.astimezone(UTC).strftime("%Y%m%d%H%M%S").rjust(14, "0")).rstrip(b"\0")
    return bytes((0xC3, len(octets))) + octets
