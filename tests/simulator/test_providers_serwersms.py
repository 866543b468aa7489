"""The simulated SerwerSMS, judged by the document's own examples."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from drivers.simulator.providers import Course
from drivers.simulator.providers.serwersms import Serwersms, default_account
from drivers.simulator.providers.wire import Answer
from tests.simulator.providers_rig import Rig, body_of, content, leaves

# The call of the document's PHP example as its library writes it.
GOLDEN = """<?xml version="1.0" encoding="UTF-8"?>
<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsd="http://www.w3.org/2001/XMLSchema"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:soapenc="http://schemas.xmlsoap.org/soap/encoding/"><e:Body>
<ns:Messages.sendPersonalized xmlns:ns="urn:serwersms" e:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">
 <messages xsi:type="soapenc:Array" soapenc:arrayType="xsd:anyType[2]">
  <item><phone xsi:type="xsd:string">500000001</phone><text xsi:type="xsd:string">test3</text></item>
  <item><phone xsi:type="xsd:string">500000002</phone><text xsi:type="xsd:string">test4</text></item>
 </messages>
 <sender xsi:type="xsd:string">sobek</sender>
 <params><test xsi:type="xsd:int">TEST</test><details xsi:type="xsd:int">1</details>
  <group_id xsi:type="xsd:string">17324179</group_id></params>
</ns:Messages.sendPersonalized></e:Body></e:Envelope>"""
LOGIN = {"authorization": "Basic " + b64encode(b"demo:demo").decode()}


@pytest.fixture
def rig() -> Rig:
    return Rig(Serwersms, default_account())


def soap(rig: Rig, body: str, headers: dict[str, str] = LOGIN) -> Answer:
    return rig.ask("POST", "/server.php", body.encode(), headers=headers)


def api(rig: Rig, action: str, **fields: Any) -> Any:
    given = {"username": "demo", "password": "demo"} | fields
    return content(rig.ask("POST", f"/{action}.json", json.dumps(given).encode()))


def test_the_documents_example_checks_without_sending(rig: Rig) -> None:
    found = leaves(body_of(soap(rig, GOLDEN.replace("TEST", "1"))))
    assert [value for name, value in found if name == "status"] == ["queued", "queued"]
    assert rig.taken == []


def test_without_the_test_flag_it_sends(rig: Rig) -> None:
    answer = body_of(soap(rig, GOLDEN.replace("TEST", "0")))
    assert answer.tag == "{urn:serwersms}Messages.sendPersonalizedResponse"
    assert leaves(answer)[:3] == [("success", "true"), ("queued", "2"), ("unsent", "0")]
    assert [(entry.number, entry.text, entry.sender) for entry in rig.taken] == [
        ("+48500000001", "test3", "sobek"),
        ("+48500000002", "test4", "sobek"),
    ]
    assert rig.taken[0].options["group_id"] == "17324179"
    assert rig.operation == "submit"


@pytest.mark.parametrize("headers", [{}, {"authorization": "Basic " + b64encode(b"demo:no").decode()}])
def test_soap_wants_basic(rig: Rig, headers: dict[str, str]) -> None:
    answer = soap(rig, GOLDEN, headers)
    assert (answer.status, "www-authenticate" in answer.headers) == (401, True)


def test_one_bad_number_among_many_is_named_and_the_others_go(rig: Rig) -> None:
    found = leaves(body_of(soap(rig, GOLDEN.replace("TEST", "0").replace("500000002", "1"))))
    assert found[:3] == [("success", "true"), ("queued", "1"), ("unsent", "1")]
    assert [value for name, value in found if name in ("status", "error_message")] == [
        "queued", "unsent", "Incorrect number",
    ]  # fmt: skip
    assert len([name for name, _ in found if name == "queued"]) == 3  # an unsent item has that date too
    assert len(rig.taken) == 1


def test_a_list_that_does_not_say_so_is_a_map(rig: Rig) -> None:
    bare = GOLDEN.replace(' soapenc:arrayType="xsd:anyType[2]"', "").replace("TEST", "0")
    assert ("code", "1006") in leaves(body_of(soap(rig, bare)))
    rig.knob(strict_arrays=False)
    assert ("success", "true") in leaves(body_of(soap(rig, bare)))


def test_the_answer_has_three_forms(rig: Rig) -> None:
    forms = {}
    for form in ("struct", "map", "json"):
        rig.knob(answer_form=form)
        forms[form] = leaves(body_of(soap(rig, GOLDEN.replace("TEST", "1"))))
    assert forms["struct"][0] == ("success", "true")
    assert forms["map"][:2] == [("key", "success"), ("value", "true")]
    [(name, text)] = forms["json"]
    assert name == "return"
    assert json.loads(text)["queued"] == 2


def test_an_unknown_operation_is_a_fault(rig: Rig) -> None:
    assert soap(rig, GOLDEN.replace("sendPersonalized", "sendPigeon")).status == 500


PAIRS = [{"phone": "+48500000001", "text": "a"}, {"phone": "+48500000002", "text": "b"}]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"unique_id": ["abc"]}, 1006),
        ({"unique_id": ["abc", "a_c"]}, 1006),
        ({"unique_id": ["abc", "ab"]}, 1006),
        ({"unique_id": ["abc", "abc"]}, 1006),
        ({"messages": []}, 1006),
        ({"messages": {"phone": "1"}}, 1006),
        ({"messages": PAIRS * 5001}, 1006),
        ({"voice": True, "sender": "sobek"}, 1006),
        ({"date": "tomorrow"}, 1006),
        ({"sender": "Nobody"}, 3007),
        ({"sender": "Nowa"}, 3007),
        ({"password": "no"}, 1001),
    ],
)
def test_what_refuses_a_whole_call(rig: Rig, fields: dict[str, Any], code: int) -> None:
    answer = api(rig, "messages/send_personalized", **({"messages": PAIRS, "details": True} | fields))
    assert answer["error"]["code"] == code
    assert rig.taken == []


@pytest.mark.parametrize(
    ("kind", "fields", "code"),
    [("eco", {}, 3000), ("full", {"sender": "sobek"}, 3002), ("voice", {"voice": True}, 3006)],
)
def test_limits_are_of_a_kind(rig: Rig, kind: str, fields: dict[str, Any], code: int) -> None:
    rig.knob(limits={"eco": 9, "full": 9, "mms": 9, "voice": 9, kind: 1})
    assert api(rig, "messages/send_personalized", messages=PAIRS, **fields)["error"]["code"] == code


def test_reports_are_filtered_sorted_and_paged(rig: Rig) -> None:
    for n, word in enumerate(("delivered", "undelivered", "delivered")):
        phone = f"+4850060070{n}"
        rig.service.set_course(Course(final_after=1.0, word=word), number=phone)
        assert api(rig, "messages/send_sms", phone=phone, text="x", details=True)["success"]
        rig.clock.advance(60)

    def phones(**fields: Any) -> list[str]:
        return [item["phone"][-1] for item in api(rig, "messages/reports", **fields)["items"]]

    assert phones(status="delivered") == ["0", "2"]
    assert phones(status="undelivered", order="desc") == ["1"]
    assert phones(phone="500600702") == phones(phone="+48500600702") == ["2"]
    assert phones(order="desc") == ["2", "1", "0"]
    assert phones(date_from="2026-03-14 09:51:00", date_to="2026-03-14 09:51:59") == ["1"]
    assert (phones(limit=2), phones(limit=2, page=2), phones(limit=2, page=3)) == (["0", "1"], ["2"], [])
    assert api(rig, "messages/reports", limit=2)["paging"] == {"page": 1, "count": 2}
    for wrong in ({"limit": -1}, {"page": -1}, {"date_from": "yesterday"}):
        assert api(rig, "messages/reports", **wrong)["error"]["code"] == 1006


def test_reports_are_found_by_unique_id(rig: Rig) -> None:
    rig.service.set_course(Course(sent_after=5, final_after=10, word="undelivered", detail="message_expired"))
    sent = api(
        rig, "messages/send_sms", phone=["500000001", "500000002"], text="x", unique_id=["gw1", "gw2"], details=1
    )
    assert [item["status"] for item in sent["items"]] == ["queued", "queued"]
    words = []
    for seconds in (0, 5, 5):
        rig.clock.advance(seconds)
        [item] = api(rig, "messages/reports", unique_id=["gw2"])["items"]
        words.append((item["status"], item["reason"]))
    assert words == [("queued", ""), ("sent", ""), ("undelivered", "message_expired")]
    assert item["id"] == sent["items"][1]["id"]
    assert (item["queued"], item["sent"], item["delivered"]) == ("2026-03-14 09:50:15", "2026-03-14 09:50:25", None)
    assert api(rig, "messages/reports", unique_id=["gw3"])["items"] == []
    assert api(rig, "messages/view", unique_id="gw1")["phone"] == "+48500000001"
    assert api(rig, "messages/reports", id=[str(n) for n in range(501)])["error"]["code"] == 1006


def test_a_scheduled_message_is_saved_and_can_be_deleted(rig: Rig) -> None:
    api(rig, "messages/send_sms", phone="500000001", text="x", unique_id="gw1", date="2026-03-14 20:00")
    assert api(rig, "messages/view", unique_id="gw1")["status"] == "saved"
    assert api(rig, "messages/delete", unique_id="gw1") == {"success": True}
    assert api(rig, "messages/view", unique_id="gw1")["error"]["code"] == 1004


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({}, "Zazolc gesla jazn"),
        ({"utf": True}, "Zazolc gesla jazn"),
        ({"sender": "sobek"}, "Zazolc gesla jazn"),
        ({"sender": "sobek", "utf": True}, "Zażółć gęślą jaźń"),
    ],
)
def test_letters_are_kept_only_in_full_and_when_asked_for(rig: Rig, fields: dict[str, Any], shown: str) -> None:
    api(rig, "messages/send_sms", phone="500000001", text="Zażółć gęślą jaźń", **fields)
    assert rig.taken[0].options["shown"] == shown


@pytest.mark.parametrize(
    ("fields", "code"), [({}, 2000), ({"title": "x"}, 2000), ({"title": "x" * 41, "file_id": "1"}, 1006)]
)
def test_an_mms_needs_a_title_and_a_file(rig: Rig, fields: dict[str, str], code: int) -> None:
    assert api(rig, "messages/send_mms", phone="500000001", **fields)["error"]["code"] == code
    assert api(rig, "messages/send_mms", phone="500000001", title="x", file_id="1")["queued"] == 1


def test_a_reply_to_a_number_of_the_accounts_own_names_no_message(rig: Rig) -> None:
    rig.service.reply("+48500000001", "Dzien dobry")
    assert api(rig, "messages/recived", type="eco")["items"] == []
    [reply] = api(rig, "messages/recived", type="ndi")["items"]
    assert (reply["type"], reply["message_id"]) == ("ndi", None)
    assert api(rig, "messages/recived", page="first")["error"]["code"] == 1006


def test_account_senders_replies_and_numbers(rig: Rig) -> None:
    api(rig, "messages/send_sms", phone="500000001", text="x")
    limits = {item["type"]: item["value"] for item in api(rig, "account/limits")["items"]}
    assert limits["eco"] == 99_999
    assert [item["status"] for item in api(rig, "senders/index")["items"]] == [
        "authorized", "authorized", "pending_authorization",
    ]  # fmt: skip
    rig.service.reply("+48500000001", "Tak")
    [reply] = api(rig, "messages/recived")["items"]
    assert (reply["text"], reply["phone"], reply["message_id"]) == ("Tak", "+48500000001", rig.taken[0].id)
    assert api(rig, "phones/test", phone="123") == {"phone": "123", "correct": False}
    assert api(rig, "phones/check", phone="+48500000001")["status"] == "ok"
    bearer = {"authorization": "Bearer serwersms-bearer-token"}
    assert "items" in content(rig.ask("POST", "/senders/index.json", b"{}", headers=bearer))
    assert api(rig, "messages/fly")["error"]["code"] == 1000
    assert content(rig.ask("GET", "/error/1003"))["type"] == "InvalidIP"
