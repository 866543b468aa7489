"""/openapi.json: the OpenAPI 3.1 text, made from the operations of the routes and the shapes they name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import msgspec
from litestar import Litestar, Response, get
from litestar.routes import HTTPRoute

from bridge.api import hooks
from bridge.api.operation import Operation
from bridge.api.problems import CATALOGUE, Problem
from bridge.api.routing import OPERATION, AnyRequest
from bridge.model import Scope

__all__ = ["ROUTES", "document", "operations"]

_REF = "#/components/schemas/{name}"
_PROBLEM = {"application/problem+json": {"schema": {"$ref": _REF.format(name="Problem")}}}
_EVERYWHERE = ("internal_error", "store_unavailable")
_WITH_KEY = ("key_missing", "key_unknown", "key_revoked")
_WITH_BODY = (
    *("json_malformed", "wrong_type", "wrong_value", "unknown_field", "missing_field"),
    *("body_too_large", "media_type", "body_timeout"),
)


@get(
    "/openapi.json",
    opt={
        OPERATION: Operation(
            summary="This document",
            description="Without a key from this machine; from elsewhere with one.",
            scope=Scope.READ,
            local=True,
            answer=dict[str, Any],
        )
    },
)
async def openapi(request: AnyRequest) -> Response[bytes]:
    return Response(content=_encoded(request.app), media_type="application/json")


ROUTES = (openapi,)


def operations(app: Litestar) -> Iterator[tuple[str, str, Operation]]:
    """Path, method and operation of every documented route."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                operation = handler.opt.get(OPERATION)
                if operation is not None:
                    for method in handler.http_methods:
                        yield route.path_format, str(method).upper(), operation


def document(app: Litestar, version: str) -> dict[str, Any]:
    """The whole document as plain values."""
    found = list(operations(app))
    kinds = [Problem, *hooks.DATA, *(kind for _, _, op in found for kind in (op.body, op.answer) if kind is not None)]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    of = dict(zip(map(_key, kinds), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for path, method, operation in sorted(found, key=lambda one: one[:2]):
        paths.setdefault(path, {})[method.lower()] = _operation(path, method, operation, of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "gsm-bridge",
            "version": version,
            "description": "SMS over GSM modems. Times are RFC 3339 in UTC; errors are problem details (RFC 9457).",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "webhooks": hooks.webhooks(_REF),
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "A key made by `gsmbridge key create`."}
            },
        },
    }


@lru_cache(maxsize=1)
def _encoded(app: Litestar) -> bytes:
    return msgspec.json.encode(document(app, app.state["version"]))


def _key(kind: Any) -> str:
    return str(kind)


def _operation(path: str, method: str, operation: Operation, of: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": f"{method.lower()}_{path.strip('/').replace('/', '_').replace('{', '').replace('}', '')}",
        "summary": operation.summary,
    }
    if operation.description:
        said["description"] = operation.description
    if operation.scope is not None:
        said["security"] = [{"key": [operation.scope.value]}] + ([{}] if operation.local else [])
    else:
        said["security"] = []
    if parameters := list(_parameters(path, operation)):
        said["parameters"] = parameters
    if operation.body is not None:
        said["requestBody"] = {"required": True, "content": {"application/json": {"schema": of[_key(operation.body)]}}}
    said["responses"] = {
        str(operation.status): {
            "description": operation.summary,
            "content": {operation.media: {"schema": of[_key(operation.answer)]}},
        },
        **_problems(operation),
    }
    if operation.status == 202:
        said["responses"]["202"]["headers"] = {
            "Location": {"description": "where it can be looked at", "schema": {"type": "string"}},
            "Idempotent-Replay": {"description": "true: this answer was given before", "schema": {"type": "string"}},
        }
    return said


def _parameters(path: str, operation: Operation) -> Iterator[dict[str, Any]]:
    if "{id}" in path:
        yield {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    for one in operation.path:
        yield {
            "name": one.name,
            "in": "path",
            "required": True,
            "description": one.description,
            "schema": one.schema,
        }
    for one in operation.query:
        yield {"name": one.name, "in": "query", "description": one.description, "schema": one.schema}
    if operation.idempotent:
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "the same key and request: the first answer again, and nothing is ordered twice",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        }


def _problems(operation: Operation) -> dict[str, Any]:
    codes: list[str] = [*operation.codes, *_EVERYWHERE]
    if operation.scope is not None:
        codes += _WITH_KEY
        if operation.scope is not Scope.READ:
            codes.append("scope_missing")
    if operation.body is not None:
        codes += _WITH_BODY
    if operation.idempotent:
        codes.append("bad_idempotency_key")
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        by_status.setdefault(CATALOGUE[code].status, []).append(code)
    return {
        str(status): {"description": _listed(by_status[status]), "content": _PROBLEM} for status in sorted(by_status)
    }


def _listed(codes: Iterable[str]) -> str:
    return "; ".join(f"{code}: {CATALOGUE[code].title}" for code in codes)
