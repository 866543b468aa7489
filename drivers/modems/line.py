"""One command at a time over one link: the chat, the port and the waiting joined.

`ask` sends a command and returns its `Answer`. `send` hands over a PDU and returns how that ended; it never raises,
since what a failure means depends on whether Ctrl-Z had left. All else that the modem says goes to `on_event`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from enum import Enum

import msgspec

from drivers.modems import commands
from drivers.modems.alarm import Alarm
from drivers.modems.chat import ESC, Chat, State
from drivers.modems.commands import Command
from drivers.modems.events import Answer, BareOk, ChatEvent, Held, NotAt, Odd, Prompt, Stale, StuckPrompt
from drivers.modems.link import Link
from drivers.modems.profile import Profile
from drivers.modems.settings import Timing

__all__ = ["End", "Line", "LineDown", "NoAnswer", "SendEnd"]

log = logging.getLogger("gsmbridge.modem.line")
Trace = Callable[[str, bytes], None]


class NoAnswer(Exception):
    """The answer did not come in time. `lines`: what had come of it."""

    def __init__(self, command: str, lines: tuple[str, ...] = ()) -> None:
        super().__init__(f"no answer to {command}")
        self.lines = lines


class LineDown(Exception):
    """The link is gone, the modem restarted, or it does not answer any more. `code` as in `LinkChange`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class End(Enum):
    """How a send ended."""

    ANSWERED = "answered"  # a final result; see `SendEnd.answer`
    NO_PROMPT = "no_prompt"
    NO_RESULT = "no_result"
    NOT_WRITTEN = "not_written"  # the port did not take the PDU
    DOWN = "down"  # unplugged, restarted, closed


class SendEnd(msgspec.Struct, frozen=True, kw_only=True):
    """`committed`: Ctrl-Z may have left us. `elapsed`: seconds from there to the end."""

    end: End
    committed: bool
    elapsed: float = 0.0
    answer: Answer | None = None
    detail: str = ""


class Line:
    def __init__(
        self,
        link: Link,
        *,
        timing: Timing,
        monotonic: Callable[[], float],
        on_event: Callable[[ChatEvent], None],
        trace: Trace | None = None,
    ) -> None:
        self.link = link
        self.profile = Profile(name="generic")
        self.chat = Chat()
        self.sending = False
        self.last_heard = monotonic()
        self._timing = timing
        self._monotonic = monotonic
        self._on_event = on_event
        self._trace = trace
        self._loop = asyncio.get_running_loop()
        self._lock = asyncio.Lock()
        self._answer: asyncio.Future[Answer] | None = None
        self._outgoing = ""  # the PDU of the send under way
        self._committed_at: float | None = None
        self._idle_since = 0.0
        self._alarm = Alarm(monotonic, self._too_late)
        self._hard_deadline = 0.0
        self._silence: float | None = None
        self._stale_final = asyncio.Event()
        self._down: LineDown | None = None
        self._resync_task: asyncio.Task[None] | None = None
        self._hold_after_send = False
        self._data_mode = self._left_data_mode = False
        link.start(self._received, self._lost)

    # --- for the driver -----------------------------------------------------------------------------------------------

    @property
    def down(self) -> LineDown | None:
        return self._down

    async def ask(self, command: Command, timeout: float, *, silence: float | None = None) -> Answer:
        """Send a command and wait for its final result. Raises `NoAnswer` or `LineDown`.

        `silence`: give up earlier when nothing at all has come for so long.
        """
        async with self._lock:
            await self._ready()
            self._silence = silence
            return await self._exchange(command, timeout)

    async def send(self, command: Command, pdu: str, token: str) -> SendEnd:
        """AT+CMGS, prompt, PDU, Ctrl-Z, result. `token` names it should its result come late."""
        async with self._lock:
            try:
                await self._ready()
            except LineDown as down:
                return SendEnd(end=End.DOWN, committed=False, detail=str(down))
            return await self._send(command, pdu, token)

    async def wake(self, tries: int) -> None:
        """Leave a prompt that another process left behind, and repeat AT until anything is answered.

        ESC, never Ctrl-Z: that would send what stands in the modem. Raises `LineDown` when nobody answers.
        """
        timing = self._timing
        async with self._lock:
            self.chat.abandon()
            self._write(self.chat.abort())
            if self.link.paced:
                await asyncio.sleep(timing.escape)
            self._write(b"\r")
            for attempt in range(tries):
                if self.chat.state is not State.QUARANTINED:  # it restarted meanwhile
                    self.chat.abandon()
                if self._data_mode:
                    await self._leave_data_mode()
                if await self._probe():
                    if attempt or self.link.paced:
                        await self.quiet(timing.settle, timing.settle * 4)
                    self.chat.release()
                    return
            self.fail("no_answer", f"Nothing on {self.link.port} answers AT. Is it a modem's command port?")
            assert self._down is not None
            raise self._down

    def fail(self, code: str, message: str) -> None:
        """End everything: the modem restarted, or the line is of no use."""
        if self._down is not None:
            return
        self._down = LineDown(code, message)
        self._alarm.stop()
        self.chat.reset()
        self._stale_final.set()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(self._down)
        self._on_event(Odd("down", code))

    def restarted(self, message: str) -> None:
        """The modem restarted while the port stayed: what was asked is void, the line itself goes on."""
        self.chat.reset()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(LineDown("rebooted", message))

    def close(self) -> None:
        self.fail("closed", "the port was closed")
        if self._resync_task is not None:
            self._resync_task.cancel()
        self.link.close()

    async def quiet(self, seconds: float, at_most: float) -> None:
        """Return when nothing has been heard for `seconds`, or after `at_most`."""
        end = self._monotonic() + at_most
        while True:
            now = self._monotonic()
            wait = min(self.last_heard + seconds, end) - now
            if wait <= 0:
                return
            await asyncio.sleep(wait)

    # --- one exchange -------------------------------------------------------------------------------------------------

    async def _ready(self) -> None:
        if self._down is not None:
            raise self._down
        if self.chat.state is State.QUARANTINED:
            await self._resynchronise()
        if self.profile.gap:
            wait = self._idle_since + self.profile.gap - self._monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
        if self._down is not None:
            raise self._down

    async def _exchange(self, command: Command, timeout: float) -> Answer:
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._answer = answer
        self._write(self.chat.send(command), secret=command.secret)
        self._arm(timeout)
        try:
            return await answer
        except asyncio.CancelledError:
            self.chat.abandon()
            raise
        finally:
            self._answer = None
            self._silence = None
            self._alarm.off()
            self._idle_since = self._monotonic()

    async def _send(self, command: Command, pdu: str, token: str) -> SendEnd:
        self._outgoing = pdu
        self._committed_at = None
        self.sending = True
        try:
            answer = await self._exchange(command, self._timing.prompt)
        except NoAnswer:
            if self._committed_at is None:
                await self._leave_prompt()
            return self._gave_up(token)
        except LineDown as down:
            return SendEnd(end=End.DOWN, committed=self._sent_out(), elapsed=self._elapsed(), detail=str(down))
        except asyncio.CancelledError:
            self._gave_up(token)
            raise
        else:
            return SendEnd(end=End.ANSWERED, committed=answer.sent, elapsed=self._elapsed(), answer=answer)
        finally:
            self.sending = False
            self._committed_at = None
            self._outgoing = ""

    async def _leave_prompt(self) -> None:
        """ESC, and CR in case it was none: nothing has been sent and nothing will be."""
        self._write(self.chat.abort())
        await asyncio.sleep(self._timing.escape)
        self._write(b"\r")

    def _gave_up(self, token: str) -> SendEnd:
        """No prompt, or no result: the line is in quarantine, bring it back without keeping the caller waiting."""
        if self._committed_at is None:
            if self.chat.state is not State.QUARANTINED:
                self._write(self.chat.abort())
            self._resync_later()
            return SendEnd(end=End.NO_PROMPT, committed=False)
        elapsed = self._elapsed()
        if not self._sent_out():
            self.fail("write_blocked", "The modem takes no data: the port did not accept a message.")
            return SendEnd(end=End.NOT_WRITTEN, committed=False)
        if self.chat.state is State.QUARANTINED:
            self.chat.doubt(token, open_ended=True)
        else:
            self.chat.abandon(token)
        self._hold_after_send = True
        self._resync_later()
        return SendEnd(end=End.NO_RESULT, committed=True, elapsed=elapsed)

    def _sent_out(self) -> bool:
        """Ctrl-Z, the last byte of what was written, has left us."""
        return self._committed_at is not None and self.link.unwritten == 0

    def _elapsed(self) -> float:
        return 0.0 if self._committed_at is None else self._monotonic() - self._committed_at

    def _write(self, data: bytes, *, secret: bool = False) -> None:
        if self._trace is not None:
            self._trace(">", b"(secret)" if secret else data)
        self.link.write(data)

    # --- what comes in ------------------------------------------------------------------------------------------------

    def _received(self, data: bytes) -> None:
        if self._trace is not None:
            self._trace("<", data)
        now = self.last_heard = self._monotonic()
        events = self.chat.receive(data)
        if self._silence is not None and self._alarm.is_set:
            self._alarm.set(min(now + self._silence, self._hard_deadline))
        self._handle(events)

    def _handle(self, events: list[ChatEvent]) -> None:
        for event in events:
            kind = type(event)
            if kind is Answer:
                if self._answer is not None and not self._answer.done():
                    self._answer.set_result(event)  # type: ignore[arg-type]
            elif kind is Prompt:
                self._prompted()
            elif kind is BareOk:
                self._arm(self._timing.bare_ok)
            elif kind is Held:
                self._arm(self._timing.held)
            else:
                if isinstance(event, Stale) and event.final is not None:
                    self._stale_final.set()
                elif kind is StuckPrompt:
                    self._write(ESC)
                elif isinstance(event, NotAt):
                    self._wrong_protocol(event.protocol)
                self._on_event(event)
        if (
            self._answer is not None
            and self.profile.implied_ok
            and self.chat.state is State.WAITING
            and self.chat.informed
            and self._implies_ok()
        ):
            self._arm(self._timing.implied_ok)

    def _wrong_protocol(self, protocol: str) -> None:
        if protocol == "ppp" and not self._left_data_mode:
            self._data_mode = True
        elif protocol == "ppp":
            self.fail("data_mode", f"{self.link.port} is used for data. Give the gateway another port.")
        else:
            self.fail("not_a_modem", f"{self.link.port} sends positions (NMEA): it is a GPS port, not a command port.")

    def _implies_ok(self) -> bool:
        command = self.chat.command
        return command is not None and command.text.partition("=")[0] in self.profile.implied_ok

    def _prompted(self) -> None:
        profile = self.profile
        if not profile.prompt_pause and not profile.chunk:
            self._commit()
        else:
            self._loop.call_later(profile.prompt_pause, self._write_slowly)
            self._arm(self._timing.prompt)

    def _commit(self) -> None:
        if self.chat.state is State.PROMPT:
            self._write(self.chat.send_data(self._outgoing))
            self._committed()

    def _committed(self) -> None:
        self._committed_at = self._monotonic()
        if self.link.unwritten:
            self._arm(self._timing.write)
        else:
            self._arm(self._result_timeout())

    def _write_slowly(self) -> None:
        if self.chat.state is not State.PROMPT:
            return
        if not self.profile.chunk:
            self._commit()
            return
        data = commands.pdu_bytes(self._outgoing)
        size = self.profile.chunk
        self._write_piece([data[i : i + size] for i in range(0, len(data), size)])

    def _write_piece(self, pieces: list[bytes]) -> None:
        if self.chat.state is not State.PROMPT:
            return
        if len(pieces) == 1:
            self.chat.send_data(self._outgoing)
            self._write(pieces[0])
            self._committed()
        else:
            self._write(pieces[0])
            self._loop.call_later(self.profile.chunk_pause, self._write_piece, pieces[1:])

    def _result_timeout(self) -> float:
        return self.profile.result_timeout if self._timing.result is None else self._timing.result

    def _lost(self, reason: str) -> None:
        self.fail("unplugged", f"{self.link.port} has gone ({reason}). Plug the modem in again.")

    # --- time ---------------------------------------------------------------------------------------------------------

    def _arm(self, seconds: float) -> None:
        now = self._monotonic()
        self._hard_deadline = now + seconds
        self._alarm.set(self._hard_deadline if self._silence is None else min(now + self._silence, self._hard_deadline))

    def _too_late(self) -> None:
        answer = self._answer
        if answer is None or answer.done():
            return
        if self.chat.concludable or (self.chat.informed and self._implies_ok()):
            self._handle(self.chat.conclude())
        elif self._committed_at is not None and not self.link.unwritten and self._writing():
            self._arm(self._committed_at + self._result_timeout() - self._monotonic())
        else:
            command = self.chat.command
            lines = self.chat.lines
            if not self.sending:
                self.chat.abandon()
            answer.set_exception(NoAnswer(command.text if command is not None else "", lines))

    def _writing(self) -> bool:
        """The deadline was the one for writing, and the port has taken everything since."""
        assert self._committed_at is not None
        return self._monotonic() < self._committed_at + self._result_timeout() - 0.0005

    # --- back in step -------------------------------------------------------------------------------------------------

    def _resync_later(self) -> None:
        self._resync_task = self._loop.create_task(self._resync_behind())

    async def _resync_behind(self) -> None:
        try:
            async with self._lock:
                await self._ready()
        except LineDown as down:
            log.debug("resync_failed port=%s reason=%s", self.link.port, down)

    async def _resynchronise(self) -> None:
        """Silence, AT, its OK, silence again: after that the next answer belongs to the next command."""
        timing = self._timing
        await self.quiet(timing.silence, timing.silence * 5)
        for _ in range(timing.probe_tries):
            if self.chat.state is not State.QUARANTINED:
                return
            if not await self._probe():
                continue
            rest = timing.silence_after_send if self._hold_after_send else timing.settle
            await self.quiet(rest, rest * 4)
            self._hold_after_send = False
            self.chat.release()
            return
        self.fail("deaf", f"The modem on {self.link.port} does not answer any more.")
        assert self._down is not None
        raise self._down

    async def _probe(self) -> bool:
        """AT; whether anything at all was answered in time. Raises `LineDown`."""
        self._stale_final.clear()
        if self._down is None:
            self._write(self.chat.probe())
            try:
                async with asyncio.timeout(self._timing.alive):
                    await self._stale_final.wait()
            except TimeoutError:
                return False
        if self._down is not None:
            raise self._down
        return True

    async def _leave_data_mode(self) -> None:
        """V.250 §5.2.2: a second of silence on both sides of +++, then hang up."""
        await asyncio.sleep(1.0)
        self._write(b"+++")
        await asyncio.sleep(1.0)
        self._write(b"ATH\r")
        await asyncio.sleep(1.0)
        self._data_mode, self._left_data_mode = False, True
        self.chat.reset()
        self.chat.abandon()
