"""Which channel a message goes to, and why not the others."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.routing import ChannelFacts, MessageFacts, choose
from tests.policy.support import QUICK


def channel(id: str, **fields: Any) -> ChannelFacts:
    return ChannelFacts(id=id, **{"up": True, **fields})


def order(message: MessageFacts, *channels: ChannelFacts) -> list[str]:
    return [c.channel for c in choose(message, channels).candidates]


ANY = MessageFacts()
A, B, C = channel("a"), channel("b"), channel("c")


@pytest.mark.parametrize(
    ("message", "channels", "expected"),
    [
        (ANY, [], []),
        (ANY, [C, A, B], ["a", "b", "c"]),
        (ANY, [channel("a", load=2), channel("b", load=1), C], ["c", "b", "a"]),
        (MessageFacts(tried=frozenset({"a"})), [A, channel("b", load=9)], ["b", "a"]),
        (MessageFacts(tried=frozenset({"a", "b"})), [channel("a", load=1), B], ["b", "a"]),
        (MessageFacts(refused_by=frozenset({"a"})), [A, B], ["b"]),
        (MessageFacts(refused_by=frozenset({"a", "b"})), [A, B], []),
        (MessageFacts(channel="b"), [A, B, C], ["b"]),
        (MessageFacts(channel="x"), [A, B], []),
        (MessageFacts(channel="a", refused_by=frozenset({"a"})), [A, B], []),
        (ANY, [channel("a", up=False), channel("b", paused=True), C], ["c"]),
    ],
)
def test_untried_then_least_loaded_then_by_name(
    message: MessageFacts, channels: list[ChannelFacts], expected: list[str]
) -> None:
    assert order(message, *channels) == expected


@pytest.mark.parametrize(
    ("message", "facts", "reason"),
    [
        (MessageFacts(channel="b"), A, "the client asked for b"),
        (MessageFacts(refused_by=frozenset({"a"})), A, "it refused this message"),
        (ANY, channel("a", up=False, reason="sim_pin_required"), "sim_pin_required"),
        (ANY, channel("a", up=False), "it is not up"),
        (ANY, channel("a", paused=True, reason="sim_out_of_service"), "sim_out_of_service"),
        (ANY, channel("a", paused=True), "it is paused"),
    ],
)
def test_every_refusal_has_its_reason(message: MessageFacts, facts: ChannelFacts, reason: str) -> None:
    choice = choose(message, [facts])
    assert choice.candidates == ()
    assert [(c.channel, c.reason) for c in choice.refusals] == [("a", reason)]


def test_every_candidate_has_its_reason() -> None:
    choice = choose(MessageFacts(tried=frozenset({"a"})), [A, channel("b", load=3)])
    assert [c.reason for c in choice.candidates] == ["load 3", "load 0, tried before"]


@QUICK
@given(
    st.lists(
        st.builds(
            ChannelFacts, id=st.sampled_from("abcdef"), up=st.booleans(), paused=st.booleans(), load=st.integers(0, 3)
        ),
        unique_by=lambda c: c.id,
    ),
    st.builds(
        MessageFacts,
        channel=st.none() | st.sampled_from("abc"),
        refused_by=st.frozensets(st.sampled_from("abcdef")),
        tried=st.frozensets(st.sampled_from("abcdef")),
    ),
    st.randoms(),
)
def test_each_channel_is_a_candidate_or_refused_whatever_their_order(
    channels: list[ChannelFacts], message: MessageFacts, random: Any
) -> None:
    choice = choose(message, channels)
    named = [c.channel for c in (*choice.candidates, *choice.refusals)]
    assert sorted(named) == sorted(c.id for c in channels)
    shuffled = random.sample(channels, len(channels))
    assert choose(message, shuffled).candidates == choice.candidates
