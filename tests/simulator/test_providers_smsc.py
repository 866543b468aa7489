"""The simulated SMSC, judged by the document's own words and examples."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from drivers.simulator.providers import Course
from drivers.simulator.providers.smsc import Smsc, default_account
from drivers.simulator.providers.smsc_request import when
from tests.simulator.providers_rig import Rig, body_of, content, enveloped, leaves

SPACE = "https://smscentre.com/sys/soap.php"
MOSCOW = ZoneInfo("Europe/Moscow")

# The request of the developer notes, octet for octet; the answer keeps the caller's namespace.
GOLDEN = b"""<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>
 <n:send2 xmlns:n="https://smscentre.com/sys/soap.php">
  <login>alex</login><psw>123</psw><phones>79999999999</phones><mes>Hello</mes>
  <id>gw-000123</id><sender>ivan</sender><time>0</time><query>cost=3&amp;valid=4&amp;tz=0</query>
 </n:send2></e:Body></e:Envelope>"""


@pytest.fixture
def rig() -> Rig:
    return Rig(Smsc, default_account())


def call(rig: Rig, name: str, **fields: str) -> dict[str, str]:
    given = {"login": "alex", "psw": "123"} | fields
    answer = rig.ask("POST", "/sys/soap.php", enveloped(name, SPACE, list(given.items())))
    return dict(leaves(body_of(answer)))


def send(rig: Rig, **fields: str) -> dict[str, str]:
    name = "send2" if "query" in fields else "send"
    given = {"phones": "79999999999", "mes": "Hello", "id": "gw-1", "sender": "ivan", "time": "0"} | fields
    return call(rig, name, **given)


def test_the_golden_request_has_its_golden_answer(rig: Rig) -> None:
    rig.account.credit = Decimal("100.00")
    answer = body_of(rig.ask("POST", "/sys/soap.php", GOLDEN))
    assert answer.tag == f"{{{SPACE}}}Send2Response"
    assert answer[0].tag == "sendresult"
    assert leaves(answer) == [("id", "gw-000123"), ("balance", "99.10"), ("cost", "0.90"), ("cnt", "1")]
    taken = rig.taken[0]
    assert (taken.client_id, taken.number, taken.text, taken.validity) == ("gw-000123", "+79999999999", "Hello", 240)
    assert rig.operation == "submit"


def test_without_money_the_id_comes_back_with_error_3(rig: Rig) -> None:
    rig.account.credit = Decimal(0)
    answer = body_of(rig.ask("POST", "/sys/soap.php", GOLDEN))
    assert leaves(answer) == [("id", "gw-000123"), ("error", "3")]
    assert rig.taken == []


def test_the_callers_namespace_is_answered(rig: Rig) -> None:
    other = GOLDEN.replace(b"smscentre.com", b"smsc.ua")
    assert body_of(rig.ask("POST", "/sys/soap.php", other)).tag == "{https://smsc.ua/sys/soap.php}Send2Response"


def test_the_documents_php_call(rig: Rig) -> None:
    assert send(rig, mes="Hello world!", id="", time="0") == {"id": "1", "cnt": "1"}
    assert call(rig, "balance") == {"balance": "99.10", "error": "0"}
    assert call(rig, "status", phone="79999999999", id="999", all="0") == {"error": "3"}
    assert call(rig, "cost", phones="79999999999", mes="Hello world!") == {"cost": "0.90", "cnt": "1"}


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"psw": "124"}, "2"),
        ({"phones": ""}, "1"),
        ({"mes": ""}, "1"),
        ({"mes": "x" * 1001}, "1"),
        ({"id": "not allowed!"}, "1"),
        ({"query": "cost=4"}, "1"),
        ({"query": "valid=25"}, "1"),
        ({"query": "bin=2", "mes": "xyz"}, "1"),
        ({"time": "32.13.26 10:00"}, "5"),
        ({"time": "soon"}, "5"),
        ({"sender": "petr"}, "6"),
        ({"phones": "abc"}, "7"),
        ({"phones": "79990000000"}, "8"),
    ],
)
def test_each_error_of_the_document_has_its_cause(rig: Rig, fields: dict[str, str], error: str) -> None:
    rig.account.barred.add("79990000000")
    answer = send(rig, **fields)
    assert answer["error"] == error
    assert ("id" in answer) == (error in ("3", "6", "7", "8"))
    assert rig.taken == []


def test_a_blocked_address(rig: Rig) -> None:
    rig.account.blocked = True
    assert send(rig) == {"error": "4"}


def test_a_key_in_query_or_field_opens_without_login(rig: Rig) -> None:
    assert send(rig, login="", psw="", query="apikey=smsc-api-key&cost=2")["cost"] == "0.90"
    assert "apikey" not in rig.taken[0].options
    assert call(rig, "balance", login="", psw="", apikey="smsc-api-key")["error"] == "0"
    assert call(rig, "balance", login="", psw="", apikey="wrong") == {"error": "2"}


def test_an_equal_request_within_a_minute_is_error_9_whatever_its_id(rig: Rig) -> None:
    assert "error" not in send(rig)
    rig.clock.advance(59)
    assert send(rig, id="gw-2") == {"error": "9"}
    rig.clock.advance(61)
    assert "error" not in send(rig)
    assert "error" not in send(rig, mes="Another")


def test_the_flood_rule(rig: Rig) -> None:
    answers = [send(rig, mes=f"text {n}") for n in range(51)]
    assert ["error" in answer for answer in answers] == [False] * 50 + [True]
    assert answers[-1] == {"error": "9"}
    rig.clock.advance(120)
    assert "error" not in send(rig, mes="later")


def test_rates_of_questions(rig: Rig) -> None:
    send(rig)
    asked = [call(rig, "status", phone="79999999999", id="gw-1") for _ in range(6)]
    assert [answer.get("error") for answer in asked] == [None] * 5 + ["9"]
    assert call(rig, "status", phone="79999999999", id="gw-2") == {"error": "3"}  # another message has its own count
    balances = [call(rig, "balance")["error"] for _ in range(11)]
    assert balances == ["0"] * 10 + ["9"]


@pytest.mark.parametrize(
    ("cost", "keys", "taken"),
    [
        ("0", ["id", "cnt"], 1),
        ("1", ["cost", "cnt"], 0),
        ("2", ["id", "cost", "cnt"], 1),
        ("3", ["id", "balance", "cost", "cnt"], 1),
    ],
)
def test_cost_decides_what_is_told_and_whether_it_is_sent(rig: Rig, cost: str, keys: list[str], taken: int) -> None:
    assert list(send(rig, query=f"cost={cost}")) == keys
    assert len(rig.taken) == taken


def test_the_count_is_parts_times_recipients(rig: Rig) -> None:
    assert send(rig, mes="ж" * 71, phones="79999999991,79999999992;8 (999) 999-99-93")["cnt"] == "6"
    assert [entry.number for entry in rig.taken] == ["+79999999991", "+79999999992", "+79999999993"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"query": "flash=1"}, {"flash": True}),
        ({"query": "hlr=1", "mes": ""}, {"kind": "hlr"}),
        ({"query": "ping=1", "mes": ""}, {"kind": "ping"}),
        ({"query": "push=1", "mes": "https://a.example\nA"}, {"kind": "wap_push"}),
        ({"query": "call=1&voice=w2,en&param=20,60,3"}, {"kind": "voice"}),
        ({"query": "mms=1&subj=Hi"}, {"kind": "mms"}),
        (
            {"query": "bin=2", "mes": "0605040B8423F0010203"},
            {"kind": "binary", "udh": "05040b8423f0", "data": "010203"},
        ),
        ({"query": "bin=2", "mes": "00010203"}, {"kind": "binary", "udh": "", "data": "010203"}),
        ({"query": "maxsms=1", "mes": "x" * 400}, {"parts": 1}),
        ({"query": "valid=00%3A01"}, {"validity": 1}),
        ({"query": "valid=24%3A00"}, {"validity": 1440}),
        ({"query": "tinyurl=1", "mes": "see https://a.example/very/long"}, {"text": "see smsc.example/a1b2c"}),
    ],
)
def test_kinds_and_switches(rig: Rig, fields: dict[str, str], expected: dict[str, Any]) -> None:
    assert "error" not in send(rig, **fields)
    assert {name: getattr(rig.taken[0], name) for name in expected} == expected


def test_pid_and_dcs_follow_a_binary_message(rig: Rig) -> None:
    send(rig, query="bin=2", mes="00C0FFEE\n~~~\npid: 65, dcs: 245")
    assert (rig.taken[0].data, rig.taken[0].options["pid"], rig.taken[0].options["dcs"]) == ("c0ffee", "65", "245")


def test_a_list_has_its_own_texts_senders_and_line_breaks(rig: Rig) -> None:
    rig.account.senders["petr"] = "registered"
    lines = "79999999991:Hello\\nyou\nivan,0|79999999992,79999999993;Good day: all\npetr,2|79999999994:x"
    answer = send(rig, phones="", mes="", sender="", query="list=" + lines.replace("\n", "%0A").replace("+", "%2B"))
    assert answer == {"id": "gw-1", "cnt": "4"}
    assert [(entry.number[-1], entry.text, entry.sender, entry.client_id) for entry in rig.taken] == [
        ("1", "Hello\nyou", "", "gw-1"),
        ("2", "Good day: all", "ivan", "gw-1"),
        ("3", "Good day: all", "ivan", "gw-1"),
        ("4", "x", "petr", "gw-1"),
    ]


def test_nl_lets_a_text_have_lines(rig: Rig) -> None:
    send(rig, phones="", mes="", query="nl=1&list=79999999991:one%0Atwo%0A79999999992:three")
    assert [entry.text for entry in rig.taken] == ["one\ntwo", "three"]


def test_period_spreads_the_numbers(rig: Rig) -> None:
    phones = ",".join(f"7999999999{n}" for n in range(4))
    send(rig, phones=phones, query="period=2&freq=30")
    now = rig.clock.wall()
    assert [entry.send_at and round(entry.send_at - now) for entry in rig.taken] == [None, 1800, 3600, 5400]


NOW = datetime(2026, 3, 14, 11, 50, 15, tzinfo=MOSCOW).timestamp()


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("0", None),
        ("", None),
        ("1403261150", None),  # elapsed
        ("1403261230", datetime(2026, 3, 14, 12, 30, tzinfo=MOSCOW)),
        ("15.03.26 08:00", datetime(2026, 3, 15, 8, 0, tzinfo=MOSCOW)),
        ("01773480000", datetime.fromtimestamp(1773480000, MOSCOW)),
        ("+90", datetime.fromtimestamp(NOW + 5400, MOSCOW)),
        ("9-21", None),
        ("11-12", None),
        ("12-21", datetime(2026, 3, 14, 12, 0, tzinfo=MOSCOW)),
        ("9-11", datetime(2026, 3, 15, 9, 0, tzinfo=MOSCOW)),
    ],
)
def test_the_five_forms_of_time(time: str, expected: datetime | None) -> None:
    found = when(time, now=NOW, zone=MOSCOW)
    assert found == (expected and expected.timestamp())


def test_a_status_has_three_sizes_and_grows_older(rig: Rig) -> None:
    rig.service.set_course(Course(sent_after=10, final_after=20, word="20", detail="6"))
    send(rig)
    words = []
    for seconds in (0, 10, 10):
        rig.clock.advance(seconds)
        words.append(call(rig, "status", phone="79999999999", id="gw-1")["status"])
    assert words == ["-1", "0", "20"]
    rig.clock.advance(60)
    sizes = [list(call(rig, "status2", phone="+79999999999", id="gw-1", all=n, query="")) for n in ("0", "1", "2")]
    assert sizes[0] == ["status", "last_date", "last_timestamp", "err"]
    assert sizes[1][4:] == [
        "send_date", "send_timestamp", "phone", "cost", "sender_id", "status_name", "message", "sms_cnt",
    ]  # fmt: skip
    assert sizes[2][12:] == ["operator", "region"]
    whole = call(rig, "status", phone="79999999999", id="gw-1", all="1")
    assert (whole["err"], whole["send_date"], whole["last_date"]) == ("6", "14.03.2026 11:50:15", "14.03.2026 11:50:35")


def test_absent_may_be_told_as_a_status(rig: Rig) -> None:
    rig.knob(absent_as_status=True)
    assert call(rig, "status", phone="79999999999", id="nothing") == {"status": "-3"}


def test_virtual_sending_ends_with_err_200(rig: Rig) -> None:
    rig.knob(virtual=True)
    send(rig)
    rig.clock.advance(5)
    assert call(rig, "status", phone="79999999999", id="gw-1")["err"] == "200"


def test_replies_are_pulled_over_http(rig: Rig) -> None:
    send(rig)
    rig.service.reply("+79999999999", "Да")
    rig.service.reply("+79999999999", "Нет")

    def pulled(query: str) -> Any:
        return content(rig.ask("GET", "/sys/get.php", query=f"get_answers=1&fmt=3&{query}"))

    login = "login=alex&psw=123"
    assert [reply["message"] for reply in pulled(login)] == ["Да", "Нет"]
    assert [reply["message"] for reply in pulled(login + "&after_id=1")] == ["Нет"]
    assert pulled("login=alex&psw=no")["error_code"] == 2


@pytest.mark.parametrize("body", [b"", b"hello", b"<a/>", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', GOLDEN[:-20]])
def test_what_is_no_call_is_a_fault(rig: Rig, body: bytes) -> None:
    answer = rig.ask("POST", "/sys/soap.php", body)
    assert answer.status == 500
    assert b"faultcode>SOAP-ENV:Client" in answer.body
