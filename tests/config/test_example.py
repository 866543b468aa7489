"""The example is complete, says the defaults, and the manual explains every setting."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from bridge.config import DEFAULT_STATE_DIR, Limits, Modem, Sending, Service, Settings, example, parse
from bridge.config.declared import TABLES

MANUAL = Path(__file__).parents[2] / "bridge" / "manual" / "configuration.md"
EVERY = [(table, name) for table, settings in TABLES.items() for name in settings]


def uncommented() -> str:
    """The example with its commented settings taken in: "#name = value", no space behind the mark."""
    return re.sub(r"^#(?=[a-z\[])", "", example(), flags=re.MULTILINE)


def test_the_example_parses_to_the_defaults() -> None:
    assert parse(example(), read_secret=None) == Settings() == parse("", read_secret=None)


def test_the_example_holds_every_setting_once() -> None:
    document = tomllib.loads(uncommented())
    found = [(table, name) for table in ("service", "limits", "sending") for name in document[table]]
    found += [("modem", name) for name in document["modem"][0]]
    assert sorted(found) == sorted(EVERY)


def test_every_sample_of_the_example_is_a_value_the_setting_takes() -> None:
    # The two ways to a PIN exclude each other; each is tried without the other.
    for other in ("pin_file", "pin_credential"):
        text = re.sub(rf"^{other} = .*$", "", uncommented(), flags=re.MULTILINE)
        settings = parse(text, read_secret=lambda kind, name: "1234")
        assert settings.modems[0].pin is not None
        assert settings.service.state_dir == DEFAULT_STATE_DIR


@pytest.mark.parametrize(
    ("table", "kind"), [("service", Service), ("limits", Limits), ("sending", Sending), ("modem", Modem)]
)
def test_every_field_can_be_set_and_every_setting_has_a_field(table: str, kind: type[msgspec.Struct]) -> None:
    names = set(TABLES[table])
    if table == "modem":
        names = names - {"pin_file", "pin_credential"} | {"pin"}
    assert names == set(kind.__struct_fields__)


@pytest.mark.parametrize(("table", "name"), EVERY, ids=[f"{t}.{n}" for t, n in EVERY])
def test_the_manual_explains_the_setting(table: str, name: str) -> None:
    section = MANUAL.read_text().split(f"## `[{'[modem]' if table == 'modem' else table}]`")[1].split("\n## ")[0]
    assert f"`{name}`" in section


@pytest.mark.parametrize(("table", "name"), [e for e in EVERY if TABLES[e[0]][e[1]].default])
def test_the_manual_names_the_default(table: str, name: str) -> None:
    section = MANUAL.read_text().split(f"## `[{'[modem]' if table == 'modem' else table}]`")[1].split("\n## ")[0]
    row = next(line for line in section.splitlines() if line.startswith(f"| `{name}`"))
    assert f"`{TABLES[table][name].default}`" in row
