"""/v1/routes/test: where a message would go now, and why."""

from __future__ import annotations

import msgspec
from litestar import post

from bridge.api import body
from bridge.api.body import Head, Shape
from bridge.api.operation import Operation
from bridge.api.orders import OrderIn, order
from bridge.api.problems import Refusal
from bridge.api.routing import OPERATION, AnyRequest, PartsOf
from bridge.model import Kind, Scope
from bridge.policy import numbers
from bridge.policy.admission import Complaint, Rejected

__all__ = ["ROUTES", "RouteOut", "WayOut"]


class WayOut(msgspec.Struct, frozen=True, kw_only=True):
    """A channel and why it is taken, or why not. `tier`: the lower ones are used up first; null for those not taken."""

    channel: str
    tier: int | None
    reason: str


class RouteOut(msgspec.Struct, frozen=True, kw_only=True):
    """`candidates`: best first. `route`: null where the order names the channel."""

    route: str | None
    candidates: list[WayOut]
    refusals: list[WayOut]


@post(
    "/v1/routes/test",
    status_code=200,
    opt={
        OPERATION: Operation(
            summary="Where a message would go, and why",
            description="The body is an order; the text may be left out. Nothing is stored or sent.",
            scope=Scope.READ,
            body=OrderIn,
            answer=RouteOut,
            codes=("number_not_valid", "unknown_channel", "unknown_route", "not_ready"),
        )
    },
)
async def post_test(request: AnyRequest, parts: PartsOf) -> RouteOut:
    wanted = _ORDER.decode(await body.read(Head.of(request.scope["headers"]), request.receive, parts.max_body))
    if parts.route is None:
        raise Refusal("not_ready", "there is no routing here")
    number = numbers.normal(wanted.to, parts.region)
    if isinstance(number, numbers.NoNumber):
        raise Rejected([Complaint(at="to", code=number.code, detail=number.detail)])
    if wanted.text is None and wanted.kind in (None, Kind.TEXT, Kind.VOICE):
        wanted = msgspec.structs.replace(wanted, text="")
    found = await parts.route(order(wanted, number))
    return RouteOut(
        route=found.route,
        candidates=[WayOut(channel=c.channel, tier=c.tier, reason=c.reason) for c in found.candidates],
        refusals=[WayOut(channel=c.channel, tier=None, reason=c.reason) for c in found.refusals],
    )


ROUTES = (post_test,)

_ORDER = Shape(OrderIn)
