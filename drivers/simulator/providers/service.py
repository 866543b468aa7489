"""What the five services have in common: an ASGI application with an account, a ledger, messages that grow older,
faults, and a control address (`/-/...`) for whoever plays the provider."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from decimal import Decimal
from random import Random
from typing import Any, ClassVar

import msgspec

from drivers.simulator.clock import Clock, Timer
from drivers.simulator.providers.account import Account, Course
from drivers.simulator.providers.callbacks import Callbacks, Push
from drivers.simulator.providers.control import controlled
from drivers.simulator.providers.disturb import disturbed
from drivers.simulator.providers.faults import Fault, Plan
from drivers.simulator.providers.ledger import Ledger, Taken
from drivers.simulator.providers.trail import Newest, Trail
from drivers.simulator.providers.wire import Answer, Request, text_answer

__all__ = ["Message", "Reply", "Seen", "Service"]

KEPT = 250_000  # messages; the ledger's file knows of all
KEPT_REQUESTS = 10_000  # with their bodies
LARGEST_BODY = 32 * 1024 * 1024  # 10,000 messages of a thousand characters, with their XML

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A text that somebody sent to this account."""

    id: str
    number: str  # who wrote, "+48..."
    text: str
    wall: float
    to: str = ""  # the number or name it was sent to


class Message(msgspec.Struct, kw_only=True):
    """A message that was taken, and what is going to become of it."""

    taken: Taken
    course: Course
    cancelled: bool = False
    replies: list[Reply] = msgspec.field(default_factory=list)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it arrived, whatever became of it."""

    operation: str
    request: Request
    at: float  # clock.monotonic()
    fault: Fault | None = None


class Service:
    """Base of a provider. A subclass answers requests and says what operation a request is."""

    name: ClassVar[str]
    knobs: msgspec.Struct

    def __init__(self, *, account: Account, clock: Clock, random: Random, ledger: Ledger) -> None:
        self.account = account
        self.clock = clock
        self.random = random
        self.ledger = ledger
        self.messages: Newest[str, Message] = Newest(keep=KEPT)  # by the provider's id
        self.replies: Trail[Reply] = Trail(keep=KEPT_REQUESTS)
        self.course = Course()
        self.courses: dict[str, Course] = {}  # by number ("+48..."), instead of `course`
        self.requests: Trail[Seen] = Trail(keep=KEPT_REQUESTS)
        self.callbacks = Callbacks(clock)
        self._plan = Plan(random=random)
        self._calls: Newest[str, deque[float]] = Newest(keep=KEPT_REQUESTS)
        self._timers: set[Timer] = set()

    # --- what a provider says of itself ---

    def operation(self, request: Request) -> str:
        """The name by which faults know this request: "submit", "status", "list", "balance" ..., "unknown"."""
        raise LookupError(request.path)

    def answer(self, request: Request) -> Answer:
        """Do what is asked and answer."""
        raise LookupError(request.path)

    def reported(self, message: Message) -> None:
        """The message has reached its end, or a stage on the way. Push it, where this provider does."""

    def replied(self, reply: Reply, message: Message | None) -> None:
        """Somebody wrote. Push it, where this provider does."""

    # --- what tests and people do with it ---

    def set_faults(self, *faults: Fault) -> None:
        """These rules from now on, none when there are none."""
        self._plan = Plan(faults, random=self.random)

    def set_course(self, course: Course, *, number: str = "") -> None:
        """What becomes of messages taken from now on, to `number` or to all without a course of their own."""
        if number:
            self.courses[number] = course
        else:
            self.course = course

    def reply(self, number: str, text: str, *, to: str = "") -> Reply:
        """`number` ("+48...") writes to this account: an answer to the newest message it got, if there is one."""
        message = next((m for m in reversed(self.messages.values()) if m.taken.number == number), None)
        reply = Reply(
            id=str(self.replies.total + 1),
            number=number,
            text=text,
            wall=self.clock.wall(),
            to=to or (message.taken.shown_sender if message else ""),
        )
        self.replies.append(reply)
        if message is not None:
            message.replies.append(reply)
        self.replied(reply, message)
        return reply

    async def close(self) -> None:
        for timer in self._timers:
            timer.cancel()
        await self.callbacks.close()
        self.ledger.close()

    # --- what subclasses use ---

    def take(self, taken: Taken) -> Message:
        """Write the message down, take its price, and set it on its way. `taken` without order and times."""
        taken = msgspec.structs.replace(
            taken,
            order=self.ledger.total + 1,
            provider=self.name,
            taken_at=self.clock.monotonic(),
            taken_wall=self.clock.wall(),
        )
        course = self.courses.get(taken.number, self.course)
        message = Message(taken=taken, course=course)
        self.ledger.append(taken)
        self.account.credit -= taken.cost
        self.messages[taken.id] = message
        wait = self._waiting(message)
        for after in {course.sent_after, course.final_after} - {None}:
            assert after is not None
            self.later(wait + after, self.reported, message)
        return message

    def stage(self, message: Message) -> int:
        """0 taken, 1 with an operator, 2 at its end."""
        age = self.clock.wall() - message.taken.taken_wall - self._waiting(message)
        course = message.course
        if course.final_after is not None and age >= course.final_after - 1e-6:
            return 2
        return int(course.sent_after is not None and age >= course.sent_after - 1e-6)

    def changed_at(self, message: Message) -> float:
        """Unix time of the last change of its stage."""
        start = message.taken.taken_wall + self._waiting(message)
        match self.stage(message):
            case 2:
                return start + (message.course.final_after or 0.0)
            case 1:
                return start + (message.course.sent_after or 0.0)
            case _:
                return message.taken.taken_wall

    def afford(self, cost: Decimal) -> bool:
        return self.account.credit >= cost

    def too_many(self, key: str, most: int, *, seconds: float = 60.0) -> bool:
        """Count a call of this key; True when it is more than `most` within `seconds`."""
        now = self.clock.monotonic()
        calls = self._calls.setdefault(key, deque(maxlen=most + 1))
        while calls and now - calls[0] >= seconds:
            calls.popleft()
        calls.append(now)
        return len(calls) > most

    def later(self, delay: float, call: Callable[..., None], *args: Any) -> None:
        timer: Timer

        def run() -> None:
            self._timers.discard(timer)
            call(*args)

        timer = self.clock.call_later(delay, run)
        self._timers.add(timer)

    def push(self, make: Callable[[int], Push]) -> None:
        if self.account.callback:
            self.callbacks.send(make)

    def new_id(self, digits: int = 32) -> str:
        return f"{self.random.getrandbits(digits * 4):0{digits}x}"

    def _waiting(self, message: Message) -> float:
        """Seconds for which the provider was asked to hold it."""
        return max(0.0, (message.taken.send_at or 0.0) - message.taken.taken_wall)

    # --- ASGI ---

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = await _read(scope, receive)
        if request is None:
            return
        if request.path.startswith("/-/"):
            await disturbed(scope, receive, send, answer=controlled(self, request), fault=None)
            return
        operation = self.operation(request)
        fault = self._plan.pick(operation)
        self.requests.append(Seen(operation=operation, request=request, at=self.clock.monotonic(), fault=fault))
        answer = self.answer(request) if fault is None or fault.handled else text_answer("")
        await disturbed(scope, receive, send, answer=answer, fault=fault)


async def _read(scope: Scope, receive: Receive) -> Request | None:
    """The whole request; None when the caller went away or sent too much."""
    body = bytearray()
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return None
        body += event.get("body", b"")
        if len(body) > LARGEST_BODY:
            return None
        if not event.get("more_body", False):
            break
    return Request(
        method=scope["method"],
        path=scope["path"],
        raw_path=scope.get("raw_path", scope["path"].encode()).decode("latin-1").partition("?")[0],
        query=scope["query_string"].decode("latin-1"),
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
        body=bytes(body),
    )
