"""How long a reply takes to find the message it answers, with a million sent ones in the store; and what the
bookkeeping behind it costs. In process, on the real store: the search is measured within the transaction that stores
the reply."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.report import Figure, Goal, percentile
from bridge.clock import wall
from bridge.inbound import replies
from bridge.store import Changes, View
from bridge.store.sqlite import SqliteStore, open_store
from bridge.store.talk import RUN

__all__ = ["measure"]

_WINDOW = 72 * 3_600_000
_SEARCHES = 500
_SIM = "8944000000000000001"


def measure(bench: Bench) -> list[Figure]:
    rows = bench.rows or 1_000_000
    medians: list[float] = []
    slowest: list[float] = []
    sorting: list[float] = []
    for run in range(bench.runs):
        bench.say(f"run {run + 1} of {bench.runs}, {rows:,} sent messages")
        directory = bench.work / f"replies-{run}"
        directory.mkdir()
        found, sorted_in = asyncio.run(_measured(directory, rows))
        medians.append(1000 * percentile(found, 50))
        slowest.append(1000 * percentile(found, 99))
        sorting.append(1e6 * sorted_in / rows)
    name = f"reply: to its message, among {rows:,} sent within 72 h"
    return [
        Figure(name=name, unit="ms", values=medians, goal=Goal(2.0, at_least=False)),
        Figure(name="  p99", unit="ms", values=slowest, goal=Goal(2.0, at_least=False)),
        Figure(name="  sorting in what was sent", unit="us/message", values=sorting, note="beside sending, every 15 s"),
    ]


async def _measured(directory: Path, rows: int) -> tuple[list[float], float]:
    """Seconds of each search, and of sorting in all."""
    path = directory / "gsmbridge.sqlite"
    now = wall()
    await (await _open(path)).close()
    _fill(path, rows, now)
    store = await _open(path)
    began = time.perf_counter()
    while await store.write(lambda changes: changes.keep_sent(now, _WINDOW)):
        pass
    sorted_in = time.perf_counter() - began
    times: list[float] = []
    for search in range(_SEARCHES):
        to = search * (rows // _SEARCHES)
        times.append(await store.write(lambda changes, to=to: _search(changes, to, now)))  # type: ignore[misc]
    await store.close()
    return times, sorted_in


async def _open(path: Path) -> SqliteStore:
    return await open_store(path, now=wall, doubt_deadline=lambda message, at: None)


def _search(view: View | Changes, to: int, now: int) -> float:
    began = time.perf_counter()
    answered = replies.find(
        view,
        channel="gsm1",
        sim=_SIM,
        sender=_number(to),
        text="Yes, I will come",
        answers=None,
        now=now,
        window=_WINDOW,
        region=None,
    )
    took = time.perf_counter() - began
    assert answered.match is not None
    assert answered.match.message.to == _number(to)
    return took


def _fill(path: Path, rows: int, now: int) -> None:
    """Sent over 70 hours to as many people, in no order of their numbers; and some thousand in no run yet."""
    step = max(1, 70 * 3_600_000 // rows)
    start = now - rows * step - 10_000
    database = sqlite3.connect(path)
    database.execute("PRAGMA synchronous = OFF")
    places = [(place * 7_919) % rows for place in range(rows)]
    messages = (
        ((start + i * step) << 20, _number(to), start + i * step, start + i * step) for i, to in enumerate(places)
    )
    database.executemany(
        "INSERT INTO messages (id, client, recipient, created_at, due_at, text, status)"
        " VALUES (?, 1, ?, ?, ?, 'Will you come?', 'delivered')",
        messages,
    )
    attempts = (
        (((start + i * step) << 20) + 1, (start + i * step) << 20, _SIM, _number(to)[-8:], start + i * step)
        for i, to in enumerate(places)
    )
    database.executemany(
        "INSERT INTO attempts (id, message, part, channel, sim, recipient, armed_at, epoch, state)"
        " VALUES (?, ?, 1, 'gsm1', ?, ?, ?, 1, 'accepted')",
        attempts,
    )
    database.commit()
    database.close()
    assert rows > RUN


def _number(place: int) -> str:
    return f"+4860{place:07d}"
