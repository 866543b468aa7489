"""Whether an account can be used now: up, down (cannot be reached) or blocked (a person or a timer has to end it).

A provider has no line to keep, so the link is an opinion: a cheap check at the start, and what the submissions
themselves come back with. Blocked and down always end: the check is asked again after a pause.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import chain, repeat
from random import Random

from drivers.contract import Cause, Event, LinkChange, LinkState, NotSent, Sink, SubmitError
from drivers.providers.outcomes import Alarm, Row, Then, plain

__all__ = ["Link", "offer"]

log = logging.getLogger("gsmbridge.provider")

RECHECK = 300.0  # seconds a blocked account rests when the provider names no time
FIRST_WAIT, LONGEST_WAIT = 5.0, 60.0  # between checks while the provider cannot be reached
ALARMS, ALARM_WINDOW = 3, 600.0  # so many answers that are our fault within ten minutes stop the channel
NOTICED = 100  # words that were logged once
OFFER_WAITS = (0.5, 1.0, 2.0, 5.0, 10.0)  # the last one repeats


class Link:
    """One account's state. `check` asks the provider something cheap and raises a SubmitError when that fails."""

    def __init__(
        self,
        channel: str,
        check: Callable[[], Awaitable[None]],
        *,
        monotonic: Callable[[], float],
        model: str,
        recheck: float = RECHECK,
        rng: Random | None = None,
    ) -> None:
        self.state = LinkState.DOWN
        self.reason = "not started"
        self.code = "starting"
        self.errors_in_row = 0
        self._channel = channel
        self._check = check
        self._monotonic = monotonic
        self._model = model
        self._recheck = recheck
        self._rng = rng or Random()  # noqa: S311 - when to ask again is no secret
        self._until = 0.0
        self._changed = asyncio.Event()
        self._alarms: deque[float] = deque(maxlen=ALARMS)
        self._noticed: dict[str, None] = {}

    def require(self) -> None:
        """Raises NotSent at once while the account cannot be used."""
        if self.state is not LinkState.UP:
            raise NotSent(f"the account is {self.state}: {self.reason}", code=self.code, cause=Cause.LINK)

    def remaining(self) -> float:
        """Seconds until a channel that is not up is checked again."""
        return 0.0 if self.state is LinkState.UP else max(self._until - self._monotonic(), 0.0)

    def worked(self) -> None:
        self.errors_in_row = 0

    def failed(self, error: SubmitError) -> None:
        """Tell every error of an exchange. One that makes the channel unusable blocks it; so does the third alarm
        within ten minutes, since a wrong setting must not burn every message."""
        self.errors_in_row += 1
        unusable = isinstance(error, NotSent) and error.channel_unusable
        if isinstance(error, Alarm):
            log.warning("provider_alarm channel=%s code=%s", self._channel, error.code)
            now = self._monotonic()
            self._alarms.append(now)
            unusable = unusable or (len(self._alarms) == ALARMS and now - self._alarms[0] <= ALARM_WINDOW)
        if self.state is not LinkState.UP:
            return
        if unusable:
            pause = error.retry_after if isinstance(error, NotSent) else None
            self._until = self._monotonic() + (self._recheck if pause is None else pause)
            self._set(LinkState.BLOCKED, error.code, error.detail)
        elif isinstance(error, NotSent) and error.cause is Cause.LINK:
            # It cannot be reached. One cheap check finds out when it can, not each text that waits.
            self._until = self._monotonic() + max(self._jittered(FIRST_WAIT), error.retry_after or 0.0)
            self._set(LinkState.DOWN, error.code, error.detail)

    def _jittered(self, wait: float) -> float:
        """Up to a half less, so that many accounts which failed together do not come back together."""
        return wait * (1 - self._rng.random() / 2)

    def notice(self, row: Row, code: str) -> None:
        """Tell every word of a report: one that is an alarm, or in no table, is logged; one that says that the account
        is to blame blocks it, for every message would fail."""
        if row.then is Then.PAUSE and self.state is LinkState.UP:
            self._until = self._monotonic() + (self._recheck if row.delay is None else row.delay)
            self._set(LinkState.BLOCKED, plain(code), f"a report says: {row.meaning}")
        if not row.alarm:
            return
        repeated = code in self._noticed
        self._noticed[code] = None
        while len(self._noticed) > NOTICED:
            del self._noticed[next(iter(self._noticed))]
        level = logging.DEBUG if repeated else logging.WARNING
        log.log(level, "provider_alarm channel=%s report=%s", self._channel, plain(code))

    async def run(self, sink: Sink) -> None:
        """Check, tell every change, check again when a pause has ended. Until cancelled."""
        told: tuple[LinkState, str] | None = None
        wait = FIRST_WAIT
        while True:
            if self.state is not LinkState.UP and self._monotonic() >= self._until:
                wait = await self._look(wait)
            self._changed.clear()
            if told != (self.state, self.code):
                told = (self.state, self.code)
                await offer(sink, LinkChange(state=self.state, reason=self.reason, code=self.code, model=self._model))
            rest = None if self.state is LinkState.UP else self.remaining()
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._changed.wait()

    async def _look(self, wait: float) -> float:
        """One check; the wait before the next one that is needed."""
        try:
            await self._check()
        except SubmitError as error:
            pause = error.retry_after if isinstance(error, NotSent) else None
            if isinstance(error, NotSent) and error.channel_unusable:
                self._until = self._monotonic() + (self._recheck if pause is None else pause)
                self._set(LinkState.BLOCKED, error.code, error.detail)
                return FIRST_WAIT
            self._until = self._monotonic() + max(self._jittered(wait), pause or 0.0)
            self._set(LinkState.DOWN, error.code, error.detail)
            return min(wait * 2, LONGEST_WAIT)
        self.errors_in_row = 0
        self._alarms.clear()
        self._set(LinkState.UP, "up", "")
        return FIRST_WAIT

    def _set(self, state: LinkState, code: str, reason: str) -> None:
        if (state, code) != (self.state, self.code):
            level = logging.INFO if state is LinkState.UP else logging.WARNING
            log.log(level, "provider_link channel=%s state=%s code=%s", self._channel, state, code)
        self.state, self.code, self.reason = state, code, reason
        self._changed.set()


async def offer(sink: Sink, event: Event) -> None:
    """Until the sink has it (rule 7 of the contract)."""
    for n, wait in enumerate(chain(OFFER_WAITS, repeat(OFFER_WAITS[-1]))):
        try:
            await sink.accept(event)
            return
        except Exception as error:
            level = logging.DEBUG if n else logging.WARNING
            log.log(level, "event_not_stored error=%s; it is offered again", type(error).__name__)
            await asyncio.sleep(wait)
