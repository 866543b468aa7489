"""What to do when nobody knows whether a text was sent (the driver said `MaybeSent`, or we were killed in between)."""

from __future__ import annotations

from typing import assert_never

import msgspec

from bridge.model import ANY_CHANNEL, DoubtPolicy, Instant

__all__ = ["Close", "Resend", "Windows", "at_deadline", "deadline"]

PRIORITY_ALARM = 100  # alarms and codes wait for evidence only shortly
NO_EXPIRY_WAIT = 86_400_000  # at_most_once without an expiry: evidence is awaited for a day


class Windows(msgspec.Struct, frozen=True, kw_only=True):
    """How long evidence is awaited, in milliseconds."""

    usual: int = 600_000
    alarm: int = 60_000


class Resend(msgspec.Struct, frozen=True, kw_only=True):
    """Send again, flagged as a possible duplicate."""

    queue: str


class Close(msgspec.Struct, frozen=True, kw_only=True):
    """Close as unknown and say so."""

    reason: str


def deadline(
    policy: DoubtPolicy, *, priority: int, now: Instant, expires_at: Instant | None, windows: Windows
) -> Instant:
    """When the doubt is closed if no evidence has come."""
    match policy:
        case DoubtPolicy.URGENT:
            return now
        case DoubtPolicy.AT_LEAST_ONCE:
            end = now + (windows.alarm if priority >= PRIORITY_ALARM else windows.usual)
            return end if expires_at is None else min(end, expires_at)
        case DoubtPolicy.AT_MOST_ONCE:
            return now + NO_EXPIRY_WAIT if expires_at is None else max(now, expires_at)
        case _:
            assert_never(policy)


def at_deadline(
    policy: DoubtPolicy,
    *,
    now: Instant,
    expires_at: Instant | None,
    channel: str,
    channel_up: bool,
    bound: bool,
    partly: bool,
    tries: int,
    max_tries: int,
) -> Resend | Close:
    """`bound`: the client asked for this channel. `partly`: other parts were accepted on its SIM."""
    if policy is DoubtPolicy.AT_MOST_ONCE:
        return Close(reason="no evidence came whether it was sent, and it may be sent at most once")
    if expires_at is not None and now >= expires_at:
        return Close(reason="no evidence came whether it was sent before its validity ended")
    if tries >= max_tries:
        return Close(reason=f"in doubt after {tries} tries, and no evidence came")
    # The same SIM first: the network may recognise the repeat, and parts stay with one sender.
    same = bound or partly or (policy is DoubtPolicy.AT_LEAST_ONCE and channel_up)
    return Resend(queue=channel if same else ANY_CHANNEL)
