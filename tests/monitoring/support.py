"""Prometheus' own tool, and the names by which its language knows our metrics."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

import pytest
from prometheus_client import Metric

__all__ = ["PROMTOOL", "names", "needs_promtool"]

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed; .ci/run shows how to get it")

_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


def names(families: Mapping[str, Metric]) -> dict[str, frozenset[str]]:
    """What an expression may name, with the labels that it has there."""
    known: dict[str, frozenset[str]] = {}
    for name, family in families.items():
        labels = frozenset(label for s in family.samples for label in s.labels)
        for suffix in _SUFFIXES[family.type]:
            known[name + suffix] = labels
    return known
