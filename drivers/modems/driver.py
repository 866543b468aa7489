"""A modem with its SIM as a channel of the bridge (`contract.Driver`).

`run` opens the port and lives in a `Session` until the port goes; then it opens it again, or looks for the modem by
its IMEI under whatever name it came back, climbs the repair ladder where that is due, and waits for what is plugged
in. `submit` goes straight to the line: it waits for the command under way, never for a whole scan of the storage."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from drivers.contract import (
    Absent,
    CannotTell,
    Capabilities,
    Cause,
    Evidence,
    Found,
    Health,
    LinkChange,
    LinkState,
    MaybeSent,
    NotSent,
    Receipt,
    Refused,
    Sink,
    Submission,
    SubmitError,
    UssdAnswer,
    UssdFailed,
)
from drivers.gsm import PduError
from drivers.gsm.pdu import encode_submit
from drivers.modems import commands, discovery, replies, sending
from drivers.modems.actions import Actions
from drivers.modems.commands import build, integer
from drivers.modems.facts import Facts
from drivers.modems.line import End, LineDown, NoAnswer, SendEnd, Trace
from drivers.modems.link import Link, LinkError, open_link
from drivers.modems.pin_guard import PinGuard
from drivers.modems.ports import Ports
from drivers.modems.profiles import by_name
from drivers.modems.proofs import Proofs
from drivers.modems.repair import Climb, Leave, Rung
from drivers.modems.repairing import HARDWARE, Repairs, Yard
from drivers.modems.session import Session
from drivers.modems.settings import ModemSettings
from drivers.modems.startup import Startup, StartupError
from drivers.modems.teller import Teller

__all__ = ["ModemDriver", "Recording"]

log = logging.getLogger("gsmbridge.modem")

SLOW_SEND = 60.0  # seconds; a healthy message takes 15
MODEM_ERRORS = 3  # of cause "modem" in a row, then the modem is brought up again
SAME_REFERENCE = 3  # the same TP-MR so often in a row: this modem does not count
NET_ERRORS = 3  # texts in a row that the network refuses while we are registered: it has dropped us without a word
_BESIDE_USSD = (Cause.MODEM, Cause.NET, Cause.BUSY)  # what a modem says that sends no text in an open session
UNANSWERED = 3  # texts in a row without any result


class Recording(Protocol):
    """What went over the line, for later (`flight_recorder`)."""

    def trace(self, direction: str, data: bytes) -> None: ...

    def keep(self, reason: str) -> None:
        """Something went wrong: what was said until now is kept aside."""

    async def run(self) -> None: ...


class ModemDriver:
    """One modem. `channel`: the name for logs, and for SIMs without any number. `trace` gets ('>' or '<', bytes).

    `guard`: without it no PIN is ever entered. `opener`, `patterns`: how ports are opened, where they are looked for.
    `ports`, `yard`: shared with the other modems of this machine. `proofs`, `actions`: which repairs this unit was
    proven to survive, and what can be done to its hardware.
    """

    capabilities = Capabilities()
    evidence = Evidence(late_result=True, report=True)

    def __init__(
        self,
        settings: ModemSettings,
        *,
        channel: str = "modem",
        guard: PinGuard | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        opener: Callable[[ModemSettings, str], Awaitable[Link]] = open_link,
        patterns: tuple[str, ...] = discovery.PATTERNS,
        trace: Trace | None = None,
        ports: Ports | None = None,
        yard: Yard | None = None,
        proofs: Proofs | None = None,
        actions: Actions | None = None,
        recorder: Recording | None = None,
    ) -> None:
        self._settings = settings
        self._timing = settings.timing
        self._channel = channel
        self._monotonic = monotonic
        self._opener = opener
        self._ports = ports or Ports(patterns=patterns, opener=opener, monotonic=monotonic)
        self._recorder = recorder
        self._trace = trace if recorder is None else _both(recorder.trace, trace)
        self._startup = Startup(settings, channel, guard, monotonic)
        self._teller = Teller(channel, settings.timing.sink_retry)
        self._repairs = Repairs(
            channel,
            yard=yard or Yard(monotonic),
            monotonic=monotonic,
            tell=self._teller.offer,
            proofs=proofs,
            actions=actions,
            enabled=settings.repair,
            begun=lambda rung: self._keep(f"repair-{rung}"),
        )
        self._session: Session | None = None  # set while the port is open
        self._facts: Facts | None = None  # of the last session that got so far
        self._sessions = 0
        self._missed_since: float | None = None  # ours is nowhere, and another one is at its port
        self._ports.own(settings.imei, channel)
        self._deaf_port = ""  # where ours does not answer any more; another port of it may
        self._errors_in_row = 0
        self._modem_errors = 0
        self._net_errors = 0
        self._unanswered = 0
        self._sim_lost_once = False
        self._last_reference: int | None = None
        self._same_reference = 0

    # --- the contract -------------------------------------------------------------------------------------------------

    async def run(self, sink: Sink) -> None:
        """Keep the modem ready until cancelled."""
        self._teller.sink = sink
        if self._recorder is None:
            await self._keep_up()
            return
        recording = asyncio.create_task(self._recorder.run(), name=f"recorder-{self._channel}")
        try:
            await self._keep_up()
        finally:
            recording.cancel()
            await asyncio.gather(recording, return_exceptions=True)

    async def _keep_up(self) -> None:
        pause = self._timing.reopen_first
        port = self._settings.port
        while True:
            opened_at = self._monotonic()
            ports = self._ports.look(self._settings.port)
            try:
                port = await self._find(port)
                self._startup.expected_imei = self._known_imei()
                await self._live(await self._opener(self._settings, port))
            except (LinkError, LineDown, StartupError) as error:
                if isinstance(error, StartupError):
                    self._ports.learn(port, error.imei)
                await self._in_trouble(port, error.code, str(error))
            if self._monotonic() - opened_at > self._timing.reopen_last:
                pause = self._timing.reopen_first
            if await self._ports.changed(ports, pause, self._settings.port):
                await asyncio.sleep(self._timing.plug_settle)
                pause = self._timing.reopen_first
            else:
                pause = min(pause * 2, self._timing.reopen_last)

    async def submit(self, submission: Submission) -> Receipt:
        """Hand one part to the modem. Raises `NotSent`, `Refused` or `MaybeSent`."""
        session = self._session
        if session is None or not session.ready:
            raise self._not_ready()
        if submission.sim and submission.sim != session.sim:
            raise NotSent("Another SIM is in the modem now.", code="sim_changed", cause=Cause.LINK)
        try:
            if submission.part is None:
                raise PduError("a modem takes parts, not whole messages")
            encoded = encode_submit(submission, smsc=self._settings.smsc)
            command = commands.send(encoded.length)
        except (PduError, commands.CommandError) as error:
            raise Refused(str(error), code="bad_pdu", cause=Cause.BUG, everywhere=True) from error
        if not await session.settled():
            raise self._not_ready()
        end = await session.line.send(command, encoded.pdu, submission.attempt_id)
        outcome = sending.judge(end, session.line.profile)
        if isinstance(outcome, Receipt):
            self._went_well(outcome, end)
            return outcome
        raise await self._went_wrong(outcome, end, submission.attempt_id, session)

    async def look_up(self, submission: Submission) -> Found | Absent | CannotTell:
        """EF_SMSS holds the last used TP-MR: unchanged since the last receipt, it says that nothing was handed over.

        Asked only where the profile says that the family keeps it.
        """
        session = self._session
        if session is None or not session.ready or not session.line.profile.reads_smss:
            return CannotTell(reason="A modem cannot be asked what it has sent.")
        if self._last_reference is None:
            return CannotTell(reason="No reference of an earlier text is known.")
        try:
            command = commands.vendor("AT+CRSM=176,28483,0,0,2", informs=True)
            answer = await session.line.ask(command, self._timing.sim)
        except (NoAnswer, LineDown):
            return CannotTell(reason="The SIM could not be read.")
        if replies.smss_reference(answer.lines) == self._last_reference:
            return Absent()
        return CannotTell(reason="The modem has used another reference since, or none can be read.")

    async def ussd(self, text: str, within: float, *, reply: bool = False) -> UssdAnswer:
        """See `contract.Ussd`."""
        session = self._session
        if session is None or not session.ready:
            raise UssdFailed("link_down", str(self._not_ready()))
        return await session.ussd.ask(text, within, reply=reply)

    async def end_ussd(self) -> bool:
        """See `contract.Ussd`."""
        if self._session is None:
            return False
        try:
            return await self._session.ussd.end()
        except LineDown as down:
            raise UssdFailed("link_down", str(down)) from None

    async def health(self) -> Health:
        """What is known now; the modem is not asked."""
        told = self._teller.now
        facts = self._facts_now() or Facts(profile=by_name("generic"), registrations={})
        return Health(
            state=told.state,
            reason=told.reason,
            model=facts.full_model,
            firmware=facts.firmware,
            imei=facts.imei,
            iccid=facts.iccid,
            imsi=facts.imsi,
            operator=facts.operator,
            registration=facts.registration,
            signal_dbm=facts.signal_dbm,
            storage_used=facts.used if facts.used >= 0 else None,
            storage_size=facts.size if facts.size >= 0 else None,
            service_centre=facts.service_centre or "",
            profile=facts.profile.name if facts.maker or facts.model else "",
            port=told.port or self._settings.port,
            errors_in_row=self._errors_in_row,
            leniencies=dict(self._teller.odds),
        )

    # --- for a person who watches -------------------------------------------------------------------------------------

    def can_climb(self, rung: Rung) -> bool:
        """Whether this rung can be taken here, proven or not."""
        return self._repairs.possible(rung)

    async def climb(self, rung: Rung) -> None:
        """Take one rung now, whatever the state of the modem. Raises `ActionFailed`."""
        if rung in HARDWARE:
            await self._repairs.hit(rung)
        elif self._session is not None:
            self._session.climb_now(rung)

    # --- the port -----------------------------------------------------------------------------------------------------

    async def _live(self, link: Link) -> None:
        """One opening of the port."""
        self._sessions += 1
        session = self._session = Session(
            link,
            name=f"{self._channel}/{self._sessions}/{self._monotonic():.6f}",
            settings=self._settings,
            startup=self._startup,
            teller=self._teller,
            monotonic=self._monotonic,
            trace=self._trace,
            repairs=self._repairs,
            usb_path=usb.path if (usb := self._ports.behind(link.port)) is not None else "",
        )
        self._ports.hold(link.port, self._channel)
        try:
            await session.run()
        finally:
            self._ports.release(self._channel)
            self._session = None
            if session.facts is not None:
                self._facts = session.facts
                self._missed_since = None
                self._ports.own(self._known_imei(), self._channel)

    async def _find(self, known: str) -> str:
        """Where the modem is now. Its port may have another name; its IMEI does not change."""
        settings, imei = self._settings, self._known_imei()
        deaf, self._deaf_port = self._deaf_port, ""
        wrong = ""  # where another modem is
        for port in dict.fromkeys((known, settings.port)):
            if not port or port == deaf:
                continue
            if imei and self._ports.has_other(port, imei):
                wrong = wrong or port
            elif not (imei or settings.iccid) or _exists(port):
                return port
        found = await self._ports.find(imei=imei, iccid=settings.iccid, skip=deaf, near=self._repairs.usb_path)
        if found is not None:
            return found
        if deaf:
            return deaf
        if wrong and self._may_take_over(wrong):
            log.warning("modem_exchanged channel=%s port=%s before=%s", self._channel, wrong, imei)
            self._facts = None
            return wrong
        what = f"modem {imei}" if imei else f"modem with SIM {settings.iccid}"
        where = f"{settings.port} is not there, and the" if settings.port and not wrong else "The"
        raise LinkError("port_missing", f"{where} {what} is on no other port. Is it plugged in and powered?")

    def _may_take_over(self, port: str) -> bool:
        """Another modem is at our port: it takes the place of ours when ours stays away and it is nobody else's. When
        two change places the second may be a moment late."""
        if self._settings.imei or self._ports.has_owner(port, self._channel):
            return False
        now = self._monotonic()
        self._missed_since = now if self._missed_since is None else self._missed_since
        return now - self._missed_since >= self._timing.exchanged

    async def _in_trouble(self, port: str, code: str, reason: str) -> None:
        """The link ended, or did not come up: told, and repaired where that is due."""
        if code in ("unplugged", "powered_down"):
            self._repairs.lost()
        if code != "port_missing":
            self._keep(code)
        await self._down(port, code, reason)
        path = self._repairs.usb_path
        step = self._repairs.next_step(code, usb_id=self._ports.usb.id_at(path) if path else "")
        if isinstance(step, Leave):
            await self._repairs.cannot(step.reason)
        elif isinstance(step, Climb):
            await self._repairs.begin(step.rung)
            if step.rung is Rung.OTHER_PORT:
                self._deaf_port = port
            elif step.rung in HARDWARE:
                await self._repairs.act(step.rung)

    def _keep(self, reason: str) -> None:
        if self._recorder is not None:
            self._recorder.keep(reason)

    def _known_imei(self) -> str:
        """The configured one, else the one that was seen: a modem keeps its port until another is found there."""
        return self._settings.imei or (self._facts.imei if self._facts is not None else "")

    async def _down(self, port: str, code: str, reason: str) -> None:
        facts = self._facts
        await self._teller.change(
            LinkChange(
                state=LinkState.DOWN,
                code=code,
                reason=reason,
                imei=facts.imei if facts is not None else self._settings.imei,
                iccid=facts.iccid if facts is not None else self._settings.iccid,
                imsi=facts.imsi if facts is not None else "",
                model=facts.full_model if facts is not None else "",
                profile=facts.profile.name if facts is not None else "",
                port=port or self._settings.port,
                reports=facts is None or facts.reports,
            )
        )

    def _facts_now(self) -> Facts | None:
        return (self._session.facts if self._session is not None else None) or self._facts

    def _not_ready(self) -> NotSent:
        told = self._teller.now
        return NotSent(
            f"The modem is not ready. {told.reason}".strip(),
            code=told.code if told.state is not LinkState.UP and told.code else "link_down",
            cause=Cause.LINK,
            channel_unusable=told.state is LinkState.BLOCKED,
        )

    # --- after a send -------------------------------------------------------------------------------------------------

    def _went_well(self, receipt: Receipt, end: SendEnd) -> None:
        if self._errors_in_row:
            log.info("sending_again channel=%s after_errors=%d", self._channel, self._errors_in_row)
        self._errors_in_row = self._modem_errors = self._net_errors = self._unanswered = 0
        self._sim_lost_once = False
        if self._repairs.in_sending and self._session is not None:
            self._session.sends_again()
        if end.elapsed > SLOW_SEND:
            self._teller.count("slow_send")
            log.warning("slow_send channel=%s seconds=%.0f", self._channel, end.elapsed)
        if receipt.tp_mr is None:
            return
        self._same_reference = self._same_reference + 1 if receipt.tp_mr == self._last_reference else 1
        self._last_reference = receipt.tp_mr
        if self._same_reference == SAME_REFERENCE:
            self._teller.count("reference_not_counted")
            log.warning("reference_not_usable channel=%s tp_mr=%d", self._channel, receipt.tp_mr)

    async def _went_wrong(self, error: SubmitError, end: SendEnd, token: str, session: Session) -> SubmitError:
        """What must happen to the modem because of this. Returns the error, or a better one."""
        self._errors_in_row += 1
        log.log(
            logging.WARNING if self._errors_in_row == 1 else logging.DEBUG,
            "submit_failed channel=%s attempt=%s code=%s cause=%s",
            self._channel,
            token,
            error.code,
            error.cause.value,
        )
        if isinstance(error, MaybeSent):
            self._keep("doubt")
            self._listen_on(error, end, token, session)
            self._unanswered += error.code == "no_result"
            if self._unanswered >= self._enough(UNANSWERED):
                self._unanswered = 0
                session.in_trouble("sends_unanswered")
            return error
        self._unanswered = 0
        if error.cause in _BESIDE_USSD:
            session.ussd.give_way()
        if error.cms == 305:  # text mode is back: the modem restarted unseen; another would have sent the hex as a text
            session.restart("text_mode")
        elif error.cms == 310 or error.cme == 10:
            return await self._sim_lost(error, session)
        elif error.cms == 528:
            await self._leave_link_mode(session)
        elif error.cause is Cause.MEM or error.cms == 512:  # full, or our text met an incoming one: read the inbox
            if error.cause is Cause.MEM:
                session.storage_is_full()
            else:
                session.scan_soon(everything=False)
        if error.cause is Cause.MODEM:
            self._modem_errors += 1
            if self._modem_errors >= self._enough(MODEM_ERRORS):
                self._modem_errors = 0
                session.in_trouble("modem_errors")
        elif error.cause is Cause.NET:
            self._net_errors += 1
            if self._net_errors >= self._enough(NET_ERRORS):
                self._net_errors = 0
                session.in_trouble("network_failing")
        return error

    def _enough(self, failures: int) -> int:
        """How many in a row show trouble. After a step of repair that did not help one shows that it goes on: the
        bridge sends single texts, minutes apart, to a channel that gets none through."""
        return 1 if self._repairs.in_sending else failures

    def _listen_on(self, error: MaybeSent, end: SendEnd, token: str, session: Session) -> None:
        """The result may still come. Behind an error it cannot, behind silence or a mere OK it can."""
        chat = session.line.chat
        if end.end is End.ANSWERED and error.code == "ok_only":
            chat.doubt(token)
        asyncio.get_running_loop().call_later(self._timing.late, chat.close_doubt, token)

    async def _sim_lost(self, error: SubmitError, session: Session) -> SubmitError:
        """310 after long idling has been seen on healthy cards: ask, and let it be tried once more."""
        try:
            answer = await session.line.ask(build("AT+CPIN?", informs=True), self._timing.sim)
        except (NoAnswer, LineDown):
            return error
        if replies.pin_state(answer.lines) == "READY" and not self._sim_lost_once:
            self._sim_lost_once = True
            return NotSent(
                "The modem said that there is no SIM, then that there is.",
                code=error.code,
                cause=Cause.BUSY,
                cms=error.cms,
                cme=error.cme,
                raw=error.raw,
                retry_after=1.0,
            )
        session.restart("sim_gone")
        return error

    async def _leave_link_mode(self, session: Session) -> None:
        """Quectel and SIMCom: 528 while +CMMS holds the radio link. Remembered for this modem."""
        self._startup.no_keep_link = True
        try:
            await session.line.ask(build("AT+CMMS", integer(0), sms=True), self._timing.ask)
        except (NoAnswer, LineDown):
            self._teller.count("no_answer")


def _both(first: Trace, second: Trace | None) -> Trace:
    if second is None:
        return first

    def trace(direction: str, data: bytes) -> None:
        first(direction, data)
        second(direction, data)

    return trace


def _exists(port: str) -> bool:
    return "://" in port or Path(port).exists()
