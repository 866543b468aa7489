"""/v1/keys: who may use this API. For admins and the operator on the private socket."""

from __future__ import annotations

import logging
from typing import Annotated

import msgspec
from litestar import get, post
from msgspec import Meta

from bridge.api import body
from bridge.api.auth import Caller, new_key
from bridge.api.body import Head, Shape
from bridge.api.operation import Operation
from bridge.api.parts import Parts
from bridge.api.problems import Refusal
from bridge.api.routing import OPERATION, AnyRequest, CallerOf, PartsOf, RingOf
from bridge.api.shapes import KeyCreated, KeyOut, key_out
from bridge.model import LOCAL_CLIENT, ApiKey, Scope, parse_id, show_id
from bridge.policy.admission import Complaint, Rejected
from bridge.policy.timing.placing import windows_of_key
from bridge.store import Changes

__all__ = ["ROUTES", "KeyIn", "Keys"]

_log = logging.getLogger("gsmbridge.api")


class KeyIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to make."""

    name: Annotated[
        Annotated[str, Meta(pattern="^[^\\x00-\\x1f\\x7f]{1,64}$")],
        Meta(description="a string of 1 to 64 characters: what the key is for"),
    ]
    scope: Annotated[Scope, Meta(description='"read", "send" or "admin"; each contains the ones before it')]
    windows: Annotated[
        Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(max_length=20)] | None,
        Meta(description='an array of hours in which texts ordered with it may go, such as ["mon-fri 9-18"]'),
    ] = None
    tz: Annotated[
        Annotated[str, Meta(max_length=64)] | int | float | None,
        Meta(description='the zone of windows, such as "Europe/Warsaw"; without it the recipient\'s'),
    ] = None


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    items: list[KeyOut]


@get("/v1/keys", opt={OPERATION: Operation(summary="All keys", scope=Scope.ADMIN, answer=Keys)})
async def list_keys(parts: PartsOf) -> Keys:
    return Keys(items=[key_out(key) for key in await parts.store.read(lambda view: view.keys())])


@post(
    "/v1/keys",
    status_code=201,
    opt={
        OPERATION: Operation(
            summary="Make a key",
            description="The secret is in this answer and nowhere else: only its SHA-256 is kept.",
            scope=Scope.ADMIN,
            body=KeyIn,
            answer=KeyCreated,
            status=201,
        )
    },
)
async def post_key(request: AnyRequest, parts: PartsOf, caller: CallerOf) -> KeyCreated:
    wanted = _KEY.decode(await body.read(Head.of(request.scope["headers"]), request.receive, parts.max_body))
    made = new_key(parts.random_bytes)
    key = ApiKey(
        id=parts.ids.next(),
        name=wanted.name,
        scope=wanted.scope,
        digest=made.digest,
        hint=made.hint,
        created_at=parts.now(),
        windows=_windows(wanted, parts),
    )
    await parts.store.write(lambda changes: changes.add_key(key))
    _log.info("key_created id=%s scope=%s by=%s", show_id("key", key.id), key.scope, _by(caller))
    shown = key_out(key)
    return KeyCreated(**msgspec.structs.asdict(shown), secret=made.secret)


@post(
    "/v1/keys/{id:str}/revoke",
    status_code=200,
    opt={
        OPERATION: Operation(
            summary="Revoke a key",
            description="Effective within a second, also for requests on open connections.",
            scope=Scope.ADMIN,
            answer=KeyOut,
            codes=("key_not_found",),
        )
    },
)
async def revoke_key(request: AnyRequest, parts: PartsOf, ring: RingOf, caller: CallerOf) -> KeyOut:
    number = parse_id("key", request.path_params["id"])
    now = parts.now()

    def work(changes: Changes) -> ApiKey | None:
        if number is None:
            return None
        changes.revoke_key(number, now)
        known = changes.keys()
        return next((key for key in known if key.id == number), None)

    key = await parts.store.write(work)
    ring.forget()
    if key is None:
        raise Refusal("key_not_found", "no key has this id; see GET /v1/keys")
    _log.info("key_revoked id=%s by=%s", show_id("key", key.id), _by(caller))
    return key_out(key)


ROUTES = (list_keys, post_key, revoke_key)

_KEY = Shape(KeyIn)


def _windows(wanted: KeyIn, parts: Parts) -> str | None:
    if not wanted.windows:
        return None
    zone = None if wanted.tz is None else str(wanted.tz)
    found = windows_of_key(tuple(wanted.windows), zone, parts.intake.defaults.timetable, parts.now())
    if isinstance(found, str):
        return found
    raise Rejected([Complaint(at=at, code=code, detail=detail) for at, code, detail in found])


def _by(caller: Caller) -> str:
    return "operator" if caller.client == LOCAL_CLIENT else show_id("key", caller.client)
