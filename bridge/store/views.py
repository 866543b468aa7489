"""Reading, for works and for readers alike: `bridge.store.View` on one SQLite connection."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.model import (
    PARKED,
    ApiKey,
    Attempt,
    Batch,
    DueReport,
    EventRow,
    Idempotency,
    Inbound,
    Instant,
    Message,
    Received,
    Report,
    Status,
    show_id,
)
from bridge.store import MessageFilter
from bridge.store.affinity import AffinityView
from bridge.store.outbox import OutboxView
from bridge.store.queries import load
from bridge.store.rows import (
    API_KEY,
    ATTEMPT,
    BATCH,
    EVENT,
    IDEMPOTENCY,
    INBOUND,
    MESSAGE,
    RECEIVED,
    REPORT,
)
from bridge.store.schedules import ScheduleView
from bridge.store.talk import TalkView
from bridge.store.usage import UsageView
from drivers.contract import Followed

__all__ = ["SqlView"]

MESSAGES = load("messages")
QUEUE = load("queue")
ATTEMPTS = load("attempts")
INBOX = load("inbound")
ACCESS = load("access")

HIGHEST = (1 << 63) - 1
ABOVE_ALL = 1 << 30  # higher than any priority
UNRESOLVED_FOR = 3 * 86_400_000  # a late report may still resolve a doubt that policy has closed
REPEATS_FOR = 3_600_000  # a report of a delivery comes again within the hour, if at all


class SqlView(AffinityView, UsageView, OutboxView, ScheduleView, TalkView):
    # messages

    def message(self, id: int) -> Message | None:
        return self._one(MESSAGE, MESSAGES["message"], {"id": id})

    def messages(self, wanted: MessageFilter) -> list[Message]:
        first, last = 0, HIGHEST
        if wanted.batch is not None:
            batch = self.batch(wanted.batch)
            if batch is None:
                return []
            first, last = batch.first, batch.last
        return self._all(
            MESSAGE,
            MESSAGES["messages"],
            {
                "before": HIGHEST if wanted.before is None else wanted.before,
                "first": first,
                "last": last,
                "client": wanted.client,
                "recipient": wanted.to,
                "ref": wanted.ref,
                "batch": wanted.batch,
                "since": wanted.since,
                "until": wanted.until,
                "statuses": f",{','.join(wanted.statuses)}," if wanted.statuses else None,
                "limit": wanted.limit,
            },
        )

    def batch(self, id: int) -> Batch | None:
        return self._one(BATCH, MESSAGES["batch"], {"id": id})

    def batch_counts(self, batch: Batch) -> dict[Status, int]:
        between = {"first": batch.first, "last": batch.last, "batch": batch.id}
        return {Status(status): count for status, count in self._run(MESSAGES["batch_counts"], between)}

    def attempts(self, message: int) -> list[Attempt]:
        return self._all(ATTEMPT, ATTEMPTS["attempts"], {"message": message})

    def attempt(self, id: int) -> Attempt | None:
        return self._one(ATTEMPT, ATTEMPTS["attempt"], {"id": id})

    def history(self, message: int) -> list[EventRow]:
        """Begins with the acceptance, which the message itself bears witness to; it has no row of its own."""
        accepted = self.message(message)
        if accepted is None:
            return []
        first = EventRow(id=0, message=message, at=accepted.created_at, kind=Status.QUEUED.value)
        return [first, *self._all(EVENT, MESSAGES["history"], {"message": message})]

    def counts(self) -> dict[Status, int]:
        return {Status(status): count for status, count in self._run(MESSAGES["counts"])}

    # queue

    def queue_depth(self, now: Instant) -> tuple[int, int, Instant | None]:
        due, oldest = 0, None
        for queue in self.queues():
            priority = ABOVE_ALL
            while (below := self._value(QUEUE["next_priority"], {"queue": queue, "below": priority})) is not None:
                priority = below
                wanted = {"queue": queue, "priority": priority, "now": now}
                count, first = self._run(QUEUE["due_of"], wanted).fetchone()
                due += count
                oldest = first if oldest is None or (first is not None and first < oldest) else oldest
        return due, self._value(QUEUE["waiting"], {}) - due, oldest

    def queues(self) -> list[str]:
        names: list[str] = []
        name = ""
        while (name := self._value(QUEUE["next_queue"], {"after": name})) is not None:
            names.append(name)
        return [name for name in names if name != PARKED]

    def next_due(self, queues: Sequence[str], after: Instant) -> Instant | None:
        steps = [self._value(QUEUE["next_due"], {"queue": queue, "after": after}) for queue in queues]
        return min((at for at in steps if at is not None), default=None)

    # doubts and reports

    def open_doubts(self) -> int:
        return int(self._value(ATTEMPTS["open_doubts"], {}))

    def oldest_doubt(self) -> Instant | None:
        at: Instant | None = self._value(ATTEMPTS["oldest_doubt"], {})
        return at

    def next_deadline(self) -> Instant | None:
        deadline: Instant | None = self._value(ATTEMPTS["next_deadline"], {})
        return deadline

    def doubts_due(self, now: Instant, limit: int) -> list[Attempt]:
        return self._all(ATTEMPT, ATTEMPTS["doubts_due"], {"now": now, "limit": limit})

    def doubts_of(self, sim: str) -> list[Attempt]:
        return self._all(ATTEMPT, ATTEMPTS["doubts_of"], {"sim": sim, "since": self._now() - UNRESOLVED_FOR})

    def listening(self, sim: str, tp_mr: int) -> list[Attempt]:
        delivered = self._now() - REPEATS_FOR
        return self._all(ATTEMPT, ATTEMPTS["listening"], {"sim": sim, "tp_mr": tp_mr, "delivered": delivered})

    def listening_to(self, sim: str, recipient: str) -> list[Attempt]:
        delivered = self._now() - REPEATS_FOR
        wanted = {"sim": sim, "recipient": recipient, "delivered": delivered}
        return self._all(ATTEMPT, ATTEMPTS["listening_to"], wanted)

    def by_reference(self, channel: str, reference: str) -> Attempt | None:
        return self._one(ATTEMPT, ATTEMPTS["by_reference"], {"channel": channel, "reference": reference})

    def unreported(self, channel: str, limit: int) -> list[Followed]:
        found = self._run(ATTEMPTS["unreported"], {"channel": channel, "limit": limit}).fetchall()
        return [
            Followed(reference=reference, attempt_id=show_id("att", attempt), to=to)
            for reference, attempt, to in reversed(found)
        ]

    def due_reports(self, after: int, before: int, limit: int) -> list[DueReport]:
        left_out = self._value(ATTEMPTS["before_newest"], {"after": after, "before": before, "limit": limit})
        after = after if left_out is None else left_out
        found = self._run(ATTEMPTS["due_reports"], {"after": after, "before": before}).fetchall()
        return [
            DueReport(attempt=attempt, sim=sim, recipient=recipient, delivered=bool(delivered))
            for attempt, sim, recipient, delivered in found
        ]

    def orphans(self, sim: str, tp_mr: int | None, since: Instant) -> list[Report]:
        """`tp_mr` None: whatever theirs is. Oldest first."""
        return self._all(REPORT, ATTEMPTS["orphans"], {"sim": sim, "tp_mr": tp_mr, "since": since})

    def orphans_named(self, sim: str, reference: str, since: Instant) -> list[Report]:
        wanted = {"sim": sim, "reference": reference, "since": since}
        return self._all(REPORT, ATTEMPTS["orphans_named"], wanted)

    def reports(self, attempt: int) -> list[Report]:
        return self._all(REPORT, ATTEMPTS["reports"], {"attempt": attempt})

    # inbound

    def received_like(self, sim: str, fingerprint: str, since: Instant) -> list[Received]:
        return self._all(RECEIVED, INBOX["received_like"], {"sim": sim, "fingerprint": fingerprint, "since": since})

    def received_parts(self, sim: str, sender: str, reference: int, wide: bool, total: int) -> list[Received]:
        return self._all(
            RECEIVED,
            INBOX["received_parts"],
            {"sim": sim, "sender": sender, "reference": reference, "wide": int(wide), "total": total},
        )

    def incomplete(self, before: Instant, limit: int) -> list[Received]:
        return self._all(RECEIVED, INBOX["incomplete"], {"before": before, "limit": limit})

    def inbound(self, id: int) -> Inbound | None:
        return self._one(INBOUND, INBOX["inbound"], {"id": id})

    def inbounds(
        self,
        *,
        before: int | None = None,
        limit: int = 50,
        sender: str | None = None,
        channel: str | None = None,
        withheld: bool = False,
    ) -> list[Inbound]:
        return self._all(
            INBOUND,
            INBOX["inbounds"],
            {
                "before": HIGHEST if before is None else before,
                "limit": limit,
                "sender": sender,
                "channel": channel,
                "withheld": int(withheld),
            },
        )

    def last_replaceable(self, sim: str, sender: str, replace_type: int) -> int | None:
        wanted = {"sim": sim, "sender": sender, "replace_type": replace_type}
        last: int | None = self._value(INBOX["last_replaceable"], wanted)
        return last

    # access

    def keys(self) -> list[ApiKey]:
        return self._all(API_KEY, ACCESS["keys"], {})

    def key_by_digest(self, digest: bytes) -> ApiKey | None:
        """Revoked ones too: the caller says why it is refused."""
        return self._one(API_KEY, ACCESS["key_by_digest"], {"digest": digest})

    def idempotent(self, client: int, key: str) -> Idempotency | None:
        return self._one(IDEMPOTENCY, ACCESS["idempotent"], {"client": client, "key": key})

    def meta(self, name: str) -> str | None:
        value: str | None = self._value(ACCESS["meta"], {"name": name})
        return value
