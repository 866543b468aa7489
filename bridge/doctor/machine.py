"""Looks at the machine: files, ports, processes. Changes nothing; what cannot be seen is left out."""

from __future__ import annotations

import grp
import json
import os
import pwd
import stat
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bridge.doctor.facts import Guard, Port, State
from drivers.modems.discovery import candidates
from drivers.modems.holders import holders, holders_sentence, runs
from drivers.modems.usb import UsbTree

__all__ = ["Machine"]

SERVICE_USER = "gsmbridge"
_GRABBERS = ("ModemManager", "brltty")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where it is looked."""

    sys: Path = Path("/sys")
    proc: Path = Path("/proc")

    def ports(self, patterns: Sequence[str]) -> tuple[Port, ...]:
        usb = UsbTree(self.sys)
        return tuple(self._port(port, usb) for port in candidates(tuple(patterns)))

    def devices(self) -> dict[str, str]:
        return UsbTree(self.sys).devices()

    def grabbers(self) -> tuple[str, ...]:
        return tuple(name for name in _GRABBERS if runs(name, str(self.proc)))

    def state(self, directory: Path, ballast: str = "") -> State:
        """`ballast`: the file in it that holds room in reserve."""
        try:
            found = directory.stat()
        except FileNotFoundError:
            return msgspec.structs.replace(_room(directory), mode=None)
        except OSError:
            return State(path=str(directory), mine=False)
        return msgspec.structs.replace(
            _room(directory),
            mode=stat.S_IMODE(found.st_mode),
            owner=_name(found.st_uid),
            mine=os.access(directory, os.R_OK | os.X_OK),
            wide=_wide(directory),
            ballast=_reserved(directory / ballast) if ballast else 0,
        )

    def guard(self, file: Path) -> Guard | None:
        try:
            marks = json.loads(file.read_text(encoding="ascii"))
        except (FileNotFoundError, PermissionError):
            return None
        except (OSError, ValueError) as error:
            return Guard(path=str(file), problem=str(error))
        return Guard(path=str(file), refused=len(marks)) if isinstance(marks, list) else None

    def _port(self, port: str, usb: UsbTree) -> Port:
        device = os.path.realpath(port)
        behind = usb.behind(port)
        group, service_allowed = "", True
        try:
            found = os.stat(device)
            group = grp.getgrgid(found.st_gid).gr_name
            service_allowed = _may(SERVICE_USER, found)
        except (OSError, KeyError):
            pass
        held = tuple(holders(device, str(self.proc)))
        return Port(
            port=port,
            device=device,
            usb="" if behind is None else behind.id,
            group=group,
            allowed=os.access(device, os.R_OK | os.W_OK),
            service_allowed=service_allowed,
            holders=held,
            remedy=holders_sentence(device, str(self.proc)).partition("Remedy: ")[2] if held else "",
            silent=behind is not None and behind.silent,
        )


def _may(user: str, found: os.stat_result) -> bool:
    """Whether that user may read and write; True where there is no such user."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        return True
    mode = found.st_mode
    if found.st_uid == entry.pw_uid:
        return mode & 0o600 == 0o600
    if found.st_gid in os.getgrouplist(user, entry.pw_gid):
        return mode & 0o060 == 0o060
    return mode & 0o006 == 0o006


def _room(directory: Path) -> State:
    """Of the file system that the directory is on, or would be made on."""
    place = next((p for p in (directory, *directory.parents) if p.exists()), Path("/"))
    try:
        told = os.statvfs(place)
    except OSError:
        return State(path=str(directory))
    return State(
        path=str(directory),
        free=told.f_bavail * told.f_frsize,
        size=told.f_blocks * told.f_frsize,
        files=told.f_files,
        files_free=told.f_favail,
        read_only=bool(told.f_flag & os.ST_RDONLY),
    )


def _reserved(file: Path) -> int:
    try:
        return file.stat().st_blocks * 512
    except OSError:
        return 0


def _wide(directory: Path) -> tuple[str, ...]:
    try:
        return tuple(
            sorted(
                e.name for e in os.scandir(directory) if e.is_file(follow_symlinks=False) and e.stat().st_mode & 0o077
            )
        )
    except OSError:
        return ()


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
