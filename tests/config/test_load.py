"""Files and environment: what is read, what is refused, where it is looked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.config import ConfigError, load

MODEM = '[[modem]]\nid = "gsm1"\nport = "/dev/ttyUSB0"\n'


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_pin_file_of_mode_0600_is_read(tmp_path: Path) -> None:
    pin = written(tmp_path / "pin", "1234\n")
    settings = load(written(tmp_path / "c.toml", f'{MODEM}pin_file = "{pin}"'))
    found = settings.modems[0].pin
    assert found is not None
    assert found.reveal() == "1234"
    assert settings.source == tmp_path / "c.toml"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o610])
def test_a_pin_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    pin = written(tmp_path / "pin", "1234", mode)
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path / "c.toml", f'{MODEM}pin_file = "{pin}"'))
    assert f"chmod 600 {pin}" in str(caught.value)
    assert caught.value.source == tmp_path / "c.toml"


def test_a_program_that_needs_no_secrets_is_not_stopped_by_them(tmp_path: Path) -> None:
    config = written(tmp_path / "c.toml", f'{MODEM}pin_file = "{tmp_path}/nothing"')
    assert load(config, secrets=False).modems[0].pin is None
    with pytest.raises(ConfigError, match="No such file"):
        load(config)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"#" * ((1 << 20) + 1)], ids=["no UTF-8", "too large"])
def test_a_file_that_cannot_be_a_configuration_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"c\.toml"):
        load(path)


def test_a_missing_file_is_told_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"c\.toml cannot be read: No such file"):
        load(tmp_path / "c.toml")


def asked(code: str, **environment: str) -> str:
    """What `code` prints in a process of its own with this environment."""
    script = f"import os\nfrom bridge.config import *\n{code}"
    bare = {"PATH": os.environ["PATH"], "HOME": "/home/nobody", **environment}
    return subprocess.run([sys.executable, "-c", script], env=bare, check=True, capture_output=True, text=True).stdout


def test_a_pin_comes_from_a_systemd_credential(tmp_path: Path) -> None:
    (tmp_path / "creds").mkdir()
    written(tmp_path / "creds" / "sim", "4321", 0o440)  # systemd's own mode; the directory is private
    config = written(tmp_path / "c.toml", f'{MODEM}pin_credential = "sim"')
    code = f"print(load(Path({str(config)!r})).modems[0].pin.reveal())"
    code = "from pathlib import Path\n" + code
    assert asked(code, CREDENTIALS_DIRECTORY=str(tmp_path / "creds")) == "4321\n"
    refused = "from pathlib import Path\ntry:\n    load(Path({!r}))\nexcept ConfigError as error:\n    print(error)"
    assert "LoadCredential=sim:" in asked(refused.format(str(config)))


def test_the_first_configuration_that_exists_is_taken(tmp_path: Path) -> None:
    config = written(tmp_path / "named.toml", "[limits]\nmax_parts = 3")
    code = "s = load()\nprint(s.source, s.limits.max_parts)"
    assert asked(code, GSMBRIDGE_CONFIG=str(config)) == f"{config} 3\n"
    assert asked(code, GSMBRIDGE_CONFIG=str(tmp_path / "none")) == "None 10\n"


@pytest.mark.parametrize(
    ("root", "environment", "expected"),
    [
        (True, {}, "/var/lib/gsmbridge"),
        (False, {}, "/home/nobody/.local/state/gsmbridge"),
        (False, {"XDG_STATE_HOME": "/s"}, "/s/gsmbridge"),
        (False, {"STATE_DIRECTORY": "/var/lib/other:/more"}, "/var/lib/other"),
    ],
)
def test_where_the_state_lives(root: bool, environment: dict[str, str], expected: str) -> None:
    become = "os.seteuid(65534)\n" if not root and os.geteuid() == 0 else ""
    if root != (os.geteuid() == 0) and os.geteuid() != 0:
        pytest.skip("needs root to be root")
    assert asked(f"{become}print(load().service.state_dir)", GSMBRIDGE_CONFIG="/none", **environment) == f"{expected}\n"
