"""SerwerSMS over SOAP (rpc/encoded as NuSOAP speaks it): positional arguments in, one of three forms of answer out."""

from __future__ import annotations

from typing import Any

import msgspec

from drivers.simulator.providers import soap
from drivers.simulator.providers.serwersms_order import Refused
from drivers.simulator.providers.wire import Answer, Node

__all__ = ["answered", "arguments"]

XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
ARRAY_TYPE = f"{{{soap.ENCODED}}}arrayType"
POSITIONS = {
    "Messages.sendPersonalized": ("messages", "sender", "params"),
    "Messages.sendSms": ("phone", "text", "sender", "params"),
}


def arguments(call: soap.Call, *, strict: bool) -> dict[str, Any]:
    """The call as API v2 would have it. The names of the parts are not documented, their order is.

    `strict`: PHP knows a list by its arrayType; what has none is a map, and a map is refused.
    """
    given: dict[str, Any] = {}
    for name, element in zip(POSITIONS[call.name], call.element, strict=False):
        if name == "params":
            given |= {soap.local(child.tag): _value(child) for child in element}
        elif name in ("messages", "phone") and len(element):
            if strict and ARRAY_TYPE not in element.attrib:
                raise Refused(1006, f"{name} is not a list")
            given[name] = [_value(item) for item in element]
        else:
            given[name] = element.text or ""
    if call.name == "Messages.sendPersonalized":
        given.setdefault("messages", [])
    return given


def answered(call: soap.Call, content: dict[str, Any], *, form: str, typed: bool) -> Answer:
    """`form`: "struct", "map" (Apache's, which NuSOAP writes for PHP arrays) or "json" (a text)."""
    match form:
        case "json":
            value = Node("return", msgspec.json.encode(content).decode(), {"xsi:type": "xsd:string"})
        case "map":
            value = _mapped("return", content)
        case _:
            value = _struct("return", content, "ns1:SendResult", typed)
    name = f"ns1:{call.name}Response"
    return soap.answered(Node(name, (value,), {"SOAP-ENV:encodingStyle": soap.ENCODED}), namespace=call.namespace)


def _value(element: soap.Element) -> Any:
    """Text, a list of texts (its items have one name), or a map."""
    children = list(element)
    if not children:
        return element.text or ""
    names = {soap.local(child.tag) for child in children}
    if ARRAY_TYPE in element.attrib or (names in ({"item"}, {"string"}) and not len(children[0])):
        return [_value(child) for child in children]
    return {soap.local(child.tag): _value(child) for child in children}


TYPES = {"items": "ns1:Item", "error": "ns1:Error"}


def _struct(name: str, content: dict[str, Any], type: str, typed: bool) -> Node:
    nodes = []
    for key, value in content.items():
        match value:
            case list():
                items = tuple(_struct("item", item, TYPES[key], typed) for item in value)
                array = {"xsi:type": "SOAP-ENC:Array", "SOAP-ENC:arrayType": f"{TYPES[key]}[{len(items)}]"}
                nodes.append(Node(key, items, array))
            case dict():
                nodes.append(_struct(key, value, TYPES[key], typed))
            case _:
                nodes.append(_scalar(key, value))
    return Node(name, tuple(nodes), {"xsi:type": type} if typed else {})


def _mapped(name: str, content: Any) -> Node:
    match content:
        case dict():
            items = tuple(
                Node("item", (Node("key", key, {"xsi:type": "xsd:string"}), _mapped("value", value)))
                for key, value in content.items()
            )
            return Node(name, items, {"xsi:type": "ns2:Map", "xmlns:ns2": "http://xml.apache.org/xml-soap"})
        case list():
            array = {"xsi:type": "SOAP-ENC:Array", "SOAP-ENC:arrayType": f"ns2:Map[{len(content)}]"}
            array["xmlns:ns2"] = "http://xml.apache.org/xml-soap"
            return Node(name, tuple(_mapped("item", item) for item in content), array)
        case _:
            return _scalar(name, content)


def _scalar(name: str, value: object) -> Node:
    match value:
        case bool():
            return Node(name, "true" if value else "false", {"xsi:type": "xsd:boolean"})
        case int():
            return Node(name, str(value), {"xsi:type": "xsd:int"})
        case _:
            return Node(name, str(value), {"xsi:type": "xsd:string"})
