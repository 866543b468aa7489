"""A channel's circuit breaker: rests it after failures, and lets one message through as a probe when a pause is over.

`bridge.policy.fitness` judges; here is what it judges by, and the clock.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from random import Random

import msgspec

from bridge.events import EventType
from bridge.model import Instant
from bridge.outbound.telling import Teller
from bridge.policy import fitness
from drivers.contract import Cause, MaybeSent, NotSent, SubmitError

__all__ = ["Breaker"]

LINK_REST = 1.0  # seconds before a channel whose link failed is tried again


class Breaker:
    """A channel rests for a second when its link failed, which nobody is told, and is paused for minutes or hours when
    its results in a row speak against SIM, account or network.

    `began` and `ended` are called when a rest begins and when it is over. Attributes, to be read only: `resting`, for
    either reason; `paused_until` and `code`, while paused; `probing`, after a pause until something is accepted;
    `untold`, what listeners are yet to hear of pauses.
    """

    def __init__(
        self,
        now: Callable[[], Instant],
        rng: Random,
        tell: Teller,
        *,
        began: Callable[[], None],
        ended: Callable[[], None],
    ) -> None:
        self.resting = False
        self.paused_until: Instant | None = None
        self.code = ""
        self.probing = False
        self.untold: list[tuple[EventType, msgspec.Struct]] = []
        self._now = now
        self._rng = rng
        self._tell = tell
        self._began = began
        self._ended = ended
        self._timer: asyncio.TimerHandle | None = None
        self._pauses = 0  # in a row
        self._failures: deque[fitness.Result] = deque(maxlen=fitness.KEPT)  # since something was accepted

    def weigh(self, destination: str, error: SubmitError | None) -> None:
        """What the end of a submission says of the channel. `error` None: accepted."""
        if error is None:
            self._pauses = 0
            self._failures.clear()
            if self.probing:
                self.probing = False
                self.untold.append(self._tell.resumed())
            return
        if error.cause is Cause.LINK and not isinstance(error, MaybeSent):
            self._rest(LINK_REST)
            return
        self._failures.append(
            fitness.Result(
                destination=destination,
                cause=error.cause,
                code=error.code,
                unusable=isinstance(error, NotSent) and error.channel_unusable,
            )
        )
        pause = fitness.judge(self._failures, self._pauses, probing=self.probing)
        if pause is not None:
            self._pause(fitness.jittered(pause, self._rng))

    def take_untold(self) -> list[tuple[EventType, msgspec.Struct]]:
        """For who tells it."""
        told, self.untold = self.untold, []
        return told

    def repaired(self) -> None:
        """The driver has done something about the link: a pause for the network's sake alone ends at once."""
        if self._timer is not None and self.paused_until is not None and not self._pauses:
            self._timer.cancel()
            self._end()

    def _pause(self, pause: fitness.Pause) -> None:
        self.probing = True
        self._pauses += pause.code != fitness.NETWORK_FAILING  # the SIM is not to blame for it
        self._failures.clear()
        self.paused_until = self._now() + pause.milliseconds
        self.code = pause.code
        self._rest(pause.milliseconds / 1000)
        self.untold.append(self._tell.paused(pause))

    def _rest(self, seconds: float) -> None:
        """The longest rest counts: one message of a call may pause the channel, and the next find the link down."""
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if self._timer.when() >= loop.time() + seconds:
                return
            self._timer.cancel()
        self._timer = loop.call_later(seconds, self._end)
        self.resting = True
        self._began()

    def _end(self) -> None:
        self._timer = None
        self.resting = False
        if self.paused_until is not None:
            self.paused_until = None
            self._tell.probed()
        self._ended()
