"""One opening of a port: bring-up, then service until the port goes (`LineDown`) or proves to be another modem's.

One task does everything but sending: it takes what the modem announces, polls the storage as safety net, asks for
signal and registration once a minute, and brings the modem up again when it has restarted. `ready` says that texts
can be sent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import assert_never

from drivers.contract import LateResult, LinkChange, LinkState, MaybeSent, MissedCall, Receipt
from drivers.modems import replies, rungs, sending
from drivers.modems.commands import build
from drivers.modems.events import ChatEvent, Foreign, Late, Odd, StuckPrompt, Urc
from drivers.modems.facts import Facts, learn
from drivers.modems.holders import holders_sentence
from drivers.modems.inbox import Inbox
from drivers.modems.line import Line, LineDown, NoAnswer, Trace
from drivers.modems.link import Link
from drivers.modems.notices import Notification, about
from drivers.modems.profile import ProfileError
from drivers.modems.repair import UNREGISTERED_FOR, Climb, Leave, Rung
from drivers.modems.repairing import HARDWARE, Repairs
from drivers.modems.ringing import Ringing
from drivers.modems.settings import ModemSettings
from drivers.modems.startup import Startup, StartupError
from drivers.modems.teller import Teller
from drivers.modems.ussd_session import UssdSession

__all__ = ["Session"]

log = logging.getLogger("gsmbridge.modem")

ECHO_TRIES = 3  # a modem that echoes after that goes on doing so; the echo is dropped anyway
STORAGE_FULL = "storage_full"
MAX_EARLY = 64  # notifications kept while the modem is brought up


class _Restart(Exception):
    """Bring the modem up again on the same port."""


class Session:
    def __init__(
        self,
        link: Link,
        *,
        name: str,
        settings: ModemSettings,
        startup: Startup,
        teller: Teller,
        monotonic: Callable[[], float],
        trace: Trace | None,
        repairs: Repairs,
        usb_path: str = "",
    ) -> None:
        self.ready = False
        self.sim = ""  # as the bridge knows the SIM, once it is told that we are up
        self.facts: Facts | None = None
        self.inbox: Inbox | None = None
        self._name = name
        self._settings = settings
        self._timing = settings.timing
        self._startup = startup
        self._teller = teller
        self._monotonic = monotonic
        self._wake = asyncio.Event()
        self._early: list[Urc] = []
        self._restart = ""  # why the modem is to be brought up again
        self._recheck = False  # our settings may be gone
        self._echo = False
        self._echo_tries = ECHO_TRIES
        self._ringing = Ringing(settings.hang_up)
        self._full = False
        self._shared = ""  # another program's line
        self._repairs = repairs
        self._usb_path = usb_path
        self._trouble = ""  # a streak of failures on a link that is up
        self._again: tuple[float, str] | None = None  # when the next step of that is due
        self._wanted: Rung | None = None
        self._sends_again = False
        self._without_network: float | None = None  # since when
        self._late: list[LateResult | MissedCall] = []
        self._usable_from = 0.0
        self.line = Line(link, timing=settings.timing, monotonic=monotonic, on_event=self._heard, trace=trace)
        self.ussd = UssdSession(
            self.line, timing=settings.timing, monotonic=monotonic, wake=self._wake.set, odd=teller.count
        )

    async def run(self) -> None:
        """Raises `LineDown`, or `StartupError` when this is another modem's port."""
        restarted = False
        try:
            while True:
                self._restart = ""
                self._recheck = False
                if restarted:
                    await self._tell_starting()
                try:
                    await self._serve(*await self._bring_up(restarted))
                except _Restart as reason:
                    log.info("modem_restarted channel=%s reason=%s", self._teller.channel, reason)
                    restarted = True
                except LineDown as down:
                    if down.code != "rebooted":
                        raise
                    restarted = True
                except StartupError as error:
                    if error.code == "wrong_modem":
                        raise
                    await self._wait_for_help(error)
                    restarted = False
                except ProfileError as error:
                    await self._wait_for_help(StartupError("two_profiles", str(error), blocked=True))
                finally:
                    self.ready = False
                    self.inbox = None
                    self.ussd.lost("The modem restarted, or was lost, in the middle of the session.")
        finally:
            self.line.close()

    def restart(self, reason: str) -> None:
        """Bring the modem up again; nothing is sent until that is done."""
        self._restart = self._restart or reason
        self.ready = False
        self._wake.set()

    def in_trouble(self, code: str) -> None:
        """One text after the other fails in the same way: something is to be done about the modem."""
        self._trouble = code
        self.ready = False
        self._wake.set()

    def climb_now(self, rung: Rung) -> None:
        """Take this rung, because a person says so."""
        self._wanted = rung
        self._wake.set()

    def sends_again(self) -> None:
        """A text went through."""
        self._sends_again = True
        self._wake.set()

    def storage_is_full(self) -> None:
        """The modem says so: it is emptied, and told."""
        self._full = True
        if self.facts is not None and self.facts.size > 0:
            self.facts.used = self.facts.size
        self.scan_soon(everything=True)

    def scan_soon(self, *, everything: bool) -> None:
        if self.inbox is not None:
            self.inbox.scan_soon(everything=everything)
            self._wake.set()

    async def settled(self) -> bool:
        """False when the modem may have lost our settings meanwhile and has; to be asked before each send."""
        return not self._recheck or await self._settings_kept()

    # --- bring-up -----------------------------------------------------------------------------------------------------

    async def _bring_up(self, restarted: bool) -> tuple[Facts, Inbox]:
        facts = self.facts = await self._startup.run(self.line, self._tell_starting, restarted=restarted)
        inbox = self.inbox = Inbox(
            self.line,
            facts,
            settings=self._settings,
            channel=self._teller.channel,
            session=self._name,
            monotonic=self._monotonic,
            offer=self._teller.offer,
            odd=self._teller.count,
        )
        for urc in self._early:
            self._notified(urc)
        self._early.clear()
        await inbox.drain()
        self._usable_from = 0.0
        self._echo = False
        return facts, inbox

    async def _tell_starting(self) -> None:
        await self._tell(LinkState.STARTING, "starting", f"Bringing up the modem on {self.line.link.port}.")

    async def _wait_for_help(self, error: StartupError) -> None:
        """Something a person must do, or that passes: until the modem says so, or ask again in a while."""
        await self._tell(LinkState.BLOCKED if error.blocked else LinkState.DOWN, error.code, str(error))
        end = self._monotonic() + self._timing.health
        while self._monotonic() < end and not self._restart and not self._recheck:
            self._wake.clear()
            if self.line.down is not None:
                raise self.line.down
            await self._pause(end)

    # --- service ------------------------------------------------------------------------------------------------------

    async def _serve(self, facts: Facts, inbox: Inbox) -> None:
        health_due = self._monotonic() + self._timing.health
        while True:
            self._wake.clear()
            if self.line.down is not None:
                raise self.line.down
            if self._restart:
                raise _Restart(self._restart)
            await self._mend(facts)
            await self._tell_state(facts)
            await inbox.work()
            while self._late and await self._teller.offer(self._late[0]):
                del self._late[0]
            await self._odd_jobs(facts, inbox)
            if self._monotonic() >= health_due:
                await self._look_around(facts, inbox)
                health_due = self._monotonic() + self._timing.health
            now = self._monotonic()
            due = min(
                health_due,
                inbox.next_due(),
                self._ringing.next_due(),
                self.ussd.next_due(),
                now + self._timing.sink_retry if self._late else health_due,
            )
            if self._again is not None:
                due = min(due, self._again[0])
            if self._without_network is not None and now < self._without_network + UNREGISTERED_FOR < due:
                due = self._without_network + UNREGISTERED_FOR
            await self._pause(min(due, self._usable_from) if self._usable_from > now else due)

    async def _mend(self, facts: Facts) -> None:
        """Climb the ladder where it is due. Raises `_Restart` when everything has to be set again."""
        if self._sends_again:
            self._sends_again = False
            self._again = None
            if self._repairs.in_sending:
                await self._repairs.cured()
        if self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            await self._climb(wanted, "asked for")
        code, self._trouble = self._trouble, ""
        if not code and self._again is not None and self._again[0] <= self._monotonic():
            code = self._again[1]
        streak = code
        if streak:
            self._again = None
        without = 0.0
        if facts.registered is False:
            self._without_network = self._monotonic() if self._without_network is None else self._without_network
            without = self._monotonic() - self._without_network
            denied = facts.registration == "denied"
            code = code or (
                "registration_denied" if denied else "not_registered" if without >= UNREGISTERED_FOR else ""
            )
        else:
            self._without_network = None
        if not code:
            return
        step = self._repairs.next_step(code, answers=True, registered=facts.registered, without_network=without)
        if isinstance(step, Leave):
            await self._repairs.cannot(step.reason)
        elif isinstance(step, Climb):
            await self._climb(step.rung, code)
        elif streak:  # no other text need fail meanwhile: the bridge sends one only every few minutes
            self._again = step.until, streak

    async def _climb(self, rung: Rung, code: str) -> None:
        self.ready = False
        port = self.line.link.port
        await self._tell(LinkState.DOWN, "repairing", f"The modem on {port} is being repaired ({code}: {rung.value}).")
        await self._repairs.begin(rung)
        if rung in HARDWARE:
            await self._repairs.act(rung)
            raise _Restart(f"repair {rung.value}")
        if rung is Rung.REOPEN:
            raise _Restart(code)
        if not await rungs.climb(rung, self.line, self._timing):
            self._teller.count("repair_refused")
        raise _Restart(f"repair {rung.value}")

    async def _pause(self, until: float) -> None:
        """Until something is heard, at most until then."""
        wait = until - self._monotonic()
        if wait <= 0 or self._wake.is_set():
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(wait):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _odd_jobs(self, facts: Facts, inbox: Inbox) -> None:
        if self._recheck:
            await self._settings_kept()
        if self._echo and self._echo_tries:
            self._echo_tries -= 1
            await self._quietly("ATE0")
        self._echo = False
        await self._calls(facts)
        await self.ussd.work()
        if inbox.lying_reports:
            inbox.lying_reports = False
            self._startup.no_stored_reports = True
            facts.stored_reports = False
            await inbox.announce_again()

    async def _calls(self, facts: Facts) -> None:
        """End a call where that is wanted; tell one that is over. Between two commands, so never within a send."""
        if self._ringing.to_hang_up(self._monotonic()):
            done = await self._quietly("AT+CHUP") or await self._quietly("ATH")
            self._ringing.tried(done, self._monotonic())
        call = self._ringing.missed(facts.sim(self._teller.channel), self._monotonic())
        if call is not None:
            self._teller.count("call")
            if not await self._teller.offer(call) and len(self._late) < MAX_EARLY:
                self._late.append(call)

    async def _quietly(self, verb: str) -> bool:
        try:
            return (await self.line.ask(build(verb), self._timing.ask)).final.ok
        except NoAnswer:
            return False

    async def _look_around(self, facts: Facts, inbox: Inbox) -> None:
        """Signal, registration, fill of the storage: for people, and to notice a modem that has died quietly, or a SIM
        that was exchanged without a word."""
        for verb in ("AT+CSQ", "AT+CREG?", "AT+CEREG?", "AT+COPS?"):
            try:
                learn(facts, await self.line.ask(build(verb, informs=True), self._timing.operator))
            except NoAnswer:
                self._teller.count("no_answer")
        await self._same_sim(facts)
        await inbox.measure()
        if facts.full:
            self._full = True
        elif facts.size > 0 and inbox.undeletable * 2 >= facts.size:
            await self._tell(
                LinkState.UP,
                "storage_undeletable",
                f"Half of the message storage of {self._teller.channel} cannot be deleted. "
                "Change the SIM or reset the modem.",
            )
        elif self._teller.now.code == STORAGE_FULL:
            await self._tell(LinkState.UP, *self._remark(facts))

    async def _same_sim(self, facts: Facts) -> None:
        if not facts.imsi:
            return
        with suppress(NoAnswer):
            answer = await self.line.ask(build("AT+CIMI", bare=True, informs=True), self._timing.sim)
            found = replies.first_digits(answer.lines, 14, 15)
            if found and found != facts.imsi:
                self.restart("sim_changed")

    async def _settings_kept(self) -> bool:
        """After a notification that may mean a restart: still in PDU mode, notified, and with the same SIM?"""
        self._recheck = False
        facts, timing = self.facts, self._timing
        assert facts is not None
        try:
            mode = await self.line.ask(build("AT+CMGF?", informs=True, sms=True), timing.ask)
            notify = await self.line.ask(build("AT+CNMI?", informs=True, sms=True), timing.ask)
            imsi = await self.line.ask(build("AT+CIMI", bare=True, informs=True), timing.sim)
        except NoAnswer:
            self.restart("settings_unknown")
            return False
        except LineDown:
            return False
        in_pdu_mode = not mode.lines or replies.integers(mode.lines[-1])[:1] == [0]
        numbers = replies.integers(notify.lines[-1]) if notify.lines else []
        announced = not facts.announces or len(numbers) < 2 or numbers[1] > 0
        same_sim = not facts.imsi or replies.first_digits(imsi.lines, 14, 15) == facts.imsi
        if not (in_pdu_mode and announced and same_sim):
            self.restart("settings_lost" if same_sim else "sim_changed")
            return False
        return True

    # --- what the modem says by itself --------------------------------------------------------------------------------

    def _heard(self, event: ChatEvent) -> None:
        if isinstance(event, Urc):
            self._notified(event)
        elif isinstance(event, Late):
            self._answered_late(event)
        elif isinstance(event, Foreign):
            self._teller.count("foreign")
            self._shared = self._shared or event.line.partition(":")[0]
        elif isinstance(event, StuckPrompt):
            self._teller.count("stuck_prompt")
        elif isinstance(event, Odd):
            self._teller.count(event.what)
            self._echo = self._echo or event.what == "echo"
            if event.what == "down":
                self.ready = False
        self._wake.set()

    def _notified(self, urc: Urc) -> None:
        line = urc.line
        meaning = about(line, self.line.profile)
        match meaning:
            case Notification.STORED | Notification.DIRECT_TEXT | Notification.DIRECT_REPORT:
                if self.inbox is not None:
                    self._for_inbox(self.inbox, urc, meaning)
                elif len(self._early) < MAX_EARLY:
                    self._early.append(urc)
            case Notification.REGISTRATION:
                self._registered(line)
            case Notification.OFF if not self._repairs.own_doing:
                self._repairs.powered_down = True
                self.line.fail("powered_down", f"The modem on {self.line.link.port} has switched itself off ({line}).")
            case Notification.RESTARTED | Notification.OFF:
                self._repairs.restarted()
                if self.inbox is not None:
                    self.restart(line)
                self.line.restarted(f"The modem restarted by itself ({line}).")
            case Notification.DOUBTFUL:
                self._startup.sms_ready.set()
                self._recheck = True
            case Notification.SIM_GONE:
                if self.inbox is not None:
                    self.restart("sim_gone")
            case Notification.FULL:
                self.storage_is_full()
            case Notification.USSD:
                self.ussd.heard(line)
            case Notification.CALL:
                self._ringing.heard(line, self._monotonic())
            case Notification.CALL_OVER:
                self._ringing.ended()
            case Notification.NOISE:
                pass
            case Notification.UNKNOWN:
                self._teller.count("unknown_notification")
            case _:
                assert_never(meaning)

    def _for_inbox(self, inbox: Inbox, urc: Urc, meaning: Notification) -> None:
        if meaning is not Notification.STORED:
            inbox.arrived(urc.pdu, report=meaning is Notification.DIRECT_REPORT)
            return
        notice = replies.notice(urc.line)
        if notice is None:
            inbox.scan_soon()
        elif notice.index < 0:  # Huawei: +CMTI: "SM",-1
            self.storage_is_full()
        else:
            inbox.announced(notice)

    def _registered(self, line: str) -> None:
        registration, facts = replies.registration(line, answer=False), self.facts
        if registration is None or facts is None:
            return
        before = facts.registered
        facts.note(registration)
        if before is False and facts.registered:
            self._usable_from = self._monotonic() + self._timing.register_settle

    def _answered_late(self, late: Late) -> None:
        outcome = sending.late_result(late, self.line.profile)
        log.info("late_result channel=%s attempt=%s", self._teller.channel, late.token)
        if isinstance(outcome, Receipt):
            self._late.append(LateResult(attempt_id=late.token, receipt=outcome))
        elif not isinstance(outcome, MaybeSent):  # a doubtful number resolves no doubt
            self._late.append(LateResult(attempt_id=late.token, error=outcome))

    # --- telling ------------------------------------------------------------------------------------------------------

    async def _tell_state(self, facts: Facts) -> None:
        """UP, or why not: registration comes and goes without the modem going."""
        if facts.registered is False:
            self.ready = False
            if facts.registration == "denied":
                await self._tell(
                    LinkState.BLOCKED,
                    "registration_denied",
                    "The network refuses this SIM. Check that it is activated and may be used here.",
                )
            else:
                await self._tell(
                    LinkState.STARTING,
                    "not_registered",
                    f"Not registered with a network ({facts.registration}). Check antenna and coverage.",
                )
        elif not self.ready and self._monotonic() >= self._usable_from:
            self._repairs.up(facts.imei, self._usb_path)
            self.sim = facts.sim(self._teller.channel)
            self.ready = True
            await self._tell(LinkState.UP, *self._remark(facts))
            await self._repairs.link_is_up()
        if self.ready and (self._shared or self._full):
            await self._tell_trouble()

    def _remark(self, facts: Facts) -> tuple[str, str]:
        """What a person should know of a modem that is up."""
        if unstable := self._repairs.unstable:
            return "weak_supply", unstable
        if facts.service_centre == "" and not self._settings.smsc:
            return "smsc_missing", "The SIM has no service centre. Put its number into the configuration (smsc)."
        if facts.direct:
            return "no_storage", "This SIM has no room for texts; they are taken directly."
        return self._was_full() if facts.full else ("", "")

    def _was_full(self) -> tuple[str, str]:
        name = self._teller.channel
        if self.inbox is not None and (stuck := self.inbox.undeletable):
            what = f"The message storage of {name} is full, and {stuck} of its texts cannot be deleted."
            return STORAGE_FULL, f"{what} Change the SIM or reset the modem."
        return STORAGE_FULL, f"The message storage of {name} was full; more texts may come in a burst."

    async def _tell_trouble(self) -> None:
        port, shared, full = self.line.link.port, self._shared, self._full
        self._shared, self._full = "", False
        if shared:
            await self._tell(
                LinkState.UP,
                "port_shared",
                f"Another program talks to the modem on {port} (seen: {shared}). Stop it. {holders_sentence(port)}",
            )
        if full:
            await self._tell(LinkState.UP, *self._was_full())

    async def _tell(self, state: LinkState, code: str, reason: str) -> None:
        facts = self.facts
        await self._teller.change(
            LinkChange(
                state=state,
                code=code,
                reason=reason,
                imei=facts.imei if facts is not None else self._settings.imei,
                iccid=facts.iccid if facts is not None else self._settings.iccid,
                imsi=facts.imsi if facts is not None else "",
                model=facts.full_model if facts is not None else "",
                profile=facts.profile.name if facts is not None else "",
                port=self.line.link.port,
                reports=facts is None or facts.reports,
            )
        )
