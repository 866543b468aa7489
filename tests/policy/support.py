"""Values that the policy tests begin with; a test names only what matters to it."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import settings

from bridge.model import Attempt, AttemptState, DoubtPolicy, Instant, Received
from bridge.policy.admission import Order
from bridge.policy.correlation import recipient_key
from bridge.policy.retry import Failure
from drivers.contract import Cause, Incoming

QUICK = settings(max_examples=150)

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NOON: Instant = 1_773_489_600_000  # 2026-03-14T12:00:00Z
DUE = NOON - MINUTE  # when a message became due that fails at noon

ALICE = "+447700900123"
BOB = "+447700900456"
SIM = "8944110000000000001"


def order(**fields: Any) -> Order:
    return msgspec.structs.replace(Order(to=ALICE, text="hello"), **fields)


def failure(**fields: Any) -> Failure:
    """The network failed once; no other channel is there."""
    usual = Failure(
        refused=False,
        cause=Cause.NET,
        code="cms_42",
        detail="congestion",
        now=NOON,
        due_at=DUE,
        channel="gsm1",
        bound=False,
        tries=0,
        max_tries=10,
        delays=(30 * SECOND, 2 * MINUTE, 10 * MINUTE),
        expires_at=None,
        policy=DoubtPolicy.AT_LEAST_ONCE,
    )
    return msgspec.structs.replace(usual, **fields)


def attempt(id: int, to: str = ALICE, tp_mr: int | None = 42, *, armed_at: Instant = NOON, **fields: Any) -> Attempt:
    """Accepted three seconds after arming."""
    usual = Attempt(
        id=id,
        message=id + 1000,
        part=1,
        channel="gsm1",
        sim=SIM,
        recipient=recipient_key(to),
        armed_at=armed_at,
        ended_at=armed_at + 3 * SECOND,
        epoch=1,
        state=AttemptState.ACCEPTED,
        tp_mr=tp_mr,
        listening=True,
    )
    return msgspec.structs.replace(usual, **fields)


def doubt(id: int, to: str = ALICE, *, armed_at: Instant = NOON, **fields: Any) -> Attempt:
    """No answer came within three minutes."""
    usual = attempt(
        id, to, None, armed_at=armed_at, ended_at=armed_at + 3 * MINUTE, state=AttemptState.IN_DOUBT, listening=False
    )
    return msgspec.structs.replace(usual, **fields)


def part(id: int, number: int, total: int, text: str, *, at: Instant = NOON, **fields: Any) -> Received:
    usual = Received(
        id=id,
        channel="gsm1",
        sim=SIM,
        fingerprint=f"print-{text}",
        pdu="00",
        received_at=at,
        sender=ALICE,
        text=text,
        reference=42,
        total=total,
        number=number,
        sent_at=at,
    )
    return msgspec.structs.replace(usual, **fields)


def offer(**fields: Any) -> Incoming:
    return msgspec.structs.replace(Incoming(sim=SIM, pdu="00", fingerprint="one", session="s1", slot="SM:1"), **fields)


def stored(incoming: Incoming, at: Instant = NOON) -> Received:
    """What was kept of an incoming PDU."""
    return Received(
        id=1,
        channel="gsm1",
        sim=incoming.sim,
        fingerprint=incoming.fingerprint,
        pdu=incoming.pdu,
        received_at=at,
        slot=incoming.slot,
        session=incoming.session,
    )
