"""`install`: units, udev rules and helpers to their places."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.exits import Exit, Stop
from bridge.cli.options import OutputOption
from bridge.cli.output import Form

__all__ = ["install"]

SYSTEM = Path("/")
HIDDEN = ("/home/", "/root/", "/run/user/")  # ProtectHome= of the unit
# What makes the files known on the running system; each is left out where its program is not there.
MAKE_KNOWN = (
    ("systemd-sysusers", "gsmbridge.conf"),
    ("systemd-tmpfiles", "--create", "gsmbridge.conf"),
    ("systemctl", "daemon-reload"),
    ("udevadm", "control", "--reload"),
    ("udevadm", "trigger", "--subsystem-match=usb", "--subsystem-match=tty", "--action=change"),
)


def install(
    root: Annotated[
        Path, typer.Option("--root", metavar="DIR", help="Below this folder instead of the system's own root.")
    ] = SYSTEM,
    command: Annotated[
        str | None,
        typer.Option("--command", metavar="PATH", help="The program as the unit shall start it. Default: this one."),
    ] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Take the files away again. Configuration and state stay.")
    ] = False,
    output: OutputOption = Form.TABLE,
) -> None:
    """Put the systemd units, udev rules and helpers in their places; on the running system also make them known."""
    from bridge import placing
    from bridge.cli.output import document

    program = command or str(Path(sys.argv[0]).resolve())
    if not program.startswith("/") or any(c.isspace() or c in "%$\\\"'" for c in program):
        raise Stop(
            Exit.USAGE, f"--command: {program!r} is no plain absolute path", "Example: --command /usr/bin/gsmbridge"
        )
    if not remove and program.startswith(HIDDEN):
        raise Stop(
            Exit.USAGE,
            f"{program} lies in a home directory, which the hardened service cannot see",
            "Install it for the whole system first: sudo make install (into /opt/gsmbridge), or the Debian package.",
        )
    done = []
    try:
        for path in placing.remove(root) if remove else placing.place(root, command=program):
            done.append(str(path))
            if output is Form.TABLE:
                print(f"{'removed' if remove else 'placed'}  {path}")
    except placing.PlacingError as error:
        raise Stop(Exit.CANT_CREATE, str(error)) from None
    failed = [" ".join(line) for line in MAKE_KNOWN if not _run(line)] if root.resolve() == SYSTEM else []
    if output is Form.JSON:
        document({"removed" if remove else "placed": done, "failed": failed})
    for line in failed:
        print(f"gsmbridge: `{line}` failed; run it by hand", file=sys.stderr)
    if root.resolve() == SYSTEM and not remove and output is Form.TABLE:
        print(
            "\nNext: write /etc/gsmbridge/config.toml (gsmbridge config example), then"
            "\n  systemctl enable --now gsmbridge-usb.socket gsmbridge.service"
        )
    if failed:
        raise typer.Exit(Exit.TEMPFAIL)


def _run(line: tuple[str, ...]) -> bool:
    if shutil.which(line[0]) is None:
        return True
    try:
        return subprocess.run(line, check=False, timeout=60).returncode == 0  # noqa: S603 - fixed words
    except (OSError, subprocess.TimeoutExpired):
        return False
