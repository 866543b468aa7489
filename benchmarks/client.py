"""A blocking HTTP client on one kept connection: one write a request, and the time it began."""

from __future__ import annotations

import socket
from time import monotonic
from typing import Any

import msgspec

from benchmarks import workload

__all__ = ["Client", "Unexpected"]


class Unexpected(Exception):
    """The service answered otherwise than the benchmark needs."""


class Client:
    def __init__(self, host: str, port: int, key: str) -> None:
        self._key = key
        self._socket = socket.create_connection((host, port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0  # time.monotonic() just before the last request's first byte

    def post(self, path: str, body: bytes, *, expected: int = 202) -> Any:
        return self._exchange(workload.request(path, self._key, body), expected)

    def get(self, path: str) -> Any:
        return self._exchange(workload.request(path, self._key, b"", method="GET"), 200)

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _exchange(self, request: bytes, expected: int) -> Any:
        self.sent_at = monotonic()
        self._socket.sendall(request)
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._more()
        head, body = received[:end].lower(), received[end + 4 :]
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        while len(body) < length:
            body += self._more()
        status = int(head[9:12])
        if status != expected:
            raise Unexpected(f"the service answered {status} instead of {expected}: {body[:500].decode()}")
        return msgspec.json.decode(body)

    def _more(self) -> bytes:
        data = self._socket.recv(1 << 20)
        if not data:
            raise Unexpected("the service closed the connection")
        return data
