"""Mail goes through the same outbox, to a real SMTP server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from bridge.config import Mail, Settings, Webhooks
from bridge.endpoints import Endpoint, EndpointKind
from bridge.events import Event, EventType
from bridge.webhooks.mail import mail_of
from tests.flows.gateway import Gateway, gateway

PHONE = "+447700900123"
AT = 1_767_182_400_123


class Server:
    """Takes mail; says `refusals` first. Recipients at `nowhere.example` do not exist."""

    def __init__(self) -> None:
        self.taken: list[tuple[list[str], EmailMessage]] = []
        self.offered: list[EmailMessage] = []
        self.refusals: list[str] = []

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, to: str, options: Any) -> str:
        if to.endswith("@nowhere.example"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        self.offered.append(mail)
        if self.refusals:
            return self.refusals.pop(0)
        self.taken.append((list(envelope.rcpt_tos), mail))
        return "250 taken"


@asynccontextmanager
async def smtp() -> AsyncIterator[tuple[Server, int]]:
    server = Server()
    listening = await asyncio.get_running_loop().create_server(
        lambda: SMTP(server, enable_SMTPUTF8=True), "127.0.0.1", 0
    )
    try:
        yield server, listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


def mailing(port: int) -> Any:
    def configured(settings: Settings) -> Settings:
        mail = Mail(host="127.0.0.1", port=port, tls="none", sender="gsm@example.org")
        return msgspec.structs.replace(settings, mail=mail, webhooks=Webhooks(retry=(0.05,) * 9))

    return configured


def flow(tmp_path: Path, story: Any) -> None:
    async def run() -> None:
        async with smtp() as (server, port), gateway(tmp_path, settings=mailing(port)) as gate:
            await story(gate, server)

    asyncio.run(run())


async def made(gate: Gateway, *recipients: str, **fields: Any) -> str:
    answer = await gate.http.post("/v1/webhooks", json={"mail": list(recipients), **fields})
    assert answer.status_code == 201, answer.text
    assert answer.json()["secret"] is None
    return str(answer.json()["id"])


async def settled(gate: Gateway, id: str, tries: int) -> list[dict[str, Any]]:
    """The tries, oldest first, once there are so many and nothing waits."""
    async with asyncio.timeout(20):
        while True:
            one = (await gate.http.get(f"/v1/webhooks/{id}")).json()
            found = (await gate.http.get(f"/v1/webhooks/{id}/deliveries")).json()["items"]
            if len(found) >= tries and not one["waiting"]:
                return list(reversed(found))
            await asyncio.sleep(0.02)


def test_an_incoming_text_comes_as_mail_with_its_words_first(tmp_path: Path) -> None:
    async def story(gate: Gateway, server: Server) -> None:
        id = await made(gate, "ops@example.org", "boss@example.org", events=["message.received"])
        gate.sim.network.inject(gate.sim.modems[0].number, "Grüße 👍", sender=PHONE)
        await settled(gate, id, 1)
        [(recipients, mail)] = server.taken
        assert recipients == ["ops@example.org", "boss@example.org"]
        assert (mail["Subject"], mail["From"]) == (f"Text from {PHONE}", "gsm@example.org")
        assert (mail["Auto-Submitted"], mail["X-GSM-Bridge-Event"]) == ("auto-generated", "message.received")
        assert mail.get_content().startswith("Grüße 👍")

    flow(tmp_path, story)


def test_a_refused_mail_is_tried_again_under_the_same_message_id(tmp_path: Path) -> None:
    async def story(gate: Gateway, server: Server) -> None:
        server.refusals = ["451 later", "554 never"]
        id = await made(gate, "ops@example.org", events=["message.queued"])
        await gate.send(PHONE)
        tries = await settled(gate, id, 3)
        assert [t["status"] for t in tries] == [451, 554, 250]
        assert len(server.taken) == 1
        assert len({m["Message-ID"] for m in server.offered}) == 1

    flow(tmp_path, story)


def test_who_of_several_is_not_taken_is_said_and_the_others_get_it_once(tmp_path: Path) -> None:
    async def story(gate: Gateway, server: Server) -> None:
        id = await made(gate, "ops@example.org", "x@nowhere.example", events=["message.queued"])
        await gate.send(PHONE)
        [only] = await settled(gate, id, 1)
        assert (only["ok"], only["problem"]) == (True, "not taken for x@nowhere.example")
        assert [r for r, _ in server.taken] == [["ops@example.org"]]

    flow(tmp_path, story)


def test_a_server_that_is_not_there_is_a_failure_with_a_reason(tmp_path: Path) -> None:
    async def run() -> None:
        async with smtp() as (_, port):
            pass  # closed again: nobody listens
        async with gateway(tmp_path, settings=mailing(port)) as gate:
            id = await made(gate, "ops@example.org")
            told = (await gate.http.post(f"/v1/webhooks/{id}/test")).json()
            assert told["try"]["problem"].startswith("the mail server cannot be used: ")

    asyncio.run(run())


@pytest.mark.parametrize("sender", ["Bank\r\nBcc: evil@example.org", "A\nB", "\x1b[2J"])
def test_a_stranger_writes_no_header(sender: str) -> None:
    endpoint = Endpoint(id=1, kind=EndpointKind.MAIL, created_at=AT, recipients=("ops@example.org",))
    event = Event(id=2, type=EventType.MESSAGE_RECEIVED, key="k", number=1, at=AT, data={"sender": sender, "text": "x"})
    mail = message_from_bytes(mail_of(endpoint, event, "gsm@example.org").as_bytes(), policy=policy.default)
    assert mail["Bcc"] is None
    assert mail["Subject"].isprintable()
