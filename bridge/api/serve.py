"""The listeners: one for the network, one private socket for the operator, both served by uvicorn inside our loop."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import stat
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

from bridge.api.protocol import BoundedProtocol

__all__ = ["Addresses", "HttpServer", "ListenError"]

_log = logging.getLogger("gsmbridge.api")

_KEEP_ALIVE = 75  # seconds an idle connection stays open; longer than the 60 s of common proxies
_BACKLOG = 1024


class ListenError(Exception):
    """A listener cannot be opened. The message names the address, the setting, and what to do."""


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where the service listens. `listen`: "address:port" with the real port."""

    listen: str | None
    socket: Path | None

    @property
    def url(self) -> str | None:
        return None if self.listen is None else f"http://{self.listen}"


class HttpServer:
    """Serves one ASGI application. Signals and logging stay the program's own."""

    def __init__(
        self,
        app: Any,
        *,
        listen: str | None,
        socket: Path | None = None,
        protocol: type[BoundedProtocol] = BoundedProtocol,
    ) -> None:
        self._app = app
        self._protocol = protocol
        self._listen = listen
        self._path = socket
        self._inode: tuple[int, int] | None = None
        self._servers: list[tuple[uvicorn.Server, Any]] = []

    async def start(self) -> Addresses:
        """Open the listeners. Raises `ListenError`; then none is open."""
        opened: list[tuple[Any, socket.socket]] = []
        address: str | None = None
        try:
            if self._listen is not None:
                tcp = _tcp_socket(self._listen)
                address = _shown(tcp)
                opened.append((self._app, tcp))
            if self._path is not None:
                private = _unix_socket(self._path)
                self._inode = _inode(self._path)
                opened.append((_as_operator(self._app), private))
        except ListenError:
            for _, sock in opened:
                sock.close()
            raise
        for app, sock in opened:
            self._servers.append((await self._serve(app, sock), sock))
        _log.info("http_listening address=%s socket=%s", address, self._path)
        return Addresses(listen=address, socket=self._path)

    async def stop(self, patience: float = 5.0) -> None:
        """Close the listeners, let running requests end for at most `patience` seconds, then cut them."""
        servers, self._servers = self._servers, []
        for server, _ in servers:
            server.config.timeout_graceful_shutdown = max(1, round(patience))
        await asyncio.gather(*(server.shutdown([sock]) for server, sock in servers))
        # Another service may have taken the path over meanwhile; its socket is not ours to remove.
        if self._path is not None and self._inode is not None and _inode(self._path) == self._inode:
            self._path.unlink(missing_ok=True)
        self._inode = None

    async def _serve(self, app: Any, sock: Any) -> uvicorn.Server:
        config = uvicorn.Config(
            app,
            http=self._protocol,
            ws="none",
            loop="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="critical",  # what goes wrong inside is told by `front`, without numbers and texts
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,  # by the protocol, see there
            timeout_keep_alive=_KEEP_ALIVE,
            backlog=_BACKLOG,
        )
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[sock])
        return server


def _as_operator(app: Any) -> Any:
    """Who can open the private socket is the operator: its folder lets nobody else in."""

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        scope["state"]["operator"] = True
        await app(scope, receive, send)

    return wrapped


# --- Sockets ----------------------------------------------------------------------------------------------------------


def _tcp_socket(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ListenError(f"cannot listen on {listen!r}: set service.listen to address:port, such as 127.0.0.1:8025")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ListenError(f"cannot listen on {listen}: {_why(error)}; set service.listen to address:port") from None
    family, kind, protocol, _, address = found[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise ListenError(f"cannot listen on {listen}: {_why(error)}{_remedy(error)}") from None
    sock.setblocking(False)
    return sock


def _remedy(error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "; another program, perhaps a second gsmbridge, has it: stop that or change service.listen"
        case errno.EACCES:
            return "; ports below 1024 are for root: choose a higher one in service.listen"
        case errno.EADDRNOTAVAIL:
            return "; this machine does not have that address: change service.listen"
        case _:
            return "; change service.listen"


def _unix_socket(path: Path) -> socket.socket:
    """The private socket, mode 0600. A stale file of a service that is gone is removed, anything else is left alone."""
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Narrow from the first moment: between bind and chmod the file would have the mask's mode.
        mask = os.umask(0o177)
        try:
            sock.bind(os.fspath(path))
        finally:
            os.umask(mask)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise ListenError(f"cannot open the private socket {path}: {_why(error)}; see service.state_dir") from None
    sock.setblocking(False)
    return sock


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise ListenError(f"cannot open the private socket {path}: {_why(error)}; see service.state_dir") from None
    if not stat.S_ISSOCK(mode):
        raise ListenError(f"cannot open the private socket {path}: something else has this name; move it away")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise ListenError(f"cannot open the private socket {path}: {_why(error)}") from None
        else:
            raise ListenError(f"another gsmbridge answers on {path}; stop it, or set another service.state_dir")


def _shown(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error)
