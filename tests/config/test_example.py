"""The example is complete, says the defaults, and the manual explains every setting."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from bridge.config import (
    DEFAULT_STATE_DIR,
    InboundRule,
    InboundSettings,
    Limits,
    Mail,
    Modem,
    Provider,
    Route,
    Sending,
    Service,
    Settings,
    Timing,
    Webhooks,
    example,
    parse,
)
from bridge.config.declared import LISTS, TABLES

MANUAL = Path(__file__).parents[2] / "bridge" / "manual" / "configuration.md"
EVERY = [(table, name) for table, settings in TABLES.items() for name in settings]


def uncommented() -> str:
    """The example with its commented settings taken in: "#name = value", no space behind the mark."""
    return re.sub(r"^#(?=[a-z\[])", "", example(), flags=re.MULTILINE)


def test_the_example_parses_to_the_defaults() -> None:
    assert parse(example(), read_secret=None) == Settings() == parse("", read_secret=None)


def test_the_example_holds_every_setting_once() -> None:
    document = tomllib.loads(uncommented())
    found = [
        (table, name)
        for table in ("service", "limits", "sending", "timing", "inbound", "webhooks", "mail", "canary")
        for name in document[table]
    ]
    found += [(table, name) for table in LISTS for name in document[table][0]]
    # Settings of a driver, which are its own affair, are shown by two of them.
    assert sorted(found) == sorted([*EVERY, ("provider", "username"), ("provider", "password_file")])


def test_every_sample_of_the_example_is_a_value_the_setting_takes() -> None:
    # The two ways to a secret exclude each other; each is tried without the other.
    for other in ("file", "credential"):
        text = re.sub(
            rf"^(pin|callback_token)_{other} = .*$|^password_{other} = .*mail.*$", "", uncommented(), flags=re.MULTILINE
        )
        text = text.replace("allow_programs = false", "allow_programs = true")
        settings = parse(text, read_secret=lambda kind, name: "1234" if "pin" in name else "1234567890abcdef")
        assert settings.modems[0].pin is not None
        assert settings.providers[0].callback_secret is not None
        assert settings.providers[0].options["password"] == "1234567890abcdef"
        assert settings.routes[0].channels == ("modems", "providers")
        assert settings.service.state_dir == DEFAULT_STATE_DIR


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        ("service", Service),
        ("limits", Limits),
        ("sending", Sending),
        ("timing", Timing),
        ("webhooks", Webhooks),
        ("mail", Mail),
        ("modem", Modem),
        ("provider", Provider),
        ("route", Route),
        ("inbound", InboundSettings),
        ("inbound_rule", InboundRule),
    ],
)
def test_every_field_can_be_set_and_every_setting_has_a_field(table: str, kind: type[msgspec.Struct]) -> None:
    names = set(TABLES[table])
    if table == "modem":
        names = names - {"pin_file", "pin_credential"} | {"pin"}
    if table == "mail":
        names = names - {"password_file", "password_credential"} | {"password"}
    if table == "provider":
        names = names - {"callback_token_file", "callback_token_credential"} | {"callback_secret", "options"}
    assert names == set(kind.__struct_fields__)


def section_of(table: str) -> str:
    heading = f"[{table}]" if table in LISTS else table
    return MANUAL.read_text().split(f"## `[{heading}]`")[1].split("\n## ")[0]


@pytest.mark.parametrize(("table", "name"), EVERY, ids=[f"{t}.{n}" for t, n in EVERY])
def test_the_manual_explains_the_setting(table: str, name: str) -> None:
    assert f"`{name}`" in section_of(table)


@pytest.mark.parametrize(("table", "name"), [e for e in EVERY if TABLES[e[0]][e[1]].default])
def test_the_manual_names_the_default(table: str, name: str) -> None:
    row = next(line for line in section_of(table).splitlines() if line.startswith(f"| `{name}`"))
    assert f"`{TABLES[table][name].default}`" in row
