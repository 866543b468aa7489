"""The rest of a long text comes from the SIM that sent its first parts, wherever that SIM is now: a phone joins only
parts from one sender. Asked when a message is claimed for a channel; costs nothing for messages never tried before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bridge.model import Attempt, Instant, Message, Status
from bridge.outbound.channel import Channel
from bridge.outbound.job import DONE, WHOLE, complete
from bridge.policy.stranded import Fail, Follow, Later, Stay, follow
from bridge.store import Changes
from drivers.contract import LinkState, Takes

__all__ = ["PATIENCE", "begun_by", "keep_to_sim"]

PATIENCE = 60_000  # milliseconds after a modem came up in which the other half of a swap may follow
AGAIN = 2_000  # milliseconds until it is looked at again


def begun_by(message: Message, earlier: Sequence[Attempt]) -> str | None:
    """The SIM whose parts have to be completed; None when any may send."""
    done = [a for a in earlier if a.state in DONE and a.part != WHOLE]
    if message.parts == 1 or not done or complete(message, done):
        return None
    return max(done, key=lambda a: a.armed_at).sim


def keep_to_sim(
    changes: Changes,
    message: Message,
    earlier: Sequence[Attempt],
    channel: Channel,
    channels: Mapping[str, Channel],
    now: Instant,
) -> Follow | Later | Fail | None:
    """A message claimed for this channel: put elsewhere, or ended, and how; None when the channel may have it."""
    sim = begun_by(message, earlier)
    if sim is None or sim == channel.sim or channel.takes is Takes.MESSAGE:
        return None
    modems = [c for c in channels.values() if c.takes is Takes.PART]
    at = next((c.id for c in modems if c.sim == sim and c.id != channel.id), None)
    coming = now - channel.since < PATIENCE and any(c.state is not LinkState.UP for c in modems)
    decision = follow(at=at, coming=coming, policy=message.policy)
    match decision:
        case Follow(channel=other):
            reason = "its first parts went out by a SIM that is in this modem now"
            changes.release(
                message.id, other, message.due_at, code="sim_moved", reason=reason, as_of=message.updated_at
            )
        case Later():
            changes.release(
                message.id,
                channel.id,
                now + AGAIN,
                code=message.code,
                reason=message.reason,
                as_of=message.updated_at,
            )
        case Fail(reason=reason):
            changes.move(message.id, Status.FAILED, now, code="partly_sent", reason=reason)
        case Stay():
            return None
    return decision
