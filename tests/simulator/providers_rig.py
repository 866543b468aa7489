"""A simulated provider without a network: requests as bytes in, answers out, time that moves when told."""

from __future__ import annotations

import re
from random import Random
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import msgspec

from drivers.simulator.clock import SteppedClock
from drivers.simulator.providers.account import Account
from drivers.simulator.providers.ledger import Ledger, Taken
from drivers.simulator.providers.service import Service
from drivers.simulator.providers.wire import Answer, Request

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"


class Rig:
    """One service on a stepped clock that starts at 2026-03-14 08:50:15 UTC."""

    def __init__(self, kind: type[Service], account: Account) -> None:
        self.clock = SteppedClock()
        self.service = kind(account=account, clock=self.clock, random=Random(1), ledger=Ledger())

    @property
    def account(self) -> Account:
        return self.service.account

    @property
    def taken(self) -> list[Taken]:
        return list(self.service.ledger)

    def knob(self, **changes: Any) -> None:
        self.service.knobs = msgspec.structs.replace(self.service.knobs, **changes)

    def ask(
        self, method: str, path: str, body: bytes = b"", *, query: str = "", headers: dict[str, str] | None = None
    ) -> Answer:
        request = Request(
            method=method, path=path, raw_path=quote(path), query=query, headers=headers or {}, body=body
        )  # fmt: skip
        self.operation = self.service.operation(request)
        return self.service.answer(request)


def content(answer: Answer) -> Any:
    return msgspec.json.decode(answer.body)


def enveloped(name: str, namespace: str, fields: list[tuple[str, str]]) -> bytes:
    """A document/literal call with unqualified fields in the given order."""
    call = ElementTree.Element(f"{{{namespace}}}{name}")
    for field, value in fields:
        ElementTree.SubElement(call, field).text = value
    envelope = ElementTree.Element(f"{{{ENVELOPE}}}Envelope")
    ElementTree.SubElement(envelope, f"{{{ENVELOPE}}}Body").append(call)
    return ElementTree.tostring(envelope)


def body_of(answer: Answer) -> ElementTree.Element:
    """The first element of the SOAP body."""
    body = ElementTree.fromstring(answer.body).find(f"{{{ENVELOPE}}}Body")
    assert body is not None
    return body[0]


def leaves(element: ElementTree.Element) -> list[tuple[str, str]]:
    """Names and texts of the elements without children, in order."""
    return [(re.sub(r"\{.*\}", "", e.tag), e.text or "") for e in element.iter() if not len(e)]
