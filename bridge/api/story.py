"""One message with all that happened to it: its parts, attempts and history, and what is wrong with it, if anything."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import assert_never

import msgspec

from bridge.api.problems import Gsm
from bridge.api.shapes import (
    AttemptOut,
    HistoryOut,
    MessageOut,
    Time,
    attempt_out,
    gsm_of,
    history_out,
    message_out,
    shown_time,
)
from bridge.model import Attempt, AttemptState, EventRow, Instant, Message, Status
from bridge.outbound.job import WHOLE
from bridge.states import TERMINAL
from drivers.contract import Cause
from drivers.gsm.outcome import Fate, classify, tp_status

__all__ = ["MessageDetail", "MessageProblem", "PartOut", "PartStatus", "message_detail"]


class PartStatus(StrEnum):
    WAITING = "waiting"  # no attempt yet, or proof that nothing was sent
    SENDING = "sending"
    IN_DOUBT = "in_doubt"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    UNKNOWN = "unknown"
    FAILED = "failed"
    NOT_SENT = "not_sent"  # the message ended before its turn came


class PartOut(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one part: the view of its last attempt. `tp_status`: TP-ST of its delivery report."""

    number: int
    status: PartStatus
    channel: str | None
    tp_mr: int | None
    tp_status: int | None
    sent_at: Time | None
    delivered_at: Time | None


class MessageProblem(msgspec.Struct, frozen=True, kw_only=True):
    """Why the message is not where it should be. `retryable`: ordering it again may succeed, and cannot double it."""

    type: str
    title: str
    code: str
    detail: str
    retryable: bool
    gsm: Gsm | None


class MessageDetail(MessageOut, frozen=True, kw_only=True):
    """A message with its parts, its attempts (oldest first) and its history (oldest first)."""

    parts: list[PartOut]
    attempts: list[AttemptOut]
    history: list[HistoryOut]
    problem: MessageProblem | None


def message_detail(
    message: Message, attempts: Sequence[Attempt], history: Sequence[EventRow], now: Instant
) -> MessageDetail:
    shown = message_out(message, now)
    return MessageDetail(
        **{name: getattr(shown, name) for name in MessageOut.__struct_fields__},
        parts=[_part(number, message, attempts) for number in range(1, message.parts + 1)],
        attempts=[attempt_out(attempt) for attempt in attempts],
        history=[history_out(row) for row in history],
        problem=_problem(message, attempts),
    )


_ACCEPTED = frozenset({AttemptState.ACCEPTED, AttemptState.ACCEPTED_LATE})
_TITLES = {
    Status.RETRY_WAIT: "The message was not sent yet and will be tried again",
    Status.IN_DOUBT: "Nobody knows yet whether the message was sent",
    Status.UNKNOWN: "Nobody knows whether the message was sent",
    Status.UNDELIVERED: "The message was sent, but did not reach the handset",
    Status.EXPIRED: "The message was not sent within its validity",
    Status.FAILED: "The message was not sent",
}
_PASSING = frozenset({Cause.SIM, Cause.NET, Cause.MODEM, Cause.BUSY, Cause.MEM, Cause.LINK})


def _part(number: int, message: Message, attempts: Sequence[Attempt]) -> PartOut:
    mine = [a for a in attempts if a.part in (number, WHOLE)]
    if not mine:
        status = PartStatus.NOT_SENT if message.status in TERMINAL else PartStatus.WAITING
        return PartOut(
            number=number, status=status, channel=None, tp_mr=None, tp_status=None, sent_at=None, delivered_at=None
        )
    # A copy that arrived counts, whatever a later one did.
    last = next((a for a in mine if _status(a, message) is PartStatus.DELIVERED), mine[-1])
    status = _status(last, message)
    return PartOut(
        number=number,
        status=status,
        channel=last.channel,
        tp_mr=last.tp_mr,
        tp_status=last.tp_st,
        sent_at=shown_time(last.ended_at) if last.state in _ACCEPTED and last.ended_at is not None else None,
        delivered_at=_delivered_at(last) if status is PartStatus.DELIVERED else None,
    )


def _status(attempt: Attempt, message: Message) -> PartStatus:
    match attempt.state:
        case AttemptState.ARMED:
            return PartStatus.SENDING
        case AttemptState.ACCEPTED | AttemptState.ACCEPTED_LATE:
            return _reported(attempt)
        case AttemptState.REFUSED_SAFE:
            return PartStatus.NOT_SENT if message.status in TERMINAL else PartStatus.WAITING
        case AttemptState.IN_DOUBT:
            return PartStatus.IN_DOUBT
        case AttemptState.UNRESOLVED:
            return PartStatus.UNKNOWN
        case AttemptState.REFUSED_FINAL | AttemptState.REFUSED_LATE:
            return PartStatus.FAILED
        case _:
            assert_never(attempt.state)


def _reported(attempt: Attempt) -> PartStatus:
    if attempt.fate is not None:
        fate = Fate(attempt.fate)
    elif attempt.tp_st is not None:
        fate = tp_status(attempt.tp_st).fate
    else:
        return PartStatus.SENT
    match fate:
        case Fate.DELIVERED:
            return PartStatus.DELIVERED
        case Fate.PENDING | Fate.UNCLEAR:
            return PartStatus.SENT
        case Fate.FAILED | Fate.FAILED_TEMPORARY | Fate.EXPIRED:
            return PartStatus.UNDELIVERED
        case _:
            assert_never(fate)


def _delivered_at(attempt: Attempt) -> str | None:
    at = attempt.discharged_at if attempt.discharged_at is not None else attempt.reported_at
    return None if at is None else shown_time(at)


def _problem(message: Message, attempts: Sequence[Attempt]) -> MessageProblem | None:
    title = _TITLES.get(message.status)
    if title is None:
        return None
    last = next((a for a in reversed(attempts) if gsm_of(a) is not None), None)
    code = message.code or message.status.value
    return MessageProblem(
        type=f"urn:gsm-bridge:problem:{code}",
        title=title,
        code=code,
        detail=message.reason or f"{title.lower()}.",
        retryable=_retryable(message, last),
        gsm=None if last is None else gsm_of(last),
    )


def _retryable(message: Message, last: Attempt | None) -> bool:
    if message.status is Status.EXPIRED:
        return not message.possible_duplicate
    if message.status not in (Status.FAILED, Status.UNDELIVERED) or last is None:
        return False
    if last.tp_st is not None:
        return tp_status(last.tp_st).fate in (Fate.FAILED_TEMPORARY, Fate.EXPIRED)
    return last.cms is not None and classify(cms=last.cms).definite in _PASSING
