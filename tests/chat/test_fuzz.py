"""Whatever the modem sends: no exception, bounded memory, the same events however it is cut."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.modems import replies
from drivers.modems.chat import MAX_LINE, MAX_LIST_LINES, Chat, ChatError, State
from drivers.modems.commands import Command, build, integer, send
from drivers.modems.events import ChatEvent
from drivers.modems.incoming import incoming_event
from drivers.modems.notices import about
from drivers.modems.profiles import all_profiles

WORDS = [
    b"\r\n",
    b"\r",
    b"\n",
    b"> ",
    b"OK",
    b"ERROR",
    b"0",
    b"4",
    b"+CMGS: 42",
    b"+CMS ERROR: 38",
    b"+CME ERROR: SIM busy",
    b'+CMTI: "SM",3',
    b"+CDS: 25",
    b"+CMT: ,27",
    b"+CMGL: 1,1,,27",
    b"+CREG: 2",
    b"+CREG: 0,1",
    b"+CSQ: 17,99",
    b"0791447700090000040C91",
    b"AT+CSQ",
    b"RING",
    b"NO CARRIER",
    b"$GPGGA,1",
    b"~\xff}#",
    b"~",
    b"\x00\xff",
    b"x" * 600,
]
STREAM = st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=8)), max_size=30).map(b"".join)
COMMANDS = [
    Command(text="AT"),
    build("AT+CSQ", informs=True),
    build("AT+CREG?", informs=True),
    build("AT+CGMM", bare=True, informs=True),
    build("AT+CMGR", integer(1), lists=True, sms=True),
    send(19),
]
PDU = "0031000C914477000910320000A705C8329BFD06"


def bounded(chat: Chat) -> bool:
    return len(chat._tail) <= MAX_LINE and len(chat.lines) <= MAX_LIST_LINES and len(chat._doubts) <= 16


@given(STREAM, st.sampled_from([None, *COMMANDS]), st.lists(st.integers(0, 400), max_size=6))
@settings(max_examples=300)
def test_cuts_change_nothing(stream: bytes, command: Command | None, cuts: list[int]) -> None:
    def heard(pieces: list[bytes]) -> list[ChatEvent]:
        chat = Chat()
        if command is not None:
            chat.send(command)
        return [event for piece in pieces for event in chat.receive(piece)]

    marks = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    whole = heard([stream])
    assert heard([stream[a:b] for a, b in pairwise(marks)]) == whole
    assert heard([bytes([octet]) for octet in stream]) == whole


@given(st.lists(st.one_of(STREAM, st.integers(0, 9)), max_size=25))
@settings(max_examples=300)
def test_any_order_of_things_is_survived(actions: list[bytes | int]) -> None:
    chat = Chat()
    for action in actions:
        if isinstance(action, bytes):
            chat.receive(action)
        else:
            try:
                match action:
                    case 0:
                        chat.send_data(PDU)
                    case 1:
                        chat.abort()
                    case 2:
                        chat.abandon("token")
                    case 3:
                        chat.probe()
                    case 4:
                        chat.release()
                    case 5:
                        chat.conclude()
                    case 6:
                        chat.reset()
                    case _:
                        chat.send(COMMANDS[action % len(COMMANDS)])
            except ChatError:
                pass
        assert bounded(chat)
        assert (chat.command is None) == (chat.state in (State.IDLE, State.QUARANTINED))


@given(st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=20))
@settings(max_examples=50)
def test_a_flood_without_lines_takes_no_memory(chunks: list[bytes]) -> None:
    chat = Chat()
    for chunk in chunks:
        chat.receive(chunk.replace(b"\r", b"x").replace(b"\n", b"x"))
        assert bounded(chat)


LINE = st.text(st.characters(max_codepoint=255), max_size=60)
PREFIXES = st.sampled_from(
    ["", "+CPMS:", "+CNMI:", "+CMGL:", "+CMGR:", "+CREG:", "+CSQ:", "+CESQ:", "+COPS:", "+CSCA:", "+CPIN:", "+CRSM:",
     "+CMTI:", "+CDSI:", "+CMGS:", "^CPIN:", "+CPINR:", "+QPINC:", "+CCID:"]
)  # fmt: skip


@given(st.lists(st.tuples(PREFIXES, LINE).map("".join), max_size=4))
@settings(max_examples=300)
def test_no_line_makes_a_parser_raise(lines: list[str]) -> None:
    answer = tuple(lines)
    replies.entries(answer)
    replies.memories(answer)
    replies.memory_names(answer)
    replies.cnmi_choices(answer)
    replies.iccid(answer)
    replies.operator(answer)
    replies.signal_dbm(answer)
    replies.service_centre(answer)
    replies.pin_state(answer)
    replies.pin_tries("AT+CPINR", answer)
    replies.first_digits(answer, 15, 16)
    replies.message_reference(answer)
    replies.smss_reference(answer)
    for line in lines:
        replies.value(line)
        replies.integers(line)
        replies.registration(line, answer=True)
        replies.registration(line, answer=False)
        replies.notice(line)
        for profile in all_profiles():
            about(line, profile)


@given(st.one_of(st.binary(max_size=60).map(lambda b: b.hex().upper()), st.text("0123456789ABCDEF", max_size=99)))
@settings(max_examples=300)
def test_no_pdu_makes_an_event_fail(pdu: str) -> None:
    event = incoming_event(pdu, sim="sim", stat=0)
    if event is not None:
        assert event.pdu == pdu
