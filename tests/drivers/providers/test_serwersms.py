"""SerwerSMS: requests as NuSOAP would send them, answers in every form, bulk, API v2, pushes, and the fake service."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import msgspec
import pytest

from drivers.contract import (
    Absent,
    Account,
    Call,
    CannotTell,
    Cause,
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
from drivers.providers.rpc import document
from drivers.providers.serwersms import Options, SerwerSmsDriver, create, items, params, read_send
from drivers.providers.xml import parse
from drivers.simulator.providers import Course, ProviderSimulation
from drivers.simulator.providers.serwersms import Knobs
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

WARSAW = ZoneInfo("Europe/Warsaw")
PLAIN = Options(username="demo", password="demo")
XSI = "{http://www.w3.org/2001/XMLSchema-instance}type"
ARRAY = "{http://schemas.xmlsoap.org/soap/encoding/}arrayType"

# The document's own example, with the fields that its copy lost.
SAMPLE: dict[str, Any] = {
    "success": True,
    "queued": 2,
    "unsent": 2,
    "items": [
        {"id": "aca3944055", "phone": "+48500000001", "status": "queued", "queued": "2014-10-20 13:26:50", "parts": 1},
        {"id": "aca3944056", "phone": "+48500000002", "status": "queued", "queued": "2014-10-20 13:26:50", "parts": 2},
        {"id": "x", "phone": "1", "status": "unsent", "queued": "2014-10-20 13:26:50", "error_code": 2001,
         "error_message": "Incorrect number"},
        {"id": "y", "phone": "2", "status": "unsent", "queued": "2014-10-20 13:26:50", "error_code": 2001,
         "error_message": "Incorrect number"},
    ],
}  # fmt: skip


def struct(value: Any, name: str = "return", *, typed: bool = True) -> str:
    if isinstance(value, dict):
        return f"<{name}>" + "".join(struct(v, k, typed=typed) for k, v in value.items()) + f"</{name}>"
    if isinstance(value, list):
        attribute = (
            f' xmlns:e="http://schemas.xmlsoap.org/soap/encoding/" e:arrayType="x[{len(value)}]"' if typed else ""
        )
        return f"<{name}{attribute}>" + "".join(struct(v, "item", typed=typed) for v in value) + f"</{name}>"
    return f"<{name}>{str(value).lower() if isinstance(value, bool) else value}</{name}>"


def mapped(value: Any, name: str = "return") -> str:
    if isinstance(value, dict):
        inner = "".join(f"<item><key>{k}</key>{mapped(v, 'value')}</item>" for k, v in value.items())
        return f"<{name}>{inner}</{name}>"
    if isinstance(value, list):
        return f"<{name}>" + "".join(mapped(v, "item") for v in value) + f"</{name}>"
    return struct(value, name)


def text_form(value: Any) -> str:
    return "<return>" + msgspec.json.encode(value).decode().replace("&", "&amp;").replace("<", "&lt;") + "</return>"


FORMS = {
    "struct": struct,
    "untyped struct": lambda value: struct(value, typed=False),
    "map": mapped,
    "JSON": text_form,
}


def reply(value: Any, form: Any = struct, operation: str = "Messages.sendSms") -> bytes:
    return soap(f'<ns1:{operation}Response xmlns:ns1="urn:serwersms">{form(value)}</ns1:{operation}Response>')


def one(**changes: Any) -> dict[str, Any]:
    item = {"id": "a1", "phone": "+48600700001", "status": "queued", "queued": "2026-01-15 09:10:00", "parts": 1}
    return {"success": True, "queued": 1, "unsent": 0, "items": [{**item, **changes}]}


def v2(value: Any) -> bytes:
    return answer(msgspec.json.encode(value), kind="application/json")


LIMITS = v2({"items": [{"type": "eco", "chars_limit": "160/1", "value": 7}, {"type": "full", "value": 12}]})


def options(peer: Peer, **changes: Any) -> Options:
    given: dict[str, Any] = {"username": "demo", "password": "hunter2", "poll": False, **changes}
    return Options(url=f"{peer.url}/server.php", api_url=peer.url, **given)


def driver(peer: Peer, clock: Clock | None = None, **changes: Any) -> SerwerSmsDriver:
    made = SerwerSmsDriver("cloud", options(peer, **changes), monotonic=clock or Clock())
    peer.at_exit += [made._client.close, made._api.close]
    return made


def sent(request: Request) -> ElementTree.Element:
    return ElementTree.fromstring(request.body)[0][0]


def v2_sent(request: Request) -> tuple[str, dict[str, Any]]:
    return request.path, msgspec.json.decode(request.body, type=dict[str, Any])


def test_it_is_a_driver_and_an_account() -> None:
    made: Driver = create("c", PLAIN, environment(Path(".")))
    account: Account = SerwerSmsDriver("c", PLAIN, monotonic=Clock())
    assert made.evidence.look_up
    assert account is not None
    with pytest.raises(TypeError):
        create("c", {}, environment(Path(".")))


@pytest.mark.parametrize(
    "changed",
    [
        {"username": ""}, {"password": ""}, {"chunk": 49}, {"chunk": 201}, {"url": "http://soap.serwersms.pl/"},
        {"api_url": "http://api2.serwersms.pl"}, {"zone": "Mars/Base"}, {"reply_hours": 0}, {"poll_interval": 0},
    ],
)  # fmt: skip
def test_wrong_options_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Options(**{"username": "u", "password": "p", **changed})


# --- Requests ---------------------------------------------------------------------------------------------------------


def test_a_personalised_call_is_what_nusoap_sends() -> None:
    """The document's example: two numbers with texts of their own, sender "sobek", test, details and a group."""

    async def main() -> None:
        async with Peer([LIMITS, reply(SAMPLE, operation="Messages.sendPersonalized")]) as peer:
            d = driver(peer, sender="sobek", test=True)
            async with running(d):
                await d.submit_many(
                    [
                        text(n, to=f"+4850000000{n}", text=f"test{n + 2}", options={"group_id": "17324179"})
                        for n in (1, 2)
                    ]
                )
            request = peer.requests[1]
        assert request.headers["authorization"] == "Basic ZGVtbzpodW50ZXIy"
        assert request.headers["soapaction"] == '"urn:serwersms#Messages.sendPersonalized"'
        call = sent(request)
        assert call.tag == "{urn:serwersms}Messages.sendPersonalized"
        assert [part.tag for part in call] == ["messages", "sender", "params"]
        messages, sender, given = call
        assert (messages.get(XSI), messages.get(ARRAY)) == ("soapenc:Array", "xsd:anyType[2]")
        assert [(i.tag, i.findtext("phone"), i.findtext("text")) for i in messages] == [
            ("item", "+48500000001", "test3"), ("item", "+48500000002", "test4"),
        ]  # fmt: skip
        assert {leaf.get(XSI) for item in messages for leaf in item} == {"xsd:string"}
        assert (sender.text, sender.get(XSI)) == ("sobek", "xsd:string")
        assert [(p.tag, p.text, p.get(XSI)) for p in given if not len(p)] == [
            ("details", "true", "xsd:boolean"), ("test", "true", "xsd:boolean"), ("group_id", "17324179", "xsd:string"),
        ]  # fmt: skip
        unique = given.find("unique_id")
        assert unique is not None
        assert unique.get(ARRAY) == "xsd:string[2]"
        assert [i.text for i in unique] == ["attZ0000000000001", "attZ0000000000002"]
        # Prefixes inside attribute values are text to a parser, so what they stand for has to be declared.
        for prefix in ("soapenc", "xsd", "xsi"):
            assert f"xmlns:{prefix}=".encode() in request.body

    run(main())


def test_a_single_text_is_send_sms() -> None:
    async def main() -> None:
        async with Peer([LIMITS, reply(one())]) as peer:
            d = driver(peer, sender="sobek")
            async with running(d):
                r = await d.submit(text(1, text="Zażółć <&>", message_class=0))
            call = sent(peer.requests[1])
        assert (r.reference, r.parts) == ("a1", 1)
        assert [part.tag for part in call] == ["phone", "text", "sender", "params"]
        assert (call[0].text, call[1].text, call[2].text) == ("+48600700001", "Zażółć <&>", "sobek")
        assert {p.tag: (p.text or [i.text for i in p]) for p in call[3]} == {
            "details": "true", "flash": "true", "utf": "true", "unique_id": ["attZ0000000000001"],
        }  # fmt: skip

    run(main())


PARAMS: list[tuple[dict[str, Any], dict[str, object]]] = [
    ({}, {"details": True}),
    ({"message_class": 0}, {"details": True, "flash": True}),
    ({"sender": "PLANT", "text": "ł"}, {"details": True, "utf": True}),
    ({"sender": "PLANT", "encoding": Encoding.UCS2}, {"details": True, "utf": True}),
    ({"kind": "voice", "text": "Zażółć"}, {"details": True, "voice": True}),
    ({"kind": "wap_push", "options": {"url": "http://x"}}, {"details": True, "wap_push": "http://x"}),
    ({"send_at": datetime(2026, 7, 15, 13, 23, tzinfo=UTC)}, {"details": True, "date": "2026-07-15 15:23"}),
    ({"send_at": datetime(2026, 1, 15, 14, 23, tzinfo=UTC)}, {"details": True, "date": "2026-01-15 15:23"}),
    ({"options": {"group_id": "17", "contact_id": "9"}}, {"details": True, "group_id": "17", "contact_id": "9"}),
    ({"options": {"speed": "1", "vcard": "0"}}, {"details": True, "speed": True}),
]


@pytest.mark.parametrize(("changed", "expected"), PARAMS)
def test_params(changed: dict[str, Any], expected: dict[str, object]) -> None:
    assert params(text(**changed), PLAIN).fields() == expected


@pytest.mark.parametrize(
    ("changed", "product"),
    [({}, "ECO"), ({"sender": "PLANT"}, "FULL"), ({"sender": "2waySMS"}, "ECO"), ({"kind": "voice"}, "VOICE")],
)
def test_product(changed: dict[str, Any], product: str) -> None:
    assert params(text(**changed), PLAIN).product == product


@pytest.mark.parametrize(
    "changed",
    [
        {"text": "ł"},  # ECO has no Unicode
        {"text": "ł", "sender": "2waySMS"},
        {"text": ""},
        {"kind": "mms"},
        {"kind": "mms", "options": {"url": "https://example.org/a.jpg"}},
        {"kind": "mms", "options": {"file_id": "1 2"}},
        {"kind": "mms", "options": {"file_id": "12"}, "text": "x" * 41},
        {"kind": "mms", "options": {"file_id": "12"}, "text": ""},
        {"kind": "mms", "options": {"file_id": "12"}, "sender": "PLANT"},
        {"kind": "binary", "data": b"x"},
        {"kind": "ping"},
        {"kind": "voice", "sender": "PLANT"},
        {"kind": "wap_push"},
        {"message_class": 2},
        {"udh": b"\x01\x00"},
        {"dcs": 0},
        {"protocol_id": 1},
        {"reply_path": True},
        {"reject_duplicates": True},
        {"validity": 30},
        {"sender": "twelve chars"},
        {"sender": "PL-ANT"},
        {"sender": "Zażółć"},
        {"options": {"group_id": "a b"}},
        {"options": {"speed": "yes"}},
        {"options": {"subject": "x"}},
    ],
)
def test_what_serwersms_cannot_be_told_is_refused_before_the_wire(changed: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        params(text(**changed), PLAIN)
    assert refused.value.code == "not_expressible"
    assert not refused.value.everywhere


# --- Answers ----------------------------------------------------------------------------------------------------------


def payload(content: str) -> Any:
    return parse(f"<r>{content}</r>".encode())


@pytest.mark.parametrize("form", FORMS)
def test_an_answer_is_read_in_every_form(form: str) -> None:
    found = document(payload(FORMS[form](SAMPLE)))
    assert str(found["success"]).lower() == "true"
    listed = items(found)
    assert [i.id for i in listed] == ["aca3944055", "aca3944056", "x", "y"]
    assert [i.status for i in listed] == ["queued", "queued", "unsent", "unsent"]
    assert [i.error_code for i in listed] == ["", "", "2001", "2001"]
    assert [i.parts for i in listed] == ["1", "2", "", ""]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("count", [0, 1, 2])
def test_lists_of_any_length_are_lists_in_every_form(form: str, count: int) -> None:
    found = {"success": True, "items": SAMPLE["items"][:count]}
    assert [i.id for i in items(document(payload(FORMS[form](found))))] == ["aca3944055", "aca3944056"][:count]


@pytest.mark.parametrize("form", FORMS)
def test_the_error_of_a_whole_call_in_every_form(form: str) -> None:
    found = document(payload(FORMS[form]({"error": {"code": 1001, "type": "InvalidUser", "message": "x"}})))
    with pytest.raises(NotSent) as refused:
        read_send(found, [("+48600700001", "u")], raw="")
    assert refused.value.code == "serwersms_1001"
    assert refused.value.channel_unusable


@pytest.mark.parametrize(
    "content", ["<return/>", "<return>hello</return>", "<return>[1]</return>", "", "<return>5</return>"]
)
def test_what_is_no_document_is_unreadable(content: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        document(payload(content))


def outcomes(found: dict[str, Any], *sent_: tuple[str, str]) -> list[Receipt | SubmitError]:
    return read_send(found, sent_, raw="")


def test_items_are_matched_by_id_then_by_order_then_by_number() -> None:
    a, b = ("+48600700001", "ua"), ("+48600700002", "ub")
    one_, two = {"id": "1", "status": "queued"}, {"id": "2", "status": "queued"}
    by_id = {"items": [{**two, "unique_id": "ub"}, {**one_, "unique_id": "ua"}]}
    assert [receipt(o).reference for o in outcomes(by_id, a, b)] == ["1", "2"]
    by_order = {"items": [one_, two]}
    assert [receipt(o).reference for o in outcomes(by_order, a, b)] == ["1", "2"]
    by_number = {"items": [{**two, "phone": "600700002"}, {**one_, "phone": "48600700001"}]}
    assert [receipt(o).reference for o in outcomes(by_number, a, b)] == ["1", "2"]
    missing = outcomes({"items": [{**two, "phone": "600700002"}]}, a, b)
    assert isinstance(missing[0], MaybeSent)
    assert receipt(missing[1]).reference == "2"
    nameless = outcomes({"items": [two]}, a, b)
    assert all(isinstance(o, MaybeSent) for o in nameless)


def test_two_items_to_one_number_are_not_taken_for_one() -> None:
    a, b = ("+48600700001", "ua"), ("+48600700001", "ub")
    found = {"items": [{"id": "1", "status": "queued", "phone": "600700001"}, {"id": "2", "status": "queued"}]}
    assert [receipt(o).reference for o in outcomes(found, a, b)] == ["1", "2"]
    single = outcomes({"items": found["items"][:1]}, a, b)
    assert receipt(single[0]).reference == "1"
    assert isinstance(single[1], MaybeSent)


def submitted(octets: bytes | None, **changes: Any) -> Receipt | SubmitError:
    async def main() -> Receipt | SubmitError:
        async with Peer([LIMITS, octets]) as peer:
            d = driver(peer, **changes)
            async with running(d):
                try:
                    return await d.submit(text())
                except SubmitError as error:
                    return error

    return run(main())


CODES: list[tuple[int, type[SubmitError]]] = [
    *[(c, Refused) for c in (1000, 1004, 1006, 1008, 2000, 2001, 2002, 3000, 3001, 3002, 3003, 3004, 3005, 3006, 3007)],
    *[(c, NotSent) for c in (1001, 1002, 1003, 1005, 1007)],
    (4711, MaybeSent),
]  # fmt: skip


@pytest.mark.parametrize(("code", "kind"), CODES)
def test_an_error_of_the_call_or_of_the_item(code: int, kind: type[SubmitError]) -> None:
    for found in ({"error": {"code": code, "type": "x", "message": "y"}}, one(status="unsent", error_code=code)):
        error = submitted(reply(found))
        assert isinstance(error, kind)
        assert error.code == f"serwersms_{code}"
        if isinstance(error, Refused):
            assert error.everywhere == (code == 2001)
        if isinstance(error, NotSent):
            assert error.channel_unusable


@pytest.mark.parametrize("status", ["queued", "saved", "pending", "in_progress", "sent", "delivered"])
def test_a_status_that_means_taken_is_a_receipt(status: str) -> None:
    assert receipt(submitted(reply(one(status=status)))).reference == "a1"


@pytest.mark.parametrize(
    ("changed", "kind", "code"),
    [
        ({"status": "unsent", "reason": "wrong_number"}, Refused, "serwersms_wrong_number"),
        ({"status": "unsent", "reason": "lock_send"}, NotSent, "serwersms_lock_send"),
        ({"status": "unsent"}, Refused, "serwersms_unsent"),
        ({"status": "undelivered", "reason": "missed_call"}, NotSent, "serwersms_missed_call"),
        ({"status": "whatever"}, MaybeSent, "no_id"),
        ({"status": ""}, MaybeSent, "no_id"),  # `queued` is a date and proves nothing
        ({"id": ""}, MaybeSent, "no_id"),
    ],
)
def test_what_an_item_says(changed: dict[str, Any], kind: type[SubmitError], code: str) -> None:
    error = submitted(reply(one(**changed)))
    assert isinstance(error, kind)
    assert error.code == code


@pytest.mark.parametrize(
    "octets",
    [
        None,
        reply({"success": True}),
        reply({"success": True, "items": []}),
        answer("<html><body>log in</body></html>"),
        answer('{"success": true}', kind="application/json"),
        answer("", status=202),
        answer("oops", status=502),
    ],
)
def test_an_answer_that_says_nothing_of_the_message_is_in_doubt(octets: bytes | None) -> None:
    assert isinstance(submitted(octets), MaybeSent)


def test_a_wrong_password_over_soap_is_http_401() -> None:
    error = submitted(answer("Authorization Required", status=401))
    assert isinstance(error, NotSent)
    assert (error.code, error.channel_unusable) == ("http_401", True)


def test_a_limit_that_is_used_up_rests_that_kind_of_message_only() -> None:
    async def main() -> None:
        clock = Clock()
        used_up = reply({"error": {"code": 3002, "type": "SendError", "message": "x"}})
        async with Peer([LIMITS, used_up, reply(one(phone="")), reply(one(phone=""))]) as peer:
            d = driver(peer, clock)
            async with running(d):
                assert isinstance(await caught(d.submit(text(1, sender="PLANT"))), Refused)
                error = await caught(d.submit(text(2, sender="PLANT")))
                assert isinstance(error, Refused)
                assert error.code == "serwersms_limit"
                assert len(peer.requests) == 2
                await d.submit(text(3))  # ECO goes on
                clock.at += 901
                await d.submit(text(4, sender="PLANT"))

    run(main())


# --- Bulk -------------------------------------------------------------------------------------------------------------


def _bulk(request: Request) -> bytes:
    if request.path != "/server.php":
        return LIMITS
    call = sent(request)
    listed = [
        {"id": f"m{n}", "phone": i.findtext("phone"), "status": "queued", "text": i.findtext("text")}
        for n, i in enumerate(call[0])
    ]
    for item in listed:
        if len(item["phone"] or "") < 9:
            item |= {"status": "unsent", "error_code": "2001", "error_message": "Incorrect number"}
    return reply({"success": True, "items": listed}, operation="Messages.sendPersonalized")


def test_one_bad_number_among_many_is_named_and_the_others_go() -> None:
    async def main() -> None:
        async with Peer(_bulk) as peer:
            d = driver(peer, chunk=200)
            many = [text(n, to="+1" if n == 777 else f"+48600{n:06}", text=f"own {n}") for n in range(1000)]
            async with running(d):
                results = await d.submit_many([*many, text(1000, text="ł"), text(1001, message_class=0)])
            sizes = [len(sent(r)[0]) for r in peer.requests[1:]]
        assert sizes == [200] * 5 + [1]
        bad = results[777]
        assert isinstance(bad, Refused)
        assert bad.code == "serwersms_2001"
        assert bad.everywhere
        assert isinstance(results[1000], Refused)  # never left us
        assert all(isinstance(r, Receipt) for n, r in enumerate(results) if n not in (777, 1000))

    run(main())


def test_a_request_of_a_bulk_that_fails_leaves_the_others_alone() -> None:
    async def main() -> None:
        turn = 0

        def script(request: Request) -> bytes | None:
            nonlocal turn
            turn += 1
            return None if turn == 3 else _bulk(request)

        async with Peer(script) as peer:
            d = driver(peer, chunk=50)
            async with running(d):
                results = await d.submit_many([text(n, text=f"own {n}") for n in range(150)])
        assert [type(r) for r in results] == [Receipt] * 50 + [MaybeSent] * 50 + [Receipt] * 50

    run(main())


def test_after_a_refusal_of_the_account_the_rest_of_a_bulk_stays_here() -> None:
    async def main() -> None:
        blocked = reply({"error": {"code": 1007, "type": "x", "message": "y"}})
        async with Peer([LIMITS, blocked]) as peer:
            d = driver(peer, chunk=50)
            async with running(d):
                results = await d.submit_many([text(n, text=f"own {n}") for n in range(150)])
            assert len(peer.requests) == 2
        assert all(isinstance(r, NotSent) for r in results)

    run(main())


def test_a_bulk_is_bounded() -> None:
    async def main() -> None:
        async with Peer() as peer:
            with pytest.raises(ValueError, match="10000"):
                await driver(peer).submit_many([text()] * 10_001)

    run(main())


# --- API v2 -----------------------------------------------------------------------------------------------------------


REPORT = {
    "id": "a1", "phone": "+48600700001", "status": "undelivered", "queued": "2026-07-15 09:10:00",
    "sent": "2026-07-15 09:10:01", "delivered": None, "parts": 2, "cost": "0,14", "reason": "wrong_number",
}  # fmt: skip


def test_status_by_id() -> None:
    async def main() -> None:
        async with Peer([v2({"paging": {"page": 1, "count": 1}, "items": [REPORT]}), v2({"items": []})]) as peer:
            d = driver(peer)
            report = await d.status("a1", "+48600700001")
            assert v2_sent(peer.requests[0]) == (
                "/messages/reports.json", {"username": "demo", "password": "hunter2", "id": ["a1"]},
            )  # fmt: skip
            assert (report.fate, report.code) == (ReportFate.UNDELIVERED, "undelivered:wrong_number")
            assert (report.cost, report.currency) == (Decimal("0.14"), "PLN")
            assert report.submitted_at == datetime(2026, 7, 15, 9, 10, 1, tzinfo=WARSAW)
            assert (await d.status("zz", "+1")).fate is ReportFate.UNKNOWN

    run(main())


def test_a_token_replaces_the_password() -> None:
    async def main() -> None:
        async with Peer([LIMITS]) as peer:
            await driver(peer, api_token="tok").balance()
            assert peer.requests[0].headers["authorization"] == "Bearer tok"
            assert v2_sent(peer.requests[0]) == ("/account/limits.json", {})

    run(main())


def test_balance_counts_messages_of_the_chosen_kind() -> None:
    async def main() -> None:
        async with Peer([LIMITS, LIMITS, v2({"items": []})]) as peer:
            full = await driver(peer).balance()
            assert (full.amount, full.unit) == (Decimal(12), "messages")
            assert (await driver(peer, balance_type="eco").balance()).amount == 7
            assert isinstance(await caught(driver(peer).balance()), MaybeSent)

    run(main())


def test_sender_names_and_subscribers() -> None:
    async def main() -> None:
        names = v2(
            {"items": [{"name": "PLANT", "status": "authorized"}, {"name": "Nowa", "status": "pending_authorization"}]}
        )
        checked = v2({"phone": "+48600700001", "status": "ok", "network": "Example", "ported": False})
        async with Peer([names, checked]) as peer:
            d = driver(peer)
            assert [(s.name, s.state) for s in await d.senders()] == [
                ("PLANT", "authorized"), ("Nowa", "pending_authorization"),
            ]  # fmt: skip
            found = await d.subscriber("+48600700001")
            assert found.reachable is True
            assert found.facts["network"] == "Example"
            with pytest.raises(NotOffered):
                await d.quote(text())

    run(main())


def test_an_mms_goes_by_api_v2_with_the_number_of_its_file() -> None:
    mms = {"kind": "mms", "text": "Pump three", "options": {"file_id": "17324179"}}

    async def main() -> None:
        taken = {"success": True, "items": [{"id": "a1", "phone": "+48600700001", "status": "queued"}]}
        async with Peer([LIMITS, v2(taken), v2({"error": {"code": 3004}})]) as peer:
            d = driver(peer)
            async with running(d):
                assert (await d.submit(text(1, **mms))).reference == "a1"
                outcomes = await d.submit_many([text(2, **mms)])
                assert getattr(outcomes[0], "code", "") == "serwersms_3004"
                assert getattr(await caught(d.submit(text(3, **mms))), "code", "") == "serwersms_limit"
            path, order = v2_sent(peer.requests[1])
            assert path == "/messages/send_mms.json"
            assert {n: order[n] for n in ("phone", "title", "file_id", "details")} == {
                "phone": ["+48600700001"], "title": "Pump three", "file_id": "17324179", "details": True,
            }  # fmt: skip
            assert len(order["unique_id"]) == 1
            assert len(peer.requests) == 3

    run(main())


def test_cancelling_a_scheduled_message() -> None:
    async def main() -> None:
        async with Peer([v2({"success": True}), v2({"error": {"code": 1004}})]) as peer:
            d = driver(peer)
            assert await d.cancel("a1", "+48600700001")
            assert not await d.cancel("a1", "+48600700001")  # it is not there, or not scheduled: too late
            assert v2_sent(peer.requests[0])[0] == "/messages/delete.json"

    run(main())


@pytest.mark.parametrize(
    ("octets", "kind"),
    [
        (v2({"error": {"code": 1001}}), NotSent),
        (v2({"error": {"code": 1006}}), Refused),
        (answer("<html/>"), MaybeSent),
        (answer("[1]"), MaybeSent),
        (answer(b'{"a": "\xff"}'), MaybeSent),
        (answer("", status=403), NotSent),
        (answer("", status=404), Refused),
        (answer("", status=500), MaybeSent),
        (None, MaybeSent),
    ],
)
def test_questions_that_fail(octets: bytes | None, kind: type[SubmitError]) -> None:
    async def main() -> None:
        async with Peer([octets]) as peer:
            error = await caught(driver(peer).balance())
            assert isinstance(error, kind)
            assert "hunter2" not in error.raw

    run(main())


def test_without_api_v2_nothing_can_be_asked() -> None:
    async def main() -> None:
        async with Peer([reply(one())]) as peer:
            d = driver(peer, api_v2=False)
            assert (d.evidence.look_up, d.evidence.report) == (False, False)
            async with running(d):
                await d.submit(text(1))
            for call in (d.balance(), d.senders(), d.status("1", "+1"), d.subscriber("+1")):
                with pytest.raises(NotOffered, match="api_v2"):
                    await call
            assert isinstance(await d.look_up(text(1)), CannotTell)
            assert len(peer.requests) == 1

    run(main())


def test_absence_is_proven_only_after_a_while() -> None:
    async def main() -> None:
        clock = Clock()
        none, mine = v2({"items": []}), v2({"items": [REPORT]})
        odd = [v2({}), v2({"items": [REPORT, REPORT]}), v2({"items": [{**REPORT, "phone": "+48999999999"}]}), None]
        async with Peer([LIMITS, None, none, none, none, mine, *odd]) as peer:
            d = driver(peer, clock)
            async with running(d):
                assert isinstance(await caught(d.submit(text(1))), MaybeSent)
                assert isinstance(await d.look_up(text(1)), CannotTell)
                clock.at += 61
                assert await d.look_up(text(1)) == Absent()
                assert isinstance(await d.look_up(text(2)), CannotTell)  # a send before a restart
                found = await d.look_up(text(1))
                assert isinstance(found, Found)
                assert found.receipt.reference == "a1"
                for _ in odd:
                    assert isinstance(await d.look_up(text(1)), CannotTell)
            assert v2_sent(peer.requests[2])[1]["unique_id"] == ["attZ0000000000001"]

    run(main())


def test_bad_credentials_block_the_channel_with_a_sentence() -> None:
    async def main() -> None:
        async with Peer([v2({"error": {"code": 1001, "type": "InvalidUser", "message": "x"}})]) as peer:
            d = driver(peer)
            async with running(d, up=False) as sink:
                change = await sink.first(LinkChange)
            assert (change.state, change.code) == (LinkState.BLOCKED, "serwersms_1001")
            assert "wrong user or password" in change.reason
            error = await caught(d.submit(text()))
            assert isinstance(error, NotSent)
            assert error.cause is Cause.LINK

    run(main())


# --- Pushes -----------------------------------------------------------------------------------------------------------


def call(body: str = "", query: str = "") -> Call:
    return Call(method="GET", path="/", query=query.encode(), headers={}, body=body.encode(), address="203.0.113.1")


def test_a_pushed_report_is_a_hint_to_ask() -> None:
    d = SerwerSmsDriver("cloud", PLAIN, monotonic=Clock())
    d._open.add("a1", "+48600700001", "att_1")
    assert d._open.due(9) == []
    answered = d.called(call(query="smsid=a1&stan=3&data=2026-01-15+09%3A10%3A00"))
    assert (answered.status, answered.body, answered.events) == (200, b"OK", ())
    assert [m.reference for m in d._open.due(9)] == ["a1"]
    assert d.called(call(query="smsid=unknown&stan=3")).events == ()


def test_a_pushed_reply_is_an_event() -> None:
    d = SerwerSmsDriver("cloud", PLAIN, monotonic=Clock())
    body = "numer=48600700001&wiadomosc=Za%C5%BC%C3%B3%C5%82%C4%87&data=2026-07-15+09%3A10%3A00"
    (event,) = d.called(call(body)).events
    assert isinstance(event, Incoming)
    assert (event.sender, event.text) == ("+48600700001", "Zażółć")
    assert event.sent_at == datetime(2026, 7, 15, 9, 10, tzinfo=WARSAW)


@pytest.mark.parametrize("body", ["", "a=1", "smsid=1", "numer=1", "stan=1", "a=1&" * 100])
def test_a_push_of_no_form_we_know_is_refused(body: str) -> None:
    with pytest.raises(Forged):
        SerwerSmsDriver("cloud", PLAIN, monotonic=Clock()).called(call(body))


# --- The whole, against the fake --------------------------------------------------------------------------------------


def fake_options(sim: ProviderSimulation, **changes: Any) -> Options:
    url = sim.url("serwersms")
    given: dict[str, Any] = {"sender": "PLANT", "poll_interval": 0.005, "reply_interval": 0.005, **changes}
    return Options(username="demo", password="demo", url=f"{url}/server.php", api_url=url, **given)


@pytest.mark.parametrize("form", ["struct", "map", "json"])
@pytest.mark.parametrize("typed", [False, True])
def test_against_the_fake_from_send_to_report(form: str, typed: bool) -> None:
    async def main() -> None:
        async with ProviderSimulation(["serwersms"]) as sim:
            sim.serwersms.knobs = Knobs(answer_form=form, typed=typed, page_size=2)
            sim.serwersms.set_course(
                Course(sent_after=0.0, final_after=0.0, word="undelivered", detail="operator_error")
            )
            d = SerwerSmsDriver("cloud", fake_options(sim), monotonic=asyncio.get_running_loop().time)
            d._open._waits = (0.0, 0.01)
            async with running(d) as sink:
                await d.submit(text(1, text="Zażółć"))
                many = [text(n, text=f"own {n}") for n in range(2, 7)]
                results = await d.submit_many(many)
                assert all(isinstance(r, Receipt) for r in results)
                for s in (text(1), *many):
                    report = await sink.first(StatusReport, lambda r, s=s: r.attempt_id == s.attempt_id)  # type: ignore[misc]
                    assert (report.fate, report.code) == (ReportFate.UNDELIVERED, "undelivered:operator_error")
                assert isinstance(await d.look_up(text(3)), Found)
                sim.serwersms.reply("+48600700001", "Dziękuję")
                answered = await sink.first(Incoming)
                assert (answered.sender, answered.text) == ("+48600700001", "Dziękuję")
            taken = list(sim.ledger("serwersms"))
            assert [t.text for t in taken] == ["Zażółć", *[s.text for s in many]]
            assert all(len(v) == 1 for v in sim.ledger("serwersms").by_client_id().values())
            assert len(sink.of(Incoming)) == 1  # read again and again, passed on once

    run(main())


def test_a_dry_run_sends_nothing() -> None:
    async def main() -> None:
        async with ProviderSimulation(["serwersms"]) as sim:
            d = SerwerSmsDriver("cloud", fake_options(sim, test=True, poll=False), monotonic=Clock())
            async with running(d):
                assert (await d.submit(text(1))).reference
            assert not list(sim.ledger("serwersms"))

    run(main())


def test_nothing_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")

    async def main() -> None:
        async with Peer([LIMITS, reply(one()), answer("hunter2 aHVudGVyMg==", status=401)]) as peer:
            d = driver(peer)
            async with running(d):
                await d.submit(text(1))
                error = await caught(d.submit(text(2)))
            assert "hunter2" not in error.raw + error.detail

    run(main())
    shown = "\n".join(r.getMessage() for r in caplog.records)
    assert "hunter2" not in shown
    assert "48600700001" not in shown
