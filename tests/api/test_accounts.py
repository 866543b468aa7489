"""A provider's account through the API: real drivers against the simulated providers on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

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
