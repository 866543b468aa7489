"""Commands that send: AT+CMGS, and AT+CMGW with AT+CMSS (27.005 §3.5 and §4.3 to §4.5)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from drivers.simulator import textmode, tpdu
from drivers.simulator.commands import Command, Form, Handler, Prompt, cms, fields
from drivers.simulator.faults import Answer, SendFault, Stage, pick
from drivers.simulator.ledger import Entry
from drivers.simulator.network import Rejected
from drivers.simulator.sim import Record
from drivers.simulator.stores import need_messages, record_at

if TYPE_CHECKING:
    from drivers.simulator.modem import Modem

__all__ = ["COMMANDS"]

_UNSENT, _SENT = 2, 3  # <stat>, 27.005 §3.1
_PDU_OCTETS = 176  # the longest PDU with an SMSC field: 12 + 164


def _send(modem: Modem, command: Command) -> list[str] | Prompt:
    """+CMGS, §3.5.1 and §4.3."""
    if command.form is Form.TEST:
        return []
    need_messages(modem)
    if modem.faults.ussd_blocks and modem.settings.ussd.screen is not None:
        raise cms(302)
    at = modem.clock.monotonic()
    if modem.settings.text_mode:
        return Prompt(partial(_text_given, modem, textmode.destination(command), at))
    if not command.argument.isdigit():
        raise cms(304)
    return Prompt(partial(_pdu_given, modem, int(command.argument), at))


def _pdu_given(modem: Modem, length: int, command_at: float, payload: bytes) -> None:
    pdu = payload.decode("latin-1").strip().upper()
    try:
        raw = bytes.fromhex(pdu)
        submit = tpdu.read_submit(raw)
    except ValueError:
        modem.answer("+CMGS", [], _error(modem, modem.profile.bad_length))
        return
    if len(raw) - 1 - raw[0] != length:
        modem.answer("+CMGS", [], _error(modem, modem.profile.bad_length))
        return
    if not raw[0] and not modem.sim.smsc:
        modem.answer("+CMGS", [], _error(modem, 330))
        return
    _submit(modem, "+CMGS", submit, pdu, command_at)


def _text_given(modem: Modem, number: str, command_at: float, payload: bytes) -> None:
    try:
        raw = textmode.submit(number, payload.decode("latin-1"))
        submit = tpdu.read_submit(raw)
    except ValueError:
        modem.answer("+CMGS", [], _error(modem, 305))
        return
    _submit(modem, "+CMGS", submit, raw.hex().upper(), command_at)


def _submit(
    modem: Modem, name: str, submit: tpdu.Submit, pdu: str, command_at: float, sent: Record | None = None
) -> None:
    """Hand a PDU to the network and answer. `sent`: the stored record it came from."""
    faults = modem.faults
    fault = modem.send_fault(Stage.DATA, tpdu.number_of(submit.destination)) if faults.sends else None
    after = pick(faults.latency.get(name, faults.latency.get("*", 0.0)), modem.random) if faults.latency else 0.0
    if fault is not None:
        after += fault.delay
    if fault is not None and not fault.taken and fault.answer not in (Answer.REFERENCE, Answer.TWICE):
        modem.settle(fault, _verdict(modem, fault), after)
        return
    try:
        if modem.stat not in (1, 5, 6, 7, 9, 10) or modem.radio != 1 or faults.zombie_until is not None:
            raise Rejected(331)
        entry = modem.network.submit(
            modem.sim,
            submit,
            pdu,
            command_at=command_at,
            answer_after=after,
            copies=1 if fault is None else fault.copies,
        )
    except Rejected as rejected:
        modem.answer(name, [], _error(modem, rejected.cms), after=after)
        return
    if entry is None:  # the network is silent
        modem.settle(fault or SendFault(answer=Answer.NONE), "", after)
        return
    if sent is not None:
        sent.stat = _SENT
    if faults.on_air:
        modem.hold(partial(_taken, modem, name, entry, fault, 0.0))
    else:
        _taken(modem, name, entry, fault, after)


def _taken(modem: Modem, name: str, entry: Entry, fault: SendFault | None, after: float) -> None:
    """The answer for what the network has."""
    result = f"{name}: {entry.tp_mr}"
    if modem.settings.service == 1 and modem.profile.cmgs_time_stamp:
        result += f',"{tpdu.stamp_text(tpdu.time_stamp(modem.clock.wall()))}"'
    if fault is None:
        entry.answer = result
        if after > 0:
            modem.later(after, _note_time, modem, entry)
        else:
            entry.answered_at = modem.clock.monotonic()
        modem.answer(name, [result], "OK", after=after)
        return
    lines = [result] if fault.answer in (Answer.REFERENCE, Answer.TWICE) else []
    final = _verdict(modem, fault)
    entry.answer = lines[0] if lines else final
    if final:
        modem.later(after, _note_time, modem, entry)
    modem.settle(fault, final, after, lines=lines)


def _note_time(modem: Modem, entry: Entry) -> None:
    entry.answered_at = modem.clock.monotonic()


def _verdict(modem: Modem, fault: SendFault) -> str:
    """The final result a rule asks for."""
    match fault.answer:
        case Answer.NONE:
            return ""
        case Answer.ERROR:
            return _error(modem, fault.code)
        case Answer.TWICE:
            return "OK\r\n\r\nOK"
        case Answer.OK | Answer.REFERENCE:
            return "OK"


def _error(modem: Modem, code: int) -> str:
    return modem.wording(cms(code))


# --- Storing and sending from the store -------------------------------------------------------------------------------


def _write(modem: Modem, command: Command) -> list[str] | Prompt:
    """+CMGW, §3.5.3 and §4.4."""
    if command.form is Form.TEST:
        return []
    need_messages(modem)
    if modem.settings.text_mode:
        return Prompt(partial(_text_stored, modem, textmode.destination(command)))
    values = fields(command.argument)
    if not values or not all(value.isdigit() for value in values):
        raise cms(304)
    stat = int(values[1]) if len(values) > 1 else _UNSENT
    return Prompt(partial(_pdu_stored, modem, int(values[0]), stat))


def _pdu_stored(modem: Modem, length: int, stat: int, payload: bytes) -> None:
    try:
        raw = bytes.fromhex(payload.decode("latin-1"))
        fits = 0 < len(raw) <= _PDU_OCTETS and tpdu.tpdu_length(raw) == length
    except ValueError:
        fits = False
    if not fits:
        modem.answer("+CMGW", [], _error(modem, modem.profile.bad_length))
        return
    _keep(modem, raw, stat)


def _text_stored(modem: Modem, number: str, payload: bytes) -> None:
    try:
        raw = textmode.submit(number, payload.decode("latin-1"))
    except ValueError:
        modem.answer("+CMGW", [], _error(modem, 305))
        return
    _keep(modem, raw, _UNSENT)


def _keep(modem: Modem, raw: bytes, stat: int) -> None:
    storage = modem.storage(modem.settings.storages[1])
    position = storage.add(Record(stat=stat, pdu=raw, since=modem.clock.monotonic()))
    if position is None:
        modem.answer("+CMGW", [], _error(modem, 322))
    else:
        modem.answer("+CMGW", [f"+CMGW: {position + modem.profile.first_index}"], "OK")


def _send_stored(modem: Modem, command: Command) -> None:
    """+CMSS, §3.5.2."""
    need_messages(modem)
    record = record_at(modem, modem.storage(modem.settings.storages[1]), command.argument.split(",")[0])
    if record is None:
        raise cms(321)
    try:
        submit = tpdu.read_submit(record.pdu)
    except tpdu.TpduError:
        raise cms(304) from None
    _submit(modem, "+CMSS", submit, record.pdu.hex().upper(), modem.clock.monotonic(), record)


COMMANDS: dict[str, Handler] = {
    "+CMGS": _send,
    "+CMGW": _write,
    "+CMSS": _send_stored,
}
