"""Opaque cursors: the place in a list where the next page begins. They are no secret, only nobody's business."""

from __future__ import annotations

import base64
import binascii
import zlib

__all__ = ["read", "show"]


def show(list_name: str, last: int) -> str:
    """The cursor behind the item `last` of a list."""
    body = last.to_bytes(8, "big")
    return base64.urlsafe_b64encode(body + _check(list_name, body)).decode()


def read(list_name: str, cursor: str) -> int | None:
    """The item behind a cursor, or None when it is no cursor of this list."""
    try:
        raw = base64.b64decode(cursor, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    body = raw[:8]
    number = int.from_bytes(body, "big")
    return number if len(raw) == 12 and raw[8:] == _check(list_name, body) and number < 1 << 63 else None


def _check(list_name: str, body: bytes) -> bytes:
    return zlib.crc32(list_name.encode() + body).to_bytes(4, "big")
