"""Framing, by the fault scenarios F01-F15: what comes over the line is told apart however it is cut."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.contract import LinkState
from drivers.modems import replies
from drivers.modems.commands import Command, build, vendor
from drivers.modems.events import Urc
from drivers.modems.line import Line, NoAnswer
from tests.drivers.support import Scene, converse, play

CHUNKS = pytest.mark.parametrize("chunk", [0, 1], ids=["whole", "bytewise"])
AT = Command(text="AT")
Heard = list[Any]


@CHUNKS
def test_f01_the_echo_is_dropped_and_switched_off(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        health = await scene.driver.health()
        assert health.signal_dbm == -79
        assert health.leniencies["echo"] == 1

    play("framing/F01", host, chunk=chunk)


@CHUNKS
def test_f02_lf_alone_ends_a_line(chunk: int) -> None:
    async def host(line: Line, _heard: Heard) -> None:
        assert (await line.ask(AT, 2)).final.ok
        assert (await line.ask(build("AT+CREG?", informs=True), 5)).lines == ("+CREG: 0,1",)

    converse("framing/F02", host, chunk=chunk)


@CHUNKS
def test_f03_blank_lines_mean_nothing(chunk: int) -> None:
    async def host(line: Line, heard: Heard) -> None:
        assert (await line.ask(build("AT+CGMM", bare=True, informs=True), 5)).lines == ("E1752",)
        assert heard == []

    converse("framing/F03", host, chunk=chunk)


@CHUNKS
def test_f04_digits_are_results_until_words_are_seen(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        await scene.sink.link(LinkState.UP)
        assert (await scene.driver.health()).leniencies["numeric"] == 1

    play("framing/F04", host, chunk=chunk, from_start=True)


@CHUNKS
def test_f05_garbage_does_not_stop_the_reader(chunk: int) -> None:
    async def host(line: Line, heard: Heard) -> None:
        assert (await line.ask(AT, 2)).final.ok
        assert heard == [Urc("^BOOT:12345678,0,0,0,75")]

    converse("framing/F05", host, chunk=chunk)


@CHUNKS
def test_f06_a_notification_inside_an_answer_is_not_lost(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        assert (await scene.driver.health()).signal_dbm == -73

    play("framing/F06", host, chunk=chunk, storage="SM")


@CHUNKS
def test_f07_the_number_of_fields_tells_answer_from_notification(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        health = await scene.driver.health()
        assert (health.registration, health.state) == ("home", LinkState.UP)

    play("framing/F07", host, chunk=chunk)


def test_f08_slow_bytes_are_put_together() -> None:
    async def host(line: Line, _heard: Heard) -> None:
        answer = await line.ask(build("AT+CGSN", bare=True, informs=True), 5)
        assert replies.first_digits(answer.lines, 15, 15) == "490154203237518"

    converse("framing/F08", host)


@CHUNKS
def test_f09_a_late_answer_is_credited_to_nobody(chunk: int) -> None:
    async def host(line: Line, _heard: Heard) -> None:
        with pytest.raises(NoAnswer):
            await line.ask(build("AT+COPS?", informs=True), 10)
        assert (await line.ask(build("AT+CSQ", informs=True), 5)).lines == ("+CSQ: 11,99",)

    converse("framing/F09", host, chunk=chunk)


@CHUNKS
def test_f09b_nothing_is_asked_until_it_is_quiet(chunk: int) -> None:
    async def host(line: Line, _heard: Heard) -> None:
        with pytest.raises(NoAnswer):
            await line.ask(build("AT+COPS?", informs=True), 10)
        assert (await line.ask(build("AT+CSQ", informs=True), 5)).lines == ("+CSQ: 11,99",)

    converse("framing/F09B", host, chunk=chunk)


@CHUNKS
def test_f10_other_words_for_an_error_end_the_command(chunk: int) -> None:
    async def host(line: Line, _heard: Heard) -> None:
        assert (await line.ask(build("AT+CPMS=?", informs=True), 5)).final.text == "COMMAND NOT SUPPORT"
        assert (await line.ask(vendor("AT+CNUM"), 5)).final.number == 14

    converse("framing/F10", host, chunk=chunk)


def test_f11_a_busy_sim_is_asked_every_two_seconds() -> None:
    async def host(scene: Scene) -> None:
        await scene.sink.link(LinkState.UP)

    play("framing/F11", host, from_start=True)


def test_f12_a_line_counts_without_its_ok_where_the_profile_says_so() -> None:
    async def host(line: Line, _heard: Heard) -> None:
        before = line.last_heard
        answer = await line.ask(build("AT+CPIN?", informs=True), 10)
        assert replies.pin_state(answer.lines) == "READY"
        assert line.last_heard - before < 1.5
        assert (await line.ask(AT, 2)).final.ok

    converse("framing/F12", host, profile="wavecom")


@CHUNKS
def test_f13_a_gps_port_is_named_as_such(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        change = await scene.sink.link(LinkState.DOWN)
        assert change.code == "not_a_modem"
        assert "GPS" in change.reason

    play("framing/F13", host, chunk=chunk, from_start=True)


@CHUNKS
def test_f14_data_mode_is_left_with_the_guarded_escape(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        await scene.sink.link(LinkState.UP)

    play("framing/F14", host, chunk=chunk, from_start=True)


def test_f14b_a_port_that_stays_in_data_mode_is_given_up() -> None:
    async def host(scene: Scene) -> None:
        assert (await scene.sink.link(LinkState.DOWN)).code == "data_mode"

    play("framing/F14B", host, from_start=True)


@CHUNKS
def test_f15_another_program_on_the_port_is_told(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        change = await scene.sink.link(LinkState.UP, "port_shared")
        assert "+CGMI" in change.reason
        assert not any("CFUN" in line for line in scene.stage.extra)

    play("framing/F15", host, chunk=chunk)
