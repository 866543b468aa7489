"""Which channel a message goes to: an ordered choice, each with its reason, and each refusal with its reason.

A route is a list of tiers: the channels of a tier share the load, and the next tier is used only when no channel of the
one before can take the message. Rules pick the route of a message that names none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum

import msgspec

from bridge.model import Instant, Kind
from bridge.policy.numbers import country
from bridge.policy.prices import Tariff
from bridge.policy.timing import Hours, next_open

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
_FREE = Decimal(0)
_Rank = tuple[bool, bool, int, bool, Decimal]  # tried before, not known, tier, price unknown, price


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages a route is for. Empty: any. All that is given must fit."""

    prefixes: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    classes: tuple[int, ...] = ()
    senders: tuple[str, ...] = ()
    min_priority: int | None = None
    keys: tuple[str, ...] = ()  # names of API keys
    countries: tuple[str, ...] = ()  # ISO 3166, of the recipient's number
    times: Hours | None = None  # in which the message is due

    def fits(self, message: MessageFacts) -> bool:
        return (
            (not self.prefixes or message.to.startswith(self.prefixes))
            and (not self.kinds or message.kind in self.kinds)
            and (not self.classes or message.message_class in self.classes)
            and (not self.senders or message.sender in self.senders)
            and (self.min_priority is None or message.priority >= self.min_priority)
            and (not self.keys or message.key in self.keys)
            and (not self.countries or country(message.to) in self.countries)
            and (self.times is None or next_open((self.times,), message.due_at) == message.due_at)
        )


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """`tiers`: names of channels, or the groups "modems" and "providers". `rule` None: used only by name. `by_price`:
    within a tier the cheapest comes first. `max_cost`: what a whole message may cost at most. `sticky`: the channel
    that a person knows us by comes before all others."""

    name: str
    tiers: tuple[tuple[str, ...], ...]
    rule: Rule | None = None
    by_price: bool = False
    max_cost: Decimal | None = None
    sticky: bool = False

    @property
    def personal(self) -> bool:
        """The choice depends on the recipient, not only on what kind of message it is."""
        return self.by_price or self.sticky or self.max_cost is not None


READY_MADE = {
    "modem-first": Route(name="modem-first", tiers=((MODEMS,), (PROVIDERS,))),
    "cloud-first": Route(name="cloud-first", tiers=((PROVIDERS,), (MODEMS,))),
    "modems-only": Route(name="modems-only", tiers=((MODEMS,),)),
    "clouds-only": Route(name="clouds-only", tiers=((PROVIDERS,),)),
    "cheapest": Route(name="cheapest", tiers=((MODEMS, PROVIDERS),), by_price=True),
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
    tariff: Tariff = Tariff()


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
    closed: frozenset[str] = frozenset()  # may send to no more different people
    parts: int = 1
    known_by: str | None = None  # the channel that last sent to this person or received from them
    # For rules, when it is accepted:
    key: str = ""  # name of the API key that orders it
    due_at: Instant = 0


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
    """By tier of the route, untried channels first, then the cheapest where the route says so, then the least loaded;
    ties by name, so that the choice can be foretold. `route` None: all channels share the load."""
    candidates: list[tuple[_Rank, int, str, str]] = []
    refusals: list[Candidate] = []
    personal = route is not None and route.personal
    for c in channels:
        tier = 0 if route is None else _tier(c, route)
        if message.channel is not None:
            tier = 0 if c.id == message.channel else None
        cost = _cost(c, message) if personal else None
        if message.channel is not None and tier is None:
            reason = f"the client asked for {message.channel}"
        elif tier is None:
            reason = f"route {route.name if route else ''} does not use it"
        elif c.carries is not None and message.kind not in c.carries:
            reason = f"it cannot carry {message.kind}"
        elif c.id in message.refused_by:
            reason = "it refused this message"
        elif c.id in message.closed:
            reason = "its limit of different recipients is used up"
        elif not c.up:
            reason = c.reason or "it is not up"
        elif c.paused:
            reason = c.reason or "it is paused"
        elif route is not None and route.max_cost is not None and (cost is None or cost > route.max_cost):
            reason = f"it costs {'an unknown sum' if cost is None else cost}, the route allows {route.max_cost}"
        else:
            tried = c.id in message.tried
            known = personal and route is not None and route.sticky and c.id == message.known_by
            priced = route is not None and route.by_price
            rank = (tried, not known, tier, priced and cost is None, cost or _FREE if priced else _FREE)
            told = f"load {c.load}" + (", tried before" if tried else "")
            if priced:
                told = f"{'price not known' if cost is None else f'costs {cost}'}, {told}"
            if known:
                told = f"the recipient knows it, {told}"
            candidates.append((rank, c.load, c.id, told if route is None else f"tier {tier + 1}, {told}"))
            continue
        refusals.append(Candidate(channel=c.id, reason=reason))
    candidates.sort()
    order = {rank: place for place, rank in enumerate(sorted({rank for rank, *_ in candidates}))}
    return Choice(
        candidates=tuple(Candidate(channel=id, reason=reason, tier=order[rank]) for rank, _, id, reason in candidates),
        refusals=tuple(refusals),
    )


def _cost(channel: ChannelFacts, message: MessageFacts) -> Decimal | None:
    price = channel.tariff.of(message.to)
    return None if price is None else price * message.parts


def _tier(channel: ChannelFacts, route: Route) -> int | None:
    group = MODEMS if channel.kind is ChannelKind.MODEM else PROVIDERS
    for number, names in enumerate(route.tiers):
        if channel.id in names or group in names:
            return number
    return None
