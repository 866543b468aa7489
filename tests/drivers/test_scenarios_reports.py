"""Delivery reports, by the fault scenarios R01-R17, as far as they concern the driver; matching is the bridge's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from drivers.contract import Incoming, IncomingKind, LinkState, StatusReport
from tests.drivers.support import Scene, play

CHUNKS = pytest.mark.parametrize("chunk", [0, 1], ids=["whole", "bytewise"])
SENT = datetime(2026, 3, 14, 8, 30, 15, tzinfo=UTC)
ARRIVED = datetime(2026, 3, 14, 8, 30, 21, tzinfo=UTC)


@CHUNKS
def test_r01_a_report_is_acknowledged_after_the_bridge_has_it(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        scene.sink.hold = 1.0
        await scene.finished()
        report = await scene.sink.wait(StatusReport)
        assert (report.tp_mr, report.recipient, report.tp_st) == (42, "+447700900123", 0)
        assert (report.submitted_at, report.discharged_at) == (SENT, ARRIVED)

    play("reports/R01", host, chunk=chunk, from_start=True)


def test_r01_without_the_bridge_there_is_no_acknowledgement() -> None:
    async def host(scene: Scene) -> None:
        await scene.sink.link(LinkState.UP)
        scene.sink.refuse = 1
        await scene.sink.wait(StatusReport)  # offered again
        assert b"AT+CNMA" not in scene.stage.written
        await scene.finished()
        assert b"AT+CNMA" in scene.stage.written

    play("reports/R01", host, from_start=True)


@CHUNKS
def test_r02_a_report_before_the_result_waits_for_nothing_but_its_acknowledgement(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        await scene.sink.link(LinkState.UP)
        receipt = await scene.send()
        assert receipt.tp_mr == 42
        assert scene.sink.of(StatusReport)[0].tp_mr == 42  # handed over while the send was open

    play("reports/R02", host, chunk=chunk, from_start=True)


@CHUNKS
def test_r03_a_stored_report_is_read_and_deleted(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        assert [r.tp_mr for r in scene.sink.of(StatusReport)] == [42]

    play("reports/R03", host, chunk=chunk)


def test_r04_a_modem_that_names_the_wrong_storage_reports_directly_from_then_on() -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        assert [r.tp_mr for r in scene.sink.of(StatusReport)] == [42]

    play("reports/R04", host, from_start=True)


@CHUNKS
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("R05", [(42, "+447700900123", 0x00)]),
        ("R06", [(42, "07700900123", 0x00)]),
        ("R07", [(42, "+447700900123", 0x30), (42, "+447700900123", 0x00)]),
        ("R08", [(42, "+447700900123", 0x46)]),
        ("R09", [(42, "+447700900123", 0x00)]),
        ("R10", [(0, "+447700900123", 0x00), (255, "+447700900123", 0x00)]),
        ("R13", [(255, "+447700900123", 0x00)]),
        ("R17", [(42, "+447700900123", 0x62)]),
    ],
)
def test_what_a_report_says_reaches_the_bridge(name: str, expected: list[tuple[int, str, int]], chunk: int) -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        assert [(r.tp_mr, r.recipient, r.tp_st) for r in scene.sink.of(StatusReport)] == expected
        assert all(r.sim == "89441000000000000000" for r in scene.sink.of(StatusReport))

    play(f"reports/{name}", host, chunk=chunk, from_start=name == "R13")


def test_r11_a_broken_time_is_no_time() -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        (report,) = scene.sink.of(StatusReport)
        assert (report.submitted_at, report.discharged_at) == (SENT, None)

    play("reports/R11", host)


@CHUNKS
def test_r12_optional_fields_and_padding_do_no_harm(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        assert [(r.tp_mr, r.tp_st) for r in scene.sink.of(StatusReport)] == [(42, 0), (42, 0)]

    play("reports/R12", host, chunk=chunk)


def test_r14_garbage_is_an_empty_slot() -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        assert scene.sink.of(Incoming) == []
        assert (await scene.driver.health()).leniencies["garbage_in_slot"] == 1

    play("reports/R14", host)


def test_r15_a_late_acknowledgement_sets_the_notification_again() -> None:
    async def host(scene: Scene) -> None:
        await scene.sink.link(LinkState.UP)
        scene.sink.hold = 20.0
        await scene.sink.wait(StatusReport)
        scene.sink.hold = 0.0
        await scene.finished()
        one, other = scene.sink.of(StatusReport)
        assert one.fingerprint == other.fingerprint

    play("reports/R15", host, from_start=True)


@CHUNKS
def test_r16_a_report_among_texts_is_a_report(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        assert [(i.text, i.kind) for i in scene.sink.of(Incoming)] == [("Reply YES", IncomingKind.TEXT)]
        assert len(scene.sink.of(StatusReport)) == 1

    play("reports/R16", host, chunk=chunk)
