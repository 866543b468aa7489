"""The metrics keep Prometheus' rules, and what the manual and its alert rules name is really there."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from bridge.model import ChannelSnapshot
from bridge.telemetry import Figures, render_metrics
from drivers.contract import Health, LinkState

MANUAL = Path(__file__).parents[2] / "bridge" / "manual"
HEALTH = Health(state=LinkState.UP, signal_dbm=-71, storage_used=3, storage_size=20)


def families() -> list[tuple[str, str, str, set[str]]]:
    figures = Figures(
        version="1",
        counts={},
        due=0,
        later=0,
        oldest_due_seconds=0.0,
        doubts=0,
        channels=[ChannelSnapshot(id="gsm1", driver="modem", health=HEALTH, since=0)],
        webhooks={"whk_1q3enhrg024se": (3, 1)},
    )
    parsed = text_string_to_metric_families(render_metrics(figures).decode())
    return [(f.name, f.type, f.documentation, {s.name for s in f.samples}) for f in parsed]


def test_names_types_and_help_are_as_promtool_wants_them() -> None:
    for name, kind, about, samples in families():
        assert about.endswith("."), name
        assert re.fullmatch(r"gsmbridge_[a-z0-9_]+", name)
        assert not re.search(r"_(ms|milliseconds|minutes|count|bucket)$", name)
        assert all(s.endswith("_total") for s in samples) == (kind == "counter"), name


def test_every_metric_that_is_named_exists_and_every_one_is_explained() -> None:
    there = {sample for *_, samples in families() for sample in samples}
    page = (MANUAL / "monitoring.md").read_text()
    rules = (MANUAL / "monitoring" / "alerts.yaml").read_text()
    named = set(re.findall(r"`(gsmbridge_\w+)`", page))
    assert named == there
    assert set(re.findall(r"\bgsmbridge_\w+", rules)) <= there
