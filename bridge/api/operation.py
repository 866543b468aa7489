"""What is said about a route where it is written: who may call it, what goes in and out. The guard and the OpenAPI text
read it."""

from __future__ import annotations

from typing import Any

import msgspec

from bridge.api.query import Parameter
from bridge.model import Scope

__all__ = ["Operation"]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """`scope`: the least that a key needs; None: nobody needs one. `local`: no key is needed from this machine itself.
    `body`: the JSON shape that goes in, `answer` the type that comes out. `codes`: its problems, beside those
    that every such route has. `idempotent`: it takes an Idempotency-Key."""

    summary: str
    description: str = ""
    scope: Scope | None
    local: bool = False
    body: type[msgspec.Struct] | None = None
    answer: Any = None
    status: int = 200
    media: str = "application/json"
    query: tuple[Parameter, ...] = ()
    path: tuple[Parameter, ...] = ()  # beside {id}
    idempotent: bool = False
    codes: tuple[str, ...] = ()
