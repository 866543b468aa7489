"""The port: opened by pyserial, read and written by the event loop. The only module that imports serial.

A local port is opened without flow control (USB modems have none, and a write would block for ever on a port that
never raises CTS), locked against others (flock, TIOCEXCL) and without hang-up on close. `rfc2217://` has a thread of
pyserial's inside and no descriptor, so it is served by two threads of its own."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import stat
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Protocol

import serial

from drivers.modems.holders import holders_sentence
from drivers.modems.settings import ModemSettings

__all__ = ["Link", "LinkError", "open_link"]

READ_SIZE = 65536  # more than a tty's buffer of 4 KiB ever holds
MAX_UNWRITTEN = 16384  # a PDU is 360 octets; a modem that takes nothing for so long is dead


class LinkError(Exception):
    """The port cannot be opened or has gone. `code` is a stable word, the message a sentence with the remedy."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Link(Protocol):
    """A two-way stream of bytes."""

    port: str
    paced: bool  # a real line that may hold old input: let it drain when opened

    @property
    def unwritten(self) -> int:
        """Bytes that the port has not taken yet."""

    def start(self, on_data: Callable[[bytes], None], on_lost: Callable[[str], None]) -> None:
        """Begin to read. `on_lost` is called once, with a reason, when the other end is gone."""

    def write(self, data: bytes) -> None:
        """Never blocks: what the port does not take now is kept and written when it does."""

    def close(self) -> None:
        """Forget what is unwritten and close. No callback comes any more."""


async def open_link(settings: ModemSettings, port: str) -> Link:
    """Open the port, in a thread because it may block. Raises `LinkError`."""
    loop = asyncio.get_running_loop()
    opened = await loop.run_in_executor(None, _open, settings, port)
    if port.startswith("rfc2217://"):
        return _ThreadLink(port, opened, loop)
    return _DescriptorLink(port, opened, loop)


def _open(settings: ModemSettings, port: str) -> serial.Serial:
    local = "://" not in port
    try:
        opened: serial.Serial = serial.serial_for_url(
            port,
            baudrate=settings.baudrate,
            timeout=0.2 if port.startswith("rfc2217://") else 0,
            rtscts=settings.rtscts,
            xonxoff=False,
            dsrdtr=False,
            do_not_open=True,
        )
        if local:
            opened.exclusive = True
        opened.open()
    except (OSError, ValueError, termios.error) as error:  # SerialException is an OSError
        raise _explained(port, error) from error
    if local:
        _claim(opened.fileno())
    return opened


def _claim(descriptor: int) -> None:
    # TIOCEXCL would outlive us on a pty whose maker keeps it open; flock is enough there.
    if not 136 <= os.major(os.fstat(descriptor).st_rdev) <= 143:
        fcntl.ioctl(descriptor, termios.TIOCEXCL)
    attributes = termios.tcgetattr(descriptor)
    attributes[2] &= ~termios.HUPCL  # closing must not drop DTR: some modems reset
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)


def _explained(port: str, error: Exception) -> LinkError:
    number = getattr(error, "errno", None)
    text = str(error)
    if number == errno.ENOENT or "No such file" in text:
        return LinkError("port_missing", f"{port} does not exist. Is the modem plugged in and powered?")
    if number in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in text:
        return LinkError("port_in_use", f"{port} is used by another program. {holders_sentence(port)}")
    if number in (errno.EACCES, errno.EPERM):
        return LinkError("port_forbidden", f"No permission for {port}. Add the service's user to the group dialout.")
    if number in (errno.EIO, errno.ENXIO, errno.ENODEV):
        return LinkError("unplugged", f"{port} is there, the modem behind it is not. Plug it in again.")
    if isinstance(error, termios.error) or "Could not configure port" in text or number == errno.ENOTTY:
        return LinkError("not_a_port", f"{port} is not a serial port.")
    return LinkError("port_failed", f"{port} cannot be opened: {text[:200]}")


class _DescriptorLink:
    """A tty or a socket, read by the event loop."""

    def __init__(self, port: str, opened: serial.Serial, loop: asyncio.AbstractEventLoop) -> None:
        self.port = port
        self._serial = opened
        self._loop = loop
        self._fd: int = opened.fileno()
        self._pending = bytearray()
        self._open = True
        self._reading = False
        self.paced = "://" not in port and not _is_pty(self._fd)
        os.set_blocking(self._fd, False)

    @property
    def unwritten(self) -> int:
        return len(self._pending)

    def start(self, on_data: Callable[[bytes], None], on_lost: Callable[[str], None]) -> None:
        self._on_data = on_data
        self._on_lost = on_lost
        self._reading = True
        self._loop.add_reader(self._fd, self._readable)

    def write(self, data: bytes) -> None:
        if not self._open:
            return
        if not self._pending:
            try:
                count = os.write(self._fd, data)
            except BlockingIOError:
                count = 0
            except OSError as error:
                self._pending += data  # never left us
                self._lost(error)
                return
            if count == len(data):
                return
            data = data[count:]
            self._loop.add_writer(self._fd, self._writable)
        self._pending += data
        if len(self._pending) > MAX_UNWRITTEN:
            self._lost(OSError(errno.EIO, "the modem takes no data"))

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        self._stop()
        self._pending.clear()
        if "://" not in self.port:
            with suppress(termios.error):
                termios.tcflush(self._fd, termios.TCOFLUSH)  # else closing waits up to 30 s for a deaf modem
        with suppress(OSError, termios.error):  # the device may be gone already
            self._serial.close()

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lost(error)
            return
        if data:
            self._on_data(data)
        else:
            self._lost(None)

    def _writable(self) -> None:
        try:
            count = os.write(self._fd, self._pending)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lost(error)
            return
        del self._pending[:count]
        if not self._pending:
            self._loop.remove_writer(self._fd)

    def _lost(self, error: OSError | None) -> None:
        # At once: a reader left on a hung-up descriptor spins (180,000 calls a second).
        if not self._reading:
            return
        self._stop()
        self._loop.call_soon(self._on_lost, "hang-up" if error is None else error.strerror or str(error))

    def _stop(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)


class _ThreadLink:
    """rfc2217://: one thread reads, one writes."""

    paced = False

    def __init__(self, port: str, opened: serial.Serial, loop: asyncio.AbstractEventLoop) -> None:
        self.port = port
        self._serial = opened
        self._loop = loop
        self._open = True
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._queued = 0

    @property
    def unwritten(self) -> int:
        return self._queued

    def start(self, on_data: Callable[[bytes], None], on_lost: Callable[[str], None]) -> None:
        self._on_data = on_data
        self._on_lost = on_lost
        for target in (self._read, self._write):
            threading.Thread(target=target, name=f"{target.__name__} {self.port}", daemon=True).start()

    def write(self, data: bytes) -> None:
        if self._open:
            self._queued += len(data)
            self._queue.put(data)

    def close(self) -> None:
        if self._open:
            self._open = False
            self._queue.put(None)
            self._loop.run_in_executor(None, self._serial.close)

    def _read(self) -> None:
        while self._open:
            try:
                data = self._serial.read(1)
                if data:
                    data += self._serial.read(self._serial.in_waiting)
            except (OSError, ValueError) as error:
                self._tell(self._lost, str(error))
                return
            if data:
                self._tell(self._arrived, data)

    def _write(self) -> None:
        while (data := self._queue.get()) is not None:
            try:
                self._serial.write(data)
            except (OSError, ValueError) as error:
                self._tell(self._lost, str(error))
                return
            self._tell(self._written, len(data))

    def _tell(self, callback: Callable[..., None], argument: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, argument)
        except RuntimeError:  # the loop has ended before us
            self._open = False

    def _arrived(self, data: bytes) -> None:
        if self._open:
            self._on_data(data)

    def _written(self, count: int) -> None:
        self._queued -= count

    def _lost(self, reason: str) -> None:
        if self._open:
            self.close()
            self._on_lost(reason)


def _is_pty(descriptor: int) -> bool:
    status = os.fstat(descriptor)
    return stat.S_ISCHR(status.st_mode) and 136 <= os.major(status.st_rdev) <= 143
