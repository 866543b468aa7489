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


def test_every_scenario_of_framing_sending_reports_and_inbound_has_one() -> None:
    names = {file.stem for file in FILES}
    wanted = [
        f"{letter}{n:02}" for letter, count in (("F", 15), ("S", 36), ("R", 17), ("I", 32)) for n in range(1, count + 1)
    ]
    assert [name for name in wanted if name not in names] == []
