"""The words of the AT dialogue: how a line is told to be a final result, a notification, or somebody else's answer."""

from __future__ import annotations

import re
from enum import Enum

import msgspec

__all__ = [
    "CALLS",
    "OK",
    "Final",
    "Result",
    "belongs",
    "breaks_ussd",
    "final_result",
    "is_foreign",
    "is_nmea",
    "is_notification",
    "is_pdu",
    "survives_quarantine",
    "takes_two_lines",
    "unfinished_ussd",
]


class Result(Enum):
    OK = "OK"
    ERROR = "ERROR"
    CME = "+CME ERROR"
    CMS = "+CMS ERROR"
    CALL = "NO CARRIER"  # and its kin: how a call command can end


class Final(msgspec.Struct, frozen=True):
    """The last line of an answer. `number` is None for a bare ERROR and for words that we do not know."""

    result: Result
    number: int | None = None
    text: str = ""

    @property
    def ok(self) -> bool:
        return self.result is Result.OK


OK = Final(Result.OK, None, "OK")
CALLS = ("ATD", "ATH", "ATA", "ATO")
"""The commands that NO CARRIER and its kin can end."""

# fmt: off
_WORDS = (  # notifications without a prefix
    "RING", "RDY", "SMS Ready", "SMS READY", "SMS DONE", "Call Ready", "PB DONE", "PB READY", "NORMAL POWER DOWN",
    "POWERED DOWN", "UNDER-VOLTAGE", "UNDER_VOLTAGE", "OVER-VOLTAGE", "OVER_VOLTAGE", "Undervoltage!", "VOICE CALL",
    "MISSED_CALL", "DST:",
)
_QUESTIONS = (  # these lines only ever answer a question; when it was not ours, another program has asked it
    "+CGMI:", "+CGMM:", "+CGMR:", "+CGSN:", "+CIMI:", "+CMGF:", "+CMGL:", "+CMGR:", "+CMGW:", "+CNMI:", "+CPMS:",
    "+CSCA:", "+CSCS:", "+CSMS:", "+CMEE:", "+CGDCONT:", "+QENG:", "^SYSINFO:", "^SYSINFOEX:",
)
_NOTIFICATIONS = (  # told apart from stale answers even in quarantine
    "+CMTI:", "+CDSI:", "+CREG:", "+CEREG:", "+CGREG:", "+CIEV:", "+WIND:", "+QIND:", "+CLIP:", "+CRING:", "+CPIN:",
    "+CFUN:", "+CUSD:", "^", *_WORDS,
)
# fmt: on
_FINALS = {
    "OK": OK,
    "ERROR": Final(Result.ERROR, None, "ERROR"),
    "COMMAND NOT SUPPORT": Final(Result.ERROR, None, "COMMAND NOT SUPPORT"),  # Huawei E1752
    "TOO MANY PARAMETERS": Final(Result.ERROR, None, "TOO MANY PARAMETERS"),
    "NO CARRIER": Final(Result.CALL, None, "NO CARRIER"),
    "NO ANSWER": Final(Result.CALL, None, "NO ANSWER"),
    "NO DIALTONE": Final(Result.CALL, None, "NO DIALTONE"),
    "BUSY": Final(Result.CALL, None, "BUSY"),
}
_DIGITS = {  # V.250 §6.3.1 with ATV0; 2 is RING, which ends nothing
    "0": Final(Result.OK, None, "0"),
    "1": Final(Result.CALL, None, "1"),
    "3": Final(Result.CALL, None, "3"),
    "4": Final(Result.ERROR, None, "4"),
    "6": Final(Result.CALL, None, "6"),
    "7": Final(Result.CALL, None, "7"),
    "8": Final(Result.CALL, None, "8"),
}
_CME_WORDS = {  # 27.007 §9.2, what +CMEE=2 says instead of the number
    "sim not inserted": 10,
    "sim pin required": 11,
    "sim puk required": 12,
    "sim failure": 13,
    "sim busy": 14,
    "sim wrong": 15,
    "incorrect password": 16,
    "memory full": 20,
    "no network service": 30,
    "network timeout": 31,
    "unknown": 100,
}
_ERROR_LINE = re.compile(r"\+CM([ES]) ERROR:\s*(.*)", re.IGNORECASE)
_TWO_LINES = ("+CMT:", "+CDS:", "+CBM:")
_NMEA = ("$GP", "$GN", "$GL", "$GA", "$GB")
_PREFIXED = re.compile(r"[+^*#$!%&][A-Za-z0-9]")
_REGISTRATION_ANSWER = re.compile(r"\+C[GE5]?REG:\s*\d\s*,\s*\d{1,2}\s*(?:,|$)")
_USSD = re.compile(r'\+CUSD:\s*\d\s*,\s*"')
_USSD_END = re.compile(r'"\s*(?:,\s*\d*\s*)?$')
_UPPER_PREFIX = re.compile(r"[+^][A-Z][A-Z0-9]+:")
_HEX = re.compile(r"[0-9A-Fa-f]{2,}")


def final_result(line: str, *, verbose: bool) -> Final | None:
    """The whole line is a final result, or it is none. `verbose`: words have been seen, a lone digit means nothing."""
    final = _FINALS.get(line)
    if final is not None:
        return final
    if len(line) == 1:
        return None if verbose else _DIGITS.get(line)
    if line[:3] not in ("+CM", "+cm"):
        return None
    match = _ERROR_LINE.fullmatch(line)
    if match is None:
        return None
    value = match[2].strip().strip('"')
    number = int(value) if value.isascii() and value.isdigit() and len(value) < 6 else None
    if match[1] in "Ee":
        return Final(Result.CME, _CME_WORDS.get(value.lower()) if number is None else number, line)
    return Final(Result.CMS, number, line)


def belongs(line: str, text: str) -> bool:
    """27.007 §7.2: an answer to +CREG? is `n,stat[,...]`, a notification `stat[,...]`; `text` is the command."""
    return not text.endswith("REG?") or _REGISTRATION_ANSWER.match(line) is not None


def is_pdu(line: str) -> bool:
    return _HEX.fullmatch(line) is not None


def is_nmea(line: str) -> bool:
    """A position sentence of a GPS port."""
    return line.startswith(_NMEA)


def is_foreign(line: str) -> bool:
    """An answer that only a question can have caused."""
    return line.startswith(_QUESTIONS)


def is_notification(line: str) -> bool:
    return _PREFIXED.match(line) is not None or line.startswith(_WORDS)


def survives_quarantine(line: str) -> bool:
    """A notification that no command is answered with, or that matters more than whose answer it is."""
    return line.startswith(_NOTIFICATIONS)


def takes_two_lines(line: str) -> bool:
    """+CMT, +CDS and +CBM are followed by a PDU (27.005 §3.4.1)."""
    return line.startswith(_TWO_LINES)


def unfinished_ussd(said: str) -> bool:
    """A +CUSD whose text goes on in the next line: menus have several, and 27.007 §7.15 does not forbid it."""
    opening = _USSD.match(said)
    return opening is not None and _USSD_END.search(said, opening.end()) is None


def breaks_ussd(line: str) -> bool:
    """No line of a menu looks like this."""
    return _UPPER_PREFIX.match(line) is not None
