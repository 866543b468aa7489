"""What a network said by USSD is read in every form that modems give it, and nothing can be written that is no USSD."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.gsm import alphabet
from drivers.modems.commands import MAX_LINE, CommandError, ussd
from drivers.modems.ussd import Said, Verdict, said, written

BALANCE = "Balance 10"


@pytest.mark.parametrize(
    ("line", "verdict", "text"),
    [
        ('+CUSD: 0,"Balance 10",15', Verdict.ENDED, BALANCE),
        ('+CUSD: 0,"C2303BEC1E97413118",15', Verdict.ENDED, BALANCE),
        ('+CUSD: 0,"C2303BEC1E97413118"', Verdict.ENDED, BALANCE),
        ('+CUSD: 0,"00420061006C0061006E00630065002000310030",72', Verdict.ENDED, BALANCE),
        ('+CUSD: 0,"00420061006C0061006E00630065002000310030",15', Verdict.ENDED, BALANCE),
        ('+CUSD: 0,"2A3100420061006C0061006E00630065002000310030",17', Verdict.ENDED, BALANCE),
        ('+CUSD: 0,"42616C616E6365203130",15', Verdict.ENDED, BALANCE),
        ('+CUSD: 0,"42616C616E6365203130",68', Verdict.ENDED, BALANCE),
        ('+CUSD:2,"Balance 10", 15', Verdict.TERMINATED, BALANCE),
        ('+CUSD: 1,"1 Balance\n2 Top-up",15', Verdict.WAITS, "1 Balance\n2 Top-up"),
        ('+CUSD: 0,"Say "1", or 2",15', Verdict.ENDED, 'Say "1", or 2'),
        ('+CUSD: 0,"10",15', Verdict.ENDED, "10"),  # an amount, though it could be hexadecimal
        ('+CUSD: 0,"20000",15', Verdict.ENDED, "20000"),
        ('+CUSD: 0,"04120430",72', Verdict.ENDED, "\u0412\u0430"),
        ('+CUSD: 0,"not closed', Verdict.ENDED, "not closed"),
        ('+CUSD: 0,"",15', Verdict.ENDED, ""),
        ("+CUSD: 2", Verdict.TERMINATED, ""),
        ("+CUSD: 3", Verdict.ELSEWHERE, ""),
        ("+CUSD: 4", Verdict.NOT_SUPPORTED, ""),
        ("+CUSD: 5", Verdict.TIMED_OUT, ""),
    ],
)
def test_an_answer_is_read_by_what_it_can_be(line: str, verdict: Verdict, text: str) -> None:
    assert said(line) == Said(verdict=verdict, text=text)


@pytest.mark.parametrize("line", ["+CUSD: 9", "+CUSD:", "+CUSD: x", "+CSQ: 1,2"])
def test_what_is_no_answer_is_none(line: str) -> None:
    assert said(line) is None


@given(st.text(max_size=200))
def test_any_text_is_read_without_failing(text: str) -> None:
    said(f'+CUSD: 0,"{text}",15')


@given(st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ 0123456789.,:*#", min_size=6, max_size=150))
def test_packed_texts_come_back(text: str) -> None:
    text = f"Saldo {text.strip()} PLN"
    septets = alphabet.encode(text)
    if len(septets) % 8 == 7:
        septets += b"\r"
    assert said(f'+CUSD: 0,"{alphabet.pack(septets).hex().upper()}",15') == Said(verdict=Verdict.ENDED, text=text)


def test_a_code_is_written_as_the_modem_wants_it() -> None:
    assert written("*100#", packed=False) == "*100#"
    assert written("*100#", packed=True) == "AA180C3602"
    assert written("1234567", packed=True)[-2:] == "1A"  # filled with CR, not with @


@given(st.text(max_size=80), st.booleans())
def test_nothing_but_ussd_gets_onto_the_line(text: str, packed: bool) -> None:
    try:
        command = ussd(written(text, packed=packed))
    except CommandError:
        return
    assert len(command.text) <= MAX_LINE
    assert set(command.text.partition('"')[2].rpartition('"')[0]) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 +._/*#-"
    )
