"""Every event is in the manual with an example that is sent, verifies, and fits the OpenAPI text's schema."""

from __future__ import annotations

import asyncio
import json
import re
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from standardwebhooks import Webhook

import bridge
from bridge.clock import wall
from bridge.endpoints import Endpoint
from bridge.events import SHAPES, EventType
from bridge.model import Ids, parse_id, show_id
from bridge.store import Changes
from bridge.store.sqlite import open_store
from bridge.webhooks.registry import Draft
from tests.api.test_manual import openapi

from .support import delivery, receiver

MANUAL = (Path(bridge.__file__).parent / "manual" / "webhooks.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"^### `(\S+)`\n\n[^\n]+\n\n```json\n(.*?)\n```", MANUAL, re.MULTILINE | re.DOTALL))


def test_every_event_has_an_example_of_its_shape() -> None:
    assert set(EXAMPLES) == {t.value for t in EventType}
    for type, example in EXAMPLES.items():
        shape = SHAPES[EventType(type)]
        made = msgspec.convert(json.loads(example), shape)
        assert json.loads(msgspec.json.encode(made)) == json.loads(example), f"{type}: a field that is not there"


def emit(type: str, data: dict[str, Any], changes: Changes) -> None:
    changes.emit(type, wall(), key="k", data=data)


def emit_test(endpoint: Endpoint, data: msgspec.Struct, changes: Changes) -> None:
    changes.emit_to(endpoint, EventType.WEBHOOK_TEST, wall(), key="k", data=data)


@pytest.mark.timeout(60)
def test_the_examples_are_sent_verify_and_fit_the_openapi_text(tmp_path: Path) -> None:
    text = openapi()
    assert set(text["webhooks"]) == set(EXAMPLES)

    async def run() -> list[dict[str, Any]]:
        ids = Ids(wall, Random(1))
        store = await open_store(tmp_path / "db.sqlite", now=wall, doubt_deadline=lambda message, at: None)
        out = delivery(tmp_path, store, ids, wall)
        work = asyncio.create_task(out.outbox.run())
        try:
            async with receiver() as hook:
                endpoint, secret = out.parts().registry.made(ids.next(), Draft(url=hook.url), wall())
                await store.write(lambda c: c.add_endpoint(endpoint))
                for type, example in EXAMPLES.items():
                    data = json.loads(example)
                    if type == "webhook.test":
                        shaped = msgspec.convert(data, SHAPES[EventType(type)])
                        await store.write(partial(emit_test, endpoint, shaped))
                    else:
                        await store.write(partial(emit, type, data))
                calls = await hook.count(len(EXAMPLES))
                return [dict(Webhook(secret).verify(c.body, c.headers)) for c in calls]
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await out.close()
            await store.close()

    told = asyncio.run(run())
    assert sorted(t["type"] for t in told) == sorted(EXAMPLES)
    for one in told:
        operation = text["webhooks"][one["type"]]["post"]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        Draft202012Validator({**schema, "components": text["components"]}).validate(one)
        assert one["data"] == json.loads(EXAMPLES[one["type"]])
        assert show_id("evt", parse_id("evt", one["id"]) or 0) == one["id"]
