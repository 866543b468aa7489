"""PATCH /v1/messages/{id}: change a message that waits."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from litestar import patch
from msgspec import Meta

from bridge.api import body
from bridge.api.body import Head, Shape
from bridge.api.fast import MESSAGES
from bridge.api.operation import Operation
from bridge.api.orders import Options, order
from bridge.api.problems import Refusal
from bridge.api.routing import OPERATION, AnyRequest, CallerOf, PartsOf
from bridge.api.shapes import MessageOut, message_out
from bridge.model import Scope, parse_id
from bridge.policy.revision import Change

__all__ = ["ROUTES", "ChangeIn"]


class ChangeIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be different. null and absent leave it as it is; an empty list of windows takes the message's own
    away."""

    text: Annotated[str | None, Meta(description="a string: the new text")] = None
    encoding: Annotated[Literal["auto", "gsm7", "ucs2"] | None, Meta(description="of the text, as in an order")] = None
    route: Annotated[str | None, Meta(description="a string: the route to take from now on")] = None
    channel: Annotated[str | None, Meta(description="a string: the only channel that may send it from now on")] = None
    priority: Annotated[Annotated[int, Meta(ge=-128, le=127)] | None, Meta(description="-128..127")] = None
    send_at: Annotated[datetime | None, Meta(description="a time, as in an order: not sent before")] = None
    time: Annotated[
        Annotated[str, Meta(max_length=64)] | None, Meta(description="a string in place of send_at, as in an order")
    ] = None
    tz: Annotated[
        Annotated[str, Meta(max_length=64)] | int | float | None, Meta(description="the zone of these, as in an order")
    ] = None
    windows: Annotated[
        Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(max_length=20)] | None,
        Meta(description="an array of hours in place of the message's own"),
    ] = None
    on_quiet: Annotated[Literal["refuse", "expire"] | None, Meta(description="as in an order")] = None
    valid_for: Annotated[
        Annotated[int, Meta(ge=0, le=2**31)] | None, Meta(description="seconds from its time on, as in an order")
    ] = None
    expires_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="a time with its zone, as in an order")
    ] = None


@patch(
    f"{MESSAGES}/{{id:str}}",
    opt={
        OPERATION: Operation(
            summary="Change a message that waits",
            description=(
                "Time, hours, validity, text, route or channel, priority, until its first part is handed to a channel. "
                "Changing it to what it is already is no mistake."
            ),
            scope=Scope.SEND,
            body=ChangeIn,
            answer=MessageOut,
            codes=("message_not_found", "not_changeable", "text_too_long", "out_of_range"),
        )
    },
)
async def patch_message(request: AnyRequest, parts: PartsOf, caller: CallerOf) -> MessageOut:
    given = _CHANGE.decode(await body.read(Head.of(request.scope["headers"]), request.receive, parts.max_body))
    number = parse_id("msg", request.path_params["id"])
    message = None if number is None else await parts.intake.change(number, caller.sees, _change(given))
    if message is None:
        raise Refusal("message_not_found", "no message of yours has this id; see GET /v1/messages")
    return message_out(message, parts.now())


ROUTES = (patch_message,)

_CHANGE = Shape(ChangeIn)
_NAMES = ChangeIn.__struct_fields__


def _change(given: ChangeIn) -> Change:
    values = {name: value for name in _NAMES if (value := getattr(given, name)) is not None}
    wish = order(Options(**values), "")
    named = frozenset(values) | ({"local"} if wish.local is not None else frozenset())
    return Change(wish=wish, given=named)
