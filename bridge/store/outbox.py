"""Events and the way of each to those who listen: the verbs of endpoints, outbox and deliveries.

Who listens is kept in memory, so that an event for nobody costs one look-up; so is how much waits for each.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import msgspec

from bridge.clock import rfc3339
from bridge.endpoints import Delivery, DeliveryState, Endpoint, Try, by_type, wants
from bridge.events import MOVED, EndpointData, Event, EventType, MessageData, conversation, inbound_data
from bridge.model import Ids, Inbound, Instant, Message, Status, parse_id, show_id
from bridge.store.queries import load
from bridge.store.rows import DELIVERY, ENDPOINT, STORED_EVENT, TRY
from bridge.store.statements import Statements

__all__ = ["MOST_WAITING", "OUTBOX", "OutboxChanges", "OutboxView"]

OUTBOX = load("outbox")
HIGHEST = (1 << 63) - 1
_FIRST_KEY = "msg_"
MOST_WAITING = 100_000  # events for one endpoint, where the configuration says nothing

log = logging.getLogger("gsmbridge.store")

_to_json = msgspec.json.Encoder().encode


class OutboxView(Statements):
    def endpoints(self) -> list[Endpoint]:
        return self._all(ENDPOINT, OUTBOX["endpoints"], {})

    def endpoint(self, id: int) -> Endpoint | None:
        return self._one(ENDPOINT, OUTBOX["endpoint"], {"id": id})

    def events(self, after: int, limit: int) -> list[Event]:
        return self._all(STORED_EVENT, OUTBOX["events"], {"after": after, "limit": limit})

    def event(self, id: int) -> Event | None:
        return self._one(STORED_EVENT, OUTBOX["event"], {"id": id})

    def due(self, endpoint: int, now: Instant, limit: int, *, ordered: bool) -> list[tuple[Delivery, Event]]:
        statement = OUTBOX["due_in_order" if ordered else "due"]
        found = self._all(DELIVERY, statement, {"endpoint": endpoint, "now": now, "limit": limit})
        return [(d, event) for d in found if (event := self.event(d.event)) is not None]

    def next_delivery(self, endpoint: int, after: Instant) -> Instant | None:
        at: Instant | None = self._value(OUTBOX["next_delivery"], {"endpoint": endpoint, "after": after})
        return at

    def delivery(self, endpoint: int, event: int) -> Delivery | None:
        return self._one(DELIVERY, OUTBOX["delivery"], {"endpoint": endpoint, "event": event})

    def deliveries(
        self, endpoint: int, *, dead: bool = False, before: int | None = None, limit: int = 50
    ) -> list[Delivery]:
        wanted = {"endpoint": endpoint, "before": HIGHEST if before is None else before, "limit": limit}
        return self._all(DELIVERY, OUTBOX["dead" if dead else "deliveries"], wanted)

    def tries(self, endpoint: int, *, before: int | None = None, limit: int = 50) -> list[Try]:
        wanted = {"endpoint": endpoint, "before": HIGHEST if before is None else before, "limit": limit}
        return self._all(TRY, OUTBOX["tries_of"], wanted)

    def backlog(self, endpoint: int) -> tuple[int, int]:
        wanted = {"endpoint": endpoint}
        return self._value(OUTBOX["waiting_of"], wanted), self._value(OUTBOX["dead_of"], wanted)

    def oldest_waiting(self, endpoint: int) -> Instant | None:
        at: Instant | None = self._value(OUTBOX["oldest_waiting"], {"endpoint": endpoint})
        return at


class OutboxChanges(OutboxView):
    def __init__(self, connection: sqlite3.Connection, now: Callable[[], Instant]) -> None:
        super().__init__(connection, now)
        self._listeners = _Listeners(self.endpoints)
        last = self._value(OUTBOX["last_event"], {})
        self._event_ids = Ids(now, Random(), last or 0)  # noqa: S311 names, not secrets
        self.most_waiting = MOST_WAITING
        self._keys_after = _FIRST_KEY
        self._waiting: dict[int, int] = {}  # by endpoint; counted when first asked for
        self._overflowing: set[int] = set()  # endpoints of which that is said
        self.touched: set[int] = set()  # endpoints with something new, or changed, since the writer last asked

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
        listeners = self._listeners[type]
        if listeners and (to := [e for e in listeners if wants(e, channel, number)]):
            self._write_event(to, str(type), now, key, data, message, inbound, channel, number)

    # What becomes an event by itself.

    def _tell_added(self, messages: Sequence[Message]) -> None:
        if not self._listeners[EventType.MESSAGE_QUEUED]:
            return
        for m in messages:
            data = MessageData(
                message=show_id("msg", m.id),
                to=m.to,
                status=m.status,
                ref=m.ref,
                batch=None if m.batch is None else show_id("bat", m.batch),
                code=m.code,
                reason=m.reason,
                channel=m.channel or "",
                until=rfc3339(m.due_at) if m.due_at > m.created_at else None,
            )
            self._tell_message(EventType.MESSAGE_QUEUED, m.created_at, m.id, data)

    def _tell_moved(
        self, message: int, new: Status, now: Instant, code: str, reason: str, data: Mapping[str, Any]
    ) -> None:
        """Called for every move: to `sending` is no event, and for most nobody listens."""
        type = MOVED.get(new)
        if type is None or not self._listeners[type]:
            return
        self._tell_now(type, message, now, code, reason, data)

    def _tell_held(self, message: int, until: Instant, code: str, reason: str) -> None:
        if self._listeners[EventType.MESSAGE_HELD]:
            self._tell_now(EventType.MESSAGE_HELD, message, self._now(), code, reason, {"until": until})

    def _tell_inbound(self, inbound: Inbound, forward: Sequence[str] = ()) -> None:
        if inbound.withheld:
            return
        type = EventType.MESSAGE_RECEIVED if inbound.in_reply_to is None else EventType.REPLY_RECEIVED
        if self._listeners[type]:
            self.emit(
                type,
                inbound.updated_at or inbound.received_at,
                key=conversation(inbound.sim, inbound.sender),
                data=inbound_data(inbound, forward),
                inbound=inbound.id,
                channel=inbound.channel,
                number=inbound.sender,
            )

    def _tell_now(
        self, type: EventType, message: int, now: Instant, code: str, reason: str, data: Mapping[str, Any]
    ) -> None:
        row = self._run(OUTBOX["told_of_message"], {"id": message}).fetchone()
        to, status, ref, batch, due_at, possible_duplicate = row
        until = data.get("until")
        if until is None and type in (EventType.MESSAGE_HELD, EventType.MESSAGE_QUEUED) and due_at > now:
            until = due_at
        told = MessageData(
            message=show_id("msg", message),
            to=to,
            status=status,
            ref=ref,
            batch=None if batch is None else show_id("bat", batch),
            code=code,
            reason=reason,
            channel=str(data.get("channel") or ""),
            until=None if until is None else rfc3339(until),
            possible_duplicate=bool(possible_duplicate),
        )
        self._tell_message(type, now, message, told)

    def _tell_message(self, type: EventType, now: Instant, message: int, data: MessageData) -> None:
        self.emit(type, now, key=data.message, data=data, message=message, channel=data.channel, number=data.to)

    def _write_event(
        self,
        to: Sequence[Endpoint],
        type: str,
        now: Instant,
        key: str,
        data: msgspec.Struct | Mapping[str, Any],
        message: int | None,
        inbound: int | None,
        channel: str,
        party: str,
    ) -> int:
        id = self._event_ids.next()
        number = self._value(OUTBOX["next_number"], {"key": key, "now": now})
        text = _to_json(data).decode()
        self._run(OUTBOX["add_event"], (id, type, key, number, now, text, message, inbound, channel, party))
        for endpoint in to:
            state = self._take_place(endpoint.id, type, now)
            self._run(OUTBOX["add_delivery"], (endpoint.id, id, key, state.value, now))
            self.touched.add(endpoint.id)
        return id

    def _take_place(self, endpoint: int, type: str, now: Instant) -> DeliveryState:
        """In the endpoint's backlog. Where that is full the newest is a dead letter at once: what waits already keeps
        its order, and nothing is lost. Somebody waits for what comes of a test."""
        waiting = self._waiting_for(endpoint)
        if waiting < self.most_waiting or type == EventType.WEBHOOK_TEST:
            self._waiting[endpoint] = waiting + 1
            return DeliveryState.WAITING
        if endpoint not in self._overflowing:
            self._overflowing.add(endpoint)
            name = show_id("whk", endpoint)
            log.warning("webhook_backlog_full webhook=%s waiting=%d", name, waiting)
            reason = f"{waiting} events wait for it; what comes now is a dead letter at once, to be replayed"
            data = EndpointData(webhook=name, code="backlog_full", reason=reason)
            self.emit(EventType.WEBHOOK_BACKLOG_FULL, now, key=f"webhook/{name}", data=data)
        return DeliveryState.DEAD

    def _waiting_for(self, endpoint: int) -> int:
        if endpoint not in self._waiting:
            self._waiting[endpoint] = self._value(OUTBOX["waiting_of"], {"endpoint": endpoint})
        return self._waiting[endpoint]

    def _forget_backlogs(self) -> None:
        """They have changed in other ways, or the works are undone: counted again."""
        self._waiting.clear()
        self._overflowing.clear()

    # endpoints

    def add_endpoint(self, endpoint: Endpoint) -> None:
        self._run(OUTBOX["add_endpoint"], ENDPOINT.encode(endpoint))
        self._changed(endpoint.id)

    def change_endpoint(self, endpoint: Endpoint) -> bool:
        """All of it but its id. False: there is no such endpoint."""
        values = ENDPOINT.encode(endpoint)
        changed = self._run(OUTBOX["change_endpoint"], (*values, endpoint.id)).rowcount == 1
        self._changed(endpoint.id)
        return changed

    def remove_endpoint(self, id: int) -> bool:
        """With all that it was to get."""
        for statement in ("remove_tries", "remove_deliveries"):
            self._run(OUTBOX[statement], {"id": id})
        removed = self._run(OUTBOX["remove_endpoint"], {"id": id}).rowcount == 1
        self._changed(id)
        return removed

    def _changed(self, endpoint: int) -> None:
        self._listeners.clear()
        self._waiting.pop(endpoint, None)
        self.touched.add(endpoint)

    # deliveries

    def emit_to(self, endpoint: Endpoint, type: EventType, now: Instant, *, key: str, data: msgspec.Struct) -> int:
        return self._write_event([endpoint], type.value, now, key, data, None, None, "", "")

    def tried(self, delivery: Delivery, state: DeliveryState, next_at: Instant, made: Try) -> None:
        self._run(
            OUTBOX["end_try"],
            (state.value, next_at, delivery.tries + 1, delivery.endpoint, delivery.event),
        )
        self._run(OUTBOX["add_try"], TRY.encode(made))
        if state is not DeliveryState.WAITING:
            self._waiting[delivery.endpoint] = waiting = max(0, self._waiting_for(delivery.endpoint) - 1)
            if waiting <= self.most_waiting // 2:
                self._overflowing.discard(delivery.endpoint)

    def replay(self, endpoint: int, now: Instant, *, first: int, last: int, limit: int) -> tuple[int, int | None]:
        """What somebody asks for has its place, however much waits."""
        events = [first]
        if first != last:
            wanted = {"endpoint": endpoint, "first": first, "last": last, "limit": limit}
            events = [event for (event,) in self._run(OUTBOX["to_replay"], wanted)]
        count = sum(self._run(OUTBOX["replay"], (now, endpoint, event)).rowcount for event in events)
        self._forget_backlogs()
        self.touched.add(endpoint)
        return count, events[-1] + 1 if first != last and len(events) == limit else None

    def forget_events(self, before: Instant, limit: int) -> int:
        bounds = {"before": before, "limit": limit}
        self._waiting.clear()
        for endpoint in self.endpoints():
            self._run(OUTBOX["forget_deliveries"], {"endpoint": endpoint.id, **bounds})
        forgotten = self._run(OUTBOX["forget_tries"], bounds).rowcount
        forgotten += self._run(OUTBOX["forget_events"], bounds).rowcount
        return forgotten + self._forget_keys(before, limit)

    def _forget_keys(self, before: Instant, limit: int) -> int:
        """Of messages that have ended: one that was deferred for a year still counts on. Each call looks at the next
        few, and behind the last at the first again."""
        wanted = {"after": self._keys_after, "before": show_id("msg", before << 20), "limit": limit}
        keys = [key for (key,) in self._run(OUTBOX["old_keys"], wanted)]
        self._keys_after = keys[-1] if len(keys) == limit else _FIRST_KEY
        ended = [key for key in keys if self._value(OUTBOX["open_message"], {"id": parse_id("msg", key)}) is None]
        for key in ended:
            self._run(OUTBOX["forget_key"], (key,))
        return len(ended)


class _Listeners(dict[str, tuple[Endpoint, ...]]):
    """For each type of event, who is on and wants it. Read from the store at the first look after a `clear`."""

    def __init__(self, endpoints: Callable[[], list[Endpoint]]) -> None:
        super().__init__()
        self._endpoints = endpoints

    def __missing__(self, type: str) -> tuple[Endpoint, ...]:
        if self:
            raise ValueError(f"there is no event {type!r}; see bridge.events.EventType")
        self.update(by_type(self._endpoints()))
        return self[type]
