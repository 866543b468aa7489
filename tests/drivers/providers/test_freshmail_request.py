"""What is written to FreshMail, and what is refused before it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from drivers.contract import Encoding, Refused, Submission
from drivers.providers.freshmail import Options, list_request, parts_of, request, sign
from tests.drivers.providers.rest_support import NUMBER, submission

KEY = "0123456789abcdef0123456789abcdef"
SECRET = "00112233445566778899aabbccddeeff00112233"
OPTIONS = Options(api_key=KEY, api_secret=SECRET)


def changed(**changes: Any) -> Submission:
    return msgspec.structs.replace(submission(), **changes)


@pytest.mark.parametrize(
    ("path", "body", "signature"),
    [
        ("/rest/ping", "", "53ca4b18655566d2c6458e876811ac3f3d58fabf"),
        (
            "/rest/sms",
            '{"gsm":"+48500600700","text":"Test","messageId":"m-1"}',
            "62c5378c58d1dc8ddb24228c6717c31e6da7d7aa",
        ),
        (
            "/rest/sms",
            '{"gsm":"+48500600700","text":"Zażółć gęślą jaźń","messageId":"m-2"}',
            "f88c771657dae16cad6a1643ba9c3a1e9b1d0a89",
        ),
    ],
)
def test_the_sign_is_over_key_path_exact_body_and_secret(path: str, body: str, signature: str) -> None:
    assert sign(path, body.encode(), api_key=KEY, api_secret=SECRET) == signature


def test_a_text_is_written_as_the_document_shows_it() -> None:
    path, body = request(changed(sender="Recepcja"), OPTIONS)
    assert path == "/rest/sms"
    assert body == (b'{"gsm":"+48500600700","text":"Pump 3 stopped","messageId":"attZ0c1vk5h7e8g00","from":"Recepcja"}')


def test_letters_travel_as_utf8_and_line_ends_as_line_feeds() -> None:
    _, body = request(changed(text="Zażółć\r\ngęślą\rjaźń 😀"), OPTIONS)
    assert "Zażółć\\ngęślą\\njaźń 😀".encode() in body


@pytest.mark.parametrize(
    ("options", "changes", "field", "value"),
    [
        (Options(api_key=KEY, api_secret=SECRET, sender="2way"), {}, "from", "2way"),
        (Options(api_key=KEY, api_secret=SECRET, sender="2way"), {"sender": "Recepcja"}, "from", "Recepcja"),
        (Options(api_key=KEY, api_secret=SECRET, single=True), {}, "single", 1),
        (OPTIONS, {"options": {"single": "1"}}, "single", 1),
        (Options(api_key=KEY, api_secret=SECRET, foreign=True), {"to": "+12025550123"}, "gsm", "+12025550123"),
    ],
)
def test_a_switch_becomes_its_field(options: Options, changes: dict[str, Any], field: str, value: object) -> None:
    assert json.loads(request(changed(**changes), options)[1])[field] == value


def test_an_mms_has_subject_and_picture() -> None:
    options = Options(api_key=KEY, api_secret=SECRET, mms_path="/rest/sms/sendmms")
    mms = changed(kind="mms", text=None, options={"subject": "Gate camera", "image": "https://cam.example/1.jpg"})
    path, body = request(mms, options)
    assert path == "/rest/sms/sendmms"
    assert json.loads(body) == {
        "gsm": NUMBER,
        "subject": "Gate camera",
        "image": "https://cam.example/1.jpg",
        "messageId": "attZ0c1vk5h7e8g00",
    }


def test_the_report_list_is_asked_by_date_and_page() -> None:
    start, end = datetime(2015, 12, 17, 0, 0, tzinfo=UTC), datetime(2015, 12, 18, 23, 59, 1, tzinfo=UTC)
    assert json.loads(list_request(start, end, 2)) == {
        "startDate": "2015-12-17 00:00:00",
        "endDate": "2015-12-18 23:59:01",
        "page": 2,
    }


NOT_EXPRESSIBLE: list[tuple[str, dict[str, Any], str]] = [
    ("flash", {"message_class": 0}, "message_class"),
    ("a later time", {"send_at": datetime(2026, 1, 1, tzinfo=UTC)}, "send_at"),
    ("a short life", {"validity": 300}, "validity"),
    ("binary", {"kind": "binary", "text": None, "data": b"\1"}, "data"),
    ("binary by encoding", {"encoding": Encoding.BINARY}, "data"),
    ("a header", {"udh": b"\5\4\x0b\x84\x23\xf0"}, "udh"),
    ("a protocol", {"protocol_id": 65}, "protocol_id"),
    ("a coding", {"dcs": 4}, "dcs"),
    ("a reply path", {"reply_path": True}, "reply_path"),
    ("no duplicates", {"reject_duplicates": True}, "reject_duplicates"),
    ("voice", {"kind": "voice"}, "kind"),
    ("wap push", {"kind": "wap_push", "options": {"url": "https://a.example"}}, "kind"),
    ("no text", {"text": ""}, "text"),
    ("460 plain", {"text": "a" * 460}, "text"),
    ("201 special", {"text": "ł" * 201}, "text"),
    ("161 in one", {"text": "a" * 161, "options": {"single": "1"}}, "text"),
    ("71 special in one", {"text": "ł" * 71, "options": {"single": "1"}}, "text"),
    ("a long sender", {"sender": "TwelveLetter"}, "sender"),
    ("a special sender", {"sender": "Łódź"}, "sender"),
    ("a short code", {"to": "7788"}, "to"),
    ("a foreign number", {"to": "+4915112345678"}, "to"),
    ("a foreign number of 11 digits", {"to": "+12025550123"}, "to"),
    ("an unknown option", {"options": {"tinyurl": "1"}}, "options.tinyurl"),
    ("mms without a picture", {"kind": "mms", "text": None, "options": {"subject": "x"}}, "options.image"),
    (
        "mms with a path",
        {"kind": "mms", "text": None, "options": {"subject": "x", "image": "/var/1.jpg"}},
        "options.image",
    ),
    ("mms without subject", {"kind": "mms", "text": None, "options": {"image": "https://a.example/1"}}, "subject"),
    (
        "a long subject",
        {"kind": "mms", "text": None, "options": {"subject": "x" * 31, "image": "https://a.example/1"}},
        "subject",
    ),
    (
        "mms with a text too",
        {"kind": "mms", "text": "more", "options": {"subject": "x", "image": "https://a.example/1"}},
        "text",
    ),
]


@pytest.mark.parametrize(("what", "changes", "field"), NOT_EXPRESSIBLE, ids=[row[0] for row in NOT_EXPRESSIBLE])
def test_what_cannot_be_said_is_refused_with_the_field(what: str, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as caught:
        request(changed(**changes), OPTIONS)
    assert (caught.value.code, caught.value.everywhere) == ("not_expressible", False)
    assert field in caught.value.detail


def test_half_a_character_is_bad_everywhere() -> None:
    with pytest.raises(Refused) as caught:
        request(changed(text="\ud83d"), OPTIONS)
    assert (caught.value.code, caught.value.everywhere) == ("bad_text", True)


def test_a_long_life_is_sent_without_it() -> None:
    assert b"valid" not in request(changed(validity=86_400), OPTIONS)[1]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("a" * 459, 3),
        ("a" * 460, 4),
        ("[" * 81, 1),
        ("a" * 159 + "€", 3),  # the euro sign is special here, though 7-bit on the air
        ("ł" * 70, 1),
        ("ł" * 71, 2),
        ("ł" * 134, 2),
        ("ł" * 135, 3),
        ("ł" * 200, 3),
        ("ł" * 201, 4),
        ("\U0001f600" * 35, 1),
        ("a\nb", 1),
        ("a\n" * 36, 2),
    ],
)
def test_parts_are_counted_as_this_gate_counts_them(text: str, parts: int) -> None:
    assert parts_of(text) == parts


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"api_key": "", "api_secret": ""}, "api_key and api_secret"),
        ({"auth": "bearer"}, "token"),
        ({"url": "http://api.freshmail.com"}, "https"),
        ({"url": "https://api.freshmail.com/rest"}, "path"),
        ({"mms_path": "rest/mms"}, "mms_path"),
        ({"zone": "Europe/Nowhere"}, "zone"),
        ({"poll_interval": 0}, "poll_interval"),
        ({"recent_days": 40}, "recent_days"),
    ],
)
def test_wrong_options_are_named(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Options(**{"api_key": KEY, "api_secret": SECRET, **given})


def test_options_show_no_secret() -> None:
    assert KEY not in repr(OPTIONS)
    assert SECRET not in repr(OPTIONS)
