"""The FreshMail driver on the wire, against the simulated gate."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from drivers.contract import (
    Call,
    Forged,
    Incoming,
    LinkChange,
    LinkState,
    MaybeSent,
    NotOffered,
    NotSent,
    Receipt,
    Refused,
    ReportFate,
    StatusReport,
)
from drivers.providers.freshmail import FreshmailDriver, Options
from drivers.simulator.providers import Course, Fault, FaultKind, ProviderSimulation
from tests.drivers.providers.rest_support import (
    NUMBER,
    described,
    outcome,
    running,
    submission,
)
from tests.drivers.providers.support import Clock

KEY = "0123456789abcdef0123456789abcdef"
SECRET = "00112233445566778899aabbccddeeff00112233"
TOKEN = "freshmail-bearer-token"
WARSAW = ZoneInfo("Europe/Warsaw")


def options(sim: ProviderSimulation, **changes: Any) -> Options:
    given = {"api_key": KEY, "api_secret": SECRET, "poll_interval": 0.02}
    return Options(**{"url": sim.url("freshmail"), "visible_after": 0.0, **given, **changes})


Story = Callable[[ProviderSimulation], Coroutine[Any, Any, None]]


def play(story: Story) -> None:
    async def run() -> None:
        async with ProviderSimulation(["freshmail"]) as sim:
            await story(sim)

    asyncio.run(run())


@pytest.mark.parametrize("login", [{}, {"auth": "bearer", "token": TOKEN, "api_key": "", "api_secret": ""}])
def test_a_text_is_taken_with_either_login(login: dict[str, str]) -> None:
    async def story(sim: ProviderSimulation) -> None:
        driver = FreshmailDriver("fm", options(sim, **login))
        async with running(driver):
            receipt = await driver.submit(msgspec.structs.replace(submission("Zażółć"), sender="Recepcja"))
            taken = await sim.next_submit("freshmail")
        assert (receipt.reference, receipt.parts, receipt.cost) == ("attZ0c1vk5h7e8g00", 1, None)
        assert (taken.client_id, taken.number, taken.text, taken.shown_sender) == (
            receipt.reference, NUMBER, "Zażółć", "Recepcja",
        )  # fmt: skip

    play(story)


def test_an_mms_is_taken() -> None:
    async def story(sim: ProviderSimulation) -> None:
        driver = FreshmailDriver("fm", options(sim))
        mms = msgspec.structs.replace(
            submission(None), kind="mms", options={"subject": "Gate", "image": "https://cam.example/1.jpg"}
        )
        async with running(driver):
            await driver.submit(mms)
            taken = await sim.next_submit("freshmail")
        assert (taken.kind, taken.text, taken.options) == ("mms", "Gate", {"image": "https://cam.example/1.jpg"})

    play(story)


@pytest.mark.parametrize("form", ["list", "map"])
@pytest.mark.parametrize(
    ("word", "detail", "fate"),
    [
        ("DELIVERED", "", ReportFate.DELIVERED),
        ("UNDELIVERED", "", ReportFate.UNDELIVERED),
        ("ERROR", "INVALID_PHONE_NUMBER", ReportFate.REJECTED),
    ],
)
def test_a_report_comes_from_the_list_once(form: str, word: str, detail: str, fate: ReportFate) -> None:
    async def story(sim: ProviderSimulation) -> None:
        sim.freshmail.knobs = msgspec.structs.replace(sim.freshmail.knobs, report_form=form)
        sim.set_course("freshmail", Course(sent_after=0.0, final_after=0.0, word=word, detail=detail))
        driver = FreshmailDriver("fm", options(sim))
        async with running(driver) as sink:
            await driver.submit(submission())
            report = await sink.first(StatusReport)
            for _ in range(len(sim.requests("freshmail")) + 3):  # the list is read three more times
                await sim.next_request("freshmail")
        assert (report.attempt_id, report.fate) == ("att_0c1vk5h7e8g00", fate)
        assert report.code == (f"{word}:{detail}" if detail else word)
        assert report.submitted_at is not None
        now, sent = (at.astimezone(WARSAW).replace(tzinfo=None) for at in (datetime.now(UTC), report.submitted_at))
        assert abs((now - sent).total_seconds()) < 60  # as clocks there show it: they have one hour in October twice
        assert len(sink.of(StatusReport)) == 1

    play(story)


def test_answers_to_a_2way_message_are_offered_until_they_are_stored_and_then_no_more() -> None:
    async def story(sim: ProviderSimulation) -> None:
        sim.set_course("freshmail", Course(final_after=0.0))
        driver = FreshmailDriver("fm", options(sim, sender="2way"))
        async with running(driver) as sink:
            await driver.submit(submission("Will you come?"))
            await sink.first(StatusReport)
            sink.refuse = 1
            sim.reply("freshmail", NUMBER, "Yes, 17:00")
            first = await sink.first(Incoming)
            sim.reply("freshmail", NUMBER, "No, 18:00")
            second = await sink.first(Incoming, lambda event: event.text == "No, 18:00")
        assert [event.text for event in sink.of(Incoming)] == ["Yes, 17:00", "No, 18:00"]
        assert first.sender == second.sender == NUMBER
        assert first.sim == "fm"

    play(story)


def test_pages_are_read_to_the_end_and_others_messages_are_left_alone() -> None:
    async def story(sim: ProviderSimulation) -> None:
        sim.freshmail.knobs = msgspec.structs.replace(sim.freshmail.knobs, page_size=4)
        sim.set_course("freshmail", Course(final_after=0.0))
        driver = FreshmailDriver("fm", options(sim, poll_interval=30.0, sweep_interval=30.0))
        async with running(driver):
            for n in range(11):
                await driver.submit(submission(attempt=f"att_00000000000{n:02d}"))
        driver = FreshmailDriver("fm", options(sim))  # started anew: the list is all it has
        foreign = next(iter(sim.freshmail.messages.values()))
        foreign.taken = msgspec.structs.replace(foreign.taken, client_id="newsletter 7")
        async with running(driver) as sink:
            await sink.first(StatusReport, lambda report: report.attempt_id == "att_0000000000010")
        found = [report.attempt_id for report in sink.of(StatusReport)]
        assert found == [f"att_00000000000{n:02d}" for n in range(1, 11)]

    play(story)


@pytest.mark.parametrize(
    "wrong", [{"api_secret": "f" * 40}, {"auth": "bearer", "token": "wrong", "api_key": "", "api_secret": ""}]
)
def test_wrong_keys_block_the_channel_with_a_sentence(wrong: dict[str, str]) -> None:
    async def story(sim: ProviderSimulation) -> None:
        driver = FreshmailDriver("fm", options(sim, **wrong))
        async with running(driver, state=LinkState.BLOCKED) as sink:
            change = await sink.first(LinkChange)
        assert change.code == "freshmail_1000"
        assert "key" in change.reason
        assert (wrong.get("api_secret") or KEY) not in change.reason

    play(story)


def test_an_account_without_contract_stops_and_the_message_moves_on() -> None:
    async def story(sim: ProviderSimulation) -> None:
        driver = FreshmailDriver("fm", options(sim))
        async with running(driver) as sink:
            sim.freshmail.knobs = msgspec.structs.replace(sim.freshmail.knobs, contract_signed=False)
            result = await outcome(driver, submission())
            assert not isinstance(result, Receipt)
            assert described(result) == (NotSent, False, True)
            await sink.first(LinkChange, lambda change: change.state is LinkState.BLOCKED)

    play(story)


@pytest.mark.parametrize(
    ("text", "changes", "code"),
    [
        ("Hello", {"sender": "Nobody"}, "freshmail_1105"),
        ("Hello", {"sender": "Nowa"}, "freshmail_1106"),
        ("Hello", {"to": "+48999999999"}, "freshmail_1101"),
    ],
)
def test_the_gates_own_refusals_are_definite(text: str, changes: dict[str, Any], code: str) -> None:
    async def story(sim: ProviderSimulation) -> None:
        sim.account("freshmail").barred.add("48999999999")
        driver = FreshmailDriver("fm", options(sim))
        async with running(driver):
            result = await outcome(driver, msgspec.structs.replace(submission(text), **changes))
        assert isinstance(result, Refused)
        assert (result.code, result.everywhere) == (code, code == "freshmail_1101")
        assert len(sim.ledger("freshmail")) == 0

    play(story)


def test_a_name_that_waits_for_approval_is_not_offered_again_for_an_hour() -> None:
    async def story(sim: ProviderSimulation) -> None:
        clock = Clock()
        driver = FreshmailDriver("fm", options(sim, poll=False), monotonic=clock)
        named = msgspec.structs.replace(submission("Hello"), sender="Nowa")
        async with running(driver):
            for _ in range(3):
                assert getattr(await outcome(driver, named), "code", "") == "freshmail_1106"
            assert isinstance(await outcome(driver, submission("Hello")), Receipt)
            assert [r.operation for r in sim.requests("freshmail")].count("submit") == 2
            sim.account("freshmail").senders["Nowa"] = "approved"
            clock.at += 3600
            assert isinstance(await outcome(driver, named), Receipt)

    play(story)


def test_the_state_of_one_message_can_be_asked() -> None:
    async def story(sim: ProviderSimulation) -> None:
        sim.set_course("freshmail", Course(final_after=None))
        driver = FreshmailDriver("fm", options(sim, poll=False))
        async with running(driver):
            receipt = await driver.submit(submission())
            there = await driver.status(receipt.reference, NUMBER)
            gone = await driver.status("attZnever", NUMBER)
        assert (there.fate, there.code) == (ReportFate.SENT, "SENT")
        assert (gone.fate, gone.code) == (ReportFate.UNKNOWN, "NOT_FOUND")

    play(story)


def test_what_the_gate_does_not_offer_says_who_does() -> None:
    async def story(sim: ProviderSimulation) -> None:
        driver = FreshmailDriver("fm", options(sim))
        asked: list[Callable[[], Coroutine[Any, Any, object]]] = [
            driver.balance,
            driver.senders,
            partial(driver.quote, submission()),
            partial(driver.subscriber, NUMBER),
        ]
        for ask in asked:
            with pytest.raises(NotOffered, match=r"smsc|serwersms"):
                await ask()
        with pytest.raises(Forged):
            driver.called(Call(method="POST", path="", query=b"", headers={}, body=b"", address="127.0.0.1"))

    play(story)


def test_no_secret_is_logged_or_kept_even_when_the_answer_echoes_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def story(sim: ProviderSimulation) -> None:
        driver = FreshmailDriver("fm", options(sim))
        async with running(driver):
            echo = Fault(kind=FaultKind.STATUS, status=500, body=f"your key {KEY} and {SECRET}")
            sim.set_faults("freshmail", echo)
            result = await outcome(driver, submission("A very private text"))
        assert isinstance(result, MaybeSent)
        assert "your key *** and ***" in result.raw
        assert KEY not in str(result)

    play(story)
    for secret in (KEY, SECRET, "A very private text", NUMBER):
        assert secret not in caplog.text
