"""The life of a modem channel beside the scenarios: losing the port, finding the modem, keeping to the contract."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from drivers.contract import (
    Absent,
    CannotTell,
    Cause,
    Encoding,
    LinkState,
    MaybeSent,
    NotSent,
    Part,
    Refused,
    Submission,
)
from drivers.modems import discovery, sending
from drivers.modems.commands import send
from drivers.modems.driver import ModemDriver
from drivers.modems.events import Answer
from drivers.modems.line import End, SendEnd
from drivers.modems.link import Link
from drivers.modems.profile import Profile
from drivers.modems.profiles import by_name
from drivers.modems.settings import ModemSettings
from drivers.modems.vocabulary import OK, Final, Result
from tests.drivers.rack import MINE, OTHER, Rack, running
from tests.drivers.support import IMEI, Inlet, Scene, Stage, play, run_stepped, scenario, submission


def test_s23_unplugged_in_mid_send_and_found_again_by_its_imei(tmp_path: Path) -> None:
    old, new, other = (tmp_path / name for name in ("ttyUSB0", "ttyUSB3", "ttyUSB1"))
    old.touch()
    other.touch()  # nobody answers there

    async def host(scene: Scene) -> None:
        def happens(text: str) -> None:
            if text == "unplug":
                old.unlink()
                scene.stage.unplug()
            else:
                new.touch()
                scene.stage.port = str(new)

        scene.stage.happens = happens
        seen = len(scene.sink.events)
        error = await scene.refused()
        assert isinstance(error, MaybeSent)
        assert error.code == "link_lost"
        down = await scene.sink.link(LinkState.DOWN, after=seen)
        assert down.code == "unplugged"
        assert isinstance(await scene.refused(), NotSent)
        up = await scene.sink.link(LinkState.UP, after=seen)
        assert (up.port, up.imei) == (str(new), IMEI)
        assert (await scene.send()).tp_mr == 1

    play("sending/S23", host, port=str(old), patterns=(str(tmp_path / "ttyUSB*"),))


def test_another_modem_on_the_configured_port_is_not_used_and_ours_is_found(tmp_path: Path) -> None:
    async def main() -> None:
        rack = Rack(tmp_path)
        configured = rack.plug("ttyUSB0", OTHER)
        elsewhere = rack.plug("ttyUSB1", MINE)
        sink = Inlet()
        async with running(ModemSettings(port=configured, imei=MINE), rack, sink):
            assert (await sink.link(LinkState.DOWN)).code == "wrong_modem"
            assert (await sink.link(LinkState.UP)).port == elsewhere

    run_stepped(main())


def test_a_missing_modem_is_told_once_however_long_it_is_looked_for(tmp_path: Path) -> None:
    async def main() -> None:
        rack = Rack(tmp_path)
        configured = rack.plug("ttyUSB0", OTHER)
        sink = Inlet()
        async with running(ModemSettings(port=configured, imei=MINE), rack, sink):
            await asyncio.sleep(600)
            assert [getattr(event, "code", "") for event in sink.events] == ["starting", "wrong_modem", "port_missing"]

    run_stepped(main())


def test_h05_after_renumbering_each_modem_is_found_by_the_imei_it_had(tmp_path: Path) -> None:
    async def main() -> None:
        rack = Rack(tmp_path)
        port = rack.plug("ttyUSB0", MINE)
        sink = Inlet()
        async with running(ModemSettings(port=port), rack, sink):
            await sink.link(LinkState.UP)
            seen = len(sink.events)
            rack.unplug(port)
            rack.plug("ttyUSB0", OTHER)
            new = rack.plug("ttyUSB3", MINE)
            up = await sink.link(LinkState.UP, after=seen)
            assert (up.port, up.imei) == (new, MINE)

    run_stepped(main())


def test_h10_an_exchanged_modem_is_taken_when_the_old_one_is_nowhere(tmp_path: Path) -> None:
    async def main() -> None:
        rack = Rack(tmp_path)
        port = rack.plug("ttyUSB0", MINE)
        sink = Inlet()
        async with running(ModemSettings(port=port), rack, sink):
            await sink.link(LinkState.UP)
            seen = len(sink.events)
            rack.unplug(port)
            rack.plug("ttyUSB0", OTHER)
            assert (await sink.link(LinkState.UP, after=seen)).imei == OTHER

    run_stepped(main())


def test_the_modem_is_looked_for_when_only_its_imei_is_known(tmp_path: Path) -> None:
    port = tmp_path / "ttyUSB7"
    port.touch()

    async def main() -> None:
        stage = Stage(scenario("sending/S00"), begun=True)
        stage.port = str(port)
        sink = Inlet()
        driver = ModemDriver(
            ModemSettings(imei=IMEI),
            monotonic=asyncio.get_running_loop().time,
            opener=stage.open,
            patterns=(str(tmp_path / "ttyUSB*"),),
        )
        running = asyncio.create_task(driver.run(sink))
        assert (await sink.link(LinkState.UP)).port == str(port)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run_stepped(main())


def test_a_port_that_is_missing_is_told_once_and_tried_again() -> None:
    async def main() -> None:
        stage = Stage(scenario("sending/S00"), begun=True)
        sink = Inlet()
        driver = ModemDriver(
            ModemSettings(port="/dev/nowhere"), monotonic=asyncio.get_running_loop().time, opener=stage.open
        )
        running = asyncio.create_task(driver.run(sink))
        await asyncio.sleep(300)
        assert [(change.state, change.code) for change in sink.events] == [(LinkState.DOWN, "port_missing")]  # type: ignore[union-attr]
        stage.port = "/dev/nowhere"
        await sink.link(LinkState.UP)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run_stepped(main())


def test_before_it_is_up_nothing_is_sent() -> None:
    async def main() -> None:
        driver = ModemDriver(ModemSettings(port="/dev/nowhere"))
        with pytest.raises(NotSent) as caught:
            await driver.submit(submission("S1", "a"))
        assert caught.value.cause is Cause.LINK

    run_stepped(main())


def test_stopping_while_a_text_is_open_leaves_it_in_doubt() -> None:
    async def main() -> None:
        stage = Stage(scenario("sending/S11"))
        sink = Inlet()
        stage.port = "modem"
        driver = ModemDriver(ModemSettings(port="modem"), monotonic=asyncio.get_running_loop().time, opener=stage.open)
        running = asyncio.create_task(driver.run(sink))
        await sink.link(LinkState.UP)
        stage.begin()
        sending_task = asyncio.create_task(driver.submit(submission("S1", "a")))
        await asyncio.sleep(10)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        with pytest.raises(MaybeSent):
            await sending_task

    run_stepped(main())


@pytest.mark.parametrize(
    "bad",
    [
        Submission(attempt_id="a", to="+447700900123"),
        Submission(attempt_id="a", to="not a number", part=Part(encoding=Encoding.GSM7, data=b"x")),
        Submission(attempt_id="a", to="+447700900123", part=Part(encoding=Encoding.GSM7, data=b"x" * 161)),
    ],
    ids=["no part", "no number", "too long"],
)
def test_what_no_pdu_can_say_is_refused_everywhere(bad: Submission) -> None:
    async def host(scene: Scene) -> None:
        with pytest.raises(Refused) as caught:
            await scene.driver.submit(bad)
        assert (caught.value.code, caught.value.everywhere) == ("bad_pdu", True)
        assert b"CMGS" not in scene.stage.written

    play("sending/S00", host)


def test_the_service_centre_of_the_configuration_stands_in_the_pdu() -> None:
    async def host(scene: Scene) -> None:
        assert (await scene.send()).tp_mr == 7

    play("sending/S39", host, smsc="+447700900000")


def test_a_modem_that_goes_on_echoing_is_asked_three_times_to_stop() -> None:
    async def host(scene: Scene) -> None:
        understudy = scene.stage.player._understudy
        assert understudy is not None
        for _ in range(20):
            understudy.modem.settings.echo = True  # whatever ATE0 said
            await asyncio.sleep(30)
        assert 1 <= scene.stage.extra.count("ATE0") <= 3
        assert (await scene.driver.health()).state is LinkState.UP

    play("sending/S00", host)


def test_a_flood_of_notifications_does_not_keep_a_text_from_being_sent() -> None:
    async def host(scene: Scene) -> None:
        assert scene.stage.link is not None
        for _ in range(2000):
            scene.stage.link.deliver(b'\r\n^RSSI:14\r\n\r\n^HCSQ:"LTE",45,40,121,16\r\n')
        assert (await scene.send()).tp_mr == 42

    play("sending/S01", host, profile="huawei")


def test_a_modem_that_stops_answering_is_opened_again() -> None:
    async def host(scene: Scene) -> None:
        seen = len(scene.sink.events)
        change = await scene.sink.link(LinkState.DOWN, after=seen)
        assert change.code == "deaf"
        await scene.sink.link(LinkState.UP, after=seen)

    play("health/H01B", host)


@pytest.mark.parametrize(("last", "kind"), [("2A", Absent), ("2B", CannotTell)])
def test_the_last_used_reference_is_evidence_where_the_profile_says_so(last: str, kind: type) -> None:
    async def host(scene: Scene) -> None:
        await scene.send()
        session = scene.driver._session
        assert session is not None
        assert isinstance(await scene.driver.look_up(submission("S1", "x")), CannotTell)
        session.line.profile = msgspec.structs.replace(by_name("generic"), reads_smss=True)
        assert isinstance(await scene.driver.look_up(submission("S1", "x")), kind)

    play(f"sending/E{last}", host)


# --- What an end means ------------------------------------------------------------------------------------------------


def ended(final: Final, *, sent: bool = True, elapsed: float = 0.5, lines: tuple[str, ...] = ()) -> SendEnd:
    answer = Answer(command=send(19), lines=lines, final=final, sent=sent)
    return SendEnd(end=End.ANSWERED, committed=sent, elapsed=elapsed, answer=answer)


def cms(number: int) -> Final:
    return Final(Result.CMS, number, f"+CMS ERROR: {number}")


GENERIC = by_name("generic")
TRUSTS_38 = Profile(name="x", trusted=frozenset({38}))


@pytest.mark.parametrize(
    ("end", "profile", "kind", "cause"),
    [
        (SendEnd(end=End.NO_PROMPT, committed=False), GENERIC, NotSent, Cause.MODEM),
        (SendEnd(end=End.NOT_WRITTEN, committed=False), GENERIC, NotSent, Cause.LINK),
        (SendEnd(end=End.NO_RESULT, committed=True, elapsed=180), GENERIC, MaybeSent, Cause.DOUBT),
        (SendEnd(end=End.DOWN, committed=True), GENERIC, MaybeSent, Cause.DOUBT),
        (SendEnd(end=End.DOWN, committed=False), GENERIC, NotSent, Cause.LINK),
        (ended(OK), GENERIC, MaybeSent, Cause.DOUBT),
        (ended(cms(38)), GENERIC, MaybeSent, Cause.DOUBT),
        (ended(cms(38)), TRUSTS_38, NotSent, Cause.NET),
        (ended(cms(332)), GENERIC, MaybeSent, Cause.DOUBT),
        (ended(cms(332), sent=False), GENERIC, NotSent, Cause.NET),
        (ended(cms(1)), GENERIC, Refused, Cause.DEST),
        (ended(cms(8)), GENERIC, NotSent, Cause.SIM),
        (ended(cms(500), elapsed=0.5), GENERIC, NotSent, Cause.MODEM),
        (ended(cms(500), elapsed=20), GENERIC, MaybeSent, Cause.DOUBT),
        (ended(Final(Result.ERROR, None, "ERROR"), elapsed=20), GENERIC, MaybeSent, Cause.DOUBT),
        (ended(Final(Result.ERROR, None, "ERROR"), sent=False), GENERIC, NotSent, Cause.MODEM),
    ],
)
def test_may_it_be_sent_again(end: SendEnd, profile: Profile, kind: type, cause: Cause) -> None:
    outcome = sending.judge(end, profile)
    assert isinstance(outcome, kind)
    assert isinstance(outcome, NotSent | MaybeSent | Refused)
    assert outcome.cause is cause


# --- Discovery --------------------------------------------------------------------------------------------------------


def test_each_device_is_a_candidate_once_under_its_stable_name(tmp_path: Path) -> None:
    device = tmp_path / "ttyUSB0"
    device.touch()
    by_path = tmp_path / "by-path"
    by_path.mkdir()
    (by_path / "hub-port1").symlink_to(device)
    (tmp_path / "ttyUSB1").touch()
    found = discovery.candidates((str(by_path / "*"), str(tmp_path / "ttyUSB*")))
    assert found == [str(by_path / "hub-port1"), str(tmp_path / "ttyUSB1")]


def test_a_probe_says_who_answers() -> None:
    async def main() -> None:
        stage = Stage(scenario("sending/S00"), begun=True)
        stage.port = "modem"

        async def opener(settings: ModemSettings, port: str) -> Link:
            return await stage.open(settings, port)

        found = await discovery.probe("modem", opener=opener, monotonic=asyncio.get_running_loop().time)
        assert (found.imei, found.iccid, found.maker, found.model, found.profile, found.code) == (
            IMEI,
            "89441000000000000000",
            "GSM Bridge",
            "Simulated",
            "generic",
            "",
        )
        missing = await discovery.probe("nowhere", opener=opener)
        assert missing.code == "port_missing"
        assert missing.problem

    run_stepped(main())
