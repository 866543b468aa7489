"""What to do with a message that waits for one SIM which has been out of service for long, or is in this modem no more:
the rest of its parts must come from that SIM, or it was to be sent again there first."""

from __future__ import annotations

import msgspec

from bridge.model import DoubtPolicy

__all__ = ["Elsewhere", "Fail", "Follow", "Later", "Stay", "decide", "follow"]


class Stay(msgspec.Struct, frozen=True):
    """Go on waiting."""


class Elsewhere(msgspec.Struct, frozen=True, kw_only=True):
    """Any channel may take it. `whole`: parts that the phone may have already go again, so it is flagged."""

    whole: bool


class Fail(msgspec.Struct, frozen=True, kw_only=True):
    reason: str


def decide(*, bound: bool, partly: bool, policy: DoubtPolicy, others: bool) -> Stay | Elsewhere | Fail:
    """`bound`: the client asked for this channel. `partly`: parts of it were accepted on that SIM. `others`: another
    channel could take it now."""
    if bound:
        return Stay()
    if partly and policy is DoubtPolicy.AT_MOST_ONCE:
        # Another SIM is another sender: the phone would not put the parts together.
        return Fail(reason="the SIM that sent its first parts is out of service, and nothing may be sent twice")
    return Elsewhere(whole=partly) if others else Stay()


class Follow(msgspec.Struct, frozen=True, kw_only=True):
    """The SIM is in the modem of another channel now: its parts go there."""

    channel: str


class Later(msgspec.Struct, frozen=True):
    """The SIM may be in a modem that is just coming up."""


def follow(*, at: str | None, coming: bool, policy: DoubtPolicy) -> Follow | Later | Stay | Fail:
    """The first parts were accepted by a SIM that is not in this modem now. `at`: the channel that has it. `coming`:
    some modem is not up yet and may have it. `Stay`: all parts go from the SIM that is here, flagged."""
    if at is not None:
        return Follow(channel=at)
    if coming:
        return Later()
    if policy is DoubtPolicy.AT_MOST_ONCE:
        return Fail(reason="the SIM that sent its first parts was exchanged, and nothing may be sent twice")
    return Stay()
