"""Quiet hours on the way out: who is claimed or about to be armed outside its windows goes back into the queue until
they open. What has none costs two comparisons."""

from __future__ import annotations

from bridge.model import Instant, Message, route_queue
from bridge.policy.timing import Agreed, Gates, Timetable
from bridge.policy.timing.placing import held_code, held_reason
from bridge.store import Changes

__all__ = ["OUTSIDE_HOURS", "Holds"]

OUTSIDE_HOURS = "outside_hours"  # why a channel is passed over
BLIND_WAIT = 60_000
LOOKED_AT_AGAIN = 3_600_000  # what never opens, since the configuration was changed, is said once an hour


class Holds:
    def __init__(self, timetable: Timetable) -> None:
        self._timetable = timetable

    def shut(self, now: Instant) -> frozenset[str]:
        """The channels outside their hours."""
        return self._timetable.shut(now)

    def keep(
        self,
        changes: Changes,
        message: Message,
        queue: str,
        now: Instant,
        channel: str = "",
        *,
        trusted: bool = True,
    ) -> bool:
        """Put a claimed message back when its hours, or those of the channel that is to send it, are over. True: done.
        Another channel of its route may be open; then it waits for that one at once. `trusted`: whether the clock
        is; while not, nobody knows what hour it is, and what has hours waits."""
        gates = self._timetable.gates(message, channel)
        if gates is not None and not trusted:
            reason = "it may go at certain hours only, and the clock is not to be trusted"
            changes.release(message.id, queue, now + BLIND_WAIT, code="clock_not_trusted", reason=reason)
            return True
        if gates is None or _open(gates, now):
            return False
        elsewhere = self._timetable.gates(message) if channel and message.channel is None else gates
        if elsewhere is None or _open(elsewhere, now):
            changes.release(message.id, route_queue(message), message.due_at, as_of=message.updated_at)
            return True
        found = elsewhere.opening(now)
        gate = found.last if isinstance(found, Agreed) else found.gate
        until = found.opens if isinstance(found, Agreed) else now + LOOKED_AT_AGAIN
        code, reason = held_code(gate), held_reason(gate, until)
        if changes.release(message.id, queue, until, code=code, reason=reason, as_of=message.updated_at):
            changes.held(message.id, now, by=gate.by, reason=reason, until=until)
        return True


def _open(gates: Gates, now: Instant) -> bool:
    found = gates.opening(now)
    return isinstance(found, Agreed) and found.opens <= now
