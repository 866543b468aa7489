"""How much of what each SIM sends arrives, by the delivery reports that are due. Nothing is counted while texts are
sent: once a minute the attempts whose reports have become due are read from the store, each once."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping

import msgspec

from bridge.events import ChannelData, EventType
from bridge.model import Arrivals, DueReport, Instant, first_id
from bridge.outbound.channel import Channel
from bridge.policy import silence
from bridge.store import Changes, Store, View
from bridge.telemetry import Telemetry

__all__ = ["Deliveries"]

LOOK_BACK = 24 * 3_600_000  # at the start
MOST = 20_000  # attempts read at a time; of more the newest, since only the last few of each SIM count
CODE = "silent_block"


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """As in the store, under `deliveries/CHANNEL`. `proven`: a delivery was reported for this SIM."""

    sim: str
    proven: bool = False
    suspected: bool = False


class Deliveries:
    def __init__(
        self, store: Store, channels: Mapping[str, Channel], now: Callable[[], Instant], telemetry: Telemetry
    ) -> None:
        self._store = store
        self._channels = channels
        self._now = now
        self._telemetry = telemetry
        self._reports: dict[str, deque[DueReport]] = {}  # by SIM
        self._kept: dict[str, _Kept] = {}  # by channel
        self._seen = 0  # attempts below this one were read

    def of(self, channel: str) -> Arrivals:
        sim = self._channels[channel].sim
        found, kept = self._reports.get(sim, ()), self._kept.get(channel)
        counts = silence.ratio(tuple(found))
        suspected = kept is not None and kept.sim == sim and kept.suspected
        return Arrivals(due=counts.due, delivered=counts.delivered, silent_block=suspected)

    async def load(self) -> None:
        """What was known at the last stop."""

        def read(view: View) -> dict[str, str]:
            return {id: text for id in self._channels if (text := view.meta(_name(id))) is not None}

        for id, text in (await self._store.read(read)).items():
            self._kept[id] = msgspec.json.decode(text, type=_Kept)

    async def look(self) -> None:
        """Called by housekeeping."""
        due = self._now() - silence.DUE
        first, end = max(self._seen, first_id(due - LOOK_BACK)), first_id(due)
        for report in await self._store.read(lambda view: view.due_reports(first - 1, end, MOST)):
            self._reports.setdefault(report.sim, deque(maxlen=silence.WINDOW)).append(report)
        self._seen = max(self._seen, end)
        for id, channel in self._channels.items():
            await self._judge(id, channel.sim)

    async def _judge(self, id: str, sim: str) -> None:
        reports = self._reports.get(sim)
        if not reports:
            return
        kept = self._kept.get(id)
        before = kept if kept is not None and kept.sim == sim else _Kept(sim=sim)
        proven = before.proven or any(report.delivered for report in reports)
        blocked = silence.suspected(reports, before=before.suspected, proven=proven)
        after = _Kept(sim=sim, proven=proven, suspected=blocked)
        if after == kept:
            return
        told = self._told(id, sim, blocked) if blocked is not before.suspected else None

        def work(changes: Changes) -> None:
            changes.set_meta(_name(id), msgspec.json.encode(after).decode())
            if told is not None:
                changes.emit(EventType.CHANNEL_SILENT_BLOCK, self._now(), key=f"channel/{id}", data=told, channel=id)

        await self._store.write(work)
        self._kept[id] = after
        if told is not None:
            level = logging.WARNING if blocked else logging.INFO
            self._telemetry.notable(CODE, level=level, channel=id, state=told.state, reason=told.reason)

    def _told(self, id: str, sim: str, blocked: bool) -> ChannelData:
        found = silence.ratio(tuple(self._reports[sim]))
        what = f"{found.delivered} of the last {found.due} texts were reported as delivered"
        remedy = "; the network may block this SIM: ask its operator, send less by it" if blocked else ""
        return ChannelData(
            channel=id,
            state="suspected" if blocked else "over",
            code=CODE,
            reason=what + remedy,
            iccid=sim if sim.isdigit() else "",
        )


def _name(id: str) -> str:
    return f"deliveries/{id}"
