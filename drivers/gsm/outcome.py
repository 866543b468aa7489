"""What an answer means: TP-ST of a status report, +CMS ERROR and +CME ERROR after a submission.

The one question behind `classify` is *may I send again?* A number from the network reads like a refusal, but modems use
+CMS ERROR 38, 41, 127 and 332 for answers that never came, too. So after the data has gone these are in doubt, unless
the modem's profile lists them in `trusted` because there they are real causes from the network.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from drivers.contract import Cause
from drivers.gsm import PduError
from drivers.gsm.causes import CME, CMS, LATE, VENDOR, VENDOR_NAMES, Row

__all__ = ["Fate", "TpStatus", "Verdict", "classify", "tp_status"]


# --- Status reports ---------------------------------------------------------------------------------------------------


class Fate(StrEnum):
    """What became of a submission. Only PENDING is followed by another report."""

    DELIVERED = "delivered"
    PENDING = "pending"  # the service centre is still trying
    UNCLEAR = "unclear"  # closed, without saying that the handset has it
    FAILED = "failed"  # for good
    EXPIRED = "expired"  # its validity ended
    FAILED_TEMPORARY = "failed_temporary"  # the centre has stopped; sending again later may work


class TpStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`code`: stable word. `meaning`: for people. `unconfirmed`: delivered, but the centre cannot vouch for it."""

    fate: Fate
    code: str
    meaning: str
    unconfirmed: bool = False


def tp_status(st: int) -> TpStatus:
    """The meaning of a TP-ST octet (23.040 §9.2.3.15); `PduError` when it is no octet."""
    if not 0 <= st <= 0xFF:
        raise PduError(f"a status is one octet, 0 to 255, not {st}")
    known = _STATUS.get(st)
    if known is not None:
        return known
    if st >= 0x80:  # reserved: read as 63, service rejected
        return TpStatus(
            fate=Fate.FAILED_TEMPORARY, code=f"status_{st:02x}", meaning="reserved value, read as a failure"
        )
    fate, meaning = _GROUPS[st >> 4]
    return TpStatus(fate=fate, code=f"status_{st:02x}", meaning=meaning)


_TRYING = {
    0: ("congestion", "the network is congested"),
    1: ("busy", "the handset is busy"),
    2: ("no_response", "the handset does not answer"),
    3: ("rejected", "the service was rejected"),
    4: ("quality", "the quality of service is not available"),
    5: ("handset_error", "error in the handset"),
}
_PERMANENT = {
    0x40: ("remote_error", "remote procedure error"),
    0x41: ("incompatible", "incompatible destination"),
    0x42: ("refused", "the handset refused the connection"),
    0x43: ("not_obtainable", "the number is not obtainable"),
    0x44: ("quality", "the quality of service is not available"),
    0x45: ("no_interworking", "no interworking with the destination's network"),
    0x47: ("deleted_by_sender", "deleted by the sender"),
    0x48: ("deleted_by_centre", "deleted by the service centre"),
    0x49: ("unknown_message", "the service centre does not know the message"),
}
_STATUS: dict[int, TpStatus] = {
    0x00: TpStatus(fate=Fate.DELIVERED, code="received", meaning="received by the handset"),
    0x01: TpStatus(
        fate=Fate.DELIVERED,
        code="forwarded",
        meaning="forwarded to the handset; the service centre cannot confirm it",
        unconfirmed=True,
    ),
    0x02: TpStatus(fate=Fate.UNCLEAR, code="replaced", meaning="replaced by a later message at the service centre"),
    0x46: TpStatus(fate=Fate.EXPIRED, code="expired", meaning="the validity ended before the handset could be reached"),
    **{
        0x20 + at: TpStatus(fate=Fate.PENDING, code=code, meaning=f"{meaning}; the service centre is still trying")
        for at, (code, meaning) in _TRYING.items()
    },
    **{st: TpStatus(fate=Fate.FAILED, code=code, meaning=meaning) for st, (code, meaning) in _PERMANENT.items()},
    **{
        0x60 + at: TpStatus(
            fate=Fate.FAILED_TEMPORARY, code=code, meaning=f"{meaning}; the service centre has stopped trying"
        )
        for at, (code, meaning) in _TRYING.items()
    },
}
_GROUPS = (
    (Fate.UNCLEAR, "completed, in a way this standard leaves open"),
    (Fate.DELIVERED, "completed, by the service centre's own code"),
    (Fate.PENDING, "the service centre is still trying"),
    (Fate.PENDING, "the service centre is still trying, by its own code"),
    (Fate.FAILED, "failed for good"),
    (Fate.FAILED, "failed for good, by the service centre's own code"),
    (Fate.FAILED_TEMPORARY, "failed; the service centre has stopped trying"),
    (Fate.FAILED_TEMPORARY, "failed, by the service centre's own code; it has stopped trying"),
)


# --- Errors of a submission -------------------------------------------------------------------------------------------


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`cause` is DOUBT when the text may have been sent; `definite` is then what it would be if it was not.

    `code`: "cms_38", "cme_30" or "error". `meaning`: a sentence, with the remedy where a person must act. `accepted`:
    the service centre says that it took this text before (+CMS ERROR 197), so the attempt counts as sent.
    """

    cause: Cause
    code: str
    meaning: str
    definite: Cause
    accepted: bool = False


def classify(
    *,
    cms: int | None = None,
    cme: int | None = None,
    vendor: str = "",
    elapsed: float = 0.0,
    after_data: bool = True,
    trusted: frozenset[int] = frozenset(),
) -> Verdict:
    """The meaning of a final error; with neither number, of a bare ERROR.

    `vendor`: "siemens", "cinterion", "quectel", "simcom", "sim900", "telit", "ublox", "wavecom", "motorola", "sierra",
    or anything else for the common tables. `elapsed`: seconds since Ctrl-Z. `after_data`: False when the error came
    before Ctrl-Z was written; nothing can have been sent then. `trusted`: +CMS/+CME numbers that this modem's profile
    knows to be definite.
    """
    number = cms if cms is not None else cme
    row = _row(cms, cme, VENDOR_NAMES.get(vendor.lower(), vendor.lower()))
    code = "error" if number is None else f"cms_{number}" if cms is not None else f"cme_{number}"
    definite = row.cause
    if not after_data and row is CMS[302]:
        definite = Cause.BUSY  # at the prompt it is said while the modem starts; after the data, of a barred SIM
    in_doubt = after_data and elapsed >= row.doubt_from and number not in trusted
    return Verdict(
        cause=Cause.DOUBT if in_doubt else definite,
        code=code,
        meaning=f"{row.meaning}; the text may have been sent" if in_doubt else row.meaning,
        definite=definite,
        accepted=after_data and cms == 197,
    )


_BARE = Row("the modem answered ERROR without a number", Cause.MODEM, LATE)
_MODEM_UNKNOWN = Row("a number of the modem's own, not known here", Cause.MODEM, LATE)
# 24.011 §8.2.5.4 reads an unknown RP cause as 41, so it shares its doubt; an unknown TP-FCS is still an answer.
_RP_UNKNOWN = Row("a cause from the network that is not known here", Cause.NET, CMS[41].doubt_from)
_FCS_UNKNOWN = Row("a refusal by the service centre that is not known here", Cause.NET)


def _row(cms: int | None, cme: int | None, vendor: str) -> Row:
    own = VENDOR.get(vendor, {})
    if cms is not None:
        row = own.get(cms) or CMS.get(cms)
        if row is not None:
            return row
        if 1 <= cms <= 127:
            return _RP_UNKNOWN
        return _FCS_UNKNOWN if 128 <= cms <= 255 else _MODEM_UNKNOWN
    if cme is not None:
        # Vendors share their numbers from 512 on between both kinds (Wavecom says +CME ERROR: 515).
        return (own.get(cme) if cme >= 512 else None) or CME.get(cme) or _MODEM_UNKNOWN
    return _BARE
