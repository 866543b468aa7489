"""What the PDUs of 23.040 §9.2.2 say, as values. They are read and written by `drivers.gsm.pdu`."""

from __future__ import annotations

from datetime import datetime

import msgspec

from drivers.gsm import udh as headers
from drivers.gsm.coding import Coding

__all__ = ["Deliver", "Encoded", "Report", "Submit"]


class Encoded(msgspec.Struct, frozen=True, kw_only=True):
    """`pdu`: upper-case hex with the service-centre field. `length`: octets without that field, as AT+CMGS wants it."""

    pdu: str
    length: int


class Deliver(msgspec.Struct, frozen=True, kw_only=True):
    """SMS-DELIVER (23.040 §9.2.2.1): a text on its way to us.

    `data`: septets one a byte, UTF-16BE octets, or octets, by `coding.encoding`; without the header. `text`: its
    reading; of 8-bit data a Latin-1 view, None when it is compressed or addressed to a port. Parts of one message are
    joined by `segments.join_text`, from `data`. `sent_at`: None when `scts` is broken. `length`: octets of the TPDU
    without padding.
    """

    smsc: str
    length: int
    sender: str
    sender_type: int
    alphanumeric: bool
    protocol_id: int
    dcs: int
    coding: Coding
    sent_at: datetime | None
    scts: bytes
    udh: bytes
    header: headers.Header
    data: bytes
    text: str | None
    more_to_send: bool
    loop_prevention: bool
    reply_path: bool
    report_indication: bool
    notes: tuple[str, ...] = ()


class Submit(msgspec.Struct, frozen=True, kw_only=True):
    """SMS-SUBMIT (23.040 §9.2.2.2): a text on its way out, as the network or a memory holds it.

    `validity`: seconds of a relative one; `valid_until`: an absolute one, None also when it is broken.
    """

    smsc: str
    length: int
    tp_mr: int
    to: str
    to_type: int
    alphanumeric: bool
    protocol_id: int
    dcs: int
    coding: Coding
    validity: int | None
    valid_until: datetime | None
    udh: bytes
    header: headers.Header
    data: bytes
    text: str | None
    report: bool
    reply_path: bool
    reject_duplicates: bool
    notes: tuple[str, ...] = ()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """SMS-STATUS-REPORT (23.040 §9.2.2.3): what became of a submission.

    `tp_st` is read by `outcome.tp_status`. `for_command`: it answers an SMS-COMMAND, not a text. `submitted_at`,
    `discharged_at`: None when broken; raw in `scts` and `discharge`. The last group is optional in the PDU.
    """

    smsc: str
    length: int
    tp_mr: int
    recipient: str
    recipient_type: int
    alphanumeric: bool
    submitted_at: datetime | None
    scts: bytes
    discharged_at: datetime | None
    discharge: bytes
    tp_st: int
    more_to_send: bool
    loop_prevention: bool
    for_command: bool
    protocol_id: int | None = None
    dcs: int | None = None
    udh: bytes = b""
    header: headers.Header = headers.EMPTY
    data: bytes = b""
    text: str | None = None
    notes: tuple[str, ...] = ()
