"""The OpenAPI text's section of webhooks: what we call, one entry for each type of event."""

from __future__ import annotations

from typing import Any

from bridge.events import SHAPES, EventType

__all__ = ["DATA", "webhooks"]

DATA = tuple(dict.fromkeys(SHAPES.values()))  # the shapes the document needs
_HEADERS = {
    "webhook-id": "the event's id, the same at all tries: take each once",
    "webhook-timestamp": "Unix seconds of this try",
    "webhook-signature": "v1,... by Standard Webhooks 1.0; two during the rotation of the secret",
}


def webhooks(ref: str) -> dict[str, Any]:
    """`ref`: how a schema is named, with {name}."""
    return {type.value: {"post": _call(type, ref.format(name=SHAPES[type].__name__))} for type in EventType}


def _call(type: EventType, data: str) -> dict[str, Any]:
    said = (SHAPES[type].__doc__ or "").split("\n")[0]
    return {
        "operationId": f"event_{type.value.replace('.', '_')}",
        "summary": said,
        "security": [],
        "parameters": [
            {"name": name, "in": "header", "required": True, "description": about, "schema": {"type": "string"}}
            for name, about in _HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["type", "timestamp", "id", "key", "number", "data"],
                        "properties": {
                            "type": {"const": type.value},
                            "timestamp": {"type": "string", "format": "date-time"},
                            "id": {"type": "string"},
                            "key": {"type": "string", "description": "what it is in sequence with"},
                            "number": {"type": "integer", "minimum": 1, "description": "1, 2, 3 ... within the key"},
                            "data": {"$ref": data},
                        },
                    }
                }
            },
        },
        "responses": {
            "2XX": {"description": "taken; anything else, or nothing within 15 s, and it is tried again"},
            "410": {"description": "the endpoint is switched off"},
        },
    }
