"""HTTP towards providers: one client an account, and what every failure of the transport says about "was it sent?".

Only what happens before the first byte of the request is `NotSent`; from that byte on a failure is `MaybeSent`. Nothing
is repeated here, no redirect is followed, no proxy is taken from the environment. Addresses, bodies and headers carry
secrets and are never logged; httpx's and httpcore's own loggers are held at warnings.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import zlib
from base64 import b64encode
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

import httpx
import msgspec

from drivers.contract import Cause, MaybeSent, NotSent, ReportFate, SubmitError
from drivers.providers.budget import AT_ONCE, Restraint
from drivers.providers.outcomes import Row, Then, error, look_up, rows

__all__ = [
    "BODY_LIMIT",
    "CONNECTIONS",
    "HTTP_STATUS",
    "Answer",
    "Client",
    "Endpoint",
    "check_url",
    "is_secure",
    "judge",
    "mask",
    "raw_text",
]

BODY_LIMIT = 5 * 1024 * 1024  # the longest honest answer, 10,000 items of a personalised list, has 3 MiB
CONNECTIONS = AT_ONCE  # of one account
RAW_LIMIT = 4096  # of an answer that is kept for people
RETRY_AFTER_LIMIT = 3600.0  # a provider may ask for an hour, not for a month
NOISY = (
    "httpx", "httpcore", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy",
    "httpcore.socks", "hpack", "zeep", "zeep.transports",
)  # fmt: skip

_WRONG_PATH = Row(fate=ReportFate.REJECTED, then=Then.TRY_NEXT, alarm=True, meaning="the address or method is wrong")
_UNCLEAR = Row(fate=ReportFate.UNKNOWN, reconcile=True, meaning="the provider or something before it failed")

HTTP_STATUS = rows({
    "401 403": Row(fate=ReportFate.REJECTED, then=Then.PAUSE, meaning="the provider does not accept our credentials"),
    "404 405 415 300 301 302 303 307 308": _WRONG_PATH,
    "407": Row(fate=ReportFate.REJECTED, then=Then.PAUSE, alarm=True, meaning="the proxy wants credentials"),
    "429": Row(fate=ReportFate.REJECTED, then=Then.RETRY_LATER, meaning="too many requests"),
    "202 204 408 500 502 503 504": _UNCLEAR,
})  # fmt: skip


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the options of every provider have in common; a driver's `Options` inherits from it.

    `proxy`: "http://host:port", used only when given here. `ca_file`: PEM file used in place of the system's
    authorities. Times in seconds; `total_timeout` bounds a whole exchange, however slowly it drips.
    """

    proxy: str = ""
    ca_file: str = ""
    connect_timeout: float = 5.0
    read_timeout: float = 30.0
    write_timeout: float = 10.0
    total_timeout: float = 60.0

    def __post_init__(self) -> None:
        for name in ("connect_timeout", "read_timeout", "write_timeout", "total_timeout"):
            if not 0 < getattr(self, name) <= 600:
                raise ValueError(f"{name} must be above 0 and at most 600 seconds")

    def __repr__(self) -> str:
        """No values: among them are secrets."""
        return f"{type(self).__module__}.Options(...)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer, whatever its status. Header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


class Client:
    """One account's connections, kept alive between requests.

    `secrets`: what must not be seen in a kept answer. `basic`: user and password for HTTP Basic. `restraint`: where an
    account has two clients, what both share. Made without touching the network; connects with the first request.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        secrets: Iterable[str] = (),
        basic: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        secure: bool = True,
        restraint: Restraint | None = None,
    ) -> None:
        _hush()
        self._restraint = restraint or Restraint()
        self.secrets = tuple(secrets)
        self._endpoint = endpoint
        self._total = endpoint.total_timeout
        self._secure = secure
        self._headers = {"Accept-Encoding": "identity", "User-Agent": "gsm-bridge", **(headers or {})}
        if basic is not None:
            self._headers["Authorization"] = "Basic " + b64encode(":".join(basic).encode()).decode()
        if any(c < " " or c == "\x7f" for value in self._headers.values() for c in value):
            raise ValueError("a token or password holds a control character")
        self._http: httpx.AsyncClient | None = None

    async def request(
        self, method: str, url: str, *, content: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One exchange, never repeated. Raises `NotSent` or `MaybeSent`; any status is an answer (see `judge`).
        A provider that does not answer is soon asked seldom: `NotSent` with the time to wait."""
        progress = _Progress()
        try:
            async with self._restraint.request() as answered, asyncio.timeout(self._total):
                answer = await self._exchange(method, url, content, headers, progress)
                if _sound(answer):
                    answered()
                return answer
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError, _Unreadable) as failure:
            # The texts of these errors may hold a header or an address; the chain is cut so that no traceback shows it.
            raise _judged(failure, progress.began) from None

    async def close(self) -> None:
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def _exchange(
        self, method: str, url: str, content: bytes, headers: Mapping[str, str] | None, progress: _Progress
    ) -> Answer:
        if self._http is None:
            self._http = self._open()
        request = self._http.build_request(
            method,
            url,
            content=content or None,
            headers=[(k.encode(), v.encode()) for k, v in {**self._headers, **(headers or {})}.items()],
            extensions={"trace": progress.trace},
        )
        response = await self._http.send(request, stream=True)
        try:
            body = await _bounded(response)
        finally:
            await response.aclose()
        return Answer(
            status=response.status_code, headers={k.lower(): v for k, v in response.headers.items()}, body=body
        )

    def _open(self) -> httpx.AsyncClient:
        e = self._endpoint
        # Loopback without TLS gets a context that trusts nobody, which spares the time to load the authorities.
        context = _tls(e.ca_file) if self._secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return httpx.AsyncClient(
            verify=context,
            timeout=httpx.Timeout(
                connect=e.connect_timeout, read=e.read_timeout, write=e.write_timeout, pool=e.connect_timeout
            ),
            limits=httpx.Limits(
                max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=5.0
            ),
            follow_redirects=False,
            trust_env=False,
            proxy=e.proxy or None,
        )


def judge(answer: Answer) -> SubmitError | None:
    """What the HTTP status alone says; None when the body has to be read. A driver whose provider puts a readable error
    into a 4xx or 5xx reads that first."""
    if answer.status == 200 or (answer.status in (201, 202) and answer.body):
        return None
    row = look_up(HTTP_STATUS, str(answer.status))
    if row.then is Then.RETRY_LATER:
        row = msgspec.structs.replace(row, delay=_retry_after(answer))
    detail = f"HTTP {answer.status}: {row.meaning}"
    return error(row, code=f"http_{answer.status}", detail=detail, raw=answer.text[:RAW_LIMIT])


def check_url(url: str, *, name: str = "url") -> str:
    """The address without a trailing slash. Raises ValueError, without showing the address, unless it is https or on
    loopback."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(f"{name} is not an address") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(f"{name} must begin with https:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{name} must not hold a user name or password; use the options for them")
    if parts.query or parts.fragment:
        raise ValueError(f"{name} must end with its path")
    if parts.scheme == "http" and not _loopback(host):
        raise ValueError(f"{name} must be https: credentials would travel readable (http is allowed on loopback only)")
    return url.rstrip("/")


def is_secure(url: str) -> bool:
    return url.startswith("https:")


def mask(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret replaced, in the forms in which a proxy or provider may echo it."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        escaped = secret.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        forms = {secret, quote(secret, safe=""), quote_plus(secret), escaped, b64encode(secret.encode()).decode()}
        for form in forms:
            text = text.replace(form, "***")
    return text


def raw_text(answer: Answer, secrets: Iterable[str]) -> str:
    """An answer as it is kept for people: masked and cut."""
    return mask(answer.text, secrets)[:RAW_LIMIT]


# --- Below ------------------------------------------------------------------------------------------------------------


def _sound(answer: Answer) -> bool:
    """Whether the provider itself seems to have answered: not its overload, nor a page of some box in between."""
    began = answer.body[:64].lstrip().lower()
    page = not began or began.startswith((b"<!doctype", b"<html"))
    return not page and answer.status not in (408, 429) and answer.status < 500


class _Unreadable(Exception):
    """The body is too long or not what its headers say."""


class _Progress:
    """Whether the first byte of our request may have left: httpcore tells when it starts to write the head. The CONNECT
    to a proxy is not our request."""

    began = False

    async def trace(self, event: str, info: dict[str, Any]) -> None:
        if event.endswith("send_request_headers.started") and getattr(info.get("request"), "method", b"") != b"CONNECT":
            self.began = True


def _judged(failure: Exception, began: bool) -> SubmitError:
    kind = type(failure).__name__
    if isinstance(failure, httpx.ProxyError):
        wants_login = str(failure).startswith("407")
        return NotSent(
            "the proxy wants credentials" if wants_login else "the proxy did not let us through",
            code="http_407" if wants_login else "proxy",
            cause=Cause.LINK,
            channel_unusable=wants_login,
        )
    if began:
        code = "unreadable" if isinstance(failure, _Unreadable) else "no_answer"
        return MaybeSent(f"no readable answer after the request began ({kind})", code=code, cause=Cause.DOUBT)
    if any(isinstance(e, ssl.SSLCertVerificationError) for e in _chain(failure)):
        return NotSent(
            "the provider's certificate is not valid: check the clock, ca_file and who is in between",
            code="certificate",
            cause=Cause.LINK,
            channel_unusable=True,
        )
    if isinstance(failure, httpx.PoolTimeout):
        return NotSent("no free connection to the provider", code="pool", cause=Cause.LINK)
    return NotSent(f"the provider cannot be reached ({kind})", code="unreachable", cause=Cause.LINK)


def _chain(failure: BaseException) -> Iterable[BaseException]:
    seen: list[BaseException] = []
    e: BaseException | None = failure
    while e is not None and e not in seen:
        seen.append(e)
        e = e.__cause__ or e.__context__
    return seen


async def _bounded(response: httpx.Response) -> bytes:
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > BODY_LIMIT:
            raise _Unreadable
    if response.headers.get("content-encoding", "identity") == "identity":
        return bytes(body)
    # Compressed although we asked for none. Bounded, so that a small answer cannot fill the memory.
    try:
        unpacker = zlib.decompressobj(wbits=47)  # gzip or zlib, by its head
        plain = unpacker.decompress(bytes(body), BODY_LIMIT)
    except zlib.error:
        raise _Unreadable from None
    if not unpacker.eof:
        raise _Unreadable
    return plain


def _retry_after(answer: Answer) -> float | None:
    value = answer.headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.isascii() and value.isdigit():
        seconds = float(value[:9])
    else:
        try:  # a date, read against the provider's own clock
            now = parsedate_to_datetime(answer.headers.get("date", ""))
            seconds = (parsedate_to_datetime(value) - now).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(max(seconds, 0.0), RETRY_AFTER_LIMIT)


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _tls(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _warnings_only(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


def _hush() -> None:
    """httpx logs addresses at info, httpcore whole requests at debug. The filter holds even when somebody lowers the
    level."""
    for name in NOISY:
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING)
        if _warnings_only not in logger.filters:
            logger.addFilter(_warnings_only)
