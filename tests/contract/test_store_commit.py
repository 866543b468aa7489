"""Group commit: what was awaited is on disk, what failed left nothing, and neighbours do not matter."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.model import AttemptState, Message, Status
from bridge.store import Changes, StoreError, StoreFull
from bridge.store.sqlite import SqliteStore

from .support import SECOND, START, Place, attempt, message, put

REPOSITORY = Path(__file__).parents[2]  # child processes import these tests' support


def test_what_was_awaited_is_on_disk(place: Place, tmp_path: Path) -> None:
    """A copy of the files, taken the moment the write returned, holds the row: as after a power cut."""
    order = message()
    copy = Place(tmp_path / "copy")

    async def story(store: SqliteStore) -> None:
        await store.write(lambda c: c.add([order]))
        shutil.copytree(place.path.parent, copy.path.parent)

    place.play(story)
    assert copy.do(lambda c: c.message(order.id)) == order


def test_two_hundred_writers_each_get_their_own_result(place: Place) -> None:
    orders = [message() for _ in range(200)]

    async def story(store: SqliteStore) -> list[Message | None]:
        async def one(order: Message) -> Message | None:
            def work(c: Changes) -> Message | None:
                c.add([order])
                return c.message(order.id)

            return await store.write(work)

        return await asyncio.gather(*(one(o) for o in orders))

    assert place.play(story) == orders
    assert len(place.do(lambda c: c.claim("*", START, 999))) == 200


def test_a_work_that_fails_takes_nothing_with_it(place: Place) -> None:
    good, bad = [message() for _ in range(5)], [message() for _ in range(5)]

    async def story(store: SqliteStore) -> list[object]:
        def adding(order: Message) -> Callable[[Changes], None]:
            return lambda c: c.add([order])

        def failing(order: Message) -> Callable[[Changes], None]:
            def work(c: Changes) -> None:
                c.add([order])
                c.move(order.id, Status.CANCELLED, START)
                raise KeyError(order.id)

            return work

        works = [work for g, b in zip(good, bad, strict=True) for work in (adding(g), failing(b))]
        return await asyncio.gather(*(store.write(work) for work in works), return_exceptions=True)

    results = place.play(story)
    assert [type(r) for r in results] == [type(None), KeyError] * 5
    assert place.do(lambda c: [c.message(m.id) for m in bad]) == [None] * 5
    assert {m.id for m in place.do(lambda c: c.claim("*", START, 99))} == {m.id for m in good}
    assert place.do(lambda c: c.counts()) == {Status.QUEUED: 5}


def test_a_refusal_of_the_database_concerns_one_work_only(place: Place) -> None:
    order, other = message(), message()

    async def story(store: SqliteStore) -> list[object]:
        works = [
            store.write(lambda c: c.add([order])),
            store.write(lambda c: c.add([order])),  # the same identifier twice
            store.write(lambda c: c.add([other])),
        ]
        return await asyncio.gather(*works, return_exceptions=True)

    first, second, third = place.play(story)
    assert (first, third) == (None, None)
    assert isinstance(second, StoreError)
    assert place.do(lambda c: (c.message(order.id), c.message(other.id))) == (order, other)


def test_a_caller_who_went_away_leaves_the_work_done(place: Place) -> None:
    order = message()

    async def story(store: SqliteStore) -> Message | None:
        writing = asyncio.ensure_future(store.write(lambda c: c.add([order])))
        await asyncio.sleep(0)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        return await store.write(lambda c: c.message(order.id))

    assert place.play(story) == order


def test_a_work_may_end_in_any_exception(place: Place) -> None:
    async def story(store: SqliteStore) -> None:
        def stop(c: Changes) -> None:
            next(iter(()))

        with pytest.raises(RuntimeError):
            await store.write(stop)

    place.play(story)


def test_reads_see_what_is_committed_and_one_moment_of_it(place: Place) -> None:
    order = message()

    async def story(store: SqliteStore) -> tuple[Message | None, Message | None]:
        await store.write(lambda c: c.add([order]))
        return await store.read(lambda v: (v.message(order.id), v.message(order.id)))

    assert place.play(story) == (order, order)


def test_a_reader_cannot_write(place: Place) -> None:
    async def story(store: SqliteStore) -> None:
        with pytest.raises(AttributeError):
            await store.read(lambda v: v.add([message()]))  # type: ignore[attr-defined]

    place.play(story)


def test_what_was_asked_for_before_closing_is_done_and_nothing_after(place: Place) -> None:
    orders = [message() for _ in range(50)]

    async def story() -> None:
        async with place.open() as store:
            writing = [store.write(lambda c, o=o: c.add([o])) for o in orders]  # type: ignore[misc]
            await asyncio.sleep(0)
            await store.close()
            await asyncio.gather(*writing)
            with pytest.raises(StoreError, match="closed"):
                await store.write(lambda c: None)
            with pytest.raises(StoreError, match="closed"):
                await store.read(lambda v: None)

    asyncio.run(story())
    assert len(place.do(lambda c: c.claim("*", START, 99))) == 50


# --- Restarts ---------------------------------------------------------------------------------------------------------


def test_each_opening_is_a_new_epoch(place: Place) -> None:
    async def epoch(store: SqliteStore) -> int:
        return store.epoch

    assert [place.play(epoch) for _ in range(3)] == [1, 2, 3]


def test_new_identifiers_can_grow_from_the_last_one(place: Place) -> None:
    order = message()

    async def story(store: SqliteStore) -> int:
        await store.write(lambda c: c.add([order]))
        return store.last_id

    assert place.play(story) == 0
    assert place.play(story_last) == order.id


async def story_last(store: SqliteStore) -> int:
    return store.last_id


def test_a_restart_puts_back_the_claimed_and_doubts_the_armed(place: Place) -> None:
    claimed, armed, sent, waiting = message(queue="m2"), message(queue="m2"), message(queue="m2"), message()
    flying, landed = attempt(armed), attempt(sent)

    def before(c: Changes) -> None:
        c.add([claimed, armed, sent, waiting])
        c.claim("m2", START, 3)
        for order, tried in ((armed, flying), (sent, landed)):
            c.move(order.id, Status.SENDING, START)
            c.arm(tried)
        c.end(landed.id, AttemptState.ACCEPTED, START, reference="5", tp_mr=5, listening=True)
        c.move(sent.id, Status.SENT, START)

    place.do(before)
    place.clock.at = START + 5

    async def after(store: SqliteStore) -> None:
        assert store.recovered.released == 1
        assert store.recovered.in_doubt == (flying.id,)
        back, doubted, tried, done, history = await store.read(
            lambda v: (
                v.message(claimed.id), v.message(armed.id), v.attempt(flying.id), v.message(sent.id),
                v.history(armed.id),
            )
        )  # fmt: skip
        assert back == claimed
        assert doubted is not None
        assert (doubted.status, doubted.queue, doubted.code, doubted.tries) == (Status.IN_DOUBT, None, "restarted", 1)
        assert tried is not None
        assert (tried.state, tried.code, tried.deadline) == (
            AttemptState.IN_DOUBT, "restarted", START + 5 + 600 * SECOND,
        )  # fmt: skip
        assert done is not None
        assert done.status is Status.SENT
        assert [e.kind for e in history] == ["queued", "sending", "in_doubt"]
        assert await store.read(lambda v: v.next_deadline()) == tried.deadline
        assert [m.id for m in await store.write(lambda c: c.claim("m2", START + 5, 9))] == [claimed.id]

    place.play(after)

    async def again(store: SqliteStore) -> None:
        assert store.recovered.in_doubt == ()  # once is enough
        assert store.recovered.released == 1

    place.play(again)


def test_a_restart_does_not_shorten_a_deadline(place: Place) -> None:
    far = START + 7200 * SECOND

    def before(c: Changes) -> int:
        tried = attempt(put(c, Status.SENDING), deadline=far)
        c.arm(tried)
        return tried.id

    id = place.do(before)
    found = place.do(lambda c: c.attempt(id))
    assert found is not None
    assert found.deadline == far


def test_a_restart_between_two_parts_loses_nothing_and_keeps_the_sim(place: Place) -> None:
    def before(c: Changes) -> tuple[int, int]:
        half = put(c, Status.SENDING, parts=2)
        tried = attempt(half, channel="m7")
        c.arm(tried)
        c.end(tried.id, AttemptState.ACCEPTED, START, tp_mr=1, reference="1", listening=True)
        none = put(c, Status.SENDING, queue="m3")
        return half.id, none.id

    half, none = place.do(before)
    found = place.do(lambda c: [c.message(half), c.message(none)])
    assert [(m.status, m.queue, m.code) for m in found if m] == [
        (Status.QUEUED, "m7", "restarted"),
        (Status.QUEUED, "m3", "restarted"),
    ]


def test_a_killed_process_leaves_every_acknowledged_row_and_no_half(place: Place) -> None:
    """A child writes pairs, prints each once it was acknowledged, and is killed in the middle."""
    code = textwrap.dedent(
        """
        import asyncio, sys
        from pathlib import Path
        from tests.contract.support import Place, attempt, message, START
        from bridge.model import Status

        async def main():
            async with Place(Path(sys.argv[1])).open() as store:
                async def pairs():
                    while True:
                        one, two = message(batch=1), message(batch=1)
                        def work(c):
                            c.add([one]); c.add([two])
                            c.move(one.id, Status.SENDING, START); c.arm(attempt(one))
                        await store.write(work)
                        print(one.id, two.id, flush=True)
                await asyncio.gather(*(pairs() for _ in range(8)))

        asyncio.run(main())
        """
    )
    directory = place.path.parent.parent
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(directory)], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    )
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(300)]
    os.kill(child.pid, signal.SIGKILL)
    lines += child.stdout.readlines()
    child.stdout.close()
    assert child.wait() == -signal.SIGKILL
    acknowledged = {int(id) for line in lines if line.endswith("\n") for id in line.split()}
    assert len(acknowledged) >= 600

    async def story(store: SqliteStore) -> None:
        counts = await store.read(lambda v: v.counts())
        assert counts[Status.QUEUED] == counts[Status.IN_DOUBT] == len(store.recovered.in_doubt)
        for id in acknowledged:
            assert await store.read(lambda v, id=id: v.message(id)) is not None  # type: ignore[misc]

    place.play(story)


# --- A full disk ------------------------------------------------------------------------------------------------------


def test_a_full_disk_refuses_the_order_keeps_nothing_of_it_and_goes_on(place: Place) -> None:
    small = message()

    async def story() -> None:
        async with place.open(max_pages=110) as store:
            await store.write(lambda c: c.add([small]))
            large = [message(text="x" * 1000) for _ in range(500)]
            outcome = [message(text="y") for _ in range(3)]
            results = await asyncio.gather(
                store.write(lambda c: c.add(outcome[:1])),
                store.write(lambda c: c.add(large)),
                store.write(lambda c: c.add(outcome[1:])),
                return_exceptions=True,
            )
            assert [type(r) for r in results] == [type(None), StoreFull, type(None)]
            assert "make room" in str(results[1])
            assert await store.write(lambda c: c.move(small.id, Status.CANCELLED, START))
            assert await store.read(lambda v: v.counts()) == {Status.QUEUED: 3, Status.CANCELLED: 1}
            assert store.damaged is None

    asyncio.run(story())
    assert place.do(lambda c: c.counts()) == {Status.QUEUED: 3, Status.CANCELLED: 1}


FULL_DISK = """
import asyncio, sys
from pathlib import Path
from bridge.model import Status
from bridge.store import StoreFull
from tests.contract.support import START, Place, message

async def main():
    place, kept = Place(Path(sys.argv[1])), 0
    ballast = Path(sys.argv[1]) / "ballast"  # given back when the disk is full: room for the small, not for the large
    ballast.write_bytes(bytes(64 * 1024))
    async with place.open() as store:
        try:
            while True:
                await store.write(lambda c: c.add([message(text="x" * 700)]))
                kept += 1
        except StoreFull:
            ballast.unlink()
        large = lambda c: c.add([message(text="x" * 700) for _ in range(400)])
        small = lambda c: c.set_meta("small", "fits")
        results = await asyncio.gather(*map(store.write, (large, small, large)), return_exceptions=True)
        assert [type(r) for r in results] == [StoreFull, type(None), StoreFull], results
        assert store.damaged is None
        assert await store.read(lambda v: v.counts()) == {Status.QUEUED: kept}
    async with place.open() as store:
        assert await store.read(lambda v: v.counts()) == {Status.QUEUED: kept}
        assert await store.read(lambda v: v.meta("small")) == "fits"
    print("kept", kept)

asyncio.run(main())
"""


def test_a_commit_that_finds_the_disk_full_refuses_the_large_and_keeps_the_small(tmp_path: Path) -> None:
    """A real full disk of 1.4 MB, in a name space of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = f"mount -t tmpfs -o size=1400k tmpfs {disk}"
    if subprocess.run(["unshare", "-Urm", "sh", "-c", mounted], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let us mount a small disk")
    script = f'{mounted} && exec "$0" -c "$1" {disk}'
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", script, sys.executable, FULL_DISK],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
    )
    assert done.stdout.startswith("kept "), done.stderr
