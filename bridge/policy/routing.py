"""Which channel a message goes to: an ordered choice, each with its reason, and each refusal with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

__all__ = ["Candidate", "ChannelFacts", "Choice", "MessageFacts", "best_now", "choose"]


class ChannelFacts(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    up: bool
    paused: bool = False
    load: int = 0  # submissions assigned and not ended
    room: int = 1  # how many more it takes now
    reason: str = ""  # why it is not up


class MessageFacts(msgspec.Struct, frozen=True, kw_only=True):
    channel: str | None = None  # asked for
    refused_by: frozenset[str] = frozenset()  # said a definite no
    tried: frozenset[str] = frozenset()  # could not send it lately


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """`tier`: candidates of the first tier are to be used up before the next; within a tier the load decides."""

    channel: str
    reason: str
    tier: int = 0


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    candidates: tuple[Candidate, ...]
    refusals: tuple[Candidate, ...]


def best_now(choice: Choice, loads: Mapping[str, int], rooms: Mapping[str, int]) -> str | None:
    """The least loaded candidate with room, of the first tier that has any."""
    best: tuple[int, int, str] | None = None
    for c in choice.candidates:
        if rooms.get(c.channel, 0) > 0:
            rank = (c.tier, loads[c.channel], c.channel)
            if best is None or rank < best:
                best = rank
    return None if best is None else best[2]


def choose(message: MessageFacts, channels: Sequence[ChannelFacts]) -> Choice:
    """Untried channels first, then the least loaded; ties by name, so that the choice can be foretold."""
    candidates: list[tuple[bool, int, str, str]] = []
    refusals: list[Candidate] = []
    for c in channels:
        if message.channel is not None and c.id != message.channel:
            refusals.append(Candidate(channel=c.id, reason=f"the client asked for {message.channel}"))
        elif c.id in message.refused_by:
            refusals.append(Candidate(channel=c.id, reason="it refused this message"))
        elif not c.up:
            refusals.append(Candidate(channel=c.id, reason=c.reason or "it is not up"))
        elif c.paused:
            refusals.append(Candidate(channel=c.id, reason=c.reason or "it is paused"))
        else:
            tried = c.id in message.tried
            reason = f"load {c.load}" + (", tried before" if tried else "")
            candidates.append((tried, c.load, c.id, reason))
    candidates.sort()
    return Choice(
        candidates=tuple(Candidate(channel=id, reason=reason, tier=int(tried)) for tried, _, id, reason in candidates),
        refusals=tuple(refusals),
    )
