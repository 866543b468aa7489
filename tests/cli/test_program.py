"""The program as a whole: help, manual, configuration commands, how it ends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from bridge.cli.exits import Exit, Stop
from bridge.cli.program import program
from tests.cli.support import Service, command

MANUAL = (Path(__file__).parents[2] / "bridge" / "manual" / "cli.md").read_text()


def commands(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words that call it."""
    group = typer.main.get_command(program) if group is None else group
    for name, one in group.commands.items():
        if hasattr(one, "commands"):
            yield from commands(one, (*path, name))
        else:
            yield (*path, name), one


EVERY = list(commands())
SHARED = {"--config", "-c", "--url", "--key-file", "--output", "-o", "--help", "-h"}


def real(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    code = "import sys; from bridge.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(("path", "one"), EVERY, ids=[" ".join(path) for path, _ in EVERY])
def test_every_command_has_help_and_stands_in_the_manual_with_its_options(path: tuple[str, ...], one: Any) -> None:
    told = command(*path, "--help")
    assert told.exit == Exit.OK
    assert "Usage: gsmbridge " + " ".join(path) in told.out
    heading = f"### `gsmbridge {' '.join(path)}`\n"
    assert heading in MANUAL
    section = MANUAL.split(heading)[1].split("\n### ")[0].split("\n## ")[0]
    for parameter in one.params:
        for name in (*parameter.opts, *parameter.secondary_opts):
            if name.startswith("-") and name not in SHARED:
                assert f"`{name}" in section, f"{name} of {' '.join(path)} is missing in cli.md"
        if parameter.param_type_name == "option":
            assert parameter.help or parameter.opts == ["--help"], f"{parameter.opts} has no help"


@pytest.mark.parametrize(("path", "one"), EVERY, ids=[" ".join(path) for path, _ in EVERY])
def test_every_command_speaks_json(path: tuple[str, ...], one: Any) -> None:
    # `run` prints nothing but its log, the others speak the language of transcripts.
    other = (("run",), ("modem", "record"), ("modem", "replay"))
    assert ("--output" in {name for p in one.params for name in p.opts}) == (path not in other)


@pytest.mark.parametrize("exit", list(Exit), ids=lambda e: e.name)
def test_every_exit_status_stands_in_the_manual(exit: Exit) -> None:
    assert re.search(rf"^\| {exit.value} \| ", MANUAL, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(SHARED - {"-h", "--help"}))
def test_the_shared_options_stand_in_the_manual(name: str) -> None:
    assert f"`{name}" in MANUAL


def test_no_command_shows_the_help() -> None:
    told = real()
    assert "Commands:" in told.stdout + told.stderr
    assert real("--version").stdout.startswith("gsmbridge 0.")


@pytest.mark.parametrize("arguments", [("fly",), ("send", "--to"), ("ls", "-n", "x"), ("key",), ("modem", "info")])
def test_a_wrong_command_line_is_64(arguments: tuple[str, ...]) -> None:
    assert command(*arguments).exit == Exit.USAGE


def test_a_bug_is_said_in_a_line_without_a_traceback(service: Service, tmp_path: Path) -> None:
    # A library that fails as no library should: an import that raises.
    (tmp_path / "httpx.py").write_text("raise RuntimeError('boom')")
    environment = {"PYTHONPATH": f"{tmp_path}:{os.getcwd()}", "GSMBRIDGE_CONFIG": str(service.config)}
    broken = real("ls", **environment)
    assert broken.returncode == Exit.INTERNAL
    assert "this is a bug of ours: RuntimeError: boom" in broken.stderr
    assert "Traceback" not in broken.stderr
    shown = real("ls", **environment, GSMBRIDGE_DEBUG="1")
    assert "Traceback" in shown.stderr


def test_a_reader_that_leaves_is_no_failure(service: Service) -> None:
    for n in range(3):
        service.receive(f"text {n}")
    code = "import sys; from bridge.cli import main; sys.exit(main())"
    line = f"{sys.executable} -c '{code}' inbox --config {service.config} | true; echo ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=True)
    assert (ended.stdout, ended.stderr) == ("0\n", "")


def test_what_a_message_says_cannot_command_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    Stop(Exit.DATA, "a\x1b[31mb", "c\x07d").tell()
    assert capfd.readouterr().err == "gsmbridge: a\\x1b[31mb\nc\\x07d\n"


# --- config -----------------------------------------------------------------------------------------------------------


def test_three_mistakes_are_all_named(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[service]\nlisen = "x"\n[limits]\nmax_parts = 0\n[[modem]]\nid = "a"\nport = "COM1"\n')
    checked = command("config", "check", file)
    assert checked.exit == Exit.CONFIG
    assert "has 3 mistakes" in checked.err
    for piece in ("line 2: service.lisen", "line 4: limits.max_parts", "line 7: modem[0].port"):
        assert piece in checked.err
    as_json = command("config", "check", file, "-o", "json")
    assert as_json.exit == Exit.CONFIG
    assert [p["at"] for p in as_json.json["problems"]] == ["service.lisen", "limits.max_parts", "modem[0].port"]
    # Nothing that needs the configuration starts with it.
    for arguments in (("run",), ("ls",), ("config", "show")):
        assert command(*arguments, "--config", file).exit == Exit.CONFIG


def test_a_profile_that_no_modem_has_is_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[[modem]]\nid = "a"\nport = "/dev/x"\nprofile = "huwei"\n')
    checked = command("config", "check", file)
    assert checked.exit == Exit.CONFIG
    assert "modem[0].profile" in checked.err
    assert "huawei" in checked.err


def test_the_example_is_good(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text(command("config", "example").out)
    checked = command("config", "check", file)
    assert checked.exit == Exit.OK
    assert checked.out == f"{file}: good, 0 modems.\n"
    assert command("config", "example", "-o", "json").json["toml"] == file.read_text()


def test_show_hides_the_pin(tmp_path: Path) -> None:
    pin = tmp_path / "pin"
    pin.write_text("9753")
    pin.chmod(0o600)
    file = tmp_path / "c.toml"
    file.write_text(f'[[modem]]\nid = "a"\nport = "/dev/x"\npin_file = "{pin}"\n')
    for form in ("table", "json"):
        shown = command("config", "show", "--config", file, "-o", form)
        assert shown.exit == Exit.OK
        assert "9753" not in shown.out + shown.err
    assert "modem[0].port" in command("config", "show", "--config", file).out


def test_run_without_a_configuration_says_where_to_begin() -> None:
    told = real("run", GSMBRIDGE_CONFIG="/nowhere/c.toml")
    assert told.returncode == Exit.CONFIG
    assert "gsmbridge config example > /nowhere/c.toml" in told.stderr


def test_simulated_modems_of_a_kind_nobody_knows() -> None:
    refused = command("simulate", "--profile", "nokia")
    assert refused.exit == Exit.USAGE
    assert "generic" in refused.err
