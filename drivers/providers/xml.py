"""XML from outside: refused unless it is small, plain and well-formed, before anything else reads it.

The first reader is expat with handlers that stop at the first declaration of a document type, so no entity is ever
expanded and nothing outside is ever fetched; only what it lets through is built into a tree. Limits: 5 MiB, 100 levels.
"""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

__all__ = ["DEPTH_LIMIT", "SIZE_LIMIT", "Hostile", "check", "parse"]

SIZE_LIMIT = 5 * 1024 * 1024
DEPTH_LIMIT = 100
# An answer to 200 personalised texts has 4,000 tags and 2,400 attributes. What these allow is checked within 100 ms.
TAG_LIMIT = 100_000
EQUALS_LIMIT = 50_000  # attributes, before their names are compared with each other
NAMESPACE_LIMIT = 20_000  # declared in the whole document
ATTRIBUTE_LIMIT = 64  # of one element, namespaces included

# One byte a character where it matters, so that a byte search finds every tag.
ENCODINGS = frozenset({"utf-8", "us-ascii", "ascii", "iso-8859-1", "iso-8859-2", "windows-1250", "windows-1251"})


class Hostile(ValueError):
    """Not XML that we read. The text says why and holds nothing of the document."""


def check(body: bytes) -> None:
    """Raises `Hostile` for what is too large, too deep, not well-formed, or has a document type."""
    if len(body) > SIZE_LIMIT:
        raise Hostile("longer than 5 MiB")
    if b"\0" in body:
        raise Hostile("not in an encoding that we read")
    if body.count(b"<") > TAG_LIMIT:
        raise Hostile("too many tags")
    if body.count(b"=") > EQUALS_LIMIT or body.count(b"xmlns") > NAMESPACE_LIMIT:
        raise Hostile("too many attributes")
    reader = expat.ParserCreate(namespace_separator=" ")
    depth = namespaces = 0

    def declaration(version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() not in ENCODINGS:
            raise Hostile("not in an encoding that we read")

    def doctype(*of: object) -> None:
        raise Hostile("a document type")

    def instruction(*of: object) -> None:
        raise Hostile("a processing instruction")

    def namespace(prefix: str | None, uri: str | None) -> None:
        nonlocal namespaces
        namespaces += 1
        if namespaces > ATTRIBUTE_LIMIT:
            raise Hostile("too many attributes")

    def start(name: str, attributes: list[str]) -> None:
        nonlocal depth, namespaces
        depth, namespaces = depth + 1, 0
        if depth > DEPTH_LIMIT:
            raise Hostile("more than 100 levels")
        if len(attributes) > ATTRIBUTE_LIMIT * 2:
            raise Hostile("too many attributes")

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1

    reader.ordered_attributes = True
    reader.XmlDeclHandler = declaration
    reader.StartDoctypeDeclHandler = doctype
    reader.ProcessingInstructionHandler = instruction
    reader.StartNamespaceDeclHandler = namespace
    reader.StartElementHandler = start
    reader.EndElementHandler = end
    try:
        reader.Parse(body, True)
    except (expat.ExpatError, LookupError, UnicodeError) as error:
        raise Hostile(f"not well-formed ({type(error).__name__})") from None


def parse(body: bytes) -> Any:
    """The root element (of lxml) of a document that `check` let through."""
    check(body)
    from lxml import etree  # with zeep, on first use

    reader = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, recover=False
    )
    try:
        return etree.fromstring(body, parser=reader)
    except (etree.XMLSyntaxError, ValueError):
        raise Hostile("not well-formed") from None
