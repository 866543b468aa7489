"""Is a channel fit to send? Patterns beat codes: the same number means "no credit" in one network and "no such
subscriber" in another, but several different destinations refused in a row mean the SIM."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, takewhile
from random import Random

import msgspec

from drivers.contract import Cause

__all__ = ["BY_PATTERN", "KEPT", "Pause", "Result", "jittered", "judge"]

KEPT = 10  # results looked at
DESTINATIONS = 3  # so many different ones refused in a row: the SIM is out
SILENT = 3  # so many sends without an answer in a row: a spam filter, or a dead registration
FAILING = 3  # so many network failures in a row
PAUSES = (15 * 60_000, 60 * 60_000, 6 * 60 * 60_000)  # a probe after each
NETWORK_FAILING = "network_failing"
NETWORK_PAUSE = 5 * 60_000
BY_PATTERN = frozenset({"cms_28", "cms_30"})  # "unknown subscriber" is the SIM in one network, the number in another
ACCOUNT_CODES = frozenset(f"cms_{n}" for n in (8, 10, 21, 28, 29, 30, 38, 47, 50, 69, 111, 500))


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One submission's end. `cause` None: accepted."""

    destination: str
    cause: Cause | None
    code: str = ""
    unusable: bool = False  # the driver itself said that the channel is out


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    milliseconds: int
    code: str
    reason: str


def judge(results: Sequence[Result], pauses: int, *, probing: bool = False) -> Pause | None:
    """Whether to rest the channel after its latest result. `results`: oldest first. `pauses`: how many in a row before
    this one. A rested channel sends one message as a probe when the rest is over; `probing`: this was it, or one soon
    after it, and nothing was accepted since."""
    if not results or results[-1].cause is None:
        return None
    last = results[-1]
    rest = PAUSES[min(pauses, len(PAUSES) - 1)]
    if last.unusable and last.code not in BY_PATTERN:
        return Pause(
            milliseconds=rest, code="sim_out_of_service", reason=f"the SIM or account cannot send ({last.code})"
        )
    latest = islice(reversed(results), KEPT)  # no slice: the channel keeps them in a deque
    streak = list(takewhile(lambda result: result.cause is not None, latest))
    # A channel on probation needs only one more.
    refused = {r.destination for r in streak if r.code in ACCOUNT_CODES or r.cause is Cause.SIM}
    if len(refused) >= (1 if pauses else DESTINATIONS) and (last.code in ACCOUNT_CODES or last.cause is Cause.SIM):
        return Pause(
            milliseconds=rest,
            code="sim_out_of_service",
            reason=f"{len(refused)} different destinations refused in a row, last with {last.code}: "
            "look at credit, barring and spam limits",
        )
    silent = _leading(streak, Cause.DOUBT)
    if silent >= (1 if pauses else SILENT):
        return Pause(milliseconds=rest, code="no_answers", reason=f"sends in a row without an answer: {silent}")
    failing = _leading(streak, Cause.NET)
    if failing >= (1 if pauses or probing else FAILING):
        return Pause(
            milliseconds=NETWORK_PAUSE,
            code=NETWORK_FAILING,
            reason=f"network failures in a row: {failing}, the last {last.code}",
        )
    return None


def jittered(pause: Pause, rng: Random) -> Pause:
    """Up to a tenth less, so that channels which were paused together do not probe together."""
    return msgspec.structs.replace(pause, milliseconds=int(pause.milliseconds * (1 - rng.random() / 10)))


def _leading(streak: Sequence[Result], cause: Cause) -> int:
    """Results at the latest end with this cause. An account code is an answer, and judged by destinations: one bad
    number must not take the SIM out, however often it is tried."""
    count = 0
    for result in streak:
        if result.cause is not cause or result.code in ACCOUNT_CODES:
            break
        count += 1
    return count
