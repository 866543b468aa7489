"""The command builder: whatever is put in, only commands of the grammar come out."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.modems import bringup, commands
from drivers.modems.chat import Chat
from drivers.modems.commands import CommandError
from drivers.modems.profiles import all_profiles

# Written apart from the one in the module on purpose: what may ever stand on the wire.
ALLOWED = set(b'ATQWERTYUIOPSDFGHJKLZXCVBNMabcdefghijklmnopqrstuvwxyz0123456789+^#!*$%&_=?,-"/. ')
ANYTHING = st.one_of(
    st.text(max_size=40),
    st.text(st.sampled_from('+0123456789"\r\n\x1a\x1b\x00;AT,'), max_size=20),
    st.from_regex(r"\+?[0-9]{3,15}", fullmatch=True),
)


def wire(command: commands.Command) -> bytes:
    return Chat().send(command)


def assert_clean(written: bytes) -> None:
    assert written.startswith(b"AT")
    assert written.endswith(b"\r")
    body = written[:-1]
    assert set(body) <= ALLOWED
    assert body.count(b'"') % 2 == 0
    assert len(body) <= 78


@given(
    st.sampled_from([commands.number, commands.storage, commands.pin, commands.word, commands.digits]),
    ANYTHING,
    st.sampled_from(["AT+CSCA", "AT+CPMS", "AT+CPIN", "AT+CSCS", "AT^X", "AT"]),
)
@settings(max_examples=500)
def test_no_argument_gets_out_of_its_place(kind: object, value: str, verb: str) -> None:
    try:
        command = commands.build(verb, kind(value))  # type: ignore[operator]
    except CommandError:
        return
    written = wire(command)
    assert_clean(written)
    assert written in (f'{verb}="{value}"\r'.encode(), f"{verb}={value}\r".encode())


@given(ANYTHING)
@settings(max_examples=300)
def test_no_command_line_gets_past_the_grammar(text: str) -> None:
    for make in (commands.vendor, commands.build):
        try:
            command = make(text)
        except CommandError:
            continue
        assert_clean(wire(command))


@given(st.one_of(st.integers(-10, 400), st.booleans(), st.floats(), st.text(max_size=5)))
@settings(max_examples=200)
def test_a_length_is_a_number_of_octets(length: object) -> None:
    try:
        command = commands.send(length)
    except CommandError:
        assert isinstance(length, bool) or not isinstance(length, int) or not 1 <= length <= 175
    else:
        assert wire(command) == f"AT+CMGS={length}\r".encode()


@pytest.mark.parametrize("bad", ["\r", "\n", "\x1a", "\x1b", "\0", '"', "\x7f", "é", ";", ","])
@pytest.mark.parametrize("kind", [commands.number, commands.storage, commands.pin, commands.word, commands.digits])
def test_characters_with_power_are_refused_everywhere(kind: object, bad: str) -> None:
    for value in (bad, f"1234{bad}", f"{bad}1234", f"12{bad}34"):
        with pytest.raises(CommandError):
            kind(value)  # type: ignore[operator]


def test_a_refused_pin_is_not_repeated() -> None:
    with pytest.raises(CommandError) as caught:
        commands.pin("12x4")
    assert "12x4" not in str(caught.value)


@pytest.mark.parametrize("pdu", ["", "0", "0g", "00\r", "00ab", "00 00", "\x1a" * 2])
def test_only_upper_case_hexadecimal_is_a_pdu(pdu: str) -> None:
    with pytest.raises(CommandError):
        commands.pdu_bytes(pdu)


def test_every_command_that_ships_fits_the_grammar() -> None:
    for step in bringup.SCRIPT:
        if step.command is not None:
            assert_clean(wire(step.command))
    for profile in all_profiles():
        for command in bringup.iccid_commands(profile):
            assert_clean(wire(command))
        for text in (*profile.quiet, *profile.pin_counter, profile.list_command):
            assert_clean(wire(commands.vendor(text)))
        for candidate in profile.cnmi:
            assert_clean(wire(bringup.cnmi_command(candidate)))
