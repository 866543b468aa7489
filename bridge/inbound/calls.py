"""Calls that nobody answered: stored, and told to whoever listens."""

from __future__ import annotations

from collections.abc import Callable

from bridge.clock import rfc3339
from bridge.events import CallData, EventType, conversation
from bridge.model import CallRow, Ids, Instant
from bridge.store import Changes, Store
from bridge.telemetry import Telemetry
from drivers.contract import MissedCall

__all__ = ["Calls"]


class Calls:
    def __init__(self, store: Store, ids: Ids, now: Callable[[], Instant], telemetry: Telemetry) -> None:
        self._store = store
        self._ids = ids
        self._now = now
        self._telemetry = telemetry

    async def take(self, channel: str, call: MissedCall) -> None:
        """Returns when it is on disk."""
        now = self._now()
        row = CallRow(
            id=self._ids.next(),
            channel=channel,
            sim=call.sim,
            caller=call.caller,
            at=now,
            rings=call.rings,
            hung_up=call.hung_up,
        )

        def work(changes: Changes) -> None:
            changes.add_call(row)
            changes.emit(
                EventType.CALL_MISSED,
                now,
                key=conversation(row.sim, row.caller),
                data=CallData(channel=channel, sim=row.sim, at=rfc3339(now), caller=row.caller),
                channel=channel,
                number=row.caller,
            )

        await self._store.write(work)
        self._telemetry.message("call_missed", channel=channel, sender=row.caller, hung_up=row.hung_up)
