"""SOAP 1.1 from the server's side: a call read by its body element, an answer in the caller's namespace."""

from __future__ import annotations

from xml.etree import ElementTree

import msgspec

from drivers.simulator.providers.wire import Answer, Node, Request, xml_answer

__all__ = ["ENCODED", "Call", "Element", "answered", "fault", "local", "read"]

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
ENCODED = "http://schemas.xmlsoap.org/soap/encoding/"

Element = ElementTree.Element


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """`name` and `namespace` of the body's first element, and that element."""

    name: str
    namespace: str
    element: Element

    def first(self, name: str) -> str:
        """Text of the first child of that name; empty when there is none."""
        return next(iter(self.every(name)), "")

    def every(self, name: str) -> list[str]:
        """Texts of all children of that name; the order among different names does not matter."""
        return [child.text or "" for child in self.element if local(child.tag) == name]

    def child(self, name: str) -> Element | None:
        return next((child for child in self.element if local(child.tag) == name), None)


def read(request: Request) -> Call | None:
    """None for what is not a SOAP call. A document type is refused before the parser sees it."""
    if b"<!DOCTYPE" in request.body:
        return None
    try:
        root = ElementTree.fromstring(request.body)  # noqa: S314 - no document type, hence no entities
    except ElementTree.ParseError:
        return None
    body = root.find(f"{{{ENVELOPE}}}Body")
    if root.tag != f"{{{ENVELOPE}}}Envelope" or body is None or not len(body):
        return None
    element = body[0]
    namespace = element.tag[1:].partition("}")[0] if element.tag.startswith("{") else ""
    return Call(name=local(element.tag), namespace=namespace, element=element)


def answered(content: Node, *, namespace: str) -> Answer:
    """`content` in an envelope; the prefix `ns1` stands for the caller's namespace."""
    attributes = {
        "xmlns:SOAP-ENV": ENVELOPE,
        "xmlns:ns1": namespace,
        "xmlns:xsd": "http://www.w3.org/2001/XMLSchema",
        "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
        "xmlns:SOAP-ENC": ENCODED,
    }
    return xml_answer(Node("SOAP-ENV:Envelope", (Node("SOAP-ENV:Body", (content,)),), attributes))


def fault(code: str, text: str) -> Answer:
    """A SOAP Fault as PHP servers answer it, with status 500."""
    content = Node("SOAP-ENV:Fault", (Node("faultcode", f"SOAP-ENV:{code}"), Node("faultstring", text)))
    body = Node("SOAP-ENV:Envelope", (Node("SOAP-ENV:Body", (content,)),), {"xmlns:SOAP-ENV": ENVELOPE})
    return xml_answer(body, status=500)


def local(tag: str) -> str:
    return tag.rpartition("}")[2]
