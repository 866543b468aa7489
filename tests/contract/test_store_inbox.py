"""What came in, keys, answers given again, references, notes."""

from __future__ import annotations

import pytest

from bridge.model import ApiKey, Idempotency, Scope
from bridge.store import Changes, StoreError
from drivers.contract import Encoding, IncomingKind

from .support import SIM, START, Place, changed, inbound, new_id, received


def test_incoming_rows_come_back_as_they_were_added(place: Place) -> None:
    pdu = received(
        slot="SM:3",
        session="s1",
        kind=IncomingKind.BINARY,
        text=None,
        data=b"\x00\xff",
        encoding=Encoding.BINARY,
        reference=0,
        wide=True,
        total=3,
        number=2,
        sent_at=START - 9,
        note="odd",
    )
    whole = inbound(
        kind=IncomingKind.WAP_PUSH,
        data=b"\x01",
        encoding=Encoding.UCS2,
        parts=3,
        missing=(2, 3),
        sent_at=START,
        message_class=0,
        port=2948,
        replaces=5,
        in_reply_to=6,
        note="incomplete",
    )

    def story(c: Changes) -> None:
        c.add_received(pdu)
        assert c.received_like(SIM, pdu.fingerprint, 0) == [pdu]
        c.add_inbound(whole, [pdu.id])
        assert c.inbound(whole.id) == whole
        assert c.received_like(SIM, pdu.fingerprint, 0) == [changed(pdu, inbound=whole.id)]
        assert c.inbound(new_id()) is None

    place.do(story)


def test_the_same_fingerprint_is_found_by_sim_and_time(place: Place) -> None:
    one = received(fingerprint="aa", received_at=START)
    two = received(fingerprint="aa", received_at=START + 5)

    def story(c: Changes) -> None:
        for each in (one, two, received(fingerprint="aa", sim="other"), received(fingerprint="bb")):
            c.add_received(each)
        assert c.received_like(SIM, "aa", 0) == [one, two]
        assert c.received_like(SIM, "aa", START + 1) == [two]

    place.do(story)


def test_parts_are_found_by_the_whole_concatenation_key_until_they_are_joined(place: Place) -> None:
    one = received(reference=9, total=2, number=2, received_at=START)
    two = received(reference=9, total=2, number=1, received_at=START + 1)
    others = [
        received(reference=9, total=3),
        received(reference=9, total=2, wide=True),
        received(reference=8, total=2),
        received(reference=9, total=2, sender="+1"),
        received(reference=9, total=2, sim="other"),
        received(),
    ]

    def story(c: Changes) -> None:
        for each in (one, two, *others):
            c.add_received(each)
        assert c.received_parts(SIM, one.sender, 9, False, 2) == [one, two]
        assert c.incomplete(START, 9) == []
        assert c.incomplete(START + 1, 2) == [one, others[0]]
        assert {r.id for r in c.incomplete(START + 2, 99)} == {r.id for r in (one, two, *others[:5])}
        c.add_inbound(inbound(), [one.id, two.id])
        assert c.received_parts(SIM, one.sender, 9, False, 2) == []
        assert one.id not in {r.id for r in c.incomplete(START + 2, 99)}

    place.do(story)


def test_the_inbox_pages_newest_first(place: Place) -> None:
    rows = [inbound(sender=s, channel=ch) for s, ch in (("+1", "m1"), ("+2", "m1"), ("+1", "m2"))]

    def story(c: Changes) -> None:
        for row in rows:
            c.add_inbound(row, [])
        assert c.inbounds() == rows[::-1]
        assert c.inbounds(limit=1) == [rows[2]]
        assert c.inbounds(before=rows[2].id) == [rows[1], rows[0]]
        assert c.inbounds(sender="+1") == [rows[2], rows[0]]
        assert c.inbounds(sender="+1", channel="m1") == [rows[0]]

    place.do(story)


def test_the_last_replaceable_is_of_the_same_sender_and_type(place: Place) -> None:
    rows = [inbound(replace_type=1), inbound(replace_type=1), inbound(replace_type=2), inbound()]

    def story(c: Changes) -> None:
        for row in rows:
            c.add_inbound(row, [])
        assert c.last_replaceable(SIM, rows[0].sender, 1) == rows[1].id
        assert c.last_replaceable(SIM, rows[0].sender, 2) == rows[2].id
        assert c.last_replaceable(SIM, rows[0].sender, 3) is None
        assert c.last_replaceable(SIM, "+9", 1) is None

    place.do(story)


def test_keys_are_found_by_digest_and_revoked_once(place: Place) -> None:
    key = ApiKey(id=new_id(), name="shop", scope=Scope.SEND, digest=b"\x07" * 32, hint="gsmb_ab", created_at=START)

    def story(c: Changes) -> None:
        c.add_key(key)
        assert c.keys() == [key]
        assert c.key_by_digest(key.digest) == key
        assert c.key_by_digest(b"\x08" * 32) is None
        assert c.revoke_key(key.id, START + 1)
        assert not c.revoke_key(key.id, START + 2)
        assert not c.revoke_key(new_id(), START + 2)
        assert c.key_by_digest(key.digest) == changed(key, revoked_at=START + 1)

    place.do(story)


def test_an_answer_is_remembered_by_client_and_key_and_forgotten_by_age(place: Place) -> None:
    answers = [
        Idempotency(client=n, key="k", digest=bytes([n]) * 32, created_at=START + n, answer=b'{"id":1}')
        for n in range(5)
    ]

    def story(c: Changes) -> None:
        for answer in answers:
            c.remember(answer)
        assert c.idempotent(2, "k") == answers[2]
        assert c.idempotent(2, "other") is None
        assert c.idempotent(9, "k") is None
        assert [c.forget(START + 3, 2) for _ in range(3)] == [2, 1, 0]
        assert c.idempotent(2, "k") is None
        assert c.idempotent(3, "k") == answers[3]

    place.do(story)


def test_one_key_holds_one_answer(place: Place) -> None:
    answer = Idempotency(client=1, key="k", digest=b"d", created_at=START, answer=b"a")
    place.do(lambda c: c.remember(answer))
    with pytest.raises(StoreError):
        place.do(lambda c: c.remember(changed(answer, answer=b"b")))
    assert place.do(lambda c: c.idempotent(1, "k")) == answer


def test_references_count_up_for_each_recipient_and_come_round(place: Place) -> None:
    first = place.do(lambda c: [c.next_concatenation("+1") for _ in range(3)])
    assert first == [first[0], first[0] + 1, first[0] + 2]
    place.do(lambda c: c.next_concatenation("+2"))
    assert place.do(lambda c: c.next_concatenation("+1")) == first[0] + 3  # also after a restart
    seen = place.do(lambda c: [c.next_concatenation("+1") for _ in range(65536)])
    assert sorted(seen) == list(range(65536))


def test_notes_are_kept_and_replaced(place: Place) -> None:
    place.do(lambda c: c.set_meta("colour", "red"))
    place.do(lambda c: c.set_meta("colour", "blue"))
    assert place.do(lambda c: (c.meta("colour"), c.meta("shape"))) == ("blue", None)
