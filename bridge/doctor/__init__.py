"""What is wrong with this installation, and what to do about it: facts are gathered, checks judge them.

Facts are values, a check is a pure function of them, so that each finding is tested as a table. Nothing is changed, and
each fact may be missing: without root, without the service, without a configuration the rest is still said.
"""

from __future__ import annotations

from bridge.doctor.checks import CHECKS, examine
from bridge.doctor.facts import (
    Account,
    Clock,
    Database,
    Facts,
    Guard,
    Port,
    ServiceState,
    State,
    Trouble,
    Webhook,
)
from bridge.doctor.findings import Finding, Severity, worst

__all__ = [
    "CHECKS",
    "Account",
    "Clock",
    "Database",
    "Facts",
    "Finding",
    "Guard",
    "Port",
    "ServiceState",
    "Severity",
    "State",
    "Trouble",
    "Webhook",
    "examine",
    "worst",
]
