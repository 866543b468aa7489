"""`--wait`: looking at messages until they are where they should be, or can no longer get there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from bridge.model import Status
from bridge.states import TERMINAL

if TYPE_CHECKING:
    from bridge.cli.client import Client

__all__ = ["Tally", "tally", "wait_for_batches", "wait_for_message"]

_FIRST, _GROWTH, _LAST = 0.05, 1.3, 1.0  # seconds between two looks: quick for one text, gentle for ten thousand

_GOOD = {
    # An undelivered text was sent.
    "sent": frozenset({Status.SENT, Status.DELIVERED, Status.UNDELIVERED, Status.SENT_NO_REPORT}),
    "delivered": frozenset({Status.DELIVERED}),
}


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Messages that got there, that will not get there any more, and that may still."""

    good: int = 0
    lost: int = 0
    open: int = 0


def tally(counts: Mapping[str, int], until: str) -> Tally:
    """`counts`: messages by status. `until`: "sent" or "delivered"."""
    good = sum(n for status, n in counts.items() if status in _GOOD[until])
    lost = sum(n for status, n in counts.items() if status in TERMINAL and status not in _GOOD[until])
    return Tally(good=good, lost=lost, open=sum(counts.values()) - good - lost)


def wait_for_message(service: Client, id: str, until: str, patience: float) -> dict[str, Any]:
    """The message as it is when it got there, can no longer get there, or `patience` seconds have passed."""
    message: dict[str, Any] = {}
    for _ in _looks(patience):
        message = service.get(f"/v1/messages/{id}")
        if not tally({message["status"]: 1}, until).open:
            break
    return message


def wait_for_batches(
    service: Client, ids: Sequence[str], until: str, patience: float, told: Callable[[Tally], None]
) -> Tally:
    """The same for all messages of some batches. `told` is called after each look."""
    found = Tally()
    counts: dict[str, dict[str, int]] = {}
    for _ in _looks(patience):
        for id in ids:
            # A finished batch need not be asked for again.
            if id not in counts or tally(counts[id], until).open:
                counts[id] = service.get(f"/v1/batches/{id}")["counts"]
        each = [tally(c, until) for c in counts.values()]
        found = Tally(good=sum(t.good for t in each), lost=sum(t.lost for t in each), open=sum(t.open for t in each))
        told(found)
        if not found.open:
            break
    return found


def _looks(patience: float) -> Iterator[None]:
    """Once at once, then again and again, and a last time when the patience ends."""
    end = time.monotonic() + patience
    pause = _FIRST
    while True:
        yield
        left = end - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(pause, left))
        pause = min(pause * _GROWTH, _LAST)
