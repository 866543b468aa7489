"""The canary: a text from one SIM of ours to another, on a schedule, to know that texts go and come. Pure.

One is on its way at a time. It is known by a token in its text. One that does not come within its time is missed;
should it come later, it is still known, and told to nobody as a message."""

from __future__ import annotations

import re

import msgspec

from bridge.model import Instant

__all__ = ["Flight", "Fly", "Miss", "State", "Step", "Wait", "arrived", "flown", "missed", "step", "token_in", "words"]

REMEMBERED = 10  # tokens of canaries that were missed
ALARM_AGAIN = 24 * 3_600_000  # while one after the other is missed

_WORDS = re.compile(r"gsm-bridge canary ([0-9a-f]{12})")


class Flight(msgspec.Struct, frozen=True, kw_only=True):
    """A canary that was ordered."""

    token: str
    message: int
    ordered_at: Instant
    due_at: Instant
    over: bool = False  # arrived or missed


class State(msgspec.Struct, frozen=True, kw_only=True):
    """As kept in the store. `ok`, `seconds`: of the last one, None: not known yet; a missed one that came late has its
    seconds too. `missed_in_row` since one arrived in time."""

    flight: Flight | None = None
    next_at: Instant = 0
    ok: bool | None = None
    seconds: float | None = None
    missed_in_row: int = 0
    alarmed_at: Instant = 0
    tokens: tuple[str, ...] = ()  # of missed ones


class Fly(msgspec.Struct, frozen=True):
    """Order the next."""


class Miss(msgspec.Struct, frozen=True, kw_only=True):
    """It did not come. `alarm`: people are to be told by text."""

    flight: Flight
    alarm: bool


class Wait(msgspec.Struct, frozen=True):
    until: Instant


Step = Fly | Miss | Wait


def step(state: State, now: Instant, *, every: int, patience_from: Instant, within: int) -> Step:
    """What is to be done. `every`, `within`: milliseconds. `patience_from`: when the service started; what came while
    it was away lies in the modem and is read first."""
    flight = state.flight
    if flight is not None and now < flight.ordered_at:  # the clock was set back
        return Fly()
    if flight is not None and not flight.over:
        due = max(flight.due_at, patience_from + within)
        if now < due:
            return Wait(due)
        first = state.missed_in_row == 0
        return Miss(flight=flight, alarm=first or now - state.alarmed_at >= ALARM_AGAIN)
    next_at = state.next_at if flight is None else min(state.next_at, flight.ordered_at + every)
    return Wait(next_at) if now < next_at else Fly()


def flown(state: State, token: str, message: int, now: Instant, *, every: int, within: int) -> State:
    """It was ordered. One that was given up is remembered."""
    before = state.flight
    given_up = (before.token,) if before is not None and not before.over else ()
    return msgspec.structs.replace(
        state,
        flight=Flight(token=token, message=message, ordered_at=now, due_at=now + within),
        next_at=now + every,
        tokens=(*state.tokens, *given_up)[-REMEMBERED:],
    )


def missed(state: State, miss: Miss, now: Instant) -> State:
    return msgspec.structs.replace(
        state,
        flight=msgspec.structs.replace(miss.flight, over=True),
        ok=False,
        seconds=None,
        missed_in_row=state.missed_in_row + 1,
        alarmed_at=now if miss.alarm else state.alarmed_at,
        tokens=(*state.tokens, miss.flight.token)[-REMEMBERED:],
    )


def arrived(state: State, token: str, now: Instant) -> State | None:
    """A text with this token has come. None: it is no canary of ours."""
    flight = state.flight
    if flight is not None and flight.token == token:
        seconds = max(0, now - flight.ordered_at) / 1000
        if flight.over:  # late, or a second copy
            return state if state.ok else msgspec.structs.replace(state, seconds=seconds)
        over = msgspec.structs.replace(flight, over=True)
        return msgspec.structs.replace(state, flight=over, ok=True, seconds=seconds, missed_in_row=0)
    return state if token in state.tokens else None


def words(token: str) -> str:
    return f"gsm-bridge canary {token}"


def token_in(text: str | None) -> str | None:
    found = _WORDS.fullmatch((text or "").strip())
    return None if found is None else found[1]
