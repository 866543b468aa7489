"""What a provider's word means for us: a row says what became of the message and what may be done next.

Every driver keeps its words as tables of these rows, so that a table can be read beside the vendor's list and each row
is one test. A word that is in no table is never an error: `UNLISTED` says "we do not know", and the caller keeps the
raw answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import assert_never

import msgspec

from drivers.contract import Cause, MaybeSent, NotSent, Refused, ReportFate, SubmitError

__all__ = [
    "UNLISTED",
    "Alarm",
    "Row",
    "Table",
    "Then",
    "elsewhere",
    "error",
    "look_up",
    "not_expressible",
    "plain",
    "rows",
]


class Then(StrEnum):
    """What the bridge should do with the message."""

    NOTHING = "nothing"
    PERMANENT = "permanent"  # no provider can succeed with this message as it is
    TRY_NEXT = "try-next-provider"  # this provider cannot, another may
    PAUSE = "pause-provider"  # account level: every message would fail
    RETRY_LATER = "retry-later"  # passes by itself


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """`alarm`: our fault or the configuration's; one message moves on, repeats count as a pause. `reconcile`: ask the
    provider about our id before anything else is done. `delay`: seconds until the same provider may be tried again, and
    `retries` how often; None: as often as for any other reason. `bars_codes`: not for a one-time code."""

    fate: ReportFate
    then: Then = Then.NOTHING
    alarm: bool = False
    reconcile: bool = False
    delay: float | None = None
    retries: int | None = None
    bars_codes: bool = False
    meaning: str = ""


Table = Mapping[str, Row]

_FINAL_NO = frozenset({ReportFate.UNDELIVERED, ReportFate.EXPIRED, ReportFate.REJECTED})
_ODD = re.compile(r"[^A-Za-z0-9_:.-]")

UNLISTED = Row(fate=ReportFate.UNKNOWN, reconcile=True, alarm=True, meaning="a word that is not in our table")


def rows(entries: Mapping[str, Row]) -> Table:
    """A table with one entry a word from entries that name several, separated by blanks: `{"1 2 4": row}`."""
    table: dict[str, Row] = {}
    for words, row in entries.items():
        for word in words.split():
            if word in table:
                raise ValueError(f"{word} is twice in one table")
            table[word] = row
    return table


def look_up(table: Table, word: str) -> Row:
    """The row of a provider's word; never raises."""
    return table.get(word, UNLISTED)


class Alarm:
    """Mixed into an error that is our fault or the configuration's. The message moves on as with any other error; three
    of them within ten minutes stop the channel (`Link.failed`)."""


class AlarmRefused(Refused, Alarm):
    pass


class AlarmNotSent(NotSent, Alarm):
    pass


class AlarmMaybeSent(MaybeSent, Alarm):
    pass


def error(row: Row, *, code: str, detail: str, raw: str = "") -> SubmitError:
    """The error that a submission ends in when its answer is this row. `code`: a stable word such as "smsc_3"; what a
    provider put into it is made fit for a log."""
    code = plain(code)
    if row.reconcile or row.fate is ReportFate.UNKNOWN:
        doubt = AlarmMaybeSent if row.alarm else MaybeSent
        return doubt(detail, code=code, cause=Cause.DOUBT, raw=raw)
    refused = AlarmRefused if row.alarm else Refused
    not_sent = AlarmNotSent if row.alarm else NotSent
    match row.then:
        case Then.PERMANENT:
            return refused(detail, code=code, cause=Cause.DEST, raw=raw, everywhere=True)
        case Then.TRY_NEXT | Then.NOTHING:
            return refused(detail, code=code, cause=Cause.DEST, raw=raw)
        case Then.PAUSE:
            return not_sent(detail, code=code, cause=Cause.SIM, raw=raw, retry_after=row.delay, channel_unusable=True)
        case Then.RETRY_LATER:
            return not_sent(detail, code=code, cause=Cause.NET, raw=raw, retry_after=row.delay, retries=row.retries)
        case _:
            assert_never(row.then)


def elsewhere(row: Row) -> bool:
    """A final word that it did not arrive, and no reason why another carrier should not succeed."""
    return row.fate in _FINAL_NO and row.then in (Then.TRY_NEXT, Then.RETRY_LATER, Then.PAUSE)


def plain(word: str) -> str:
    """A provider's word as it may stand in a log: short, and without anything that could end the line."""
    return _ODD.sub("?", word)[:60]


def not_expressible(field: str, reason: str) -> Refused:
    """This provider's language cannot say it, another channel may be able to. Raised before the wire."""
    return Refused(f"{field}: {reason}", code="not_expressible", cause=Cause.DEST)
