"""The transcripts: all can be read, none lies about unused, and every scenario of the reference has one."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.simulator.scenario import Scenario
from tests.drivers.support import TRANSCRIPTS

FILES = sorted(TRANSCRIPTS.rglob("*.at"))
TESTS = "\n".join(file.read_text(encoding="utf-8") for file in sorted(Path(__file__).parent.glob("test_*.py")))


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_transcript_is_readable_named_and_played(file: Path) -> None:
    scenario = Scenario.parse(file.read_text(encoding="utf-8"))
    assert scenario.name == file.stem
    assert scenario.must
    assert scenario.steps
    name = f"{file.parent.name}/{file.stem}"
    assert name in TESTS or f'"{file.stem}"' in TESTS or name == "sending/E2A" or name == "sending/E2B"


# Every fault scenario, by its number: where its transcript is.
SCENARIOS = {
    **{f"F{n:02}": "framing" for n in range(1, 16)},
    **{f"P{n:02}": "sim" for n in range(1, 13)},
    **{f"S{n:02}": "sending" for n in range(1, 37)},
    **{f"R{n:02}": "reports" for n in range(1, 18)},
    **{f"I{n:02}": "inbound" for n in range(1, 33)},
    **{f"U{n:02}": "ussd" for n in range(1, 6)},
    **{f"H{n:02}": "health" for n in range(1, 11)},
}


def test_every_fault_scenario_has_its_transcript() -> None:
    assert len(SCENARIOS) == 127
    there = {(file.stem, file.parent.name) for file in FILES}
    assert set(SCENARIOS.items()) - there == set()
