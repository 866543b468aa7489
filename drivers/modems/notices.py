"""What a notification is about. Pure: a line and the profile in, one of a few words out."""

from __future__ import annotations

from enum import Enum

from drivers.modems.profile import GENERAL_NOISE, Profile

__all__ = ["Notification", "about"]


class Notification(Enum):
    STORED = "a text or a report was put into the storage: +CMTI, +CDSI"
    DIRECT_TEXT = "a text came directly: +CMT"
    DIRECT_REPORT = "a report came directly: +CDS"
    REGISTRATION = "registered with the network, or not any more"
    RESTARTED = "the modem restarted: whatever was set is gone"
    OFF = "the modem switches itself off, or is restarting"
    DOUBTFUL = "it may have restarted, or only says that it is ready"
    SIM_GONE = "the SIM was taken out"
    FULL = "the storage is full"
    USSD = "the network says something by USSD"
    CALL = "somebody calls"
    CALL_OVER = "the caller has hung up"
    NOISE = "nothing that concerns texts"
    UNKNOWN = "not known here"


_TABLE: tuple[tuple[tuple[str, ...], Notification], ...] = (
    (("+CMTI:", "+CDSI:"), Notification.STORED),
    (("+CMT:",), Notification.DIRECT_TEXT),
    (("+CDS:",), Notification.DIRECT_REPORT),
    (("+CREG:", "+CEREG:"), Notification.REGISTRATION),
    (("NORMAL POWER DOWN", "POWERED DOWN", "UNDER-VOLTAGE POWER DOWN"), Notification.OFF),
    (("RDY", "^SYSSTART"), Notification.RESTARTED),
    (("+CPIN: NOT", "+SIMCARD: NOT AVAILABLE"), Notification.SIM_GONE),
    (("^SMMEMFULL", "^SMGO: 1", "^SMGO:1", '+CIEV: "smsfull",1', '+QIND: "smsfull"', "+CIEV: 8,1"), Notification.FULL),
    (("+CUSD:",), Notification.USSD),
    (("RING", "+CRING:", "+CLIP:"), Notification.CALL),
    (("NO CARRIER", "MISSED_CALL"), Notification.CALL_OVER),
    # ^BOOT comes every 20 s on Huawei E1xx, and once after a restart: ask whether our settings are still there.
    (("+CFUN: 1", "+CPIN: READY", "+CPIN:READY", "SMS Ready", "SMS READY", "SMS DONE", "^BOOT"), Notification.DOUBTFUL),
)


def about(line: str, profile: Profile) -> Notification:
    """The first row that fits; the profile's own words before the general noise."""
    for starts, meaning in _TABLE:
        if line.startswith(starts):
            return meaning
    if profile.resets and line.startswith(profile.resets):
        return Notification.RESTARTED
    if profile.ready and line.startswith(profile.ready):
        return Notification.DOUBTFUL
    return Notification.NOISE if line.startswith(GENERAL_NOISE + profile.noise) else Notification.UNKNOWN
