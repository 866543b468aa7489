"""Which message a reply answers, as a table and as properties."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Confidence, Message, Status
from bridge.policy.replies import Candidate, match, peer_of, same_number, words

CAROL = "+48600700800"


def sent(id: int, **fields: Any) -> Candidate:
    sim = fields.pop("sim", "sim1")
    values: dict[str, Any] = {"id": id, "client": 1, "to": CAROL, "created_at": 0, "due_at": 0, "text": "x"}
    values["status"] = Status.SENT
    return Candidate(message=Message(**values | fields), sim=sim)


@pytest.mark.parametrize(
    ("candidates", "text", "answers", "wanted"),
    [
        ([], "yes", None, None),
        ([sent(1)], "yes", None, (1, Confidence.ONLY_CANDIDATE)),
        ([sent(2), sent(1)], "yes", None, (2, Confidence.NEWEST)),
        ([sent(2), sent(1)], None, None, (2, Confidence.NEWEST)),
        ([sent(2), sent(1, reply_token="7")], "ACK 7", None, (1, Confidence.TOKEN)),
        ([sent(2), sent(1, reply_token="A7")], "a7.", None, (1, Confidence.TOKEN)),
        ([sent(2), sent(1, reply_token="7")], "ACK 77", None, (2, Confidence.NEWEST)),
        ([sent(2), sent(1, reply_token="7")], "7", 2, (1, Confidence.TOKEN)),  # a token above all
        ([sent(2), sent(1)], "yes", 1, (1, Confidence.PROVIDER)),
        ([sent(2), sent(1)], "yes", 9, (2, Confidence.NEWEST)),
        ([sent(2, sim="sim2"), sent(1)], "yes", None, (1, Confidence.ONLY_CANDIDATE)),
        ([sent(2, sim="sim2")], "yes", None, None),
        ([sent(2, sim="sim2", reply_token="7")], "7", None, (2, Confidence.TOKEN)),
        ([sent(1), sent(1, sim="sim2")], "yes", None, (1, Confidence.ONLY_CANDIDATE)),  # one message by two SIMs
        ([sent(2, status=Status.CANCELLED), sent(1)], "yes", None, (1, Confidence.ONLY_CANDIDATE)),
        ([sent(2, status=Status.FAILED, reply_token="7")], "7", None, None),
        ([sent(1, to="+49600700800")], "yes", None, None),  # the same last digits, another country
    ],
)
def test_the_message_that_is_answered(candidates: Any, text: Any, answers: Any, wanted: Any) -> None:
    found = match(sim="sim1", sender=CAROL, text=text, candidates=candidates, answers=answers, region=None)
    assert (None if found is None else (found.message.id, found.confidence)) == wanted


@pytest.mark.parametrize(
    ("to", "sender", "region", "same"),
    [
        (CAROL, CAROL, None, True),
        (CAROL, "600700800", "PL", True),
        (CAROL, "600700800", None, True),  # by its last digits, where no country is known
        (CAROL, "600700800", "DE", False),
        (CAROL, "0048600700800", "PL", True),
        (CAROL, "+49600700800", None, False),
        ("65000", "65000", None, True),
        ("65000", "65001", None, False),
        (CAROL, "MyBank", None, False),
        (CAROL, "", None, False),
    ],
)
def test_numbers_are_equal_after_normalisation(to: str, sender: str, region: str | None, same: bool) -> None:
    assert same_number(to, sender, region) is same


def test_a_peer_is_written_as_it_can_be_written_to() -> None:
    assert peer_of("600700800", "PL") == CAROL
    assert peer_of("MyBank", "PL") == "MyBank"
    assert peer_of("600700800", None) == "600700800"


@given(st.text(max_size=40), st.from_regex(r"\A[0-9A-Za-z]{1,16}\Z"))
def test_a_token_is_found_in_any_text_that_says_it_alone(text: str, token: str) -> None:
    assert token.casefold() in words(f"{text} {token} {text}")


@given(st.lists(st.integers(1, 9), unique=True, max_size=9), st.text(max_size=20))
def test_whatever_is_said_the_answer_is_one_of_the_candidates(ids: list[int], text: str) -> None:
    candidates = [sent(id, reply_token=str(id)) for id in sorted(ids, reverse=True)]
    found = match(sim="sim1", sender=CAROL, text=text, candidates=candidates, answers=None, region=None)
    assert (found is None) == (not ids)
    if found is not None:
        said = words(text) & {str(id) for id in ids}
        assert (found.confidence is Confidence.TOKEN) == bool(said)
