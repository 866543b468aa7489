"""Doubts at providers that can be asked: does it have the message under our reference? Asked soon, then less often."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress

from bridge.model import Attempt, Instant, show_id
from bridge.outbound import reports, settle
from bridge.outbound.channel import Channel
from bridge.outbound.job import job_for, submission
from bridge.pulse import Pulse
from bridge.store import Changes, Store, StoreError
from bridge.telemetry import Telemetry
from drivers.contract import Absent, CannotTell, Cause, Found, LateResult, NotSent, SubmitError

__all__ = ["LookUps"]

log = logging.getLogger("gsmbridge.lookups")

WAITS = (2.0, 10.0, 60.0, 120.0)  # seconds after the doubt, then after each question; the last one repeats
AT_ONCE = 20  # doubts asked about in one round
REST = 60.0  # seconds a provider is left alone after a question that failed: its doubts are one outage, not many
TROUBLE = 5.0  # seconds after the store could not be read
FOREVER = 1 << 62


class LookUps:
    def __init__(
        self,
        store: Store,
        channels: Mapping[str, Channel],
        now: Callable[[], Instant],
        telemetry: Telemetry,
        rules: settle.Rules,
        *,
        wake_dispatch: Callable[[], None],
        others: reports.Others,
    ) -> None:
        self._store = store
        self._channels = channels
        self._now = now
        self._telemetry = telemetry
        self._rules = rules
        self._wake_dispatch = wake_dispatch
        self._others = others
        self._wake = asyncio.Event()
        self._wake.set()
        self.pulse = Pulse(self.wake)  # also after each question
        self._asked: dict[int, int] = {}  # attempt -> questions so far
        self._resting: dict[str, float] = {}  # channel -> until when it is left alone, in the loop's time
        self._next: dict[int, float] = {}  # attempt -> when to ask again, in the loop's time

    def wake(self) -> None:
        """There is a new doubt."""
        self._wake.set()

    async def run(self) -> None:
        while True:
            self.pulse.beat()
            self._wake.clear()
            wait = await self._round()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), wait)

    async def _round(self) -> float | None:
        """Ask about the doubts whose time has come. Seconds until the next question; None while no doubt is open."""
        if not any(c.driver.evidence.look_up for c in self._channels.values()):
            return None  # nobody to ask, ever
        try:
            doubts = await self._store.read(lambda v: v.doubts_due(FOREVER, 1000))
        except StoreError as error:
            log.warning("lookups_failed detail=%s", error)
            return TROUBLE
        mine = [a for a in doubts if (c := self._channels.get(a.channel)) and c.driver.evidence.look_up]
        open_ids = {a.id for a in mine}
        self._asked = {id: n for id, n in self._asked.items() if id in open_ids}
        clock = asyncio.get_running_loop().time()
        self._next = {a.id: self._next.get(a.id, clock + WAITS[0]) for a in mine}
        for attempt in [a for a in mine if self._next[a.id] <= clock][:AT_ONCE]:
            if self._resting.get(attempt.channel, 0.0) > clock:
                self._next[attempt.id] = self._resting[attempt.channel]
                continue
            asked = self._asked.get(attempt.id, 0) + 1
            self._asked[attempt.id] = asked
            self._next[attempt.id] = clock + WAITS[min(asked, len(WAITS) - 1)]
            try:
                await self._ask(attempt)
            except StoreError as error:  # a full disk: the provider is asked again
                log.warning("lookups_failed detail=%s", error)
                return TROUBLE
            self.pulse.beat()
        return min(self._next[a.id] for a in mine) - asyncio.get_running_loop().time() if mine else None

    async def _ask(self, attempt: Attempt) -> None:
        channel = self._channels[attempt.channel]
        message = await self._store.read(lambda v: v.message(attempt.message))
        if message is None:
            return
        job = job_for(message, (), attempt.sim, channel.takes)
        part = job.parts[attempt.part - 1] if job.parts else None
        try:
            answer = await channel.driver.look_up(submission(message, part, attempt.id, self._now()))
        except SubmitError as error:
            log.debug("look_up_failed channel=%s code=%s", channel.id, error.code)
            self._resting[channel.id] = asyncio.get_running_loop().time() + REST
            return
        match answer:
            case Found():
                late = LateResult(attempt_id=show_id("att", attempt.id), receipt=answer.receipt)
            case Absent():
                gone = NotSent("the provider does not have it", code="proved_absent", cause=Cause.NET)
                late = LateResult(attempt_id=show_id("att", attempt.id), error=gone)
            case CannotTell():
                return
        around = settle.Surroundings(channel=channel.id)
        now = self._now()

        def work(changes: Changes) -> reports.Taken:
            return reports.take_late(changes, late, now, rules=self._rules, around=around, others=self._others)

        taken = await self._store.write(work)
        self._telemetry.message(
            "looked_up",
            message=show_id("msg", attempt.message),
            channel=channel.id,
            found=late.receipt is not None,
            status=taken.status,
        )
        self._wake_dispatch()
