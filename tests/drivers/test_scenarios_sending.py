"""Sending, by the fault scenarios S01-S38: what the bridge is told, and what is written on the line."""

from __future__ import annotations

import asyncio

import pytest

from drivers.contract import (
    Cause,
    Incoming,
    LateResult,
    LinkState,
    MaybeSent,
    MissedCall,
    NotSent,
    Receipt,
    Refused,
    StatusReport,
)
from tests.drivers.support import Scene, play

CHUNKS = pytest.mark.parametrize("chunk", [0, 1], ids=["whole", "bytewise"])


@CHUNKS
@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("S01", 42),
        ("S02", 42),
        ("S04", 45),
        ("S05", 46),
        ("S06", 47),
        ("S09", 48),
        ("S11", 49),
        ("S26", 53),
    ],
)
def test_the_reference_is_found(name: str, reference: int, chunk: int) -> None:
    async def host(scene: Scene) -> None:
        receipt = await scene.send()
        assert (receipt.tp_mr, receipt.reference) == (reference, str(reference))

    play(f"sending/{name}", host, chunk=chunk)


@CHUNKS
def test_s03_every_form_of_prompt_is_one(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        assert [(await scene.send()).tp_mr for _ in range(2)] == [43, 44]

    play("sending/S03", host, chunk=chunk)


def test_s04_the_text_announced_while_sending_is_fetched_afterwards() -> None:
    async def host(scene: Scene) -> None:
        await scene.send()
        await scene.finished()
        written = bytes(scene.stage.written)
        assert written.index(b"AT+CMGR=4") > written.index(b"\x1a")

    play("sending/S04", host)


@CHUNKS
def test_s07_no_prompt_is_not_sent(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        error = await scene.refused()
        assert isinstance(error, NotSent)
        assert (error.code, error.cause) == ("no_prompt", Cause.MODEM)
        assert (await scene.send()).tp_mr == 9
        assert scene.stage.written.count(b"\x1a") == 1

    play("sending/S07", host, chunk=chunk)


@CHUNKS
def test_s08_an_error_instead_of_the_prompt_is_not_sent(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        error = await scene.refused()
        assert isinstance(error, NotSent)
        assert (error.cms, error.cause, error.retry_after) == (302, Cause.BUSY, 5.0)

    play("sending/S08", host, chunk=chunk)


@CHUNKS
def test_s10_ok_without_a_reference_is_in_doubt(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        error = await scene.refused()
        assert isinstance(error, MaybeSent)
        assert error.code == "ok_only"

    play("sending/S10", host, chunk=chunk)


def test_s11_a_slow_send_is_counted() -> None:
    async def host(scene: Scene) -> None:
        await scene.send()
        assert (await scene.driver.health()).leniencies["slow_send"] == 1

    play("sending/S11", host)


@CHUNKS
def test_s12_a_late_reference_belongs_to_the_text_in_doubt(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        started = asyncio.get_running_loop().time()
        error = await scene.refused(attempt="first")
        assert isinstance(error, MaybeSent)
        assert error.code == "no_result"
        assert asyncio.get_running_loop().time() - started == pytest.approx(180, abs=1)
        await scene.finished()
        late = await scene.sink.wait(LateResult)
        assert late.attempt_id == "first"
        assert late.receipt is not None
        assert late.receipt.tp_mr == 50
        assert scene.stage.written.count(b"\x1a") == 1

    play("sending/S12", host, chunk=chunk)


@CHUNKS
@pytest.mark.parametrize(("name", "code"), [("S13", "no_result"), ("S14", "cms_500")])
def test_a_report_reaches_the_bridge_after_doubt(name: str, code: str, chunk: int) -> None:
    async def host(scene: Scene) -> None:
        error = await scene.refused()
        assert isinstance(error, MaybeSent)
        assert error.code == code
        await scene.finished()
        report = await scene.sink.wait(StatusReport)
        assert (report.tp_mr, report.recipient, report.tp_st) == (42, "+447700900123", 0)

    play(f"sending/{name}", host, chunk=chunk)


@CHUNKS
def test_s15_a_bad_pdu_is_refused_everywhere(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        error = await scene.refused()
        assert isinstance(error, Refused)
        assert (error.cms, error.cause, error.everywhere) == (304, Cause.BUG, True)

    play("sending/S15", host, chunk=chunk)


def test_s16_one_bad_number_does_not_hold_up_the_next() -> None:
    async def host(scene: Scene) -> None:
        before = asyncio.get_running_loop().time()
        error = await scene.refused()
        assert error.cms == 38
        assert isinstance(error, MaybeSent)  # 38 is also said when an answer was lost; a profile may trust it
        assert (await scene.send("S4")).tp_mr == 51
        assert asyncio.get_running_loop().time() - before == pytest.approx(6, abs=0.5)

    play("sending/S16", host)


def test_s17_refusals_leave_the_modem_alone() -> None:
    async def host(scene: Scene) -> None:
        for _ in range(3):
            error = await scene.refused()
            assert isinstance(error, Refused)
            assert error.cms == 21
        assert scene.stage.extra == []
        assert (await scene.driver.health()).errors_in_row == 3

    play("sending/S17", host)


def test_s18_not_usable_until_ten_seconds_after_registration() -> None:
    async def host(scene: Scene) -> None:
        loop = asyncio.get_running_loop()
        error = await scene.refused()
        assert isinstance(error, NotSent)
        assert (error.cms, error.cause) == (331, Cause.NET)
        seen = len(scene.sink.events)
        await scene.sink.link(LinkState.STARTING, "not_registered")
        lost_at = loop.time()
        again = await scene.refused()
        assert isinstance(again, NotSent)
        assert (again.code, again.cause) == ("not_registered", Cause.LINK)
        await scene.sink.link(LinkState.UP, after=seen)
        assert loop.time() - lost_at == pytest.approx(50, abs=1)

    play("sending/S18", host)


def test_s19_a_full_storage_is_drained() -> None:
    async def host(scene: Scene) -> None:
        error = await scene.refused()
        assert isinstance(error, NotSent)
        assert (error.cms, error.cause) == (322, Cause.MEM)

    play("sending/S19", host)


@pytest.mark.parametrize(
    ("profile", "kind"),
    [
        ("telit", MaybeSent),
        ("wavecom", MaybeSent),
        ("ublox", MaybeSent),
        ("generic", MaybeSent),
        ("quectel", Refused),
        ("simcom", Refused),
    ],
)
def test_s20_vendor_numbers_by_vendor(profile: str, kind: type) -> None:
    async def host(scene: Scene) -> None:
        error = await scene.refused()
        assert error.cms == 513
        assert isinstance(error, kind)

    play("sending/S20", host, profile=profile)


def test_s21_a_fast_collision_is_not_sent_and_the_inbox_is_read() -> None:
    async def host(scene: Scene) -> None:
        error = await scene.refused()
        assert isinstance(error, NotSent)
        assert error.cms == 512
        await scene.finished()
        assert scene.sink.of(Incoming)[0].text == "Reply YES"

    play("sending/S21", host)


@CHUNKS
def test_s22_a_restart_in_mid_send_is_in_doubt_and_brings_the_modem_up_again(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        seen = len(scene.sink.events)
        error = await scene.refused()
        assert isinstance(error, MaybeSent)
        assert error.code == "link_lost"
        early = await scene.refused()
        assert isinstance(early, NotSent)
        await scene.sink.link(LinkState.UP, after=seen)
        await asyncio.sleep(6)
        assert (await scene.send()).tp_mr == 1
        assert "ATE0" in scene.stage.extra

    play("sending/S22", host, chunk=chunk)


def test_s24_text_mode_means_a_new_bring_up() -> None:
    async def host(scene: Scene) -> None:
        seen = len(scene.sink.events)
        error = await scene.refused()
        assert isinstance(error, NotSent)
        assert error.cms == 305
        await scene.sink.link(LinkState.UP, after=seen)
        assert (await scene.send()).tp_mr == 1

    play("sending/S24", host)


def test_s24b_the_mode_is_asked_for_before_anything_is_sent() -> None:
    async def host(scene: Scene) -> None:
        await asyncio.sleep(0)
        seen = len(scene.sink.events)
        await scene.sink.link(LinkState.UP, after=seen)
        assert (await scene.send()).tp_mr == 1

    play("sending/S24B", host)


def test_s24c_a_text_in_the_moment_of_a_restart_is_not_sent() -> None:
    async def host(scene: Scene) -> None:
        assert scene.stage.link is not None
        scene.stage.link.deliver(b"\r\nSMS Ready\r\n")
        error = await scene.refused()
        assert isinstance(error, NotSent)
        assert b"AT+CMGS" not in scene.stage.written

    play("sending/S24C", host)


@CHUNKS
def test_s25_the_second_ok_answers_nothing(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        assert (await scene.send()).tp_mr == 52
        await scene.finished()
        health = await scene.driver.health()
        assert health.signal_dbm == -83
        assert health.leniencies["stray_final"] == 1

    play("sending/S25", host, chunk=chunk)


def test_s26_a_call_that_ended_meanwhile_is_told_and_not_hung_up() -> None:
    async def host(scene: Scene) -> None:
        await scene.send()
        await scene.finished()
        (call,) = [e for e in scene.sink.events if isinstance(e, MissedCall)]
        assert (call.caller, call.rings, call.hung_up) == ("+447700900111", 1, False)

    play("sending/S26", host, hang_up=True)


def test_s27_a_lost_sim_is_believed_the_second_time() -> None:
    async def host(scene: Scene) -> None:
        first = await scene.refused()
        assert isinstance(first, NotSent)
        assert (first.cause, first.channel_unusable) == (Cause.BUSY, False)
        seen = len(scene.sink.events)
        second = await scene.refused()
        assert isinstance(second, NotSent)
        assert (second.cause, second.channel_unusable) == (Cause.SIM, True)
        await scene.sink.link(LinkState.UP, after=seen)

    play("sending/S27", host)


def test_s28_a_part_can_be_given_again_as_it_was() -> None:
    async def host(scene: Scene) -> None:
        assert (await scene.send("S2A")).tp_mr == 60
        assert (await scene.refused("S2B")).cms == 41
        assert (await scene.send("S2B")).tp_mr == 61

    play("sending/S28", host)


def test_s29_the_link_mode_is_left_for_good() -> None:
    async def host(scene: Scene) -> None:
        await scene.sink.link(LinkState.UP)
        await asyncio.sleep(6)
        error = await scene.refused()
        assert isinstance(error, NotSent | MaybeSent)
        assert error.cms == 528
        assert (await scene.send()).tp_mr == 1
        seen = len(scene.sink.events)
        assert scene.driver._session is not None
        scene.driver._session.restart("test")
        await scene.sink.link(LinkState.UP, after=seen)
        assert scene.stage.written.count(b"AT+CMMS=2") == 1

    play("sending/S29", host, from_start=True)


def test_s30_a_plan_without_texts_takes_the_channel_out() -> None:
    async def host(scene: Scene) -> None:
        error = await scene.refused()
        assert isinstance(error, NotSent)
        assert (error.cms, error.cause, error.channel_unusable) == (529, Cause.SIM, True)

    play("sending/S30", host)


@CHUNKS
def test_s31_a_forgotten_prompt_is_left_with_escape(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        await scene.sink.link(LinkState.UP)
        assert b"\x1a" not in scene.stage.written
        assert (await scene.driver.health()).leniencies["stuck_prompt"] == 1

    play("sending/S31", host, chunk=chunk, from_start=True)


def test_s32_a_port_that_takes_nothing_has_sent_nothing() -> None:
    async def host(scene: Scene) -> None:
        def stall(_text: str) -> None:
            assert scene.stage.link is not None
            scene.stage.link.stall = True

        scene.stage.happens = stall
        seen = len(scene.sink.events)
        before = asyncio.get_running_loop().time()
        error = await scene.refused()
        assert isinstance(error, NotSent)
        assert error.code == "write_blocked"
        assert asyncio.get_running_loop().time() - before == pytest.approx(5, abs=0.1)
        await scene.sink.link(LinkState.DOWN, "write_blocked", after=seen)
        await scene.sink.link(LinkState.UP, after=seen)
        assert b"\x1a" not in scene.stage.written

    play("sending/S32", host)


def test_s33_a_modem_that_does_not_count_is_noticed() -> None:
    async def host(scene: Scene) -> None:
        assert [(await scene.send()).tp_mr for _ in range(3)] == [0, 0, 0]
        assert (await scene.driver.health()).leniencies["reference_not_counted"] == 1

    play("sending/S33", host)


def test_s34_silence_is_doubt_each_time_and_no_storm() -> None:
    async def host(scene: Scene) -> None:
        for _ in range(3):
            assert isinstance(await scene.refused(), MaybeSent)
        assert scene.stage.written.count(b"\x1a") == 3

    play("sending/S34", host)


def test_s35_refused_as_a_duplicate_counts_as_accepted() -> None:
    async def host(scene: Scene) -> None:
        receipt = await scene.send()
        assert receipt == Receipt(reference="", tp_mr=None, raw="+CMS ERROR: 197")

    play("sending/S35", host)


def test_s36_the_length_counts_octets() -> None:
    async def host(scene: Scene) -> None:
        assert (await scene.send("S3")).tp_mr == 54

    play("sending/S36", host)


@CHUNKS
def test_s37_of_two_results_the_first_is_the_older_text_s(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        assert isinstance(await scene.refused(attempt="old"), MaybeSent)
        receipt = await scene.send(attempt="new")
        assert receipt.tp_mr == 71
        late = await scene.sink.wait(LateResult)
        assert late.attempt_id == "old"
        assert late.receipt is not None
        assert late.receipt.tp_mr == 70

    play("sending/S37", host, chunk=chunk)


@CHUNKS
def test_s38_a_late_error_is_not_the_answer_to_another_question(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        assert isinstance(await scene.refused(attempt="old"), MaybeSent)
        await scene.finished()
        late = await scene.sink.wait(LateResult)
        assert late.attempt_id == "old"
        assert isinstance(late.error, Refused)
        assert late.error.cms == 21
        assert (await scene.driver.health()).signal_dbm == -83

    play("sending/S38", host, chunk=chunk)


def test_s40_the_next_text_waits_for_five_quiet_seconds() -> None:
    async def host(scene: Scene) -> None:
        assert isinstance(await scene.refused(attempt="old"), MaybeSent)
        assert (await scene.send(attempt="new")).tp_mr == 51
        assert (await scene.sink.wait(LateResult)).attempt_id == "old"

    play("sending/S40", host)
