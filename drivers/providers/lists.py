"""Whether texts may have gone in lists lately, also by an account whose lists have been switched off since."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

__all__ = ["REMEMBERED", "ListsMark"]

REMEMBERED = 3 * 86_400.0  # seconds; longer than any doubt is open


class ListsMark:
    """A file in the state directory whose time is that of the last list. Texts in lists have no id of their own, so
    that "not found" proves nothing of a text that may have gone in one; and which did is known until a restart only."""

    def __init__(self, path: Path | None, *, wall: Callable[[], float] = time.time) -> None:
        """`path` None: nothing is remembered."""
        self._path = path
        self._wall = wall

    def sent(self) -> None:
        """A list is on its way."""
        if self._path is not None:
            with suppress(OSError):  # a full disk; then the option itself must do
                self._path.touch()

    def recent(self) -> bool:
        try:
            age = self._wall() - self._path.stat().st_mtime if self._path is not None else REMEMBERED
        except OSError:
            return False
        return age < REMEMBERED
