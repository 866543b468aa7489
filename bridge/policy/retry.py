"""What to do with a message that was not sent, or refused. A link that is down is not an attempt."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bridge.model import ANY_CHANNEL, DoubtPolicy, Instant
from bridge.policy.fitness import BY_PATTERN
from drivers.contract import Cause

__all__ = ["Failure", "GiveUp", "LateFailure", "Requeue", "after", "late"]

BUSY_DELAY = 5_000  # the modem asks for a moment, 27.005 codes 302, 314, 515
REPAIR_DELAY = 10_000  # time for a re-initialisation or for draining the storage
QUICK = 3  # so many short waits; what lasts longer must not use up a message's tries within a minute


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """The facts. `refused`: a definite no. `others`: a channel that has not failed with it yet could take it now; were
    it any channel, two without coverage would toss it to and fro until no try is left. `partly`: earlier parts of the
    message were accepted on this SIM. `elsewhere`: it had been refused on another channel before. `retries`: how often
    this reason allows another try on this channel (None: as often as any), `repeats`: how often it was given before."""

    refused: bool
    cause: Cause
    code: str
    detail: str
    now: Instant
    due_at: Instant  # its place in the queue
    channel: str
    bound: bool  # the client asked for this channel
    tries: int  # used up before this one
    max_tries: int
    delays: Sequence[int]  # milliseconds; the last one repeats
    expires_at: Instant | None
    policy: DoubtPolicy
    others: bool = False
    everywhere: bool = False
    elsewhere: bool = False
    partly: bool = False
    retry_after: float | None = None
    channel_unusable: bool = False
    retries: int | None = None
    repeats: int = 0


class Requeue(msgspec.Struct, frozen=True, kw_only=True):
    """What goes on at once keeps the time it was due at, and so its place before all that came later: behind them it
    would wait until each of them has had its first try."""

    queue: str
    due_at: Instant
    counts: bool = True  # uses up a try
    whole: bool = False  # all parts again, on another SIM: may be a duplicate
    wait: bool = True  # shown as retry_wait; False: it goes on at once


class GiveUp(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    reason: str
    expired: bool = False


class LateFailure(msgspec.Struct, frozen=True, kw_only=True):
    """A report says that a message, accepted before, did not arrive. `elsewhere`: the carrier's reason does not concern
    other carriers. `tried`: whether it was tried at all. `before`: it has gone elsewhere after such a report already.
    `whole`: it was accepted as one message; parts on a modem are the network's own last word. `barred`: it is a
    one-time code, and the number may be another person's by now."""

    now: Instant
    elsewhere: bool
    tried: bool
    whole: bool
    bound: bool
    before: bool
    others: bool
    policy: DoubtPolicy
    expires_at: Instant | None
    barred: bool = False


def late(f: LateFailure) -> Requeue | None:
    """Whether it goes elsewhere, once, while it lives. What was never tried cannot arrive twice; what was tried might,
    so `at_most_once` forbids it and the others flag it. None: the failure stands."""
    alive = f.expires_at is None or f.now < f.expires_at
    allowed = not f.tried or f.policy is not DoubtPolicy.AT_MOST_ONCE
    if not (f.elsewhere and f.whole and f.others and alive and allowed) or f.bound or f.before or f.barred:
        return None
    return Requeue(queue=ANY_CHANNEL, due_at=f.now, counts=False, whole=f.tried, wait=False)


def after(f: Failure) -> Requeue | GiveUp:
    """Refusals and failures proven safe. Doubt is not decided here (policy.doubt)."""
    decision = _decide(f)
    late = isinstance(decision, Requeue) and f.expires_at is not None and max(f.now, decision.due_at) >= f.expires_at
    if late and f.cause is not Cause.LINK:  # there the queue sees to it, since nothing was tried
        return GiveUp(
            code="expired", reason=f"its validity ends before the next try; the last said: {f.detail}", expired=True
        )
    return decision


def _decide(f: Failure) -> Requeue | GiveUp:
    home = f.channel if f.bound or f.partly else ANY_CHANNEL
    if f.cause is Cause.LINK:
        return Requeue(queue=home, due_at=f.due_at, counts=False, wait=False)
    if f.refused:
        if f.partly:
            return GiveUp(code="partly_sent", reason=f"a later part was refused: {f.detail}")
        last = f.tries + 1 >= f.max_tries
        if f.everywhere or f.cause is Cause.BUG or f.bound or f.elsewhere or last or not f.others:
            return GiveUp(code=f.code, reason=f.detail)
        return Requeue(queue=ANY_CHANNEL, due_at=f.due_at, wait=False)
    if f.tries + 1 >= f.max_tries:
        return GiveUp(code="tries_used_up", reason=f"not sent after {f.tries + 1} tries; the last said: {f.detail}")
    unusable = f.channel_unusable and f.code not in BY_PATTERN
    if f.partly and unusable:
        # Another SIM is another sender: the parts would not be put together, so it is all or nothing.
        if f.policy is DoubtPolicy.AT_MOST_ONCE:
            return GiveUp(code="partly_sent", reason=f"the SIM went out of service between two parts: {f.detail}")
        if f.others and not f.bound:
            return Requeue(queue=ANY_CHANNEL, due_at=f.due_at, whole=True, wait=False)
    if f.others and home == ANY_CHANNEL:
        # At once elsewhere, whatever wait this channel asks for, and without using up a try: an outage of many modems
        # must not use up all of a message's tries within a second.
        return Requeue(queue=ANY_CHANNEL, due_at=f.due_at, counts=False, wait=False)
    if f.retries is not None and f.repeats >= f.retries:
        again = f"tried again {f.repeats} time{'' if f.repeats == 1 else 's'}"
        return GiveUp(code=f.code, reason=f"{again}, which is all that this allows: {f.detail}")
    return Requeue(queue=home, due_at=f.now + _delay(f))


def _delay(f: Failure) -> int:
    asked = _asked(f)
    if asked is None:
        return f.delays[min(f.tries, len(f.delays) - 1)]
    if f.tries < QUICK:
        return asked
    return max(asked, f.delays[min(f.tries - QUICK, len(f.delays) - 1)])


def _asked(f: Failure) -> int | None:
    """A wait that has its reason in the channel's state."""
    if f.retry_after is not None:
        return int(f.retry_after * 1000)
    match f.cause:
        case Cause.BUSY:
            return BUSY_DELAY
        case Cause.MODEM | Cause.MEM:
            return REPAIR_DELAY
        case _:
            return None
