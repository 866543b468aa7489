"""Events are written in the transaction of the change, for those who listen, and numbered within their key."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bridge.endpoints import Endpoint, EndpointKind
from bridge.events import MOVED, SHAPES, EventType, OptOutData, conversation
from bridge.model import Inbound, ProgramRun, Status, show_id
from bridge.states import MOVES, WAITING
from bridge.store import Changes
from bridge.store.sqlite import SqliteStore

from .support import START, Place, inbound, message, new_id, put

MESSAGE = tuple(MOVED.values())


def endpoint(**fields: Any) -> Endpoint:
    values: dict[str, Any] = {"id": new_id(), "kind": EndpointKind.WEBHOOK, "created_at": START, "url": "https://x"}
    return Endpoint(**values | fields)


def written(c: Changes) -> list[tuple[str, str, int]]:
    return [(e.type.value, e.key, e.number) for e in c.events(0, 1000)]


def emit_optout(c: Changes, number: str = "+48600700800", channel: str = "m1") -> None:
    data = OptOutData(number=number, word="STOP")
    c.emit("optout.added", START, key=conversation("sim", number), data=data, channel=channel, number=number)


def test_nothing_is_written_while_nobody_listens(place: Place) -> None:
    def story(c: Changes) -> None:
        c.add_endpoint(endpoint(enabled=False))
        c.add_endpoint(endpoint(events=("channel.up",)))
        order = message()
        c.add([order])
        c.move(order.id, Status.CANCELLED, START)
        emit_optout(c)
        assert written(c) == []

    place.do(story)


def test_a_message_tells_each_move_numbered_within_itself(place: Place) -> None:
    def story(c: Changes) -> None:
        c.add_endpoint(endpoint())
        order = message(ref="order-7")
        c.add([order])
        c.claim("*", START, 1)
        c.move(order.id, Status.SENDING, START, event="armed")
        c.move(order.id, Status.IN_DOUBT, START + 1, code="silence", reason="no answer", data={"channel": "m1"})
        c.move(order.id, Status.SENT, START + 2, data={"channel": "m1"})
        c.move(order.id, Status.DELIVERED, START + 3)
        key = show_id("msg", order.id)
        told = ["message.queued", "message.in_doubt", "message.sent", "message.delivered"]
        assert written(c) == [(type, key, number) for number, type in enumerate(told, 1)]
        doubt = c.events(0, 10)[1]
        assert doubt.data == {
            "message": key,
            "to": order.to,
            "status": "in_doubt",
            "ref": "order-7",
            "code": "silence",
            "reason": "no answer",
            "channel": "m1",
        }
        assert (doubt.at, doubt.message, doubt.channel, doubt.party) == (START + 1, order.id, "m1", order.to)

    place.do(story)


@pytest.mark.parametrize("new", [s for s in Status if s is not Status.SENDING])
def test_every_status_but_sending_is_an_event_that_bears_it(place: Place, new: Status) -> None:
    def story(c: Changes) -> None:
        old = next(s for s in Status if new in MOVES[s])
        order = put(c, old)
        c.add_endpoint(endpoint())
        assert c.move(order.id, new, START, queue="*" if new in WAITING else None)
        [event] = c.events(0, 10)
        assert (event.type, event.data["status"]) == (MOVED[new], new)

    place.do(story)


def test_a_held_release_is_told_with_its_reason_and_another_is_not(place: Place) -> None:
    def story(c: Changes) -> None:
        order = message()
        c.add([order])
        c.add_endpoint(endpoint())
        c.claim("*", START, 1)
        c.release(order.id, "*", START, code="x")
        c.claim("*", START, 1)
        c.held(order.id, START, by="quiet_hours", reason="it is night there", until=START + 5000)
        [event] = c.events(0, 10)
        assert event.type == "message.held"
        assert (event.data["code"], event.data["until"]) == ("quiet_hours", "2025-10-09T08:53:25.000Z")

    place.do(story)


def test_an_inbound_message_is_told_with_its_text_in_the_sequence_of_the_conversation(place: Place) -> None:
    def story(c: Changes) -> None:
        c.add_endpoint(endpoint(events=("message.received",)))
        for sender in ("+49171", "+49172", "+49171"):
            c.add_inbound(
                Inbound(id=new_id(), channel="m1", sim="s", sender=sender, received_at=START, text="Hej"), received=[]
            )
        assert written(c) == [
            ("message.received", "s/+49171", 1),
            ("message.received", "s/+49172", 1),
            ("message.received", "s/+49171", 2),
        ]
        assert c.events(0, 1)[0].data["text"] == "Hej"

    place.do(story)


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        ({}, True),
        ({"events": ("optout.added",)}, True),
        ({"events": ("optout.*",)}, True),
        ({"events": ("optout.removed", "message.*")}, False),
        ({"channels": ("m1", "m2")}, True),
        ({"channels": ("m2",)}, False),
        ({"parties": ("+48600700800",)}, True),
        ({"parties": ("+4860070080",)}, False),
        ({"parties": ("+49*", "+48*")}, True),
        ({"parties": ("+49*",)}, False),
        ({"channels": ("m1",), "parties": ("+49*",)}, False),
    ],
)
def test_filters_let_through_what_they_name(place: Place, filters: dict[str, Any], passes: bool) -> None:
    def story(c: Changes) -> None:
        c.add_endpoint(endpoint(**filters))
        emit_optout(c)
        assert len(written(c)) == passes

    place.do(story)


def test_an_unlisted_type_is_a_mistake_even_while_nobody_listens(place: Place) -> None:
    with pytest.raises(ValueError, match=r"no event 'message\.lost'"):
        place.do(lambda c: c.emit("message.lost", START, key="k", data={}))


def test_every_type_has_a_shape() -> None:
    assert set(SHAPES) == set(EventType)


def test_an_undone_work_leaves_no_event_and_no_listener(place: Place) -> None:
    class Undone(Exception):
        pass

    async def story(store: SqliteStore) -> None:
        woken = asyncio.Event()
        store.on_events(lambda endpoints: woken.set())

        def work(c: Changes) -> None:
            c.add_endpoint(endpoint())
            emit_optout(c)
            raise Undone

        with pytest.raises(Undone):
            await store.write(work)
        await store.write(emit_optout)
        assert await store.write(written) == []
        await store.write(lambda c: c.add_endpoint(endpoint()))
        woken.clear()
        await store.write(emit_optout)
        assert await store.write(written) == [("optout.added", "sim/+48600700800", 1)]
        assert woken.is_set()

    place.play(story)


def test_numbers_go_on_after_a_restart(place: Place) -> None:
    place.do(lambda c: c.add_endpoint(endpoint()))
    place.do(emit_optout)
    place.do(emit_optout)
    ids = place.do(lambda c: [e.id for e in c.events(0, 10)])
    assert ids == sorted(ids)
    assert [number for *_, number in place.do(written)] == [1, 2]


def test_numbers_of_a_message_go_on_while_it_lives_and_its_key_goes_when_it_has_ended(place: Place) -> None:
    """A text may be deferred for a year, and its events are kept for a month."""
    year = 365 * 86_400_000

    def story(c: Changes) -> None:
        c.add_endpoint(endpoint())
        later, ended = message(due_at=START + year), message()
        c.add([later, ended])
        c.move(ended.id, Status.CANCELLED, START)
        c._run("UPDATE messages SET close_at = NULL WHERE id = ?", (ended.id,))  # type: ignore[attr-defined]
        c.forget_events(START + year, 500)
        c.forget_events(START + year, 500)
        assert written(c) == []
        for one in (later, ended):
            key = show_id("msg", one.id)
            c.emit("message.held", START, key=key, data={"message": key, "to": one.to, "status": "queued"})
        assert [number for _, _, number in written(c)] == [2, 1]

    place.do(story)


def test_after_a_step_back_of_the_clock_no_try_and_no_program_waits_for_the_old_time(place: Place) -> None:
    back = 3 * 3_600_000

    def story(c: Changes) -> None:
        one = endpoint()
        c.add_endpoint(one)
        emit_optout(c)
        due = c.due(one.id, START, 1, ordered=False)
        assert len(due) == 1
        row = inbound()
        c.add_inbound(row, [])
        run = ProgramRun(id=new_id(), inbound=row.id, rule="r", due_at=START + 60_000)
        c.add_program_run(run)
        c.clock_moved(START, START, START - back)
        assert len(c.due(one.id, START - back, 5, ordered=False)) == 2  # the text that came in is one too
        assert c.next_program_run() == START - back + 60_000

    place.do(story)


def test_dead_letters_are_replayed_in_pieces_each_once_and_only_in_the_range(place: Place) -> None:
    def story(c: Changes) -> None:
        one = endpoint()
        c.add_endpoint(one)
        for n in range(7):
            emit_optout(c, number=f"+4860070080{n}")
        events = [e.id for e in c.events(0, 10)]
        c._run("UPDATE deliveries SET state = 'dead', tries = 10")  # type: ignore[attr-defined]
        c._run("UPDATE deliveries SET state = 'delivered' WHERE event = ?", (events[3],))  # type: ignore[attr-defined]
        pieces, following = [], events[1]
        while following:
            count, after = c.replay(one.id, START, first=following, last=events[5], limit=2)
            pieces.append(count)
            following = after or 0
        assert pieces == [2, 2, 0]
        waiting = [d.event for d, _ in c.due(one.id, START, 10, ordered=False)]
        assert waiting == [events[1], events[2], events[4], events[5]]
        assert c.replay(one.id, START, first=events[3], last=events[3], limit=2) == (1, None)
        assert c.replay(one.id, START, first=1, last=1, limit=2) == (0, None)
        assert c.backlog(one.id) == (5, 2)

    place.do(story)
