"""The Mobizon driver on the wire, against the simulated provider."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec
import pytest

from drivers.contract import (
    Absent,
    Call,
    CannotTell,
    Forged,
    Found,
    LinkChange,
    LinkState,
    MaybeSent,
    NotOffered,
    NotSent,
    Receipt,
    Refused,
    ReportFate,
    SenderName,
    StatusReport,
)
from drivers.providers.mobizon import MobizonDriver, Options
from drivers.simulator.providers import Course, Fault, FaultKind, ProviderSimulation
from tests.drivers.providers.rest_support import (
    Collector,
    Shifted,
    described,
    outcome,
    running,
    submission,
)
from tests.drivers.providers.support import Clock

KEY = "K" * 40
TO = "+4915100000001"
ATTEMPT = "att_0c1vk5h7e8g00"


def options(sim: ProviderSimulation, **changes: Any) -> Options:
    given = {"api_key": KEY, "poll_interval": 0.02, "catch_up_pages": 0}
    return Options(**{"url": sim.url("mobizon"), "visible_after": 0.0, **given, **changes})


def knob(sim: ProviderSimulation, **changes: Any) -> None:
    sim.mobizon.knobs = msgspec.structs.replace(sim.mobizon.knobs, **changes)


sent = partial(submission, to=TO)
Story = Callable[[ProviderSimulation], Coroutine[Any, Any, None]]


def play(story: Story) -> None:
    async def run() -> None:
        async with ProviderSimulation(["mobizon"]) as sim:
            await story(sim)

    asyncio.run(run())


def test_a_text_is_taken_with_all_it_says() -> None:
    async def story(sim: ProviderSimulation) -> None:
        driver = MobizonDriver("mz", options(sim))
        wish = msgspec.structs.replace(sent("Pumpe 3 – Störung"), sender="PLANT", validity=7200, message_class=0)
        async with running(driver):
            receipt = await driver.submit(wish)
            taken = await sim.next_submit("mobizon")
        assert receipt.reference == taken.id
        assert (taken.client_id, taken.number, taken.text) == ("attZ0c1vk5h7e8g00", TO, "Pumpe 3 – Störung")
        assert (taken.shown_sender, taken.validity, taken.flash) == ("PLANT", 120, True)

    play(story)


def test_envelope_errors_count_with_other_http_statuses_too() -> None:
    async def story(sim: ProviderSimulation) -> None:
        driver = MobizonDriver("mz", options(sim))
        async with running(driver):
            sim.account("mobizon").barred.add("4915100000001")
            for status in (200, 400, 500):
                knob(sim, error_status=status)
                result = await outcome(driver, sent())
                assert not isinstance(result, Receipt)
                assert described(result) == (Refused, True, False)

    play(story)


@pytest.mark.parametrize(
    ("word", "fate"),
    [("", ReportFate.DELIVERED), ("UNDELIV", ReportFate.UNDELIVERED), ("EXPIRED", ReportFate.EXPIRED)],
)
def test_states_are_polled_and_come_with_the_price(word: str, fate: ReportFate) -> None:
    async def story(sim: ProviderSimulation) -> None:
        clock = Shifted()
        sim.set_course("mobizon", Course(final_after=0.0, word=word))
        driver = MobizonDriver("mz", options(sim, zone="Europe/Berlin"), monotonic=clock)
        async with running(driver) as sink:
            await driver.submit(sent("x" * 200))
            clock.ahead += 11.0
            report = await sink.first(StatusReport)
        assert (report.attempt_id, report.fate, report.code) == (ATTEMPT, fate, word or "DELIVRD")
        assert (report.cost, report.currency) == (Decimal("0.1000"), "EUR")

    play(story)


def test_states_are_asked_a_hundred_at_a_time() -> None:
    async def story(sim: ProviderSimulation) -> None:
        clock = Clock()
        sim.set_course("mobizon", Course(final_after=0.0))
        driver = MobizonDriver("mz", options(sim, prices=False), monotonic=clock)
        async with running(driver) as sink:
            for n in range(130):
                await driver.submit(sent(attempt=f"att_{n:013d}"))
            clock.at += 11.0
            await sink.wait(lambda event: len(sink.of(StatusReport)) == 130)
        asked = [seen for seen in sim.requests("mobizon") if seen.operation == "status"]
        assert [seen.request.body.count(b"ids%5B") for seen in asked] == [100, 30]
        assert len({report.attempt_id for report in sink.of(StatusReport)}) == 130

    play(story)


def test_after_a_restart_the_list_tells_what_ended_meanwhile() -> None:
    async def story(sim: ProviderSimulation) -> None:
        sim.set_course("mobizon", Course(final_after=0.0))
        driver = MobizonDriver("mz", options(sim, poll=False))
        async with running(driver):
            receipts = [await driver.submit(sent(attempt=f"att_{n}")) for n in range(120)]
        driver = MobizonDriver("mz", options(sim, catch_up_pages=5))
        async with running(driver) as sink:
            await sink.wait(lambda event: len(sink.of(StatusReport)) == 120)
        assert {report.reference for report in sink.of(StatusReport)} == {receipt.reference for receipt in receipts}

    play(story)


def test_a_message_is_known_by_its_name_among_others_to_the_same_number() -> None:
    async def story(sim: ProviderSimulation) -> None:
        driver = MobizonDriver("mz", options(sim, poll=False))
        async with running(driver):
            receipts = [await driver.submit(sent(attempt=f"att_{n}")) for n in range(3)]
            found = [await driver.look_up(sent(attempt=f"att_{n}")) for n in range(3)]
            for n in range(2):  # asked for the first time it is only not there yet
                assert isinstance(await driver.look_up(sent(attempt="att_9")), Absent if n else CannotTell)
        assert [f.receipt.reference for f in found if isinstance(f, Found)] == [r.reference for r in receipts]

    play(story)


@pytest.mark.parametrize("code", [3, 15, 999])
def test_an_unclear_error_on_an_empty_account_stops_it(code: int) -> None:
    async def story(sim: ProviderSimulation) -> None:
        knob(sim, code=code)
        driver = MobizonDriver("mz", options(sim))
        async with running(driver) as sink:
            assert isinstance(await outcome(driver, sent()), MaybeSent)
            assert isinstance(await outcome(driver, sent(attempt="att_2")), MaybeSent)  # there is money: it goes on
            sim.account("mobizon").credit = Decimal(0)
            assert isinstance(await outcome(driver, sent(attempt="att_3")), MaybeSent)
            change = await sink.first(LinkChange, lambda change: change.state is LinkState.BLOCKED)
            assert change.code == "no_credit"
            assert isinstance(await outcome(driver, sent(attempt="att_4")), NotSent)

    play(story)


def test_what_waits_for_a_moderator_too_long_is_taken_back() -> None:
    async def story(sim: ProviderSimulation) -> None:
        knob(sim, moderated=True)
        clock = Shifted()
        driver = MobizonDriver("mz", options(sim, moderation_wait=0.1), monotonic=clock)
        async with running(driver) as sink:
            await driver.submit(sent())
            report = await sink.first(StatusReport)
            assert next(iter(sim.mobizon.messages.values())).cancelled
            knob(sim, moderated=False)
            await driver.submit(sent(attempt="att_2"))
            clock.ahead += 11.0
            await sink.first(StatusReport, lambda other: other.attempt_id == "att_2")
        assert (report.fate, report.code, report.attempt_id) == (ReportFate.REJECTED, "moderation", ATTEMPT)
        assert [other.attempt_id for other in sink.of(StatusReport)] == [ATTEMPT, "att_2"]  # and not once more

    play(story)


def test_what_the_moderator_let_go_is_not_taken_back() -> None:
    async def story(sim: ProviderSimulation) -> None:
        knob(sim, moderated=True)
        clock = Shifted()
        driver = MobizonDriver("mz", options(sim, moderation_wait=0.4), monotonic=clock)
        async with running(driver) as sink:
            await driver.submit(sent())
            sim.mobizon.moderate("7000001", approve=True)
            while (await sim.next_request("mobizon")).operation != "cancel":
                pass  # too late: the provider refuses
            clock.ahead += 11.0
            report = await sink.first(StatusReport, lambda report: report.fate is ReportFate.DELIVERED)
        assert report.attempt_id == ATTEMPT
        assert all(report.code != "moderation" for report in sink.of(StatusReport))

    play(story)


async def webhook_server(driver: MobizonDriver, sink: Collector, *, refuse: int = 0) -> tuple[asyncio.Server, str]:
    """The bridge's side of a webhook, as the API has it: events are stored before the call is answered."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal refuse
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        status = 200
        try:
            if refuse:
                refuse -= 1
                raise OSError
            call = Call(method="POST", path="", query=b"", headers=headers, body=body, address="127.0.0.1")
            for event in driver.called(call).events:
                await sink.accept(event)
        except Forged:
            status = 401
        except OSError:
            status = 503
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\nOK".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"


@pytest.mark.parametrize("form", ["json", "raw"])
def test_a_webhook_brings_the_report_by_itself(form: str) -> None:
    async def story(sim: ProviderSimulation) -> None:
        knob(sim, webhook_form=form)
        sim.set_course("mobizon", Course(final_after=0.01))
        driver = MobizonDriver("mz", options(sim, webhook_secret="secret123"))
        async with running(driver) as sink:
            server, sim.account("mobizon").callback = await webhook_server(driver, sink)
            await driver.submit(sent())
            report = await sink.first(StatusReport)
            attempt = await sim.next_callback("mobizon")
            server.close()
        assert attempt.accepted
        assert (report.fate, report.attempt_id) == (ReportFate.DELIVERED, ATTEMPT)

    play(story)


def test_a_bad_end_told_by_webhook_is_proved_by_a_question() -> None:
    async def story(sim: ProviderSimulation) -> None:
        sim.set_course("mobizon", Course(final_after=0.01, word="UNDELIV"))
        driver = MobizonDriver("mz", options(sim, webhook_secret="secret123"))
        async with running(driver) as sink:
            server, sim.account("mobizon").callback = await webhook_server(driver, sink)
            await driver.submit(sent())
            assert (await sim.next_callback("mobizon")).accepted
            report = await sink.first(StatusReport)
            server.close()
        assert (report.fate, report.attempt_id) == (ReportFate.UNDELIVERED, ATTEMPT)
        assert [seen.operation for seen in sim.requests("mobizon")].count("status") >= 1

    play(story)


def test_a_webhook_with_the_wrong_secret_is_refused() -> None:
    async def story(sim: ProviderSimulation) -> None:
        sim.set_course("mobizon", Course(final_after=0.01))
        sim.account("mobizon").callback_secret = "another"
        driver = MobizonDriver("mz", options(sim, webhook_secret="secret123"))
        async with running(driver) as sink:
            server, sim.account("mobizon").callback = await webhook_server(driver, sink)
            await driver.submit(sent())
            attempt = await sim.next_callback("mobizon")
            server.close()
        assert attempt.status == 401
        assert sink.of(StatusReport) == []

    play(story)


def test_balance_senders_list_and_state() -> None:
    async def story(sim: ProviderSimulation) -> None:
        sim.set_course("mobizon", Course(final_after=None))
        driver = MobizonDriver("mz", options(sim, poll=False))
        async with running(driver):
            balance = await driver.balance()
            for n in range(30):
                receipt = await driver.submit(sent(attempt=f"att_{n}"))
            page, total = await driver.list_messages(
                criteria={"to": "4915100000001"}, page=1, page_size=25, sort={"id": "ASC"}, number_info=True
            )
            state = await driver.status(receipt.reference, TO)
            gone = await driver.status("4711", TO)
            assert await driver.senders() == [
                SenderName(name="YourAlpha", state="active"),
                SenderName(name="PLANT", state="active"),
                SenderName(name="Waiting", state="moderation"),
            ]
        assert (balance.amount, balance.currency) == (Decimal("100.0000"), "EUR")
        assert (len(page), total, page[-1].id) == (5, 30, receipt.reference)
        assert (state.code, state.cost, state.detail) == ("ACCEPTD", Decimal("0.0500"), "DE, Example Mobile")
        assert gone.fate is ReportFate.UNKNOWN

    play(story)


def test_wrong_key_blocks_with_a_sentence() -> None:
    async def story(sim: ProviderSimulation) -> None:
        driver = MobizonDriver("mz", options(sim, api_key="W" * 40))
        async with running(driver, state=LinkState.BLOCKED) as sink:
            change = await sink.first(LinkChange)
        assert change.code == "mobizon_8"
        assert "W" * 40 not in change.reason

    play(story)


def test_too_many_requests_are_no_failure_of_the_account() -> None:
    async def story(sim: ProviderSimulation) -> None:
        driver = MobizonDriver("mz", options(sim, poll=False))
        async with running(driver):
            sim.account("mobizon").calls_a_minute = 2
            for n in range(2):
                await driver.submit(sent(attempt=f"att_{n}"))
            result = await outcome(driver, sent(attempt="att_3"))
            assert isinstance(result, NotSent)
            assert (result.code, result.retry_after, result.channel_unusable) == ("mobizon_30", 60.0, False)
            assert (await driver.health()).state is LinkState.UP

    play(story)


def test_what_mobizon_does_not_offer_says_who_does() -> None:
    async def story(sim: ProviderSimulation) -> None:
        driver = MobizonDriver("mz", options(sim))
        with pytest.raises(NotOffered, match="smsc"):
            await driver.quote(sent())
        with pytest.raises(NotOffered, match="smsc"):
            await driver.subscriber(TO)

    play(story)


def test_no_secret_is_logged_or_kept_even_when_the_answer_echoes_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def story(sim: ProviderSimulation) -> None:
        driver = MobizonDriver("mz", options(sim))
        async with running(driver):
            sim.set_faults("mobizon", Fault(kind=FaultKind.STATUS, status=500, body=f"apiKey={KEY} failed"))
            result = await outcome(driver, sent("A very private text"))
        assert isinstance(result, MaybeSent)
        assert result.raw == "apiKey=*** failed"

    play(story)
    for secret in (KEY, "A very private text", TO):
        assert secret not in caplog.text
