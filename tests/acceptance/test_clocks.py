"""The clock of the real daemon, set while it runs by libfaketime: what is sent is what the network's ledger says.

A machine that sleeps cannot be had this way; that, and every scenario once more, is in tests/flows/test_clocks.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Any

import pytest

from bridge.clock import kernel_synchronised
from drivers.simulator import Simulation
from tests.acceptance.test_kill import Daemon

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
PHONE = "+447700900123"
PATIENCE = 75.0  # seconds; libfaketime tells nobody that it has set the clock, so the look of the minute must
SETTLE = 15  # seconds; the distrust of a step ends with them, and a test on a machine that stalls must still see it
HOUR, DAY = 3600, 86_400

CONFIG = """
[service]
state_dir = "{state}"
listen = "127.0.0.1:0"
clock_settle = "{settle}s"
log_level = "warning"

[[modem]]
id = "left"
port = "{port}"
poll = "2s"
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed (Debian package faketime)"),
    # Of a kernel that says "synchronised" every step is confirmed, and libfaketime cannot take its word back.
    pytest.mark.skipif(kernel_synchronised() is True, reason="the kernel's clock is synchronised"),
]


class World:
    """A daemon, its network, and its wall clock."""

    def __init__(self, directory: Path, sim: Simulation) -> None:
        self.sim = sim
        self._offset = directory / "offset"
        self._set = 0
        state = directory / "state"
        config = directory / "gsmbridge.toml"
        config.write_text(CONFIG.format(state=state, settle=SETTLE, port=sim.modems[0].port))
        self.daemon = Daemon(
            config,
            state,
            {
                "LD_PRELOAD": str(LIBRARY),
                "FAKETIME_TIMESTAMP_FILE": str(self._offset),
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "FAKETIME_NO_CACHE": "1",
            },
        )

    def set(self, seconds: int) -> None:
        """The clock is so much ahead of the true one."""
        self._set = seconds
        temporary = self._offset.with_suffix(".new")
        temporary.write_text(f"{seconds:+d}\n")
        temporary.replace(self._offset)

    def set_to(self, text: str) -> None:
        self.set(round(datetime.fromisoformat(text).timestamp() - time()))

    def now(self) -> float:
        """On the daemon's clock."""
        return time() + self._set

    def at(self, seconds: float) -> str:
        """So many seconds from now, on the daemon's clock."""
        return datetime.fromtimestamp(self.now() + seconds, UTC).isoformat()

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        async with self.daemon.client() as http:
            answer = await http.request(method, path, json=body)
            assert answer.is_success, answer.text
            return answer.json()

    async def send(self, text: str, **more: Any) -> str:
        return str((await self.ask("POST", "/v1/messages", {"to": PHONE, "text": text, **more}))["id"])

    async def status(self, id: str) -> str:
        return str((await self.ask("GET", f"/v1/messages/{id}"))["status"])

    async def schedule(self, rule: str, **more: Any) -> str:
        wish = {"rule": rule, "to": [PHONE], "message": {"text": "recurring"}, **more}
        return str((await self.ask("POST", "/v1/schedules", wish))["id"])

    async def occurrences(self, id: str) -> list[str]:
        return [o["due_at"] for o in (await self.ask("GET", f"/v1/schedules/{id}/occurrences"))["items"]][::-1]

    def texts(self, text: str) -> int:
        return sum(e.text == text for e in self.sim.network.ledger)

    async def trusted(self, wanted: bool) -> None:
        await self.until(lambda: self._trusts(wanted))

    async def _trusts(self, wanted: bool) -> bool:
        return ("not to be trusted" in (await self.ask("GET", "/readyz"))["detail"]) != wanted

    async def until(self, true: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(PATIENCE):
            while True:
                if await true():
                    return
                await asyncio.sleep(0.1)  # another process: there is nothing to wait on

    async def until_texts(self, text: str, wanted: int) -> None:
        async def there() -> bool:
            return self.texts(text) >= wanted

        await self.until(there)


@asynccontextmanager
async def world(directory: Path) -> AsyncIterator[World]:
    async with Simulation(modems=1, delay=0.02, reports=0.2) as sim:
        yield World(directory, sim)


def run(directory: Path, story: Callable[[World], Awaitable[None]], start: int | str = 0) -> None:
    async def whole() -> None:
        async with world(directory) as w:
            w.set_to(start) if isinstance(start, str) else w.set(start)
            await w.daemon.start()
            try:
                await w.daemon.answering()
                await story(w)
            finally:
                await w.daemon.stop()

    asyncio.run(whole())


async def know_the_year(w: World) -> None:
    """Run once by a good clock, so that it is written down."""
    await w.ask("GET", "/readyz")


def test_a_start_in_1970(tmp_path: Path) -> None:
    run(tmp_path, know_the_year)

    async def story(w: World) -> None:
        await w.trusted(False)
        now = await w.send("now", valid_for=600)
        await w.until_texts("now", 1)
        deferred = await w.send("deferred", send_at=datetime.fromtimestamp(time() + 1, UTC).isoformat())
        recurring = await w.schedule("every 1 minute")
        await asyncio.sleep(3)  # nothing is to happen
        assert await w.status(deferred) in ("scheduled", "queued")
        w.set(0)
        await w.until_texts("deferred", 1)
        await w.trusted(True)
        assert await w.status(now) in ("sent", "delivered")
        assert w.texts("now") == 1
        assert len(await w.occurrences(recurring)) <= 1

    run(tmp_path, story, -round(time()))


def test_three_hours_back_and_no_text_twice(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        minute = datetime.fromtimestamp(time() + 90, UTC).minute  # begins in half a minute or later
        recurring = await w.schedule(f"{minute} * * * *", tz="UTC")
        (due,) = (await w.ask("GET", f"/v1/schedules/{recurring}"))["next"][:1]
        at = datetime.fromisoformat(due).timestamp()
        # Less than ten minutes: followed at once, at the latest with the look of the minute.
        w.set(round(at - 1 - time()))
        await w.send("wakes nobody")
        await w.until_texts("recurring", 1)
        again = at - 3 * HOUR
        w.set(round(again - 2 * SETTLE - time()))  # the rule's minute comes once more, when the clock is believed again
        await w.send("after")
        await w.until_texts("after", 1)
        await w.trusted(False)
        await w.trusted(True)
        await asyncio.sleep(max(0.0, again + 2 - w.now()))
        assert w.texts("recurring") == 1
        assert await w.occurrences(recurring) == [due]
        await w.send("still")
        await w.until_texts("still", 1)

    run(tmp_path, story)


@pytest.mark.parametrize("ahead", [DAY, 3652 * DAY], ids=["a day", "ten years"])
def test_set_ahead_and_back_again_nothing_expires_and_nothing_goes_early(tmp_path: Path, ahead: int) -> None:
    async def story(w: World) -> None:
        deferred = await w.send("deferred", send_at=w.at(HOUR), valid_for=600)
        recurring = await w.schedule("every 1 hour")
        w.set(ahead)
        await w.send("now")
        await w.until_texts("now", 1)
        await w.trusted(False)
        assert await w.status(deferred) == "scheduled"
        w.set(0)
        await w.trusted(True)
        assert await w.status(deferred) == "scheduled"
        assert await w.occurrences(recurring) == []
        assert w.texts("deferred") == 0

    run(tmp_path, story)


def test_set_ahead_and_left_so_it_is_believed_in_the_end(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        await w.send("deferred", send_at=w.at(HOUR), valid_for=DAY)
        w.set(2 * HOUR)
        await w.send("now")
        await w.trusted(False)
        await w.until_texts("deferred", 1)
        assert w.texts("deferred") == w.texts("now") == 1

    run(tmp_path, story)


@pytest.mark.parametrize(
    ("start", "rule", "wanted"),
    [
        ("2027-03-28T00:59:53Z", "every day at 02:30", "2027-03-28T01:00:00.000Z"),  # the clocks jump over it
        ("2027-10-31T00:29:53Z", "every day at 02:30", "2027-10-31T00:30:00.000Z"),  # they show it twice
        ("2028-02-29T10:59:53Z", "0 12 29 2 *", "2028-02-29T11:00:00.000Z"),
    ],
    ids=["gap", "fold", "leap day"],
)
def test_twice_a_year_and_every_fourth(tmp_path: Path, start: str, rule: str, wanted: str) -> None:
    async def story(w: World) -> None:
        w.set_to(start)
        recurring = await w.schedule(rule, tz="Europe/Warsaw")
        await w.until_texts("recurring", 1)
        assert await w.occurrences(recurring) == [wanted]
        w.set(w._set - 5)  # as a leap second, only more: the time comes again
        await asyncio.sleep(7)
        w.set(w._set + HOUR)  # the second time that the clocks show it
        await w.trusted(False)
        await w.trusted(True)
        await asyncio.sleep(1)
        assert await w.occurrences(recurring) == [wanted]
        assert w.texts("recurring") == 1

    run(tmp_path, story, start)


def test_a_start_behind_what_was_written_down(tmp_path: Path) -> None:
    run(tmp_path, know_the_year)

    async def story(w: World) -> None:
        await w.trusted(False)
        await w.send("now")
        await w.until_texts("now", 1)
        deferred = await w.send("deferred", send_at=w.at(1))
        await asyncio.sleep(SETTLE + 3)  # longer than it takes to settle: it is known to be wrong
        assert await w.status(deferred) in ("scheduled", "queued", "sent", "delivered")
        await w.trusted(False)
        w.set(0)
        await w.trusted(True)
        await w.until_texts("deferred", 1)

    run(tmp_path, story, -DAY)
