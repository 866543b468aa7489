"""One channel at work: what is assigned to it is armed, submitted and settled, one part after the other.

The transaction that records the end of one submission arms the next, so a modem at full speed costs one commit a part.
Where commits take a good part of a modem's time, the next one is armed while its predecessor is on the air:

    on the air:   | 1     | 2            | 3            |
    to the disk:  | arm 2 | end 1, arm 3 | end 2, arm 4 |

Never more than one is armed ahead: whatever is armed at a crash is in doubt.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from random import Random
from time import monotonic
from typing import TypeVar

import msgspec

from bridge.events import EventType
from bridge.latency import ChannelLatencies
from bridge.model import Attempt, ChannelSnapshot, Ids, Instant, Message, Quota, Status, route_queue
from bridge.outbound import reports, settle
from bridge.outbound.breaker import Breaker
from bridge.outbound.holds import Holds
from bridge.outbound.job import WHOLE, Job, job_for, submission
from bridge.outbound.meter import QUOTA_USED, Meter
from bridge.outbound.telling import Teller
from bridge.policy.ahead import worth_arming
from bridge.policy.correlation import recipient_key
from bridge.pulse import Pulse
from bridge.store import Changes, Store, StoreFull, View
from bridge.telemetry import Telemetry
from drivers.contract import (
    Cause,
    Driver,
    Event,
    Incoming,
    LateResult,
    LinkChange,
    LinkState,
    MaybeSent,
    MissedCall,
    NotSent,
    Receipt,
    Refused,
    Repair,
    RepairState,
    StatusReport,
    Submission,
    SubmitError,
    Takes,
)

__all__ = ["Armed", "Bridge", "Channel"]

log = logging.getLogger("gsmbridge.channel")

T = TypeVar("T")

SHALLOW, DEEP = 2, 32  # messages claimed ahead: enough for a second, so that an urgent one waits no longer
FULL_DISK_WAIT = 1.0
FRESH = 10_000  # milliseconds for which a text may be armed before it goes on the air
REPAIRING = "repairing"  # the code of a link that its driver has taken down to repair it


class Bridge(msgspec.Struct, frozen=True, kw_only=True):
    """What every channel needs of the rest."""

    store: Store
    ids: Ids
    now: Callable[[], Instant]
    telemetry: Telemetry
    rules: settle.Rules
    holds: Holds
    receive: Callable[[str, Incoming], Awaitable[None]]  # bridge.inbound
    called: Callable[[str, MissedCall], Awaitable[None]]  # the same
    wake_dispatch: Callable[[], None]
    wake_doubts: Callable[[], None]
    others: Callable[[str, Message], frozenset[str]]  # the channels beside this one that could send it now
    sticks: Callable[[Message], bool]  # its route wants to know which channel sent it
    meters: Mapping[str, Meter]  # of the channels that have limits
    rng: Random
    linked: Callable[[], None] = lambda: None  # a channel has come up


class Armed(msgspec.Struct, frozen=True, kw_only=True):
    job: Job
    attempt: Attempt


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A work of the store that has begun, and at whose end something is armed, or nothing."""

    work: Callable[[Changes], Armed | None]
    committed: Awaitable[Armed | None]
    then: Callable[[], Awaitable[None]] | None = None  # once it is on disk


class Channel:
    """Also the driver's sink: `accept` returns when the event is durable."""

    def __init__(self, id: str, kind: str, driver: Driver, bridge: Bridge) -> None:
        self.id = id
        self.kind = kind
        self.driver = driver
        self.sim = id  # until the driver says which SIM it is
        self.state = LinkState.DOWN
        self._link_code = "starting"
        self.since = bridge.now()
        self.backlog: deque[Job] = deque()
        self.busy = False
        self.draining = False
        self.halted = ""  # why nothing is armed for now, though the channel is well; a stable word
        self._bridge = bridge
        self._tell = Teller(bridge.telemetry, id)
        self._work = asyncio.Event()
        self.pulse = Pulse(self._work.set)
        self._idle = asyncio.Event()
        self._idle.set()
        self._unfit_since: Instant | None = self.since
        self._breaker = Breaker(bridge.now, bridge.rng, self._tell, began=self._note_fitness, ended=self._rested)
        self._pace = 1.0  # seconds a submission takes, smoothed
        self._ahead = SHALLOW  # messages claimed ahead at least
        self.meter = bridge.meters.get(id)  # None: no limits
        self._refill: asyncio.TimerHandle | None = None
        self._counts = {"accepted": 0, "refused": 0, "in_doubt": 0, "received": 0}
        self.latencies = ChannelLatencies()
        self.repairs: Counter[tuple[str, RepairState]] = Counter()  # steps since the start, by rung and result

    # --- For the dispatcher -------------------------------------------------------------------------------------------

    @property
    def fit(self) -> bool:
        """It can send now."""
        if self.state is not LinkState.UP or self._breaker.resting or self.draining or self.halted:
            return False
        return self.meter is None or self.meter.full is None

    @property
    def code(self) -> str:
        """A stable word for its state: why it is paused while it is, else the link's."""
        return self._link_code if self._breaker.paused_until is None else self._breaker.code

    @property
    def out_since(self) -> Instant | None:
        """When it was last able to send; None while it is, and while all are halted: what waits for it stays."""
        return None if self.fit or self.halted else self._unfit_since

    @property
    def room(self) -> int:
        """How many more messages to assign. After a pause one message goes as a probe."""
        if not self.fit:
            return 0
        depth = 1 if self._breaker.probing else max(self._ahead, min(DEEP, int(1 / self._pace)))
        if self.meter is not None:
            depth = min(depth, self.meter.room)
        return max(0, depth - len(self.backlog))

    @property
    def takes(self) -> Takes:
        return self.driver.capabilities.takes

    @property
    def load(self) -> int:
        return len(self.backlog) + self.busy

    @property
    def wants_more(self) -> bool:
        """Below half of what it may hold: time to claim."""
        return self.room > len(self.backlog)

    @property
    def waits_for_disk(self) -> bool:
        """Commits take a good part of the time that a text takes."""
        return worth_arming(commit=self._bridge.store.commit_took, submission=self._pace)

    def assign(self, message: Message, earlier: tuple[Attempt, ...]) -> None:
        self.backlog.append(job_for(message, earlier, self.sim, self.takes))
        self._work.set()

    async def snapshot(self) -> ChannelSnapshot:
        return ChannelSnapshot(
            id=self.id,
            driver=self.kind,
            health=await self.driver.health(),
            code=self.code,
            since=self.since,
            busy=self.busy,
            backlog=len(self.backlog),
            paused_until=self._breaker.paused_until,
            probing=self._breaker.probing,
            quota=() if self.meter is None else await self._bridge.store.read(self._quota),
            accepted=self._counts["accepted"],
            refused=self._counts["refused"],
            in_doubt=self._counts["in_doubt"],
            received=self._counts["received"],
        )

    def _quota(self, view: View) -> tuple[Quota, ...]:
        assert self.meter is not None
        return tuple(
            Quota(name=u.limit.name, used=u.used, most=u.limit.most, resets_at=u.ends)
            for u in self.meter.look(view, self._bridge.now())
        )

    # --- At work ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled: keep the driver's link, send what is assigned."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_driver(), name=f"driver-{self.id}")
            tasks.create_task(self._send(), name=f"channel-{self.id}")

    def halt(self, why: str) -> None:
        """Arm nothing more until it is called with "". What is on the air ends as always."""
        self.halted = why
        if not why:
            self._note_fitness()
        self._work.set()

    async def give_back(self) -> None:
        """What is assigned and not armed goes back into the queue, and is claimed anew."""
        await self._return_backlog()

    async def drain(self) -> None:
        """Arm nothing more; return when the running submission has ended and the backlog is back in the queue."""
        self.draining = True
        await self._return_backlog()
        await self._idle.wait()

    async def _keep_driver(self) -> None:
        """A driver that fails is a defect of ours, but one channel's defect must not stop the others."""
        while True:
            try:
                await self.driver.run(self)
                return
            except Exception:
                log.exception("channel_driver_failed channel=%s; restarted in 5 s", self.id)
                await self._link(LinkChange(state=LinkState.DOWN, code="driver_failed", reason="the driver failed"))
                await asyncio.sleep(5)

    async def _send(self) -> None:
        armed: Armed | None = None  # goes on the air next
        written: Written | None = None  # on its way to the disk while that one is on the air
        while True:
            self.pulse.beat()
            if armed is None:
                self.busy = False
                self._idle.set()
                if not (self.backlog and self.fit):
                    await self._when_refilled()
                    self._work.clear()
                    self._bridge.wake_dispatch()
                    await self._work.wait()
                    continue
                self._idle.clear()
                armed = await self._end_of(self._begin(partial(self._arm, self._next_job())))
                continue
            self.busy = True
            if written is None and self._arms_ahead(armed):
                written = self._begin(partial(self._arm, self._next_job()))
            receipt, error = await self._submit_one(armed)
            ready = None if written is None else await self._end_of(written)
            self._count(error)
            self._breaker.weigh(armed.job.message.to, error)
            goes_on = error is None and ready is not None and not self._stale(ready)
            written = self._settle(armed, receipt, error, self._following(armed, receipt, ready, goes_on=goes_on))
            if goes_on:
                armed = ready
                continue
            armed, written = await self._end_of(written), None
            if ready is not None and (self._breaker.resting or self._stale(ready)):
                await self._end_of(self._settle(ready, None, _held_back(), None))
            elif ready is not None:
                armed = ready

    async def _submit_one(self, armed: Armed) -> tuple[Receipt | None, SubmitError | None]:
        started = monotonic()
        error: SubmitError | None = None
        receipt: Receipt | None = None
        try:
            receipt = await self.driver.submit(self._submission(armed))
        except SubmitError as failure:
            error = failure
        except Exception as failure:
            # What we cannot explain may have been sent (rule 3 of the contract).
            log.exception("submit_failed channel=%s", self.id)
            error = MaybeSent(f"the driver failed: {failure}", code="driver_failed", cause=Cause.DOUBT)
        took = monotonic() - started
        self.latencies.submission.observe(took)
        if receipt is not None:
            self._pace += (took - self._pace) * 0.2
        return receipt, error

    def _submission(self, armed: Armed) -> Submission:
        """Asked for right before it goes on the wire: here the waiting ends."""
        job, attempt, now = armed.job, armed.attempt, self._bridge.now()
        if attempt.part <= 1 and not job.earlier:
            self.latencies.wait.observe((now - job.message.due_at) / 1000)
        part = None if attempt.part == WHOLE else job.parts[attempt.part - 1]
        return submission(job.message, part, attempt.id, now, attempt.sim)

    def _arm(self, job: Job, changes: Changes) -> Armed | None:
        """Permission to put the next part on the wire, on disk. None: cancelled or expired meanwhile, changed since it
        was claimed, or outside its hours."""
        now = self._bridge.now()
        message, as_of = job.message, job.message.updated_at
        if message.expires_at is not None and message.expires_at <= now:
            reason = "its validity ended before it was sent"
            if not changes.move(message.id, Status.EXPIRED, now, code="expired", reason=reason, as_of=as_of):
                self._give_back(message, changes)
            return None
        if job.sim != self.sim:  # exchanged since it was assigned: what is left is another question now
            changes.release(
                message.id,
                self._queue_of(job),
                message.due_at,
                code=message.code,
                reason=message.reason,
                as_of=as_of,
            )
            return None
        if not job.left:  # evidence has shown meanwhile that every part was sent
            changes.move(message.id, Status.SENT, now)
            return None
        fresh = len(job.left) >= len(job.parts)  # the rest of a half-sent one goes on in quiet hours too
        queue = message.channel or route_queue(message)
        if fresh and self._bridge.holds.keep(changes, message, queue, now, self.id):
            return None
        if self.meter is not None and not self._within_limits(job, changes, now):
            return None
        attempt = Attempt(
            id=self._bridge.ids.next(),
            message=message.id,
            part=job.left[0],
            channel=self.id,
            sim=self.sim,
            recipient=recipient_key(message.to),
            armed_at=now,
            epoch=self._bridge.store.epoch,
            possible_duplicate=job.duplicate,
        )
        data: dict[str, str | int | bool | None] = {"channel": self.id, "part": attempt.part, "attempt": attempt.id}
        flag = True if job.duplicate else None
        if not changes.move(
            message.id, Status.SENDING, now, possible_duplicate=flag, event="armed", data=data, as_of=as_of
        ):
            self._give_back(message, changes)
            return None
        changes.arm(attempt)
        return Armed(job=job, attempt=attempt)

    def clock_set(self) -> None:
        """A limit's span may end sooner or later than was thought."""
        if self._refill is not None:
            self._refill.cancel()
            self._refill = None
            self._work.set()

    async def _when_refilled(self) -> None:
        """At its limit: what is assigned goes back, and the channel looks again when the limit's span ends."""
        full = None if self.meter is None else self.meter.full
        if full is None or self._refill is not None:
            return
        await self._return_backlog()
        wait = max(0.0, (full.until - self._bridge.now()) / 1000)

        def refilled() -> None:
            self._refill = None
            self._work.set()
            self._bridge.wake_dispatch()

        self._refill = asyncio.get_running_loop().call_later(wait, refilled)

    def _within_limits(self, job: Job, changes: Changes, now: Instant) -> bool:
        """Counts it. Where the channel may send no more, the message goes to another, or waits until it may."""
        m = job.message
        assert self.meter is not None
        over = self.meter.take(changes, m, job.left[0], len(job.left), now)
        if over is None:
            return True
        queue, due_at = self._queue_of(job), m.due_at
        if not self._bridge.others(self.id, m):
            due_at = over.until
            changes.held(m.id, now, by="channel", reason=f"{self.id}: {over.reason}", until=over.until)
        changes.release(m.id, queue, due_at, code=QUOTA_USED, reason=f"{self.id}: {over.reason}", as_of=m.updated_at)
        return False

    def _give_back(self, message: Message, changes: Changes) -> None:
        """One that its client changed since it was claimed waits where the change wants it; a cancelled one stays."""
        changes.release(message.id, message.channel or route_queue(message), message.due_at, as_of=message.updated_at)

    def _settle(
        self, armed: Armed, receipt: Receipt | None, error: SubmitError | None, following: Job | None
    ) -> Written:
        """Begin to record how a submission ended and to arm what follows, in one transaction."""
        job, attempt, message = armed.job, armed.attempt, armed.job.message
        now = self._bridge.now()
        more_parts = receipt is not None and len(job.left) > 1
        others = self._bridge.others(self.id, message) if isinstance(error, NotSent | Refused) else frozenset()
        around = settle.Surroundings(channel=self.id, others=others, sticks=self._bridge.sticks(message))
        rules = self._bridge.rules
        taken: reports.Taken | None = None

        def work(changes: Changes) -> Armed | None:
            nonlocal taken
            taken = None  # a second run after a full disk starts afresh
            outcome = receipt if receipt is not None else error
            ended = settle.end(changes, message, attempt, outcome, now, rules=rules, around=around, last=not more_parts)
            if more_parts and following is None:
                settle.put_back(changes, message, self.id, now)
            if ended is not None and message.report:
                taken = reports.adopt_orphans(changes, ended, now, others=self._bridge.others)
            return None if following is None else self._arm(following, changes)

        async def then() -> None:
            self._tell.ended(message, attempt, receipt, error, last=not more_parts)
            if taken is not None:
                self._reported(taken)
            if error is not None:
                self._bridge.wake_dispatch()
                if isinstance(error, MaybeSent):
                    self._bridge.wake_doubts()
            await self._after_weighing()

        return self._begin(work, then)

    def _following(self, armed: Armed, receipt: Receipt | None, ready: Armed | None, *, goes_on: bool) -> Job | None:
        """What is armed in the transaction that records the end of `armed`: its next part, or another text. `ready` is
        armed already; when it `goes_on` with that one, another may be armed ahead of it."""
        job = armed.job
        if receipt is not None and len(job.left) > 1:
            return msgspec.structs.replace(job, left=job.left[1:]) if self.fit and job.sim == self.sim else None
        wanted = self._follows if ready is None else goes_on and self._arms_ahead(ready)
        return self._next_job() if wanted else None

    def _next_job(self) -> Job:
        """What comes after it is claimed in the commit that arms it, if more is wanted."""
        job = self.backlog.popleft()
        if self.wants_more:
            self._bridge.wake_dispatch()
        return job

    @property
    def _follows(self) -> bool:
        """Another text can be armed. One for an exchanged SIM is a question for the dispatcher."""
        return bool(self.backlog) and self.fit and self.backlog[0].sim == self.sim

    def _arms_ahead(self, armed: Armed) -> bool:
        """Another text is to be armed while this one is on the air. Not before a later part, which comes first, nor
        while one text is to show whether the channel works."""
        return len(armed.job.left) == 1 and self._follows and not self._breaker.probing and self.waits_for_disk

    def _stale(self, ready: Armed) -> bool:
        """Its predecessor was on the air for so long that its validity or its hours may be over by now."""
        expires, now = ready.job.message.expires_at, self._bridge.now()
        return now - ready.attempt.armed_at > FRESH or (expires is not None and expires <= now)

    def _begin(
        self, work: Callable[[Changes], Armed | None], then: Callable[[], Awaitable[None]] | None = None
    ) -> Written:
        return Written(work=work, committed=self._bridge.store.write(work), then=then)

    async def _end_of(self, written: Written) -> Armed | None:
        """What was armed, when it is on disk."""
        try:
            armed = await written.committed
        except StoreFull:
            armed = await self._write(written.work)
        if written.then is not None:
            await written.then()
        if armed is not None:
            self._tell.armed(armed.job.message, armed.attempt)
        else:
            self._bridge.wake_dispatch()  # what was to follow may wait again, for another time or channel
        return armed

    async def _write(self, work: Callable[[Changes], T]) -> T:
        """On a full disk nothing new is armed, but outcomes are kept and tried again until there is room."""
        while True:
            try:
                return await self._bridge.store.write(work)
            except StoreFull as error:
                log.error("disk_full channel=%s detail=%s", self.id, error)
                self.pulse.beat()  # a full disk is no reason to start anew
                await asyncio.sleep(FULL_DISK_WAIT)

    async def _return_backlog(self) -> None:
        jobs, self.backlog = list(self.backlog), deque()
        if not jobs:
            return

        def work(changes: Changes) -> None:
            for job in jobs:
                m = job.message
                changes.release(m.id, self._queue_of(job), m.due_at, code=m.code, reason=m.reason, as_of=m.updated_at)

        await self._write(work)
        self._bridge.wake_dispatch()

    def _queue_of(self, job: Job) -> str:
        """Where a message waits that was assigned and not armed."""
        m = job.message
        half_sent = bool(job.parts) and len(job.left) < m.parts and m.channel is None
        return m.channel or (self.id if half_sent else route_queue(m))

    def _count(self, error: SubmitError | None) -> None:
        if error is None:
            self._counts["accepted"] += 1
        elif isinstance(error, MaybeSent):
            self._counts["in_doubt"] += 1
        else:
            self._counts["refused"] += 1

    # --- Fitness ------------------------------------------------------------------------------------------------------

    async def _after_weighing(self) -> None:
        if self._breaker.untold:
            await self._emit(self._breaker.take_untold())
        if not self.fit:
            await self._return_backlog()

    def _rested(self) -> None:
        self._note_fitness()
        self._work.set()
        self._bridge.wake_dispatch()

    def _note_fitness(self) -> None:
        if self.fit:
            self._unfit_since = None
        elif self._unfit_since is None:
            self._unfit_since = self._bridge.now()

    # --- The driver's sink --------------------------------------------------------------------------------------------

    async def accept(self, event: Event) -> None:
        match event:
            case Incoming():
                self._counts["received"] += 1
                started = monotonic()
                await self._bridge.receive(self.id, event)
                if event.waited is not None:
                    self.latencies.inbound.observe(event.waited + monotonic() - started)
            case MissedCall():
                await self._bridge.called(self.id, event)
            case StatusReport():
                await self._report(event)
            case LateResult():
                await self._late(event)
            case LinkChange():
                await self._link(event)
            case Repair():
                self.repairs[event.rung, event.state] += 1
                self._tell.repair(event)
                await self._emit(self._tell.repair_events(event))

    async def _emit(self, told: list[tuple[EventType, msgspec.Struct]]) -> None:
        now = self._bridge.now()

        def work(changes: Changes) -> None:
            for type, data in told:
                changes.emit(type, now, key=f"channel/{self.id}", data=data, channel=self.id)

        if told:
            await self._write(work)

    async def _report(self, report: StatusReport) -> None:
        id, now = self._bridge.ids.next(), self._bridge.now()
        others = self._bridge.others
        taken = await self._bridge.store.write(
            lambda c: reports.take_report(c, self.id, report, now, id, others=others)
        )
        self._reported(taken)
        self._bridge.wake_dispatch()

    def _reported(self, taken: reports.Taken) -> None:
        if taken.took is not None:
            self.latencies.delivery.observe(taken.took / 1000)
        self._tell.reported(taken)

    async def _late(self, late: LateResult) -> None:
        now = self._bridge.now()

        def work(changes: Changes) -> reports.Taken:
            return reports.take_late(
                changes, late, now, rules=self._bridge.rules, around=around, others=self._bridge.others
            )

        around = settle.Surroundings(channel=self.id)  # a late refusal takes its turn in the queue
        taken = await self._bridge.store.write(work)
        self._tell.late(late, taken)
        self._bridge.wake_dispatch()

    async def _link(self, change: LinkChange) -> None:
        if change.state is LinkState.UP:
            self.sim = change.iccid or (f"imei:{change.imei}" if change.imei else self.id)
        if change.state is not self.state or change.code != self._link_code:
            self.since = self._bridge.now()
            self._tell.link(change)
        repaired = change.state is LinkState.UP and self._link_code == REPAIRING
        self.state = change.state
        self._link_code = change.code
        if repaired:
            self._breaker.repaired()
        self._note_fitness()
        events = self._tell.link_events(change)
        if change.state is LinkState.UP:
            events += self._tell.storage_events(change, await self.driver.health())
        await self._emit(events)
        if self.state is LinkState.UP:
            self._work.set()
            self._bridge.linked()
        else:
            await self._return_backlog()
        self._bridge.wake_dispatch()


def _held_back() -> NotSent:
    """The end of a text that was armed behind one that took long, or after whose failure the channel rests."""
    return NotSent("held back: the one before it failed or took long", code="held_back", cause=Cause.LINK)
