"""The HTTP API: routes by resource over the store and the intake. `build` makes the application, `serve` runs it."""

from __future__ import annotations

from typing import Any

from litestar import Litestar, Response
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException

from bridge.api import (
    accounts,
    batches,
    callbacks,
    calls,
    changes,
    channels,
    conversations,
    document,
    health,
    inbound,
    keys,
    messages,
    optouts,
    problems,
    routetest,
    schedules,
    ussd,
    webhooks,
)
from bridge.api.auth import KeyRing
from bridge.api.fast import lean_routes
from bridge.api.front import Front, refusal_of
from bridge.api.parts import Parts
from bridge.api.problems import Refusal
from bridge.api.routing import AnyRequest, caller_of, guard

__all__ = ["ASGIApp", "Parts", "build"]

ASGIApp = Front


def build(parts: Parts) -> ASGIApp:
    """The ASGI application. A listener that is the operator's own sets `scope["state"]["operator"]`."""
    ring = KeyRing(parts.store, parts.now)
    return Front(_routes(parts, ring), ring, lean_routes(parts))


def _routes(parts: Parts, ring: KeyRing) -> Litestar:
    async def give_parts() -> Parts:
        return parts

    async def give_ring() -> KeyRing:
        return ring

    resources = (
        messages,
        changes,
        batches,
        schedules,
        inbound,
        conversations,
        optouts,
        calls,
        channels,
        accounts,
        ussd,
        routetest,
        callbacks,
        keys,
        webhooks,
        health,
        document,
    )
    return Litestar(
        route_handlers=[route for resource in resources for route in resource.ROUTES],
        dependencies={"parts": Provide(give_parts), "ring": Provide(give_ring), "caller": Provide(caller_of)},
        guards=[guard(ring)],
        exception_handlers={Exception: _as_problem},
        state=State({"version": parts.version}),
        openapi_config=None,
        logging_config=None,
        debug=False,
    )


def _as_problem(request: AnyRequest, error: Exception) -> Response[Any]:
    answer = problems.answer(_of_litestar(error) if isinstance(error, HTTPException) else refusal_of(error))
    return Response(
        content=answer.body,
        status_code=answer.status,
        headers={name.decode(): value.decode() for name, value in answer.headers if name != b"content-length"},
    )


def _of_litestar(error: HTTPException) -> Refusal:
    """What Litestar itself refuses: routes and methods that do not exist, a Host header that is none."""
    if error.status_code == 404:
        return Refusal("not_found", "there is nothing at this address; see /openapi.json")
    if error.status_code == 405:
        allowed = (error.headers or {}).get("allow", "")
        methods = ", ".join(sorted(name for name in allowed.split(", ") if name != "OPTIONS"))
        return Refusal("method_not_allowed", f"this address knows: {methods}", headers=[(b"allow", methods.encode())])
    if error.status_code < 500:
        return Refusal("bad_request", error.detail)
    return refusal_of(error)
