"""The metrics tell what happened, keep Prometheus' rules, and are those of the manual."""

from __future__ import annotations

import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Metric

from bridge.latency import ARRIVING, POSTING, STORING, SUBMITTING, WAITING, Histogram
from tests.monitoring.conftest import sample
from tests.monitoring.support import PROMTOOL, needs_promtool

MANUAL = Path(__file__).parents[2] / "bridge" / "manual"


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("gsmbridge_channel_up", {"channel": "modem0"}, 1),
        ("gsmbridge_channel_circuit", {"channel": "smsc", "state": "closed"}, 1),
        ("gsmbridge_channel_circuit", {"channel": "smsc", "state": "open"}, 0),
        ("gsmbridge_channel_quota_used", {"channel": "modem0", "limit": "parts_per_day"}, 1),
        ("gsmbridge_channel_quota_limit", {"channel": "modem0", "limit": "parts_per_day"}, 10),
        ("gsmbridge_channel_submissions_total", {"channel": "modem0", "outcome": "accepted"}, 1),
        ("gsmbridge_channel_repair_steps_total", {"channel": "modem0", "rung": "radio", "result": "begun"}, 1),
        ("gsmbridge_channel_repair_steps_total", {"channel": "modem0", "rung": "radio", "result": "cured"}, 1),
        ("gsmbridge_channel_wait_seconds_count", {"channel": "modem0"}, 1),
        ("gsmbridge_channel_submission_seconds_count", {"channel": "modem0"}, 1),
        ("gsmbridge_channel_delivery_seconds_count", {"channel": "modem0"}, 1),
        ("gsmbridge_channel_inbound_seconds_count", {"channel": "modem0"}, 1),
        ("gsmbridge_channel_wait_seconds_count", {"channel": "smsc"}, 1),
        ("gsmbridge_channel_submission_seconds_count", {"channel": "smsc"}, 1),
        ("gsmbridge_channel_delivery_seconds_count", {"channel": "smsc"}, 1),
        ("gsmbridge_webhook_enabled", {}, 1),
        ("gsmbridge_webhook_backlog", {}, 0),
        ("gsmbridge_webhook_dead_letters", {}, 0),
    ],
)
def test_they_tell_what_happened(exported: str, name: str, labels: dict[str, str], value: float) -> None:
    assert sample(exported, name, **labels) == value


@pytest.mark.parametrize("name", ["channel_wait", "channel_submission", "channel_delivery", "channel_inbound"])
def test_times_are_in_seconds(exported: str, name: str) -> None:
    """All of it took less than the test's patience, and some time."""
    assert 0 < sample(exported, f"gsmbridge_{name}_seconds_sum", channel="modem0") < 20


@needs_promtool
def test_promtool_finds_nothing_to_complain_about(exported: str) -> None:
    found = subprocess.run(
        [str(PROMTOOL), "check", "metrics"], input=exported, capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout + found.stderr) == (0, "")


def test_names_types_and_help_are_as_prometheus_wants_them(families: dict[str, Metric]) -> None:
    for name, family in families.items():
        assert family.documentation.endswith("."), name
        assert re.fullmatch(r"gsmbridge_[a-z0-9_]+", name)
        assert not re.search(r"_(ms|milliseconds|minutes|count|bucket)$", name)
        assert family.type in ("gauge", "counter", "histogram")


def test_the_manual_explains_every_metric_and_no_other(families: dict[str, Metric]) -> None:
    explained = set(re.findall(r"`(gsmbridge_\w+)`", (MANUAL / "monitoring.md").read_text()))
    assert explained == {name + ("_total" if family.type == "counter" else "") for name, family in families.items()}


@given(st.lists(st.floats(min_value=-10, max_value=1e6, allow_nan=False), max_size=50))
def test_a_histogram_counts_like_prometheus(values: list[float]) -> None:
    histogram = Histogram((0.1, 1, 60))
    for value in values:
        histogram.observe(value)
    seen = [max(0.0, v) for v in values]
    assert list(histogram.cumulative()) == [(b, sum(v <= b for v in seen)) for b in (0.1, 1, 60, float("inf"))]
    assert histogram.total == pytest.approx(sum(seen))


def test_one_call_with_many_texts_counts_for_each() -> None:
    histogram = Histogram((1,))
    histogram.observe(0.5, 3)
    assert (list(histogram.cumulative()), histogram.total) == ([(1, 3), (float("inf"), 3)], 1.5)


@pytest.mark.parametrize("bounds", [WAITING, SUBMITTING, ARRIVING, STORING, POSTING])
def test_bounds_grow_and_are_few(bounds: tuple[float, ...]) -> None:
    assert all(a < b for a, b in pairwise(bounds))
    assert len(bounds) <= 17
