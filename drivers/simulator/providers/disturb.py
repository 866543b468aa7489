"""An answer on its way out, and what a fault makes of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, assert_never

import msgspec

from drivers.simulator.providers.faults import Fault, FaultKind
from drivers.simulator.providers.hosting import RESET
from drivers.simulator.providers.wire import HTML, Answer, added, reordered

__all__ = ["WEB_PAGE", "disturbed"]

WEB_PAGE = """<!DOCTYPE html>
<html><head><title>Welcome to the guest network</title></head>
<body><form action="/login" method="post"><input name="room"><button>Connect</button></form><br></body></html>
"""
CHUNK = 64 * 1024

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


async def disturbed(
    scope: MutableMapping[str, Any], receive: Receive, send: Send, *, answer: Answer, fault: Fault | None
) -> None:
    """Send `answer` as `fault` has it."""
    if fault is None:
        await _whole(send, answer)
        return
    match fault.kind:
        case FaultKind.SILENCE:
            await _gone(receive)
        case FaultKind.RESET:
            scope["extensions"][RESET]()
            await _gone(receive)
        case FaultKind.CLOSE:
            scope["extensions"][RESET](gently=True)
            await _gone(receive)
        case FaultKind.CUT:
            await _start(send, answer)
            await send({"type": "http.response.body", "body": answer.body[: len(answer.body) // 2], "more_body": True})
            scope["extensions"][RESET](gently=True)
            await _gone(receive)
        case FaultKind.HTML:
            page = fault.body or WEB_PAGE
            await _whole(send, Answer(status=fault.status or 200, content_type=HTML, body=page.encode()))
        case FaultKind.EMPTY:
            await _whole(send, Answer(status=fault.status or 200))
        case FaultKind.STATUS:
            headers = {"retry-after": fault.retry_after, "location": fault.location}
            kept = {name: value for name, value in headers.items() if value}
            await _whole(send, Answer(status=fault.status or 500, body=fault.body.encode(), headers=kept))
        case FaultKind.ENDLESS:
            await _endless(receive, send, answer)
        case FaultKind.DELAY:
            await asyncio.sleep(fault.seconds)
            await _whole(send, answer)
        case FaultKind.DRIP:
            await _start(send, answer)
            for at in range(len(answer.body)):
                await send({"type": "http.response.body", "body": answer.body[at : at + 1], "more_body": True})
                await asyncio.sleep(fault.seconds)
            await send({"type": "http.response.body", "body": b""})
        case FaultKind.REORDERED:
            await _whole(send, reordered(answer))
        case FaultKind.ADDED:
            await _whole(send, added(answer))
        case _:
            assert_never(fault.kind)


async def _whole(send: Send, answer: Answer) -> None:
    await _start(send, answer)
    await send({"type": "http.response.body", "body": answer.body})


async def _start(send: Send, answer: Answer, *, length: bool = True) -> None:
    headers = {"content-type": answer.content_type, **answer.headers}
    if length:
        headers["content-length"] = str(len(answer.body))
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})


async def _endless(receive: Receive, send: Send, answer: Answer) -> None:
    """Until the caller has had enough."""
    await _start(send, msgspec.structs.replace(answer, content_type="application/json"), length=False)
    gone = asyncio.ensure_future(_gone(receive))
    with contextlib.suppress(OSError):
        while not gone.done():
            await send({"type": "http.response.body", "body": b" " * CHUNK, "more_body": True})
            await asyncio.sleep(0)
    gone.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
