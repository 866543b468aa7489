"""When a text may go. Pure: each function is given the present, and zone data come from the system.

`zones`: where a clock stands. `windows`: hours in which texts may go.
"""

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
    "Holidays",
    "Hours",
    "Span",
    "Window",
    "holidays_of",
    "instant_at",
    "local_at",
    "next_open",
    "parse_holiday",
    "parse_window",
    "zone_name",
    "zones_of_number",
]
