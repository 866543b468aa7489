"""/v1/batches: many messages in one request, all or none."""

from __future__ import annotations

from litestar import Response, get, post

from bridge.api.fast import BATCHES, lean_routes
from bridge.api.messages import as_response
from bridge.api.operation import Operation
from bridge.api.orders import BatchIn
from bridge.api.problems import Refusal
from bridge.api.routing import OPERATION, AnyRequest, CallerOf, PartsOf
from bridge.api.shapes import BatchAccepted, BatchOut, batch_out
from bridge.model import Batch, Scope, Status, parse_id
from bridge.store import View

__all__ = ["ROUTES"]


@post(
    BATCHES,
    status_code=202,
    opt={
        OPERATION: Operation(
            summary="Order many messages",
            description=(
                "One text to many recipients (`to`), or many messages of their own (`messages`). "
                "All are taken or none; every complaint is in one answer."
            ),
            scope=Scope.SEND,
            body=BatchIn,
            answer=BatchAccepted,
            status=202,
            idempotent=True,
            codes=("empty_batch", "number_not_valid", "too_many_recipients", "idempotency_key_reuse", "disk_full"),
        )
    },
)
async def post_batch(request: AnyRequest, parts: PartsOf, caller: CallerOf) -> Response[bytes]:
    return as_response(await lean_routes(parts)[BATCHES](request.scope, request.receive, caller))


@get(
    f"{BATCHES}/{{id:str}}",
    opt={
        OPERATION: Operation(
            summary="One batch and where its messages stand",
            description="The messages themselves: GET /v1/messages?batch=...",
            scope=Scope.READ,
            answer=BatchOut,
            codes=("batch_not_found",),
        )
    },
)
async def get_batch(request: AnyRequest, parts: PartsOf, caller: CallerOf) -> BatchOut:
    number = parse_id("bat", request.path_params["id"])

    def look(view: View) -> tuple[Batch, dict[Status, int]] | None:
        batch = None if number is None else view.batch(number)
        if batch is None or caller.sees not in (None, batch.client):
            return None
        return batch, view.batch_counts(batch)

    found = await parts.store.read(look)
    if found is None:
        raise Refusal("batch_not_found", "no batch of yours has this id")
    return batch_out(*found)


ROUTES = (post_batch, get_batch)
