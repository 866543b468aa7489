"""Due messages to channels that can take them. One timer on the earliest due time, no polling.

Claims are made only for as much as the channels have room for, so what waits stays in the store, sorted by urgency, and
can still be cancelled.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

import msgspec

from bridge.model import ANY_CHANNEL, Attempt, AttemptState, Instant, Message, Status, show_id
from bridge.outbound import settle
from bridge.outbound.channel import Channel
from bridge.policy.routing import ChannelFacts, Choice, MessageFacts, best_now, choose
from bridge.store import Changes, Store, StoreFull
from bridge.telemetry import Telemetry
from drivers.contract import LinkState

__all__ = ["Dispatch"]

log = logging.getLogger("gsmbridge.dispatch")

LONGEST_WAIT = 60.0  # seconds; the wall clock may be set, so a far due time is looked at again
FULL_DISK_WAIT = 1.0
TRIED = frozenset({AttemptState.REFUSED_SAFE, AttemptState.REFUSED_LATE, AttemptState.UNRESOLVED})
RESCUED = 500  # looked at in one go


class _Taken(msgspec.Struct, frozen=True, kw_only=True):
    message: Message
    queue: str  # it was claimed from
    earlier: tuple[Attempt, ...]


class _Claimed(msgspec.Struct, frozen=True, kw_only=True):
    messages: list[_Taken]
    expired: list[int]
    next_due: Instant | None


class Dispatch:
    def __init__(
        self, store: Store, channels: Mapping[str, Channel], now: Callable[[], Instant], telemetry: Telemetry
    ) -> None:
        self._store = store
        self._channels = channels
        self._now = now
        self._telemetry = telemetry
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def wake(self) -> None:
        """Something may be claimable now: an order came, a channel has room, a channel came up."""
        self._wake.set()

    def others(self, channel: str) -> frozenset[str]:
        """The channels beside this one that could send now."""
        return frozenset(c.id for c in self._channels.values() if c.fit and c.id != channel)

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            room = {c.id: c.room for c in self._channels.values() if c.room > 0}
            if not room:
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

        def work(changes: Changes) -> int:
            moved = 0
            for channel in changes.queues():
                # Also the queue of a channel that is no longer configured.
                if channel not in out and (channel in self._channels or channel == ANY_CHANNEL):
                    continue
                others = bool(self.others(channel))
                for message in changes.claim(channel, now, RESCUED):
                    moved += settle.strand(changes, message, channel, now, others=others)
            return moved

        moved = await self._store.write(work)
        if moved:
            self._telemetry.notable("stranded_moved", level=logging.WARNING, messages=moved)
            self.wake()
        return moved

    def _claim(self, changes: Changes, room: dict[str, int]) -> _Claimed:
        now = self._now()
        claimed: list[tuple[Message, str]] = []
        waiting = changes.queues()
        for channel in waiting:
            if room.get(channel):
                claimed += [(message, channel) for message in changes.claim(channel, now, room[channel])]
        free = sum(room.values()) - len(claimed)
        if free > 0 and ANY_CHANNEL in waiting:
            claimed += [(message, ANY_CHANNEL) for message in changes.claim(ANY_CHANNEL, now, free)]
        live: list[_Taken] = []
        expired: list[int] = []
        for message, queue in claimed:
            if message.expires_at is not None and message.expires_at <= now:
                changes.move(
                    message.id, Status.EXPIRED, now, code="expired", reason="its validity ended before it was sent"
                )
                expired.append(message.id)
                continue
            # A message that was never tried has no code: the common case costs no look-up.
            earlier = changes.attempts(message.id) if message.code or message.tries else ()
            live.append(_Taken(message=message, queue=queue, earlier=tuple(earlier)))
        return _Claimed(messages=live, expired=expired, next_due=changes.next_due(waiting, now))

    async def _assign(self, claimed: _Claimed) -> None:
        for id in claimed.expired:
            self._telemetry.message("expired", message=show_id("msg", id))
        elsewhere: list[tuple[Message, str]] = []
        facts = self._channel_facts()
        rooms = {c.id: c.room for c in facts}
        loads = {c.id: c.load for c in facts}
        choices: dict[MessageFacts, Choice] = {}  # most messages of a claim have the same facts
        for taken in claimed.messages:
            if taken.queue != ANY_CHANNEL:
                # Bound to this SIM: asked for, the rest of its parts, or sent again there first.
                target, otherwise = taken.queue if rooms.get(taken.queue) else None, taken.queue
            else:
                asked = _facts(taken)
                choice = choices.get(asked) or choices.setdefault(asked, choose(asked, facts))
                target = best_now(choice, loads, rooms)
                otherwise = choice.candidates[0].channel if choice.candidates else ANY_CHANNEL
            if target is None:
                elsewhere.append((taken.message, otherwise))
                continue
            rooms[target] -= 1
            loads[target] += 1
            self._channels[target].assign(taken.message, taken.earlier)
        if elsewhere:
            now = self._now()

            def put_back(changes: Changes) -> None:
                for message, queue in elsewhere:
                    due_at = now + 1000 if queue == ANY_CHANNEL else message.due_at
                    changes.release(message.id, queue, due_at, code=message.code, reason=message.reason)

            await self._store.write(put_back)

    def _channel_facts(self) -> list[ChannelFacts]:
        return [
            ChannelFacts(
                id=c.id,
                up=c.state is LinkState.UP,
                paused=not c.fit,
                load=c.load,
                room=c.room,
                reason=c.code,
            )
            for c in self._channels.values()
        ]

    def _set_timer(self, due: Instant | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due is not None:
            wait = min(LONGEST_WAIT, max(0.0, (due - self._now()) / 1000))
            self._timer = asyncio.get_running_loop().call_later(wait, self.wake)


def _facts(taken: _Taken) -> MessageFacts:
    return MessageFacts(
        channel=taken.message.channel,
        refused_by=frozenset(a.channel for a in taken.earlier if a.state is AttemptState.REFUSED_FINAL),
        tried=frozenset(a.channel for a in taken.earlier if a.state in TRIED),
    )
