"""What +CMS ERROR and +CME ERROR numbers mean, as tables: the network's, the modem's, and each vendor's own.

A row says the cause when the number is a definite no, and from how many seconds after Ctrl-Z on it is none: `ALWAYS`,
`LATE`, `NEVER`. Numbers 1-127 are RP causes (24.011 §8.2.5.4), 128-255 TP-FCS (23.040 §9.2.3.22), 300-500 the modem's
(27.005 §3.2.5), those above the vendors', who contradict one another: the same number is looked up by vendor, never
guessed.
"""

from __future__ import annotations

import msgspec

from drivers.contract import Cause

__all__ = ["ALWAYS", "CME", "CMS", "LATE", "NEVER", "VENDOR", "VENDOR_NAMES", "Row"]


class Row(msgspec.Struct, frozen=True):
    """`cause` of a definite no; `doubt_from`: seconds after the data from which it is none (`NEVER`: it always is)."""

    meaning: str
    cause: Cause
    doubt_from: float = float("inf")


NEVER = float("inf")
ALWAYS = 0.0
LATE = 3.0  # a local refusal comes at once; what comes later may be a protocol timer that ran out after the send
TIMER = 1.0  # Siemens and Wavecom 512/513: within a second a refusal, at 28 or 42 s a timer

_DEST, _SIM, _NET, _MODEM = Cause.DEST, Cause.SIM, Cause.NET, Cause.MODEM
_BUSY, _MEM, _BUG = Cause.BUSY, Cause.MEM, Cause.BUG

# --- The network's and the modem's, the same for all ----------------------------------------------------------------

CMS: dict[int, Row] = {
    # RP causes. Not marked here: only the network can say them, and says them for a message it did not take.
    1: Row("the number is not assigned", _DEST),
    8: Row("the operator bars this SIM; ask the operator", _SIM),
    10: Row("texts are barred for this SIM; remove the barring or ask the operator", _SIM),
    17: Row("network failure", _NET),
    21: Row(
        "the network rejected the text; if other numbers fail too, check credit and spam limits of this SIM", _DEST
    ),
    22: Row("no memory left on the other side", _NET),
    27: Row("the destination is out of order", _DEST),
    28: Row("the network does not know this SIM; check that it is activated", _SIM),
    29: Row("the network refuses this service to this SIM; check its plan", _SIM),
    30: Row("the network does not know the subscriber; check that the SIM is activated and the number right", _SIM),
    38: Row("network out of order", _NET, ALWAYS),
    41: Row("temporary failure", _NET, ALWAYS),
    42: Row("the network is congested; send more slowly", _NET),
    47: Row("no resources in the network", _NET),
    50: Row("texts are not part of this SIM's plan, or its service centre is wrong", _SIM),
    69: Row("the network has no such service for this SIM; check plan and service centre", _SIM),
    81: Row("invalid transfer reference", _MODEM),
    95: Row("semantically incorrect message; check PDU and service centre", _BUG),
    96: Row("invalid mandatory information; check PDU and service centre", _BUG),
    97: Row("message type not known to the network", _BUG),
    98: Row("message does not fit the protocol's state", _BUG),
    99: Row("information element not known to the network", _BUG),
    111: Row("protocol error", _NET),
    127: Row("interworking error", _NET, ALWAYS),
    # TP-FCS: the service centre answered and refused.
    128: Row("telematic interworking not supported; check the protocol identifier", _BUG),
    129: Row("type 0 messages not supported", _BUG),
    130: Row("cannot replace that message", _BUG),
    143: Row("protocol identifier refused", _BUG),
    144: Row("alphabet not supported by the service centre", _BUG),
    145: Row("message class not supported", _BUG),
    159: Row("data coding scheme refused", _BUG),
    160: Row("command cannot be done", _BUG),
    161: Row("command not supported", _BUG),
    175: Row("command refused", _BUG),
    176: Row("PDU type not supported", _BUG),
    192: Row("the service centre is busy", _NET),
    193: Row("this SIM has no subscription at the service centre; check the centre's number", _SIM),
    194: Row("the service centre has failed", _NET),
    195: Row("the service centre calls the number invalid", _DEST),
    196: Row("the destination is barred", _DEST),
    197: Row("the service centre has this text already", _DEST),
    198: Row("validity format not supported; send without a validity", _BUG),
    199: Row("validity value not supported; send without a validity", _BUG),
    208: Row("the SIM's memory for texts is full", _MEM),
    209: Row("the SIM has no memory for texts", _MEM),
    210: Row("error in the modem", _MODEM),
    211: Row("memory exceeded", _MEM),
    212: Row("the SIM toolkit is busy", _BUSY),
    213: Row("error while data was loaded to the SIM", _MODEM),
    255: Row("unspecified failure", _NET),
    # The modem's own.
    300: Row("modem failure", _MODEM, LATE),
    301: Row("the modem's text service is in use by another program", _BUSY),
    302: Row("the operation is not allowed; check fixed dialling (FDN) and barring of this SIM", _SIM),
    303: Row("the modem does not support the operation", _BUG),
    304: Row("the modem calls the PDU invalid; check its length and that a service centre is set", _BUG),
    305: Row("the modem was in text mode: it has restarted", _MODEM),
    310: Row("there is no SIM; check its seat and contacts", _SIM),
    311: Row("the SIM wants its PIN; put the PIN into the configuration or switch it off", _SIM),
    312: Row("the modem is locked to another SIM; unlock it or change the SIM", _SIM),
    313: Row("SIM failure", _MODEM),
    314: Row("the SIM is busy", _BUSY),
    315: Row("wrong SIM; put in the one this modem accepts", _SIM),
    316: Row("the SIM is blocked and wants its PUK; unblock it by hand", _SIM),
    317: Row("the SIM wants PIN2; the destination is not on its fixed dialling list", _SIM),
    318: Row("the SIM wants its PUK2; unblock it by hand", _SIM),
    320: Row("memory failure", _MODEM),
    321: Row("no such place in the memory", _MODEM),
    322: Row("the memory for texts is full", _MEM),
    330: Row("no service centre is set; put its number into the configuration or on the SIM", _SIM),
    331: Row("no network service", _NET),
    332: Row("the network did not answer in time", _NET, ALWAYS),
    340: Row("an acknowledgement came that the modem did not expect", _MODEM),
    500: Row("unknown error", _MODEM, LATE),
}

CME: dict[int, Row] = {
    0: CMS[300],
    3: CMS[302],
    4: CMS[303],
    5: CMS[312],
    10: CMS[310],
    11: CMS[311],
    12: CMS[316],
    13: CMS[313],
    14: CMS[314],
    15: CMS[315],
    16: Row("the PIN is wrong; correct it in the configuration before the SIM blocks itself", _SIM),
    17: CMS[317],
    18: CMS[318],
    20: CMS[322],
    21: CMS[321],
    22: CMS[321],
    23: CMS[320],
    30: CMS[331],
    31: CMS[332],
    32: Row("only emergency calls are allowed; check that the SIM is activated and may roam", _SIM),
    100: CMS[500],
    262: Row("the SIM is blocked, or its contacts are bad", _SIM),
    515: Row("the modem asks to wait", _BUSY, LATE),
}

# --- The vendors' -----------------------------------------------------------------------------------------------------

_QUECTEL_SIMCOM: dict[int, Row] = {
    513: Row("message too long", _BUG),
    514: Row("bad parameter", _BUG),
    515: Row("the modem's memory failed", _MEM),
    517: Row("service mode does not allow texts; check AT+CGSMS", _MODEM),
    528: Row("the link held open for bursts (AT+CMMS) is in a wrong state; switch it off", _MODEM),
    529: Row("this SIM may not send texts; check its plan and fixed dialling (FDN)", _SIM),
    530: Row("packet service is suspended", _NET),
    531: Row("the modem's memory is full", _MEM),
}

# u-blox repeats the RP causes as 350-373. These are known; the others are some cause from the network.
_UBLOX_RP = {350: CMS[1], 354: CMS[21], 360: CMS[38], 361: CMS[41], 362: CMS[42], 364: CMS[50]}
_UBLOX_OTHER = Row("a cause from the network, by a number of the modem's own", _NET, ALWAYS)

VENDOR: dict[str, dict[int, Row]] = {
    "siemens": {
        512: Row("the modem broke off, as when a text comes in at the same moment", _BUSY, TIMER),
        513: Row("the modem cannot store the text", _MEM, TIMER),
        514: Row("the modem was in a wrong state", _MODEM),
        515: Row("bad character in the address", _BUG),
        516: Row("bad length", _BUG),
        517: Row("bad character in the PDU", _BUG),
        520: Row("bad character in the text", _BUG),
        521: Row("a timer ran out", _NET, ALWAYS),
        522: Row("temporarily not allowed", _BUSY),
        532: Row("the SIM is not ready", _BUSY),
        535: Row("packet service is busy; set AT+CGSMS=1", _BUSY),
        538: Row("bad parameter", _BUG),
        539: Row("bad parameter", _BUG),
        **{code: Row("the modem calls the PDU's format wrong", _BUG) for code in range(549, 555)},
    },
    "quectel": {**_QUECTEL_SIMCOM, 512: Row("the SIM is not ready", _BUSY)},
    "simcom": {
        **_QUECTEL_SIMCOM,
        224: Row("retries of the link to the network are used up", _NET, ALWAYS),
        225: Row("the timer for the network's answer ran out", _NET, ALWAYS),
        226: Row("the link to the network broke", _NET, ALWAYS),
        512: Row("failed without a reason", _MODEM, ALWAYS),
        516: Row("the bearer does not fit", _BUG),
        520: Row("too many parts at once", _BUSY),
        521: Row("the modem's text layer is not ready", _BUSY),
        522: Row("no service", _NET),
        525: Row("no free place in the modem's text layer", _BUSY),
        532: Row("the SIM is being refreshed", _BUSY),
    },
    # SIM900 and Qualcomm-like clones: the same numbers with other meanings.
    "sim900": {
        512: Row("the SIM is not ready", _BUSY),
        513: Row("unread texts on the SIM", _MEM),
        515: Row("packet service is busy", _BUSY),
        517: Row("the modem's text layer is not ready", _BUSY),
        **{code: Row("the modem calls the PDU's format wrong", _BUG) for code in range(528, 531)},
    },
    "telit": {
        510: Row("texts are blocked for this SIM; ask the operator", _SIM),
        512: Row("no resources in the modem", _BUSY),
        513: Row("the timer for the network's acknowledgement ran out", _NET, ALWAYS),
        514: Row("the link to the network failed", _NET),
        515: Row("no answer from the network", _NET, ALWAYS),
    },
    "ublox": {
        **{code: _UBLOX_RP.get(code, _UBLOX_OTHER) for code in range(350, 374)},
        512: Row("the relay layer acknowledged without a result", _NET, ALWAYS),
        513: Row("a timer of the relay layer ran out", _NET, ALWAYS),
        538: Row("the network was lost", _NET, ALWAYS),
        539: Row("another text is being sent", _BUSY),
        543: Row("the SIM's control of texts rejected it", _SIM),
        544: Row(
            "the service centre is not on the SIM's fixed dialling list (FDN); change the list or switch it off", _SIM
        ),
        545: Row(
            "the destination is not on the SIM's fixed dialling list (FDN); change the list or switch it off", _SIM
        ),
        546: Row("the destination is on the SIM's barred list (BDN); change the list", _SIM),
        604: Row("no coverage", _NET),
        605: Row("the cell bars access", _NET),
        606: Row("the modem is busy", _BUSY),
    },
    "wavecom": {
        512: Row("set-up of the link to the network failed", _NET, TIMER),
        513: Row("the lower layer failed", _NET, TIMER),
        514: Row("error or congestion on the link to the network", _NET),
        515: Row("the modem asks to wait", _BUSY),
        517: Row("the SIM toolkit is busy", _BUSY),
        528: Row("location update failed", _NET),
        529: Row("data are missing", _BUG),
        530: Row("message too long", _BUG),
        531: Row("the text was not sent", _NET),
    },
    "motorola": {
        512: Row("the network is busy", _NET),
        513: Row("bad address", _DEST),
        514: Row("bad length", _BUG),
        515: Row("no service", _NET),
        516: Row("bad storage", _MODEM),
        517: Row("broken off at the modem", _MODEM),
    },
    "sierra": {606: Row("the modem is busy", _BUSY)},  # HL78
}

# Names people and modems use for the keys above.
VENDOR_NAMES = {"cinterion": "siemens", "gemalto": "siemens", "thales": "siemens", "u-blox": "ublox"}
