"""Certificates: whom a webhook is given to, why not to others, and that nothing is lost meanwhile."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bridge.config import Settings, Webhooks
from bridge.webhooks.trust import trust
from tests.flows.gateway import Gateway, gateway

from .authority import Authority
from .support import receiver
from .test_delivery import endpoint, settled

PHONE = "+447700900123"


def trusting(ca_file: Path | None, *retry: float) -> Any:
    webhooks = Webhooks(allow_private=("127.0.0.1", "::1"), ca_file=ca_file, retry=retry or (0.05,) * 9)

    def configured(settings: Settings) -> Settings:
        return msgspec.structs.replace(settings, webhooks=webhooks)

    return configured


async def tries(gate: Gateway, id: str, wanted: int) -> list[dict[str, Any]]:
    """Oldest first, once there are so many."""
    async with asyncio.timeout(20):
        while True:
            found: list[dict[str, Any]] = (await gate.http.get(f"/v1/webhooks/{id}/deliveries")).json()["items"]
            if len(found) >= wanted:
                return found[::-1]
            await asyncio.sleep(0.02)


def test_an_authority_of_ones_own_is_trusted_where_the_configuration_names_it(tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    async def run() -> None:
        async with (
            receiver(authority.server("localhost")) as hook,
            gateway(tmp_path, settings=trusting(authority.path)) as gate,
        ):
            made = await endpoint(gate, hook.url, events=["message.queued"])
            await gate.send(PHONE)
            await settled(gate, made["id"])
            [only] = await tries(gate, made["id"], 1)
            assert (only["ok"], len(hook.calls)) == (True, 1)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("bad", "says", "remedy"),
    [
        ({"names": ("localhost",), "days": -1}, "certificate has expired", "renew it"),
        ({"names": ("hooks.example.org",)}, "not valid for 'localhost'", "a name that its certificate holds"),
        ({"names": ("localhost",), "self_signed": True}, "self-signed certificate", "ca_file of [webhooks]"),
        ({"names": ("localhost",), "stranger": True}, "unable to get local issuer", "ca_file of [webhooks]"),
    ],
    ids=["expired", "wrong_name", "self_signed", "unknown_authority"],
)
def test_a_bad_certificate_gets_nothing_says_why_and_costs_no_event(
    tmp_path: Path, bad: dict[str, Any], says: str, remedy: str
) -> None:
    authority = Authority(tmp_path)
    signer = Authority(tmp_path, "stranger") if bad.pop("stranger", False) else authority
    wrong = signer.server(*bad.pop("names"), **bad)

    async def run() -> None:
        async with (
            receiver(wrong) as hook,
            gateway(tmp_path, settings=trusting(authority.path, 0.05, 0.05, *[60.0] * 7)) as gate,
        ):
            made = await endpoint(gate, hook.url, events=["message.queued"])
            await gate.send(PHONE)
            failed = await tries(gate, made["id"], 3)
            for one in failed:
                assert (one["ok"], one["status"]) == (False, None)
                assert one["problem"].startswith("its certificate is refused: ")
                assert says in one["problem"]
                assert remedy in one["problem"]
            assert hook.calls == []
            # Put right: the same event arrives.
            async with receiver(authority.server("localhost")) as good:
                await gate.http.patch(f"/v1/webhooks/{made['id']}", json={"url": good.url})
                await gate.http.post(f"/v1/webhooks/{made['id']}/replay", json={"event": failed[0]["event"]})
                [call] = await good.count(1)
                assert call.headers["webhook-id"] == failed[0]["event"]

    asyncio.run(run())


def test_a_file_that_holds_no_certificates_is_said_at_the_start(tmp_path: Path) -> None:
    rubbish = tmp_path / "ca.pem"
    with pytest.raises(OSError, match=r"webhooks\.ca_file: .*ca\.pem cannot be read: No such file"):
        trust(rubbish)
    rubbish.write_text("not a certificate\n")
    with pytest.raises(OSError, match=r"webhooks\.ca_file: .*ca\.pem holds no certificate in PEM form"):
        trust(rubbish)
    rubbish.write_bytes(Authority(tmp_path).path.read_bytes())
    assert isinstance(trust(rubbish), ssl.SSLContext)
