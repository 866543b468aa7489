"""What can go wrong between a provider and us, as data: a request that is lost, an answer that is lost, and the wrong
answers of boxes on the way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from random import Random

import msgspec

__all__ = ["CAPTIVE_PORTAL", "Fault", "FaultKind", "Plan"]


class FaultKind(StrEnum):
    SILENCE = "silence"  # no answer as long as the caller waits
    RESET = "reset"  # TCP RST instead of an answer
    CLOSE = "close"  # the connection ends without an answer
    CUT = "cut"  # half of the right answer, then the connection ends
    HTML = "html"  # a web page; status 200 unless `status` says otherwise
    EMPTY = "empty"  # no body; status 200 unless `status` says otherwise
    STATUS = "status"  # `status`, `body` as plain text, `retry_after`, `location`
    ENDLESS = "endless"  # a body that does not end
    DELAY = "delay"  # the right answer after `seconds`
    DRIP = "drip"  # the right answer, a byte every `seconds`
    REORDERED = "reordered"  # the right answer with its fields in another order
    ADDED = "added"  # the right answer with fields that no document names


# Without an answer of the service there is nothing to cut, delay or change.
NEEDS_ANSWER = frozenset(
    {FaultKind.CUT, FaultKind.DELAY, FaultKind.DRIP, FaultKind.REORDERED, FaultKind.ADDED},
)


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule for requests. The first rule that matches and is not used up decides.

    `on`: the operation it is for ("submit", "status", "balance", "list" ...), "any" for all, even unknown addresses.
    Matching requests are counted: the rule acts on the `first` to the `first + times - 1`th of them (`times` 0 = for
    ever), each with `probability`. `accepted`: the service does what was asked, and only the answer is lost or wrong;
    without it nothing happens at the provider.
    """

    kind: FaultKind
    on: str = "submit"
    accepted: bool = False
    first: int = 1
    times: int = 1
    probability: float = 1.0
    status: int = 0
    body: str = ""
    retry_after: str = ""
    location: str = ""
    seconds: float = 0.05

    @property
    def handled(self) -> bool:
        """Whether the service gets to see the request."""
        return self.accepted or self.kind in NEEDS_ANSWER


CAPTIVE_PORTAL = Fault(kind=FaultKind.HTML, on="any", times=0)


class Plan:
    """The rules of one service and how often each has matched."""

    def __init__(self, faults: Iterable[Fault] = (), *, random: Random) -> None:
        self._faults: Sequence[Fault] = tuple(faults)
        self._seen = [0] * len(self._faults)
        self._random = random

    def pick(self, operation: str) -> Fault | None:
        """The fault this request meets. Counts it."""
        for index, fault in enumerate(self._faults):
            if fault.on not in ("any", operation):
                continue
            self._seen[index] += 1
            turn = self._seen[index] - fault.first
            if turn < 0 or (fault.times and turn >= fault.times):
                continue
            if fault.probability >= 1.0 or self._random.random() < fault.probability:
                return fault
        return None
