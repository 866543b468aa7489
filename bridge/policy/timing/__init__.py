"""When a text may go. Pure: each function is given the present, and zone data come from the system.

`zones`: where a clock stands. `windows`: hours in which texts may go. `moments`: send times as people and programs
write them. `gates`: whose windows hold a message, and until when. `spreading`: a batch over time. `placing`: an order's
wishes made into instants.
"""

from bridge.policy.timing.gates import PASSES, Agreed, Asked, Gate, Gates, Never, Timetable, Timing
from bridge.policy.timing.moments import parse_time
from bridge.policy.timing.spreading import Pacing, Spread
from bridge.policy.timing.windows import (
    Holidays,
    Hours,
    Span,
    Window,
    holidays_of,
    next_open,
    parse_holiday,
    parse_window,
)
from bridge.policy.timing.zones import instant_at, local_at, zone_name, zones_of_number

__all__ = [
    "PASSES",
    "Agreed",
    "Asked",
    "Gate",
    "Gates",
    "Holidays",
    "Hours",
    "Never",
    "Pacing",
    "Span",
    "Spread",
    "Timetable",
    "Timing",
    "Window",
    "holidays_of",
    "instant_at",
    "local_at",
    "next_open",
    "parse_holiday",
    "parse_time",
    "parse_window",
    "zone_name",
    "zones_of_number",
]
