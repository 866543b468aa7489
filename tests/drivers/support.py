"""A stage for the modem driver: time that jumps, a line in memory, a scenario at its other end.

Nothing here is a mock of the driver: the peer is the simulator's scenario player, and only the clock and the port are
ours, so that a wait of 180 s costs nothing and every run is the same.
"""

from __future__ import annotations

import asyncio
import selectors
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from drivers.contract import Event, LinkChange, LinkState, Part, Receipt, Submission, SubmitError
from drivers.gsm.pdu import decode_submit
from drivers.modems.driver import ModemDriver
from drivers.modems.line import Line
from drivers.modems.link import Link, LinkError
from drivers.modems.pin_guard import PinGuard
from drivers.modems.profiles import by_name
from drivers.modems.settings import ModemSettings, Timing
from drivers.simulator.pdus import PDUS
from drivers.simulator.player import Done, Happens, NeedHost, Player, ScenarioFailed, Understudy, Wait, Write
from drivers.simulator.scenario import Scenario

T = TypeVar("T")
E = TypeVar("E", bound=Event)
TRANSCRIPTS = Path(__file__).parent.parent / "transcripts"
IMEI = "490154203237518"  # the understudy's


# --- Time -------------------------------------------------------------------------------------------------------------


class _Jumping(selectors.SelectSelector):
    """Where a loop would wait for its next timer, the time jumps there."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise AssertionError("nothing will ever happen: the test waits for something that does not come")
        if not ready and timeout is not None and timeout > 0:
            self.now += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run_stepped(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(main)


# --- The line ---------------------------------------------------------------------------------------------------------


class MemoryLink:
    """The host's end. `stall` makes the port take nothing more."""

    paced = False

    def __init__(self, stage: Stage, port: str) -> None:
        self.port = port
        self.stall = False
        self.written = bytearray()
        self._stage = stage
        self._loop = asyncio.get_running_loop()
        self._unwritten = 0
        self._open = True

    @property
    def unwritten(self) -> int:
        return self._unwritten

    def start(self, on_data: Callable[[bytes], None], on_lost: Callable[[str], None]) -> None:
        self._on_data = on_data
        self._on_lost = on_lost

    def write(self, data: bytes) -> None:
        if not self._open:
            return
        if self.stall:
            self._unwritten += len(data)
        else:
            self.written += data
            self._loop.call_soon(self._stage.received, self, data)

    def close(self) -> None:
        self._open = False

    def deliver(self, data: bytes) -> None:
        if self._open:
            self._on_data(data)

    def hang_up(self) -> None:
        if self._open:
            self._open = False
            self._on_lost("hang-up")


class Stage:
    """The modem's end: a scenario, with an understudy for what it does not tell. `chunk`: bytes handed over at once."""

    def __init__(self, scenario: Scenario, *, chunk: int = 0, begun: bool = False) -> None:
        self.scenario = scenario
        self.link: MemoryLink | None = None
        self.port = "modem0"
        self.written = bytearray()  # everything the host has said, on any opening of the port
        self.happens: Callable[[str], None] = lambda _text: None
        self._chunk = chunk
        self._loop = asyncio.get_running_loop()
        self._out: deque[bytes] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self.over: asyncio.Future[None] = self._loop.create_future()
        self.player = Player(
            scenario,
            clock=self._loop.time,
            understudy=Understudy(scenario.profile),
            begun=begun,
            same_pdu=lambda due, said: due == said,
        )

    async def open(self, _settings: ModemSettings, port: str) -> Link:
        if port != self.port:
            raise LinkError("port_missing", f"{port} does not exist.")
        self.link = MemoryLink(self, port)
        self._loop.call_soon(self.go_on)
        return self.link

    def begin(self) -> None:
        self.player.begin()
        self.go_on()

    def unplug(self) -> None:
        assert self.link is not None
        self.port = ""
        self.link.hang_up()

    @property
    def extra(self) -> list[str]:
        """What the host said that the scenario does not tell, since it began."""
        return [extra.line.decode("latin-1") for extra in self.player.extra if extra.step >= 0]

    def received(self, link: MemoryLink, data: bytes) -> None:
        if link is self.link:
            self.written += data
            self._guarded(lambda: self.player.receive(data))
            self.go_on()

    def go_on(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._guarded(self._play)

    def _play(self) -> None:
        while True:
            match self.player.next():
                case Write(data):
                    self._write(data)
                case Happens(text):
                    self.happens(text)
                case Wait(seconds):
                    self._timer = self._loop.call_later(seconds, self.go_on)
                    return
                case NeedHost():
                    return
                case Done():
                    if not self.over.done():
                        self.over.set_result(None)
                    return

    def _guarded(self, play: Callable[[], None]) -> None:
        try:
            play()
        except ScenarioFailed as failure:
            if not self.over.done():
                self.over.set_exception(failure)

    def _write(self, data: bytes) -> None:
        pieces = [data[i : i + self._chunk] for i in range(0, len(data), self._chunk)] if self._chunk else [data]
        idle = not self._out
        self._out.extend(pieces)
        if idle:
            self._loop.call_soon(self._drip)

    def _drip(self) -> None:
        if self._out and self.link is not None:
            self.link.deliver(self._out.popleft())
            if self._out:
                self._loop.call_soon(self._drip)


# --- The bridge's end -------------------------------------------------------------------------------------------------


class Inlet:
    """A sink that keeps what it gets. `hold`: seconds an `accept` takes; `refuse`: how many times it fails first."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.hold = 0.0
        self.refuse = 0
        self._news = asyncio.Event()

    async def accept(self, event: Event) -> None:
        if self.hold and not isinstance(event, LinkChange):
            await asyncio.sleep(self.hold)
        if self.refuse and not isinstance(event, LinkChange):
            self.refuse -= 1
            raise OSError("disk full")
        self.events.append(event)
        self._news.set()

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    async def link(self, state: LinkState, code: str | None = None, *, after: int = 0) -> LinkChange:
        """The first change of link to this state among the events from `after` on."""
        return await self.wait(LinkChange, lambda c: c.state is state and code in (None, c.code), after=after)

    async def wait(self, kind: type[E], fits: Callable[[E], bool] = lambda _event: True, *, after: int = 0) -> E:
        while True:
            self._news.clear()
            for event in self.events[after:]:
                if isinstance(event, kind) and fits(event):
                    return event
            await self._news.wait()

    async def until(self, fits: Callable[[], bool]) -> None:
        """Return when this holds; asked again at each event."""
        while not fits():
            self._news.clear()
            await self._news.wait()


class Scene:
    """One scenario with the driver on one side and the test as the bridge."""

    def __init__(self, stage: Stage, driver: ModemDriver, sink: Inlet) -> None:
        self.stage = stage
        self.driver = driver
        self.sink = sink
        self._count = 0

    async def send(self, pdu: str = "S1", *, attempt: str = "") -> Receipt:
        """Submit what the named PDU says."""
        self._count += 1
        return await self.driver.submit(submission(pdu, attempt or f"attempt-{self._count}"))

    async def refused(self, pdu: str = "S1", *, attempt: str = "") -> SubmitError:
        """The error that this submission ends with."""
        try:
            receipt = await self.send(pdu, attempt=attempt)
        except SubmitError as error:
            return error
        raise AssertionError(f"expected an error, there is {receipt}")

    async def finished(self) -> None:
        """The scenario has been played to its end, and what came last has been worked on."""
        await asyncio.shield(self.stage.over)
        await asyncio.sleep(0.01)


def scenario(name: str) -> Scenario:
    return Scenario.parse((TRANSCRIPTS / f"{name}.at").read_text(encoding="utf-8"))


def play(
    name: str,
    host: Callable[[Scene], Awaitable[None]],
    *,
    chunk: int = 0,
    from_start: bool = False,
    guard: PinGuard | None = None,
    port: str = "socket://modem0",
    patterns: tuple[str, ...] = (),
    options: Callable[[Stage], dict[str, Any]] = lambda _stage: {},
    **settings: Any,
) -> None:
    """Run the scenario against a driver that is up (or, `from_start`, against its bring-up). `options`: of the driver,
    made when the stage is there."""
    script = scenario(name)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        stage = Stage(script, chunk=chunk, begun=from_start)
        sink = Inlet()
        driver = ModemDriver(
            ModemSettings(port=port, **settings),
            channel="modem",
            guard=guard,
            monotonic=loop.time,
            opener=stage.open,
            patterns=patterns,
            **options(stage),
        )
        stage.port = port
        scene = Scene(stage, driver, sink)
        running = asyncio.create_task(driver.run(sink))
        try:
            if not from_start:
                await sink.link(LinkState.UP)
                stage.begin()
            async with asyncio.timeout(200_000):
                await host(scene)
                await scene.finished()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            if stage.over.done() and not stage.over.cancelled():
                stage.over.exception()  # seen: the test fails by `finished`

    run_stepped(main())


def converse(
    name: str, host: Callable[[Line, list[Any]], Awaitable[None]], *, chunk: int = 0, profile: str = "generic"
) -> None:
    """Run the scenario against a bare line: the test asks, and sees every other event."""
    script = scenario(name)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        stage = Stage(script, chunk=chunk, begun=True)
        stage.port = "modem0"
        heard: list[Any] = []
        line = Line(
            await stage.open(ModemSettings(), "modem0"),
            timing=Timing(),
            monotonic=loop.time,
            on_event=heard.append,
        )
        line.profile = by_name(profile)
        async with asyncio.timeout(3600):
            await host(line, heard)
            await asyncio.shield(stage.over)
        line.close()

    run_stepped(main())


def submission(pdu: str, attempt: str) -> Submission:
    """What has to be submitted to get this PDU on the wire."""
    wanted = decode_submit(PDUS[pdu])
    part = Part(encoding=wanted.coding.encoding, udh=wanted.udh, data=wanted.data)
    return Submission(attempt_id=attempt, to=wanted.to, part=part, validity=wanted.validity, report=wanted.report)
