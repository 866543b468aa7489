"""What every provider's driver owes the bridge: one suite for all five, over real HTTP, joined with the ledgers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from drivers import registry
from drivers.contract import (
    Absent,
    Account,
    BulkDriver,
    Call,
    CannotTell,
    Cause,
    Driver,
    Followed,
    Follower,
    Forged,
    Found,
    LinkChange,
    LinkState,
    MaybeSent,
    MessagePage,
    MessageQuery,
    NotOffered,
    NotSent,
    Receipt,
    Refused,
    ReportFate,
    StatusReport,
    Submission,
    Takes,
)
from drivers.simulator.providers import CAPTIVE_PORTAL, NAMES, Course, Fault, FaultKind, ProviderSimulation
from tests.drivers.providers.rest_support import Shifted, outcome, running
from tests.drivers.providers.support import PATIENT, run, timed_out
from tests.flows.gateway import account_at

# Every fault with what it may do to a message: whether the provider could have taken it.
TRANSPORT = [
    Fault(kind=FaultKind.SILENCE),
    Fault(kind=FaultKind.SILENCE, accepted=True),
    Fault(kind=FaultKind.RESET),
    Fault(kind=FaultKind.RESET, accepted=True),
    Fault(kind=FaultKind.CLOSE),
    Fault(kind=FaultKind.CLOSE, accepted=True),
    Fault(kind=FaultKind.CUT),
    Fault(kind=FaultKind.HTML),
    Fault(kind=FaultKind.HTML, accepted=True),
    Fault(kind=FaultKind.HTML, status=502, accepted=True),
    Fault(kind=FaultKind.EMPTY),
    Fault(kind=FaultKind.EMPTY, accepted=True),
    Fault(kind=FaultKind.EMPTY, status=202, accepted=True),
    Fault(kind=FaultKind.ENDLESS),
    Fault(kind=FaultKind.ENDLESS, accepted=True),
    Fault(kind=FaultKind.DRIP, seconds=0.05),
    Fault(kind=FaultKind.DELAY, seconds=0.05),
    Fault(kind=FaultKind.DELAY, seconds=3600.0),
    Fault(kind=FaultKind.REORDERED),
    Fault(kind=FaultKind.ADDED),
    Fault(kind=FaultKind.STATUS, status=302, location="http://127.0.0.1:1/"),
    Fault(kind=FaultKind.STATUS, status=401),
    Fault(kind=FaultKind.STATUS, status=403),
    Fault(kind=FaultKind.STATUS, status=404),
    Fault(kind=FaultKind.STATUS, status=405),
    Fault(kind=FaultKind.STATUS, status=408, accepted=True),
    Fault(kind=FaultKind.STATUS, status=429, retry_after="7"),
    Fault(kind=FaultKind.STATUS, status=500),
    Fault(kind=FaultKind.STATUS, status=500, accepted=True),
    Fault(kind=FaultKind.STATUS, status=503, accepted=True),
    Fault(kind=FaultKind.STATUS, status=504, accepted=True),
]
HARMLESS = {"reordered", "added", "delay0.05"}
LIMIT = 60.0  # seconds; what these make wait longer comes too late
LATE = {"silence": "read_timeout", "drip": "total_timeout", "delay3600.0": "read_timeout"}
NUMBER = "+48600700800"
WRONG: dict[str, dict[str, Any]] = {
    "serwersms": {"password": "wr0ng-one"},
    "freshmail": {"api_secret": "wr0ng-one"},
    "clickatell": {"password": "wr0ng-one"},
    "mobizon": {"api_key": "wr0ngone"},
    "smsc": {"password": "wr0ng-one"},
}

Story = Callable[[ProviderSimulation, Shifted, Driver], Coroutine[Any, Any, None]]
every_provider = pytest.mark.parametrize("name", NAMES)


def named(fault: Fault) -> str:
    return f"{fault.kind}{fault.status or ''}{'_accepted' if fault.accepted else ''}{fault.seconds}"


def text(n: int = 1, **changes: Any) -> Submission:
    given: dict[str, Any] = {"attempt_id": f"att_{n:013}", "to": f"+486007008{n:02}", "text": f"Pump {n}", **changes}
    return Submission(**given)


def play(name: str, story: Story, **changes: Any) -> None:
    """The driver, not running, at the demo account of the simulated provider."""

    async def main() -> None:
        async with ProviderSimulation([name]) as sim:
            account = account_at(sim, name, {**msgspec.structs.asdict(PATIENT), "poll": False, **changes})
            options = msgspec.convert(account.options, registry.options_of(name), strict=False)
            clock = Shifted()
            environment = registry.Environment(state_dir=Path("."), monotonic=clock)
            driver = registry.create(name, "cloud", options, environment)
            try:
                await story(sim, clock, driver)
            finally:
                await cast(Any, driver)._client.close()

    run(main())


def submits(sim: ProviderSimulation, name: str) -> int:
    return len([seen for seen in sim.requests(name) if seen.operation == "submit"])


@every_provider
def test_it_takes_whole_messages_and_can_be_asked(name: str) -> None:
    async def story(sim: ProviderSimulation, clock: Shifted, driver: Driver) -> None:
        assert driver.capabilities.takes is Takes.MESSAGE
        assert driver.evidence.look_up
        assert driver.evidence.report

    play(name, story)


@every_provider
def test_before_the_link_is_up_nothing_is_tried(name: str) -> None:
    async def story(sim: ProviderSimulation, clock: Shifted, driver: Driver) -> None:
        result = await outcome(driver, text())
        assert isinstance(result, NotSent)
        assert result.cause is Cause.LINK
        assert sim.requests(name) == []

    play(name, story)


@every_provider
def test_a_wrong_login_blocks_the_channel_with_a_sentence_that_holds_no_secret(name: str) -> None:
    async def story(sim: ProviderSimulation, clock: Shifted, driver: Driver) -> None:
        async with running(driver, state=LinkState.BLOCKED) as sink:
            change = await sink.first(LinkChange, lambda change: change.state is LinkState.BLOCKED)
            result = await outcome(driver, text())
        assert change.reason
        assert change.code.startswith(f"{name}_") or change.code == "http_401"
        assert "wr0ng" not in change.reason
        assert isinstance(result, NotSent)
        assert submits(sim, name) == 0

    play(name, story, **WRONG[name])


@every_provider
def test_what_is_accepted_is_in_the_ledger_once_with_our_id(name: str) -> None:
    async def story(sim: ProviderSimulation, clock: Shifted, driver: Driver) -> None:
        async with running(driver):
            receipt = await driver.submit(text())
            found = await driver.look_up(text())
        (taken,) = sim.ledger(name)
        assert (taken.number, taken.text) == (text().to, text().text)
        assert receipt.reference in (taken.id, taken.client_id)
        assert receipt.tp_mr is None
        assert taken.client_id
        assert isinstance(found, Found)
        assert found.receipt.reference == receipt.reference

    play(name, story)


@every_provider
@pytest.mark.parametrize("fault", TRANSPORT, ids=named)
def test_no_fault_of_the_transport_makes_a_silent_double(name: str, fault: Fault) -> None:
    limit = LATE.get(fault.kind.value) or LATE.get(f"{fault.kind}{fault.seconds}")

    async def story(sim: ProviderSimulation, clock: Shifted, driver: Driver) -> None:
        async with running(driver):
            sim.set_faults(name, fault)
            asking = asyncio.ensure_future(outcome(driver, text()))
            if limit:
                while (await sim.next_request(name)).operation != "submit":
                    pass  # its account was looked at before
                await timed_out(asking, after=LIMIT)
            result = await asking
            taken = len(sim.ledger(name))
            match result:
                case Receipt():
                    assert taken == 1
                case MaybeSent():
                    assert isinstance(await driver.look_up(text()), Found if taken else CannotTell)
                    clock.ahead += 61.0
                    late = await driver.look_up(text())
                    assert isinstance(late, Found if taken else Absent)
                    if isinstance(late, Found):
                        assert late.receipt.reference in (sim.ledger(name)[0].id, sim.ledger(name)[0].client_id)
                case _:
                    assert taken == 0
        assert submits(sim, name) == 1
        if fault.kind.value in HARMLESS or f"{fault.kind}{fault.seconds}" in HARMLESS:
            assert isinstance(result, Receipt)
        elif not fault.status:
            assert isinstance(result, MaybeSent)

    play(name, story, **({limit: LIMIT} if limit else {}))


@every_provider
@pytest.mark.parametrize(
    ("status", "unusable", "cause"), [(401, True, Cause.SIM), (403, True, Cause.SIM), (429, False, Cause.NET)]
)
def test_a_definite_no_of_the_transport_says_what_may_be_done(
    name: str, status: int, unusable: bool, cause: Cause
) -> None:
    async def story(sim: ProviderSimulation, clock: Shifted, driver: Driver) -> None:
        async with running(driver) as sink:
            sim.set_faults(name, Fault(kind=FaultKind.STATUS, status=status, retry_after="7"))
            result = await outcome(driver, text())
            assert isinstance(result, NotSent)
            assert (result.channel_unusable, result.cause) == (unusable, cause)
            if unusable:
                await sink.first(LinkChange, lambda change: change.state is LinkState.BLOCKED)
            else:
                assert result.retry_after == 7

    play(name, story)


@every_provider
def test_a_provider_that_cannot_be_reached_has_nothing(name: str) -> None:
    async def story(sim: ProviderSimulation, clock: Shifted, driver: Driver) -> None:
        async with running(driver) as sink:
            before = await sink.first(LinkChange, lambda c: c.state is LinkState.UP)
            await sim.cut(name)
            result = await outcome(driver, text(1))
            assert isinstance(result, NotSent)
            assert not result.channel_unusable
            await sink.first(LinkChange, lambda c: c.state is LinkState.DOWN)
            await sim.restore(name)
            await sink.first(LinkChange, lambda c: c.state is LinkState.UP and c is not before)
            assert isinstance(await outcome(driver, text(1)), Receipt)
        assert len(sim.ledger(name)) == 1

    play(name, story)


@every_provider
def test_a_captive_portal_takes_the_channel_down(name: str) -> None:
    async def story(sim: ProviderSimulation, clock: Shifted, driver: Driver) -> None:
        async with running(driver):
            sim.set_faults(name, CAPTIVE_PORTAL)
            for n in range(3):
                assert isinstance(await outcome(driver, text(n)), MaybeSent)
            assert (await driver.health()).errors_in_row == 3
        assert len(sim.ledger(name)) == 0

    play(name, story)


@every_provider
def test_a_bad_number_is_refused_everywhere_or_here_and_the_rest_of_a_bulk_goes(name: str) -> None:
    async def story(sim: ProviderSimulation, clock: Shifted, driver: Driver) -> None:
        bad = 5
        sim.account(name).barred.add(text(bad).to.lstrip("+"))
        async with running(driver):
            many = [text(n) for n in range(min(driver.capabilities.bulk, 20) + 3)]
            outcomes: list[Any] = []
            for at in range(0, len(many), driver.capabilities.bulk):
                part = many[at : at + driver.capabilities.bulk]
                outcomes += await cast(BulkDriver, driver).submit_many(part)
        for n, one in enumerate(outcomes):
            assert isinstance(one, Refused | Receipt if n == bad else Receipt), (n, one)
        took = [t.number for t in sim.ledger(name)]
        assert sorted(took) == sorted({t.to for t in many} - ({text(bad).to} if len(took) < len(many) else set()))

    play(name, story)


@every_provider
@pytest.mark.parametrize("accepted", [False, True])
def test_a_lost_answer_puts_all_that_went_with_it_in_doubt_and_each_can_be_looked_up(name: str, accepted: bool) -> None:
    async def story(sim: ProviderSimulation, clock: Shifted, driver: Driver) -> None:
        async with running(driver):
            many = [text(n) for n in range(min(driver.capabilities.bulk, 10))]
            sim.set_faults(name, Fault(kind=FaultKind.CLOSE, accepted=accepted, times=0))
            outcomes = await cast(BulkDriver, driver).submit_many(many)
            assert all(isinstance(o, MaybeSent) for o in outcomes)
            sim.set_faults(name)
            clock.ahead += 61.0
            found = [await driver.look_up(s) for s in many]
        assert all(isinstance(f, Found if accepted else Absent) for f in found)
        assert len(sim.ledger(name)) == (len(many) if accepted else 0)

    play(name, story)


@every_provider
def test_a_report_comes_by_question_once(name: str) -> None:
    async def story(sim: ProviderSimulation, clock: Shifted, driver: Driver) -> None:
        sim.set_course(name, Course(final_after=0.0))
        async with running(driver) as sink:
            receipt = await driver.submit(text())
            clock.ahead += 11.0
            report = await sink.first(StatusReport, lambda r: r.fate is ReportFate.DELIVERED)
            clock.ahead += 100.0
            await asyncio.sleep(0.1)  # some more questions would be due
        assert report.attempt_id == text().attempt_id
        assert report.reference == receipt.reference
        assert len(sink.of(StatusReport)) == 1

    play(name, story, poll=True, poll_interval=0.02)


@every_provider
def test_what_is_found_or_handed_over_at_the_start_is_followed(name: str) -> None:
    """A message whose answer was lost, and one of the time before a restart."""

    async def story(sim: ProviderSimulation, clock: Shifted, driver: Driver) -> None:
        sim.set_course(name, Course(final_after=0.0))
        async with running(driver) as sink:
            sim.set_faults(name, Fault(kind=FaultKind.CLOSE, accepted=True))
            assert isinstance(await outcome(driver, text(1)), MaybeSent)
            found = await driver.look_up(text(1))
            assert isinstance(found, Found)
            clock.ahead += 11.0
            await sink.first(StatusReport, lambda r: r.attempt_id == text(1).attempt_id)
            if isinstance(driver, Follower):
                sink.events.clear()
                open_one = Followed(reference=found.receipt.reference, attempt_id="att_9", to=text(1).to)
                driver.follow([open_one])
                await sink.first(StatusReport, lambda r: r.attempt_id == "att_9")

    play(name, story, poll=True, poll_interval=0.02)


@every_provider
@pytest.mark.parametrize(
    "body", [b"", b"x", b"status=1&id=", b"{}", b"[1]", b"<a/>", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', b"\xff"]
)
def test_a_call_that_is_not_the_providers_is_forged(name: str, body: bytes) -> None:
    async def story(sim: ProviderSimulation, clock: Shifted, driver: Driver) -> None:
        call = Call(method="POST", path="", query=b"", headers={}, body=body, address="192.0.2.1")
        with pytest.raises(Forged):
            cast(Account, driver).called(call)

    play(name, story)


@every_provider
def test_no_secret_number_or_text_is_logged_at_any_level_or_kept_when_it_is_echoed(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    private = text(text="A very private text")
    secrets: list[str] = []

    async def story(sim: ProviderSimulation, clock: Shifted, driver: Driver) -> None:
        account = sim.account(name)
        secrets.extend(s for s in (account.password, account.key, account.secret) if len(s) > 4)
        async with running(driver):
            await driver.submit(private)
            echo = Fault(kind=FaultKind.STATUS, status=503, body=" ".join(secrets))
            sim.set_faults(name, echo)
            result = await outcome(driver, private)
            if name != "smsc":  # there an equal text waits here for a minute
                assert isinstance(result, MaybeSent)
                assert not any(secret in result.raw + result.detail for secret in secrets)
            await outcome(driver, text(2, text=private.text))
            await driver.look_up(private)

    play(name, story)
    shown = "\n".join(f"{r.name} {r.getMessage()} {r.exc_text or ''}" for r in caplog.records)
    for secret in (*secrets, "A very private text", private.to):
        assert secret not in shown


# --- Every question to every account ----------------------------------------------------------------------------------

OFFERED: dict[str, set[str]] = {
    "balance": {"serwersms", "clickatell", "mobizon", "smsc"},
    "quote": {"clickatell", "smsc"},
    "senders": {"serwersms", "mobizon"},
    "status": set(NAMES),
    "subscriber": {"serwersms", "smsc"},
    "cancel": {"serwersms", "clickatell", "mobizon"},
    "messages": {"serwersms", "freshmail", "mobizon"},
}
ROWS = {  # how the manual calls them
    "balance": "| balance |",
    "quote": "| price beforehand",
    "senders": "| sender names",
    "subscriber": "| number look-up",
    "cancel": "| taking back",
    "messages": "| its own list of messages",
}


@every_provider
@pytest.mark.parametrize("question", OFFERED)
def test_a_question_is_answered_or_refused_with_who_answers_it(name: str, question: str) -> None:
    async def story(sim: ProviderSimulation, clock: Shifted, driver: Driver) -> None:
        account = cast(Account, driver)
        async with running(driver):
            reference = (await driver.submit(text(1))).reference
            asking: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
                "balance": account.balance,
                "quote": lambda: account.quote(text(2)),
                "senders": account.senders,
                "status": lambda: account.status(reference, text(1).to),
                "subscriber": lambda: account.subscriber(NUMBER),
                "cancel": lambda: account.cancel(reference, text(1).to),
                "messages": lambda: account.messages(MessageQuery()),
            }
            if name in OFFERED[question]:
                answer = await asking[question]()
                assert answer or question == "cancel"  # too late is an answer
                return
            before = len(sim.requests(name))
            with pytest.raises(NotOffered) as refused:
                await asking[question]()
            assert len(sim.requests(name)) == before
            others = {other for other in NAMES if other in str(refused.value)} - {name}
            assert others
            assert others <= OFFERED[question]

    play(name, story, **({"hlr_waits": (0.01,)} if name == "smsc" else {}))


@pytest.mark.parametrize("name", sorted(set(NAMES) - OFFERED["senders"]))
def test_who_lists_no_sender_names_says_where_they_are(name: str) -> None:
    async def story(sim: ProviderSimulation, clock: Shifted, driver: Driver) -> None:
        with pytest.raises(NotOffered, match=r"lists none.*panel"):
            await cast(Account, driver).senders()

    play(name, story)


@pytest.mark.parametrize("name", sorted(OFFERED["messages"]))
def test_its_own_list_has_what_was_sent_and_knows_its_fate(name: str) -> None:
    async def story(sim: ProviderSimulation, clock: Shifted, driver: Driver) -> None:
        account = cast(Account, driver)
        sim.set_course(name, Course(final_after=0.0))
        async with running(driver):
            assert await account.messages(MessageQuery()) == MessagePage(
                items=(), page=1, pages=None if name == "freshmail" else 1, total=0 if name == "mobizon" else None
            )
            sent = [(await driver.submit(text(n))).reference for n in range(3)]
            page = await account.messages(MessageQuery())
        assert [m.reference for m in page.items] == sent
        assert [m.to for m in page.items] == [text(n).to for n in range(3)]
        assert {m.fate for m in page.items} == {ReportFate.DELIVERED}
        assert not page.more

    play(name, story)


def test_the_manual_says_who_answers_which_question() -> None:
    lines = Path("bridge/manual/providers.md").read_text().splitlines()
    heads = [cell.strip(" `") for cell in next(line for line in lines if line.startswith("| | `")).split("|")[2:-1]]
    for question, begins in ROWS.items():
        (line,) = [line for line in lines if line.startswith(begins)]
        said = {head for head, cell in zip(heads, line.split("|")[2:-1], strict=True) if cell.strip() != "no"}
        assert said == OFFERED[question]
