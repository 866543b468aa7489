"""What the API has is in its manual and in its OpenAPI text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

import bridge
from bridge.api.accounts import BalanceOut, ListedOut, LookupOut, QuoteOut, SenderOut, SentOut, StatusOut
from bridge.api.channels import Channels
from bridge.api.orders import BatchIn, OrderIn
from bridge.api.problems import CATALOGUE, Problem
from bridge.api.routetest import RouteOut, WayOut
from bridge.api.schedules import OccurrenceOut, ScheduleIn, ScheduleOut
from bridge.api.shapes import ArrivalsOut, ChannelOut, InboundOut, KeyCreated, LeftOut, ModemOut, ReportOut
from bridge.api.story import MessageDetail, PartStatus
from bridge.api.ussd import UssdIn, UssdOut
from bridge.model import AttemptState, Status

from .support import Service, run

SHOWN = [
    *(MessageDetail, InboundOut, ChannelOut, ModemOut, KeyCreated, BatchIn, Problem, ReportOut),
    *(BalanceOut, QuoteOut, SenderOut, StatusOut, SentOut, ListedOut, LookupOut, RouteOut, WayOut),
    *(ScheduleIn, ScheduleOut, OccurrenceOut, UssdIn, UssdOut, LeftOut, ArrivalsOut),
]
MANUAL = (Path(bridge.__file__).parent / "manual" / "api.md").read_text(encoding="utf-8")


def openapi() -> dict[str, Any]:
    async def test(s: Service) -> dict[str, Any]:
        found: dict[str, Any] = (await s.anybody.get("/openapi.json")).json()
        return found

    return run(test)


def test_every_route_is_in_the_manual_with_its_scope() -> None:
    text = openapi()
    rows = re.findall(r"^\| `(GET|POST|PATCH|DELETE) (\S+)` \| (\w+)", MANUAL, re.MULTILINE)
    wanted = []
    for path, methods in text["paths"].items():
        for method, operation in methods.items():
            local = {} in operation["security"] or not operation["security"]
            wanted.append((method.upper(), path, "none" if local else operation["security"][0]["key"][0]))
    assert sorted(rows) == sorted(wanted)
    examples = " ".join(re.findall(r"```sh\n(.*?)```", MANUAL, re.DOTALL))
    for method, path, scope in wanted:
        assert scope == "none" or re.search(_example(path), examples), f"{method} {path} has no example"


def _example(path: str) -> str:
    """A curl command with this path, an id filled in, and nothing behind it but a query."""
    return rf"curl [^\n]*{re.escape(path).replace(re.escape('{id}'), '[a-z0-9_]+')}['?\s]"


def test_every_field_of_an_order_is_in_the_manuals_table() -> None:
    table = MANUAL.partition("### Order one message")[2].partition("### Order many")[0]
    rows = re.findall(r"^\| `(\w+)` \| \S", table, re.MULTILINE)
    assert sorted(rows) == sorted(field.encode_name for field in msgspec.structs.fields(OrderIn))


@pytest.mark.parametrize("shape", SHOWN)
def test_every_field_that_is_shown_is_in_the_manual(shape: type[msgspec.Struct]) -> None:
    for field in msgspec.structs.fields(shape):
        assert re.search(rf'[`"]{field.encode_name}[`"]', MANUAL), f"{shape.__name__}.{field.encode_name}"


def test_every_problem_is_in_the_manual_with_its_status() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d{3}) \| (.+) \|$", MANUAL, re.MULTILINE)
    assert [(code, int(status)) for code, status, _ in rows] == [(c, s.status) for c, s in CATALOGUE.items()]
    for code, _, meaning in rows:
        assert ("retryable" in meaning) == CATALOGUE[code].retryable, code


def test_every_status_is_in_the_manual() -> None:
    for word in ("scheduled", *Status, *PartStatus, *AttemptState):
        assert f"`{word}`" in MANUAL, word


def test_the_openapi_text_names_request_and_answer_of_every_route() -> None:
    text = openapi()
    assert text["openapi"].startswith("3.1")
    schemas = text["components"]["schemas"]

    def check(node: Any) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                assert node["$ref"].removeprefix("#/components/schemas/") in schemas
            for inner in node.values():
                check(inner)
        elif isinstance(node, list):
            for inner in node:
                check(inner)

    check(text)
    ids = set()
    for path, methods in text["paths"].items():
        for method, operation in methods.items():
            ids.add(operation["operationId"])
            assert operation["summary"]
            good = [status for status in operation["responses"] if status.startswith("2")]
            assert len(good) == 1
            assert operation["responses"][good[0]]["content"]
            if method == "post" and not path.endswith(
                ("/cancel", "/revoke", "/remove", "/pause", "/resume", "{id}/test", "/{secret}")
            ):
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                assert schema["$ref"].removeprefix("#/components/schemas/") in schemas
            for status, answer in operation["responses"].items():
                if not status.startswith("2"):
                    assert list(answer["content"]) == ["application/problem+json"]
            names = [p["name"] for p in operation.get("parameters", [])]
            assert ("id" in names) == ("{id}" in path)
    assert len(ids) == sum(len(methods) for methods in text["paths"].values())
    order = schemas["OrderIn"]
    assert order["additionalProperties"] is False
    assert order["required"] == ["to"]
    assert set(order["properties"]) == {field.encode_name for field in msgspec.structs.fields(OrderIn)}
    assert "Idempotency-Key" in [p["name"] for p in text["paths"]["/v1/batches"]["post"]["parameters"]]


def test_answers_have_the_shape_that_the_openapi_text_says() -> None:
    async def test(s: Service) -> None:
        made = await s.order()
        for path, kind in ((f"/v1/messages/{made['id']}", MessageDetail), ("/v1/channels", Channels)):
            answer = await s.client.get(path)
            assert set(answer.json()) == {field.encode_name for field in msgspec.structs.fields(kind)}
            msgspec.json.decode(answer.content, type=kind)

    run(test)
