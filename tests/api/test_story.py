"""What is shown of a part follows from its attempts."""

from __future__ import annotations

import pytest

from bridge.api.story import PartStatus as P
from bridge.api.story import message_detail
from bridge.model import Attempt, AttemptState, Message, Status

A = AttemptState
NOON = 1_893_499_200_000


def attempt(state: AttemptState, *, tp_st: int | None = None, at: int = 0, cms: int | None = None) -> Attempt:
    return Attempt(
        id=1 + at,
        message=1,
        part=1,
        channel="one",
        sim="s",
        recipient="+48600700800",
        armed_at=NOON + at,
        epoch=1,
        state=state,
        ended_at=None if state is A.ARMED else NOON + at + 1,
        tp_st=tp_st,
        cms=cms,
        reported_at=None if tp_st is None else NOON + at + 2,
    )


def message(status: Status, *, possible_duplicate: bool = False) -> Message:
    return Message(
        id=1, client=1, to="+48600700800", created_at=NOON, due_at=NOON, status=status,
        possible_duplicate=possible_duplicate,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "attempts", "shown"),
    [
        (Status.QUEUED, [], P.WAITING),
        (Status.CANCELLED, [], P.NOT_SENT),
        (Status.EXPIRED, [], P.NOT_SENT),
        (Status.SENDING, [attempt(A.ARMED)], P.SENDING),
        (Status.RETRY_WAIT, [attempt(A.REFUSED_SAFE)], P.WAITING),
        (Status.FAILED, [attempt(A.REFUSED_SAFE)], P.NOT_SENT),
        (Status.FAILED, [attempt(A.REFUSED_FINAL)], P.FAILED),
        (Status.IN_DOUBT, [attempt(A.IN_DOUBT)], P.IN_DOUBT),
        (Status.QUEUED, [attempt(A.REFUSED_LATE)], P.FAILED),
        (Status.UNKNOWN, [attempt(A.UNRESOLVED)], P.UNKNOWN),
        (Status.SENT, [attempt(A.ACCEPTED)], P.SENT),
        (Status.SENT, [attempt(A.ACCEPTED_LATE)], P.SENT),
        (Status.SENT, [attempt(A.ACCEPTED, tp_st=0x20)], P.SENT),
        (Status.DELIVERED, [attempt(A.ACCEPTED, tp_st=0x00)], P.DELIVERED),
        (Status.UNDELIVERED, [attempt(A.ACCEPTED, tp_st=0x45)], P.UNDELIVERED),
        (Status.UNDELIVERED, [attempt(A.ACCEPTED, tp_st=0x46)], P.UNDELIVERED),
        (Status.SENT, [attempt(A.REFUSED_SAFE), attempt(A.ACCEPTED, at=9)], P.SENT),
        # The first copy arrived after all: that is what the recipient knows.
        (Status.SENDING, [attempt(A.UNRESOLVED, tp_st=None), attempt(A.ARMED, at=9)], P.SENDING),
        (Status.SENDING, [attempt(A.ACCEPTED_LATE, tp_st=0x00), attempt(A.ARMED, at=9)], P.DELIVERED),
    ],
)
def test_status_of_a_part(status: Status, attempts: list[Attempt], shown: P) -> None:
    detail = message_detail(message(status), attempts, [], NOON)
    assert [part.status for part in detail.parts] == [shown]
    assert (detail.parts[0].sent_at is not None) == any(a.state in (A.ACCEPTED, A.ACCEPTED_LATE) for a in attempts)


@pytest.mark.parametrize(
    ("shown", "attempts", "retryable"),
    [
        (message(Status.SENT), [attempt(A.ACCEPTED)], None),
        (message(Status.DELIVERED), [attempt(A.ACCEPTED, tp_st=0)], None),
        (message(Status.EXPIRED), [], True),
        (message(Status.EXPIRED, possible_duplicate=True), [], False),
        (message(Status.UNKNOWN), [attempt(A.UNRESOLVED)], False),
        (message(Status.IN_DOUBT), [attempt(A.IN_DOUBT, cms=38)], False),
        (message(Status.FAILED), [attempt(A.REFUSED_FINAL, cms=1)], False),
        (message(Status.FAILED), [attempt(A.REFUSED_FINAL, cms=42)], True),
        (message(Status.FAILED), [attempt(A.REFUSED_FINAL)], False),
        (message(Status.UNDELIVERED), [attempt(A.ACCEPTED, tp_st=0x46)], True),
        (message(Status.UNDELIVERED), [attempt(A.ACCEPTED, tp_st=0x41)], False),
    ],
)
def test_ordering_again_is_advised_only_where_it_cannot_double(
    shown: Message, attempts: list[Attempt], retryable: bool | None
) -> None:
    problem = message_detail(shown, attempts, [], NOON).problem
    assert (None if problem is None else problem.retryable) is retryable
    if problem is not None:
        assert problem.title
        assert problem.detail
