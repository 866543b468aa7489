"""Commands that read messages and say where they go (27.005 §3); what differs in text mode is in `textmode`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.simulator import inbound, textmode, tpdu
from drivers.simulator.commands import AtError, Command, Form, Handler, cms, fields, unquoted
from drivers.simulator.general import coded, decoded
from drivers.simulator.sim import READY, Record
from drivers.simulator.stores import need_messages, position_of, record_at

if TYPE_CHECKING:
    from drivers.simulator.modem import Modem

__all__ = ["COMMANDS"]


# --- Reading and deleting ---------------------------------------------------------------------------------------------


def _list(modem: Modem, command: Command) -> list[str]:
    """+CMGL, §3.4.2 and §4.1."""
    if command.form is Form.TEST:
        return [f"+CMGL: ({textmode.CHOICE if modem.settings.text_mode else '0-4'})"]
    need_messages(modem)
    values = fields(command.argument)
    wanted = textmode.wanted(values) if modem.settings.text_mode else (values[0] if values else "0")
    if wanted not in ("0", "1", "2", "3", "4"):
        raise cms(302)
    keep_state = values[1:2] == ["1"]  # SIMCom: do not mark as read
    lines = []
    storage = modem.storage(modem.settings.storages[0])
    for position in sorted(storage.slots):
        record = storage.slots[position]
        if wanted in ("4", str(record.stat)) and _readable(modem, record):
            lines += _shown(modem, record, f"+CMGL: {position + modem.profile.first_index},")
            if record.stat == 0 and not keep_state:
                record.stat = 1
    return lines


def _read(modem: Modem, command: Command) -> list[str]:
    """+CMGR, §3.4.3 and §4.2. An empty slot gives OK and nothing else, as 27.005 says."""
    if command.form is Form.TEST:
        return []
    need_messages(modem)
    record = record_at(modem, modem.storage(modem.settings.storages[0]), command.argument.split(",")[0])
    if record is None or not _readable(modem, record):
        return []
    lines = _shown(modem, record, "+CMGR: ")
    if record.stat == 0:
        record.stat = 1
    return lines


def _delete(modem: Modem, command: Command) -> list[str]:
    """+CMGD, §3.5.4."""
    storage, first = modem.storage(modem.settings.storages[0]), modem.profile.first_index
    if command.form is Form.TEST:
        used = ",".join(str(position + first) for position in sorted(storage.slots))
        return [f"+CMGD: ({used}),(0-4)"]
    need_messages(modem)
    if modem.deletes_to_fail > 0:
        modem.deletes_to_fail -= 1
        raise cms(320)
    values = fields(command.argument)
    flag = values[1] if len(values) > 1 else "0"
    if flag == "0":
        position_of(modem, storage, values[0] if values else "")
        storage.slots.pop(int(values[0]) - first, None)
    elif flag in ("1", "2", "3", "4"):
        gone = {"1": (1,), "2": (1, 3), "3": (1, 2, 3), "4": (0, 1, 2, 3)}[flag]
        storage.slots = {at: record for at, record in storage.slots.items() if record.stat not in gone}
    else:
        raise cms(302)
    modem.told_full = False
    modem.later(0.0, modem.network.available, modem.sim)
    return []


def _shown(modem: Modem, record: Record, head: str) -> list[str]:
    if modem.settings.text_mode:
        return textmode.shown(record, head)
    return [f"{head}{record.stat},,{tpdu.tpdu_length(record.pdu)}", record.pdu.hex().upper()]


def _readable(modem: Modem, record: Record) -> bool:
    wait = modem.faults.readable_after
    return not wait or modem.clock.monotonic() >= record.since + wait


# --- Where messages go ------------------------------------------------------------------------------------------------


def _storages(modem: Modem, command: Command) -> list[str]:
    """+CPMS, §3.2.2."""
    names = modem.profile.storages
    if command.form is Form.TEST:
        choice = "(" + ",".join(f'"{name}"' for name in names) + ")"
        stored = "(" + ",".join(f'"{name}"' for name in names if name != "SR") + ")"
        return [f"+CPMS: {choice},{stored},{stored}"]
    need_messages(modem)
    chosen = modem.settings.storages
    if command.form is Form.READ:
        states = (f'"{name}",{len(modem.storage(name).slots)},{modem.storage(name).size}' for name in chosen)
        return ["+CPMS: " + ",".join(states)]
    values = [decoded(modem, field) for field in fields(command.argument)]
    if not 1 <= len(values) <= 3 or any(value not in names for value in values) or "SR" in values[1:]:
        raise cms(302)
    chosen[: len(values)] = values
    if modem.profile.cpms_answers_ok_only:
        return []
    states = (f"{len(modem.storage(name).slots)},{modem.storage(name).size}" for name in chosen)
    return ["+CPMS: " + ",".join(states)]


def _indications(modem: Modem, command: Command) -> list[str]:
    """+CNMI, §3.4.1."""
    profile, now = modem.profile, modem.settings.indications
    allowed = (profile.cnmi_modes, profile.cnmi_mt, (0, 2), profile.cnmi_ds, profile.cnmi_bfr)
    match command.form:
        case Form.READ:
            return ["+CNMI: " + ",".join(map(str, now))]
        case Form.TEST:
            return ["+CNMI: " + ",".join("(" + ",".join(map(str, values)) + ")" for values in allowed)]
        case Form.SET | Form.EXECUTE:
            given = fields(command.argument)
            if not 1 <= len(given) <= 5 or not all(value.isdigit() for value in given if value):
                raise cms(302)
            wanted = [int(value) if value else now[at] for at, value in enumerate(given)]
            if any(value not in allowed[at] for at, value in enumerate(wanted)):
                raise cms(303)
            if len(wanted) > 3 and wanted[3] in profile.cnmi_ds_refused:
                raise cms(303)
            now[: len(wanted)] = wanted
            return []


def _service(modem: Modem, command: Command) -> list[str]:
    """+CSMS, §3.2.1. Service 1 brings the duty to acknowledge."""
    match command.form:
        case Form.READ:
            return [f"+CSMS: {modem.settings.service},1,1,1"]
        case Form.TEST:
            return [f"+CSMS: ({','.join(map(str, modem.profile.services))})"]
        case Form.SET | Form.EXECUTE:
            if not command.argument.isdigit() or int(command.argument) not in modem.profile.services:
                raise cms(303)
            modem.settings.service = int(command.argument)
            return ["+CSMS: 1,1,1"]


def _acknowledge(modem: Modem, command: Command) -> list[str]:
    """+CNMA, §3.4.4 and §4.6: 0 and 1 are yes, 2 is no."""
    if command.form is Form.TEST:
        return ["+CNMA: (0-2)"]
    if command.argument.split(",")[0] not in ("", "0", "1", "2"):
        raise cms(302)
    if not inbound.acknowledge(modem, well=command.argument[:1] != "2"):
        raise cms(340)
    return []


def _format(modem: Modem, command: Command) -> list[str]:
    """+CMGF, §3.2.3."""
    match command.form:
        case Form.READ:
            return [f"+CMGF: {int(modem.settings.text_mode)}"]
        case Form.TEST:
            return ["+CMGF: (0,1)"]
        case Form.SET | Form.EXECUTE:
            if modem.sim.state == READY:
                need_messages(modem)
            if command.argument not in ("", "0", "1"):
                raise cms(302)
            modem.settings.text_mode = command.argument == "1"
            return []


def _centre(modem: Modem, command: Command) -> list[str]:
    """+CSCA, §3.3.1."""
    need_messages(modem)
    sim = modem.sim
    match command.form:
        case Form.READ:
            return [f'+CSCA: "{coded(modem, sim.smsc)}",{145 if sim.smsc.startswith("+") else 129}']
        case Form.TEST:
            return []
        case Form.SET | Form.EXECUTE:
            values = fields(command.argument)
            if not values:
                raise cms(304)
            number = decoded(modem, values[0])
            international = values[1:2] == ["145"] and number and not number.startswith("+")
            sim.smsc = "+" + number if international else number
            return []


def _kept(choice: str, start: str) -> Handler:
    """A setting of the message service that changes nothing here."""

    def handler(modem: Modem, command: Command) -> list[str]:
        match command.form:
            case Form.READ:
                return [f"{command.name}: {modem.settings.values.get(command.name, start)}"]
            case Form.TEST:
                return [f"{command.name}: {choice}"]
            case Form.SET | Form.EXECUTE:
                modem.settings.values[command.name] = unquoted(command.argument)
                return []

    return handler


def _refuse(modem: Modem, command: Command) -> list[str]:
    raise AtError


COMMANDS: dict[str, Handler] = {
    "+CMGL": _list,
    "+CMGR": _read,
    "+CMGD": _delete,
    "+CPMS": _storages,
    "+CNMI": _indications,
    "+CSMS": _service,
    "+CNMA": _acknowledge,
    "+CMGF": _format,
    "+CSCA": _centre,
    "+CMMS": _kept("(0-2)", "0"),
    "+CGSMS": _kept("(0-3)", "1"),
    "+CSMP": _kept("", "17,167,0,0"),
    "+CSDH": _kept("(0,1)", "0"),
    "+CSCB": _kept("(0,1)", '0,"",""'),
    "+CMGC": _refuse,
}
