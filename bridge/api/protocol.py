"""uvicorn's HTTP protocol with the bounds that it leaves out: how long and how large a head may be, and how much of a
body nobody waits for is read."""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from functools import lru_cache
from time import time
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["LARGEST_HEAD", "BoundedProtocol"]

LARGEST_HEAD = 100 * 1024  # octets; uvicorn's other parser stops at 64 KiB, nginx at 32
MOST_UNREAD = 64 << 20  # octets of a body that was refused already; a polite client may still be sending it

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    head_patience = 10.0  # seconds from the connection, or the first octet of a later head, to the head's end

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._head_size = 0
        self._unread = 0
        self._hurry: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._hurry = self.loop.call_later(self.head_patience, self._close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._calm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self.server_state.default_headers = _dated(int(time()))  # uvicorn's own would wake us each second
        super().data_received(data)
        if not self._in_head:
            return
        self._head_size += len(data)
        if self._head_size > LARGEST_HEAD and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        elif self._hurry is None:
            self._hurry = self.loop.call_later(self.head_patience, self._close)

    def on_message_begin(self) -> None:
        self._in_head = True
        self._head_size = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._unread = 0
        if self._hurry is not None:
            self._calm()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self.cycle.response_complete:
            self._unread += len(body)
            if self._unread > MOST_UNREAD:
                self._close()
        super().on_body(body)

    def _calm(self) -> None:
        if self._hurry is not None:
            self._hurry.cancel()
            self._hurry = None

    def _close(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


@lru_cache(maxsize=1)
def _dated(second: int) -> list[tuple[bytes, bytes]]:
    """The headers of every answer of this second."""
    return [(b"date", formatdate(second, usegmt=True).encode())]
