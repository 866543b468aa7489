"""Texts and reports out of the modem: notifications are hints, the storage is the truth.

A message is deleted only after the bridge has it (`offer` returned True). One whose delete fails is remembered with its
fingerprint, is not offered again, and is deleted later after it was read once more: the slot may hold another by then.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable

import msgspec

from drivers.contract import Event, Incoming, IncomingKind
from drivers.modems import replies
from drivers.modems.bringup import cnmi_command
from drivers.modems.commands import Command, build, integer, storage, vendor
from drivers.modems.events import Answer
from drivers.modems.facts import Facts
from drivers.modems.incoming import fingerprint, incoming_event
from drivers.modems.line import Line, LineDown, NoAnswer
from drivers.modems.replies import Entry, Notice
from drivers.modems.settings import ModemSettings

__all__ = ["Inbox"]

log = logging.getLogger("gsmbridge.modem.inbox")

MAX_DIRECT = 256  # texts that came as +CMT and are not stored by the bridge yet
MAX_SLOTS = 255  # read one by one; the largest storages seen
LATE_ACKNOWLEDGEMENT = 12.0  # seconds; the network waits 12 to 20 (TR2M), then the modem stops routing texts to us

Slot = tuple[str, int]


class _Direct(msgspec.Struct):
    pdu: str
    report: bool
    arrived: float
    due: float


class _Kept(msgspec.Struct):
    """A message that the bridge has and the modem still holds."""

    fingerprint: str
    due: float
    tries: int = 0


class _Announced(msgspec.Struct):
    report: bool
    at: float
    due: float
    tries: int = 0


class Inbox:
    def __init__(
        self,
        line: Line,
        facts: Facts,
        *,
        settings: ModemSettings,
        channel: str,
        session: str,
        monotonic: Callable[[], float],
        offer: Callable[[Event], Awaitable[bool]],
        odd: Callable[[str], None],
    ) -> None:
        self._line = line
        self._facts = facts
        self._settings = settings
        self._timing = settings.timing
        self._session = session
        self._monotonic = monotonic
        self._offer = offer
        self._odd = odd
        self._sim = facts.sim(channel)
        self._channel = channel
        self._main = facts.storage
        self._selected = facts.storage
        self._direct: deque[_Direct] = deque()
        self._announced: dict[Slot, _Announced] = {}
        self._kept: dict[Slot, _Kept] = {}
        self._scan_due: dict[str, float] = {}
        self._lists_failed = 0
        self._acknowledge = build("AT+CNMA", integer(1), sms=True)
        self.lying_reports = False  # +CDSI named a storage that did not have the report

    # --- what is to be done -------------------------------------------------------------------------------------------

    def announced(self, notice: Notice) -> None:
        """+CMTI or +CDSI."""
        name = notice.storage or self._main
        if notice.index < 0 or self._main == "MT":  # full (Huawei); MT numbers its slots in its own way
            self.scan_soon()
        elif len(self._announced) < MAX_SLOTS:
            now = self._monotonic()
            self._announced[name, notice.index] = _Announced(report=notice.report, at=now, due=now)
        else:
            self.scan_soon()

    def arrived(self, pdu: str | None, *, report: bool) -> None:
        """+CMT or +CDS, with its PDU in the line behind."""
        now = self._monotonic()
        if pdu is None or len(self._direct) >= MAX_DIRECT:
            self._odd("direct_lost")
            self.scan_soon()
        else:
            self._direct.append(_Direct(pdu, report, now, now))

    def scan_soon(self, *, everything: bool = False) -> None:
        """Look into the storage now."""
        for name in self._storages() if everything else (self._main,):
            self._scan_due[name] = self._monotonic()

    def next_due(self) -> float:
        """When `work` has something to do, on the monotonic clock."""
        dues = [item.due for item in self._direct]
        dues += [item.due for item in self._announced.values()]
        dues += [item.due for item in self._kept.values()]
        dues += self._scan_due.values()
        return min(dues, default=float("inf"))

    @property
    def undeletable(self) -> int:
        """Messages that the modem refused to delete at least twice."""
        return sum(1 for kept in self._kept.values() if kept.tries > 1)

    # --- doing it -----------------------------------------------------------------------------------------------------

    async def drain(self) -> None:
        """Everything that came while we were away, before the modem is announced as ready."""
        self.scan_soon(everything=True)
        await self.work()

    async def work(self) -> None:
        """All that is due. Raises `LineDown`."""
        while self._direct and self._direct[0].due <= self._monotonic():
            await self._take_direct(self._direct[0])
        for slot, item in [*self._announced.items()]:
            if item.due <= self._monotonic():
                await self._fetch(slot, item)
            if self._direct:  # these must be acknowledged within seconds
                return
        for name, due in [*self._scan_due.items()]:
            if due <= self._monotonic():
                await self._scan(name)
        for slot, kept in [*self._kept.items()]:
            if kept.due <= self._monotonic():
                await self._delete_kept(slot, kept)
        await self._select(self._main)

    async def _take_direct(self, item: _Direct) -> None:
        waited = self._monotonic() - item.arrived
        event = incoming_event(item.pdu, sim=self._sim, session=self._session, waited=waited)
        if event is not None and not await self._offer(event):
            item.due = self._monotonic() + self._timing.sink_retry
            self._direct.rotate(-1)
            return
        self._direct.remove(item)
        wanted = self._facts.acknowledges_reports if item.report else self._facts.acknowledges_texts
        if wanted:
            await self._confirm(late=self._monotonic() - item.arrived > LATE_ACKNOWLEDGEMENT)

    async def _confirm(self, *, late: bool) -> None:
        """AT+CNMA, only when the bridge has the message. 340 = not expected any more: it may come again."""
        answer = await self._ask(self._acknowledge, self._timing.acknowledge)
        if answer is not None and not answer.final.ok and answer.final.number is None:
            self._acknowledge = build("AT+CNMA", sms=True)  # some know only the plain form
            answer = await self._ask(self._acknowledge, self._timing.acknowledge)
        if late or answer is None or not answer.final.ok:
            # Telit, Siemens and Qualcomm stop routing texts to us until +CNMI is set again.
            self._odd("late_acknowledgement")
            await self.announce_again()

    async def measure(self) -> None:
        """How full the main storage is."""
        answer = await self._ask(build("AT+CPMS?", informs=True, sms=True), self._timing.ask)
        memories = replies.memories(answer.lines) if answer is not None else None
        if memories is not None and memories.read in (self._main, ""):
            self._facts.used, self._facts.size = memories.used, memories.size

    async def announce_again(self) -> None:
        """Set +CNMI as it was."""
        told = await self._ask(build("AT+CNMI?", informs=True, sms=True), self._timing.ask)
        numbers = replies.integers(told.lines[-1]) if told is not None and told.lines else []
        mt, ds = (2 if self._facts.direct else 1), (2 if self._facts.stored_reports else int(self._facts.reports))
        if len(numbers) >= 5:
            await self._ask(cnmi_command((numbers[0] or 2, mt, numbers[2], ds, numbers[4])), self._timing.ask)

    async def _fetch(self, slot: Slot, item: _Announced) -> None:
        """Read one announced message."""
        name, index = slot
        self._announced.pop(slot, None)
        entry = await self._read(name, index)
        if entry is not None:
            await self._process(name, [entry], announced_at=item.at)
            return
        if item.report and name != "SR" and "SR" in self._facts.storages:
            if item.tries == 0 and await self._found_in_sr(index):
                return
        elif name != self._main and item.tries == 0 and await self._scan(self._main):
            return  # the notification named the wrong storage
        if item.tries < len(self._timing.reread):  # announced before it can be read
            due = self._monotonic() + self._timing.reread[item.tries]
            again = msgspec.structs.replace(item, due=due, tries=item.tries + 1)
            self._announced.setdefault(slot, again)
        else:
            self._odd("announced_not_found")
            self.scan_soon(everything=True)

    async def _found_in_sr(self, index: int) -> bool:
        """EC25 says "SM" and keeps the report in SR."""
        entry = await self._read("SR", index)
        found = entry is not None and await self._process("SR", [entry]) > 0
        found = found or await self._scan("SR") > 0
        self.lying_reports = self.lying_reports or found
        return found

    async def _read(self, name: str, index: int) -> Entry | None:
        """+CMGR; None for an empty slot, in any of the three ways modems say so."""
        if not await self._select(name):
            return None
        command = build("AT+CMGR", integer(index), lists=True, sms=True)
        answer = await self._ask(command, self._timing.read)
        found = replies.entries(answer.lines) if answer is not None else []
        if not found or not found[0].pdu:
            return None
        return msgspec.structs.replace(found[0], index=index)

    async def _scan(self, name: str) -> int:
        """The whole storage. Returns how many messages were there."""
        self._scan_due.pop(name, None)
        self._plan_scan(name)
        if not await self._select(name):
            return 0
        if self._lists_failed < 2:
            command = vendor(self._facts.profile.list_command)
            command = msgspec.structs.replace(command, lists=True, sms=True)
            try:
                answer = await self._line.ask(command, self._timing.list_total, silence=self._timing.list_silence)
            except NoAnswer as error:
                self._lists_failed += 1
                self._odd("list_never_ended")
                await self._process(name, replies.entries(error.lines), delete=False)
                if self._lists_failed >= 2:
                    raise LineDown("list_never_ends", "The modem does not finish its list of messages.") from error
            else:
                found = replies.entries(answer.lines)
                if answer.final.ok or found or answer.final.number is not None:
                    self._lists_failed = 0
                    return await self._process(name, found)
        return await self._slot_by_slot(name)

    async def _slot_by_slot(self, name: str) -> int:
        count = 0
        size = self._facts.size if self._facts.size > 0 else 20
        first = self._facts.profile.first_index
        for index in range(first, first + min(size, MAX_SLOTS)):
            entry = await self._read(name, index)
            if entry is not None:
                count += await self._process(name, [entry])
        return count

    async def _process(
        self, name: str, found: list[Entry], *, delete: bool = True, announced_at: float | None = None
    ) -> int:
        """Offer and delete. Returns how many messages the bridge now has of those found."""
        marks = [fingerprint(self._sim, entry.pdu) for entry in found]
        done = 0
        for entry, mark in zip(found, marks, strict=True):
            if not entry.pdu or entry.index < 0:
                continue
            slot = (name, entry.index)
            kept = self._kept.get(slot)
            if kept is not None and kept.fingerprint == mark:
                if delete and kept.due <= self._monotonic():
                    await self._delete(slot, mark)
                done += 1
                continue
            twins = tuple(
                _slot_name(name, other.index)
                for other, other_mark in zip(found, marks, strict=True)
                if other_mark == mark and other.index != entry.index
            )
            event = incoming_event(
                entry.pdu,
                sim=self._sim,
                session=self._session,
                slot=_slot_name(name, entry.index),
                twins=twins,
                stat=entry.stat,
                waited=None if announced_at is None else self._monotonic() - announced_at,
            )
            if event is None:
                continue
            if entry.length == 0 and isinstance(event, Incoming) and event.kind is IncomingKind.UNDECODABLE:
                self._odd("garbage_in_slot")  # Wavecom's SR memory: 000000FF00
            elif not await self._offer(event):
                self._scan_due[name] = self._monotonic() + self._timing.sink_retry
                continue
            done += 1
            if delete:
                await self._delete(slot, mark)
            else:
                self._kept[slot] = _Kept(mark, self._monotonic())
        return done

    async def _delete(self, slot: Slot, mark: str) -> None:
        if await self._select(slot[0]):
            answer = await self._ask(build("AT+CMGD", integer(slot[1]), sms=True), self._timing.delete)
            if answer is not None and answer.final.ok:
                self._kept.pop(slot, None)
                return
        kept = self._kept.setdefault(slot, _Kept(mark, 0.0))
        kept.fingerprint = mark
        kept.due = self._monotonic() + self._timing.delete_retry[min(kept.tries, len(self._timing.delete_retry) - 1)]
        kept.tries += 1
        (log.warning if kept.tries == 1 else log.debug)("delete_failed channel=%s slot=%s", self._channel, slot)

    async def _delete_kept(self, slot: Slot, kept: _Kept) -> None:
        """Read before the delete: the slot may hold another message by now."""
        entry = await self._read(*slot)
        if entry is None:
            self._kept.pop(slot, None)
        elif fingerprint(self._sim, entry.pdu) == kept.fingerprint:
            await self._delete(slot, kept.fingerprint)
        else:
            self._kept.pop(slot, None)
            await self._process(slot[0], [entry])

    async def _select(self, name: str) -> bool:
        """Make this the storage that is read from."""
        if name in (self._selected, ""):
            return True
        answer = await self._ask(build("AT+CPMS", storage(name), sms=True), self._timing.storage)
        if answer is None or not answer.final.ok:
            return False
        self._selected = name
        return True

    async def _ask(self, command: Command, timeout: float) -> Answer | None:
        try:
            return await self._line.ask(command, timeout)
        except NoAnswer:
            self._odd("no_answer")
            return None

    def _plan_scan(self, name: str) -> None:
        now = self._monotonic()
        if name == self._main:
            self._scan_due.setdefault(name, now + self._settings.poll)
        elif name in self._storages():
            self._scan_due.setdefault(name, now + self._timing.other_storage)

    def _storages(self) -> tuple[str, ...]:
        """Where messages may lie: the main storage; the SIM, where class 2 goes whatever is set; reports."""
        others = [name for name in ("SM", "SR") if name in self._facts.storages and name != self._main]
        if not self._facts.stored_reports:
            others = [name for name in others if name != "SR"]
        return (self._main, *(others if self._main != "MT" else ()))


def _slot_name(name: str, index: int) -> str:
    return f"{name}:{index}"
