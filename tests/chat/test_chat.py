"""The AT dialogue: every case whole, byte by byte, and with something behind it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from drivers.modems import chat as chats
from drivers.modems.chat import Chat, ChatError, State
from drivers.modems.commands import Command, build, integer, send, ussd, vendor
from drivers.modems.events import (
    Answer,
    BareOk,
    ChatEvent,
    Foreign,
    Held,
    Late,
    NotAt,
    Odd,
    Prompt,
    Stale,
    StuckPrompt,
    Urc,
)
from drivers.modems.vocabulary import OK, Final, Result

AT = Command(text="AT")
CSQ = build("AT+CSQ", informs=True)
CREG = build("AT+CREG?", informs=True)
CPIN = build("AT+CPIN?", informs=True)
CGMM = build("AT+CGMM", bare=True, informs=True)
CMGL = msgspec.structs.replace(vendor("AT+CMGL=4"), lists=True, sms=True)
CMGR = build("AT+CMGR", integer(3), lists=True, sms=True)
CMGS = send(19)
USSD = ussd("*100#")
PDU = "0031000C914477000910320000A705C8329BFD06"
TEXT = "0791447700090000040C9144770009103200006230419003514009D2329C9D07658B53"
REPORT = "0791447700090000062A0C91447700091032623041900351406230419003124000"
TAIL = b"\r\n^TAIL: 1\r\n"

Step = Callable[[Chat], None] | bytes


def does(action: Callable[[Chat], object]) -> Step:
    def step(chat: Chat) -> None:
        action(chat)

    return step


def sends(command: Command) -> Step:
    return does(lambda chat: chat.send(command))


DATA = does(lambda chat: chat.send_data(PDU))
ABANDON = does(lambda chat: chat.abandon())
GIVE_UP = does(lambda chat: chat.abandon("old"))
PROBE = does(lambda chat: chat.probe())
RELEASE = does(lambda chat: chat.release())


def error(word: str, number: int | None) -> Final:
    kind = {"+CME": Result.CME, "+CMS": Result.CMS}.get(word.partition(" ")[0], Result.ERROR)
    return Final(kind, number, word)


def answer(command: Command, *lines: str, final: Final = OK, sent: bool = False) -> Answer:
    return Answer(command=command, lines=lines, final=final, sent=sent)


IN_DOUBT: list[Step] = [sends(CMGS), b"\r\n> ", DATA, GIVE_UP, PROBE, b"\r\nOK\r\n", RELEASE]
IN_DOUBT_EVENTS: list[ChatEvent] = [Prompt(), Stale("OK", OK)]

CASES: dict[str, tuple[list[Step], list[ChatEvent]]] = {
    "plain": ([sends(AT), b"\r\nOK\r\n"], [answer(AT)]),
    "information": ([sends(CSQ), b"\r\n+CSQ: 17,99\r\n\r\nOK\r\n"], [answer(CSQ, "+CSQ: 17,99")]),
    "echo": (
        [sends(CSQ), b"AT+CSQ\r\r\n+CSQ: 17,99\r\n\r\nOK\r\n"],
        [Odd("echo", "AT+CSQ"), answer(CSQ, "+CSQ: 17,99")],
    ),
    "LF only": ([sends(CREG), b"+CREG: 0,1\nOK\n"], [answer(CREG, "+CREG: 0,1")]),
    "doubled CR": ([sends(CGMM), b"\r\r\nE1752\r\r\n\r\n\r\n\r\nOK\r\n"], [answer(CGMM, "E1752")]),
    "digits": ([sends(AT), b"0\r"], [Odd("numeric", "0"), answer(AT, final=Final(Result.OK, None, "0"))]),
    "digit of an error": ([sends(AT), b"4\r"], [Odd("numeric", "4"), answer(AT, final=Final(Result.ERROR, None, "4"))]),
    "a digit is text once words were seen": (
        [sends(AT), b"\r\nOK\r\n", sends(CGMM), b"\r\n0\r\n\r\nOK\r\n"],
        [answer(AT), answer(CGMM, "0")],
    ),
    "garbage": ([b"\x00\xff\xfe\x80^BOOT:1\r\n", sends(AT), b"\r\nOK\r\n"], [Urc("^BOOT:1"), answer(AT)]),
    "URC inside": (
        [sends(CSQ), b'\r\n+CSQ: 20,99\r\n\r\n+CMTI: "SM",3\r\n\r\nOK\r\n'],
        [Urc('+CMTI: "SM",3'), answer(CSQ, "+CSQ: 20,99")],
    ),
    "URC like the answer": (
        [sends(CREG), b'\r\n+CREG: 2\r\n\r\n+CREG: 2,1,"00C3","0000A1B2",7\r\n\r\nOK\r\n'],
        [Urc("+CREG: 2"), answer(CREG, '+CREG: 2,1,"00C3","0000A1B2",7')],
    ),
    "URC with a cell, like the answer": (
        [sends(CREG), b'\r\n+CREG: 1,"00C3","0000A1B2"\r\n\r\n+CREG: 2,5\r\n\r\nOK\r\n'],
        [Urc('+CREG: 1,"00C3","0000A1B2"'), answer(CREG, "+CREG: 2,5")],
    ),
    "unknown command": (
        [sends(CSQ), b"\r\nCOMMAND NOT SUPPORT\r\n"],
        [answer(CSQ, final=error("COMMAND NOT SUPPORT", None))],
    ),
    "error in words": (
        [sends(CPIN), b"\r\n+CME ERROR: SIM busy\r\n"],
        [answer(CPIN, final=error("+CME ERROR: SIM busy", 14))],
    ),
    "error with number": (
        [sends(CPIN), b"\r\n+CME ERROR: 515\r\n"],
        [answer(CPIN, final=error("+CME ERROR: 515", 515))],
    ),
    "OK only as a whole line": ([sends(CGMM), b"\r\nOK123\r\n\r\nOK\r\n"], [answer(CGMM, "OK123")]),
    "NO CARRIER ends no query": (
        [sends(CSQ), b"\r\nNO CARRIER\r\n\r\n+CSQ: 1,99\r\n\r\nOK\r\n"],
        [Urc("NO CARRIER"), answer(CSQ, "+CSQ: 1,99")],
    ),
    "NO CARRIER ends ATH": (
        [sends(build("ATH")), b"\r\nNO CARRIER\r\n"],
        [answer(build("ATH"), final=Final(Result.CALL, None, "NO CARRIER"))],
    ),
    "text direct": ([f"\r\n+CMT: ,27\r\n{TEXT}\r\n".encode()], [Urc("+CMT: ,27", TEXT)]),
    "USSD": ([b'\r\n+CUSD: 0,"Balance 10",15\r\n'], [Urc('+CUSD: 0,"Balance 10",15')]),
    "USSD between a command and its OK": (
        [sends(USSD), b"\r\n+CUSD: 2\r\n\r\nOK\r\n"],
        [Urc("+CUSD: 2"), answer(USSD)],
    ),
    "a menu of several lines, one of them like a prompt": (
        [b'\r\n+CUSD: 1,"Menu\r\n1 OK\r\n\r\n> 2 Back\r\n+48 Call us",15\r\n'],
        [Urc('+CUSD: 1,"Menu\n1 OK\n> 2 Back\n+48 Call us",15')],
    ),
    "a menu behind a time-out": (
        [sends(AT), ABANDON, b'\r\n+CUSD: 1,"1\r\n2",15\r\n'],
        [Urc('+CUSD: 1,"1\n2",15')],
    ),
    "a menu without its end, before a notification": (
        [b'\r\n+CUSD: 1,"1 Balance\r\n2 Top\r\n\r\n+CMTI: "SM",3\r\n'],
        [Odd("broken_ussd"), Urc('+CUSD: 1,"1 Balance\n2 Top'), Urc('+CMTI: "SM",3')],
    ),
    "a menu without its end, before a result": (
        [sends(AT), b'\r\n+CUSD: 1,"1 Balance\r\n\r\nOK\r\n'],
        [Odd("broken_ussd"), Urc('+CUSD: 1,"1 Balance'), answer(AT)],
    ),
    "a menu without its end hides no prompt": (
        [b'\r\n+CUSD: 1,"1 Balance\r\n', sends(CMGS), b"\r\n> ", DATA, b"\r\n+CMGS: 4\r\n\r\nOK\r\n"],
        [Odd("broken_ussd"), Urc('+CUSD: 1,"1 Balance'), Prompt(), answer(CMGS, "+CMGS: 4", sent=True)],
    ),
    "report direct": ([f"\r\n+CDS: 25\r\n{REPORT}\r\n".encode()], [Urc("+CDS: 25", REPORT)]),
    "report without its PDU": (
        [b"\r\n+CDS: 25\r\n\r\nRING\r\n"],
        [Odd("broken_urc", "+CDS: 25"), Urc("+CDS: 25"), Urc("RING")],
    ),
    "a command between the two lines of a report": (
        [b"\r\n+CDS: 25\r\n", sends(AT), f"{REPORT}\r\n\r\nOK\r\n".encode()],
        [Urc("+CDS: 25", REPORT), answer(AT)],
    ),
    "list": (
        [sends(CMGL), f"\r\n+CMGL: 1,1,,27\r\n{TEXT}\r\n+CMGL: 2,1,,25\r\n{REPORT}\r\n\r\nOK\r\n".encode()],
        [answer(CMGL, "+CMGL: 1,1,,27", TEXT, "+CMGL: 2,1,,25", REPORT)],
    ),
    "report inside a list entry": (
        [sends(CMGL), f"\r\n+CMGL: 1,1,,27\r\n+CDS: 25\r\n{REPORT}\r\n{TEXT}\r\n\r\nOK\r\n".encode()],
        [Urc("+CDS: 25", REPORT), answer(CMGL, "+CMGL: 1,1,,27", TEXT)],
    ),
    "empty slot": ([sends(CMGR), b"\r\n+CMGR: 0,,0\r\n\r\nOK\r\n"], [answer(CMGR, "+CMGR: 0,,0")]),
    "send": (
        [sends(CMGS), b"\r\n> ", DATA, b"\r\n+CMGS: 42\r\n\r\nOK\r\n"],
        [Prompt(), answer(CMGS, "+CMGS: 42", sent=True)],
    ),
    "bare prompt": ([sends(CMGS), b">", DATA, b"\r\nOK\r\n"], [Prompt(), BareOk()]),
    "prompt, then a URC": (
        [sends(CMGS), b"\r\n> \r\n^RSSI:17\r\n", DATA, b"\r\n+CMGS: 1\r\n\r\nOK\r\n"],
        [Prompt(), Urc("^RSSI:17"), answer(CMGS, "+CMGS: 1", sent=True)],
    ),
    "a second prompt and the PDU's echo": (
        [sends(CMGS), b"\r\n> ", DATA, f"> {PDU}\x1a\r\n\r\n+CMGS: 48\r\n\r\nOK\r\n".encode()],
        [Prompt(), Odd("echo", PDU), answer(CMGS, "+CMGS: 48", sent=True)],
    ),
    "error instead of the prompt": (
        [sends(CMGS), b"\r\n+CMS ERROR: 302\r\n"],
        [answer(CMGS, final=error("+CMS ERROR: 302", 302))],
    ),
    "an OK is no prompt": (
        [sends(CMGS), b"\r\nOK\r\n\r\n> ", DATA, b"\r\n+CMS ERROR: 38\r\n"],
        [Odd("stray_final", "OK"), Prompt(), answer(CMGS, final=error("+CMS ERROR: 38", 38), sent=True)],
    ),
    "call while sending": (
        [sends(CMGS), b"\r\n> ", DATA, b"\r\nRING\r\n\r\nNO CARRIER\r\n\r\n+CMGS: 53\r\n\r\nOK\r\n"],
        [Prompt(), Urc("RING"), Urc("NO CARRIER"), answer(CMGS, "+CMGS: 53", sent=True)],
    ),
    "two finals": (
        [
            sends(CMGS),
            b"\r\n> ",
            DATA,
            b"\r\n+CMGS: 52\r\n\r\nOK\r\n\r\nOK\r\n",
            sends(CSQ),
            b"\r\n+CSQ: 1,9\r\n\r\nOK\r\n",
        ],
        [Prompt(), answer(CMGS, "+CMGS: 52", sent=True), Odd("stray_final", "OK"), answer(CSQ, "+CSQ: 1,9")],
    ),
    "an older OK before the answer": (
        [sends(CSQ), b"\r\nOK\r\n\r\n+CSQ: 15,99\r\n\r\nOK\r\n"],
        [BareOk(), answer(CSQ, "+CSQ: 15,99")],
    ),
    "stuck prompt": ([sends(AT), b"\r\n> "], [StuckPrompt()]),
    "aborted prompt": (
        [sends(CMGS), b"\r\n> ", does(lambda chat: chat.abort()), b"\r\nOK\r\n", RELEASE, sends(AT), b"\r\nOK\r\n"],
        [Prompt(), Stale("OK", OK), answer(AT)],
    ),
    "late answer in quarantine": (
        [sends(CSQ), ABANDON, PROBE, b"\r\n+CSQ: 20,99\r\n\r\nOK\r\n\r\nOK\r\n", RELEASE, sends(AT), b"\r\nOK\r\n"],
        [Stale("+CSQ: 20,99"), Stale("OK", OK), Stale("OK", OK), answer(AT)],
    ),
    "notifications pass in quarantine": (
        [sends(CSQ), ABANDON, b'\r\n+CMTI: "ME",1\r\n', f"\r\n+CDS: 25\r\n{REPORT}\r\n".encode()],
        [Urc('+CMTI: "ME",1'), Urc("+CDS: 25", REPORT)],
    ),
    "late reference in quarantine": (
        [sends(CMGS), b"\r\n> ", DATA, GIVE_UP, b"\r\n+CMGS: 50\r\n\r\nOK\r\n"],
        [Prompt(), Late("old", "+CMGS: 50"), Stale("OK", OK)],
    ),
    "late reference while idle": (
        [*IN_DOUBT, b"\r\n+CMGS: 50\r\n\r\nOK\r\n", sends(AT), b"\r\nOK\r\n"],
        [*IN_DOUBT_EVENTS, Late("old", "+CMGS: 50"), Odd("late_ok", "OK"), answer(AT)],
    ),
    "late reference while a question is open": (
        [*IN_DOUBT, sends(AT), b"\r\n+CMGS: 50\r\n\r\nOK\r\n\r\nOK\r\n"],
        [*IN_DOUBT_EVENTS, Late("old", "+CMGS: 50"), Odd("late_ok", "OK"), answer(AT)],
    ),
    "late error while a question is open": (
        [*IN_DOUBT, sends(CSQ), b"\r\n+CMS ERROR: 21\r\n\r\n+CSQ: 1,9\r\n\r\nOK\r\n"],
        [
            *IN_DOUBT_EVENTS,
            Late("old", "+CMS ERROR: 21", error("+CMS ERROR: 21", 21)),
            answer(CSQ, "+CSQ: 1,9"),
        ],
    ),
    "late reference before the next prompt": (
        [*IN_DOUBT, sends(CMGS), b"\r\n+CMGS: 50\r\n\r\nOK\r\n\r\n> ", DATA, b"\r\n+CMGS: 51\r\n\r\nOK\r\n"],
        [
            *IN_DOUBT_EVENTS,
            Late("old", "+CMGS: 50"),
            Odd("late_ok", "OK"),
            Prompt(),
            answer(CMGS, "+CMGS: 51", sent=True),
        ],
    ),
    "two results for one send": (
        [*IN_DOUBT, sends(CMGS), b"\r\n> ", DATA, b"\r\n+CMGS: 50\r\n\r\nOK\r\n", b"\r\n+CMGS: 51\r\n\r\nOK\r\n"],
        [*IN_DOUBT_EVENTS, Prompt(), Held(), Late("old", "+CMGS: 50"), answer(CMGS, "+CMGS: 51", sent=True)],
    ),
    "one result for one send, held back": (
        [
            *IN_DOUBT,
            sends(CMGS),
            b"\r\n> ",
            DATA,
            b"\r\n+CMGS: 50\r\n\r\nOK\r\n",
        ],
        [*IN_DOUBT_EVENTS, Prompt(), Held()],
    ),
    "a reference nobody waits for": (
        [b"\r\n+CMGS: 50\r\n\r\nOK\r\n"],
        [Odd("late_unassigned", "+CMGS: 50"), Odd("late_ok", "OK")],
    ),
    "GPS": ([b"$GPGGA,093015.00,5130.00,N*5A\r\n$GPGGA,1*00\r\n"], [NotAt("nmea")]),
    "PPP": ([sends(AT), b"~\xff}#\xc0!}!}!} }4}"], [NotAt("ppp")]),
    "another program": (
        [sends(CSQ), b'\r\n+CGMI: Quectel\r\n\r\nOK\r\n\r\n+QENG: "servingcell"\r\n\r\nOK\r\n'],
        [Foreign("+CGMI: Quectel"), BareOk(), Foreign('+QENG: "servingcell"')],
    ),
    "overlong": ([b"x" * 1025 + b"\r\nRING\r\n"], [Odd("overlong"), Urc("RING")]),
    "unexpected": ([sends(CSQ), b"\r\nhello\r\n"], [Odd("unexpected", "hello")]),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("cut", ["whole", "bytewise", "tail", "bytewise tail"])
def test_the_dialogue(name: str, cut: str) -> None:
    steps, expected = CASES[name]
    chat = Chat()
    events: list[ChatEvent] = []
    if cut.endswith("tail") and name != "PPP":  # PPP has no lines: what follows it is part of it
        steps, expected = [*steps, TAIL], [*expected, Urc("^TAIL: 1")]
    for step in steps:
        if isinstance(step, bytes):
            for piece in [step] if not cut.startswith("bytewise") else [bytes([octet]) for octet in step]:
                events += chat.receive(piece)
        else:
            step(chat)
    assert events == expected


def test_a_held_result_is_concluded_and_later_sends_are_not_held_for_it() -> None:
    chat = Chat()
    for step in IN_DOUBT:
        chat.receive(step) if isinstance(step, bytes) else step(chat)
    chat.send(CMGS)
    chat.receive(b"\r\n> ")
    chat.send_data(PDU)
    assert chat.receive(b"\r\n+CMGS: 50\r\n\r\nOK\r\n") == [Held()]
    assert chat.conclude() == [answer(CMGS, "+CMGS: 50", sent=True)]
    chat.send(CMGS)
    chat.receive(b"\r\n> ")
    chat.send_data(PDU)
    assert chat.receive(b"\r\n+CMGS: 51\r\n\r\nOK\r\n") == [answer(CMGS, "+CMGS: 51", sent=True)]


def test_a_late_reference_is_nobodys_when_two_sends_are_in_doubt() -> None:
    chat = Chat()
    for token in ("one", "two"):
        chat.send(CMGS)
        chat.receive(b"\r\n> ")
        chat.send_data(PDU)
        chat.abandon(token)
        chat.release()
    assert chat.receive(b"\r\n+CMGS: 50\r\n\r\nOK\r\n") == [
        Odd("late_unassigned", "+CMGS: 50"),
        Odd("late_ok", "OK"),
    ]


def test_a_closed_doubt_gets_no_late_result() -> None:
    chat = Chat()
    chat.send(CMGS)
    chat.receive(b"\r\n> ")
    chat.send_data(PDU)
    chat.abandon("old")
    chat.close_doubt("old")
    chat.release()
    assert chat.receive(b"\r\n+CMGS: 50\r\n")[0] == Odd("late_unassigned", "+CMGS: 50")


def test_a_bare_ok_is_concluded_as_an_empty_answer() -> None:
    chat = Chat()
    chat.send(CPIN)
    assert chat.receive(b"\r\nOK\r\n") == [BareOk()]
    assert chat.conclude() == [answer(CPIN)]
    assert chat.state is State.IDLE


def test_a_line_without_its_ok_is_concluded() -> None:
    chat = Chat()
    chat.send(CPIN)
    chat.receive(b"\r\n+CPIN: READY\r\n")
    assert chat.conclude() == [Odd("missing_ok", "AT+CPIN?"), answer(CPIN, "+CPIN: READY")]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda chat: (chat.send(AT), chat.send(AT)),
        lambda chat: chat.send_data(PDU),
        lambda chat: chat.probe(),
        lambda chat: (chat.send(AT), chat.abandon(), chat.send(AT)),
        lambda chat: (chat.send(CMGS), chat.send_data(PDU)),
    ],
    ids=["two commands", "data without prompt", "probe while idle", "command in quarantine", "data before the prompt"],
)
def test_the_caller_is_told_of_its_own_mistakes(wrong: Callable[[Chat], object]) -> None:
    with pytest.raises(ChatError):
        wrong(Chat())


def test_what_is_written_ends_with_cr_alone_and_ctrl_z() -> None:
    chat = Chat()
    assert chat.send(CMGS) == b"AT+CMGS=19\r"
    chat.receive(b"\r\n> ")
    assert chat.send_data(PDU) == PDU.encode() + b"\x1a"


def test_an_answer_has_bounds() -> None:
    chat = Chat()
    chat.send(CSQ)
    events = chat.receive(b"+CSQ: 1,1\r\n" * 500)
    assert events == [Odd("extra_lines")] * (500 - chats.MAX_LINES)
    assert len(chat.lines) == chats.MAX_LINES


def test_a_reset_forgets_everything() -> None:
    chat = Chat()
    chat.send(CMGS)
    chat.receive(b"\r\n> ")
    chat.send_data(PDU)
    chat.reset()
    assert chat.state is State.IDLE
    chat.send(AT)
    assert chat.receive(b"\r\nOK\r\n") == [answer(AT)]
