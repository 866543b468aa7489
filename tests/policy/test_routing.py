"""Which channel a message goes to, and why not the others."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.numbers import country
from bridge.policy.prices import tariff
from bridge.policy.routing import ChannelFacts, MessageFacts, Route, Rule, choose
from bridge.policy.timing import Hours, parse_window
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


# --- Costs, memory and rules ------------------------------------------------------------------------------------------

CHEAP = channel("cheap", tariff=tariff({"+48": Decimal("0.05"), "*": Decimal("0.30")}))
DEAR = channel("dear", tariff=tariff({"+48": Decimal("0.10"), "+4860": Decimal("0.01"), "*": Decimal("0.20")}))
UNPRICED = channel("a")
ALL = (CHEAP, DEAR, UNPRICED)
CHEAPEST = Route(name="cheapest", tiers=(("cheap", "dear", "a"),), by_price=True)


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("+48511000111", ["cheap", "dear", "a"]),
        ("+48600700800", ["dear", "cheap", "a"]),  # the longest beginning counts
        ("+4915100000", ["dear", "cheap", "a"]),
        ("12345", ["dear", "cheap", "a"]),
    ],
)
def test_the_cheapest_comes_first_and_an_unknown_price_last(to: str, expected: list[str]) -> None:
    choice = choose(MessageFacts(to=to), ALL, CHEAPEST)
    assert [c.channel for c in choice.candidates] == expected
    assert [c.tier for c in choice.candidates] == [0, 1, 2]
    assert "price not known" in choice.candidates[-1].reason
    assert "costs 0." in choice.candidates[0].reason


def test_a_route_refuses_what_costs_too_much_or_nobody_knows_how_much() -> None:
    route = Route(name="r", tiers=(("cheap",), ("dear",), ("a",)), max_cost=Decimal("0.15"))
    choice = choose(MessageFacts(to="+48511000111", parts=2), ALL, route)
    assert [c.channel for c in choice.candidates] == ["cheap"]
    assert {c.channel: c.reason for c in choice.refusals} == {
        "dear": "it costs 0.20, the route allows 0.15",
        "a": "it costs an unknown sum, the route allows 0.15",
    }


def test_the_channel_that_a_person_knows_comes_before_better_tiers_but_not_when_it_is_out() -> None:
    route = Route(name="r", tiers=(("cheap",), ("dear",)), sticky=True)
    known = MessageFacts(known_by="dear")
    assert [c.channel for c in choose(known, ALL, route).candidates] == ["dear", "cheap"]
    assert "the recipient knows it" in choose(known, ALL, route).candidates[0].reason
    out = msgspec.structs.replace(DEAR, up=False)
    assert [c.channel for c in choose(known, (CHEAP, out), route).candidates] == ["cheap"]
    tried = MessageFacts(known_by="dear", tried=frozenset({"dear"}))
    assert [c.channel for c in choose(tried, ALL, route).candidates] == ["cheap", "dear"]


OFFICE = Hours(windows=(parse_window("mon-fri 8-16"),), zone="Europe/Warsaw")
MONDAY_NOON, SUNDAY_NOON = 1_736_766_000_000, 1_736_679_600_000  # 13 and 12 January 2025, 12:00 in Warsaw


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (Rule(keys=("crm", "shop")), True),
        (Rule(keys=("shop",)), False),
        (Rule(countries=("DE", "PL")), True),
        (Rule(countries=("DE",)), False),
        (Rule(times=OFFICE), True),
        (Rule(keys=("crm",), countries=("PL",), times=OFFICE, prefixes=("+48",)), True),
        (Rule(keys=("crm",), countries=("DE",), times=OFFICE), False),
    ],
)
def test_rules_by_key_country_and_time(rule: Rule, fits: bool) -> None:
    assert rule.fits(MessageFacts(to="+48600700800", key="crm", due_at=MONDAY_NOON)) is fits


def test_a_time_rule_asks_when_the_message_is_due() -> None:
    assert not Rule(times=OFFICE).fits(MessageFacts(to="+48600700800", due_at=SUNDAY_NOON))


@pytest.mark.parametrize(
    ("number", "iso"),
    [("+48600700800", "PL"), ("+442071838750", "GB"), ("12345", ""), ("+88213300000", ""), ("+1", "")],
)
def test_the_country_of_a_number(number: str, iso: str) -> None:
    assert country(number) == iso
