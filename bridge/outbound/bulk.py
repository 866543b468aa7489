"""A channel whose driver takes many messages at once: a personalised list in one request, or several requests side by
side. Each message is armed and on disk before the call, and each ends by its own receipt or error.

A call begins with one message and grows while calls succeed, so that a provider which has stopped answering, or a page
that answers in its place, costs one text and not a list. After a lost answer all messages of the call are in doubt.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import monotonic
from typing import cast

from bridge.model import Message
from bridge.outbound import reports, settle
from bridge.outbound.channel import Armed, Bridge, Channel
from bridge.outbound.job import Job
from bridge.store import Changes
from drivers.contract import BulkDriver, Cause, Driver, MaybeSent, NotSent, Receipt, Refused, SubmitError

__all__ = ["BulkChannel", "channel_for"]

log = logging.getLogger("gsmbridge.channel")

Outcome = Receipt | SubmitError


def channel_for(id: str, kind: str, driver: Driver, bridge: Bridge) -> Channel:
    """The kind of channel that the driver's capabilities ask for."""
    return (BulkChannel if driver.capabilities.bulk > 1 else Channel)(id, kind, driver, bridge)


class BulkChannel(Channel):
    """For drivers that take whole messages."""

    def __init__(self, id: str, kind: str, driver: Driver, bridge: Bridge) -> None:
        super().__init__(id, kind, driver, bridge)
        self._grow(1)

    async def _send(self) -> None:
        armed: list[Armed] = []
        while True:
            self.pulse.beat()
            if not armed:
                self.busy = False
                self._idle.set()
                if not (self.backlog and self.fit):
                    await self._when_refilled()
                    self._work.clear()
                    self._bridge.wake_dispatch()
                    await self._work.wait()
                    continue
                self._idle.clear()
                jobs = self._next_jobs()
                armed = await self._write(lambda c, jobs=jobs: self._arm_all(jobs, c))  # type: ignore[misc]
                self._tell_armed(armed)
                continue
            self.busy = True
            started = monotonic()
            outcomes = await self._submit(armed)
            took = monotonic() - started
            self.latencies.submission.observe(took, len(armed))  # each has waited for the whole call
            self._learn(outcomes, took / len(armed))
            armed = await self._settle_all(armed, outcomes)

    def _next_jobs(self) -> list[Job]:
        """For the next call. What comes after is claimed in the same commit that arms them."""
        if not self.fit:
            return []
        jobs = [self.backlog.popleft() for _ in range(min(self._size, len(self.backlog)))]
        if self.wants_more:
            self._bridge.wake_dispatch()
        return jobs

    def _arm_all(self, jobs: Sequence[Job], changes: Changes) -> list[Armed]:
        return [armed for job in jobs if (armed := self._arm(job, changes)) is not None]

    def _tell_armed(self, armed: Sequence[Armed]) -> None:
        for one in armed:
            self._tell.armed(one.job.message, one.attempt)

    async def _submit(self, armed: Sequence[Armed]) -> Sequence[Outcome]:
        submissions = [self._submission(one) for one in armed]
        try:
            if len(submissions) == 1:
                return [await self.driver.submit(submissions[0])]
            outcomes = await cast(BulkDriver, self.driver).submit_many(submissions)
            if len(outcomes) != len(submissions):
                raise ValueError(f"{len(submissions)} messages, {len(outcomes)} results")
            return outcomes
        except SubmitError as failure:
            return [failure] * len(armed)
        except Exception as failure:
            # What we cannot explain may have been sent (rule 3 of the contract).
            log.exception("submit_failed channel=%s", self.id)
            doubt = MaybeSent(f"the driver failed: {failure}", code="driver_failed", cause=Cause.DOUBT)
            return [doubt] * len(armed)

    def _learn(self, outcomes: Sequence[Outcome], pace: float) -> None:
        """How long a message takes, and how many may go in the next call."""
        taken = sum(isinstance(o, Receipt) for o in outcomes)
        if any(isinstance(o, MaybeSent) or o.cause is not Cause.DEST for o in outcomes if isinstance(o, SubmitError)):
            self._grow(1)
        elif taken and len(outcomes) == self._size:
            self._grow(self._size * 2)
        if taken:
            self._pace += (pace - self._pace) * 0.2

    def _grow(self, size: int) -> None:
        """Size of the next call. The one after it, which may be twice as large, is claimed while it runs."""
        most = self.driver.capabilities.bulk
        self._size = min(size, most)
        self._ahead = min(4 * self._size, 2 * most)

    def _weigh_all(self, armed: Sequence[Armed], outcomes: Sequence[Outcome]) -> None:
        """An error that a whole call came back with counts once, at its last message."""
        weighed: set[int] = set()
        for one, outcome in zip(armed, outcomes, strict=True):
            error = None if isinstance(outcome, Receipt) else outcome
            self._count(error)
            if error is None or id(error) not in weighed:
                weighed.add(id(error))
                self._breaker.weigh(one.job.message.to, error)

    async def _settle_all(self, armed: Sequence[Armed], outcomes: Sequence[Outcome]) -> list[Armed]:
        """Record how each submission of a call ended and arm the next call, in one transaction."""
        self._weigh_all(armed, outcomes)
        now, rules = self._bridge.now(), self._bridge.rules
        around = [self._around(one.job.message, o) for one, o in zip(armed, outcomes, strict=True)]
        following = self._next_jobs()

        def work(changes: Changes) -> tuple[list[Armed], list[reports.Taken | None]]:
            reported: list[reports.Taken | None] = []
            for one, outcome, around_it in zip(armed, outcomes, around, strict=True):
                message = one.job.message
                ended = settle.end(changes, message, one.attempt, outcome, now, rules=rules, around=around_it)
                if ended is not None and message.report:
                    reported.append(reports.adopt_orphans(changes, ended, now, others=self._bridge.others))
            return self._arm_all(following, changes), reported

        next_armed, reported = await self._write(work)
        for one, outcome in zip(armed, outcomes, strict=True):
            receipt, error = (outcome, None) if isinstance(outcome, Receipt) else (None, outcome)
            self._tell.ended(one.job.message, one.attempt, receipt, error, last=True)
        for taken in filter(None, reported):
            self._reported(taken)
        if any(isinstance(o, MaybeSent) for o in outcomes):
            self._bridge.wake_doubts()
        if any(isinstance(o, SubmitError) for o in outcomes):
            self._bridge.wake_dispatch()
        await self._after_weighing()
        self._tell_armed(next_armed)
        return next_armed

    def _around(self, message: Message, outcome: Outcome) -> settle.Surroundings:
        turned_down = isinstance(outcome, NotSent | Refused)
        others = self._bridge.others(self.id, message) if turned_down else frozenset[str]()
        return settle.Surroundings(channel=self.id, others=others, sticks=self._bridge.sticks(message))
