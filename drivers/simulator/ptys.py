"""The host's end of a simulated modem: a pty behind a link whose name stays while ptys come and go."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import termios
import tty
from collections.abc import Callable
from pathlib import Path

from drivers.simulator.watch import Watch

__all__ = ["Port"]

READ = 65_536
BACKLOG = 262_144  # octets kept for a host that does not read; what comes after them is lost, as on a real line


class Port:
    """One pty. `received` gets what the host writes, in the thread of the loop."""

    def __init__(
        self, *, loop: asyncio.AbstractEventLoop, link: Path, received: Callable[[bytes], None], watch: Watch
    ) -> None:
        self.link = link
        self.device = ""
        self._loop = loop
        self._received = received
        self._watch = watch
        self._handle = -1
        self._master = self._slave = -1
        self._backlog = bytearray()
        self._users = 0  # programs that have the port open, as far as we have heard

    @property
    def plugged(self) -> bool:
        return self._master >= 0

    @property
    def in_use(self) -> bool:
        """Some program has it open."""
        return self._users > 0

    def plug(self) -> None:
        """A new pty; the link points to it. Its host's side stays open here, or the line would end with a program."""
        if self.plugged:
            return
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.device = os.ttyname(self._slave)
        self._handle = self._watch.add(self.device, self._noticed)
        self._users = 0 if self._handle >= 0 else 1  # where nobody tells us, somebody is always there
        temporary = self.link.with_name(f".{self.link.name}.new")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(self.device)
        temporary.replace(self.link)
        self._loop.add_reader(self._master, self._readable)

    def unplug(self) -> None:
        """The link goes, the host's reads end and its writes fail, as when a USB device is pulled."""
        if not self.plugged:
            return
        self._watch.remove(self._handle)
        self._loop.remove_reader(self._master)
        if self._backlog:
            self._loop.remove_writer(self._master)
            self._backlog.clear()
        if self.link.is_symlink() and os.readlink(self.link) == self.device:
            self.link.unlink()
        os.close(self._slave)
        os.close(self._master)
        self._master = self._slave = -1
        self.device = ""

    def stop_reading(self) -> None:
        """The host's writes fill up and block."""
        if self.plugged:
            self._loop.remove_reader(self._master)

    def read_on(self) -> None:
        if self.plugged:
            self._loop.add_reader(self._master, self._readable)

    def write(self, data: bytes) -> None:
        """To the host; what is written while no program has the port open is lost, as on a real line."""
        if not self._users:
            self._watch.poll()
        if self._master < 0 or not self._users:
            return
        if self._backlog:
            self._backlog += data[: BACKLOG - len(self._backlog)]
            return
        try:
            written = os.write(self._master, data)
        except BlockingIOError:
            written = 0
        if written < len(data):
            self._backlog += data[written:][:BACKLOG]
            self._loop.add_writer(self._master, self._writable)

    def _readable(self) -> None:
        if not self._users:
            self._watch.poll()
        try:
            data = os.read(self._master, READ)
        except OSError:  # the poll has read it, or has unplugged us
            return
        if not self._users:
            self._users = 1  # two programs opened at once, one has closed: this is the other
        self._received(data)

    def _writable(self) -> None:
        try:
            written = os.write(self._master, self._backlog)
        except BlockingIOError:
            return
        del self._backlog[:written]
        if not self._backlog:
            self._loop.remove_writer(self._master)

    def _noticed(self, events: list[bool]) -> None:
        """Programs came (True) and went. The last one takes with it what it has not read, and its exclusive use."""
        emptied = False
        for opened in events:
            self._users = self._users + 1 if opened else max(0, self._users - 1)
            emptied = emptied or not self._users
        if not events[-1]:
            fcntl.ioctl(self._slave, termios.TIOCNXCL)  # TIOCEXCL would last as long as we hold the host's side open
        if not self._users:
            tty.setraw(self._slave)
            self._hear_last_words()
        if emptied and self._master >= 0:
            termios.tcflush(self._slave, termios.TCIFLUSH)
            if self._backlog:
                self._backlog.clear()
                self._loop.remove_writer(self._master)

    def _hear_last_words(self) -> None:
        """What a program wrote before it left reaches the modem; the answers reach nobody."""
        with contextlib.suppress(BlockingIOError):
            while self._master >= 0:
                self._received(os.read(self._master, READ))
