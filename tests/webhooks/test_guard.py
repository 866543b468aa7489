"""Which addresses may be called: every spelling of the ones that may not is stopped at the socket."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.webhooks.guard import Forbidden, GuardedNetwork, Rules, checked_url, refusal

PUBLIC = Rules()
ON_PREMISE = Rules.of(private=["10.0.0.0/8", "127.0.0.1", "fd00::/8"], http=["erp.local"])


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.9.10", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
        *("169.254.169.254", "169.254.0.1", "100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "224.0.0.1"),
        *("255.255.255.255", "240.0.0.1", "168.63.129.16", "192.88.99.1"),
        *("::1", "::", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "fe80::1", "fc00::1"),
        *("fd12:3456::1", "ff02::1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:1::", "2001:db8::1"),
        *("::127.0.0.1", "fec0::1", "100::1", "3fff::1"),
    ],
)
def test_what_is_not_the_public_internet_is_refused(address: str) -> None:
    assert refusal(ip_address(address), PUBLIC)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "172.32.0.1", "100.128.0.1"])
def test_the_public_internet_is_called(address: str) -> None:
    assert refusal(ip_address(address), PUBLIC) is None


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("127.0.0.1", True),
        ("127.0.0.2", False),
        ("192.168.1.1", False),
        ("fd00::7", True),
        ("fe80::1", False),
    ],
)
def test_private_addresses_are_called_where_they_are_listed(address: str, allowed: bool) -> None:
    assert (refusal(ip_address(address), ON_PREMISE) is None) is allowed


@given(st.ip_addresses())
def test_a_mapped_address_is_judged_as_what_it_maps(address: object) -> None:
    plain = ip_address(str(address))
    if plain.version == 4:
        assert refusal(ip_address(f"::ffff:{plain}"), PUBLIC) == refusal(plain, PUBLIC)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("banana", "no URL"),
        ("ftp://example.org/x", "no URL of the web"),
        ("https://", "no URL"),
        ("https://exa mple.org/", "a space"),
        ("https://example.org/\x00", "control character"),
        ("http://example.org/hook", "allow_http"),
        ("https://user:secret@example.org/", "user name or password"),
        ("https://example.org/#part", "behind #"),
        ("https://example.org:0/", "port"),
    ],
)
def test_a_url_that_is_none_is_refused_with_what_would_be_right(url: str, said: str) -> None:
    with pytest.raises(Forbidden, match=said):
        checked_url(url, PUBLIC)


def test_http_is_taken_for_listed_hosts_only() -> None:
    assert str(checked_url("http://erp.local/hook", ON_PREMISE)) == "http://erp.local/hook"
    with pytest.raises(Forbidden):
        checked_url("http://crm.local/hook", ON_PREMISE)


# Spellings that a resolver takes for this machine.
LOOPBACK = ("127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "017700000001", "0", "[::1]".strip("[]"))


@pytest.mark.parametrize("host", LOOPBACK)
def test_no_spelling_of_this_machine_opens_a_socket(host: str) -> None:
    called: list[object] = []

    async def attempt() -> None:
        server = await asyncio.start_server(lambda r, w: called.append(w), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            with pytest.raises((Forbidden, httpcore.ConnectError)):
                await GuardedNetwork(PUBLIC).connect_tcp(host, port, timeout=20)
        finally:
            server.close()

    asyncio.run(attempt())
    assert called == []


def test_the_refusal_says_how_to_allow_it() -> None:
    async def attempt() -> None:
        with pytest.raises(Forbidden, match=r'add "127\.0\.0\.1" to allow_private in \[webhooks\]'):
            await GuardedNetwork(PUBLIC).connect_tcp("127.0.0.1", 9, timeout=20)

    asyncio.run(attempt())
