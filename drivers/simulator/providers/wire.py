"""A request and an answer as values, and the changes that lists of fields survive or do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape, quoteattr

import msgspec

__all__ = ["HTML", "Answer", "Node", "Request", "added", "json_answer", "reordered", "text_answer", "xml_answer"]

JSON = "application/json; charset=utf-8"
XML = "text/xml; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `raw_path`: as it stood in the request line, without the query."""

    method: str
    path: str
    raw_path: str
    query: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    def form(self) -> list[tuple[str, str]]:
        """The body as a web form; nothing for what is not UTF-8."""
        try:
            return parse_qsl(self.body.decode(), keep_blank_values=True)
        except UnicodeDecodeError:
            return []

    def arguments(self) -> dict[str, str]:
        """The query, then the form of the body: what PHP calls the request."""
        return dict(parse_qsl(self.query, keep_blank_values=True)) | dict(self.form())


class Node(msgspec.Struct, frozen=True):
    """An XML element as we write it: prefixed name, text or children, attributes."""

    name: str
    content: str | tuple[Node, ...] = ""
    attributes: dict[str, str] = msgspec.field(default_factory=dict)

    def written(self) -> str:
        head = "".join(f" {name}={quoteattr(value)}" for name, value in self.attributes.items())
        inner = escape(self.content) if isinstance(self.content, str) else "".join(n.written() for n in self.content)
        return f"<{self.name}{head}>{inner}</{self.name}>"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One answer. `content`: the JSON value or XML tree behind the body, from which a changed body can be made."""

    status: int = 200
    content_type: str = TEXT
    body: bytes = b""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    content: Any = None


def json_answer(content: object, *, status: int = 200) -> Answer:
    return Answer(status=status, content_type=JSON, body=msgspec.json.encode(content), content=content)


def xml_answer(content: Node, *, status: int = 200) -> Answer:
    body = '<?xml version="1.0" encoding="UTF-8"?>\n' + content.written()
    return Answer(status=status, content_type=XML, body=body.encode(), content=content)


def text_answer(text: str, *, status: int = 200) -> Answer:
    return Answer(status=status, body=text.encode())


def reordered(answer: Answer) -> Answer:
    """The same answer with the fields of every object in the opposite order."""
    return _changed(answer, _turned)


def added(answer: Answer) -> Answer:
    """The same answer with fields that no document names, first and last in every object."""
    return _changed(answer, _grown)


def _changed(answer: Answer, change: Callable[[Any], Any]) -> Answer:
    make = xml_answer if isinstance(answer.content, Node) else json_answer
    return answer if answer.content is None else make(change(answer.content), status=answer.status)


def _turned(content: Any) -> Any:
    match content:
        case Node(content=tuple() as children):
            return msgspec.structs.replace(content, content=tuple(_turned(child) for child in reversed(children)))
        case dict():
            return {key: _turned(content[key]) for key in reversed(content)}
        case list():
            return [_turned(item) for item in content]
        case _:
            return content


def _grown(content: Any) -> Any:
    match content:
        case Node(name=name, content=tuple() as children):
            inner = tuple(_grown(child) for child in children)
            if not name.endswith((":Envelope", ":Body")):
                inner = (Node("trace", "n/a"), *inner, Node("trace2", (Node("node", "7"),)))
            return msgspec.structs.replace(content, content=inner)
        case dict():
            return {"trace": "n/a", **{key: _grown(value) for key, value in content.items()}, "trace2": [None, {}]}
        case list():
            return [_grown(item) for item in content]
        case _:
            return content
