"""/v1/calls: who called a SIM. Nobody answers; every key may see it, as with incoming messages."""

from __future__ import annotations

import msgspec
from litestar import get

from bridge.api import cursor
from bridge.api.operation import Operation
from bridge.api.query import CURSOR, LIMIT, Parameter, Query
from bridge.api.routing import OPERATION, AnyRequest, PartsOf
from bridge.api.shapes import Page, Time, shown_time
from bridge.model import CallRow, Scope, show_id

__all__ = ["ROUTES", "CallOut"]

_LIST = "calls"
_FILTERS = (
    Parameter(name="caller", description="the caller's number as shown", schema={"type": "string"}),
    Parameter(name="channel", description="the channel that was called", schema={"type": "string"}),
    LIMIT,
    CURSOR,
)


class CallOut(msgspec.Struct, frozen=True, kw_only=True):
    """A missed call. `caller`: null where the number was withheld. `hung_up`: it was ended by us."""

    id: str
    channel: str
    sim: str
    caller: str | None
    at: Time
    rings: int
    hung_up: bool


@get(
    "/v1/calls",
    opt={
        OPERATION: Operation(
            summary="List missed calls, newest first",
            scope=Scope.READ,
            answer=Page[CallOut],
            query=_FILTERS,
            codes=("bad_parameter",),
        )
    },
)
async def list_calls(request: AnyRequest, parts: PartsOf) -> Page[CallOut]:
    query = Query(request.scope["query_string"], _FILTERS)
    caller, channel = query.text("caller"), query.text("channel")
    if caller is not None and caller.startswith(" "):
        caller = "+" + caller[1:]  # a "+" that was not written %2B
    before, limit = query.cursor(_LIST), query.limit()
    query.done()
    found = await parts.store.read(
        lambda view: view.calls(before=before, limit=limit + 1, channel=channel, caller=caller)
    )
    page = found[:limit]
    return Page(
        items=[_shown(one) for one in page],
        next=cursor.show(_LIST, page[-1].id) if len(found) > limit else None,
    )


ROUTES = (list_calls,)


def _shown(c: CallRow) -> CallOut:
    return CallOut(
        id=show_id("cal", c.id),
        channel=c.channel,
        sim=c.sim,
        caller=c.caller or None,
        at=shown_time(c.at),
        rings=c.rings,
        hung_up=c.hung_up,
    )
