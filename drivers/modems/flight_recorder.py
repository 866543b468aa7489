"""The last minutes of what was said to and by a modem, on disk and masked, kept aside when something goes wrong.

On the path of a text there is one append to a list. Everything else, masking and writing, happens once a minute in a
thread, or at once after a fault: an appliance's flash is worn by writes, not by minutes. Two files make the ring: when
the one that is written is half as old as the recording reaches back, or full, it takes the place of the other."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from drivers.modems.masking import mask, unfinished

__all__ = ["FlightRecorder", "kept_of", "recording_of"]

log = logging.getLogger("gsmbridge.modem.recorder")

EVERY = 60.0  # seconds between two writes while nothing goes wrong
MEMORY = 262_144  # octets kept for the next write; a modem at full speed says more, and then the oldest go
FILE = 262_144  # octets of one of the two files
KEPT = 20  # recordings kept aside for one modem
APART = 30.0  # seconds between two that are kept for the same reason

_DISK = ThreadPoolExecutor(1, thread_name_prefix="recorder")  # all modems' recordings are written by one thread

Entry = tuple[float, str, bytes]
_NAMES = {0x1A: "<Ctrl-Z>", 0x1B: "<ESC>"}
_END = re.compile(rb"[\r\n]+|(?<=[\x1a\x1b])")


class FlightRecorder:
    """One modem. `folder`: made when it is first written to, mode 0700. `seconds`: how far back it reaches."""

    def __init__(
        self,
        folder: Path,
        channel: str,
        *,
        seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        every: float = EVERY,
    ) -> None:
        self._folder = folder
        self._channel = channel
        self._seconds = seconds
        self._monotonic = monotonic
        self._wall = wall
        self._every = every
        self._said: list[Entry] = []
        self._size = 0
        self._reasons: list[str] = []
        self._kept_at: dict[str, float] = {}
        self._wake = asyncio.Event()
        self._failed = False

    def trace(self, direction: str, data: bytes) -> None:
        """Something was written to the modem (">") or came from it ("<")."""
        self._said.append((self._monotonic(), direction, data))
        self._size += len(data)
        if self._size > MEMORY:
            self._drop_half()

    def keep(self, reason: str) -> None:
        """Keep the last minutes aside. `reason`: a word for the file's name."""
        now = self._monotonic()
        if now - self._kept_at.get(reason, -APART) >= APART:
            self._kept_at[reason] = now
            self._reasons.append(reason)
            self._wake.set()

    async def run(self) -> None:
        """Write until cancelled; what is not yet written then is written at once."""
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._every):
                        await self._wake.wait()
                self._wake.clear()
                if self._said or self._reasons:
                    await asyncio.shield(asyncio.wrap_future(_DISK.submit(self._write, *self._take())))
        finally:
            _DISK.submit(self._write, *self._take()).result()

    def _take(self) -> tuple[list[Entry], list[str], float]:
        said, self._said, self._size = self._said, [], 0
        reasons, self._reasons = self._reasons, []
        return said, reasons, self._wall() - self._monotonic()

    def _drop_half(self) -> None:
        half = len(self._said) // 2 or 1
        self._size -= sum(len(data) for _, _, data in self._said[:half])
        del self._said[:half]

    def _write(self, said: list[Entry], reasons: list[str], offset: float) -> None:
        """In a thread. A disk that refuses costs recordings, never texts: it is told once."""
        try:
            if said:
                self._append("".join(_lines(said, offset)))
            for reason in reasons:
                self._keep_aside(reason)
            self._failed = False
        except OSError as error:
            if not self._failed:
                log.warning("recording_failed channel=%s detail=%s", self._channel, error)
            self._failed = True

    def _append(self, text: str) -> None:
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        current = _current(self._folder, self._channel)
        with suppress(FileNotFoundError):
            status = current.stat()
            began = _stamp_of(current)
            old = began is not None and self._wall() - began > self._seconds / 2
            if old or status.st_size + len(text) > FILE:
                current.replace(_previous(self._folder, self._channel))
        descriptor = os.open(current, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, text.encode("utf-8"))
        finally:
            os.close(descriptor)

    def _keep_aside(self, reason: str) -> None:
        text = recording_of(self._folder, self._channel)
        if not text:
            return
        stamp = datetime.fromtimestamp(self._wall(), UTC).strftime("%Y%m%dT%H%M%SZ")
        word = re.sub(r"[^a-z0-9-]+", "-", reason.lower()).strip("-")
        path = self._folder / f"{self._channel}.kept.{stamp}.{word}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, text.encode("utf-8"))
        finally:
            os.close(descriptor)
        for old in kept_of(self._folder, self._channel)[:-KEPT]:
            old.unlink(missing_ok=True)


def recording_of(folder: Path, channel: str) -> str:
    """What is on disk now, oldest first; "" for a channel without a recording. Raises OSError."""
    pieces = []
    for path in (_previous(folder, channel), _current(folder, channel)):
        with suppress(FileNotFoundError):
            pieces.append(path.read_text(encoding="utf-8"))
    return "".join(pieces)


def kept_of(folder: Path, channel: str) -> list[Path]:
    """The recordings kept aside, oldest first."""
    return sorted(folder.glob(f"{channel}.kept.*"))


def _current(folder: Path, channel: str) -> Path:
    return folder / f"{channel}.now"


def _previous(folder: Path, channel: str) -> Path:
    return folder / f"{channel}.before"


def _stamp_of(path: Path) -> float | None:
    """When the first line of a file was said."""
    with path.open(encoding="utf-8") as file:
        first = file.readline(64).partition(" ")[0]
    try:
        return datetime.fromisoformat(first).timestamp()
    except ValueError:
        return None


def _lines(said: Iterable[Entry], offset: float) -> Iterable[str]:
    """One line for each line that was said. Pieces of one side that follow each other are put together first, since a
    line is cut anywhere, and masked as a whole. A USSD text that goes on after we have said something waits for its
    rest."""
    at, side, words = 0.0, "", bytearray()
    begun: tuple[float, bytearray] | None = None
    for moment, direction, data in said:
        if direction != side:
            if unfinished(bytes(words)):
                begun = at, words
            else:
                yield from _told(at + offset, side, bytes(words))
            at, side, words = moment, direction, bytearray()
            if begun is not None and direction == "<":
                (at, words), begun = begun, None
        elif words.endswith((b"\n", b"\r", b"\x1a")) and not unfinished(bytes(words)):
            yield from _told(at + offset, side, bytes(words))
            at, words = moment, bytearray()
        words += data
    if begun is not None:
        yield from _told(begun[0] + offset, "<", bytes(begun[1]))
    yield from _told(at + offset, side, bytes(words))


def _told(at: float, side: str, words: bytes) -> Iterable[str]:
    if not side:
        return
    stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    for piece in _END.split(mask(words)):
        if piece:
            yield f"{stamp} {side} {_visible(piece)}\n"


def _visible(piece: bytes) -> str:
    return "".join(chr(o) if 0x20 <= o < 0x7F else _NAMES.get(o, f"<{o:02X}>") for o in piece)
