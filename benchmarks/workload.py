"""What is ordered: requests as bytes, made before any clock runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

__all__ = ["DEFERRED", "batch", "number", "request", "single", "text"]

DEFERRED = (datetime.now(UTC) + timedelta(days=300)).isoformat(timespec="seconds")
_NUMBERS = 10_000_000  # +48 60x xxx xxx


def number(index: int) -> str:
    """A recipient for each index, in no order, as recipients are."""
    return f"+4860{index * 7_654_321 % _NUMBERS:07d}"


def text(index: int) -> str:
    return f"Message {index}: the pump in hall 3 has stopped, pressure 0.2 bar. Please confirm with OK."


def single(index: int) -> bytes:
    return msgspec.json.encode({"to": number(index), "text": text(index), "report": False})


def batch(first: int, count: int, *, send_at: str | None = None, report: bool = False) -> bytes:
    """One text to many."""
    order = {"to": [number(n) for n in range(first, first + count)], "text": text(first), "report": report}
    return msgspec.json.encode(order | ({"send_at": send_at} if send_at else {}))


def request(path: str, key: str, body: bytes, *, method: str = "POST") -> bytes:
    """An HTTP/1.1 request as an ordinary client library writes it."""
    return (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\nUser-Agent: gsmbridge-benchmarks\r\n"
        f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
