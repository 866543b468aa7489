"""A claimed message on its way through one channel: which parts are left, and what is handed to the driver."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from bridge.model import Attempt, AttemptState, Instant, Message, show_id
from drivers.contract import Part, Submission, Takes
from drivers.gsm import segments
from drivers.gsm.outcome import Fate

__all__ = ["DONE", "FAILURES", "WHOLE", "Job", "complete", "done", "job_for", "parts_of", "submission", "taken_back"]

WHOLE = 0  # number of the one part of a message that goes as a whole
DONE = frozenset({AttemptState.ACCEPTED, AttemptState.ACCEPTED_LATE})
FAILURES = frozenset({Fate.FAILED, Fate.FAILED_TEMPORARY, Fate.EXPIRED})  # unclear ones say neither yes nor no


class Job(msgspec.Struct, kw_only=True):
    """`left`: parts still to send, in order; on a channel that takes messages the one part `WHOLE`. `earlier`: attempts
    made before this claim."""

    message: Message
    parts: list[Part]
    left: list[int]
    sim: str = ""  # what is left was reckoned for this SIM
    earlier: tuple[Attempt, ...] = ()
    duplicate: bool = False  # the next submission may be a duplicate


def job_for(message: Message, earlier: tuple[Attempt, ...], sim: str, takes: Takes = Takes.PART) -> Job:
    """What remains to be done on this channel. Parts accepted by another SIM do not count: a phone joins only parts
    from one sender."""
    accepted = [a for a in earlier if done(a)]
    if takes is Takes.MESSAGE:
        parts: list[Part] = []
        left = [] if complete(message, accepted) else [WHOLE]
        again = bool(accepted)
    else:
        parts = parts_of(message)
        here = {a.part for a in accepted if a.sim == sim or message.parts == 1}
        left = [] if complete(message, accepted) else [p.number for p in parts if p.number not in here]
        again = len(here) < len({a.part for a in accepted})
    return Job(
        message=message,
        parts=parts,
        left=left,
        sim=sim,
        earlier=earlier,
        duplicate=message.possible_duplicate or again,
    )


def complete(message: Message, attempts: Iterable[Attempt]) -> bool:
    """Some channel has accepted all of it."""
    by_sim: dict[str, set[int]] = {}
    for a in attempts:
        if done(a):
            by_sim.setdefault(a.sim, set()).add(a.part)
    return any(WHOLE in parts or len(parts) == message.parts for parts in by_sim.values())


def done(attempt: Attempt) -> bool:
    """It needs no other attempt: accepted, and not taken back by a provider's later report."""
    return attempt.state in DONE and not taken_back(attempt)


def taken_back(attempt: Attempt) -> bool:
    """A provider that took the whole message reported later that it did not arrive."""
    return attempt.part == WHOLE and attempt.state in DONE and attempt.fate in FAILURES


def parts_of(message: Message) -> list[Part]:
    """The same cut every time: text, header, encoding and reference are all in the row."""
    reference = message.concatenation if message.wide_reference else message.concatenation & 0xFF
    if message.data is not None:
        return segments.split_binary(message.data, reference=reference, wide=message.wide_reference, udh=message.udh)
    return segments.split(
        message.text or "",
        reference=reference,
        wide=message.wide_reference,
        udh=message.udh,
        encoding=message.encoding,
    )


def submission(message: Message, part: Part | None, attempt: int, now: Instant, sim: str = "") -> Submission:
    """`part` None: the whole message, for a channel that takes messages. `sim`: it may go by no other one."""
    return Submission(
        attempt_id=show_id("att", attempt),
        sim=sim,
        to=message.to,
        sender=message.sender,
        text=message.text,
        part=part,
        message_class=message.message_class,
        validity=None if message.expires_at is None else (message.expires_at - now) // 1000,
        report=message.report,
        reply_path=message.reply_path,
        reject_duplicates=message.reject_duplicates,
        protocol_id=message.protocol_id,
        dcs=message.dcs,
        kind=message.kind.value,
        encoding=message.encoding,
        parts=message.parts,
        data=message.data,
        udh=message.udh,
        options=message.options,
    )
