"""Who listens to events: webhooks and mail addresses, what each wants to hear, what became of each delivery. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from bridge.events import EventType
from bridge.model import Instant

__all__ = ["BY_HAND", "Delivery", "DeliveryState", "Endpoint", "EndpointKind", "Try", "by_type", "wants"]

BY_HAND = "switched off"  # the reason of an endpoint that a person switched off


class EndpointKind(StrEnum):
    WEBHOOK = "webhook"
    MAIL = "mail"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Empty filters let everything through. Secrets are sealed, see `bridge.webhooks.sealing`."""

    id: int
    kind: EndpointKind
    created_at: Instant
    url: str = ""  # webhook
    recipients: tuple[str, ...] = ()  # mail
    description: str = ""
    events: tuple[str, ...] = ()  # types, or families: "message.*"
    channels: tuple[str, ...] = ()
    parties: tuple[str, ...] = ()  # the other side: numbers and sender names; a "*" at the end stands for the rest
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    ordered: bool = False  # an event waits for the earlier ones of its key
    enabled: bool = True
    disabled_reason: str = ""
    secret: bytes = b""
    old_secret: bytes = b""  # also signs, until:
    old_secret_until: Instant | None = None


class DeliveryState(StrEnum):
    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"  # given up; kept for a replay


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one endpoint."""

    endpoint: int
    event: int
    key: str
    state: DeliveryState = DeliveryState.WAITING
    next_at: Instant = 0
    tries: int = 0


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """One try of a delivery. `status`: of HTTP or SMTP; None: no answer came. `answer`: its first KiB."""

    id: int
    endpoint: int
    event: int
    at: Instant
    milliseconds: int
    status: int | None = None
    problem: str = ""  # a sentence
    answer: str = ""


def by_type(endpoints: Iterable[Endpoint]) -> dict[str, tuple[Endpoint, ...]]:
    """For each type of event the endpoints that are on and want it."""
    on = [e for e in endpoints if e.enabled]
    return {type.value: tuple(e for e in on if _wants_type(e, type)) for type in EventType}


def wants(endpoint: Endpoint, channel: str, party: str) -> bool:
    """Whether an event of a type it wants passes its other filters. What has no channel, or no other side, does not
    pass a filter that names some."""
    if endpoint.channels and channel not in endpoint.channels:
        return False
    return not endpoint.parties or any(_matches(pattern, party) for pattern in endpoint.parties)


def _wants_type(endpoint: Endpoint, type: EventType) -> bool:
    if type is EventType.WEBHOOK_TEST:
        return False  # it goes to the one that is tested
    family = f"{type.partition('.')[0]}.*"
    return not endpoint.events or type.value in endpoint.events or family in endpoint.events


def _matches(pattern: str, party: str) -> bool:
    return party.startswith(pattern[:-1]) if pattern.endswith("*") else party == pattern
