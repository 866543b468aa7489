"""The way to the mail server: TLS from the start or by STARTTLS, a login, and what never goes over an open line."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from bridge.config import Mail, Secret, Settings, Webhooks
from tests.flows.gateway import gateway

from .authority import Authority
from .test_mail import Server, made, settled

PHONE = "+447700900123"

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH")  # aiosmtpd does not see the TLS below it


class Guarded(Server):
    """Takes mail from who has logged in as alex."""

    def __init__(self) -> None:
        super().__init__()
        self.logins: list[tuple[bytes, bytes]] = []
        self.encrypted: list[bool] = []

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data == LoginPassword(b"alex", b"open sesame"), handled=False)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert server.transport is not None
        self.encrypted.append(server.transport.get_extra_info("ssl_object") is not None)
        return await super().handle_DATA(server, session, envelope)


@asynccontextmanager
async def smtp(tls: str, context: ssl.SSLContext | None) -> AsyncIterator[tuple[Guarded, int]]:
    """`context` None: it speaks no TLS whatever was asked for."""
    server = Guarded()
    starts = tls == "starttls" and context is not None
    listening = await asyncio.get_running_loop().create_server(
        lambda: SMTP(
            server,
            hostname="mail.example.org",
            tls_context=context if starts else None,
            require_starttls=starts,
            authenticator=server.authenticate,
            auth_required=True,
            auth_require_tls=starts,
        ),
        "127.0.0.1",
        0,
        ssl=context if tls == "tls" else None,
    )
    try:
        yield server, listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


def mailing(port: int, tls: str, ca_file: Path, password: str = "open sesame") -> Any:
    def configured(settings: Settings) -> Settings:
        mail = Mail(
            host="localhost", port=port, tls=tls, sender="gsm@example.org", user="alex", password=Secret(password)
        )
        webhooks = Webhooks(retry=(0.05, 0.05, *[60.0] * 7), ca_file=ca_file)
        return msgspec.structs.replace(settings, mail=mail, webhooks=webhooks)

    return configured


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_mail_goes_over_tls_after_a_login(tmp_path: Path, tls: str) -> None:
    authority = Authority(tmp_path)

    async def run() -> None:
        async with (
            smtp(tls, authority.server("localhost")) as (server, port),
            gateway(tmp_path, settings=mailing(port, tls, authority.path)) as gate,
        ):
            id = await made(gate, "ops@example.org", events=["message.queued"])
            await gate.send(PHONE)
            [only] = await settled(gate, id, 1)
            assert (only["ok"], only["status"]) == (True, 250)
            assert (server.logins, server.encrypted) == ([(b"alex", b"open sesame")], [True])
            assert [recipients for recipients, _ in server.taken] == [["ops@example.org"]]

    asyncio.run(run())


async def first_problem(tmp_path: Path, settings: Any) -> dict[str, Any]:
    async with gateway(tmp_path, settings=settings) as gate:
        id = await made(gate, "ops@example.org")
        told: dict[str, Any] = (await gate.http.post(f"/v1/webhooks/{id}/test")).json()
        assert (await gate.http.get(f"/v1/webhooks/{id}")).json()["waiting"] == 1, "it is tried again"
        return told


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_wrong_password_is_a_failure_that_is_tried_again_and_shows_no_password(tmp_path: Path, tls: str) -> None:
    authority = Authority(tmp_path)

    async def run() -> None:
        async with smtp(tls, authority.server("localhost")) as (server, port):
            told = await first_problem(tmp_path, mailing(port, tls, authority.path, "CANARY"))
            assert told["state"] == "waiting"
            assert told["try"]["status"] == 535
            assert "CANARY" not in str(told)
            assert server.offered == []

    asyncio.run(run())


@pytest.mark.parametrize("tls", ["starttls", "tls"])
@pytest.mark.parametrize(
    ("names", "days", "says"),
    [(("localhost",), -1, "certificate has expired"), (("mail.example.org",), 1, "not valid for 'localhost'")],
)
def test_a_bad_certificate_gets_neither_login_nor_mail(
    tmp_path: Path, tls: str, names: tuple[str, ...], days: int, says: str
) -> None:
    authority = Authority(tmp_path)

    async def run() -> None:
        async with smtp(tls, authority.server(*names, days=days)) as (server, port):
            told = await first_problem(tmp_path, mailing(port, tls, authority.path))
            assert told["try"]["problem"].startswith("the mail server cannot be used: its certificate is refused: "), (
                told
            )
            assert says in told["try"]["problem"]
            assert (server.logins, server.offered) == ([], [])

    asyncio.run(run())


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_server_without_tls_gets_neither_login_nor_mail(tmp_path: Path, tls: str) -> None:
    authority = Authority(tmp_path)

    async def run() -> None:
        async with smtp(tls, None) as (server, port):
            told = await first_problem(tmp_path, mailing(port, tls, authority.path))
            assert told["try"]["problem"]
            assert not told["try"]["ok"]
            assert (server.logins, server.offered) == ([], [])

    asyncio.run(run())
