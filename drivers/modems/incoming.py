"""A PDU from a modem becomes an event of the contract. Pure: whatever the bytes, there is an event and no exception."""

from __future__ import annotations

from hashlib import sha256

from drivers.contract import Encoding, Incoming, IncomingKind, Indication, StatusReport
from drivers.gsm import PduError
from drivers.gsm.coding import Waiting
from drivers.gsm.pdu import Deliver, Report, decode

__all__ = ["WAP_PUSH_PORT", "fingerprint", "incoming_event"]

WAP_PUSH_PORT = 2948  # and 2949 for its secure twin
_MESSAGE_WAITING = 0x01  # information element, 23.040 §9.2.3.24.2


def fingerprint(sim: str, pdu: str) -> str:
    """The same for every copy of a message on this SIM, read or unread."""
    return sha256(f"{sim}\n{pdu}".encode("ascii", "replace")).hexdigest()


def incoming_event(
    pdu: str,
    *,
    sim: str,
    session: str = "",
    slot: str | None = None,
    twins: tuple[str, ...] = (),
    stat: int = -1,
    waited: float | None = None,
) -> Incoming | StatusReport | None:
    """The event for a PDU; None for a stored SUBMIT, which is not ours to publish. `waited`: seconds since the modem
    announced it."""
    mark = fingerprint(sim, pdu)
    try:
        decoded = decode(pdu)
    except PduError as error:
        if stat in (2, 3):  # stored unsent or sent: our own or the user's, whatever is in it
            return None
        return Incoming(
            sim=sim,
            pdu=pdu,
            fingerprint=mark,
            slot=slot,
            twins=twins,
            session=session,
            kind=IncomingKind.UNDECODABLE,
            note=str(error),
            waited=waited,
        )
    if isinstance(decoded, Report):
        return StatusReport(
            sim=sim,
            pdu=pdu,
            fingerprint=mark,
            tp_mr=decoded.tp_mr,
            recipient=decoded.recipient,
            tp_st=decoded.tp_st,
            submitted_at=decoded.submitted_at,
            discharged_at=decoded.discharged_at,
        )
    if not isinstance(decoded, Deliver):
        return None
    encoding = decoded.coding.encoding
    raw_kept = encoding is Encoding.BINARY or decoded.header.reference is not None  # parts are joined from their octets
    return Incoming(
        sim=sim,
        pdu=pdu,
        fingerprint=mark,
        slot=slot,
        twins=twins,
        session=session,
        kind=_kind(decoded),
        sender=decoded.sender,
        sender_type=decoded.sender_type,
        text=decoded.text,
        data=decoded.data if raw_kept else b"",
        encoding=encoding,
        message_class=decoded.coding.message_class,
        protocol_id=decoded.protocol_id,
        dcs=decoded.dcs,
        reference=decoded.header.reference,
        ports=decoded.header.ports,
        replace_type=decoded.protocol_id - 0x40 if 0x41 <= decoded.protocol_id <= 0x47 else None,
        service_centre=decoded.smsc,
        sent_at=decoded.sent_at,
        note="; ".join(decoded.notes),
        indications=_indications(decoded),
        waited=waited,
    )


def _kind(message: Deliver) -> IncomingKind:
    """What it is, by 23.040 §9.2.3.9 (TP-PID) and 23.038 §4 (TP-DCS)."""
    coding, ports = message.coding, message.header.ports
    if message.protocol_id == 0x40:
        return IncomingKind.SILENT
    if message.protocol_id in (0x7C, 0x7D, 0x7F):
        return IncomingKind.SIM_DATA
    if coding.discard or (not message.data and (coding.waiting is not None or message.header.has(_MESSAGE_WAITING))):
        return IncomingKind.MWI
    if ports is not None:
        return IncomingKind.WAP_PUSH if _is_push(message) else IncomingKind.BINARY
    return IncomingKind.BINARY if coding.encoding is Encoding.BINARY else IncomingKind.TEXT


def _indications(message: Deliver) -> tuple[Indication, ...]:
    """What waits elsewhere. The header knows the numbers, the coding only that there is something."""
    told = tuple(
        Indication(waiting=_waiting(element.data[0]), active=element.data[1] > 0, count=element.data[1])
        for element in message.header.elements
        if element.id == _MESSAGE_WAITING and len(element.data) == 2
    )
    coding = message.coding
    if told or coding.waiting is None:
        return told
    return (Indication(waiting=coding.waiting.value, active=coding.waiting_on),)


def _waiting(octet: int) -> str:
    """23.040 §9.2.3.24.2: bits 0 and 1, and bits 2 to 4 where those say "other"."""
    kind = tuple(Waiting)[octet & 0x03]
    return "video" if kind is Waiting.OTHER and octet >> 2 & 0x07 == 1 else kind.value


def _is_push(message: Deliver) -> bool:
    """WAP-230 §8.2.1: a transaction octet, then PDU type 06. Only the first part shows it; others go by the port."""
    ports, reference = message.header.ports, message.header.reference
    if ports is None or ports.destination not in (WAP_PUSH_PORT, WAP_PUSH_PORT + 1):
        return False
    if reference is not None:
        return True
    data = message.data
    headers = data[2] if len(data) > 3 and data[1] == 0x06 else 0  # their length; from 0x80 on it has more octets
    return headers >= 0x80 or 1 < headers <= len(data) - 3
