"""/v1/callbacks/{id}/{secret}: a provider calls us. The secret in the address is its key; what the call says and
whether it is signed, the driver knows."""

from __future__ import annotations

from typing import Any

from litestar import Response, route
from litestar.enums import HttpMethod

from bridge.api import body
from bridge.api.body import Head
from bridge.api.operation import Operation
from bridge.api.parts import Parts
from bridge.api.problems import Refusal
from bridge.api.query import Parameter
from bridge.api.routing import OPERATION, AnyRequest, PartsOf
from drivers.contract import Call, Forged

__all__ = ["PREFIX", "ROUTES"]

PREFIX = "/v1/callbacks/"
LARGEST = 1 << 20  # octets; a report has some hundred
_MOST_HEADERS = 100
_METHODS = [HttpMethod.GET, HttpMethod.POST]
_ADDRESS = f"{PREFIX}{{id:str}}/{{secret:str}}"


@route(
    _ADDRESS,
    http_method=_METHODS,
    status_code=200,
    opt={
        OPERATION: Operation(
            summary="A provider reports or brings a reply",
            description="For providers, by the address that was given to them; what is behind the secret is theirs. "
            "Answered as that provider expects, once all is stored.",
            scope=None,
            path=(Parameter(name="secret", description="the account's callback token", schema={"type": "string"}),),
            answer=str,
            media="text/plain",
            codes=("not_found", "forged", "body_too_large", "body_timeout"),
        )
    },
)
async def take_call(request: AnyRequest, parts: PartsOf) -> Response[bytes]:
    return await _taken(request, parts)


@route(f"{_ADDRESS}/{{rest:path}}", http_method=_METHODS, status_code=200)
async def take_call_below(request: AnyRequest, parts: PartsOf) -> Response[bytes]:
    return await _taken(request, parts)


ROUTES = (take_call, take_call_below)


async def _taken(request: AnyRequest, parts: Parts) -> Response[bytes]:
    if parts.called is None:
        raise _nothing()
    scope: Any = request.scope
    raw = await body.whole(Head.of(scope["headers"]), request.receive, LARGEST)
    call = Call(
        method=scope["method"],
        path=_behind(scope["path"]),
        query=scope["query_string"],
        headers=_headers(scope["headers"]),
        body=raw,
        address=scope["client"][0] if scope.get("client") else "",
    )
    try:
        reply = await parts.called(request.path_params["id"], request.path_params["secret"], call)
    except KeyError:
        raise _nothing() from None
    except Forged:
        # Why not is nothing that a forger should learn; the driver logs it.
        raise Refusal("forged", "the call is refused") from None
    # As a header: a media type would get a charset that is not the driver's.
    return Response(content=reply.body, status_code=reply.status, headers={"content-type": reply.content_type})


def _behind(path: str) -> str:
    pieces = path.removeprefix(PREFIX).split("/", 2)
    return "/" + pieces[2] if len(pieces) > 2 else ""


def _headers(given: list[tuple[bytes, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in given[:_MOST_HEADERS]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _nothing() -> Refusal:
    """The same for an account that does not exist, one that may not call, and a wrong secret."""
    return Refusal("not_found", "there is nothing at this address")
