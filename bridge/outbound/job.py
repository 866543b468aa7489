"""A claimed message on its way through one channel: which parts are left, and what is handed to the driver."""

from __future__ import annotations

import msgspec

from bridge.model import Attempt, AttemptState, Instant, Message, show_id
from drivers.contract import Part, Submission
from drivers.gsm import segments

__all__ = ["Job", "job_for", "parts_of", "submission"]

DONE = frozenset({AttemptState.ACCEPTED, AttemptState.ACCEPTED_LATE})


class Job(msgspec.Struct, kw_only=True):
    """`left`: parts still to send, in order. `earlier`: attempts made before this claim."""

    message: Message
    parts: list[Part]
    left: list[int]
    earlier: tuple[Attempt, ...] = ()
    duplicate: bool = False  # the next submission may be a duplicate


def job_for(message: Message, earlier: tuple[Attempt, ...], sim: str) -> Job:
    """What remains to be done on this SIM. Parts accepted by another SIM do not count: a phone joins only parts from
    one sender."""
    parts = parts_of(message)
    accepted = [a for a in earlier if a.state in DONE]
    done = {a.part for a in accepted if a.sim == sim or message.parts == 1}
    return Job(
        message=message,
        parts=parts,
        left=[p.number for p in parts if p.number not in done],
        earlier=earlier,
        duplicate=message.possible_duplicate or len(done) < len({a.part for a in accepted}),
    )


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


def submission(message: Message, part: Part, attempt: int, now: Instant) -> Submission:
    return Submission(
        attempt_id=show_id("att", attempt),
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
    )
