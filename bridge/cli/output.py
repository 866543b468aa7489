"""What is printed: tables for people, JSON for programs.

Texts and senders come from strangers: nothing is printed before control characters and direction marks are made
visible, so that no text message can move the cursor, change the window's title or turn a number around.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

__all__ = ["Form", "clean", "clock", "count", "document", "line", "moment", "nearest", "pairs", "table"]


class Form(StrEnum):
    TABLE = "table"
    JSON = "json"


# C0 and C1 controls, DEL, line separators, and the marks that change the direction of writing.
_DANGEROUS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
_DANGEROUS_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")


def clean(text: str, *, lines: bool = False) -> str:
    """The text with everything that a terminal would obey made visible. `lines`: keep line feeds."""
    return _DANGEROUS.sub(
        lambda m: "\n" if lines and m[0] == "\n" else "␤" if m[0] == "\n" else f"\\x{ord(m[0]):02x}", text
    )


def document(value: Any) -> None:
    """One JSON document."""
    _write(_json(value, indent=2))


def nearest(quota: Sequence[Mapping[str, Any]]) -> str:
    """The limit of a channel that is used up most: "80 of 100 a day"."""
    if not quota:
        return ""
    q = max(quota, key=lambda q: q["used"] / q["limit"])
    return f"{q['used']} of {q['limit']} {str(q['name']).replace('_', ' ').replace(' per ', ' a ')}"


def line(value: Any) -> None:
    """One JSON line of a stream, out at once."""
    _write(_json(value, indent=None))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Columns and rows; `empty` when there is none. The last column takes what room is left."""
    from rich.table import Table
    from rich.text import Text

    shown = [[_cell(value) for value in row] for row in rows]
    if not shown:
        print(empty, file=sys.stderr)
        return
    grid = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for index, name in enumerate(columns):
        grid.add_column(name, no_wrap=index < len(columns) - 1, overflow="fold")
    for row in shown:
        grid.add_row(*(Text(value) for value in row))
    console = _console()
    # Caught and written by ourselves: rich would leave with 1 when the reader has left.
    with console.capture() as drawn:
        console.print(grid)
    _write(drawn.get().removesuffix("\n"))


def pairs(values: Mapping[str, object]) -> None:
    """Names and values, one a line; what is not known is left out."""
    shown = {name: _cell(value) for name, value in values.items() if value not in (None, "", [], {})}
    width = max((len(name) for name in shown), default=0)
    for name, value in shown.items():
        _write(f"{name:<{width}}  {value}")


def moment(value: str | None) -> str:
    """An instant of the API as this machine's local time, for people."""
    if not value:
        return ""
    return datetime.fromisoformat(value).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def clock(value: str | None) -> str:
    """The same with milliseconds and without the date."""
    if not value:
        return ""
    return datetime.fromisoformat(value).astimezone().strftime("%H:%M:%S.%f")[:-3]


def count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{clean(str(k))}={_cell(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_cell(v) for v in value)
    return clean(str(value))


def _json(value: Any, *, indent: int | None) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _DANGEROUS_IN_JSON.sub(lambda m: f"\\u{ord(m[0]):04x}", text)


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _console() -> Any:
    from rich.console import Console

    # A file or a pipe has no width: there a line is as long as it must be.
    width = None if sys.stdout.isatty() else 100_000
    return Console(width=width, markup=False, highlight=False, emoji=False, soft_wrap=width is not None)
