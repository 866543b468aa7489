"""The legal moves of a message and of an attempt. The store refuses an unlisted one: the table is the documentation.

    queued -> sending -> sent -> delivered | undelivered | sent_no_report | queued (elsewhere, once)
       |       ^  |  |
       |       |  |  +-> in_doubt -> sent | queued (resend, flagged) | unknown
       |       |  +----> retry_wait (proof that nothing was sent)
       |       +------------+
       +--> expired | cancelled | failed

Terminal states are left only by evidence that arrives after the close: a late report is a fact, and hiding it would be
worse than correcting ourselves.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.model import AttemptState as A
from bridge.model import Status as S

__all__ = [
    "ATTEMPT_MOVES",
    "CANCELLABLE",
    "CORRECTABLE",
    "MOVES",
    "TERMINAL",
    "WAITING",
]

PROVEN = frozenset({S.SENT, S.DELIVERED, S.UNDELIVERED})

MOVES: Mapping[S, frozenset[S]] = {
    # `failed` straight from the queue: no channel may take it. `sending` to itself: the next part is armed.
    # `sent`, `delivered`, `undelivered`: evidence came while it waited to be sent again.
    S.QUEUED: frozenset({S.SENDING, S.EXPIRED, S.CANCELLED, S.FAILED, S.SENT, S.DELIVERED, S.UNDELIVERED}),
    S.RETRY_WAIT: frozenset({S.SENDING, S.EXPIRED, S.CANCELLED, S.FAILED, S.SENT, S.DELIVERED, S.UNDELIVERED}),
    S.SENDING: frozenset({S.SENDING, S.SENT, S.RETRY_WAIT, S.IN_DOUBT, S.QUEUED, S.FAILED, S.EXPIRED}),
    # To `in_doubt` again: another part is in doubt too. To `sending`: the doubt was about one part, the rest goes on.
    S.IN_DOUBT: frozenset({S.IN_DOUBT, S.SENT, S.QUEUED, S.SENDING, S.UNKNOWN, S.FAILED, S.RETRY_WAIT, S.EXPIRED}
                          | {S.DELIVERED, S.UNDELIVERED}),
    # `queued`: its provider reports that it did not arrive, and another channel may still deliver it. `cancelled`: its
    # provider had not sent it yet, and has deleted it.
    S.SENT: frozenset({S.DELIVERED, S.UNDELIVERED, S.SENT_NO_REPORT, S.QUEUED, S.CANCELLED}),
    # Corrections by evidence that comes after the close. One attempt may fail or be cancelled while an earlier one, of
    # which nobody knew, had been delivered; and a report of success after one of failure happens.
    S.UNDELIVERED: frozenset({S.DELIVERED}),
    S.SENT_NO_REPORT: frozenset({S.DELIVERED, S.UNDELIVERED}),
    S.UNKNOWN: PROVEN,
    S.EXPIRED: PROVEN,
    S.CANCELLED: PROVEN,
    S.FAILED: PROVEN,
    S.DELIVERED: frozenset(),
}  # fmt: skip

ATTEMPT_MOVES: Mapping[A, frozenset[A]] = {
    A.ARMED: frozenset({A.ACCEPTED, A.REFUSED_SAFE, A.REFUSED_FINAL, A.IN_DOUBT}),
    A.IN_DOUBT: frozenset({A.ACCEPTED_LATE, A.REFUSED_LATE, A.UNRESOLVED}),
    A.UNRESOLVED: frozenset({A.ACCEPTED_LATE, A.REFUSED_LATE}),  # the evidence came after the close
    A.ACCEPTED: frozenset(),
    A.ACCEPTED_LATE: frozenset(),
    A.REFUSED_SAFE: frozenset(),
    A.REFUSED_FINAL: frozenset(),
    A.REFUSED_LATE: frozenset(),
}

TERMINAL = frozenset(
    {S.DELIVERED, S.UNDELIVERED, S.SENT_NO_REPORT, S.UNKNOWN, S.EXPIRED, S.CANCELLED, S.FAILED},
)
CORRECTABLE = frozenset(s for s in TERMINAL if MOVES[s])  # left only by evidence
WAITING = frozenset({S.QUEUED, S.RETRY_WAIT})  # may be claimed
CANCELLABLE = WAITING  # only before a part of it is armed
