"""The network and its SMS centre: takes PDUs into the ledger, carries texts between SIMs, reports, injects."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from enum import Enum
from random import Random
from typing import Protocol

from drivers.contract import Encoding
from drivers.gsm import segments
from drivers.simulator import tpdu
from drivers.simulator.clock import Clock
from drivers.simulator.faults import NetworkFaults, ReportFault, Tally, changed, pick
from drivers.simulator.ledger import Entry, Ledger
from drivers.simulator.menus import CODES, Codes
from drivers.simulator.sim import Sim

__all__ = ["SMSC", "Host", "Network", "Reception", "Rejected"]

log = logging.getLogger("gsmbridge.simulator.network")

SMSC = "+447700900000"
WAITING = 100_000  # texts kept for one SIM whose modem does not take them; a real centre keeps fewer
ROUTES = 100_000  # destinations remembered; forgotten all at once, since looking one up again is cheap
_DCS = {Encoding.GSM7: 0x00, Encoding.UCS2: 0x08, Encoding.BINARY: 0x04}


class Reception(Enum):
    """What a modem says to a PDU for its SIM."""

    TAKEN = "taken"
    LATER = "later"  # off, full or not registered: `Network.available` will tell
    PENDING = "pending"  # the host has to acknowledge first: `Network.acknowledged` will tell


class Rejected(Exception):
    """The network's refusal of a SUBMIT. `cms`: RP cause or TP-FCS as +CMS ERROR gives it."""

    def __init__(self, cms: int) -> None:
        super().__init__(f"+CMS ERROR: {cms}")
        self.cms = cms


class Host(Protocol):
    """A modem with a SIM in it."""

    def take(self, pdu: bytes) -> Reception: ...


class Network:
    """One network. `ussd`: answers by code. Everything runs in the thread of its clock."""

    def __init__(
        self,
        *,
        clock: Clock,
        random: Random,
        faults: NetworkFaults | None = None,
        ledger: Ledger | None = None,
        smsc: str = SMSC,
        ussd: Codes | None = None,
    ) -> None:
        self.clock = clock
        self.random = random
        self.faults = faults or NetworkFaults()
        self.ledger = Ledger() if ledger is None else ledger
        self.smsc = smsc
        self.ussd = dict(CODES) if ussd is None else ussd
        self.refused = 0
        self._boxes: dict[str, _Mailbox] = {}
        self._routes: dict[bytes, _Mailbox | None] = {}
        self._reports: Tally[ReportFault] = Tally()
        self._awaited: list[tuple[int, asyncio.Future[None]]] = []

    # --- For those who test ---------------------------------------------------------------------------------------

    def inject(
        self,
        to: str,
        text: str,
        *,
        sender: str = "+447700900999",
        encoding: Encoding | None = None,
        wide: bool = False,
        protocol_id: int = 0,
        dcs: int | None = None,
    ) -> list[str]:
        """A text comes in for the SIM with the number `to`; `sender` is a number or a name. Returns its PDUs.

        Raises KeyError when no SIM has that number, ValueError when text or sender cannot be expressed.
        """
        box = self._boxes[to]
        originator = tpdu.address(self._named(sender))
        pdus = []
        for part in segments.split(text, reference=self.random.randrange(256), wide=wide, encoding=encoding):
            count, data = tpdu.user_data(part)
            pdu = tpdu.deliver(
                smsc=self.smsc,
                originator=originator,
                stamp=self._stamp(),
                count=count,
                data=data,
                header=bool(part.udh),
                protocol_id=protocol_id,
                dcs=_DCS[part.encoding] if dcs is None else dcs,
            )
            pdus.append(pdu)
        for pdu in pdus:
            self._enqueue(box, _Item(pdu))
        return [pdu.hex().upper() for pdu in pdus]

    def inject_pdu(self, to: str, pdu: str) -> None:
        """Any PDU, SMSC field first: DELIVER or STATUS-REPORT, sound or not. Raises KeyError, ValueError for no hex."""
        self._enqueue(self._boxes[to], _Item(bytes.fromhex(pdu)))

    async def next_submit(self) -> Entry:
        """Wait for the next PDU taken after this call."""
        wanted = self.ledger.total + 1
        await self.submits(wanted)
        return self.ledger.since(wanted - 1)[0]

    async def submits(self, total: int) -> None:
        """Wait until `total` PDUs have been taken since the start."""
        if self.ledger.total < total:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._awaited.append((total, future))
            await future

    def set_faults(self, **knobs: object) -> NetworkFaults:
        """Change some knobs; rules given anew are counted anew. Raises FaultError."""
        self.faults = changed(self.faults, knobs)
        if "report_faults" in knobs:
            self._reports.clear()
        return self.faults

    def waiting(self, number: str) -> int:
        """PDUs for that SIM which no modem has taken yet."""
        return len(self._boxes[number].items)

    # --- For modems -----------------------------------------------------------------------------------------------

    def join(self, sim: Sim, host: Host) -> None:
        """`host` has the card from now on."""
        box = self._boxes.setdefault(sim.number, _Mailbox())
        box.host, box.unacknowledged = host, None
        self._routes.clear()

    def submit(
        self, sim: Sim, submit: tpdu.Submit, pdu: str, *, command_at: float, answer_after: float, copies: int = 1
    ) -> Entry | None:
        """Take a PDU: ledger first, then routing and report. None when the network stays silent. Raises Rejected."""
        faults = self.faults
        if faults.silence:
            return None
        if faults.refuse is not None or sim.credit == 0:
            self.refused += 1
            raise Rejected(21 if faults.refuse is None else faults.refuse)
        if sim.credit is not None:
            sim.credit -= 1
        reference = sim.next_reference()
        for _ in range(copies):
            entry = Entry(
                self.ledger.total + 1,
                sim.number,
                sim.iccid,
                reference,
                pdu,
                command_at,
                self.clock.monotonic(),
                self.clock.wall(),
            )
            self.ledger.append(entry)
            self._carry(sim, submit, reference, answer_after)
        if self._awaited:
            self._wake()
        return entry

    def available(self, sim: Sim) -> None:
        """The modem takes messages (again): powered, registered, room in the store."""
        self._hand_over(self._boxes[sim.number])

    def acknowledged(self, sim: Sim, *, well: bool) -> None:
        """The end of PENDING. What was not acknowledged comes again."""
        box = self._boxes[sim.number]
        item, box.unacknowledged = box.unacknowledged, None
        if item is not None:
            if well:
                item.taken()
            else:
                self.clock.call_later(self.faults.redeliver_after, self._enqueue, box, item)
            self._hand_over(box)

    # --- Inside ---------------------------------------------------------------------------------------------------

    def _carry(self, sim: Sim, submit: tpdu.Submit, reference: int, answer_after: float) -> None:
        reported = None
        if submit.first & tpdu.SRR and self.faults.reports is not None:
            reported = self._report(sim, submit, reference, answer_after)
        try:
            box = self._routes[submit.destination]
        except KeyError:
            box = self._route(submit.destination)
        if box is not None:
            pdu = tpdu.deliver(
                smsc=self.smsc,
                originator=tpdu.address(self._named(sim.number)),
                stamp=self._stamp(),
                count=submit.count,
                data=submit.data,
                header=bool(submit.first & tpdu.UDHI),
                protocol_id=submit.protocol_id,
                dcs=submit.dcs,
            )
            item = _Item(pdu, reported)
            self.clock.call_later(pick(self.faults.transit, self.random), self._enqueue, box, item)
        elif reported is not None:
            reported()

    def _report(self, sim: Sim, submit: tpdu.Submit, reference: int, answer_after: float) -> Callable[[], None] | None:
        """What to call when the text has reached its handset; None: there is no report, or it has been sent."""
        faults, box = self.faults, self._boxes[sim.number]
        rule = (
            self._reports.match(faults.report_faults, tpdu.number_of(submit.destination))
            if faults.report_faults
            else None
        )
        if rule is not None and rule.lost:
            return None
        recipient = submit.destination
        if faults.national:
            recipient = tpdu.address(self._named(tpdu.number_of(recipient)))
        taken_stamp = self._stamp()
        delay = rule.delay if rule is not None and rule.delay is not None else pick(faults.reports or 0.0, self.random)
        due = self.clock.monotonic() + answer_after + delay

        def send() -> None:
            pdu = tpdu.report(
                smsc=self.smsc,
                reference=reference,
                recipient=recipient,
                taken=taken_stamp,
                discharged=self._stamp(),
                status=faults.report_status if rule is None else rule.status,
            )
            for _ in range(1 if rule is None else rule.copies):
                self._enqueue(box, _Item(pdu))

        if rule is not None and rule.before_result:
            send()
            return None

        def reached() -> None:
            self.clock.call_later(due - self.clock.monotonic(), send)

        return reached

    def _route(self, destination: bytes) -> _Mailbox | None:
        """The SIM an address field means, in international or national form."""
        number = tpdu.number_of(destination)
        box = self._boxes.get(number)
        if box is None and destination[1] & 0x70 != 0x10 and len(number.lstrip("0")) >= 8:
            box = next((b for known, b in self._boxes.items() if known.endswith(number.lstrip("0"))), None)
        if len(self._routes) >= ROUTES:
            self._routes.clear()
        self._routes[destination] = box
        return box

    def _enqueue(self, box: _Mailbox, item: _Item) -> None:
        if len(box.items) >= WAITING:
            log.warning("mailbox_full waiting=%d", len(box.items))
            return
        box.items.append(item)
        self._hand_over(box)

    def _hand_over(self, box: _Mailbox) -> None:
        while box.items and box.host is not None and box.unacknowledged is None:
            match box.host.take(box.items[0].pdu):
                case Reception.TAKEN:
                    box.items.popleft().taken()
                case Reception.PENDING:
                    box.unacknowledged = box.items.popleft()
                case Reception.LATER:
                    return

    def _named(self, number: str) -> str:
        return tpdu.national(number, self.faults.national)

    def _stamp(self) -> bytes:
        return tpdu.time_stamp(self.clock.wall() + self.faults.clock_error, self.faults.zone_quarters)

    def _wake(self) -> None:
        total = self.ledger.total
        for wanted, future in self._awaited:
            if wanted <= total and not future.done():
                future.set_result(None)
        self._awaited = [(wanted, future) for wanted, future in self._awaited if not future.done()]


class _Item:
    """A PDU on its way to a SIM."""

    __slots__ = ("_then", "pdu")

    def __init__(self, pdu: bytes, then: Callable[[], None] | None = None) -> None:
        self.pdu = pdu
        self._then = then

    def taken(self) -> None:
        then, self._then = self._then, None
        if then is not None:
            then()


class _Mailbox:
    """What waits for one SIM."""

    def __init__(self) -> None:
        self.items: deque[_Item] = deque()
        self.host: Host | None = None
        self.unacknowledged: _Item | None = None
