"""A list that grows and can be awaited: what was taken, asked, or called, each told once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Generic, TypeVar

__all__ = ["Newest", "Trail"]

K = TypeVar("K")
T = TypeVar("T")


class Newest(OrderedDict[K, T]):
    """A mapping that forgets what was set longest ago."""

    def __init__(self, *, keep: int) -> None:
        super().__init__()
        self._keep = keep

    def __setitem__(self, key: K, value: T) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > self._keep:
            self.popitem(last=False)


class Trail(Generic[T]):
    """Oldest first. The newest `keep` are kept; `total` counts all."""

    def __init__(self, *, keep: int) -> None:
        self.total = 0
        self._kept: deque[T] = deque(maxlen=keep)
        self._told = 0
        self._grown = asyncio.Event()

    def append(self, item: T) -> None:
        self.total += 1
        self._kept.append(item)
        self._grown.set()

    async def next(self) -> T:
        """The first item that `next` has not given yet, as soon as there is one."""
        while self._told >= self.total:
            self._grown.clear()
            await self._grown.wait()
        gone = self.total - len(self._kept)
        self._told = max(self._told, gone) + 1
        return self._kept[self._told - 1 - gone]

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[T]:
        return iter(self._kept)

    def __getitem__(self, at: int) -> T:
        return self._kept[at]
