"""Clickatell: the document's own requests and answers, mixed outcomes, sessions, calls to us, and the fake service."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest

from drivers.contract import (
    Absent,
    Account,
    Call,
    CannotTell,
    Driver,
    Encoding,
    Forged,
    Found,
    Incoming,
    LinkChange,
    LinkState,
    MaybeSent,
    NotOffered,
    NotSent,
    Receipt,
    Refused,
    ReportFate,
    StatusReport,
    SubmitError,
)
from drivers.providers.clickatell import ClickatellDriver, Options, create, read_callback, read_lines, request
from drivers.providers.lists import ListsMark
from drivers.simulator.providers import Course, ProviderSimulation
from drivers.simulator.providers.clickatell import Knobs
from tests.drivers.providers.support import (
    Clock,
    Peer,
    Request,
    caught,
    environment,
    receipt,
    run,
    running,
    soap,
    text,
)

NS = "http://api.clickatell.com/soap/document_literal/webservice"
NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
SEED = Options(api_id=123456, user="MyUserName", password="MyPassword", callback=0)

# The document's own requests, without their white space and prefixes: what stands inside <sendmsg>.
LOGIN = "<api_id>123456</api_id><user>MyUserName</user><password>MyPassword</password>"
UNICODE = "This is a sample message sent as Unicode data."
UNICODE_HEX = (
    "005400680069007300200069007300200061002000730061006d0070006c00650020006d00650073007300610067006500200073"
    "0065006e007400200061007300200055006e00690063006f0064006500200064006100740061002e"
)
BINARY_HEX = "040601AE02056A0045C60C037368008503656B732E636F6D0008010374657374000101"


def returns(*lines: str, operation: str = "sendmsg") -> bytes:
    inner = "".join(f"<return>{line}</return>" for line in lines)
    return soap(f'<ns1:{operation}Response xmlns:ns1="{NS}">{inner}</ns1:{operation}Response>')


def credit(amount: str = "5.000") -> bytes:
    return returns(f"Credit: {amount}", operation="getbalance")


def sent(request: Request) -> tuple[str, list[tuple[str, str]]]:
    element = ElementTree.fromstring(request.body)[0][0]
    return element.tag.rpartition("}")[2], [(child.tag, child.text or "") for child in element]


def options(peer: Peer, **changes: Any) -> Options:
    given: dict[str, Any] = {
        "api_id": 123456, "user": "MyUserName", "password": "MyPassword", "callback": 0, "poll": False, **changes,
    }  # fmt: skip
    return Options(url=f"{peer.url}/soap/document_literal/webservice", **given)


def driver(peer: Peer, clock: Clock | None = None, **changes: Any) -> ClickatellDriver:
    made = ClickatellDriver("cloud", options(peer, **changes), monotonic=clock or Clock(), now=lambda: NOW)
    peer.at_exit.append(made._client.close)
    return made


def test_it_is_a_driver_and_an_account() -> None:
    made: Driver = create("c", SEED, environment(Path(".")))
    account: Account = ClickatellDriver("c", SEED, monotonic=Clock())
    assert made.evidence.look_up
    assert account is not None
    with pytest.raises(TypeError):
        create("c", {}, environment(Path(".")))


@pytest.mark.parametrize(
    "changed",
    [
        {"user": ""}, {"password": ""}, {"callback": 8}, {"queue": 4}, {"max_parts": 0}, {"callback_user": "u"},
        {"url": "http://api.clickatell.com/soap/document_literal/webservice"},
    ],
)  # fmt: skip
def test_wrong_options_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Options(**{"api_id": 1, "user": "u", "password": "p", **changed})


# --- Requests: the document's own -------------------------------------------------------------------------------------


GOLDEN: list[tuple[dict[str, Any], dict[str, Any], list[tuple[str, str]]]] = [
    ({"text": UNICODE, "encoding": Encoding.UCS2}, {}, [("text", UNICODE_HEX), ("to", "2799900001"), ("unicode", "1")]),
    (
        {"text": "This is my flash message here!", "message_class": 0},
        {},
        [("text", "This is my flash message here!"), ("to", "2799900001"), ("msg_type", "SMS_FLASH")],
    ),
    (
        {"kind": "binary", "text": None, "udh": bytes.fromhex("05040B8423F0"), "data": bytes.fromhex(BINARY_HEX)},
        {},
        [("text", BINARY_HEX), ("to", "2799900001"), ("udh", "0605040B8423F0")],
    ),
    (
        {"text": "This is my message here!", "sender": "123456789"},
        {"callback": 3},
        # The document's example says <callback>; the service's own description knows msg_callback only.
        [("text", "This is my message here!"), ("to", "2799900001"), ("from", "123456789"), ("msg_callback", "3")],
    ),
]


@pytest.mark.parametrize(("changed", "opts", "expected"), GOLDEN)
def test_the_documents_own_requests(
    changed: dict[str, Any], opts: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    async def main() -> None:
        async with Peer([credit(), returns("ID: 1")]) as peer:
            d = driver(peer, **opts)
            async with running(d):
                await d.submit(text(to="+2799900001", **changed))
            request = peer.requests[1]
        name, fields = sent(request)
        login = [("api_id", "123456"), ("user", "MyUserName"), ("password", "MyPassword")]
        assert name == "sendmsg"
        assert [f for f in fields if f[0] != "climsgid"] == login + expected
        assert ("climsgid", "attZ0000000000001") in fields
        assert request.headers["soapaction"] == f'"{NS}/sendmsg"'

    run(main())


def test_the_documents_request_to_two_numbers() -> None:
    async def main() -> None:
        good = returns(
            "ID: 918c16a73f75530da44c4f17abed80a1 To: 2799900001", "ID: 8019f2f6e76afc7e421618a4b92e8ec2 To: 2799900002"
        )
        async with Peer([credit(), good]) as peer:
            d = driver(peer, lists=True)
            async with running(d):
                outcomes = await d.submit_many(
                    [text(n, to=f"+279990000{n}", text="This is my message here!") for n in (1, 2)]
                )
            assert sent(peer.requests[1]) == (
                "sendmsg",
                [
                    ("api_id", "123456"), ("user", "MyUserName"), ("password", "MyPassword"),
                    ("text", "This is my message here!"), ("to", "2799900001"), ("to", "2799900002"),
                ],
            )  # fmt: skip
        assert [receipt(o).reference for o in outcomes] == [
            "918c16a73f75530da44c4f17abed80a1", "8019f2f6e76afc7e421618a4b92e8ec2",
        ]  # fmt: skip

    run(main())


FIELDS: list[tuple[dict[str, Any], dict[str, Any], dict[str, object]]] = [
    ({"validity": 3600}, {}, {"validity": 60}),
    ({"validity": 119}, {}, {"validity": 1}),
    ({"send_at": NOW + timedelta(minutes=90)}, {}, {"deliv_time": 90}),
    ({"send_at": NOW + timedelta(days=7)}, {}, {"deliv_time": 10_080}),
    ({"send_at": NOW - timedelta(minutes=9)}, {}, {"deliv_time": 0}),
    ({"text": "a" * 161}, {}, {"concat": 2}),
    ({"text": "ł" * 135}, {}, {"concat": 3, "unicode": 1}),
    ({"text": "a" * 161, "options": {"concat": "3"}}, {}, {"concat": 3}),
    ({"text": "a\r\nb€"}, {}, {"text": "a\nb€"}),
    ({"text": "🙂"}, {}, {"text": "d83dde42", "unicode": 1}),
    ({"sender": "+48600700800"}, {}, {"from": "48600700800"}),
    ({}, {"sender": "PLANT"}, {"from": "PLANT"}),
    ({}, {"callback": 7}, {"msg_callback": 7}),
    ({"options": {"callback": "2"}}, {"callback": 7}, {"msg_callback": 2}),
    ({}, {"deliv_ack": True, "mo": True, "escalate": True}, {"deliv_ack": 1, "mo": 1, "escalate": 1}),
    ({}, {"max_credits": 2, "queue": 1, "req_feat": 8192}, {"max_credits": 2, "queue": 1, "req_feat": 8192}),
    ({"options": {"deliv_time": "15", "queue": "3", "mo": "1"}}, {}, {"deliv_time": 15, "queue": 3, "mo": 1}),
    ({"kind": "binary", "text": None, "data": b"\x01\xab"}, {}, {"data": "01AB"}),
    (
        {"kind": "binary", "text": None, "udh": b"\x01\x00", "data": b"\x01"},
        {"data_field": True},
        {"udh": "020100", "data": "01"},
    ),
]


@pytest.mark.parametrize(("changed", "opts", "expected"), FIELDS)
def test_fields(changed: dict[str, Any], opts: dict[str, Any], expected: dict[str, object]) -> None:
    o = Options(**{"api_id": 1, "user": "u", "password": "p", "callback": 0, **opts})
    operation, fields = request(text(**changed), o, now=NOW)
    assert operation == "sendmsg"
    assert {name: fields.get(name) for name in expected} == expected
    assert fields["to"] == ["48600700001"]


def test_no_report_asks_for_no_callback() -> None:
    o = Options(api_id=1, user="u", password="p")
    assert "msg_callback" not in request(text(report=False), o, now=NOW)[1]
    assert request(text(), o, now=NOW)[1]["msg_callback"] == 7


def test_wap_push_is_an_operation_of_its_own() -> None:
    s = text(kind="wap_push", text="Look", options={"url": "http://x.example", "si_action": "signal-high"})
    operation, fields = request(s, SEED, now=NOW)
    assert operation == "si_push"
    assert fields == {
        "to": ["48600700001"], "si_id": "attZ0000000000001", "si_url": "http://x.example", "si_text": "Look",
        "si_action": "signal-high",
    }  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [
        {"to": "7250"},
        {"to": "600700800x"},
        {"to": "+0600700800"},
        {"text": ""},
        {"text": "a" * 460},
        {"kind": "mms"},
        {"kind": "voice"},
        {"kind": "wap_push"},
        {"kind": "binary", "text": None},
        {"kind": "binary", "text": None, "data": b"x" * 140, "udh": b"\x01\x00"},
        {"kind": "binary", "text": None, "data": b"x", "message_class": 0},
        {"udh": b"\x01\x00"},
        {"message_class": 1},
        {"protocol_id": 1},
        {"dcs": 4},
        {"reply_path": True},
        {"reject_duplicates": True},
        {"sender": "twelve chars"},
        {"sender": "12345678901234567"},
        {"sender": "Zażółć"},
        {"validity": 59},
        {"send_at": NOW + timedelta(days=7, minutes=2)},
        {"options": {"queue": "4"}},
        {"options": {"queue": "high"}},
        {"options": {"deliv_time": "10081"}},
        {"options": {"url": "http://x"}},
        {"options": {"password": "stolen"}},
    ],
)
def test_what_clickatell_cannot_be_told_is_refused_before_the_wire(changed: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        request(text(**{"to": "+2799900001", **changed}), SEED, now=NOW)
    assert refused.value.code == "not_expressible"
    assert not refused.value.everywhere


# --- Answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", [str, str.lower, str.upper])
@pytest.mark.parametrize("spacing", [": ", ":", " :  "])
def test_lines_are_read_by_keys_whatever_case_and_spacing(case: Any, spacing: str) -> None:
    (line,) = read_lines([case("ID: 918c To: 2799900001").replace(": ", spacing)])
    assert (line.id.lower(), line.to, line.error) == ("918c", "2799900001", "")
    (line,) = read_lines([case("ERR: 001, Authentication failed To: 2799900001").replace(": ", spacing)])
    assert (line.error, line.to, line.id) == ("001", "2799900001", "")
    (line,) = read_lines([case("ERR: 130, limit exceeded until 1768500000").replace(": ", spacing)])
    assert (line.error, line.to) == ("130", "")
    (line,) = read_lines([case("apiMsgId: ab1 charge: 0.33 status: 004").replace(": ", spacing)])
    assert (line.id.lower(), line.status, line.charge) == ("ab1", "004", Decimal("0.33"))
    (line,) = read_lines([case("ID: ab1 Charge: 0.33 Status: 008").replace(": ", spacing)])
    assert (line.status, line.charge) == ("008", Decimal("0.33"))
    (line,) = read_lines([case("OK: This prefix is currently supported. Charge: 0.5").replace(": ", spacing)])
    assert (line.charge, line.id, line.error) == (Decimal("0.5"), "", "")
    (line,) = read_lines([case("Credit: 5.000").replace(": ", spacing)])
    assert line.charge == Decimal("5.000")


@pytest.mark.parametrize("returned", [[], [None], ["ID: 1", ""]])
def test_what_are_no_lines_is_unreadable(returned: list[str | None]) -> None:
    with pytest.raises(ValueError, match="no lines"):
        read_lines(returned)


def submitted(octets: bytes | None, **changes: Any) -> Receipt | SubmitError:
    async def main() -> Receipt | SubmitError:
        async with Peer([credit(), octets]) as peer:
            d = driver(peer, **changes)
            async with running(d):
                try:
                    return await d.submit(text())
                except SubmitError as error:
                    return error

    return run(main())


def test_a_good_answer_is_a_receipt() -> None:
    assert (
        receipt(submitted(returns("ID: 918c16a73f75530da44c4f17abed80a1"))).reference
        == "918c16a73f75530da44c4f17abed80a1"
    )
    # One number, and the server names it all the same; or an answer for a number that was written another way.
    assert receipt(submitted(returns("ID: 1 To: 48600700001"))).reference == "1"


ERRORS: list[tuple[str, type[SubmitError]]] = [
    *[(c, NotSent) for c in ("001", "002", "003", "004", "005", "007", "108", "130", "301")],
    *[(c, Refused) for c in ("100", "101", "102", "105", "106", "107", "113", "114", "115", "116", "120", "121", "122",
                             "123", "128", "201", "202", "302")],
    *[(c, MaybeSent) for c in ("901", "103", "555")],
]  # fmt: skip


@pytest.mark.parametrize(("code", "kind"), ERRORS)
def test_an_error_in_the_answer(code: str, kind: type[SubmitError]) -> None:
    error = submitted(returns(f"ERR: {code}, Whatever they say"))
    assert isinstance(error, kind)
    assert error.code == f"clickatell_{code}"
    assert "Whatever" not in error.detail
    if isinstance(error, Refused):
        assert error.everywhere == (code in ("105", "107", "122", "128"))
    if isinstance(error, NotSent):
        assert error.channel_unusable


def test_a_limit_rests_until_the_time_in_the_text() -> None:
    until = int(NOW.timestamp()) + 7200
    error = submitted(returns(f"ERR: 130, Maximum MT limit exceeded until {until}"))
    assert isinstance(error, NotSent)
    assert error.retry_after == 7200
    error = submitted(returns("ERR: 130, Maximum MT limit exceeded until tomorrow"))
    assert isinstance(error, NotSent)
    assert error.retry_after == 3600


@pytest.mark.parametrize(
    "octets",
    [returns(), returns(""), returns("OK:"), returns("ID:"), returns("hello"), returns("ID: 1 To: 4811"), None],
)
def test_an_answer_without_id_and_error_is_in_doubt(octets: bytes | None) -> None:
    assert isinstance(submitted(octets), MaybeSent)


def test_answers_are_mixed_per_number_and_come_in_any_order() -> None:
    async def main() -> None:
        lines = [
            "ERR: 105, Invalid Destination Address To: 48600700002",
            "ID: c To: 48600700003",
            "ID: a To: +48600700001",
        ]
        async with Peer([credit(), returns(*lines)]) as peer:
            d = driver(peer, lists=True)
            async with running(d):
                outcomes = await d.submit_many([text(n, text="same") for n in (1, 2, 3, 4)])
        assert receipt(outcomes[0]).reference == "a"
        assert isinstance(outcomes[1], Refused)
        assert receipt(outcomes[2]).reference == "c"
        assert isinstance(outcomes[3], MaybeSent)  # fewer lines than numbers

    run(main())


def test_lines_without_numbers_are_matched_by_order_only_when_all_are_there() -> None:
    async def main() -> None:
        async with Peer([credit(), returns("ID: a", "ID: b"), returns("ID: a")]) as peer:
            d = driver(peer, lists=True)
            async with running(d):
                both = await d.submit_many([text(n, text="same") for n in (1, 2)])
                assert [receipt(o).reference for o in both] == ["a", "b"]
                one = await d.submit_many([text(n, text="same again") for n in (1, 2)])
                assert all(isinstance(o, MaybeSent) for o in one)

    run(main())


def test_the_documents_error_for_every_number() -> None:
    async def main() -> None:
        lines = [f"ERR: 001, Authentication failed To: 279990000{n}" for n in (1, 2)]
        async with Peer([credit(), returns(*lines)]) as peer:
            d = driver(peer, lists=True)
            async with running(d) as sink:
                outcomes = await d.submit_many([text(n, to=f"+279990000{n}", text="same") for n in (1, 2)])
                assert all(isinstance(o, NotSent) and o.channel_unusable for o in outcomes)
                await sink.first(LinkChange, lambda c: c.state is LinkState.BLOCKED)

    run(main())


def test_bulk_is_cut_at_300_and_by_what_differs() -> None:
    async def main() -> None:
        def script(request: Request) -> bytes:
            name, fields = sent(request)
            if name == "getbalance":
                return credit()
            return returns(*[f"ID: m{value} To: {value}" for tag, value in fields if tag == "to"])

        async with Peer(script) as peer:
            d = driver(peer, lists=True)
            async with running(d):
                many = [text(n, text="same") for n in range(650)]
                others = [text(700, text="other"), text(701, text="same", sender="PLANT"), text(702, kind="mms"),
                          text(703, to=text(0).to, text="same")]  # fmt: skip
                outcomes = await d.submit_many(many + others)
            sizes = [sum(tag == "to" for tag, _ in sent(r)[1]) for r in peer.requests[1:]]
            assert sorted(sizes) == [1, 1, 51, 300, 300]
            assert [receipt(o).reference for o in outcomes[:650]] == [f"m{s.to[1:]}" for s in many]
            assert isinstance(outcomes[652], Refused)
            assert receipt(outcomes[653]).reference == f"m{text(0).to[1:]}"
            assert all("climsgid" not in dict(sent(r)[1]) for r in peer.requests)

    run(main())


def test_a_message_of_a_bulk_request_cannot_be_looked_up() -> None:
    async def main() -> None:
        async with Peer([credit(), None]) as peer:
            d = driver(peer, lists=True)
            async with running(d):
                outcomes = await d.submit_many([text(1, text="same"), text(2, text="same")])
                assert all(isinstance(o, MaybeSent) for o in outcomes)
                assert isinstance(await d.look_up(text(1)), CannotTell)
            assert len(peer.requests) == 2

    run(main())


def test_after_lists_are_switched_off_what_may_have_gone_in_one_is_not_called_absent(tmp_path: Path) -> None:
    async def main() -> None:
        ListsMark(tmp_path / "cloud.lists").sent()
        async with Peer([]) as peer:
            made = create("cloud", options(peer, lists=False), environment(tmp_path))
            assert isinstance(await made.look_up(text(2)), CannotTell)
            assert peer.requests == []

    run(main())


# --- Sessions ---------------------------------------------------------------------------------------------------------


def test_a_session_is_opened_once_and_renewed_when_it_has_expired() -> None:
    async def main() -> None:
        answers = [
            returns("OK: 1111", operation="auth"), credit(), returns("ID: a"),
            returns("ERR: 003, Session ID expired"), returns("OK: 2222", operation="auth"), returns("ID: b"),
        ]  # fmt: skip
        async with Peer(list(answers)) as peer:
            d = driver(peer, session=True)
            async with running(d):
                assert (await d.submit(text(1))).reference == "a"
                assert (await d.submit(text(2))).reference == "b"
            names = [sent(r) for r in peer.requests]
        assert [name for name, _ in names] == ["auth", "getbalance", "sendmsg", "sendmsg", "auth", "sendmsg"]
        assert names[0][1] == [("api_id", "123456"), ("user", "MyUserName"), ("password", "MyPassword")]
        assert names[2][1][0] == ("session_id", "1111")
        assert names[5][1][0] == ("session_id", "2222")
        assert "password" not in dict(names[5][1])

    run(main())


def test_a_session_that_expires_again_at_once_stops_the_channel() -> None:
    async def main() -> None:
        expired = returns("ERR: 003, Session ID expired")
        auth = returns("OK: 1111", operation="auth")
        async with Peer([auth, credit(), expired, auth, expired]) as peer:
            d = driver(peer, session=True)
            async with running(d):
                error = await caught(d.submit(text(1)))
            assert isinstance(error, NotSent)
            assert error.channel_unusable
            assert len(peer.requests) == 5

    run(main())


@pytest.mark.parametrize("line", ["ERR: 001, Authentication failed", "what?"])
def test_a_login_that_fails_blocks_the_channel(line: str) -> None:
    async def main() -> None:
        async with Peer([returns(line, operation="auth")]) as peer:
            d = driver(peer, session=True)
            async with running(d, up=False) as sink:
                change = await sink.first(LinkChange)
            assert (change.state, change.code) == (LinkState.BLOCKED, "clickatell_001")

    run(main())


# --- Questions --------------------------------------------------------------------------------------------------------


STATUSES = {
    "001": ReportFate.UNKNOWN, "002": ReportFate.ACCEPTED, "003": ReportFate.SENT, "004": ReportFate.DELIVERED,
    "005": ReportFate.REJECTED, "006": ReportFate.REJECTED, "007": ReportFate.UNDELIVERED, "008": ReportFate.ACCEPTED,
    "009": ReportFate.UNDELIVERED, "010": ReportFate.EXPIRED, "011": ReportFate.ACCEPTED, "012": ReportFate.REJECTED,
    "014": ReportFate.REJECTED, "099": ReportFate.UNKNOWN,
}  # fmt: skip


@pytest.mark.parametrize(("code", "fate"), STATUSES.items())
def test_status_brings_the_cost(code: str, fate: ReportFate) -> None:
    async def main() -> None:
        async with Peer([returns(f"apiMsgId: ab1 charge: 0.33 status: {code}", operation="getmsgcharge")]) as peer:
            report = await driver(peer).status("ab1", "+48600700001")
            assert (report.fate, report.code, report.reference) == (fate, code, "ab1")
            assert (report.cost, report.currency, report.recipient) == (Decimal("0.33"), "credits", "+48600700001")
            assert sent(peer.requests[0])[1][-1] == ("apimsgid", "ab1")

    run(main())


def test_questions_that_fail() -> None:
    async def main() -> None:
        lines = ["ERR: 103, x", "ERR: 109, x", "ERR: 001, x", "ERR: 901, x"]
        async with Peer([returns(line, operation="getmsgcharge") for line in lines]) as peer:
            kinds = [type(await caught(driver(peer).status("x", "+1"))).__mro__ for _ in lines]
            assert MaybeSent in kinds[0]
            assert MaybeSent in kinds[1]
            assert NotSent in kinds[2]
            assert MaybeSent in kinds[3]

    run(main())


def test_absence_is_proven_only_after_a_while() -> None:
    async def main() -> None:
        clock = Clock()
        unknown = returns("ERR: 104, Unknown client message ID", operation="querymsg")
        odd = returns("ERR: 901, Internal error", operation="querymsg")
        found = returns("ID: ab1 Status: 003", operation="querymsg")
        async with Peer([credit(), None, unknown, unknown, unknown, odd, found]) as peer:
            d = driver(peer, clock)
            async with running(d):
                assert isinstance(await caught(d.submit(text(1))), MaybeSent)
                assert isinstance(await d.look_up(text(1)), CannotTell)
                clock.at += 61
                assert await d.look_up(text(1)) == Absent()
                assert isinstance(await d.look_up(text(2)), CannotTell)  # a send before a restart
                assert isinstance(await d.look_up(text(1)), CannotTell)
                known = await d.look_up(text(1))
                assert isinstance(known, Found)
                assert known.receipt.reference == "ab1"
            assert sent(peer.requests[2]) == (
                "querymsg",
                [("api_id", "123456"), ("user", "MyUserName"), ("password", "MyPassword"),
                 ("climsgid", "attZ0000000000001")],
            )  # fmt: skip

    run(main())


def test_balance_price_and_cancelling() -> None:
    async def main() -> None:
        answers = [
            credit("12.5"),
            returns("OK: This prefix is currently supported. Charge: 0.33", operation="routecoverage"),
            returns("ERR: 114, Cannot route message", operation="routecoverage"),
            returns("ID: ab1 Status: 006", operation="delmsg"),
            returns("Credit: none", operation="getbalance"),
        ]
        async with Peer(list(answers)) as peer:
            d = driver(peer)
            balance = await d.balance()
            assert (balance.amount, balance.currency) == (Decimal("12.5"), "credits")
            quote = await d.quote(text(1, text="a" * 161))
            assert (quote.cost, quote.parts) == (Decimal("0.66"), 2)
            assert sent(peer.requests[1])[1][-1] == ("msisdn", "48600700001")
            assert isinstance(await caught(d.quote(text(1))), Refused)
            assert await d.cancel("ab1", "+48600700001")
            assert isinstance(await caught(d.balance()), MaybeSent)
            with pytest.raises(NotOffered):
                await d.senders()
            with pytest.raises(NotOffered):
                await d.subscriber("+48600700001")

    run(main())


def test_an_account_without_credit_rests_until_there_is_some() -> None:
    async def main() -> None:
        answers = [credit(), returns("ERR: 301, No credit left"), credit("0.000"), credit("9.000"), returns("ID: 1")]
        async with Peer(list(answers)) as peer:
            d = ClickatellDriver("c", options(peer), monotonic=asyncio.get_running_loop().time)
            d._link._recheck = 0.01
            async with running(d) as sink:
                await caught(d.submit(text(1)))
                await sink.first(LinkChange, lambda c: c.state is LinkState.UP and len(sink.of(LinkChange)) > 2)
                await d.submit(text(2))

    run(main())


# --- Calls to us ------------------------------------------------------------------------------------------------------


def call(body: bytes = b"", query: bytes = b"", **headers: str) -> Call:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Call(method="POST", path="/", query=query, headers=names, body=body, address="203.0.113.1")


REPORT = {
    "api_id": "123456", "apiMsgId": "ab1", "cliMsgId": "attZ0000000000001", "to": "48600700001", "from": "PLANT",
    "timestamp": "1768478400", "status": "004", "charge": "0.33",
}  # fmt: skip
XML = "<callback>" + "".join(f"<{k}>{v}</{k}>" for k, v in REPORT.items()) + "</callback>"
SOAP = f'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>{XML}</e:Body></e:Envelope>'


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(call(urlencode(REPORT).encode()), id="form"),
        pytest.param(call(query=urlencode(REPORT).encode()), id="query"),
        pytest.param(call(XML.encode(), content_type="text/xml"), id="XML"),
        pytest.param(call(urlencode({"data": XML}).encode()), id="XML in a form"),
        pytest.param(call(SOAP.encode(), content_type="text/xml"), id="SOAP"),
        pytest.param(call(str(REPORT).replace("'", '"').encode(), content_type="application/json"), id="JSON"),
        pytest.param(call(b'{"data": ' + str(REPORT).replace("'", '"').encode() + b"}"), id="JSON, nested"),
        pytest.param(call(urlencode(REPORT).replace("apiMsgId", "moMsgId").encode()), id="moMsgId"),
        pytest.param(call(urlencode(REPORT).replace("status=004", "status=4").encode()), id="a status cut short"),
    ],
)
def test_a_report_in_every_form(given: Call) -> None:
    event = read_callback(given, o=SEED, sim="cloud")
    assert isinstance(event, StatusReport)
    assert (event.reference, event.attempt_id, event.fate, event.code) == (
        "ab1", "att_0000000000001", ReportFate.DELIVERED, "004",
    )  # fmt: skip
    assert (event.recipient, event.cost, event.currency) == ("+48600700001", Decimal("0.33"), "credits")
    assert event.discharged_at == datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


def test_a_report_tells_news_from_repeats_by_its_fingerprint() -> None:
    def event(**changes: str) -> StatusReport:
        found = read_callback(call(urlencode({**REPORT, **changes}).encode()), o=SEED, sim="cloud")
        assert isinstance(found, StatusReport)
        return found

    assert event().fingerprint == event().fingerprint
    assert event().fingerprint != event(status="003").fingerprint
    assert event(status="099").fate is ReportFate.UNKNOWN
    assert event(cliMsgId="theirs").attempt_id is None


REPLY = {
    "api_id": "123456",
    "moMsgId": "mo1",
    "from": "48600700001",
    "to": "48100200300",
    "timestamp": "2026-07-15 14:00:00",
}


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ("&text=Hello", "Hello"),
        ("&charset=UTF-8&text=za%C5%BC", "zaż"),
        ("&charset=ISO-8859-1&text=caf%E9", "café"),
        ("&charset=UTF-16BE&text=%00H%01%42", "Hł"),
        ("&charset=x-unknown&text=Hi", "Hi"),
        ("&charset=UTF-8&text=caf%E9", "caf\ufffd"),
        ("", ""),
    ],
)
def test_a_reply_is_read_in_its_charset_and_zone(extra: str, expected: str) -> None:
    event = read_callback(call((urlencode(REPLY) + extra).encode()), o=SEED, sim="cloud")
    assert isinstance(event, Incoming)
    assert (event.sender, event.text) == ("+48600700001", expected)
    assert event.sent_at == datetime(2026, 7, 15, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    assert "to 48100200300" in event.note


def test_a_reply_in_xml_keeps_its_letters() -> None:
    body = "<mo><moMsgId>m</moMsgId><from>48600700001</from><text>zażółć &amp; €</text></mo>"
    event = read_callback(call(body.encode()), o=SEED, sim="cloud")
    assert isinstance(event, Incoming)
    assert event.text == "zażółć & €"


@pytest.mark.parametrize(
    "given",
    [
        call(b""),
        call(b"a=1"),
        call(urlencode({**REPORT, "api_id": "999"}).encode()),
        call(b"status=004"),
        call(b"from=1&text=x"),
        call(b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><callback><apiMsgId>&e;</apiMsgId></callback>"),
        call(b"<cut"),
        call(b"{"),
        call(b"[1]", content_type="application/json"),
        call(b"a=1&" * 100),
    ],
)
def test_a_call_of_no_form_we_know_is_refused(given: Call) -> None:
    with pytest.raises(Forged):
        read_callback(given, o=SEED, sim="cloud")


def test_basic_login_of_the_callback() -> None:
    o = Options(api_id=123456, user="u", password="p", callback_user="cb", callback_password="s3cret")
    body = urlencode(REPORT).encode()
    good = "Basic " + base64.b64encode(b"cb:s3cret").decode()
    assert read_callback(call(body, authorization=good), o=o, sim="cloud")
    wrong = "Basic " + base64.b64encode(b"cb:guess").decode()
    headers: list[dict[str, str]] = [
        {},
        {"authorization": wrong},
        {"authorization": "Basic ???"},
        {"authorization": "Bearer x"},
    ]
    for header in headers:
        with pytest.raises(Forged):
            read_callback(call(body, b"", **header), o=o, sim="cloud")


# --- The whole, against the fake --------------------------------------------------------------------------------------


def fake_options(sim: ProviderSimulation, **changes: Any) -> Options:
    given: dict[str, Any] = {"api_id": 123456, "user": "MyUserName", "password": "MyPassword", **changes}
    return Options(url=f"{sim.url('clickatell')}/soap/document_literal/webservice", poll_interval=0.005, **given)


@pytest.mark.parametrize("session", [False, True])
@pytest.mark.parametrize("loose", [False, True])
def test_against_the_fake_from_send_to_report(session: bool, loose: bool) -> None:
    async def main() -> None:
        async with ProviderSimulation(["clickatell"]) as sim:
            sim.clickatell.knobs = Knobs(loose=loose)
            sim.set_course("clickatell", Course(final_after=None))  # else a slow machine sees only the end
            d = ClickatellDriver("cloud", fake_options(sim, session=session), monotonic=asyncio.get_running_loop().time)
            d._open._waits = (0.0, 0.01)
            async with running(d) as sink:
                await d.submit(text(1, text="Zażółć gęślą jaźń " * 5, sender="PLANT"))
                report = await sink.first(StatusReport, lambda r: r.fate is ReportFate.SENT)
                assert report.attempt_id == text(1).attempt_id
                assert isinstance(await d.look_up(text(1)), Found)
                assert (await d.balance()).amount < 100
            (taken,) = sim.ledger("clickatell")
            assert taken.text == "Zażółć gęślą jaźń " * 5
            assert (taken.client_id, taken.parts) == ("attZ0000000000001", 2)

    run(main())
