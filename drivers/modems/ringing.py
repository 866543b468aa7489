"""Calls: nobody answers them. A call begins with RING or +CLIP and is over when the modem says so, when it has not rung
for a while, or when we end it; then it is told. Pure: lines and times in."""

from __future__ import annotations

import re

from drivers.contract import MissedCall

__all__ = ["Ringing"]

CLIP_WAIT = 1.5  # seconds from RING to the caller's number (+CLIP comes behind RING, 27.007 §7.6)
QUIET = 10.0  # a ring comes every 3 to 6 seconds
AFTERGLOW = 2.0  # a RING that was on its way when we hung up

_CLIP = re.compile(r'\+CLIP:\s*"(\+?[0-9*#]{0,30})"\s*(?:,\s*([0-9]{1,3}))?')
_INTERNATIONAL = 145  # type of address, 24.008 §10.5.4.7


class Ringing:
    """`hang_up`: calls are to be ended."""

    def __init__(self, hang_up: bool) -> None:
        self._hang_up = hang_up
        self._caller = ""
        self._rings = 0
        self._first: float | None = None  # while somebody calls
        self._last = 0.0
        self._over = False
        self._tried = False  # to end this call; a modem that refuses it is not asked again
        self._hung_up_at = float("-inf")

    def heard(self, line: str, now: float) -> None:
        """RING, +CRING or +CLIP."""
        if now - self._hung_up_at < AFTERGLOW:
            return
        if self._first is None:
            self._first = now
        self._last = now
        if not line.startswith("+CLIP"):
            self._rings += 1
        elif (found := _CLIP.match(line)) is not None:
            number = found[1]
            plus = found[2] == str(_INTERNATIONAL) and number and not number.startswith("+")
            self._caller = f"+{number}" if plus else number

    def ended(self) -> None:
        """The modem says that the call is over."""
        self._over = True

    def to_hang_up(self, now: float) -> bool:
        """The caller is known, or will not be."""
        known = self._caller or (self._first is not None and now - self._first >= CLIP_WAIT)
        return self._hang_up and not self._tried and self._first is not None and not self._over and bool(known)

    def next_due(self) -> float:
        if self._first is None:
            return float("inf")
        return self._first + CLIP_WAIT if self._hang_up and not self._tried else self._last + QUIET

    def tried(self, done: bool, now: float) -> None:
        """We have ended it, or the modem did not let us; it may also have ended while the line was busy."""
        self._tried = True
        if done and not self._over:
            self._hung_up_at = now

    def missed(self, sim: str, now: float) -> MissedCall | None:
        """The call that is over now; None: there is none."""
        if self._first is None:
            self._over = False
            return None
        hung_up = self._hung_up_at >= self._first
        if not (hung_up or self._over or now - self._last >= QUIET):
            return None
        call = MissedCall(sim=sim, caller=self._caller, rings=max(1, self._rings), hung_up=hung_up)
        self._caller, self._rings, self._first, self._over, self._tried = "", 0, None, False, False
        return call
