"""Carries out the bring-up of `bringup.SCRIPT` on a line and returns what was learned."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import assert_never

from drivers.modems import bringup, commands, replies
from drivers.modems.bringup import SCRIPT, Do, Refusal, Step
from drivers.modems.commands import Command, build, integer
from drivers.modems.events import Answer
from drivers.modems.facts import Facts, learn
from drivers.modems.line import Line, NoAnswer
from drivers.modems.pin_guard import PinGuard
from drivers.modems.profiles import by_name, find
from drivers.modems.settings import ModemSettings
from drivers.modems.vocabulary import Final, Result

__all__ = ["Startup", "StartupError"]

log = logging.getLogger("gsmbridge.modem.startup")

PIN_TRIES = 3  # a fresh SIM; with fewer left somebody has tried before us
PIN_PAUSE = 60.0  # never two entries within a minute, whatever happened
_ROOM = 20  # a storage below this is no better than the SIM


class StartupError(Exception):
    """The modem cannot be used. `blocked`: until a person acts; otherwise trying again may help. `imei`: of the other
    modem that is there."""

    def __init__(self, code: str, message: str, *, blocked: bool = False, imei: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.blocked = blocked
        self.imei = imei


class Startup:
    """One per driver: it remembers across restarts what must not be repeated."""

    def __init__(
        self, settings: ModemSettings, channel: str, guard: PinGuard | None, monotonic: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._timing = settings.timing
        self._channel = channel
        self._guard = guard
        self._monotonic = monotonic
        self._pin_at: float | None = None
        self._open_sims: set[str] = set()  # worked without a PIN: a passing "SIM PIN" is a flicker
        self.expected_imei = settings.imei  # no other modem gets a PIN or a text
        self.no_stored_reports = False  # +CDSI named a storage that did not have the report
        self.no_keep_link = False  # +CMS ERROR 528 after AT+CMMS
        self.sms_ready = asyncio.Event()

    async def run(self, line: Line, alive: Callable[[], Awaitable[None]], *, restarted: bool = False) -> Facts:
        """All steps; `alive` is awaited when the modem has answered for the first time.

        Raises `StartupError`, or `LineDown` when the modem goes away meanwhile.
        """
        facts = Facts(profile=by_name(self._settings.profile or "generic"), registrations={})
        line.profile = facts.profile
        self._line = line
        self._facts = facts
        self._restarted = restarted
        for step in SCRIPT:
            await self._step(step)
            if step.do is Do.ALIVE:
                await alive()
        return facts

    async def identify(self, line: Line) -> Facts:
        """The first steps only: who is there."""
        facts = Facts(profile=by_name("generic"), registrations={})
        self._line, self._facts, self._restarted = line, facts, False
        for step in SCRIPT:
            if step.do in (Do.ALIVE, Do.ECHO, Do.IDENTITY):
                await self._step(step)
        facts.imei = await self._first_number(bringup.imei_commands(), 15, 16)
        facts.iccid = await self._iccid()
        return facts

    async def _step(self, step: Step) -> None:
        match step.do:
            case Do.ASK:
                await self._plain(step)
            case Do.ALIVE:
                await self._alive()
            case Do.ECHO:
                for text in ("ATE0", "ATV1", "ATQ0"):
                    await self._try(build(text), self._timing.ask)
            case Do.IDENTITY:
                await self._identity()
            case Do.IMEI:
                await self._imei()
            case Do.RADIO:
                await self._radio()
            case Do.SIM:
                await self._sim()
            case Do.ICCID:
                await self._check_iccid()
            case Do.PDU_MODE:
                await self._pdu_mode()
            case Do.STORAGE:
                await self._storage()
            case Do.NOTIFY:
                await self._notify()
            case _:
                assert_never(step.do)

    # --- plain questions ----------------------------------------------------------------------------------------------

    async def _plain(self, step: Step) -> None:
        assert step.command is not None
        if step.only == "keep_link" and (not self._facts.profile.keep_link or self.no_keep_link):
            return
        answer = await self._try(step.command, getattr(self._timing, step.within))
        learn(self._facts, answer)
        if not answer.final.ok and step.refusal is Refusal.NEEDED:
            raise StartupError("refused", f"The modem refused {step.command.text} ({step.why}): {answer.final.text}")
        if not answer.final.ok and step.command.text == "AT+CREG=2":
            await self._try(build("AT+CREG", integer(1)), self._timing.ask)

    async def _try(self, command: Command, timeout: float) -> Answer:
        """Silence counts as a refusal here; what had come of an answer is kept."""
        try:
            return await self._line.ask(command, timeout)
        except NoAnswer as error:
            return Answer(command=command, lines=error.lines, final=Final(Result.ERROR, None, "no answer"))

    async def _alive(self) -> None:
        timing = self._timing
        if self._line.link.paced:
            await asyncio.sleep(timing.drain)
        await self._line.wake(timing.reset_tries if self._restarted else timing.alive_tries)

    # --- who is it ----------------------------------------------------------------------------------------------------

    async def _identity(self) -> None:
        facts = self._facts
        facts.maker = await self._text("AT+CGMI")
        facts.model = await self._text("AT+CGMM")
        facts.firmware = await self._text("AT+CGMR")
        if not facts.maker and not facts.model:
            answer = await self._try(build("ATI", bare=True, informs=True), self._timing.ask)
            facts.maker = " ".join(replies.value(line) for line in answer.lines[:3])
            facts.model = facts.maker
        if not self._settings.profile:
            facts.profile = find(facts.maker, facts.model)
        self._line.profile = facts.profile
        for text in facts.profile.quiet:
            await self._try(commands.vendor(text), self._timing.ask)

    async def _text(self, verb: str) -> str:
        answer = await self._try(build(verb, bare=True, informs=True), self._timing.ask)
        return replies.value(answer.lines[0])[:60] if answer.lines else ""

    async def _imei(self) -> None:
        facts, wanted = self._facts, self.expected_imei
        facts.imei = await self._first_number(bringup.imei_commands(), 15, 16)
        if wanted and facts.imei and facts.imei[:14] != wanted[:14]:
            raise StartupError(
                "wrong_modem",
                f"{self._line.link.port} is the modem {facts.imei}, not {wanted}. It is looked for on other ports.",
                imei=facts.imei,
            )

    async def _first_number(self, candidates: tuple[Command, ...], low: int, high: int) -> str:
        for command in candidates:
            answer = await self._try(command, self._timing.ask)
            found = replies.first_digits(answer.lines, low, high)
            if found and found.strip("0"):
                return found
        return ""

    async def _check_iccid(self) -> None:
        facts, wanted = self._facts, self._settings.iccid
        if not facts.iccid:
            facts.iccid = await self._iccid()
        self._open_sims.add(facts.iccid)
        if wanted and facts.iccid and not replies.same_iccid(facts.iccid, wanted):
            raise StartupError(
                "wrong_sim",
                f"The SIM in {self._line.link.port} is {facts.iccid}, the configuration says {wanted}. "
                "Put the right SIM in or correct the configuration.",
                blocked=True,
            )

    async def _iccid(self) -> str:
        for command in bringup.iccid_commands(self._facts.profile):
            answer = await self._try(command, self._timing.ask)
            found = replies.iccid(answer.lines)
            if found:
                return found
        return ""

    async def _radio(self) -> None:
        answer = await self._try(build("AT+CFUN?", informs=True), self._timing.ask)
        numbers = replies.integers(answer.lines[-1]) if answer.lines else []
        if numbers and numbers[0] != 1:
            await self._try(build("AT+CFUN", integer(1)), self._timing.radio)

    # --- the SIM ------------------------------------------------------------------------------------------------------

    async def _sim(self) -> None:
        """The PIN is entered by the rules of `pin_guard`. PUK and device locks are never answered."""
        timing = self._timing
        end = self._monotonic() + timing.sim_ready
        refusals = 0
        flicker_end: float | None = None
        while True:
            answer = await self._try(build("AT+CPIN?", informs=True), timing.sim)
            state = replies.pin_state(answer.lines)
            number = answer.final.number if answer.final.result in (Result.CME, Result.CMS) else None
            if state == "READY" or (answer.final.ok and not state):
                return
            if state == "SIM PIN":
                if not self._settings.pin and self._open_sims and flicker_end is None:
                    flicker_end = self._monotonic() + 10.0  # PC cards say so for a moment after power-on
                if flicker_end is None or self._monotonic() >= flicker_end:
                    await self._enter_pin()
                    end = max(end, self._monotonic() + timing.sim_ready)
            elif state:
                raise StartupError(_lock_code(state), _lock_sentence(state, self._line.link.port), blocked=True)
            elif number in (10, 310):
                raise StartupError(
                    "sim_missing",
                    f"There is no SIM in the modem on {self._line.link.port}. Insert one, check its contacts.",
                    blocked=True,
                )
            elif number is None:
                refusals += 1
                if refusals >= 4:
                    return  # it may not know the question; the next steps will show
            if self._monotonic() >= end:
                raise StartupError("sim_not_ready", f"The SIM does not become ready: {answer.final.text}.")
            await self._until_ready(timing.sim_poll)

    async def _enter_pin(self) -> None:
        settings, facts = self._settings, self._facts
        port = self._line.link.port
        if not settings.pin:
            raise StartupError(
                "sim_pin_required",
                f"The SIM in {port} wants its PIN. Put it into the configuration, or switch it off in a phone.",
                blocked=True,
            )
        facts.iccid = await self._iccid()
        if settings.iccid:
            await self._check_iccid()
        sim = facts.sim(self._channel)
        tries = await self._pin_tries()
        if tries is not None and tries < PIN_TRIES:
            raise StartupError(
                "sim_pin_counter",
                f"The SIM in {port} has only {tries} PIN entries left; none is used by a machine. "
                "Enter the PIN in a phone, then restart the modem.",
                blocked=True,
            )
        if self._guard is None:
            raise StartupError("no_pin_guard", "No PIN is entered without a record of it on disk.", blocked=True)
        if self._pin_at is not None and self._monotonic() < self._pin_at + PIN_PAUSE:
            raise StartupError("sim_pin_pause", "The PIN was entered less than a minute ago; waiting.")
        try:
            if not self._guard.may_try(sim, settings.pin):
                raise StartupError(
                    "sim_pin_refused",
                    f"This PIN was entered before on the SIM in {port} and did not open it. It is not tried again. "
                    "Correct the PIN in the configuration.",
                    blocked=True,
                )
            self._guard.begin(sim, settings.pin)
        except (OSError, ValueError) as error:
            raise StartupError(
                "pin_guard_failed",
                f"The record of PIN entries cannot be kept, so no PIN is entered: {error}",
                blocked=True,
            ) from error
        self._pin_at = self._monotonic()
        answer = await self._try(
            build("AT+CPIN", commands.pin(settings.pin), owns=(), secret=True), self._timing.enter_pin
        )
        if not answer.final.ok:
            log.warning("pin_refused channel=%s answer=%s", self._channel, answer.final.text)
            raise StartupError(
                "sim_pin_refused",
                f"The SIM in {port} did not accept the PIN ({answer.final.text}). It is not tried again. "
                "Correct the PIN in the configuration.",
                blocked=True,
            )
        self._guard.succeeded(sim, settings.pin)

    async def _pin_tries(self) -> int | None:
        for text in self._facts.profile.pin_counter:
            answer = await self._try(commands.vendor(text, informs=True), self._timing.ask)
            tries = replies.pin_tries(text, answer.lines)
            if tries is not None:
                return tries
        return None

    async def _until_ready(self, seconds: float) -> None:
        """A pause that a notification of readiness ends."""
        self.sms_ready.clear()
        try:
            async with asyncio.timeout(seconds):
                await self.sms_ready.wait()
        except TimeoutError:
            pass

    # --- the SMS layer ------------------------------------------------------------------------------------------------

    async def _pdu_mode(self) -> None:
        end = self._monotonic() + self._timing.sim_ready
        while True:
            answer = await self._try(build("AT+CMGF", integer(0), sms=True), self._timing.ask)
            if answer.final.ok:
                return
            if self._monotonic() >= end:
                raise StartupError("sms_not_ready", f"The modem refuses PDU mode: {answer.final.text}.")
            await self._until_ready(self._timing.sim_poll)

    async def _storage(self) -> None:
        facts, timing = self._facts, self._timing
        answer = await self._try(build("AT+CPMS=?", informs=True, sms=True), timing.ask)
        groups = replies.memory_names(answer.lines)
        facts.storages = groups[0] if groups else ()
        receive = groups[2] if len(groups) > 2 else facts.storages
        current = await self._memories()
        empty = 0
        fallback = ""
        for name in bringup.pick_storage(self._settings.storage, facts.profile, receive):
            if current is None or current.read != name or current.receive != name:
                if not await self._set_storage(name):
                    continue
                current = await self._memories()
            if current is None:  # it took the setting and does not tell more
                facts.storage = name
                return
            if current.read != name or current.size == 0:
                empty += current.size == 0
                continue
            if name == "ME" and 0 <= current.size < _ROOM and "SM" in receive and self._settings.storage != "ME":
                fallback = name
                continue
            facts.storage = name
            return
        if fallback and await self._set_storage(fallback):
            await self._memories()
            facts.storage = fallback
        elif empty:
            facts.direct = True
            log.warning("no_message_storage channel=%s", self._channel)

    async def _set_storage(self, name: str) -> bool:
        for command in bringup.storage_commands(name):
            if (await self._try(command, self._timing.storage)).final.ok:
                return True
        return False

    async def _memories(self) -> replies.Memories | None:
        answer = await self._try(build("AT+CPMS?", informs=True, sms=True), self._timing.ask)
        learn(self._facts, answer)
        return replies.memories(answer.lines)

    async def _notify(self) -> None:
        facts, timing = self._facts, self._timing
        if facts.direct:
            answer = await self._try(build("AT+CSMS", integer(1), sms=True), timing.ask)
            facts.service = 1 if answer.final.ok else facts.service
        answer = await self._try(build("AT+CNMI=?", informs=True, sms=True), timing.ask)
        choices = replies.cnmi_choices(answer.lines)
        for candidate in bringup.cnmi_candidates(
            facts.profile, choices, direct=facts.direct, no_stored_reports=self.no_stored_reports
        ):
            if (await self._try(bringup.cnmi_command(candidate), timing.ask)).final.ok:
                told = await self._try(build("AT+CNMI?", informs=True, sms=True), timing.ask)
                numbers = replies.integers(told.lines[-1]) if told.lines else []
                mode, mt, _, ds = (*numbers, 0)[:4] if len(numbers) >= 4 else candidate[:4]
                facts.announces = mode > 0 and mt > 0
                facts.reports = ds > 0
                facts.stored_reports = ds == 2
                return


def _lock_code(state: str) -> str:
    return {"SIM PUK": "sim_puk_required", "SIM PIN2": "sim_pin2_required", "SIM PUK2": "sim_puk2_required"}.get(
        state, "sim_locked"
    )


def _lock_sentence(state: str, port: str) -> str:
    if state == "SIM PUK":
        return f"The SIM in {port} is locked and wants its PUK. Put it into a phone and enter the PUK there."
    return f"The SIM in {port} says {state!r}: it or the modem is locked. Unlock it by hand."
