"""The AT dialogue without I/O: bytes in, events out (27.005, 27.007, V.250).

Theory of operation. One command is outstanding at a time. It declares the prefixes it owns; a line that arrives
meanwhile and belongs to nobody is a notification, so no +CMTI is ever lost inside an answer. States:

    IDLE --send--> WAITING --final--> IDLE
                   WAITING --prompt--> PROMPT --send_data--> DATA --final--> IDLE        (commands that prompt)
                   PROMPT --abort--> QUARANTINED
    WAITING, PROMPT, DATA --abandon--> QUARANTINED --release--> IDLE

After a time-out the line is quarantined: what comes now may be the answer to the abandoned command, so it is reported
as `Stale` and credited to nobody. The caller lets silence pass, probes, and calls `release` when the last answer is
in. A send that ended without a result stays open as a *doubt*: its +CMGS is recognised whenever it comes (`Late`), and
the OK behind it is swallowed. While such a doubt is open the next send's result is held back (`Held`) until the
caller is sure that no second one follows: two results mean that the first was the old one.

`receive` accepts any bytes and raises nothing. `ChatError` means that the caller broke the protocol.
"""

from __future__ import annotations

from enum import Enum

from drivers.modems.commands import Command, pdu_bytes
from drivers.modems.events import (
    Answer,
    BareOk,
    ChatEvent,
    Foreign,
    Held,
    Late,
    NotAt,
    Odd,
    Prompt,
    Stale,
    StuckPrompt,
    Urc,
)
from drivers.modems.vocabulary import (
    CALLS,
    OK,
    Final,
    Result,
    belongs,
    breaks_ussd,
    final_result,
    is_foreign,
    is_nmea,
    is_notification,
    is_pdu,
    survives_quarantine,
    takes_two_lines,
    unfinished_ussd,
)

__all__ = ["ESC", "Chat", "ChatError", "State"]

MAX_LINE = 1024  # the longest PDU line is 352 digits, padded reports reach 300; above it is noise
MAX_LINES = 200  # information lines of an ordinary answer
MAX_LIST_LINES = 2048  # +CMGL: the largest storages seen hold 255 messages of two lines; room for four times that
MAX_USSD = 1024  # characters of a text in several lines; the network sends 182
MAX_DOUBTS = 16  # sends that ended without a result within the ten minutes we listen for it

ESC = b"\x1b"
_LCP = (b"~\xff}#", b"~\xff\x03")  # how a PPP frame begins, with its control octet escaped or not (RFC 1662)
_EDGES = "".join(chr(c) for c in [*range(0x21), 0x7F, *range(0x80, 0xA0), 0xFE, 0xFF])  # NUL, 0xFF at power-up, blanks
_EDGE_BYTES = _EDGES.encode("latin-1")


class State(Enum):
    IDLE = "idle"
    WAITING = "waiting"
    PROMPT = "prompt"
    DATA = "data"
    QUARANTINED = "quarantined"


class ChatError(Exception):
    """The caller broke the protocol: a second command while one is outstanding, data without a prompt."""


class Chat:
    """One line to one modem."""

    def __init__(self) -> None:
        self.state = State.IDLE
        self.command: Command | None = None
        self._events: list[ChatEvent] = []
        self._tail = b""
        self._skipping = ""  # why the rest of the current line is dropped
        self._verbose = False  # words have been seen: a lone digit is not a result any more
        self._not_at = ""
        self._doubts: dict[str, bool] = {}  # token -> a result may still be on its way
        self._lines: list[str] = []
        self._echo = ""
        self._urc_header = ""
        self._ussd = ""  # a +CUSD whose text goes on
        self._list_header = False  # the last information line still waits for its PDU
        self._swallow_ok = False  # the OK behind a late +CMGS
        self._held: tuple[tuple[str, ...], Final] | None = None
        self._bare_ok = False

    @property
    def lines(self) -> tuple[str, ...]:
        """The information lines of the outstanding command so far."""
        return tuple(self._lines)

    @property
    def informed(self) -> bool:
        """An information line has come, the final result has not."""
        return bool(self._lines)

    @property
    def concludable(self) -> bool:
        """A held result or a bare OK waits for `conclude`."""
        return self._held is not None or self._bare_ok

    # --- what the host does -------------------------------------------------------------------------------------------

    def send(self, command: Command) -> bytes:
        """The bytes of a command line. CR only: an LF behind it would abort long commands on many firmwares."""
        if self.state is not State.IDLE:
            raise ChatError(f"cannot send {command.text!r} in state {self.state.value}")
        self._begin(command)
        return command.text.encode("ascii") + b"\r"

    def send_data(self, pdu: str) -> bytes:
        """The PDU and Ctrl-Z. After these bytes have left, only a definite answer says that nothing was sent."""
        if self.state is not State.PROMPT:
            raise ChatError(f"there is no prompt in state {self.state.value}")
        data = pdu_bytes(pdu)
        self._echo = pdu
        self.state = State.DATA
        return data

    def abort(self) -> bytes:
        """Leave a prompt without sending. The line is quarantined; write CR after 0.2 s and resynchronise."""
        self._quarantine()
        return ESC

    def abandon(self, token: str = "") -> None:
        """The answer did not come in time. `token` names a send whose Ctrl-Z was written: its result may come late."""
        if token and self.state is State.DATA:
            self.doubt(token, open_ended=True)
        self._quarantine()

    def probe(self) -> bytes:
        """A harmless AT to see whether the quarantined line answers."""
        if self.state is not State.QUARANTINED:
            raise ChatError(f"a probe belongs to a quarantined line, not to state {self.state.value}")
        self._echo = "AT"
        return b"AT\r"

    def release(self) -> None:
        """The line is in step again."""
        if self.state is State.QUARANTINED:
            self.state = State.IDLE

    def doubt(self, token: str, *, open_ended: bool = False) -> None:
        """Listen for the result of this send. `open_ended`: no final result has come for it yet."""
        while len(self._doubts) >= MAX_DOUBTS:
            del self._doubts[next(iter(self._doubts))]
        self._doubts[token] = open_ended

    def close_doubt(self, token: str) -> None:
        """Stop listening for the result of this send."""
        self._doubts.pop(token, None)

    def reset(self) -> None:
        """The modem restarted or the port was opened again: nothing that was asked will be answered."""
        self.state = State.IDLE
        self.command = None
        self._tail = b""
        self._skipping = ""
        self._verbose = False
        self._not_at = ""
        self._doubts.clear()
        self._clear()

    def conclude(self) -> list[ChatEvent]:
        """End the outstanding command with what has come: a held result, or an OK that the modem left out."""
        events: list[ChatEvent] = []
        self._events = events
        if self._held is not None:
            # No second result: the older send's will hardly come any more, later sends need not be held for it.
            self._doubts = dict.fromkeys(self._doubts, False)
            self._finish(*self._held)
        elif self.command is not None and self.state in (State.WAITING, State.DATA):
            if not self._bare_ok:
                events.append(Odd("missing_ok", self.command.text))
            self._finish(tuple(self._lines), OK)
        return events

    # --- what the modem does ------------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> list[ChatEvent]:
        """Take what was read and tell what it means."""
        events: list[ChatEvent] = []
        self._events = events
        buffer = self._tail + data
        if b"\r" in buffer:
            buffer = buffer.replace(b"\r", b"\n")  # ATV0 ends a result with CR alone, some firmwares with LF alone
        *lines, tail = buffer.split(b"\n")
        for raw in lines:
            if raw or self._skipping:
                self._line(raw)
        if self._skipping:
            tail = b""
        elif tail:
            tail = self._cut_prompts(tail)
            self._skipping = self._hopeless(tail)
            if self._skipping:
                tail = b""
        self._tail = tail
        return events

    # --- helpers ------------------------------------------------------------------------------------------------------

    def _line(self, raw: bytes) -> None:
        """A whole line, without its end."""
        skipping, self._skipping = self._skipping, ""
        if not skipping:
            raw = self._cut_prompts(raw)
            skipping = self._hopeless(raw)
        if skipping == "overlong":
            self._events.append(Odd("overlong"))
        elif not skipping:
            line = raw.decode("latin-1").strip(_EDGES)
            if line:
                self._take(line)

    def _cut_prompts(self, raw: bytes) -> bytes:
        """Take `>` from the start of a line, even before the line has ended: nothing else may follow a prompt."""
        while b">" in raw and (not self._ussd or self._awaits_prompt()):  # a menu's line may begin with it
            rest = raw.lstrip(_EDGE_BYTES)
            if rest[:1] != b">" or len(raw) - len(rest) >= MAX_LINE:
                break
            self._prompt()
            raw = rest[1:]
        return raw

    def _hopeless(self, raw: bytes) -> str:
        """Why the rest of this line is not worth reading; empty when it is."""
        if b"~" in raw:
            for mark in _LCP:
                if 0 <= raw.find(mark) <= MAX_LINE - len(mark):
                    self._wrong_protocol("ppp")
                    return "ppp"
        return "overlong" if len(raw) > MAX_LINE else ""

    def _begin(self, command: Command) -> None:
        self._lines = []
        self._list_header = False
        self._bare_ok = False
        self.command = command
        self._echo = command.text
        self.state = State.WAITING

    def _clear(self) -> None:
        self._lines = []
        self._echo = ""
        self._urc_header = ""
        self._ussd = ""
        self._list_header = False
        self._swallow_ok = False
        self._held = None
        self._bare_ok = False

    def _quarantine(self) -> None:
        self._lines = []
        self._list_header = False
        self._held = None
        self._bare_ok = False
        self.command = None
        self.state = State.QUARANTINED

    def _finish(self, lines: tuple[str, ...], final: Final) -> None:
        command, sent = self.command, self.state is State.DATA
        assert command is not None
        self.command = None
        self.state = State.IDLE
        self._lines = []
        self._list_header = False
        self._held = None
        self._bare_ok = False
        self._events.append(Answer(command=command, lines=lines, final=final, sent=sent))

    def _take(self, line: str) -> None:
        """One line, stripped and not empty."""
        if self._ussd and self._more_ussd(line):
            return
        if self._urc_header:
            header, self._urc_header = self._urc_header, ""
            if is_pdu(line):
                self._events.append(Urc(header, line.upper()))
                return
            self._events.append(Odd("broken_urc", header))
            self._events.append(Urc(header))
        if line == self._echo and self._echo:
            self._events.append(Odd("echo", line if self.command is None or not self.command.secret else ""))
            return
        if self._list_header and is_pdu(line):
            self._list_header = False
            self._inform(line)
            return
        final = final_result(line, verbose=self._verbose)
        if final is None:
            self._information(line)
            return
        if line[0].isdigit():
            self._events.append(Odd("numeric", line))
        else:
            self._verbose = True
        self._end(line, final)

    def _prompt(self) -> None:
        match self.state:
            case State.WAITING if self._awaits_prompt():
                self._end_ussd("broken_ussd")  # a text that never ends must not hide a prompt
                self.state = State.PROMPT
                self._events.append(Prompt())
            case State.PROMPT | State.DATA:
                pass  # some firmwares prompt twice
            case _:
                self._events.append(StuckPrompt())

    def _awaits_prompt(self) -> bool:
        return self.state is State.WAITING and self.command is not None and self.command.prompts

    def _information(self, line: str) -> None:
        command = self.command
        if line.startswith("+CMGS:") and self.state is not State.DATA:
            self._late_reference(line)
            return
        if command is not None and command.owns and line.startswith(command.owns) and belongs(line, command.text):
            self._list_header = command.lists
            self._inform(line)
            return
        if takes_two_lines(line):
            self._urc_header = line
        elif unfinished_ussd(line):
            self._ussd = line
        elif is_nmea(line):
            self._wrong_protocol("nmea")
        elif self.state is State.QUARANTINED and not survives_quarantine(line):
            self._events.append(Stale(line))
        elif is_foreign(line):
            self._events.append(Foreign(line))
        elif is_notification(line):
            self._events.append(Urc(line))
        elif command is not None and command.bare and self.state is State.WAITING:
            self._inform(line)
        else:
            self._events.append(Odd("unexpected", line))

    def _more_ussd(self, line: str) -> bool:
        """Whether this line is part of the USSD text that has begun."""
        final = self.command is not None and final_result(line, verbose=True) is not None
        if final or breaks_ussd(line) or len(self._ussd) > MAX_USSD:
            self._end_ussd("broken_ussd")
            return False
        self._ussd += "\n" + line
        if not unfinished_ussd(self._ussd):
            self._end_ussd()
        return True

    def _end_ussd(self, odd: str = "") -> None:
        said, self._ussd = self._ussd, ""
        if said:
            if odd:
                self._events.append(Odd(odd))
            self._events.append(Urc(said))

    def _inform(self, line: str) -> None:
        command = self.command
        assert command is not None
        self._swallow_ok = False
        if len(self._lines) >= (MAX_LIST_LINES if command.lists else MAX_LINES):
            self._events.append(Odd("extra_lines"))
            return
        self._lines.append(line)

    def _late_reference(self, line: str) -> None:
        """A +CMGS that the outstanding command cannot own: the result of a send that was given up."""
        self._swallow_ok = True
        token = self._open_doubt() or (next(iter(self._doubts)) if len(self._doubts) == 1 else "")
        if token:
            del self._doubts[token]
            self._events.append(Late(token, line))
        else:
            self._events.append(Odd("late_unassigned", line))

    def _end(self, line: str, final: Final) -> None:
        """A final result."""
        if self._swallow_ok and final.ok:
            self._swallow_ok = False
            self._events.append(Stale(line, final) if self.state is State.QUARANTINED else Odd("late_ok", line))
            return
        if final.result is Result.CMS and self._open_doubt() and self._cannot_be_ours():
            token = self._open_doubt()
            del self._doubts[token]
            self._events.append(Late(token, line, final))
            return
        command = self.command
        if self.state is State.QUARANTINED:
            self._events.append(Stale(line, final))
        elif command is None or self.state is State.PROMPT:
            # Behind a prompt only an error can be meant for us: the modem took the prompt back.
            if self.state is State.PROMPT and not final.ok and final.result is not Result.CALL:
                self._finish(tuple(self._lines), final)
            else:
                self._events.append(Urc(line) if final.result is Result.CALL else Odd("stray_final", line))
        elif final.result is Result.CALL and not command.text.startswith(CALLS):
            self._events.append(Urc(line))  # a voice call ended; it has nothing to do with our command
        elif command.prompts and self.state is State.WAITING and final.ok:
            self._events.append(Odd("stray_final", line))  # an OK is no prompt
        elif final.ok and command.informs and not self._lines:
            if not self._bare_ok:
                self._bare_ok = True
                self._events.append(BareOk())
        else:
            self._deliver(final)

    def _deliver(self, final: Final) -> None:
        lines = tuple(self._lines)
        if self.state is State.DATA and self._open_doubt():
            if self._held is None:
                self._held, self._lines = (lines, final), []
                self._events.append(Held())
                return
            # Two results: the first was the older send's.
            token = self._open_doubt()
            del self._doubts[token]
            old_lines, old_final = self._held
            self._held = None
            if old_lines:
                self._events.append(Late(token, old_lines[-1]))
            else:
                self._events.append(Late(token, old_final.text, old_final))
        self._finish(lines, final)

    def _open_doubt(self) -> str:
        """The only send whose final result may still come, or "": with two of them nobody can say whose it is."""
        if not self._doubts:
            return ""
        waiting = [token for token, open_ended in self._doubts.items() if open_ended]
        return waiting[0] if len(waiting) == 1 else ""

    def _cannot_be_ours(self) -> bool:
        return self.command is None or not self.command.sms

    def _wrong_protocol(self, protocol: str) -> None:
        if self._not_at != protocol:
            self._not_at = protocol
            self._events.append(NotAt(protocol))
