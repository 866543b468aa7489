"""What is left to send of a message, and what the driver is handed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Attempt, AttemptState, Kind, Message, show_id
from bridge.outbound.job import job_for, parts_of, submission
from bridge.policy.admission import Defaults, Rejected, admit
from drivers.contract import Encoding
from drivers.gsm import udh
from tests.policy.support import ALICE, HOUR, MINUTE, NOON, QUICK, SIM, attempt, order

OTHER_SIM = "8944110000000000002"


def message(**fields: Any) -> Message:
    return Message(
        id=1,
        client=1,
        to=ALICE,
        created_at=NOON,
        due_at=NOON,
        **{"text": "a" * 400, "parts": 3, "concatenation": 0x1234, **fields},
    )


def on(part: int, state: AttemptState = AttemptState.ACCEPTED, sim: str = SIM) -> Attempt:
    return attempt(part, part=part, state=state, sim=sim)


@pytest.mark.parametrize(
    ("earlier", "left"),
    [
        ([], [1, 2, 3]),
        ([on(1)], [2, 3]),
        ([on(1), on(2, AttemptState.ACCEPTED_LATE)], [3]),
        ([on(1), on(2), on(3)], []),
        ([on(2)], [1, 3]),
        # Neither a refusal nor a doubt is a success.
        ([on(1), on(2, AttemptState.REFUSED_SAFE)], [2, 3]),
        ([on(1), on(2, AttemptState.IN_DOUBT)], [2, 3]),
        ([on(1), on(2, AttemptState.UNRESOLVED)], [2, 3]),
        ([on(1), on(2, AttemptState.REFUSED_LATE)], [2, 3]),
        # S28: tried again, and accepted.
        ([on(1), on(2, AttemptState.REFUSED_SAFE), on(2)], [3]),
        # A phone joins only parts from one sender.
        ([on(1, sim=OTHER_SIM), on(2, sim=OTHER_SIM)], [1, 2, 3]),
        ([on(1, sim=OTHER_SIM), on(2)], [1, 3]),
    ],
)
def test_the_parts_left_on_this_sim(earlier: list[Attempt], left: list[int]) -> None:
    assert job_for(message(), tuple(earlier), SIM).left == left


def test_a_text_of_one_part_is_done_from_whichever_sim() -> None:
    one = message(text="hello", parts=1)
    assert job_for(one, (on(1, sim=OTHER_SIM),), SIM).left == []
    assert job_for(one, (), SIM).left == [1]


def test_a_possible_duplicate_stays_flagged() -> None:
    assert job_for(message(possible_duplicate=True), (), SIM).duplicate
    assert not job_for(message(), (), SIM).duplicate


@pytest.mark.parametrize(("wide", "reference"), [(False, 0x34), (True, 0x1234)])
def test_every_cut_is_the_same_with_the_same_reference(wide: bool, reference: int) -> None:
    """S28: the part sent again fits those already there."""
    whole = message(wide_reference=wide)
    parts = parts_of(whole)
    assert parts == parts_of(whole) == job_for(whole, (on(1),), SIM).parts
    for part in parts:
        found = udh.parse(part.udh).reference
        assert found is not None
        assert (found.value, found.wide, found.total, found.number) == (reference, wide, 3, part.number)


def test_one_part_bears_no_reference() -> None:
    [part] = parts_of(message(text="hello", parts=1))
    assert part.udh == b""
    assert (part.number, part.total) == (1, 1)


def test_octets_and_headers_are_cut_as_they_were_measured() -> None:
    header = udh.ports(2948, 9200)
    parts = parts_of(message(text="Look", data=b"x" * 200, udh=header, encoding=Encoding.BINARY))
    assert b"".join(p.data for p in parts) == b"x" * 200
    assert all(p.udh.endswith(header) for p in parts)
    assert len(parts_of(message(text=None, data=b"", udh=header, parts=1))) == 1


def test_the_encoding_decided_at_accept_is_kept() -> None:
    assert {p.encoding for p in parts_of(message(encoding=Encoding.UCS2))} == {Encoding.UCS2}


@QUICK
@given(st.text(max_size=700), st.booleans(), st.sampled_from([b"", udh.ports(1, 2)]), st.integers(0, 0xFFFF))
def test_the_cut_has_as_many_parts_as_were_promised(text: str, wide: bool, header: bytes, reference: int) -> None:
    asked = order(text=text, wide_reference=wide, udh=header)
    try:
        admitted = admit(asked, Defaults(max_parts=255), id=1, client=1, now=NOON)
    except Rejected:
        return
    assert len(parts_of(message(**_content(admitted), concatenation=reference, parts=admitted.parts))) == admitted.parts


def _content(m: Message) -> dict[str, Any]:
    return {"text": m.text, "udh": m.udh, "encoding": m.encoding, "wide_reference": m.wide_reference}


def test_the_driver_is_told_all_that_the_client_asked() -> None:
    whole = message(
        sender="MyBank",
        message_class=0,
        report=False,
        reply_path=True,
        reject_duplicates=True,
        protocol_id=0x41,
        dcs=0x10,
        kind=Kind.TEXT,
    )
    part = parts_of(whole)[1]
    handed = submission(whole, part, 77, NOON)
    assert handed.attempt_id == show_id("att", 77)
    assert handed.part == part
    assert handed.validity is None
    same = ("to", "sender", "text", "message_class", "report", "reply_path", "reject_duplicates", "protocol_id", "dcs")
    assert {name: getattr(handed, name) for name in same} == {name: getattr(whole, name) for name in same}


@pytest.mark.parametrize(
    ("expires_at", "validity"), [(NOON + HOUR, 3600), (NOON + MINUTE + 999, 60), (NOON + 999, 0), (None, None)]
)
def test_the_network_is_given_the_validity_that_is_left(expires_at: int | None, validity: int | None) -> None:
    whole = message(expires_at=expires_at)
    assert submission(whole, parts_of(whole)[0], 1, NOON).validity == validity
