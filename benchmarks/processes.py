"""The service and the simulated modems, each started as a user starts it, and what they use of the machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from time import clock_gettime, monotonic, sleep
from typing import Any

import msgspec

from benchmarks.client import Client
from drivers.simulator.control import Control
from drivers.simulator.ledger import Entry

__all__ = ["Failed", "Service", "Simulator", "gsmbridge"]

_START = 60.0  # seconds a process may take to be ready
_STOP = 30.0
_ORDERED = 60.0  # what was ordered is sent


class Failed(Exception):
    """A process did not do what it should; the message holds the end of its log."""


def gsmbridge(*arguments: str) -> list[str]:
    """The command line of the installed program, or of this folder when it is not installed."""
    installed = Path(sys.executable).with_name("gsmbridge")
    if installed.exists():
        return [str(installed), *arguments]
    return [sys.executable, "-c", "import sys; from bridge.cli import main; sys.exit(main())", *arguments]


class _Process:
    """A child that ends with the block it was made in."""

    def __init__(self, command: list[str], log: Path, environment: dict[str, str] | None = None) -> None:
        self._log = log
        self.started_at = monotonic()
        with log.open("ab") as file:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env={**os.environ, **(environment or {})},
                process_group=0,  # Ctrl-C is for us; we end it in order
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    def cpu(self) -> float:
        """Seconds of processor time of all its threads so far (CPUCLOCK_SCHED of clock_getcpuclockid(3))."""
        return clock_gettime(~self.pid << 3 | 2)

    def sleeps(self) -> int:
        """How often the main thread has waited for something so far (voluntary context switches of proc(5))."""
        status = Path(f"/proc/{self.pid}/task/{self.pid}/status").read_text()
        return int(status.partition("voluntary_ctxt_switches:")[2].split()[0])

    def resident(self) -> int:
        """Octets of memory, shared libraries included."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def proportional(self) -> int:
        """Octets of memory, shared pages counted in parts (Pss)."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
        raise Failed("the kernel does not tell Pss")

    def stop(self) -> None:
        """SIGTERM, and wait."""
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(_STOP)
            except subprocess.TimeoutExpired:
                self.kill()
                raise self.failed(f"did not stop within {_STOP:.0f} s") from None

    def kill(self) -> None:
        """SIGKILL: what a power cut is to the process."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGKILL)
            self._child.wait()

    def failed(self, what: str) -> Failed:
        tail = self._log.read_bytes()[-3000:].decode(errors="replace")
        return Failed(f"{self._child.args[0]!r} {what}; its log ends:\n{tail}")  # type: ignore[index]

    def alive(self) -> bool:
        return self._child.poll() is None


class Service(_Process):
    """`gsmbridge run` on a state directory, with a modem at each of `ports`. Ready when made: `url`, `ready_after`."""

    def __init__(
        self,
        state_dir: Path,
        key: str,
        ports: list[str],
        runtime: Path,
        *,
        environment: dict[str, str] | None = None,
        more: str = "",
    ) -> None:
        """`more`: further tables of the configuration."""
        self.state_dir = state_dir
        self.key = key
        self.config = state_dir / "config.toml"
        write_config(self.config, state_dir, runtime, ports, more)
        told = runtime / "notify"
        told.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:  # we are its service manager (sd_notify(3))
            line.bind(str(told))
            line.settimeout(0.5)
            super().__init__(
                gsmbridge("run", "--config", str(self.config)),
                state_dir / "service.log",
                {"NOTIFY_SOCKET": str(told), **(environment or {})},
            )
            self.url = self._await(line)
        self.ready_after = monotonic() - self.started_at
        host, _, port = self.url.rpartition("/")[2].rpartition(":")
        self.host, self.port = host, int(port)

    def client(self) -> Client:
        return Client(self.host, self.port, self.key)

    def channels(self) -> list[dict[str, Any]]:
        with self.client() as client:
            items: list[dict[str, Any]] = client.get("/v1/channels")["items"]
            return items

    def await_channels(self) -> None:
        """Until every modem can send."""
        until = monotonic() + _START
        while any(channel["state"] != "up" for channel in self.channels()):
            if monotonic() > until or not self.alive():
                raise self.failed("has channels that do not come up")
            sleep(0.05)

    def __enter__(self) -> Service:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.stop()
        else:
            self.kill()

    def _await(self, line: socket.socket) -> str:
        while True:
            try:
                said = dict(pair.split("=", 1) for pair in line.recv(4096).decode().split("\n") if "=" in pair)
            except TimeoutError:
                if not self.alive() or monotonic() - self.started_at > _START:
                    self.kill()
                    raise self.failed("did not become ready") from None
                continue
            if "READY" in said:
                return said["STATUS"].rpartition(" ")[2].rstrip("/")


class Simulator(_Process):
    """`gsmbridge simulate`: `ports`, the network's ledger, and its control socket."""

    def __init__(
        self, modems: int, runtime: Path, work: Path, *, delay: float = 0.0, reports: float | None = None
    ) -> None:
        self._file = work / "ledger.jsonl"
        self._file.unlink(missing_ok=True)
        self._read = 0
        path = runtime / "control"
        super().__init__(
            gsmbridge(
                *("simulate", "--modems", str(modems), "--dir", str(runtime), "--delay", str(delay)),
                *(
                    "--reports",
                    str(-1 if reports is None else reports),
                    "--ledger",
                    str(self._file),
                    "--control",
                    str(path),
                ),
            ),
            work / "simulator.log",
        )
        until = monotonic() + _START
        while not path.exists():
            if not self.alive() or monotonic() > until:
                self.kill()
                raise self.failed("did not become ready")
            sleep(0.01)
        self.control = Control(path, timeout=_ORDERED)
        state = self.control.ask("state")["modems"]
        self.ports: list[str] = [modem["port"] for modem in state]
        self.numbers: list[str] = [modem["number"] for modem in state]

    def taken(self) -> int:
        total: int = self.control.ask("state")["total"]
        return total

    def await_taken(self, total: int) -> None:
        """Until the network has taken so many since its start."""
        try:
            self.control.ask("wait", total=total)
        except TimeoutError:
            raise Failed(f"the network has not taken {total} messages within {_ORDERED:.0f} s") from None

    def new_entries(self) -> list[Entry]:
        """What the network took since this was asked last, from the file: it costs the simulator nothing."""
        with self._file.open("rb") as file:
            file.seek(self._read)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._read += len(whole)
        return [msgspec.json.decode(line, type=Entry) for line in whole.splitlines()]

    def __enter__(self) -> Simulator:
        return self

    def __exit__(self, *_: object) -> None:
        self.control.close()
        self.stop()


def write_config(path: Path, state_dir: Path, runtime: Path, ports: list[str], more: str = "") -> None:
    lines = [
        "[service]",
        f'state_dir = "{state_dir}"',
        'listen = "127.0.0.1:0"',
        f'socket = "{runtime / "gsmbridge.sock"}"',
    ]
    for number, port in enumerate(ports):
        lines += ["[[modem]]", f'id = "gsm{number}"', f'port = "{port}"']
    path.write_text("\n".join([*lines, more]) + "\n")
