"""The outbox: every event to every endpoint that wants it, at least once, until it is delivered or given up.

Each endpoint has a courier of its own, so that a slow one delays no other. A courier looks into the store when that
says that there is something new, and at the time of the next try; between that it costs nothing. What it is at is
written nowhere: after a crash it is simply due again, under the same id.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from random import Random
from time import monotonic
from typing import Protocol

import msgspec

from bridge.endpoints import Delivery, DeliveryState, Endpoint, EndpointKind, Try
from bridge.events import EndpointData, Event, EventType
from bridge.latency import Histogram, delivery_to_endpoint
from bridge.model import Ids, Instant, show_id
from bridge.policy import delivery as policy
from bridge.policy.delivery import Answer
from bridge.pulse import Pulse
from bridge.store import Changes, Store, StoreError
from bridge.telemetry import Telemetry

__all__ = ["Outbox", "Sink", "Tried"]

log = logging.getLogger("gsmbridge.webhooks")

AT_ONCE = 8  # posts to one endpoint at a time
FAILING = 3  # failures in a row after which one post at a time goes, to see
STORE_REST = 1.0  # seconds until a store in trouble is asked again


class Sink(Protocol):
    async def deliver(self, endpoint: Endpoint, event: Event) -> Answer:
        """Never raises for what the other side does."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    store: Store
    ids: Ids
    now: Callable[[], Instant]
    rng: Random
    telemetry: Telemetry
    delays: tuple[int, ...]
    sinks: Mapping[EndpointKind, Sink]


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one try, for who waits for it."""

    made: Try
    state: DeliveryState
    next_at: Instant


class Outbox:
    def __init__(
        self,
        store: Store,
        ids: Ids,
        now: Callable[[], Instant],
        rng: Random,
        telemetry: Telemetry,
        *,
        sinks: Mapping[EndpointKind, Sink],
        delays: tuple[int, ...] = policy.DELAYS,
    ) -> None:
        self._context = Context(store=store, ids=ids, now=now, rng=rng, telemetry=telemetry, delays=delays, sinks=sinks)
        self.latencies: dict[int, Histogram] = {}  # by endpoint, from the event until it was taken
        self._couriers: dict[int, _Courier] = {}
        self._touched: set[int] = set()
        self._work = asyncio.Event()
        self.pulse = Pulse(self._work.set)
        store.on_events(self._told)

    def clock_set(self) -> None:
        """The times of the next tries come sooner or later than was thought."""
        self._told(frozenset(self._couriers))

    def _told(self, endpoints: frozenset[int]) -> None:
        self._touched |= endpoints
        self._work.set()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            known = await self._context.store.read(lambda v: v.endpoints())
            self._touched |= {e.id for e in known}
            while True:
                self.pulse.beat()
                touched, self._touched = self._touched, set()
                for id in touched:
                    courier = self._couriers.get(id)
                    if courier is None:
                        self.latencies[id] = delivery_to_endpoint()
                        courier = self._couriers[id] = _Courier(id, self._context, self.latencies[id])
                        tasks.create_task(self._serve(id, courier), name=f"courier-{id}")
                    courier.wake()
                if not self._touched:
                    self._work.clear()
                    await self._work.wait()

    async def _serve(self, id: int, courier: _Courier) -> None:
        await courier.run()
        courier.pulse.beat()  # whoever asked it last gets an answer
        del self._couriers[id], self.latencies[id]

    async def couriers(self) -> None:
        """Returns when each courier has gone round. Posts have time-outs of their own and hold up no round."""
        await asyncio.gather(*(courier.pulse() for courier in self._couriers.values()))

    async def first_try(self, endpoint: int, event: int, patience: float) -> Tried | None:
        """What becomes of the next try of this delivery. None: nothing in time."""
        waiting: asyncio.Future[Tried] = asyncio.get_running_loop().create_future()
        courier = self._couriers.get(endpoint)
        if courier is None:
            return None
        courier.watched[event] = waiting
        try:
            async with asyncio.timeout(patience):
                return await waiting
        except TimeoutError:
            return None
        finally:
            courier.watched.pop(event, None)


class _Courier:
    """One endpoint's deliveries."""

    def __init__(self, id: int, context: Context, latency: Histogram) -> None:
        self.watched: dict[int, asyncio.Future[Tried]] = {}
        self._id = id
        self._context = context
        self._latency = latency
        self._flying: set[int] = set()
        self._failures = 0  # in a row
        self._gone = False
        self._paused_until = 0.0  # of time that is never set
        self._work = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self.pulse = Pulse(self.wake)

    def wake(self) -> None:
        self._work.set()

    async def run(self) -> None:
        """Until its endpoint is removed."""
        async with asyncio.TaskGroup() as tasks:
            while not self._gone:
                self.pulse.beat()
                await self._work.wait()
                self._work.clear()
                try:
                    await self._look(tasks)
                except StoreError as error:
                    log.error("outbox_store_failed endpoint=%s detail=%s", self._name, error)
                    self._wake_in(STORE_REST)

    @property
    def _name(self) -> str:
        return show_id("whk", self._id)

    async def _look(self, tasks: asyncio.TaskGroup) -> None:
        now = self._context.now()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        room = (1 if self._failures >= FAILING else AT_ONCE) - len(self._flying)
        if room <= 0:
            return  # the end of one looks again
        flying = frozenset(self._flying)  # of these the store may be read before their end is written
        endpoint, found, following = await self._context.store.read(
            lambda v: (
                (one := v.endpoint(self._id)),
                v.due(self._id, now, room + len(flying), ordered=one.ordered) if one and one.enabled else [],
                v.next_delivery(self._id, now),
            )
        )
        self._gone = endpoint is None
        if endpoint is None or not endpoint.enabled:
            return
        pause = self._paused_until - monotonic()
        if pause > 0:
            self._wake_in(pause)
            return
        for delivery, event in found:
            if room and delivery.event not in flying:
                room -= 1
                self._flying.add(delivery.event)
                tasks.create_task(self._fly(endpoint, delivery, event))
        if following is not None:
            self._wake_in((following - now) / 1000)

    def _wake_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.wake)

    async def _fly(self, endpoint: Endpoint, delivery: Delivery, event: Event) -> None:
        try:
            started, at = monotonic(), self._context.now()
            answer = await self._ask(endpoint, event)
            made = Try(
                id=self._context.ids.next(),
                endpoint=endpoint.id,
                event=event.id,
                at=at,
                milliseconds=round((monotonic() - started) * 1000),
                status=answer.status,
                problem=answer.problem,
                answer=answer.body,
            )
            await self._settle(endpoint, delivery, event, answer, made)
        except StoreError as error:
            # The try stands in no row, so it is made again: at least once.
            log.error("outbox_store_failed endpoint=%s detail=%s", self._name, error)
            await asyncio.sleep(STORE_REST)
        finally:
            self._flying.discard(delivery.event)
            self.wake()

    async def _ask(self, endpoint: Endpoint, event: Event) -> Answer:
        sink = self._context.sinks.get(endpoint.kind)
        if sink is None:
            return Answer(ok=False, problem="no mail server is configured; write [mail] in the configuration")
        try:
            return await sink.deliver(endpoint, event)
        except Exception as error:  # a defect of ours must not stop the endpoint's other events
            log.exception("delivery_failed endpoint=%s event=%s", self._name, show_id("evt", event.id))
            return Answer(ok=False, problem=f"the delivery failed: {error}")

    async def _settle(self, endpoint: Endpoint, delivery: Delivery, event: Event, answer: Answer, made: Try) -> None:
        now = self._context.now()
        decision = policy.after(
            answer,
            tries=delivery.tries + 1,
            now=now,
            event_at=event.at,
            delays=self._context.delays,
            rng=self._context.rng,
        )
        state, next_at = DeliveryState.WAITING, now
        match decision:
            case policy.Delivered():
                state = DeliveryState.DELIVERED
                self._latency.observe((now - event.at) / 1000)
            case policy.GiveUp():
                state = DeliveryState.DEAD
            case policy.Again(at=next_at, pause=pause):
                if pause is not None:
                    self._paused_until = max(self._paused_until, monotonic() + (pause - now) / 1000)
            case policy.Gone():
                pass

        def work(changes: Changes) -> None:
            changes.tried(delivery, state, next_at, made)
            if isinstance(decision, policy.Gone):
                _disable(changes, endpoint.id, now)

        await self._context.store.write(work)
        self._tell(endpoint, event, answer, decision, made)
        watcher = self.watched.get(event.id)
        if watcher is not None and not watcher.done():
            watcher.set_result(Tried(made=made, state=state, next_at=next_at))

    def _tell(self, endpoint: Endpoint, event: Event, answer: Answer, decision: policy.Decision, made: Try) -> None:
        """The first failure of a streak, its end, and whatever is given up."""
        tell = self._context.telemetry.notable
        if answer.ok:
            if self._failures:
                tell("webhook_recovered", webhook=self._name, failures=self._failures)
            self._failures = 0
            return
        if self._failures == 0:
            tell("webhook_failing", level=logging.WARNING, webhook=self._name, reason=answer.problem)
        self._failures += 1
        if isinstance(decision, policy.GiveUp):
            id = show_id("evt", event.id)
            tell("webhook_dead_letter", level=logging.WARNING, webhook=self._name, event=id, reason=answer.problem)
        if isinstance(decision, policy.Gone):
            tell("webhook_disabled", level=logging.WARNING, webhook=self._name, reason=answer.problem)


def _disable(changes: Changes, id: int, now: Instant) -> None:
    endpoint = changes.endpoint(id)
    if endpoint is None or not endpoint.enabled:
        return
    reason = "it answered 410 Gone"
    changes.change_endpoint(msgspec.structs.replace(endpoint, enabled=False, disabled_reason=reason))
    name = show_id("whk", id)
    data = EndpointData(webhook=name, code="gone", reason=reason)
    changes.emit(EventType.WEBHOOK_DISABLED, now, key=f"webhook/{name}", data=data)
