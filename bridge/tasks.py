"""The lasting tasks of the service."""

from __future__ import annotations

import asyncio

__all__ = ["Tasks"]


class Tasks:
    """The service's lasting tasks. One that fails ends the service: half a service would drop texts in silence."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._owner: asyncio.Task[object] | None = None
        self._failure: BaseException | None = None
        self._leaving = False

    async def __aenter__(self) -> Tasks:
        self._owner = asyncio.current_task()
        return self

    def start(self, work: object, name: str) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        task.set_name(name)
        task.add_done_callback(self._ended)
        self._tasks.add(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self._leaving or task.cancelled():
            return
        self._failure = task.exception() or RuntimeError(f"{task.get_name()} ended by itself")
        if self._owner is not None:
            self._owner.cancel()

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        self._leaving = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._failure is not None:
            if self._owner is not None:
                self._owner.uncancel()
            raise self._failure
