"""The control channel of a running simulation: a Unix socket, one JSON object a line each way.

Requests are `{"do": "...", ...}`, answers `{"ok": true, ...}` or `{"ok": false, "error": "..."}`. README.md lists them.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from drivers.simulator.ledger import Entry
from drivers.simulator.menus import codes_from
from drivers.simulator.simulation import SimulatedModem, Simulation

__all__ = ["Control", "ControlError", "serve_control"]

LINE = 1_048_576  # octets of one request
PAGE = 1000  # entries of the ledger in one answer


class ControlError(Exception):
    """The simulation refused a request; the text says why."""


async def serve_control(simulation: Simulation, path: Path) -> asyncio.AbstractServer:
    """Listen until the server is closed. Raises OSError when the socket cannot be made; an old one is replaced."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(msgspec.json.encode(await _answer(simulation, line)) + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):  # gone, or a line longer than LINE
            pass
        finally:
            writer.close()

    return await asyncio.start_unix_server(client, sock=_listening(path), limit=LINE)


class Control:
    """A client that waits for each answer; `with Control(path) as control: control.ask("inject", to=..., text=...)`."""

    def __init__(self, path: Path, *, timeout: float = 30.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")

    def __enter__(self) -> Control:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """The answer without `ok`. Raises ControlError, TimeoutError, ConnectionError."""
        self._socket.sendall(msgspec.json.encode({"do": do, **arguments}) + b"\n")
        line = self._lines.readline()
        if not line:
            raise ConnectionError("the simulation has ended")
        answer: dict[str, Any] = msgspec.json.decode(line)
        if not answer.pop("ok"):
            raise ControlError(answer["error"])
        return answer

    def ledger(self, since: int = 0) -> list[Entry]:
        """All entries after the first `since`."""
        found: list[Entry] = []
        while True:
            page = self.ask("ledger", since=since + len(found))["entries"]
            found += [msgspec.convert(entry, Entry) for entry in page]
            if len(page) < PAGE:
                return found


def _listening(path: Path) -> socket.socket:
    """A socket that belongs to its owner alone. It has its name once somebody listens: who sees it may connect."""
    unnamed = path.with_name(f".{path.name}")
    unnamed.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(unnamed))
    unnamed.chmod(0o600)
    listening.listen()
    unnamed.replace(path)
    return listening


class _Request(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    do: str
    modem: str | None = None
    to: str = ""
    text: str = ""
    sender: str = "+447700900999"
    pdu: str = ""
    name: str | None = None
    since: int = 0
    total: int = 0
    stat: int = 1
    set: dict[str, Any] = {}


async def _answer(simulation: Simulation, line: bytes) -> dict[str, Any]:
    try:
        request = msgspec.json.decode(line, type=_Request)
        if request.do == "wait":
            await simulation.network.submits(request.total)
            return {"ok": True, "total": simulation.network.ledger.total}
        action = _ACTIONS.get(request.do)
        if action is None:
            raise ControlError(f"nothing is called {request.do!r}; there are wait, {', '.join(_ACTIONS)}")
        return {"ok": True} | action(simulation, request)
    except KeyError as error:
        return {"ok": False, "error": f"no modem has the number {error}"}
    except (ControlError, ValueError) as error:
        return {"ok": False, "error": str(error)}


def _state(simulation: Simulation, request: _Request) -> dict[str, Any]:
    return {"modems": [told(modem) for modem in simulation.modems], "total": simulation.network.ledger.total}


def told(modem: SimulatedModem) -> dict[str, Any]:
    """A modem for people."""
    return {
        "port": modem.port,
        "device": modem.device,
        "plugged": modem.plugged,
        "in_use": modem.in_use,
        "number": modem.number,
        "imei": modem.imei,
        "iccid": modem.iccid,
        "imsi": modem.imsi,
        "profile": modem.modem.profile.name,
        "commands": modem.modem.commands_seen,
        "intrusions": modem.modem.intrusions,
        "waiting": modem.modem.network.waiting(modem.number),
    }


def _ledger(simulation: Simulation, request: _Request) -> dict[str, Any]:
    entries = simulation.network.ledger.since(request.since)[:PAGE]
    return {"entries": [entry.told() for entry in entries], "total": simulation.network.ledger.total}


def _inject(simulation: Simulation, request: _Request) -> dict[str, Any]:
    return {"pdus": simulation.network.inject(request.to, request.text, sender=request.sender)}


def _inject_pdu(simulation: Simulation, request: _Request) -> dict[str, Any]:
    simulation.network.inject_pdu(request.to, request.pdu)
    return {}


def _faults(simulation: Simulation, request: _Request) -> dict[str, Any]:
    modems = simulation.modems if request.modem is None else [simulation.modem_of(request.modem)]
    knobs = [modem.set_faults(**request.set) for modem in modems]
    return {"faults": msgspec.to_builtins(knobs[0])}


def _network(simulation: Simulation, request: _Request) -> dict[str, Any]:
    return {"faults": msgspec.to_builtins(simulation.network.set_faults(**request.set))}


def _unplug(simulation: Simulation, request: _Request) -> dict[str, Any]:
    simulation.modem_of(request.modem or "").unplug()
    return {}


def _replug(simulation: Simulation, request: _Request) -> dict[str, Any]:
    modem = simulation.modem_of(request.modem or "")
    modem.replug(request.name)
    return {"port": modem.port}


def _reboot(simulation: Simulation, request: _Request) -> dict[str, Any]:
    simulation.modem_of(request.modem or "").reboot()
    return {}


def _rename(simulation: Simulation, request: _Request) -> dict[str, Any]:
    modem = simulation.modem_of(request.modem or "")
    modem.rename(request.name or modem.link.name)
    return {"port": modem.port}


def _reset_usb(simulation: Simulation, request: _Request) -> dict[str, Any]:
    simulation.modem_of(request.modem or "").reset_usb()
    return {}


def _cut_power(simulation: Simulation, request: _Request) -> dict[str, Any]:
    simulation.modem_of(request.modem or "").cut_power()
    return {}


def _register(simulation: Simulation, request: _Request) -> dict[str, Any]:
    simulation.modem_of(request.modem or "").modem.register(request.stat)
    return {}


def _swap(simulation: Simulation, request: _Request) -> dict[str, Any]:
    """The cards of two modems are exchanged; `to` is the number in the other."""
    one, other = simulation.modem_of(request.modem or ""), simulation.modem_of(request.to)
    first, second = one.sim, other.sim
    one.insert(second)
    other.insert(first)
    return {}


def _ussd(simulation: Simulation, request: _Request) -> dict[str, Any]:
    """What the codes in `set` are answered with: by the SIM of `modem`, or by the network to all."""
    codes = codes_from(request.set)
    if request.modem is None:
        simulation.network.ussd = codes
    else:
        simulation.modem_of(request.modem).sim.ussd = codes
    return {}


def _ring(simulation: Simulation, request: _Request) -> dict[str, Any]:
    """`total` times, three seconds apart; withheld when `sender` is empty."""
    simulation.modem_of(request.modem or "").modem.ring(request.sender, times=request.total or 10)
    return {}


_ACTIONS: dict[str, Callable[[Simulation, _Request], dict[str, Any]]] = {
    "state": _state,
    "ledger": _ledger,
    "inject": _inject,
    "inject_pdu": _inject_pdu,
    "faults": _faults,
    "network": _network,
    "unplug": _unplug,
    "replug": _replug,
    "reboot": _reboot,
    "ring": _ring,
    "ussd": _ussd,
    "rename": _rename,
    "reset_usb": _reset_usb,
    "cut_power": _cut_power,
    "register": _register,
    "swap": _swap,
}
