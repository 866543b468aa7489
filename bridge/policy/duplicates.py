"""Is this incoming PDU one that we have already, or another that looks the same?

Alarm panels send two equal texts in one second; a crash between commit and delete shows the same text twice; a
service centre that missed our acknowledgement sends it again. The PDUs are equal in all three cases; slot, session and
time tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from bridge.model import Instant, Received
from drivers.contract import Incoming

__all__ = ["REMEMBERED", "is_repeat"]

REMEMBERED = 7 * 86_400_000  # fingerprints are compared this far back
REDELIVERY = 30_000  # a centre repeats after half a minute at the earliest; equal alarms come faster


def is_repeat(offer: Incoming, earlier: Sequence[Received], now: Instant) -> bool:
    """`earlier`: what was received from this SIM with the same fingerprint, any order."""
    return any(_same(offer, copy, now) for copy in earlier)


def _same(offer: Incoming, copy: Received, now: Instant) -> bool:
    if offer.slot is None or copy.slot is None:
        return True  # handed over directly and stored as well, or redelivered because the acknowledgement was late
    if copy.session != offer.session:
        # From before a restart or an unplug: the same slot was never deleted; another slot is a second text only if
        # both were there in one listing.
        return copy.slot == offer.slot or copy.slot not in offer.twins
    # Within one session the driver offers what a slot holds only once, so this is a second arrival.
    return now - copy.received_at > REDELIVERY and copy.slot not in offer.twins
