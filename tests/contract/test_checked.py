"""The whole check, unclean ends, and a database that is gone, damaged or an older one than it was."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from bridge.checking import WEEK, Checking
from bridge.model import AttemptState, Status
from bridge.store import Changes, StoreDamaged, StoreError
from bridge.store.inspect import look
from bridge.store.integrity import examined
from bridge.store.restored import RESTORED
from bridge.store.sqlite import SqliteStore

from .support import DAY, START, Place, attempt, message, put


def torn_index(path: Path) -> None:
    """An index that lacks a row: nothing that the quick check looks at."""
    db = sqlite3.connect(path)
    (sql,) = db.execute("SELECT sql FROM sqlite_master WHERE name = 'messages_close'").fetchone()
    db.execute("PRAGMA writable_schema = ON")
    db.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'messages_close'", (f"{sql} AND id > 0",))
    db.commit()
    db.close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA writable_schema = ON")
    db.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'messages_close'", (sql + " AND id % 2",))
    db.commit()
    db.close()
    db = sqlite3.connect(path)
    db.execute("REINDEX messages_close")
    db.execute("PRAGMA writable_schema = ON")
    db.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'messages_close'", (sql,))
    db.commit()
    assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
    db.close()


def with_torn_index(place: Place) -> None:
    place.do(lambda c: c.add([message(expires_at=START + DAY) for _ in range(20)]))
    torn_index(place.path)


def test_a_sound_database_is_checked_and_that_is_remembered(place: Place) -> None:
    async def story(store: SqliteStore) -> None:
        await store.write(lambda c: c.add([message(expires_at=START)]))
        assert store.checked_at == 0
        assert await store.examine()
        assert store.checked_at == START

    place.play(story)

    async def later(store: SqliteStore) -> int:
        return store.checked_at

    assert place.play(later) == START


def test_damage_that_only_the_whole_check_finds_ends_the_work_and_the_next_start(place: Place) -> None:
    with_torn_index(place)

    async def story() -> None:
        async with place.open() as store:  # the quick check lets it pass
            assert await store.examine()
            assert "missing from index" in str(await store.until_damaged())
            with pytest.raises(StoreDamaged):
                await store.write(lambda c: c.add([message()]))

    asyncio.run(story())
    with pytest.raises(StoreDamaged, match=r"missing from index.*gsmbridge restore"):
        place.do(lambda c: None)
    db = sqlite3.connect(place.path)
    db.execute("REINDEX")
    db.commit()
    db.close()
    for _ in range(2):  # mended: it is looked at once more, and forgotten
        place.do(lambda c: c.add([message()]))


def test_the_check_gives_way_when_too_much_is_written_meanwhile(place: Place) -> None:
    async def story(store: SqliteStore) -> None:
        await store.write(lambda c: c.add([message() for _ in range(30_000)]))
        # Again, when the machine had a moment in which the check ended before the log was looked at.
        assert None in [await examined(place.path, log_limit=0, every=0.0001) for _ in range(5)]
        assert await examined(place.path, every=0.0001) == ""

    place.play(story)


def test_an_end_without_a_close_is_seen(place: Place, tmp_path: Path) -> None:
    copy = Place(tmp_path / "copy")

    async def story(store: SqliteStore) -> None:
        assert not store.recovered.unclean
        await store.write(lambda c: c.add([message()]))
        shutil.copytree(place.path.parent, copy.path.parent)

    async def unclean(store: SqliteStore) -> bool:
        return store.recovered.unclean

    place.play(story)
    assert not place.play(unclean)
    assert copy.play(unclean)
    assert not copy.play(unclean)


def test_it_is_checked_soon_after_an_unclean_end_then_each_week_and_again_when_it_gave_way() -> None:
    clock, checks = {"now": START, "checked": START}, asyncio.Queue[bool]()
    answers = [False, True, True]

    async def examine() -> bool:
        answer = answers.pop(0)
        if answer:
            clock["checked"] = clock["now"]
        checks.put_nowait(answer)
        return answer

    async def story() -> None:
        one = Checking(examine, lambda: clock["checked"], lambda: clock["now"], unclean=True, soon=0, look=0.001)
        task = asyncio.create_task(one.run())
        async with asyncio.timeout(60):
            assert [await checks.get(), await checks.get()] == [False, True]
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(checks.get(), 0.1)
            clock["now"] += WEEK
            assert await checks.get()
        task.cancel()

    asyncio.run(story())


@pytest.mark.parametrize("seed", range(25))
def test_whatever_is_damaged_is_said_in_a_sentence(place: Place, seed: int) -> None:
    """Random octets anywhere: the opening goes well, or says what is wrong and what to do."""
    random = Random(seed)
    place.do(lambda c: [put(c, status) for status in Status] and None)
    with place.path.open("r+b") as file:
        for _ in range(random.choice([1, 3, 20])):
            file.seek(random.randrange(place.path.stat().st_size))
            file.write(random.randbytes(random.choice([1, 16, 2000])))
    with suppress(StoreError):
        place.do(lambda c: c.counts())
    assert isinstance(look(place.path).problem, str)


# --- Gone, and older than it was --------------------------------------------------------------------------------------


@pytest.mark.parametrize("gone", ["removed", "emptied"])
def test_a_database_that_is_gone_is_no_reason_to_begin_anew(place: Place, gone: str) -> None:
    place.do(lambda c: c.add([message()]))
    if gone == "removed":
        place.path.unlink()
    else:
        os.truncate(place.path, 0)
    with pytest.raises(StoreError, match=r"gone or empty.*gsmbridge restore FILE.*remove gsmbridge.sqlite.epoch"):
        place.do(lambda c: None)
    place.path.with_name("gsmbridge.sqlite.epoch").unlink()
    assert place.do(lambda c: c.counts()) == {}


def test_an_older_copy_put_back_sends_nothing_that_was_due(place: Place) -> None:
    def fill(changes: Changes) -> dict[str, int]:
        rows = {
            "queued": put(changes, Status.QUEUED),
            "retry": put(changes, Status.RETRY_WAIT),
            "doubt": put(changes, Status.IN_DOUBT),
            "armed": put(changes, Status.SENDING),
            "sent": put(changes, Status.SENT),
            "later": put(changes, Status.QUEUED, due_at=START + DAY),
        }
        for name in ("doubt", "armed"):
            tried = attempt(rows[name])
            changes.arm(tried)
            if name == "doubt":
                changes.end(tried.id, AttemptState.IN_DOUBT, START)
        return {name: m.id for name, m in rows.items()}

    ids = place.do(fill)
    older = place.path.with_name("older")
    shutil.copy(place.path, older)
    place.do(lambda c: None)  # goes on: one epoch more
    shutil.copy(older, place.path)

    async def story(store: SqliteStore) -> None:
        assert store.recovered.closed == 4
        assert store.recovered.in_doubt == ()
        assert store.epoch == 3
        found = {name: await store.read(lambda v, id=id: v.message(id)) for name, id in ids.items()}  # type: ignore[misc]
        for name in ("queued", "retry", "doubt", "armed"):
            one = found[name]
            assert one is not None
            assert (one.status, one.code) == (Status.UNKNOWN, RESTORED), name
            assert "may have been sent" in one.reason
        sent, later = found["sent"], found["later"]
        assert sent is not None
        assert sent.status is Status.SENT
        assert later is not None
        assert later.status is Status.QUEUED
        assert await store.write(lambda c: c.claim("*", START, 99)) == []
        assert await store.read(lambda v: v.open_doubts()) == 0
        assert [m.id for m in await store.write(lambda c: c.claim("*", START + DAY, 99))] == [ids["later"]]

    place.play(story)

    async def again(store: SqliteStore) -> int | None:
        return store.recovered.closed

    assert place.play(again) is None
