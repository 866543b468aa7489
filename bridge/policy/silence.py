"""Does what a SIM sends arrive? A network that blocks a SIM in silence goes on accepting its texts; only the delivery
reports stay away. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.model import DueReport, Ratio

__all__ = ["DUE", "WINDOW", "ratio", "suspected"]

DUE = 3_600_000  # milliseconds after a text was sent; most reports come within a minute
WINDOW = 40  # texts looked at, the newest whose reports are due
_LEAST = 20  # of them, before anything is said
_PEOPLE = 5  # different recipients among those without: one phone that is switched off proves nothing
_SUSPECT_BELOW = 0.25
_CLEAR_FROM = 0.5


def ratio(reports: Sequence[DueReport]) -> Ratio:
    """`reports`: of one SIM, oldest first; the newest `WINDOW` count."""
    latest = list(reports)[-WINDOW:]
    return Ratio(due=len(latest), delivered=sum(report.delivered for report in latest))


def suspected(reports: Sequence[DueReport], *, before: bool, proven: bool) -> bool:
    """Whether a silent block is to be suspected. `before`: it was. `proven`: a report of a delivery has come for this
    SIM at some time; a SIM in whose network there are none says nothing by their absence."""
    found = ratio(reports)
    if found.due < _LEAST:
        return before
    share = found.delivered / found.due
    if before:
        return share < _CLEAR_FROM
    people = {report.recipient for report in list(reports)[-WINDOW:] if not report.delivered}
    return proven and share < _SUSPECT_BELOW and len(people) >= _PEOPLE
