"""Group commit: one thread, one writing connection, one transaction for everything that waits.

    loop:    write(work) -> future -> ...                                              -> results
    thread:  BEGIN | work | work | ... | COMMIT -> one call into the loop

A work that raises loses its own changes only: the group is undone and run once more with a savepoint around each work,
which costs two statements a work, so it is done only then. When the disk is full the group is taken apart and each work
is run again in a transaction of its own, so that a small outcome is not refused because a large order was beside it. A
work is therefore a function of the store and nothing else. Any other failure of a commit is the end: after a failed
sync the kernel calls the pages clean, and a second sync would lie.

Once a second, between two groups, the thread looks how much room the disk has.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from bridge.policy.storage import Level
from bridge.store import StoreDamaged, StoreError, StoreFull
from bridge.store.changes import SqlChanges
from bridge.store.connect import explain
from bridge.store.space import EVERY, Space

__all__ = ["Writer"]

log = logging.getLogger("gsmbridge.store")

GROUP_SECONDS = 0.02  # then it is committed, whatever still waits: an outcome must not wait for a row of large orders

Work = Callable[[SqlChanges], Any]
Job = tuple[Work, "asyncio.Future[Any]"]
Outcome = tuple["asyncio.Future[Any]", Any, BaseException | None]


class _Lost(Exception):
    """The transaction of the whole group is gone."""


class Writer:
    def __init__(
        self, connection: sqlite3.Connection, changes: SqlChanges, path: Path, space: Space | None = None
    ) -> None:
        self.on_events: Callable[[frozenset[int]], None] = lambda endpoints: None
        self.on_level: Callable[[Level], None] = lambda level: None
        self.failure: StoreDamaged | None = None  # set once; from then on every work gets it
        self.commit_took = 0.0  # seconds from the begin of a group to its end on disk, smoothed
        self._connection = connection
        self._changes = changes
        self._path = path
        self._space = space
        self.level = Level.AMPLE if space is None else space.level  # as the loop knows it
        self._seen = self.level
        self._loop = asyncio.get_running_loop()
        # As long as there are callers: each waits for its answer before it brings the next work.
        self._pending: SimpleQueue[Job | None] = SimpleQueue()
        self._refused = asyncio.Event()
        self._closed = False
        self._full = False
        # A daemon: a program that ends without closing must not hang; what is committed is safe anyway.
        self._thread = threading.Thread(target=self._serve, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Work) -> asyncio.Future[Any]:
        if self._closed:
            raise StoreError("the store is closed")
        future: asyncio.Future[Any] = self._loop.create_future()
        self._pending.put((work, future))
        return future

    def refuse(self, failure: StoreDamaged) -> None:
        """From now on nothing is written. The first failure is the one that counts."""
        if self.failure is None:
            self.failure = failure
            log.critical("store_damaged detail=%r", str(failure))
            with suppress(RuntimeError):  # the loop is gone
                self._loop.call_soon_threadsafe(self._refused.set)

    async def until_refused(self) -> StoreDamaged:
        await self._refused.wait()
        assert self.failure is not None
        return self.failure

    async def stop(self) -> None:
        """What was submitted is still done."""
        if not self._closed:
            self._closed = True
            self._pending.put(None)
        await self._loop.run_in_executor(None, self._thread.join)

    # --- In the loop ---

    def _deliver(self, outcomes: list[Outcome], touched: frozenset[int]) -> None:
        for future, value, error in outcomes:
            if future.done():  # its caller was cancelled; the work stands
                continue
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)
        if touched:
            self.on_events(touched)

    def _turned(self, level: Level) -> None:
        self.level = level
        self.on_level(level)

    # --- In the thread ---

    def _serve(self) -> None:
        while True:
            try:
                job = self._pending.get(timeout=None if self._space is None else EVERY)
            except Empty:
                self._look()
                continue
            if job is None:
                return
            self._look()
            outcomes, last = self._group(job)
            try:
                self._loop.call_soon_threadsafe(self._deliver, outcomes, frozenset(self._changes.touched))
            except RuntimeError:  # the loop is gone, and everybody who waited with it
                return
            self._changes.touched.clear()
            if last:
                return

    def _look(self) -> None:
        if self._space is None:
            return
        self._space.look()
        if self._space.level is not self._seen:
            self._seen = self._space.level
            with suppress(RuntimeError):  # the loop is gone
                self._loop.call_soon_threadsafe(self._turned, self._seen)

    def _group(self, first: Job) -> tuple[list[Outcome], bool]:
        """Run and commit everything that waits. Returns the outcomes, and whether the end was called meanwhile."""
        jobs = [first]
        outcomes: list[Outcome] = []
        last = False
        try:
            self._begin()
            began = time.monotonic()
            until = began + GROUP_SECONDS
            try:
                while True:
                    work, future = jobs[-1]
                    outcomes.append((future, work(self._changes), None))
                    if time.monotonic() > until:
                        break
                    following = self._pending.get_nowait()
                    if following is None:
                        last = True
                        break
                    jobs.append(following)
            except Empty:
                pass
            except BaseException:
                self._changes.drop()
                self._undo()
                self._begin()
                outcomes = [self._guarded(job) for job in jobs]
            self._changes.settle()
            self._connection.execute("COMMIT")
            self.commit_took += (time.monotonic() - began - self.commit_took) * 0.1
            self._has_room()
        except (sqlite3.Error, StoreError, _Lost) as error:
            self._changes.drop()
            self._undo()
            meaning = self._meaning(error)
            if isinstance(meaning, (StoreFull, _Lost)):
                outcomes = [self._alone(job) for job in jobs]
            else:
                outcomes = [(future, None, meaning) for _, future in jobs]
        return outcomes, last

    def _guarded(self, job: Job) -> Outcome:
        """One work inside its savepoint. Raises only when that is not what it ends in."""
        work, future = job
        run = self._connection.execute
        run("SAVEPOINT work")
        try:
            value = work(self._changes)
            self._changes.settle()
        except BaseException as error:
            self._changes.drop()
            if not self._connection.in_transaction:  # SQLite may undo everything when the disk is full
                raise _Lost from error
            run("ROLLBACK TO work")
            run("RELEASE work")
            return future, None, self._meaning(error)
        run("RELEASE work")
        return future, value, None

    def _alone(self, job: Job) -> Outcome:
        work, future = job
        try:
            self._begin()
            value = work(self._changes)
            self._changes.settle()
            self._connection.execute("COMMIT")
        except BaseException as error:
            self._changes.drop()
            self._undo()
            return future, None, self._meaning(error)
        return future, value, None

    def _begin(self) -> None:
        if self.failure is not None:
            raise self.failure
        self._connection.execute("BEGIN IMMEDIATE")

    def _undo(self) -> None:
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                self.refuse(StoreDamaged(f"{self._path} could not be rolled back ({error}); check the disk"))

    def _meaning(self, error: BaseException) -> BaseException:
        """What the caller gets; remembers what concerns everybody."""
        if isinstance(error, StopIteration):  # a future cannot carry it
            return RuntimeError("a work raised StopIteration")
        meaning = explain(error, self._path) if isinstance(error, sqlite3.Error) else error
        if isinstance(meaning, StoreDamaged):
            self.refuse(meaning)
        elif isinstance(meaning, StoreFull):
            log.log(logging.DEBUG if self._full else logging.WARNING, "store_full path=%s", self._path)
            self._full = True
            if self._space is not None:
                self._space.exhausted()
        if meaning is not error:
            meaning.__cause__ = error
        return meaning

    def _has_room(self) -> None:
        if self._full:
            self._full = False
            log.info("store_has_room path=%s", self._path)
