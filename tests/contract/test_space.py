"""The ballast and the levels of a disk, on a real small one where it may be mounted, else on figures that are told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bridge.policy.storage import Level
from bridge.store import StoreFull
from bridge.store.space import BALLAST, HOLD, Space, held

from .support import Place, message

MB = 1_000_000


class Disk:
    """What the file system says, beside the ballast, which is really there."""

    def __init__(self, directory: Path) -> None:
        self.free = 150 * MB  # with no ballast on it
        self.now = 0.0
        self.ballast = directory / BALLAST
        self.space = Space(directory, clock=lambda: self.now, room=lambda _: (self.free - held(self.ballast), 500 * MB))

    def look(self, free: int) -> Level:
        self.free = free * MB
        self.now += 1
        self.space.look()
        return self.space.level


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    """Of 500 MB: low at 50, critical at 12.5, a ballast of 8."""
    return Disk(tmp_path)


def test_the_ballast_is_given_up_when_critical_and_taken_back_before_it_ends(disk: Disk) -> None:
    assert disk.look(150) is Level.AMPLE
    assert held(disk.ballast) >= 7_900_000
    assert disk.ballast.stat().st_mode & 0o777 == 0o600
    assert disk.look(57) is Level.LOW  # 49 and the ballast
    assert held(disk.ballast)
    assert disk.look(20) is Level.CRITICAL  # 12
    assert held(disk.ballast) == 0
    assert disk.look(26) is Level.CRITICAL  # 18 would be left beside a ballast
    assert held(disk.ballast) == 0
    assert disk.look(27) is Level.LOW
    assert held(disk.ballast) >= 7_900_000
    assert disk.look(70) is Level.AMPLE


def test_it_is_looked_at_once_a_second(disk: Disk) -> None:
    disk.look(150)
    disk.free = 0
    seen: list[Level] = []
    for _ in range(11):
        disk.now += 0.1
        disk.space.look()
        seen.append(disk.space.level)
    assert seen[8:] == [Level.AMPLE, Level.CRITICAL, Level.CRITICAL]


def test_what_sqlite_says_counts_more_than_what_the_file_system_says(disk: Disk) -> None:
    """A quota: there is room, and it is not for us."""
    disk.look(150)
    disk.space.exhausted()
    assert disk.space.level is Level.CRITICAL
    assert held(disk.ballast) == 0
    assert disk.look(150) is Level.CRITICAL
    disk.now += HOLD
    assert disk.look(150) is Level.AMPLE
    assert held(disk.ballast)


def test_the_writer_gives_the_ballast_up_when_sqlite_is_full(place: Place) -> None:
    """A bound on the file stands for a quota: statvfs knows nothing of it."""
    ballast = place.path.with_name(BALLAST)
    levels: list[Level] = []

    async def story() -> None:
        async with place.open(max_pages=110, space=Space(place.path.parent)) as store:
            critical = asyncio.Event()

            def told(level: Level) -> None:
                levels.append(level)
                if level is Level.CRITICAL:
                    critical.set()

            store.on_level(told)
            assert held(ballast) > 0
            with pytest.raises(StoreFull):
                await store.write(lambda c: c.add([message(text="x" * 1000) for _ in range(500)]))
            assert held(ballast) == 0
            async with asyncio.timeout(60):
                await critical.wait()

    asyncio.run(story())
    assert levels == [Level.AMPLE, Level.CRITICAL]


def test_without_room_for_the_ballast_nothing_goes_on(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    disk.look(10)
    disk.ballast.unlink(missing_ok=True)
    disk.ballast.mkdir()  # in its way
    assert disk.look(150) is Level.CRITICAL
    assert "no_ballast" in caplog.text
    disk.ballast.rmdir()
    assert disk.look(150) is Level.AMPLE
