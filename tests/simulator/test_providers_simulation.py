"""The providers as a whole: on ports, with callbacks, under control from outside, as a process."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from drivers.simulator.clock import SteppedClock
from drivers.simulator.providers import (
    NAMES,
    Course,
    Fault,
    FaultKind,
    Ledger,
    ProviderSimulation,
    serve_providers,
)

KEY = "K" * 40
SEND = f"/service/message/sendSmsMessage?output=json&api=v1&apiKey={KEY}"
FORM = {"recipient": "4915100000001", "text": "Pump 3 stopped", "params[name]": "gw-1"}


def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=60, trust_env=False)


def test_all_five_stand_on_ports_of_their_own() -> None:
    async def story() -> None:
        async with ProviderSimulation() as sim, client() as http:
            assert len({sim.url(name) for name in NAMES}) == 5
            answers = {name: await http.get(sim.url(name) + "/no/such/thing") for name in NAMES}
        # What each makes of an address it does not have.
        assert {name: answer.status_code for name, answer in answers.items()} == {
            "serwersms": 200, "freshmail": 401, "clickatell": 404, "mobizon": 404, "smsc": 404,
        }  # fmt: skip

    asyncio.run(story())


def test_an_unknown_name_is_named() -> None:
    with pytest.raises(ValueError, match="twilio"):
        ProviderSimulation(["smsc", "twilio"])


def test_a_ledger_on_disk_is_there_before_the_answer(tmp_path: Path) -> None:
    async def story() -> None:
        async with ProviderSimulation(["mobizon"], ledger=tmp_path) as sim, client() as http:
            sim.set_faults("mobizon", Fault(kind=FaultKind.RESET, accepted=True))
            with pytest.raises(httpx.HTTPError):
                await http.post(sim.url("mobizon") + SEND, data=FORM)
            assert [entry.client_id for entry in Ledger.read(tmp_path / "mobizon.jsonl")] == ["gw-1"]
            await http.post(sim.url("mobizon") + SEND, data=FORM)
            assert [len(entries) for entries in sim.ledger("mobizon").by_client_id().values()] == [2]
        with (tmp_path / "mobizon.jsonl").open("ab") as file:
            file.write(b'{"order":3,')  # a kill in the middle of a line
        assert len(Ledger.read(tmp_path / "mobizon.jsonl")) == 2

    asyncio.run(story())


def test_submits_and_requests_are_told_once_each() -> None:
    async def story() -> None:
        async with ProviderSimulation(["mobizon"]) as sim, client() as http:
            waiting = asyncio.create_task(sim.next_submit("mobizon"))
            for n in range(2):
                await http.post(sim.url("mobizon") + SEND, data=FORM | {"params[name]": f"gw-{n}"})
            assert (await waiting).client_id == "gw-0"
            assert (await sim.next_submit("mobizon")).client_id == "gw-1"
            assert [seen.operation for seen in sim.requests("mobizon")] == ["submit", "submit"]
            assert (await sim.next_request("mobizon")).request.path == "/service/message/sendSmsMessage"

    asyncio.run(story())


# --- callbacks ---


class Receiver:
    """Takes calls and answers with what it is told, the last for ever."""

    def __init__(self, *answers: tuple[int, bytes]) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, dict[str, str], bytes]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.split("\r\n")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.calls.append((lines[0], headers, body))
        status, text = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(text), text))
        await writer.drain()
        writer.close()


@asynccontextmanager
async def receiving(*answers: tuple[int, bytes]) -> AsyncIterator[tuple[Receiver, str]]:
    receiver = Receiver(*answers)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    try:
        yield receiver, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    finally:
        server.close()


def test_mobizon_repeats_a_webhook_a_minute_later_each_time_with_a_new_sign() -> None:
    async def story() -> None:
        clock = SteppedClock()
        async with (
            ProviderSimulation(["mobizon"], clock=clock) as sim,
            client() as http,
            receiving((500, b""), (503, b""), (204, b"")) as (receiver, url),
        ):
            sim.account("mobizon").callback = url
            await http.post(sim.url("mobizon") + SEND, data=FORM)
            clock.advance(2)
            attempts = [await sim.next_callback("mobizon")]
            for seconds in (60, 120):
                clock.advance(seconds - 1)
                assert len(receiver.calls) == len(attempts)
                clock.advance(1)
                attempts.append(await sim.next_callback("mobizon"))
            clock.advance(10_000)
            bodies = [json.loads(attempt.body) for attempt in attempts]
        assert [attempt.accepted for attempt in attempts] == [False, False, True]
        assert [body["attempt"] for body in bodies] == [1, 2, 3]
        assert len({body["eventId"] for body in bodies}) == 1
        assert len({body["sign"] for body in bodies}) == 3
        assert bodies[0]["data"] == {
            "campaignId": "7000001", "messageId": "9000001", "segNum": 1, "statusUpdateTs": "2026-03-14 09:50:17",
            "status": "DELIVRD", "to": "4915100000001",
        }  # fmt: skip

    asyncio.run(story())


def soap(name: str, space: str, fields: dict[str, str]) -> bytes:
    inner = "".join(f"<{k}>{v}</{k}>" for k, v in fields.items())
    envelope = "http://schemas.xmlsoap.org/soap/envelope/"
    call = f'<n:{name} xmlns:n="{space}">{inner}</n:{name}>'
    return f'<e:Envelope xmlns:e="{envelope}"><e:Body>{call}</e:Body></e:Envelope>'.encode()


async def smsc_send(http: httpx.AsyncClient, url: str, **more: str) -> None:
    fields = {"login": "alex", "psw": "123", "phones": "79991234567", "mes": "Hi", "id": "1001"} | more
    await http.post(url + "/sys/soap.php", content=soap("send", "https://smscentre.com/sys/soap.php", fields))


async def clickatell_send(http: httpx.AsyncClient, url: str, **more: str) -> None:
    login = {"api_id": "123456", "user": "MyUserName", "password": "MyPassword"}
    fields = login | {"text": "Hi", "to": "2799900001"} | more
    await http.post(url + "/soap/document_literal/webservice", content=soap("sendmsg", "urn:any", fields))


async def serwersms_send(http: httpx.AsyncClient, url: str) -> None:
    fields = {"username": "demo", "password": "demo", "phone": "500000001", "text": "Hi"}
    await http.post(url + "/messages/send_sms.json", json=fields)


def called(
    name: str, send: Callable[[httpx.AsyncClient, str], Awaitable[None]], prepare: Callable[[ProviderSimulation], None]
) -> list[dict[str, str]]:
    """Fields of what a provider calls us with for one message that arrives and one answer to it."""

    async def story() -> list[dict[str, str]]:
        clock = SteppedClock()
        async with (
            ProviderSimulation([name], clock=clock) as sim,
            client() as http,
            receiving((200, b"OK")) as (receiver, url),
        ):
            sim.account(name).callback = url
            prepare(sim)
            await send(http, sim.url(name))
            clock.advance(3)
            await sim.next_callback(name)
            number = sim.ledger(name)[0].number
            sim.reply(name, number, "Yes & no")
            assert (await sim.next_callback(name)).accepted
            lines = [head for head, _, _ in receiver.calls]
            bodies = [body for _, _, body in receiver.calls]
        queries = [line.split(" ")[1].partition("?")[2] for line in lines]
        return [dict(httpx.QueryParams(query or body.decode())) for query, body in zip(queries, bodies, strict=True)]

    return asyncio.run(story())


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_smsc_signs_its_reports_as_documented(method: str) -> None:
    def prepare(sim: ProviderSimulation) -> None:
        sim.smsc.knobs = type(sim.smsc.knobs)(callback_method=method)

    report, reply = called("smsc", smsc_send, prepare)
    assert (report["md5"], report["sha1"]) == (
        "45cb1e2598940afaa6fe5dd7abadd812",
        "56618461acf61a90a8dfdd7ea640e7da66416cf0",
    )
    assert (report["id"], report["phone"], report["status"], report["err"]) == ("1001", "79991234567", "1", "0")
    assert (reply["phone"], reply["mes"], reply["sms_id"]) == ("79991234567", "Yes & no", "1001")


@pytest.mark.parametrize(
    ("wanted", "words"), [("0", []), ("1", ["003"]), ("2", ["004"]), ("3", ["003", "004"]), ("4", [])]
)
def test_clickatell_reports_what_was_asked_for(wanted: str, words: list[str]) -> None:
    async def story() -> None:
        clock = SteppedClock()
        async with (
            ProviderSimulation(["clickatell"], clock=clock) as sim,
            client() as http,
            receiving((200, b"OK")) as (receiver, url),
        ):
            account = sim.account("clickatell")
            account.callback, account.callback_login, account.callback_password = url, "us", "secret"
            await clickatell_send(http, sim.url("clickatell"), msg_callback=wanted, climsgid="gw1")
            for seconds in (1, 3):
                clock.advance(seconds)
                await sim.clickatell.callbacks.idle()
            found = [dict(httpx.QueryParams(body.decode())) for _, _, body in receiver.calls]
            assert [fields["status"] for fields in found] == words
            assert all(fields["cliMsgId"] == "gw1" for fields in found)
            assert all(headers["authorization"].startswith("Basic ") for _, headers, _ in receiver.calls)

    asyncio.run(story())


def test_clickatells_replies_have_a_time_two_hours_east() -> None:
    async def send(http: httpx.AsyncClient, url: str) -> None:
        await clickatell_send(http, url, msg_callback="2")

    _, reply = called("clickatell", send, lambda sim: None)
    assert (reply["from"], reply["text"], reply["timestamp"]) == ("2799900001", "Yes & no", "2026-03-14 10:50:18")


def test_serwersms_pushes_hints_and_replies() -> None:
    report, reply = called("serwersms", serwersms_send, lambda sim: None)
    assert report.keys() == {"smsid", "stan", "data"}
    assert (reply["numer"], reply["wiadomosc"]) == ("+48500000001", "Yes & no")


def test_serwersms_wants_the_word_ok() -> None:
    async def story() -> None:
        clock = SteppedClock()
        async with (
            ProviderSimulation(["serwersms"], clock=clock) as sim,
            client() as http,
            receiving((200, b"fine"), (200, b"OK")) as (_, url),
        ):
            sim.account("serwersms").callback = url
            await serwersms_send(http, sim.url("serwersms"))
            clock.advance(3)
            first = await sim.next_callback("serwersms")
            clock.advance(60)
            second = await sim.next_callback("serwersms")
        assert (first.accepted, second.accepted) == (False, True)

    asyncio.run(story())


# --- control from outside ---


def test_another_process_can_play_the_provider() -> None:
    async def story() -> None:
        async with ProviderSimulation(["mobizon"]) as sim, client() as http:
            base = sim.url("mobizon")
            await http.put(base + "/-/faults", json=[{"kind": "status", "status": 503, "accepted": True}])
            assert (await http.post(base + SEND, data=FORM)).status_code == 503
            ledger = (await http.get(base + "/-/ledger")).json()
            assert [entry["client_id"] for entry in ledger] == ["gw-1"]
            course = {"course": {"final_after": 0, "word": "UNDELIV"}, "number": "+4915100000001"}
            await http.put(base + "/-/course", json=course)
            id = (await http.post(base + SEND, data=FORM)).json()["data"]["messageId"]
            states = await http.post(base + SEND.replace("sendSmsMessage", "getSMSStatus"), data={"ids": id})
            assert states.json()["data"][0]["status"] == "UNDELIV"
            assert (await http.patch(base + "/-/account", json={"credit": "1.5"})).json()["credit"] == "1.5"
            assert (await http.patch(base + "/-/knobs", json={"moderated": True})).json()["moderated"] is True
            assert (await http.post(base + SEND, data=FORM)).json()["data"]["status"] == 1
            reply = {"number": "+4915100000001", "text": "Yes"}
            assert (await http.post(base + "/-/reply", json=reply)).json()["text"] == "Yes"
            assert (await http.get(base + "/-/requests")).json() == {"submit": 3, "status": 1}
            assert (await http.get(base + "/-/account")).json()["currency"] == "EUR"

    asyncio.run(story())


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "nothing", None, 404),
        ("PUT", "faults", [{"kind": "earthquake"}], 400),
        ("PUT", "faults", [{"kind": "reset", "colour": "red"}], 400),
        ("PATCH", "account", {"colour": "red"}, 400),
        ("PATCH", "account", {"credit": "much"}, 400),
        ("PATCH", "knobs", {"colour": "red"}, 400),
        ("POST", "reply", {"text": "x"}, 400),
    ],
)
def test_control_says_what_it_did_not_understand(method: str, path: str, body: Any, status: int) -> None:
    async def story() -> None:
        async with ProviderSimulation(["mobizon"]) as sim, client() as http:
            answer = await http.request(method, f"{sim.url('mobizon')}/-/{path}", json=body)
            assert answer.status_code == status
            assert answer.json()["error"]

    asyncio.run(story())


# --- as a process ---


@pytest.mark.parametrize("as_json", [False, True])
def test_serving_says_where_and_with_which_account(tmp_path: Path, as_json: bool) -> None:
    async def story() -> list[str]:
        said: list[str] = []
        ready, stopped = asyncio.Event(), asyncio.Event()

        def say(line: str) -> None:
            said.append(line)
            ready.set()

        serving = asyncio.create_task(
            serve_providers(
                ["freshmail", "smsc"],
                ledger=tmp_path / "ledgers",
                faults={"smsc": [Fault(kind=FaultKind.STATUS, status=418, on="any", times=0)]},
                callbacks={"smsc": "http://127.0.0.1:1/hook"},
                as_json=as_json,
                say=say,
                stopped=stopped,
            )
        )
        await ready.wait()
        await asyncio.sleep(0)
        if as_json:
            told = json.loads(said[0])["providers"]
            assert told["freshmail"]["key"] == "0123456789abcdef0123456789abcdef"
            async with client() as http:
                assert (await http.get(told["smsc"]["url"] + "/sys/soap.php")).status_code == 418
                account = (await http.get(told["smsc"]["url"] + "/-/account")).json()
                assert account["callback"] == "http://127.0.0.1:1/hook"
        stopped.set()
        await serving
        return said

    said = asyncio.run(story())
    assert {path.name for path in (tmp_path / "ledgers").iterdir()} == {"freshmail.jsonl", "smsc.jsonl"}
    if not as_json:
        assert said[0].split() == ["PROVIDER", "ADDRESS", "ACCOUNT"]
        assert said[1].startswith("freshmail")
        assert said[-1] == "Ready. Ctrl-C ends it."


def test_a_signal_ends_it() -> None:
    program = (
        "import asyncio; from drivers.simulator.providers import serve_providers;"
        "asyncio.run(serve_providers(['smsc'], as_json=True))"
    )

    async def story() -> None:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        told = json.loads(await process.stdout.readline())
        async with client() as http:
            assert (await http.get(told["providers"]["smsc"]["url"] + "/-/ledger")).json() == []
        process.terminate()
        assert await process.wait() == 0

    asyncio.run(story())


def test_a_course_for_one_number_leaves_the_others() -> None:
    async def story() -> None:
        clock = SteppedClock()
        async with ProviderSimulation(["mobizon"], clock=clock) as sim, client() as http:
            sim.set_course("mobizon", Course(word="EXPIRED"), number="+4915100000001")
            for number in ("4915100000001", "4915100000002"):
                await http.post(sim.url("mobizon") + SEND, data=FORM | {"recipient": number})
            clock.advance(3)
            states = await http.post(
                sim.url("mobizon") + SEND.replace("sendSmsMessage", "getSMSStatus"), data={"ids": "9000001,9000002"}
            )
            assert [item["status"] for item in states.json()["data"]] == ["EXPIRED", "DELIVRD"]

    asyncio.run(story())
