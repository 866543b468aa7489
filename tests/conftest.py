"""What every test leaves as it was."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import settings

# A machine that stalls for a second is no defect of what runs on it. All else stays as the profile in use has it.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """The demo and `run` direct our log elsewhere; the next test on this worker wants to read it again."""
    logger = logging.getLogger("gsmbridge")
    before = (list(logger.handlers), logger.level, logger.propagate)
    yield
    logger.handlers[:], logger.propagate = before[0], before[2]
    logger.setLevel(before[1])
