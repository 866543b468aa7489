"""Commands about the line, the modem and the SIM card (V.250, 27.007)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from drivers.simulator.commands import Command, Form, Handler, cme, fields, number_in, unquoted
from drivers.simulator.sim import NOT_INSERTED, PIN, PUK

if TYPE_CHECKING:
    from drivers.simulator.modem import Modem

__all__ = ["COMMANDS", "ERROR_WORDS", "by_vendor", "coded", "decoded", "need_sim"]

# 27.007 §9.2, those that are given here
ERROR_WORDS = {
    3: "operation not allowed",
    4: "operation not supported",
    10: "SIM not inserted",
    11: "SIM PIN required",
    12: "SIM PUK required",
    13: "SIM failure",
    14: "SIM busy",
    16: "incorrect password",
    30: "no network service",
    50: "incorrect parameters",
}

_ICCID_FILE, _SMSS_FILE = 12258, 28483  # EF_ICCID (102.221 §13.2), EF_SMSS (31.102 §4.2.9)
_VENDOR_ICCID = frozenset({"+CCID", "+QCCID", "^ICCID", "+CICCID", "#CCID", "!ICCID", "+ICCID", "+ZGETICCID"})


def by_vendor(modem: Modem, name: str) -> Handler | None:
    """The commands whose names differ from vendor to vendor."""
    if name == modem.profile.iccid_command:
        return _iccid
    if name == modem.profile.pin_command:
        return _pin_counters
    return None


def need_sim(modem: Modem) -> None:
    """Raises what a command says that needs an unlocked card."""
    match modem.sim.state:
        case state if state == NOT_INSERTED:
            raise cme(10)
        case state if state == PIN:
            raise cme(11)
        case state if state == PUK:
            raise cme(12)


def coded(modem: Modem, text: str) -> str:
    """A string in the character set of +CSCS."""
    return text.encode("utf-16-be").hex().upper() if modem.settings.charset == "UCS2" else text


def decoded(modem: Modem, field: str) -> str:
    text = unquoted(field)
    if modem.settings.charset != "UCS2":
        return text
    try:
        return bytes.fromhex(text).decode("utf-16-be")
    except ValueError:
        return text


# --- The line ---------------------------------------------------------------------------------------------------------


def _ok(modem: Modem, command: Command) -> list[str]:
    return []


def _echo(modem: Modem, command: Command) -> list[str]:
    modem.settings.echo = bool(number_in(command))
    return []


def _verbose(modem: Modem, command: Command) -> list[str]:
    modem.settings.verbose = bool(number_in(command))
    return []


def _quiet(modem: Modem, command: Command) -> list[str]:
    modem.settings.quiet = bool(number_in(command))
    return []


def _restore(modem: Modem, command: Command) -> list[str]:
    modem.restore()
    return []


def _errors(modem: Modem, command: Command) -> list[str]:
    return _setting(modem, command, "errors", 2)


def _setting(modem: Modem, command: Command, field: str, highest: int) -> list[str]:
    """A command that keeps one number."""
    match command.form:
        case Form.READ:
            return [f"{command.name}: {getattr(modem.settings, field)}"]
        case Form.TEST:
            return [f"{command.name}: (0-{highest})"]
        case Form.SET | Form.EXECUTE:
            value = number_in(command)
            if value > highest:
                raise cme(50)
            setattr(modem.settings, field, value)
            return []


def _remembered(values: str, start: str) -> Handler:
    """A command whose value nobody here acts upon."""

    def handler(modem: Modem, command: Command) -> list[str]:
        match command.form:
            case Form.READ:
                return [f"{command.name}: {modem.settings.values.get(command.name, start)}"]
            case Form.TEST:
                return [f"{command.name}: {values}"]
            case Form.SET | Form.EXECUTE:
                modem.settings.values[command.name] = command.argument
                return []

    return handler


# --- Identity ---------------------------------------------------------------------------------------------------------


def _identity(of: Callable[[Modem], str]) -> Handler:
    def handler(modem: Modem, command: Command) -> list[str]:
        if command.form is Form.TEST:
            return []
        return [f"{command.name}: {of(modem)}" if modem.profile.prefixed_identity else of(modem)]

    return handler


def _everything(modem: Modem, command: Command) -> list[str]:
    profile = modem.profile
    return [f"Manufacturer: {profile.vendor}", f"Model: {profile.model}", f"Revision: {profile.revision}"]


def _iccid(modem: Modem, command: Command) -> list[str]:
    if not modem.sim.inserted:
        raise cme(10)
    prefix = modem.profile.iccid_prefix
    return [f"{prefix}: {modem.sim.iccid}" if prefix else modem.sim.iccid]


def _imsi(modem: Modem, command: Command) -> list[str]:
    need_sim(modem)
    return [modem.sim.imsi] if command.form is not Form.TEST else []


def _own_number(modem: Modem, command: Command) -> list[str]:
    need_sim(modem)
    return [f'+CNUM: "","{coded(modem, modem.sim.number)}",145'] if command.form is not Form.TEST else []


def _card_file(modem: Modem, command: Command) -> list[str]:
    """+CRSM=176 (read binary) of the two files that matter to a gateway."""
    if not modem.sim.inserted:
        raise cme(10)
    values = fields(command.argument)
    if values[:1] != ["176"] or len(values) < 2:
        raise cme(3)
    if values[1] == str(_ICCID_FILE):
        digits = modem.sim.iccid.ljust(20, "F")
        content = "".join(digits[at + 1] + digits[at] for at in range(0, 20, 2))
        return [f'+CRSM: 144,0,"{content}"']
    if values[1] == str(_SMSS_FILE):
        need_sim(modem)
        return [f'+CRSM: 144,0,"{modem.sim.last_reference:02X}{"FE" if modem.sim.records.full else "FF"}"']
    return ["+CRSM: 106,130"]  # file not found


# --- PIN --------------------------------------------------------------------------------------------------------------


def _pin(modem: Modem, command: Command) -> list[str]:
    sim = modem.sim
    match command.form:
        case Form.READ:
            if not sim.inserted:
                raise cme(10)
            return [f"+CPIN: {sim.state}"]
        case Form.TEST:
            return []
        case Form.SET | Form.EXECUTE:
            values = [unquoted(field) for field in fields(command.argument)]
            if sim.state == PIN and len(values) == 1:
                right = sim.enter(values[0])
            elif sim.state == PUK and len(values) == 2:
                right = sim.unblock(*values)
            else:
                raise cme(3)
            if not right:
                raise cme(12 if sim.state == PUK and len(values) == 1 else 16)
            modem.later(0.0, modem.announce, "+CPIN: READY")
            modem.sim_ready(modem.profile.sms_ready_seconds)
            return []


def _pin_counters(modem: Modem, command: Command) -> list[str]:
    if not modem.sim.inserted:
        raise cme(10)
    return [modem.profile.pin_answer.format(pin=modem.sim.pin_tries, puk=modem.sim.puk_tries)]


def _lock(modem: Modem, command: Command) -> list[str]:
    """+CLCK="SC",mode[,pin]: is the PIN asked for at power-on?"""
    need_sim(modem)
    sim = modem.sim
    values = [unquoted(field) for field in fields(command.argument)]
    if command.form is Form.TEST:
        return ['+CLCK: ("SC")']
    if values[:1] != ["SC"] or len(values) < 2:
        raise cme(3)
    if values[1] == "2":
        return [f"+CLCK: {0 if sim.pin is None else 1}"]
    if len(values) < 3 or (sim.pin is not None and not sim.enter(values[2])):
        raise cme(16)
    sim.pin = values[2] if values[1] == "1" else None
    return []


def _charset(modem: Modem, command: Command) -> list[str]:
    match command.form:
        case Form.READ:
            return [f'+CSCS: "{modem.settings.charset}"']
        case Form.TEST:
            return ['+CSCS: ("GSM","IRA","UCS2")']
        case Form.SET | Form.EXECUTE:
            name = unquoted(command.argument).upper()
            if name in (coded := {word.encode("utf-16-be").hex().upper(): word for word in ("GSM", "IRA", "UCS2")}):
                name = coded[name]
            if name not in ("GSM", "IRA", "UCS2"):
                raise cme(50)
            modem.settings.charset = name
            return []


COMMANDS: dict[str, Handler] = {
    "": _ok,
    "E": _echo,
    "V": _verbose,
    "Q": _quiet,
    "Z": _restore,
    "&F": _restore,
    "&W": _ok,
    "&C": _ok,
    "&D": _ok,
    "&K": _ok,
    "X": _ok,
    "L": _ok,
    "M": _ok,
    "S0": _ok,
    "S3": _ok,
    "S4": _ok,
    "S7": _ok,
    "I": _everything,
    "+CMEE": _errors,
    "+CGMI": _identity(lambda modem: modem.profile.vendor),
    "+GMI": _identity(lambda modem: modem.profile.vendor),
    "+CGMM": _identity(lambda modem: modem.profile.model),
    "+GMM": _identity(lambda modem: modem.profile.model),
    "+CGMR": _identity(lambda modem: modem.profile.revision),
    "+GMR": _identity(lambda modem: modem.profile.revision),
    "+CGSN": _identity(lambda modem: modem.imei),
    "+GSN": _identity(lambda modem: modem.imei),
    "+GCAP": _identity(lambda modem: "+GCAP: +CGSM,+DS,+ES"),
    "+CIMI": _imsi,
    "+CNUM": _own_number,
    "+CRSM": _card_file,
    "+CPIN": _pin,
    "+CLCK": _lock,
    "+CSCS": _charset,
    "+CLIP": _remembered("(0-1)", "0"),
    "+CRC": _remembered("(0-1)", "0"),
    "+CCLK": _remembered("", '"26/03/14,09:30:15+04"'),
    "+CGATT": _remembered("(0-1)", "1"),
    "^CURC": _remembered("(0-1)", "1"),
    "+ZOPRT": _remembered("(5)", "5"),
    "+ZCDRUN": _remembered("(8,9)", "8"),
    "^PORTSEL": _remembered("(0,1)", "1"),
    "^U2DIAG": _remembered("(0-256)", "0"),
    "+CLTS": _remembered("(0-1)", "0"),
    "+CNSMOD": _remembered("(0-1)", "0"),
    "+QURCCFG": _remembered("", '"urcport","usbat"'),
    "#QSS": _remembered("(0-2)", "0"),
    "+GSMBUSY": _remembered("(0-1)", "0"),
}
