"""What is SQLite's own: the files, the schema, the plans of its queries."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bridge.policy.admission import Defaults, Order, admit
from bridge.store import NewerDatabase, StoreDamaged, StoreError, StoreInUse, connect
from bridge.store.migrate import Step, migrate, steps, version
from bridge.store.queries import load, split
from bridge.store.rows import is_plain
from bridge.store.sqlite import SqliteStore

from .support import START, Place, message

QUERIES = ["messages", "queue", "attempts", "inbound", "access", "recovery"]


def test_everything_is_private(place: Place) -> None:
    async def story(store: SqliteStore) -> None:
        await store.write(lambda c: c.add([message()]))
        assert stat.S_IMODE(place.path.parent.stat().st_mode) == 0o700
        files = list(place.path.parent.iterdir())
        assert {f.suffix for f in files} == {".sqlite", ".lock", ".epoch", ".sqlite-wal", ".sqlite-shm"}
        assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}

    before = os.umask(0)
    try:
        place.play(story)
    finally:
        os.umask(before)


def test_a_second_process_is_refused_with_the_first_ones_number(place: Place) -> None:
    async def story(store: SqliteStore) -> None:
        with pytest.raises(StoreInUse, match=f"in use by process {os.getpid()}"):
            async with place.open():
                pass

    place.play(story)
    place.play(lambda store: store.read(lambda v: v.counts()))  # free again


def test_a_newer_database_is_not_touched(place: Place) -> None:
    place.do(lambda c: c.add([message()]))
    with sqlite3.connect(place.path) as db:
        db.execute("INSERT INTO migrations VALUES (9999, 'tomorrow', 0)")
    db.close()
    before = place.path.read_bytes()
    with pytest.raises(NewerDatabase, match=rf"schema 9999.*knows up to {NEXT - 1}.*install"):
        place.do(lambda c: None)
    assert place.path.read_bytes() == before


@pytest.mark.parametrize("size", [100, 20_000])
def test_a_file_that_is_no_database_is_damage(place: Place, size: int) -> None:
    place.path.parent.mkdir(parents=True)
    place.path.write_bytes(b"not a database " * (size // 15))
    with pytest.raises(StoreDamaged, match="backup"):
        place.do(lambda c: None)
    assert place.path.read_bytes().startswith(b"not a database")


def damage(place: Place) -> None:
    """Overwrite the root of an index that the opening itself does not read."""
    place.do(lambda c: c.add([message(expires_at=START) for _ in range(500)]))
    db = fresh(place.path)
    (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'messages_close'").fetchone()
    (size,) = db.execute("PRAGMA page_size").fetchone()
    db.close()
    with place.path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(os.urandom(size))


def test_damage_is_found_at_the_start(place: Place) -> None:
    damage(place)
    with pytest.raises(StoreDamaged, match=r"damaged.*\.recover"):
        place.do(lambda c: None)


def test_damage_in_a_large_file_is_found_beside_the_work(place: Place) -> None:
    damage(place)

    async def story() -> None:
        async with place.open(checked_at_once=0) as store:
            assert "damaged" in str(await store.until_damaged())
            with pytest.raises(StoreDamaged):
                await store.write(lambda c: c.add([message()]))

    asyncio.run(asyncio.wait_for(story(), 60))


def test_a_commit_is_synced_and_what_was_deleted_is_wiped(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    path.touch()
    db = connect.writer(path)
    wanted = {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "mmap_size": 0, "foreign_keys": 1}
    assert {name: db.execute(f"PRAGMA {name}").fetchone()[0] for name in wanted} == wanted
    db.close()


def test_a_path_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the directory should be")
    with pytest.raises(StoreError, match="cannot be opened"):
        Place(tmp_path).do(lambda c: None)


def test_a_lost_disk_stops_all_writing(place: Place) -> None:
    """A failed write of the log is the end of all writing until the next start."""

    async def story(store: SqliteStore) -> None:
        await store.write(lambda c: c.add([message()]))
        break_writing(Path(f"{place.path}-wal"))
        with pytest.raises(StoreDamaged, match="check the disk"):
            await store.write(lambda c: c.add([message()]))
        with pytest.raises(StoreDamaged):
            await store.write(lambda c: c.add([message()]))
        assert store.damaged is not None

    place.play(story)


def break_writing(path: Path) -> None:
    """Swap every descriptor of this file for one that cannot be written: an input/output error at the next write."""
    for entry in list(Path("/proc/self/fd").iterdir()):
        with suppress(OSError):
            if entry.readlink() == path:
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                os.dup2(fd, int(entry.name), inheritable=False)
                os.close(fd)


# --- Schema -----------------------------------------------------------------------------------------------------------


def fresh(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def test_each_script_has_a_number_of_its_own() -> None:
    numbers = [s.number for s in steps()]
    assert numbers == sorted(set(numbers))


NEXT = steps()[-1].number + 1  # the number of a migration that a later version brings


def test_a_migration_of_existing_data_leaves_a_copy_behind(place: Place) -> None:
    order = message()
    place.do(lambda c: c.add([order]))
    later = Step(number=NEXT, name="colour", script="ALTER TABLE messages ADD COLUMN colour TEXT;\n")
    db = fresh(place.path)
    migrate(db, place.path, START, [*steps(), later])
    assert version(db) == NEXT
    db.close()
    copy = place.path.with_name(f"{place.path.name}.before-{NEXT:04d}")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    old = fresh(copy)
    assert version(old) == NEXT - 1
    assert old.execute("SELECT id FROM messages").fetchall() == [(order.id,)]
    old.close()


def test_a_migration_that_fails_leaves_no_trace(place: Place) -> None:
    place.do(lambda c: c.add([message()]))
    broken = Step(
        number=NEXT, name="broken", script="CREATE TABLE half (id INTEGER);\nINSERT INTO nowhere VALUES (1);\n"
    )
    db = fresh(place.path)
    with pytest.raises(sqlite3.OperationalError):
        migrate(db, place.path, START, [*steps(), broken])
    assert version(db) == NEXT - 1
    assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone() == (0,)
    db.close()
    place.do(lambda c: c.add([message()]))


def test_a_new_database_needs_no_copy(place: Place) -> None:
    place.do(lambda c: None)
    assert not list(place.path.parent.glob("*.before-*"))


def test_a_script_is_split_at_its_statements() -> None:
    script = "-- a; b\nCREATE TABLE a (\n    id INTEGER, -- one; two\n    t TEXT DEFAULT ';'\n);\n\nDROP TABLE a;\n"
    assert [s[:8] for s in split(script)] == ["CREATE T", "DROP TAB"]
    with pytest.raises(ValueError, match="semicolon"):
        list(split("CREATE TABLE a (id INTEGER)"))


# --- Plans ------------------------------------------------------------------------------------------------------------

SCANS = {("access", "keys"), ("access", "forget"), ("messages", "counts")}  # small tables, or the oldest rows only
SORTS = {("attempts", "listening_to"), ("recovery", "armed"), ("messages", "batch_counts")}  # few rows


@pytest.mark.parametrize("file", QUERIES)
def test_no_statement_scans_or_sorts_a_table(tmp_path: Path, file: str) -> None:
    """Each statement is found in an index; a partial index is used only if the statement repeats its condition."""
    db = fresh(tmp_path / "plans.sqlite")
    for step in steps():
        for statement in split(step.script):
            db.execute(statement)
    for name, statement in load(file).items():
        values = dict.fromkeys(re.findall(r":(\w+)", statement), 1) or [1] * statement.count("?")
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
        scans = [p for p in plan if p.startswith("SCAN") and not p.startswith(("SCAN steps", "SCAN highest"))]
        assert not scans or (file, name) in SCANS, (name, plan)
        assert not any("TEMP B-TREE" in p for p in plan) or (file, name) in SORTS, (name, plan)
    db.close()


def test_every_statement_is_used() -> None:
    source = "".join(p.read_text() for p in Path("bridge/store").glob("*.py"))
    used = set(re.findall(r'(?:MESSAGES|QUEUE|ATTEMPTS|INBOX|ACCESS|RECOVERY)\["(\w+)"\]', source))
    named = {name for file in QUERIES for name in load(file)}
    assert used == named


@pytest.mark.parametrize(
    "more", [{}, {"send_at": START + 3_600_000}, {"report": False, "priority": 5}, {"valid_for": 60}]
)
def test_an_ordinary_order_is_written_the_short_way(more: dict[str, Any]) -> None:
    """It costs half as much: see `PLAIN_MESSAGE`."""
    order = Order(to="+447700900123", text="Hello", **more)
    assert is_plain(admit(order, Defaults(), id=1, client=1, now=START, batch=2))
