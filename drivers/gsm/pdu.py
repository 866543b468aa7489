"""SMS-SUBMIT, SMS-DELIVER and SMS-STATUS-REPORT (23.040 §9.2.2) behind the service centre's address (27.005 §3.1).

Strict in what is written, lenient in what is read: a time stamp, a header or user data that cannot be read leaves the
rest of the message readable, with a sentence in `notes`. Only a PDU that ends too early, is too long, or is no hex is a
`PduError`.

On python-gsmmodem-new 0.13.0, behind this module: its leaves for septet packing, semi-octets, information elements and
writing time stamps are sound, and the tests check every PDU here against them. But importing one of them imports its
engine and pyserial (12 ms), its packing takes thirty times as long as ours, its encoder ten times. So one
leaf is used, where speed does not matter: the time stamp of an absolute validity, imported when first needed (see
`drivers.gsm.validity`). Its faults are kept as tests in `tests/gsm/test_gsmmodem_defects.py`.
"""

from __future__ import annotations

from datetime import datetime

from drivers.contract import Part, Submission
from drivers.gsm import PduError, address, coding, timestamps, userdata, validity
from drivers.gsm import udh as headers
from drivers.gsm.tpdu import Deliver, Encoded, Report, Submit

__all__ = [
    "LONGEST",
    "Deliver",
    "Encoded",
    "Report",
    "Submit",
    "decode",
    "decode_submit",
    "encode_deliver",
    "encode_report",
    "encode_submit",
]

# Octets of a PDU with its service-centre field that are read at all. 12 + 164 is the standard's most (23.040 §9.2.2);
# modems pad reports to 150 and more, so the bound is well above.
LONGEST = 512


# --- Written ----------------------------------------------------------------------------------------------------------


def encode_submit(submission: Submission, *, smsc: str = "", absolute_until: datetime | None = None) -> Encoded:
    """The PDU of `submission.part`. `smsc`: "" for the number set in the modem. TP-MR is left to the modem.

    Validity: see `validity.encode`. The TP-DCS comes from the part and the class unless the caller gives one, which
    must then say the same alphabet as the part. `PduError` when the standard cannot express the request.
    """
    part = submission.part
    if part is None:
        raise PduError("an SMS-SUBMIT carries one part; the submission has none")
    first = 0x01
    period = validity.encode(submission.validity, absolute_until)
    if period:
        first |= 0x10 if len(period) == 1 else 0x18
    if submission.report:
        first |= 0x20
    if submission.reply_path:
        first |= 0x80
    if submission.reject_duplicates:
        first |= 0x04
    if part.udh:
        first |= 0x40
    return _encoded(
        smsc,
        bytes((first, 0)),
        address.encode(submission.to),
        bytes(
            (
                _octet(submission.protocol_id, "protocol identifier"),
                _dcs(submission.dcs, part, submission.message_class),
            )
        ),
        period,
        userdata.encode(part),
    )


def encode_deliver(
    *,
    sender: str,
    sent_at: datetime | bytes,
    part: Part,
    smsc: str = "",
    sender_type: int | None = None,
    protocol_id: int = 0,
    dcs: int | None = None,
    message_class: int | None = None,
    more_to_send: bool = False,
    reply_path: bool = False,
    report_indication: bool = False,
) -> Encoded:
    """An SMS-DELIVER, the network's side. A `sender` that is no number goes as a name; "" as an address of length 0.

    `sender_type` overrides the type of address; `sent_at` as seven octets goes out as they are.
    """
    first = 0x00 if more_to_send else 0x04  # TP-MMS is 1 when no more messages wait (23.040 §9.2.3.2)
    first |= (0x20 if report_indication else 0) | (0x40 if part.udh else 0) | (0x80 if reply_path else 0)
    return _encoded(
        smsc,
        bytes((first,)),
        _any_address(sender, sender_type),
        bytes((_octet(protocol_id, "protocol identifier"), _dcs(dcs, part, message_class))),
        _stamp(sent_at),
        userdata.encode(part),
    )


def encode_report(
    *,
    tp_mr: int,
    recipient: str,
    submitted_at: datetime | bytes,
    discharged_at: datetime | bytes,
    tp_st: int,
    smsc: str = "",
    recipient_type: int | None = None,
    more_to_send: bool = False,
    for_command: bool = False,
) -> Encoded:
    """An SMS-STATUS-REPORT without its optional fields, the network's side."""
    first = (0x02 if more_to_send else 0x06) | (0x20 if for_command else 0)
    return _encoded(
        smsc,
        bytes((first, _octet(tp_mr, "message reference"))),
        _any_address(recipient, recipient_type),
        _stamp(submitted_at),
        _stamp(discharged_at),
        bytes((_octet(tp_st, "status"),)),
    )


# --- Read -------------------------------------------------------------------------------------------------------------


def decode(pdu: str | bytes) -> Deliver | Submit | Report:
    """What a modem shows: hex digits (`str`) or octets (`bytes`), with the service-centre field in front.

    TP-MTI 0 is a DELIVER, 1 a SUBMIT out of the modem's memory, 2 a STATUS-REPORT; 3 is reserved and a `PduError`.
    """
    octets = _octets(pdu)
    smsc, at = address.decode_smsc(octets)
    if at >= len(octets):
        raise PduError("the PDU ends after the service centre's address")
    match octets[at] & 0x03:
        case 0:
            return _deliver(octets, at, smsc)
        case 1:
            return _submit(octets, at, smsc)
        case 2:
            return _report(octets, at, smsc)
        case _:
            raise PduError("the message type indicator 3 is reserved")


def decode_submit(pdu: str | bytes) -> Submit:
    """An SMS-SUBMIT as the network gets it; `PduError` for any other type."""
    message = decode(pdu)
    if not isinstance(message, Submit):
        raise PduError("the PDU is not an SMS-SUBMIT")
    return message


# --- Below: how -------------------------------------------------------------------------------------------------------


def _encoded(smsc: str, *fields: bytes) -> Encoded:
    tpdu = b"".join(fields)
    return Encoded(pdu=(address.encode_smsc(smsc) + tpdu).hex().upper(), length=len(tpdu))


def _octet(value: int, name: str) -> int:
    if not 0 <= value <= 0xFF:
        raise PduError(f"the {name} is one octet, 0 to 255, not {value}")
    return value


def _dcs(dcs: int | None, part: Part, message_class: int | None) -> int:
    if dcs is None:
        return coding.dcs_for(part.encoding, message_class)
    if coding.read(dcs).encoding is not part.encoding:
        raise PduError(f"the data coding scheme {dcs:#04x} does not say {part.encoding.value}, as the part does")
    return dcs


def _any_address(number: str, kind: int | None) -> bytes:
    if not number:
        return bytes((0, address.UNKNOWN if kind is None else kind))
    try:
        return address.encode(number, type=kind)
    except PduError:
        return address.encode_name(number)


def _stamp(moment: datetime | bytes) -> bytes:
    if isinstance(moment, datetime):
        return timestamps.encode(moment)
    if len(moment) != 7:
        raise PduError("a raw time stamp has seven octets")
    return moment


def _octets(pdu: str | bytes) -> bytes:
    if isinstance(pdu, str):
        if len(pdu) > 2 * LONGEST + 64:  # some room for spaces
            raise PduError(f"the PDU is longer than {LONGEST} octets")
        try:
            pdu = bytes.fromhex(pdu)
        except ValueError:
            raise PduError("the PDU is not a row of hexadecimal octets") from None
    if len(pdu) > LONGEST:
        raise PduError(f"the PDU is longer than {LONGEST} octets")
    return pdu


def _deliver(octets: bytes, start: int, smsc: str) -> Deliver:
    first = octets[start]
    sender, at = address.decode(octets, start + 1)
    if at + 9 > len(octets):
        raise PduError("the SMS-DELIVER ends before its user data")
    notes: list[str] = []
    scts = octets[at + 2 : at + 9]
    sent_at = timestamps.decode(scts)
    if sent_at is None:
        notes.append("the service centre's time stamp is broken")
    content = userdata.Content(octets, at + 9, octets[at + 1], bool(first & 0x40), notes)
    return Deliver(
        smsc=smsc,
        length=content.end - start,
        sender=sender.number,
        sender_type=sender.type,
        alphanumeric=sender.alphanumeric,
        protocol_id=octets[at],
        dcs=octets[at + 1],
        coding=content.coding,
        sent_at=sent_at,
        scts=scts,
        udh=content.udh,
        header=content.header,
        data=content.data,
        text=content.text,
        more_to_send=not first & 0x04,
        loop_prevention=bool(first & 0x08),
        reply_path=bool(first & 0x80),
        report_indication=bool(first & 0x20),
        notes=tuple(notes),
    )


def _submit(octets: bytes, start: int, smsc: str) -> Submit:
    first = octets[start]
    to, at = address.decode(octets, start + 2)
    if at + 2 > len(octets):
        raise PduError("the SMS-SUBMIT ends before its data coding scheme")
    notes: list[str] = []
    period, until, after = validity.decode(octets, at + 2, first >> 3 & 0x03, notes)
    content = userdata.Content(octets, after, octets[at + 1], bool(first & 0x40), notes)
    return Submit(
        smsc=smsc,
        length=content.end - start,
        tp_mr=octets[start + 1],
        to=to.number,
        to_type=to.type,
        alphanumeric=to.alphanumeric,
        protocol_id=octets[at],
        dcs=octets[at + 1],
        coding=content.coding,
        validity=period,
        valid_until=until,
        udh=content.udh,
        header=content.header,
        data=content.data,
        text=content.text,
        report=bool(first & 0x20),
        reply_path=bool(first & 0x80),
        reject_duplicates=bool(first & 0x04),
        notes=tuple(notes),
    )


def _report(octets: bytes, start: int, smsc: str) -> Report:
    first = octets[start]
    recipient, at = address.decode(octets, start + 2)
    end = at + 15
    if end > len(octets):
        raise PduError("the SMS-STATUS-REPORT ends before its status")
    notes: list[str] = []
    scts, discharge = octets[at : at + 7], octets[at + 7 : at + 14]
    submitted_at, discharged_at = timestamps.decode(scts), timestamps.decode(discharge)
    if submitted_at is None:
        notes.append("the service centre's time stamp is broken")
    if discharged_at is None:
        notes.append("the discharge time is broken")
    extra = _Optional(octets, end, bool(first & 0x40), notes)
    content = extra.content
    return Report(
        smsc=smsc,
        length=extra.end - start,
        tp_mr=octets[start + 1],
        recipient=recipient.number,
        recipient_type=recipient.type,
        alphanumeric=recipient.alphanumeric,
        submitted_at=submitted_at,
        scts=scts,
        discharged_at=discharged_at,
        discharge=discharge,
        tp_st=octets[at + 14],
        more_to_send=not first & 0x04,
        loop_prevention=bool(first & 0x08),
        for_command=bool(first & 0x20),
        protocol_id=extra.protocol_id,
        dcs=extra.dcs,
        udh=content.udh if content else b"",
        header=content.header if content else headers.EMPTY,
        data=content.data if content else b"",
        text=content.text if content else None,
        notes=tuple(notes),
    )


class _Optional:
    """TP-PI and what it announces at the end of a report (23.040 §9.2.3.27). Zeros there are a modem's padding."""

    protocol_id: int | None = None
    dcs: int | None = None
    content: userdata.Content | None = None

    def __init__(self, octets: bytes, at: int, has_header: bool, notes: list[str]) -> None:
        self.end = at
        indicator = octets[at] if at < len(octets) else 0
        if not indicator:
            return
        try:
            while octets[at] & 0x80:  # another indicator octet follows
                at += 1
            at += 1
            if indicator & 0x01:
                self.protocol_id, at = octets[at], at + 1
            if indicator & 0x02:
                self.dcs, at = octets[at], at + 1
            if indicator & 0x04:
                self.content = userdata.Content(octets, at, self.dcs or 0, has_header, notes)
                at = self.content.end
            self.end = at
        except (IndexError, PduError):
            self.end = len(octets)
            notes.append("the report ends within its optional fields")
