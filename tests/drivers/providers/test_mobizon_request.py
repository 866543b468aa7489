"""What is written to Mobizon, and what is refused before it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from drivers.contract import Encoding, Refused, Submission
from drivers.providers.mobizon import Options, list_form, request, status_form
from tests.drivers.providers.rest_support import submission

KEY = "K" * 40
OPTIONS = Options(api_key=KEY)
NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)


def changed(**changes: Any) -> Submission:
    return msgspec.structs.replace(submission(to="+4915100000001"), **changes)


def form(s: Submission, options: Options = OPTIONS) -> str:
    return urlencode(request(s, options, now=NOW))


def test_a_text_is_written_as_the_documents_show_it() -> None:
    sent = changed(sender="PLANT", validity=7200, attempt_id="gw-000123")
    name = "params%5Bname%5D="
    whole = form(sent)
    assert whole.startswith("recipient=4915100000001&text=Pump+3+stopped&from=PLANT&" + name)
    assert whole.endswith("&params%5Bvalidity%5D=120")
    assert form(changed()).endswith(name + "attZ0c1vk5h7e8g00")


def test_the_older_example_differs_in_our_name_only() -> None:
    sent = changed(to="+496987005000", text="Test sms message", sender="YourAlpha", validity=86_400)
    ours = [pair for pair in form(sent).split("&") if not pair.startswith("params%5Bname")]
    assert "&".join(ours) == "recipient=496987005000&text=Test+sms+message&from=YourAlpha&params%5Bvalidity%5D=1440"


def test_states_are_asked_as_the_example_shows() -> None:
    assert urlencode(status_form(["123", "556", "988"])) == "ids%5B0%5D=123&ids%5B1%5D=556&ids%5B2%5D=988"


def test_the_list_is_asked_as_the_example_shows() -> None:
    asked = list_form(criteria={"from": "Alpha"}, page=2, page_size=50, sort={"campaignId": "ASC"})
    assert urlencode(asked) == (
        "criteria%5Bfrom%5D=Alpha&pagination%5BcurrentPage%5D=2&pagination%5BpageSize%5D=50&sort%5BcampaignId%5D=ASC"
    )


def test_a_list_by_campaigns_with_number_info() -> None:
    asked = list_form(criteria={"campaignIds": ["1", "2"]}, number_info=True)
    assert ("criteria[campaignIds][1]", "2") in asked
    assert asked[-1] == ("withNumberInfo", "1")


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"message_class": 0}, "params[mclass]", "0"),
        ({"message_class": 3}, "params[mclass]", "3"),
        ({"validity": 3600 + 59}, "params[validity]", "60"),
        ({"validity": 7 * 86_400}, "params[validity]", "1440"),
        ({"send_at": NOW + timedelta(hours=2)}, "params[deferredToTs]", "2026-01-15 12:00:00"),
        ({"send_at": NOW + timedelta(days=14)}, "params[deferredToTs]", "2026-01-29 10:00:00"),
        ({"text": "a\r\nb\rc"}, "text", "a\nb\nc"),
        ({"text": "50 % & more + ünïcode 😀"}, "text", "50 % & more + ünïcode 😀"),
        ({"options": {"shorten_links": "1"}}, "params[shortenLinks]", "1"),
    ],
)
def test_a_wish_becomes_its_field(changes: dict[str, Any], field: str, value: str) -> None:
    assert dict(request(changed(**changes), Options(api_key=KEY, zone="Europe/Berlin"), now=NOW))[field] == value


NOT_EXPRESSIBLE: list[tuple[str, dict[str, Any], str]] = [
    ("voice", {"kind": "voice"}, "kind"),
    ("binary", {"kind": "binary", "text": None, "data": b"\1"}, "kind"),
    ("binary by encoding", {"encoding": Encoding.BINARY}, "data"),
    ("a header", {"udh": b"\1"}, "udh"),
    ("a protocol", {"protocol_id": 65}, "protocol_id"),
    ("a coding", {"dcs": 4}, "dcs"),
    ("a reply path", {"reply_path": True}, "reply_path"),
    ("no duplicates", {"reject_duplicates": True}, "reject_duplicates"),
    ("no text", {"text": None}, "text"),
    ("a short life", {"validity": 3599}, "validity"),
    ("a short code", {"to": "7788"}, "to"),
    ("a class beyond", {"message_class": 4}, "message_class"),
    ("in half an hour", {"send_at": NOW + timedelta(minutes=59)}, "send_at"),
    ("in three weeks", {"send_at": NOW + timedelta(days=14, seconds=1)}, "send_at"),
    ("an unknown option", {"options": {"subject": "x"}}, "options.subject"),
]


@pytest.mark.parametrize(("what", "changes", "field"), NOT_EXPRESSIBLE, ids=[row[0] for row in NOT_EXPRESSIBLE])
def test_what_cannot_be_said_is_refused_with_the_field(what: str, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as caught:
        request(changed(**changes), Options(api_key=KEY, zone="Europe/Berlin"), now=NOW)
    assert (caught.value.code, caught.value.everywhere) == ("not_expressible", False)
    assert field in caught.value.detail


@pytest.mark.parametrize(
    ("options", "changes", "words"),
    [
        (OPTIONS, {"send_at": NOW + timedelta(hours=2)}, "set zone"),
        (Options(api_key=KEY, classes=False), {"message_class": 0}, "classes"),
    ],
)
def test_what_the_settings_do_not_allow_names_the_setting(
    options: Options, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(Refused, match=words):
        request(changed(**changes), options, now=NOW)


def test_half_a_character_is_bad_everywhere() -> None:
    with pytest.raises(Refused) as caught:
        request(changed(text="\ud83d"), OPTIONS, now=NOW)
    assert caught.value.everywhere


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"api_key": ""}, "api_key"),
        ({"api_key": "a b c d e f"}, "api_key"),
        ({"url": "http://api.mobizon.gmbh"}, "https"),
        ({"zone": "Moon/Base"}, "zone"),
        ({"least_validity": 0}, "least_validity"),
        ({"poll_interval": 0}, "poll_interval"),
    ],
)
def test_wrong_options_are_named(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Options(**{"api_key": KEY, **given})
