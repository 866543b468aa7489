"""Long incoming texts are put together, whatever the order and however often their parts come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Received
from bridge.policy.reassembly import Group, groups
from tests.policy.support import DAY, HOUR, MINUTE, NOON, QUICK, SECOND, part


def text(group: Group) -> str:
    return "".join(p.text or "" for p in group.parts)


def whole(*parts: Received) -> list[str]:
    return [text(g) for g in groups(parts) if not g.missing]


A1, A2, A3 = (part(at, at, 3, f"part {at} ") for at in (1, 2, 3))


def test_parts_out_of_order() -> None:
    """I09, I10"""
    assert whole(A3, A1, A2) == ["part 1 part 2 part 3 "]


def test_what_is_missing_is_named_by_its_number() -> None:
    [group] = groups([A3, A1])
    assert group.missing == (2,)
    assert text(group) == "part 1 part 3 "
    assert group.total == 3
    assert group.rows == (3, 1)


def test_a_part_three_hours_late_completes_the_text() -> None:
    """I09: the centre's time is the sender's, only we got it late."""
    late = part(2, 2, 3, "part 2 ", at=NOON + 3 * HOUR)
    assert whole(A3, A1, late) == ["part 1 part 2 part 3 "]
    assert whole(A3, A1, part(2, 2, 3, "part 2 ", at=NOON + 3 * HOUR, sent_at=None)) == ["part 1 part 2 part 3 "]


def test_a_repeated_part_replaces_nothing_and_is_used_up() -> None:
    """I11"""
    again = part(9, 1, 3, "part 1 ", at=NOON + MINUTE)
    [group] = groups([A1, again, A2, A3])
    assert group.parts == (A1, A2, A3)
    assert group.rows == (1, 9, 2, 3)


def test_a_reference_used_again_makes_two_texts() -> None:
    """I12, when the first was not complete before the second began."""
    tomorrow = [part(10 + at, at, 3, f"other {at} ", at=NOON + DAY) for at in (1, 2, 3)]
    assert whole(A1, A2, A3, *tomorrow) == ["part 1 part 2 part 3 ", "other 1 other 2 other 3 "]


def test_a_lost_part_is_not_filled_from_a_later_text() -> None:
    """A2 never came; the reference came round two hours later."""
    later = [part(10 + at, at, 2, f"other {at} ", at=NOON + 2 * HOUR) for at in (1, 2)]
    first = part(1, 1, 2, "lonely ")
    found = groups([first, *later])
    assert [text(g) for g in found] == ["lonely ", "other 1 other 2 "]
    assert [g.missing for g in found] == [(2,), ()]


@pytest.mark.parametrize("apart", [SECOND, 30 * MINUTE, 2 * HOUR])
def test_a_sender_whose_reference_is_always_the_same_loses_nothing(apart: int) -> None:
    one = [part(at, at, 2, f"one {at} ") for at in (1, 2)]
    two = [part(10 + at, at, 2, f"two {at} ", at=NOON + apart) for at in (1, 2)]
    assert whole(one[0], two[0], one[1], two[1]) == ["one 1 one 2 ", "two 1 two 2 "]


def test_parts_read_at_once_are_joined_by_the_centres_time() -> None:
    """The modem was off; both texts were waiting."""
    one = [part(at, at, 2, f"one {at} ") for at in (1, 2)]
    two = [part(10 + at, at, 2, f"two {at} ", sent_at=NOON + 2 * HOUR) for at in (1, 2)]
    assert whole(one[0], two[0], two[1], one[1]) == ["one 1 one 2 ", "two 1 two 2 "]


def test_a_repeat_does_not_begin_to_fill_another_text() -> None:
    other, again = part(4, 2, 3, "other", at=NOON + HOUR), part(5, 1, 3, "part 1 ", at=NOON + HOUR)
    assert [g.rows for g in groups([A1, A2, other, again])] == [(1, 2, 5), (4,)]


def test_no_parts_are_no_message() -> None:
    assert groups([]) == []


def test_parts_that_differ_only_in_their_octets_differ() -> None:
    one = part(1, 1, 2, "", data=b"\x01")
    two = part(2, 1, 2, "", data=b"\x02", at=NOON + SECOND)
    assert len(groups([one, two])) == 2


@QUICK
@given(st.integers(2, 12).flatmap(lambda n: st.tuples(st.just(n), st.permutations(range(1, n + 1)), st.data())))
def test_any_order_with_any_repeats_gives_the_whole_text(drawn: tuple[int, list[int], st.DataObject]) -> None:
    total, order, data = drawn
    repeats = data.draw(st.lists(st.sampled_from(order), max_size=10))
    arrivals = list(order)
    for number in repeats:
        arrivals.insert(data.draw(st.integers(0, len(arrivals))), number)
    parts = [
        part(id, number, total, f"<{number}>", at=NOON + data.draw(st.integers(0, 3 * HOUR)))
        for id, number in enumerate(arrivals)
    ]
    [group] = groups(parts)
    assert text(group) == "".join(f"<{n}>" for n in range(1, total + 1))
    assert group.missing == ()
    assert group.rows == tuple(range(len(parts)))


@QUICK
@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from(["a", "b", "c"]), st.integers(0, DAY)), min_size=1, max_size=15
    )
)
def test_no_row_is_lost_or_used_twice(arrivals: list[tuple[int, str, int]]) -> None:
    parts = [part(id, number, 4, word, at=NOON + at) for id, (number, word, at) in enumerate(arrivals)]
    found = groups(parts)
    assert sorted(row for g in found for row in g.rows) == list(range(len(parts)))
    for group in found:
        assert [p.number for p in group.parts] == sorted({parts[row].number for row in group.rows})
        shown = {(p.number, p.text) for p in group.parts}
        assert {(parts[row].number, parts[row].text) for row in group.rows} == shown
