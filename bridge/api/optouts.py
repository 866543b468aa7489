"""/v1/opt-outs: who wants no more texts. People put themselves on the list and off it by a word; a program or the
operator may do it for them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, get, post
from msgspec import Meta

from bridge.api import body, cursor
from bridge.api.body import Head, Shape
from bridge.api.operation import Operation
from bridge.api.parts import Parts
from bridge.api.problems import Refusal
from bridge.api.query import CURSOR, LIMIT, Parameter, Query
from bridge.api.routing import OPERATION, AnyRequest, PartsOf
from bridge.api.shapes import Page, Time, shown_time
from bridge.inbound.optouts import OptOuts
from bridge.model import OptOut, Scope, parse_id, show_id
from bridge.policy import numbers
from bridge.policy.admission import Complaint

__all__ = ["ROUTES", "OptOutIn", "OptOutOut"]

_LIST = "opt-outs"
_FILTERS = (
    Parameter(name="number", description="only of this number", schema={"type": "string"}),
    LIMIT,
    CURSOR,
)


class OptOutIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Without `sender` and `channel` it holds for every text but transactional ones."""

    number: Annotated[str, Meta(description='whose, such as "+48600700800"')]
    sender: Annotated[str | None, Meta(description="a string: only texts with this sender ID")] = None
    channel: Annotated[str | None, Meta(description="a string: only texts that may go by this channel")] = None


class OptOutOut(msgspec.Struct, frozen=True, kw_only=True):
    """`word`: by which the person asked for it, in the message `inbound`; null: it was put down by the operator."""

    id: str
    number: str
    sender: str | None
    channel: str | None
    word: str | None
    inbound: str | None
    created_at: Time


@get(
    "/v1/opt-outs",
    opt={
        OPERATION: Operation(
            summary="List who wants no more texts, newest first",
            scope=Scope.READ,
            answer=Page[OptOutOut],
            query=_FILTERS,
            codes=("bad_parameter",),
        )
    },
)
async def list_opt_outs(request: AnyRequest, parts: PartsOf) -> Page[OptOutOut]:
    query = Query(request.scope["query_string"], _FILTERS)
    number, before, limit = query.number("number", parts.region), query.cursor(_LIST), query.limit()
    query.done()
    found = await parts.store.read(lambda view: view.opt_outs(number=number, before=before, limit=limit + 1))
    page = found[:limit]
    return Page(
        items=[_shown(one) for one in page],
        next=cursor.show(_LIST, page[-1].id) if len(found) > limit else None,
    )


@post(
    "/v1/opt-outs",
    status_code=201,
    opt={
        OPERATION: Operation(
            summary="Put a number on the list",
            description="Answered with 201 also when it is there already.",
            scope=Scope.SEND,
            body=OptOutIn,
            answer=OptOutOut,
            status=201,
            codes=(
                "number_missing",
                "number_not_possible",
                "number_without_country",
                "number_not_valid",
                "unknown_channel",
            ),
        )
    },
)
async def add_opt_out(request: AnyRequest, parts: PartsOf) -> Response[OptOutOut]:
    wanted = _IN.decode(await body.read(Head.of(request.scope["headers"]), request.receive, parts.max_body))
    complaints = []
    number = numbers.normal(wanted.number, parts.region)
    if isinstance(number, numbers.NoNumber):
        complaints.append(Complaint(at="number", code=number.code, detail=number.detail))
        number = ""
    if wanted.channel is not None and wanted.channel not in parts.intake.defaults.channels:
        known = ", ".join(sorted(parts.intake.defaults.channels)) or "none is configured"
        detail = f"there is no channel {wanted.channel!r}; there are: {known}"
        complaints.append(Complaint(at="channel", code="unknown_channel", detail=detail))
    if complaints:
        raise Refusal.of(complaints)
    found, _ = await _list(parts).add(number, sender=wanted.sender or "", channel=wanted.channel or "")
    return Response(_shown(found), status_code=201)


@post(
    "/v1/opt-outs/{id:str}/remove",
    status_code=200,
    opt={
        OPERATION: Operation(
            summary="Take a number off the list",
            scope=Scope.ADMIN,
            answer=OptOutOut,
            codes=("opt_out_not_found",),
        )
    },
)
async def remove_opt_out(request: AnyRequest, parts: PartsOf) -> OptOutOut:
    number = parse_id("opt", request.path_params["id"])
    found = None if number is None else await _list(parts).remove(number)
    if found is None:
        raise Refusal("opt_out_not_found", "no opt-out has this id; see GET /v1/opt-outs")
    return _shown(found)


ROUTES = (list_opt_outs, add_opt_out, remove_opt_out)

_IN = Shape(OptOutIn)


def _list(parts: Parts) -> OptOuts:
    assert parts.opt_outs is not None
    return parts.opt_outs


def _shown(o: OptOut) -> OptOutOut:
    return OptOutOut(
        id=show_id("opt", o.id),
        number=o.number,
        sender=o.sender or None,
        channel=o.channel or None,
        word=o.word or None,
        inbound=None if o.inbound is None else show_id("inb", o.inbound),
        created_at=shown_time(o.created_at),
    )
