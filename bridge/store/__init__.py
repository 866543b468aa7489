"""The store in the business's verbs. Two implementations may exist; the business sees only this page.

All changes go through `Store.write`: the work is a plain function of a `Changes`, run by the one writer in the next
group commit, each in its own savepoint. The awaited result comes back only after COMMIT with full sync. If the work
raises, its own changes are undone, the others' stand. Works are short and never wait for anything.

Reads go through `Store.read`, on read-only connections, and see what is committed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from bridge.endpoints import Delivery, DeliveryState, Endpoint, Try
from bridge.events import Event, EventType
from bridge.model import (
    ApiKey,
    Attempt,
    AttemptState,
    Batch,
    CallRow,
    Conversation,
    DueReport,
    EventRow,
    Idempotency,
    Inbound,
    Instant,
    Message,
    Occurrence,
    OptOut,
    ProgramRun,
    Received,
    Report,
    Schedule,
    SentTo,
    Status,
)
from drivers.contract import Followed

__all__ = [
    "BACKUP_AT",
    "CHECKED_AT",
    "CLOCK_HIGHEST",
    "DAMAGE",
    "IN_USE",
    "RESTORED_AT",
    "Changes",
    "MessageFilter",
    "NewerDatabase",
    "Store",
    "StoreDamaged",
    "StoreError",
    "StoreFull",
    "StoreInUse",
    "View",
]

T = TypeVar("T")

CLOCK_HIGHEST = "clock_highest"  # in meta: the latest time at which the clock was known to be right
IN_USE = "in_use"  # "1" from the opening to an orderly close
CHECKED_AT = "checked_at"  # when the whole check found nothing
DAMAGE = "damage"  # what it found; it stands until a check before the start finds nothing
BACKUP_AT = "backup_at"  # only in a backup: when it was made
RESTORED_AT = "restored_at"  # when a backup was put back; nothing that was due before is sent by itself


class StoreError(Exception):
    """The store cannot do its work. The message says what to do."""


class StoreFull(StoreError):
    """The disk is full: nothing of this work was kept."""


class StoreInUse(StoreError):
    """Another process holds this database."""


class StoreDamaged(StoreError):
    """The database is damaged, or a commit or sync failed: stop, and check at the next start."""


class NewerDatabase(StoreError):
    """The database was written by a newer version of gsm-bridge."""


class MessageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first. Fields that are None do not filter."""

    client: int | None = None
    statuses: tuple[Status, ...] = ()
    to: str | None = None
    ref: str | None = None
    batch: int | None = None
    before: int | None = None  # only ids below this one: the cursor
    since: Instant | None = None
    until: Instant | None = None
    limit: int = 50


class View(Protocol):
    """What can be read, from inside a work or from outside."""

    def message(self, id: int) -> Message | None: ...
    def messages(self, wanted: MessageFilter) -> list[Message]: ...
    def batch(self, id: int) -> Batch | None: ...
    def batch_counts(self, batch: Batch) -> dict[Status, int]: ...
    def attempts(self, message: int) -> list[Attempt]:
        """Oldest first."""

    def attempt(self, id: int) -> Attempt | None: ...
    def history(self, message: int) -> list[EventRow]:
        """Oldest first."""

    def counts(self) -> dict[Status, int]:
        """Messages by status. Costs a scan; for people and metrics, not for decisions."""

    def queue_depth(self, now: Instant) -> tuple[int, int, Instant | None]:
        """Messages due, messages waiting for a later time, and the due time of the oldest due one."""

    def open_doubts(self) -> int: ...
    def oldest_doubt(self) -> Instant | None:
        """Since when the oldest open doubt is one."""

    def queues(self) -> list[str]:
        """The names of the queues in which anything waits. One index step each."""

    def next_due(self, queues: Sequence[str], after: Instant) -> Instant | None:
        """The earliest due time later than `after` in these queues. One index step a priority."""

    def next_deadline(self) -> Instant | None:
        """The earliest deadline of an attempt in doubt."""

    def doubts_due(self, now: Instant, limit: int) -> list[Attempt]: ...
    def doubts_of(self, sim: str) -> list[Attempt]:
        """Attempts of this SIM that are in doubt or unresolved within the last 3 days, newest first."""

    def listening(self, sim: str, tp_mr: int) -> list[Attempt]:
        """Attempts of this SIM with this reference that a report may still be for, newest first."""

    def listening_to(self, sim: str, recipient: str) -> list[Attempt]:
        """The same for one recipient key, for modems whose TP-MR cannot be used. Scans the open ones of the SIM."""

    def by_reference(self, channel: str, reference: str) -> Attempt | None: ...
    def unreported(self, channel: str, limit: int) -> list[Followed]:
        """What a provider has taken and has not said the end of, the newest so many, oldest first."""

    def due_reports(self, after: int, before: int, limit: int) -> list[DueReport]:
        """Of the newest so many attempts with ids between these: the accepted ones whose reports were asked for, oldest
        first."""

    def orphans(self, sim: str, tp_mr: int | None, since: Instant) -> list[Report]: ...
    def orphans_named(self, sim: str, reference: str, since: Instant) -> list[Report]:
        """Those of a provider that bear this reference."""

    def reports(self, attempt: int) -> list[Report]: ...

    def received_like(self, sim: str, fingerprint: str, since: Instant) -> list[Received]: ...
    def received_parts(self, sim: str, sender: str, reference: int, wide: bool, total: int) -> list[Received]:
        """Parts of this concatenation that belong to no inbound message yet, oldest first."""

    def incomplete(self, before: Instant, limit: int) -> list[Received]:
        """Parts received before this time that still wait for others."""

    def inbound(self, id: int) -> Inbound | None: ...
    def inbounds(
        self,
        *,
        before: int | None = None,
        limit: int = 50,
        sender: str | None = None,
        channel: str | None = None,
        withheld: bool = False,
    ) -> list[Inbound]:
        """Newest first. `withheld`: also those that nobody is told of."""

    def last_replaceable(self, sim: str, sender: str, replace_type: int) -> int | None: ...

    # who writes with whom
    def sent_lately(self, recipient: str, since: Instant, limit: int) -> list[SentTo]:
        """Messages that went, or may have gone, to this recipient key since then, by any SIM, newest first."""

    def conversation(self, id: int) -> Conversation | None: ...
    def conversation_of(self, sim: str, peer: str) -> Conversation | None: ...
    def conversations(
        self, *, before: int | None = None, limit: int = 50, channel: str | None = None, peer: str | None = None
    ) -> list[Conversation]:
        """Those in which something came in last, first. `before`: only with a `last` below this one."""

    def said(self, conversation: int, before: int | None, limit: int) -> list[int]:
        """Messages that were sent in it, newest first; the latest ones may be missing, see `sent_lately`."""

    def heard(self, conversation: int, before: int | None, limit: int) -> list[Inbound]:
        """Newest first."""

    def token_answers(self, message: int) -> int:
        """How many inbound messages answer it by its token."""

    def passed_on(
        self, sim: str, sender: str, reference: int, wide: bool, total: int, since: Instant
    ) -> list[Received]:
        """Parts of this concatenation that belong to an inbound message, oldest first."""

    def opt_out(self, id: int) -> OptOut | None: ...
    def opt_outs(self, *, number: str | None = None, before: int | None = None, limit: int = ...) -> list[OptOut]:
        """Newest first."""

    def auto_replies(self, peer: str, since: Instant, rule: str | None = None) -> int:
        """How many this number has got since then, by this rule or any."""

    def program_runs(self, now: Instant, limit: int) -> list[ProgramRun]:
        """Those that are due, oldest first."""

    def program_runs_of(self, inbound: int) -> list[ProgramRun]: ...
    def next_program_run(self) -> Instant | None: ...
    def calls(
        self, *, before: int | None = None, limit: int = 50, channel: str | None = None, caller: str | None = None
    ) -> list[CallRow]:
        """Newest first."""

    def endpoints(self) -> list[Endpoint]: ...
    def endpoint(self, id: int) -> Endpoint | None: ...
    def events(self, after: int, limit: int) -> list[Event]:
        """What was written for listeners since then, oldest first."""

    def schedule(self, id: int) -> Schedule | None: ...
    def schedules(self, *, client: int | None = None, before: int | None = None, limit: int = 50) -> list[Schedule]:
        """Newest first."""

    def schedules_due(self, now: Instant, limit: int) -> list[Schedule]:
        """Those whose next occurrence has come, the earliest first."""

    def next_schedule(self) -> Instant | None:
        """The earliest next occurrence of all."""

    def occurrences(self, schedule: int, *, before: Instant | None = None, limit: int = 50) -> list[Occurrence]:
        """Newest first. `before`: due before this time."""

    def last_occurrence(self, schedule: int) -> Instant | None:
        """When the latest was due."""

    def used(self, channel: str) -> dict[str, tuple[Instant, int]]:
        """By name of the limit: when the span that was counted last began, and what was used in it."""

    def counted(self, channel: str, name: str, began: Instant, recipient: str) -> bool:
        """This person was counted in that span of that limit."""

    def known_by(self, recipient: str) -> str | None:
        """The channel that last sent to this person or received from them, where a sticky route wrote it down."""

    def event(self, id: int) -> Event | None: ...
    def due(self, endpoint: int, now: Instant, limit: int, *, ordered: bool) -> list[tuple[Delivery, Event]]:
        """Longest due first. `ordered`: only the first that waits of each key."""

    def next_delivery(self, endpoint: int, after: Instant) -> Instant | None:
        """When the next delivery that is not due yet is."""

    def delivery(self, endpoint: int, event: int) -> Delivery | None: ...
    def deliveries(
        self, endpoint: int, *, dead: bool = False, before: int | None = None, limit: int = 50
    ) -> list[Delivery]:
        """Newest first. `dead`: only dead letters."""

    def tries(self, endpoint: int, *, before: int | None = None, limit: int = 50) -> list[Try]:
        """Newest first."""

    def backlog(self, endpoint: int) -> tuple[int, int]:
        """How much waits, and how many dead letters there are."""

    def oldest_waiting(self, endpoint: int) -> Instant | None:
        """When the oldest event that this endpoint has not got happened. Dead letters wait no more."""

    def keys(self) -> list[ApiKey]: ...
    def key_by_digest(self, digest: bytes) -> ApiKey | None: ...
    def idempotent(self, client: int, key: str) -> Idempotency | None: ...
    def meta(self, name: str) -> str | None: ...


class Changes(View, Protocol):
    """What can be changed. Every move of a message checks `bridge.states` and writes its history row."""

    # accept
    def add(self, messages: Sequence[Message]) -> None: ...
    def add_batch(self, batch: Batch) -> None: ...
    def remember(self, answer: Idempotency) -> None: ...
    def next_concatenation(self, to: str) -> int:
        """A reference (0-65535, counting up) that differs from the last ones used for this recipient; on disk."""

    # queue
    def claim(self, queue: str, now: Instant, limit: int, *, at_once_only: bool = False) -> list[Message]:
        """Take the most urgent due messages out of the queue: highest priority, which rises while one waits (see
        bridge.policy.urgency), then earliest due. They keep their
        status and remember their queue, so that a restart puts them back (`recover`). `at_once_only`: what was deferred
        to a time stays."""

    def clock_moved(self, since: Instant, before: Instant, after: Instant) -> None:
        """The clock said `before` and says `after`. What was to go at once does not wait for a time that was already;
        what was ordered from `since` on, by a clock that was wrong, keeps the time that it was to live, and doubts
        keep their windows. What is claimed is not looked at."""

    def release(
        self,
        message: int,
        queue: str,
        due_at: Instant,
        *,
        code: str = "",
        reason: str = "",
        as_of: Instant | None = None,
    ) -> bool:
        """Put a claimed message back. `as_of`: its `updated_at` when it was claimed; if it was changed since, it goes
        to the queue and time of that change instead. False when it was cancelled meanwhile."""

    def held(self, message: int, now: Instant, *, by: str, reason: str, until: Instant) -> None:
        """Into its history: hours of `by` keep it until then. Whoever listens hears of it (`message.held`)."""

    def revise(self, message: Message, now: Instant, changed: dict[str, str | int | bool | None]) -> bool:
        """Put down what its client changed while it waits: text, way, priority, times, and its new `updated_at`. Who
        has claimed it finds out when arming. False, and nothing is written, when it does not wait any more."""

    # order
    def predecessor(self, message: Message, now: Instant, *, window: int, alarm_window: int) -> int | None:
        """The first message with the same order key, ordered before this one by the same client, that is in its way:
        neither accepted nor ended, nor for a later time, nor in doubt for longer than the window of its priority."""

    def park(self, message: Message, queue: str, now: Instant) -> int:
        """Out of the queue until one of its lane is accepted, in doubt or ends, with those that wait behind it there.
        Returns how many. The moves of the others let it go again, in order."""

    # moves
    def move(
        self,
        message: int,
        new: Status,
        now: Instant,
        *,
        code: str = "",
        reason: str = "",
        queue: str | None = None,
        due_at: Instant | None = None,
        tries: int | None = None,
        possible_duplicate: bool | None = None,
        event: str | None = None,
        data: dict[str, str | int | bool | None] | None = None,
        as_of: Instant | None = None,
    ) -> bool:
        """Change a message's status. `queue`: where it waits from now on (None: nowhere). The history row bears the
        status, or `event` when given. `as_of`: one that waits moves only if it was not changed since then. False, and
        nothing is written, when there is no such message or the move from its present status is not legal; the caller
        knows what that means."""

    def note(self, message: int, now: Instant, kind: str, data: dict[str, str | int | bool | None]) -> None:
        """A history row without a move."""

    # sending
    def arm(self, attempt: Attempt) -> None:
        """Insert the armed attempt. The message is moved to `sending` by the caller, in the same work."""

    def end(
        self,
        attempt: int,
        state: AttemptState,
        now: Instant,
        *,
        reference: str | None = None,
        tp_mr: int | None = None,
        code: str = "",
        cms: int | None = None,
        detail: str = "",
        deadline: Instant | None = None,
        listening: bool = False,
    ) -> bool:
        """Give an attempt its outcome. False, and nothing is written, when the move is not legal."""

    def reported(
        self,
        attempt: int,
        *,
        tp_st: int | None,
        fate: str,
        fingerprint: str,
        at: Instant,
        discharged_at: Instant | None,
        listening: bool,
    ) -> None: ...

    def charge(self, message: int, cost: str, currency: str) -> None:
        """What a provider says that the message costs."""

    def withdraw(self, message: int, *, withdrawn: bool = True) -> None:
        """Its provider is asked to take it back; False: it is not, after all."""

    def add_report(self, report: Report) -> None: ...
    def assign_report(self, report: int, attempt: int) -> None: ...

    # inbound
    def add_received(self, received: Received) -> None: ...
    def add_inbound(self, inbound: Inbound, received: Sequence[int], forward: Sequence[str] = ()) -> None:
        """Insert the message, tie its PDUs to it, and tell whoever listens unless it is withheld. `forward`: the
        endpoints that a rule names."""

    def change_inbound(self, inbound: Inbound, received: Sequence[int]) -> None:
        """The same for a message that is there already: parts of it came late."""

    # who writes with whom
    def keep_sent(self, now: Instant, window: int) -> bool:
        """Sort the next few thousand attempts for `sent_lately`, and put them into the conversations they belong to.
        `window`: milliseconds; older ones are left out. False: there are not so many new ones."""

    def forget_sent(self, before: Instant, limit: int) -> int:
        """Drop what is older than every reply window. Conversations keep theirs."""

    def add_conversation(self, conversation: Conversation) -> None: ...
    def went_on(self, conversation: int, channel: str, inbound: int, now: Instant) -> None:
        """A message came in."""

    def add_to_conversation(self, conversation: int, messages: Sequence[int]) -> None: ...
    def add_opt_out(self, opt_out: OptOut) -> bool:
        """False: it is there already."""

    def remove_opt_out(self, id: int) -> bool: ...
    def add_auto_reply(self, message: int, peer: str, rule: str, now: Instant) -> None: ...
    def forget_auto_replies(self, before: Instant) -> int: ...
    def add_program_run(self, run: ProgramRun) -> None: ...
    def change_program_run(self, run: ProgramRun) -> None: ...
    def add_call(self, call: CallRow) -> None: ...

    # events
    def emit(
        self,
        type: EventType | str,
        now: Instant,
        *,
        key: str,
        data: msgspec.Struct | Mapping[str, Any],
        message: int | None = None,
        inbound: int | None = None,
        channel: str = "",
        number: str = "",
    ) -> None:
        """An event for whoever listens, in the transaction of the change. Nothing when nobody does. `key`: what it is
        in sequence with: a message's shown id, a conversation (`bridge.events.conversation`), a channel. `data`: of the
        type's shape (`bridge.events.SHAPES`). `channel`, `number` (of the other side): what filters look at.

        Moves of messages, held releases, accepted orders and inbound messages become events by themselves. An unlisted
        type is a ValueError."""

    def add_endpoint(self, endpoint: Endpoint) -> None: ...
    def change_endpoint(self, endpoint: Endpoint) -> bool:
        """All of it but its id. False: there is no such endpoint."""

    def remove_endpoint(self, id: int) -> bool:
        """With all that it was to get."""

    # schedules
    def add_schedule(self, schedule: Schedule) -> None: ...
    def change_schedule(self, schedule: Schedule) -> bool:
        """All of it but its id. False: there is no such schedule."""

    def remove_schedule(self, id: int) -> bool:
        """With the memory of its occurrences; messages stay. False: there is no such schedule."""

    def occur(self, schedule: Schedule, occurrence: Occurrence, next_at: Instant | None, *, sent: bool) -> bool:
        """Take the schedule, as it was read, from this occurrence to the next. False: another work or node was first,
        it was paused, changed or removed meanwhile, or it ran at this time before: then nothing may be sent."""

    def forget_occurrences(self, before: Instant, limit: int) -> int:
        """The oldest, made before this time."""

    def use(self, channel: str, name: str, began: Instant, more: int) -> None:
        """Count so much more in the span of that limit which began then."""

    def count_recipient(self, channel: str, name: str, began: Instant, recipient: str) -> None: ...

    def stick(self, recipient: str, channel: str, now: Instant) -> None:
        """From now on this person knows us by that channel."""

    def emit_to(self, endpoint: Endpoint, type: EventType, now: Instant, *, key: str, data: msgspec.Struct) -> int:
        """An event for one endpoint, whatever its filters. Returns the event's id."""

    def tried(self, delivery: Delivery, state: DeliveryState, next_at: Instant, made: Try) -> None:
        """What became of a try."""

    def replay(self, endpoint: int, now: Instant, *, first: int, last: int, limit: int) -> tuple[int, int | None]:
        """Dead letters from event `first` to `last` wait again, with all their tries. One alone also when it was
        delivered. Returns how many, and where to go on when there may be more than `limit`."""

    def forget_events(self, before: Instant, limit: int) -> int:
        """Events from before that time are dropped, with their deliveries and tries, at most `limit` of each. Returns
        how many rows that were."""

    # keys and housekeeping
    def add_key(self, key: ApiKey) -> None: ...
    def revoke_key(self, id: int, now: Instant) -> bool: ...
    def set_meta(self, name: str, value: str) -> None: ...
    def close_reports(self, now: Instant, limit: int) -> list[int]:
        """Messages in `sent` that waited for a report past expiry + 24 h (7 days without expiry): moved to
        `sent_no_report`. Also stops listening for attempts delivered an hour ago. Returns the ids moved."""

    def expire(self, now: Instant, limit: int) -> list[int]:
        """Waiting messages whose validity ended: moved to `expired`."""

    def forget(self, before: Instant, limit: int) -> int:
        """Idempotency keys older than `before` are dropped."""


class Store(Protocol):
    epoch: int  # raised by one at each opening; written into each attempt
    recovered: Recovered  # what the opening found

    @property
    def commit_took(self) -> float:
        """Seconds from the begin of a transaction to its end on disk, smoothed."""

    def write(self, work: Callable[[Changes], T]) -> Awaitable[T]:
        """Begins at once. What is awaited is its commit, and what `work` returned."""

    async def read(self, work: Callable[[View], T]) -> T: ...
    def on_events(self, told: Callable[[frozenset[int]], None]) -> None:
        """`told` is called in the loop after each commit, with the endpoints for which there is something new, or that
        were changed."""

    async def close(self) -> None: ...


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """What the opening found: claimed messages put back, armed attempts now in doubt. `unclean`: whoever had it open
    last did not close it. `closed`: so many messages of a backup that was put back. `restored_at`: when one last was;
    0: never."""

    released: int = 0
    in_doubt: tuple[int, ...] = ()  # attempt ids
    unclean: bool = False
    closed: int | None = None  # None: no backup was put back
    restored_at: Instant = 0
