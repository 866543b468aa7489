"""A scenario on a pty: the modem of a test that has a real serial port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from drivers.simulator.clock import Timer
from drivers.simulator.player import Done, Extra, Happens, NeedHost, Player, ScenarioFailed, Understudy, Wait, Write
from drivers.simulator.ptys import Port
from drivers.simulator.scenario import Scenario
from drivers.simulator.watch import Watch

__all__ = ["Stage"]


class Stage:
    """`async with Stage(scenario, directory=...) as stage:` opens `stage.port` and plays when `begin` is called.

    `chunk` 0 writes whole answers, 1 byte by byte. `happens` is called with the text of each `!` line; `unplug` and
    `replug` are what it usually does. Before `begin`, and for what the scenario does not tell, an understudy answers.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        directory: Path,
        scale: float = 0.01,
        chunk: int = 0,
        happens: Callable[[Stage, str], None] | None = None,
        understudy: Understudy | None = None,
        same_pdu: Callable[[str, str], bool] = str.__eq__,
        name: str = "modem0",
    ) -> None:
        self.link = directory / name
        self.understudy = understudy or Understudy(scenario.profile)
        self._scenario = scenario
        self._scale = scale
        self._chunk = chunk
        self._happens = happens
        self._same_pdu = same_pdu
        self._player: Player
        self._pty: Port
        self._watch: Watch
        self._timer: Timer | None = None
        self._out = bytearray()
        self._over: asyncio.Future[None]

    @property
    def port(self) -> str:
        return str(self.link)

    @property
    def extra(self) -> list[Extra]:
        """Commands the scenario does not tell."""
        return self._player.extra

    async def __aenter__(self) -> Stage:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._over = loop.create_future()
        self._player = Player(
            self._scenario,
            clock=loop.time,
            scale=self._scale,
            understudy=self.understudy,
            begun=False,
            same_pdu=self._same_pdu,
        )
        self._watch = Watch(loop)
        self._pty = Port(loop=loop, link=self.link, received=self._received, watch=self._watch)
        self._pty.plug()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._pty.unplug()
        self._watch.close()
        if self._over.done() and not self._over.cancelled():
            failure = self._over.exception()
            if failure is not None and error is None:
                raise failure
        else:
            self._over.cancel()

    def begin(self) -> None:
        """The host is ready: from now on the scenario counts."""
        self._player.begin()
        self._go_on()

    async def finished(self) -> None:
        """Wait for the last step. Raises ScenarioFailed."""
        await asyncio.shield(self._over)

    def unplug(self) -> None:
        self._pty.unplug()

    def replug(self, name: str | None = None) -> None:
        if name is not None:
            self.link = self._pty.link = self.link.with_name(name)
        self._pty.plug()

    def _received(self, data: bytes) -> None:
        try:
            self._player.receive(data)
        except ScenarioFailed as failure:
            self._fail(failure)
            return
        self._go_on()

    def _go_on(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        written = bytearray()
        try:
            while True:
                match self._player.next():
                    case Write(data):
                        written += data
                    case Happens(text):
                        self._pty.write(bytes(self._out + written))  # what it did before is out before
                        self._out.clear()
                        written.clear()
                        if self._happens is not None:
                            self._happens(self, text)
                    case Wait(seconds):
                        self._timer = self._loop.call_later(seconds, self._go_on)
                        break
                    case NeedHost():
                        break
                    case Done():
                        if not self._over.done():
                            self._over.set_result(None)
                        break
        except ScenarioFailed as failure:
            self._fail(failure)
        self._put(written)

    def _fail(self, failure: ScenarioFailed) -> None:
        if not self._over.done():
            self._over.set_exception(failure)

    def _put(self, data: bytearray) -> None:
        if not self._chunk:
            if data:
                self._pty.write(bytes(data))
            return
        idle = not self._out
        self._out += data
        if idle and self._out:
            self._drip()

    def _drip(self) -> None:
        if self._out:
            self._pty.write(bytes(self._out[: self._chunk]))
            del self._out[: self._chunk]
            self._loop.call_soon(self._drip)
