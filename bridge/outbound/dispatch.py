"""Due messages to channels that can take them. One timer on the earliest due time, no polling.

Claims are made only for as much as the channels have room for, so what waits stays in the store, sorted by urgency, and
can still be cancelled.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

import msgspec

from bridge.model import ANY_CHANNEL, Attempt, AttemptState, Instant, Message, Status, route_queue, show_id
from bridge.outbound import settle
from bridge.outbound.channel import Channel
from bridge.outbound.holds import OUTSIDE_HOURS, Holds
from bridge.outbound.job import done, taken_back
from bridge.outbound.meter import QUOTA_USED
from bridge.outbound.order import keep_in_order
from bridge.outbound.samesim import keep_to_sim
from bridge.policy.admission import MODEM_KINDS
from bridge.policy.doubt import Windows
from bridge.policy.gate import Gate
from bridge.policy.prices import Tariff
from bridge.policy.routing import ChannelFacts, ChannelKind, Choice, MessageFacts, Route, best_now, choose
from bridge.policy.stranded import Fail, Follow, Later
from bridge.policy.timing import PASSES
from bridge.pulse import Pulse
from bridge.store import Changes, Store, StoreFull
from bridge.telemetry import Telemetry
from drivers.contract import LinkState, Takes

__all__ = ["Dispatch"]

log = logging.getLogger("gsmbridge.dispatch")

FULL_DISK_WAIT = 1.0
NO_WAY_WAIT = 1.0  # before what no channel could take is looked at again
TRIED = frozenset({AttemptState.REFUSED_SAFE, AttemptState.REFUSED_LATE, AttemptState.UNRESOLVED})
CARRIED = frozenset(kind.value for kind in MODEM_KINDS)
NO_TARIFF = Tariff()
RESCUED = 500  # looked at in one go


class _Taken(msgspec.Struct, frozen=True, kw_only=True):
    message: Message
    queue: str  # it was claimed from
    earlier: tuple[Attempt, ...]
    known_by: str | None = None


class _Claimed(msgspec.Struct, frozen=True, kw_only=True):
    messages: list[_Taken]
    expired: list[int]
    held: list[int]
    kept_to_sim: list[tuple[int, Follow | Later | Fail]]
    parked: bool  # some wait for others, so that there is still room
    next_due: Instant | None


class Dispatch:
    def __init__(
        self,
        store: Store,
        channels: Mapping[str, Channel],
        now: Callable[[], Instant],
        telemetry: Telemetry,
        routes: Mapping[str, Route],
        usual: str,
        holds: Holds,
        *,
        tariffs: Mapping[str, Tariff],
        trusted: Callable[[], bool] = lambda: True,
        windows: Windows,
    ) -> None:
        """`routes` by name, in the order in which their rules are asked. `usual`: the one for all other messages.
        `trusted`: whether the clock is; what was deferred to a time is held while it is not.
        `windows`: how long evidence is awaited."""
        self._routes = routes
        self._usual = usual
        self._holds = holds
        self._metered: tuple[Channel, ...] = ()  # known once all channels are there
        self._tariffs = tariffs  # by channel
        self._trusted = trusted
        self._windows = windows
        self._store = store
        self._channels = channels
        self._now = now
        self._telemetry = telemetry
        self.gate = Gate()  # who may not be written to any more
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self.pulse = Pulse(self.wake)

    def wake(self) -> None:
        """Something may be claimable now: an order came, a channel has room, a channel came up."""
        self._wake.set()

    def others(self, channel: str, message: Message) -> frozenset[str]:
        """The channels beside this one that could send the message now."""
        if message.withdrawn:
            return frozenset()
        choice = self._choose(self._facts(message), self._channel_facts(self._shut_for(message)))
        return frozenset(c.channel for c in choice.candidates) - {channel}

    async def run(self) -> None:
        self._metered = tuple(c for c in self._channels.values() if c.meter is not None)
        while True:
            self.pulse.beat()
            await self._wake.wait()
            self._wake.clear()
            room = {c.id: c.room for c in self._channels.values() if c.room > 0}
            if not room and not any(c.meter and c.meter.full for c in self._metered):
                continue  # a channel that gets room wakes us
            try:
                claimed = await self._store.write(lambda c, room=room: self._claim(c, room))  # type: ignore[misc]
                await self._assign(claimed)
            except StoreFull as error:
                log.error("disk_full detail=%s", error)
                asyncio.get_running_loop().call_later(FULL_DISK_WAIT, self.wake)
                continue
            self._set_timer(claimed.next_due)

    async def rescue(self, patience: int) -> int:
        """Messages that wait for one SIM which has been out for `patience` milliseconds go elsewhere, where their
        policy allows it. Returns how many moved."""
        now = self._now()
        out = {c.id for c in self._channels.values() if c.out_since is not None and now - c.out_since >= patience}
        down = {c.id for c in self._channels.values() if not c.fit} - out

        def work(changes: Changes) -> int:
            moved = 0
            for channel in changes.queues():
                # Also the queue of a channel that is no longer configured.
                if channel in down:
                    moved += self._free(changes, channel, now)
                    continue
                if channel not in out and (channel in self._channels or channel.startswith(ANY_CHANNEL)):
                    continue
                for message in changes.claim(channel, now, RESCUED):
                    others = bool(self.others(channel, message))
                    moved += settle.strand(changes, message, channel, now, others=others)
            return moved

        moved = await self._store.write(work)
        if moved:
            self._telemetry.notable("stranded_moved", level=logging.WARNING, messages=moved)
        self.wake()  # each minute: also for what became free in another way
        return moved

    def _free(self, changes: Changes, channel: str, now: Instant) -> int:
        """Messages that wait for a channel only because it was their first choice when it was busy, and now is out."""
        moved = 0
        for message in changes.claim(channel, now, RESCUED):
            first_choice = message.channel is None and not (message.code or message.tries)
            free = first_choice and bool(self.others(channel, message))
            changes.release(message.id, route_queue(message) if free else channel, message.due_at)
            moved += free
        return moved

    def _claim(self, changes: Changes, room: dict[str, int]) -> _Claimed:
        now = self._now()
        claimed: list[tuple[Message, str]] = []
        trusted = self._trusted()
        waiting = changes.queues()
        shut = self._holds.shut(now)
        for queue in waiting:
            free = self._room_for(queue, room, shut)
            if self._metered and free == 0:
                self._hold_for_limits(changes, queue, now)
            if free > 0:
                taken = changes.claim(queue, now, free, at_once_only=not trusted)
                claimed += [(message, queue) for message in taken]
                if queue in room:
                    room[queue] -= len(taken)
        guarded = self.gate.active
        live: list[_Taken] = []
        expired: list[int] = []
        held: list[int] = []
        kept_to_sim: list[tuple[int, Follow | Later | Fail]] = []
        parked = False
        for message, queue in claimed:
            if message.expires_at is not None and message.expires_at <= now:
                changes.move(
                    message.id, Status.EXPIRED, now, code="expired", reason="its validity ended before it was sent"
                )
                expired.append(message.id)
                continue
            if guarded and message.code != settle.PARTS_LEFT and (no := self.gate.complaint(message)) is not None:
                changes.move(message.id, Status.FAILED, now, code=no.code, reason=no.detail)
                continue
            if message.order_key is not None and keep_in_order(changes, message, queue, now, self._windows):
                parked = True
                continue
            # A message that was never tried has no code: the common case costs no look-up.
            earlier = changes.attempts(message.id) if message.code or message.tries else ()
            own = "" if queue.startswith(ANY_CHANNEL) else queue
            # The rest of a half-sent one goes on: the phone has begun to put it together.
            begun = any(done(a) for a in earlier)
            if not begun and self._holds.keep(changes, message, queue, now, own, trusted=trusted):
                held.append(message.id)
                continue
            channel = self._channels.get(queue) if earlier else None
            if channel is not None:
                kept = keep_to_sim(changes, message, earlier, channel, self._channels, now)
                if kept is not None:
                    kept_to_sim.append((message.id, kept))
                    continue
            known_by = changes.known_by(message.to) if self._route_of(message).sticky else None
            live.append(_Taken(message=message, queue=queue, earlier=tuple(earlier), known_by=known_by))
        due = changes.next_due(waiting, now)
        return _Claimed(messages=live, expired=expired, held=held, kept_to_sim=kept_to_sim, parked=parked, next_due=due)

    def _hold_for_limits(self, changes: Changes, queue: str, now: Instant) -> None:
        """Where limits are all that stands in the way, what is due waits until the first of them begins anew, and says
        so."""
        if queue.startswith(ANY_CHANNEL):
            route = self._routes.get(queue.removeprefix(ANY_CHANNEL)) or self._routes[self._usual]
            choice = choose(MessageFacts(), self._channel_facts(), route)
            if choice.candidates:
                return
            ways = [c.channel for c in choice.refusals]
        else:
            ways = [queue]
        full = [
            (found.until, c.id, found.reason)
            for c in self._metered
            if c.id in ways and c.state is LinkState.UP and c.meter is not None and (found := c.meter.full) is not None
        ]
        if not full:
            return
        until, id, why = min(full)
        reason = f"{id}: {why}"
        for message in changes.claim(queue, now, RESCUED):
            changes.held(message.id, now, by="channel", reason=reason, until=until)
            changes.release(message.id, queue, until, code=QUOTA_USED, reason=reason, as_of=message.updated_at)

    def _room_for(self, queue: str, room: Mapping[str, int], shut: frozenset[str]) -> int:
        """How many to claim from a queue: a channel's own by its room, a route's by the room of its first tier that can
        send at all. While that tier is busy the messages wait in the queue, sorted; they do not spill over."""
        if not queue.startswith(ANY_CHANNEL):
            return room.get(queue, 0)
        route = self._routes.get(queue.removeprefix(ANY_CHANNEL)) or self._routes[self._usual]
        if (
            route.personal
        ):  # the first tier is another for each person; who must wait for it waits in that channel's queue
            return sum(room.values())
        fit = choose(MessageFacts(), self._channel_facts(shut), route).candidates
        if not fit and shut:  # all are outside their hours: alarms go, the others learn until when they wait
            fit = choose(MessageFacts(), self._channel_facts(), route).candidates
        return sum(room.get(c.channel, 0) for c in fit if c.tier == fit[0].tier)

    async def _assign(self, claimed: _Claimed) -> None:
        for id in claimed.expired:
            self._telemetry.message("expired", message=show_id("msg", id))
        for id in claimed.held:
            self._telemetry.message("held", message=show_id("msg", id))
        for id, kept in claimed.kept_to_sim:
            if not isinstance(kept, Later):
                name = "partly_sent" if isinstance(kept, Fail) else "sim_moved"
                self._telemetry.message(name, message=show_id("msg", id))
                self.wake()  # it may wait in a queue that was looked at before
        if claimed.parked:
            self.wake()
        elsewhere: list[tuple[Message, str]] = []
        shut = self._holds.shut(self._now())
        every = self._channel_facts()
        facts = self._channel_facts(shut) if shut else every
        rooms = {c.id: c.room for c in facts}
        loads = {c.id: c.load for c in facts}
        choices: dict[MessageFacts, Choice] = {}  # most messages of a claim have the same facts
        for taken in claimed.messages:
            if not taken.queue.startswith(ANY_CHANNEL):
                # Bound to this SIM: asked for, the rest of its parts, or sent again there first.
                target, otherwise = taken.queue if rooms.get(taken.queue) else None, taken.queue
            else:
                asked = self._facts(taken.message, taken.earlier, taken.known_by)
                seen = facts if asked.priority < PASSES else every
                choice = choices.get(asked) or choices.setdefault(asked, self._choose(asked, seen))
                target = best_now(choice, loads, rooms)
                otherwise = choice.candidates[0].channel if choice.candidates else taken.queue
            if target is None:
                elsewhere.append((taken.message, otherwise))
                continue
            rooms[target] -= 1
            loads[target] += 1
            self._channels[target].assign(taken.message, taken.earlier)
        if elsewhere:

            def put_back(changes: Changes) -> None:
                for message, queue in elsewhere:
                    changes.release(
                        message.id,
                        queue,
                        message.due_at,
                        code=message.code,
                        reason=message.reason,
                        as_of=message.updated_at,
                    )

            await self._store.write(put_back)
            asyncio.get_running_loop().call_later(NO_WAY_WAIT, self.wake)

    def test(self, message: Message, known_by: str | None = None) -> tuple[str | None, Choice]:
        """Where such a message would go now: the route's name (None: it names its channel) and the choice."""
        name = None if message.channel else message.route or self._usual
        return name, self._choose(self._facts(message, known_by=known_by), self._channel_facts(self._shut_for(message)))

    def sticks(self, message: Message) -> bool:
        """Its route wants to know which channel sent it."""
        return self._route_of(message).sticky

    def _shut_for(self, message: Message) -> frozenset[str]:
        return frozenset() if message.priority >= PASSES else self._holds.shut(self._now())

    def _choose(self, message: MessageFacts, facts: list[ChannelFacts]) -> Choice:
        return choose(message, facts, None if message.channel else self._route_of(message))

    def _route_of(self, message: Message | MessageFacts) -> Route:
        return self._routes.get(message.route or self._usual) or self._routes[self._usual]

    def _facts(self, m: Message, earlier: Sequence[Attempt] = (), known_by: str | None = None) -> MessageFacts:
        """Without the number, where the route does not look at it: so most messages of a claim share one choice."""
        route = self._route_of(m)
        return MessageFacts(
            to=m.to if route.personal else "",
            parts=m.parts if route.personal else 1,
            known_by=known_by,
            kind=m.kind,
            message_class=m.message_class,
            sender=m.sender,
            priority=m.priority,
            route=m.route,
            channel=m.channel,
            closed=frozenset(c.id for c in self._metered if c.meter is not None and c.meter.closed_to(m.to)),
            refused_by=frozenset(a.channel for a in earlier if a.state is AttemptState.REFUSED_FINAL or taken_back(a)),
            tried=frozenset(a.channel for a in earlier if a.state in TRIED),
        )

    def _channel_facts(self, shut: frozenset[str] = frozenset()) -> list[ChannelFacts]:
        """`shut`: channels outside their hours."""
        return [
            ChannelFacts(
                id=c.id,
                up=c.state is LinkState.UP,
                paused=not c.fit or c.id in shut,
                load=c.load,
                room=c.room,
                reason=OUTSIDE_HOURS if c.id in shut else _why(c),
                kind=ChannelKind.MODEM if c.takes is Takes.PART else ChannelKind.PROVIDER,
                carries=CARRIED if c.takes is Takes.PART else None,
                tariff=self._tariffs.get(c.id, NO_TARIFF),
            )
            for c in self._channels.values()
        ]

    def _set_timer(self, due: Instant | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due is not None:
            # By time that is never set. Whoever sees the wall clock part from it wakes us.
            wait = max(0.0, (due - self._now()) / 1000)
            self._timer = asyncio.get_running_loop().call_later(wait, self.wake)


def _why(channel: Channel) -> str:
    full = None if channel.meter is None else channel.meter.full
    return (channel.halted or channel.code) if full is None else full.reason
