"""/v1/webhooks: who hears of events, and what became of each delivery. For admins and the operator."""

from __future__ import annotations

import logging
from functools import partial
from typing import Annotated, Any

import msgspec
from litestar import delete, get, patch, post
from msgspec import UNSET, Meta, UnsetType

from bridge.api import body, cursor
from bridge.api.body import Head, Shape
from bridge.api.operation import Operation
from bridge.api.problems import Refusal
from bridge.api.query import CURSOR, LIMIT, Parameter, Query
from bridge.api.routing import OPERATION, AnyRequest, PartsOf
from bridge.api.shapes import Page, Time, shown_time
from bridge.endpoints import BY_HAND, Delivery, DeliveryState, Endpoint, EndpointKind, Try
from bridge.events import EndpointData, Event, EventType
from bridge.model import Instant, Scope, parse_id, show_id
from bridge.store import Changes, View
from bridge.webhooks.registry import Draft

__all__ = ["ROUTES"]

_log = logging.getLogger("gsmbridge.api")

PATIENCE = 20.0  # seconds the test button waits for the endpoint, which has 15
_TRIES, _DEAD, _EVENTS = "tries", "dead", "events"
_MOST = 100
_REPLAYED_AT_ONCE = 2000  # in one transaction

Words = Annotated[list[str], Meta(max_length=_MOST)]
Description = Annotated[str, Meta(max_length=200)]
Url = Annotated[str, Meta(max_length=2000, description="https://...")]


class WebhookIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An endpoint: `url` or `mail`. Filters that are left out let everything through. `events`: types, or families such
    as `message.*`. `numbers`: of the other side; `+48*` is all that begin so. `headers`: your own, never shown again.
    `ordered`: events of one message or conversation wait for the earlier ones. `secret`: yours; without it one is
    made."""

    url: Url | None = None
    mail: Words = []
    description: Description = ""
    events: Words = []
    channels: Words = []
    numbers: Words = []
    headers: dict[str, str] = {}
    ordered: bool = False
    secret: str | None = None


class WebhookPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is given is changed, the rest stays."""

    url: Url | UnsetType = UNSET
    mail: Words | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    events: Words | UnsetType = UNSET
    channels: Words | UnsetType = UNSET
    numbers: Words | UnsetType = UNSET
    headers: dict[str, str] | UnsetType = UNSET
    ordered: bool | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class RotateIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`secret`: yours; without it one is made."""

    secret: str | None = None


class ReplayIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`event`: this one, also when it was delivered. Or all dead letters from `first` to `last`; what is left out is
    the oldest and the newest."""

    event: str | None = None
    first: str | None = None
    last: str | None = None


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    count: int


class WebhookOut(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint, without its secrets. `headers`: names only. `waiting`, `dead`: deliveries."""

    id: str
    kind: EndpointKind
    url: str | None
    mail: tuple[str, ...]
    description: str
    events: tuple[str, ...]
    channels: tuple[str, ...]
    numbers: tuple[str, ...]
    headers: list[str]
    ordered: bool
    enabled: bool
    disabled_reason: str | None
    created_at: Time
    old_secret_until: Time | None
    waiting: int
    dead: int


class WebhookCreated(WebhookOut, frozen=True, kw_only=True):
    """`secret` is shown here and never again; null for mail."""

    secret: str | None


class Webhooks(msgspec.Struct, frozen=True, kw_only=True):
    items: list[WebhookOut]


class TryOut(msgspec.Struct, frozen=True, kw_only=True):
    """One try of one delivery. `status`: of HTTP, or of the mail server; null: no answer. `answer`: its first KiB."""

    id: str
    event: str
    at: Time
    milliseconds: int
    ok: bool
    status: int | None
    problem: str | None
    answer: str


class EventOut(msgspec.Struct, frozen=True, kw_only=True):
    """An event, as webhooks get it. `number`: 1, 2, 3 ... within its key."""

    id: str
    type: EventType
    timestamp: Time
    key: str
    number: int
    data: dict[str, Any]


class DeadOut(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter."""

    event: EventOut
    tries: int


class TestOut(msgspec.Struct, frozen=True, kw_only=True):
    """What the endpoint said to the test event. `state`: `delivered`, or `waiting` for its next try."""

    event: str
    state: DeliveryState
    try_: TryOut = msgspec.field(name="try")


_ID = Operation(summary="One endpoint", scope=Scope.ADMIN, answer=WebhookOut, codes=("webhook_not_found",))


@get("/v1/webhooks", opt={OPERATION: Operation(summary="All endpoints", scope=Scope.ADMIN, answer=Webhooks)})
async def list_webhooks(parts: PartsOf) -> Webhooks:
    return Webhooks(items=await parts.store.read(lambda v: [_out(v, e) for e in v.endpoints()]))


@post(
    "/v1/webhooks",
    status_code=201,
    opt={
        OPERATION: Operation(
            summary="Make an endpoint",
            description="The secret is in this answer and nowhere else.",
            scope=Scope.ADMIN,
            body=WebhookIn,
            answer=WebhookCreated,
            status=201,
            codes=("url_not_allowed", "no_mail_server", "conflict"),
        )
    },
)
async def post_webhook(request: AnyRequest, parts: PartsOf) -> WebhookCreated:
    wanted = _IN.decode(await _body(request, parts))
    draft = Draft(
        url=wanted.url,
        mail=tuple(wanted.mail),
        description=wanted.description,
        events=tuple(wanted.events),
        channels=tuple(wanted.channels),
        parties=tuple(wanted.numbers),
        headers=wanted.headers,
        ordered=wanted.ordered,
        secret=wanted.secret,
    )
    await _check(parts, draft)
    endpoint, secret = parts.webhooks.registry.made(parts.ids.next(), draft, parts.now())

    def work(changes: Changes) -> WebhookOut:
        changes.add_endpoint(endpoint)
        return _out(changes, endpoint)

    shown = await parts.store.write(work)
    _log.info("webhook_created id=%s kind=%s", shown.id, endpoint.kind)
    return WebhookCreated(**msgspec.structs.asdict(shown), secret=secret or None)


@get("/v1/webhooks/{id:str}", opt={OPERATION: _ID})
async def get_webhook(request: AnyRequest, parts: PartsOf) -> WebhookOut:
    endpoint = await _known(request, parts)
    return await parts.store.read(lambda v: _out(v, endpoint))


@patch(
    "/v1/webhooks/{id:str}",
    opt={
        OPERATION: Operation(
            summary="Change an endpoint",
            description="`enabled` true: on again, and what waits is tried at once.",
            scope=Scope.ADMIN,
            body=WebhookPatch,
            answer=WebhookOut,
            codes=("webhook_not_found", "url_not_allowed", "no_mail_server", "conflict"),
        )
    },
)
async def patch_webhook(request: AnyRequest, parts: PartsOf) -> WebhookOut:
    wanted = _PATCH.decode(await _body(request, parts))
    known = await _known(request, parts)
    given = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not UNSET}
    headers = given.pop("headers", None)
    enabled = given.pop("enabled", known.enabled)
    changed = {
        {"mail": "recipients", "numbers": "parties"}.get(name, name): tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
    }
    if ("url" in changed) != (known.kind is EndpointKind.WEBHOOK) and changed.keys() & {"url", "recipients"}:
        raise Refusal("conflict", "an endpoint stays what it is, webhook or mail; make another one")
    proposed = msgspec.structs.replace(known, **changed)
    mail = proposed.kind is EndpointKind.MAIL
    draft = Draft(
        url=None if mail else proposed.url,
        mail=proposed.recipients,
        events=proposed.events,
        channels=proposed.channels,
        parties=proposed.parties,
        headers=headers or {},
    )
    await _check(parts, draft)
    sealed = None if headers is None else parts.webhooks.registry.sealed(headers)
    now = parts.now()

    def work(changes: Changes) -> WebhookOut:
        present = changes.endpoint(known.id)
        if present is None:
            raise _missing()
        new = msgspec.structs.replace(present, **changed, enabled=enabled)
        if sealed is not None:
            new = msgspec.structs.replace(new, headers=sealed)
        if enabled and not present.enabled:
            new = msgspec.structs.replace(new, disabled_reason="")
        elif present.enabled and not enabled:
            new = msgspec.structs.replace(new, disabled_reason=BY_HAND)
            _tell_disabled(changes, new, now)
        changes.change_endpoint(new)
        return _out(changes, new)

    return await parts.store.write(work)


@delete(
    "/v1/webhooks/{id:str}",
    status_code=200,
    opt={
        OPERATION: Operation(
            summary="Remove an endpoint, with all that waits for it",
            scope=Scope.ADMIN,
            answer=WebhookOut,
            codes=("webhook_not_found",),
        )
    },
)
async def delete_webhook(request: AnyRequest, parts: PartsOf) -> WebhookOut:
    endpoint = await _known(request, parts)

    def work(changes: Changes) -> WebhookOut:
        shown = _out(changes, endpoint)
        if not changes.remove_endpoint(endpoint.id):
            raise _missing()
        return shown

    return await parts.store.write(work)


@post(
    "/v1/webhooks/{id:str}/rotate",
    status_code=200,
    opt={
        OPERATION: Operation(
            summary="Give an endpoint a new secret",
            description="For 24 hours both sign, so that receivers can change without a gap.",
            scope=Scope.ADMIN,
            body=RotateIn,
            answer=WebhookCreated,
            codes=("webhook_not_found", "conflict"),
        )
    },
)
async def rotate_secret(request: AnyRequest, parts: PartsOf) -> WebhookCreated:
    wanted = _ROTATE.decode(await _body(request, parts))
    known = await _known(request, parts)
    if known.kind is EndpointKind.MAIL:
        raise Refusal("conflict", "mail is not signed, so there is no secret to rotate")
    registry = parts.webhooks.registry
    await _check(parts, Draft(url=known.url, secret=wanted.secret))
    secret = wanted.secret or registry.new_secret()
    now = parts.now()

    def work(changes: Changes) -> WebhookOut:
        present = changes.endpoint(known.id)
        if present is None:
            raise _missing()
        new = registry.rotated(present, secret, now)
        changes.change_endpoint(new)
        return _out(changes, new)

    shown = await parts.store.write(work)
    _log.info("webhook_secret_rotated id=%s", shown.id)
    return WebhookCreated(**msgspec.structs.asdict(shown), secret=secret)


@post(
    "/v1/webhooks/{id:str}/test",
    status_code=200,
    opt={
        OPERATION: Operation(
            summary="Send a test event and tell what the endpoint said",
            scope=Scope.ADMIN,
            answer=TestOut,
            codes=("webhook_not_found", "webhook_disabled", "webhook_busy"),
        )
    },
)
async def test_webhook(request: AnyRequest, parts: PartsOf) -> TestOut:
    endpoint = await _known(request, parts)
    if not endpoint.enabled:
        raise Refusal("webhook_disabled", "the endpoint is switched off; switch it on first")
    now, name = parts.now(), show_id("whk", endpoint.id)
    data = EndpointData(webhook=name, code="test", reason="somebody pressed the test button")
    key = f"webhook/{name}"
    event = await parts.store.write(lambda c: c.emit_to(endpoint, EventType.WEBHOOK_TEST, now, key=key, data=data))
    tried = await parts.webhooks.first_try(endpoint.id, event, PATIENCE)
    if tried is None:
        raise Refusal("webhook_busy", f"the test waits behind other events; see /v1/webhooks/{name}/deliveries")
    return TestOut(event=show_id("evt", event), state=tried.state, try_=_try_out(tried.made))


@get(
    "/v1/webhooks/{id:str}/deliveries",
    opt={
        OPERATION: Operation(
            summary="Tries of deliveries, newest first",
            scope=Scope.ADMIN,
            answer=Page[TryOut],
            query=(LIMIT, CURSOR),
            codes=("webhook_not_found", "bad_parameter"),
        )
    },
)
async def list_deliveries(request: AnyRequest, parts: PartsOf) -> Page[TryOut]:
    query = Query(request.scope["query_string"], (LIMIT, CURSOR))
    before, limit = query.cursor(_TRIES), query.limit()
    query.done()
    endpoint = await _known(request, parts)
    found = await parts.store.read(lambda v: v.tries(endpoint.id, before=before, limit=limit + 1))
    page = found[:limit]
    following = cursor.show(_TRIES, page[-1].id) if len(found) > limit else None
    return Page(items=[_try_out(one) for one in page], next=following)


@get(
    "/v1/webhooks/{id:str}/dead",
    opt={
        OPERATION: Operation(
            summary="Dead letters, newest first",
            scope=Scope.ADMIN,
            answer=Page[DeadOut],
            query=(LIMIT, CURSOR),
            codes=("webhook_not_found", "bad_parameter"),
        )
    },
)
async def list_dead(request: AnyRequest, parts: PartsOf) -> Page[DeadOut]:
    query = Query(request.scope["query_string"], (LIMIT, CURSOR))
    before, limit = query.cursor(_DEAD), query.limit()
    query.done()
    endpoint = await _known(request, parts)

    def work(view: View) -> list[tuple[Delivery, Event | None]]:
        return [
            (d, view.event(d.event)) for d in view.deliveries(endpoint.id, dead=True, before=before, limit=limit + 1)
        ]

    found = await parts.store.read(work)
    page = found[:limit]
    following = cursor.show(_DEAD, page[-1][0].event) if len(found) > limit else None
    items = [DeadOut(event=event_out(event), tries=d.tries) for d, event in page if event is not None]
    return Page(items=items, next=following)


@post(
    "/v1/webhooks/{id:str}/replay",
    status_code=200,
    opt={
        OPERATION: Operation(
            summary="Send dead letters again",
            description="Under their old ids, with all their tries.",
            scope=Scope.ADMIN,
            body=ReplayIn,
            answer=Replayed,
            codes=("webhook_not_found", "event_not_found", "conflict"),
        )
    },
)
async def replay(request: AnyRequest, parts: PartsOf) -> Replayed:
    wanted = _REPLAY.decode(await _body(request, parts))
    endpoint = await _known(request, parts)
    if wanted.event is not None and (wanted.first is not None or wanted.last is not None):
        raise Refusal("conflict", 'give either "event", or "first" and "last"')
    first = _event_id(wanted.event or wanted.first, 0)
    last = _event_id(wanted.event or wanted.last, (1 << 63) - 1)
    now = parts.now()
    count, following = await parts.store.write(partial(_again, endpoint.id, now, first, last))
    while following is not None:  # in pieces: a million dead letters must not hold up the orders
        more, following = await parts.store.write(partial(_again, endpoint.id, now, following, last))
        count += more
    if not count and wanted.event is not None:
        raise Refusal("event_not_found", "this event is not, or no longer, among what the endpoint was to get")
    return Replayed(count=count)


def _again(endpoint: int, now: Instant, first: int, last: int, changes: Changes) -> tuple[int, int | None]:
    return changes.replay(endpoint, now, first=first, last=last, limit=_REPLAYED_AT_ONCE)


_AFTER = Parameter(name="after", description="the last event you have: evt_...", schema={"type": "string"})


@get(
    "/v1/events",
    opt={
        OPERATION: Operation(
            summary="Events that were written for endpoints, oldest first",
            description="Only what some endpoint listens to is written.",
            scope=Scope.ADMIN,
            answer=Page[EventOut],
            query=(_AFTER, LIMIT),
            codes=("bad_parameter",),
        )
    },
)
async def list_events(request: AnyRequest, parts: PartsOf) -> Page[EventOut]:
    query = Query(request.scope["query_string"], (_AFTER, LIMIT))
    after, limit = query.id("after", "evt"), query.limit()
    query.done()
    found = await parts.store.read(lambda v: v.events(after or 0, limit + 1))
    page = [event_out(one) for one in found[:limit]]
    return Page(items=page, next=page[-1].id if len(found) > limit else None)


ROUTES = (
    list_webhooks, post_webhook, get_webhook, patch_webhook, delete_webhook, rotate_secret, test_webhook,
    list_deliveries, list_dead, replay, list_events,
)  # fmt: skip

_IN, _PATCH, _ROTATE, _REPLAY = Shape(WebhookIn), Shape(WebhookPatch), Shape(RotateIn), Shape(ReplayIn)


async def _body(request: AnyRequest, parts: PartsOf) -> bytes:
    return await body.read(Head.of(request.scope["headers"]), request.receive, parts.max_body)


async def _check(parts: PartsOf, draft: Draft) -> None:
    complaints = await parts.webhooks.registry.complaints(draft)
    if complaints:
        raise Refusal.of(complaints)


async def _known(request: AnyRequest, parts: PartsOf) -> Endpoint:
    number = parse_id("whk", request.path_params["id"])
    found = None if number is None else await parts.store.read(lambda v: v.endpoint(number))
    if found is None:
        raise _missing()
    return found


def _missing() -> Refusal:
    return Refusal("webhook_not_found", "no endpoint has this id; see GET /v1/webhooks")


def _event_id(shown: str | None, otherwise: int) -> int:
    if shown is None:
        return otherwise
    number = parse_id("evt", shown)
    if number is None:
        raise Refusal("event_not_found", "this is no id of an event; it begins with evt_")
    return number


def _tell_disabled(changes: Changes, endpoint: Endpoint, now: int) -> None:
    name = show_id("whk", endpoint.id)
    data = EndpointData(webhook=name, code="switched_off", reason=endpoint.disabled_reason)
    changes.emit(EventType.WEBHOOK_DISABLED, now, key=f"webhook/{name}", data=data)


def _out(view: View, e: Endpoint) -> WebhookOut:
    waiting, dead = view.backlog(e.id)
    return WebhookOut(
        id=show_id("whk", e.id),
        kind=e.kind,
        url=e.url or None,
        mail=e.recipients,
        description=e.description,
        events=e.events,
        channels=e.channels,
        numbers=e.parties,
        headers=sorted(e.headers),
        ordered=e.ordered,
        enabled=e.enabled,
        disabled_reason=e.disabled_reason or None,
        created_at=shown_time(e.created_at),
        old_secret_until=None if e.old_secret_until is None else shown_time(e.old_secret_until),
        waiting=waiting,
        dead=dead,
    )


def _try_out(t: Try) -> TryOut:
    return TryOut(
        id=show_id("try", t.id),
        event=show_id("evt", t.event),
        at=shown_time(t.at),
        milliseconds=t.milliseconds,
        ok=t.status is not None and 200 <= t.status < 300,
        status=t.status,
        problem=t.problem or None,
        answer=t.answer,
    )


def event_out(e: Event) -> EventOut:
    return EventOut(
        id=show_id("evt", e.id), type=e.type, timestamp=shown_time(e.at), key=e.key, number=e.number, data=e.data
    )
