"""Where texts and recipients come from: arguments, standard input, a CSV file. Every mistake at once, with its line."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import IO

import msgspec

from bridge.cli.exits import Exit, Stop

__all__ = ["Recipient", "from_csv", "text_from"]

_MOST_TEXT = 1 << 20  # characters; 255 parts hold 39,015
_MOST_CSV = 256 << 20  # octets, about three million rows
_MOST_MISTAKES = 20  # shown


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    to: str
    text: str | None = None  # None: the text for all
    source: str  # where a person finds it: "list.csv, line 3"


def text_from(argument: str | None, *, needed: bool) -> str | None:
    """The text: the argument, or standard input when the argument is "-" or missing. One line feed at the end, which
    echo adds, is not part of it. `needed` False: without an argument standard input is not touched."""
    if argument is not None and argument != "-":
        return argument
    if argument is None and not needed:
        return None
    if argument is None and sys.stdin.isatty():
        raise Stop(
            Exit.USAGE,
            "there is no text",
            "Give it as an argument or on standard input: echo Hello | gsmbridge send --to +48600700800",
        )
    data = sys.stdin.buffer.read(4 * _MOST_TEXT + 1)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Stop(
            Exit.DATA, f"standard input is no UTF-8 text (octet {error.start})", "Convert it, for instance with iconv."
        ) from None
    if len(text) > _MOST_TEXT:
        raise Stop(Exit.DATA, "standard input is longer than any message", "A message has at most 255 parts.")
    return text.removesuffix("\n").removesuffix("\r")


def from_csv(path: Path) -> list[Recipient]:
    """The rows of a CSV file with the columns `to` and, if each gets its own, `text`. "-" is standard input."""
    if str(path) == "-":
        return _read(sys.stdin, "standard input")
    try:
        if path.stat().st_size > _MOST_CSV:
            raise Stop(Exit.DATA, f"{path} is larger than {_MOST_CSV >> 20} MiB", "Send it in pieces.")
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(file, str(path))
    except FileNotFoundError:
        raise Stop(Exit.NO_INPUT, f"there is no file {path}") from None
    except OSError as error:
        raise Stop(Exit.NO_INPUT, f"{path} cannot be read: {error.strerror}") from None


def _read(file: IO[str], name: str) -> list[Recipient]:
    found: list[Recipient] = []
    mistakes: list[str] = []
    try:
        head = file.readline()
        rows = csv.DictReader(file, fieldnames=_columns(head, name), delimiter=_delimiter(head), strict=True)
        for row in rows:
            at = f"line {rows.line_num + 1}"
            to = (row.get("to") or "").strip()
            if None in row or None in row.values():
                mistakes.append(f"{at}: has {'more' if None in row else 'fewer'} columns than the first line")
            elif not to:
                mistakes.append(f'{at}: the column "to" is empty')
            else:
                found.append(Recipient(to=to, text=row.get("text"), source=f"{name}, {at}"))
    except csv.Error as error:
        mistakes.append(f"it is no CSV: {error}")
    except UnicodeDecodeError:
        mistakes.append("it is no UTF-8 text; convert it, for instance with iconv")
    if mistakes:
        left = len(mistakes) - _MOST_MISTAKES
        listed = "\n".join(f"  {m}" for m in mistakes[:_MOST_MISTAKES]) + (
            f"\n  ... and {left} more" if left > 0 else ""
        )
        raise Stop(Exit.DATA, f"{name} cannot be used, nothing was sent:\n{listed}")
    if not found:
        raise Stop(
            Exit.DATA, f"{name} holds no recipient", "Below the first line, which names the columns, give one a line."
        )
    return found


def _columns(head: str, name: str) -> list[str]:
    columns = [c.strip().lower() for c in next(csv.reader([head], delimiter=_delimiter(head)), [])]
    if "to" not in columns or len(set(columns)) != len(columns):
        raise Stop(
            Exit.DATA,
            f"the first line of {name} must name the columns; it has: {', '.join(columns) or 'nothing'}",
            "Write: to,text",
        )
    unknown = [c for c in columns if c not in ("to", "text")]
    if unknown:
        raise Stop(Exit.DATA, f"{name} has columns that mean nothing here: {', '.join(unknown)}", "Keep to and text.")
    return columns


def _delimiter(head: str) -> str:
    # Spreadsheets write semicolons where the comma is the decimal sign.
    return ";" if ";" in head and "," not in head else ","
