"""The order of claims: urgency that rises with waiting, and lanes for those that asked for strict order."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from bridge.model import PARKED, Message, Status
from bridge.policy.urgency import AGE
from bridge.store import Changes

from .support import DAY, HOUR, SECOND, START, Place, attempt, message

WINDOWS = {"window": 600 * SECOND, "alarm_window": 60 * SECOND}


def test_what_has_waited_long_goes_before_newer_ones_of_higher_priority(place: Place) -> None:
    old = message(priority=-10, due_at=START - 11 * AGE)
    newer = [message(priority=0, due_at=START) for _ in range(5)]
    place.do(lambda c: c.add([*newer, old]))
    assert [m.id for m in place.do(lambda c: c.claim("*", START, 2))] == [old.id, newer[0].id]


def test_an_alarm_is_never_overtaken(place: Place) -> None:
    old, alarm = message(priority=99, due_at=START - DAY), message(priority=100)
    place.do(lambda c: c.add([old, alarm]))
    assert [m.id for m in place.do(lambda c: c.claim("*", START, 1))] == [alarm.id]


def test_a_steady_stream_of_urgent_ones_starves_nobody(place: Place) -> None:
    """Two of higher priority come for each that can go."""
    low = message(priority=-128)

    def second(c: Changes, now: int) -> list[int]:
        c.add([message(priority=50, due_at=now, created_at=now) for _ in range(2)])
        return [m.id for m in c.claim("*", now, 1)]

    async def story() -> int:
        async with place.open() as store:
            await store.write(lambda c: c.add([low]))
            for step in range(400):
                now = START + step * AGE
                if low.id in await store.write(lambda c, now=now: second(c, now)):  # type: ignore[misc]
                    return step
        return -1

    assert 0 < asyncio.run(story()) <= 256


def test_claims_are_in_the_order_of_urgency(place: Place) -> None:
    chance = Random(7)
    many = [
        message(priority=chance.choice((-128, -5, 0, 3, 100, 127)), due_at=START - chance.randrange(300) * AGE)
        for _ in range(200)
    ]

    def key(m: Message) -> tuple[int, int, int]:
        waited = (START - m.due_at) // AGE
        return -(m.priority if m.priority >= 100 else min(99, m.priority + waited)), m.due_at, m.id

    alarms = sorted((m for m in many if m.priority >= 100), key=lambda m: (-m.priority, m.due_at, m.id))
    wanted = alarms + sorted((m for m in many if m.priority < 100), key=key)

    def all_of_it(c: Changes) -> list[int]:
        claimed: list[int] = []
        while found := c.claim("*", START, 7):
            claimed += [m.id for m in found]
        return claimed

    place.do(lambda c: c.add(many))
    assert place.do(all_of_it) == [m.id for m in wanted]


# --- Lanes ------------------------------------------------------------------------------------------------------------


def lane(n: int, **fields: object) -> list[Message]:
    return [message(order_key="a", **fields) for _ in range(n)]


def claim(c: Changes, now: int = START, limit: int = 9) -> list[Message]:
    """As the dispatcher does it. What may go."""
    free = []
    for m in c.claim("*", now, limit):
        if m.order_key is not None and c.predecessor(m, now, **WINDOWS) is not None:
            c.park(m, "*", now)
        else:
            free.append(m)
    return free


def pass_on(c: Changes, id: int, *statuses: Status) -> None:
    for status in statuses:
        assert c.move(id, status, START)


def ids(messages: list[Message]) -> list[int]:
    return [m.id for m in messages]


def test_one_goes_after_the_other(place: Place) -> None:
    def story(c: Changes) -> None:
        three = lane(3)
        c.add(three)
        for one in three:
            assert ids(claim(c)) == [one.id]
            assert claim(c) == []
            pass_on(c, one.id, Status.SENDING, Status.SENT)
        assert claim(c) == []

    place.do(story)


@pytest.mark.parametrize("end", [Status.CANCELLED, Status.EXPIRED, Status.FAILED])
def test_one_that_ends_lets_the_next_go(place: Place, end: Status) -> None:
    def story(c: Changes) -> None:
        first, second = lane(2)
        c.add([first, second])
        claim(c)
        pass_on(c, first.id, end)
        assert ids(claim(c)) == [second.id]

    place.do(story)


def test_a_parked_one_that_ends_is_in_nobodys_way(place: Place) -> None:
    def story(c: Changes) -> None:
        first, second, third = lane(3)
        c.add([first, second, third])
        claim(c)
        pass_on(c, second.id, Status.CANCELLED)
        assert claim(c) == []
        pass_on(c, first.id, Status.SENDING, Status.SENT)
        assert ids(claim(c)) == [third.id]

    place.do(story)


def test_a_parked_one_expires_in_time(place: Place) -> None:
    def story(c: Changes) -> None:
        first, second = lane(2, expires_at=START + HOUR)
        c.add([first, second])
        claim(c)
        assert c.expire(START + HOUR, 9) == [second.id]

    place.do(story)


def test_after_a_restart_the_parked_are_still_parked_and_still_let_go(place: Place) -> None:
    first, second = lane(2)
    place.do(lambda c: c.add([first, second]))
    place.do(claim)
    found = place.do(lambda c: c.message(second.id))
    assert found is not None
    assert (found.queue, found.code) == (PARKED, "ordered")
    place.do(lambda c: pass_on(c, first.id, Status.SENDING, Status.SENT))
    assert ids(place.do(claim)) == [second.id]


def test_a_work_that_was_undone_and_runs_again_lets_the_next_go_too(place: Place) -> None:
    first, second = lane(2)

    def broken(c: Changes) -> None:
        raise ZeroDivisionError

    async def story() -> list[int]:
        async with place.open() as store:
            await store.write(lambda c: c.add([first, second]))
            await store.write(claim)
            # Both in one group, which is undone for the second's sake, and the first runs once more.
            sent, failed = await asyncio.gather(
                store.write(lambda c: pass_on(c, first.id, Status.SENDING, Status.SENT)),
                store.write(broken),
                return_exceptions=True,
            )
            assert sent is None
            assert isinstance(failed, ZeroDivisionError)
            return ids(await store.write(claim))

    assert asyncio.run(story()) == [second.id]


def test_one_in_doubt_is_waited_for_no_longer_than_its_window(place: Place) -> None:
    def story(c: Changes) -> None:
        first, second = lane(2)
        c.add([first, second])
        claim(c)
        pass_on(c, first.id, Status.SENDING)
        c.arm(attempt(first))
        pass_on(c, first.id, Status.IN_DOUBT)  # lets the second come and see how long it has to wait
        assert ids(c.claim("*", START, 9)) == [second.id]
        assert c.predecessor(second, START + 600 * SECOND - 1, **WINDOWS) == first.id
        assert c.predecessor(second, START + 600 * SECOND, **WINDOWS) is None
        # As the dispatcher puts it back; and a doubt that is settled earlier lets it go at once.
        assert c.release(second.id, "*", START + 600 * SECOND, code="ordered")
        assert c.claim("*", START + 1, 9) == []
        pass_on(c, first.id, Status.SENT)
        assert ids(c.claim("*", START + 1, 9)) == [second.id]

    place.do(story)


def test_a_later_one_does_not_wait_for_an_earlier_one_of_another_time(place: Place) -> None:
    def story(c: Changes) -> None:
        tomorrow, now = message(order_key="a", due_at=START + DAY), message(order_key="a")
        c.add([tomorrow, now])
        assert ids(claim(c)) == [now.id]

    place.do(story)


def test_keys_of_other_clients_and_other_keys_are_other_lanes(place: Place) -> None:
    others = [message(order_key="a"), message(order_key="b"), message(order_key="a", client=8), message()]
    place.do(lambda c: c.add(others))
    assert len(place.do(claim)) == 4


def test_a_long_lane_is_parked_in_few_steps(place: Place) -> None:
    def story(c: Changes) -> int:
        c.add(lane(1200))
        rounds = 0
        while c.queues():
            rounds += 1
            claim(c, limit=2)
        return rounds

    assert place.do(story) <= 4


def test_any_story_keeps_each_lane_in_order_and_loses_nobody(place: Place) -> None:
    chance = Random(11)
    keys = ["a", "b", None]
    added: list[Message] = []
    sent: list[int] = []
    flying: list[Message] = []

    def step(c: Changes) -> None:
        verb = chance.choice(("add", "claim", "send", "send", "cancel"))
        if verb == "add":
            new = [message(order_key=chance.choice(keys)) for _ in range(3)]
            c.add(new)
            added.extend(new)
        elif verb == "claim":
            flying.extend(claim(c, limit=chance.randrange(1, 5)))
        elif verb == "send" and flying:
            m = flying.pop(chance.randrange(len(flying)))
            if c.move(m.id, Status.SENDING, START) and c.move(m.id, Status.SENT, START):
                sent.append(m.id)
        elif verb == "cancel" and added:
            c.move(chance.choice(added).id, Status.CANCELLED, START)

    async def story() -> None:
        async with place.open() as store:
            for _ in range(600):
                await store.write(step)
            for _ in range(3 * len(added)):
                await store.write(lambda c: flying.extend(claim(c)))
                while flying:
                    await store.write(lambda c: _finish(c, flying.pop(0), sent))
            counts = await store.read(lambda v: v.counts())
            assert set(counts) <= {Status.SENT, Status.CANCELLED}, counts
            assert sum(counts.values()) == len(added)

    asyncio.run(story())
    by_id = {m.id: m for m in added}
    for key in ("a", "b"):
        of_lane = [id for id in sent if by_id[id].order_key == key]
        assert of_lane == sorted(of_lane)
        assert len(of_lane) > 20


def _finish(c: Changes, m: Message, sent: list[int]) -> None:
    if c.move(m.id, Status.SENDING, START) and c.move(m.id, Status.SENT, START):
        sent.append(m.id)
