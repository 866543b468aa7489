"""What happens to texts when the clock is wrong, set, or changed twice a year: the twelve scenarios, in process."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bridge.clock import wall
from bridge.policy.clocks import SETTLE, Distrust
from tests.flows.gateway import Gateway, gateway

PHONE = "+447700900123"
SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
YEARS = 3652 * DAY


def shown(instant: int) -> str:
    return datetime.fromtimestamp(instant / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def look(gate: Gateway) -> None:
    """As each minute, and at once when the kernel says that the clock was set; and what is due then has run."""
    await gate.app.timekeeping.look()
    await gate.app.recurring.turn()


async def schedule(gate: Gateway, rule: str, text: str = "recurring", **more: Any) -> str:
    answer = await gate.http.post(
        "/v1/schedules", json={"rule": rule, "to": [PHONE], "message": {"text": text}, **more}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def occurrences(gate: Gateway, id: str) -> list[tuple[str, str]]:
    """State and time, oldest first."""
    items = (await gate.http.get(f"/v1/schedules/{id}/occurrences")).json()["items"]
    return [(o["state"], o["due_at"]) for o in items[::-1]]


def run(story: Any, directory: Path, **options: Any) -> None:
    async def whole() -> None:
        async with gateway(directory, **options) as gate:
            await story(gate)

    asyncio.run(whole())


def test_1_a_start_in_1970_sends_what_is_for_now_and_holds_the_rest(tmp_path: Path) -> None:
    time_passed, set_by, kernel = {"ahead": 0}, {"ahead": -wall()}, {"synchronised": False}

    async def before(gate: Gateway) -> None:
        await look(gate)  # so that the next start knows what year it is

    async def story(gate: Gateway) -> None:
        assert gate.app.clock.belief.distrust is Distrust.BEFORE_BUILD
        later = await gate.send(PHONE, "deferred", send_at=shown(wall() + MINUTE))
        recurring = await schedule(gate, "every 1 minute")
        now = await gate.send(PHONE, "now", valid_for=3600)
        assert (await gate.status(now, "sent", "delivered"))["created_at"] > "2026"
        assert "not to be trusted" in (await gate.http.get("/readyz")).json()["detail"]
        assert "gsmbridge_clock_trusted 0.0" in (await gate.http.get("/metrics")).text
        time_passed["ahead"] += 10 * MINUTE
        await look(gate)
        await gate.status(await gate.send(PHONE, "still"), "sent", "delivered")
        assert gate.texts() == ["now", "still"]
        # A time server sets the clock, an hour later than the deferred one was to go.
        set_by["ahead"] = HOUR
        kernel["synchronised"] = True
        await look(gate)
        await gate.status(later, "sent", "delivered")
        assert "gsmbridge_clock_trusted 1.0" in (await gate.http.get("/metrics")).text
        await gate.event("occurrence_skipped", schedule=recurring)
        assert gate.texts("deferred") == ["deferred"]
        assert gate.texts("now") == ["now"]

    set_by["ahead"] = 0
    run(before, tmp_path, now_ahead=time_passed, wall_ahead=set_by, kernel=kernel)
    set_by["ahead"] = -wall()
    run(story, tmp_path, now_ahead=time_passed, wall_ahead=set_by, kernel=kernel)


def test_2_what_was_ordered_by_a_wrong_clock_lives_as_long_as_it_was_to(tmp_path: Path) -> None:
    set_by, kernel = {"ahead": -wall()}, {"synchronised": False}

    async def story(gate: Gateway) -> None:
        gate.sim.modems[0].unplug()
        await gate.event("channel_down", channel="modem0")
        waiting = await gate.send(PHONE, "waits for the modem", valid_for=3600)
        set_by["ahead"] = 0  # months later, for the bridge
        kernel["synchronised"] = True
        await look(gate)
        message = await gate.message(waiting)
        assert message["status"] == "queued"
        left = datetime.fromisoformat(message["expires_at"]).timestamp() * 1000 - wall()
        assert 3_500_000 < left <= 3_600_000
        gate.sim.modems[0].replug()
        await gate.status(waiting, "sent", "delivered")

    run(story, tmp_path, wall_ahead=set_by, kernel=kernel)


def test_3_set_back_three_hours_nothing_runs_twice(tmp_path: Path) -> None:
    time_passed, set_by = {"ahead": 0}, {"ahead": 0}

    async def story(gate: Gateway) -> None:
        recurring = await schedule(gate, "every 1 minute")
        for _ in range(3):
            time_passed["ahead"] += MINUTE
            await look(gate)
            await gate.event("occurrence_sent", schedule=recurring)
        set_by["ahead"] = -3 * HOUR
        await look(gate)
        await gate.status(await gate.send(PHONE, "for now"), "sent", "delivered")
        time_passed["ahead"] += SETTLE
        await look(gate)  # confirmed by time: three hours to wait until the next one
        before = await occurrences(gate, recurring)
        time_passed["ahead"] += HOUR
        await look(gate)
        assert await occurrences(gate, recurring) == before
        assert [state for state, _ in before] == ["sent"] * 3
        time_passed["ahead"] += 2 * HOUR
        await look(gate)
        await gate.event("occurrence_sent", schedule=recurring)
        assert len({due for _, due in await occurrences(gate, recurring)}) >= 4

    run(story, tmp_path, now_ahead=time_passed, wall_ahead=set_by, kernel={"synchronised": False})


def test_4_set_back_what_was_to_go_at_once_does_not_wait(tmp_path: Path) -> None:
    set_by = {"ahead": 0}

    async def story(gate: Gateway) -> None:
        gate.sim.modems[0].unplug()
        await gate.event("channel_down", channel="modem0")
        waiting = await gate.send(PHONE, "at once")
        deferred = await gate.send(PHONE, "deferred", send_at=shown(wall() + MINUTE))
        set_by["ahead"] = -3 * HOUR
        await look(gate)  # the kernel confirms it
        assert (await gate.message(waiting))["due_at"] <= shown(wall() - 3 * HOUR + SECOND)
        gate.sim.modems[0].replug()
        await gate.status(waiting, "sent", "delivered")
        assert (await gate.message(deferred))["status"] == "scheduled"

    run(story, tmp_path, wall_ahead=set_by, kernel={"synchronised": True})


def test_5_set_ahead_a_day_nothing_expires_and_nothing_is_sent_early(tmp_path: Path) -> None:
    time_passed, set_by = {"ahead": 0}, {"ahead": 0}

    async def story(gate: Gateway) -> None:
        gate.sim.modems[0].unplug()
        await gate.event("channel_down", channel="modem0")
        waiting = await gate.send(PHONE, "waits", valid_for=3600)
        deferred = await gate.send(PHONE, "deferred", send_at=shown(wall() + 6 * HOUR))
        recurring = await schedule(gate, "every 1 hour")
        set_by["ahead"] = DAY
        await look(gate)
        await gate.event("clock_not_trusted", code="stepped_ahead")
        assert gate.app.housekeeping is not None
        await gate.app.housekeeping.tick()
        assert (await gate.message(waiting))["status"] == "queued"
        gate.sim.modems[0].replug()
        await gate.status(waiting, "sent", "delivered")
        assert (await gate.message(deferred))["status"] == "scheduled"
        assert await occurrences(gate, recurring) == []
        # Nobody confirms it, and somebody sets it right again.
        set_by["ahead"] = 0
        await look(gate)
        await gate.event("clock_trusted")
        assert gate.texts() == ["waits"]
        assert (await gate.message(deferred))["status"] == "scheduled"

    run(story, tmp_path, now_ahead=time_passed, wall_ahead=set_by, kernel={"synchronised": False})


def test_6_set_ahead_and_confirmed_what_is_due_goes(tmp_path: Path) -> None:
    set_by, kernel = {"ahead": 0}, {"synchronised": False}

    async def story(gate: Gateway) -> None:
        deferred = await gate.send(PHONE, "deferred", send_at=shown(wall() + 6 * HOUR), valid_for=DAY // 1000)
        set_by["ahead"] = 7 * HOUR
        await look(gate)
        assert (await gate.message(deferred))["status"] == "scheduled"
        kernel["synchronised"] = True
        await look(gate)
        await gate.status(deferred, "sent", "delivered")
        assert gate.texts() == ["deferred"]

    run(story, tmp_path, wall_ahead=set_by, kernel=kernel)


def test_7_ten_years_ahead_for_a_minute_leaves_no_trace(tmp_path: Path) -> None:
    time_passed, set_by = {"ahead": 0}, {"ahead": 0}

    async def story(gate: Gateway) -> None:
        hour = (datetime.now(UTC).hour + 12) % 24  # not while the test runs
        recurring = await schedule(gate, f"every day at {hour:02d}:00", tz="UTC")
        deferred = await gate.send(PHONE, "deferred", send_at=shown(wall() + DAY))
        set_by["ahead"] = YEARS
        now = await gate.send(PHONE, "now")
        assert (await gate.status(now, "sent", "delivered"))["created_at"] < shown(wall() + HOUR)
        time_passed["ahead"] += MINUTE
        await look(gate)
        set_by["ahead"] = 0
        await look(gate)
        assert gate.app.clock.trusted
        assert await occurrences(gate, recurring) == []
        assert (await gate.message(deferred))["status"] == "scheduled"
        assert gate.texts() == ["now"]

    run(story, tmp_path, now_ahead=time_passed, wall_ahead=set_by, kernel={"synchronised": False})


def clock_at(zone_time: str) -> dict[str, int]:
    """Time passed until then, from now."""
    return {"ahead": round(datetime.fromisoformat(zone_time).timestamp() * 1000) - wall()}


def test_8_a_time_that_the_clocks_jump_over_runs_at_the_end_of_the_jump(tmp_path: Path) -> None:
    time_passed = clock_at("2027-03-28T00:50:00Z")  # Warsaw 01:50; at 02:00 it becomes 03:00

    async def story(gate: Gateway) -> None:
        recurring = await schedule(gate, "every day at 02:30", tz="Europe/Warsaw")
        time_passed.update(clock_at("2027-03-28T01:00:00Z"))  # a minute later it would be late
        await look(gate)
        for minutes in (30, 60):
            time_passed["ahead"] += minutes * MINUTE
            await look(gate)
        await gate.event("occurrence_sent", schedule=recurring)
        assert await occurrences(gate, recurring) == [("sent", "2027-03-28T01:00:00.000Z")]
        assert (await gate.http.get(f"/v1/schedules/{recurring}")).json()["next"][0] == "2027-03-29T00:30:00.000Z"

    run(story, tmp_path, now_ahead=time_passed)


def test_9_a_time_that_the_clocks_show_twice_runs_once(tmp_path: Path) -> None:
    time_passed = clock_at("2027-10-31T00:00:00Z")  # Warsaw 02:00, the first time

    async def story(gate: Gateway) -> None:
        recurring = await schedule(gate, "every day at 02:30", tz="Europe/Warsaw")
        time_passed.update(clock_at("2027-10-31T00:30:00Z"))
        await look(gate)
        for _ in range(3):
            time_passed["ahead"] += 30 * MINUTE
            await look(gate)
        await gate.event("occurrence_sent", schedule=recurring)
        assert await occurrences(gate, recurring) == [("sent", "2027-10-31T00:30:00.000Z")]
        assert (await gate.http.get(f"/v1/schedules/{recurring}")).json()["next"][0] == "2027-11-01T01:30:00.000Z"

    run(story, tmp_path, now_ahead=time_passed)


def test_10_asleep_over_its_time_it_is_sent_late_or_skipped_by_its_grace(tmp_path: Path) -> None:
    time_passed = clock_at("2027-06-01T05:00:00Z")

    async def story(gate: Gateway) -> None:
        patient = await schedule(gate, "every day at 06:00", "patient", misfire_grace=4 * 3600, tz="UTC")
        strict = await schedule(gate, "every day at 06:00", "strict", misfire_grace=600, tz="UTC")
        deferred = await gate.send(PHONE, "deferred", send_at="2027-06-01T07:00:00Z")
        time_passed["ahead"] += 3 * HOUR  # suspended; the kernel wakes us, `look` notices that the machine slept
        await look(gate)
        await gate.status(deferred, "sent", "delivered")
        assert await occurrences(gate, patient) == [("late", "2027-06-01T06:00:00.000Z")]
        assert await occurrences(gate, strict) == [("skipped", "2027-06-01T06:00:00.000Z")]
        assert gate.app.clock.trusted
        (occurrence,) = (await gate.http.get(f"/v1/schedules/{patient}/occurrences")).json()["items"]
        await gate.status(occurrence["message"], "sent", "delivered")
        assert gate.texts("strict") == []

    run(story, tmp_path, now_ahead=time_passed)


def test_11_the_leap_day_and_a_leap_second(tmp_path: Path) -> None:
    time_passed, set_by = clock_at("2028-02-29T11:00:00Z"), {"ahead": 0}

    async def story(gate: Gateway) -> None:
        recurring = await schedule(gate, "0 12 29 2 *", tz="UTC")
        time_passed.update(clock_at("2028-02-29T12:00:00Z"))
        await look(gate)
        set_by["ahead"] = -15 * SECOND  # much more than a leap second: 12:00:00 comes once more
        await look(gate)
        time_passed["ahead"] += 20 * SECOND
        await look(gate)
        (occurrence,) = (await gate.http.get(f"/v1/schedules/{recurring}/occurrences")).json()["items"]
        await gate.status(occurrence["message"], "sent", "delivered")
        assert await occurrences(gate, recurring) == [("sent", "2028-02-29T12:00:00.000Z")]
        assert (await gate.http.get(f"/v1/schedules/{recurring}")).json()["next"][0] == "2032-02-29T12:00:00.000Z"
        assert gate.texts("recurring") == ["recurring"]
        assert gate.app.clock.trusted

    run(story, tmp_path, now_ahead=time_passed, wall_ahead=set_by)


def test_12_a_start_behind_what_was_written_down_is_known_to_be_wrong(tmp_path: Path) -> None:
    set_by, kernel = {"ahead": 0}, {"synchronised": False}
    ids: list[str] = []

    async def first(gate: Gateway) -> None:
        ids.append(await gate.send(PHONE, "deferred", send_at=shown(wall() + 30 * MINUTE)))

    async def second(gate: Gateway) -> None:
        assert gate.app.clock.belief.distrust is Distrust.BEHIND_STORE
        now = await gate.message(await gate.send(PHONE, "now"))
        assert now["created_at"] > shown(wall() - HOUR)  # not yesterday
        await gate.status(now["id"], "sent", "delivered")
        assert (await gate.message(ids[0]))["status"] in ("scheduled", "queued")
        set_by["ahead"] = HOUR
        kernel["synchronised"] = True
        await look(gate)
        await gate.status(ids[0], "sent", "delivered")
        assert gate.texts() == ["now", "deferred"]

    run(first, tmp_path, wall_ahead=set_by, kernel=kernel)
    set_by["ahead"] = -DAY
    run(second, tmp_path, wall_ahead=set_by, kernel=kernel)


def test_corrections_by_a_second_move_what_waits(tmp_path: Path) -> None:
    """Each too small to be called a step, and yet a text would be late by it. Half a minute of them, so that a slow
    machine cannot be taken for a text that went by the old clock."""
    set_by = {"ahead": 0}

    async def story(gate: Gateway) -> None:
        due = wall() + 40 * SECOND
        deferred = await gate.send(PHONE, "deferred", send_at=shown(due))
        await gate.status(await gate.send(PHONE, "now"), "delivered")  # and the timer for the other one is set
        while wall() + set_by["ahead"] < due:
            set_by["ahead"] += 1900
            await gate.app.timekeeping.look()
        await gate.status(deferred, "sent", "delivered")
        assert gate.app.timekeeping.steps == 0
        [entry] = [e for e in gate.sim.network.ledger if e.text == "deferred"]
        assert due - set_by["ahead"] - SECOND < entry.taken_wall * 1000 < due - 10 * SECOND

    run(story, tmp_path, wall_ahead=set_by, kernel={"synchronised": True})
