"""What may be ordered, what is taken for granted, and every complaint."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import ANY_CHANNEL, DoubtPolicy, Kind, Message, Status
from bridge.outbound.job import parts_of
from bridge.policy.admission import Complaint, Defaults, Order, Rejected, admit, admit_all, measure
from drivers.contract import Encoding
from tests.policy.support import ALICE, BOB, DAY, HOUR, MINUTE, NOON, QUICK, order

DEFAULTS = Defaults(region="PL", channels=frozenset({"gsm1", "gsm2"}))
WEEKS_63 = 63 * 7 * DAY


def admitted(defaults: Defaults = DEFAULTS, **fields: Any) -> Message:
    return admit(order(**fields), defaults, id=7, client=3, now=NOON)


def complaints(defaults: Defaults = DEFAULTS, **fields: Any) -> list[Complaint]:
    with pytest.raises(Rejected) as caught:
        admitted(defaults, **fields)
    return caught.value.complaints


def places(found: list[Complaint]) -> list[tuple[str, str]]:
    return [(c.at, c.code) for c in found]


# --- What is taken ----------------------------------------------------------------------------------------------------


def test_an_order_takes_the_services_defaults() -> None:
    assert admitted() == Message(
        id=7,
        client=3,
        to=ALICE,
        created_at=NOON,
        updated_at=NOON,
        due_at=NOON,
        text="hello",
        report=True,
        policy=DoubtPolicy.AT_LEAST_ONCE,
        queue=ANY_CHANNEL,
        expires_at=NOON + DAY,
        status=Status.QUEUED,
    )


def test_configured_defaults_hold_where_the_order_says_nothing() -> None:
    careful = Defaults(policy=DoubtPolicy.AT_MOST_ONCE, validity=None, report=False)
    message = admitted(careful)
    assert (message.policy, message.expires_at, message.report) == (DoubtPolicy.AT_MOST_ONCE, None, False)
    message = admitted(careful, policy=DoubtPolicy.URGENT, valid_for=60, report=True)
    assert (message.policy, message.expires_at, message.report) == (DoubtPolicy.URGENT, NOON + MINUTE, True)


def test_what_the_order_says_is_kept() -> None:
    said = {
        "ref": "r" * 128,
        "sender": "MyBank",
        "message_class": 0,
        "priority": -128,
        "channel": "gsm2",
        "reply_path": True,
        "reject_duplicates": True,
        "protocol_id": 0x41,
        "wide_reference": True,
    }
    message = admit(order(**said), DEFAULTS, id=7, client=3, now=NOON, batch=5)
    assert {name: getattr(message, name) for name in said} == said
    assert message.queue == "gsm2"
    assert message.batch == 5


def test_a_national_number_belongs_to_the_services_country() -> None:
    assert admitted(to="600 700 800").to == "+48600700800"
    assert places(complaints(Defaults(), to="600 700 800")) == [("to", "number_without_country")]


@pytest.mark.parametrize(
    ("fields", "due_at", "expires_at"),
    [
        ({"send_at": NOON + HOUR}, NOON + HOUR, NOON + HOUR + DAY),
        ({"send_at": NOON - HOUR}, NOON, NOON + DAY),
        ({"send_at": NOON + 366 * DAY}, NOON + 366 * DAY, NOON + 367 * DAY),
        ({"valid_for": 60}, NOON, NOON + MINUTE),
        ({"valid_for": 63 * 7 * 86_400}, NOON, NOON + WEEKS_63),
        ({"valid_for": 300, "send_at": NOON + HOUR}, NOON + HOUR, NOON + HOUR + 5 * MINUTE),
        ({"expires_at": NOON + 60_001}, NOON, NOON + 60_001),
        ({"expires_at": NOON + 2 * HOUR, "send_at": NOON + HOUR}, NOON + HOUR, NOON + 2 * HOUR),
        ({"expires_at": NOON + WEEKS_63}, NOON, NOON + WEEKS_63),
    ],
)
def test_validity_counts_from_the_time_of_sending(fields: dict[str, Any], due_at: int, expires_at: int) -> None:
    message = admitted(**fields)
    assert (message.due_at, message.expires_at) == (due_at, expires_at)


@QUICK
@given(st.integers(NOON + MINUTE, NOON + WEEKS_63))
def test_an_expiry_is_kept_to_the_millisecond(expires_at: int) -> None:
    assert admitted(expires_at=expires_at).expires_at == expires_at


@pytest.mark.parametrize(
    ("fields", "encoding", "parts"),
    [
        ({"text": ""}, Encoding.GSM7, 1),
        ({"text": "a" * 160}, Encoding.GSM7, 1),
        ({"text": "a" * 161}, Encoding.GSM7, 2),
        ({"text": "ł" * 70}, Encoding.UCS2, 1),
        ({"text": "a" * 71, "encoding": Encoding.UCS2}, Encoding.UCS2, 2),
        ({"text": "a" * 1530}, Encoding.GSM7, 10),
        ({"text": "a" * 154, "port": 2948}, Encoding.GSM7, 2),
        ({"kind": Kind.BINARY, "text": None, "data": b"\0" * 140}, Encoding.BINARY, 1),
        ({"kind": Kind.BINARY, "text": None, "data": b"\0" * 140, "port": 2948}, Encoding.BINARY, 2),
        ({"kind": Kind.BINARY, "text": None, "data": b"", "udh": bytes.fromhex("0B020000")}, Encoding.BINARY, 1),
        ({"kind": Kind.WAP_PUSH, "text": "Look", "url": "https://example.com/"}, Encoding.BINARY, 1),
        ({"dcs": 0x08, "encoding": Encoding.UCS2}, Encoding.UCS2, 1),
        ({"dcs": 0xF0, "message_class": 0}, Encoding.GSM7, 1),
    ],
)
def test_the_content_is_measured_as_it_will_be_cut(fields: dict[str, Any], encoding: Encoding, parts: int) -> None:
    message = admitted(**fields)
    assert (message.encoding, message.parts) == (encoding, parts)
    cut = parts_of(message)
    assert len(cut) == parts
    assert {part.encoding for part in cut} == {encoding}


def test_ports_go_before_the_callers_own_header() -> None:
    message = admitted(
        kind=Kind.BINARY, text=None, data=b"x", port=2948, source_port=9200, udh=bytes.fromhex("2401 01")
    )
    assert message.udh.hex() == "05040b8423f0" + "240101"
    assert message.text is None


def test_a_wap_push_is_octets_to_the_push_port_and_keeps_its_words() -> None:
    message = admitted(kind=Kind.WAP_PUSH, text="Look", url="https://example.com/")
    assert message.udh.hex() == "05040b8423f0"
    assert message.text == "Look"
    assert message.data is not None
    assert b"example" in message.data


# --- What is refused --------------------------------------------------------------------------------------------------

REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"to": ""}, "to", "number_missing"),
    ({"to": "MyBank"}, "to", "number_not_possible"),
    ({"to": "+48600"}, "to", "number_not_valid"),
    ({"text": None}, "text", "content_not_possible"),
    ({"text": "a\0b"}, "text", "content_not_possible"),
    ({"text": "\ud83d"}, "text", "content_not_possible"),
    ({"text": "ł", "encoding": Encoding.GSM7}, "text", "content_not_possible"),
    ({"encoding": Encoding.BINARY}, "text", "content_not_possible"),
    ({"text": "a" * 1531}, "text", "text_too_long"),
    ({"text": "ł" * 671}, "text", "text_too_long"),
    ({"text": "a" * 100_000}, "text", "content_not_possible"),
    ({"kind": Kind.BINARY, "text": None}, "data", "content_not_possible"),
    ({"kind": Kind.BINARY, "data": b"x"}, "text", "field_not_for_kind"),
    ({"kind": Kind.BINARY, "text": None, "data": b"x" * 1341}, "data", "text_too_long"),
    ({"kind": Kind.BINARY, "text": None, "data": b"x", "encoding": Encoding.GSM7}, "encoding", "field_not_for_kind"),
    ({"data": b"x"}, "data", "field_not_for_kind"),
    ({"kind": Kind.WAP_PUSH}, "url", "content_not_possible"),
    ({"url": "https://example.com/"}, "url", "field_not_for_kind"),
    ({"kind": Kind.WAP_PUSH, "url": "https://example.com/", "port": 2948}, "port", "field_not_for_kind"),
    ({"kind": Kind.WAP_PUSH, "url": "https://example.com/", "udh": b"\x24\1\1"}, "udh", "field_not_for_kind"),
    ({"udh": b"\0\3\1"}, "udh", "content_not_possible"),
    ({"text": "a" * 161, "udh": b"\0\3\1\2\1"}, "text", "content_not_possible"),
    ({"port": -1}, "port", "out_of_range"),
    ({"port": 65_536}, "port", "out_of_range"),
    ({"port": 1, "source_port": 65_536}, "source_port", "out_of_range"),
    ({"source_port": 9200}, "source_port", "conflict"),
    ({"priority": 128}, "priority", "out_of_range"),
    ({"priority": -129}, "priority", "out_of_range"),
    ({"message_class": 4}, "class", "out_of_range"),
    ({"message_class": -1}, "class", "out_of_range"),
    ({"protocol_id": 256}, "protocol_id", "out_of_range"),
    ({"dcs": -1}, "dcs", "out_of_range"),
    ({"dcs": 0x08}, "dcs", "conflict"),
    ({"dcs": 0x00, "message_class": 0}, "class", "conflict"),
    ({"ref": ""}, "ref", "out_of_range"),
    ({"ref": "r" * 129}, "ref", "out_of_range"),
    ({"channel": "gsm3"}, "channel", "unknown_channel"),
    ({"channel": ""}, "channel", "unknown_channel"),
    ({"sender": "Twelve chars"}, "sender", "sender_not_legal"),
    ({"send_at": NOON + 366 * DAY + 1}, "send_at", "out_of_range"),
    ({"valid_for": 59}, "valid_for", "out_of_range"),
    ({"valid_for": -1}, "valid_for", "out_of_range"),
    ({"valid_for": 63 * 7 * 86_400 + 1}, "valid_for", "out_of_range"),
    ({"expires_at": NOON + 59_999}, "expires_at", "out_of_range"),
    ({"expires_at": NOON - DAY}, "expires_at", "out_of_range"),
    ({"expires_at": NOON + HOUR, "send_at": NOON + HOUR}, "expires_at", "out_of_range"),
    ({"expires_at": NOON + WEEKS_63 + 1}, "expires_at", "out_of_range"),
    ({"valid_for": 60, "expires_at": NOON + HOUR}, "expires_at", "conflict"),
]


@pytest.mark.parametrize(("fields", "at", "code"), REFUSED)
def test_one_mistake_is_one_complaint(fields: dict[str, Any], at: str, code: str) -> None:
    found = complaints(**fields)
    assert places(found) == [(at, code)]
    assert found[0].detail


def test_all_mistakes_are_named_at_once() -> None:
    found = complaints(
        to="?",
        text="a\0",
        data=b"x",
        url="x",
        port=-1,
        priority=1000,
        message_class=9,
        protocol_id=-1,
        dcs=256,
        ref="",
        channel="gsm9",
        sender="",
        send_at=NOON + 400 * DAY,
        valid_for=1,
    )
    named = " ".join(sorted(c.at for c in found))
    assert named == "channel class data dcs port priority protocol_id ref send_at sender text to url valid_for"


def test_a_text_too_long_says_what_forces_ucs2_and_what_the_limit_is() -> None:
    [found] = complaints(text="a" * 900 + "ł")
    assert found.detail.startswith("needs 14 parts in ucs2, the limit is 10; 'ł' forces UCS-2")
    assert measure(order(text="a" * 900 + "ł"), Defaults(max_parts=14)).plan.parts == 14


def test_the_known_channels_are_named() -> None:
    assert "there are: gsm1, gsm2" in complaints(channel="x")[0].detail
    assert "none is configured" in complaints(Defaults(), channel="x")[0].detail


def test_a_preview_refuses_the_same_content() -> None:
    for fields, at, code in REFUSED:
        if at in {"text", "data", "port", "udh", "source_port"} and code != "field_not_for_kind":
            with pytest.raises(Rejected) as caught:
                measure(order(**fields), DEFAULTS)
            assert places(caught.value.complaints) == [(at, code)]


@QUICK
@given(
    text=st.text(max_size=200) | st.none(),
    data=st.binary(max_size=150) | st.none(),
    kind=st.sampled_from(Kind),
    udh=st.binary(max_size=20),
    url=st.text(max_size=20) | st.none(),
    port=st.integers(-1, 70_000) | st.none(),
    encoding=st.sampled_from([None, *Encoding]),
    wide_reference=st.booleans(),
    dcs=st.integers(-1, 256) | st.none(),
    message_class=st.integers(-1, 4) | st.none(),
)
def test_what_is_admitted_can_be_cut_and_the_rest_is_refused(**fields: Any) -> None:
    """Nothing else is raised, and no admitted message fails later for its content."""
    try:
        message = admitted(**fields)
    except Rejected:
        return
    assert len(parts_of(message)) == message.parts


# --- Batches ----------------------------------------------------------------------------------------------------------


def batch(*orders: Order, defaults: Defaults = DEFAULTS) -> list[Message]:
    return admit_all(orders, defaults, ids=range(100, 100 + len(orders)), client=3, now=NOON, batch=99)


def test_a_batch_is_what_its_orders_are_one_by_one() -> None:
    orders = [
        order(),
        order(to=BOB),
        order(to=BOB, text="other"),
        order(text="other", udh=bytes.fromhex("240101")),
        order(text="other", wide_reference=True),
        order(text="other", priority=5),
        order(text="other", kind=Kind.WAP_PUSH, url="https://example.com/"),
        order(text=None, kind=Kind.BINARY, data=b"other"),
        order(),
        order(send_at=NOON + HOUR),
    ]
    expected = [admit(each, DEFAULTS, id=100 + at, client=3, now=NOON, batch=99) for at, each in enumerate(orders)]
    assert batch(*orders) == expected


@QUICK
@given(
    st.lists(
        st.builds(
            order,
            to=st.sampled_from([ALICE, BOB, "5600", "?"]),
            text=st.sampled_from(["hello", "a\0", None, "ł"]),
            kind=st.sampled_from(Kind),
            udh=st.sampled_from([b"", b"\x24\1\1"]),
            url=st.sampled_from([None, "https://example.com/"]),
            data=st.sampled_from([None, b"x"]),
            priority=st.sampled_from([0, 1, 999]),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_sharing_changes_nothing(orders: list[Order]) -> None:
    """Whatever stands beside it in the batch, an order becomes the same message or meets the same complaints."""
    messages: list[Message] = []
    found: list[Complaint] = []
    for at, each in enumerate(orders):
        try:
            messages.append(admit(each, DEFAULTS, id=100 + at, client=3, now=NOON, batch=99))
        except Rejected as rejected:
            found += [msgspec.structs.replace(c, at=f"messages[{at}].{c.at}") for c in rejected.complaints]
    if not found:
        assert batch(*orders) == messages
        return
    with pytest.raises(Rejected) as caught:
        batch(*orders)
    assert caught.value.complaints == found


def test_a_batch_names_the_place_of_every_mistake() -> None:
    with pytest.raises(Rejected) as caught:
        batch(order(), order(to="?"), order(text="\0"), order(to="", text="\0"))
    assert places(caught.value.complaints) == [
        ("messages[1].to", "number_not_possible"),
        ("messages[2].text", "content_not_possible"),
        ("messages[3].to", "number_missing"),
        ("messages[3].text", "content_not_possible"),
    ]


class CountedText(str):
    """A text that knows how often it was measured: measuring looks for NUL first."""

    looked_at = 0

    def __contains__(self, piece: object) -> bool:
        type(self).looked_at += 1
        return super().__contains__(str(piece))


@pytest.mark.parametrize("text", ["hello", "a\0"])
def test_one_text_to_many_is_measured_once_even_when_it_is_refused(text: str) -> None:
    CountedText.looked_at = 0
    template = order(text=CountedText(text))
    orders = [msgspec.structs.replace(template, to=f"+48600700{at:03d}") for at in range(500)]
    if text == "hello":
        assert len(batch(*orders)) == 500
    else:
        with pytest.raises(Rejected) as caught:
            batch(*orders)
        assert len(caught.value.complaints) == 500
    assert CountedText.looked_at == 1
