"""zeep as a codec: WSDLs without a network, requests as the documents show them, and answers of every broken kind."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from drivers.contract import MaybeSent, NotSent, Refused, SubmitError
from drivers.providers import soap as module
from drivers.providers.http import Client
from drivers.providers.outcomes import Alarm
from drivers.providers.soap import BUNDLED, FAULTS, Reply, Soap, clean, strings
from tests.drivers.providers.support import PATIENT, Peer, answer, caught, run, soap

NS = "https://smscentre.com/sys/soap.php"
FIELDS = {"login": "alex", "psw": "123", "phones": "79999999999", "mes": "Hello", "query": "cost=3&valid=4&tz=0"}
NAMES = ("id", "balance", "cost", "cnt", "error")
GOOD = "<id>gw-000123</id><balance>99.10</balance><cost>0.90</cost><cnt>1</cnt>"


def sent(content: str, *, element: str = "Send2Response", namespace: str = NS) -> str:
    return f'<n:{element} xmlns:n="{namespace}"><sendresult>{content}</sendresult></n:{element}>'


def read(reply: Reply) -> dict[str, str]:
    return strings(reply.result, NAMES, inner="sendresult")


async def call(peer: Peer, *, namespace: str = NS) -> dict[str, str]:
    client = Client(PATIENT, secure=False, secrets=["123-secret"])
    try:
        service = Soap(client, f"{peer.url}/sys/soap.php", wsdl="smsc.wsdl", namespace=namespace)
        return await service.call("send_sms2", FIELDS, read, answer="Send2Response")
    finally:
        await client.close()


def outcome(octets: bytes | None) -> dict[str, str] | SubmitError:
    async def main() -> dict[str, str] | SubmitError:
        async with Peer([octets]) as peer:
            try:
                return await call(peer)
            except SubmitError as error:
                return error

    return run(main())


# --- Loading ----------------------------------------------------------------------------------------------------------

OFFLINE = """
import sys
from drivers.providers import clickatell, serwersms, smsc
from drivers.registry import Environment
from pathlib import Path
environment = Environment(state_dir=Path("."))
smsc.create("a", smsc.Options(login="l", password="p"), environment)
clickatell.create("b", clickatell.Options(api_id=1, user="u", password="p"), environment)
serwersms.create("c", serwersms.Options(username="u", password="p"), environment)
loaded = [m for m in ("zeep", "lxml", "requests") if m in sys.modules]
assert not loaded, loaded
def guard(event, given):
    if event in ("socket.connect", "socket.getaddrinfo", "urllib.Request"):
        raise OSError("the network was touched")
sys.addaudithook(guard)
from drivers.providers.soap import BUNDLED, load
for name in BUNDLED:
    if name.endswith(".wsdl"):
        load(name)
assert "zeep" in sys.modules
"""


def test_nothing_of_soap_is_loaded_before_its_first_use_and_nothing_is_fetched() -> None:
    done = subprocess.run([sys.executable, "-c", OFFLINE], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_the_files_are_those_that_were_checked() -> None:
    folder = files("drivers.providers").joinpath("wsdl")
    found = {entry.name: hashlib.sha256(entry.read_bytes()).hexdigest() for entry in folder.iterdir()}
    assert found == BUNDLED


def test_a_changed_file_is_not_used() -> None:
    with pytest.raises(RuntimeError, match="not the file that was shipped"):
        module._Bundle("smsc.wsdl", "").load("/../../etc/passwd")


# --- Requests ---------------------------------------------------------------------------------------------------------


def test_a_request_is_the_one_that_the_document_shows() -> None:
    async def main() -> None:
        async with Peer([soap(sent(GOOD))]) as peer:
            await call(peer)
            request = peer.requests[0]
        assert request.headers["soapaction"] == f'"{NS}"'
        assert request.headers["content-type"] == "text/xml; charset=utf-8"
        body = request.body.decode()
        assert f'<ns0:send2 xmlns:ns0="{NS}"><login>alex</login><psw>123</psw><phones>79999999999</phones>' in body
        assert "<mes>Hello</mes><query>cost=3&amp;valid=4&amp;tz=0</query></ns0:send2>" in body

    run(main())


def test_another_host_has_another_namespace() -> None:
    async def main() -> None:
        other = "https://smsc.ru/sys/soap.php"
        async with Peer([soap(sent(GOOD, namespace=other))]) as peer:
            assert (await call(peer, namespace=other))["id"] == "gw-000123"
            assert f'xmlns:ns0="{other}"'.encode() in peer.requests[0].body
            assert peer.requests[0].headers["soapaction"] == f'"{other}"'

    run(main())


def test_a_request_that_cannot_be_built_is_our_defect_and_sends_nothing() -> None:
    async def main() -> None:
        async with Peer() as peer:
            client = Client(PATIENT, secure=False)
            service = Soap(client, peer.url, wsdl="smsc.wsdl")
            for fields in (
                {**FIELDS, "callback": "3"},
                {"login": "x"},
                {**FIELDS, "mes": "\x00"},
                {**FIELDS, "mes": "\ud800"},
            ):
                error = await caught(service.call("send_sms2", fields, read, answer="Send2Response"))
                assert isinstance(error, Refused)
                assert isinstance(error, Alarm)
                assert not error.everywhere
            await client.close()
            assert peer.requests == []

    run(main())


def test_two_tasks_at_once_do_not_meet() -> None:
    async def main() -> None:
        def echo(request: object) -> bytes:
            body = getattr(request, "body", b"").decode()
            return soap(sent(f"<id>{body.partition('<mes>')[2].partition('<')[0]}</id>"))

        async with Peer(echo) as peer:
            client = Client(PATIENT, secure=False)
            service = Soap(client, peer.url, wsdl="smsc.wsdl")
            calls = [
                service.call("send_sms2", {**FIELDS, "mes": f"m{n}"}, read, answer="Send2Response") for n in range(20)
            ]
            assert [r["id"] for r in await asyncio.gather(*calls)] == [f"m{n}" for n in range(20)]
            await client.close()

    run(main())


@pytest.mark.parametrize(("given", "kept"), [("a\r\nb\rc\td", "a\nb\nc\td"), ("zażółć 🙂", "zażółć 🙂")])
def test_line_ends_become_line_feeds(given: str, kept: str) -> None:
    assert clean(given) == kept


@pytest.mark.parametrize("text", ["a\0", "\x1b[31m", "x\ud83d", "\x85"])
def test_texts_that_xml_cannot_carry_are_refused_for_good(text: str) -> None:
    with pytest.raises(Refused) as refused:
        clean(text)
    assert refused.value.everywhere
    assert refused.value.code == "bad_text"


# --- Answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        "<cnt>1</cnt><cost>0.90</cost><balance>99.10</balance><id>gw-000123</id>",
        f"<new>1</new>{GOOD}<other><deep>2</deep></other>",
        f"  {GOOD}  ",
        GOOD + "<error/>",
    ],
    ids=["as documented", "other order", "added fields", "blanks", "empty error"],
)
def test_answers_that_are_read(content: str) -> None:
    result = outcome(soap(sent(content)))
    assert result == {"id": "gw-000123", "balance": "99.10", "cost": "0.90", "cnt": "1"}


def test_what_is_added_beside_the_struct_does_no_harm() -> None:
    result = outcome(soap(sent(GOOD).replace("</n:", "<trace><id>other</id></trace></n:")))
    assert isinstance(result, dict)
    assert result["id"] == "gw-000123"


def test_an_answer_in_another_namespace_is_read() -> None:
    result = outcome(soap(sent(GOOD, namespace="http://smsc.ua/sys/soap.php")))
    assert isinstance(result, dict)
    assert result["id"] == "gw-000123"


WHOLE = soap(sent("<id>gw-000123</id><error>3</error>"))
BODY = WHOLE.partition(b"\r\n\r\n")[2]

BROKEN: dict[str, bytes | None] = {
    "cut off inside the error": answer(BODY[: BODY.index(b"<error>") + 7]),
    "cut off before the error": answer(BODY[: BODY.index(b"<error>")]),
    "document type": answer(BODY.replace(b"?><e:", b"?><!DOCTYPE e><e:")),
    "HTML": answer("<html><body>Please log in</body></html>", kind="text/html"),
    "broken HTML": answer("<html><body><p>Please<br>log in", kind="text/html"),
    "JSON": answer('{"id": "1"}', kind="application/json"),
    "text": answer("OK", kind="text/plain"),
    "empty": answer(b""),
    "empty envelope": answer('<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"/>'),
    "empty body": soap(""),
    "SOAP 1.2": answer(
        '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body><a/></e:Body></e:Envelope>'
    ),
    "answer to another operation": soap(sent(GOOD, element="SendResponse")),
    "answer without content": soap(f'<n:Send2Response xmlns:n="{NS}"/>'),
    "202": answer(b"", status=202),
    "500 with text": answer("Internal Server Error", status=500, kind="text/plain"),
    "500 with HTML": answer("<html><body>Oops</body></html>", status=500),
    "500 with a good answer": soap(sent(GOOD), status=500),
    "502 with HTML": answer("<html><body>Bad Gateway</body></html>", status=502),
    "closed": None,
}


@pytest.mark.parametrize("name", BROKEN)
def test_answers_that_prove_nothing_are_in_doubt(name: str) -> None:
    error = outcome(BROKEN[name])
    assert isinstance(error, MaybeSent), error


def _fault(code: str, *, status: int = 500, prefix: str = "e:") -> bytes:
    inner = f"<faultcode>{prefix}{code}</faultcode>" if code else ""
    return soap(f"<e:Fault>{inner}<faultstring>no such 123-secret here</faultstring></e:Fault>", status=status)


@pytest.mark.parametrize("code", ["Client", "Client.Authentication"])
@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("prefix", ["e:", ""])
def test_a_fault_of_ours_is_a_refusal_with_an_alarm(code: str, status: int, prefix: str) -> None:
    error = outcome(_fault(code, status=status, prefix=prefix))
    assert isinstance(error, Refused)
    assert isinstance(error, Alarm)
    assert not error.everywhere
    assert error.code == "soap_client"


@pytest.mark.parametrize("code", ["Server", "Server.Busy", "VersionMismatch", ""])
def test_any_other_fault_is_in_doubt(code: str) -> None:
    error = outcome(_fault(code))
    assert isinstance(error, MaybeSent)
    assert set(FAULTS) == {"Client", "Server"}


def test_a_fault_that_echoes_a_secret_is_masked() -> None:
    error = outcome(_fault("Client"))
    assert isinstance(error, SubmitError)
    assert "123-secret" not in error.detail + error.raw
    assert "no such *** here" in error.detail


@pytest.mark.parametrize(
    ("status", "kind"), [(401, NotSent), (403, NotSent), (404, Refused), (302, Refused), (429, NotSent)]
)
def test_other_statuses_decide_before_the_body_is_read(status: int, kind: type[SubmitError]) -> None:
    assert isinstance(outcome(answer("<html/>", status=status)), kind)


def test_a_large_answer_is_read_in_a_thread_and_is_the_same() -> None:
    result = outcome(soap(sent(GOOD + f"<note>{'x' * 300_000}</note>")))
    assert isinstance(result, dict)
    assert result["id"] == "gw-000123"


def test_the_raw_answer_is_kept_masked_and_cut() -> None:
    error = outcome(answer("123-secret " + "x" * 10_000))
    assert isinstance(error, MaybeSent)
    assert error.raw.startswith("*** x")
    assert len(error.raw) == 4096


def test_the_wsdl_folder_is_package_data() -> None:
    assert Path(str(files("drivers.providers").joinpath("wsdl", "smsc.wsdl"))).is_file()
