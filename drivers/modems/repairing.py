"""The repairs of one modem: what was tried, what it is able to take, and every step told.

`repair` decides; this module keeps the history that it decides from, and acts on the hardware. What all modems share
is in the `Yard`: two modems are not reset at once, since inrush current and a mass registration harm more than they
cure, and when a hub dies its modems are one case, not many."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from drivers.contract import Event, Repair, RepairState
from drivers.modems.actions import ActionFailed, Actions, NoActions
from drivers.modems.proofs import Proofs
from drivers.modems.repair import (
    ALWAYS,
    RESET_LOOP,
    Diagnosis,
    Leave,
    Rung,
    Signs,
    Step,
    Taken,
    decide,
    diagnose,
    remedy,
)
from drivers.modems.usb import hub_of

__all__ = ["Repairs", "Yard"]

log = logging.getLogger("gsmbridge.modem.repair")

APART = 60.0  # seconds between hardware resets of different modems
HUB_SECONDS = 5.0  # modems that go within so many seconds of each other went together
RESTART_SECONDS = 300.0
SAME_RESTART = 10.0
OWN_RESTART = 120.0  # a restart so soon after a rung of ours is our own doing
DAY = 86400.0
HARDWARE = frozenset({Rung.USB, Rung.POWER})
SENDING = frozenset({Diagnosis.ZOMBIE, Diagnosis.FIRMWARE})
"""Troubles that only a text that went through shows to be over; of the others, that the link is up."""


class Yard:
    """What the modems of one machine share."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._last = -APART
        self._losses: dict[str, tuple[float, str]] = {}  # channel -> when it went, from which hub
        self._hubs: dict[str, float] = {}  # when a hub was last acted upon

    def lost(self, channel: str, path: str) -> None:
        """Its port has gone."""
        if path:
            self._losses[channel] = (self._monotonic(), hub_of(path))

    def losses_beside(self, channel: str) -> int:
        """How many other modems of the same hub went within the same seconds."""
        mine = self._losses.get(channel)
        if mine is None:
            return 0
        at, hub = mine
        return sum(
            other_hub == hub and abs(when - at) <= HUB_SECONDS
            for other, (when, other_hub) in self._losses.items()
            if other != channel
        )

    def back(self, channel: str) -> None:
        self._losses.pop(channel, None)

    async def in_turn(self, hub: str, since: float, act: Callable[[], Awaitable[None]]) -> bool:
        """Act alone, and not sooner than a minute after the last. False: the `hub` was acted upon since then, so this
        one waits for what comes of it."""
        async with self._lock:
            if hub and self._hubs.get(hub, -1.0) >= since:
                return False
            rest = self._last + APART - self._monotonic()
            if rest > 0:
                await asyncio.sleep(rest)
            self._last = self._monotonic()
            if hub:
                self._hubs[hub] = self._last
            await act()
            return True


class Repairs:
    """`enabled` False: nothing is done but to open the port again. `tell` returns whether the bridge has the event."""

    def __init__(
        self,
        channel: str,
        *,
        yard: Yard,
        monotonic: Callable[[], float],
        tell: Callable[[Event], Awaitable[bool]],
        proofs: Proofs | None = None,
        actions: Actions | None = None,
        enabled: bool = True,
        begun: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        self.imei = ""
        self.usb_path = ""  # where the modem is, or was
        self.powered_down = False
        self._channel = channel
        self._yard = yard
        self._monotonic = monotonic
        self._tell = tell
        self._proofs = proofs
        self._actions: Actions = actions or NoActions()
        self._enabled = enabled
        self._begun = begun
        self._taken: deque[Taken] = deque(maxlen=200)
        self._restarts: deque[float] = deque(maxlen=RESET_LOOP * 2)
        self._since: float | None = None  # a trouble is open
        self._diagnosis = Diagnosis.HEALTHY
        self._left = ""  # what was told that we cannot do anything about
        self._lost_at: float | None = None

    # --- what is seen -------------------------------------------------------------------------------------------------

    @property
    def restarts(self) -> int:
        """Restarts by itself within five minutes."""
        now = self._monotonic()
        return sum(at > now - RESTART_SECONDS for at in self._restarts)

    @property
    def unstable(self) -> str:
        """A sentence when the modem restarts again and again; "" otherwise."""
        return remedy(Diagnosis.WEAK_SUPPLY) if self.restarts >= RESET_LOOP else ""

    @property
    def in_sending(self) -> bool:
        """A trouble is open that a text that went through ends."""
        return self._since is not None and self._diagnosis in SENDING

    def restarted(self) -> None:
        """The modem said that it has started; some say it in several lines."""
        now = self._monotonic()
        if not self.own_doing and not (self._restarts and now - self._restarts[-1] < SAME_RESTART):
            self._restarts.append(now)

    @property
    def own_doing(self) -> bool:
        """A rung of ours makes the modem restart just now."""
        return bool(self._taken) and self._monotonic() - self._taken[-1].at < OWN_RESTART

    def lost(self) -> None:
        """The port has gone."""
        self._lost_at = self._monotonic()
        self._yard.lost(self._channel, self.usb_path)

    def up(self, imei: str, usb_path: str) -> None:
        self.imei, self.usb_path = imei, usb_path
        self.powered_down = False
        self._lost_at = None
        self._yard.back(self._channel)

    # --- what is done -------------------------------------------------------------------------------------------------

    def next_step(
        self,
        code: str,
        *,
        answers: bool = False,
        registered: bool | None = None,
        without_network: float = 0.0,
        usb_id: str = "",
    ) -> Step:
        """What to do now about this trouble; `Leave` when it is none, or none of ours."""
        now = self._monotonic()
        signs = Signs(
            code=code,
            answers=answers,
            registered=registered,
            without_network=without_network,
            away=0.0 if self._lost_at is None else now - self._lost_at,
            usb_id=usb_id,
            powered_down=self.powered_down,
            hub_losses=self._yard.losses_beside(self._channel),
            restarts=self.restarts,
        )
        diagnosis = diagnose(signs)
        if diagnosis is Diagnosis.HEALTHY:
            return Leave("")
        if self._since is None:
            self._since = now
        self._diagnosis = diagnosis
        if not self._enabled:
            return Leave(remedy(diagnosis))
        while self._taken and self._taken[0].at < min(now - DAY, self._since):
            self._taken.popleft()
        return decide(diagnosis, signs, self._taken, self._able(), since=self._since, now=now)

    async def begin(self, rung: Rung) -> None:
        """Told, and counted, before it is done: a rung that kills the machine is not climbed again at once."""
        self._taken.append(Taken(rung, self._monotonic()))
        self._begun(rung.value)
        await self._say(RepairState.BEGUN, rung=rung.value, reason=remedy(self._diagnosis))

    async def act(self, rung: Rung) -> None:
        """A step on the hardware, in turn with the other modems. What goes wrong is told, and the ladder goes on."""
        hub = hub_of(self.usb_path) if self._diagnosis is Diagnosis.HUB else ""
        since = self._since if self._since is not None else self._monotonic()
        try:
            await self._yard.in_turn(hub, since, lambda: self.hit(rung))
        except ActionFailed as error:
            await self._say(RepairState.FAILED, rung=rung.value, reason=str(error))

    async def hit(self, rung: Rung) -> None:
        """A step on the hardware, now. Raises `ActionFailed`."""
        if rung is Rung.USB:
            await self._actions.reset_usb(self.usb_path)
        else:
            await self._actions.cut_power(self.usb_path)

    def possible(self, rung: Rung) -> bool:
        """There are means for it, proven or not."""
        match rung:
            case Rung.USB:
                return self._actions.can_reset_usb(self.usb_path)
            case Rung.POWER:
                return self._actions.can_cut_power(self.usb_path)
            case _:
                return True

    async def cannot(self, reason: str) -> None:
        """Nothing that we may do helps: told once a trouble."""
        if self._left != reason and self._steps():
            self._left = reason
            await self._say(RepairState.GIVEN_UP, reason=reason)

    async def cured(self) -> None:
        """The trouble is over."""
        steps, since = self._steps(), self._since
        self._since, self._left = None, ""
        if steps and since is not None:
            seconds = self._monotonic() - since
            await self._say(RepairState.CURED, rung=self._taken[-1].rung.value, steps=steps, seconds=seconds)

    async def link_is_up(self) -> None:
        """Ends every trouble but those in sending."""
        if self._since is not None and self._diagnosis not in SENDING:
            await self.cured()

    def _steps(self) -> int:
        return 0 if self._since is None else sum(step.at >= self._since for step in self._taken)

    def _able(self) -> frozenset[Rung]:
        proven = self._proofs.proven(self.imei) if self._proofs is not None else frozenset()
        return ALWAYS | {rung for rung in proven if self.possible(rung)}

    async def _say(
        self, state: RepairState, *, rung: str = "", reason: str = "", steps: int = 0, seconds: float = 0.0
    ) -> None:
        log.info("repair channel=%s state=%s rung=%s reason=%s", self._channel, state.value, rung, reason)
        await self._tell(Repair(state=state, rung=rung, reason=reason, steps=steps, seconds=seconds))
