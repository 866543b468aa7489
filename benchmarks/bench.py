"""What the figures share: how long to measure, and state directories made ready."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import sync
from pathlib import Path

import msgspec

from benchmarks import workload
from benchmarks.processes import Failed, Service, Simulator, gsmbridge, write_config

__all__ = ["Bench", "Site"]

_FILLED_BY = 10_000  # recipients in one batch


class Site(msgspec.Struct, frozen=True):
    """A state directory with an API key; `rows` deferred messages are in it."""

    state_dir: Path
    key: str
    rows: int


class Bench:
    """`work` lies on the disk to be measured; `runtime` holds sockets and the links of ports, whose paths are short."""

    def __init__(
        self, work: Path, runtime: Path, *, runs: int, rows: int, quick: bool, say: Callable[[str], None]
    ) -> None:
        self.runs = runs
        self.rows = rows
        self.quick = quick
        self.say = say
        self.work = work
        self.runtime = runtime
        self._templates: dict[tuple[int, int], Path] = {}
        self._count = 0

    def amount(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    @contextmanager
    def site(self, rows: int = 0, *, due: int = 0) -> Iterator[Site]:
        """A state directory as nobody has used it: with `rows` deferred and `due` waiting messages."""
        template = self._template(rows, due)
        self._count += 1
        state_dir = self.work / f"state{self._count}"
        shutil.copytree(template, state_dir)
        sync()  # or the copy's own writing to disk is measured
        try:
            yield Site(state_dir, (state_dir / "key").read_text().strip(), rows)
        finally:
            shutil.rmtree(state_dir)

    def service(self, site: Site, ports: list[str], *, more: str = "") -> Service:
        return Service(site.state_dir, site.key, ports, self.runtime, more=more)

    def simulator(self, modems: int = 1, *, delay: float = 0.0, reports: float | None = None) -> Simulator:
        """`delay`: seconds from Ctrl-Z to +CMGS; `reports`: from there to the delivery report, None for none."""
        return Simulator(modems, self.runtime, self.work, delay=delay, reports=reports)

    def _template(self, rows: int, due: int) -> Path:
        made = self._templates.get((rows, due))
        if made is not None:
            return made
        state_dir = self.work / f"template-{rows}-{due}"
        state_dir.mkdir(mode=0o700)
        config = state_dir / "config.toml"
        write_config(config, state_dir, self.runtime, [])
        key = state_dir / "key"
        arguments = ("key", "create", "benchmarks", "--scope", "admin", "--save", str(key), "--config", str(config))
        done = subprocess.run(gsmbridge(*arguments), capture_output=True, check=False)
        if done.returncode:
            raise Failed(f"no key could be made: {done.stderr.decode()[-2000:]}")
        if rows or due:
            self.say(f"filling a store with {rows:,} deferred and {due:,} waiting messages")
            self._fill(Site(state_dir, key.read_text().strip(), rows), rows, due)
        self._templates[rows, due] = state_dir
        return state_dir

    def _fill(self, site: Site, rows: int, due: int) -> None:
        with self.service(site, []) as service, service.client() as client:
            for amount, send_at in ((rows, workload.DEFERRED), (due, None)):
                for first in range(0, amount, _FILLED_BY):
                    count = min(_FILLED_BY, amount - first)
                    client.post("/v1/batches", workload.batch(first, count, send_at=send_at))
