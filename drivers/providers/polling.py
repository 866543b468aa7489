"""Messages whose fate is still open, and asking the provider about them without hurry.

Kept in memory only: after a restart the bridge says which are open, as it does when a look-up has found one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from drivers.contract import Followed, LinkState, ReportFate, Sink, StatusReport, Submission, SubmitError
from drivers.providers.link import Link, offer

__all__ = ["FINAL", "FIRST_WAIT", "KEPT", "Open", "OpenMessages", "longer", "poll"]

log = logging.getLogger("gsmbridge.provider")

FINAL = frozenset({ReportFate.DELIVERED, ReportFate.UNDELIVERED, ReportFate.EXPIRED, ReportFate.REJECTED})

FIRST_WAIT = 10.0  # seconds from the send to the first question
LATER = (2, 6, 30, 90, 360)  # times that after each answer; the last one repeats
LONGEST_WAIT = 300.0  # between questions that fail
KEPT = 20_000  # two bulk lists; the oldest make room
KEPT_FOR = 48 * 3600.0  # the longest validity, a day, and a day for the report


def longer(interval: float, failed: int) -> float:
    """Seconds to the next question after so many that failed in a row."""
    return max(interval, min(interval * 2.0 ** min(failed, 20), LONGEST_WAIT))


class Open(msgspec.Struct, kw_only=True):
    reference: str
    to: str
    attempt: str
    since: float
    due: float
    asked: int = 0
    told: str = ""  # the last word that was passed on


class OpenMessages:
    def __init__(self, monotonic: Callable[[], float], *, first: float = FIRST_WAIT) -> None:
        self._monotonic = monotonic
        self._waits = (first, *(first * times for times in LATER))
        self._open: OrderedDict[str, Open] = OrderedDict()
        self._by_reference: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def follow(self, reference: str, submission: Submission) -> None:
        """The provider has taken it under this reference; where no report is wanted there is nothing to ask."""
        if submission.report:
            self.add(reference, submission.to, submission.attempt_id)

    def take_up(self, messages: Sequence[Followed]) -> None:
        """What was open at the last stop: asked about at once, since nobody knows for how long that was."""
        for message in messages:
            self.add(message.reference, message.to, message.attempt_id, wait=0.0)

    def add(self, reference: str, to: str, attempt: str, *, wait: float | None = None) -> None:
        self.close(attempt)
        now = self._monotonic()
        due = now + (self._waits[0] if wait is None else wait)
        self._open[attempt] = Open(reference=reference, to=to, attempt=attempt, since=now, due=due)
        self._by_reference.setdefault(reference, set()).add(attempt)
        while len(self._open) > KEPT:
            self.close(next(iter(self._open)))

    def find(self, reference: str) -> list[Open]:
        return [self._open[attempt] for attempt in sorted(self._by_reference.get(reference, ()))]

    def drop(self, reference: str) -> None:
        """Taken back: there is nothing more to hear of it."""
        for message in self.find(reference):
            self.close(message.attempt)

    def hasten(self, reference: str) -> None:
        """The provider hinted that there is news."""
        for message in self.find(reference):
            message.due = self._monotonic()

    def due(self, limit: int) -> list[Open]:
        """The longest waiting first. What is too old is dropped."""
        now = self._monotonic()
        for old in [m.attempt for m in self._open.values() if now - m.since > KEPT_FOR]:
            self.close(old)
        ready = sorted((m for m in self._open.values() if m.due <= now), key=lambda m: m.due)
        return ready[:limit]

    def asked(self, message: Open, *, word: str = "") -> bool:
        """Ask again later; True when the word is news."""
        message.asked += 1
        message.due = self._monotonic() + self._waits[min(message.asked, len(self._waits) - 1)]
        news = bool(word) and word != message.told
        message.told = word or message.told
        return news

    def close(self, attempt: str) -> None:
        message = self._open.pop(attempt, None)
        if message is None:
            return
        attempts = self._by_reference[message.reference]
        attempts.discard(attempt)
        if not attempts:
            del self._by_reference[message.reference]


async def poll(
    sink: Sink,
    messages: OpenMessages,
    ask: Callable[[Sequence[Open]], Awaitable[Sequence[StatusReport | None]]],
    *,
    link: Link | None = None,
    interval: float,
    batch: int = 1,
) -> None:
    """Until cancelled: every `interval` seconds at most one question about at most `batch` messages, none while the
    link is not up, ever fewer while they fail. `ask` answers in the order of its argument, None where nothing is
    known."""
    failed = 0
    while True:
        await asyncio.sleep(longer(interval, failed))
        due = messages.due(batch) if link is None or link.state is LinkState.UP else []
        if not due:
            continue
        try:
            reports = await ask(due)
        except SubmitError as error:
            level = logging.DEBUG if failed else logging.WARNING
            log.log(level, "report_poll_failed code=%s", error.code)
            failed += 1
            for message in due:
                messages.asked(message)
            continue
        failed = 0
        for message, report in zip(due, reports, strict=True):
            if report is None:
                messages.asked(message)
                continue
            if messages.asked(message, word=f"{report.code} {report.fate}"):
                await offer(sink, report)
            if report.fate in FINAL:
                messages.close(message.attempt)
