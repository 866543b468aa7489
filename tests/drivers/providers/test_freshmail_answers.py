"""What FreshMail answers, read: every code, every status, and the list whose field names were lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from drivers.contract import MaybeSent, NotSent, Refused, ReportFate, SubmitError
from drivers.providers.freshmail import (
    CALL,
    FOREIGN,
    REPORT,
    Record,
    read_records,
    read_sent,
    replies_of,
    report_of,
)
from drivers.providers.outcomes import Alarm
from tests.drivers.providers.rest_support import answer, described, expected

WARSAW = ZoneInfo("Europe/Warsaw")

# The codes and states of the document, apart from the table in the driver.
CODES = [
    "1000",
    "1001",
    "1002",
    "1003",
    "1004",
    "1101",
    "1102",
    "1103",
    "1104",
    "1105",
    "1106",
    "1107",
    "1108",
    "1109",
    "1110",
    "1150",
]
STATES = [
    "NOT_FOUND",
    "EXPIRED",
    "SENT",
    "DELIVERED",
    "UNDELIVERED",
    "FAILED",
    "REJECTED",
    "UNKNOWN",
    "QUEUE",
    "ACCEPTED",
    "RENEWAL",
    "STOP",
    "ERROR",
    "ERROR:INVALID_PHONE_NUMBER",
    "ERROR:WRONG_SENDER_NAME",
    "ERROR:UNKNOWN_ERROR",
]

# What each means for the next step, written from the list of outcomes and not from the table; "next" for the others.
STEPS = dict.fromkeys(["1000", "1004", "1150"], "pause") | dict.fromkeys(["1101", "1102"], "permanent")
FATES = {
    "NOT_FOUND": "unknown", "QUEUE": "accepted", "RENEWAL": "accepted", "SENT": "sent", "ACCEPTED": "sent",
    "DELIVERED": "delivered", "UNDELIVERED": "undelivered", "FAILED": "undelivered", "REJECTED": "rejected",
    "EXPIRED": "expired", "UNKNOWN": "unknown", "STOP": "rejected", "ERROR": "rejected",
    "ERROR:INVALID_PHONE_NUMBER": "rejected", "ERROR:WRONG_SENDER_NAME": "rejected",
    "ERROR:UNKNOWN_ERROR": "rejected",
}  # fmt: skip


def refused(*codes: object, status: int = 422, foreign: bool = False) -> SubmitError:
    errors = [{"message": "no", "code": code} for code in codes]
    with pytest.raises(SubmitError) as caught:
        read_sent(answer({"status": "ERROR", "errors": errors}, status), reference="r", foreign=foreign)
    return caught.value


def test_ok_has_no_id_so_ours_is_the_reference() -> None:
    assert read_sent(answer({"status": "OK"}), reference="attZ1", raw="{}").reference == "attZ1"


def test_the_tables_hold_what_the_document_lists() -> None:
    assert set(CALL) == set(CODES)
    assert set(REPORT) == set(STATES)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("as_text", [False, True])
def test_every_code_ends_as_its_row_says(code: str, as_text: bool) -> None:
    error = refused(code if as_text else int(code))
    assert described(error) == expected(CALL[code])
    assert error.code == f"freshmail_{code}"
    assert isinstance(error, Alarm) == (code in ("1001", "1002", "1003", "1107"))
    kinds = {"pause": (NotSent, False, True), "permanent": (Refused, True, False), "next": (Refused, False, False)}
    assert described(error) == kinds[STEPS.get(code, "next")]


def test_a_bad_number_abroad_may_be_good_elsewhere() -> None:
    assert described(refused(1101, foreign=True)) == expected(FOREIGN["1101"]) == (Refused, False, False)


@pytest.mark.parametrize(
    ("gsm", "other_may"), [("48500600700", False), ("500600700", False), ("48", False), ("4915100000001", True)]
)
def test_a_report_of_a_bad_number_ends_polish_ones_only(gsm: str, other_may: bool) -> None:
    fields = {"messageId": "m-1", "gsm": gsm, "status": "ERROR", "error": "INVALID_PHONE_NUMBER", "send_date": "x"}
    (record,), _ = read_records({"data": [fields]})
    report = report_of(record, sim="fm", zone=ZoneInfo("Europe/Warsaw"))
    assert (report.fate, report.elsewhere) == (ReportFate.REJECTED, other_may)


@pytest.mark.parametrize(
    ("codes", "worst"),
    [
        ((1105, 1101), "freshmail_1101"),
        ((1150, 1102), "freshmail_1102"),
        ((1103, 1150), "freshmail_1150"),
        ((4711, 1105), "freshmail_1105"),
    ],
)
def test_of_several_errors_the_most_severe_counts(codes: tuple[int, ...], worst: str) -> None:
    assert refused(*codes).code == worst


def test_a_readable_error_counts_whatever_the_http_status() -> None:
    assert isinstance(refused(1105, status=500), Refused)
    assert isinstance(refused(1105, status=200), Refused)


@pytest.mark.parametrize(
    ("content", "status", "kind"),
    [
        ({"status": "ERROR", "errors": [{"message": "?", "code": 4711}]}, 422, MaybeSent),
        ({"status": "errors", "errors": [{"message": "?", "code": "1105"}]}, 200, Refused),
        ({"status": "ERROR", "errors": {"code": 1105}}, 422, Refused),
        ({"status": "ok"}, 200, MaybeSent),
        ({"status": "OK"}, 500, MaybeSent),
        ({"status": "OK", "errors": [{"code": 1150}]}, 200, NotSent),
        ({"status": "ERROR"}, 200, MaybeSent),
        ({}, 200, MaybeSent),
        ([], 200, MaybeSent),
        (b"", 200, MaybeSent),
        (b'{"status":"O', 200, MaybeSent),
        (b"<html>hello</html>", 200, MaybeSent),
        (b"\xff\xfe", 200, MaybeSent),
        (b"[" * 100_000, 200, MaybeSent),
        (b"", 401, NotSent),
        (b"", 403, NotSent),
        (b"", 404, Refused),
        (b"", 429, NotSent),
        (b"", 502, MaybeSent),
        (b"", 302, Refused),
    ],
)
def test_only_a_clear_answer_is_clear(content: Any, status: int, kind: type[Exception]) -> None:
    with pytest.raises(SubmitError) as caught:
        read_sent(answer(content, status), reference="r")
    assert isinstance(caught.value, kind)


# --- the report list ---

RECORDS: list[dict[str, Any]] = [
    {
        "messageId": "m-1", "gsm": "48500600700", "status": "DELIVERED",
        "send_date": "2026-01-15 09:10:01", "modification_date": "2026-01-15 09:10:44",
    },
    {
        "messageId": "m-2", "gsm": "48500600701", "status": "DELIVERED",
        "send_date": "2026-01-15 09:12:30", "modification_date": "2026-01-15 09:12:59",
        "2way": {"replies": [{"text": "Yes, 17:00", "time": "2026-01-28 18:05:12"}]},
    },
    {
        "messageId": "m-3", "gsm": "48", "status": "ERROR", "error": "INVALID_PHONE_NUMBER",
        "send_date": "2026-01-15 09:15:00", "modification_date": "2026-01-15 09:15:00",
    },
]  # fmt: skip


def shapes() -> list[tuple[str, Any]]:
    by_id = {record["messageId"]: {k: v for k, v in record.items() if k != "messageId"} for record in RECORDS}
    turned = [dict(reversed(record.items())) for record in RECORDS]
    other = [{("id_message" if k == "messageId" else k): v for k, v in record.items()} for record in RECORDS]
    renamed = [
        {{"gsm": "phone_number", "status": "sms_state"}.get(k, k): v for k, v in record.items()} for record in RECORDS
    ]
    return [
        ("list", RECORDS),
        ("map by id", by_id),
        ("other order", turned),
        ("deeper", {"messages": {"items": RECORDS}}),
        ("other names", renamed),
        ("other id name", {other_id: record for record, other_id in zip(other, ("m-1", "m-2", "m-3"), strict=True)}),
    ]


@pytest.mark.parametrize(("shape", "data"), shapes(), ids=[name for name, _ in shapes()])
def test_records_are_found_whatever_holds_them(shape: str, data: Any) -> None:
    records, last = read_records({"status": "OK", "data": data, "resultCounts": 3, "allData": True})
    assert last
    assert [(r.message_id, r.number, r.word) for r in records] == [
        ("m-1", "48500600700", "DELIVERED"),
        ("m-2", "48500600701", "DELIVERED"),
        ("m-3", "48", "ERROR:INVALID_PHONE_NUMBER"),
    ]
    assert [r.replies for r in records] == [(), (("Yes, 17:00", "2026-01-28 18:05:12"),), ()]


@pytest.mark.parametrize(
    ("all_data", "records", "last"),
    [
        (True, RECORDS, True), (False, RECORDS, False), ("true", RECORDS, True), (0, RECORDS, False),
        (False, [], True), (None, RECORDS, True),
    ],
)  # fmt: skip
def test_the_last_page_is_known(all_data: object, records: list[Any], last: bool) -> None:
    content = {"data": records} | ({} if all_data is None else {"allData": all_data})
    assert read_records(content)[1] is last


@pytest.mark.parametrize("word", STATES)
def test_every_state_ends_as_its_row_says(word: str) -> None:
    status, _, error = word.partition(":")
    record = Record(message_id="attZ1", number="48500600700", status=status, error=error, send_date="")
    report = report_of(record, sim="fm", zone=WARSAW)
    assert report.fate == REPORT[word].fate == ReportFate(FATES[word])
    assert report.code == word
    assert (report.reference, report.attempt_id, report.recipient) == ("attZ1", "att_1", "+48500600700")


@pytest.mark.parametrize("word", ["TELEPORTED", "", "delivered?", "ERROR:MOON_PHASE"])
def test_an_unknown_word_is_no_error(word: str) -> None:
    status, _, error = word.partition(":")
    record = Record(message_id="m", number="", status=status, error=error, send_date="soon", raw='{"x":1}')
    report = report_of(record, sim="fm", zone=WARSAW)
    assert report.fate is (ReportFate.REJECTED if status == "ERROR" else ReportFate.UNKNOWN)
    assert (report.code, report.pdu, report.submitted_at, report.attempt_id) == (word, '{"x":1}', None, None)


def test_dates_are_read_in_the_gates_zone_summer_and_winter() -> None:
    summer = Record(message_id="m", number="", status="SENT", send_date="2026-07-15 09:10:01")
    winter = Record(message_id="m", number="", status="SENT", send_date="2026-01-15 09:10:01")
    found = [report_of(record, sim="fm", zone=WARSAW).submitted_at for record in (summer, winter)]
    assert found == [datetime(2026, 7, 15, 7, 10, 1, tzinfo=UTC), datetime(2026, 1, 15, 8, 10, 1, tzinfo=UTC)]


def test_a_reply_is_a_text_and_equal_replies_at_two_times_are_two() -> None:
    times = ("2026-01-28 18:05:12", "2026-01-28 18:09:12", "2026-01-28 18:05:12")
    record = Record(
        message_id="attZ1", number="48500600700", status="DELIVERED", send_date="",
        replies=tuple(("Yes", at) for at in times),
    )  # fmt: skip
    replies = replies_of(record, sim="fm", zone=WARSAW)
    assert [(r.sender, r.text) for r in replies] == [("+48500600700", "Yes")] * 3
    assert replies[0].sent_at == datetime(2026, 1, 28, 17, 5, 12, tzinfo=UTC)
    assert replies[0].fingerprint == replies[2].fingerprint != replies[1].fingerprint
    assert "attZ1" in replies[0].note


def test_the_same_state_has_the_same_fingerprint_and_news_another() -> None:
    def of(status: str, at: str) -> str:
        record = Record(message_id="m", number="", status=status, send_date="", modification_date=at)
        return report_of(record, sim="fm", zone=WARSAW).fingerprint

    assert of("SENT", "1") == of("SENT", "1")
    assert len({of("SENT", "1"), of("DELIVERED", "1"), of("SENT", "2")}) == 3


def test_a_raw_record_is_kept_whole() -> None:
    records, _ = read_records({"data": RECORDS})
    assert json.loads(records[1].raw) == RECORDS[1]
