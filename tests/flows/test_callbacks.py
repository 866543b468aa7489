"""Providers call us: from the simulated provider's own call to the state of the message, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drivers.simulator.providers.callbacks import Attempt
from tests.flows.gateway import PATIENCE, Gateway, gateway

ALICE = "+48600700800"
SECRET = "a-secret-part-of-the-address"
RIGHT = "Y2xpY2thOnRlbGw="  # clicka:tell
FORM = "application/x-www-form-urlencoded"
# Options under which only the provider's call can bring the news.
PUSHED: dict[str, dict[str, Any]] = {
    "clickatell": {"poll": False, "callback_user": "clicka", "callback_password": "tell"},
    "mobizon": {"poll": False, "webhook_secret": "secret123"},
    "smsc": {"poll": False, "callback_secret": "s3cret"},
    "serwersms": {"poll_after": 1000.0, "reply_interval": 0.0},  # its push is a hint to ask, whose words nobody knows
}


def play(tmp_path: Path, name: str, story: Callable[[Gateway], Awaitable[None]], **knobs: Any) -> None:
    async def flow() -> None:
        async with gateway(tmp_path, modems=0, providers=(name,), provider_options=PUSHED[name]) as gate:
            account = gate.clouds.account(name)
            account.callback = f"{gate.app.url}/v1/callbacks/{name}/{SECRET}"
            if name == "clickatell":
                account.callback_login, account.callback_password = "clicka", "tell"
            service = gate.clouds.service(name)
            service.knobs = msgspec.structs.replace(service.knobs, **knobs)
            await story(gate)

    asyncio.run(flow())


async def pushed(gate: Gateway, name: str, *, text: str = "") -> Attempt:
    """The provider's call that holds this."""
    while True:
        async with asyncio.timeout(PATIENCE):
            call = await gate.clouds.next_callback(name)
        if text in (call.body or call.url.encode()).decode():
            return call


async def again(
    gate: Gateway,
    name: str,
    call: Attempt,
    *,
    secret: str = SECRET,
    change: tuple[str, str] = ("", ""),
    login: str = "",
) -> int:
    """Somebody posts what the provider posted; the status of the answer."""
    body = call.body.decode().replace(*change)
    assert not change[0] or body != call.body.decode()
    kind = "application/json" if body.startswith("{") else "text/xml" if body.startswith("<") else FORM
    answer = await gate.http.post(
        f"/v1/callbacks/{name}/{secret}",
        content=body.encode(),
        headers={"content-type": kind} | ({"authorization": f"Basic {login}"} if login else {}),
    )
    return answer.status_code


@pytest.mark.parametrize(
    ("name", "knobs"),
    [
        ("clickatell", {"callback_form": "form"}),
        ("clickatell", {"callback_form": "xml"}),
        ("clickatell", {"callback_form": "get"}),
        ("mobizon", {"webhook_form": "json"}),
        ("mobizon", {"webhook_form": "raw"}),
        ("smsc", {}),
        ("serwersms", {}),
    ],
)
def test_a_report_comes_by_the_providers_own_call(tmp_path: Path, name: str, knobs: dict[str, str]) -> None:
    async def story(gate: Gateway) -> None:
        message = await gate.status(await gate.send(ALICE), "delivered")
        assert message["attempts"][0]["report"]["fate"] == "delivered"
        calls = gate.clouds.service(name).callbacks
        await calls.idle()
        assert all(call.accepted for call in calls.attempts)

    play(tmp_path, name, story, **knobs)


@pytest.mark.parametrize("name", ["clickatell", "smsc", "serwersms"])
def test_a_reply_comes_once_however_often_it_is_told(tmp_path: Path, name: str) -> None:
    async def story(gate: Gateway) -> None:
        await gate.status(await gate.send(ALICE), "delivered")
        gate.clouds.reply(name, ALICE, "Tak, żółw")
        await gate.event("received", channel=name)
        call = await pushed(gate, name, text="Tak")
        assert call.accepted
        login = RIGHT if name == "clickatell" else ""
        assert await again(gate, name, call, login=login) == 200
        (inbound,) = await gate.inbound()
        assert (inbound["sender"], inbound["text"]) == (ALICE, "Tak, żółw")

    play(tmp_path, name, story)


def test_a_reply_that_is_pushed_and_listed_is_one(tmp_path: Path) -> None:
    async def story(gate: Gateway) -> None:
        gate.clouds.reply("serwersms", ALICE, "Tak")
        await gate.event("received", channel="serwersms")
        until = len([r for r in gate.clouds.requests("serwersms") if r.operation == "list"]) + 6
        while len([r for r in gate.clouds.requests("serwersms") if r.operation == "list"]) < until:
            await gate.clouds.next_request("serwersms")
        assert [m["text"] for m in await gate.inbound()] == ["Tak"]

    async def flow() -> None:
        options = {"reply_interval": 0.05}
        async with gateway(tmp_path, modems=0, providers=("serwersms",), provider_options=options) as gate:
            gate.clouds.account("serwersms").callback = f"{gate.app.url}/v1/callbacks/serwersms/{SECRET}"
            await story(gate)

    asyncio.run(flow())


# What a forger may try with a call that he saw, and how it is answered.
FORGED: list[tuple[str, dict[str, Any], int]] = [
    ("mobizon", {"secret": "guessed"}, 404),
    ("mobizon", {"change": ('"sign":"', '"sign":"0')}, 401),
    ("mobizon", {"change": ('"attempt":1', '"attempt":2')}, 401),
    ("smsc", {"secret": "guessed"}, 404),
    ("smsc", {"change": ("status=1", "status=20")}, 401),
    ("smsc", {"change": ("phone=48600700800", "phone=48600700801")}, 401),
    ("clickatell", {"secret": "guessed", "login": RIGHT}, 404),
    ("clickatell", {}, 401),  # without the password
    ("clickatell", {"login": "Y2xpY2thOndyb25n"}, 401),
    ("clickatell", {"login": RIGHT, "change": ("api_id=123456", "api_id=1")}, 401),
    ("serwersms", {"secret": "guessed"}, 404),
    ("serwersms", {"change": ("smsid", "id")}, 401),
]


@pytest.mark.parametrize(("name", "changed", "status"), FORGED)
def test_a_forged_call_changes_nothing_and_the_true_one_still_counts(
    tmp_path: Path, name: str, changed: dict[str, Any], status: int
) -> None:
    """The provider's first call goes astray, so that the forger comes first."""

    async def story(gate: Gateway) -> None:
        right = gate.clouds.account(name).callback
        gate.clouds.account(name).callback = f"{gate.app.url}/v1/callbacks/{name}/an-old-secret"
        id = await gate.send(ALICE)
        await gate.status(id, "sent")  # the call may come before we have written down the answer
        final = {"clickatell": "status=004", "mobizon": "DELIVRD", "smsc": "status=1", "serwersms": "smsid"}[name]
        call = await pushed(gate, name, text=final)
        assert (call.status, call.accepted) == (404, False)
        gate.clouds.account(name).callback = right
        assert await again(gate, name, call, **changed) == status
        assert (await gate.message(id))["status"] == "sent"
        login = RIGHT if name == "clickatell" else ""
        for _ in range(2):  # and once more, as providers do
            assert await again(gate, name, call, login=login) == 200
        message = await gate.status(id, "delivered")
        assert [h["event"] for h in message["history"]].count("delivered") <= 1
        assert not message["possible_duplicate"]

    play(tmp_path, name, story)
