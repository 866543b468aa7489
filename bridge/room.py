"""What the service does when the disk that holds the store has little room: it warns, then takes no orders and arms
nothing until there is room again. What is on the air ends as always, and what comes in is stored while that can be: it
stays on the SIM until its row is written."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from bridge.events import DiskData, EventType
from bridge.model import Instant
from bridge.outbound.channel import Channel
from bridge.outbound.intake import Closed, Intake
from bridge.policy.storage import Level
from bridge.store import Store, StoreError
from bridge.telemetry import Telemetry

__all__ = ["DISK_FULL", "Room"]

log = logging.getLogger("gsmbridge.room")

DISK_FULL = "disk_full"


class Room:
    """`free()`: octets. `wake()`: whoever waited for room is to go on."""

    def __init__(
        self,
        store: Store,
        intake: Intake,
        channels: Mapping[str, Channel],
        now: Callable[[], Instant],
        telemetry: Telemetry,
        *,
        directory: Path,
        free: Callable[[], int],
        wake: Callable[[], None],
    ) -> None:
        self.level = Level.AMPLE
        self._store = store
        self._intake = intake
        self._channels = channels
        self._now = now
        self._telemetry = telemetry
        self._directory = directory
        self._free = free
        self._wake = wake
        self._telling: set[asyncio.Task[None]] = set()

    @property
    def enough(self) -> bool:
        """Orders are taken and texts sent."""
        return self.level is not Level.CRITICAL

    @property
    def detail(self) -> str:
        """A sentence with the remedy; "" while there is ample room."""
        if self.level is Level.AMPLE:
            return ""
        left = f"{self._free() / 1_000_000:.0f} MB are left on the disk of {self._directory}"
        if self.level is Level.LOW:
            return f"only {left}: make room before orders must be refused"
        return (
            f"only {left}: orders are refused and texts wait until there is room; delete or move files there. Nothing "
            "that was taken is lost"
        )

    def turned(self, level: Level) -> None:
        """The store says how it is now."""
        before, self.level = self.level, level
        if level is before:
            return
        self._telemetry.notable(
            "disk_room",
            level=logging.INFO if level is Level.AMPLE else logging.WARNING if self.enough else logging.CRITICAL,
            state=level.value,
            before=before.value,
            free=self._free(),
            remedy=self.detail or None,
        )
        if self._intake.closed is None or self._intake.closed.code == DISK_FULL:  # never over the end of the service
            self._intake.closed = None if self.enough else Closed(self.detail, code=DISK_FULL)
        for channel in self._channels.values():
            channel.halt("" if self.enough else DISK_FULL)
        if before is Level.CRITICAL:
            self._wake()
        task = asyncio.get_running_loop().create_task(self._tell(level))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self, level: Level) -> None:
        told = DiskData(state=level.value, free=self._free(), reason=self.detail)
        try:
            await self._store.write(lambda c: c.emit(EventType.DISK_ROOM, self._now(), key="disk", data=told))
        except StoreError as error:
            log.error("disk_room_not_told detail=%s", error)
