"""USSD: what the network answers to a code, and in which form this modem gives it (27.007 §7.15, 23.038 §5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.gsm import PduError, alphabet
from drivers.simulator.commands import Command, Form, cme, fields, unquoted
from drivers.simulator.faults import UssdForm, pick
from drivers.simulator.general import decoded
from drivers.simulator.menus import Screen

if TYPE_CHECKING:
    from drivers.simulator.modem import Modem

__all__ = ["ussd"]


def ussd(modem: Modem, command: Command) -> list[str]:
    """+CUSD: OK at once, what the network says comes unsolicited."""
    match command.form:
        case Form.READ:
            return ["+CUSD: 1"]
        case Form.TEST:
            return ["+CUSD: (0-2)"]
        case Form.SET | Form.EXECUTE:
            values = fields(command.argument)
            session = modem.settings.ussd
            if values[:1] == ["2"]:
                session.number += 1  # what was still to come does not come
                session.screen = None
                return []
            if len(values) < 2:
                return []
            _said(modem, _read(modem, unquoted(values[1])))
            return []


def _said(modem: Modem, text: str) -> None:
    faults, session = modem.faults, modem.settings.ussd
    session.number += 1
    if modem.ussd_to_ignore > 0:
        modem.ussd_to_ignore -= 1
        return
    if session.screen is not None:
        screen: Screen | None = session.screen.answers.get(text, session.screen)
    else:
        found = (modem.sim.ussd or modem.network.ussd).get(text)
        screen = Screen(found) if isinstance(found, str) else found
    modem.later(pick(faults.ussd_delay, modem.random), _answer, modem, session.number, screen)


def _answer(modem: Modem, number: int, screen: Screen | None) -> None:
    session = modem.settings.ussd
    if number != session.number:
        return
    session.screen = screen if screen is not None and screen.answers else None
    if screen is None:
        modem.announce("+CUSD: 4")
        return
    text = screen.text.replace("{credit}", str(modem.sim.credit))
    verdict = 1 if screen.answers else modem.faults.ussd_last
    modem.announce(f"+CUSD: {verdict},{_written(modem, text)}")


def _form(modem: Modem) -> UssdForm:
    if modem.faults.ussd_form is not None:
        return modem.faults.ussd_form
    if modem.profile.packs_ussd:
        return UssdForm.PACKED
    return UssdForm.UCS2 if modem.settings.charset == "UCS2" else UssdForm.PLAIN


def _written(modem: Modem, text: str) -> str:
    match _form(modem):
        case UssdForm.PLAIN:
            return f'"{text}",15'
        case UssdForm.OCTETS:
            return f'"{text.encode("latin-1").hex().upper()}",15'
        case UssdForm.UCS2:
            return f'"{text.encode("utf-16-be").hex().upper()}",72'
        case UssdForm.PACKED:
            septets = alphabet.encode(text)
            if len(septets) % 8 == 7:
                septets += b"\r"
            return f'"{alphabet.pack(septets).hex().upper()}",15'


def _read(modem: Modem, written: str) -> str:
    """What the host meant. A modem that packs takes nothing else."""
    try:
        if modem.profile.packs_ussd:
            octets = bytes.fromhex(written)
            return alphabet.decode(alphabet.unpack(octets, len(octets) * 8 // 7)).rstrip("\r@")
    except (ValueError, PduError):
        raise cme(50) from None
    return decoded(modem, written)
