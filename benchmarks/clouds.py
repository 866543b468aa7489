"""The five simulated providers as a process of their own, with credit for any number of texts. Prints where they are as
one line of JSON, and stays until its stdin ends."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import uvloop

from benchmarks.processes import Failed
from drivers.simulator.providers import NAMES, ProviderSimulation

__all__ = ["accounts", "channel", "clouds", "control"]

_RICH = Decimal(10_000_000)


@contextmanager
def clouds() -> Iterator[dict[str, dict[str, Any]]]:
    """The options of an account at each, by driver."""
    child = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.clouds"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )
    assert child.stdout is not None
    assert child.stdin is not None
    try:
        yield msgspec.json.decode(child.stdout.readline())
    finally:
        child.stdin.close()
        child.wait(10)


def accounts(sim: ProviderSimulation) -> dict[str, dict[str, Any]]:
    a = {name: sim.account(name) for name in NAMES}
    url = {name: sim.url(name) for name in NAMES}
    return {
        "serwersms": {
            "url": f"{url['serwersms']}/server.php",
            "api_url": url["serwersms"],
            "username": a["serwersms"].login,
            "password": a["serwersms"].password,
        },
        "freshmail": {"url": url["freshmail"], "api_key": a["freshmail"].key, "api_secret": a["freshmail"].secret},
        "clickatell": {
            "url": f"{url['clickatell']}/soap/document_literal/webservice",
            "api_id": int(a["clickatell"].api_id),
            "user": a["clickatell"].login,
            "password": a["clickatell"].password,
        },
        "mobizon": {"url": url["mobizon"], "api_key": a["mobizon"].key},
        "smsc": {"url": f"{url['smsc']}/sys/soap.php", "login": a["smsc"].login, "password": a["smsc"].password},
    }


def channel(id: str, driver: str, account: dict[str, Any], secrets: Path) -> str:
    """A table of the configuration for this account; its secrets become files in the directory `secrets`."""
    lines = ["[[provider]]", f'id = "{id}"', f'driver = "{driver}"']
    for name, value in account.items():
        if name in ("password", "api_key", "api_secret"):
            file = secrets / f"{id}-{name}"
            file.write_text(value)
            file.chmod(0o600)
            lines.append(f'{name}_file = "{file}"')
        else:
            lines.append(f"{name} = {msgspec.json.encode(value).decode()}")  # TOML writes strings and numbers alike
    return "\n".join(lines) + "\n"


def control(account: dict[str, Any], method: str, what: str, body: object = None) -> Any:
    """Ask or change the simulated provider behind this account (drivers.simulator.providers.control)."""
    parts = urlsplit(account["url"])
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request(method, f"/-/{what}", msgspec.json.encode(body))
        answer = connection.getresponse()
        content = msgspec.json.decode(answer.read())
    finally:
        connection.close()
    if answer.status != 200:
        raise Failed(f"the simulated provider refused {what}: {content}")
    return content


async def _serve() -> None:
    async with ProviderSimulation() as sim:
        for name in NAMES:
            sim.account(name).credit = _RICH
        print(msgspec.json.encode(accounts(sim)).decode(), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(_serve())
