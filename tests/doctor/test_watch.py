"""One line and an exit status, as the Nagios plug-in guidelines want them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bridge.doctor.thresholds import Level, Measure, judge
from tests.cli.support import Result, command
from tests.flows.gateway import gateway


@pytest.mark.parametrize(
    ("channels", "value", "level"),
    [
        ({"a": "up"}, 1, Level.OK),
        ({"a": "up", "b": "down"}, 0, Level.WARNING),
        ({"a": "down"}, 0, Level.CRITICAL),
        ({}, 0, Level.OK),
        ({"a": "up", "b": "paused"}, 0, Level.WARNING),
        ({"a": "paused"}, 0, Level.CRITICAL),
        ({"a": "up"}, 2, Level.WARNING),
        ({"a": "up", "b": "down"}, 11, Level.CRITICAL),
    ],
)
def test_the_worst_decides(channels: dict[str, str], value: float, level: Level) -> None:
    assert judge(channels, [Measure(name="queue", value=value, warning=1, critical=10)])[0] is level


def test_who_is_down_and_who_is_paused_is_named_apart() -> None:
    _, told = judge({"a": "up", "b": "paused", "c": "down"}, [])
    assert told == "GSMBRIDGE WARNING - 1 of 3 channels up, down: c, paused: b"


def test_thresholds_in_the_wrong_order_are_unknown(tmp_path: Path) -> None:
    """Not OK for ever."""
    result = command("check", "--nagios", "--age-warning", "60", "--age-critical", "30", "--config", tmp_path / "none")
    assert result.exit == 3
    assert "--age-warning 60 is above --age-critical 30" in result.out


def test_a_worry_is_a_warning_in_words() -> None:
    level, told = judge({"a": "up"}, [], worries=["canary missed"])
    assert level is Level.WARNING
    assert "canary missed" in told
    assert judge({"a": "down"}, [], worries=["canary missed"])[0] is Level.CRITICAL


def test_a_service_that_does_not_run_is_critical(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[service]\nstate_dir = "{tmp_path}/state"\n')
    result = command("check", "--nagios", "--config", config)
    assert (result.exit, result.out.count("\n")) == (2, 1)
    assert result.out.startswith("GSMBRIDGE CRITICAL - ")


def test_a_configuration_that_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    assert command("check", "--nagios", "--config", tmp_path / "none").exit == 3


def test_the_running_service_gives_its_figures(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[service]\nstate_dir = "{tmp_path}/state"\n')

    async def ask() -> Result:
        async with gateway(tmp_path):
            result = await asyncio.to_thread(command, "check", "--nagios", "--config", config)
            told = await asyncio.to_thread(command, "check", "-o", "json", "--config", config)
            assert (told.json["level"], told.json["channels"]) == ("ok", {"modem0": "up"})
            assert told.json["measures"]["webhook_age"] == {"value": 0, "warning": 600, "critical": 7200}
            return result

    result = asyncio.run(ask())
    assert result.exit == 0, result.out + result.err
    assert "webhook_age=0s;600;7200;0" in result.out
    assert result.out.startswith("GSMBRIDGE OK - 1 of 1 channels up | channels_up=1;;;0;1 queue=0;1000;10000;0 ")
