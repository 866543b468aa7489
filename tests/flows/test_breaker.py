"""The circuit breaker on a clock that is put forward by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from bridge.outbound.breaker import Breaker
from bridge.outbound.telling import Teller
from bridge.telemetry import Telemetry
from drivers.contract import Cause, MaybeSent, NotSent, SubmitError

TO = "+48600700800"
SECOND, MINUTE = 1, 60


class SetLoop(asyncio.SelectorEventLoop):
    """Its timers follow `ahead` and nothing else."""

    ahead = 0.0

    def time(self) -> float:
        return self.ahead


class Bench:
    """A breaker and what it called and told."""

    def __init__(self, loop: SetLoop) -> None:
        self._loop = loop
        self.calls: list[str] = []
        telemetry = Telemetry(self.now)
        self.breaker = Breaker(
            self.now, Random(1), Teller(telemetry, "gsm1"), began=self._note("began"), ended=self._note("ended")
        )

    def now(self) -> int:
        return int(self._loop.ahead * 1000)

    def resting(self) -> bool:
        return self.breaker.resting

    def probing(self) -> bool:
        return self.breaker.probing

    def fails(self, error: SubmitError) -> None:
        self.breaker.weigh(TO, error)

    async def wait(self, seconds: float) -> None:
        self._loop.ahead += seconds
        for _ in range(2):  # the first round of the loop makes the timers due, the second runs them
            await asyncio.sleep(0)

    def told(self) -> list[tuple[str, str]]:
        """State and code of what listeners would hear."""
        return [(data.state, data.code) for _, data in self.breaker.take_untold()]  # type: ignore[attr-defined]

    def _note(self, call: str) -> Callable[[], None]:
        return lambda: self.calls.append(call)


def run(flow: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
    loop = SetLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(flow(Bench(loop)))


def no_money() -> NotSent:
    return NotSent("no money", code="no_money", cause=Cause.SIM, channel_unusable=True)


def no_network() -> NotSent:
    return NotSent("no service", code="cms_42", cause=Cause.NET)


def not_reached() -> NotSent:
    return NotSent("not reached", code="unreachable", cause=Cause.LINK)


def test_a_link_that_failed_rests_for_a_second_and_nobody_is_told() -> None:
    async def flow(bench: Bench) -> None:
        bench.fails(not_reached())
        assert bench.resting()
        assert bench.breaker.paused_until is None
        await bench.wait(0.9)
        assert bench.calls == ["began"]
        await bench.wait(0.1)
        assert not bench.resting()
        assert bench.calls == ["began", "ended"]
        assert not bench.probing()
        assert bench.told() == []

    run(flow)


def test_a_lost_answer_is_no_failed_link() -> None:
    async def flow(bench: Bench) -> None:
        bench.fails(MaybeSent("gone", code="link_lost", cause=Cause.LINK))
        assert not bench.resting()

    run(flow)


def test_a_pause_ends_with_a_probe_and_the_probe_with_its_result() -> None:
    async def flow(bench: Bench) -> None:
        breaker = bench.breaker
        bench.fails(no_money())
        until = breaker.paused_until
        assert bench.resting()
        assert until is not None
        assert 13 * MINUTE < until / 1000 <= 15 * MINUTE
        assert breaker.code == "sim_out_of_service"
        await bench.wait(15 * MINUTE)
        assert not bench.resting()
        assert breaker.paused_until is None
        assert bench.probing()
        assert bench.calls == ["began", "ended"]
        breaker.weigh(TO, None)
        assert not bench.probing()
        assert bench.told() == [("paused", "sim_out_of_service"), ("up", "")]
        breaker.weigh(TO, None)
        assert bench.told() == []

    run(flow)


def test_a_pause_after_a_pause_is_longer_until_something_is_accepted() -> None:
    async def flow(bench: Bench) -> None:
        lengths = []
        for accepted in (False, False, True, False):
            bench.fails(no_money())
            until = bench.breaker.paused_until
            assert until is not None
            lengths.append((until - bench.now()) // 1000)
            await bench.wait(lengths[-1] + SECOND)
            if accepted:
                bench.breaker.weigh(TO, None)
        assert lengths[0] <= 15 * MINUTE < lengths[1] <= 60 * MINUTE < lengths[2]
        assert lengths[3] <= 15 * MINUTE

    run(flow)


def test_something_accepted_clears_the_failures_before_it() -> None:
    async def flow(bench: Bench) -> None:
        for error in (no_network(), no_network(), None, no_network(), no_network()):
            bench.breaker.weigh(TO, error)
        assert not bench.resting()
        bench.fails(no_network())
        assert bench.breaker.code == "network_failing"

    run(flow)


def test_a_link_that_fails_in_the_same_call_ends_no_pause() -> None:
    async def flow(bench: Bench) -> None:
        bench.fails(no_money())
        bench.fails(not_reached())
        await bench.wait(MINUTE)
        assert bench.resting()
        assert bench.calls == ["began"]

    run(flow)


def test_a_pause_in_the_same_call_outlasts_the_rest_of_a_failed_link() -> None:
    async def flow(bench: Bench) -> None:
        bench.fails(not_reached())
        bench.fails(no_money())
        await bench.wait(MINUTE)
        assert bench.resting()
        assert "ended" not in bench.calls

    run(flow)


def test_a_repair_ends_a_pause_for_the_networks_sake_and_no_other() -> None:
    async def flow(bench: Bench) -> None:
        for _ in range(3):
            bench.fails(no_network())
        assert bench.breaker.paused_until is not None
        bench.breaker.repaired()
        assert not bench.resting()
        assert bench.probing()
        assert bench.calls == ["began", "ended"]
        await bench.wait(60 * MINUTE)
        assert bench.calls == ["began", "ended"]  # its timer is gone
        bench.fails(no_money())
        bench.breaker.repaired()
        assert bench.resting()

    run(flow)


def test_a_repair_ends_no_rest_of_a_failed_link() -> None:
    async def flow(bench: Bench) -> None:
        bench.fails(not_reached())
        bench.breaker.repaired()
        assert bench.resting()

    run(flow)
