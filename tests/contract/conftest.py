from __future__ import annotations

from pathlib import Path

import pytest

from .support import Place


@pytest.fixture(params=["sqlite"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Every test of the suite runs on every kind of store."""
    assert request.param == "sqlite"
    return Place(tmp_path)
