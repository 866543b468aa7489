"""The least that any client must do: AT+CMGS by `os.write` and `os.read`, no store, no queue. One port alone gives the
floor that a gateway is compared with; on many ports at once it finds the simulator's own ceiling."""

from __future__ import annotations

import os
import select
import tty
from time import monotonic

import msgspec

from benchmarks import workload
from drivers.contract import Submission
from drivers.gsm import pdu, segments

__all__ = ["Paced", "on_all_ports", "on_one_port"]

_ANSWER = 5.0  # seconds an instant modem may take


class Paced(msgspec.Struct, frozen=True):
    messages: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.messages / self.seconds


def on_one_port(port: str, messages: int) -> Paced:
    """One message after the other, blocking."""
    orders = _orders(messages)
    file = _open(port)
    try:
        began = monotonic()
        for command, payload in orders:
            _exchange(file, command, b"> ")
            _exchange(file, payload, b"OK\r\n")
        return Paced(messages, monotonic() - began)
    finally:
        os.close(file)


def on_all_ports(ports: list[str], messages: int) -> Paced:
    """All ports at once from one thread: `messages` on each."""
    orders = _orders(messages)
    poll = select.epoll()
    files = [_open(port) for port in ports]
    try:
        began = monotonic()
        at = {}
        for file in files:
            poll.register(file, select.EPOLLIN)
            at[file] = 0  # even: the command is out; odd: the PDU
            os.write(file, orders[0][0])
        left = len(files)
        while left:
            events = poll.poll(_ANSWER)
            if not events:
                raise TimeoutError("a simulated modem did not answer")
            for file, _ in events:
                data = os.read(file, 4096)
                step = at[file]
                if not data.endswith(b"OK\r\n" if step % 2 else b"> "):
                    continue
                at[file] = step = step + 1
                if step == 2 * messages:
                    left -= 1
                else:
                    os.write(file, orders[step // 2][step % 2])
        return Paced(messages * len(files), monotonic() - began)
    finally:
        poll.close()
        for file in files:
            os.close(file)


def _orders(messages: int) -> list[tuple[bytes, bytes]]:
    found = []
    for index in range(messages):
        [part] = segments.split(workload.text(index), reference=0)
        submission = Submission(attempt_id="", to=workload.number(index), part=part, validity=86_400, report=False)
        encoded = pdu.encode_submit(submission)
        found.append((f"AT+CMGS={encoded.length}\r".encode(), encoded.pdu.encode() + b"\x1a"))
    return found


def _open(port: str) -> int:
    file = os.open(port, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(file)
    for command in (b"ATE0\r", b"AT+CMGF=0\r"):
        _exchange(file, command, b"OK\r\n")
    return file


def _exchange(file: int, data: bytes, end: bytes) -> None:
    os.write(file, data)
    received = os.read(file, 4096)
    while not received.endswith(end):
        if b"ERROR" in received:
            raise RuntimeError(f"the simulated modem answered {received!r} to {data!r}")
        received += os.read(file, 4096)
