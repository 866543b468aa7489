"""Deferred texts and quiet hours, with a clock that is set: held, given back, rescheduled, expired."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bridge.clock import wall
from bridge.config import Route, Settings, Timing
from drivers.gsm.pdu import decode_submit
from drivers.simulator.faults import SendFault
from tests.flows.gateway import Gateway, gateway

TO = "+447700900123"  # London
WARSAW = "+48600700800"
HOUR = 3_600_000


def flow(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run it in a loop of its own."""

    @wraps(test)
    def run(**arguments: Any) -> None:
        asyncio.run(test(**arguments))

    return run


def clock_at(hour: int, minute: int = 0) -> dict[str, int]:
    """Tomorrow at this time in UTC, 15 January being no day of summer time."""
    now = datetime.fromtimestamp(wall() / 1000, UTC)
    wanted = datetime(now.year + 1, 1, 14, hour, minute, tzinfo=UTC)
    return {"ahead": int((wanted - now).total_seconds() * 1000)}


def quiet(*windows: str, zone: str = "UTC", by_recipient: bool = True, **more: Any) -> Any:
    def settings(configured: Settings) -> Settings:
        timing = Timing(zone=zone, windows=windows, by_recipient=by_recipient)
        return msgspec.structs.replace(configured, timing=timing, **more)

    return settings


def _zone(tz: object) -> dict[str, Any]:
    return {} if tz is None else {"tz": tz}


def hour_of(shown: str) -> str:
    return shown[11:16]


async def woken(gate: Gateway, id: str) -> None:
    """The clock was set: an order, or a change that changes nothing, has the queue looked at. Something else may have
    had it looked at before us; then the text is on its way."""
    answer = await gate.http.patch(f"/v1/messages/{id}", json={})
    assert answer.status_code == 200 or answer.json()["code"] == "not_changeable", answer.text


async def patch(gate: Gateway, id: str, **change: Any) -> dict[str, Any]:
    answer = await gate.http.patch(f"/v1/messages/{id}", json=change)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@flow
async def test_a_text_in_quiet_hours_is_held_says_by_whom_and_goes_when_they_end(tmp_path: Path) -> None:
    clock = clock_at(3)
    async with gateway(tmp_path, settings=quiet("9-21"), now_ahead=clock) as gate:
        id = await gate.send(TO, "good morning")
        held = await gate.message(id)
        assert held["status"] == "scheduled"
        assert held["hold"]["by"] == "service"
        assert '"9-21", Europe/Guernsey' in held["hold"]["reason"]
        assert hour_of(held["hold"]["until"]) == hour_of(held["due_at"]) == "09:00"
        assert [row["event"] for row in held["history"]] == ["queued", "held"]
        clock["ahead"] += 6 * HOUR
        await woken(gate, id)
        sent = await gate.status(id, "sent", "delivered")
        assert sent["hold"] is None
    assert gate.texts() == ["good morning"]


@flow
async def test_the_recipients_clock_counts_else_the_configured_one(tmp_path: Path) -> None:
    async with gateway(tmp_path, settings=quiet("9-21", zone="Asia/Tokyo"), now_ahead=clock_at(3)) as gate:
        there = await gate.message(await gate.send(WARSAW))
        assert hour_of(there["due_at"]) == "08:00", "nine in Warsaw"
        code = await gate.message(await gate.send("12345"))
        assert code["hold"] is None, "noon in Tokyo"


@flow
async def test_an_alarm_passes_quiet_hours_and_says_so(tmp_path: Path) -> None:
    async with gateway(tmp_path, settings=quiet("9-21"), now_ahead=clock_at(3)) as gate:
        answer = await gate.http.post("/v1/messages", json={"to": TO, "text": "fire", "priority": 100})
        assert answer.json()["code"] == "passed_hours"
        assert "passes the windows of the service" in answer.json()["reason"]
        await gate.status(answer.json()["id"], "sent", "delivered")
    assert gate.texts() == ["fire"]


@flow
async def test_all_must_agree_and_the_last_to_open_is_named(tmp_path: Path) -> None:
    route = Route(name="shop", channels=("modems",), windows=("10-20",))
    settings = quiet("9-21", routes=(route,))
    async with gateway(tmp_path, settings=settings, now_ahead=clock_at(3)) as gate:
        routed = await gate.message(await gate.send(TO, route="shop"))
        assert (routed["hold"]["by"], hour_of(routed["due_at"])) == ("route", "10:00")
        own = await gate.message(await gate.send(TO, route="shop", windows=["11-12"]))
        assert (own["hold"]["by"], hour_of(own["due_at"])) == ("message", "11:00")
        never = await gate.http.post("/v1/messages", json={"to": TO, "text": "x", "windows": ["22-23"]})
        assert never.status_code == 422
        assert never.json()["errors"][0]["at"] == "windows"
        assert never.json()["code"] == "window_never_opens"


@flow
async def test_a_channel_outside_its_hours_is_passed_over_and_waited_for_when_it_is_the_only_one(
    tmp_path: Path,
) -> None:
    clock = clock_at(3)
    options = [{"windows": ("9-21",)}, {}]
    async with gateway(tmp_path, modems=2, options=options, settings=quiet(), now_ahead=clock) as gate:
        by_the_other = await gate.status(await gate.send(TO, "now"), "sent", "delivered")
        assert {a["channel"] for a in by_the_other["attempts"]} == {"modem1"}
        bound = await gate.message(await gate.send(TO, "nine", channel="modem0"))
        assert (bound["hold"]["by"], hour_of(bound["due_at"])) == ("channel", "09:00")
        alarm = await gate.status(await gate.send(TO, "alarm", channel="modem0", priority=110), "sent", "delivered")
        assert alarm["attempts"][0]["channel"] == "modem0"
        tried = await gate.http.post("/v1/routes/test", json={"to": TO, "text": "x"})
        assert {r["channel"]: r["reason"] for r in tried.json()["refusals"]} == {"modem0": "outside_hours"}


@flow
async def test_quiet_hours_that_begin_between_claim_and_arm_give_the_text_back(tmp_path: Path) -> None:
    """Row 55 of the fault matrix."""
    clock = clock_at(20, 59)
    async with gateway(tmp_path, settings=quiet("9-21"), now_ahead=clock) as gate:
        with gate.on_air("modem0"):
            ids = [await gate.send(TO, f"text {n}") for n in range(4)]
            await gate.event("armed", message=ids[0])
            await gate.claimed("modem0", 3)  # two more, in the channel's backlog
            clock["ahead"] += HOUR
        await gate.status(ids[0], "sent", "delivered")
        for id in ids[1:]:
            held = await gate.status(id, "scheduled")
            assert held["hold"]["by"] == "service"
            assert held["attempts"] == []
            assert [row["event"] for row in held["history"]] == ["queued", "held"]
        clock["ahead"] += 12 * HOUR
        await woken(gate, ids[1])
        for id in ids[1:]:
            await gate.status(id, "sent", "delivered")
    assert sorted(gate.texts()) == [f"text {n}" for n in range(4)]


@flow
async def test_a_retry_does_not_go_in_quiet_hours(tmp_path: Path) -> None:
    clock = clock_at(20, 59)
    async with gateway(tmp_path, settings=quiet("9-21"), now_ahead=clock, retry=(60.0,)) as gate:
        gate.sim.modems[0].set_faults(sends=(SendFault(first=1, code=42),))
        id = await gate.send(TO, "again")
        await gate.status(id, "retry_wait")
        clock["ahead"] += HOUR
        await woken(gate, id)
        await gate.event("held", message=id)
        held = await gate.message(id)
        assert held["status"] == "retry_wait"
        assert (held["hold"]["by"], hour_of(held["due_at"])) == ("service", "09:00")
    assert gate.texts() == []


@flow
async def test_what_would_expire_in_its_quiet_hours_is_refused_or_expires_there(tmp_path: Path) -> None:
    clock = clock_at(3)
    async with gateway(tmp_path, settings=quiet("9-21"), now_ahead=clock) as gate:
        short = {"to": TO, "text": "code 1234", "valid_for": 300}
        refused = await gate.http.post("/v1/messages", json=short)
        assert refused.status_code == 422
        assert (refused.json()["code"], refused.json()["errors"][0]["at"]) == ("expires_in_quiet_hours", "valid_for")
        taken = await gate.http.post("/v1/messages", json={**short, "on_quiet": "expire"})
        assert taken.status_code == 202
        clock["ahead"] += 10 * 60_000
        assert gate.app.housekeeping is not None
        await gate.app.housekeeping.tick()
        await gate.status(taken.json()["id"], "expired")
    assert gate.texts() == []


@flow
async def test_the_default_validity_counts_from_the_end_of_the_hold(tmp_path: Path) -> None:
    async with gateway(tmp_path, settings=quiet("sat 9-12"), now_ahead=clock_at(3)) as gate:
        m = await gate.message(await gate.send(TO))
        due, until = (datetime.fromisoformat(m[name]) for name in ("due_at", "expires_at"))
        assert until - due == timedelta(days=1)


@flow
async def test_a_key_brings_its_hours(tmp_path: Path) -> None:
    import httpx

    async with gateway(tmp_path, now_ahead=clock_at(3)) as gate:
        asked = {"name": "shop", "scope": "send", "windows": ["8-20"], "tz": "Europe/Warsaw"}
        key = await gate.http.post("/v1/keys", json=asked)
        assert key.json()["windows"] == [{"by": "key", "windows": ["8-20"], "zone": "Europe/Warsaw"}]
        headers = {"Authorization": f"Bearer {key.json()['secret']}"}
        async with httpx.AsyncClient(base_url=gate.app.url, headers=headers, timeout=20) as client:
            held = (await client.post("/v1/messages", json={"to": TO, "text": "x"})).json()
            assert (held["hold"]["by"], hour_of(held["due_at"])) == ("key", "07:00")
            batch = (await client.post("/v1/batches", json={"to": [TO, WARSAW], "text": "x"})).json()
            for one in batch["messages"]:
                assert (await gate.message(one["id"]))["hold"]["by"] == "key"
        wrong = await gate.http.post("/v1/keys", json={**asked, "windows": ["25-3"], "tz": "Mars/Base"})
        assert {e["at"] for e in wrong.json()["errors"]} == {"windows[0]", "tz"}


@pytest.mark.parametrize(
    ("time", "tz", "due"),
    [
        ("1501271530", "Europe/Warsaw", "14:30"),
        ("15.01.27 15:30", 0, "12:30"),
        ("15.01.27 15:30", "-1", "13:30"),
        ("+90", None, "04:30"),
        ("0", None, "03:00"),
        ("9-21", "Europe/Warsaw", "08:00"),
        ("9-21", None, "09:00"),
    ],
)
@flow
async def test_every_form_of_a_time_is_taken(tmp_path: Path, time: str, tz: object, due: str) -> None:
    clock = clock_at(3)
    time = time.replace("27", f"{(datetime.now(UTC).year + 1) % 100:02d}")
    async with gateway(tmp_path, modems=0, now_ahead=clock) as gate:
        m = await gate.message(await gate.send(TO, time=time, **_zone(tz)))
        assert hour_of(m["due_at"]) == due


@flow
async def test_a_time_that_has_passed_sends_at_once_and_the_answer_shows_it(tmp_path: Path) -> None:
    async with gateway(tmp_path) as gate:
        answer = await gate.http.post("/v1/messages", json={"to": TO, "text": "late", "time": "01.01.20 10:00"})
        assert answer.json()["code"] == "time_passed"
        assert "2020-01-01 10:00" in answer.json()["reason"]
        await gate.status(answer.json()["id"], "sent", "delivered")


# --- Change -----------------------------------------------------------------------------------------------------------


@flow
async def test_a_waiting_text_can_be_changed_and_changing_it_twice_is_no_mistake(tmp_path: Path) -> None:
    async with gateway(tmp_path) as gate:
        id = await gate.send(TO, "old", time="+600", valid_for=3600)
        before = await gate.message(id)
        changed = await patch(gate, id, text="new")
        assert (changed["text"], changed["due_at"], changed["expires_at"]) == (
            "new",
            before["due_at"],
            before["expires_at"],
        )
        again = await patch(gate, id, text="new")
        assert again == changed
        moved = await patch(gate, id, time="0", priority=5)
        assert moved["priority"] == 5
        sent = await gate.status(id, "sent", "delivered")
        assert [row["event"] for row in sent["history"]].count("changed") == 2
        late = await gate.http.patch(f"/v1/messages/{id}", json={"text": "newer"})
        assert (late.status_code, late.json()["code"]) == (409, "not_changeable")
    assert gate.texts() == ["new"]


@flow
async def test_a_claimed_text_is_sent_as_it_was_changed_and_never_twice(tmp_path: Path) -> None:
    async with gateway(tmp_path) as gate:
        with gate.on_air("modem0"):
            first, second, third = [await gate.send(TO, text) for text in ("first", "second", "third")]
            await gate.event("armed", message=first)
            await gate.claimed("modem0", 3)
            await patch(gate, second, text="changed")
            moved = await patch(gate, third, time="+60")
            assert moved["status"] == "scheduled"
        await gate.status(second, "sent", "delivered")
        assert gate.texts() == ["first", "changed"]
        assert (await gate.message(third))["status"] == "scheduled"
        await patch(gate, third, time="0")
        await gate.status(third, "sent", "delivered")
    assert gate.texts() == ["first", "changed", "third"]


@flow
async def test_a_held_text_goes_at_once_when_its_windows_are_taken_away(tmp_path: Path) -> None:
    async with gateway(tmp_path, now_ahead=clock_at(3)) as gate:
        id = await gate.send(TO, "held", windows=["9-21"])
        assert (await gate.message(id))["hold"]["by"] == "message"
        await patch(gate, id, windows=[])
        sent = await gate.status(id, "sent", "delivered")
        assert sent["windows"] == []


@flow
async def test_what_cannot_be_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    async with gateway(tmp_path, modems=0) as gate:
        id = await gate.send(TO, "old", time="+600")
        for change, at in [
            ({"text": "x" * 2000}, "text"),
            ({"route": "nowhere"}, "route"),
            ({"time": "31.02.30 10:00"}, "time"),
            ({"windows": ["25-3"]}, "windows[0]"),
            ({"valid_for": 0}, "valid_for"),
            ({"tz": "Mars/Base"}, "tz"),
            ({"send_at": "2030-01-01T10:00:00"}, "send_at"),
        ]:
            answer = await gate.http.patch(f"/v1/messages/{id}", json=change)
            assert answer.status_code in (400, 422), (change, answer.text)
            assert [e["at"] for e in answer.json()["errors"]] == [at], answer.text
        assert (await gate.message(id))["text"] == "old"
        assert [row["event"] for row in (await gate.message(id))["history"]] == ["queued"]


# --- Spreading --------------------------------------------------------------------------------------------------------


async def dues(gate: Gateway, **batch: Any) -> list[int]:
    """Minutes after the first, for each message of a batch."""
    count = batch.pop("count", 6)
    to = [f"+4477009001{n:02d}" for n in range(count)]
    answer = await gate.http.post("/v1/batches", json={"to": to, "text": "x", **batch})
    assert answer.status_code == 202, answer.text
    found = [await gate.message(m["id"]) for m in answer.json()["messages"]]
    first = datetime.fromisoformat(found[0]["due_at"])
    return [round((datetime.fromisoformat(m["due_at"]) - first).total_seconds() / 60) for m in found]


@flow
async def test_a_batch_is_spread_as_the_document_says_or_at_a_plain_rate(tmp_path: Path) -> None:
    async with gateway(tmp_path, modems=0, now_ahead=clock_at(12)) as gate:
        assert await dues(gate, period=1, freq=20) == [0, 0, 20, 20, 40, 40]
        assert await dues(gate, period=1) == [0, 10, 20, 30, 40, 50]
        assert await dues(gate, freq=20) == [0] * 6, "without a period it means nothing"
        assert await dues(gate, per_minute=1) == [0, 1, 2, 3, 4, 5]
        assert await dues(gate, per_minute=60_000, count=3) == [0, 0, 0]


@flow
async def test_spreading_stands_still_while_the_windows_are_shut(tmp_path: Path) -> None:
    async with gateway(tmp_path, modems=0, now_ahead=clock_at(12)) as gate:
        # One an hour from noon on, until 14:00; the third and fourth on the next day from nine.
        assert await dues(gate, period=6, windows=["9-14"], tz="UTC") == [0, 60, 1260, 1320, 1380, 1440]


@pytest.mark.parametrize(
    ("spread", "at"),
    [
        ({"period": 0.05}, "period"),
        ({"period": 721}, "period"),
        ({"period": 1, "freq": 0}, "freq"),
        ({"period": 1, "freq": 1441}, "freq"),
        ({"period": 1, "freq": 90}, "freq"),
        ({"per_minute": 0}, "per_minute"),
        ({"per_minute": 5, "period": 1}, "per_minute"),
        ({"per_minute": 1, "valid_for": 60, "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    ],
)
@flow
async def test_a_wrong_spread_is_refused(tmp_path: Path, spread: dict[str, Any], at: str) -> None:
    async with gateway(tmp_path, modems=0) as gate:
        answer = await gate.http.post("/v1/batches", json={"to": [TO], "text": "x", **spread})
        assert answer.status_code == 422
        assert at in [e["at"].rpartition(".")[2] for e in answer.json()["errors"]]


@flow
async def test_the_windows_of_a_batch_bind_beside_those_of_its_messages(tmp_path: Path) -> None:
    async with gateway(tmp_path, modems=0, now_ahead=clock_at(3)) as gate:
        body = {"windows": ["9-21"], "text": "x", "messages": [{"to": TO}, {"to": TO, "windows": ["8-12"]}]}
        answer = await gate.http.post("/v1/batches", json=body)
        found = [await gate.message(m["id"]) for m in answer.json()["messages"]]
        assert [hour_of(m["due_at"]) for m in found] == ["09:00", "09:00"]
        assert [[h["by"] for h in m["windows"]] for m in found] == [["batch"], ["batch", "message"]]


# --- Validity ---------------------------------------------------------------------------------------------------------


@flow
async def test_validity_that_ends_between_claim_and_arm_sends_nothing_unless_it_was_prolonged(tmp_path: Path) -> None:
    """Row 56 of the fault matrix."""
    clock = {"ahead": 0}
    async with gateway(tmp_path, now_ahead=clock) as gate:
        with gate.on_air("modem0"):
            ids = [await gate.send(TO, f"text {n}", valid_for=60) for n in range(3)]
            await gate.event("armed", message=ids[0])
            await gate.claimed("modem0", 3)
            await patch(gate, ids[2], valid_for=600)
            clock["ahead"] += 120_000
        expired = await gate.status(ids[1], "expired")
        assert (expired["code"], expired["attempts"]) == ("expired", [])
        await gate.status(ids[2], "sent", "delivered")
    assert gate.texts() == ["text 0", "text 2"]


@flow
async def test_what_is_left_is_given_to_the_modem_and_never_more(tmp_path: Path) -> None:
    clock = {"ahead": 0}
    async with gateway(tmp_path, now_ahead=clock) as gate:
        gate.sim.modems[0].set_faults(sends=(SendFault(first=1, code=42),))
        id = await gate.send(TO, "an hour", valid_for=3600)
        await gate.status(id, "retry_wait")
        clock["ahead"] += 30 * 60_000 + 30_000
        await gate.app.timekeeping.look()  # a change, as in `woken`, would be refused if it is on its way already
        await gate.status(id, "sent", "delivered")
        (entry,) = gate.sim.network.ledger
        assert decode_submit(entry.pdu).validity == 25 * 60, "29.5 minutes, rounded down to fives"


@flow
async def test_a_retry_after_the_validity_is_an_expiry(tmp_path: Path) -> None:
    async with gateway(tmp_path, retry=(60.0,)) as gate:
        gate.sim.modems[0].set_faults(sends=(SendFault(first=1, code=42),))
        expired = await gate.status(await gate.send(TO, "code", valid_for=60), "expired")
        assert len(expired["attempts"]) == 1
    assert gate.texts() == []
