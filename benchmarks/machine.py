"""The machine a figure was measured on: without it the figure says nothing."""

from __future__ import annotations

import os
import platform
import sqlite3
from pathlib import Path
from time import perf_counter

import msgspec

__all__ = ["Machine", "describe", "syncs_per_second"]

_SYNC_SECONDS = 0.5
_PAGE = bytes(4096)


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    cores: int
    cpu: str
    kernel: str
    python: str
    sqlite: str
    directory: str
    filesystem: str  # kind and device
    syncs_per_second: float  # before the first figure
    load: float  # 1-minute load before the first figure: what else was going on

    def lines(self) -> list[str]:
        found = [
            f"{self.cores} cores of {self.cpu}, Linux {self.kernel}, Python {self.python}, SQLite {self.sqlite}",
            f"state directory on {self.filesystem} ({self.directory}): {self.syncs_per_second:,.0f} syncs/s",
        ]
        if self.load > self.cores / 4:
            found.append(f"the machine was not idle before the run: load {self.load:.2f}")
        return found


def describe(directory: Path) -> Machine:
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        cpu=_cpu(),
        kernel=platform.release(),
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        directory=str(directory),
        filesystem=_filesystem(directory),
        syncs_per_second=syncs_per_second(directory),
        load=os.getloadavg()[0],
    )


def syncs_per_second(directory: Path) -> float:
    """4 KiB appended, then fdatasync, one after the other: what bounds a single modem, since each text is one sync."""
    path = directory / "syncs"
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        count, started = 0, perf_counter()
        while (passed := perf_counter() - started) < _SYNC_SECONDS:
            os.write(file, _PAGE)
            os.fdatasync(file)
            count += 1
        return count / passed
    finally:
        os.close(file)
        path.unlink()


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model"):  # x86; Raspberry Pi
            return value.strip()
    return platform.machine()


def _filesystem(directory: Path) -> str:
    """The mount point that holds the directory is the longest one that is a parent of it."""
    here = directory.resolve()
    found: tuple[int, str] = (0, "an unknown filesystem")
    for line in Path("/proc/mounts").read_text().splitlines():
        device, point, kind = line.split()[:3]
        place = Path(point.replace("\\040", " "))
        if (here == place or place in here.parents) and len(place.parts) >= found[0]:
            found = (len(place.parts), f"{kind} on {device}")
    return found[1]
