"""What the end of a submission does to its attempt and its message. Each function is part of one transaction.

receipt   -> attempt accepted;   message sent, or on to the next part
NotSent   -> attempt refused_safe;  retry_wait, queued for another channel, failed or expired  (policy.retry)
Refused   -> attempt refused_final; queued for another channel, or failed                      (policy.retry)
MaybeSent -> attempt in_doubt;   message in_doubt until evidence or the deadline               (policy.doubt)
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bridge.model import ANY_CHANNEL, Attempt, AttemptState, DoubtPolicy, Instant, Message, Status, route_queue
from bridge.outbound.job import DONE, complete, done
from bridge.policy import doubt, retry, stranded
from bridge.store import Changes
from drivers.contract import NotSent, Receipt, Refused, SubmitError

__all__ = [
    "Rules",
    "Surroundings",
    "accept",
    "close_doubt",
    "end",
    "fail",
    "give_doubt",
    "prove_sent",
    "put_back",
    "strand",
]

REFUSED = frozenset({AttemptState.REFUSED_SAFE, AttemptState.REFUSED_FINAL, AttemptState.REFUSED_LATE})
PARTS_LEFT = "parts_left"  # why a half-sent message waits in its channel's queue


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration says about trying again. Milliseconds."""

    delays: tuple[int, ...] = (30_000, 120_000, 600_000)
    max_tries: int = 10
    windows: doubt.Windows = doubt.Windows()


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """Facts about the rest of the bridge when the submission ended."""

    channel: str
    others: frozenset[str] = frozenset()  # other channels that could send now
    sticks: bool = False  # the route wants to know which channel sent it


def end(
    changes: Changes,
    message: Message,
    attempt: Attempt,
    outcome: Receipt | SubmitError | None,
    now: Instant,
    *,
    rules: Rules,
    around: Surroundings,
    last: bool = True,
) -> Attempt | None:
    """Whatever a submission came back with. Returns the attempt as it is now when reports may be for it."""
    if isinstance(outcome, Receipt):
        if around.sticks:
            changes.stick(message.to, around.channel, now)
        return accept(changes, message, attempt, outcome, now, last=last)
    if isinstance(outcome, NotSent | Refused):
        earlier = changes.attempts(message.id)
        fail(changes, message, attempt, outcome, now, rules=rules, around=around, earlier=earlier)
        return None
    if outcome is None:
        return None
    return give_doubt(changes, message, attempt, outcome.code, outcome.detail, now, rules=rules)


def accept(
    changes: Changes, message: Message, attempt: Attempt, receipt: Receipt, now: Instant, *, last: bool
) -> Attempt:
    """`last`: no part is left. Otherwise the caller arms the next part in the same transaction, or puts the rest back
    with `put_back`. Returns the attempt as it is now."""
    changes.end(
        attempt.id,
        AttemptState.ACCEPTED,
        now,
        reference=receipt.reference,
        tp_mr=receipt.tp_mr,
        listening=message.report,
    )
    data: dict[str, str | int | bool | None] = {
        "channel": attempt.channel,
        "part": attempt.part,
        "tp_mr": receipt.tp_mr,
    }
    if receipt.tp_mr is None:  # a provider's
        data["reference"] = receipt.reference
    if receipt.parts is not None and receipt.parts != message.parts:
        data["parts_by_carrier"] = receipt.parts  # it counts otherwise than we: shown, not hidden
    if last:
        changes.move(message.id, Status.SENT, now, data=data)
    else:
        changes.note(message.id, now, "part_sent", data)
    if receipt.cost is not None:
        changes.charge(message.id, str(receipt.cost), receipt.currency)
    return msgspec.structs.replace(
        attempt, state=AttemptState.ACCEPTED, ended_at=now, reference=receipt.reference, tp_mr=receipt.tp_mr
    )


def put_back(changes: Changes, message: Message, channel: str, now: Instant) -> None:
    """The rest of a half-sent message waits for the same SIM: from another one it would not be put together."""
    changes.move(
        message.id,
        Status.QUEUED,
        now,
        code=PARTS_LEFT,
        reason="some parts are sent, the rest waits for the same SIM",
        queue=channel,
        due_at=now,
    )


def fail(
    changes: Changes,
    message: Message,
    attempt: Attempt,
    error: SubmitError,
    now: Instant,
    *,
    rules: Rules,
    around: Surroundings,
    earlier: Sequence[Attempt],
    late: bool = False,
) -> None:
    """A `NotSent` or a `Refused`. `late`: it closes a doubt."""
    refused = isinstance(error, Refused)
    definite = AttemptState.REFUSED_FINAL if refused else AttemptState.REFUSED_SAFE
    state = AttemptState.REFUSED_LATE if late else definite
    changes.end(attempt.id, state, now, code=error.code, cms=error.cms, detail=error.detail)
    # A channel that has failed with this message before is no way out: two failing ones would pass it to and fro.
    tried = {a.channel for a in earlier if a.state in REFUSED}
    decision = retry.after(
        retry.Failure(
            refused=refused,
            cause=error.cause,
            code=error.code,
            detail=error.detail,
            now=now,
            due_at=message.due_at,
            channel=around.channel,
            bound=message.channel is not None,
            tries=message.tries,
            max_tries=rules.max_tries,
            delays=rules.delays,
            expires_at=message.expires_at,
            policy=message.policy,
            others=bool(around.others - tried),
            everywhere=isinstance(error, Refused) and error.everywhere,
            elsewhere=any(a.state is AttemptState.REFUSED_FINAL and a.channel != around.channel for a in earlier),
            partly=any(a.state in DONE and a.sim == attempt.sim and a.part != attempt.part for a in earlier),
            retry_after=error.retry_after if isinstance(error, NotSent) else None,
            channel_unusable=isinstance(error, NotSent) and error.channel_unusable,
            retries=error.retries if isinstance(error, NotSent) else None,
            repeats=sum(
                a.id != attempt.id and (a.channel, a.part, a.code) == (attempt.channel, attempt.part, error.code)
                for a in earlier
            ),
        )
    )
    data: dict[str, str | int | bool | None] = {
        "channel": attempt.channel,
        "part": attempt.part,
        "code": error.code,
        "cms": error.cms,
    }
    match decision:
        case retry.Requeue():
            changes.move(
                message.id,
                Status.RETRY_WAIT if decision.wait else Status.QUEUED,
                now,
                code=error.code,
                reason=error.detail,
                queue=_queue(decision.queue, message),
                due_at=decision.due_at,
                tries=message.tries + decision.counts,
                possible_duplicate=True if decision.whole else None,
                data=data,
            )
        case retry.GiveUp():
            changes.move(
                message.id,
                Status.EXPIRED if decision.expired else Status.FAILED,
                now,
                code=decision.code,
                reason=decision.reason,
                tries=message.tries + 1,
                data=data,
            )


def give_doubt(
    changes: Changes, message: Message, attempt: Attempt, code: str, detail: str, now: Instant, *, rules: Rules
) -> Attempt:
    """Returns the attempt as it is now, with the deadline at which the doubt is closed if no evidence has come."""
    until = doubt.deadline(
        message.policy, priority=message.priority, now=now, expires_at=message.expires_at, windows=rules.windows
    )
    changes.end(attempt.id, AttemptState.IN_DOUBT, now, code=code, detail=detail, deadline=until)
    changes.move(
        message.id,
        Status.IN_DOUBT,
        now,
        code=code,
        reason=detail,
        tries=message.tries + 1,
        data={"channel": attempt.channel, "part": attempt.part, "code": code, "until": until},
    )
    return msgspec.structs.replace(attempt, state=AttemptState.IN_DOUBT, ended_at=now, deadline=until)


def close_doubt(
    changes: Changes, attempt: Attempt, now: Instant, *, channel_up: bool, rules: Rules
) -> doubt.Resend | doubt.Close | None:
    """The evidence window of an attempt in doubt has passed. None: its message had moved on already."""
    changes.end(attempt.id, AttemptState.UNRESOLVED, now)
    message = changes.message(attempt.message)
    if message is None or message.status is not Status.IN_DOUBT:
        return None
    attempts = changes.attempts(message.id)
    decision = doubt.at_deadline(
        message.policy,
        now=now,
        expires_at=message.expires_at,
        channel=attempt.channel,
        channel_up=channel_up,
        bound=message.channel is not None,
        partly=message.policy is not DoubtPolicy.URGENT and any(done(a) for a in attempts),
        tries=message.tries,
        max_tries=rules.max_tries,
    )
    match decision:
        case doubt.Resend():
            changes.move(
                message.id,
                Status.QUEUED,
                now,
                code="resend",
                reason="no evidence came that it was sent; sent again, it may arrive twice",
                queue=_queue(decision.queue, message),
                due_at=now,
                possible_duplicate=True,
                event="resend",
                data={"part": attempt.part, "queue": decision.queue},
            )
        case doubt.Close():
            changes.move(
                message.id,
                Status.UNKNOWN,
                now,
                code="doubt_not_resolved",
                reason=decision.reason,
                data={"part": attempt.part},
            )
    return decision


def strand(changes: Changes, message: Message, channel: str, now: Instant, *, others: bool) -> bool:
    """A claimed message whose channel has been out of service for long. Returns whether it waits no more for it."""
    attempts = changes.attempts(message.id)
    decision = stranded.decide(
        bound=message.channel is not None,
        partly=message.parts > 1 and any(done(a) for a in attempts),
        policy=message.policy,
        others=others,
    )
    match decision:
        case stranded.Stay():
            changes.release(message.id, channel, message.due_at, as_of=message.updated_at)
            return False
        case stranded.Elsewhere():
            reason = "the SIM it waited for is out of service; it goes by another one"
            return changes.release(message.id, route_queue(message), now, code="sim_out_of_service", reason=reason)
        case stranded.Fail():
            return changes.move(message.id, Status.FAILED, now, code="partly_sent", reason=decision.reason)


def prove_sent(
    changes: Changes, attempt: Attempt, now: Instant, *, reference: str | None, tp_mr: int | None, by: str
) -> bool:
    """Evidence says that an attempt in doubt was sent. `by`: "late_result" or "report". False: it was not in doubt."""
    if not changes.end(attempt.id, AttemptState.ACCEPTED_LATE, now, reference=reference, tp_mr=tp_mr, listening=True):
        return False
    message = changes.message(attempt.message)
    if message is None:
        return True
    data: dict[str, str | int | bool | None] = {
        "channel": attempt.channel,
        "part": attempt.part,
        "tp_mr": tp_mr,
        "by": by,
    }
    attempts = changes.attempts(message.id)
    if complete(message, attempts):
        # From the queue too: a resend that is not armed yet is no longer needed.
        if not changes.move(message.id, Status.SENT, now, data=data):
            changes.note(message.id, now, by, data)
    elif message.status is Status.IN_DOUBT and not any(a.state is AttemptState.IN_DOUBT for a in attempts):
        put_back(changes, message, attempt.channel, now)
    else:
        changes.note(message.id, now, by, data)
    return True


def _queue(decided: str, message: Message) -> str:
    """Policy says "any channel"; that is any channel of the message's route."""
    return route_queue(message) if decided == ANY_CHANNEL else decided
