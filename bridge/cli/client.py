"""The client of the running service: over its private socket, or over HTTP with a key."""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from bridge.cli.exits import Exit, Stop

if TYPE_CHECKING:
    import httpx

    from bridge.config import Settings

__all__ = ["Client", "Refusal", "config_stop", "connect", "is_running", "settings_for"]

_PAGE = 200  # the API's largest page
_TRIES = 3  # for requests that may be repeated without doing anything twice
_CONNECT, ANSWER = 5.0, 60.0  # seconds; a batch of 10,000 on a slow card takes a while to commit


class Refusal(Stop):
    """The service answered, and the answer is no. `problem`: its problem details (RFC 9457)."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(problem.get("code", ""))
        self.problem = problem
        super().__init__(_exit_for(status), self.told(str))

    def told(self, place: Callable[[str], str]) -> str:
        """Every complaint on its line. `place` says where in words that the person knows."""
        complaints = self.problem.get("errors") or []
        if not complaints:
            detail = self.problem.get("detail") or self.problem.get("title") or f"refused with status {self.status}"
            return f"{detail} ({self.code})" if self.code else str(detail)
        lines = [f"{place(c['at'])}: {c['detail']} ({c['code']})" for c in complaints]
        if left := self.problem.get("errors_left"):
            lines.append(f"... and {left} more")
        return "\n  ".join(lines)


def settings_for(config: Path | None) -> Settings:
    """The configuration without its secrets, which only the service needs."""
    from bridge.config import ConfigError, load

    try:
        return load(config, secrets=False)
    except ConfigError as error:
        raise config_stop(error) from None


def config_stop(error: Any) -> Stop:
    """Every problem of a `ConfigError`, one a line."""
    problems = "\n".join(f"  {problem}" for problem in error.problems)
    name = error.source or "the configuration"
    number = len(error.problems)
    return Stop(Exit.CONFIG, f"{name} has {number} mistake{'s' if number > 1 else ''}:\n{problems}")


@contextmanager
def connect(
    config: Path | None, url: str | None, key_file: Path | None, *, patience: float = ANSWER
) -> Iterator[Client]:
    """The service as the options say, its answers awaited for `patience` seconds. Raises `Stop` if it does not run."""
    if url:
        if not url.startswith(("http://", "https://")):
            raise Stop(Exit.USAGE, f"{url} is no address of a service", "Write it like http://127.0.0.1:8025")
        client = Client(url=url.rstrip("/"), key=_key(key_file), patience=patience)
    else:
        socket = settings_for(config).service.socket
        if not is_running(socket):
            raise _unreachable(str(socket))
        client = Client(socket=socket, patience=patience)
    with client:
        yield client


def is_running(socket: Path) -> bool:
    """Whether somebody listens on the private socket."""
    import socket as sockets

    with sockets.socket(sockets.AF_UNIX) as probe:
        probe.settimeout(_CONNECT)
        try:
            probe.connect(str(socket))
        except PermissionError:
            raise _no_permission(socket) from None
        except OSError:
            return False
    return True


class Client:
    def __init__(self, *, socket: Path | None = None, url: str = "", key: str = "", patience: float = ANSWER) -> None:
        import httpx

        # The default context with its 140 CAs is 30 ms for nothing where there is no TLS; an empty one trusts nobody.
        verify = ssl.create_default_context() if url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        transport = httpx.HTTPTransport(uds=str(socket) if socket else None, verify=verify)
        self._where = str(socket) if socket else url
        self._http = httpx.Client(
            transport=transport,
            base_url=url or "http://gsmbridge",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(patience, connect=_CONNECT),
            trust_env=False,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, **params: object) -> Any:
        """The answer's JSON. Parameters that are None are left out. Raises `Stop`."""
        query = {name: _param(value) for name, value in params.items() if value is not None}
        return self._ask("GET", path, params=query, tries=_TRIES)

    def text(self, path: str) -> str:
        """An answer that is no JSON."""
        import httpx

        try:
            response = self._http.get(path)
        except httpx.TransportError as error:
            raise Stop(Exit.TEMPFAIL, f"the service at {self._where} did not answer: {error}") from None
        return response.text if response.is_success else str(self._answer(response))

    def ask_once(self, path: str, **params: object) -> Any:
        """The same for what costs money each time: never asked again by itself."""
        return self._ask("GET", path, params={name: _param(value) for name, value in params.items()}, tries=1)

    def pages(self, path: str, limit: int, **params: object) -> list[dict[str, Any]]:
        """Up to `limit` items of a list, newest first, over as many pages as that takes."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while len(found) < limit:
            page = self.get(path, **params, limit=min(_PAGE, limit - len(found)), cursor=cursor)
            found += page["items"]
            cursor = page["next"]
            if cursor is None:
                break
        return found

    def post(self, path: str, body: Mapping[str, Any] | None = None, *, once: str | None = None) -> Any:
        """`once`: the idempotency key; with it a lost answer is asked for again."""
        headers = {"Idempotency-Key": once} if once else {}
        return self._ask("POST", path, json=body or {}, headers=headers, tries=_TRIES if once else 1)

    def delete(self, path: str) -> Any:
        return self._ask("DELETE", path, tries=1)

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """May be asked again: a change that was made already changes nothing."""
        return self._ask("PATCH", path, json=body, tries=_TRIES)

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """A request that may change something: not repeated by itself, unless it only reads."""
        options: dict[str, Any] = {} if body is None else {"json": body}
        return self._ask(method, path, tries=_TRIES if method == "GET" else 1, **options)

    def _ask(self, method: str, path: str, *, tries: int, **options: Any) -> Any:
        import httpx

        for left in reversed(range(tries)):
            try:
                response = self._http.request(method, path, **options)
            except httpx.ConnectError:
                raise _unreachable(self._where) from None
            except httpx.TransportError as error:
                if left:
                    continue
                raise Stop(
                    Exit.TEMPFAIL,
                    f"the service at {self._where} did not answer: {error or type(error).__name__}",
                    "Look at its log, and ask again what became of the order before you repeat it."
                    if method == "POST"
                    else "Look at its log, and try again.",
                ) from None
            return self._answer(response)
        raise AssertionError("there is at least one try")

    def _answer(self, response: httpx.Response) -> Any:
        try:
            body = response.json() if response.content else {}
        except ValueError:
            body = None
        if response.is_success and body is not None:
            return body
        if body is None or not isinstance(body, dict):
            raise Stop(
                Exit.UNAVAILABLE,
                f"{self._where} answered {response.status_code} without JSON: is it gsm-bridge?",
                "Check --url.",
            )
        raise Refusal(response.status_code, body)


def _exit_for(status: int) -> Exit:
    if status in (401, 403):
        return Exit.NO_PERMISSION
    if status == 404:
        return Exit.NO_INPUT
    if status in (502, 504):
        return Exit.UNAVAILABLE
    if status in (408, 429, 503, 507):
        return Exit.TEMPFAIL
    return Exit.DATA if 400 <= status < 500 else Exit.INTERNAL


def _key(file: Path | None) -> str:
    if file is None:
        raise Stop(
            Exit.USAGE,
            "--url needs an API key",
            "Name its file with --key-file or $GSMBRIDGE_KEY_FILE; `gsmbridge key create` makes one.",
        )
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            text = opened.read(4096).decode("ascii").strip()
    except FileNotFoundError:
        raise Stop(Exit.NO_INPUT, f"there is no key file {file}") from None
    except OSError as error:
        raise Stop(Exit.NO_INPUT, f"the key file {file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        text = ""
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Stop(Exit.CONFIG, f"the key file {file} can be read by others", f"Run: chmod 600 {file}")
    if not text or not text.isprintable() or " " in text:
        raise Stop(Exit.DATA, f"{file} does not hold an API key and nothing else")
    return text


def _unreachable(where: str) -> Stop:
    return Stop(
        Exit.UNAVAILABLE,
        f"The service is not running: nothing listens on {where}.",
        "Start it with `gsmbridge run`, or say with --config or --url where it is.",
    )


def _no_permission(socket: Path) -> Stop:
    return Stop(
        Exit.NO_PERMISSION,
        f"You may not open {socket}: only the service's own user and root may.",
        "Use sudo, or an API key: --url http://... --key-file FILE.",
    )


def _param(value: object) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
