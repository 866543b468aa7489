"""What may leave the machine in a support bundle. Pure. Of the configuration only what is listed here is shown: a
setting that we forget is hidden, not told."""

from __future__ import annotations

import re
from collections.abc import Mapping

from drivers.modems.masking import mask_number

__all__ = ["configuration", "masked"]

HIDDEN = "(set)"
_SHOWN = frozenset(
    {
        "state_dir",
        "listen",
        "region",
        "log_level",
        "clock",
        "ports",
        "policy",
        "route",
        "zone",
        "windows",
        "holidays",
        "id",
        "driver",
        "port",
        "storage",
        "profile",
        "name",
        "channels",
        "order",
        "kinds",
        "countries",
        "times",
        "allow_remote",
        "baudrate",
        "calls",
        "clock_settle",
        "count",
        "early_publish",
        "evidence_window",
        "evidence_window_priority",
        "keep",
        "max_body",
        "max_parts",
        "max_recipients",
        "max_tries",
        "per_day",
        "per_hour",
        "per_minute",
        "per_month",
        "poll",
        "poll_interval",
        "recipients_per_day",
        "recipients_per_month",
        "recording",
        "reply_window",
        "reset_day",
        "result_timeout",
        "retry",
        "validity",
    }
)
_DIGITS = re.compile(r"(?<![0-9A-Fa-f])\d{7,}(?![0-9A-Fa-f])")


def configuration(document: Mapping[str, object]) -> dict[str, object]:
    """The parsed file: names of settings, with values only of those that are nobody's secret."""
    return {name: _table(value) for name, value in document.items()}


def masked(text: str) -> str:
    """Long runs of digits, which are numbers, IMEIs and cards, keep their ends."""
    return _DIGITS.sub(lambda found: mask_number(found[0]), text)


def _table(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: inner if isinstance(inner, bool) or name in _SHOWN else HIDDEN for name, inner in value.items()}
    return [_table(inner) for inner in value] if isinstance(value, list) else HIDDEN
