"""Accept, claim, release, expire: nothing is lost and nothing is claimed twice."""

from __future__ import annotations

import asyncio
import random

import pytest

from bridge.model import Message, Status
from bridge.store import Changes, MessageFilter

from .support import DAY, HOUR, SECOND, START, Place, changed, message, new_id, put


def test_a_message_comes_back_as_it_was_added(place: Place) -> None:
    plain = message(batch=5, priority=-128, expires_at=START + DAY, concatenation=77, parts=2, report=False)
    full = message(
        kind="wap_push",
        text=None,
        data=b"\x00\x01",
        udh=b"\x05\x04\x0b\x84\x00\x00",
        encoding="binary",
        ref="order 7; -- ☕",
        sender="SHOP",
        message_class=0,
        policy="urgent",
        channel="m2",
        queue="m2",
        wide_reference=True,
        reply_path=True,
        reject_duplicates=True,
        protocol_id=64,
        dcs=0xF5,
        possible_duplicate=True,
        updated_at=START,
        tries=2,
        code="x",
        reason="y",
    )
    full = changed(full, kind=type(plain.kind)("wap_push"), encoding=type(plain.encoding)("binary"),
                   policy=type(plain.policy)("urgent"))  # fmt: skip
    place.do(lambda c: c.add([plain, full]))
    assert place.do(lambda c: [c.message(plain.id), c.message(full.id)]) == [plain, full]
    assert place.do(lambda c: c.message(new_id())) is None


def test_claims_take_the_highest_priority_first_then_the_earliest_then_the_oldest(place: Place) -> None:
    low = message(priority=-5, due_at=START - 900)
    late = message(due_at=START - 1)
    early = message(due_at=START - 2)
    twin = message(due_at=START - 2)
    urgent = message(priority=127, due_at=START)
    future = message(priority=127, due_at=START + 1)
    elsewhere = message(queue="m2")

    def story(c: Changes) -> list[list[int]]:
        c.add([low, late, early, twin, urgent, future, elsewhere])
        return [[m.id for m in c.claim("*", START, n)] for n in (2, 1, 10, 10)]

    assert place.do(story) == [[urgent.id, early.id], [twin.id], [late.id, low.id], []]


def test_a_claimed_message_keeps_its_status_and_is_in_no_queue(place: Place) -> None:
    order = message()

    def story(c: Changes) -> tuple[list[Message], Message | None]:
        c.add([order])
        return c.claim("*", START, 1), c.message(order.id)

    claimed, stored = place.do(story)
    assert claimed == [stored] == [changed(order, queue=None)]


def test_a_claim_returns_the_expired_too(place: Place) -> None:
    order = message(expires_at=START - 1)
    place.do(lambda c: c.add([order]))
    assert [m.id for m in place.do(lambda c: c.claim("*", START, 9))] == [order.id]


def test_release_puts_a_claimed_message_back(place: Place) -> None:
    order = message()

    def story(c: Changes) -> list[Message]:
        c.add([order])
        c.claim("*", START, 1)
        assert c.release(order.id, "m1", START + 5, code="quiet", reason="quiet hours")
        assert c.claim("m1", START + 4, 9) == []
        assert not c.release(order.id, "*", START)  # it waits already
        return c.claim("m1", START + 5, 9)

    (back,) = place.do(story)
    assert (back.id, back.status, back.due_at, back.code) == (order.id, Status.QUEUED, START + 5, "quiet")


def test_a_message_cancelled_while_it_was_claimed_is_not_released_and_not_sent(place: Place) -> None:
    order = message()

    def story(c: Changes) -> None:
        c.add([order])
        c.claim("*", START, 1)
        assert c.move(order.id, Status.CANCELLED, START)
        assert not c.release(order.id, "*", START)
        assert not c.move(order.id, Status.SENDING, START)

    place.do(story)
    assert place.do(lambda c: c.claim("*", START, 9)) == []


def test_a_message_in_the_queue_can_be_cancelled_and_is_gone_from_it(place: Place) -> None:
    order = message()
    place.do(lambda c: c.add([order]))
    assert place.do(lambda c: c.move(order.id, Status.CANCELLED, START))
    assert place.do(lambda c: c.claim("*", START, 9)) == []
    assert place.do(lambda c: c.next_due(["*"], 0)) is None


def test_a_retry_waits_for_its_time_in_the_queue_it_was_given(place: Place) -> None:
    order = message()

    def story(c: Changes) -> list[list[int]]:
        c.add([order])
        c.claim("*", START, 1)
        c.move(order.id, Status.SENDING, START)
        c.move(order.id, Status.RETRY_WAIT, START, queue="m2", due_at=START + 30 * SECOND, tries=1)
        at = START + 30 * SECOND
        return [[m.id for m in c.claim(queue, when, 9)] for queue, when in (("*", at), ("m2", at - 1), ("m2", at))]

    assert place.do(story) == [[], [], [order.id]]
    stored = place.do(lambda c: c.message(order.id))
    assert stored is not None
    assert (stored.status, stored.tries) == (Status.RETRY_WAIT, 1)


def test_next_due_is_the_earliest_later_time_over_queues_and_priorities(place: Place) -> None:
    def story(c: Changes) -> None:
        c.add([message(due_at=START + n, priority=p, queue=q) for n, p, q in (
            (50, 0, "*"), (40, 3, "*"), (30, -3, "m1"), (20, 9, "m2"), (0, 0, "*"),
        )])  # fmt: skip

    place.do(story)
    ask = [(["*"], 0), (["*"], 40), (["*", "m1"], 0), (["*", "m1", "m2"], 0), (["*"], 50), ([], 0), (["m9"], 0)]
    found = place.do(lambda c: [c.next_due(queues, START + after) for queues, after in ask])
    assert found == [START + 40, START + 50, START + 30, START + 20, None, None, None]


def test_depth_counts_what_is_due_and_what_waits(place: Place) -> None:
    assert place.do(lambda c: c.queue_depth(START)) == (0, 0, None)
    dues = [(-7, 0, "*"), (-9, 2, "m1"), (0, 0, "*"), (1, 0, "*"), (2, -4, "m1")]
    place.do(lambda c: c.add([message(due_at=START + n, priority=p, queue=q) for n, p, q in dues]))
    assert place.do(lambda c: c.queue_depth(START)) == (3, 2, START - 9)
    place.do(lambda c: c.claim("m1", START, 1))


def test_expire_moves_what_waits_too_long_and_nothing_else(place: Place) -> None:
    now = START + HOUR
    gone = [message(expires_at=now - 1), message(expires_at=now), message(expires_at=now, due_at=now + DAY)]
    stay = [message(expires_at=now + 1), message()]

    def story(c: Changes) -> tuple[list[int], list[int], list[int]]:
        c.add(gone + stay)
        sending = put(c, Status.SENDING, expires_at=now - 1, queue="m9")
        put(c, Status.SENT, expires_at=now - 1)
        first, second, third = c.expire(now, 2), c.expire(now, 2), c.expire(now, 2)
        assert c.message(sending.id) == sending
        return first, second, third

    first, second, third = place.do(story)
    assert [len(first), len(second), len(third)] == [2, 1, 0]
    assert sorted(first + second) == sorted(m.id for m in gone)
    assert {m.id for m in place.do(lambda c: c.claim("*", now + DAY, 99))} == {m.id for m in stay}
    history = place.do(lambda c: c.history(gone[0].id))
    assert [(e.kind, e.data) for e in history] == [("queued", {}), ("expired", {"code": "expired"})]


def test_a_claimed_message_is_not_expired_under_its_owner(place: Place) -> None:
    order = message(expires_at=START - 1)

    def story(c: Changes) -> list[int]:
        c.add([order])
        c.claim("*", START, 1)
        return c.expire(START, 9)

    assert place.do(story) == []


def test_filters_select_and_page_newest_first(place: Place) -> None:
    one = message(client=1, to="+48111222333", ref="a", created_at=START)
    two = message(client=1, to="+48111222334", ref="b", created_at=START + 10)
    three = message(client=2, to="+48111222333", ref="a", created_at=START + 20)

    def story(c: Changes) -> None:
        c.add([one, two, three])
        c.move(two.id, Status.CANCELLED, START)

    place.do(story)
    table: list[tuple[MessageFilter, list[Message]]] = [
        (MessageFilter(), [three, two, one]),
        (MessageFilter(limit=2), [three, two]),
        (MessageFilter(before=two.id), [one]),
        (MessageFilter(client=1), [two, one]),
        (MessageFilter(to="+48111222333"), [three, one]),
        (MessageFilter(ref="b"), [two]),
        (MessageFilter(statuses=(Status.QUEUED,)), [three, one]),
        (MessageFilter(statuses=(Status.CANCELLED, Status.QUEUED)), [three, two, one]),
        (MessageFilter(statuses=(Status.SENT,)), []),
        (MessageFilter(since=START + 10), [three, two]),
        (MessageFilter(until=START + 10), [one]),
        (MessageFilter(batch=4711), []),
        (MessageFilter(client=1, ref="a", since=START, until=START + 1), [one]),
    ]
    for wanted, expected in table:
        found = place.do(lambda c, wanted=wanted: c.messages(wanted))  # type: ignore[misc]
        assert [m.id for m in found] == [m.id for m in expected], wanted


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_lost_or_claimed_twice_whatever_the_order_of_verbs(place: Place, seed: int) -> None:
    """A thousand random verbs against a model of the queue that is a dictionary."""
    chance = random.Random(seed)
    waiting: dict[int, tuple[str, int, int]] = {}  # id -> queue, priority, due
    claimed: dict[int, int] = {}  # id -> priority
    gone: set[int] = set()

    def step(c: Changes) -> None:
        now = START + chance.randrange(100)
        verb = chance.choice(["add", "add", "claim", "claim", "release", "cancel", "send", "retry"])
        if verb == "add":
            new = [
                message(
                    queue=chance.choice("*ab"), priority=chance.randrange(-1, 2), due_at=START + chance.randrange(99)
                )
                for _ in range(chance.randrange(1, 6))
            ]
            c.add(new)
            waiting.update({m.id: (m.queue or "", m.priority, m.due_at) for m in new})
        elif verb == "claim":
            queue, limit = chance.choice("*ab"), chance.randrange(1, 5)
            due = sorted((-p, d, id) for id, (q, p, d) in waiting.items() if q == queue and d <= now)
            got = c.claim(queue, now, limit)
            assert [m.id for m in got] == [id for _, _, id in due[:limit]]
            for m in got:
                claimed[m.id] = waiting.pop(m.id)[1]
        elif verb == "cancel" and waiting | claimed:
            id = chance.choice(sorted(waiting | claimed))
            assert c.move(id, Status.CANCELLED, now)
            waiting.pop(id, None)
            claimed.pop(id, None)
            gone.add(id)
        elif claimed:
            id = chance.choice(sorted(claimed))
            back = (chance.choice("*ab"), claimed.pop(id), START + chance.randrange(99))
            if verb == "release":
                assert c.release(id, back[0], back[2])
                waiting[id] = back
            else:
                assert c.move(id, Status.SENDING, now)
                if verb == "retry":
                    assert c.move(id, Status.RETRY_WAIT, now, queue=back[0], due_at=back[2])
                    waiting[id] = back
                else:
                    assert c.move(id, Status.SENT, now)
                    gone.add(id)

    async def story() -> None:
        for _ in range(3):  # and after each opening: what was claimed waits again
            async with place.open() as store:
                assert store.recovered.released == len(claimed)
                waiting.update({id: await store.read(lambda v, id=id: where(v.message(id))) for id in claimed})  # type: ignore[misc]
                claimed.clear()
                for _ in range(300):
                    await store.write(step)
                held = len(waiting) + len(claimed) + len(gone)
                assert sum((await store.read(lambda v: v.counts())).values()) == held

    def where(found: Message | None) -> tuple[str, int, int]:
        assert found is not None
        assert found.queue is not None
        return found.queue, found.priority, found.due_at

    asyncio.run(story())
    rest = {m.id for q in "*ab" for m in place.do(lambda c, q=q: c.claim(q, START + DAY, 9999))}  # type: ignore[misc]
    assert rest == set(waiting) | set(claimed)
