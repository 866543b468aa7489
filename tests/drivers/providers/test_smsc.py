"""SMSC: exact requests, every answer, its limits kept on our side, its signed callback, and the fake service."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.etree import ElementTree

import pytest

from drivers.contract import (
    Absent,
    Account,
    Call,
    CannotTell,
    Driver,
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
    Submission,
    SubmitError,
)
from drivers.providers.lists import REMEMBERED, ListsMark
from drivers.providers.smsc import Options, SmscDriver, create, read_callback, request
from drivers.simulator.providers import Course, Fault, FaultKind, ProviderSimulation
from tests.drivers.providers.support import (
    Clock,
    Peer,
    Request,
    answer,
    caught,
    environment,
    receipt,
    run,
    running,
    soap,
    text,
)

NS = "https://smscentre.com/sys/soap.php"
PLAIN = Options(login="alex", password="123", cost=0)


def options(url: str = "", **changes: Any) -> Options:
    given: dict[str, Any] = {"login": "alex", "password": "123-pw", "poll": False, "namespace": NS, **changes}
    return Options(url=f"{url}/sys/soap.php" if url else NS, **given)


def reply(inner: str, element: str = "Send2Response", result: str = "sendresult") -> bytes:
    return soap(f'<n:{element} xmlns:n="{NS}"><{result}>{inner}</{result}></n:{element}>')


def balance(amount: str = "99.10", error: str = "0") -> bytes:
    return reply(f"<balance>{amount}</balance><error>{error}</error>", "BalanceResponse", "balanceresult")


def status(inner: str, element: str = "StatusResponse") -> bytes:
    return reply(inner, element, "statusresult")


def fields_of(request: Request) -> tuple[str, dict[str, str]]:
    element = ElementTree.fromstring(request.body)[0][0]
    return element.tag.rpartition("}")[2], {child.tag: child.text or "" for child in element}


def driver(peer: Peer, clock: Clock, *, state: Path = Path("/nowhere"), **changes: Any) -> SmscDriver:
    made = create("cloud", options(peer.url, **changes), environment(state, clock))
    assert isinstance(made, SmscDriver)
    peer.at_exit.append(made._client.close)
    return made


def test_it_is_a_driver_and_an_account() -> None:
    made: Driver = create("c", PLAIN, environment(Path(".")))
    account: Account = SmscDriver("c", PLAIN, monotonic=Clock())
    assert made.capabilities.sender
    assert account is not None
    with pytest.raises(TypeError):
        create("c", {"login": "x"}, environment(Path(".")))


# --- Options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"password": ""},
        {"login": ""},
        {"cost": 1},
        {"cost": 4},
        {"status_detail": 3},
        {"maxsms": -1},
        {"poll_interval": 0},
        {"url": "http://smsc.example/"},
    ],
)
def test_wrong_options_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w") as refused:
        Options(**{"login": "hunter2", "password": "hunter2", **changed})
    assert "hunter2" not in str(refused.value)


# --- Requests ---------------------------------------------------------------------------------------------------------


def test_the_documents_own_send() -> None:
    s = Submission(attempt_id="999", to="79999999999", text="Hello world!", sender="ivan")
    assert request(s, PLAIN) == (
        "send_sms",
        {"phones": "79999999999", "mes": "Hello world!", "id": "999", "sender": "ivan"},
    )


AT = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
QUERIES: list[tuple[dict[str, Any], str]] = [
    ({"message_class": 0}, "flash=1"),
    ({"validity": 4 * 3600}, "valid=4"),
    ({"validity": 90 * 60 + 59}, "valid=01:30"),
    ({"validity": 60}, "valid=00:01"),
    ({"validity": 10**6}, "valid=24"),
    ({"options": {"tz": "-3"}}, "tz=-3"),
    ({"options": {"tz": "0"}}, "tz=0"),
    ({"options": {"period": "0.1", "freq": "1"}}, "period=0.1&freq=1"),
    ({"options": {"period": "720", "freq": "1440"}}, "period=720&freq=1440"),
    ({"options": {"period": "24"}}, "period=24"),
    ({"options": {"tinyurl": "1"}}, "tinyurl=1"),
    ({"options": {"maxsms": "2"}}, "maxsms=2"),
    ({"options": {"cost": "2"}}, "cost=2"),
    ({"options": {"err": "1", "op": "1"}}, "err=1&op=1"),
    ({"options": {"nl": "1"}}, "nl=1"),
    ({"options": {"userip": "203.0.113.9"}}, "userip=203.0.113.9"),
    ({"kind": "ping", "text": None}, "ping=1"),
    ({"kind": "hlr", "text": None}, "hlr=1"),
    ({"kind": "voice"}, "call=1"),
    ({"kind": "voice", "options": {"voice": "w2,de", "param": "20,60,3"}}, "voice=w2,de&param=20,60,3&call=1"),
    ({"kind": "mms", "options": {"subject": "Zażółć & co"}}, "mms=1&subj=Zażółć & co"),
    ({"kind": "binary", "text": None, "data": b"\x01"}, "bin=2"),
    ({"kind": "wap_push", "text": "t", "options": {"url": "http://x"}}, "push=1"),
]


@pytest.mark.parametrize(("changed", "query"), QUERIES)
def test_query(changed: dict[str, Any], query: str) -> None:
    operation, fields = request(text(**changed), PLAIN)
    assert operation == "send_sms2"
    assert unquote(fields["query"]) == query
    assert not re.search(r"[^A-Za-z0-9_.~%=&-]", fields["query"])  # each value is percent-encoded


def test_query_of_the_options() -> None:
    o = Options(api_key="k/1", tz=2, cost=3, tinyurl=True, maxsms=3, user_ip="203.0.113.9", sender="ivan")
    operation, fields = request(text(), o)
    assert operation == "send_sms2"
    assert fields["query"] == "apikey=k%2F1&tz=2&cost=3&tinyurl=1&maxsms=3&userip=203.0.113.9"
    assert fields["sender"] == "ivan"
    assert request(text(sender="other"), o)[1]["sender"] == "other"
    assert "tz=5" in request(text(options={"tz": "5"}), o)[1]["query"]


@pytest.mark.parametrize(
    ("changed", "mes"),
    [
        ({"data": b"\x0b\x84", "udh": b"\x05\x04\x0b\x84\x23\xf0"}, "0605040B8423F00B84"),
        ({"data": b"\xff"}, "00FF"),
        ({"data": b"\xff", "dcs": 245, "protocol_id": 127}, "00FF\n~~~\npid: 127, dcs: 245"),
        ({"data": b"\xff", "protocol_id": 1}, "00FF\n~~~\npid: 1, dcs: 4"),
    ],
)
def test_binary(changed: dict[str, Any], mes: str) -> None:
    assert request(text(kind="binary", text=None, **changed), PLAIN)[1]["mes"] == mes


def test_binary_form_1_goes_only_where_xml_can_carry_it() -> None:
    udh = b"A" * 32  # a header whose length octet is a blank
    _, fields = request(text(kind="binary", text=None, udh=udh, data=b"Hi", options={"bin": "1"}), PLAIN)
    assert fields["mes"] == " " + "A" * 32 + "Hi"
    assert fields["query"] == "bin=1"


def test_push_is_link_line_feed_title() -> None:
    _, fields = request(text(kind="wap_push", text="Title", options={"url": "http://x.example"}), PLAIN)
    assert fields["mes"] == "http://x.example\nTitle"


@pytest.mark.parametrize(
    ("changed", "time"),
    [
        ({"send_at": AT}, "01700000000"),
        ({"options": {"time": "+15"}}, "+15"),
        ({"options": {"time": "9-21"}}, "9-21"),
        ({"options": {"time": "0-24"}}, "0-24"),
        ({"options": {"time": "31.12.26 23:59"}}, "31.12.26 23:59"),
        ({"options": {"time": "3112262359"}}, "3112262359"),
        ({"options": {"time": "01700000000"}}, "01700000000"),
        ({"options": {"time": "0"}}, "0"),
    ],
)
def test_time_has_four_forms(changed: dict[str, Any], time: str) -> None:
    assert request(text(**changed), PLAIN)[1]["time"] == time


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "fax"},
        {"text": ""},
        {"text": None},
        {"text": "x" * 1001},
        {"sender": "twelve chars"},
        {"sender": "1234567890123456"},
        {"sender": "Zażółć"},
        {"message_class": 1},
        {"udh": b"\x01\x00"},
        {"dcs": 8},
        {"protocol_id": 65},
        {"reply_path": True},
        {"reject_duplicates": True},
        {"validity": 59},
        {"options": {"time": "22-6"}},
        {"options": {"time": "9-9"}},
        {"options": {"time": "9-25"}},
        {"options": {"time": "tomorrow"}},
        {"options": {"freq": "10"}},
        {"options": {"period": "0.05"}},
        {"options": {"period": "721"}},
        {"options": {"period": "1", "freq": "0"}},
        {"options": {"tz": "99"}},
        {"options": {"cost": "1"}},
        {"options": {"maxsms": "0"}},
        {"options": {"userip": "x&y=1"}},
        {"options": {"list": "1:2"}},
        {"options": {"apikey": "stolen"}},
        {"options": {"url": "http://x"}},
        {"kind": "voice", "options": {"voice": "z9"}},
        {"kind": "voice", "options": {"param": "a,b,c"}},
        {"kind": "wap_push"},
        {"kind": "wap_push", "options": {"url": "a\nb"}},
        {"kind": "binary", "text": None},
        {"kind": "binary", "text": None, "data": b"\x00", "options": {"bin": "1"}},
        {"kind": "binary", "text": None, "data": b"\x00", "options": {"bin": "3"}},
        {"kind": "binary", "text": None, "data": b"\x00" * 600},
    ],
)
def test_what_smsc_cannot_be_told_is_refused_before_the_wire(changed: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        request(text(**changed), PLAIN)
    assert refused.value.code == "not_expressible"
    assert not refused.value.everywhere
    assert ": " in refused.value.detail  # the field and the reason


def test_our_id_travels_as_it_is() -> None:
    assert request(text(7), PLAIN)[1]["id"] == "att_0000000000007"
    assert re.fullmatch(r"[0-9a-f]{32}", request(text(attempt_id="Ü/7"), PLAIN)[1]["id"])


# --- Sending ----------------------------------------------------------------------------------------------------------


def submitted(octets: bytes | None, *, clock: Clock | None = None, **changes: Any) -> Receipt | SubmitError:
    async def main() -> Receipt | SubmitError:
        async with Peer([balance(), octets]) as peer:
            d = driver(peer, clock or Clock(), **changes)
            async with running(d):
                try:
                    return await d.submit(text())
                except SubmitError as error:
                    return error

    return run(main())


def test_a_good_answer_is_a_receipt_with_cost_and_parts() -> None:
    r = receipt(submitted(reply("<id>gw-1</id><balance>99.10</balance><cost>0.90</cost><cnt>2</cnt>"), currency="RUB"))
    assert (r.reference, r.parts, r.cost, r.currency) == ("gw-1", 2, Decimal("0.90"), "RUB")
    assert "<cost>0.90</cost>" in r.raw


@pytest.mark.parametrize(
    ("code", "kind"),
    [("1", Refused), ("2", NotSent), ("3", NotSent), ("4", NotSent), ("5", Refused), ("6", Refused), ("7", Refused),
     ("8", Refused), ("9", NotSent), ("10", MaybeSent), ("77", MaybeSent)],
)  # fmt: skip
def test_an_error_in_the_answer(code: str, kind: type[SubmitError]) -> None:
    error = submitted(reply(f"<id>gw-1</id><error>{code}</error>"))
    assert isinstance(error, kind)
    assert error.code == f"smsc_{code}"
    if isinstance(error, Refused):
        assert error.everywhere == (code == "7")
    if isinstance(error, NotSent):
        assert error.channel_unusable == (code in "234")
        assert error.retry_after == {"4": 900.0, "9": 61.0}.get(code)


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (reply(""), "unreadable"),
        (reply("<cnt>1</cnt>"), "no_id"),
        (reply("<id>1</id>", "SendResponse"), "unreadable"),
        (answer("<html><body>log in</body></html>"), "unreadable"),
        (None, "no_answer"),
    ],
)
def test_an_answer_without_id_and_error_is_in_doubt(octets: bytes | None, code: str) -> None:
    error = submitted(octets)
    assert isinstance(error, MaybeSent)
    assert error.code == code or (code == "unreadable" and error.code == "no_id")


def test_the_login_travels_and_a_key_replaces_it() -> None:
    async def main() -> None:
        async with Peer([balance(), reply("<id>1</id>"), balance()]) as peer:
            d = driver(peer, Clock(), login="", password="", api_key="key-1")
            async with running(d):
                await d.submit(text())
            names = [fields_of(r) for r in peer.requests]
        assert names[0] == ("balance", {"login": "", "psw": "", "apikey": "key-1"})
        assert names[1][0] == "send2"
        assert (names[1][1]["login"], names[1][1]["psw"]) == ("", "")
        assert "apikey" not in names[1][1]
        assert parse_qs(names[1][1]["query"])["apikey"] == ["key-1"]

    run(main())


def test_a_send_without_parameters_is_send_sms() -> None:
    async def main() -> None:
        async with Peer([balance(), reply("<id>1</id>", "SendResponse")]) as peer:
            d = driver(peer, Clock(), cost=0)
            async with running(d):
                await d.submit(text())
            name, fields = fields_of(peer.requests[1])
        assert name == "send"
        assert fields == {
            "login": "alex", "psw": "123-pw", "phones": "+48600700001", "mes": "text 1", "id": "att_0000000000001",
        }  # fmt: skip

    run(main())


def test_bad_credentials_block_the_channel_with_a_sentence() -> None:
    async def main() -> None:
        async with Peer([balance(error="2")]) as peer:
            d = driver(peer, Clock())
            async with running(d, up=False) as sink:
                change = await sink.first(LinkChange)
            assert (change.state, change.code) == (LinkState.BLOCKED, "smsc_2")
            assert "wrong login" in change.reason
            assert (await d.health()).state is LinkState.BLOCKED

    run(main())


def test_an_account_without_money_rests_until_there_is_some() -> None:
    async def main() -> None:
        now = asyncio.get_running_loop().time
        answers = [balance(), reply("<error>3</error>"), balance("0.00"), balance("50.00"), reply("<id>1</id>")]
        async with Peer(list(answers)) as peer:
            d = SmscDriver("c", options(peer.url), monotonic=now)
            d._link._recheck = 0.01
            async with running(d) as sink:
                error = await caught(d.submit(text(1)))
                assert isinstance(error, NotSent)
                assert error.channel_unusable
                await sink.first(LinkChange, lambda c: c.code == "smsc_3")
                await sink.first(LinkChange, lambda c: c.state is LinkState.UP and len(sink.of(LinkChange)) > 2)
                await d.submit(text(2))
            assert [c.state for c in sink.of(LinkChange)] == [LinkState.UP, LinkState.BLOCKED, LinkState.UP]
            assert len(peer.requests) == 5

    run(main())


# --- Its limits on our side -------------------------------------------------------------------------------------------


def _script(request: Request) -> bytes:
    name, fields = fields_of(request)
    match name:
        case "balance":
            return balance()
        case "status":
            return status("<status>1</status>")
        case "cost2":
            return reply("<cost>1.80</cost><cnt>2</cnt>", "Cost2Response", "costresult")
        case "cost":
            return reply("<cost>0.90</cost><cnt>1</cnt>", "CostResponse", "costresult")
        case _:
            return reply(f"<id>{fields['id']}</id><cost>0.90</cost><cnt>1</cnt>")


def test_an_equal_request_within_a_minute_stays_here() -> None:
    async def main() -> None:
        clock = Clock()
        async with Peer(_script) as peer:
            d = driver(peer, clock)
            async with running(d):
                await d.submit(text(1, to="+48600700001", text="alarm"))
                clock.at += 20
                error = await caught(d.submit(text(2, to="+48600700001", text="alarm")))
                assert isinstance(error, NotSent)
                assert error.code == "smsc_rate"
                assert error.retry_after == pytest.approx(40.5)
                await d.submit(text(3, to="+48600700002", text="alarm"))
                clock.at += 41
                await d.submit(text(2, to="+48600700001", text="alarm"))
            assert len(peer.requests) == 4

    run(main())


def test_a_request_that_never_left_may_be_repeated_at_once() -> None:
    async def main() -> None:
        async with Peer(_script) as peer:
            d = driver(peer, Clock())
            async with running(d):
                peer.port, port = 1, peer.port
                soap_at = d._soap._url
                d._soap._url = "http://127.0.0.1:1/"
                assert isinstance(await caught(d.submit(text())), NotSent)
                d._soap._url = soap_at
                peer.port = port
                d._link._set(LinkState.UP, "up", "")  # the check of some seconds later
                await d.submit(text())

    run(main())


def test_error_9_after_a_doubt_of_ours_is_in_doubt_and_not_a_refusal() -> None:
    async def main() -> None:
        clock = Clock()
        async with Peer([balance(), None, reply("<error>9</error>")]) as peer:
            d = driver(peer, clock)
            async with running(d):
                assert isinstance(await caught(d.submit(text(1, to="+48600700001", text="t"))), MaybeSent)
                clock.at += 61
                error = await caught(d.submit(text(2, to="+48600700001", text="t")))
                assert isinstance(error, MaybeSent)
                assert error.code == "smsc_9"
                assert "probably arrived" in error.detail

    run(main())


def test_not_more_than_fifty_in_a_row_to_one_number() -> None:
    async def main() -> None:
        clock = Clock()
        async with Peer(_script) as peer:
            d = driver(peer, clock)
            async with running(d):
                for n in range(50):
                    await d.submit(text(n, to="+48600700001"))
                    clock.at += 1
                error = await caught(d.submit(text(50, to="+48600700001")))
                assert isinstance(error, NotSent)
                assert error.retry_after == pytest.approx(119)
                await d.submit(text(51, to="+48600700002"))
                clock.at += 120
                await d.submit(text(50, to="+48600700001"))

    run(main())


def test_five_questions_a_minute_about_one_message_and_ten_for_the_balance() -> None:
    async def main() -> None:
        clock = Clock()
        async with Peer(_script) as peer:
            d = driver(peer, clock)
            async with running(d):
                for _ in range(5):
                    await d.status("1", "+48600700001")
                assert (await caught(d.status("1", "+48600700001"))).code == "smsc_rate"
                await d.status("2", "+48600700001")
                for _ in range(9):  # the link's own check was the first
                    await d.balance()
                assert (await caught(d.balance())).code == "smsc_rate"
                for _ in range(5):
                    await d.quote(text())
                assert (await caught(d.quote(text()))).code == "smsc_rate"
                clock.at += 61
                await d.balance()
                await d.status("1", "+48600700001")
                await d.quote(text())

    run(main())


def test_a_blocked_address_is_left_in_peace() -> None:
    async def main() -> None:
        clock = Clock()
        async with Peer([balance(), status("<error>4</error>")]) as peer:
            d = driver(peer, clock)
            async with running(d):
                assert (await caught(d.status("1", "+48600700001"))).code == "smsc_4"
                for call in (d.status("1", "+48600700001"), d.balance(), d.quote(text()), d.submit(text())):
                    assert isinstance(await caught(call), NotSent)
            assert len(peer.requests) == 2

    run(main())


# --- Questions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inner", "fate", "code"),
    [
        ("<status>-3</status>", ReportFate.UNKNOWN, "-3"),
        ("<error>3</error>", ReportFate.UNKNOWN, "-3"),
        ("<status>-2</status>", ReportFate.ACCEPTED, "-2"),
        ("<status>-1</status>", ReportFate.ACCEPTED, "-1"),
        ("<status>0</status><error>0</error>", ReportFate.SENT, "0"),
        ("<status>1</status><err>0</err>", ReportFate.DELIVERED, "1"),
        ("<status>2</status>", ReportFate.DELIVERED, "2"),
        ("<status>4</status>", ReportFate.DELIVERED, "4"),
        ("<status>3</status>", ReportFate.EXPIRED, "3"),
        ("<status>3</status><err>6</err>", ReportFate.EXPIRED, "3:6"),
        ("<status>20</status><err>1</err>", ReportFate.UNDELIVERED, "20:1"),
        ("<status>20</status><err>245</err>", ReportFate.UNKNOWN, "20:245"),
        ("<status>22</status>", ReportFate.REJECTED, "22"),
        ("<status>23</status>", ReportFate.REJECTED, "23"),
        ("<status>24</status>", ReportFate.REJECTED, "24"),
        ("<status>25</status>", ReportFate.UNDELIVERED, "25"),
        ("<status>99</status>", ReportFate.UNKNOWN, "99"),
    ],
)
def test_status(inner: str, fate: ReportFate, code: str) -> None:
    async def main() -> None:
        async with Peer([status(inner)]) as peer:
            report = await driver(peer, Clock()).status("gw-1", "+79999999999")
            assert (report.fate, report.code, report.reference) == (fate, code, "gw-1")
            assert report.pdu

    run(main())


def test_all_the_facts_of_a_status() -> None:
    inner = (
        "<status>1</status><last_date>15.01.2026 09:10:00</last_date><last_timestamp>1768457400</last_timestamp>"
        "<err>0</err><send_date>15.01.2026 09:09:00</send_date><send_timestamp>1768457340</send_timestamp>"
        "<phone>79999999999</phone><cost>0.90</cost><sender_id>ivan</sender_id><status_name>Delivered</status_name>"
        "<message>Hello</message><sms_cnt>1</sms_cnt><operator>Example</operator><region>Moscow</region>"
    )

    async def main() -> None:
        async with Peer([status(inner, "Status2Response")]) as peer:
            d = driver(peer, Clock(), status_query="fmt=3", currency="RUB")
            report = await d.status("att_0000000000001", "+79999999999")
            assert fields_of(peer.requests[0]) == (
                "status2",
                {"login": "alex", "psw": "123-pw", "phone": "+79999999999", "id": "att_0000000000001", "all": "2",
                 "query": "fmt=3"},
            )  # fmt: skip
        assert report.discharged_at == datetime(2026, 1, 15, 6, 10, tzinfo=UTC)
        assert report.submitted_at == datetime(2026, 1, 15, 6, 9, tzinfo=UTC)
        assert (report.cost, report.currency) == (Decimal("0.90"), "RUB")
        assert report.attempt_id == "att_0000000000001"
        assert "Example, Moscow" in report.detail

    run(main())


@pytest.mark.parametrize(
    ("inner", "kind"),
    [("<error>1</error>", Refused), ("<error>2</error>", NotSent), ("<error>4</error>", NotSent),
     ("<error>9</error>", NotSent), ("<error>88</error>", MaybeSent), ("<err>1</err>", MaybeSent)],
)  # fmt: skip
def test_a_question_that_fails_says_nothing_of_the_message(inner: str, kind: type[SubmitError]) -> None:
    async def main() -> None:
        async with Peer([status(inner)]) as peer:
            assert isinstance(await caught(driver(peer, Clock()).status("1", "+1")), kind)

    run(main())


@pytest.mark.parametrize("detail", [0, 1, 2])
def test_the_detail_of_a_question_is_chosen(detail: int) -> None:
    async def main() -> None:
        async with Peer([status("<status>1</status>")]) as peer:
            await driver(peer, Clock(), status_detail=detail).status("1", "+1")
            assert fields_of(peer.requests[0])[1]["all"] == str(detail)

    run(main())


def test_absence_is_proven_only_after_a_minute() -> None:
    async def main() -> None:
        clock = Clock()
        async with Peer([balance(), None, *[status("<error>3</error>")] * 4, status("<status>0</status>")]) as peer:
            d = driver(peer, clock)
            async with running(d):
                assert isinstance(await caught(d.submit(text(1))), MaybeSent)
                assert isinstance(await d.look_up(text(1)), CannotTell)
                clock.at += 61
                assert await d.look_up(text(1)) == Absent()
                # After a restart nothing is known of the send, so the minute begins with the question.
                assert isinstance(await d.look_up(text(2)), CannotTell)
                clock.at += 61
                assert await d.look_up(text(2)) == Absent()
                found = await d.look_up(text(1))
                assert isinstance(found, Found)
                assert found.receipt.reference == "att_0000000000001"

    run(main())


def test_a_question_without_an_answer_proves_nothing() -> None:
    async def main() -> None:
        clock = Clock()
        async with Peer([None, status("<error>2</error>")]) as peer:
            d = driver(peer, clock)
            assert isinstance(await d.look_up(text(1)), CannotTell)
            assert isinstance(await d.look_up(text(1)), CannotTell)

    run(main())


def test_balance_and_what_the_service_does_not_have() -> None:
    async def main() -> None:
        async with Peer([balance("12.34"), balance("x"), balance(error="1")]) as peer:
            d = driver(peer, Clock(), currency="RUB")
            found = await d.balance()
            assert (found.amount, found.currency, found.unit) == (Decimal("12.34"), "RUB", "money")
            assert isinstance(await caught(d.balance()), MaybeSent)
            assert isinstance(await caught(d.balance()), Refused)
            with pytest.raises(NotOffered, match="serwersms"):
                await d.senders()

    run(main())


def test_a_price_comes_from_the_cost_call_that_fits() -> None:
    async def main() -> None:
        async with Peer(_script) as peer:
            d = driver(peer, Clock())
            quote = await d.quote(text(1))
            assert (quote.cost, quote.parts) == (Decimal("0.90"), 1)
            assert fields_of(peer.requests[0]) == (
                "cost", {"login": "alex", "psw": "123-pw", "phones": "+48600700001", "mes": "text 1"},
            )  # fmt: skip
            assert (await d.quote(text(1, message_class=0))).cost == Decimal("1.80")
            assert fields_of(peer.requests[1])[1]["query"] == "flash=1"

    run(main())


def test_a_price_by_a_send_that_sends_nothing() -> None:
    async def main() -> None:
        async with Peer([reply("<cost>0.90</cost><cnt>1</cnt>")]) as peer:
            d = driver(peer, Clock(), quote_by_send=True, login="", password="", api_key="k")
            assert (await d.quote(text(1))).cost == Decimal("0.90")
            name, fields = fields_of(peer.requests[0])
            assert (name, fields["query"]) == ("send2", "apikey=k&cost=1")

    run(main())


def test_hlr_asks_and_waits_for_the_answer() -> None:
    async def main() -> None:
        answers = [
            reply("<id>h</id>"),
            status("<status>0</status>"),
            status("<status>1</status><operator>Example</operator>"),
        ]
        async with Peer([balance(), *answers]) as peer:
            d = driver(peer, Clock(), hlr_waits=(0.0, 0.0, 0.0))
            async with running(d):
                found = await d.subscriber("+48600700001")
            assert found.reachable is True
            assert "Example" in found.facts["detail"]
            assert fields_of(peer.requests[1])[1]["query"] == "cost=3&hlr=1"
            assert len(peer.requests) == 4

    run(main())


# --- Lists ------------------------------------------------------------------------------------------------------------


def listed(peer: Peer, n: int = 0) -> tuple[dict[str, str], str]:
    sends = [fields_of(r)[1] for r in peer.requests if fields_of(r)[0] == "send2"]
    query = parse_qs(sends[n]["query"], keep_blank_values=True)
    return sends[n], query["list"][0]


def test_a_list_carries_texts_of_their_own_under_one_id() -> None:
    async def main() -> None:
        async with Peer(_script) as peer:
            d = driver(peer, Clock(), lists=True)
            async with running(d):
                outcomes = await d.submit_many(
                    [
                        text(1, text="to: one"),
                        text(2, text="line 1\nline 2"),
                        text(3, text="to: one"),
                        text(4, sender="ivan", text="named"),
                        text(5, sender="ivan", text="zoned", options={"tz": "2"}),
                        text(6, sender="Zażółć"),
                        text(7, text="a\\nb"),
                        text(8, kind="ping"),
                    ]
                )
            fields, lines = listed(peer)
        assert fields["phones"] == fields["mes"] == ""
        assert lines == (
            "+48600700001,+48600700003:to: one\n+48600700002:line 1\\nline 2\n"
            "ivan|+48600700004:named\nivan,2|+48600700005:zoned"
        )
        assert [receipt(o).reference for o in outcomes[:5]] == [fields["id"]] * 5
        assert receipt(outcomes[0]).cost is None  # the sum says nothing of one
        assert all(isinstance(o, Refused) for o in outcomes[5:])
        assert len(peer.requests) == 2

    run(main())


def test_a_list_is_cut_into_pieces_and_names_no_number_twice() -> None:
    async def main() -> None:
        async with Peer(_script) as peer:
            d = driver(peer, Clock(), lists=True)
            async with running(d):
                outcomes = await d.submit_many([text(n) for n in range(450)] + [text(999, to=text(3).to, text="again")])
            assert len({receipt(o).reference for o in outcomes}) == 3
            assert len(peer.requests) == 4
            for n in range(3):
                numbers = re.findall(r"\+\d+", listed(peer, n)[1])
                assert len(numbers) == len(set(numbers)) <= 200

    run(main())


def test_a_list_in_many_lines_keeps_its_line_breaks() -> None:
    async def main() -> None:
        async with Peer(_script) as peer:
            d = driver(peer, Clock(), lists=True, list_lines=True)
            async with running(d):
                outcomes = await d.submit_many([text(1, text="a\nb"), text(2, text="a\n+48600: b")])
            fields, lines = listed(peer)
            assert lines == "+48600700001:a\nb"
            assert parse_qs(fields["query"])["nl"] == ["1"]
            assert isinstance(outcomes[1], Refused)

    run(main())


def test_a_list_in_doubt_is_looked_up_under_its_common_id() -> None:
    async def main() -> None:
        async with Peer([balance(), None, status("<status>0</status>")]) as peer:
            d = driver(peer, Clock(), lists=True)
            async with running(d):
                outcomes = await d.submit_many([text(1), text(2)])
                assert all(isinstance(o, MaybeSent) for o in outcomes)
                assert isinstance(await d.look_up(text(2)), Found)
            assert fields_of(peer.requests[2])[1]["id"] == "att_0000000000001"

    run(main())


def test_after_lists_are_switched_off_what_may_have_gone_in_one_is_not_called_absent(tmp_path: Path) -> None:
    """A restart between the list and the question: which texts were in it is forgotten, and that there was one not."""

    async def main() -> None:
        async with Peer([balance(), None]) as peer:
            d = driver(peer, Clock(), state=tmp_path, lists=True)
            async with running(d):
                await d.submit_many([text(1), text(2)])
        async with Peer([]) as peer:
            d = driver(peer, Clock(), state=tmp_path, lists=False)
            assert isinstance(await d.look_up(text(2)), CannotTell)
            assert peer.requests == []
            assert ListsMark(tmp_path / "cloud.lists").recent()
            assert not ListsMark(tmp_path / "cloud.lists", wall=lambda: time.time() + REMEMBERED).recent()
            assert not ListsMark(tmp_path / "other.lists").recent()

    run(main())


# --- Callback ---------------------------------------------------------------------------------------------------------

MD5, SHA1 = "45cb1e2598940afaa6fe5dd7abadd812", "56618461acf61a90a8dfdd7ea640e7da66416cf0"
SIGNED = f"id=1001&phone=79991234567&status=1&err=0&ts=1768457400&cost=0.90&md5={MD5}&sha1={SHA1}"


def call(query: str = "", body: str = "", method: str = "POST") -> Call:
    return Call(method=method, path="/", query=query.encode(), headers={}, body=body.encode(), address="203.0.113.1")


@pytest.mark.parametrize(
    "given", [call(body=SIGNED), call(query=SIGNED, method="GET"), call(body=SIGNED.replace(f"&sha1={SHA1}", ""))]
)
def test_a_signed_report(given: Call) -> None:
    event = read_callback(given, secret="s3cret", sim="cloud")
    assert isinstance(event, StatusReport)
    assert (event.reference, event.recipient, event.fate) == ("1001", "+79991234567", ReportFate.DELIVERED)
    assert event.discharged_at == datetime(2026, 1, 15, 6, 10, tzinfo=UTC)
    assert event.cost == Decimal("0.90")


@pytest.mark.parametrize(
    "body",
    [
        SIGNED.replace("status=1", "status=20"),
        SIGNED.replace("id=1001", "id=1002"),
        SIGNED.replace("79991234567", "79991234568"),
        SIGNED.replace(SHA1, "0" * 40),
        SIGNED.replace(f"&md5={MD5}&sha1={SHA1}", ""),
        SIGNED.replace(f"&md5={MD5}&sha1={SHA1}", "&crc32=1234"),
        SIGNED.replace(MD5, "ü").replace(f"&sha1={SHA1}", ""),
        "id=1001&status=20&" + SIGNED,  # the first of two counts, and it is not what was signed
        "",
        "a=1&" * 100,
        "phone=79991234567",
    ],
)
def test_a_forged_call_is_refused(body: str) -> None:
    with pytest.raises(Forged):
        read_callback(call(body=body), secret="s3cret", sim="cloud")


def test_without_a_secret_a_report_needs_no_signature() -> None:
    event = read_callback(call(body="id=1&phone=123&status=20&err=245"), secret="", sim="cloud")
    assert isinstance(event, StatusReport)
    assert (event.fate, event.code, event.recipient) == (ReportFate.UNKNOWN, "20:245", "123")


def test_an_incoming_text() -> None:
    body = "phone=79991234567&mes=%D0%9F%D1%80%D0%B8%D0%B2%D0%B5%D1%82&to=79990000000&sms_id=1001&time=15.01.2026"
    event = read_callback(call(body=body), secret="s3cret", sim="cloud")
    assert isinstance(event, Incoming)
    assert (event.sender, event.text) == ("+79991234567", "Привет")


def test_the_driver_answers_a_call_with_200(caplog: pytest.LogCaptureFixture) -> None:
    d = SmscDriver("cloud", options(callback_secret="s3cret"), monotonic=Clock())
    answered = d.called(call(body=SIGNED))
    assert (answered.status, answered.body, len(answered.events)) == (200, b"OK", 1)
    assert not caplog.records
    signed = SmscDriver("cloud", options(), monotonic=Clock()).called(call(body="id=1&phone=1&status=20&err=200"))
    assert len(signed.events) == 1
    assert "provider_alarm channel=cloud report=20:200" in caplog.text


# --- The whole, against the fake --------------------------------------------------------------------------------------


def fake_options(sim: ProviderSimulation, **changes: Any) -> Options:
    given: dict[str, Any] = {"login": "alex", "password": "123", "poll_interval": 0.005, **changes}
    return Options(url=f"{sim.url('smsc')}/sys/soap.php", **given)


def test_against_the_fake_from_send_to_report() -> None:
    async def main() -> None:
        async with ProviderSimulation(["smsc"]) as sim:
            sim.service("smsc").set_course(Course(sent_after=0.0, final_after=0.0, word="20", detail="1"))
            d = SmscDriver("cloud", fake_options(sim, poll_after=0.001), monotonic=asyncio.get_running_loop().time)
            async with running(d) as sink:
                r = await d.submit(text(1, text="Zażółć gęślą jaźń " * 5))
                assert (r.parts, r.cost) == (2, Decimal("1.80"))
                report = await sink.first(StatusReport)
            assert (report.attempt_id, report.fate, report.code) == (text(1).attempt_id, ReportFate.UNDELIVERED, "20:1")
            (taken,) = sim.ledger("smsc")
            assert taken.text == text(1, text="Zażółć gęślą jaźń " * 5).text

    run(main())


def test_a_report_of_no_money_stops_the_account_until_there_is_some() -> None:
    async def main() -> None:
        async with ProviderSimulation(["smsc"]) as sim:
            sim.service("smsc").set_course(Course(sent_after=0.0, final_after=0.0, word="24"))
            d = SmscDriver("cloud", fake_options(sim, poll_after=0.01), monotonic=asyncio.get_running_loop().time)
            async with running(d) as sink:
                await d.submit(text(1))
                sim.account("smsc").credit = Decimal(0)
                blocked = await sink.first(LinkChange, lambda c: c.state is LinkState.BLOCKED)
                assert (blocked.code, blocked.reason) == ("24", "a report says: not enough money on the account")
                d._link._recheck, d._link._until = 0.05, 0.0  # its five minutes are over
                d._link._changed.set()
                await sink.first(LinkChange, lambda c: c.code == "smsc_3")  # the balance says so too
                sim.account("smsc").credit = Decimal(5)
                await sink.first(LinkChange, lambda c: c.state is LinkState.UP and c is not sink.of(LinkChange)[0])

    run(main())


def test_fields_that_are_added_or_out_of_order_do_no_harm() -> None:
    async def main() -> None:
        async with ProviderSimulation(["smsc"]) as sim:
            d = SmscDriver("cloud", fake_options(sim, poll=False), monotonic=Clock())
            async with running(d):
                for n, kind in enumerate((FaultKind.REORDERED, FaultKind.ADDED)):
                    sim.set_faults("smsc", Fault(kind=kind))
                    assert (await d.submit(text(n))).cost == Decimal("0.90")
                sim.set_faults("smsc", Fault(kind=FaultKind.CUT))
                assert isinstance(await caught(d.submit(text(9))), MaybeSent)

    run(main())


def test_nothing_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")

    async def main() -> None:
        async with Peer([balance(), reply("<id>1</id>"), reply("<error>2</error>"), answer("123-pw")]) as peer:
            d = driver(peer, Clock(), callback_secret="s3cret-cb")
            async with running(d):
                await d.submit(text(1))
                await caught(d.submit(text(2)))

    run(main())
    shown = "\n".join(f"{r.name} {r.getMessage()}" for r in caplog.records)
    assert "123-pw" not in shown
    assert "+48600700001" not in shown
    assert "provider_link channel=cloud state=blocked code=smsc_2" in shown
