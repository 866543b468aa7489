"""Looks after the clock at once when it was set or the machine slept, and each minute where the kernel tells neither.
When the bridge begins to go by another time, what waits in the store moves with it. Every timer runs by time that is
never set, so each is set anew when that and the wall clock have parted, be it by an eye's blink."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import struct
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from bridge.clock import Clock, rfc3339
from bridge.events import ClockData, EventType
from bridge.model import Instant
from bridge.policy.clocks import Belief, Distrust
from bridge.pulse import Pulse
from bridge.store import CLOCK_HIGHEST, Changes, Store, StoreError
from bridge.telemetry import Telemetry

__all__ = ["Timekeeping", "reason"]

log = logging.getLogger("gsmbridge.clock")

WATCHFUL = 2.0  # while the clock is not trusted
KEPT_EVERY = 3_600_000  # milliseconds: how often the time is written down, for the next start
PARTED = 0.005  # seconds by which a text may be late for it

_WHY = {
    Distrust.BEFORE_BUILD: "it is earlier than this version of gsm-bridge",
    Distrust.BEHIND_STORE: "it is earlier than the last time that was written down here",
    Distrust.NOT_SYNCHRONISED: "no time server has set it yet, and the machine has no clock with a battery",
    Distrust.STEPPED_AHEAD: "it was set ahead by more than ten minutes",
    Distrust.STEPPED_BACK: "it was set back by more than ten minutes",
}


class Timekeeping:
    """`give_back()`: channels put what they have claimed back into the store. `wake()`: every timer is to be looked at
    again."""

    def __init__(
        self,
        clock: Clock,
        store: Store,
        telemetry: Telemetry,
        *,
        give_back: Callable[[], Awaitable[None]],
        wake: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._store = store
        self._telemetry = telemetry
        self._give_back = give_back
        self._wake = wake
        self._look = asyncio.Event()
        self._looking = asyncio.Lock()
        self.pulse = Pulse(self._look.set)
        self._since: Instant | None = None if clock.belief.trusted else clock.now()  # of our own clock
        self._kept: Instant = 0
        self._taken: tuple[Instant, Instant] = 0, 0  # what our clock and the wall clock said when it was believed again
        self._apart = self._lead()
        self.steps = 0  # since the start

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        self._clock.startled = lambda: _from_any_thread(loop, self._look)
        if self._since is not None:
            await self._alarm(self._clock.belief)
        alarm = _ClockSet.arm()
        if alarm is not None:
            loop.add_reader(alarm.fd, self._was_set, alarm)
        try:
            while True:
                self.pulse.beat()
                self._look.clear()
                await self.look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(None if self._since is None else WATCHFUL):
                        await self._look.wait()
        finally:
            if alarm is not None:
                loop.remove_reader(alarm.fd)
                alarm.close()

    def remind(self) -> None:
        """A minute has passed."""
        self._look.set()

    async def look(self) -> None:
        async with self._looking:
            await self._looked()

    async def _looked(self) -> None:
        before, new = self._clock.look()
        try:
            if new.stepped:
                self.steps += 1
                self._telemetry.notable("clock_stepped", level=logging.WARNING, seconds=new.stepped / 1000)
            if self._since is None and not self._clock.belief.trusted:
                self._since = self._clock.belief.base
                if not new.trusted:
                    await self._alarm(new)
            if self._since is not None and new.trusted:
                await self._take_over()
            elif before.trusted and new.trusted and new.stepped:
                await self._move(new.wall - new.stepped, new.wall, new.wall)
            await self._keep()
        except StoreError as error:
            log.error("clock_not_kept detail=%s", error)
        apart = self._lead()
        if abs(apart - self._apart) > PARTED:
            self._apart = apart
            self._wake()

    async def _take_over(self) -> None:
        """What the wall clock says holds from one work of the store to the next: no work sees the new time and the old
        rows."""
        since = self._since
        assert since is not None
        await self._give_back()

        def work(changes: Changes) -> tuple[Instant, Instant]:
            if not self._clock.belief.trusted:
                self._taken = self._clock.take_over()
            ours, theirs = self._taken  # the same, when this was undone and runs again
            changes.clock_moved(since, ours, theirs)
            changes.set_meta(CLOCK_HIGHEST, str(theirs))
            return ours, theirs

        ours, theirs = await self._store.write(work)
        self._since = None
        self._kept = theirs
        self._telemetry.notable("clock_trusted", seconds_moved=(theirs - ours) / 1000, now=rfc3339(theirs))
        self._wake()

    async def _move(self, before: Instant, after: Instant, since: Instant) -> None:
        await self._store.write(lambda changes: changes.clock_moved(since, before, after))

    async def _keep(self) -> None:
        """The latest good time, written down for the next start."""
        highest = self._clock.belief.highest
        if abs(highest - self._kept) >= KEPT_EVERY:
            await self._store.write(lambda changes: changes.set_meta(CLOCK_HIGHEST, str(highest)))
            self._kept = highest

    async def _alarm(self, belief: Belief) -> None:
        self._telemetry.notable(
            "clock_not_trusted",
            level=logging.WARNING,
            code=belief.distrust,
            wall=rfc3339(belief.wall),
            ours=rfc3339(belief.base),
            reason=reason(belief),
        )
        self._wake()
        told = ClockData(code=str(belief.distrust or ""), reason=reason(belief))
        try:
            await self._store.write(
                lambda c: c.emit(EventType.CLOCK_UNTRUSTED, self._clock.now(), key="clock", data=told)
            )
        except StoreError as error:
            log.error("clock_not_told detail=%s", error)

    def _lead(self) -> float:
        """Seconds by which the wall clock is ahead of the time that timers run by: other after each step, and after
        sleep, which timers do not count."""
        return self._clock.read().wall / 1000 - time.monotonic()

    def _was_set(self, alarm: _ClockSet) -> None:
        alarm.read()
        self._look.set()


def reason(belief: Belief) -> str:
    """Why the clock is not trusted, and what to do; "" when it is."""
    if belief.distrust is None:
        return ""
    return (
        f"the clock is not to be trusted: {_WHY[belief.distrust]}; texts for now are sent, deferred and recurring ones "
        "are held until it is right: start a time server, set it by hand, or see service.clock in the manual"
    )


def _from_any_thread(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    with suppress(RuntimeError):  # the loop is gone
        loop.call_soon_threadsafe(event.set)


class _ClockSet:
    """Tells when the wall clock was set, or the machine woke: a timer far ahead that the kernel cancels then
    (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET). Python has it from 3.13 on."""

    _FAR = (1 << 31) - 1 if struct.calcsize("l") == 4 else 1 << 33  # seconds since 1970: the year 2242

    def __init__(self, libc: ctypes.CDLL, fd: int) -> None:
        self._libc = libc
        self.fd = fd

    @classmethod
    def arm(cls) -> _ClockSet | None:
        """None where the kernel has no such thing; then the look each minute has to do."""
        libc = ctypes.CDLL(None, use_errno=True)
        try:
            fd = libc.timerfd_create(time.CLOCK_REALTIME, os.O_NONBLOCK | os.O_CLOEXEC)
        except AttributeError:
            return None
        if fd < 0:
            return None
        found = cls(libc, fd)
        if not found._set():
            found.close()
            return None
        return found

    def read(self) -> None:
        with suppress(OSError):  # ECANCELED: that is the news
            os.read(self.fd, 8)
        self._set()

    def close(self) -> None:
        os.close(self.fd)

    def _set(self) -> bool:
        absolute, cancel_on_set = 1, 2
        until = struct.pack("4l", 0, 0, self._FAR, 0)
        return bool(self._libc.timerfd_settime(self.fd, absolute | cancel_on_set, until, None) == 0)
