"""Parts of a long incoming text, put together. They come out of order, twice, hours apart, or never."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bridge.model import Instant, Received

__all__ = ["WAIT", "Group", "groups"]

WAIT = 24 * 3_600_000  # then what came is passed on, marked incomplete


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Parts of one message in the order of their numbers, and every row that belongs to it, repeats included."""

    parts: tuple[Received, ...]
    rows: tuple[int, ...]
    total: int

    @property
    def missing(self) -> tuple[int, ...]:
        there = {p.number for p in self.parts}
        return tuple(n for n in range(1, self.total + 1) if n not in there)


def groups(received: Sequence[Received]) -> list[Group]:
    """Parts with one concatenation key (SIM, sender, reference, width, total), oldest first, as messages.

    Senders use a reference again, some always the same one. So a part that says something else than the one we have
    begins another message, and a part that several messages lack goes to the one nearest in time.
    """
    found: list[dict[int, Received]] = []
    rows: list[list[int]] = []
    for part in received:
        home = _home(part, found)
        if home is None:
            found.append({part.number: part})
            rows.append([part.id])
        else:
            found[home].setdefault(part.number, part)
            rows[home].append(part.id)
    return [
        Group(parts=tuple(members[n] for n in sorted(members)), rows=tuple(ids), total=received[0].total)
        for members, ids in zip(found, rows, strict=True)
    ]


def _home(part: Received, found: Sequence[dict[int, Received]]) -> int | None:
    repeats = [at for at, members in enumerate(found) if _same(part, members.get(part.number))]
    lacking = [at for at, members in enumerate(found) if part.number not in members]
    return min(repeats or lacking, key=lambda at: _apart(part, found[at]), default=None)


def _same(part: Received, known: Received | None) -> bool:
    return known is not None and known.data == part.data and known.text == part.text


def _apart(part: Received, members: dict[int, Received]) -> int:
    return min(abs(_time(part) - _time(member)) for member in members.values())


def _time(part: Received) -> Instant:
    return part.sent_at if part.sent_at is not None else part.received_at
