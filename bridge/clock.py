"""Time at the rim: the clock that the bridge goes by, and instants as people and machines write them."""

from __future__ import annotations

import ctypes
import os
import struct
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from bridge.model import Instant
from bridge.policy.clocks import JUMP, Belief, Distrust, Reading, Rules, begin, believed, look

__all__ = [
    "Clock",
    "boot_time",
    "from_datetime",
    "has_battery",
    "kernel_synchronised",
    "machine_zone",
    "rfc3339",
    "wall",
]

_UNSYNCHRONISED = 0x40  # STA_UNSYNC of <linux/timex.h>
_STATUS_AT = 40 if struct.calcsize("l") == 8 else 20  # of struct timex: modes, offset, freq, maxerror, esterror, status


def wall() -> Instant:
    return time.time_ns() // 1_000_000


def boot_time() -> int:
    """Milliseconds since the machine started, also those that it slept."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def kernel_synchronised() -> bool | None:
    """Whether a time server or the like keeps the clock, adjtimex(2); None: the kernel does not say."""
    timex = ctypes.create_string_buffer(512)
    try:
        if ctypes.CDLL(None, use_errno=True).adjtimex(timex) < 0:
            return None
    except (OSError, AttributeError):
        return None
    (status,) = struct.unpack_from("i", timex, _STATUS_AT)
    return not status & _UNSYNCHRONISED


def has_battery(sys: Path = Path("/sys"), proc: Path = Path("/proc")) -> bool:
    """Whether the clock runs while the machine is off: it has a real-time clock, or is no single-board computer. Those
    tell their model in the device tree, and virtual machines have their host's clock."""
    return any((sys / "class" / "rtc").glob("rtc*")) or not (proc / "device-tree" / "model").exists()


class Clock:
    """The time that the bridge goes by: the wall clock while that is trusted, else our own (`bridge.policy.clocks`).

    `now` is asked from several threads and many times for each message: as long as the wall clock says about what it
    said before it costs one comparison. It may begin to distrust the wall clock at any time; trust is given by
    `take_over` only, since what is stored has to move with it.
    """

    def __init__(
        self,
        rules: Rules | None = None,
        *,
        read_wall: Callable[[], Instant] = wall,
        read_boot: Callable[[], int] = boot_time,
        synchronised: Callable[[], bool | None] = kernel_synchronised,
        battery: bool | None = None,
    ) -> None:
        self._read_wall = read_wall
        self._read_boot = read_boot
        self._synchronised = synchronised
        self._battery = has_battery() if battery is None else battery
        self._rules = rules or Rules()
        self._lock = Lock()
        self._low = self._high = 0
        self.startled: Callable[[], None] = lambda: None  # called, in any thread, when `now` met a large step
        self.belief = begin(self.read(), 0, self._rules)
        self._set(self.belief)

    def know(self, highest: Instant) -> None:
        """Begin anew, knowing the latest time that was good."""
        with self._lock:
            self._set(begin(self.read(), highest, self._rules))

    def now(self) -> Instant:
        at = self._read_wall()
        if self._low <= at < self._high:
            return at
        return self._unusual()

    @property
    def trusted(self) -> bool:
        self.now()  # it may have been set a moment ago
        return self.belief.distrust is None

    def read(self) -> Reading:
        return Reading(
            wall=self._read_wall(),
            boot=self._read_boot(),
            synchronised=self._synchronised(),
            battery=self._battery,
        )

    def look(self) -> tuple[Belief, Belief]:
        """What was thought, and what is to be thought now. Distrust holds at once; trust, where there was none, only by
        `take_over`."""
        with self._lock:
            before, new = self.belief, look(self.belief, self.read(), self._rules)
            self._follow(before, new)
            return before, new

    def take_over(self) -> tuple[Instant, Instant]:
        """From now on the wall clock is believed. Returns what our own clock says and what that one says."""
        with self._lock:
            reading = self.read()
            ours = believed(self.belief, reading.boot)
            self._set(Belief(wall=reading.wall, boot=reading.boot, steady=self.belief.steady, highest=reading.wall))
            return ours, reading.wall

    def _unusual(self) -> Instant:
        with self._lock:
            before = self.belief
            if before.trusted:
                self._follow(before, look(before, self.read(), self._rules))
            belief, boot = self.belief, self._read_boot()
        if before.trusted and not belief.trusted:
            self.startled()
        return belief.wall if belief.trusted else believed(belief, boot)

    def _follow(self, before: Belief, new: Belief) -> None:
        """Also a large step that is confirmed already is followed by `take_over` only."""
        if before.trusted and new.trusted and abs(new.stepped) > JUMP:
            ours = believed(before, new.boot)
            why = Distrust.STEPPED_AHEAD if new.stepped > 0 else Distrust.STEPPED_BACK
            new = msgspec.structs.replace(new, distrust=why, base=ours, base_boot=new.boot, highest=ours)
        if before.trusted or not new.trusted:
            self._set(new)

    def _set(self, belief: Belief) -> None:
        self.belief = belief
        self._low, self._high = (belief.wall - JUMP, belief.wall + JUMP) if belief.trusted else (0, 0)


def machine_zone() -> str:
    """The name of this machine's time zone: $TZ, else what /etc/localtime is a link to, else "UTC"."""
    named = os.environ.get("TZ", "").removeprefix(":")
    if not named:
        _, _, named = os.path.realpath("/etc/localtime").partition("/zoneinfo/")
    try:
        return ZoneInfo(named).key if named else "UTC"
    except (OSError, ValueError, ZoneInfoNotFoundError):
        return "UTC"


def from_datetime(moment: datetime | None) -> Instant | None:
    """An aware datetime as an instant."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return int(moment.timestamp() * 1000)


def rfc3339(instant: Instant) -> str:
    """`2026-03-14T08:30:15.120Z`."""
    return datetime.fromtimestamp(instant / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant % 1000:03d}Z"
