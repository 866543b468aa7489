"""Is the next text armed while one is still on the air?

Then the modem never waits for the disk. The price is paid at a crash: whatever is armed is in doubt, and this leaves
two texts instead of one, the second of which was not sent. So it is done only where it is worth it: an SD card whose
syncs take as long as a good part of a text does, or a modem that takes a text in no time. On a disk of 2 ms and a modem
of 300 ms it would save less than a hundredth.
"""

from __future__ import annotations

__all__ = ["WORTH", "worth_arming"]

WORTH = 0.05  # of the time a submission takes


def worth_arming(*, commit: float, submission: float) -> bool:
    """Seconds that either takes, smoothed."""
    return commit > submission * WORTH
