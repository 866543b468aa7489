"""Why python-gsmmodem-new's engine is not on the path of a message: its faults, each with a reproducer.

A fake port takes what the engine writes and answers; another one feeds its reader. When a new release mends a fault,
its test fails.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
from serial import SerialException

from tests.gsm.library import comms, exceptions, modem


class Answering:
    """A port whose other end answers each command with whole lines."""

    def __init__(self, engine: Any, answer: Callable[[bytes], list[str]]) -> None:
        self.engine, self.answer = engine, answer
        self.written: list[bytes] = []
        engine.serial = self

    def write(self, data: bytes) -> None:
        self.written.append(data)
        for line in self.answer(data):
            self.engine._handleLineRead(line)

    def inWaiting(self) -> int:
        return 0


class Feeding:
    """A port that delivers these bytes and is then gone."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def read(self, size: int) -> bytes:
        if self.at == len(self.data):
            raise SerialException("gone")
        self.at += size
        return self.data[self.at - size : self.at]

    def inWaiting(self) -> int:
        return len(self.data) - self.at

    def close(self) -> None:
        pass


def reading(data: bytes, *, asked: bool = False, prompt: bytes = b"") -> tuple[Any, list[list[str]], list[Exception]]:
    """An engine that has read `data`; its notifications and its fatal errors."""
    told: list[list[str]] = []
    fatal: list[Exception] = []
    engine = comms.SerialComms("none", notifyCallbackFunc=told.append, fatalErrorCallbackFunc=fatal.append)
    engine.serial, engine.alive = Feeding(data), True
    if asked:
        engine._response, engine._responseEvent = [], threading.Event()
        engine._expectResponseTermSeq = bytearray(prompt)
    engine._readLoop()
    return engine, told, fatal


def test_a_byte_that_is_no_utf_8_kills_the_reader_silently() -> None:
    fatal: list[Exception] = []
    engine = comms.SerialComms("none", fatalErrorCallbackFunc=fatal.append)
    engine.serial, engine.alive = Feeding(b'\x00\xff\xfe\x80^BOOT:1\r\n+CMTI: "SM",3\r\n'), True
    with pytest.raises(UnicodeDecodeError):
        engine._readLoop()  # the end of its thread
    assert engine.alive
    assert fatal == []


def test_an_unsolicited_line_within_an_answer_is_swallowed() -> None:
    engine, told, _ = reading(b'\r\n+CSQ: 20,99\r\n\r\n+CMTI: "SM",3\r\n\r\nOK\r\n', asked=True)
    assert engine._response == ["+CSQ: 20,99", '+CMTI: "SM",3', "OK"]
    assert told == []


def test_an_unsolicited_first_line_is_taken_for_the_answer() -> None:
    engine = modem.GsmModem("none")
    Answering(engine, lambda data: ["^RSSI:17", "+CSQ: 20,99", "OK"])
    with pytest.raises(exceptions.CommandError):
        _ = engine.signalStrength


def test_two_unsolicited_lines_are_one_notification() -> None:
    """And the handler looks at the first that it knows."""
    _, told, _ = reading(b'+CMTI: "SM",3\r\n+CMTI: "SM",4\r\n')
    assert told == [['+CMTI: "SM",3', '+CMTI: "SM",4']]


def test_a_line_that_begins_with_ok_ends_the_answer() -> None:
    engine, told, _ = reading(b"+CMGR: 1\r\nOK computer\r\nsecond line\r\nOK\r\n", asked=True)
    assert engine._response == ["+CMGR: 1", "OK computer"]
    assert told == [["second line", "OK"]]


def test_an_error_in_words_is_no_end_of_the_answer() -> None:
    engine, _, _ = reading(b"+CME ERROR: SIM not inserted\r\n", asked=True)
    assert not engine._responseEvent.is_set()


def test_a_prompt_without_a_space_is_not_seen() -> None:
    assert reading(b"\r\n> ", asked=True, prompt=b"> ")[0]._responseEvent.is_set()
    assert not reading(b"\r\n>", asked=True, prompt=b"> ")[0]._responseEvent.is_set()


def test_the_end_of_the_port_is_told() -> None:
    """This works: the fatal callback comes. Nothing reconnects."""
    engine, _, fatal = reading(b"")
    assert len(fatal) == 1
    assert not engine.alive


@pytest.mark.parametrize("error", ["+CMS ERROR: 515", "+CMS ERROR: 14"])
def test_the_pdu_is_written_again_without_a_command(error: str) -> None:
    """`please wait` after Ctrl-Z: the same octets once more, with no AT+CMGS before them."""
    engine = modem.GsmModem("none")
    answers = iter([[error], ["+CMGS: 7", "OK"]])
    port = Answering(engine, lambda data: next(answers))
    engine.write("0031000C9144", writeTerm=chr(26))
    assert port.written == [b"0031000C9144\x1a"] * 2


@pytest.mark.parametrize("state", ["SIM PUK", "SIM PUK2", "PH-NET PIN", "NOT READY"])
def test_the_pin_is_sent_to_any_state_but_ready(state: str) -> None:
    engine = modem.GsmModem("none")
    port = Answering(engine, lambda data: [f"+CPIN: {state}", "OK"] if b"?" in data else ["OK"])
    engine._unlockSim("1234")
    assert port.written[-1].startswith(b'AT+CPIN="1234"')


def test_the_concatenation_reference_begins_at_0_in_every_process() -> None:
    assert modem.GsmModem("none")._smsRef == 0


def test_hardware_flow_control_is_forced() -> None:
    leader, follower = os.openpty()
    engine = comms.SerialComms(os.ttyname(follower))
    engine.timeout = 0.01
    try:
        engine.connect()
        assert engine.serial.rtscts
        assert engine.serial.dsrdtr
        engine.close()
    finally:
        os.close(leader)
        os.close(follower)
