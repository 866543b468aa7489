"""/v1/conversations: who has written to us, and what was said on both sides.

Like incoming messages they belong to the channel, so every key may read them; of the outgoing messages in one a key
sees its own.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from litestar import get

from bridge.api import cursor
from bridge.api.operation import Operation
from bridge.api.problems import Refusal
from bridge.api.query import CURSOR, LIMIT, Parameter, Query
from bridge.api.routing import OPERATION, AnyRequest, CallerOf, PartsOf
from bridge.api.shapes import InboundOut, MessageOut, Page, Time, inbound_out, message_out, shown_time
from bridge.inbound.replies import lately
from bridge.model import Conversation, Inbound, Instant, Message, Scope, parse_id, show_id
from bridge.policy.replies import same_number
from bridge.store import View

__all__ = ["ROUTES", "ConversationDetail", "ConversationOut", "Turn"]

_LIST, _THREAD = "conversations", "thread"
_FILTERS = (
    Parameter(name="channel", description="the channel something came in by last", schema={"type": "string"}),
    Parameter(name="peer", description="the other side: a number, or a name", schema={"type": "string"}),
    LIMIT,
    CURSOR,
)


class ConversationOut(msgspec.Struct, frozen=True, kw_only=True):
    """What passes between a SIM, or an account, and a person who has written to it. `received`: messages from them."""

    id: str
    channel: str
    sim: str
    peer: str
    started_at: Time
    last_at: Time
    received: int


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a conversation: `inbound` when it came in, `message` when we sent it."""

    direction: Literal["in", "out"]
    at: Time
    inbound: InboundOut | None = None
    message: MessageOut | None = None


class ConversationDetail(ConversationOut, frozen=True, kw_only=True):
    """`items`: what was said on both sides, newest first; `next`: cursor of the page behind it."""

    items: list[Turn]
    next: str | None = None


@get(
    "/v1/conversations",
    opt={
        OPERATION: Operation(
            summary="List conversations, the one in which something came in last first",
            scope=Scope.READ,
            answer=Page[ConversationOut],
            query=_FILTERS,
            codes=("bad_parameter",),
        )
    },
)
async def list_conversations(request: AnyRequest, parts: PartsOf) -> Page[ConversationOut]:
    query = Query(request.scope["query_string"], _FILTERS)
    channel, peer = query.text("channel"), query.text("peer")
    if peer is not None and peer.startswith(" "):
        peer = "+" + peer[1:]  # a "+" that was not written %2B
    before, limit = query.cursor(_LIST), query.limit()
    query.done()
    found = await parts.store.read(
        lambda view: view.conversations(before=before, limit=limit + 1, channel=channel, peer=peer)
    )
    page = found[:limit]
    return Page(
        items=[_shown(one) for one in page],
        next=cursor.show(_LIST, page[-1].last) if len(found) > limit else None,
    )


@get(
    "/v1/conversations/{id:str}",
    opt={
        OPERATION: Operation(
            summary="One conversation with what was said, newest first",
            scope=Scope.READ,
            answer=ConversationDetail,
            query=(LIMIT, CURSOR),
            codes=("conversation_not_found", "bad_parameter"),
        )
    },
)
async def get_conversation(request: AnyRequest, parts: PartsOf, caller: CallerOf) -> ConversationDetail:
    query = Query(request.scope["query_string"], (LIMIT, CURSOR))
    before, limit = query.cursor(_THREAD), query.limit()
    query.done()
    number, now = parse_id("cnv", request.path_params["id"]), parts.now()

    def look(view: View) -> tuple[Conversation, list[Inbound | Message], int | None] | None:
        conversation = None if number is None else view.conversation(number)
        if conversation is None:
            return None
        found = _thread(view, conversation, before, limit, now, parts.reply_window, parts.region)
        return conversation, found[:limit], found[limit - 1].id if len(found) > limit else None

    found = await parts.store.read(look)
    if found is None:
        raise Refusal("conversation_not_found", "no conversation has this id; see GET /v1/conversations")
    conversation, said, following = found
    mine = [one for one in said if isinstance(one, Inbound) or caller.sees in (None, one.client)]
    return ConversationDetail(
        **msgspec.structs.asdict(_shown(conversation)),
        items=[_turn(one, caller.sees, now) for one in mine],
        next=None if following is None else cursor.show(_THREAD, following),
    )


ROUTES = (list_conversations, get_conversation)


def _thread(
    view: View,
    conversation: Conversation,
    before: int | None,
    limit: int,
    now: Instant,
    window: int,
    region: str | None,
) -> list[Inbound | Message]:
    """One more than `limit` of both sides, newest first. Identifiers grow with time on both."""
    heard = view.heard(conversation.id, before, limit + 1)
    said = set(view.said(conversation.id, before, limit + 1))
    # What was sent a moment ago is not put down in the conversation yet.
    fresh = lately(view, conversation.peer, now, window)
    said.update(s.message for s in fresh if s.sim == conversation.sim and (before is None or s.message < before))
    newest = sorted(said, reverse=True)[: limit + 1]
    messages = [m for m in map(view.message, newest) if m is not None and same_number(m.to, conversation.peer, region)]
    both: list[Inbound | Message] = [*heard, *messages]
    return sorted(both, key=lambda one: -one.id)[: limit + 1]


def _shown(c: Conversation) -> ConversationOut:
    return ConversationOut(
        id=show_id("cnv", c.id),
        channel=c.channel,
        sim=c.sim,
        peer=c.peer,
        started_at=shown_time(c.started_at),
        last_at=shown_time(c.last_at),
        received=c.received,
    )


def _turn(one: Inbound | Message, sees: int | None, now: Instant) -> Turn:
    if isinstance(one, Inbound):
        return Turn(direction="in", at=shown_time(one.received_at), inbound=inbound_out(one, sees))
    return Turn(direction="out", at=shown_time(one.created_at), message=message_out(one, now))
