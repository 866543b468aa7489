"""/v1/channels/{id}/ussd: what a SIM and its network say to each other in words: balances, top-ups, menus."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from litestar import delete, post
from msgspec import Meta

from bridge.api import body
from bridge.api.body import Head, Shape
from bridge.api.channels import no_channel
from bridge.api.operation import Operation
from bridge.api.parts import Parts
from bridge.api.problems import Refusal
from bridge.api.routing import OPERATION, AnyRequest, PartsOf
from bridge.model import Scope
from drivers.contract import Ussd, UssdFailed

__all__ = ["ROUTES", "UssdIn", "UssdOut"]

LONGEST = 120  # seconds a network may take

Said = Annotated[str, Meta(min_length=1, max_length=60)]


class UssdIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the two. `code` begins a session, `reply` goes on in the open one. `within`: the network's time."""

    code: Annotated[Said | None, Meta(description='a string such as "*100#"')] = None
    reply: Annotated[Said | None, Meta(description='a string such as "1"')] = None
    within: Annotated[int, Meta(ge=1, le=LONGEST, description=f"seconds, 1 to {LONGEST}")] = LONGEST


class UssdState(StrEnum):
    WAITS = "waits"  # the network wants a reply
    ENDED = "ended"


class UssdOut(msgspec.Struct, frozen=True, kw_only=True):
    """What the network said. `state`: it "waits" for a `reply`, for 30 seconds, or has "ended"."""

    channel: str
    text: str
    state: UssdState


@post(
    "/v1/channels/{id:str}/ussd",
    status_code=200,
    opt={
        OPERATION: Operation(
            summary="Say something to the SIM's network by USSD",
            description="Answers when the network has answered. Texts go on meanwhile. Some operators charge for it.",
            scope=Scope.ADMIN,
            body=UssdIn,
            answer=UssdOut,
            codes=(
                "channel_not_found",
                "not_offered",
                "conflict",
                "ussd_open",
                "ussd_not_open",
                "ussd_not_possible",
                "ussd_failed",
                "channel_down",
                "ussd_no_answer",
            ),
        )
    },
)
async def post_ussd(request: AnyRequest, parts: PartsOf) -> UssdOut:
    id, carrier = await _carrier(request, parts)
    given = _USSD.decode(await body.read(Head.of(request.scope["headers"]), request.receive, parts.max_body))
    text = given.code or given.reply
    if text is None or (given.code and given.reply):
        raise Refusal("conflict", "give either code, to begin, or reply, to answer what the network asked")
    try:
        answer = await carrier.ussd(text, given.within, reply=given.code is None)
    except UssdFailed as failure:
        raise _refusal(failure) from None
    return UssdOut(channel=id, text=answer.text, state=UssdState.WAITS if answer.waits else UssdState.ENDED)


@delete(
    "/v1/channels/{id:str}/ussd",
    status_code=200,
    opt={
        OPERATION: Operation(
            summary="End the USSD session",
            description="Also when there is none.",
            scope=Scope.ADMIN,
            answer=UssdOut,
            codes=("channel_not_found", "not_offered", "channel_down"),
        )
    },
)
async def delete_ussd(request: AnyRequest, parts: PartsOf) -> UssdOut:
    id, carrier = await _carrier(request, parts)
    try:
        await carrier.end_ussd()
    except UssdFailed as failure:
        raise _refusal(failure) from None
    return UssdOut(channel=id, text="", state=UssdState.ENDED)


ROUTES = (post_ussd, delete_ussd)

_USSD = Shape(UssdIn)
_PROBLEMS = {
    "link_down": "channel_down",
    "bad_text": "ussd_not_possible",
    "session_open": "ussd_open",
    "elsewhere": "ussd_open",
    "no_session": "ussd_not_open",
    "no_answer": "ussd_no_answer",
    "network_timeout": "ussd_no_answer",
}


async def _carrier(request: AnyRequest, parts: Parts) -> tuple[str, Ussd]:
    id: str = request.path_params["id"]
    carrier = parts.ussd(id)
    if carrier is not None:
        return id, carrier
    channels = await parts.channels()
    if all(one.id != id for one in channels):
        raise no_channel(id, channels)
    raise Refusal("not_offered", f"channel {id} is a provider's account; only a modem with its SIM knows USSD")


def _refusal(failure: UssdFailed) -> Refusal:
    return Refusal(_PROBLEMS.get(failure.code, "ussd_failed"), failure.detail)
