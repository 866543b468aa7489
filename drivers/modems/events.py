"""What the AT dialogue tells: each event says what a line, or a few of them, meant."""

from __future__ import annotations

import msgspec

from drivers.modems.commands import Command
from drivers.modems.vocabulary import Final

__all__ = [
    "Answer",
    "BareOk",
    "ChatEvent",
    "Foreign",
    "Held",
    "Late",
    "NotAt",
    "Odd",
    "Prompt",
    "Stale",
    "StuckPrompt",
    "Urc",
]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The outstanding command has ended. `lines`: information and PDU lines in order. `sent`: Ctrl-Z was written."""

    command: Command
    lines: tuple[str, ...]
    final: Final
    sent: bool = False


class Prompt(msgspec.Struct, frozen=True):
    """The modem waits for the PDU."""


class Urc(msgspec.Struct, frozen=True):
    """A notification. `pdu` is set for +CMT, +CDS and +CBM, None when the second line never came."""

    line: str
    pdu: str | None = None


class Late(msgspec.Struct, frozen=True):
    """The result of a send that had been given up. `token` names it."""

    token: str
    line: str
    final: Final | None = None  # None: `line` is its +CMGS


class Held(msgspec.Struct, frozen=True):
    """A result is there, but it may be an older send's. `conclude` when nothing more has come for a while."""


class BareOk(msgspec.Struct, frozen=True):
    """OK without the information line it should follow: an older command's, or the modem has nothing to tell.

    `conclude` when nothing more has come for a while.
    """


class Stale(msgspec.Struct, frozen=True):
    """A line in quarantine. `final` is set for a final result."""

    line: str
    final: Final | None = None


class StuckPrompt(msgspec.Struct, frozen=True):
    """A prompt that nobody asked for: the modem takes everything for message text until ESC comes. Never Ctrl-Z."""


class Foreign(msgspec.Struct, frozen=True):
    """An answer to a question that we did not ask: another program writes to this port."""

    line: str


class NotAt(msgspec.Struct, frozen=True):
    """This port talks something else: "nmea" (positions) or "ppp" (data)."""

    protocol: str


class Odd(msgspec.Struct, frozen=True):
    """Something forgiven, to be counted: "echo", "numeric", "overlong", "unexpected", "extra_lines" ..."""

    what: str
    line: str = ""


ChatEvent = Answer | Prompt | Urc | Late | Held | BareOk | Stale | StuckPrompt | Foreign | NotAt | Odd
