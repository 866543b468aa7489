"""A clock that is believed again while the disk refuses the row that says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from bridge.clock import Clock
from bridge.policy.clocks import BUILD
from bridge.store import Changes, StoreFull
from bridge.store.sqlite import SqliteStore
from bridge.telemetry import Telemetry
from bridge.timekeeping import Timekeeping

from .support import Place

T = TypeVar("T")
HOUR = 3_600_000


class FullOnce:
    """A disk that has room at the second time."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.full = True

    async def write(self, work: Callable[[Changes], T]) -> T:
        def refused(changes: Changes) -> T:
            work(changes)
            raise StoreFull("the disk is full")

        full, self.full = self.full, False
        return await self._store.write(refused if full else work)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_it_is_made_again_when_there_is_room(place: Place) -> None:
    kernel: dict[str, bool] = {"synchronised": False}
    woken: list[bool] = []

    async def nothing() -> None:
        pass

    async def story(store: SqliteStore) -> None:
        now = BUILD + HOUR
        clock = Clock(
            read_wall=lambda: now,
            read_boot=lambda: 1000,
            synchronised=lambda: kernel["synchronised"],
            battery=False,
        )
        assert not clock.trusted
        disk = FullOnce(store)
        keeping = Timekeeping(
            clock, disk, Telemetry(clock.now), give_back=nothing, wake=lambda: woken.append(clock.trusted)
        )
        kernel["synchronised"] = True
        await keeping.look()
        assert not disk.full
        assert await store.read(lambda view: view.meta("clock_highest")) is None
        await keeping.look()
        assert woken[-1]
        assert await store.read(lambda view: view.meta("clock_highest")) == str(now)

    place.play(story)
