"""Alert rules fire when they should and not before; rules and dashboard speak only of what is really exported."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Metric

from tests.cli.support import command
from tests.monitoring.support import PROMTOOL, names, needs_promtool

FOLDER = Path(__file__).parents[2] / "bridge" / "manual" / "monitoring"
RULES = FOLDER / "alerts.yaml"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text())
PANELS = [p for p in DASHBOARD["panels"] if p["type"] != "row"]
TARGETS = [(f"{p['title']}/{t['refId']}", t) for p in PANELS for t in p["targets"]]
BY_PROMETHEUS = {"instance", "job", "le"}  # labels that are there beside ours


def expressions() -> Iterator[tuple[str, str]]:
    for name, target in TARGETS:
        yield name, target["expr"]
    yield from re.findall(r"alert: (\w+)\n +expr: (.+)", RULES.read_text())
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]["query"]


@pytest.mark.parametrize(("name", "expression"), list(expressions()))
def test_an_expression_names_only_what_is_exported(families: Mapping[str, Metric], name: str, expression: str) -> None:
    known = names(families)
    metrics = re.findall(r"\bgsmbridge_\w+", expression)
    assert metrics, "it says nothing of the bridge"
    assert set(metrics) <= set(known)
    labels = frozenset.union(*(known[m] for m in metrics)) | BY_PROMETHEUS
    matched = re.findall(r"(\w+)=~?\"", expression)
    grouped = [label for group in re.findall(r"\bby \(([^)]*)\)", expression) for label in group.split(", ")]
    assert {*matched, *grouped} <= labels


@pytest.mark.parametrize(("name", "target"), TARGETS)
def test_a_legend_says_only_labels_that_are_there(
    families: Mapping[str, Metric], name: str, target: dict[str, Any]
) -> None:
    metrics = re.findall(r"\bgsmbridge_\w+", target["expr"])
    labels = frozenset.union(*(names(families)[m] for m in metrics))
    assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= labels


def test_every_metric_is_on_the_dashboard(families: Mapping[str, Metric]) -> None:
    shown = " ".join(expression for _, expression in expressions())
    unseen = {name for name in families if not re.search(rf"\b{name}", shown)}
    assert unseen == set()


def test_the_dashboard_can_be_imported_anywhere() -> None:
    assert DASHBOARD["schemaVersion"] >= 36
    assert DASHBOARD["id"] is None
    variables = {v["name"]: v for v in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    everywhere = json.dumps([DASHBOARD["panels"], *(v for n, v in variables.items() if n != "datasource")])
    assert set(re.findall(r'"uid": "([^"]*)"', everywhere)) == {"${datasource}"}
    used = set(re.findall(r"\$(\w+)", " ".join(t["expr"] for _, t in TARGETS)))
    assert used <= {*variables, "__rate_interval"}
    ids = [p["id"] for p in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))


def test_panels_do_not_overlap() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]


@needs_promtool
def test_promtool_reads_every_expression(tmp_path: Path) -> None:
    """The dashboard's as recording rules, with what Grafana puts in."""
    rules: list[dict[str, Any]] = []
    for number, (_, target) in enumerate(TARGETS):
        expression = re.sub(r"\$\w+", ".*", target["expr"].replace("$__rate_interval", "5m"))
        rules.append({"record": "panel", "expr": expression, "labels": {"number": str(number)}})
    dashboard = tmp_path / "dashboard.json"  # JSON is YAML too
    dashboard.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    for file in (RULES, dashboard):
        found = subprocess.run(
            [str(PROMTOOL), "check", "rules", str(file)], capture_output=True, text=True, check=False
        )
        assert found.returncode == 0, found.stdout + found.stderr
        assert "duplicate" not in found.stdout


@needs_promtool
def test_alerts_fire_when_they_should() -> None:
    cases = Path(__file__).with_name("alerts_test.yaml")
    found = subprocess.run([str(PROMTOOL), "test", "rules", str(cases)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def test_every_alert_has_a_case() -> None:
    alerts = set(re.findall(r"alert: (\w+)", RULES.read_text()))
    assert alerts == set(re.findall(r"alertname: (\w+)", Path(__file__).with_name("alerts_test.yaml").read_text()))


def test_commands_in_alerts_exist() -> None:
    told = set(re.findall(r"gsmbridge ((?:webhook )?[a-z]+)", RULES.read_text()))
    assert told >= {"doctor", "webhook replay"}
    for words in told:
        assert command(*words.split(), "--help").exit == 0, words
