"""What Mobizon answers and calls with, read: every code, every status, the webhook and its signature."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha1
from typing import Any
from urllib.parse import urlencode

import pytest

from drivers.contract import Call, Forged, MaybeSent, NotSent, Refused, ReportFate, SubmitError
from drivers.providers.mobizon import (
    CODE,
    INVALID,
    MESSAGE,
    OTHER_RECIPIENT,
    RECIPIENT,
    Item,
    Options,
    read_callback,
    read_items,
    read_sent,
    report_of,
)
from drivers.providers.outcomes import Alarm, Row
from tests.drivers.providers.rest_support import answer, described, expected

CODES = "0 1 2 3 4 5 6 8 9 10 11 12 13 14 15 30 98 99 100 999".split()  # noqa: SIM905 - easier to compare
STATES = ["NEW", "ENQUEUD", "ACCEPTD", "PDLIVRD", "DELIVRD", "UNDELIV", "REJECTD", "EXPIRED", "DELETED", "UNKNOWN"]
ERRORS = [code for code in CODES if code not in ("0", "1", "98", "99", "100")]

# Written from the list of outcomes, not from the tables: permanent, next, pause, later, doubt; ! with an alarm.
STEPS = {
    "2": "next!", "3": "doubt", "15": "doubt", "999": "doubt", "4": "next!", "5": "next!", "6": "next!", "11": "next!",
    "12": "next!", "8": "pause", "9": "pause", "14": "pause", "13": "pause!", "10": "later", "30": "later",
}  # fmt: skip
KINDS = {
    "permanent": (Refused, True, False), "next": (Refused, False, False), "pause": (NotSent, False, True),
    "later": (NotSent, False, False), "doubt": (MaybeSent, False, False),
}  # fmt: skip
FATES = {
    "NEW": "accepted", "ENQUEUD": "accepted", "ACCEPTD": "sent", "PDLIVRD": "sent", "DELIVRD": "delivered",
    "UNDELIV": "undelivered", "REJECTD": "rejected", "EXPIRED": "expired", "DELETED": "rejected", "UNKNOWN": "unknown",
}  # fmt: skip


def failed(content: object, status: int = 200) -> SubmitError:
    with pytest.raises(SubmitError) as caught:
        read_sent(answer(content, status))
    return caught.value


def test_the_documented_answer_is_read_with_text_or_numbers() -> None:
    as_text = {"code": 0, "data": {"campaignId": "7001", "messageId": "9001", "status": 2}, "message": ""}
    as_numbers = {"code": "0", "data": {"campaignId": 7001, "messageId": 9001, "status": "2"}, "message": ""}
    for content in (as_text, as_numbers):
        sent = read_sent(answer(content), raw="kept")
        assert (sent.receipt.reference, sent.campaign, sent.moderated) == ("9001", "7001", False)
        assert sent.receipt.raw == "kept"


def test_a_campaign_may_wait_for_a_moderator() -> None:
    assert read_sent(answer({"code": 0, "data": {"campaignId": "7", "messageId": "9", "status": "1"}})).moderated


def test_a_background_task_is_accepted() -> None:
    assert read_sent(answer({"code": 100, "data": 4711, "message": ""})).receipt.reference == "task-4711"


def test_the_tables_hold_what_the_documents_list() -> None:
    assert set(CODE) == set(CODES)
    assert set(MESSAGE) == set(STATES)
    assert set(STEPS) == set(ERRORS)
    assert set(RECIPIENT) == {"0", "1", "2", "3", "4", "5", "6", "7", "8", "99"}


@pytest.mark.parametrize("code", ERRORS)
def test_every_code_ends_as_its_row_says(code: str) -> None:
    for content in ({"code": int(code), "data": "", "message": "m"}, {"code": code, "data": None}):
        error = failed(content)
        assert described(error) == expected(CODE[code]) == KINDS[STEPS[code].rstrip("!")]
        assert isinstance(error, Alarm) == STEPS[code].endswith("!")
        assert error.code == f"mobizon_{code}"


@pytest.mark.parametrize(
    ("fields", "row"),
    [
        (["recipient"], INVALID["recipient"]),
        (["text", "recipient"], INVALID["recipient"]),
        (["from"], INVALID["from"]),
        (["text"], INVALID["text"]),
        (["params"], INVALID["params"]),
        (["params[validity]"], INVALID["params"]),
        (["params", "from"], INVALID["from"]),
        (["colour"], CODE["1"]),
        ([], CODE["1"]),
    ],
)
def test_code_1_is_decided_by_the_fields_it_names(fields: list[str], row: Row) -> None:
    error = failed({"code": 1, "data": dict.fromkeys(fields, "is wrong"), "message": "Validation"})
    assert described(error) == expected(row)
    assert isinstance(error, Alarm) == row.alarm
    assert all(field in error.detail for field in fields)


@pytest.mark.parametrize("code", ["1", "2", "3", "5", "6", "7", "8", "99", "20", "51"])
@pytest.mark.parametrize("whole", [98, 99])
def test_a_bulk_answer_is_decided_by_its_item(code: str, whole: int) -> None:
    error = failed({"code": whole, "data": [{"recipient": "49151", "code": int(code)}]})
    assert described(error) == expected(RECIPIENT.get(code, OTHER_RECIPIENT))


@pytest.mark.parametrize("data", [[], None, [{"code": 1}, {"code": 6}], "x"])
def test_a_bulk_answer_without_one_item_is_doubt(data: object) -> None:
    assert isinstance(failed({"code": 99, "data": data}), MaybeSent)


@pytest.mark.parametrize(
    ("content", "status", "kind"),
    [
        ({"code": 4711, "data": "", "message": ""}, 200, MaybeSent),
        ({"code": 0, "data": "", "message": ""}, 200, MaybeSent),
        ({"code": 0, "data": {"campaignId": "1"}}, 200, MaybeSent),
        ({"code": 0, "data": {"messageId": "1"}}, 500, MaybeSent),
        ({"code": 8}, 500, NotSent),
        ({"code": None}, 200, MaybeSent),
        ({}, 200, MaybeSent),
        (b"", 200, MaybeSent),
        (b'{"code":0,"data":{"campai', 200, MaybeSent),
        (b"<html></html>", 200, MaybeSent),
        (b"", 401, NotSent),
        (b"", 404, Refused),
        (b"", 429, NotSent),
        (b"", 503, MaybeSent),
    ],
)
def test_only_a_clear_answer_is_clear(content: Any, status: int, kind: type[Exception]) -> None:
    assert isinstance(failed(content, status), kind)


def test_the_right_server_is_never_followed_by_itself() -> None:
    error = failed({"code": 13, "data": "api.mobizon.kz", "message": ""})
    assert isinstance(error, NotSent)
    assert error.channel_unusable
    assert "set url" in error.detail


# --- states and the list ---

LISTED = {
    "id": "9001", "campaignId": "7001", "segNum": "2", "segUserBuy": "0.0450", "from": "PLANT", "to": "4915100000001",
    "text": "Pump 3 stopped", "status": "DELIVRD", "groups": "", "uuid": "u", "countryA2": "DE",
    "operatorName": "Example Mobile", "startSendTs": "2026-01-15 11:42:00", "statusUpdateTs": "2026-01-15 11-42-28",
}  # fmt: skip


def test_a_listed_message_has_price_and_place() -> None:
    items, total = read_items({"items": [LISTED], "totalItemCount": "31"})
    report = report_of(items[0], sim="mz", zone="Europe/Berlin", currency="EUR", attempt="att_1")
    assert (total, report.cost, report.currency) == (31, Decimal("0.0900"), "EUR")
    assert (report.reference, report.attempt_id, report.recipient) == ("9001", "att_1", "+4915100000001")
    assert report.discharged_at == datetime(2026, 1, 15, 10, 42, 28, tzinfo=UTC)
    assert report.submitted_at == datetime(2026, 1, 15, 10, 42, 0, tzinfo=UTC)
    assert report.detail == "DE, Example Mobile"
    assert json.loads(report.pdu) == LISTED


def test_without_a_zone_no_time_is_claimed() -> None:
    items, _ = read_items([LISTED])
    report = report_of(items[0], sim="mz", zone="")
    assert (report.submitted_at, report.discharged_at) == (None, None)


@pytest.mark.parametrize("word", STATES)
def test_every_state_ends_as_its_row_says(word: str) -> None:
    report = report_of(Item(id="1", status=word), sim="mz", zone="")
    assert report.fate == MESSAGE[word].fate == ReportFate(FATES[word])
    assert report.code == word


@pytest.mark.parametrize("word", ["", "delivrd", "DELIVERED", "LOST"])
def test_an_unknown_word_is_no_error(word: str) -> None:
    assert report_of(Item(id="1", status=word), sim="mz", zone="").fate is ReportFate.UNKNOWN


@pytest.mark.parametrize("data", [None, "", [], {}, {"items": None}, {"items": ["x", 1]}, 7])
def test_an_empty_or_odd_list_has_no_messages(data: object) -> None:
    assert read_items(data)[0] == []


# --- the webhook ---

OPTIONS = Options(api_key="K" * 40, webhook_secret="secret123")
EVENT: dict[str, Any] = {
    "eventId": "26", "eventType": "sms-delivery-report", "eventCreateTs": "2026-01-15 11:42:28", "webhookId": "3",
    "attempt": 1, "data": {
        "campaignId": "7001", "messageId": "9001", "segNum": 1, "statusUpdateTs": "2026-01-15 11:42:28",
        "status": "DELIVRD", "to": "4915100000001",
    },
    "sign": "5cdebbb611d765bad163d765e8637830b6fd4060",
}  # fmt: skip


def call(body: bytes, content_type: str, address: str = "192.0.2.7") -> Call:
    return Call(
        method="POST", path="", query=b"", headers={"content-type": content_type}, body=body, address=address
    )  # fmt: skip


def as_json(event: dict[str, Any]) -> Call:
    return call(json.dumps(event).encode(), "application/json")


def as_form(event: dict[str, Any]) -> Call:
    flat = {k: v for k, v in event.items() if k != "data"} | {f"data[{k}]": v for k, v in event["data"].items()}
    return call(urlencode(flat).encode(), "application/x-www-form-urlencoded")


def as_xml(event: dict[str, Any]) -> Call:
    data = "".join(f"<{k}>{v}</{k}>" for k, v in event["data"].items())
    rest = "".join(f"<{k}>{v}</{k}>" for k, v in event.items() if k != "data")
    return call(f"<?xml version='1.0'?><event>{rest}<data>{data}</data></event>".encode(), "text/xml")


@pytest.mark.parametrize("form", [as_json, as_form, as_xml])
def test_a_signed_webhook_is_read_in_each_form(form: Any) -> None:
    item = read_callback(form(EVENT), OPTIONS)
    assert item is not None
    assert (item.id, item.status, item.to, item.campaign) == ("9001", "DELIVRD", "4915100000001", "7001")


def test_the_signature_is_the_documented_one() -> None:
    signed = "26|1|2026-01-15 11:42:28|secret123"
    assert sha1(signed.encode()).hexdigest() == EVENT["sign"]


@pytest.mark.parametrize("form", [as_json, as_form, as_xml])
@pytest.mark.parametrize(
    "change",
    [{"sign": ""}, {"sign": "0" * 40}, {"eventId": "27"}, {"attempt": 2}, {"eventCreateTs": "2026-01-15 11:42:29"}],
)
def test_a_changed_webhook_is_forged(form: Any, change: dict[str, Any]) -> None:
    with pytest.raises(Forged):
        read_callback(form({**EVENT, **change}), OPTIONS)


@pytest.mark.parametrize(
    "forged",
    [
        call(b"", "application/json"),
        call(b"{", "application/json"),
        call(b"[]", "application/json"),
        call(b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "text/xml"),
        call(b"<a>", "text/xml"),
        call(b"\xff\xfe", "text/plain"),
        call(b"a=1&" * 1000, "application/x-www-form-urlencoded"),
        as_json({**EVENT, "data": {}}),
        as_json({**EVENT, "data": None}),
    ],
)
def test_what_is_no_report_is_forged(forged: Call) -> None:
    with pytest.raises(Forged):
        read_callback(forged, OPTIONS)


def test_without_a_secret_or_from_elsewhere_nothing_is_taken() -> None:
    with pytest.raises(Forged, match="webhook_secret"):
        read_callback(as_json(EVENT), Options(api_key="K" * 40))
    with pytest.raises(Forged, match="address"):
        read_callback(
            as_json(EVENT), Options(api_key="K" * 40, webhook_secret="secret123", webhook_address="198.51.100.1")
        )


def test_another_kind_of_event_is_answered_and_left() -> None:
    assert read_callback(as_json({**EVENT, "eventType": "form-submit"}), OPTIONS) is None
