"""What to do with a message that waits for one SIM which has been out of service for long: the rest of its parts must
come from that SIM, or it was to be sent again there first."""

from __future__ import annotations

import msgspec

from bridge.model import DoubtPolicy

__all__ = ["Elsewhere", "Fail", "Stay", "decide"]


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
