"""Whatever JSON comes, the answer is a promise or a problem, never a mistake of ours."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.api.orders import BatchIn, OrderIn
from bridge.api.problems import CATALOGUE

from .conftest import Live

TO = "+48600700800"
LOOKS = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# Any JSON, and the words that mean something here.
WORDS = st.sampled_from(
    [TO, "600700800", "gsm7", "ucs2", "auto", "binary", "wap_push", "text", "urgent", "one", "Shop", "0003c8", "AAAA",
     "2030-01-01T12:30:00Z", "9999-12-31T23:59:59.999999Z", "http://x", "", "\0", "ż", "\U0001f600", "7001ff"]
)  # fmt: skip
NUMBERS = st.integers() | st.sampled_from([0, 1, 3, 255, 256, 3600, 2**31, 2**63, -(2**63) - 1, 10**30])
SCALARS = st.none() | st.booleans() | NUMBERS | st.floats(allow_nan=False) | st.text() | WORDS
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
)
FIELDS = sorted(field.encode_name for field in msgspec.structs.fields(OrderIn))
ORDER = st.dictionaries(st.sampled_from(FIELDS), SCALARS | ANYTHING, max_size=6).map(
    lambda fields: {"to": TO, "text": "x", **fields}
)
BATCH = st.dictionaries(
    st.sampled_from(sorted(field.encode_name for field in msgspec.structs.fields(BatchIn))), SCALARS, max_size=3
).flatmap(
    lambda fields: st.fixed_dictionaries(
        {}, optional={"to": st.lists(WORDS, max_size=4) | ANYTHING, "messages": st.lists(ORDER, max_size=3) | ANYTHING}
    ).map(lambda forms: {**fields, **forms})
)


def ask(live: Live, path: str, content: bytes) -> None:
    answer = live.send("send", "POST", path, content=content, headers={"Content-Type": "application/json"})
    if answer.status_code in (200, 202):
        return
    problem = answer.json()
    assert answer.status_code in (400, 413, 422), answer.text
    assert problem["code"] in CATALOGUE, problem
    for error in problem["errors"] if problem["code"] not in ("too_many_recipients", "body_too_large") else []:
        assert error["detail"]
        assert error["code"] in CATALOGUE, problem


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


@LOOKS
@given(value=ANYTHING)
def test_any_json(live: Live, value: Any) -> None:
    for path in ("/v1/messages", "/v1/batches", "/v1/messages/preview"):
        ask(live, path, dumped(value))


@LOOKS
@given(order=ORDER)
def test_any_order(live: Live, order: dict[str, Any]) -> None:
    ask(live, "/v1/messages", dumped(order))
    ask(live, "/v1/messages/preview", dumped(order))


@LOOKS
@given(batch=BATCH)
def test_any_batch(live: Live, batch: dict[str, Any]) -> None:
    ask(live, "/v1/batches", dumped(batch))


@LOOKS
@given(
    content=st.binary(max_size=200) | ORDER.map(dumped).flatmap(lambda b: st.integers(0, len(b)).map(lambda n: b[:n]))
)
def test_any_bytes(live: Live, content: bytes) -> None:
    ask(live, "/v1/messages", content)


@LOOKS
@given(query=st.lists(st.tuples(st.text(max_size=8) | st.sampled_from(["limit", "to", "cursor", "since"]), st.text())))
def test_any_query(live: Live, query: list[tuple[str, str | int | float | bool | None]]) -> None:
    for path in ("/v1/messages", "/v1/inbound"):
        answer = live.http.get(path, params=query, headers={"Authorization": f"Bearer {live.secrets['read']}"})
        assert answer.status_code in (200, 400), answer.text


@LOOKS
@given(id=st.text(max_size=20) | st.text(alphabet="0123456789abcdefghjkmnpqrstvwxyz", min_size=13, max_size=13))
def test_any_id(live: Live, id: str) -> None:
    for kind, path in (("msg", "messages"), ("bat", "batches"), ("inb", "inbound"), ("", "channels")):
        for shown in (id, f"{kind}_{id}"):
            quoted = "".join(f"%{b:02x}" for b in shown.encode()) or "%20"
            answer = live.send("read", "GET", f"/v1/{path}/{quoted}")
            assert answer.status_code == 404, (shown, answer.text)
