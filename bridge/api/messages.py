"""/v1/messages: order, list, look at, cancel and preview."""

from __future__ import annotations

import msgspec
from litestar import Response, get, post

from bridge.api import body, cursor
from bridge.api.body import Head, Shape
from bridge.api.fast import MESSAGES, lean_routes
from bridge.api.operation import Operation
from bridge.api.orders import OrderIn, PreviewIn, order
from bridge.api.problems import Answer, Refusal
from bridge.api.query import CURSOR, LIMIT, Parameter, Query
from bridge.api.routing import OPERATION, AnyRequest, CallerOf, PartsOf
from bridge.api.shapes import SCHEDULED, MessageOut, Page, gsm_of, message_out, shown_status
from bridge.api.story import MessageDetail, message_detail
from bridge.model import Attempt, EventRow, Instant, Message, Scope, Status, parse_id
from bridge.outbound.intake import NotCancellable
from bridge.policy import numbers
from bridge.policy.admission import Complaint, Rejected
from bridge.store import MessageFilter, View
from drivers.contract import Encoding
from drivers.gsm.segments import Plan

__all__ = ["ROUTES", "Preview", "as_response"]

_LIST = "messages"
_WORDS = (SCHEDULED, *(s.value for s in Status))
_LOOKS = 20  # queries for one page when scheduled messages are told from queued ones


_FILTERS = (
    Parameter(
        name="status",
        description=f"one or several, separated by commas: {', '.join(_WORDS)}",
        schema={"type": "array", "items": {"type": "string", "enum": list(_WORDS)}},
    ),
    Parameter(name="to", description="the recipient's number", schema={"type": "string"}),
    Parameter(name="ref", description="your own reference", schema={"type": "string"}),
    Parameter(name="batch", description="id of a batch", schema={"type": "string"}),
    Parameter(
        name="since", description="ordered at or after this time", schema={"type": "string", "format": "date-time"}
    ),
    Parameter(name="until", description="ordered before this time", schema={"type": "string", "format": "date-time"}),
    LIMIT,
    CURSOR,
)


class Forced(msgspec.Struct, frozen=True, kw_only=True):
    """The first character that GSM 7-bit lacks, and its index in the text."""

    character: str
    index: int


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """`units`: septets, UTF-16 code units or octets that the content takes; `units_left`: free in the last part.
    `forced_by`: what forces UCS-2; null when nothing does."""

    to: str | None
    encoding: Encoding
    part_count: int
    units: int
    units_left: int
    forced_by: Forced | None


@post(
    MESSAGES,
    status_code=202,
    opt={
        OPERATION: Operation(
            summary="Order one message",
            description="Answered when the order is on disk. `Location` is the message's address.",
            scope=Scope.SEND,
            body=OrderIn,
            answer=MessageOut,
            status=202,
            idempotent=True,
            codes=("text_too_long", "number_not_valid", "idempotency_key_reuse", "draining", "disk_full"),
        )
    },
)
async def post_message(request: AnyRequest, parts: PartsOf, caller: CallerOf) -> Response[bytes]:
    return as_response(await lean_routes(parts)[MESSAGES](request.scope, request.receive, caller))


@get(
    MESSAGES,
    opt={
        OPERATION: Operation(
            summary="List messages, newest first",
            description="A key sees what was ordered with it; an admin key sees everything.",
            scope=Scope.READ,
            answer=Page[MessageOut],
            query=_FILTERS,
            codes=("bad_parameter",),
        )
    },
)
async def list_messages(request: AnyRequest, parts: PartsOf, caller: CallerOf) -> Page[MessageOut]:
    query = Query(request.scope["query_string"], _FILTERS)
    words = _statuses(query)
    wanted = MessageFilter(
        client=caller.sees,
        statuses=tuple(dict.fromkeys(Status.QUEUED if word == SCHEDULED else Status(word) for word in words)),
        to=query.number("to", parts.region),
        ref=query.text("ref"),
        batch=query.id("batch", "bat"),
        before=query.cursor(_LIST),
        since=query.time("since"),
        until=query.time("until"),
        limit=query.limit(),
    )
    query.done()
    now = parts.now()
    found, following = await parts.store.read(lambda view: _page(view, wanted, frozenset(words), now))
    return Page(
        items=[message_out(message, now) for message in found],
        next=None if following is None else cursor.show(_LIST, following),
    )


@get(
    f"{MESSAGES}/{{id:str}}",
    opt={
        OPERATION: Operation(
            summary="One message with its parts, attempts and history",
            scope=Scope.READ,
            answer=MessageDetail,
            codes=("message_not_found",),
        )
    },
)
async def get_message(request: AnyRequest, parts: PartsOf, caller: CallerOf) -> MessageDetail:
    number = _number(request)

    def look(view: View) -> tuple[Message, list[Attempt], list[EventRow]] | None:
        message = view.message(number)
        if message is None or caller.sees not in (None, message.client):
            return None
        return message, view.attempts(number), view.history(number)

    found = await parts.store.read(look)
    if found is None:
        raise _no_message()
    return message_detail(*found, parts.now())


@post(
    f"{MESSAGES}/{{id:str}}/cancel",
    status_code=200,
    opt={
        OPERATION: Operation(
            summary="Cancel a message",
            description="Possible until its first part is handed to a channel; and after that while a provider has it "
            "that can delete what it has not sent, which is asked. Cancelling twice is no mistake.",
            scope=Scope.SEND,
            answer=MessageOut,
            codes=("message_not_found", "not_cancellable"),
        )
    },
)
async def cancel_message(request: AnyRequest, parts: PartsOf, caller: CallerOf) -> MessageOut:
    number = _number(request)
    try:
        message = await _cancelled(number, parts, caller)
    except NotCancellable as error:
        attempts = await parts.store.read(lambda view: view.attempts(number))
        gsm = next((said for attempt in reversed(attempts) if (said := gsm_of(attempt)) is not None), None)
        raise Refusal("not_cancellable", str(error), gsm=gsm) from None
    if message is None:
        raise _no_message()
    return message_out(message, parts.now())


async def _cancelled(number: int, parts: PartsOf, caller: CallerOf) -> Message | None:
    try:
        return await parts.intake.cancel(number, caller.sees)
    except NotCancellable as error:
        if parts.take_back is None:
            raise
        return await parts.take_back(error.message)


@post(
    f"{MESSAGES}/preview",
    status_code=200,
    opt={
        OPERATION: Operation(
            summary="Measure a message without sending it",
            description="Encoding, number of parts, what is left in the last one, and which character forces UCS-2.",
            scope=Scope.READ,
            body=PreviewIn,
            answer=Preview,
            codes=("text_too_long", "content_not_possible", "number_not_valid"),
        )
    },
)
async def preview_message(request: AnyRequest, parts: PartsOf) -> Preview:
    wanted = _PREVIEW.decode(await body.read(Head.of(request.scope["headers"]), request.receive, parts.max_body))
    complaints: list[Complaint] = []
    to: str | None = None
    if wanted.to is not None:
        number = numbers.normal(wanted.to, parts.region)
        if isinstance(number, numbers.NoNumber):
            complaints.append(Complaint(at="to", code=number.code, detail=number.detail))
        else:
            to = number
    try:
        content = parts.intake.preview(order(wanted, to or ""))
    except Rejected as error:
        raise Rejected([*complaints, *error.complaints]) from None
    if complaints:
        raise Rejected(complaints)
    return _preview(to, content.plan)


ROUTES = (post_message, list_messages, get_message, cancel_message, preview_message)


def as_response(answer: Answer) -> Response[bytes]:
    """The answer of a lean route, given through Litestar."""
    return Response(
        content=answer.body,
        status_code=answer.status,
        headers={name.decode(): value.decode() for name, value in answer.headers if name != b"content-length"},
        media_type="application/json",
    )


_PREVIEW = Shape(PreviewIn)


def _number(request: AnyRequest) -> int:
    number = parse_id("msg", request.path_params["id"])
    if number is None:
        raise _no_message()
    return number


def _no_message() -> Refusal:
    return Refusal("message_not_found", "no message of yours has this id; see GET /v1/messages")


def _statuses(query: Query) -> list[str]:
    words = query.words("status")
    for word in words:
        if word not in _WORDS:
            query.complain("status", f"{word[:40]!r} is no status; there are: {', '.join(_WORDS)}")
    return [word for word in words if word in _WORDS]


def _page(view: View, wanted: MessageFilter, words: frozenset[str], now: Instant) -> tuple[list[Message], int | None]:
    """One page, and the id behind which the next one begins. The store does not tell scheduled from queued, so what is
    not wanted is left out here, in a bounded number of looks."""
    told_apart = (SCHEDULED in words) != (Status.QUEUED in words)
    page: list[Message] = []
    before = wanted.before
    size = wanted.limit + 1
    for _ in range(_LOOKS):
        found = view.messages(msgspec.structs.replace(wanted, before=before, limit=size))
        for message in found:
            if told_apart and shown_status(message, now) not in words:
                continue
            if len(page) == wanted.limit:
                return page, page[-1].id
            page.append(message)
        if len(found) < size:
            return page, None
        before = found[-1].id
    return page, before


def _preview(to: str | None, plan: Plan) -> Preview:
    return Preview(
        to=to,
        encoding=plan.encoding,
        part_count=plan.parts,
        units=plan.units,
        units_left=plan.left,
        forced_by=Forced(character=plan.forced_by, index=plan.forced_at) if plan.forced_by else None,
    )
