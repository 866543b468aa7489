"""What the API is built from. The composition root supplies it; nothing is looked up elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from bridge.inbound.optouts import OptOuts
from bridge.model import ChannelSnapshot, Ids, Instant, Message
from bridge.outbound.intake import Intake
from bridge.outbound.schedules import Schedules
from bridge.policy.admission import Order
from bridge.policy.routing import Candidate
from bridge.store import Store
from bridge.webhooks.outbox import Tried
from bridge.webhooks.registry import Registry
from drivers.contract import Account, Call, Reply, Ussd

__all__ = ["Parts", "RouteTest", "Webhooks"]


class RouteTest(msgspec.Struct, frozen=True, kw_only=True):
    """Where an order would go now, best first, and where not. `route` None: the order names its channel."""

    route: str | None
    candidates: tuple[Candidate, ...]
    refusals: tuple[Candidate, ...]


def _no_account(id: str) -> None:
    return None


def _no_ussd(id: str) -> None:
    return None


def _no_line(sim: str, channel: str) -> str | None:
    return None


class Webhooks(msgspec.Struct, frozen=True, kw_only=True):
    """`first_try(endpoint, event, seconds)`: what becomes of the next try of this delivery; None: nothing in time."""

    registry: Registry
    first_try: Callable[[int, int, float], Awaitable[Tried | None]]


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """`random_bytes(n)`: n unpredictable bytes, for new keys. `ready()`: whether orders are taken, and a sentence.
    `metrics()`: the Prometheus text. `region`: ISO country of numbers without "+". `max_body` is in octets.
    `account(id)`: a provider's account, None for other channels. `ussd(id)`: the same for modems.
    `called(id, secret, call)`: a provider's call, given
    back when its events are stored; raises KeyError for an address that nobody has, `Forged`. `route(order)`: where it
    would go; raises `Rejected`. `line(sim, channel)`: the channel that has this SIM now, None when none has.
    `opt_outs`: who wants no more texts. `reply_window`: milliseconds."""

    store: Store
    intake: Intake
    schedules: Schedules
    ids: Ids
    now: Callable[[], Instant]
    random_bytes: Callable[[int], bytes]
    channels: Callable[[], Awaitable[list[ChannelSnapshot]]]
    ready: Callable[[], tuple[bool, str]]
    metrics: Callable[[], Awaitable[bytes]]
    webhooks: Webhooks
    version: str
    region: str | None = None
    max_recipients: int = 10_000
    max_body: int = 16 << 20
    account: Callable[[str], Account | None] = _no_account
    ussd: Callable[[str], Ussd | None] = _no_ussd
    take_back: Callable[[Message], Awaitable[Message]] | None = None
    called: Callable[[str, str, Call], Awaitable[Reply]] | None = None
    route: Callable[[Order], Awaitable[RouteTest]] | None = None
    line: Callable[[str, str], str | None] = _no_line
    opt_outs: OptOuts | None = None
    reply_window: int = 72 * 3_600_000
