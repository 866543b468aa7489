"""A modem brought up by the command line itself, with everything heard. For `modem record` and `modem prove`."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bridge.cli.exits import Exit, Stop
from drivers.contract import Health, LinkChange, LinkState, Repair
from drivers.modems.driver import ModemDriver
from drivers.modems.settings import ModemSettings
from drivers.modems.transcript import Heard

__all__ = ["Ear", "brought_up", "listen"]

PATIENCE = 90.0  # seconds a modem may take to come up


class Ear:
    """A sink that keeps nothing: texts that come in stay on the modem, since they are not accepted."""

    def __init__(self) -> None:
        self.links: list[LinkChange] = []
        self._news = asyncio.Event()

    async def accept(self, event: Any) -> None:
        if isinstance(event, Repair):
            return
        if not isinstance(event, LinkChange):
            raise RuntimeError("not for us")  # the service shall have it
        self.links.append(event)
        self._news.set()

    async def state(self, *wanted: LinkState, after: int = 0) -> LinkChange:
        while True:
            self._news.clear()
            for change in self.links[after:]:
                if change.state in wanted:
                    return change
            await self._news.wait()


@asynccontextmanager
async def brought_up(channel: str, settings: ModemSettings, **options: Any) -> AsyncIterator[tuple[ModemDriver, Ear]]:
    """The driver at work; nothing is awaited yet."""
    logging.getLogger("gsmbridge").setLevel(logging.CRITICAL)  # what goes wrong is said by the command itself
    ear = Ear()
    driver = ModemDriver(settings, channel=channel, **options)
    running = asyncio.create_task(driver.run(ear))
    try:
        yield driver, ear
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def listen(
    channel: str, settings: ModemSettings, seconds: float | None, send: str | None
) -> tuple[list[Heard], Health]:
    """What is said from the opening of the port on, until the time is up or Ctrl-C. Raises `Stop`."""
    heard: list[Heard] = []

    def trace(direction: str, data: bytes) -> None:
        heard.append((time.monotonic(), direction, data))

    async def main() -> Health:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
        async with brought_up(channel, settings, trace=trace) as (driver, ear):
            try:
                async with asyncio.timeout(PATIENCE):
                    change = await ear.state(LinkState.UP, LinkState.BLOCKED, LinkState.DOWN)
            except TimeoutError:
                raise Stop(Exit.UNAVAILABLE, f"the modem on {settings.port} does not come up") from None
            if change.state is LinkState.DOWN and not heard:
                raise Stop(Exit.UNAVAILABLE, change.reason)
            print(f"{change.model or channel} on {change.port}: {change.state.value}", file=sys.stderr)
            if send is not None and change.state is LinkState.UP:
                await _send(driver, send)
            if seconds is None:
                print("Recording; Ctrl-C ends it.", file=sys.stderr)
            try:
                async with asyncio.timeout(seconds):
                    await stop.wait()
            except TimeoutError:
                pass
            return await driver.health()

    return heard, asyncio.run(main())


async def _send(driver: ModemDriver, number: str) -> None:
    from drivers.contract import Submission, SubmitError
    from drivers.gsm import segments

    part = segments.split("Test of gsm-bridge", reference=1)[0]
    try:
        receipt = await driver.submit(Submission(attempt_id="record", to=number, part=part))
        print(f"sent, reference {receipt.reference}", file=sys.stderr)
    except SubmitError as error:
        print(f"not sent: {error.detail} ({error.code})", file=sys.stderr)
