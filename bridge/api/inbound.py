"""/v1/inbound: what came in, and the way to answer it. Incoming messages belong to the channel, so every key may read
them; the reference of a message that one answers is shown to its own client only."""

from __future__ import annotations

import msgspec
from litestar import Response, get, post

from bridge.api import body, cursor
from bridge.api.body import Head, Shape
from bridge.api.fast import once_of, take_order
from bridge.api.messages import as_response
from bridge.api.operation import Operation
from bridge.api.orders import ReplyIn, order
from bridge.api.problems import Refusal
from bridge.api.query import CURSOR, LIMIT, Parameter, Query
from bridge.api.routing import OPERATION, AnyRequest, CallerOf, PartsOf
from bridge.api.shapes import InboundOut, MessageOut, Page, inbound_out
from bridge.model import Category, Inbound, Scope, parse_id
from bridge.policy.admission import Complaint
from bridge.policy.replies import peer_of

__all__ = ["ROUTES"]

_LIST = "inbound"
_FILTERS = (
    Parameter(name="sender", description="the sender as shown: a number, or a name", schema={"type": "string"}),
    Parameter(name="channel", description="the channel it came in on", schema={"type": "string"}),
    Parameter(
        name="withheld",
        description="`true`: also those that nobody is told of: silent ones, indications, denied senders",
        schema={"type": "boolean", "default": False},
    ),
    LIMIT,
    CURSOR,
)


@get(
    "/v1/inbound",
    opt={
        OPERATION: Operation(
            summary="List incoming messages, newest first",
            scope=Scope.READ,
            answer=Page[InboundOut],
            query=_FILTERS,
            codes=("bad_parameter",),
        )
    },
)
async def list_inbound(request: AnyRequest, parts: PartsOf, caller: CallerOf) -> Page[InboundOut]:
    query = Query(request.scope["query_string"], _FILTERS)
    sender = query.text("sender")
    if sender is not None and sender.startswith(" "):
        sender = "+" + sender[1:]  # a "+" that was not written %2B
    channel, before, limit = query.text("channel"), query.cursor(_LIST), query.limit()
    withheld = query.flag("withheld")
    query.done()
    found = await parts.store.read(
        lambda view: view.inbounds(before=before, limit=limit + 1, sender=sender, channel=channel, withheld=withheld)
    )
    page = found[:limit]
    return Page(
        items=[inbound_out(one, caller.sees) for one in page],
        next=cursor.show(_LIST, page[-1].id) if len(found) > limit else None,
    )


@get(
    "/v1/inbound/{id:str}",
    opt={
        OPERATION: Operation(
            summary="One incoming message", scope=Scope.READ, answer=InboundOut, codes=("inbound_not_found",)
        )
    },
)
async def get_inbound(request: AnyRequest, parts: PartsOf, caller: CallerOf) -> InboundOut:
    return inbound_out(await _found(request, parts), caller.sees)


@post(
    "/v1/inbound/{id:str}/reply",
    status_code=202,
    opt={
        OPERATION: Operation(
            summary="Answer an incoming message",
            description="An order to its sender, from the SIM or account that it came to: the one that the person "
            "knows. Its category is transactional unless the body says otherwise.",
            scope=Scope.SEND,
            body=ReplyIn,
            answer=MessageOut,
            status=202,
            idempotent=True,
            codes=("inbound_not_found", "not_answerable", "text_too_long", "idempotency_key_reuse", "draining"),
        )
    },
)
async def reply_to_inbound(request: AnyRequest, parts: PartsOf, caller: CallerOf) -> Response[bytes]:
    inbound = await _found(request, parts)
    head = Head.of(request.scope["headers"])
    raw = await body.read(head, request.receive, parts.max_body)
    wanted = _REPLY.decode(raw)
    given = [name for name in ("channel", "route") if getattr(wanted, name) is not None]
    if given:
        detail = "an answer goes from the SIM that the message came to; leave it out, or order a message"
        raise Refusal.of([Complaint(at=name, code="conflict", detail=detail) for name in given])
    channel = parts.line(inbound.sim, inbound.channel)
    if channel is None:
        raise Refusal("not_answerable", f"the SIM that it came to is in no channel now, and {inbound.channel} is gone")
    peer = await _peer(inbound, parts)
    if not peer.lstrip("+").isdecimal():
        raise Refusal("not_answerable", f"{peer[:40]!r} is a name, and a name cannot be written to")
    asked = msgspec.structs.replace(
        order(wanted, peer, caller.name), channel=channel, category=wanted.category or Category.TRANSACTIONAL
    )
    return as_response(await take_order(parts, caller, asked, once_of(head, str(request.scope["path"]), raw)))


ROUTES = (list_inbound, get_inbound, reply_to_inbound)

_REPLY = Shape(ReplyIn)


async def _peer(inbound: Inbound, parts: PartsOf) -> str:
    """As the conversation has it: it may know the country of a number that came without."""
    id = inbound.conversation
    conversation = None if id is None else await parts.store.read(lambda view: view.conversation(id))
    return peer_of(inbound.sender, parts.region) if conversation is None else conversation.peer


async def _found(request: AnyRequest, parts: PartsOf) -> Inbound:
    number = parse_id("inb", request.path_params["id"])
    found = None if number is None else await parts.store.read(lambda view: view.inbound(number))
    if found is None:
        raise Refusal("inbound_not_found", "no incoming message has this id; see GET /v1/inbound")
    return found
