"""What a check says."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

__all__ = ["Finding", "Severity", "worst"]


class Severity(StrEnum):
    OK = "ok"
    NOTE = "note"  # worth knowing, nothing to do at once
    WARNING = "warning"  # works, but will not for long, or not everywhere
    ERROR = "error"  # texts do not go out, or may be lost


_ORDER = tuple(Severity)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`check`: the word by which the finding is known to programs. `where`: a file, port or channel. `remedy`: what to
    do, "" where there is nothing to do."""

    severity: Severity
    check: str
    what: str
    where: str = ""
    remedy: str = ""


def worst(findings: Iterable[Finding]) -> Severity:
    """`OK` when there is none."""
    return max((f.severity for f in findings), key=_ORDER.index, default=Severity.OK)
