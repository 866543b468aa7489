"""What belongs on the system beside the program: placed whole, valid, and shut as far as it goes."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bridge.placing import PLACED, PlacingError, place, remove, sources
from tests.cli.support import command

ROOT = Path(__file__).parents[2]
UNITS = ("gsmbridge.service", "gsmbridge-usb.service", "gsmbridge-usb.socket")
LEAST_EXPOSED = 1.5  # what S16 of our threat list allows

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


def test_every_file_is_placed_with_its_mode_and_the_program_as_told(tmp_path: Path) -> None:
    placed = list(place(tmp_path, command="/opt/gsmbridge/bin/gsmbridge"))
    assert len(placed) == len(PLACED)
    for path, wanted in zip(placed, PLACED, strict=True):
        assert path.stat().st_mode & 0o777 == wanted.mode
    unit = (tmp_path / "usr/lib/systemd/system/gsmbridge.service").read_text()
    assert "ExecStart=/opt/gsmbridge/bin/gsmbridge run --config /etc/gsmbridge/config.toml\n" in unit


def test_removing_leaves_configuration_and_nothing_of_ours(tmp_path: Path) -> None:
    list(place(tmp_path))
    (tmp_path / "etc/gsmbridge").mkdir(parents=True)
    (tmp_path / "etc/gsmbridge/config.toml").write_text("")
    list(remove(tmp_path))
    left = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*gsmbridge*"))
    assert left == ["etc/gsmbridge"]


def test_no_file_of_the_folders_is_forgotten() -> None:
    there = {str(p.relative_to(ROOT)) for f in ("systemd", "udev") for p in (ROOT / f).iterdir() if p.is_file()}
    assert there <= {placed.source for placed in PLACED}
    data_files = (ROOT / "pyproject.toml").read_text()
    assert all(f'"{source}"' in data_files for source in there)


def test_a_root_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "usr").write_text("a file in the way")
    with pytest.raises(PlacingError, match=r"usr.* cannot be written"):
        list(place(tmp_path))


def test_helpers_of_root_import_the_standard_library_only() -> None:
    for source in ("udev/gsmbridge_port.py", "drivers/modems/usb_helper.py"):
        text = (ROOT / source).read_text()
        assert text.startswith("#!/usr/bin/python3 -I\n")
        assert not re.search(r"^\s*(?:import|from) (?:bridge|drivers|serial|msgspec|pyudev)", text, re.MULTILINE), (
            source
        )


def test_the_command_tells_what_it_placed_and_refuses_a_home_directory(tmp_path: Path) -> None:
    done = command("install", "--root", str(tmp_path), "--command", "/usr/bin/gsmbridge")
    assert done.exit == 0
    assert f"placed  {tmp_path}/usr/lib/udev/rules.d/60-gsmbridge.rules" in done.out
    refused = command("install", "--root", str(tmp_path), "--command", "/home/me/venv/bin/gsmbridge")
    assert refused.exit == 64
    assert "sudo make install" in refused.err


@needs_systemd
def test_units_are_valid(tmp_path: Path) -> None:
    """`systemd-analyze verify` wants the programs to be there: those of a placed tree."""
    for name in UNITS:
        text = (sources() / "systemd" / name).read_text()
        text = re.sub(r"^ExecStart=/\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE)
        text = re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE)
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", *(str(tmp_path / name) for name in UNITS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "gsmbridge" not in done.stderr


@needs_systemd
@pytest.mark.parametrize("name", ["gsmbridge.service", "gsmbridge-usb.service"])
def test_services_are_shut_as_far_as_they_go(name: str) -> None:
    done = subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--offline=true",
            f"--threshold={LEAST_EXPOSED * 10:.0f}",
            str(ROOT / "systemd" / name),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


@pytest.mark.skipif(shutil.which("udevadm") is None, reason="udev is not installed")
def test_udev_rules_are_valid() -> None:
    if subprocess.run(["udevadm", "verify", "--help"], capture_output=True, check=False).returncode:
        pytest.skip("this udev (before 254, so Debian 12's too) cannot verify rules")
    rules = ROOT / "udev/60-gsmbridge.rules"
    done = subprocess.run(["udevadm", "verify", "--resolve-names=late", str(rules)], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
