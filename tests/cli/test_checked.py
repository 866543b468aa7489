"""What only the drivers know of a configuration: names and types of an account's settings, addresses, what belongs
together. All mistakes at once, no secret shown."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bridge.cli.exits import Exit
from drivers.registry import PROVIDERS, options_of
from tests.cli.support import command

MANUAL = (Path(__file__).parents[2] / "bridge" / "manual" / "providers.md").read_text()
KEY = "4bC5" * 10
GOOD = {
    "serwersms": "username = 'shop'\npassword_file = '{secret}'",
    "freshmail": "api_key_file = '{secret}'\napi_secret_file = '{secret}'",
    "clickatell": "api_id = 12\nuser = 'shop'\npassword_file = '{secret}'",
    "mobizon": "api_key_file = '{secret}'",
    "smsc": "login = 'shop'\npassword_file = '{secret}'",
}


def written(directory: Path, *accounts: str) -> Path:
    secret = directory / "secret"
    secret.write_text(KEY + "\n")
    secret.chmod(0o600)
    file = directory / "c.toml"
    file.write_text("\n".join(one.replace("{secret}", str(secret)) for one in accounts))
    return file


def account(driver: str, settings: str, id: str = "cloud1") -> str:
    return f"[[provider]]\nid = '{id}'\ndriver = '{driver}'\n{settings}\n"


def problems(file: Path) -> list[dict[str, Any]]:
    checked = command("config", "check", file, "-o", "json")
    assert checked.exit == Exit.CONFIG, checked.out
    assert KEY not in checked.out
    found: list[dict[str, Any]] = checked.json["problems"]
    return found


def test_every_driver_has_an_account_that_is_good(tmp_path: Path) -> None:
    assert set(GOOD) == set(PROVIDERS)
    file = written(tmp_path, *(account(name, settings, id=name) for name, settings in GOOD.items()))
    checked = command("config", "check", file)
    assert (checked.exit, checked.err) == (Exit.OK, "")
    assert checked.out == f"{file}: good, 0 modems, 5 provider accounts.\n"


@pytest.mark.parametrize("driver", PROVIDERS)
def test_an_address_that_is_not_https_is_refused_unless_it_is_this_machine(tmp_path: Path, driver: str) -> None:
    settings = f"{GOOD[driver]}\nurl = 'http://sms.example.org'"
    (found,) = problems(written(tmp_path, account(driver, settings)))
    assert found["at"] == "provider[0].url"
    assert "https" in found["detail"]
    for address in ("http://127.0.0.1:9", "https://sms.example.org"):
        file = written(tmp_path, account(driver, f"{GOOD[driver]}\nurl = '{address}'"))
        assert command("config", "check", file).exit == Exit.OK, address


@pytest.mark.parametrize("driver", PROVIDERS)
def test_an_account_without_credentials_is_refused(tmp_path: Path, driver: str) -> None:
    found = problems(written(tmp_path, account(driver, "")))
    assert {f["at"].partition(".")[0] for f in found} == {"provider[0]"}


def test_all_mistakes_are_named_at_once_with_their_lines(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        account("smcs", "login = 'x'"),
        account("smsc", "login = 'x'\npassword_file = '{secret}'\nsendr = 'Shop'\ntz = 'x'", id="b"),
        account("clickatell", "password = 'hunter2'\nuser = 'x'\nurll = 'y'", id="c"),
        account("clickatell", "api_id = 7", id="d"),
        "[[modem]]\nid = 'm'\nport = '/dev/x'\nprofile = 'huwei'",
        "[sending]\nroute = 'modem'",
    )
    assert [(f["at"], f["line"]) for f in problems(file)] == [
        ("provider[0].driver", 3),
        ("provider[1].sendr", 11),
        ("provider[1].tz", 12),
        ("provider[2].password", 17),
        ("provider[2].urll", 19),
        ("provider[3].user", 21),
        ("provider[3].password", 21),
        ("modem[0].profile", 29),
        ("sending.route", 31),
    ]
    said = {f["at"]: f["detail"] for f in problems(file)}
    assert "did you mean smsc?" in said["provider[0].driver"]
    assert "did you mean sender?" in said["provider[1].sendr"]
    assert "expected `int" in said["provider[1].tz"]
    assert "password_file" in said["provider[2].password"]
    assert "password_credential" in said["provider[3].password"]
    assert "hunter2" not in str(said)
    assert command("run", "--config", file).exit == Exit.CONFIG


def test_a_number_may_come_from_a_file(tmp_path: Path) -> None:
    number = tmp_path / "number"
    number.write_text("12345\n")
    number.chmod(0o600)
    settings = f"api_id_file = '{number}'\nuser = 'x'\npassword_file = '{{secret}}'"
    assert command("config", "check", written(tmp_path, account("clickatell", settings))).exit == Exit.OK


@pytest.mark.parametrize("name", ["modem", "nobody"])
def test_only_providers_have_options(name: str) -> None:
    with pytest.raises(KeyError):
        options_of(name)


def test_a_check_loads_no_soap_library(tmp_path: Path) -> None:
    file = written(tmp_path, *(account(name, settings, id=name) for name, settings in GOOD.items()))
    code = (
        f"import sys; from bridge.cli import main; main(['config', 'check', {str(file)!r}]); "
        "print(*(m for m in sys.modules if m.partition('.')[0] in ('zeep', 'lxml')))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[1:] == [""]


@pytest.mark.parametrize("driver", PROVIDERS)
def test_every_setting_of_a_driver_stands_in_the_manual_with_its_default(driver: str) -> None:
    section = MANUAL.split(f"\n## `{driver}`\n")[1].split("\n## ")[0]
    shared = MANUAL.split("\n## Settings of all drivers\n")[1].split("\n## ")[0]
    for field in msgspec.structs.fields(options_of(driver)):
        rows = [line for line in (section + shared).splitlines() if line.startswith(f"| `{field.name}` |")]
        assert len(rows) == 1, field.name
        if isinstance(field.default, bool | int | float):
            assert f"| `{str(field.default).lower()}` |" in rows[0], field.name
        elif isinstance(field.default, str) and field.default:
            assert f'| `"{field.default}"` |' in rows[0], field.name
        if field.required:
            assert "Required." in rows[0], field.name
