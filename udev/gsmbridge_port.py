#!/usr/bin/python3 -I
"""Asks a serial port which modem is behind it, for 60-gsmbridge.rules. Installed as /usr/lib/udev/gsmbridge-port.

    gsmbridge-port /dev/ttyUSB2   ->   GSMBRIDGE_AT=1
                                       GSMBRIDGE_IMEI=490154203237518

udev runs it as root, before anything else is installed or known: the standard library and nothing more. It prints
nothing for a port that takes no commands and for one that another program holds, and always ends with status 0 within
`PATIENCE` seconds. Nothing is changed on the modem, and nothing but digits of its answer is passed on.
"""

import fcntl
import os
import re
import select
import sys
import termios
import time
import tty

PATIENCE = 15.0  # seconds; a modem that was just plugged in answers after some of them (udev itself waits 180)
ANSWER = 2.0  # seconds for one answer
PAUSE = 0.5
LATE = 2  # so many OKs to an earlier AT may come before the answer of a slow modem
LIMIT = 4096  # octets of an answer; a port that talks without end is no command port
POSITION = re.compile(rb"\$G[A-Z]{4},")  # a GPS port: it only talks
IMEI = re.compile(rb"(?m)^(?:\+CGSN: *)?\"?([0-9]{14,16})\"?\s*$")
FINAL = re.compile(rb"(?m)^(OK|ERROR|\+CME ERROR:.*)\s*$")


def main(arguments: "list[str]") -> int:
    if len(arguments) != 1 or not arguments[0].startswith("/dev/"):
        print("usage: gsmbridge-port /dev/ttyUSB0", file=sys.stderr)
        return 2
    for line in identify(arguments[0]):
        print(line)
    return 0


def identify(path: str, patience: float = PATIENCE) -> "list[str]":
    """The properties of this port, empty for one that takes no commands or is in use."""
    try:
        port = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        fcntl.flock(port, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the service locks its ports so, and others do
        tty.setraw(port, termios.TCSANOW)
        _keep_lines_up(port)
        until = time.monotonic() + patience
        while time.monotonic() < until:
            answer = _ask(port, b"AT\r")
            if answer is None:
                return []
            if answer == b"OK":
                imei = _imei(port)
                return ["GSMBRIDGE_AT=1", *([f"GSMBRIDGE_IMEI={imei}"] if imei else [])]
            time.sleep(PAUSE)
    except (OSError, termios.error):  # held by another, unplugged meanwhile, no serial line at all
        return []
    finally:
        os.close(port)
    return []


def _keep_lines_up(port: int) -> None:
    """Without HUPCL, so that closing does not reset the modem; 115200 for real serial lines, USB does not mind."""
    values = termios.tcgetattr(port)
    values[2] = (values[2] & ~(termios.HUPCL | termios.CRTSCTS)) | termios.CLOCAL | termios.CREAD
    values[4] = values[5] = termios.B115200
    termios.tcsetattr(port, termios.TCSANOW, values)
    termios.tcflush(port, termios.TCIOFLUSH)


def _imei(port: int) -> str:
    os.write(port, b"AT+CGSN\r")
    for _ in range(1 + LATE):
        said = _read(port)
        if found := IMEI.search(said):
            return found[1].decode("ascii")
        if not said or b"ERROR" in said:
            break
    return ""


def _ask(port: int, command: bytes) -> "bytes | None":
    """The final result; empty for silence, None for a port that is no command port."""
    os.write(port, command)
    said = _read(port)
    if POSITION.search(said) or len(said) >= LIMIT:
        return None
    found = FINAL.search(said)
    return found[1].strip() if found else b""


def _read(port: int) -> bytes:
    """What comes until a final result, or for `ANSWER` seconds."""
    said = b""
    until = time.monotonic() + ANSWER
    while len(said) < LIMIT and (left := until - time.monotonic()) > 0:
        if not select.select([port], [], [], left)[0]:
            break
        piece = os.read(port, LIMIT)
        if not piece:
            raise OSError("hung up")
        said += piece
        if FINAL.search(said.replace(b"\r", b"")):
            break
    return said.replace(b"\r", b"")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
