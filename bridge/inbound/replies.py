"""Which message an incoming one answers, and the conversation that it belongs to. Parts of the transaction that stores
it."""

from __future__ import annotations

import msgspec

from bridge.model import Conversation, Instant, Message, SentTo, parse_id
from bridge.policy.correlation import recipient_key
from bridge.policy.replies import MOST, Candidate, Match, match
from bridge.store import Changes, View

__all__ = ["Answered", "converse", "find", "lately"]


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent to this number lately: looked up once, used for the match and for a new conversation."""

    match: Match | None
    lately: list[SentTo]


def lately(view: View, peer: str, now: Instant, window: int) -> list[SentTo]:
    key = recipient_key(peer)
    return view.sent_lately(key, now - window, MOST) if key else []


def find(
    view: View,
    *,
    channel: str,
    sim: str,
    sender: str,
    text: str | None,
    answers: str | None,
    now: Instant,
    window: int,
    region: str | None,
) -> Answered:
    """`answers`: the provider's word for the message, its reference or our attempt. `window`: milliseconds."""
    sent = lately(view, sender, now, window)
    messages: dict[int, Message | None] = {}
    candidates = []
    for one in sent:
        message = messages[one.message] = messages.get(one.message) or view.message(one.message)
        if message is not None:
            candidates.append(Candidate(message=message, sim=one.sim))
    told = None if answers is None else _told(view, channel, answers)
    if told is not None and told.id not in messages:
        candidates.append(Candidate(message=told, sim=sim))
    found = match(
        sim=sim,
        sender=sender,
        text=text,
        candidates=candidates,
        answers=None if told is None else told.id,
        region=region,
    )
    return Answered(match=found, lately=sent)


def converse(
    changes: Changes, *, channel: str, sim: str, peer: str, inbound: int, new: int, now: Instant, answered: Answered
) -> int:
    """The conversation's id. `new`: of one that begins here, with what was sent lately."""
    found = changes.conversation_of(sim, peer)
    if found is None:
        changes.add_conversation(
            Conversation(
                id=new,
                channel=channel,
                sim=sim,
                peer=peer,
                recipient=recipient_key(peer),
                started_at=now,
                last=inbound,
                last_at=now,
                received=1,
            )
        )
        changes.add_to_conversation(new, [s.message for s in answered.lately if s.sim == sim])
        id = new
    else:
        changes.went_on(found.id, channel, inbound, now)
        id = found.id
    if answered.match is not None:
        changes.add_to_conversation(id, [answered.match.message.id])
    return id


def _told(view: View, channel: str, answers: str) -> Message | None:
    id = parse_id("att", answers)
    attempt = view.attempt(id) if id is not None else view.by_reference(channel, answers)
    if attempt is None or attempt.channel != channel:
        return None
    return view.message(attempt.message)
