"""The providers' own lists of messages: what they can be asked, the request, the page, and all of it over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import msgspec
import pytest

from drivers import registry
from drivers.contract import (
    Account,
    Driver,
    ListedMessage,
    MaybeSent,
    MessagePage,
    MessageQuery,
    NotOffered,
    NotSent,
    ReportFate,
    SortBy,
    SubmitError,
)
from drivers.providers import freshmail, mobizon, serwersms
from drivers.providers.listing import Language
from drivers.simulator.providers import Course, Fault, FaultKind, ProviderSimulation
from tests.drivers.providers.rest_support import running, submission
from tests.flows.gateway import account_at

WARSAW, BERLIN = ZoneInfo("Europe/Warsaw"), ZoneInfo("Europe/Berlin")
AT = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)  # 13:00 in both
IN_BERLIN = mobizon.Options(api_key="K" * 40, zone="Europe/Berlin")
NO_ZONE = mobizon.Options(api_key="K" * 40)


def query(**fields: Any) -> MessageQuery:
    return MessageQuery(**fields)


# --- Requests ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ({}, {"pagination[currentPage]": "0", "pagination[pageSize]": "25"}),
        ({"page": 3, "limit": 100}, {"pagination[currentPage]": "2", "pagination[pageSize]": "100"}),
        ({"reference": "9000001"}, {"criteria[id]": "9000001"}),
        ({"to": "+4915100000001"}, {"criteria[to]": "4915100000001"}),
        ({"where": {"to": "49151"}}, {"criteria[to]": "49151"}),  # a part of a number
        ({"sender": "PLANT", "text": "Hi"}, {"criteria[from]": "PLANT", "criteria[text]": "Hi"}),
        ({"status": "DELIVRD"}, {"criteria[status]": "DELIVRD"}),
        (
            {"since": AT, "until": AT},
            {"criteria[startSendTsFrom]": "2026-03-14 13:00:00", "criteria[startSendTsTo]": "2026-03-14 13:00:00"},
        ),
        ({"where": {"campaignIds": "1,2"}}, {"criteria[campaignIds]": "1,2"}),
        ({"where": {"groups": "7"}}, {"criteria[groups]": "7"}),
        (
            {"where": {"statusUpdateTsFrom": "2026-03-14 00:00:00"}},
            {"criteria[statusUpdateTsFrom]": "2026-03-14 00:00:00"},
        ),
        (
            {"sort": (SortBy(field="reference", descending=True), SortBy(field="campaignId"))},
            {"sort[id]": "DESC", "sort[campaignId]": "ASC"},
        ),
    ],
)
def test_mobizon_is_asked_with_the_documents_names(given: dict[str, Any], form: dict[str, str]) -> None:
    usual = {"pagination[currentPage]": "0", "pagination[pageSize]": "25", "withNumberInfo": "1"}
    assert dict(mobizon.page_form(query(**given), IN_BERLIN)) == usual | form


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({}, {"page": 1}),
        ({"page": 2, "limit": 50}, {"page": 2, "limit": 50}),
        ({"reference": "aca3944055"}, {"id": ["aca3944055"]}),
        ({"where": {"unique_id": "attZ1", "type": "eco"}}, {"unique_id": ["attZ1"], "type": "eco"}),
        ({"to": "+48500600700", "status": "sent"}, {"phone": "+48500600700", "status": "sent"}),
        ({"since": AT, "until": AT}, {"date_from": "2026-03-14 13:00:00", "date_to": "2026-03-14 13:00:00"}),
        ({"sort": (SortBy(field="sent_at", descending=True),)}, {"order": "desc"}),
        ({"sort": (SortBy(field="sent_at"),)}, {"order": "asc"}),
    ],
)
def test_serwersms_is_asked_with_the_documents_names(given: dict[str, Any], fields: dict[str, Any]) -> None:
    assert serwersms.page_question(query(**given), WARSAW) == {"page": 1} | fields


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({}, {"page": 1}),
        ({"since": AT, "page": 2}, {"startDate": "2026-03-14 13:00:00", "page": 2}),
        ({"until": AT}, {"endDate": "2026-03-14 13:00:00", "page": 1}),
    ],
)
def test_freshmail_is_asked_with_the_documents_names(given: dict[str, Any], fields: dict[str, Any]) -> None:
    assert json.loads(freshmail.page_request(query(**given), WARSAW)) == fields


MOBIZON = lambda q: mobizon.page_form(q, IN_BERLIN)  # noqa: E731
NO_DATES = lambda q: mobizon.page_form(q, NO_ZONE)  # noqa: E731
SERWERSMS = lambda q: serwersms.page_question(q, WARSAW)  # noqa: E731
FRESHMAIL = lambda q: freshmail.page_request(q, WARSAW)  # noqa: E731


@pytest.mark.parametrize(
    ("ask", "given", "says"),
    [
        (MOBIZON, {"limit": 30}, ["limit", "25, 50 or 100"]),
        (MOBIZON, {"status": "delivered"}, ["status", "DELIVRD"]),
        (MOBIZON, {"where": {"recipient": "49"}}, ["no recipient", "campaignIds", "startSendTsFrom"]),
        (MOBIZON, {"to": "+4915100000001", "where": {"to": "49"}}, ["to is asked for twice"]),
        (MOBIZON, {"where": {"campaignIds": ",".join("12345678901")}}, ["campaignIds", "10"]),
        (MOBIZON, {"sort": (SortBy(field="cost"),)}, ["cost", "campaignId"]),
        (NO_DATES, {"since": AT}, ["since", "set zone"]),
        (SERWERSMS, {"sender": "PLANT"}, ["sender", "reference, to, status, since, until"]),
        (SERWERSMS, {"text": "Hi"}, ["text"]),
        (SERWERSMS, {"status": "DELIVRD"}, ["status", "in_progress"]),
        (SERWERSMS, {"limit": 501}, ["limit", "1 to 500"]),
        (SERWERSMS, {"sort": (SortBy(field="to"),)}, ["sort", "sent_at"]),
        (SERWERSMS, {"where": {"page": "2"}}, ["no page"]),
        (FRESHMAIL, {"to": "+48500600700"}, ["to", "since, until"]),
        (FRESHMAIL, {"limit": 100}, ["limit", "1000"]),
        (FRESHMAIL, {"sort": (SortBy(field="sent_at"),)}, ["sort", "cannot be chosen"]),
        (FRESHMAIL, {"status": "SENT", "limit": 3, "where": {"x": "1"}}, ["status", "limit", "no x"]),  # all of it
    ],
)
def test_what_a_list_cannot_be_asked_is_refused_with_what_it_can(
    ask: Callable[[MessageQuery], object], given: dict[str, Any], says: list[str]
) -> None:
    with pytest.raises(NotOffered) as refused:
        ask(query(**given))
    assert all(word in str(refused.value) for word in says), refused.value


# --- Answers ----------------------------------------------------------------------------------------------------------

ITEM = {
    "id": 9000001, "campaignId": "7000001", "segNum": "2", "segUserBuy": "0.0500", "from": "PLANT",
    "to": "4915100000001", "text": "Pump 3", "status": "UNDELIV", "groups": "", "uuid": "5f", "countryA2": "DE",
    "operatorName": "Example Mobile", "startSendTs": "2026-03-14 13:00:00", "statusUpdateTs": None, "odd": [1],
}  # fmt: skip


def test_an_item_of_mobizon_is_read_whole() -> None:
    page = mobizon.read_page(
        {"items": [ITEM], "totalItemCount": "51"}, query(page=2), zone="Europe/Berlin", currency="€"
    )
    assert (page.page, page.pages, page.total, page.more) == (2, 3, 51, True)
    assert page.items == (
        ListedMessage(
            reference="9000001", to="+4915100000001", sender="PLANT", text="Pump 3", fate=ReportFate.UNDELIVERED,
            code="UNDELIV", detail="not delivered", parts=2, cost=Decimal("0.1000"), currency="€", sent_at=AT,
            country="DE", operator="Example Mobile",
            facts={"campaignId": "7000001", "segUserBuy": "0.0500", "uuid": "5f"},
        ),
    )  # fmt: skip
    (without,) = mobizon.read_page({"items": {"0": ITEM}, "totalItemCount": 1}, query(), zone="").items
    assert (without.sent_at, without.facts["startSendTs"]) == (None, "2026-03-14 13:00:00")


@pytest.mark.parametrize(
    ("total", "limit", "page", "pages", "more"),
    [
        (0, None, 1, 1, False),
        (25, None, 1, 1, False),
        (26, None, 1, 2, True),
        (100, 50, 2, 2, False),
        (1, 25, 9, 1, False),
    ],
)
def test_pages_of_mobizon_follow_from_the_total(
    total: int, limit: int | None, page: int, pages: int, more: bool
) -> None:
    read = mobizon.read_page({"items": [], "totalItemCount": total}, query(limit=limit, page=page), zone="")
    assert (read.pages, read.more) == (pages, more)


@pytest.mark.parametrize(
    "data", [None, "", [], {}, {"items": []}, {"totalItemCount": 3}, {"items": 1, "totalItemCount": 1}]
)
def test_what_is_no_page_of_mobizon_is_unreadable_and_not_empty(data: object) -> None:
    with pytest.raises(MaybeSent, match="no page"):
        mobizon.read_page(data, query(), zone="")


REPORT = {
    "id": "aca3944055", "phone": "500600700", "status": "undelivered", "queued": "2026-03-14 12:59:00",
    "sent": "2026-03-14 13:00:00", "delivered": None, "sender": "sobek", "type": "full", "text": "Pump 3", "parts": 2,
    "cost": "0.14", "network": "Example Mobile", "reason": "wrong_number", "unique_id": "attZ1",
}  # fmt: skip


def test_an_item_of_serwersms_is_read_whole() -> None:
    page = serwersms.read_page({"paging": {"page": 1, "count": "4"}, "items": [REPORT]}, query(), zone=WARSAW)
    assert (page.page, page.pages, page.total, page.more) == (1, 4, None, True)
    assert page.items == (
        ListedMessage(
            reference="aca3944055", to="+48500600700", sender="sobek", text="Pump 3", fate=ReportFate.UNDELIVERED,
            code="undelivered:wrong_number", detail="wrong number", parts=2, cost=Decimal("0.14"), currency="PLN",
            sent_at=AT, changed_at=AT, operator="Example Mobile",
            facts={"queued": "2026-03-14 12:59:00", "type": "full", "unique_id": "attZ1"},
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "limit", "pages", "more"),
    [
        ({"items": [REPORT], "paging": {"count": 1}}, None, 1, False),
        ({"items": [], "paging": {"count": 0}}, None, 1, False),
        ({"items": [REPORT]}, None, None, False),
        ({"items": [REPORT]}, 1, None, True),  # a full page may have one behind it
    ],
)
def test_pages_of_serwersms(answer: dict[str, Any], limit: int | None, pages: int | None, more: bool) -> None:
    page = serwersms.read_page(answer, query(limit=limit), zone=WARSAW)
    assert (page.pages, page.more) == (pages, more)


@pytest.mark.parametrize("answer", [{}, {"items": None}, {"items": "none"}, {"success": True}])
def test_what_is_no_page_of_serwersms_is_unreadable_and_not_empty(answer: dict[str, Any]) -> None:
    with pytest.raises(MaybeSent, match="no page"):
        serwersms.read_page(answer, query(), zone=WARSAW)


def test_a_record_of_freshmail_is_read_whole() -> None:
    record = {
        "messageId": "m-3", "gsm": "500600700", "status": "ERROR", "error": "WRONG_SENDER_NAME", "kind": "PRO",
        "send_date": "2026-03-14 13:00:00", "modification_date": "2026-03-14 13:00:00",
        "2way": {"replies": [{"text": "Yes", "time": "2026-03-15 08:00:00"}]},
    }  # fmt: skip
    page = freshmail.read_page({"data": [record], "allData": False}, query(), zone=WARSAW)
    assert (page.pages, page.total, page.more) == (None, None, True)
    assert page.items == (
        ListedMessage(
            reference="m-3", to="+48500600700", fate=ReportFate.REJECTED, code="ERROR:WRONG_SENDER_NAME",
            detail="bad sender name", sent_at=AT, changed_at=AT, facts={"kind": "PRO", "replies": "1"},
        ),
    )  # fmt: skip
    by_id = {"m-3": {name: value for name, value in record.items() if name != "messageId"}}
    assert freshmail.read_page({"data": by_id, "allData": True}, query(), zone=WARSAW).items == page.items


def test_numbers_and_texts_of_a_list_are_in_no_log() -> None:
    shown = repr(ListedMessage(reference="1", to="+48500600700", text="A very private text"))
    assert "500600700" not in shown
    assert "private" not in shown


# --- Over HTTP --------------------------------------------------------------------------------------------------------

Story = Callable[[ProviderSimulation, Driver, Account], Coroutine[Any, Any, None]]


def play(name: str, story: Story, **changes: Any) -> None:
    async def whole() -> None:
        async with ProviderSimulation([name]) as sim:
            account = account_at(sim, name, {"poll": False} | changes)
            options = msgspec.convert(account.options, registry.options_of(name), strict=False)
            driver = registry.create(name, "cloud", options, registry.Environment(state_dir=Path(".")))
            async with running(driver):
                await story(sim, driver, cast(Account, driver))

    asyncio.run(whole())


async def send(driver: Driver, count: int, **fields: str) -> list[str]:
    """So many messages to numbers that end in 00, 01, ...; their references."""
    found = []
    for n in range(count):
        given = submission(f"Pump {n}", attempt=f"att_{n:04}", to=f"+485006007{n:02}")
        found.append((await driver.submit(msgspec.structs.replace(given, **fields))).reference)
    return found


async def pages(account: Account, **given: Any) -> list[MessagePage]:
    found = [await account.messages(query(**given))]
    while found[-1].more:
        found.append(await account.messages(query(**given, page=found[-1].page + 1)))
    return found


def test_mobizon_lists_by_page_and_order() -> None:
    async def story(sim: ProviderSimulation, driver: Driver, account: Account) -> None:
        sent = await send(driver, 60, sender="PLANT")
        all_of_them = await pages(account)
        assert [len(page.items) for page in all_of_them] == [25, 25, 10]
        assert [m.reference for page in all_of_them for m in page.items] == sent
        assert {(page.pages, page.total) for page in all_of_them} == {(3, 60)}
        newest = await account.messages(query(sort=(SortBy(field="reference", descending=True),), limit=50))
        assert [m.reference for m in newest.items] == sent[:9:-1]
        (one,) = (await account.messages(query(to="+48500600707"))).items
        assert (one.text, one.sender, one.country, one.operator) == ("Pump 7", "PLANT", "PL", "Example Mobile")
        assert (one.cost, one.currency, one.parts) == (Decimal("0.0500"), "EUR", 1)
        assert (await account.messages(query(page=9))).items == ()

    play("mobizon", story, zone="Europe/Berlin")


def test_mobizon_lists_by_every_criterion() -> None:
    async def story(sim: ProviderSimulation, driver: Driver, account: Account) -> None:
        sim.set_course("mobizon", Course(final_after=0.0, word="UNDELIV"), number="+48500600701")
        sim.set_course("mobizon", Course(sent_after=0.0, final_after=1000.0))
        first, second, third = await send(driver, 3)

        async def found(**given: Any) -> list[str]:
            return [m.reference for m in (await account.messages(query(**given))).items]

        campaign = sim.ledger("mobizon")[1].options["campaign"]
        now = datetime.now(UTC)
        assert await found(status="UNDELIV") == [second]
        assert await found(text="Pump 2") == [third]
        assert await found(sender="Shared") == [first, second, third]
        assert await found(sender="PLANT") == []
        assert await found(reference=third) == [third]
        assert await found(where={"campaignId": campaign}) == [second]
        assert await found(where={"campaignIds": f"{campaign},1"}) == [second]
        assert await found(where={"to": "0600702"}) == [third]
        assert await found(since=now - timedelta(days=365)) == [first, second, third]
        assert await found(until=datetime(2020, 1, 1, tzinfo=UTC)) == []
        assert await found(where={"statusUpdateTsTo": "2020-01-01 00:00:00"}) == []

    play("mobizon", story, zone="Europe/Berlin")


def test_serwersms_lists_by_page_order_and_criterion() -> None:
    async def story(sim: ProviderSimulation, driver: Driver, account: Account) -> None:
        sim.set_course("serwersms", Course(final_after=0.0))
        bad = Course(final_after=0.0, word="undelivered", detail="wrong_number")
        sim.set_course("serwersms", bad, number="+48500600701")
        sent = await send(driver, 5)
        listed = await pages(account, limit=2)
        assert [[m.reference for m in page.items] for page in listed] == [sent[:2], sent[2:4], sent[4:]]
        assert {page.pages for page in listed} == {3}
        newest = await account.messages(query(sort=(SortBy(field="sent_at", descending=True),)))
        assert [m.reference for m in newest.items] == sent[::-1]
        (one,) = (await account.messages(query(status="undelivered"))).items
        assert (one.to, one.text, one.code) == ("+48500600701", "Pump 1", "undelivered:wrong_number")
        assert (one.cost, one.currency, one.parts, one.operator) == (Decimal("0.07"), "PLN", 1, "Example Mobile")
        assert one.facts["type"] == "eco"
        (other,) = (await account.messages(query(to="+48500600702", where={"type": "eco"}))).items
        assert other.fate is ReportFate.DELIVERED
        assert other.changed_at is not None
        now, changed = (at.astimezone(WARSAW).replace(tzinfo=None) for at in (datetime.now(UTC), other.changed_at))
        assert abs((now - changed).total_seconds()) < 60  # its zone was understood; one hour in October it has twice
        assert (await account.messages(query(until=datetime(2020, 1, 1, tzinfo=UTC)))).items == ()

    play("serwersms", story)


def test_serwersms_without_api_v2_lists_nothing() -> None:
    async def story(sim: ProviderSimulation, driver: Driver, account: Account) -> None:
        with pytest.raises(NotOffered, match="api_v2"):
            await account.messages(query())

    play("serwersms", story, api_v2=False)


@pytest.mark.parametrize("form", ["list", "map"])
def test_freshmail_lists_by_page_and_date(form: str) -> None:
    async def story(sim: ProviderSimulation, driver: Driver, account: Account) -> None:
        service = sim.freshmail
        service.knobs = msgspec.structs.replace(service.knobs, page_size=2, report_form=form)
        sent = await send(driver, 3)
        listed = await pages(account)
        assert [[m.reference for m in page.items] for page in listed] == [sent[:2], sent[2:]]
        assert listed[0].items[1].to == "+48500600701"
        assert (await account.messages(query(until=datetime(2020, 1, 1, tzinfo=UTC)))).items == ()
        since = await account.messages(query(since=datetime(2020, 1, 1, tzinfo=UTC), page=2))
        assert [m.reference for m in since.items] == sent[2:]

    play("freshmail", story)


@pytest.mark.parametrize("name", ["mobizon", "serwersms", "freshmail"])
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(kind=FaultKind.HTML, on="any"), MaybeSent),
        (Fault(kind=FaultKind.CUT, on="any"), MaybeSent),
        (Fault(kind=FaultKind.STATUS, status=403, on="any"), NotSent),
        (Fault(kind=FaultKind.STATUS, status=429, on="any"), NotSent),
    ],
)
def test_a_list_that_does_not_come_is_an_error_and_not_empty(name: str, fault: Fault, kind: type[SubmitError]) -> None:
    async def story(sim: ProviderSimulation, driver: Driver, account: Account) -> None:
        sim.set_faults(name, fault)
        with pytest.raises(kind):
            await account.messages(query())

    play(name, story)


@pytest.mark.parametrize("language", [mobizon.LIST, serwersms.LIST, freshmail.LIST], ids=lambda known: known.provider)
def test_the_manual_names_what_each_list_knows(language: Language) -> None:
    text = Path("bridge/manual/providers.md").read_text().partition("## What a provider itself has")[2]
    section = text.partition("\n## ")[0]
    words = {*language.own, *language.statuses, *language.sort} - {"id", "from"}  # ours are named: reference, sender
    shown = {word.removesuffix("From").removesuffix("To") for word in words}
    assert [word for word in sorted(shown) if f"`{word}`" not in section] == []
