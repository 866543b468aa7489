"""Talks to systemd where there is one: ready, stopping, and "give me more time" (sd_notify(3))."""

from __future__ import annotations

import os
import socket

__all__ = ["notify"]


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
            line.connect(address)
            line.sendall(message.encode())
    except OSError:
        return  # a service manager that does not listen must not stop the service
