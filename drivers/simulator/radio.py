"""Commands about the radio, the network and calls (27.007 §7 and §8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.simulator.commands import Command, Form, Handler, cme, fields, number_in
from drivers.simulator.faults import Cure
from drivers.simulator.general import coded
from drivers.simulator.sim import READY
from drivers.simulator.ussd import ussd

if TYPE_CHECKING:
    from drivers.simulator.modem import Modem

__all__ = ["COMMANDS"]


def _function(modem: Modem, command: Command) -> list[str]:
    match command.form:
        case Form.READ:
            return [f"+CFUN: {modem.radio}"]
        case Form.TEST:
            return ["+CFUN: (0,1,4),(0-1)"]
        case Form.SET | Form.EXECUTE:
            values = fields(command.argument)
            if values[:1] not in (["0"], ["1"], ["4"], ["16"]):
                raise cme(50)
            if values[1:] == ["1"] or values[0] == "16":
                modem.later(0.0, modem.reboot)
                return []
            before, modem.radio = modem.radio, int(values[0])
            if modem.radio == 1:
                if before != 1:
                    modem.cure(Cure.RADIO)
                modem.later(0.0, modem.network.available, modem.sim)
            return []


def _reset(modem: Modem, command: Command) -> list[str]:
    modem.later(0.0, modem.reboot)
    return []


def _registration(modem: Modem, command: Command) -> list[str]:
    level = modem.settings.registration.get(command.name, 0)
    match command.form:
        case Form.READ:
            stat = modem.stat if modem.radio == 1 and modem.sim.state == READY else 0
            where = ',"00C3","0000A1B2",7' if level > 1 and stat in (1, 5) else ""
            return [f"{command.name}: {level},{stat}{where}"]
        case Form.TEST:
            return [f"{command.name}: (0-2)"]
        case Form.SET | Form.EXECUTE:
            value = number_in(command)
            if value > 2:
                raise cme(50)
            modem.settings.registration[command.name] = value
            return []


def _operator(modem: Modem, command: Command) -> list[str]:
    match command.form:
        case Form.READ:
            if modem.stat not in (1, 5):
                return ["+COPS: 0"]
            numeric = modem.settings.operator_format == 2
            return [f'+COPS: 0,{modem.settings.operator_format},"{"23410" if numeric else coded(modem, "Testnet")}",7']
        case Form.TEST:
            return ['+COPS: (2,"Testnet","TEST","23410",7),,(0-4),(0-2)']
        case Form.SET | Form.EXECUTE:
            values = fields(command.argument)
            if values[:1] == ["3"] and len(values) > 1 and values[1] in ("0", "1", "2"):
                modem.settings.operator_format = int(values[1])
            elif values[:1] == ["2"]:
                modem.register(0)
            elif values[:1] in (["0"], ["1"], ["4"]):
                modem.cure(Cure.REREGISTER)
                modem.register(1)
            else:
                raise cme(50)
            return []


def _signal(modem: Modem, command: Command) -> list[str]:
    if command.form is Form.TEST:
        return ["+CSQ: (0-31,99),(0-7,99)"]
    return [f"+CSQ: {modem.signal if modem.radio == 1 else 99},99"]


def _signal_extended(modem: Modem, command: Command) -> list[str]:
    return [f"+CESQ: {99 if modem.signal == 99 else 2 * modem.signal},99,255,255,255,255"]


def _battery(modem: Modem, command: Command) -> list[str]:
    return ["+CBC: 0,100"] if command.form is not Form.TEST else ["+CBC: (0-2),(0-100)"]


def _activity(modem: Modem, command: Command) -> list[str]:
    return [f"+CPAS: {3 if modem.settings.values.get('call') else 0}"]


def _hang_up(modem: Modem, command: Command) -> list[str]:
    modem.settings.values.pop("call", None)
    return []


def _dial(modem: Modem, command: Command) -> list[str]:
    raise cme(3)


COMMANDS: dict[str, Handler] = {
    "+CFUN": _function,
    "^RESET": _reset,
    "+CRESET": _reset,
    "#REBOOT": _reset,
    "+CREG": _registration,
    "+CGREG": _registration,
    "+CEREG": _registration,
    "+COPS": _operator,
    "+CSQ": _signal,
    "+CESQ": _signal_extended,
    "+CBC": _battery,
    "+CPAS": _activity,
    "+CUSD": ussd,
    "H": _hang_up,
    "+CHUP": _hang_up,
    "D": _dial,
    "A": _dial,
    "+CMUX": _dial,
}
