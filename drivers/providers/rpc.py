"""SOAP's rpc/encoded style as PHP servers speak it: what zeep leaves out of a request, and answers of no firm shape."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec

__all__ = ["document", "encoded"]

NAMES = {
    "xsd": "http://www.w3.org/2001/XMLSchema",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "soapenc": "http://schemas.xmlsoap.org/soap/encoding/",
}
TYPE = f"{{{NAMES['xsi']}}}type"
ARRAY_TYPE = f"{{{NAMES['soapenc']}}}arrayType"
STYLE = "{http://schemas.xmlsoap.org/soap/envelope/}encodingStyle"


def encoded(
    *, arrays: Mapping[str, str], single: Collection[str] = (), flags: Collection[str] = ()
) -> Callable[[Any], None]:
    """A change to an envelope (of lxml) that zeep has built: arrayType and xsi:type on everything.

    `arrays`: element -> the type of its items. `single`: elements that zeep takes as arrays and that are sent as their
    only item. `flags`: elements that are booleans; all others are texts. Elements are made anew: prefixes inside
    attribute values are text to lxml and do not survive when an element is moved.
    """

    def rewrite(envelope: Any) -> None:
        from lxml import etree

        def leaf(parent: Any, name: str, text: str | None) -> None:
            made = etree.SubElement(parent, name)
            made.text = text
            made.set(TYPE, "xsd:boolean" if name in flags else "xsd:string")

        def copy(parent: Any, old: Any) -> None:
            children = list(old)
            if not children:
                leaf(parent, old.tag, old.text)
            elif old.tag in single:
                leaf(parent, old.tag, children[0].text)
            elif old.tag in arrays:
                made = etree.SubElement(parent, old.tag)
                made.set(TYPE, "soapenc:Array")
                made.set(ARRAY_TYPE, f"xsd:{arrays[old.tag]}[{len(children)}]")
                for child in children:
                    if not len(child):
                        leaf(made, "item", child.text)
                        continue
                    item = etree.SubElement(made, "item")
                    for inner in child:
                        copy(item, inner)
            else:
                made = etree.SubElement(parent, old.tag)
                for child in children:
                    copy(made, child)

        body = envelope[-1]
        old = body[0]
        call = etree.Element(old.tag, nsmap={"ns1": old.tag[1:].partition("}")[0], **NAMES})
        call.set(STYLE, NAMES["soapenc"])
        for part in old:
            copy(call, part)
        body.replace(old, call)

    return rewrite


def document(payload: Any) -> dict[str, Any]:
    """What stands in an answer (an element of lxml): a struct, a map of keys and values as PHP writes its arrays, or a
    text in JSON. Numbers and truth values stay texts unless it is JSON. Raises ValueError for anything else."""
    children = list(payload)
    returned = children if len(children) == 1 else [c for c in children if _local(c.tag) == "return"]
    value = _value(returned[0] if len(returned) == 1 else payload)
    if isinstance(value, str):
        value = msgspec.json.decode(value)
    if not isinstance(value, dict):
        raise ValueError("not a document")
    return value


def _value(element: Any) -> Any:
    children = list(element)
    if not children:
        return (element.text or "").strip()
    names = [_local(c.tag) for c in children]
    if set(names) == {"item"} and all({_local(k.tag) for k in c} == {"key", "value"} for c in children):
        pairs = ({_local(k.tag): _value(k) for k in c} for c in children)
        return {str(p["key"]): p["value"] for p in pairs}
    listed = any(_local(a) == "arrayType" for a in element.attrib) or set(names) == {"item"}
    if listed or (len(names) > 1 and len(set(names)) == 1):
        # What a vendor adds beside the items of a list is no item.
        return [_value(c) for c, name in zip(children, names, strict=True) if name == "item" or "item" not in names]
    return {name: _value(c) for name, c in zip(names, children, strict=True)}


def _local(name: Any) -> str:
    return str(name).rpartition("}")[2]
