"""Text mode, as far as a person at a terminal or an old program needs it (27.005 §3). The gateway never uses it."""

from __future__ import annotations

from drivers.contract import Encoding
from drivers.gsm import segments
from drivers.simulator import tpdu
from drivers.simulator.commands import Command, cms, fields, unquoted
from drivers.simulator.sim import Record

__all__ = ["CHOICE", "destination", "shown", "submit", "wanted"]

_STATES = ("REC UNREAD", "REC READ", "STO UNSENT", "STO SENT", "ALL")  # <stat>, §3.1
CHOICE = ",".join(f'"{word}"' for word in _STATES)
_SUBMIT_WITH_VALIDITY = 0x11  # TP-MTI 1, relative validity: what +CSMP=17 means
_ONE_DAY = 0xA7  # 23.040 §9.2.3.12.1


def destination(command: Command) -> str:
    """The number in AT+CMGS="number". A bare number of octets is what PDU mode writes: a wrong parameter here."""
    values = fields(command.argument)
    if not values or not values[0].startswith('"'):
        raise cms(305)
    return unquoted(values[0])


def submit(number: str, typed: str) -> bytes:
    """The PDU a modem makes of a text typed at the prompt. Raises ValueError."""
    parts = segments.split(typed.replace("\r", "\n"), reference=0)
    if len(parts) > 1:
        raise ValueError("longer than one message")
    count, data = tpdu.user_data(parts[0])
    dcs = 0x08 if parts[0].encoding is Encoding.UCS2 else 0x00
    head = bytes((0, _SUBMIT_WITH_VALIDITY, 0)) + tpdu.address(number) + bytes((0, dcs, _ONE_DAY))
    return head + bytes((count,)) + data


def wanted(values: list[str]) -> str:
    """The <stat> of PDU mode for the word in AT+CMGL="ALL"."""
    word = unquoted(values[0]).upper() if values else _STATES[0]
    return str(_STATES.index(word)) if word in _STATES else ""


def shown(record: Record, head: str) -> list[str]:
    """Header and text of a record."""
    pdu, state = record.pdu, _STATES[min(record.stat, 3)]
    try:
        first = pdu[1 + pdu[0]]
        if first & 3 == tpdu.MTI_SUBMIT:
            sent = tpdu.read_submit(pdu)
            text = tpdu.text_of(first=sent.first, dcs=sent.dcs, count=sent.count, data=sent.data)
            return [f'{head}"{state}","{tpdu.number_of(sent.destination)}",', text]
        at = 2 + pdu[0] + (first & 3 == tpdu.MTI_REPORT)
        end = at + 2 + (pdu[at] + 1) // 2
        number = tpdu.number_of(pdu[at:end])
        if first & 3 == tpdu.MTI_REPORT:
            stamps = f'"{tpdu.stamp_text(pdu[end : end + 7])}","{tpdu.stamp_text(pdu[end + 7 : end + 14])}"'
            return [f'{head}"{state}",6,{pdu[at - 1]},"{number}",145,{stamps},{pdu[end + 14]}']
        text = tpdu.text_of(first=first, dcs=pdu[end + 1], count=pdu[end + 9], data=pdu[end + 10 :])
        return [f'{head}"{state}","{number}",,"{tpdu.stamp_text(pdu[end + 2 : end + 9])}"', text]
    except (IndexError, ValueError):  # a broken PDU was injected
        return [f'{head}"{state}","",,""', ""]
