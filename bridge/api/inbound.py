"""/v1/inbound: what came in. Incoming messages belong to the channel, so every key may read them."""

from __future__ import annotations

from litestar import get

from bridge.api import cursor
from bridge.api.operation import Operation
from bridge.api.problems import Refusal
from bridge.api.query import CURSOR, LIMIT, Parameter, Query
from bridge.api.routing import OPERATION, AnyRequest, PartsOf
from bridge.api.shapes import InboundOut, Page, inbound_out
from bridge.model import Scope, parse_id

__all__ = ["ROUTES"]

_LIST = "inbound"
_FILTERS = (
    Parameter(name="sender", description="the sender as shown: a number, or a name", schema={"type": "string"}),
    Parameter(name="channel", description="the channel it came in on", schema={"type": "string"}),
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
async def list_inbound(request: AnyRequest, parts: PartsOf) -> Page[InboundOut]:
    query = Query(request.scope["query_string"], _FILTERS)
    sender = query.text("sender")
    if sender is not None and sender.startswith(" "):
        sender = "+" + sender[1:]  # a "+" that was not written %2B
    channel, before, limit = query.text("channel"), query.cursor(_LIST), query.limit()
    query.done()
    found = await parts.store.read(
        lambda view: view.inbounds(before=before, limit=limit + 1, sender=sender, channel=channel)
    )
    page = found[:limit]
    return Page(
        items=[inbound_out(one) for one in page],
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
async def get_inbound(request: AnyRequest, parts: PartsOf) -> InboundOut:
    number = parse_id("inb", request.path_params["id"])
    found = None if number is None else await parts.store.read(lambda view: view.inbound(number))
    if found is None:
        raise Refusal("inbound_not_found", "no incoming message has this id; see GET /v1/inbound")
    return inbound_out(found)


ROUTES = (list_inbound, get_inbound)
