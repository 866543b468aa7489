"""The Debian package in a fresh Debian: it installs, upgrades, removes and purges without a trace."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = ("gsmbridge.service", "gsmbridge-usb.service", "gsmbridge-usb.socket")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("package"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a fresh root"),
    pytest.mark.skipif(shutil.which("debootstrap") is None, reason="debootstrap is not installed"),
]


class Fresh:
    """A Debian of its own in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """In it, with a /proc and namespaces of its own."""
        enter = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'
        return subprocess.run(
            ["unshare", "--mount", "--pid", "--fork", "sh", "-c", enter, str(self.folder), *command],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
        )

    def done(self, *command: str) -> str:
        result = self.run(*command)
        assert result.returncode == 0, f"{command}: {result.stdout[-2000:]}{result.stderr[-2000:]}"
        return result.stdout + result.stderr

    def ours(self) -> list[str]:
        found = self.done(
            "find", "/etc", "/usr", "/var/lib", "/lib", "-name", "*gsmbridge*", "-not", "-path", "*/dpkg/*"
        )
        return sorted(found.split())


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The package of this tree, and the same as a later version."""
    out = tmp_path_factory.mktemp("deb")
    for version in ("0.9.1", "0.9.2"):
        subprocess.run(
            [str(ROOT / "systemd/debian/build.sh"), sys.executable, str(out), version], check=True, capture_output=True
        )
    return sorted(out.glob("*.deb"))


@pytest.fixture(scope="module")
def fresh() -> Iterator[Fresh]:
    suite = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    folder = Path(tempfile.mkdtemp(prefix="gsmbridge-debian-"))  # not pytest's: other users must be able to enter it
    folder.chmod(0o755)
    made = subprocess.run(
        ["debootstrap", "--variant=minbase", "--include=python3,systemd,udev", suite["VERSION_CODENAME"], str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no fresh Debian can be made here: {made.stdout[-300:]}")
    yield Fresh(folder)
    shutil.rmtree(folder, ignore_errors=True)


def test_it_installs_upgrades_removes_and_purges_cleanly(packages: list[Path], fresh: Fresh) -> None:
    for package in packages:
        shutil.copy(package, fresh.folder / "tmp")
    first, second = (f"/tmp/{package.name}" for package in packages)

    fresh.done("dpkg", "-i", first)
    assert fresh.done("gsmbridge", "--version").strip()
    assert "dialout" in fresh.done("id", "gsmbridge")
    assert fresh.done("stat", "-c", "%A %U", "/var/lib/gsmbridge").split() == ["drwx------", "gsmbridge"]
    config = "/etc/gsmbridge/config.toml"
    assert fresh.done("stat", "-c", "%A %G", config).split() == ["-rw-r-----", "gsmbridge"]
    assert "good" in fresh.done("runuser", "-u", "gsmbridge", "--", "gsmbridge", "config", "check", "--config", config)
    said = fresh.done("systemd-analyze", "verify", *(f"/usr/lib/systemd/system/{unit}" for unit in UNITS))
    assert "gsmbridge" not in said
    assert "/etc/systemd/system/multi-user.target.wants/gsmbridge.service" in fresh.ours()

    fresh.done("sh", "-c", f"echo '# by the operator' >> {config}")
    fresh.done("dpkg", "-i", second)
    assert "by the operator" in fresh.done("tail", "-n", "1", config)
    fresh.done("gsmbridge", "--version")

    fresh.done("dpkg", "-r", "gsmbridge")
    assert "/usr/lib/gsmbridge" not in fresh.ours()
    assert "by the operator" in fresh.done("tail", "-n", "1", config)

    fresh.done("dpkg", "-P", "gsmbridge")
    assert fresh.ours() == []
