"""Talks to systemd where there is one: ready, alive, stopping, and "give me more time" (sd_notify(3))."""

from __future__ import annotations

import os
import socket

__all__ = ["notify", "watchdog_within"]


def notify(**variables: str | int) -> None:
    """`notify(READY=1)`. Does nothing outside a service."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # the abstract namespace
        address = "\0" + address[1:]
    message = "\n".join(f"{name}={value}" for name, value in variables.items())
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
            line.setblocking(False)  # one that does not read must not hold up the event loop
            line.connect(address)
            line.sendall(message.encode())
    except OSError:
        return  # a service manager that does not listen must not stop the service


def watchdog_within() -> float | None:
    """Seconds in which the service manager wants `WATCHDOG=1` (sd_watchdog_enabled(3)). None: it does not."""
    asked, of = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID")
    if not os.environ.get("NOTIFY_SOCKET") or not asked.isdecimal() or int(asked) == 0:
        return None
    return None if of is not None and of != str(os.getpid()) else int(asked) / 1_000_000
