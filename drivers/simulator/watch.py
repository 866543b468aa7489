"""Who opens and closes a file, told by the kernel (inotify, Linux).

The simulator holds the modem's side of a pty and also the host's, so that the line survives between two programs. It
therefore never sees a hang-up, and learns in this way that a program has gone.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
from collections.abc import Callable

__all__ = ["Watch"]

_OPEN, _CLOSE = 0x20, 0x08 | 0x10  # IN_OPEN; IN_CLOSE_WRITE and IN_CLOSE_NOWRITE
_EVENT = struct.Struct("iIII")  # wd, mask, cookie, length of the name, which is empty for a file


class Watch:
    """Calls back with what has happened to a file since the last time, True for "opened", False for "closed".

    The kernel makes one event of two equal ones in a row. Where inotify is not to be had nothing is ever told.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._library = ctypes.CDLL(None, use_errno=True)
        self._callbacks: dict[int, Callable[[list[bool]], None]] = {}
        try:
            self._descriptor = int(self._library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        except AttributeError:  # not Linux
            self._descriptor = -1
        if self._descriptor >= 0:
            loop.add_reader(self._descriptor, self.poll)

    def add(self, path: str, callback: Callable[[list[bool]], None]) -> int:
        """A handle for `remove`; -1 when the file cannot be watched."""
        if self._descriptor < 0:
            return -1
        handle = int(self._library.inotify_add_watch(self._descriptor, os.fsencode(path), _OPEN | _CLOSE))
        if handle >= 0:
            self._callbacks[handle] = callback
        return handle

    def remove(self, handle: int) -> None:
        if self._callbacks.pop(handle, None) is not None:
            self._library.inotify_rm_watch(self._descriptor, handle)

    def close(self) -> None:
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def poll(self) -> None:
        """Call back now for what the kernel already knows."""
        if self._descriptor < 0:
            return
        try:
            data = os.read(self._descriptor, 16_384)
        except BlockingIOError:
            return
        events: dict[int, list[bool]] = {}
        for at in range(0, len(data) - _EVENT.size + 1, _EVENT.size):
            handle, mask, _, _ = _EVENT.unpack_from(data, at)
            if mask & (_OPEN | _CLOSE):  # not the farewell of a watch that was removed
                events.setdefault(handle, []).append(bool(mask & _OPEN))
        for handle, happened in events.items():
            callback = self._callbacks.get(handle)
            if callback is not None:
                callback(happened)
