"""Delivery reports and late answers: to the attempt they belong to, and from there to the message."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from bridge.clock import from_datetime
from bridge.model import Attempt, AttemptState, Category, Instant, Message, Report, Status, parse_id, route_queue
from bridge.outbound import settle
from bridge.outbound.job import DONE, FAILURES, WHOLE
from bridge.policy import correlation, retry
from bridge.states import CORRECTABLE, WAITING
from bridge.store import Changes
from drivers.contract import LateResult, MaybeSent, ReportFate, StatusReport
from drivers.gsm.outcome import Fate, tp_status

__all__ = ["Others", "Taken", "adopt_orphans", "take_late", "take_report"]

PROVIDER_FATES = {
    ReportFate.ACCEPTED: Fate.PENDING,
    ReportFate.SENT: Fate.PENDING,
    ReportFate.DELIVERED: Fate.DELIVERED,
    ReportFate.UNDELIVERED: Fate.FAILED,
    ReportFate.EXPIRED: Fate.EXPIRED,
    ReportFate.REJECTED: Fate.FAILED,
    ReportFate.UNKNOWN: None,
}
REPORTABLE = frozenset({Status.SENT, *CORRECTABLE})  # a message still on its way is rolled up when it is sent
ORPHAN_WAIT = 10 * 60_000  # a report may be this much faster than the answer to its submission


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it. `message` None: an orphan. `repeat`: we had it already."""

    message: int | None = None
    attempt: int | None = None
    status: Status | None = None
    fate: Fate | None = None
    repeat: bool = False
    took: int | None = None  # milliseconds from the acceptance to the first report of a delivery


Others = Callable[[str, Message], frozenset[str]]  # channels beside this one that could send the message now


def take_report(
    changes: Changes, channel: str, report: StatusReport, now: Instant, id: int, *, others: Others
) -> Taken:
    """Store a delivery report, find its attempt, bring the message up to date."""
    row = Report(
        id=id,
        channel=channel,
        sim=report.sim,
        pdu=report.pdu,
        fingerprint=report.fingerprint,
        received_at=now,
        tp_mr=report.tp_mr,
        recipient=report.recipient,
        tp_st=report.tp_st,
        submitted_at=from_datetime(report.submitted_at),
        discharged_at=from_datetime(report.discharged_at),
        reference=report.reference,
        fate=report.fate,
        code=report.code,
        detail=report.detail,
        elsewhere=report.elsewhere,
        bars_codes=report.bars_codes,
    )
    attempt = _find(changes, row, report)
    if attempt is None:
        if any(o.fingerprint == row.fingerprint for o in changes.orphans(row.sim, row.tp_mr, now - ORPHAN_WAIT)):
            return Taken(repeat=True)
        changes.add_report(row)
        return Taken()
    if attempt.report_fingerprint == row.fingerprint:
        return Taken(message=attempt.message, attempt=attempt.id, repeat=True)
    changes.add_report(msgspec.structs.replace(row, attempt=attempt.id))
    if attempt.state is AttemptState.ARMED:  # a provider is quicker than its own answer; see `adopt_orphans`
        return Taken(message=attempt.message, attempt=attempt.id)
    return _apply(changes, attempt, row, now, others)


def adopt_orphans(changes: Changes, attempt: Attempt, now: Instant, *, others: Others) -> Taken | None:
    """Reports that overtook the answer to this attempt, or that prove a fresh doubt. Call after the attempt ended, with
    the attempt as it is now."""
    taken = None
    if attempt.part == WHOLE:
        return _adopt_named(changes, attempt, now, others)
    for row in changes.orphans(attempt.sim, attempt.tp_mr, now - ORPHAN_WAIT):
        facts = _facts(row)
        match = (correlation.best if attempt.state in DONE else correlation.among_doubts)(facts, [attempt])
        if match is None:
            continue
        if attempt.state not in DONE:
            settle.prove_sent(changes, attempt, now, reference=str(row.tp_mr), tp_mr=row.tp_mr, by="report")
        changes.assign_report(row.id, attempt.id)
        taken = _apply(changes, attempt, row, now, others)
        attempt = changes.attempt(attempt.id) or attempt
    return taken


def _adopt_named(changes: Changes, attempt: Attempt, now: Instant, others: Others) -> Taken | None:
    """A provider's reports: those that named this attempt while it was armed, and those that bear its reference. The
    number alone proves nothing: an account may have other users."""
    taken = None
    named = changes.reports(attempt.id)
    if attempt.reference is not None:
        named += changes.orphans_named(attempt.sim, attempt.reference, now - ORPHAN_WAIT)
    for row in named:
        if attempt.state not in DONE and not _proves(row):
            continue
        if attempt.state not in DONE:
            settle.prove_sent(changes, attempt, now, reference=row.reference, tp_mr=None, by="report")
        if row.attempt is None:
            changes.assign_report(row.id, attempt.id)
        taken = _apply(changes, attempt, row, now, others)
        attempt = changes.attempt(attempt.id) or attempt
    return taken


def take_late(
    changes: Changes,
    late: LateResult,
    now: Instant,
    *,
    rules: settle.Rules,
    around: settle.Surroundings,
    others: Others,
) -> Taken:
    """The answer to a submission that had ended in doubt."""
    id = parse_id("att", late.attempt_id)
    attempt = None if id is None else changes.attempt(id)
    if attempt is None or attempt.state not in (AttemptState.IN_DOUBT, AttemptState.UNRESOLVED):
        return Taken(repeat=True)
    if late.receipt is not None:
        settle.prove_sent(
            changes, attempt, now, reference=late.receipt.reference, tp_mr=late.receipt.tp_mr, by="late_result"
        )
        adopt_orphans(changes, changes.attempt(attempt.id) or attempt, now, others=others)
    elif late.error is not None and not isinstance(late.error, MaybeSent):
        message = changes.message(attempt.message)
        if message is not None and message.status is Status.IN_DOUBT:
            settle.fail(
                changes,
                message,
                attempt,
                late.error,
                now,
                rules=rules,
                around=around,
                earlier=changes.attempts(message.id),
                late=True,
            )
        else:
            changes.end(attempt.id, AttemptState.REFUSED_LATE, now, code=late.error.code, detail=late.error.detail)
    return Taken(message=attempt.message, attempt=attempt.id, status=_status(changes, attempt.message))


# --- Finding ----------------------------------------------------------------------------------------------------------


def _find(changes: Changes, row: Report, report: StatusReport) -> Attempt | None:
    if report.attempt_id is not None or row.reference is not None:
        return _named(changes, row, report)
    facts = _facts(row)
    if row.tp_mr is not None and (found := correlation.best(facts, changes.listening(row.sim, row.tp_mr))):
        return found
    doubt = correlation.among_doubts(facts, changes.doubts_of(row.sim))
    if doubt is None:
        # Accepted without a TP-MR: "we had it already" (TP-FCS 197) tells none.
        to = changes.listening_to(row.sim, correlation.recipient_key(row.recipient))
        return correlation.best(facts, [a for a in to if a.tp_mr is None])
    settle.prove_sent(changes, doubt, row.received_at, reference=str(row.tp_mr), tp_mr=row.tp_mr, by="report")
    return changes.attempt(doubt.id)


def _named(changes: Changes, row: Report, report: StatusReport) -> Attempt | None:
    """A provider's report names the attempt, by our reference or by its own. It proves a doubtful one sent, unless it
    says that it was never tried."""
    id = None if report.attempt_id is None else parse_id("att", report.attempt_id)
    attempt = None if id is None else changes.attempt(id)
    if attempt is None and row.reference is not None:
        attempt = changes.by_reference(row.channel, row.reference)
    if attempt is None or attempt.channel != row.channel:
        return None
    if _proves(row) and settle.prove_sent(
        changes, attempt, row.received_at, reference=row.reference, tp_mr=None, by="report"
    ):
        return changes.attempt(attempt.id)
    return attempt


def _proves(row: Report) -> bool:
    """The provider has it, or had it."""
    return row.fate not in (None, ReportFate.UNKNOWN, ReportFate.REJECTED)


def _facts(row: Report) -> correlation.ReportFacts:
    return correlation.ReportFacts(
        recipient=row.recipient, received_at=row.received_at, submitted_at=row.submitted_at, tp_mr=row.tp_mr
    )


# --- Applying ---------------------------------------------------------------------------------------------------------


def _apply(changes: Changes, attempt: Attempt, row: Report, now: Instant, others: Others) -> Taken:
    fate = _fate(row)
    if fate is None:
        return Taken(message=attempt.message, attempt=attempt.id)
    before = None if attempt.fate is None else Fate(attempt.fate)
    # Pending never overwrites a final word; delivered beats failed, never the other way round.
    stale = before is not None and (before is Fate.DELIVERED or (fate is Fate.PENDING and before is not Fate.PENDING))
    if stale:
        return Taken(message=attempt.message, attempt=attempt.id, fate=fate, status=_status(changes, attempt.message))
    changes.reported(
        attempt.id,
        tp_st=row.tp_st,
        fate=fate.value,
        fingerprint=row.fingerprint,
        at=now,
        discharged_at=row.discharged_at,
        listening=True,  # until housekeeping ends it: a repeat must be known as one
    )
    changes.note(
        attempt.message,
        now,
        "report",
        {"part": attempt.part, "tp_mr": row.tp_mr, "tp_st": row.tp_st, "fate": fate.value},
    )
    if fate not in FAILURES or not _sent_elsewhere(changes, attempt, row, now, others):
        _roll_up(changes, attempt.message, now)
    return Taken(
        message=attempt.message,
        attempt=attempt.id,
        fate=fate,
        status=_status(changes, attempt.message),
        took=now - attempt.ended_at if fate is Fate.DELIVERED and attempt.ended_at is not None else None,
    )


def _sent_elsewhere(changes: Changes, attempt: Attempt, row: Report, now: Instant, others: Others) -> bool:
    """A provider reports that its message did not arrive: once, while it lives, another channel may try."""
    message = changes.message(attempt.message)
    if not row.elsewhere or message is None or message.status is not Status.SENT:
        return False
    decision = retry.late(
        retry.LateFailure(
            now=now,
            elsewhere=row.elsewhere,
            tried=row.fate != ReportFate.REJECTED,
            whole=attempt.part == WHOLE,
            bound=message.channel is not None,
            before=any(a.id != attempt.id and a.state in DONE for a in changes.attempts(message.id)),
            others=bool(others(attempt.channel, message)),
            policy=message.policy,
            expires_at=message.expires_at,
            barred=row.bars_codes and message.category is Category.OTP,
        )
    )
    if decision is None:
        return False
    return changes.move(
        message.id,
        Status.QUEUED,
        now,
        code="late_failure",
        reason=f"{attempt.channel} took it and reports that it did not arrive ({row.code}); another channel tries",
        queue=route_queue(message),
        due_at=decision.due_at,
        possible_duplicate=True if decision.whole else None,
        event="late_failure",
        data={"channel": attempt.channel, "fate": row.fate},
    )


def _roll_up(changes: Changes, id: int, now: Instant) -> None:
    """The message is delivered when all parts are, undelivered when one failed for good."""
    message = changes.message(id)
    if message is None or message.status not in REPORTABLE | WAITING:
        return
    latest: dict[int, Attempt] = {}
    for attempt in changes.attempts(id):
        if attempt.state in DONE:
            known = latest.get(attempt.part)
            # A part that was sent again has two attempts; one delivered copy is enough.
            if known is None or known.fate != Fate.DELIVERED:
                latest[attempt.part] = attempt
    told = {part: a for part, a in latest.items() if a.fate is not None}
    delivered = {part for part, a in told.items() if a.fate == Fate.DELIVERED}
    if WHOLE in delivered or len(delivered - {WHOLE}) == message.parts:
        last = max((told[part] for part in delivered), key=lambda a: a.reported_at or 0)
        changes.move(id, Status.DELIVERED, now, data=_report_data(message, last))
        return
    if message.status in WAITING or message.status is Status.CANCELLED:
        return  # to be sent again, or taken back: only a delivery changes that
    failed = next((a for a in told.values() if a.fate in FAILURES), None)
    if failed is not None:
        code, reason = _why(changes, failed)
        changes.move(id, Status.UNDELIVERED, now, code=code, reason=reason, data=_report_data(message, failed))


def _fate(row: Report) -> Fate | None:
    if row.tp_st is not None:
        return tp_status(row.tp_st).fate
    return None if row.fate is None else PROVIDER_FATES[ReportFate(row.fate)]


def _why(changes: Changes, attempt: Attempt) -> tuple[str, str]:
    if attempt.tp_st is not None:
        outcome = tp_status(attempt.tp_st)
        return outcome.code, outcome.meaning
    last = changes.reports(attempt.id)[-1]
    return last.code or str(attempt.fate), last.detail or f"the provider reports: {attempt.fate}"


def _report_data(message: Message, attempt: Attempt) -> dict[str, str | int | bool | None]:
    return {"channel": attempt.channel, "part": attempt.part, "parts": message.parts, "tp_st": attempt.tp_st}


def _status(changes: Changes, id: int) -> Status | None:
    message = changes.message(id)
    return None if message is None else message.status
