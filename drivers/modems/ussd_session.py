"""One USSD session with the network at a time, beside the traffic of texts.

Only the commands take the line. The network's answer takes up to two minutes and is waited for without it, so texts go
on; and AT+CUSD is never written while a send is under way, since both go through the line's lock. What nobody wants any
more is ended: a session left open blocks texts on some modems."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum

from drivers.contract import UssdAnswer, UssdFailed
from drivers.modems import commands, ussd
from drivers.modems.line import Line, LineDown, NoAnswer
from drivers.modems.settings import Timing
from drivers.modems.ussd import Verdict

__all__ = ["UssdSession"]


class _State(Enum):
    NONE = "none"
    ASKED = "asked"  # the network has our text
    WAITS = "waits"  # the network wants a reply
    UNWANTED = "unwanted"  # to be ended


class UssdSession:
    """`wake`: `work` has something to do. `odd`: counts what was forgiven."""

    def __init__(
        self,
        line: Line,
        *,
        timing: Timing,
        monotonic: Callable[[], float],
        wake: Callable[[], None],
        odd: Callable[[str], None],
    ) -> None:
        self._line = line
        self._timing = timing
        self._monotonic = monotonic
        self._wake = wake
        self._odd = odd
        self._state = _State.NONE
        self._answer: asyncio.Future[UssdAnswer] | None = None
        self._idle_at = 0.0  # while it waits for our reply
        self._rest_until = float("-inf")

    @property
    def open(self) -> bool:
        return self._state is not _State.NONE

    async def ask(self, text: str, within: float, *, reply: bool) -> UssdAnswer:
        """Raises `UssdFailed`."""
        self._admit(reply)
        try:
            written = ussd.written(text, packed=self._line.profile.packs_ussd)
            command = commands.ussd(written)
        except commands.CommandError as error:
            raise UssdFailed("bad_text", f"{error}.") from None
        left_open, self._state = self._state is _State.UNWANTED, _State.ASKED
        answer: asyncio.Future[UssdAnswer] = asyncio.get_running_loop().create_future()
        try:
            if left_open:
                await self._close()
            await asyncio.sleep(max(0.0, self._rest_until - self._monotonic()))  # a future would get the last one's end
            self._answer = answer
            if self._state is not _State.ASKED:
                raise UssdFailed("ended", _ENDED)
            told = await self._line.ask(command, self._timing.ussd)
            if not told.final.ok:
                self._state = _State.UNWANTED if reply else _State.NONE
                raise UssdFailed("refused", f"The modem refuses USSD here ({told.final.text}).")
            async with asyncio.timeout(within):
                return await answer
        except NoAnswer:
            if answer.done():  # the network has answered, the modem forgot its OK
                return answer.result()
            raise UssdFailed("no_answer", "The modem did not take the USSD text in time.") from None
        except LineDown as down:
            raise UssdFailed("link_down", str(down)) from None
        except TimeoutError:
            raise UssdFailed("no_answer", f"The network did not answer within {within:g} s.") from None
        finally:
            self._answer = None
            if answer.done() and not answer.cancelled():
                answer.exception()  # seen, should the command itself have failed
            if self._state is _State.ASKED:  # nobody waits any more, and it may be open
                self._state = _State.UNWANTED
            self._wake()

    async def end(self) -> bool:
        """Raises `UssdFailed`."""
        if self._state is _State.NONE:
            return False
        self._give_up(_ENDED)
        self._state = _State.NONE
        await self._close()
        return True

    def give_way(self) -> None:
        """A text failed while a session was open: texts come first."""
        if self._state is not _State.NONE:
            self._give_up("The session was ended, since a text could not be sent beside it.")

    def lost(self, why: str) -> None:
        """The modem restarted, or its port is gone: no session has survived that."""
        self._state = _State.NONE
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(UssdFailed("link_down", why))

    def heard(self, line: str) -> None:
        """A +CUSD line."""
        said = ussd.said(line)
        if said is None:
            self._odd("ussd_unreadable")
            return
        verdict, answer = said.verdict, self._answer
        if answer is None or answer.done():
            self._unasked(verdict)
            return
        if verdict is Verdict.WAITS:
            self._state = _State.WAITS
            self._idle_at = self._monotonic() + self._timing.ussd_idle
            answer.set_result(UssdAnswer(text=said.text, waits=True))
            return
        self._state = _State.NONE
        if verdict is Verdict.ENDED or (verdict is Verdict.TERMINATED and said.text):
            answer.set_result(UssdAnswer(text=said.text))
        else:
            answer.set_exception(UssdFailed(*_FAILURES[verdict]))

    def next_due(self) -> float:
        match self._state:
            case _State.UNWANTED:
                return self._monotonic()
            case _State.WAITS:
                return self._idle_at
        return float("inf")

    async def work(self) -> None:
        """End what nobody wants. Raises `LineDown`."""
        if self.next_due() <= self._monotonic():
            if self._state is _State.WAITS:
                self._odd("ussd_idle")
            self._state = _State.NONE
            await self._close()

    def _admit(self, reply: bool) -> None:
        if reply and self._state is not _State.WAITS:
            raise UssdFailed(
                "no_session",
                "No USSD session waits for a reply; one that got none for "
                f"{self._timing.ussd_idle:g} s was ended. Begin again with a code.",
            )
        if not reply and self._state in (_State.ASKED, _State.WAITS):
            raise UssdFailed("session_open", "A USSD session is open. Reply in it, or end it first.")

    def _unasked(self, verdict: Verdict) -> None:
        """The end of a session that was cut off, or the network speaks by itself: nobody will reply to that."""
        self._odd("ussd_unasked")
        if self._state is _State.ASKED:
            return
        self._state = _State.UNWANTED if verdict is Verdict.WAITS else _State.NONE

    def _give_up(self, why: str) -> None:
        self._state = _State.UNWANTED
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(UssdFailed("ended", why))
        self._wake()

    async def _close(self) -> None:
        self._rest_until = self._monotonic() + self._timing.ussd_rest
        try:
            await self._line.ask(commands.ussd_end(), self._timing.ussd)
        except NoAnswer:
            self._odd("no_answer")
        self._rest_until = self._monotonic() + self._timing.ussd_rest


_ENDED = "The session was ended."
_FAILURES = {
    Verdict.TERMINATED: ("ended", "The network ended the session without a word."),
    Verdict.ELSEWHERE: ("elsewhere", "Another program on this modem has taken the session."),
    Verdict.NOT_SUPPORTED: ("not_supported", "The network does not know this code, or has no USSD here."),
    Verdict.TIMED_OUT: ("network_timeout", "The network says that it took too long."),
}
