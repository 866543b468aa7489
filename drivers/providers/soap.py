"""SOAP 1.1 towards providers: zeep builds the request and reads the answer, our own HTTP client carries both.

zeep and the WSDLs that ship with us are loaded on first use, in a thread; nothing is fetched at run time. An answer is
checked by `drivers.providers.xml` before zeep sees it, since zeep's lenient mode, which we need for fields that a
vendor adds, takes an answer cut off inside its error for a success.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Any, TypeVar
from xml.sax.saxutils import escape

import msgspec

from drivers.contract import Cause, MaybeSent, Refused, ReportFate, SubmitError
from drivers.providers.http import Answer, Client, judge, mask, raw_text
from drivers.providers.outcomes import AlarmRefused, Row, Then, error, rows
from drivers.providers.xml import Hostile, parse

__all__ = ["BUNDLED", "FAULTS", "Array", "Reply", "Soap", "clean", "load", "strings"]

T = TypeVar("T")

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
LARGE = 200_000  # bytes; longer answers are read in a thread, so that the loop is not held up

# SHA-256 of the files in wsdl/: credentials go where a WSDL says, so a changed one is not used.
BUNDLED = {
    "clickatell_document_literal.wsdl": "2b372475fb1a26753a2939dac9725ec4731ca74c0d813d4f60d03fc642e597cd",
    "serwersms.wsdl": "5928554b67d72dcadef19ed4e79f381dc3cbf1cba170018ac0f52529c958ef33",
    "smsc.wsdl": "0bf12ef526495249ffb2cd20daaace4691cc63a0fc6c3d63157804cf5d44498f",
    "soapenc-min.xsd": "5cfb46cbe425c1cc171a5f967c43c63ac9a9a3fc0ea1dfb59f659d49c2b0794e",
}

FAULTS = rows({
    "Client": Row(fate=ReportFate.REJECTED, then=Then.TRY_NEXT, alarm=True, meaning="the provider could not read us"),
    "Server": Row(fate=ReportFate.UNKNOWN, reconcile=True, meaning="the provider failed"),
})  # fmt: skip
_NO_CODE = Row(fate=ReportFate.UNKNOWN, reconcile=True, meaning="the provider failed without saying where")


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A checked answer. `result`: as zeep reads it. `payload`: the element inside the body (of lxml). `raw`: masked."""

    result: Any
    payload: Any
    raw: str


class Soap:
    """One account's SOAP service at `url`. `namespace`: in place of the WSDL's own, for hosts that have another.
    `rewrite`: a last change to the envelope (of lxml)."""

    def __init__(
        self,
        client: Client,
        url: str,
        *,
        wsdl: str,
        namespace: str = "",
        rewrite: Callable[[Any], None] | None = None,
    ) -> None:
        self._client = client
        self._url = url
        self._wsdl = wsdl
        self._namespace = namespace
        self._rewrite = rewrite
        self._service: _Service | None = None

    async def call(
        self,
        operation: str,
        fields: Mapping[str, object],
        read: Callable[[Reply], T],
        *,
        answer: str,
        decode: bool = True,
    ) -> T:
        """One exchange. `answer` names the element that must come back ("" = any response), `read` makes something of
        it and may raise a SubmitError. Whatever else goes wrong after the request has left is `MaybeSent`.
        `decode=False`: zeep does not read the answer, for services whose answers have no firm shape."""
        loop = asyncio.get_running_loop()
        service = self._service
        if service is None:
            service = self._service = await loop.run_in_executor(None, load, self._wsdl, self._namespace)
        try:
            body, action = service.encode(operation, fields, self._rewrite)
        except Exception as defect:
            # zeep raises four kinds of error here, all before a byte has left.
            raise AlarmRefused(
                f"our request cannot be built ({type(defect).__name__})", code="defect", cause=Cause.DEST
            ) from None
        reply = await self._client.request(
            "POST",
            self._url,
            content=body,
            headers={"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{action}"'},
        )
        if reply.status != 500 and (failure := judge(reply)) is not None:
            failure.raw = raw_text(reply, self._client.secrets)
            raise failure
        raw = raw_text(reply, self._client.secrets)
        try:
            if len(reply.body) > LARGE:
                envelope = await loop.run_in_executor(None, parse, reply.body)
            else:
                envelope = parse(reply.body)
            payload = _payload(envelope, reply, answer, self._client.secrets)
            result = service.decode(operation, envelope) if decode else None
            return read(Reply(result=result, payload=payload, raw=raw))
        except SubmitError as failure:
            failure.raw = failure.raw or raw
            raise
        except Exception as defect:
            reason = str(defect) if isinstance(defect, Hostile) else type(defect).__name__
            raise MaybeSent(
                f"the answer cannot be read: {reason}", code="unreadable", cause=Cause.DOUBT, raw=raw
            ) from None


class _Service:
    """A WSDL as zeep knows it."""

    def __init__(self, document: Any) -> None:
        self._binding = next(iter(document.bindings.values()))
        self._types = document.types

    def encode(
        self, operation: str, fields: Mapping[str, object], rewrite: Callable[[Any], None] | None
    ) -> tuple[bytes, str]:
        from lxml import etree

        known = self._binding.get(operation)
        message = known.create(**{name: self._typed(value) for name, value in fields.items()})
        if rewrite is not None:
            rewrite(message.content)
        return etree.tostring(message.content, xml_declaration=True, encoding="utf-8"), known.soapaction

    def decode(self, operation: str, envelope: Any) -> Any:
        return self._binding.get(operation).process_reply(envelope)

    def _typed(self, value: object) -> object:
        """`Array` values become the array type of the schema, which zeep takes in no other form inside rpc parts."""
        if isinstance(value, Array):
            return self._types.get_type(value.type)(list(value.items))
        if isinstance(value, dict):
            return {name: self._typed(inner) for name, inner in value.items()}
        return value


class Array(msgspec.Struct, frozen=True, kw_only=True):
    """A SOAP-encoded array: the name of its type in the schema, "{namespace}name", and what is in it."""

    type: str
    items: Sequence[object]


@cache
def load(wsdl: str, namespace: str = "") -> _Service:
    """The bundled service; slow the first time, since it imports zeep. Raises RuntimeError when a file was changed."""
    from zeep.settings import Settings
    from zeep.wsdl import Document

    settings = Settings(
        strict=False,  # a field that a vendor adds must not make every send unknown
        xsd_ignore_sequence_order=True,
        forbid_dtd=True,
        forbid_entities=True,
        forbid_external=True,
        xml_huge_tree=False,
    )
    bundle: Any = _Bundle(wsdl, namespace)  # all that zeep wants of a transport here is `load`
    return _Service(Document(f"/{wsdl}", bundle, settings=settings))


class _Bundle:
    """What zeep may load: the files beside us, checked, and nothing else."""

    def __init__(self, wsdl: str, namespace: str) -> None:
        self._wsdl = wsdl
        self._namespace = namespace

    def load(self, url: str) -> bytes:
        name = PurePosixPath(url).name
        content = files("drivers.providers").joinpath("wsdl", name).read_bytes() if name in BUNDLED else b""
        if sha256(content).hexdigest() != BUNDLED.get(name):
            raise RuntimeError(f"{name} is not the file that was shipped")
        if self._namespace and name == self._wsdl:
            content = _renamed(content, self._namespace)
        return content


def clean(text: str) -> str:
    """A text as XML can carry it, line ends as line feeds. Raises `Refused` for characters that it cannot carry."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for n, c in enumerate(text, 1):
        if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t":
            raise Refused(
                f"character {n} of the text (U+{ord(c):04X}) cannot be sent", code="bad_text", cause=Cause.DEST,
                everywhere=True,
            )  # fmt: skip
    return text


def strings(result: Any, names: Sequence[str], *, inner: str) -> dict[str, str]:
    """Fields of the struct `inner` that zeep read, stripped; those that are missing or empty are left out. zeep hands
    out the struct itself, unless something was added beside it. Raises ValueError for anything else."""
    result = getattr(result, inner, result)
    if result is None or not hasattr(result, "__values__"):
        raise ValueError("no struct")
    values = {name: getattr(result, name, None) for name in names}
    return {name: str(value).strip() for name, value in values.items() if value is not None and str(value).strip()}


# --- Below ------------------------------------------------------------------------------------------------------------


def _payload(envelope: Any, reply: Answer, answer: str, secrets: Sequence[str]) -> Any:
    """The element inside the body. Raises for a fault, and for an answer to something else."""
    first = envelope.find(f"{{{ENVELOPE}}}Body/*") if envelope.tag == f"{{{ENVELOPE}}}Envelope" else None
    if first is None:
        raise Hostile("no SOAP body")
    name = first.tag.rpartition("}")[2]
    if name == "Fault":
        raise _fault(first, secrets)
    if reply.status != 200:
        raise judge(reply) or Hostile(f"HTTP {reply.status} with an answer")
    if name != answer and (answer or not name.endswith("Response")):
        raise Hostile("an answer to something else")
    return first


def _fault(fault: Any, secrets: Sequence[str]) -> SubmitError:
    code = (fault.findtext("faultcode") or "").strip().rpartition(":")[2]
    head = code.partition(".")[0]
    row = FAULTS.get(head, _NO_CODE)
    text = mask(" ".join((fault.findtext("faultstring") or "").split()), secrets)[:200]
    return error(row, code=f"soap_{head.lower() or 'fault'}", detail=f"{row.meaning}: {text}" if text else row.meaning)


def _renamed(content: bytes, namespace: str) -> bytes:
    """The WSDL with another target namespace. SMSC's is the address of the host that serves it."""
    start = content.index(b'targetNamespace="') + len(b'targetNamespace="')
    own = content[start : content.index(b'"', start)]
    return content.replace(own, escape(namespace, {'"': "&quot;"}).encode())
