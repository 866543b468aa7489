"""What a provider that does not answer is asked at most, whoever wants to ask and however unlucky the chance."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.contract import Cause, NotSent
from drivers.providers.budget import AT_ONCE, PURSE, REFILL, SHARE, STREAK, Budget, Restraint, ended, spend
from drivers.providers.http import Client, Endpoint
from drivers.simulator.providers import Fault, FaultKind, ProviderSimulation
from tests.drivers.providers.support import PATIENT, Clock, run, timed_out

DEAD = 600.0
GOAL = 25


def failing(times: int, **fields: float) -> Budget:
    return Budget(failed=times, **fields)


@pytest.mark.parametrize(
    ("budget", "now", "wanted"),
    [
        (Budget(), 0.0, Budget()),  # while it answers nothing is counted
        (failing(STREAK - 1, purse=0.0), 0.0, failing(STREAK - 1, purse=0.0)),
        (failing(STREAK), 0.0, failing(STREAK, purse=1.0)),
        (failing(STREAK, purse=1.0), 0.0, failing(STREAK, purse=0.0)),
        (failing(STREAK, purse=0.0), 0.0, REFILL),
        (failing(STREAK, purse=0.0), 45.0, REFILL - 45.0),
        (failing(STREAK, purse=0.0), REFILL, failing(STREAK, purse=0.0, at=REFILL)),
        (failing(99, purse=0.5), 1e6, failing(99, purse=PURSE - 1, at=1e6)),  # it holds no more than it can
        (failing(STREAK, purse=0.0, at=100.0), 0.0, REFILL),  # a clock that went back gives nothing
    ],
)
def test_what_one_more_request_costs(budget: Budget, now: float, wanted: Budget | float) -> None:
    assert spend(budget, now) == wanted


def test_how_a_request_changes_the_budget() -> None:
    assert ended(Budget(purse=1.0), 0.0, sound=False) == failing(1, purse=1.0)
    assert ended(failing(7, purse=1.0), 0.0, sound=True) == Budget(purse=1.0 + SHARE)
    assert ended(Budget(), 0.0, sound=True) == Budget()


def asked(callers: list[Callable[[], float]], lasting: Callable[[], float], *, healthy: float = 0.0) -> int:
    """Requests that reach a provider within `DEAD` seconds from its first failure. Each caller says how long it waits
    before it wants to ask again; what is under way at the failure counts."""
    budget, slots, reached = Budget(), AT_ONCE, 0
    events: list[tuple[float, int, str]] = [(caller(), n, "asks") for n, caller in enumerate(callers)]
    heapq.heapify(events)
    began: dict[int, float] = {}
    first: float | None = None
    while events:
        now, n, what = heapq.heappop(events)
        if first is not None and now > first + DEAD:
            break
        if what == "ended":
            slots += 1
            sound = now <= healthy
            if not sound and first is None:
                first = now
                reached = len(began)
            budget = ended(budget, now, sound=sound)
            del began[n]
            heapq.heappush(events, (now + callers[n](), n, "asks"))
            continue
        after = spend(budget, now) if slots else 0.0
        if isinstance(after, Budget):
            budget, slots = after, slots - 1
            began[n] = now
            reached += first is not None
            heapq.heappush(events, (now + lasting(), n, "ended"))
        else:  # to ask before the purse is filled again changes nothing, and is left out
            heapq.heappush(events, (now + max(callers[n](), after, 1e-3), n, "asks"))
    return reached


@settings(max_examples=200)
@given(
    seed=st.integers(0, 2**32),
    hungry=st.integers(1, 60),
    wait=st.sampled_from([0.01, 0.5, 1.0, 5.0, 30.0, 60.0]),
    timeout=st.sampled_from([0.001, 1.0, 30.0, 60.0]),
    healthy=st.sampled_from([0.0, 3.0]),
)
def test_ten_dead_minutes_cost_few_requests_certainly(
    seed: int, hungry: int, wait: float, timeout: float, healthy: float
) -> None:
    """A thousand texts, look-ups, polls and checks, each as it likes: at once, at the same instant, or by chance."""
    random = Random(seed)
    callers: list[Callable[[], float]] = [
        (lambda: wait) if n % 3 == 0 else (lambda: wait * (1 - random.random() / 2)) for n in range(hungry)
    ]
    lasting = lambda: timeout * random.random()  # noqa: E731
    assert asked(callers, lasting, healthy=healthy) <= GOAL


def test_the_worst_that_can_be_is_reached_and_is_within_the_goal() -> None:
    """All connections are in use when it dies, and each minute is used to the second."""
    worst = asked([lambda: 0.01] * 60, lambda: 0.001)
    assert STREAK + PURSE + DEAD / REFILL <= worst <= STREAK + AT_ONCE - 1 + PURSE + DEAD / REFILL <= GOAL


@settings(max_examples=100)
@given(st.lists(st.sampled_from([0, 0, 1, STREAK - 1]), max_size=300))
def test_a_provider_that_fails_now_and_then_is_not_held_back(failures: list[int]) -> None:
    budget = Budget()
    for failed in failures:
        for sound in [False] * failed + [True]:
            after = spend(budget, 0.0)
            assert isinstance(after, Budget)
            budget = ended(after, 0.0, sound=sound)


# --- At work ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=FaultKind.CLOSE, on="any", times=0),
        Fault(kind=FaultKind.HTML, on="any", times=0),
        Fault(kind=FaultKind.EMPTY, on="any", times=0),
        Fault(kind=FaultKind.STATUS, status=429, on="any", times=0),
        Fault(kind=FaultKind.STATUS, status=503, on="any", times=0),
        Fault(kind=FaultKind.SILENCE, on="any", times=0),
    ],
    ids=lambda fault: f"{fault.kind}{fault.status or ''}",
)
def test_a_client_stops_asking_and_begins_again(fault: Fault) -> None:
    async def main() -> None:
        clock = Clock()
        async with ProviderSimulation(("mobizon",)) as sim:
            client = Client(PATIENT, secure=False, restraint=Restraint(clock))
            url = f"{sim.url('mobizon')}/service/user/getOwnBalance"

            async def ask() -> str:
                try:
                    await client.request("GET", url)
                    return "answered"
                except NotSent as error:
                    return error.code
                except Exception as error:
                    return type(error).__name__

            sim.set_faults("mobizon", fault)
            for _ in range(STREAK + int(PURSE)):
                asking = asyncio.ensure_future(ask())
                await sim.next_request("mobizon")
                if fault.kind is FaultKind.SILENCE:
                    await timed_out(asking, after=PATIENT.read_timeout)
                assert await asking != "not_answering"
            assert [await ask() for _ in range(5)] == ["not_answering"] * 5
            assert len(sim.requests("mobizon")) == STREAK + PURSE
            with pytest.raises(NotSent) as held:
                await client.request("GET", url)
            assert (held.value.cause, held.value.retry_after) == (Cause.LINK, REFILL)
            sim.set_faults("mobizon")
            assert await ask() == "not_answering"
            clock.at += REFILL
            assert [await ask() for _ in range(30)] == ["answered"] * 30
            await client.close()

    run(main())


def test_what_is_under_way_is_bounded() -> None:
    async def main() -> None:
        async with ProviderSimulation(("mobizon",)) as sim:
            sim.set_faults("mobizon", Fault(kind=FaultKind.SILENCE, on="any", times=0))
            client = Client(Endpoint(read_timeout=0.3), secure=False, restraint=Restraint())
            asking = [client.request("GET", sim.url("mobizon") + "/service/user/getOwnBalance") for _ in range(50)]
            await asyncio.gather(*asking, return_exceptions=True)
            assert len(sim.requests("mobizon")) <= STREAK + AT_ONCE - 1 + PURSE
            await client.close()

    run(main())
