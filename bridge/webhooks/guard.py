"""Which addresses may be called. The one place is the opening of a socket, after DNS: a name, a number in any spelling
and a name that changes its mind between check and use all pass here (server-side request forgery).

Only global unicast is called: neither this machine nor its networks, nor what tunnels into IPv4 or names a cloud's own
services. `ipaddress`'s "is global" lets 6to4, NAT64 and 192.0.0.8 through, so the list is our own. On-premise users
list what they need.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import httpcore
import httpx
import msgspec

__all__ = ["Forbidden", "GuardedNetwork", "Rules", "checked_url", "host_of", "refusal", "resolve", "resolves_well"]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# IANA's special-purpose registries and what lies beside them.
_NOT_V4 = tuple(
    (IPv4Network(network), what)
    for network, what in (
        ("0.0.0.0/8", "this machine"),
        ("10.0.0.0/8", "a private network"),
        ("100.64.0.0/10", "a carrier's private network"),
        ("127.0.0.0/8", "this machine"),
        ("168.63.129.16/32", "a cloud's own service"),
        ("169.254.0.0/16", "a link-local or metadata address"),
        ("172.16.0.0/12", "a private network"),
        ("192.0.0.0/24", "a protocol's own address"),
        ("192.0.2.0/24", "for documentation"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "a private network"),
        ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_V6 = IPv6Network("2000::/3")  # global unicast; loopback, link-local, ULA, NAT64, multicast ... lie outside
_NOT_V6 = tuple(
    (IPv6Network(network), what)
    for network, what in (
        ("2001::/23", "a protocol's own address"),  # Teredo, ORCHID, benchmarks
        ("2001:db8::/32", "for documentation"),
        ("2002::/16", "6to4, which leads into IPv4"),
        ("3fff::/20", "for documentation"),
    )
)
_PORTS = range(1, 65_536)


class Forbidden(Exception):
    """This must not be called. The message says why, and what the operator can do."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator allows beside the public internet over TLS."""

    private: tuple[Network, ...] = ()
    http: frozenset[str] = frozenset()  # host names, as written in the URL

    @classmethod
    def of(cls, private: Iterable[str], http: Iterable[str]) -> Rules:
        return cls(private=tuple(ip_network(p) for p in private), http=frozenset(h.lower() for h in http))


def refusal(address: Address, rules: Rules) -> str | None:
    """Why this address must not be called; None: it may."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if any(address in network for network in rules.private if network.version == address.version):
        return None
    if isinstance(address, IPv4Address):
        return next((what for network, what in _NOT_V4 if address in network), None)
    if address not in _V6:
        return "not a public address"
    return next((what for network, what in _NOT_V6 if address in network), None)


def host_of(url: str) -> str:
    return httpx.URL(url).host


def checked_url(url: str, rules: Rules) -> httpx.URL:
    """The URL, if a webhook may have it. Its host is not looked up. Raises `Forbidden`."""
    example = "write it like https://hooks.example.org/sms"
    if not url.isprintable() or " " in url:
        raise Forbidden(f"is no URL: it holds a space or a control character; {example}")
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise Forbidden(f"is no URL: {error}; {example}") from None
    if parsed.scheme not in ("https", "http") or not parsed.host:
        raise Forbidden(f"is no URL of the web; {example}")
    if parsed.port is not None and parsed.port not in _PORTS:
        raise Forbidden("names a port that does not exist; ports are 1 to 65535")
    if parsed.userinfo:
        raise Forbidden("holds a user name or password; put that into a header of the endpoint, where it is not shown")
    if parsed.fragment:
        raise Forbidden("has a part behind #, which is never sent; take it off")
    if parsed.scheme == "http" and parsed.host.lower() not in rules.http:
        raise Forbidden(
            f'uses http, which anybody on the way can read; use https, or add "{parsed.host}" to allow_http in '
            "[webhooks] of the configuration"
        )
    return parsed


async def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host, in the order to try them. Raises `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def allowed(host: str, addresses: Sequence[str], rules: Rules) -> list[str]:
    """Those of its addresses that may be called. Raises `Forbidden` when none may."""
    reasons = {a: refusal(ip_address(a.partition("%")[0]), rules) for a in addresses}
    good = [a for a, reason in reasons.items() if reason is None]
    if not good:
        address, reason = next(iter(reasons.items()))
        named = f"{host} is {reason}" if host == address else f"{host} is {address}, {reason}"
        raise Forbidden(
            f'{named}: not called; if that is meant, add "{address}" to allow_private in '
            "[webhooks] of the configuration"
        )
    return good


async def resolves_well(url: httpx.URL, rules: Rules) -> None:
    """Raises `Forbidden` for a host that leads nowhere it may. A name that cannot be looked up now is not refused: each
    call looks again."""
    try:
        async with asyncio.timeout(3):
            addresses = await resolve(url.host, url.port or 443)
    except (OSError, UnicodeError):  # among them TimeoutError
        return
    allowed(url.host, addresses, rules)


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Opens sockets for the HTTP client, and only to addresses that may be called."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                addresses = await resolve(host, port)
        except TimeoutError:
            raise httpcore.ConnectTimeout(f"{host} could not be looked up in {timeout:g} s") from None
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} cannot be looked up: {error}") from None
        failure: Exception | None = None
        for address in allowed(host, addresses, self._rules):
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        assert failure is not None
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError("webhooks are not called over sockets of this machine")

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)
