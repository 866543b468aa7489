"""An ASGI application on a TCP port of this machine, served by uvicorn's protocol inside the running loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from functools import partial
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

__all__ = ["RESET", "Listener"]

RESET = "gsmbridge.reset"  # extension of the scope: end the connection now, by RST, or `gently` by FIN

# Longer than any test or demonstration waits between two requests; the bridge keeps connections alive.
KEEP_ALIVE = 120
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close() sends RST


class Listener:
    """Serves from `open` to `close`."""

    def __init__(self, app: Any, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._app = app
        self._state = ServerState()
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._emptied = asyncio.Event()

    async def open(self) -> int:
        """The port. Raises OSError when it is taken."""
        config = uvicorn.Config(
            self._app,
            log_config=None,
            access_log=False,
            lifespan="off",
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE,
            ws="none",
        )
        config.load()
        make = partial(_Connection, self._emptied, config=config, server_state=self._state, app_state={})
        self._server = await asyncio.get_running_loop().create_server(make, self._host, self._port)
        self._port = int(self._server.sockets[0].getsockname()[1])
        return self._port

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}"

    async def close(self) -> None:
        """End all connections and wait for the requests that were under way."""
        if self._server is None:
            return
        self._server.close()
        for connection in tuple(self._state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()
        tasks = tuple(self._state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._state.connections:  # an aborted transport closes its socket in the loop's next turn
            self._emptied.clear()
            await self._emptied.wait()
        self._server = None


class _Connection(HttpToolsProtocol):
    """uvicorn's protocol, which tells the application how to break the line."""

    def __init__(self, emptied: asyncio.Event, **given: Any) -> None:
        super().__init__(**given)
        self._emptied = emptied

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if not self.connections:
            self._emptied.set()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions: dict[Any, Any] = dict(self.scope.get("extensions") or {})
        extensions[RESET] = self._reset
        self.scope["extensions"] = extensions

    def _reset(self, *, gently: bool = False) -> None:
        if gently:
            self.transport.close()
            return
        raw = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        self.transport.abort()
