"""Which process has a device open: the culprit is named in the message a person reads."""

from __future__ import annotations

import os

__all__ = ["holders", "holders_sentence"]


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


def holders_sentence(path: str) -> str:
    """The same as a sentence; says what to run when nothing could be seen."""
    if "://" in path:
        return "See what else is connected there."
    names = holders(path)
    return "Held by: " + ", ".join(names) + "." if names else f"See who holds it with: sudo fuser -v {path}"


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
