"""One event as one mail: the second kind of endpoint, for people and for what only reads mail."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

import aiosmtplib
import msgspec

from bridge.clock import rfc3339
from bridge.endpoints import Endpoint
from bridge.events import Event, EventType
from bridge.model import show_id
from bridge.policy.delivery import Answer
from bridge.webhooks.trust import distrust

__all__ = ["Mailer", "Server", "mail_of"]

PATIENCE = 15.0
KEPT = 1024
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_ABOUT = {
    EventType.MESSAGE_RECEIVED: "Text from {sender}",
    EventType.REPLY_RECEIVED: "Reply from {sender}",
    EventType.CALL_MISSED: "Call from {caller}",
}


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """`tls`: "starttls", "tls" or "none"."""

    host: str
    port: int
    tls: str
    sender: str
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"Server(host={self.host!r}, port={self.port})"


class Mailer:
    def __init__(self, server: Server, context: ssl.SSLContext) -> None:
        self._server = server
        self._context = context

    async def deliver(self, endpoint: Endpoint, event: Event) -> Answer:
        s = self._server
        try:
            refused, said = await aiosmtplib.send(
                mail_of(endpoint, event, s.sender),
                hostname=s.host,
                port=s.port,
                use_tls=s.tls == "tls",
                start_tls=s.tls == "starttls",
                tls_context=None if s.tls == "none" else self._context,
                username=s.user,
                password=s.password,
                timeout=PATIENCE,
            )
        except aiosmtplib.SMTPResponseException as error:
            return Answer(
                ok=False, status=error.code, problem=f"the mail server says {error.code}: {error.message}"[:KEPT]
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            first = error.recipients[0]
            return Answer(ok=False, status=first.code, problem=f"no recipient is taken: {first.message}"[:KEPT])
        except (aiosmtplib.SMTPException, OSError) as error:
            return Answer(ok=False, problem=f"the mail server cannot be used: {distrust(error) or error}")
        # Some were taken: to send again would double those. Who was not is said.
        problem = f"not taken for {', '.join(sorted(refused))}" if refused else ""
        return Answer(ok=True, status=250, problem=problem, body=said[:KEPT])


def mail_of(endpoint: Endpoint, event: Event, sender: str) -> EmailMessage:
    """The same mail at each try, under the same Message-ID."""
    data = event.data
    id = show_id("evt", event.id)
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = ", ".join(endpoint.recipients)
    mail["Subject"] = _line(_ABOUT.get(event.type, "{type}").format_map(_Words(data, event.type)))
    mail["Date"] = format_datetime(datetime.fromtimestamp(event.at // 1000, UTC))
    mail["Message-ID"] = f"<{id}@{sender.partition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notes, no loops
    mail["X-GSM-Bridge-Event"] = event.type.value
    told = [str(data["text"]), ""] if data.get("text") else []
    facts = {"event": event.type.value, "at": rfc3339(event.at), **{k: v for k, v in data.items() if k != "text"}}
    told += [f"{name}: {_line(str(value))}" for name, value in facts.items()]
    told.append(f"id: {id} ({event.key}, number {event.number})")
    mail.set_content("\n".join(told) + "\n")
    return mail


class _Words(dict[str, Any]):
    def __init__(self, data: Mapping[str, Any], type: EventType) -> None:
        super().__init__(data, type=_subject(data, type))

    def __missing__(self, name: str) -> str:
        return "unknown"


def _subject(data: Mapping[str, Any], type: EventType) -> str:
    about = data.get("to") or data.get("channel") or data.get("number") or data.get("webhook") or ""
    return f"{type.value}: {about}" if about else type.value


def _line(text: str) -> str:
    """On one line: what a stranger sent must not write headers."""
    return _UNSEEN.sub(" ", text)[:200]
