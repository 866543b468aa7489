"""Which process has a device open: the culprit is named in the message a person reads."""

from __future__ import annotations

import os

__all__ = ["holders", "holders_sentence", "runs"]


def holders(path: str, proc: str = "/proc") -> list[str]:
    """ "ModemManager (process 812)" for every other process that we are allowed to look into."""
    try:
        device = os.stat(path).st_rdev
    except OSError:
        return []
    if not device:
        return []
    others = [pid for pid in os.listdir(proc) if pid.isdigit() and int(pid) != os.getpid()]
    return sorted(
        f"{_name(f'{proc}/{pid}/comm')} (process {pid})" for pid in others if _has_open(f"{proc}/{pid}/fd", device)
    )


_REMEDIES = {
    "ModemManager": "sudo systemctl disable --now ModemManager, or the rule for this modem that modems.md shows",
    "brltty": "sudo apt purge brltty: it takes the adapter for a braille display",
    "gpsd": "sudo systemctl disable --now gpsd.socket gpsd, or USBAUTO=false in /etc/default/gpsd",
    "fwupd": "sudo systemctl stop fwupd, and plug the modem in again",
    "agetty": "sudo systemctl disable --now serial-getty@...: a login prompt runs on this port",
    "minicom": "end minicom",
    "gammu-smsd": "sudo systemctl disable --now gammu-smsd",
    "smsd": "sudo systemctl disable --now smstools",
    "gsmbridge": "that is this gateway: stop it first (sudo systemctl stop gsmbridge)",
}


def holders_sentence(path: str, proc: str = "/proc") -> str:
    """The same as a sentence with the remedy; says what to run when nothing could be seen."""
    if "://" in path:
        return "See what else is connected there."
    names = holders(path, proc)
    if names:
        programs = dict.fromkeys(name.partition(" ")[0] for name in names)
        remedies = [_REMEDIES[program] for program in programs if program in _REMEDIES]
        return " ".join([f"Held by: {', '.join(names)}.", *(f"Remedy: {remedy}." for remedy in remedies)])
    # Other users' open files cannot be seen; that a program runs can.
    suspects = sorted(program for program in ("ModemManager", "brltty", "gpsd") if runs(program, proc))
    if suspects:
        return f"{suspects[0]} runs on this machine and may hold it. Remedy: {_REMEDIES[suspects[0]]}."
    return f"See who holds it with: sudo fuser -v {path}"


def runs(program: str, proc: str) -> bool:
    try:
        return any(pid.isdigit() and _name(f"{proc}/{pid}/comm") == program for pid in os.listdir(proc))
    except OSError:
        return False


def _has_open(folder: str, device: int) -> bool:
    try:
        entries = os.scandir(folder)
    except OSError:  # ended meanwhile, or another user's
        return False
    with entries:
        for entry in entries:
            try:
                if os.stat(entry.path).st_rdev == device:
                    return True
            except OSError:
                continue
    return False


def _name(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip() or "?"
    except OSError:
        return "?"
