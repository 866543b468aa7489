"""Sends the canary, waits for it, and raises the alarm. Its state is one value in the store; each step of it, with the
order or the alarm that belongs to it, is one transaction: a crash neither loses nor doubles any."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import msgspec

from bridge.events import CanaryData, EventType
from bridge.model import LOCAL_CLIENT, Category, DoubtPolicy, Ids, Inbound, Instant, Message, show_id
from bridge.policy import canary
from bridge.policy.admission import Defaults, Order, Rejected, admit
from bridge.policy.canary import Fly, Miss, State, Wait
from bridge.policy.doubt import PRIORITY_ALARM
from bridge.pulse import Pulse
from bridge.store import Changes, Store, StoreFull, View
from bridge.telemetry import Telemetry

__all__ = ["ALARM_ROUTE", "Canary", "Wanted"]

log = logging.getLogger("gsmbridge.canary")

ALARM_ROUTE = "canary-alarm"  # every channel but the canary's
LONGEST_WAIT = 60.0  # seconds; the wall clock may be set
FULL_DISK_WAIT = 1.0
SHORTEST_VALIDITY = 60  # seconds, of an order
REFUSED_AGAIN = 3_600_000
_NAME = "canary"  # in meta, and the reference of its messages


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """`channel` sends to `number`, the SIM of another one. `every`, `within`: milliseconds. `alarm_to`: who gets a text
    when it does not come."""

    channel: str
    number: str
    every: int
    within: int
    alarm_to: tuple[str, ...] = ()


class Canary:
    """`new_token()`: 12 hexadecimal digits that nobody can guess."""

    def __init__(
        self,
        store: Store,
        wanted: Wanted | None,
        ids: Ids,
        now: Callable[[], Instant],
        telemetry: Telemetry,
        defaults: Callable[[], Defaults],
        *,
        new_token: Callable[[], str],
        wake_dispatch: Callable[[], None],
    ) -> None:
        self._store = store
        self._wanted = wanted
        self._ids = ids
        self._now = now
        self._telemetry = telemetry
        self._defaults = defaults
        self._new_token = new_token
        self._wake_dispatch = wake_dispatch
        self._started = now()
        self._wake = asyncio.Event()
        self.state = State()  # as last seen
        self.pulse = Pulse(self.wake)

    def wake(self) -> None:
        """One has come."""
        self._wake.set()

    def recognised(self, changes: Changes, inbound: Inbound, now: Instant) -> bool:
        """Whether an incoming text is one of ours. Called in the transaction that stores it, which is the proof that it
        came."""
        token = canary.token_in(inbound.text)
        if token is None or self._wanted is None:
            return False
        before = _state(changes)
        after = canary.arrived(before, token, now)
        if after is None:
            return False
        _keep(changes, after)
        if before.missed_in_row and not after.missed_in_row:
            self._emit(changes, EventType.CANARY_RECOVERED, now, after, before.missed_in_row, "it comes through again")
        return True

    async def run(self) -> None:
        while True:
            self.pulse.beat()
            self._wake.clear()
            if self._wanted is None:
                await self._wake.wait()
                continue
            try:
                due = await self._turn(self._wanted)
            except StoreFull as error:
                log.error("disk_full detail=%s", error)
                await asyncio.sleep(FULL_DISK_WAIT)
                continue
            await self._pause(due)

    async def _turn(self, wanted: Wanted) -> Instant:
        """Everything that is due. Returns when the next is."""
        before = self.state
        while True:
            taken, state = await self._store.write(lambda changes: self._step(changes, wanted))
            self.state = state
            self._tell(before, state)
            if isinstance(taken, Wait):
                return taken.until
            before = state
            self._wake_dispatch()

    def _step(self, changes: Changes, wanted: Wanted) -> tuple[canary.Step, State]:
        now, state = self._now(), _state(changes)
        taken = canary.step(state, now, every=wanted.every, patience_from=self._started, within=wanted.within)
        match taken:
            case Wait():
                return taken, state
            case Fly():
                state = self._fly(changes, wanted, state, now)
            case Miss():
                state = self._miss(changes, wanted, state, taken, now)
        _keep(changes, state)
        return taken, state

    def _fly(self, changes: Changes, wanted: Wanted, state: State, now: Instant) -> State:
        token = self._new_token()
        order = Order(
            to=wanted.number,
            text=canary.words(token),
            channel=wanted.channel,
            policy=DoubtPolicy.AT_MOST_ONCE,
            priority=PRIORITY_ALARM,
            valid_for=max(SHORTEST_VALIDITY, wanted.within // 1000),
            ref=_NAME,
            category=Category.TRANSACTIONAL,
        )
        message = self._order(changes, order, now)
        if message is None:
            return msgspec.structs.replace(state, next_at=now + min(wanted.every, REFUSED_AGAIN), flight=None)
        return canary.flown(state, token, message.id, now, every=wanted.every, within=wanted.within)

    def _miss(self, changes: Changes, wanted: Wanted, state: State, miss: Miss, now: Instant) -> State:
        sent = changes.message(miss.flight.message)
        stands = f"its text is {sent.status.value}" if sent is not None else "its text is gone"
        why = f"{sent.reason}" if sent is not None and sent.reason else ""
        seconds = (now - miss.flight.ordered_at) // 1000
        reason = f"no canary by {wanted.channel} within {seconds} s; {stands}" + (f": {why}" if why else "")
        after = canary.missed(state, miss, now)
        self._emit(changes, EventType.CANARY_MISSED, now, after, after.missed_in_row, reason)
        for number in wanted.alarm_to if miss.alarm else ():
            text = f"gsm-bridge: texts by {wanted.channel} do not arrive: {reason}"
            order = Order(
                to=number,
                text=text[:300],
                route=ALARM_ROUTE,
                priority=PRIORITY_ALARM,
                ref="canary-alarm",
                category=Category.TRANSACTIONAL,
            )
            self._order(changes, order, now)
        return after

    def _order(self, changes: Changes, order: Order, now: Instant) -> Message | None:
        try:
            message = admit(order, self._defaults(), id=self._ids.next(), client=LOCAL_CLIENT, now=now)
        except Rejected as error:
            log.warning("canary_refused ref=%s codes=%s", order.ref, ",".join(c.code for c in error.complaints))
            return None
        if message.parts > 1:
            message = msgspec.structs.replace(message, concatenation=changes.next_concatenation(message.to))
        changes.add([message])
        return message

    def _emit(
        self, changes: Changes, type: EventType, now: Instant, state: State, missed_in_row: int, reason: str
    ) -> None:
        assert self._wanted is not None
        flight = state.flight
        data = CanaryData(
            channel=self._wanted.channel,
            number=self._wanted.number,
            message=show_id("msg", flight.message) if flight is not None else "",
            missed_in_row=missed_in_row,
            seconds=state.seconds,
            reason=reason,
        )
        changes.emit(type, now, key="canary", data=data, channel=self._wanted.channel)

    def _tell(self, before: State, now: State) -> None:
        assert self._wanted is not None
        flight, channel = now.flight, self._wanted.channel
        if now == before or flight is None:
            return
        message = show_id("msg", flight.message)
        if not flight.over:
            self._telemetry.notable("canary_sent", level=logging.DEBUG, channel=channel, message=message)
        elif now.ok and before.flight != flight:
            self._telemetry.notable("canary_arrived", channel=channel, message=message, seconds=now.seconds)
        elif now.missed_in_row > before.missed_in_row:
            self._telemetry.notable(
                "canary_missed", level=logging.WARNING, channel=channel, message=message, in_row=now.missed_in_row
            )

    async def load(self) -> None:
        """What was known at the last stop."""
        self.state = await self._store.read(_state)

    async def _pause(self, due: Instant) -> None:
        wait = min(LONGEST_WAIT, max(0.0, (due - self._now()) / 1000))
        timer = asyncio.get_running_loop().call_later(wait, self._wake.set)
        await self._wake.wait()
        timer.cancel()


def _state(view: View) -> State:
    text = view.meta(_NAME)
    return State() if text is None else msgspec.json.decode(text, type=State)


def _keep(changes: Changes, state: State) -> None:
    changes.set_meta(_NAME, msgspec.json.encode(state).decode())
