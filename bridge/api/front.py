"""The outermost layer: who asks, the two lean routes, and that every answer is one of ours, whatever happens inside."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from typing import Any

from bridge.api import problems
from bridge.api.auth import KeyRing
from bridge.api.callbacks import PREFIX
from bridge.api.fast import Lean
from bridge.api.problems import Answer, Refusal

__all__ = ["Front", "refusal_of"]

_log = logging.getLogger("gsmbridge.api")

_ALWAYS = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]


class Front:
    """An ASGI application around another. Under /v1 even what does not exist needs a key, but for
    the providers' calls, whose secret is in the address."""

    def __init__(self, inner: Any, ring: KeyRing, lean: Mapping[str, Lean]) -> None:
        self._inner = inner
        self._ring = ring
        self._lean = lean

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"only HTTP is served here, not {scope['type']}")
        answer: Answer | None = None
        path: str = scope["path"]
        try:
            if path.startswith("/v1/") and not path.startswith(PREFIX):
                scope["state"]["caller"] = caller = await self._ring.caller(scope)
                lean = self._lean.get(path)
                if lean is not None and scope["method"] == "POST":
                    answer = await lean(scope, receive, caller)
        except Exception as error:
            answer = problems.answer(refusal_of(error))
        if answer is None:
            answer = await self._pass_on(scope, receive, send)
        if answer is not None:
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            await send({"type": "http.response.body", "body": answer.body})

    async def _pass_on(self, scope: Any, receive: Any, send: Any) -> Answer | None:
        """Let the inner application answer. An answer comes back when it failed before it began one."""
        started = False

        async def send_on(event: dict[str, Any]) -> None:
            nonlocal started
            if event["type"] == "http.response.start":
                started = True
                names = {name for name, _ in event["headers"]}
                event["headers"] = [*event["headers"], *(h for h in _ALWAYS if h[0] not in names)]
            await send(event)

        try:
            await self._inner(scope, receive, send_on)
        except Exception as error:
            if started:
                raise
            return problems.answer(refusal_of(error))
        return None


def refusal_of(error: Exception) -> Refusal:
    """The refusal behind any error. A mistake of ours is logged with its place, but without its words: they may hold a
    text."""
    found = problems.known(error)
    if found is not None:
        return found
    frames = traceback.extract_tb(error.__traceback__)
    place = " < ".join(f"{f.filename.rpartition('/')[2]}:{f.lineno}" for f in reversed(frames[-6:]))
    _log.error("request_failed error=%s at=%r", type(error).__name__, place)
    _log.debug("request_failed", exc_info=error)
    return Refusal("internal_error", "the request could not be worked on; the service's log says where it went wrong")
