"""Orders in: the two routes that thousands of messages a second pass. They know ASGI and msgspec and nothing between:
one pass over the headers, one decoding, one encoding."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any, TypeAlias

import msgspec

from bridge.api import body
from bridge.api.auth import Caller, require
from bridge.api.body import Head, Shape
from bridge.api.orders import BatchIn, OrderIn, batch_orders, order, spread_of
from bridge.api.parts import Parts
from bridge.api.problems import Answer, Refusal
from bridge.api.shapes import batch_accepted, message_out
from bridge.model import Batch, Message, Scope
from bridge.outbound.intake import Accepted, Closed, Once
from bridge.policy import numbers
from bridge.policy.admission import Complaint, Order, Rejected, admit
from bridge.store import View

__all__ = ["BATCHES", "MESSAGES", "Lean", "lean_routes", "once_of", "take_order"]

Receive: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]
Lean: TypeAlias = Callable[[Any, Receive, Caller], Awaitable[Answer]]  # ASGI scope, receive, caller

MESSAGES = "/v1/messages"
BATCHES = "/v1/batches"

_ONE = Shape(OrderIn)
_MANY = Shape(BatchIn)
_LONGEST_KEY = 255
_encode = msgspec.json.Encoder().encode


class _Identified(msgspec.Struct):
    id: str


_identify = msgspec.json.Decoder(_Identified).decode


def lean_routes(parts: Parts) -> dict[str, Lean]:
    """POST handlers by path."""

    async def post_message(scope: Any, receive: Receive, caller: Caller) -> Answer:
        require(caller, Scope.SEND)
        head = Head.of(scope["headers"])
        raw = await body.read(head, receive, parts.max_body)
        wanted = _ONE.decode(raw)
        asked = order(wanted, wanted.to, caller.name)
        return await take_order(parts, caller, asked, once_of(head, MESSAGES, raw))

    async def post_batch(scope: Any, receive: Receive, caller: Caller) -> Answer:
        require(caller, Scope.SEND)
        head = Head.of(scope["headers"])
        raw = await body.read(head, receive, parts.max_body)
        batch = _MANY.decode(raw, before=lambda plain: _count_plain(plain, parts.max_recipients))
        _one_form(batch, parts.max_recipients)
        once = once_of(head, BATCHES, raw)
        try:
            orders = batch_orders(batch, caller.name)
            if batch.to is not None:
                _check_shared(parts, orders, caller.hours)
            accepted = await parts.intake.accept_batch(
                orders,
                caller.client,
                render=_render_batch,
                once=once,
                ref=batch.ref,
                hours=caller.hours,
                spread=spread_of(batch),
            )
        except Rejected as error:
            refused = error if batch.to is None else _shared_places(error)
            accepted = await _given_before(parts, caller, once, refused)
        except Closed as error:
            accepted = await _given_before(parts, caller, once, error)
        return _accepted(BATCHES, accepted)

    return {MESSAGES: post_message, BATCHES: post_batch}


async def take_order(parts: Parts, caller: Caller, wanted: Order, once: Once | None) -> Answer:
    """Accept one order and answer it."""
    try:
        accepted = await parts.intake.accept(
            wanted, caller.client, render=_render_message, once=once, hours=caller.hours
        )
    except (Rejected, Closed) as error:
        accepted = await _given_before(parts, caller, once, error)
    return _accepted(MESSAGES, accepted)


# --- Answers ----------------------------------------------------------------------------------------------------------


def _render_message(message: Message) -> bytes:
    return _encode(message_out(message, message.created_at))


def _render_batch(batch: Batch, messages: list[Message]) -> bytes:
    return _encode(batch_accepted(batch, messages))


def _accepted(path: str, accepted: Accepted) -> Answer:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(accepted.answer)),
        (b"location", f"{path}/{_identify(accepted.answer).id}".encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    if accepted.replayed:
        headers.append((b"idempotent-replay", b"true"))
    return Answer(202, headers, accepted.answer)


# --- Idempotency ------------------------------------------------------------------------------------------------------


def once_of(head: Head, path: str, raw: bytes) -> Once | None:
    """The canonical request is the path and the JSON with its keys sorted: spaces and order of fields do not matter."""
    key = head.idempotency_key
    if key is None:
        return None
    if not 1 <= len(key) <= _LONGEST_KEY or not all("!" <= letter <= "~" for letter in key):
        raise Refusal("bad_idempotency_key", f"an idempotency key has 1 to {_LONGEST_KEY} visible ASCII characters")
    canonical = msgspec.json.encode(msgspec.json.decode(raw), order="sorted")
    return Once(key=key, request=path.encode() + b"\n" + canonical)


async def _given_before(parts: Parts, caller: Caller, once: Once | None, error: Exception) -> Accepted:
    """An order that was taken once gets its first answer again, even when it could not be taken now: its time has
    passed, or the service is stopping. Else the error stands."""
    if once is None:
        raise error
    key, digest = once.key, sha256(once.request).digest()

    def first(view: View) -> bytes | None:
        earlier = view.idempotent(caller.client, key)
        return earlier.answer if earlier is not None and earlier.digest == digest else None

    answer = await parts.store.read(first)
    if answer is None:
        raise error
    return Accepted(answer=answer, replayed=True)


# --- Batches ----------------------------------------------------------------------------------------------------------


def _too_many(count: int, most: int) -> Refusal:
    return Refusal(
        "too_many_recipients", f"{count} recipients in one request, the limit is {most}; split it into several batches"
    )


def _count_plain(plain: Any, most: int) -> None:
    """Too many is said before anything else is looked at."""
    if isinstance(plain, dict):
        for name in ("to", "messages"):
            items = plain.get(name)
            if isinstance(items, list) and len(items) > most:
                raise _too_many(len(items), most)


def _one_form(batch: BatchIn, most: int) -> None:
    if batch.to is not None and batch.messages is not None:
        detail = 'give "to" (one message to many) or "messages" (each with its own fields), not both'
        raise Refusal.of([Complaint(at="messages", code="conflict", detail=detail)])
    at, items = ("to", batch.to) if batch.messages is None else ("messages", batch.messages)
    if items is None:
        detail = 'is missing; give "to", an array of recipients, or "messages", an array of messages'
        raise Refusal.of([Complaint(at="to", code="missing_field", detail=detail)])
    if not items:
        raise Refusal.of([Complaint(at=at, code="empty_batch", detail="is empty; give at least one")])
    if len(items) > most:
        raise _too_many(len(items), most)


def _check_shared(parts: Parts, orders: list[Order], hours: str | None) -> None:
    """What is wrong with a shared message is wrong once, not 10,000 times: look at it before all recipients are."""
    try:
        admit(orders[0], parts.intake.defaults, id=0, client=0, now=parts.now(), hours=hours)
    except Rejected as error:
        found = [c for c in error.complaints if c.at != "to"]
        if not found:
            return
        for index, one in enumerate(orders):
            number = numbers.normal(one.to, parts.region)
            if isinstance(number, numbers.NoNumber):
                found.append(Complaint(at=f"messages[{index}].to", code=number.code, detail=number.detail))
        raise Rejected(found) from None


def _shared_places(error: Rejected) -> Rejected:
    """`messages[3].to` is `to[3]` for the client that gave one array of recipients."""
    return Rejected(
        [Complaint(at=_SHARED.sub(r"to[\1]", c.at), code=c.code, detail=c.detail) for c in error.complaints]
    )


_SHARED = re.compile(r"^messages\[(\d+)\]\.to$")
