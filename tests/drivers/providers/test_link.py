"""An account's state: what a check and the submissions make of it, limits on our side, and polling."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

import pytest

from drivers.contract import Cause, LinkChange, LinkState, MaybeSent, NotSent, Refused, ReportFate, StatusReport
from drivers.providers.identity import attempt_id, client_id
from drivers.providers.limits import Flood, Window
from drivers.providers.link import ALARMS, Link, offer
from drivers.providers.outcomes import UNLISTED, Row, Then, error
from drivers.providers.polling import KEPT, Open, OpenMessages, poll
from tests.drivers.providers.support import Clock, Collector, run

BLOCKED = NotSent("wrong password", code="bad_login", cause=Cause.SIM, channel_unusable=True, retry_after=0.01)


class Check:
    """Fails with each of `errors` in turn, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self) -> None:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)


async def watched(link: Link, sink: Collector, *states: LinkState) -> None:
    task = asyncio.create_task(link.run(sink))
    async with asyncio.timeout(60):
        for state in states:
            await sink.first(LinkChange, lambda c, state=state: c.state is state)  # type: ignore[misc]
    task.cancel()


def test_a_good_check_brings_it_up() -> None:
    async def main() -> None:
        sink, check = Collector(), Check()
        link = Link("c", check, monotonic=asyncio.get_running_loop().time, model="M")
        with pytest.raises(NotSent) as refused:
            link.require()
        assert refused.value.cause is Cause.LINK
        await watched(link, sink, LinkState.UP)
        link.require()
        assert sink.events == [LinkChange(state=LinkState.UP, code="up", model="M")]

    run(main())


def test_bad_credentials_block_with_a_sentence_and_are_tried_again() -> None:
    async def main() -> None:
        sink, check = Collector(), Check(BLOCKED, BLOCKED)
        link = Link("c", check, monotonic=asyncio.get_running_loop().time, model="M")
        await watched(link, sink, LinkState.BLOCKED, LinkState.UP)
        first = sink.of(LinkChange)[0]
        assert (first.code, first.reason) == ("bad_login", "wrong password")
        assert [c.state for c in sink.of(LinkChange)] == [LinkState.BLOCKED, LinkState.UP]  # told once
        assert check.calls == 3

    run(main())


def test_a_provider_that_cannot_be_reached_is_down_and_asked_ever_more_rarely() -> None:
    async def main() -> None:
        clock, sink = Clock(), Collector()
        link = Link("c", Check(*[MaybeSent("?", code="x", cause=Cause.DOUBT)] * 9), monotonic=clock, model="M")
        waits = []
        wait = 5.0
        for _ in range(6):
            wait = await link._look(wait)
            waits.append(wait)
        assert waits == [10.0, 20.0, 40.0, 60.0, 60.0, 60.0]
        assert link.state is LinkState.DOWN
        assert not sink.events

    run(main())


@pytest.mark.parametrize("seed", range(5))
def test_a_provider_that_is_dead_for_ten_minutes_is_asked_few_times(seed: int) -> None:
    """With a thousand texts waiting: one that fails closes the door, and only cheap checks knock, ever more rarely."""

    async def main() -> None:
        clock = Clock()
        check = Check(*[NotSent("refused", code="unreachable", cause=Cause.LINK)] * 100)
        link = Link("c", check, monotonic=clock, model="M", rng=Random(seed))
        link._set(LinkState.UP, "up", "")
        link.failed(NotSent("refused", code="unreachable", cause=Cause.LINK))
        assert link.state is LinkState.DOWN
        began, wait = clock(), 5.0
        while (left := link.remaining()) and clock() + left - began < 600:
            clock.at += left
            wait = await link._look(wait)
        assert check.calls + 1 <= 25

    run(main())


async def up(clock: Clock) -> Link:
    link = Link("c", Check(), monotonic=clock, model="M")
    await link._look(5.0)
    assert link.state is LinkState.UP
    return link


def test_an_error_that_makes_the_channel_unusable_blocks_it_for_the_time_it_names() -> None:
    async def main() -> None:
        clock = Clock()
        link = await up(clock)
        link.failed(NotSent("blocked", code="smsc_4", cause=Cause.SIM, channel_unusable=True, retry_after=900))
        assert link.state is LinkState.BLOCKED
        assert link.remaining() == 900
        clock.at += 899
        assert link.remaining() == 1

    run(main())


def test_three_alarms_in_ten_minutes_block_the_channel() -> None:
    async def main() -> None:
        clock = Clock()
        link = await up(clock)
        alarm = error(Row(fate=ReportFate.REJECTED, then=Then.TRY_NEXT, alarm=True), code="a", detail="ours")
        for _ in range(ALARMS):  # too far apart
            link.failed(alarm)
            clock.at += 301
        assert link.state is LinkState.UP
        link.failed(alarm)
        link.require()
        link.failed(alarm)
        assert str(link.state) == "blocked"

    run(main())


def test_ordinary_refusals_do_not_block() -> None:
    async def main() -> None:
        link = await up(Clock())
        for _ in range(100):
            link.failed(Refused("no", code="x", cause=Cause.DEST))
        assert link.state is LinkState.UP
        assert link.errors_in_row == 100
        link.worked()
        assert link.errors_in_row == 0

    run(main())


def test_a_submission_that_blocks_is_told_at_once() -> None:
    async def main() -> None:
        sink = Collector()
        link = Link("c", Check(), monotonic=asyncio.get_running_loop().time, model="M")
        task = asyncio.create_task(link.run(sink))
        await sink.first(LinkChange, lambda c: c.state is LinkState.UP)
        link.failed(NotSent("no money", code="smsc_3", cause=Cause.SIM, channel_unusable=True))
        change = await sink.first(LinkChange, lambda c: c.state is LinkState.BLOCKED)
        assert change.code == "smsc_3"
        task.cancel()

    run(main())


def test_an_event_that_is_not_stored_is_offered_again() -> None:
    async def main() -> None:
        sink = Collector(refuse=1)
        event = LinkChange(state=LinkState.UP)
        await offer(sink, event)
        assert list(sink.refused) == [event]
        assert sink.events == [event]

    run(main())


def test_an_alarming_word_of_a_report_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    link = Link("c", Check(), monotonic=Clock(), model="M")
    for _ in range(2):
        link.notice(UNLISTED, "20:999")
        link.notice(Row(fate=ReportFate.DELIVERED), "1")
    assert [r.getMessage() for r in caplog.records] == ["provider_alarm channel=c report=20:999"]


def test_a_report_that_blames_the_account_blocks_it() -> None:
    async def main() -> None:
        clock = Clock()
        link = await up(clock)
        link.notice(Row(fate=ReportFate.REJECTED, then=Then.TRY_NEXT), "23")
        link.require()
        link.notice(Row(fate=ReportFate.REJECTED, then=Then.PAUSE, meaning="no money"), "24")
        with pytest.raises(NotSent, match="no money"):
            link.require()
        assert (link.state, link.code, link.remaining()) == (LinkState.BLOCKED, "24", 300)
        clock.at += 100
        link.notice(Row(fate=ReportFate.REJECTED, then=Then.PAUSE, meaning="no money"), "24")
        assert link.remaining() == 200  # the rest of what it took prolongs nothing

    run(main())


# --- Limits -----------------------------------------------------------------------------------------------------------


def test_a_window_lets_so_many_through() -> None:
    clock = Clock()
    window = Window(2, 60, clock)
    for _ in range(2):
        assert window.wait("a") == 0
        window.note("a")
        clock.at += 10
    assert window.wait("a") == 40
    assert window.wait("b") == 0
    with pytest.raises(NotSent) as refused:
        window.enter("a", code="rate", what="two a minute")
    assert refused.value.retry_after == 40
    clock.at += 40
    window.enter("a", code="rate", what="two a minute")
    assert window.wait("a") == 10


def test_a_flood_is_a_row_without_a_gap() -> None:
    clock = Clock()
    flood = Flood(3, 120, clock)
    for _ in range(3):
        assert flood.wait("n") == 0
        flood.note("n")
        clock.at += 100
    assert flood.wait("n") == 20
    clock.at += 20
    assert flood.wait("n") == 0
    flood.note("n")
    assert flood.wait("n") == 0


# --- Our id at a provider ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ours", ["att_01jk4m9q7v3xz", "att_0000000000001", "a_b_c"])
def test_our_id_can_be_turned_back(ours: str) -> None:
    carried = client_id(ours)
    assert carried.isalnum()
    assert 3 <= len(carried) <= 32
    assert attempt_id(carried) == ours


@pytest.mark.parametrize("ours", ["", "x" * 60, "Zażółć", "a-b", "att_" + "0" * 40, "a_", "aZb"])
def test_any_other_id_becomes_a_digest(ours: str) -> None:
    carried = client_id(ours)
    assert carried.isalnum()
    assert len(carried) == 32
    assert carried == client_id(ours)
    assert attempt_id(carried) is None


@pytest.mark.parametrize(
    "theirs", ["", "918c16a73f75530da44c4f17abed80a1", "Z", "aZ", "1001", "att_1", "a" * 40 + "Zb"]
)
def test_an_id_that_is_not_ours_is_nobodys(theirs: str) -> None:
    assert attempt_id(theirs) is None


# --- Polling ----------------------------------------------------------------------------------------------------------


def _report(reference: str, fate: ReportFate) -> StatusReport:
    return StatusReport(sim="s", pdu="", fingerprint=f"{reference}{fate}", reference=reference, fate=fate, code=fate)


def test_open_messages_are_asked_for_ever_more_rarely() -> None:
    clock = Clock()
    messages = OpenMessages(clock, first=10)
    messages.add("r1", "+1", "a1")
    assert messages.due(9) == []
    clock.at += 10
    (message,) = messages.due(9)
    assert messages.asked(message, word="sent")
    assert not messages.asked(message, word="sent")
    clock.at += 59
    assert messages.due(9) == []
    messages.hasten("r1")
    assert messages.due(9) == [message]
    messages.close("a1")
    assert len(messages) == 0
    assert messages.find("r1") == []


def test_open_messages_are_bounded_in_number_and_age() -> None:
    clock = Clock()
    messages = OpenMessages(clock)
    for n in range(KEPT + 5):
        messages.add(f"r{n}", "+1", f"a{n}")
    assert len(messages) == KEPT
    clock.at += 49 * 3600
    assert messages.due(9) == []
    assert len(messages) == 0


def test_polling_passes_on_news_only_and_stops_at_the_end() -> None:
    async def main() -> None:
        sink = Collector(refuse=1)
        messages = OpenMessages(asyncio.get_running_loop().time, first=0.0)
        messages.add("r", "+1", "a")
        fates = [ReportFate.SENT, ReportFate.SENT, None, ReportFate.UNKNOWN, "error", ReportFate.DELIVERED]

        async def ask(due: Sequence[Open]) -> list[StatusReport | None]:
            assert [m.reference for m in due] == ["r"]
            fate = fates.pop(0)
            if fate == "error":
                raise NotSent("later", code="x", cause=Cause.BUSY)
            return [None if fate is None else _report("r", ReportFate(fate))]

        task = asyncio.create_task(poll(sink, messages, ask, interval=0.001))
        await sink.first(StatusReport, lambda r: r.fate is ReportFate.DELIVERED)
        assert [r.fate for r in sink.of(StatusReport)] == [ReportFate.SENT, ReportFate.UNKNOWN, ReportFate.DELIVERED]
        assert len(messages) == 0
        task.cancel()

    run(main())
