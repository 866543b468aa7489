"""The log of the service: one line an event to standard error, and never in the path of a text.

    whoever logs -> bounded queue -> one thread -> standard error

A reader that has stopped (a full pipe, journald restarted, a full disk) stops that thread and nobody else. When the
queue is full new lines are dropped and counted, and the first line that gets through again is followed by how many.
"""

from __future__ import annotations

import logging
import os
from logging.handlers import QueueHandler, QueueListener
from queue import Full, Queue
from threading import Thread

__all__ = ["Log", "lines_dropped"]

KEPT = 10_000  # lines that wait for a reader
PATIENCE = 2.0  # seconds for the last lines at the end

_NAME = "gsmbridge"


class Log:
    """From its making to `close`, what is logged by us, and warnings of libraries, go to the file descriptor `fd`."""

    def __init__(self, level: str, *, fd: int = 2, kept: int = KEPT) -> None:
        queue: Queue[logging.LogRecord | None] = Queue(kept)
        lines = _Lines(fd)
        self._handler = _Dropping(queue, lines)
        self._listener = _Writing(queue, self._handler, lines)
        self._listener.start()
        ours = logging.getLogger(_NAME)
        ours.handlers[:] = [self._handler]
        ours.setLevel(level.upper())
        ours.propagate = False
        # asyncio's and the libraries' own complaints would be written by whoever makes them.
        logging.getLogger().addHandler(self._handler)

    def close(self, patience: float = PATIENCE) -> None:
        """What waits is still written, if the reader takes it in time."""
        logging.getLogger().removeHandler(self._handler)
        logging.getLogger(_NAME).removeHandler(self._handler)
        self._listener.end(patience)


def lines_dropped() -> int:
    """Lines that nobody got, since the start."""
    return sum(h.dropped + h.lines.lost for h in logging.getLogger(_NAME).handlers if isinstance(h, _Dropping))


class _Dropping(QueueHandler):
    def __init__(self, queue: Queue[logging.LogRecord | None], lines: _Lines) -> None:
        super().__init__(queue)
        self.dropped = 0  # found no room in the queue
        self.lines = lines

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except Full:
            self.dropped += 1  # under the handler's lock


class _Writing(QueueListener):
    """In its thread, a daemon: one that waits for a reader must not keep the process."""

    _thread: Thread | None

    def __init__(self, queue: Queue[logging.LogRecord | None], source: _Dropping, lines: _Lines) -> None:
        super().__init__(queue, lines)
        self._lines_waiting = queue
        self._source = source
        self._lines = lines
        self._told = 0

    def handle(self, record: logging.LogRecord) -> None:
        lost = self._lines.lost
        super().handle(record)
        dropped = self._source.dropped + lost
        if self._lines.lost == lost and dropped > self._told:
            more, self._told = dropped - self._told, dropped
            told = "log_lines_dropped count=%d; whoever reads the log was too slow or away"
            super().handle(logging.LogRecord(_NAME, logging.WARNING, __file__, 0, told, (more,), None))

    def end(self, patience: float) -> None:
        """As `stop`, which would wait for ever."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        try:
            self._lines_waiting.put(None, timeout=patience)
        except Full:
            return
        thread.join(patience)


class _Lines(logging.Handler):
    """Straight to the descriptor: a buffer of Python's that waits for a reader would also hold up the end."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd
        self.lost = 0  # could not be written
        stamp = "%(asctime)s " if os.isatty(fd) else ""  # journald adds the time, a terminal gets it from us
        self.setFormatter(logging.Formatter(f"{stamp}%(levelname)s %(name)s %(message)s"))

    def createLock(self) -> None:
        """None: one thread writes, and who holds a lock while it waits for a reader keeps the process from ending."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = f"{self.format(record)}\n".encode("utf-8", "backslashreplace")
            while line:
                line = line[os.write(self._fd, line) :]
        except OSError:  # nobody reads any more, or the disk of a log file is full
            self.lost += 1
