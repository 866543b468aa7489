"""What is left on the SIMs, asked by USSD now and then. What is known outlives a restart, and so does when it was
asked: a service that restarts every minute asks no more often than one that runs."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal

import msgspec

from bridge.events import EventType, SimData
from bridge.model import Instant, Left
from bridge.outbound.channel import Channel
from bridge.policy import balance
from bridge.pulse import Pulse
from bridge.store import Changes, Store, StoreFull, View
from bridge.telemetry import Telemetry
from drivers.contract import LinkState, Ussd, UssdFailed

__all__ = ["Balances", "Wanted"]

log = logging.getLogger("gsmbridge.balances")

WITHIN = 120.0  # seconds a network may take
AGAIN = 3_600_000  # after an answer that was of no use; each may cost
SOON = 5 * 60_000  # when nothing was asked, since the modem or its session was taken
NOT_ASKED = frozenset({"link_down", "session_open"})
MISFIT = "The network's answer does not fit balance_pattern; `gsmbridge modem ussd` shows it."
LONGEST_WAIT = 60.0
FULL_DISK_WAIT = 1.0


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """How a SIM is asked. `every`: milliseconds. Below `low` is told."""

    code: str
    pattern: re.Pattern[str]
    every: int
    low: Decimal | None = None
    currency: str = ""


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """As in the store, under `balance/CHANNEL`."""

    sim: str
    asked_at: Instant
    next_at: Instant
    left: Left


class Balances:
    """`wanted`: by channel."""

    def __init__(
        self,
        store: Store,
        channels: Mapping[str, Channel],
        wanted: Mapping[str, Wanted],
        now: Callable[[], Instant],
        telemetry: Telemetry,
    ) -> None:
        self._store = store
        self._channels = channels
        self._wanted = wanted
        self._now = now
        self._telemetry = telemetry
        self._kept: dict[str, _Kept] = {}
        self._wake = asyncio.Event()
        self.pulse = Pulse(self.wake)

    def of(self, channel: str) -> Left | None:
        """None: nobody wants to know."""
        kept = self._kept.get(channel)
        if kept is not None:
            return kept.left
        return Left() if channel in self._wanted else None

    def wake(self) -> None:
        """A channel is up."""
        self._wake.set()

    async def load(self) -> None:
        """What was known at the last stop."""

        def read(view: View) -> dict[str, str]:
            return {id: text for id in self._wanted if (text := view.meta(_name(id))) is not None}

        for id, text in (await self._store.read(read)).items():
            self._kept[id] = msgspec.json.decode(text, type=_Kept)

    async def run(self) -> None:
        while True:
            self.pulse.beat()
            self._wake.clear()
            try:
                for id, wanted in self._wanted.items():
                    if self._is_due(id, wanted):
                        self.pulse.beat()  # one question may take two minutes
                        await self._ask(id, wanted)
            except StoreFull as error:
                log.error("disk_full detail=%s", error)
                await asyncio.sleep(FULL_DISK_WAIT)
                continue
            await self._pause()

    def _is_due(self, id: str, wanted: Wanted) -> bool:
        channel, kept = self._channels[id], self._kept.get(id)
        if channel.state is not LinkState.UP:
            return False
        now = self._now()
        if kept is None or kept.sim != channel.sim or now < kept.asked_at:  # the clock was set back
            return True
        return now >= min(kept.next_at, kept.asked_at + wanted.every)

    async def _ask(self, id: str, wanted: Wanted) -> None:
        channel, before = self._channels[id], self._kept.get(id)
        driver, sim, now = channel.driver, channel.sim, self._now()
        assert isinstance(driver, Ussd)
        known = before.left if before is not None and before.sim == sim else Left(currency=wanted.currency)
        next_at = now + min(wanted.every, AGAIN)
        asked = _Kept(sim=sim, asked_at=now, next_at=next_at, left=known)
        await self._keep(id, asked)
        try:
            answer = await driver.ussd(wanted.code, WITHIN)
        except UssdFailed as failure:
            left = msgspec.structs.replace(known, problem=failure.detail)
            if failure.code in NOT_ASKED:
                next_at = now + min(wanted.every, SOON)
        else:
            if answer.waits:
                with suppress(UssdFailed):
                    await driver.end_ussd()
            amount = balance.amount(wanted.pattern, answer.text)
            if amount is None:
                left = msgspec.structs.replace(known, problem=MISFIT)
            else:
                next_at = now + wanted.every
                low = wanted.low is not None and amount < wanted.low
                left = Left(amount=amount, currency=wanted.currency, at=self._now(), low=low)
        fallen = left.low and not known.low
        await self._keep(id, msgspec.structs.replace(asked, next_at=next_at, left=left), fallen=fallen)
        self._tell(id, known, left)

    async def _keep(self, id: str, kept: _Kept, *, fallen: bool = False) -> None:
        text = msgspec.json.encode(kept).decode()

        def work(changes: Changes) -> None:
            changes.set_meta(_name(id), text)
            if fallen:
                data = SimData(
                    channel=id,
                    sim=kept.sim,
                    code="balance_low",
                    reason=f"{kept.left.amount} {kept.left.currency}".strip() + " left; top it up",
                    balance=str(kept.left.amount),
                    currency=kept.left.currency,
                )
                changes.emit(EventType.SIM_BALANCE_LOW, kept.asked_at, key=f"channel/{id}", data=data, channel=id)

        await self._store.write(work)
        self._kept[id] = kept

    def _tell(self, id: str, before: Left, now: Left) -> None:
        if now.problem:
            level = logging.DEBUG if before.problem else logging.WARNING
            self._telemetry.notable("balance_unknown", level=level, channel=id, reason=now.problem)
        elif now.low and not before.low:
            self._telemetry.notable(
                "balance_low", level=logging.WARNING, channel=id, amount=str(now.amount), currency=now.currency or None
            )
        else:
            self._telemetry.notable("balance", channel=id, amount=str(now.amount), currency=now.currency or None)

    async def _pause(self) -> None:
        timer = asyncio.get_running_loop().call_later(LONGEST_WAIT, self._wake.set)
        await self._wake.wait()
        timer.cancel()


def _name(id: str) -> str:
    return f"balance/{id}"
