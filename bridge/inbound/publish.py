"""A whole incoming message, or as much of it as came: what is in it, what it answers, what the rules make of it. All in
the transaction that stores it; what is to be woken and remembered follows when it is on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from bridge.inbound import replies
from bridge.inbound.optouts import OptOuts
from bridge.inbound.rules import Effects, RuleBook
from bridge.model import Confidence, Ids, Inbound, Instant, Received
from bridge.policy.content import content_of
from bridge.policy.replies import peer_of, same_number
from bridge.store import Changes
from drivers.contract import IncomingKind

__all__ = ["Published", "Publisher"]

# Not meant for people: stored and shown to who asks for them, told to nobody (modems' storage is freed all the same).
WITHHELD = frozenset({IncomingKind.SILENT, IncomingKind.MWI, IncomingKind.SIM_DATA})
DENIED = "denied"
CANARY = "canary"


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """`event`: what the telemetry calls it."""

    inbound: Inbound
    effects: Effects
    event: str


class Publisher:
    """`window`: the reply window in milliseconds. `region`: of numbers without a country code. `is_canary(changes,
    inbound, now)`: it is our own, and counted as arrived in the same transaction."""

    def __init__(
        self,
        book: RuleBook,
        opt_outs: OptOuts,
        ids: Ids,
        *,
        window: int,
        region: str | None,
        wake_dispatch: Callable[[], None],
        wake_programs: Callable[[], None],
        is_canary: Callable[[Changes, Inbound, Instant], bool] = lambda changes, inbound, now: False,
        wake_canary: Callable[[], None] = lambda: None,
    ) -> None:
        self._book = book
        self._opt_outs = opt_outs
        self._ids = ids
        self._window = window
        self._region = region
        self._wake_dispatch = wake_dispatch
        self._wake_programs = wake_programs
        self._is_canary = is_canary
        self._wake_canary = wake_canary

    def publish(
        self,
        changes: Changes,
        inbound: Inbound,
        parts: Sequence[Received],
        now: Instant,
        *,
        rows: Sequence[int] = (),
        answers: str | None = None,
    ) -> Published:
        """`rows`: all that belong to it, where they are more than its parts. `answers`: what a provider says that it
        answers."""
        rows = rows or [part.id for part in parts]
        peer = peer_of(inbound.sender, self._region)
        withheld = self._withheld(changes, inbound, peer, now)
        inbound = msgspec.structs.replace(inbound, content=_content(inbound, parts), withheld=withheld)
        effects = Effects()
        if not withheld and peer:
            inbound, effects = self._answered(changes, inbound, peer, answers, now)
        changes.add_inbound(inbound, rows, effects.forward)
        return Published(inbound=inbound, effects=effects, event="withheld" if withheld else "received")

    def change(self, changes: Changes, inbound: Inbound, parts: Sequence[Received], part: Received) -> Published:
        """`part` came late: the rules have had their turn."""
        inbound = msgspec.structs.replace(inbound, content=_content(inbound, parts))
        changes.change_inbound(inbound, [part.id])
        return Published(inbound=inbound, effects=Effects(), event="completed" if not inbound.missing else "updated")

    def done(self, published: Published) -> None:
        """It is on disk."""
        if published.inbound.withheld == CANARY:
            self._wake_canary()
        effects = published.effects
        for opt_out in effects.opted_out:
            self._opt_outs.took(opt_out)
        for opt_out in effects.opted_in:
            self._opt_outs.dropped(opt_out)
        if effects.answers:
            self._wake_dispatch()
        if effects.programs:
            self._wake_programs()

    def _withheld(self, changes: Changes, inbound: Inbound, peer: str, now: Instant) -> str:
        """Why nobody is told of it; "" when people are."""
        if inbound.kind in WITHHELD:
            return inbound.kind.value
        if self._is_canary(changes, inbound, now):
            return CANARY
        return DENIED if self._book.denied(peer) else ""

    def _answered(
        self, changes: Changes, inbound: Inbound, peer: str, answers: str | None, now: Instant
    ) -> tuple[Inbound, Effects]:
        answered = replies.find(
            changes,
            channel=inbound.channel,
            sim=inbound.sim,
            sender=peer,
            text=inbound.text,
            answers=answers,
            now=now,
            window=self._window,
            region=self._region,
        )
        match = answered.match if inbound.kind is IncomingKind.TEXT else None
        if match is not None and same_number(match.message.to, peer, self._region):
            peer = match.message.to  # in full, where the network shows callers without their country
        conversation = replies.converse(
            changes,
            channel=inbound.channel,
            sim=inbound.sim,
            peer=peer,
            inbound=inbound.id,
            new=self._ids.next(),
            now=now,
            answered=answered,
        )
        inbound = msgspec.structs.replace(inbound, conversation=conversation)
        named = False
        if match is not None:
            named = match.confidence is Confidence.TOKEN and changes.token_answers(match.message.id) == 0
            inbound = msgspec.structs.replace(
                inbound,
                in_reply_to=match.message.id,
                confidence=match.confidence,
                reply_ref=match.message.ref,
                reply_client=match.message.client,
            )
        if inbound.kind is not IncomingKind.TEXT:
            return inbound, Effects()
        message = None if match is None else match.message
        return inbound, self._book.apply(changes, inbound, peer, message, named, now)


def _content(inbound: Inbound, parts: Sequence[Received]) -> dict[str, str | int | bool | None]:
    first = parts[0]
    return content_of(inbound, indications=first.indications, pdu=first.pdu)
