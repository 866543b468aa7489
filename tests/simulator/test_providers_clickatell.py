"""The simulated Clickatell, judged by the document's own examples."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from drivers.simulator.providers import Course
from drivers.simulator.providers.clickatell import Clickatell, default_account
from tests.simulator.providers_rig import Rig, body_of, enveloped, leaves

SPACE = "http://api.clickatell.com/soap/document_literal/webservice"
PATH = "/soap/document_literal/webservice"
HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?> <SOAP-ENV:Envelope xmlns:SOAP-ENV='
    '"http://schemas.xmlsoap.org/soap/envelope/" xmlns:ns1="http://api.clickatell.com/soap/document_literal/'
    'webservice"> <SOAP-ENV:Body><ns1:sendmsg> <api_id>123456</api_id> <user>MyUserName</user> '
    "<password>MyPassword</password> "
)
TAIL = "</ns1:sendmsg> </SOAP-ENV:Body> </SOAP-ENV:Envelope>"
SENTENCE = (
    "005400680069007300200069007300200061002000730061006d0070006c00650020006d00650073007300610067006500200073"
    "0065006e007400200061007300200055006e00690063006f0064006500200064006100740061002e"
)
DATA = "040601AE02056A0045C60C037368008503656B732E636F6D0008010374657374000101"


@pytest.fixture
def rig() -> Rig:
    return Rig(Clickatell, default_account())


def raw(rig: Rig, inner: str) -> list[str]:
    return [text for _, text in leaves(body_of(rig.ask("POST", PATH, (HEAD + inner + TAIL).encode())))]


def call(rig: Rig, name: str, *fields: tuple[str, str], login: bool = True) -> list[str]:
    credentials = [("api_id", "123456"), ("user", "MyUserName"), ("password", "MyPassword")] if login else []
    answer = rig.ask("POST", PATH, enveloped(name, SPACE, [*credentials, *fields]))
    return [text for _, text in leaves(body_of(answer))]


def test_two_numbers_have_two_lines_with_their_numbers(rig: Rig) -> None:
    lines = raw(rig, "<text>This is my message here!</text> <to>2799900001</to> <to>2799900002</to> ")
    assert [re.sub("[0-9a-f]{32}", "*", line) for line in lines] == ["ID: * To: 2799900001", "ID: * To: 2799900002"]
    assert [entry.number for entry in rig.taken] == ["+2799900001", "+2799900002"]
    assert rig.operation == "submit"


def test_one_number_has_one_line_without_it(rig: Rig) -> None:
    assert re.fullmatch("ID: [0-9a-f]{32}", raw(rig, "<text>Hi</text><to>2799900001</to>")[0])


def test_the_unicode_example_is_the_sentence_it_spells(rig: Rig) -> None:
    raw(rig, f"<text>{SENTENCE}</text> <unicode>1</unicode> <to>2799900001</to> ")
    assert rig.taken[0].text == "This is a sample message sent as Unicode data."


def test_the_flash_example(rig: Rig) -> None:
    raw(rig, "<text>This is my flash message here!</text> <msg_type>SMS_FLASH</msg_type> <to>2799900001</to> ")
    assert rig.taken[0].flash


def test_the_binary_example(rig: Rig) -> None:
    raw(rig, f"<udh>0605040B8423F0</udh> <text>{DATA}</text> <to>2799900001</to> ")
    assert (rig.taken[0].kind, rig.taken[0].udh, rig.taken[0].data) == ("binary", "0605040b8423f0", DATA.lower())


def test_the_sender_example(rig: Rig) -> None:
    raw(rig, "<callback>3</callback> <from>123456789</from> <text>This is my message here!</text><to>2799900001</to>")
    assert (rig.taken[0].shown_sender, rig.taken[0].options) == ("123456789", {})  # `callback` is a name it ignores


def test_the_error_example_has_a_line_a_number(rig: Rig) -> None:
    rig.account.password = "another"
    assert raw(rig, "<text>x</text><to>2799900001</to><to>2799900002</to>") == [
        "ERR: 001, Authentication failed To: 2799900001",
        "ERR: 001, Authentication failed To: 2799900002",
    ]
    assert raw(rig, "<text>x</text><to>2799900001</to>") == ["ERR: 001, Authentication failed"]


TO, TEXT = ("to", "2799900001"), ("text", "x")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ([TO], "107"),
        ([TEXT], "101"),
        ([TEXT, ("to", "+2799900001")], "105"),
        ([TEXT, ("to", "0799900001")], "105"),
        ([TEXT, ("to", "2799900009")], "114"),
        ([TEXT, ("to", "2799900008")], "122"),
        ([TEXT, TO, ("from", "Nobody")], "123"),
        ([("text", "x" * 161), TO], "113"),
        ([("text", "x" * 307), TO, ("concat", "2")], "113"),
        ([("text", "0054006"), TO, ("unicode", "1")], "116"),
        ([("text", "00"), TO, ("udh", "0605040")], "102"),
        ([TEXT, TO, ("deliv_time", "10081")], "120"),
        ([TEXT, TO, ("max_credits", "0.1")], "302"),
        ([TEXT, TO, ("climsgid", "not_allowed")], "101"),
        ([TEXT, TO, ("climsgid", "x" * 33)], "101"),
    ],
)
def test_each_error_has_its_cause(rig: Rig, fields: list[tuple[str, str]], code: str) -> None:
    rig.account.barred.add("2799900009")
    rig.account.opted_out.add("2799900008")
    [line] = call(rig, "sendmsg", *fields)
    assert line.startswith(f"ERR: {code}, ")
    assert rig.taken == []


def test_numbers_of_one_call_may_end_differently(rig: Rig) -> None:
    lines = call(rig, "sendmsg", TEXT, ("to", "1"), TO, ("to", "27999000x"))
    assert [line[:4] for line in lines] == ["ERR:", "ID: ", "ERR:"]
    assert [line.split("To: ")[1] for line in lines] == ["1", "2799900001", "27999000x"]


def test_three_hundred_numbers_and_no_more(rig: Rig) -> None:
    numbers = [("to", f"27999{n:05d}") for n in range(301)]
    assert len(call(rig, "sendmsg", TEXT, *numbers[:300])) == 300
    assert call(rig, "sendmsg", TEXT, *numbers)[0].startswith("ERR: 101")
    assert len(rig.taken) == 300


def test_order_of_fields_does_not_matter_and_long_texts_need_concat(rig: Rig) -> None:
    call(rig, "sendmsg", TO, ("concat", "3"), ("climsgid", "gw1"), ("text", "x" * 400))
    assert (rig.taken[0].parts, rig.taken[0].client_id, rig.taken[0].cost) == (3, "gw1", Decimal("0.99"))


def test_a_session_lives_a_quarter_of_an_hour_after_its_last_call(rig: Rig) -> None:
    [line] = call(rig, "auth")
    session = ("session_id", line.removeprefix("OK: "))
    rig.clock.advance(899)
    assert call(rig, "ping", session, login=False) == ["OK:"]
    rig.clock.advance(899)
    assert call(rig, "sendmsg", session, TEXT, TO, login=False)[0].startswith("ID: ")
    rig.clock.advance(901)
    assert call(rig, "sendmsg", session, TEXT, TO, login=False) == ["ERR: 003, Session ID expired"]
    assert call(rig, "ping", login=False) == ["ERR: 005, Missing session ID"]


def test_messages_are_found_by_either_id(rig: Rig) -> None:
    rig.service.set_course(Course(sent_after=10, final_after=20, word="007"))
    [line] = call(rig, "sendmsg", TEXT, TO, ("climsgid", "gw1"))
    id = line.removeprefix("ID: ")
    found = []
    for seconds in (0, 10, 10):
        rig.clock.advance(seconds)
        found += call(rig, "querymsg", ("climsgid", "gw1"))
    assert found == [f"ID: {id} Status: {word}" for word in ("008", "003", "007")]
    assert call(rig, "getmsgcharge", ("apimsgid", id)) == [f"apiMsgId: {id} charge: 0.33 status: 007"]
    assert call(rig, "querymsg", ("climsgid", "gw2"))[0].startswith("ERR: 104")
    assert call(rig, "querymsg", ("apimsgid", "gw2"))[0].startswith("ERR: 103")
    assert call(rig, "querymsg")[0].startswith("ERR: 109")


def test_a_waiting_message_can_be_taken_back(rig: Rig) -> None:
    [line] = call(rig, "sendmsg", TEXT, TO, ("deliv_time", "60"))
    id = line.removeprefix("ID: ")
    assert call(rig, "querymsg", ("apimsgid", id)) == [f"ID: {id} Status: 011"]
    assert call(rig, "delmsg", ("apimsgid", id)) == [f"ID: {id} Status: 006"]


def test_money(rig: Rig) -> None:
    assert call(rig, "getbalance") == ["Credit: 100.000"]
    assert call(rig, "routecoverage", ("msisdn", "2799900001"))[0].endswith("Charge: 0.33")
    rig.account.credit = Decimal("0.5")
    assert call(rig, "sendmsg", TEXT, TO)[0].startswith("ID: ")
    assert call(rig, "sendmsg", TEXT, TO)[0].startswith("ERR: 301")


def test_a_link_is_pushed(rig: Rig) -> None:
    call(rig, "si_push", TO, ("si_id", "1"), ("si_url", "https://a.example"), ("si_text", "Look"))
    assert (rig.taken[0].kind, rig.taken[0].text, rig.taken[0].options["url"]) == (
        "wap_push", "Look", "https://a.example",
    )  # fmt: skip


def test_answers_may_be_written_loosely(rig: Rig) -> None:
    rig.knob(loose=True)
    assert re.fullmatch("id :  [0-9a-f]{32}", call(rig, "sendmsg", TEXT, TO)[0])


def test_a_code_can_be_ordered(rig: Rig) -> None:
    rig.knob(error="130")
    assert re.fullmatch(r"ERR: 130, Maximum MT limit exceeded until \d{10}", call(rig, "sendmsg", TEXT, TO)[0])
