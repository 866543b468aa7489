"""How a route is declared, guarded, and given what it needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Any, TypeAlias

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.handlers.base import BaseRouteHandler
from litestar.params import SkipValidation

from bridge.api.auth import Caller, KeyRing, require
from bridge.api.operation import Operation
from bridge.api.parts import Parts

__all__ = ["OPERATION", "AnyRequest", "CallerOf", "PartsOf", "RingOf", "caller_of", "guard"]

OPERATION = "operation"  # under this name a handler's opt holds its Operation

AnyRequest: TypeAlias = Request[Any, Any, Any]
PartsOf: TypeAlias = NamedDependency[SkipValidation[Parts]]
RingOf: TypeAlias = NamedDependency[SkipValidation[KeyRing]]
CallerOf: TypeAlias = NamedDependency[SkipValidation[Caller]]


def guard(ring: KeyRing) -> Callable[[Any, BaseRouteHandler], Awaitable[None]]:
    """Lets a request through to its handler when the key may do what the operation needs. Every route passes here, also
    those that were reached under another spelling of their path."""

    async def check(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        operation: Operation | None = handler.opt.get(OPERATION)
        if operation is None or operation.scope is None:  # no operation: OPTIONS, which tells the methods
            return
        state = connection.scope["state"]
        if operation.local and _from_here(connection.scope):
            return
        caller: Caller | None = state.get("caller")
        if caller is None:
            state["caller"] = caller = await ring.caller(connection.scope)
        require(caller, operation.scope)

    return check


async def caller_of(request: AnyRequest) -> Caller:
    """The caller that the guard let through."""
    caller: Caller = request.scope["state"]["caller"]
    return caller


def _from_here(scope: Any) -> bool:
    """Whether the peer is this machine, over loopback or the private socket."""
    if scope["state"].get("operator"):
        return True
    client = scope.get("client")
    try:
        return client is not None and ip_address(client[0]).is_loopback
    except ValueError:
        return False
