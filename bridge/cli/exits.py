"""How a command ends: an exit status of sysexits.h, and a message a person can act on."""

from __future__ import annotations

import sys
from enum import IntEnum

__all__ = ["Exit", "Left", "Stop"]


class Exit(IntEnum):
    """The manual's cli.md lists them all."""

    OK = 0
    FAILED = 1  # the command worked, the text did not arrive
    USAGE = 64
    DATA = 65
    NO_INPUT = 66
    UNAVAILABLE = 69
    INTERNAL = 70
    CANT_CREATE = 73
    IO = 74
    TEMPFAIL = 75
    NO_PERMISSION = 77
    CONFIG = 78
    INTERRUPTED = 130


class Left(Exception):
    """End the command with a status that another program has defined: 2 is not for a wrong command line then."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Stop(Exception):
    """End the command. `detail`: what is wrong, `remedy`: what to do about it."""

    def __init__(self, exit: Exit, detail: str, remedy: str = "") -> None:
        super().__init__(detail)
        self.exit = exit
        self.detail = detail
        self.remedy = remedy

    def tell(self) -> None:
        from bridge.cli.output import clean

        print(f"gsmbridge: {clean(self.detail, lines=True)}", file=sys.stderr)
        if self.remedy:
            print(clean(self.remedy, lines=True), file=sys.stderr)
