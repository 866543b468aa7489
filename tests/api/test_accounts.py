"""A provider's account through the API: real drivers against the simulated providers on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import pytest

from drivers import registry
from drivers.contract import Account, Driver, Event
from drivers.simulator.providers import ProviderSimulation

from .support import TO, Service, run

KEYS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "mobizon": lambda a: {"api_key": a.key},
    "smsc": lambda a: {"login": a.login, "password": a.password, "currency": "RUB", "hlr_waits": [0.0, 0.1]},
    "freshmail": lambda a: {"api_key": a.key, "api_secret": a.secret},
}

PATHS = {"smsc": "/sys/soap.php"}


class Nobody:
    async def accept(self, event: Event) -> None:
        pass


@asynccontextmanager
async def accounts(*names: str, **more: object) -> AsyncIterator[tuple[ProviderSimulation, dict[str, Account]]]:
    async with ProviderSimulation(names) as simulation:
        made: dict[str, Driver] = {}
        for name in names:
            options = {
                "url": simulation.url(name) + PATHS.get(name, ""),
                **KEYS[name](simulation.account(name)),
                **more,
            }
            settings = msgspec.convert(options, registry.options_of(name))
            made[name] = registry.create(name, name, settings, registry.Environment(state_dir=Path("/nowhere")))
        yield simulation, {name: cast(Account, driver) for name, driver in made.items()}
        for driver in made.values():
            running = asyncio.create_task(driver.run(Nobody()))
            await asyncio.sleep(0)
            running.cancel()  # a run that ends closes the connections
            await asyncio.gather(running, return_exceptions=True)


def with_accounts(test: Callable[[Service, ProviderSimulation], Awaitable[None]], *names: str, **more: object) -> None:
    held: dict[str, Account] = {}

    async def whole(s: Service) -> None:
        async with accounts(*names, **more) as (simulation, made):
            held.update(made)
            await test(s, simulation)

    run(whole, account=held.get)


def test_balance_and_sender_names() -> None:
    async def test(s: Service, simulation: ProviderSimulation) -> None:
        answer = await s.reader.get("/v1/channels/mobizon/balance")
        account = simulation.account("mobizon")
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"amount": str(account.credit), "currency": "EUR", "unit": "money", "at": None}
        answer = await s.reader.get("/v1/channels/mobizon/senders")
        assert {item["name"] for item in answer.json()["items"]} == set(account.senders)

    with_accounts(test, "mobizon")


def test_a_quote_a_subscriber_and_a_status() -> None:
    async def test(s: Service, simulation: ProviderSimulation) -> None:
        answer = await s.reader.post("/v1/channels/smsc/quote", json={"to": "600700800", "text": "ż" * 71})
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"cost": "1.80", "currency": "RUB", "parts": 2, "part_count": 2}
        assert list(simulation.ledger("smsc")) == []
        answer = await s.client.get("/v1/channels/smsc/subscriber", params={"number": TO})
        assert answer.status_code == 200, answer.text
        assert answer.json()["number"] == TO
        reference = answer.json()["facts"]["reference"]
        answer = await s.admin.get("/v1/channels/smsc/status", params={"reference": reference, "to": TO})
        assert answer.status_code == 200, answer.text
        assert answer.json()["reference"] == reference

    with_accounts(test, "smsc")


def test_the_providers_own_list() -> None:
    async def test(s: Service, simulation: ProviderSimulation) -> None:
        service = simulation.mobizon
        for n in range(30):
            form = {"recipient": f"491510000{n:04}", "text": f"Pump {n}", "from": "PLANT"}
            path = f"{simulation.url('mobizon')}/service/message/sendSmsMessage?apiKey={service.account.key}"
            async with httpx.AsyncClient(timeout=20, trust_env=False) as http:
                assert (await http.post(path, data=form)).json()["code"] == 0
        answer = await s.admin.get("/v1/channels/mobizon/sent", params={"sort": "reference:desc", "sender": "PLANT"})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert (page["page"], page["pages"], page["total"], page["next"], len(page["items"])) == (1, 2, 30, 2, 25)
        newest = page["items"][0]
        assert newest["sent_at"].endswith("Z")
        assert newest | {"facts": 0, "sent_at": 0, "changed_at": 0, "fate": 0, "code": 0, "reference": 0} == {
            "reference": 0, "to": "+4915100000029", "sender": "PLANT", "text": "Pump 29", "fate": 0, "code": 0,
            "detail": "", "parts": 1, "cost": "0.0500", "currency": "", "sent_at": 0, "changed_at": 0,
            "country": "DE", "operator": "Example Mobile", "facts": 0,
        }  # fmt: skip
        more = await s.admin.get("/v1/channels/mobizon/sent?page=2&limit=25&since=2020-01-01T00:00:00Z&sort=to,id:asc")
        assert (more.json()["page"], more.json()["next"], len(more.json()["items"])) == (2, None, 5)
        params = {"where": ["to=510000007", "campaignId=7000008"], "to": "+4915100000007"}
        twice = await s.admin.get("/v1/channels/mobizon/sent", params=params)
        assert (twice.status_code, twice.json()["code"]) == (409, "not_offered")
        assert "to is asked for twice" in twice.json()["detail"]
        one = await s.admin.get("/v1/channels/mobizon/sent", params={"where": ["to=15100000007", "campaignId=7000008"]})
        assert [item["text"] for item in one.json()["items"]] == ["Pump 7"]
        assert (await s.client.get("/v1/channels/mobizon/sent")).status_code == 403

    with_accounts(test, "mobizon", zone="Europe/Berlin")


def test_a_list_that_there_is_not_names_the_reason_and_the_way() -> None:
    async def test(s: Service, simulation: ProviderSimulation) -> None:
        answer = await s.admin.get("/v1/channels/smsc/sent")
        assert (answer.status_code, answer.json()["code"]) == (409, "not_offered")
        assert "get.php" in answer.json()["detail"]
        assert "panel" in (await s.admin.get("/v1/channels/smsc/senders")).json()["detail"]
        assert simulation.requests("smsc") == []

    with_accounts(test, "smsc")


def test_what_an_account_does_not_offer_names_who_does() -> None:
    async def test(s: Service, simulation: ProviderSimulation) -> None:
        for path in ("balance", "senders", "subscriber?number=%2B48600700800"):
            answer = await s.client.get(f"/v1/channels/freshmail/{path}")
            assert (answer.status_code, answer.json()["code"]) == (409, "not_offered")
            assert "smsc" in answer.json()["detail"] or "mobizon" in answer.json()["detail"]
        assert simulation.requests("freshmail") == []

    with_accounts(test, "freshmail")


def test_wrong_credentials_are_told_with_the_drivers_word() -> None:
    async def test(s: Service, simulation: ProviderSimulation) -> None:
        answer = await s.reader.get("/v1/channels/mobizon/balance")
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (502, "provider_failed")
        assert problem["provider"]["cause"] == "sim"
        assert problem["provider"]["code"] in problem["detail"]
        assert "WRONG" not in answer.text

    with_accounts(test, "mobizon", api_key="WRONG" * 8)


def test_a_provider_that_cannot_be_reached() -> None:
    async def test(s: Service, simulation: ProviderSimulation) -> None:
        await simulation.cut("mobizon")
        answer = await s.reader.get("/v1/channels/mobizon/balance")
        assert (answer.status_code, answer.json()["code"]) == (502, "provider_failed")
        assert answer.json()["provider"]["cause"] == "link"

    with_accounts(test, "mobizon")


BAD: list[tuple[str, str, dict[str, Any] | None, int, str]] = [
    ("GET", "one/balance", None, 409, "not_offered"),
    ("GET", "nowhere/balance", None, 404, "channel_not_found"),
    ("GET", "mobizon/balance?x=1", None, 400, "bad_parameter"),
    ("GET", "mobizon/subscriber", None, 400, "bad_parameter"),
    ("GET", "mobizon/subscriber?number=abc", None, 400, "bad_parameter"),
    ("GET", "mobizon/status?reference=", None, 400, "bad_parameter"),
    ("GET", "one/sent", None, 409, "not_offered"),
    ("GET", "mobizon/sent?page=0", None, 400, "bad_parameter"),
    ("GET", "mobizon/sent?limit=x", None, 400, "bad_parameter"),
    ("GET", "mobizon/sent?since=yesterday", None, 400, "bad_parameter"),
    ("GET", "mobizon/sent?to=abc", None, 400, "bad_parameter"),
    ("GET", "mobizon/sent?sort=", None, 400, "bad_parameter"),
    ("GET", "mobizon/sent?sort=id:up", None, 400, "bad_parameter"),
    ("GET", "mobizon/sent?where=id", None, 400, "bad_parameter"),
    ("GET", "mobizon/sent?where==7", None, 400, "bad_parameter"),
    ("GET", "mobizon/sent?where=id=7&where=id=8", None, 400, "bad_parameter"),
    ("GET", "mobizon/sent?where=id=7%00", None, 400, "bad_parameter"),
    ("GET", "mobizon/sent?limit=30", None, 409, "not_offered"),
    ("GET", "mobizon/sent?since=2026-01-01T00:00:00Z", None, 409, "not_offered"),
    ("POST", "mobizon/quote", {"to": "abc", "text": "x"}, 422, "number_not_possible"),
    ("POST", "mobizon/quote", {"to": TO}, 422, "content_not_possible"),
    ("POST", "mobizon/quote", {"to": TO, "text": "x", "kind": "fax"}, 400, "wrong_value"),
    ("POST", "mobizon/quote", {"to": TO, "text": "x"}, 409, "not_offered"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "code"), BAD, ids=[f"{b[1]} {b[4]}" for b in BAD])
def test_a_question_that_cannot_be_asked(
    method: str, path: str, body: dict[str, Any] | None, status: int, code: str
) -> None:
    async def test(s: Service, simulation: ProviderSimulation) -> None:
        answer = await s.admin.request(method, f"/v1/channels/{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        assert simulation.requests("mobizon") == []

    with_accounts(test, "mobizon")
