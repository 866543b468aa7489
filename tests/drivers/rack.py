"""Several ports with modems behind them, all in memory and in stepped time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from drivers.modems.driver import ModemDriver
from drivers.modems.link import Link, LinkError
from drivers.modems.settings import ModemSettings
from drivers.simulator.modem import Modem
from tests.drivers.support import Inlet, Stage, scenario

__all__ = ["MINE", "OTHER", "Rack", "running"]

MINE, OTHER = "350000000000006", "490154203237518"


class Rack:
    """Ports with modems behind them, each an understudy with its own IMEI."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stages: dict[str, Stage] = {}
        self.patterns = (str(folder / "ttyUSB*"),)

    def plug(self, name: str, imei: str, script: str = "sending/S00") -> str:
        """`script`: its scenario begins with the next `begin`; without one it is an ordinary modem."""
        port = str(self._folder / name)
        Path(port).touch()
        stage = self._stages[port] = Stage(scenario(script), begun=script == "sending/S00")
        stage.port = port
        assert stage.player._understudy is not None
        stage.player._understudy.modem.imei = imei
        return port

    def unplug(self, port: str) -> None:
        Path(port).unlink()
        self._stages.pop(port).unplug()

    def stage(self, port: str) -> Stage:
        return self._stages[port]

    def modem(self, port: str) -> Modem:
        """The simulated modem that answers there."""
        understudy = self._stages[port].player._understudy
        assert understudy is not None
        return understudy.modem

    async def open(self, settings: ModemSettings, port: str) -> Link:
        if port not in self._stages:
            raise LinkError("port_missing", f"{port} does not exist.")
        return await self._stages[port].open(settings, port)


@asynccontextmanager
async def running(settings: ModemSettings, rack: Rack, sink: Inlet, **options: Any) -> AsyncIterator[ModemDriver]:
    """The driver at work on the ports of the rack. `options`: of `ModemDriver`."""
    driver = ModemDriver(
        settings, monotonic=asyncio.get_running_loop().time, opener=rack.open, patterns=rack.patterns, **options
    )
    task = asyncio.create_task(driver.run(sink))
    try:
        yield driver
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
