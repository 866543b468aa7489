"""What a modem does with a PDU from the network: announce, store, hand over, or refuse (27.005 §3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.simulator import tpdu
from drivers.simulator.network import Reception
from drivers.simulator.sim import Record

if TYPE_CHECKING:
    from drivers.simulator.modem import Modem

__all__ = ["ACKNOWLEDGE_WITHIN", "acknowledge", "take"]

ACKNOWLEDGE_WITHIN = 15.0  # seconds the network waits for +CNMA (TR2M of 24.011 is 12 to 20)
_SILENT = 0x40  # TP-PID of a type 0 short message: acknowledged, then discarded (23.040 §9.2.3.9)


def take(modem: Modem, pdu: bytes) -> Reception:
    if not modem.receptive:
        return Reception.LATER
    try:
        at = 1 + pdu[0]
        is_report = pdu[at] & 3 == tpdu.MTI_REPORT
        sender_octets = (pdu[at + 1] + 1) // 2
        protocol_id, dcs = (0, 0) if is_report else (pdu[at + 3 + sender_octets], pdu[at + 4 + sender_octets])
    except IndexError:  # a broken PDU was injected: it is stored like any other
        is_report, protocol_id, dcs = False, 0, 0
    if is_report:
        return _report(modem, pdu)
    if protocol_id == _SILENT:
        return Reception.TAKEN
    return _text(modem, pdu, tpdu.message_class(dcs))


def acknowledge(modem: Modem, *, well: bool) -> bool:
    """+CNMA. False when nothing waits for it."""
    if modem.pending is None:
        return False
    modem.pending.cancel()
    modem.pending = None
    modem.later(0.0, _tell, modem, well)
    return True


def _text(modem: Modem, pdu: bytes, message_class: int | None) -> Reception:
    mode, mt = modem.settings.indications[:2]
    directly = mode != 0 and message_class != 2 and (mt == 2 or (mt == 3 and message_class == 3))
    if message_class == 0 and mode != 0 and mt != 0:  # flash is shown, not stored
        directly = True
    if directly:
        return _hand_over(modem, f"+CMT: ,{tpdu.tpdu_length(pdu)}", pdu)
    name = "SM" if message_class == 2 else modem.settings.storages[2]
    return _store(modem, name, pdu, "+CMTI" if mode != 0 and mt != 0 else "")


def _report(modem: Modem, pdu: bytes) -> Reception:
    mode, _, _, ds = modem.settings.indications[:4]
    if mode == 0 or ds == 0:
        return Reception.TAKEN  # the modem acknowledges, nobody hears of it
    if ds == 1:
        header = modem.profile.cds_header.format(length=tpdu.tpdu_length(pdu))
        return _hand_over(modem, header, pdu)
    name = "SR" if "SR" in modem.profile.storages else modem.settings.storages[2]
    return _store(modem, name, pdu, "+CDSI")


def _hand_over(modem: Modem, header: str, pdu: bytes) -> Reception:
    """+CMT or +CDS; in phase 2+ the host has to acknowledge (27.005 §3.4.4)."""
    if modem.settings.service == 1:
        if modem.pending is not None:
            return Reception.LATER
        modem.announce(f"{header}\r\n{pdu.hex().upper()}")
        modem.pending = modem.clock.call_later(ACKNOWLEDGE_WITHIN, _unacknowledged, modem)
        return Reception.PENDING
    modem.announce(f"{header}\r\n{pdu.hex().upper()}")
    return Reception.TAKEN


def _unacknowledged(modem: Modem) -> None:
    modem.pending = None
    if modem.faults.stops_routing:
        modem.settings.indications[1] = modem.settings.indications[3] = 0
    modem.network.acknowledged(modem.sim, well=False)


def _tell(modem: Modem, well: bool) -> None:
    modem.network.acknowledged(modem.sim, well=well)


def _store(modem: Modem, name: str, pdu: bytes, announcement: str) -> Reception:
    storage, faults, profile = modem.storage(name), modem.faults, modem.profile
    position = storage.add(Record(stat=0, pdu=pdu, since=modem.clock.monotonic()))
    if position is None:
        if profile.full and not modem.told_full:
            modem.announce(profile.full)
            if profile.full_index is not None:
                modem.announce(f'+CMTI: "{name}",{profile.full_index}')
        modem.told_full = True
        return Reception.LATER
    if announcement and faults.announce:
        shown = faults.announce_storage or (profile.cdsi_storage if announcement == "+CDSI" else "") or name
        modem.announce(f'{announcement}: "{shown}",{position + profile.first_index}')
    return Reception.TAKEN
