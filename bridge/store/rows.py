"""Structs to rows and back. Pure.

A `Table` knows the columns of one struct, in the struct's order: the same list stands in SELECT and INSERT, so a value
cannot land in a neighbour's column. Enumerations and truth values are stored as their plain text and number: sqlite3
binds exact `int` and `str` at once, everything else through a search for adapters that costs more than the insert.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from enum import StrEnum
from operator import attrgetter
from typing import Any, Generic, TypeVar, Union, get_args, get_origin

import msgspec

from bridge.endpoints import Delivery, Endpoint, Try
from bridge.events import Event
from bridge.model import (
    ApiKey,
    Attempt,
    Batch,
    CallRow,
    Conversation,
    EventRow,
    Idempotency,
    Inbound,
    Message,
    Occurrence,
    OptOut,
    ProgramRun,
    Received,
    Report,
    Schedule,
)

__all__ = [
    "API_KEY",
    "ATTEMPT",
    "BATCH",
    "CALL",
    "CONVERSATION",
    "DELIVERY",
    "ENDPOINT",
    "EVENT",
    "IDEMPOTENCY",
    "INBOUND",
    "MESSAGE",
    "OCCURRENCE",
    "OPT_OUT",
    "PLAIN_MESSAGE",
    "PROGRAM_RUN",
    "RECEIVED",
    "REPORT",
    "SCHEDULE",
    "STORED_EVENT",
    "TABLES",
    "TRY",
    "Table",
    "is_plain",
]

S = TypeVar("S", bound=msgspec.Struct)
Row = Sequence[Any]  # as sqlite3 gives it

RENAMED = {"to": "recipient"}  # TO is a word of SQL


class Table(Generic[S]):
    """Columns, placeholders and both directions for one struct. `only`: some of its fields, for writing."""

    def __init__(self, struct: type[S], *, only: Sequence[str] = (), packed: frozenset[str] = frozenset()) -> None:
        fields = {f.name: f.type for f in msgspec.structs.fields(struct)}
        self.struct = struct
        self.fields = tuple(only) or tuple(fields)
        self.columns = ", ".join(RENAMED.get(name, name) for name in self.fields)
        self.places = ", ".join("?" for _ in self.fields)
        self.encode = _encoder([_path(name, fields[name]) for name in self.fields], self.fields, packed)
        self._packed = packed

    def decode(self, row: Row) -> S:
        values = dict(zip(self.fields, row, strict=True))
        for name in self._packed:
            values[name] = msgspec.json.decode(values[name])
        # Not strict: 0 and 1 become False and True.
        return msgspec.convert(values, self.struct, strict=False)


def is_plain(message: Message) -> bool:
    """All that `PLAIN_MESSAGE` leaves out has its usual value."""
    return bool(_rest(message) == _USUAL)


def _encoder(paths: list[str], fields: Sequence[str], packed: frozenset[str]) -> Callable[[Any], tuple[Any, ...]]:
    plain: Callable[[Any], tuple[Any, ...]] = attrgetter(*paths)
    if not packed:
        return plain
    places = [i for i, name in enumerate(fields) if name in packed]

    def encode(value: Any) -> tuple[Any, ...]:
        row = list(plain(value))
        for i in places:
            row[i] = msgspec.json.encode(row[i]).decode()
        return tuple(row)

    return encode


def _path(name: str, kind: Any) -> str:
    if kind is bool:
        return f"{name}.real"  # an exact int
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return f"{name}._value_"  # an exact str
    assert get_origin(kind) not in (Union, types.UnionType) or bool not in get_args(kind)
    return name


MESSAGE = Table(Message, packed=frozenset({"options"}))
PLAIN_MESSAGE = Table(
    Message,
    only=(
        "id", "client", "to", "created_at", "updated_at", "due_at", "text", "encoding", "parts", "batch", "report",
        "priority", "policy", "queue", "expires_at", "concatenation",
    ),
)  # fmt: skip
BATCH = Table(Batch)
EVENT = Table(EventRow, packed=frozenset({"data"}))
ATTEMPT = Table(Attempt)
REPORT = Table(Report)
RECEIVED = Table(Received, packed=frozenset({"indications"}))
INBOUND = Table(Inbound, packed=frozenset({"missing", "content"}))
CONVERSATION = Table(Conversation)
OPT_OUT = Table(OptOut)
PROGRAM_RUN = Table(ProgramRun)
CALL = Table(CallRow)
API_KEY = Table(ApiKey)
IDEMPOTENCY = Table(Idempotency)
ENDPOINT = Table(Endpoint, packed=frozenset({"recipients", "events", "channels", "parties", "headers"}))
DELIVERY = Table(Delivery)
TRY = Table(Try)
STORED_EVENT = Table(Event, packed=frozenset({"data"}))
SCHEDULE = Table(Schedule, packed=frozenset({"crons", "recipients", "exceptions"}))
OCCURRENCE = Table(Occurrence)

TABLES: dict[str, Table[Any]] = {
    "message": MESSAGE,
    "plain_message": PLAIN_MESSAGE,
    "batch": BATCH,
    "event": EVENT,
    "attempt": ATTEMPT,
    "report": REPORT,
    "received": RECEIVED,
    "inbound": INBOUND,
    "conversation": CONVERSATION,
    "opt_out": OPT_OUT,
    "program_run": PROGRAM_RUN,
    "call": CALL,
    "api_key": API_KEY,
    "idempotency": IDEMPOTENCY,
    "endpoint": ENDPOINT,
    "delivery": DELIVERY,
    "try": TRY,
    "stored_event": STORED_EVENT,
    "schedule": SCHEDULE,
    "occurrence": OCCURRENCE,
}

_LEFT_OUT = [f for f in msgspec.structs.fields(Message) if f.name not in PLAIN_MESSAGE.fields]
_rest = attrgetter(*(f.name for f in _LEFT_OUT))
_USUAL = tuple(f.default_factory() if f.default_factory is not msgspec.NODEFAULT else f.default for f in _LEFT_OUT)
