"""U01 to U04, and what else a USSD session may meet."""

from __future__ import annotations

import asyncio

import pytest

from drivers.contract import LinkState, MissedCall, UssdAnswer, UssdFailed
from tests.drivers.support import Scene, play

CHUNKS = (0, 1)


async def fails(scene: Scene, text: str = "*100#", *, reply: bool = False) -> str:
    with pytest.raises(UssdFailed) as failure:
        await scene.driver.ussd(text, 120, reply=reply)
    assert text not in failure.value.detail
    return failure.value.code


@pytest.mark.parametrize("chunk", CHUNKS)
def test_u01_a_packed_answer_is_read_and_a_text_goes_meanwhile(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        asked = asyncio.create_task(scene.driver.ussd("*100#", 120))
        await asyncio.sleep(2.5)
        assert (await scene.send()).tp_mr == 9
        assert not asked.done()
        assert await asked == UssdAnswer(text="Balance 10")

    play("ussd/U01", host, chunk=chunk)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_u02_an_answer_in_ucs2_may_come_before_the_ok(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        assert await scene.driver.ussd("*100#", 120) == UssdAnswer(text="Balance 10")
        assert (await scene.send()).tp_mr == 9

    play("ussd/U02", host, chunk=chunk)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_u03_a_menu_that_nobody_answers_is_left(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        assert await scene.driver.ussd("*111#", 120) == UssdAnswer(text="1 Balance 2 Top-up", waits=True)
        assert await fails(scene) == "session_open"
        await asyncio.sleep(31)
        assert (await scene.send()).tp_mr == 9
        assert await fails(scene, "1", reply=True) == "no_session"

    play("ussd/U03", host, chunk=chunk)


def test_u04_no_answer_fails_with_its_reason_and_the_queue_goes_on() -> None:
    async def host(scene: Scene) -> None:
        assert await fails(scene) == "no_answer"
        assert await fails(scene) == "network_timeout"
        assert await fails(scene) == "not_supported"
        assert (await scene.send()).tp_mr == 9

    play("ussd/U04", host)


def test_a_menu_over_several_lines_is_answered_in_the_same_session() -> None:
    async def host(scene: Scene) -> None:
        menu = await scene.driver.ussd("*111#", 120)
        assert (menu.text, menu.waits) == ("1 Balance\n2 Top-up\n> 3 Back", True)
        assert await scene.driver.ussd("1", 120, reply=True) == UssdAnswer(text="Balance 10")
        assert (await scene.send()).tp_mr == 9

    for chunk in CHUNKS:
        play("ussd/U06", host, chunk=chunk)


def test_a_text_that_fails_beside_an_open_session_ends_it() -> None:
    async def host(scene: Scene) -> None:
        await scene.driver.ussd("*111#", 120)
        assert (await scene.refused()).cms == 302
        await asyncio.sleep(1)
        assert (await scene.send()).tp_mr == 9

    play("ussd/U07", host)


def test_a_session_that_the_network_begins_by_itself_is_ended() -> None:
    async def host(scene: Scene) -> None:
        await asyncio.sleep(2)
        assert (await scene.send()).tp_mr == 9
        health = await scene.driver.health()
        assert health.leniencies["ussd_unasked"] == 1

    play("ussd/U08", host)


def test_the_callers_end_and_an_unplugged_modem_end_the_session() -> None:
    async def host(scene: Scene) -> None:
        assert not await scene.driver.end_ussd()
        asked = asyncio.create_task(scene.driver.ussd("*111#", 120))
        await asyncio.sleep(1)
        assert await scene.driver.end_ussd()
        with pytest.raises(UssdFailed, match="ended"):
            await asked
        asked = asyncio.create_task(scene.driver.ussd("*111#", 120))
        await asyncio.sleep(5)
        scene.stage.unplug()
        await scene.sink.link(LinkState.DOWN)
        with pytest.raises(UssdFailed) as failure:
            await asked
        assert failure.value.code == "link_down"
        assert await fails(scene) == "link_down"
        assert scene.sink.of(MissedCall) == []

    play("ussd/U09", host)


def test_a_caller_who_goes_away_leaves_no_session_open() -> None:
    async def host(scene: Scene) -> None:
        asked = asyncio.create_task(scene.driver.ussd("*111#", 120))
        await asyncio.sleep(1)
        asked.cancel()
        await asyncio.sleep(1)
        assert (await scene.send()).tp_mr == 9

    play("ussd/U10", host)


def test_a_modem_that_says_ok_only_after_the_networks_answer_is_waited_for() -> None:
    async def host(scene: Scene) -> None:
        asked = asyncio.create_task(scene.driver.ussd("*100#", 120))
        await asyncio.sleep(1)
        sending = asyncio.create_task(scene.send())  # such a modem takes no command meanwhile
        assert await asked == UssdAnswer(text="Balance 10")
        assert (await sending).tp_mr == 9

    play("ussd/U11", host)


def test_an_answer_counts_though_the_ok_never_comes() -> None:
    async def host(scene: Scene) -> None:
        assert await scene.driver.ussd("*100#", 120) == UssdAnswer(text="Balance 10")
        assert (await scene.send()).tp_mr == 9

    play("ussd/U12", host)


@pytest.mark.parametrize("text", ["", 'a"b', "1\r", "ąę", "1" * 61, "1;+CMGD=1,4"])
def test_what_is_no_ussd_text_never_reaches_the_modem(text: str) -> None:
    async def host(scene: Scene) -> None:
        with pytest.raises(UssdFailed) as failure:
            await scene.driver.ussd(text, 120)
        assert failure.value.code == "bad_text"
        assert b"CUSD" not in scene.stage.written
        assert (await scene.send()).tp_mr == 42

    play("sending/S01", host)


def test_a_text_that_is_too_long_for_a_modem_that_packs_is_refused_without_being_repeated() -> None:
    async def host(scene: Scene) -> None:
        for length in (36, 60):
            with pytest.raises(UssdFailed) as failure:
                await scene.driver.ussd("*" + "1" * (length - 2) + "#", 120)
            assert (failure.value.code, "11" in failure.value.detail) == ("bad_text", False)
        assert b"CUSD" not in scene.stage.written

    play("sending/S00", host, profile="huawei")
