"""Bodies in: read within the limit, decoded into the wanted shape, or every mistake in them named with its place."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from types import NoneType, UnionType
from typing import Any, Generic, TypeVar, Union, get_args, get_origin

import msgspec

from bridge.api.problems import MOST_ERRORS, Refusal
from bridge.policy.admission import Complaint

__all__ = ["Head", "Shape", "read", "whole"]

S = TypeVar("S", bound=msgspec.Struct)

PATIENCE = 30.0  # seconds for a body that does not come in one piece with its head
_BYTE = re.compile(r" \(byte (\d+)\)$")
_IN_MSGSPEC = re.compile(r" - at `[^`]*`$")


class Head(msgspec.Struct):
    """The headers that matter to a request with a body."""

    content_type: bytes = b""
    length: int | None = None
    idempotency_key: str | None = None

    @classmethod
    def of(cls, headers: Iterable[tuple[bytes, bytes]]) -> Head:
        head = cls()
        for name, value in headers:
            if name == b"content-type":
                head.content_type = value
            elif name == b"content-length":
                head.length = int(value) if value.isdigit() else None
            elif name == b"idempotency-key":
                head.idempotency_key = value.decode("latin-1")
        return head


async def read(head: Head, receive: Callable[[], Awaitable[Mapping[str, Any]]], limit: int) -> bytes:
    """The body, of at most `limit` octets: refused as soon as it proves longer, whatever Content-Length says."""
    kind = head.content_type
    if kind != b"application/json" and kind.partition(b";")[0].strip().lower() != b"application/json":
        given = kind.decode("latin-1") or "nothing"
        raise Refusal("media_type", f"Content-Type is {given}; send JSON with Content-Type: application/json")
    return await whole(head, receive, limit)


async def whole(head: Head, receive: Callable[[], Awaitable[Mapping[str, Any]]], limit: int) -> bytes:
    """The same for a body of any type."""
    if head.length is not None and head.length > limit:
        raise _too_large(limit)
    event = await receive()
    chunk: bytes = event.get("body", b"")
    if not event.get("more_body"):
        if event["type"] == "http.disconnect":
            raise Refusal("bad_request", "the connection ended before the body did")
        if len(chunk) > limit:
            raise _too_large(limit)
        return chunk
    chunks = bytearray(chunk)
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                if len(chunks) > limit:
                    raise _too_large(limit)
                if event["type"] == "http.disconnect":
                    raise Refusal("bad_request", "the connection ended before the body did")
                if not event.get("more_body"):
                    return bytes(chunks)
                event = await receive()
                chunks += event.get("body", b"")
    except TimeoutError:
        raise Refusal("body_timeout", f"the body did not arrive within {PATIENCE:g} s") from None


class Shape(Generic[S]):
    """Decodes bodies into one struct. The quick way reads; only a body that fails is walked for all its mistakes."""

    def __init__(self, kind: type[S]) -> None:
        self._kind = kind
        self._decode = msgspec.json.Decoder(kind).decode

    def decode(self, body: bytes, before: Callable[[Any], None] | None = None) -> S:
        """Raises `Refusal` with every mistake. `before` sees the plain JSON before it is walked, and may refuse it."""
        try:
            return self._decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            plain = _plain(body)
            if before is not None:
                before(plain)
            findings = _Findings()
            _walk(plain, self._kind, "", findings)
            if not findings.first:  # a rule that the walk does not know; msgspec's own words then
                findings.add("body", "wrong_value", _IN_MSGSPEC.sub, "", str(error))
            raise Refusal.of(findings.first, findings.left) from None


def _too_large(limit: int) -> Refusal:
    return Refusal("body_too_large", f"the body has more than {limit} octets; send less, or raise limits.max_body")


def _plain(body: bytes) -> Any:
    """The body as plain JSON values. Raises the refusal that names line and column."""
    try:
        return msgspec.json.decode(body)
    except UnicodeDecodeError:
        try:
            body.decode()
        except UnicodeDecodeError as error:
            at, detail = error.start, "is not UTF-8 here"
        else:
            at, detail = 0, "holds a character that is none"
    except RecursionError:
        at, detail = 0, "is nested too deeply"
    except msgspec.DecodeError as error:
        found = _BYTE.search(str(error))
        at = int(found[1]) if found else len(body)
        detail = _BYTE.sub("", str(error)).removeprefix("JSON is malformed: ")
        detail = "ends too early, or a \\u escape in it is half a pair" if "truncated" in detail else detail
    line = body.count(b"\n", 0, at) + 1
    column = at - (body.rfind(b"\n", 0, at) + 1) + 1
    place = f"line {line}, column {column}"
    problem = Complaint(at=place, code="json_malformed", detail=f"{detail} (byte {at} of {len(body)})")
    raise Refusal("json_malformed", f"the body is not JSON: {place}: {problem.detail}", errors=[problem])


# --- Every mistake of a body ------------------------------------------------------------------------------------------


class _Findings:
    def __init__(self) -> None:
        self.first: list[Complaint] = []
        self.left = 0

    def add(self, at: str, code: str, detail: Callable[..., str], *of: Any) -> None:
        """The detail is worded only when it is listed: a body may hold a million mistakes."""
        if len(self.first) < MOST_ERRORS:
            self.first.append(Complaint(at=at, code=code, detail=detail(*of)))
        else:
            self.left += 1


def _walk(value: Any, kind: type[msgspec.Struct], at: str, findings: _Findings) -> None:
    if not isinstance(value, dict):
        findings.add(at or "body", "wrong_type", "is {}; expected: an object".format, _called(value))
        return
    fields = _fields(kind)
    prefix = f"{at}." if at else ""
    for name in value:
        if name not in fields:
            findings.add(f"{prefix}{name[:100]}", "unknown_field", _unknown, name, fields)
    for name, field in fields.items():
        if name in value:
            _check(value[name], field.type, prefix + name, findings)
        elif field.required:
            findings.add(prefix + name, "missing_field", _missing, field.type)


@cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.encode_name: field for field in msgspec.structs.fields(kind)}


def _check(value: Any, kind: Any, at: str, findings: _Findings) -> None:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        item = _item_of(kind)
        if isinstance(value, list) and item is not None:
            for index, one in enumerate(value):
                if isinstance(item, type) and issubclass(item, msgspec.Struct):
                    _walk(one, item, f"{at}[{index}]", findings)
                else:
                    _check(one, item, f"{at}[{index}]", findings)
            return
        said = _IN_MSGSPEC.sub("", str(error))
        if said.startswith("Expected") and ", got " in said:
            findings.add(at, "wrong_type", _mistyped, value, kind)
        elif " >= " in said or " <= " in said:
            findings.add(at, "out_of_range", _outside, value, kind)
        else:
            findings.add(at, "wrong_value", _unusable, said, kind)


def _unknown(name: str, fields: dict[str, Any]) -> str:
    near = get_close_matches(name[:40], fields, n=1)
    hint = f", perhaps {near[0]!r} is meant" if near else ""
    return f"is not known{hint}; the fields are: {', '.join(sorted(fields))}"


def _missing(kind: Any) -> str:
    return f"is missing{_expected(kind)}"


def _mistyped(value: Any, kind: Any) -> str:
    return f"is {_called(value)}{_expected(kind)}"


def _outside(value: Any, kind: Any) -> str:
    if isinstance(value, int | float):
        extent = str(value) if abs(value) < 1 << 63 else "the number"
    else:
        extent = f"a length of {len(value)}"
    return f"{extent} is out of range{_expected(kind)}"


def _unusable(said: str, kind: Any) -> str:
    return f"cannot be used{_expected(kind) or f': {said[:200]}'}"


def _expected(kind: Any) -> str:
    meaning = _meaning(kind)
    return f"; expected: {meaning}" if meaning else ""


def _item_of(kind: Any) -> Any | None:
    """The type of the items when `kind` is a list, annotated or optional."""
    for inner in _branches(kind):
        if get_origin(inner) is list:
            return get_args(inner)[0]
    return None


def _meaning(kind: Any) -> str:
    """The description that the shape gives this field."""
    if metadata := getattr(kind, "__metadata__", None):
        for meta in metadata:
            if isinstance(meta, msgspec.Meta) and meta.description:
                return meta.description
    return next((found for inner in _branches(kind) if inner is not kind and (found := _meaning(inner))), "")


def _branches(kind: Any) -> list[Any]:
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return [inner for arg in get_args(kind) if arg is not NoneType for inner in _branches(arg)]
    if hasattr(kind, "__metadata__"):
        return [kind, *_branches(kind.__origin__)]
    return [kind]


def _called(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int():
            return "an integer"
        case float():
            return "a fraction"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"
