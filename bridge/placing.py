"""Where the files beside the program belong on a Linux system: units, udev rules, users, helpers, the manual.

`gsmbridge install` and the Debian package both place this table, so that neither knows a file the other does not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

__all__ = ["COMMAND", "PLACED", "Placed", "PlacingError", "place", "remove", "sources"]

COMMAND = "/usr/bin/gsmbridge"  # as the units of the source tree name it


class PlacingError(Exception):
    """A file is missing or cannot be written. The message says which and what to do."""


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """`source`: in the source tree. `target`: below the root. `command`: the file names the program's path."""

    source: str
    target: str
    mode: int = 0o644
    command: bool = False


# The helpers that root runs are copies of single files: root must not run what lies in a folder of somebody else.
PLACED = (
    Placed(source="systemd/gsmbridge.service", target="usr/lib/systemd/system/gsmbridge.service", command=True),
    Placed(source="systemd/gsmbridge-usb.service", target="usr/lib/systemd/system/gsmbridge-usb.service"),
    Placed(source="systemd/gsmbridge-usb.socket", target="usr/lib/systemd/system/gsmbridge-usb.socket"),
    Placed(source="systemd/gsmbridge.sysusers", target="usr/lib/sysusers.d/gsmbridge.conf"),
    Placed(source="systemd/gsmbridge.tmpfiles", target="usr/lib/tmpfiles.d/gsmbridge.conf"),
    Placed(source="udev/60-gsmbridge.rules", target="usr/lib/udev/rules.d/60-gsmbridge.rules"),
    Placed(source="udev/gsmbridge_port.py", target="usr/lib/udev/gsmbridge-port", mode=0o755),
    Placed(source="drivers/modems/usb_helper.py", target="usr/libexec/gsmbridge/usb-helper", mode=0o755),
)


def sources() -> Path:
    """The folder that `Placed.source` is relative to: the source tree, or what the wheel brought along.
    Raises `PlacingError`."""
    package = Path(__file__).resolve().parent
    for folder in (package.parent, package.parent / "share/gsmbridge", Path(sys.prefix) / "share/gsmbridge"):
        if (folder / "systemd/gsmbridge.service").is_file():
            return folder
    raise PlacingError("the unit files did not come with this installation; install from the source tree or the wheel")


def place(root: Path, *, command: str = COMMAND, origin: Path | None = None) -> Iterator[Path]:
    """Put every file below `root` and yield where, as it is done; what stands there is replaced as a whole. `command`:
    the program's absolute path on that system. Raises `PlacingError`."""
    base = origin or sources()
    for placed in PLACED:
        source = base / placed.source
        if not source.is_file():
            source = Path(__file__).resolve().parent.parent / placed.source  # a module of the wheel itself
        try:
            content = source.read_text(encoding="utf-8")
        except OSError as error:
            raise PlacingError(f"{source} cannot be read ({error.strerror}); install gsm-bridge anew") from None
        if placed.command:
            content = content.replace(COMMAND, command)
        target = root / placed.target
        beside = target.with_name(f".{target.name}.new")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(content, encoding="utf-8")
            beside.chmod(placed.mode)
            beside.replace(target)
        except OSError as error:
            remedy = "" if os.geteuid() == 0 else "; run it with sudo"
            raise PlacingError(f"{target} cannot be written: {error.strerror}{remedy}") from None
        yield target


def remove(root: Path) -> Iterator[Path]:
    """Take every file away again, and folders of ours that are empty then. Configuration and state stay."""
    for placed in PLACED:
        target = root / placed.target
        try:
            target.unlink(missing_ok=True)
        except OSError as error:
            raise PlacingError(f"{target} cannot be removed: {error.strerror}") from None
        yield target
    ours = root / "usr/libexec/gsmbridge"
    if ours.is_dir() and not any(ours.iterdir()):
        ours.rmdir()
