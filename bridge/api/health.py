"""/healthz, /readyz, /metrics: for the machines that watch this one."""

from __future__ import annotations

import msgspec
from litestar import Response, get

from bridge.api.operation import Operation
from bridge.api.problems import Refusal
from bridge.api.routing import OPERATION, PartsOf
from bridge.model import Scope

__all__ = ["ROUTES", "Alive", "Ready"]

_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class Alive(msgspec.Struct, frozen=True, kw_only=True):
    status: str
    version: str


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    status: str
    detail: str


@get("/healthz", opt={OPERATION: Operation(summary="The process is alive", scope=None, answer=Alive)})
async def healthz(parts: PartsOf) -> Alive:
    return Alive(status="ok", version=parts.version)


@get(
    "/readyz",
    opt={OPERATION: Operation(summary="Orders are taken", scope=None, answer=Ready, codes=("not_ready",))},
)
async def readyz(parts: PartsOf) -> Ready:
    ready, detail = parts.ready()
    if not ready:
        raise Refusal("not_ready", detail)
    return Ready(status="ready", detail=detail)


@get(
    "/metrics",
    opt={
        OPERATION: Operation(
            summary="Prometheus metrics",
            description="Without a key from this machine; from elsewhere with one.",
            scope=Scope.READ,
            local=True,
            answer=str,
            media=_PROMETHEUS,
        )
    },
)
async def metrics(parts: PartsOf) -> Response[bytes]:
    return Response(content=await parts.metrics(), headers={"content-type": _PROMETHEUS})


ROUTES = (healthz, readyz, metrics)
