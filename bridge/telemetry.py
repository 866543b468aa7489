"""What the service tells: log lines, and events for whoever listens in this process.

An event is a name and fields. Numbers are masked and texts absent in logs; listeners (the demo, later the event stream)
get the fields as they are.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import msgspec

from bridge.model import Instant

__all__ = ["Occurrence", "Telemetry", "masked"]

Field: TypeAlias = str | int | float | bool | None

LISTENER_LIMIT = 10_000  # events a slow listener may lag behind; then it loses the oldest


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    at: Instant
    name: str
    fields: dict[str, Field]


class Telemetry:
    """Tells events. Costs next to nothing while nobody listens and the log is at info."""

    def __init__(self, now: Callable[[], Instant]) -> None:
        self._now = now
        self._listeners: list[asyncio.Queue[Occurrence]] = []
        self._log = logging.getLogger("gsmbridge")
        self._verbose = self._log.isEnabledFor(logging.DEBUG)

    @property
    def wanted(self) -> bool:
        """Somebody wants to know of single messages."""
        return bool(self._listeners) or self._verbose

    def message(self, name: str, **fields: Field) -> None:
        """Something happened to one message: logged at debug, since there may be thousands a second."""
        if self._listeners:
            self._publish(name, fields)
        if self._verbose:
            self._log.debug("%s %s", name, _line(fields))

    def notable(self, name: str, *, level: int = logging.INFO, **fields: Field) -> None:
        """Something an operator should see."""
        if self._listeners:
            self._publish(name, fields)
        self._log.log(level, "%s %s", name, _line(fields))

    @contextmanager
    def listen(self) -> Iterator[asyncio.Queue[Occurrence]]:
        """Every event from now on, in order."""
        queue: asyncio.Queue[Occurrence] = asyncio.Queue(LISTENER_LIMIT)
        self._listeners.append(queue)
        try:
            yield queue
        finally:
            self._listeners.remove(queue)

    def _publish(self, name: str, fields: dict[str, Field]) -> None:
        occurrence = Occurrence(at=self._now(), name=name, fields=fields)
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(occurrence)


def masked(number: str) -> str:
    """`+48600700800` -> `+486…800`. Short codes and names stay: they are nobody's private number."""
    return number if len(number) < 8 else f"{number[:4]}…{number[-3:]}"


_PRIVATE_NUMBERS = frozenset({"to", "sender", "recipient"})
_NEVER_LOGGED = frozenset({"text"})


def _line(fields: dict[str, Field]) -> str:
    return " ".join(
        f"{name}={masked(str(value)) if name in _PRIVATE_NUMBERS else _quoted(value)}"
        for name, value in fields.items()
        if value is not None and name not in _NEVER_LOGGED
    )


def _quoted(value: Field) -> str:
    text = str(value)
    # repr also takes the control characters out, so nothing from the air can forge a log line.
    return repr(text) if not text or any(c <= " " or c == '"' or not c.isprintable() for c in text) else text
