"""A channel's limits at work: asked and counted in the transaction that arms, so that a crash neither forgets nor
counts twice, and two hundred orders at once cannot pass a limit of ten."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from bridge.events import EventType, SimData
from bridge.model import Instant, Message
from bridge.outbound.job import WHOLE
from bridge.policy import quota
from bridge.policy.quota import Counter, Full, Limits, Used
from bridge.store import Changes, View

__all__ = ["QUOTA_USED", "Meter"]

QUOTA_USED = "quota_used"


class Meter:
    """What is known outside a transaction (`full`, `room`) is a copy of the last look, good enough to claim by."""

    def __init__(self, channel: str, limits: Limits, now: Callable[[], Instant]) -> None:
        self._channel = channel
        self._limits = limits
        self._now = now
        self._last: tuple[Used, ...] = ()
        self._full: Full | None = None
        self._closed: dict[str, Instant] = {}  # people beyond a limit of recipients, and until when

    @property
    def full(self) -> Full | None:
        """Nothing may go now, whoever it is for."""
        if self._full is not None and self._full.until <= self._now():
            self._full = None
        return self._full

    @property
    def room(self) -> int:
        """How many messages to claim at most."""
        now = self._now()
        return quota.room([u for u in self._last if u.ends > now and u.limit.counter is not Counter.RECIPIENTS])

    def closed_to(self, recipient: str) -> Instant | None:
        """Until when this person is beyond the limit of different recipients."""
        until = self._closed.get(recipient)
        if until is not None and until <= self._now():
            del self._closed[recipient]
            return None
        return until

    def look(self, view: View, now: Instant) -> tuple[Used, ...]:
        """What the present spans have used."""
        rows = view.used(self._channel)
        found = []
        for limit in self._limits.limits:
            began, ends = quota.span_of(limit.span, now, self._limits)
            at, used = rows.get(limit.name, (began, 0))
            # Also with a clock that stepped back a span is not begun twice.
            found.append(Used(limit, max(began, at), ends, used if at >= began else 0))
        return self._remember(found)

    def take(self, changes: Changes, message: Message, part: int, left: int, now: Instant) -> Full | None:
        """Count a part that is about to be armed, or say why it may not go. `left`: parts still to send, this one among
        them. The rest of a half-sent message is let through: the phone has begun to put it together."""
        first = part == WHOLE or left == message.parts
        used = self.look(changes, now)
        fresh = {
            u.limit.name
            for u in used
            if u.limit.counter is Counter.RECIPIENTS
            and not changes.counted(self._channel, u.limit.name, u.began, message.to)
        }
        if first:
            wanted = {Counter.PARTS: message.parts, Counter.MESSAGES: 1}
            over = quota.full([u for u in used if u.limit.counter is not Counter.RECIPIENTS], wanted)
            if over is not None:  # also when a shorter one would still fit: the order of messages counts more
                self._full = over
                return over
            over = quota.full([u for u in used if u.limit.name in fresh], {Counter.RECIPIENTS: 1})
            if over is not None:
                self._closed[message.to] = over.until
                return over
        after = []
        for u in used:
            more = self._more(u, message, part, first=first, fresh=fresh)
            after.append(msgspec.structs.replace(u, used=u.used + more))
            if not more:
                continue
            changes.use(self._channel, u.limit.name, u.began, more)
            if u.limit.counter is Counter.RECIPIENTS:
                changes.count_recipient(self._channel, u.limit.name, u.began, message.to)
            if quota.crossed(u, more):
                reason = f"four fifths of its {u.limit.counter.value} a {u.limit.span.value} are used up"
                data = SimData(
                    channel=self._channel, code=u.limit.name, reason=reason, used=u.used + more, limit=u.limit.most
                )
                changes.emit(EventType.SIM_QUOTA_80, now, key=self._channel, data=data, channel=self._channel)
        self._remember(after)
        return None

    def _remember(self, used: Sequence[Used]) -> tuple[Used, ...]:
        self._last = tuple(used)
        counted = [u for u in used if u.limit.counter is not Counter.RECIPIENTS]
        self._full = quota.full(counted, {Counter.PARTS: 1, Counter.MESSAGES: 1})
        return self._last

    def _more(self, used: Used, message: Message, part: int, *, first: bool, fresh: set[str]) -> int:
        match used.limit.counter:
            case Counter.PARTS:
                return message.parts if part == WHOLE else 1
            case Counter.MESSAGES:
                return int(first)
            case Counter.RECIPIENTS:
                return int(first and used.limit.name in fresh)
