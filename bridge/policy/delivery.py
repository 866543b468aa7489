"""Delivering an event to an endpoint: whether an answer is one, and when to try again. Pure."""

from __future__ import annotations

from random import Random

import msgspec

from bridge.model import Instant

__all__ = ["DELAYS", "Again", "Answer", "Decision", "Delivered", "GiveUp", "Gone", "after"]

SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000
# Before each try, counted from the end of the one before: ten tries over 75 hours.
DELAYS = (0, 5 * SECOND, 5 * MINUTE, 30 * MINUTE, *(hours * HOUR for hours in (2, 5, 10, 14, 20, 24)))
JITTER = 0.1  # of a delay, so that what failed together does not come back together
LONGEST_WAIT = 24 * HOUR  # that an endpoint may ask for
OLDEST = 96 * HOUR  # later than this after the event nothing is tried again, so that a backlog ends
GONE = 410


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a try. `status` None: no answer came; `problem` says why, as a sentence. `retry_after`: milliseconds
    the endpoint asks to be left alone. `body`: its first KiB."""

    ok: bool
    status: int | None = None
    problem: str = ""
    body: str = ""
    retry_after: int | None = None


class Delivered(msgspec.Struct, frozen=True):
    pass


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """`pause`: until then the endpoint wants nothing at all."""

    at: Instant
    pause: Instant | None = None


class GiveUp(msgspec.Struct, frozen=True):
    """A dead letter: kept, listed, sent again when somebody says so."""


class Gone(msgspec.Struct, frozen=True):
    """The endpoint says that it will never be back. It is switched off, and what waits for it stays."""


Decision = Delivered | Again | GiveUp | Gone


def after(
    answer: Answer, *, tries: int, now: Instant, event_at: Instant, delays: tuple[int, ...], rng: Random
) -> Decision:
    """`tries`: made so far, with this one."""
    if answer.ok:
        return Delivered()
    if answer.status == GONE:
        return Gone()
    if tries >= len(delays) or now - event_at > OLDEST:
        return GiveUp()
    wait = int(delays[tries] * rng.uniform(1 - JITTER, 1 + JITTER))
    if answer.retry_after is None:
        return Again(at=now + wait)
    asked = min(answer.retry_after, LONGEST_WAIT)
    return Again(at=now + max(wait, asked), pause=now + asked)
