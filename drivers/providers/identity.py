"""Our id of an attempt as a provider may carry it: letters and digits, at most 32 of them.

An id such as "att_01jk" becomes "attZ01jk" and can be turned back, since our ids have no capitals. Any other id becomes
a digest, which is the same at every try but cannot be turned back.
"""

from __future__ import annotations

import re
from hashlib import sha256

__all__ = ["attempt_id", "client_id"]

OURS = re.compile(r"[0-9a-z]+(?:_[0-9a-z]+)+")
CARRIED = re.compile(r"[0-9a-z]+(?:Z[0-9a-z]+)+")
LONGEST = 32  # Clickatell's climsgid; SMSC takes 40, SerwerSMS 50


def client_id(attempt: str) -> str:
    if OURS.fullmatch(attempt) and len(attempt) <= LONGEST:
        return attempt.replace("_", "Z")
    return sha256(attempt.encode()).hexdigest()[:LONGEST]


def attempt_id(carried: str) -> str | None:
    """The attempt behind an id that came back, or None when it is not one of ours or cannot be turned back."""
    return carried.replace("Z", "_") if CARRIED.fullmatch(carried) and len(carried) <= LONGEST else None
