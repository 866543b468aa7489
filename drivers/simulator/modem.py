"""A modem: AT commands in, answers and unsolicited lines out. No pty here: bytes, and the clock it is handed.

`receive` takes what the host wrote, `write` (given to `attach`) is called with what the modem writes. An instant modem
answers before `receive` returns; the path of AT+CMGS is kept short, so that figures measured here are the gateway's.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from random import Random

from drivers.simulator import general, inbound, messages, radio, sending
from drivers.simulator.clock import Clock, Timer
from drivers.simulator.commands import AtError, Form, Handler, Prompt, parse
from drivers.simulator.disturbances import ring, start_noise
from drivers.simulator.faults import Answer, Cure, Faults, SendFault, Stage, Tally, Then, changed, pick
from drivers.simulator.network import Network, Reception
from drivers.simulator.profiles import Profile
from drivers.simulator.sim import READY, Sim, Storage
from drivers.simulator.writing import Settings, Writer

__all__ = ["Modem"]

INPUT = 65_536  # octets kept of what the host wrote; the longest line, a PDU, has 352

COMMANDS: dict[str, Handler] = {**general.COMMANDS, **radio.COMMANDS, **messages.COMMANDS, **sending.COMMANDS}


class _Mode(Enum):
    OFF = "off"
    BOOTING = "booting"
    COMMAND = "command"
    DATA = "data"  # behind a prompt


class Modem:
    """One modem with its SIM. `plugged_out` is called when a fault unplugs it."""

    profile: Profile
    imei: str

    def __init__(
        self,
        *,
        profile: Profile,
        sim: Sim,
        network: Network,
        clock: Clock,
        random: Random,
        imei: str,
        faults: Faults | None = None,
    ) -> None:
        self.profile = profile
        self.sim = sim
        self.network = network
        self.clock = clock
        self.random = random
        self.imei = imei
        self.faults = faults or Faults()
        self.flash = Storage(profile.me_size)  # ME
        self.report_store = Storage(10)  # SR
        self.signal = 17  # +CSQ
        self.stat = 1  # registration, 27.007 §7.2
        self.radio = 1  # +CFUN
        self.plugged_out: Callable[[], None] = lambda: None
        self.commands_seen = 0
        self.intrusions = 0  # times the host wrote while a command ran
        self.settings = Settings.fresh(profile)
        self.sms_ready_at = 0.0
        self.pending: Timer | None = None  # the host has to acknowledge (+CNMA) before this runs out
        self.deletes_to_fail = self.faults.delete_fails
        self.ussd_to_ignore = self.faults.ussd_ignored
        self.told_full = False
        self._writer = Writer(profile, self.later)
        self._mode = _Mode.OFF
        self._busy = False
        self._in = bytearray()
        self._held: list[bytes] = []  # unsolicited, until the data behind a prompt has come
        self._awaiting: Callable[[bytes], None] | None = None
        self._on_air: Callable[[], None] | None = None  # gives the answer that is withheld
        self._timers: dict[int, Timer] = {}
        self._timer_count = 0
        self._sends: Tally[SendFault] = Tally()
        network.join(sim, self)

    # --- Power ----------------------------------------------------------------------------------------------------

    def attach(self, write: Callable[[bytes], None]) -> None:
        """Where the modem's bytes go; they are dropped before."""
        self._writer.attach(write)

    def power_on(self, *, settled: bool = False) -> None:
        """Running at once, with the settings after a reset; `settled`: it is long since, and the SMS layer is ready."""
        self.power_off()
        self._mode = _Mode.COMMAND
        start_noise(self)
        if self.sim.state == READY:
            self.sim_ready(0.0 if settled else self.profile.sms_ready_seconds)

    def power_off(self) -> None:
        """Everything volatile goes."""
        self._mode = _Mode.OFF
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self.pending is not None:
            self.pending.cancel()
            self.pending = None
            self.network.acknowledged(self.sim, well=False)
        self._in.clear()
        self._writer.clear()
        self._held.clear()
        self._awaiting = self._on_air = None
        self._busy = False
        self.told_full = False
        self.radio = 1
        self.settings = Settings.fresh(self.profile)
        self.sim.power_up()

    def reboot(self) -> None:
        """Deaf for a while, then the lines of the profile, with all settings lost."""
        self.power_off()
        self.cure(Cure.RESET)
        self._mode = _Mode.BOOTING
        seconds = self.faults.boot_seconds
        scale = 1.0
        if seconds is None:
            seconds = self.profile.boot_seconds
        elif self.profile.boot_seconds:
            scale = seconds / self.profile.boot_seconds
        self.later(seconds, self._booted)
        for after, line in self.profile.boot:
            if not (self.sim.state != READY and ("READY" in line or "DONE" in line or "Ready" in line)):
                self.later(after * scale, self.announce, line)

    def set_faults(self, **knobs: object) -> Faults:
        """Change some knobs; rules given anew are counted anew. Raises FaultError."""
        self.faults = changed(self.faults, knobs)
        if "sends" in knobs:
            self._sends.clear()
        if "inject" in knobs:
            self._writer.recount()
        if "delete_fails" in knobs:
            self.deletes_to_fail = self.faults.delete_fails
        if "ussd_ignored" in knobs:
            self.ussd_to_ignore = self.faults.ussd_ignored
        if "noise" in knobs or "noise_every" in knobs:
            start_noise(self)
        if not self.faults.on_air:
            self._landed()
        if self.receptive:
            self.network.available(self.sim)
        return self.faults

    def cure(self, by: Cure) -> None:
        """Something was done to the modem that may bring it back."""
        faults = self.faults
        if by.does(faults.zombie_until):
            self.set_faults(zombie_until=None)
        if by.does(faults.hung_until):
            self.set_faults(hung_until=None)

    def register(self, stat: int) -> None:
        """Gain or lose the network (27.007 §7.2: 1 home, 2 searching, 3 denied, 5 roaming)."""
        self.stat = stat
        for command, level in self.settings.registration.items():
            if level:
                self.announce(f"{command}: {stat}" + (',"00C3","0000A1B2"' if level > 1 and stat in (1, 5) else ""))
        if self.receptive:
            self.network.available(self.sim)

    def ring(self, caller: str, *, times: int = 10, every: float = 3.0) -> None:
        """A voice call, until it is hung up or the caller tires."""
        ring(self, caller, times=times, every=every)

    # --- What the host writes ---------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Octets from the host, cut anywhere."""
        mode = self._mode
        if mode is _Mode.OFF or mode is _Mode.BOOTING or not data or self._is_deaf():
            return
        if self._busy:
            self.intrusions += 1
            if not self.faults.busy_drops:
                self._in += data[: INPUT - len(self._in)]
            return
        if not self._in:  # most often: one whole line, or one whole PDU
            if mode is _Mode.COMMAND and data.find(b"\r") == len(data) - 1 and b"\x1b" not in data:
                self._line(data[:-1])
                return
            if mode is _Mode.DATA and data.find(b"\x1a") == len(data) - 1 and b"\x1b" not in data:
                self._payload(data[:-1])
                return
        self._in += data[: INPUT - len(self._in)]
        self._consume()

    def _consume(self) -> None:
        while self._in and not self._busy and self._mode in (_Mode.COMMAND, _Mode.DATA):
            marks = b"\r\x1b\x1a" if self._mode is _Mode.COMMAND else b"\x1a\x1b"
            end = next((at for at, octet in enumerate(self._in) if octet in marks), None)
            if end is None:
                return
            piece, mark = bytes(self._in[:end]), self._in[end]
            del self._in[: end + 1]
            if self._mode is _Mode.DATA:
                if mark == 0x1A:
                    self._payload(piece)
                else:
                    self._abandon()
            elif mark == 0x0D:
                self._line(piece)

    def _line(self, line: bytes) -> None:
        if self.settings.echo:
            self.emit(line.lstrip(b"\n") + b"\r")
        commands = parse(line)
        if commands is None:
            return
        lines: list[str] = []
        wait = 0.0
        faults = self.faults
        for command in commands:
            self.commands_seen += 1
            if faults.deaf_after is not None and self.commands_seen > faults.deaf_after:
                return
            name = command.name
            if name in faults.silent:
                return
            latency = faults.latency
            if latency and name != "+CMGS":
                wait += pick(latency.get(name, latency.get("*", 0.0)), self.random)
            try:
                if name in faults.refused or name in self.profile.refused:
                    raise AtError
                handler = COMMANDS.get(name) or general.by_vendor(self, name)
                if handler is None:
                    self.answer(name, lines, self.profile.error_word, after=wait)
                    return
                answer = handler(self, command)
            except AtError as error:
                self.answer(name, lines, self.wording(error), after=wait)
                return
            if isinstance(answer, Prompt):
                self._prompt(answer)
                return
            if answer is None:
                return
            lines += answer
        last = commands[-1]
        if last.name == "+CPIN" and last.form is Form.READ and not self.profile.pin_read_has_ok:
            self.answer(last.name, lines, "", after=wait)
        else:
            self.answer(last.name, lines, "OK", after=wait)

    def _prompt(self, prompt: Prompt) -> None:
        faults = self.faults
        if faults.sends and (fault := self.send_fault(Stage.PROMPT, "")) is not None:
            self.settle(fault, "" if fault.answer is Answer.NONE else self.wording(AtError("CMS", fault.code)), 0.0)
            return
        self._awaiting = prompt.done
        text = self.profile.prompt if faults.prompt is None else faults.prompt
        data = self._writer.with_injections("prompt", text.encode("latin-1"), faults)
        wait = pick(faults.latency.get("prompt", 0.0), self.random) if faults.latency else 0.0
        if wait:
            self._busy = True
            self.later(wait, self._show_prompt, data)
        else:
            self._mode = _Mode.DATA
            self.emit(data)

    def _show_prompt(self, data: bytes) -> None:
        self._busy = False
        self._mode = _Mode.DATA
        self.emit(data)
        self._consume()

    def _payload(self, payload: bytes) -> None:
        done = self._awaiting
        self._mode, self._awaiting = _Mode.COMMAND, None
        if self.settings.echo or self.faults.echo_pdu:
            self.emit(payload + b"\x1a" + b"\r\n")
        if done is not None:
            done(payload)
        if self._held:
            self._release()

    def _abandon(self) -> None:
        """ESC at the prompt: nothing is sent, and yet the answer is OK (27.005 §3.5.1)."""
        self._mode, self._awaiting = _Mode.COMMAND, None
        self.answer("", [], "OK")
        self._release()

    # --- What the modem writes ------------------------------------------------------------------------------------

    def answer(self, name: str, lines: list[str], final: str, *, after: float = 0.0) -> None:
        """Information lines and a final result, framed; nothing else is done until they are out."""
        data = self._writer.framed(lines, final, self.settings, self.faults)
        if self.faults.inject:
            data = self._writer.with_injections(name, data, self.faults)
        if after > 0:
            self._busy = True
            self.later(after, self._answer_now, data)
        else:
            self.emit(data)

    def announce(self, line: str) -> None:
        """An unsolicited line; with two lines in one, as +CMT has, separated by CR LF."""
        if self._mode is _Mode.OFF or self._is_deaf():
            return
        data = self._writer.framed([line], "", self.settings, self.faults)
        if self._mode is _Mode.DATA:
            self._held.append(data)
        else:
            self.emit(data)

    def emit(self, data: bytes) -> None:
        """Write, or queue for paced writing."""
        self._writer.put(data, self.faults)

    def settle(self, fault: SendFault | None, final: str, after: float, *, lines: list[str] | None = None) -> None:
        """The end of a send that did not go the plain way: `final` "" = no answer at all."""
        late = fault is not None and (fault.late or not final)
        self._busy = not late or (after > 0 and fault is not None and not fault.late)
        data = self._writer.framed(lines or [], final, self.settings, self.faults) if final else b""
        self.later(after, self._settled, data, Then.NOTHING if fault is None else fault.then)

    def _settled(self, data: bytes, then: Then) -> None:
        self._busy = False
        if data:
            self.emit(data)
        match then:
            case Then.NOTHING:
                self._consume()
            case Then.REBOOT:
                self.reboot()
            case Then.UNPLUG:
                self.plugged_out()
            case Then.DEAF:
                self.set_faults(deaf=True)

    def hold(self, answer: Callable[[], None]) -> None:
        """A text stays on the air while the knob `on_air` says so; nothing else is done until it has its answer."""
        self._busy = True
        self._on_air = answer

    def _landed(self) -> None:
        answer, self._on_air = self._on_air, None
        if answer is not None:
            self._busy = False
            answer()
            self._consume()

    def wording(self, error: AtError) -> str:
        """27.007 §9: +CMEE decides how much is told; +CMS ERROR is always told (27.005 §3.2.5)."""
        if error.kind == "CMS" and error.code:
            return f"+CMS ERROR: {error.code}"
        if error.kind == "CME" and self.settings.errors == 1:
            return f"+CME ERROR: {error.code}"
        if error.kind == "CME" and self.settings.errors == 2:
            return f"+CME ERROR: {general.ERROR_WORDS.get(error.code, 'unknown')}"
        return "ERROR"

    # --- For commands and the network -------------------------------------------------------------------------------

    def take(self, pdu: bytes) -> Reception:
        """`network.Host`: a PDU for the SIM in this modem."""
        return inbound.take(self, pdu)

    @property
    def receptive(self) -> bool:
        """Can messages come in?"""
        return (
            self._mode in (_Mode.COMMAND, _Mode.DATA)
            and self.sim.state == READY
            and self.stat in (1, 5, 6, 7, 9, 10)
            and self.radio == 1
            and self.clock.monotonic() >= self.sms_ready_at
            and not self._is_deaf()
            and self._on_air is None  # a report would come before the answer
        )

    def storage(self, name: str) -> Storage:
        return {"SM": self.sim.records, "ME": self.flash, "SR": self.report_store}[name]

    def send_fault(self, stage: Stage, destination: str) -> SendFault | None:
        rules = tuple(rule for rule in self.faults.sends if rule.stage is stage)
        fault = self._sends.match(rules, destination)
        if fault is not None and fault.probability < 1 and self.random.random() >= fault.probability:
            return None
        return fault

    def sim_ready(self, wait: float) -> None:
        """The card is readable; its SMS layer follows after `wait` seconds."""
        self.sms_ready_at = self.clock.monotonic() + wait
        self.later(wait, self.network.available, self.sim)

    def later(self, delay: float, call: Callable[..., object], *args: object) -> None:
        """Call after `delay` unless the modem is reset before."""
        self._timer_count += 1
        key = self._timer_count

        def run() -> None:
            if self._timers.pop(key, None) is not None:
                call(*args)

        self._timers[key] = self.clock.call_later(delay, run)

    # --- Inside -----------------------------------------------------------------------------------------------------

    def restore(self) -> None:
        """ATZ and AT&F: the settings of V.250, not those of the message service."""
        self.settings.echo = self.profile.starts_with_echo
        self.settings.verbose, self.settings.quiet, self.settings.errors = True, False, 0

    def _booted(self) -> None:
        self._mode = _Mode.COMMAND
        start_noise(self)
        if self.sim.state == READY:
            self.sim_ready(self.profile.sms_ready_seconds)

    def _is_deaf(self) -> bool:
        faults = self.faults
        return (
            faults.deaf
            or faults.hung_until is not None
            or (faults.deaf_after is not None and self.commands_seen > faults.deaf_after)
        )

    def _answer_now(self, data: bytes) -> None:
        self._busy = False
        self.emit(data)
        self._consume()

    def _release(self) -> None:
        held, self._held = self._held, []
        for data in held:
            self.emit(data)
