"""WAP push as it comes in: what it says, and that nothing breaks the reader."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.gsm import PduError, push, wap, wbxml
from drivers.gsm.octets import Octets

MOMENT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
NOTICE = bytes.fromhex("010603BEAF848C82")
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=60)


@given(
    start=st.sampled_from(["http://", "https://", "http://www.", "https://www.", ""]),
    rest=st.from_regex(r"\A[a-z.]{1,20}(\.com/|\.org/)?[a-z/?=]{1,10}\Z"),
    text=TEXT,
    id=TEXT,
    action=st.sampled_from(["", *wap.ACTIONS]),
    created=st.none() | st.just(MOMENT),
)
def test_what_we_write_we_read(
    start: str, rest: str, text: str, id: str, action: str, created: datetime | None
) -> None:
    found = push.read(wap.push_si(start + rest, text, action=action, si_id=id, created=created))
    assert found.content == push.ServiceIndication(
        url=start + rest, text=text, action=action or "signal-medium", id=id, created=created
    )


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        (b"\x98T1\0", {"transaction": "T1"}),
        (b"\x8e\x02\x75\x30", {"size": 30_000}),
        (b"\x8e\x90", {"size": 16}),
        (b"\x89\x01\x81", {"sender": ""}),
        (b"\x89\x0b\x80me@x.test\0", {"sender": "me@x.test"}),
        (b"\x96Hi\0", {"subject": "Hi"}),
        (b"\x96\x04\x84\xe4\xe4\0", {"subject": "ää"}),  # Latin-1
        (b"\x88\x06\x80\x04\x69\xa7\xbc\x87", {"expires_at": datetime.fromtimestamp(0x69A7BC87, UTC)}),
        (b"\x8a\x82", {"message_class": "informational"}),
        (b"\x8aspecial\0", {"message_class": "special"}),
        (b"X-Own\0value\0\x98T2\0", {"transaction": "T2"}),
        (b"\x8f\x81\xa0\x1f\x02ab\x98T3\0", {"transaction": "T3"}),  # priority, and one that nobody knows
        (b"\x8e\x1e" + b"\xff" * 30, None),
        (b"\x98endless", None),
    ],
)
def test_a_notification_says(headers: bytes, wanted: dict[str, object] | None) -> None:
    if wanted is None:
        with pytest.raises(PduError):
            push.read(NOTICE + headers)
        return
    found = push.read(NOTICE + headers).content
    assert isinstance(found, push.MmsNotification)
    assert msgspec.structs.asdict(found).items() >= wanted.items()


@pytest.mark.parametrize("head", [b"", b"\x01", b"\x01\x06", b"\x01\x06\xff\xff\xff\xff\xff\x01", b"\x01\x05\x01\xbe"])
def test_what_is_no_push_is_refused(head: bytes) -> None:
    with pytest.raises(PduError):
        push.read(head)


def test_texts_may_lie_in_the_table_of_texts() -> None:
    table = b"http\0www.e.com\0"
    body = bytes((0x02, 0x05, 0x6A, len(table))) + table + b"\x45\xc6\x0c\x83\x05\x01\x83\x05\x02\x2e\x01\x01"
    found = wbxml.read(body, wbxml.SI)
    assert (found.attributes["href"], found.text) == ("http://www.e.com", "www.e.com.")


def test_elements_within_elements_without_end_are_refused() -> None:
    with pytest.raises(PduError, match="too deep"):
        wbxml.read(b"\x02\x05\x6a\x00" + b"\x47" * 1000, wbxml.SI)


@given(st.binary(max_size=300))
def test_whatever_the_octets_are_the_one_error_is_ours(data: bytes) -> None:
    with suppress(PduError):
        push.read(b"\x01\x06" + data)
    for content in (b"\x03\xbe\xaf\x84", b"\x01\xae", b"\x01\xb0"):
        with suppress(PduError):
            msgspec.json.encode(push.read(b"\x01\x06" + content + data))


@given(st.data())
def test_a_push_with_some_octets_changed_is_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(wap.push_si("https://www.example.com/a", "Hello", created=MOMENT, si_id="x"))
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with suppress(PduError):
        msgspec.json.encode(push.read(bytes(whole[: data.draw(st.integers(0, len(whole)))])))


@given(st.binary(max_size=8))
def test_a_number_is_read_or_refused(data: bytes) -> None:
    with suppress(PduError):
        assert 0 <= Octets(data).uintvar() < 1 << 35
    with suppress(PduError):
        assert 0 <= Octets(data).number() < 1 << 48
