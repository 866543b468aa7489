"""One event, posted to one webhook: signed, within 15 seconds, no redirects, at most 1 KiB of the answer kept."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpcore
import msgspec

from bridge import __version__
from bridge.clock import rfc3339
from bridge.endpoints import Endpoint
from bridge.events import Event
from bridge.model import Instant, show_id
from bridge.policy.delivery import Answer
from bridge.webhooks import signing
from bridge.webhooks.guard import Forbidden, GuardedNetwork, Rules, checked_url
from bridge.webhooks.sealing import Seal, SealBroken
from bridge.webhooks.trust import distrust

__all__ = ["Poster", "body_of"]

PATIENCE = 15.0  # seconds for everything, from the first packet to the last octet read
CONNECT = 10.0
KEPT = 1024  # octets of an answer
IDLE = 64  # connections kept open
_to_json = msgspec.json.Encoder().encode


def body_of(event: Event) -> str:
    """The same text at each try."""
    return _to_json(
        {
            "type": event.type.value,
            "timestamp": rfc3339(event.at),
            "id": show_id("evt", event.id),
            "key": event.key,
            "number": event.number,
            "data": event.data,
        }
    ).decode()


class Poster:
    """httpcore and not httpx: only it lets us open the sockets ourselves, and it knows neither proxies of the
    environment nor redirects."""

    def __init__(
        self,
        rules: Rules,
        context: ssl.SSLContext,
        seal: Seal,
        now: Callable[[], Instant],
        *,
        patience: float = PATIENCE,
    ) -> None:
        self._patience = patience
        self._rules = rules
        self._seal = seal
        self._now = now
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=None,  # one slow endpoint must not use up what the others need
            max_keepalive_connections=IDLE,
            keepalive_expiry=30.0,
            network_backend=GuardedNetwork(rules),
        )

    async def close(self) -> None:
        await self._pool.aclose()

    async def deliver(self, endpoint: Endpoint, event: Event) -> Answer:
        try:
            async with asyncio.timeout(self._patience):
                return await self._post(endpoint, event)
        except TimeoutError:
            return Answer(ok=False, problem=f"no whole answer within {self._patience:g} s")
        except httpcore.TimeoutException as error:
            return Answer(ok=False, problem=str(error) or "no connection in time")
        except (Forbidden, SealBroken) as error:
            return Answer(ok=False, problem=str(error))
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError) as error:
            return Answer(ok=False, problem=distrust(error) or f"{type(error).__name__}: {error}")

    async def _post(self, endpoint: Endpoint, event: Event) -> Answer:
        url = checked_url(endpoint.url, self._rules)
        now = self._now()
        body = body_of(event)
        sealed = [endpoint.secret]
        if endpoint.old_secret and (endpoint.old_secret_until or 0) > now:
            sealed.append(endpoint.old_secret)
        secrets = [self._seal.unseal(one) for one in sealed]
        own = {name: self._seal.unseal(value.encode()) for name, value in endpoint.headers.items()}
        headers = {
            "Host": url.netloc.decode("ascii"),
            "User-Agent": f"gsm-bridge/{__version__}",
            **own,
            "Content-Type": "application/json",
            "Content-Length": str(len(body.encode())),
            **signing.headers(show_id("evt", event.id), now, body, secrets),
        }
        async with self._pool.stream(
            "POST",
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=[(name.encode(), value.encode()) for name, value in headers.items()],
            content=body.encode(),
            extensions={"timeout": {"connect": CONNECT, "read": PATIENCE, "write": PATIENCE, "pool": PATIENCE}},
        ) as response:
            kept = bytearray()
            async for chunk in response.aiter_stream():
                kept += chunk[: KEPT - len(kept)]
                if len(kept) >= KEPT:
                    break  # whatever else it has to say
            return self._answer(response.status, response.headers, bytes(kept))

    def _answer(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> Answer:
        ok = 200 <= status < 300
        problem = ""
        if 300 <= status < 400:
            problem = "it answers with a redirect, which is not followed; give the endpoint its final URL"
        elif not ok:
            problem = f"it answered with status {status}"
        asked = next((value for name, value in headers if name.lower() == b"retry-after"), None)
        return Answer(
            ok=ok,
            status=status,
            problem=problem,
            body=body.decode("utf-8", "replace"),
            retry_after=None if ok or asked is None else _retry_after(asked.decode("latin-1"), self._now()),
        )


def _retry_after(value: str, now: Instant) -> int | None:
    """Milliseconds. Seconds or a date (RFC 9110 §10.2.3); anything else is not there."""
    if value.isascii() and value.isdigit():
        return int(value[:9]) * 1000
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(0, int((at - datetime.fromtimestamp(0, UTC)).total_seconds() * 1000) - now)
