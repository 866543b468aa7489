"""Which channel a message goes to: an ordered choice, each with its reason, and each refusal with its reason.

A route is a list of tiers: the channels of a tier share the load, and the next tier is used only when no channel of the
one before can take the message. Rules pick the route of a message that names none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from bridge.model import Kind

__all__ = [
    "READY_MADE",
    "Candidate",
    "ChannelFacts",
    "ChannelKind",
    "Choice",
    "MessageFacts",
    "Route",
    "Rule",
    "best_now",
    "choose",
]


class ChannelKind(StrEnum):
    MODEM = "modem"
    PROVIDER = "provider"


MODEMS, PROVIDERS = "modems", "providers"  # groups that a route may name


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages a route is for. Empty: any. All that is given must fit."""

    prefixes: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    classes: tuple[int, ...] = ()
    senders: tuple[str, ...] = ()
    min_priority: int | None = None

    def fits(self, message: MessageFacts) -> bool:
        return (
            (not self.prefixes or message.to.startswith(self.prefixes))
            and (not self.kinds or message.kind in self.kinds)
            and (not self.classes or message.message_class in self.classes)
            and (not self.senders or message.sender in self.senders)
            and (self.min_priority is None or message.priority >= self.min_priority)
        )


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """`tiers`: names of channels, or the groups "modems" and "providers". `rule` None: used only by name."""

    name: str
    tiers: tuple[tuple[str, ...], ...]
    rule: Rule | None = None


READY_MADE = {
    "modem-first": Route(name="modem-first", tiers=((MODEMS,), (PROVIDERS,))),
    "cloud-first": Route(name="cloud-first", tiers=((PROVIDERS,), (MODEMS,))),
    "modems-only": Route(name="modems-only", tiers=((MODEMS,),)),
    "clouds-only": Route(name="clouds-only", tiers=((PROVIDERS,),)),
}


class ChannelFacts(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    up: bool
    paused: bool = False
    load: int = 0  # submissions assigned and not ended
    room: int = 1  # how many more it takes now
    reason: str = ""  # why it is not up
    kind: ChannelKind = ChannelKind.MODEM
    carries: frozenset[str] | None = None  # kinds of message; None = the driver itself says what it cannot express


class MessageFacts(msgspec.Struct, frozen=True, kw_only=True):
    to: str = ""
    kind: Kind = Kind.TEXT
    message_class: int | None = None
    sender: str | None = None
    priority: int = 0
    route: str | None = None  # asked for
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
    """The least loaded candidate of the first tier, if it has room: a busy modem is waited for, a dead one is not among
    the candidates."""
    best: tuple[int, int, str] | None = None
    for c in choice.candidates:
        if c.tier > choice.candidates[0].tier:
            break
        if rooms.get(c.channel, 0) > 0:
            rank = (c.tier, loads[c.channel], c.channel)
            if best is None or rank < best:
                best = rank
    return None if best is None else best[2]


def choose(message: MessageFacts, channels: Sequence[ChannelFacts], route: Route | None = None) -> Choice:
    """By tier of the route, untried channels first, then the least loaded; ties by name, so that the choice can be
    foretold. `route` None: all channels share the load."""
    candidates: list[tuple[bool, int, int, str, str]] = []
    refusals: list[Candidate] = []
    for c in channels:
        tier = 0 if route is None else _tier(c, route)
        if message.channel is not None:
            tier = 0 if c.id == message.channel else None
        if message.channel is not None and tier is None:
            reason = f"the client asked for {message.channel}"
        elif tier is None:
            reason = f"route {route.name if route else ''} does not use it"
        elif c.carries is not None and message.kind not in c.carries:
            reason = f"it cannot carry {message.kind}"
        elif c.id in message.refused_by:
            reason = "it refused this message"
        elif not c.up:
            reason = c.reason or "it is not up"
        elif c.paused:
            reason = c.reason or "it is paused"
        else:
            tried = c.id in message.tried
            told = f"load {c.load}" + (", tried before" if tried else "")
            candidates.append((tried, tier, c.load, c.id, told if route is None else f"tier {tier + 1}, {told}"))
            continue
        refusals.append(Candidate(channel=c.id, reason=reason))
    candidates.sort()
    order = {key: rank for rank, key in enumerate(sorted({(tried, tier) for tried, tier, *_ in candidates}))}
    return Choice(
        candidates=tuple(
            Candidate(channel=id, reason=reason, tier=order[tried, tier]) for tried, tier, _, id, reason in candidates
        ),
        refusals=tuple(refusals),
    )


def _tier(channel: ChannelFacts, route: Route) -> int | None:
    group = MODEMS if channel.kind is ChannelKind.MODEM else PROVIDERS
    for number, names in enumerate(route.tiers):
        if channel.id in names or group in names:
            return number
    return None
