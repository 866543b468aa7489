"""Which message a reply answers.

Candidates are the messages that went to the sender's number inside the reply window. A word of the reply that one of
them bears as its token decides; then the provider's own word; else the newest that went by the SIM, or account, which
the reply came to. The number must be equal after normalisation, so that two people whose last digits agree stay two.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from bridge.model import Confidence, Message, Status
from bridge.policy import numbers
from bridge.policy.correlation import recipient_key

__all__ = ["MOST", "Candidate", "Match", "match", "peer_of", "same_number", "words"]

MOST = 50  # candidates looked at: the newest
_WENT = frozenset(
    {
        *(Status.SENDING, Status.SENT, Status.DELIVERED, Status.UNDELIVERED, Status.SENT_NO_REPORT),
        *(Status.IN_DOUBT, Status.UNKNOWN, Status.RETRY_WAIT, Status.QUEUED),  # the last two: parts of it, or a copy
    }
)
_WORD = re.compile(r"\w+(?:[-.]\w+)*")


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A message that an attempt was made to send, and the SIM or account it went by."""

    message: Message
    sim: str


class Match(msgspec.Struct, frozen=True, kw_only=True):
    message: Message
    confidence: Confidence


def match(
    *, sim: str, sender: str, text: str | None, candidates: Sequence[Candidate], answers: int | None, region: str | None
) -> Match | None:
    """`candidates`: newest first. `answers`: the message that the provider says."""
    possible = [c for c in candidates if c.message.status in _WENT and same_number(c.message.to, sender, region)]
    if (said := words(text)) and (named := next((c for c in possible if _named(c.message, said)), None)) is not None:
        return Match(message=named.message, confidence=Confidence.TOKEN)
    if answers is not None and (told := next((c for c in candidates if c.message.id == answers), None)) is not None:
        return Match(message=told.message, confidence=Confidence.PROVIDER)
    near = {c.message.id: c.message for c in possible if c.sim == sim}
    if not near:
        return None
    newest = next(iter(near.values()))
    return Match(message=newest, confidence=Confidence.ONLY_CANDIDATE if len(near) == 1 else Confidence.NEWEST)


def same_number(to: str, sender: str, region: str | None) -> bool:
    """Whether a text to `to` and one from `sender` are the same person's. A sender in national form that cannot be
    completed is told by its last eight digits."""
    if to == sender:
        return True
    key = recipient_key(sender)
    if not key or key != recipient_key(to):
        return False
    normal = numbers.normal(sender, region)
    return normal == to if isinstance(normal, str) else not sender.startswith("+")


def peer_of(sender: str, region: str | None) -> str:
    """The sender's number in the form that is compared and written to; a name, or what cannot be read, as it came."""
    if not recipient_key(sender):
        return sender
    normal = numbers.normal(sender, region)
    return normal if isinstance(normal, str) else sender


def words(text: str | None) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold())) if text else frozenset()


def _named(message: Message, said: frozenset[str]) -> bool:
    return message.reply_token is not None and message.reply_token.casefold() in said
