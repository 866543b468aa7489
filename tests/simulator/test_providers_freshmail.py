"""The simulated FreshMail gate, judged by the document's own words and examples."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from drivers.simulator.providers import Course
from drivers.simulator.providers.freshmail import Freshmail, default_account
from drivers.simulator.providers.wire import Answer
from tests.simulator.providers_rig import Rig, content

KEY = "0123456789abcdef0123456789abcdef"
SECRET = "00112233445566778899aabbccddeeff00112233"


@pytest.fixture
def rig() -> Rig:
    return Rig(Freshmail, default_account())


def signed(path: str, body: bytes) -> dict[str, str]:
    sign = hashlib.sha1(KEY.encode() + path.encode() + body + SECRET.encode()).hexdigest()
    return {"x-rest-apikey": KEY, "x-rest-apisign": sign, "content-type": "application/json"}


def post(rig: Rig, path: str, fields: dict[str, Any] | bytes) -> Answer:
    body = fields if isinstance(fields, bytes) else json.dumps(fields, ensure_ascii=False).encode()
    return rig.ask("POST", path, body, headers=signed(path, body))


def code(answer: Answer) -> int:
    whole = content(answer)
    assert whole["status"] == "ERROR"
    return int(whole["errors"][0]["code"])


@pytest.mark.parametrize(
    ("method", "path", "body", "sign"),
    [
        ("GET", "/rest/ping", "", "53ca4b18655566d2c6458e876811ac3f3d58fabf"),
        (
            "POST",
            "/rest/sms",
            '{"gsm":"+48500600700","text":"Test","messageId":"m-1"}',
            "62c5378c58d1dc8ddb24228c6717c31e6da7d7aa",
        ),
        (
            "POST",
            "/rest/sms",
            '{"gsm":"+48500600700","text":"Zażółć gęślą jaźń","messageId":"m-2"}',
            "f88c771657dae16cad6a1643ba9c3a1e9b1d0a89",
        ),
    ],
)
def test_requests_with_known_signs_are_taken_and_changed_ones_are_not(
    rig: Rig, method: str, path: str, body: str, sign: str
) -> None:
    headers = {"x-rest-apikey": KEY, "x-rest-apisign": sign}
    good = rig.ask(method, path, body.encode(), headers=headers)
    assert (good.status, content(good)["status"]) == (200, "OK")
    # The same JSON written again with blanks is another body.
    other = json.dumps(json.loads(body)).encode() if body else b" "
    bad = rig.ask(method, path, other, headers=headers)
    assert (bad.status, code(bad)) == (401, 1000)


def test_a_bearer_opens_the_same_door(rig: Rig) -> None:
    good = rig.ask("GET", "/rest/ping", headers={"authorization": "Bearer freshmail-bearer-token"})
    assert good.status == 200
    for wrong in ("Bearer nonsense", "Bearer ", "Basic freshmail-bearer-token", ""):
        assert rig.ask("GET", "/rest/ping", headers={"authorization": wrong}).status == 401


def test_the_documents_sample_is_taken_and_answered_without_an_id(rig: Rig) -> None:
    sample = {"gsm": "500600700", "text": "Example SMS message", "messageId": 432523, "from": "Recepcja"}
    assert post(rig, "/rest/sms", sample).body == b'{"status":"OK"}'
    taken = rig.taken[0]
    assert (taken.number, taken.client_id, taken.shown_sender) == ("+48500600700", "432523", "Recepcja")
    assert rig.operation == "submit"


GSM = "+48500600700"
PICTURE = {"gsm": GSM, "subject": "Example MMS message", "image": "https://cam.example/1.jpg"}


@pytest.mark.parametrize(
    ("path", "fields", "expected"),
    [
        ("/rest/sms", {"gsm": "12345", "text": "a"}, 1101),
        ("/rest/sms", {"gsm": "+4915112345678", "text": "a"}, 1101),
        ("/rest/sms", {"gsm": GSM}, 1102),
        ("/rest/sms", {"gsm": GSM, "text": "a" * 460}, 1103),
        ("/rest/sms", {"gsm": GSM, "text": "ł" * 201}, 1104),
        ("/rest/sms", {"gsm": GSM, "text": "a" * 201 + "€"}, 1104),
        ("/rest/sms", {"gsm": GSM, "text": "a", "from": "Nobody"}, 1105),
        ("/rest/sms", {"gsm": GSM, "text": "a", "from": "Nowa"}, 1106),
        ("/rest/sms", b'{"gsm":"+48500600700","text":"\xb3"}', 1107),
        ("/rest/sms", {"gsm": GSM, "text": "a" * 161, "single": 1}, 1108),
        ("/rest/sms", {"gsm": GSM, "text": "ł" * 71, "single": 1}, 1109),
        ("/rest/mms", PICTURE | {"subject": "x" * 31}, 1110),
        ("/rest/mms", PICTURE | {"subject": ""}, 1102),
        ("/rest/mms", PICTURE | {"gsm": "1"}, 1101),
        ("/rest/sms", b"{", 1002),
        ("/rest/nothing", {"gsm": GSM}, 1001),
    ],
)
def test_each_code_of_the_document_has_its_cause(rig: Rig, path: str, fields: Any, expected: int) -> None:
    assert code(post(rig, path, fields)) == expected
    assert rig.taken == []


def test_accounts_and_contracts(rig: Rig) -> None:
    rig.knob(contract_signed=False)
    assert code(post(rig, "/rest/sms", {"gsm": GSM, "text": "a"})) == 1150
    rig.account.blocked = True
    assert code(post(rig, "/rest/sms", {"gsm": GSM, "text": "a"})) == 1004
    assert code(rig.ask("GET", "/rest/sms", headers=signed("/rest/sms", b""))) == 1004


@pytest.mark.parametrize(
    ("text", "parts"),
    [("a" * 160, 1), ("a" * 161, 2), ("a" * 459, 3), ("ł" * 70, 1), ("ł" * 134, 2), ("ł" * 200, 3), ("a\n" * 36, 2)],
)
def test_parts_by_the_documents_table(rig: Rig, text: str, parts: int) -> None:
    post(rig, "/rest/sms", {"gsm": GSM, "text": text, "messageId": "m"})
    assert (rig.taken[0].parts, rig.taken[0].cost) == (parts, rig.account.price * parts)


def test_a_repeated_id_is_a_second_message(rig: Rig) -> None:
    for _ in range(2):
        post(rig, "/rest/sms", {"gsm": GSM, "text": "a", "messageId": "m-1"})
    assert [entry.client_id for entry in rig.taken] == ["m-1", "m-1"]


def reports(rig: Rig, **fields: Any) -> dict[str, Any]:
    whole = content(post(rig, "/rest/sms/reports", fields))
    assert isinstance(whole, dict)
    return whole


def test_a_message_grows_older_in_the_list(rig: Rig) -> None:
    rig.service.set_course(Course(sent_after=5, final_after=60, word="ERROR", detail="INVALID_PHONE_NUMBER"))
    post(rig, "/rest/sms", {"gsm": GSM, "text": "a", "messageId": "m-1"})
    words = []
    for seconds in (0, 5, 55):
        rig.clock.advance(seconds)
        words.append(reports(rig)["data"][0]["status"])
    assert words == ["QUEUE", "SENT", "ERROR"]
    assert reports(rig)["data"][0] == {
        "messageId": "m-1",
        "gsm": "48500600700",
        "status": "ERROR",
        "send_date": "2026-03-14 09:50:15",
        "modification_date": "2026-03-14 09:51:15",
        "error": "INVALID_PHONE_NUMBER",
    }


def test_answers_belong_to_2way_messages(rig: Rig) -> None:
    post(rig, "/rest/sms", {"gsm": GSM, "text": "a", "messageId": "m-1"})
    rig.service.reply(GSM, "unheard")
    post(rig, "/rest/sms", {"gsm": GSM, "text": "a", "messageId": "m-2", "from": "2way"})
    rig.clock.advance(60)
    rig.service.reply(GSM, "Yes, 17:00")
    first, second = reports(rig)["data"]
    assert "2way" not in first
    assert second["2way"] == {"replies": [{"text": "Yes, 17:00", "time": "2026-03-14 09:51:15"}]}


def test_a_thousand_records_fill_a_page(rig: Rig) -> None:
    for n in range(1001):
        post(rig, "/rest/sms", {"gsm": GSM, "text": "a", "messageId": f"m-{n}"})
    first, second = reports(rig), reports(rig, page=2)
    assert (first["resultCounts"], first["allData"]) == (1000, False)
    assert (second["resultCounts"], second["allData"], second["data"][0]["messageId"]) == (1, True, "m-1000")
    rig.knob(report_form="map")
    assert reports(rig, page=2)["data"].keys() == {"m-1000"}


def test_the_period_is_one_of_sending(rig: Rig) -> None:
    for n in range(3):
        post(rig, "/rest/sms", {"gsm": GSM, "text": "a", "messageId": f"m-{n}"})
        rig.clock.advance(86_400)

    def ids(**fields: str) -> list[str]:
        return [record["messageId"] for record in reports(rig, **fields)["data"]]

    assert ids(startDate="2026-03-15") == ["m-1", "m-2"]
    assert ids(startDate="2026-03-15", endDate="2026-03-15") == ["m-1"]
    assert ids(endDate="2026-03-14 09:50:15") == ["m-0"]
    assert ids(startDate="2026-03-14 09:50:16", endDate="2026-03-15 09:50:14") == []
